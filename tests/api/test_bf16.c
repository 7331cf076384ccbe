/* bf16, which the cpu device computes in where the CPU can: the detections of fp32 at the card's
 * own thresholds, within what eight bits leave; every step within its contract; the same bytes in
 * any batch and on any number of threads. Everywhere else it is refused. */
#include "tests/api/golden.h"

enum { PICTURES = 4 };

static const char *const names[PICTURES] = {"street0003", "street0004", "street0006", "street0007"};

/* Each stored value is off by up to 2^-8 of itself. The errors of a few dozen layers mostly cancel:
 * a few times what was seen here (0.003 and 0.997). */
static const double score_within = 0.015, least_iou = 0.98;

static struct {
    vkdet_context *context;
    const char *container;
    vkdet_model *model;
    vkdet_image *images[PICTURES];
    bool has_bf16;
} shared;

static int open_all(void **state)
{
    (void)state;
    char path[4096];
    vkdet_session *session = NULL;
    vkdet_session_params params = {
        .device = api_device(), .precision = VKDET_PRECISION_BF16, .cache_dir = ""};
    shared.context = api_context();
    (void)snprintf(path, sizeof path, "%s/models/street-320/model.json", TEST_SOURCE_DIR);
    shared.container =
        api_convert(shared.context, path, TEST_SOURCE_DIR "/models/street-320/card.json");
    assert_vkdet(vkdet_model_open(shared.context, shared.container, &shared.model));
    for (int i = 0; i < PICTURES; i++) {
        (void)snprintf(path, sizeof path, "%s/models/street-320/samples/%s.png", TEST_SOURCE_DIR,
                       names[i]);
        assert_vkdet(vkdet_image_load(shared.context, path, NULL, &shared.images[i]));
    }
    vkdet_status made = vkdet_session_create(shared.context, shared.model, &params, &session);
    shared.has_bf16 = made == VKDET_OK;
    if (!shared.has_bf16) {
        assert_int_equal(made, VKDET_ERROR_UNSUPPORTED);
        assert_non_null(strstr(vkdet_error_message(), "bf16"));
    }
    vkdet_session_destroy(session);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < PICTURES; i++) {
        vkdet_image_destroy(shared.images[i]);
    }
    vkdet_model_destroy(shared.model);
    api_remove_model(shared.container);
    api_context_done(shared.context);
    return 0;
}

#define REQUIRE_BF16()                                                                             \
    do {                                                                                           \
        if (!shared.has_bf16) {                                                                    \
            printf("SKIPPED %s: needs a CPU with bf16\n", __func__);                               \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static vkdet_session *session_in(vkdet_precision precision, uint32_t threads)
{
    vkdet_session *session = NULL;
    vkdet_session_params params = {.device = api_device(),
                                   .precision = precision,
                                   .keep_outputs = 1,
                                   .threads = threads,
                                   .cache_dir = ""};
    assert_vkdet(vkdet_session_create(shared.context, shared.model, &params, &session));
    assert_int_equal(vkdet_session_precision(session), precision);
    return session;
}

static double iou(const float *a, const float *b)
{
    double width = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    double height = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    double common = fmax(width, 0) * fmax(height, 0);
    double all = ((double)a[2] - (double)a[0]) * ((double)a[3] - (double)a[1]) +
                 ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]) - common;
    return all > 0 ? common / all : 1;
}

static void test_agrees(void **state)
{
    (void)state;
    REQUIRE_BF16();
    vkdet_session *exact = session_in(VKDET_PRECISION_FP32, 0),
                  *rounded = session_in(VKDET_PRECISION_BF16, 0);
    double least = 1, most = 0;
    uint32_t total = 0;
    for (int i = 0; i < PICTURES; i++) {
        const vkdet_result *a = NULL, *b = NULL;
        assert_vkdet(vkdet_session_detect_image(exact, shared.images[i], NULL, &a));
        assert_vkdet(vkdet_session_detect_image(rounded, shared.images[i], NULL, &b));
        assert_int_equal(a->count, b->count);
        for (uint32_t k = 0; k < a->count; k++) {
            double best = 0, difference = 1;
            for (uint32_t m = 0; m < b->count; m++) {
                double overlap = iou(a->detections[k].box, b->detections[m].box);
                if (a->detections[k].class_id == b->detections[m].class_id && overlap > best) {
                    best = overlap;
                    difference =
                        fabs((double)a->detections[k].score - (double)b->detections[m].score);
                }
            }
            if (best < least_iou || difference > score_within) {
                fail_msg("%s: detection %u: IoU %.4f, score off by %.4f", names[i], k, best,
                         difference);
            }
            least = fmin(least, best);
            most = fmax(most, difference);
        }
        total += a->count;
    }
    printf("%u detections: IoU %.4f or more, scores within %.4f\n", total, least, most);
    vkdet_session_destroy(exact);
    vkdet_session_destroy(rounded);
}

static void test_every_step(void **state)
{
    (void)state;
    REQUIRE_BF16();
    vkdet_verify_params params = {.device = api_device(), .precision = VKDET_PRECISION_BF16};
    vkdet_pixels view = vkdet_image_pixels(shared.images[0]);
    const vkdet_pixels *const pictures[] = {&view, NULL};
    for (int i = 0; i < 2; i++) {
        char *report = NULL;
        assert_vkdet(vkdet_verify(shared.context, shared.model, &params, pictures[i], &report));
        assert_non_null(strstr(report, "bf16"));
        vkdet_text_free(shared.context, report);
    }
}

static void test_same_bytes_in_any_batch(void **state)
{
    (void)state;
    REQUIRE_BF16();
    golden_check_batches(shared.context, shared.model, VKDET_PRECISION_BF16, VKDET_WINOGRAD_AUTO,
                         shared.images, PICTURES);
}

static void test_same_bytes_on_any_threads(void **state)
{
    (void)state;
    static const vkdet_precision precisions[] = {VKDET_PRECISION_FP32, VKDET_PRECISION_BF16};
    for (int p = 0; p < (shared.has_bf16 ? 2 : 1); p++) {
        float *outputs[2][4];
        size_t counts[2];
        for (uint32_t threads = 1; threads <= 4; threads++) {
            vkdet_session *session = session_in(precisions[p], threads);
            const vkdet_result *result = NULL;
            assert_vkdet(vkdet_session_detect_image(session, shared.images[0], NULL, &result));
            for (uint32_t k = 0; k < 2; k++) {
                assert_vkdet(vkdet_session_output(session, 0, 0, k, NULL, 0, &counts[k]));
                outputs[k][threads - 1] = golden_read_output(session, k, counts[k]);
                assert_memory_equal(outputs[k][threads - 1], outputs[k][0],
                                    counts[k] * sizeof(float));
            }
            vkdet_session_destroy(session);
        }
        for (int i = 0; i < 8; i++) {
            free(outputs[i / 4][i % 4]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agrees),
        cmocka_unit_test(test_every_step),
        cmocka_unit_test(test_same_bytes_in_any_batch),
        cmocka_unit_test(test_same_bytes_on_any_threads),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
