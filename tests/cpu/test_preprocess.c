/* Pixels to network input on the cpu device: every format, sampling, channel order and fit,
 * pictures larger and smaller than the input and as large, against the reference within the bound
 * that vkdet_verify uses. */
#include "tests/cpu/rig.h"

enum { SEED = 20261125, WIDTH = 23, HEIGHT = 19 };

static graph *identity_graph(uint32_t channels)
{
    error err = {0};
    graph *g = NULL;
    int v = 0, index = 0;
    assert_status_ok(graph_create(&allocator_default, &g, &err), err);
    assert_status_ok(graph_add_value(g, "input", (shape){3, {HEIGHT, WIDTH, channels}}, &v, &err),
                     err);
    g->input = v;
    activation act = activation_relu;
    node n = {.op = OP_ACTIVATION,
              .name = "relu",
              .input_count = 1,
              .output_count = 1,
              .act_count = 1,
              .inputs = &v,
              .act = &act};
    assert_status_ok(graph_add_node(g, &n, &index, &err), err);
    assert_status_ok(graph_set_outputs(g, g->nodes[index].outputs, 1, &err), err);
    return g;
}

static void compare(const preprocess *pre, const pixels *picture, const float *got)
{
    error err = {0};
    const uint32_t channels = pre->channels == CHANNELS_GRAY ? 1 : 3;
    float want[HEIGHT * WIDTH * 3];
    assert_status_ok(reference_preprocess(pre, picture, want, &err), err);
    for (uint32_t i = 0; i < HEIGHT * WIDTH * channels; i++) {
        const uint32_t c = i % channels;
        const double bound = reference_gamma(12) * (255 + fabs((double)pre->mean[c])) /
                             fabs((double)pre->deviation[c]);
        if (!(fabs((double)got[i] - (double)want[i]) <= bound)) {
            fail_msg("%ux%u format %d sampling %d channels %d fit %d: element %u is %.9g, not %.9g",
                     picture->width, picture->height, (int)picture->format, (int)pre->sampling,
                     (int)pre->channels, (int)pre->fit, i, (double)got[i], (double)want[i]);
        }
    }
}

static void run_pictures(rig *r, test_random *random)
{
    static const uint32_t sizes[][2] = {{1, 1},
                                        {7, 40},
                                        {WIDTH, HEIGHT},
                                        {WIDTH, 5},
                                        {2 * WIDTH, 2 * HEIGHT},
                                        {131, 97},
                                        {WIDTH, HEIGHT + 1}};
    static unsigned char bytes[97 * (131 * 4 + 2)];
    static float values[HEIGHT * WIDTH * 3];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)test_random_u32(random);
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int f = 0; f < PIXEL_TENSOR_F32; f++) {
            const pixel_format format = (pixel_format)f;
            const pixels picture = {format, sizes[s][0], sizes[s][1],
                                    (size_t)sizes[s][0] * pixel_bytes(format) + s % 3, bytes};
            error err = {0};
            rig_run(r, &picture, 1);
            assert_status_ok(
                r->backend->call->read_value(r->backend, 0, 0, r->graph->input, values, &err), err);
            compare(&r->preprocess, &picture, values);
        }
    }
}

static void test_every_combination(void **state)
{
    (void)state;
    test_random random = test_random_seed(SEED);
    static const channel_order orders[] = {CHANNELS_RGB, CHANNELS_BGR, CHANNELS_GRAY};
    for (int o = 0; o < 3; o++) {
        graph *g = identity_graph(orders[o] == CHANNELS_GRAY ? 1 : 3);
        for (int way = 0; way < 4; way++) {
            for (int fit = 0; fit < 2; fit++) {
                rig r;
                (void)rig_open(&r, g, NULL, VKDET_PRECISION_FP32, 2, 1, true);
                r.preprocess.channels = orders[o];
                r.preprocess.sampling = (enum sampling)way;
                r.preprocess.fit = (fit_mode)fit;
                r.preprocess.fill = 114;
                for (int c = 0; c < 3; c++) {
                    r.preprocess.mean[c] = 100.0f + (float)(7 * c);
                    r.preprocess.deviation[c] = 50.0f + (float)c;
                }
                error err = {0};
                rig_close(&r); /* made anew with what is asked for */
                assert_status_ok(cpu_backend_create(&r.params, &r.backend, &err), err);
                run_pictures(&r, &random);
                rig_close(&r);
            }
        }
        graph_destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_combination)};
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
