/* A library that carries no model (VKDET_BUILTIN_MODEL=OFF) says so, and does all the rest. Linked
 * with models/builtin_none.c, whatever this build itself carries. */
#include "tests/api/support.h"

static void test_there_is_none(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    int here = 0;
    vkdet_model *model = (vkdet_model *)(void *)&here;
    assert_int_equal(vkdet_model_open_builtin(context, &model), VKDET_ERROR_UNSUPPORTED);
    assert_null(model);
    assert_non_null(strstr(vkdet_error_message(), "carries no model"));
    assert_non_null(strstr(vkdet_error_message(), "VKDET_BUILTIN_MODEL=OFF"));
    api_context_done(context);
}

static void test_containers_open(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = NULL;
    const char *path = api_convert(context, TEST_SOURCE_DIR "/models/street-320/model.json",
                                   TEST_SOURCE_DIR "/models/street-320/card.json");
    assert_vkdet(vkdet_model_open(context, path, &model));
    vkdet_model_destroy(model);
    api_remove_model(path);
    api_context_done(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_is_none),
        cmocka_unit_test(test_containers_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
