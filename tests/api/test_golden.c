/* The main job against TensorFlow.js: AIZOO-260 on every golden picture, raw outputs, boxes, scores
 * and order; the same bytes at every batch size and in any order; and a depthwise classifier. Needs
 * the external test data. */
#include "tests/api/golden.h"

enum { PICTURES = 20, BATCHED = 8, ANCHORS = 5972, CLASSES = 2 };

static const char *const pictures[PICTURES] = {
    "aizoo_demo",      "cc0_001",         "cc0_026",         "cc0_075",         "cc0m_001",
    "cc0m_032",        "cc0m_060",        "group4_indoor",   "group5_stairs",   "maksssksksss106",
    "maksssksksss251", "maksssksksss282", "maksssksksss327", "maksssksksss37",  "maksssksksss447",
    "maksssksksss498", "maksssksksss527", "maksssksksss659", "maksssksksss741", "two_people",
};

static const double loc_tolerance = 1e-4, cls_tolerance = 1e-5, score_tolerance = 1e-5;

/* one model, one session and all pictures for the whole file */
static struct {
    vkdet_context *context;
    const char *path;
    vkdet_model *model;
    vkdet_session *session;
    vkdet_image *images[PICTURES];
} shared;

static bool data_is_there(void)
{
    return test_data_path("golden/aizoo-260/anchors.bin") != NULL;
}

static int open_everything(void **state)
{
    (void)state;
    if (!data_is_there()) {
        return 0;
    }
    shared.context = api_context();
    char json[4096];
    (void)snprintf(json, sizeof json, "%s", test_data_path("models/aizoo-260/tfjs/model.json"));
    shared.path = api_convert(shared.context, json, TEST_SOURCE_DIR "/models/cards/aizoo-260.json");
    assert_vkdet(vkdet_model_open(shared.context, shared.path, &shared.model));
    vkdet_session_params params = {.device = api_device(),
                                   .keep_outputs = 1,
                                   .cache_dir = "",
                                   .precision = VKDET_PRECISION_FP32};
    assert_vkdet(vkdet_session_create(shared.context, shared.model, &params, &shared.session));
    for (int i = 0; i < PICTURES; i++) {
        char name[256];
        (void)snprintf(name, sizeof name, "golden/aizoo-260/%s/image.png", pictures[i]);
        const char *path = test_data_path(name);
        assert_non_null(path);
        assert_vkdet(vkdet_image_load(shared.context, path, NULL, &shared.images[i]));
    }
    return 0;
}

static int close_everything(void **state)
{
    (void)state;
    if (!shared.context) {
        return 0;
    }
    for (int i = 0; i < PICTURES; i++) {
        vkdet_image_destroy(shared.images[i]);
    }
    vkdet_session_destroy(shared.session);
    vkdet_model_destroy(shared.model);
    api_remove_model(shared.path);
    api_context_done(shared.context);
    return 0;
}

static void compare_output(vkdet_session *session, int picture, const char *name, uint32_t index,
                           size_t columns, double tolerance)
{
    char file[256];
    (void)snprintf(file, sizeof file, "golden/aizoo-260/%s/%s.bin", pictures[picture], name);
    const char *path = test_data_path(file);
    if (!path) {
        return; /* only some goldens hold the raw tensors */
    }
    float *golden = api_read_floats(path, ANCHORS * columns);
    float *ours = golden_read_output(session, index, ANCHORS * columns);
    assert_non_null(golden);
    double worst = 0;
    for (size_t row = 0; row < ANCHORS; row++) {
        worst = golden_check_row(pictures[picture], name, row, ours + row * columns,
                                 golden + row * columns, columns, tolerance, worst);
    }
    printf("%s %s: largest difference %.3g\n", pictures[picture], name, worst);
    free(golden);
    free(ours);
}

static void compare_detections(int picture, const vkdet_result *result)
{
    char file[256];
    (void)snprintf(file, sizeof file, "golden/aizoo-260/%s/detections.json", pictures[picture]);
    json_t *golden = json_load_file(test_data_path(file), 0, NULL);
    assert_non_null(golden);
    const golden_limits limits = {.score = score_tolerance};
    golden_check_detections(pictures[picture], result, json_object_get(golden, "detections"),
                            &limits);
    json_decref(golden);
}

static void compare_all(vkdet_session *session)
{
    for (int i = 0; i < PICTURES; i++) {
        const vkdet_result *result = NULL;
        assert_vkdet(vkdet_session_detect_image(session, shared.images[i], NULL, &result));
        compare_detections(i, result);
        compare_output(session, i, "loc", 0, 4, loc_tolerance);
        compare_output(session, i, "cls", 1, CLASSES, cls_tolerance);
    }
}

static void test_goldens(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    compare_all(shared.session);
}

static void test_same_bytes_in_any_batch(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    if (strcmp(api_device(), "reference") == 0) {
        printf("SKIPPED %s: the reference runs one picture at a time, there is nothing to batch\n",
               __func__);
        skip();
    }
    golden_check_batches(shared.context, shared.model, VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO,
                         shared.images, BATCHED);
}

static void test_verify_finds_nothing(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    vkdet_pixels view = vkdet_image_pixels(shared.images[0]);
    char *json = NULL;
    assert_vkdet(vkdet_verify(shared.context, shared.model,
                              &(vkdet_verify_params){.device = api_device()}, &view, &json));
    vkdet_text_free(shared.context, json);
    assert_vkdet(vkdet_verify(shared.context, shared.model,
                              &(vkdet_verify_params){.device = api_device()}, NULL, &json));
    vkdet_text_free(shared.context, json);
}

/* With all convolutions by way of Winograd that can be, and with none: every step within its
 * contract, TensorFlow.js's detections on every picture, one answer at every batch size. */
static void check_way(vkdet_winograd winograd)
{
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    if (strncmp(api_device(), "vulkan:", 7) != 0) {
        printf("SKIPPED the ways of convolutions: %s has but one\n", api_device());
        skip();
    }
    const vkdet_verify_params verified = {.device = api_device(),
                                          .precision = VKDET_PRECISION_FP32,
                                          .cache_dir = "",
                                          .winograd = winograd};
    const vkdet_session_params opened = {.device = api_device(),
                                         .keep_outputs = 1,
                                         .cache_dir = "",
                                         .precision = VKDET_PRECISION_FP32,
                                         .winograd = winograd};
    const vkdet_pixels view = vkdet_image_pixels(shared.images[0]);
    vkdet_session *session = NULL;
    char *json = NULL;
    assert_vkdet(vkdet_verify(shared.context, shared.model, &verified, &view, &json));
    assert_int_equal(golden_winograd_steps(json) > 0, winograd == VKDET_WINOGRAD_ALWAYS);
    vkdet_text_free(shared.context, json);
    assert_vkdet(vkdet_session_create(shared.context, shared.model, &opened, &session));
    compare_all(session);
    vkdet_session_destroy(session);
    golden_check_batches(shared.context, shared.model, VKDET_PRECISION_FP32, winograd,
                         shared.images, 3);
}

static void test_winograd_always(void **state)
{
    (void)state;
    check_way(VKDET_WINOGRAD_ALWAYS);
}

static void test_winograd_never(void **state)
{
    (void)state;
    check_way(VKDET_WINOGRAD_NEVER);
}

static const char *step_name(const json_t *steps, size_t i)
{
    return json_string_value(json_object_get(json_array_get(steps, i), "name"));
}

static bool is_first_of_name(const json_t *steps, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(step_name(steps, i), step_name(steps, index)) == 0) {
            return false;
        }
    }
    return true;
}

static void test_plan_is_short(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    char *text = NULL;
    assert_vkdet(vkdet_model_plan(shared.context, shared.model,
                                  &(vkdet_plan_params){.device = api_device()}, &text));
    json_t *plan_json = json_loads(text, 0, NULL);
    assert_non_null(plan_json);
    /* the kernels and bands of a Winograd convolution follow each other and count as one */
    const json_t *all = json_object_get(plan_json, "steps");
    size_t steps = 0;
    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *variant = json_string_value(json_object_get(json_array_get(all, i), "variant"));
        assert_non_null(variant);
        const bool part = strncmp(variant, "winograd", 8) == 0;
        steps += !part || is_first_of_name(all, i);
    }
    printf("AIZOO-260: %zu steps\n", steps);
    assert_true(steps > 0 && steps <= 24);
    json_decref(plan_json);
    vkdet_text_free(shared.context, text);
}

static void test_depthwise_classifier(void **state)
{
    (void)state;
    enum { SIDE = 224 };
    char json[4096];
    (void)snprintf(json, sizeof json, "%s",
                   REQUIRE_DATA("models/teachable-mask-mobilenetv2/model.json"));
    vkdet_model *classifier = NULL;
    vkdet_session *session = NULL;
    const char *path =
        api_convert(shared.context, json, TEST_SOURCE_DIR "/tests/api/teachable-card.json");
    assert_vkdet(vkdet_model_open(shared.context, path, &classifier));
    vkdet_session_params params = {.device = api_device(), .keep_outputs = 1, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(shared.context, classifier, &params, &session));
    size_t count = (size_t)SIDE * SIDE * 3;
    float *input = api_read_floats(
        test_data_path("models/teachable-mask-mobilenetv2/ref/input_nhwc_1x224x224x3.f32"), count);
    float *golden = api_read_floats(
        test_data_path("models/teachable-mask-mobilenetv2/ref/tfjs_out_0_sequential_7_1x2.f32"), 2);
    assert_non_null(input);
    assert_non_null(golden);
    vkdet_pixels tensor = {VKDET_PIXEL_TENSOR_F32, SIDE, SIDE, 0, input};
    const vkdet_result *results = NULL;
    assert_vkdet(vkdet_session_detect(session, &tensor, 1, NULL, &results));
    float ours[2];
    size_t got = 0;
    assert_vkdet(vkdet_session_output(session, 0, 0, 0, ours, 2, &got));
    assert_int_equal(got, 2);
    printf("classifier: %.9g %.9g, TensorFlow.js %.9g %.9g\n", (double)ours[0], (double)ours[1],
           (double)golden[0], (double)golden[1]);
    for (int i = 0; i < 2; i++) {
        assert_true(fabs((double)ours[i] - (double)golden[i]) <= 1e-4);
    }
    free(golden);
    vkdet_session_destroy(session);
    char *report = NULL;
    assert_vkdet(vkdet_verify(shared.context, classifier,
                              &(vkdet_verify_params){.device = api_device()}, &tensor, &report));
    vkdet_text_free(shared.context, report);
    free(input);
    vkdet_model_destroy(classifier);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goldens),
        cmocka_unit_test(test_same_bytes_in_any_batch),
        cmocka_unit_test(test_verify_finds_nothing),
        cmocka_unit_test(test_winograd_always),
        cmocka_unit_test(test_winograd_never),
        cmocka_unit_test(test_plan_is_short),
        cmocka_unit_test(test_depthwise_classifier),
    };
    return cmocka_run_group_tests(tests, open_everything, close_everything);
}
