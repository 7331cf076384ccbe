/* Tuning from outside: when a session tries kernels, that it does so once, and that in fp32 the
 * answers are the same bytes whatever was chosen. Which candidate is the fastest is nothing that a
 * test can know. */
#include "tests/api/support.h"
#include "tests/cli/fixture.h"

#include <jansson.h>

enum { WIDTH = 61, HEIGHT = 47, PICTURES = 3 };

static char folder[] = "/tmp/vkdet-tune-XXXXXX", cache[64];
static vkdet_context *context;
static vkdet_model *model;
static unsigned char pictures[PICTURES][WIDTH * HEIGHT * 3];
static struct {
    size_t tuned, loaded;
} logged;

static void count(void *user, vkdet_log_level level, const char *id, const char *message)
{
    (void)user;
    logged.tuned += strcmp(id, "tuned") == 0;
    logged.loaded += strcmp(id, "tuning-loaded") == 0;
    if (level <= VKDET_LOG_WARNING) {
        (void)fprintf(stderr, "[%s] %s\n", id, message);
    }
}

static bool on_vulkan(void)
{
    return strncmp(api_device(), "vulkan", 6) == 0;
}

static void make_path(char *path, size_t size, const char *name)
{
    (void)snprintf(path, size, "%s/%s", folder, name);
}

static int setup(void **state)
{
    (void)state;
    const char *validate = getenv("VKDET_TEST_VALIDATE");
    char json[96], card[96], container[96];
    test_random r = test_random_seed(4);
    if (!mkdtemp(folder) || fixture_model(folder) != 0) {
        return -1;
    }
    make_path(json, sizeof json, "model.json");
    make_path(card, sizeof card, "card.json");
    make_path(container, sizeof container, "toy.vkdet");
    make_path(cache, sizeof cache, "cache");
    for (size_t i = 0; i < sizeof pictures; i++) {
        (&pictures[0][0])[i] = (unsigned char)test_random_u32(&r);
    }
    vkdet_context_params params = {
        .log = count, .log_level = VKDET_LOG_DEBUG, .validate = validate && validate[0] == '1'};
    assert_vkdet(vkdet_context_create(&params, &context));
    assert_vkdet(vkdet_convert(context, json, card, NULL, container));
    assert_vkdet(vkdet_model_open(context, container, &model));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    vkdet_model_destroy(model);
    api_context_done(context);
    return test_remove_folder(folder);
}

/* What a session answers, with all anchors kept so that there is something to compare. */
typedef struct answer {
    vkdet_detection detections[PICTURES][16];
    uint32_t counts[PICTURES];
} answer;

static void answer_of(vkdet_tune tune, const char *cache_dir, answer *out)
{
    vkdet_session *session = NULL;
    const vkdet_session_params params = {.device = api_device(),
                                         .max_batch = 2,
                                         .cache_dir = cache_dir,
                                         .precision = VKDET_PRECISION_FP32,
                                         .tune = tune};
    const vkdet_detect_params all = {.score_threshold = -1};
    const vkdet_result *results = NULL;
    vkdet_pixels views[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        views[i] = (vkdet_pixels){VKDET_PIXEL_RGB8, WIDTH, HEIGHT, 0, pictures[i]};
    }
    memset(out, 0, sizeof *out);
    memset(&logged, 0, sizeof logged);
    assert_vkdet(vkdet_session_create(context, model, &params, &session));
    assert_vkdet(vkdet_session_detect(session, views, PICTURES, &all, &results));
    for (int i = 0; i < PICTURES; i++) {
        out->counts[i] = results[i].count;
        assert_true(results[i].count > 0 && results[i].count <= 16);
        memcpy(out->detections[i], results[i].detections,
               results[i].count * sizeof *results[i].detections);
    }
    vkdet_session_destroy(session);
}

static void assert_same(const answer *a, const answer *b)
{
    assert_memory_equal(a->counts, b->counts, sizeof a->counts);
    assert_memory_equal(a->detections, b->detections, sizeof a->detections);
}

/* On a driver that runs on the processor the default tries nothing, but takes what was chosen. */
static void test_sessions(void **state)
{
    (void)state;
    answer off, now;
    answer_of(VKDET_TUNE_OFF, cache, &off);
    assert_int_equal(logged.tuned + logged.loaded, 0);
    answer_of(VKDET_TUNE_DEFAULT, cache, &now);
    assert_int_equal(logged.tuned + logged.loaded, 0);
    assert_same(&off, &now);
    const struct {
        vkdet_tune tune;
        size_t tuned, loaded;
    } steps[] = {{VKDET_TUNE_QUICK, 1, 0},
                 {VKDET_TUNE_QUICK, 0, 1},
                 {VKDET_TUNE_DEFAULT, 0, 1},
                 {VKDET_TUNE_OFF, 0, 0},
                 {VKDET_TUNE_QUICK, 0, 1}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        answer_of(steps[i].tune, cache, &now);
        assert_int_equal(logged.tuned, on_vulkan() ? steps[i].tuned : 0);
        assert_int_equal(logged.loaded, on_vulkan() ? steps[i].loaded : 0);
        assert_same(&off, &now);
    }
    answer_of(VKDET_TUNE_DEFAULT, "", &now); /* nowhere to keep it */
    assert_int_equal(logged.tuned + logged.loaded, 0);
    assert_same(&off, &now);
    answer_of(VKDET_TUNE_DEFAULT, "/proc/nowhere", &now);
    assert_int_equal(logged.tuned + logged.loaded, 0);
    assert_same(&off, &now);
}

static void test_reports(void **state)
{
    (void)state;
    char *text = NULL;
    const vkdet_tune all[] = {VKDET_TUNE_DEFAULT, VKDET_TUNE_OFF, VKDET_TUNE_QUICK};
    for (size_t i = 0; i < 3; i++) {
        const vkdet_plan_params plan = {
            .device = api_device(), .batch = 2, .tune = all[i], .cache_dir = cache};
        const vkdet_verify_params verify = {
            .device = api_device(), .tune = all[i], .cache_dir = cache, .max_batch = 2};
        memset(&logged, 0, sizeof logged);
        assert_vkdet(vkdet_model_plan(context, model, &plan, &text));
        assert_true(logged.tuned == 0 || all[i] == VKDET_TUNE_QUICK);
        json_t *report = json_loads(text, 0, NULL), *step;
        size_t k;
        assert_non_null(report);
        json_array_foreach(json_object_get(report, "steps"), k, step)
        {
            const json_int_t index = json_integer_value(json_object_get(step, "variant_index"));
            assert_true(!on_vulkan() || json_object_get(step, "variant_count"));
            assert_true(index == 0 ||
                        index < json_integer_value(json_object_get(step, "variant_count")));
            assert_true(index == 0 || all[i] != VKDET_TUNE_OFF);
        }
        json_decref(report);
        vkdet_text_free(context, text);
        memset(&logged, 0, sizeof logged);
        assert_vkdet(vkdet_verify(context, model, &verify, NULL, &text));
        assert_true(logged.tuned == 0 || all[i] == VKDET_TUNE_QUICK);
        vkdet_text_free(context, text);
    }
}

static void test_names(void **state)
{
    (void)state;
    vkdet_session *session = NULL;
    const vkdet_session_params params = {.device = api_device(), .tune = (vkdet_tune)9};
    const vkdet_plan_params plan = {.device = api_device(), .tune = (vkdet_tune)9};
    const vkdet_verify_params verify = {.device = api_device(), .tune = (vkdet_tune)-1};
    char *text = NULL;
    vkdet_tune tune = VKDET_TUNE_OFF;
    assert_int_equal(vkdet_session_create(context, model, &params, &session), VKDET_ERROR_ARGUMENT);
    assert_null(session);
    assert_int_equal(vkdet_model_plan(context, model, &plan, &text), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_verify(context, model, &verify, NULL, &text), VKDET_ERROR_ARGUMENT);
    assert_null(text);
    const vkdet_verify_params large = {.device = api_device(), .max_batch = 4097};
    assert_int_equal(vkdet_verify(context, model, &large, NULL, &text), VKDET_ERROR_ARGUMENT);
    assert_null(text);
    assert_vkdet(vkdet_tune_from_name("full", &tune));
    assert_int_equal(tune, VKDET_TUNE_FULL);
    assert_int_equal(vkdet_tune_from_name("hard", &tune), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_tune_from_name(NULL, &tune), VKDET_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
