/* The model that the library carries: it is the repository's, byte for byte, needs no file, and
 * opens whatever runs out of memory on the way. */
#include "tests/api/support.h"

#include "models/builtin.h"

#include <pthread.h>

#define FOLDER TEST_SOURCE_DIR "/models/street-320/"

enum { MOST_BYTES = 1500000, THREADS = 4 };

/* What the build made from these files is what the library makes of them now. */
static void test_bytes_are_those_of_a_conversion(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    size_t size = 0;
    const char *path = api_convert(context, FOLDER "model.json", FOLDER "card.json");
    unsigned char *bytes = test_read_file(path, &size);
    api_remove_model(path);
    assert_non_null(bytes);
    assert_int_equal(size, model_builtin.size);
    assert_memory_equal(bytes, model_builtin.bytes, size);
    assert_true(size <= MOST_BYTES);
    assert_int_equal((uintptr_t)model_builtin.bytes % 64, 0);
    printf("%zu bytes\n", size);
    free(bytes);
    api_context_done(context);
}

static void test_it_is_a_detector(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = NULL;
    vkdet_model_info info;
    assert_vkdet(vkdet_model_open_builtin(context, &model));
    vkdet_model_info_get(model, &info);
    assert_string_equal(info.name, "street-320");
    assert_true(info.detects && info.input_width <= 320 && info.input_height <= 320);
    assert_int_equal(info.class_count, 2);
    assert_string_equal(vkdet_model_label(model, 0, "en"), "mask");
    assert_string_equal(vkdet_model_label(model, 1, "en"), "no_mask");
    assert_non_null(vkdet_model_label(model, 1, "zh"));
    vkdet_model_destroy(model);
    api_context_done(context);
}

static void test_arguments(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = NULL;
    assert_int_equal(vkdet_model_open_builtin(NULL, &model), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_model_open_builtin(context, NULL), VKDET_ERROR_ARGUMENT);
    assert_non_null(strstr(vkdet_error_message(), "vkdet_model_open_builtin"));
    api_context_done(context);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        test_allocator t;
        vkdet_context *context = NULL;
        vkdet_model *model = NULL;
        test_allocator_init(&t, n);
        vkdet_context_params params = {
            .allocator = {t.alloc.allocate, t.alloc.release, t.alloc.user}};
        vkdet_status code = vkdet_context_create(&params, &context);
        if (code == VKDET_OK) {
            code = vkdet_model_open_builtin(context, &model);
        }
        assert_true((code == VKDET_OK) == (model != NULL));
        vkdet_model_destroy(model);
        vkdet_context_destroy(context);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_int_equal(code, VKDET_OK);
            printf("%zu allocations, each failed once\n", n - 1);
            return;
        }
        assert_int_equal(code, VKDET_ERROR_MEMORY);
    }
}

static void *open_and_close(void *context)
{
    vkdet_model *model = NULL;
    vkdet_status code = vkdet_model_open_builtin(context, &model);
    vkdet_model_destroy(model);
    return code == VKDET_OK ? context : NULL;
}

static void test_many_threads_open_it(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, open_and_close, context), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *good = NULL;
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_ptr_equal(good, context);
    }
    api_context_done(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_those_of_a_conversion),
        cmocka_unit_test(test_it_is_a_detector),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_many_threads_open_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
