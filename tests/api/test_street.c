/* The detector that the library carries, on the repository's own pictures: TensorFlow.js's raw
 * outputs and detections (models/street-320/golden, made by models/train/golden.js), every step
 * verified on the device, the drawn faces found, and the same bytes at every batch size. Needs
 * nothing from outside. */
#include "tests/api/golden.h"

#define FOLDER TEST_SOURCE_DIR "/models/street-320/"

enum { PICTURES = 9, SAMPLES = 4, FIRST_SAMPLE = PICTURES - SAMPLES, CODES = 4, CLASSES = 2 };
enum { MASK = 0, NO_MASK = 1 };
enum { LOC = 0, SCORES = 1 }; /* outputs of the network */

/* what was drawn on the samples (models/train/render.py, seed 2026) */
static const struct {
    const char *name;
    uint32_t masks, bare;
} samples[SAMPLES] = {{"street0003.png", 1, 2},
                      {"street0004.png", 0, 3},
                      {"street0006.png", 2, 1},
                      {"street0007.png", 1, 2}};

static struct {
    vkdet_context *context;
    const char *container; /* NULL: the model is the library's own */
    vkdet_model *model;
    uint32_t anchors;
    json_t *golden;
    vkdet_image *images[PICTURES]; /* in the order of golden.json; the samples come last */
} shared;

/* golden picture i: "golden/odd.png" */
static json_t *golden_picture(size_t i)
{
    return json_array_get(json_object_get(shared.golden, "pictures"), i);
}

static const char *picture_file(size_t i)
{
    return json_string_value(json_object_get(golden_picture(i), "picture"));
}

static void open_model(void)
{
    vkdet_status opened = vkdet_model_open_builtin(shared.context, &shared.model);
    if (opened == VKDET_ERROR_UNSUPPORTED) { /* built without it */
        shared.container = api_convert(shared.context, FOLDER "model.json", FOLDER "card.json");
        opened = vkdet_model_open(shared.context, shared.container, &shared.model);
    }
    assert_vkdet(opened);
    vkdet_model_info info;
    vkdet_model_info_get(shared.model, &info);
    assert_int_equal(info.class_count, CLASSES);
    shared.anchors = info.anchor_count;
}

static int open_all(void **state)
{
    (void)state;
    shared.context = api_context();
    open_model();
    json_error_t problem;
    shared.golden = json_load_file(FOLDER "golden/golden.json", 0, &problem);
    if (!shared.golden) {
        fail_msg("golden.json:%d: %s", problem.line, problem.text);
    }
    assert_int_equal(json_array_size(json_object_get(shared.golden, "pictures")), PICTURES);
    for (size_t i = 0; i < PICTURES; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, FOLDER "%s", picture_file(i));
        assert_vkdet(vkdet_image_load(shared.context, path, NULL, &shared.images[i]));
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < PICTURES; i++) {
        vkdet_image_destroy(shared.images[i]);
    }
    json_decref(shared.golden);
    vkdet_model_destroy(shared.model);
    if (shared.container) {
        api_remove_model(shared.container);
    }
    api_context_done(shared.context);
    return 0;
}

static void test_goldens_are_of_these_weights(void **state)
{
    (void)state;
    json_t *card = json_load_file(FOLDER "card.json", 0, NULL);
    assert_non_null(card);
    if (!json_equal(json_object_get(card, "files"), json_object_get(shared.golden, "files"))) {
        fail_msg(
            "models/street-320/golden was made from other weights: run models/train/golden.js");
    }
    json_decref(card);
}

/* The records of NAME.bin, an anchor each, against the outputs of the picture detected last. */
static void compare_raw(vkdet_session *session, const char *file, const json_t *picture)
{
    enum { RECORD = 1 + CODES + CLASSES };
    const json_t *tolerance = json_object_get(picture, "tolerance");
    double loc_tolerance = json_number_value(json_object_get(tolerance, "boxes"));
    double score_tolerance = json_number_value(json_object_get(tolerance, "scores"));
    size_t rows = (size_t)json_integer_value(json_object_get(picture, "rows"));
    const char *name = strchr(file, '/') + 1;
    char path[4096];
    (void)snprintf(path, sizeof path, FOLDER "golden/%.*s.bin", (int)strcspn(name, "."), name);
    float *records = api_read_floats(path, rows * RECORD);
    float *loc = golden_read_output(session, LOC, (size_t)shared.anchors * CODES);
    float *scores = golden_read_output(session, SCORES, (size_t)shared.anchors * CLASSES);
    assert_non_null(records);
    assert_true(rows > 0 && loc_tolerance > 0 && score_tolerance > 0);
    double worst_loc = 0, worst_score = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *record = records + r * RECORD;
        uint32_t anchor;
        memcpy(&anchor, record, sizeof anchor);
        assert_true(anchor < shared.anchors);
        worst_loc = golden_check_row(file, "loc", anchor, loc + (size_t)anchor * CODES, record + 1,
                                     CODES, loc_tolerance, worst_loc);
        worst_score = golden_check_row(file, "scores", anchor, scores + (size_t)anchor * CLASSES,
                                       record + 1 + CODES, CLASSES, score_tolerance, worst_score);
    }
    printf("%s: %zu rows, loc within %.3g (tolerance %.3g), scores within %.3g (%.3g)\n", file,
           rows, worst_loc, loc_tolerance, worst_score, score_tolerance);
    free(records);
    free(loc);
    free(scores);
}

static void compare_all(vkdet_winograd winograd)
{
    vkdet_session *session = NULL;
    vkdet_session_params params = {.device = api_device(),
                                   .keep_outputs = 1,
                                   .cache_dir = "",
                                   .precision = VKDET_PRECISION_FP32,
                                   .winograd = winograd};
    assert_vkdet(vkdet_session_create(shared.context, shared.model, &params, &session));
    size_t compared = 0;
    for (size_t i = 0; i < PICTURES; i++) {
        const json_t *picture = golden_picture(i);
        const json_t *tolerance = json_object_get(picture, "tolerance");
        const golden_limits limits = {
            .score = json_number_value(json_object_get(tolerance, "scores")),
            .pixels = json_number_value(json_object_get(tolerance, "pixels"))};
        json_t *runs = json_object_get(picture, "runs"), *run;
        size_t k;
        assert_true(limits.score > 0 && limits.pixels > 0);
        json_array_foreach(runs, k, run)
        {
            const vkdet_result *result = NULL;
            vkdet_detect_params detect = {
                .score_threshold = json_number_value(json_object_get(run, "score_threshold"))};
            assert_vkdet(vkdet_session_detect_image(session, shared.images[i], &detect, &result));
            golden_check_detections(picture_file(i), result, json_object_get(run, "detections"),
                                    &limits);
            compared += result->count;
        }
        assert_true(k > 0);
        compare_raw(session, picture_file(i), picture);
    }
    printf("%zu detections equal\n", compared);
    assert_true(compared > 0);
    vkdet_session_destroy(session);
}

static void test_goldens(void **state)
{
    (void)state;
    compare_all(VKDET_WINOGRAD_AUTO);
}

/* None of its convolutions can go by way of Winograd: what is asked for changes nothing. */
static void test_winograd(void **state)
{
    (void)state;
    compare_all(VKDET_WINOGRAD_NEVER);
    compare_all(VKDET_WINOGRAD_ALWAYS);
}

static void test_same_bytes_in_any_batch(void **state)
{
    (void)state;
    enum { BATCHED = 4 }; /* of very different sizes */
    golden_check_batches(shared.context, shared.model, VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO,
                         shared.images, BATCHED);
}

static void test_every_step(void **state)
{
    (void)state;
    vkdet_pixels view = vkdet_image_pixels(shared.images[FIRST_SAMPLE]);
    char *report = NULL;
    assert_vkdet(vkdet_verify(shared.context, shared.model,
                              &(vkdet_verify_params){.device = api_device()}, &view, &report));
    vkdet_text_free(shared.context, report);
}

static void test_faces(void **state)
{
    (void)state;
    vkdet_session *session = NULL;
    vkdet_session_params params = {.device = api_device(), .cache_dir = ""};
    assert_vkdet(vkdet_session_create(shared.context, shared.model, &params, &session));
    for (size_t i = 0; i < SAMPLES; i++) {
        const vkdet_result *r = NULL;
        uint32_t found[CLASSES] = {0};
        assert_non_null(strstr(picture_file(FIRST_SAMPLE + i), samples[i].name));
        assert_vkdet(
            vkdet_session_detect_image(session, shared.images[FIRST_SAMPLE + i], NULL, &r));
        for (uint32_t k = 0; k < r->count; k++) {
            assert_true(r->detections[k].class_id <= NO_MASK);
            found[r->detections[k].class_id]++;
        }
        if (found[MASK] != samples[i].masks || found[NO_MASK] != samples[i].bare) {
            fail_msg("%s: %u with and %u without mask, drawn were %u and %u", samples[i].name,
                     found[MASK], found[NO_MASK], samples[i].masks, samples[i].bare);
        }
    }
    vkdet_session_destroy(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens_are_of_these_weights),
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_same_bytes_in_any_batch),
        cmocka_unit_test(test_every_step),
        cmocka_unit_test(test_winograd),
        cmocka_unit_test(test_faces),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
