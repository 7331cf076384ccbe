/* By way of Winograd or not (vkdet_winograd), on the toy network with a 3x3 convolution in front:
 * what was asked for is what is planned, in fp32 on Vulkan alone; either way every step is within
 * its contract, the detections are the reference's, and one picture gives the same bytes at any
 * batch size. Needs nothing from outside; test_golden does the same with a real network. */
#include "tests/api/golden.h"
#include "tests/cli/fixture.h"

#include <unistd.h>

enum { SIDE = 32, BLOCK = 8, CELLS = 16, PICTURES = 5, TAPS = 3 * 3 * 3 * 3, SEED = 20260917 };

static char folder[64];
static vkdet_context *context;
static const char *container;
static vkdet_model *model;
static unsigned char pictures[PICTURES][SIDE][SIDE][3];

/* --- the network --- */

static const char fine[] =
    "{\"class_name\":\"Conv2D\",\"name\":\"fine\",\"inbound_nodes\":[[[\"picture\",0,0,{}]]],"
    "\"config\":{\"name\":\"fine\",\"filters\":3,\"kernel_size\":[3,3],\"strides\":[1,1],"
    "\"padding\":\"same\",\"data_format\":\"channels_last\",\"dilation_rate\":[1,1],"
    "\"activation\":\"linear\",\"use_bias\":false}}";
static const char after_fine[] = "[[[\"fine\",0,0,{}]]]";
static const char fine_kernel[] =
    "{\"name\":\"fine/kernel\",\"shape\":[3,3,3,3],\"dtype\":\"float32\"}";

static json_t *parsed(const char *text)
{
    json_t *out = json_loads(text, 0, NULL);
    assert_non_null(out);
    return out;
}

static void insert_layer(const char *path)
{
    json_t *root = json_load_file(path, 0, NULL), *layers = NULL, *manifest = NULL;
    assert_int_equal(json_unpack(root, "{s:{s:{s:{s:o}}}, s:[{s:o}]}", "modelTopology",
                                 "model_config", "config", "layers", &layers, "weightsManifest",
                                 "weights", &manifest),
                     0);
    json_t *blocks = json_array_get(layers, 1);
    assert_int_equal(json_object_set_new(blocks, "inbound_nodes", parsed(after_fine)), 0);
    assert_int_equal(json_array_insert_new(layers, 1, parsed(fine)), 0);
    assert_int_equal(json_array_insert_new(manifest, 0, parsed(fine_kernel)), 0);
    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
}

/* HWIO: nearly what comes in */
static void insert_weights(const char *path, test_random *random)
{
    enum { MOST = 4096 };
    static float weights[TAPS + MOST];
    for (int i = 0; i < TAPS; i++) {
        const int tap = i / 9, from = i / 3 % 3, to = i % 3;
        weights[i] =
            (tap == 4 && from == to ? 1.0f : 0.0f) + test_random_float(random, -0.05f, 0.05f);
    }
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t count = fread(weights + TAPS, sizeof *weights, MOST, file);
    (void)fclose(file);
    assert_true(count > 0 && count < MOST);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(weights, sizeof *weights, TAPS + count, file), TAPS + count);
    assert_int_equal(fclose(file), 0);
}

static const char *in_folder(const char *name, char path[96])
{
    (void)snprintf(path, 96, "%s/%s", folder, name);
    return path;
}

static int setup(void **state)
{
    (void)state;
    char path[96], card[96];
    test_random random = test_random_seed(SEED);
    (void)snprintf(folder, sizeof folder, "/tmp/vkdet-winograd-XXXXXX");
    if (!mkdtemp(folder) || fixture_model(folder)) {
        return -1;
    }
    insert_layer(in_folder("model.json", path));
    insert_weights(in_folder("weights.bin", path), &random);
    context = api_context();
    container = api_convert(context, in_folder("model.json", path), in_folder("card.json", card));
    assert_vkdet(vkdet_model_open(context, container, &model));
    for (int p = 0; p < PICTURES; p++) { /* each cell has a colour, and noise on it */
        unsigned char cells[SIDE / BLOCK][SIDE / BLOCK][3];
        for (size_t i = 0; i < sizeof cells; i++) {
            ((unsigned char *)cells)[i] = (unsigned char)(test_random_u32(&random) % 200);
        }
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            const int y = i / 3 / SIDE, x = i / 3 % SIDE, c = i % 3;
            pictures[p][y][x][c] = (unsigned char)(cells[y / BLOCK][x / BLOCK][c] +
                                                   (int)(test_random_u32(&random) % 50));
        }
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const files[] = {"model.json", "weights.bin", "card.json"};
    char path[96];
    vkdet_model_destroy(model);
    api_remove_model(container);
    api_context_done(context);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)unlink(in_folder(files[i], path));
    }
    return rmdir(folder);
}

/* --- what is planned --- */

static bool on_vulkan(void)
{
    return strncmp(api_device(), "vulkan:", 7) == 0;
}

static size_t planned_steps(vkdet_precision precision, vkdet_winograd winograd, uint32_t batch)
{
    const vkdet_plan_params params = {.device = api_device(),
                                      .batch = batch,
                                      .precision = precision,
                                      .cache_dir = "",
                                      .winograd = winograd};
    char *report = NULL;
    assert_vkdet(vkdet_model_plan(context, model, &params, &report));
    const size_t found = golden_winograd_steps(report);
    vkdet_text_free(context, report);
    return found;
}

static void test_plan(void **state)
{
    (void)state;
    const size_t all = planned_steps(VKDET_PRECISION_FP32, VKDET_WINOGRAD_ALWAYS, 1);
    assert_int_equal(all, on_vulkan() ? 3 : 0); /* input, product, output */
    for (uint32_t batch = 1; batch <= 64; batch *= 8) {
        assert_int_equal(planned_steps(VKDET_PRECISION_FP32, VKDET_WINOGRAD_ALWAYS, batch), all);
        assert_int_equal(planned_steps(VKDET_PRECISION_FP32, VKDET_WINOGRAD_NEVER, batch), 0);
        assert_int_equal(planned_steps(VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO, batch),
                         planned_steps(VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO, 1));
    }
    if (on_vulkan()) {
        assert_int_equal(planned_steps(VKDET_PRECISION_FP16, VKDET_WINOGRAD_ALWAYS, 1), 0);
    }
}

static void test_contracts(void **state)
{
    (void)state;
    for (int way = VKDET_WINOGRAD_AUTO; way <= VKDET_WINOGRAD_ALWAYS; way++) {
        const vkdet_verify_params params = {.device = api_device(),
                                            .precision = VKDET_PRECISION_FP32,
                                            .cache_dir = "",
                                            .winograd = (vkdet_winograd)way};
        char *report = NULL;
        assert_vkdet(vkdet_verify(context, model, &params, NULL, &report));
        if (way != VKDET_WINOGRAD_AUTO) { /* a node is judged at its last step */
            assert_int_equal(golden_winograd_steps(report),
                             on_vulkan() && way == VKDET_WINOGRAD_ALWAYS);
        }
        vkdet_text_free(context, report);
    }
}

/* --- what is found --- */

typedef struct answer {
    uint32_t counts[PICTURES];
    vkdet_detection detections[PICTURES][CELLS];
} answer;

/* every anchor of every picture */
static void answer_of(const char *device, vkdet_winograd winograd, uint32_t batch, answer *out)
{
    const vkdet_session_params params = {.device = device,
                                         .max_batch = batch,
                                         .cache_dir = "",
                                         .precision = VKDET_PRECISION_FP32,
                                         .winograd = winograd};
    const vkdet_detect_params all = {.score_threshold = -1};
    const vkdet_result *results = NULL;
    vkdet_session *session = NULL;
    vkdet_pixels views[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        views[i] = (vkdet_pixels){VKDET_PIXEL_RGB8, SIDE, SIDE, 0, pictures[i]};
    }
    memset(out, 0, sizeof *out);
    assert_vkdet(vkdet_session_create(context, model, &params, &session));
    assert_vkdet(vkdet_session_detect(session, views, PICTURES, &all, &results));
    for (int i = 0; i < PICTURES; i++) {
        out->counts[i] = results[i].count;
        assert_int_equal(results[i].count, CELLS);
        memcpy(out->detections[i], results[i].detections, sizeof out->detections[i]);
    }
    vkdet_session_destroy(session);
}

static void test_detections(void **state)
{
    (void)state;
    answer truth, single, batched;
    answer_of("reference", VKDET_WINOGRAD_AUTO, 1, &truth);
    for (int way = VKDET_WINOGRAD_AUTO; way <= VKDET_WINOGRAD_ALWAYS; way++) {
        answer_of(api_device(), (vkdet_winograd)way, 1, &single);
        for (int i = 0; i < PICTURES * CELLS; i++) {
            const vkdet_detection *ours = &single.detections[i / CELLS][i % CELLS];
            const vkdet_detection *right = &truth.detections[i / CELLS][i % CELLS];
            assert_int_equal(ours->anchor, right->anchor);
            assert_int_equal(ours->class_id, right->class_id);
            assert_true(fabs((double)ours->score - (double)right->score) < 1e-5);
        }
        for (uint32_t batch = 2; batch <= PICTURES; batch += 3) {
            answer_of(api_device(), (vkdet_winograd)way, batch, &batched);
            assert_memory_equal(&batched, &single, sizeof single);
        }
    }
}

static void test_none_such(void **state)
{
    (void)state;
    const vkdet_winograd none = (vkdet_winograd)3;
    const vkdet_session_params opened = {.device = api_device(), .winograd = none};
    const vkdet_plan_params planned = {.device = api_device(), .winograd = none};
    const vkdet_verify_params verified = {.device = api_device(), .winograd = none};
    vkdet_session *session = NULL;
    char *report = NULL;
    assert_int_equal(vkdet_session_create(context, model, &opened, &session), VKDET_ERROR_ARGUMENT);
    assert_string_equal(vkdet_error_message(), "winograd 3 does not exist");
    assert_int_equal(vkdet_model_plan(context, model, &planned, &report), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_verify(context, model, &verified, NULL, &report), VKDET_ERROR_ARGUMENT);
    assert_null(session);
    assert_null(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_contracts),
        cmocka_unit_test(test_detections),
        cmocka_unit_test(test_none_such),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
