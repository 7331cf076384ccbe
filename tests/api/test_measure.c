/* Measuring through the public API: names, steps, profile, repeat and peaks, on every kind of
 * device. That numbers are there and make sense; never how large they are. */
#include "tests/api/support.h"
#include "tests/cli/fixture.h"

#include <unistd.h>

enum { WIDTH = 61, HEIGHT = 47, MOST_STEPS = 128, RUNS = 2 };

static char folder[] = "/tmp/vkdet-measure-XXXXXX";
static char container[64];
static unsigned char picture[WIDTH * HEIGHT * 3];

static int make_model(void **state)
{
    (void)state;
    test_random r = test_random_seed(3);
    for (size_t i = 0; i < sizeof picture; i++) {
        picture[i] = (unsigned char)test_random_u32(&r);
    }
    if (!mkdtemp(folder) || fixture_model(folder)) {
        return -1;
    }
    char network[64], card[64];
    (void)snprintf(network, sizeof network, "%s/model.json", folder);
    (void)snprintf(card, sizeof card, "%s/card.json", folder);
    (void)snprintf(container, sizeof container, "%s/toy.vkdet", folder);
    vkdet_context *context = api_context();
    const vkdet_status converted = vkdet_convert(context, network, card, NULL, container);
    api_context_done(context);
    return converted == VKDET_OK ? 0 : -1;
}

static int remove_model(void **state)
{
    (void)state;
    static const char *const names[] = {"model.json", "weights.bin", "card.json", "toy.vkdet"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static vkdet_pixels view(void)
{
    return (vkdet_pixels){VKDET_PIXEL_RGB8, WIDTH, HEIGHT, 0, picture};
}

static bool is_reference(void)
{
    return strcmp(api_device(), "reference") == 0;
}

typedef struct bench {
    vkdet_context *context;
    vkdet_model *model;
    vkdet_session *session;
} bench;

static bench bench_open(void)
{
    bench b = {.context = api_context()};
    const vkdet_session_params p = {
        .device = api_device(), .max_batch = 2, .cache_dir = "", .tune = VKDET_TUNE_OFF};
    assert_vkdet(vkdet_model_open(b.context, container, &b.model));
    assert_vkdet(vkdet_session_create(b.context, b.model, &p, &b.session));
    return b;
}

static void bench_close(bench *b)
{
    vkdet_session_destroy(b->session);
    vkdet_model_destroy(b->model);
    api_context_done(b->context);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const precisions[] = {"auto", "fp32", "fp16", "bf16"};
    static const char *const tunes[] = {"default", "off", "quick", "full"};
    for (unsigned i = 0; i < 4; i++) {
        vkdet_precision precision;
        vkdet_tune tune;
        assert_vkdet(vkdet_precision_from_name(precisions[i], &precision));
        assert_vkdet(vkdet_tune_from_name(tunes[i], &tune));
        assert_true((unsigned)precision == i && (unsigned)tune == i);
        assert_string_equal(vkdet_precision_name(precision), precisions[i]);
    }
    vkdet_precision precision;
    vkdet_tune tune;
    assert_int_equal(vkdet_precision_from_name("FP32", &precision), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_precision_from_name(NULL, &precision), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_tune_from_name("fast", &tune), VKDET_ERROR_ARGUMENT);
    assert_non_null(strstr(vkdet_error_message(), "fast"));
    assert_non_null(vkdet_precision_name((vkdet_precision)77));
}

static void test_parameters(void **state)
{
    (void)state;
    bench b = bench_open();
    vkdet_session *none = NULL;
    assert_true(vkdet_session_precision(b.session) != VKDET_PRECISION_AUTO);
    vkdet_session_params p = {.device = api_device(), .precision = (vkdet_precision)9};
    assert_int_equal(vkdet_session_create(b.context, b.model, &p, &none), VKDET_ERROR_ARGUMENT);
    p = (vkdet_session_params){.device = api_device(), .tune = (vkdet_tune)9};
    assert_int_equal(vkdet_session_create(b.context, b.model, &p, &none), VKDET_ERROR_ARGUMENT);
    p = (vkdet_session_params){.device = api_device(), .threads = 100000};
    assert_int_equal(vkdet_session_create(b.context, b.model, &p, &none), VKDET_ERROR_ARGUMENT);
    p = (vkdet_session_params){.device = "reference", .precision = VKDET_PRECISION_FP16};
    assert_int_equal(vkdet_session_create(b.context, b.model, &p, &none), VKDET_ERROR_UNSUPPORTED);
    assert_null(none);
    bench_close(&b);
}

static void test_steps(void **state)
{
    (void)state;
    bench b = bench_open();
    const uint32_t count = vkdet_session_step_count(b.session);
    uint64_t flops = 0, weights = 0;
    uint32_t level = 0;
    assert_true(count > 2 && count < MOST_STEPS);
    for (uint32_t i = 0; i < count; i++) {
        vkdet_step step = {0};
        assert_vkdet(vkdet_session_step(b.session, i, &step));
        assert_true(step.name[0] && step.kernel[0] && step.variant);
        assert_true(step.level >= level);
        level = step.level;
        flops += step.flops;
        weights += step.weight_bytes;
    }
    assert_true(flops > 0 && weights > 0);
    vkdet_step step;
    assert_int_equal(vkdet_session_step(b.session, count, &step), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_step(b.session, 0, NULL), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_step(NULL, 0, &step), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_step_count(NULL), 0);
    bench_close(&b);
}

/* and detecting afterwards gives what it gave before */
static void test_measuring(void **state)
{
    (void)state;
    bench b = bench_open();
    const vkdet_pixels both[2] = {view(), view()};
    const vkdet_detect_params all = {.score_threshold = -1};
    const vkdet_result *result = NULL;
    static vkdet_detection before[4096];
    uint64_t step_ns[RUNS * MOST_STEPS] = {0}, total_ns[RUNS] = {0}, ns = 0;
    const uint32_t steps = vkdet_session_step_count(b.session);
    assert_vkdet(vkdet_session_detect(b.session, both, 1, &all, &result));
    const uint32_t count = result->count;
    assert_true(count <= 4096);
    memcpy(before, result->detections, count * sizeof *before);
    for (uint32_t batch = 1; batch <= 2; batch++) {
        assert_vkdet(vkdet_session_profile(b.session, both, batch, &all, RUNS, step_ns, total_ns));
        for (uint32_t run = 0; run < RUNS; run++) {
            uint64_t sum = 0;
            for (uint32_t i = 0; i < steps; i++) {
                sum += step_ns[run * steps + i];
            }
            assert_true(sum > 0 && total_ns[run] > 0);
            assert_true(!is_reference() || sum == total_ns[run]);
        }
        assert_vkdet(vkdet_session_profile(b.session, both, batch, NULL, 1, NULL, NULL));
        assert_vkdet(vkdet_session_repeat(b.session, both, batch, &all, 5, &ns));
        assert_true(ns > 0);
    }
    assert_vkdet(vkdet_session_detect(b.session, both, 1, &all, &result));
    assert_int_equal(result->count, count);
    assert_memory_equal(result->detections, before, count * sizeof *before);
    bench_close(&b);
}

static void test_refusals(void **state)
{
    (void)state;
    bench b = bench_open();
    vkdet_pixels v = view();
    vkdet_ticket ticket = 0;
    uint64_t ns = 0, total[1];
    const vkdet_result *result = NULL;
    uint32_t count = 0;
    assert_int_equal(vkdet_session_profile(NULL, &v, 1, NULL, 1, NULL, total),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_profile(b.session, &v, 0, NULL, 1, NULL, total),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_profile(b.session, &v, 3, NULL, 1, NULL, total),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_profile(b.session, &v, 1, NULL, 0, NULL, total),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_repeat(b.session, &v, 1, NULL, 1, NULL), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_session_repeat(b.session, NULL, 1, NULL, 1, &ns), VKDET_ERROR_ARGUMENT);
    const vkdet_detect_params bad = {.iou_threshold = 7};
    assert_int_equal(vkdet_session_repeat(b.session, &v, 1, &bad, 1, &ns), VKDET_ERROR_ARGUMENT);
    v.height = 0;
    assert_int_equal(vkdet_session_repeat(b.session, &v, 1, NULL, 1, &ns), VKDET_ERROR_ARGUMENT);
    v = view();
    assert_vkdet(vkdet_session_submit(b.session, &v, 1, NULL, &ticket));
    assert_int_equal(vkdet_session_profile(b.session, &v, 1, NULL, 1, NULL, total),
                     VKDET_ERROR_BUSY);
    assert_int_equal(vkdet_session_repeat(b.session, &v, 1, NULL, 1, &ns), VKDET_ERROR_BUSY);
    assert_vkdet(vkdet_session_wait(b.session, ticket, VKDET_WAIT_FOREVER, &result, &count));
    assert_vkdet(vkdet_session_release(b.session, ticket));
    assert_vkdet(vkdet_session_repeat(b.session, &v, 1, NULL, 1, &ns));
    bench_close(&b);
}

static void test_peaks(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_device_peaks p = {.fp32_flops = -1};
    const vkdet_status measured = vkdet_device_peaks_measure(context, api_device(), &p);
    if (is_reference()) {
        assert_int_equal(measured, VKDET_ERROR_UNSUPPORTED);
        assert_non_null(strstr(vkdet_error_message(), "reference"));
        assert_true(p.fp32_flops == 0);
    } else {
        assert_vkdet(measured);
        assert_true(p.fp32_flops > 0 && p.copy_bytes > 0 && p.read_bytes > 0);
        assert_true(p.fp16_flops >= 0 && p.matrix_fp16_flops >= 0 && p.bf16_flops >= 0);
    }
    assert_int_equal(vkdet_device_peaks_measure(context, "nowhere", &p), VKDET_ERROR_DEVICE);
    assert_int_equal(vkdet_device_peaks_measure(context, NULL, NULL), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_device_peaks_measure(NULL, NULL, &p), VKDET_ERROR_ARGUMENT);
    api_context_done(context);
}

/* From a context to measurements with an allocator that fails once. */
static vkdet_status measure_all(const test_allocator *t)
{
    const vkdet_context_params params = {
        .allocator = {t->alloc.allocate, t->alloc.release, t->alloc.user}};
    const vkdet_session_params p = {
        .device = api_device(), .cache_dir = "", .tune = VKDET_TUNE_OFF};
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    vkdet_session *session = NULL;
    const vkdet_pixels v = view();
    uint64_t ns = 0, total[1];
    vkdet_status code = vkdet_context_create(&params, &context);
    if (code == VKDET_OK) {
        code = vkdet_model_open(context, container, &model);
    }
    if (code == VKDET_OK) {
        code = vkdet_session_create(context, model, &p, &session);
    }
    if (code == VKDET_OK) {
        code = vkdet_session_profile(session, &v, 1, NULL, 1, NULL, total);
    }
    if (code == VKDET_OK) {
        code = vkdet_session_repeat(session, &v, 1, NULL, 1, &ns);
    }
    vkdet_session_destroy(session);
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return code;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        const vkdet_status code = measure_all(&t);
        failed = t.failed;
        assert_int_equal(t.live, 0);
        if (!failed) {
            assert_int_equal(code, VKDET_OK);
        } else if (code != VKDET_ERROR_MEMORY && code != VKDET_OK) {
            fail_msg("allocation %zu failing gave %s: %s", n, vkdet_status_name(code),
                     vkdet_error_message());
        }
    }
    assert_true(n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_measuring),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_peaks),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
