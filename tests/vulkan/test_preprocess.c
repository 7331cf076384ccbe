/* Pixels to input tensor: every format, awkward sizes, all sampling and fitting modes, packed rows,
 * against the reference. */
#include "tests/vulkan/rig.h"

enum { SEED = 7, MOST_BATCH = 3 };

static graph *identity_graph(uint32_t height, uint32_t width, uint32_t channels)
{
    error err = {0};
    graph *g = NULL;
    int index = 0;
    activation act = {ACTIVATION_RELU, 1.0f, 0.0f, INFINITY};
    assert_status_ok(graph_create(&allocator_default, &g, &err), err);
    assert_status_ok(
        graph_add_value(g, "input", (shape){3, {height, width, channels}}, &g->input, &err), err);
    node n = {.op = OP_ACTIVATION,
              .name = "same",
              .input_count = 1,
              .output_count = 1,
              .act_count = 1,
              .inputs = &g->input,
              .act = &act};
    assert_status_ok(graph_add_node(g, &n, &index, &err), err);
    assert_status_ok(graph_set_outputs(g, g->nodes[0].outputs, 1, &err), err);
    return g;
}

typedef struct picture {
    pixels p;
    unsigned char *bytes;
} picture;

/* rows have a few bytes of slack, which nobody may read as pixels */
static picture picture_make(pixel_format format, uint32_t width, uint32_t height, uint32_t slack,
                            uint64_t seed)
{
    test_random r = test_random_seed(seed);
    const size_t row = (size_t)width * pixel_bytes(format);
    const size_t size = (row + slack) * height;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)test_random_u32(&r);
    }
    return (picture){{format, width, height, row + slack, bytes}, bytes};
}

/* Rounding of a few single-precision operations on numbers up to 255, then the division. */
static float bound_of(const preprocess *p, uint32_t channel)
{
    const float mean = p->mean[channel] < 0 ? -p->mean[channel] : p->mean[channel];
    return (255.0f + mean) * 12.0f * 0x1p-24f / p->deviation[channel];
}

static void compare(network *n, uint32_t image, const pixels *p, const float *got, const char *what)
{
    error err = {0};
    const shape in = n->graph->values[n->graph->input].shape;
    const uint64_t count = shape_elements(in);
    float *want = malloc(count * sizeof *want);
    assert_non_null(want);
    assert_status_ok(reference_preprocess(&n->preprocess, p, want, &err), err);
    for (uint64_t i = 0; i < count; i++) {
        const float bound = bound_of(&n->preprocess, (uint32_t)(i % in.dim[2]));
        if (!(fabsf(got[i] - want[i]) <= bound)) {
            fail_msg("%s, picture %u (format %d, %ux%u): element %llu (row %llu, column %llu): "
                     "%.9g instead of %.9g, bound %.3g",
                     what, image, (int)p->format, p->width, p->height, (unsigned long long)i,
                     (unsigned long long)(i / in.dim[2] / in.dim[1]),
                     (unsigned long long)(i / in.dim[2] % in.dim[1]), (double)got[i],
                     (double)want[i], (double)bound);
        }
    }
    free(want);
}

static const struct {
    uint32_t width, height;
} sizes[] = {
    {1, 1},   {3, 1},   {1, 3},   {13, 9},  {12, 10},   {26, 18},  {27, 19},
    {40, 37}, {7, 200}, {200, 7}, {64, 65}, {131, 257}, {1, 1000},
};

static void run_modes(channel_order order, fit_mode fit, sampling mode, const char *what)
{
    error err = {0};
    network n = {.max_batch = MOST_BATCH, .keep_all = true};
    n.graph = identity_graph(9, 13, order == CHANNELS_GRAY ? 1 : 3);
    n.preprocess = (preprocess){.width = 13,
                                .height = 9,
                                .channels = order,
                                .mean = {3.5f, 127.5f, 103.94f},
                                .deviation = {1.0f, 127.5f, 57.375f},
                                .fit = fit,
                                .sampling = mode,
                                .fill = 114.0f};
    assert_status_ok(network_open(&n, &err), err);
    const uint64_t count = shape_elements(n.graph->values[n.graph->input].shape);
    float *got = malloc(count * sizeof *got);
    assert_non_null(got);
    uint64_t seed = SEED;
    for (int format = PIXEL_GRAY8; format < PIXEL_TENSOR_F32; format++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            picture all[MOST_BATCH];
            pixels images[MOST_BATCH];
            for (uint32_t i = 0; i < MOST_BATCH; i++) { /* neighbours of other sizes */
                const size_t k = (s + i * 5) % (sizeof sizes / sizeof *sizes);
                all[i] = picture_make((pixel_format)((format + (int)i) % PIXEL_TENSOR_F32),
                                      sizes[k].width, sizes[k].height, i * 3, seed++);
                images[i] = all[i].p;
            }
            assert_status_ok(network_run(&n, images, MOST_BATCH, NULL, &err), err);
            for (uint32_t i = 0; i < MOST_BATCH; i++) {
                assert_status_ok(
                    n.backend->call->read_value(n.backend, 0, i, n.graph->input, got, &err), err);
                compare(&n, i, &images[i], got, what);
                free(all[i].bytes);
            }
        }
    }
    free(got);
    network_destroy(&n);
    rig_assert_silent();
}

static void test_sampling_modes(void **state)
{
    (void)state;
    run_modes(CHANNELS_RGB, FIT_STRETCH, SAMPLING_BILINEAR, "bilinear");
    run_modes(CHANNELS_RGB, FIT_STRETCH, SAMPLING_NEAREST, "nearest");
    run_modes(CHANNELS_RGB, FIT_STRETCH, SAMPLING_BILINEAR_HALF_PIXEL, "half pixel");
    run_modes(CHANNELS_RGB, FIT_STRETCH, SAMPLING_BILINEAR_ALIGN_CORNERS, "align corners");
}

static void test_channel_orders(void **state)
{
    (void)state;
    run_modes(CHANNELS_BGR, FIT_STRETCH, SAMPLING_BILINEAR, "BGR");
    run_modes(CHANNELS_GRAY, FIT_STRETCH, SAMPLING_BILINEAR, "gray");
}

static void test_letterbox(void **state)
{
    (void)state;
    run_modes(CHANNELS_RGB, FIT_LETTERBOX, SAMPLING_BILINEAR, "letterbox");
    run_modes(CHANNELS_BGR, FIT_LETTERBOX, SAMPLING_BILINEAR_HALF_PIXEL, "letterbox, half pixel");
    run_modes(CHANNELS_GRAY, FIT_LETTERBOX, SAMPLING_NEAREST, "letterbox, nearest");
}

static void test_tensor(void **state)
{
    (void)state;
    error err = {0};
    test_random r = test_random_seed(SEED);
    network n = {.max_batch = 2, .keep_all = true};
    n.graph = identity_graph(5, 7, 3);
    float data[5 * 7 * 3 + 5], got[5 * 7 * 3];
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        data[i] = test_random_float(&r, -10.0f, 10.0f);
    }
    assert_status_ok(network_open(&n, &err), err);
    pixels images[2] = {network_tensor(&n, data), network_tensor(&n, data)};
    images[1].stride += sizeof(float); /* rows with a gap */
    assert_status_ok(network_run(&n, images, 2, NULL, &err), err);
    assert_status_ok(n.backend->call->read_value(n.backend, 0, 0, n.graph->input, got, &err), err);
    assert_memory_equal(got, data, sizeof got);
    assert_status_ok(n.backend->call->read_value(n.backend, 0, 1, n.graph->input, got, &err), err);
    for (size_t y = 0; y < 5; y++) {
        assert_memory_equal(got + y * 21, data + y * 22, 21 * sizeof(float));
    }
    network_destroy(&n);
}

static void refused(network *n, pixels image, status expected)
{
    error err = {0};
    assert_int_equal(network_run(n, &image, 1, NULL, &err), expected);
    assert_true(err.text[0] != 0);
}

static void test_refusals(void **state)
{
    (void)state;
    error err = {0};
    static unsigned char bytes[64 * 64 * 4];
    network n = {0};
    n.graph = identity_graph(5, 7, 3);
    assert_status_ok(network_open(&n, &err), err);
    refused(&n, (pixels){PIXEL_RGB8, 0, 4, 12, bytes}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_RGB8, 4, 0, 12, bytes}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_RGB8, 65536, 1, 65536 * 3, bytes}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_RGB8, 4, 4, 11, bytes}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_RGB8, 4, 4, 12, NULL}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_FORMAT_COUNT, 4, 4, 16, bytes}, STATUS_ARGUMENT);
    refused(&n, (pixels){PIXEL_TENSOR_F32, 7, 6, 84, bytes}, STATUS_ARGUMENT);
    const pixels good = {PIXEL_RGB8, 4, 4, 12, bytes};
    const pixels many[2] = {good, good};
    assert_int_equal(network_run(&n, many, 2, NULL, &err), STATUS_ARGUMENT);
    assert_int_equal(network_run(&n, many, 0, NULL, &err), STATUS_ARGUMENT);
    assert_status_ok(network_run(&n, &good, 1, NULL, &err), err);
    network_destroy(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampling_modes), cmocka_unit_test(test_channel_orders),
        cmocka_unit_test(test_letterbox),      cmocka_unit_test(test_tensor),
        cmocka_unit_test(test_refusals),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
