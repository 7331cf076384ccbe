/* fp16 against fp32 on the same device: every step within its contract, the same detections on the
 * golden pictures (the rule of models/CARD.md), the same bytes at every batch size, half the
 * memory; and which precision is chosen where. The repository's own model needs nothing from
 * outside. */
#include "tests/api/golden.h"

#define FOLDER TEST_SOURCE_DIR "/models/street-320/"

/* the rule of models/CARD.md */
#define LEAST_IOU    0.99
#define SCORE_WITHIN 0.01

enum { MOST_PICTURES = 20, BATCHED = 8, OUTPUTS = 2, MEGABYTE = 1000000 };

/* A model with its golden pictures. */
typedef struct subject {
    vkdet_model *model;
    const char *container; /* of a model that was converted for the test */
    vkdet_image *images[MOST_PICTURES];
    const char *names[MOST_PICTURES];
    uint32_t count;
} subject;

static vkdet_context *context;
static subject street, aizoo;

static void subject_add(subject *s, const char *path, const char *name)
{
    assert_true(s->count < MOST_PICTURES);
    s->names[s->count] = name;
    assert_vkdet(vkdet_image_load(context, path, NULL, &s->images[s->count++]));
}

static void open_street(void)
{
    static const char *const files[] = {
        "golden/empty.png",       "golden/gray.png",        "golden/large.png",
        "golden/odd.png",         "golden/portrait.png",    "samples/street0003.png",
        "samples/street0004.png", "samples/street0006.png", "samples/street0007.png"};
    street.container = api_convert(context, FOLDER "model.json", FOLDER "card.json");
    assert_vkdet(vkdet_model_open(context, street.container, &street.model));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, FOLDER "%s", files[i]);
        subject_add(&street, path, files[i]);
    }
}

static void open_aizoo(void)
{
    static const char *const names[] = {
        "aizoo_demo",      "cc0_001",         "cc0_026",         "cc0_075",
        "cc0m_001",        "cc0m_032",        "cc0m_060",        "group4_indoor",
        "group5_stairs",   "maksssksksss106", "maksssksksss251", "maksssksksss282",
        "maksssksksss327", "maksssksksss37",  "maksssksksss447", "maksssksksss498",
        "maksssksksss527", "maksssksksss659", "maksssksksss741", "two_people"};
    if (!test_data_path("golden/aizoo-260/anchors.bin")) {
        return; /* the tests say so */
    }
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", test_data_path("models/aizoo-260/tfjs/model.json"));
    aizoo.container = api_convert(context, path, TEST_SOURCE_DIR "/models/cards/aizoo-260.json");
    assert_vkdet(vkdet_model_open(context, aizoo.container, &aizoo.model));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "golden/aizoo-260/%s/image.png", names[i]);
        subject_add(&aizoo, test_data_path(path), names[i]);
    }
}

static void subject_close(subject *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        vkdet_image_destroy(s->images[i]);
    }
    vkdet_model_destroy(s->model);
    if (s->container) {
        api_remove_model(s->container);
    }
    *s = (subject){0};
}

static int open_all(void **state)
{
    (void)state;
    context = api_context();
    open_street();
    open_aizoo();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    subject_close(&street);
    subject_close(&aizoo);
    api_context_done(context);
    return 0;
}

/* --- the same detections --- */

static vkdet_session *session_in(const subject *s, vkdet_precision precision)
{
    vkdet_session *session = NULL;
    vkdet_session_params params = {
        .device = api_device(), .precision = precision, .keep_outputs = 1, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, s->model, &params, &session));
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

/* The detection of r of d's class that fits it best. */
static const vkdet_detection *counterpart(const vkdet_result *r, const vkdet_detection *d)
{
    const vkdet_detection *best = NULL;
    for (uint32_t i = 0; i < r->count; i++) {
        const vkdet_detection *other = &r->detections[i];
        if (other->class_id == d->class_id &&
            (!best || iou(other->box, d->box) > iou(best->box, d->box))) {
            best = other;
        }
    }
    return best;
}

static void compare_detections(const char *name, const vkdet_result *exact,
                               const vkdet_result *half)
{
    double least = 1, most = 0;
    if (exact->count != half->count) {
        fail_msg("%s: %u detections, %u in fp16", name, exact->count, half->count);
    }
    for (uint32_t i = 0; i < exact->count; i++) {
        const vkdet_detection *d = &exact->detections[i], *other = counterpart(half, d);
        double overlap = other ? iou(other->box, d->box) : 0;
        double difference = other ? fabs((double)other->score - (double)d->score) : 1;
        if (overlap < LEAST_IOU || difference > SCORE_WITHIN) {
            fail_msg("%s: detection %u: in fp16 IoU %.6f, score off by %.3g", name, i, overlap,
                     difference);
        }
        least = fmin(least, overlap);
        most = fmax(most, difference);
    }
    printf("%s: %u detections: IoU %.6f or more, scores within %.3g\n", name, exact->count, least,
           most);
}

static double output_distance(vkdet_session *a, vkdet_session *b, uint32_t index)
{
    size_t count = 0;
    assert_vkdet(vkdet_session_output(a, 0, 0, index, NULL, 0, &count));
    float *x = golden_read_output(a, index, count), *y = golden_read_output(b, index, count);
    double worst = 0;
    for (size_t i = 0; i < count; i++) {
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
    }
    free(x);
    free(y);
    return worst;
}

/* Every step-th picture, at the card's own thresholds. */
static void compare_precisions(const subject *s, uint32_t step)
{
    vkdet_session *exact = session_in(s, VKDET_PRECISION_FP32);
    vkdet_session *half = session_in(s, VKDET_PRECISION_FP16);
    double worst[OUTPUTS] = {0, 0};
    for (uint32_t i = 0; i < s->count; i += step) {
        const vkdet_result *a = NULL, *b = NULL;
        assert_vkdet(vkdet_session_detect_image(exact, s->images[i], NULL, &a));
        assert_vkdet(vkdet_session_detect_image(half, s->images[i], NULL, &b));
        compare_detections(s->names[i], a, b);
        for (uint32_t k = 0; k < OUTPUTS; k++) {
            worst[k] = fmax(worst[k], output_distance(exact, half, k));
        }
    }
    printf("raw outputs of these pictures: boxes within %.3g, scores within %.3g\n", worst[0],
           worst[1]);
    vkdet_session_destroy(exact);
    vkdet_session_destroy(half);
}

/* SwiftShader takes seconds a picture for the larger model. */
static bool is_slow(void)
{
    vkdet_device_info info;
    uint32_t count = vkdet_device_count(context);
    for (uint32_t i = 0; i < count; i++) {
        if (vkdet_device_describe(context, i, &info) == VKDET_OK &&
            strcmp(info.id, api_device()) == 0) {
            return strstr(info.name, "SwiftShader") != NULL;
        }
    }
    return false;
}

static bool runs_fp16(void)
{
    return strncmp(api_device(), "vulkan:", 7) == 0;
}

#define REQUIRE_FP16()                                                                             \
    do {                                                                                           \
        if (!runs_fp16()) {                                                                        \
            printf("SKIPPED %s: fp16 runs on Vulkan devices\n", __func__);                         \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

static void test_street_agrees(void **state)
{
    (void)state;
    REQUIRE_FP16();
    compare_precisions(&street, 1);
}

static void test_aizoo_agrees(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    REQUIRE_FP16();
    compare_precisions(&aizoo, is_slow() ? 5 : 1);
}

/* a picture for one, noise for the other */
static void test_every_step(void **state)
{
    (void)state;
    REQUIRE_FP16();
    vkdet_verify_params params = {.device = api_device(), .precision = VKDET_PRECISION_FP16};
    vkdet_pixels view = vkdet_image_pixels(street.images[3]);
    char *report = NULL;
    assert_vkdet(vkdet_verify(context, street.model, &params, &view, &report));
    json_t *root = json_loads(report, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "precision")), "fp16");
    json_decref(root);
    vkdet_text_free(context, report);
    if (aizoo.model && !is_slow()) {
        assert_vkdet(vkdet_verify(context, aizoo.model, &params, NULL, &report));
        vkdet_text_free(context, report);
    }
}

static void test_same_bytes_in_any_batch(void **state)
{
    (void)state;
    REQUIRE_FP16();
    if (is_slow()) { /* a session a batch size, each compiled for long */
        printf("SKIPPED %s: test_kernels compares the batch sizes on SwiftShader\n", __func__);
        skip();
    }
    const subject *s = aizoo.model ? &aizoo : &street;
    golden_check_batches(context, s->model, VKDET_PRECISION_FP16, VKDET_WINOGRAD_AUTO, s->images,
                         BATCHED);
}

/* --- memory --- */

/* What the plan says before, as far as it is asked for here. */
typedef struct statement {
    json_int_t arena, weights, device, host_visible;
} statement;

static json_int_t number(const json_t *root, const char *name)
{
    const json_t *member = json_object_get(root, name);
    assert_true(json_is_integer(member));
    return json_integer_value(member);
}

static statement stated(const subject *s, vkdet_precision precision, uint32_t batch, uint32_t slots)
{
    char *text = NULL;
    vkdet_plan_params params = {.device = api_device(),
                                .precision = precision,
                                .batch = batch,
                                .slots = slots,
                                .tune = VKDET_TUNE_OFF,
                                .cache_dir = ""};
    assert_vkdet(vkdet_model_plan(context, s->model, &params, &text));
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "precision")),
                        vkdet_precision_name(precision));
    const statement said = {number(root, "arena_bytes_per_image"), number(root, "weight_bytes"),
                            number(root, "device_bytes"), number(root, "host_visible_bytes")};
    assert_int_equal(number(root, "batch"), batch ? batch : 1);
    assert_int_equal(number(root, "slots"), slots ? slots : 2);
    json_decref(root);
    vkdet_text_free(context, text);
    printf("%s, %u slots of %u: arena %lld bytes a picture, weights %lld; %lld bytes of device "
           "memory, "
           "%lld that the host can map\n",
           vkdet_precision_name(precision), slots ? slots : 2, batch ? batch : 1,
           (long long)said.arena, (long long)said.weights, (long long)said.device,
           (long long)said.host_visible);
    return said;
}

/* A session that was stated before has just that. */
static vkdet_session *open_as_stated(const subject *s, vkdet_precision precision, uint32_t batch,
                                     uint32_t slots)
{
    const statement said = stated(s, precision, batch, slots);
    vkdet_session_params params = {.device = api_device(),
                                   .precision = precision,
                                   .max_batch = batch,
                                   .slots = slots,
                                   .tune = VKDET_TUNE_OFF,
                                   .cache_dir = ""};
    vkdet_session *session = NULL;
    vkdet_session_memory memory;
    assert_vkdet(vkdet_session_create(context, s->model, &params, &session));
    vkdet_session_memory_get(session, &memory);
    assert_int_equal(memory.device_bytes, said.device);
    assert_int_equal(memory.host_visible_bytes, said.host_visible);
    if (strcmp(api_device(), "reference") != 0) { /* which has neither */
        assert_int_equal(memory.arena_bytes, said.arena);
        assert_int_equal(memory.weight_bytes, said.weights);
    }
    return session;
}

static void test_memory_is_stated(void **state)
{
    (void)state;
    vkdet_session_destroy(open_as_stated(&street, VKDET_PRECISION_FP32, 0, 0));
    if (!is_slow()) {
        vkdet_session_destroy(open_as_stated(&street, VKDET_PRECISION_FP32, 5, 3));
    }
}

static void test_memory(void **state)
{
    (void)state;
    REQUIRE_FP16();
    const json_int_t exact = stated(&street, VKDET_PRECISION_FP32, 0, 0).arena;
    const json_int_t half = stated(&street, VKDET_PRECISION_FP16, 0, 0).arena;
    assert_true(half * 10 < exact * 7);
    if (aizoo.model) {
        assert_true(stated(&aizoo, VKDET_PRECISION_FP32, 0, 0).arena <= 6 * MEGABYTE);
        assert_true(stated(&aizoo, VKDET_PRECISION_FP16, 0, 0).arena <= 3 * MEGABYTE);
    }
}

/* 64 pictures a submission in both slots: the memory that was stated, at most 250 MB, also after
 * pictures of the network's size came; and the answers of smaller batches. */
static void test_memory_of_64(void **state)
{
    enum { BATCH = 64, FEW = 4, SIDE = 260 };
    (void)state;
    REQUIRE_FP16();
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    if (is_slow()) {
        printf("SKIPPED %s: 136 pictures take minutes on SwiftShader\n", __func__);
        skip();
    }
    vkdet_session *session = open_as_stated(&aizoo, VKDET_PRECISION_FP16, BATCH, 0);
    vkdet_session_memory before, after;
    vkdet_session_memory_get(session, &before);
    assert_true(before.device_bytes <= 250 * MEGABYTE);
    static unsigned char bytes[FEW][SIDE * SIDE * 3];
    vkdet_pixels batch[BATCH];
    test_random r = test_random_seed(64);
    for (size_t i = 0; i < FEW * sizeof bytes[0]; i++) {
        bytes[i / sizeof bytes[0]][i % sizeof bytes[0]] = (unsigned char)test_random_u32(&r);
    }
    for (size_t i = 0; i < BATCH; i++) {
        batch[i] = (vkdet_pixels){VKDET_PIXEL_RGB8, SIDE, SIDE, 0, bytes[i % FEW]};
    }
    const vkdet_detect_params params = {.score_threshold = -1};
    vkdet_ticket tickets[2];
    for (int i = 0; i < 2; i++) {
        assert_vkdet(vkdet_session_submit(session, batch, BATCH, &params, &tickets[i]));
    }
    for (int i = 0; i < 2; i++) {
        const vkdet_result *results = NULL;
        uint32_t count = 0;
        assert_vkdet(vkdet_session_wait(session, tickets[i], UINT64_MAX, &results, &count));
        assert_int_equal(count, BATCH);
        for (uint32_t k = FEW; k < BATCH; k++) {
            assert_int_equal(results[k].count, results[k % FEW].count);
            assert_memory_equal(results[k].detections, results[k % FEW].detections,
                                results[k].count * sizeof *results[k].detections);
        }
        assert_true(results[0].count > 0);
        assert_vkdet(vkdet_session_release(session, tickets[i]));
    }
    vkdet_session_memory_get(session, &after);
    assert_memory_equal(&after, &before, sizeof after);
    vkdet_session_destroy(session);
}

/* --- the choice --- */

static void test_auto(void **state)
{
    (void)state;
    vkdet_session *session = NULL;
    vkdet_session_params params = {.device = api_device(), .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, street.model, &params, &session));
    vkdet_device_info info;
    vkdet_session_device(session, &info);
    bool on_processor = info.kind == VKDET_DEVICE_SOFTWARE || strcmp(info.id, "reference") == 0;
    if (on_processor) { /* on hardware it depends on what that has */
        assert_int_equal(vkdet_session_precision(session), VKDET_PRECISION_FP32);
    }
    vkdet_session_destroy(session);
}

static void test_refusals(void **state)
{
    (void)state;
    vkdet_session *session = NULL;
    vkdet_session_params params = {
        .device = "reference", .precision = VKDET_PRECISION_FP16, .cache_dir = ""};
    assert_int_equal(vkdet_session_create(context, street.model, &params, &session),
                     VKDET_ERROR_UNSUPPORTED);
    assert_null(session);
    assert_non_null(strstr(vkdet_error_message(), "fp16"));
    params.device = api_device();
    params.precision = (vkdet_precision)77;
    assert_int_equal(vkdet_session_create(context, street.model, &params, &session),
                     VKDET_ERROR_ARGUMENT);
    char *text = NULL;
    vkdet_verify_params verify = {.device = "reference", .precision = VKDET_PRECISION_FP16};
    assert_int_equal(vkdet_verify(context, street.model, &verify, NULL, &text),
                     VKDET_ERROR_UNSUPPORTED);
    assert_null(text);
    vkdet_plan_params planned = {.device = "reference", .precision = VKDET_PRECISION_FP16};
    assert_int_equal(vkdet_model_plan(context, street.model, &planned, &text),
                     VKDET_ERROR_UNSUPPORTED);
    assert_null(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_street_agrees), cmocka_unit_test(test_aizoo_agrees),
        cmocka_unit_test(test_every_step),    cmocka_unit_test(test_same_bytes_in_any_batch),
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_memory_is_stated),
        cmocka_unit_test(test_memory_of_64),  cmocka_unit_test(test_auto),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
