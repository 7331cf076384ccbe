/* Packed weights lie where the kernels' documentation says, by index formulas of their own; and
 * values come back from padded and shared storage. */
#include "tests/engine/graph_builder.h"
#include "tests/engine/plan_check.h"

#include "engine/passes.h"
#include "shaders/interface.h"

/* shaders/conv2d.comp: record, bias [blocks][4], kernel [input block][ky][kx][4][blocks][4] */
static void check_conv2d_pack(const graph *g, const plan *p)
{
    struct conv2d_push push;
    memcpy(&push, find_step(p, "conv2d")->push, sizeof push);
    float *words = packed_weights(p);
    const node *n = &g->nodes[0];
    const weight *filter = &g->weights[n->weights[0]];
    const float *bias = g->weights[n->weights[1]].data;
    uint32_t kh = filter->shape.dim[0], kw = filter->shape.dim[1];
    uint32_t inputs = filter->shape.dim[2], outputs = filter->shape.dim[3];
    uint32_t input_lanes = (inputs + 3) / 4 * 4, output_lanes = (outputs + 3) / 4 * 4;
    const float *record = words + push.branch[0].record;
    struct conv2d_record r;
    memcpy(&r, record, sizeof r);
    assert_int_equal(r.channels, outputs);
    assert_int_equal(push.group_source_blocks, input_lanes / 4);
    const float *at = record + CONV2D_RECORD_WORDS;
    for (uint32_t o = 0; o < output_lanes; o++) {
        assert_true(*at++ == (o < outputs ? bias[o] : 0.0f));
    }
    for (uint32_t i = 0; i < input_lanes; i += 4) {
        for (uint32_t tap = 0; tap < kh * kw; tap++) {
            for (uint32_t lane = i; lane < i + 4; lane++) {
                for (uint32_t o = 0; o < output_lanes; o++) {
                    bool real = lane < inputs && o < outputs;
                    float want = real ? filter->data[(tap * inputs + lane) * outputs + o] : 0.0f;
                    assert_true(*at++ == want);
                }
            }
        }
    }
    assert_true((uint64_t)(at - words) <= p->weight_words);
    free(words);
}

static void test_conv2d_pack(void **state)
{
    (void)state;
    static const uint32_t channels[][2] = {{3, 6}, {4, 8}, {5, 1}, {9, 130}};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        builder b = builder_make(i, 5, 6, channels[i][0]);
        int out = build_conv(&b, b.g->input, channels[i][1],
                             (conv_options){.kernel = i % 2 ? 3 : 1, .bias = true});
        builder_outputs(&b, 1, &out);
        const preprocess pre = preprocess_for(b.g);
        plan *p = make_plan(b.g, &pre, NULL, (plan_options){0});
        check_conv2d_pack(b.g, p);
        plan_destroy(p);
        graph_destroy(b.g);
    }
}

/* groups in fours: [input block of the group][tap][4][all blocks][4]; else as it is */
static void test_grouped_pack(void **state)
{
    (void)state;
    for (uint32_t fours = 0; fours < 2; fours++) {
        const uint32_t channels = fours ? 8 : 6, filters = fours ? 16 : 10;
        builder b = builder_make(7, 5, 6, channels);
        int out = build_conv(&b, b.g->input, filters,
                             (conv_options){.kernel = 3, .groups = 2, .bias = true});
        builder_outputs(&b, 1, &out);
        const preprocess pre = preprocess_for(b.g);
        plan *p = make_plan(b.g, &pre, NULL, (plan_options){0});
        if (fours) {
            struct conv2d_push push;
            memcpy(&push, find_step(p, "conv2d")->push, sizeof push);
            assert_int_equal(push.group_source_blocks, 1);
            assert_int_equal(push.group_blocks, 2);
            check_conv2d_pack(b.g, p);
        } else {
            struct conv2d_grouped_push push;
            memcpy(&push, find_step(p, "conv2d_grouped")->push, sizeof push);
            const weight *filter = &b.g->weights[b.g->nodes[0].weights[0]];
            float *words = packed_weights(p);
            assert_memory_equal(words + push.weights, filter->data,
                                shape_elements(filter->shape) * sizeof *words);
            assert_memory_equal(words + push.bias, b.g->weights[b.g->nodes[0].weights[1]].data,
                                filters * sizeof *words);
            free(words);
        }
        plan_destroy(p);
        graph_destroy(b.g);
    }
}

static void test_depthwise_and_dense_pack(void **state)
{
    (void)state;
    builder b = builder_make(3, 1, 1, 5);
    int v = build_depthwise(&b, b.g->input, 3, 2);
    v = build_dense(&b, v, 7, true);
    builder_outputs(&b, 1, &v);
    const preprocess pre = preprocess_for(b.g);
    plan *p = make_plan(b.g, &pre, NULL, (plan_options){0});
    float *words = packed_weights(p);
    struct depthwise_push depthwise;
    struct dense_push dense;
    memcpy(&depthwise, find_step(p, "depthwise")->push, sizeof depthwise);
    memcpy(&dense, find_step(p, "dense")->push, sizeof dense);
    const float *filter = b.g->weights[b.g->nodes[0].weights[0]].data;
    for (uint32_t tap = 0; tap < 9; tap++) {
        for (uint32_t o = 0; o < 12; o++) { /* 10 rounded up */
            assert_true(words[depthwise.weights + tap * 12 + o] ==
                        (o < 10 ? filter[tap * 10 + o] : 0.0f));
        }
    }
    filter = b.g->weights[b.g->nodes[1].weights[0]].data;
    for (uint32_t i = 0; i < 12; i++) {
        for (uint32_t o = 0; o < 8; o++) {
            assert_true(words[dense.weights + i * 8 + o] ==
                        (i < 10 && o < 7 ? filter[i * 7 + o] : 0.0f));
        }
    }
    free(words);
    plan_destroy(p);
    graph_destroy(b.g);
}

static void test_batch_norm_pack(void **state)
{
    (void)state;
    builder b = builder_make(4, 3, 3, 5);
    int v = build_batch_norm(&b, b.g->input, true, true);
    builder_outputs(&b, 1, &v);
    const preprocess pre = preprocess_for(b.g);
    plan *p = make_plan(b.g, &pre, NULL, (plan_options){0});
    float *words = packed_weights(p);
    struct elementwise_push push;
    memcpy(&push, find_step(p, "elementwise")->push, sizeof push);
    const node *n = &b.g->nodes[0];
    for (uint32_t c = 0; c < 8; c++) {
        double scale = 0.0;
        if (c < 5) {
            scale =
                (double)b.g->weights[n->weights[0]].data[c] /
                sqrt((double)b.g->weights[n->weights[3]].data[c] + (double)n->attributes.epsilon);
        }
        const float *at = words + push.weights + c;
        assert_true(at[0] == (c < 5 ? b.g->weights[n->weights[2]].data[c] : 0.0f));
        assert_true(at[8] == (float)scale);
        assert_true(at[16] == (c < 5 ? b.g->weights[n->weights[1]].data[c] : 0.0f));
    }
    free(words);
    plan_destroy(p);
    graph_destroy(b.g);
}

/* --- values back --- */

static void test_unpack(void **state)
{
    (void)state;
    error err = {0};
    builder b = builder_make(5, 3, 4, 5);
    int first = build_conv(&b, b.g->input, 8, (conv_options){.kernel = 1, .bias = true});
    int second = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3, .bias = true});
    int heads[2] = {build_rows(&b, first, 4), build_rows(&b, second, 4)};
    int out = build_concat(&b, heads, 2, 0);
    builder_outputs(&b, 1, &out);
    assert_status_ok(passes_run(b.g, &err), err);
    const preprocess pre = preprocess_for(b.g);
    plan *p = make_plan(b.g, &pre, NULL, (plan_options){.keep_all = true});
    for (size_t v = 0; v < b.g->value_count; v++) {
        const value *own = &b.g->values[v];
        if (p->value_buffer[v] == GRAPH_NONE) {
            continue;
        }
        const plan_buffer *buffer = &p->buffers[p->value_buffer[v]];
        float *words = malloc(buffer->words * sizeof *words);
        uint64_t count = shape_elements(own->shape), columns = own->shape.dim[own->shape.rank - 1];
        float *dense = malloc(count * sizeof *dense);
        assert_true(words && dense);
        for (uint64_t i = 0; i < buffer->words; i++) {
            words[i] = (float)i;
        }
        plan_unpack_value(p, (int)v, words, dense);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t at = own->base == GRAPH_NONE ? i / columns * buffer->pixel_stride + i % columns
                                                  : own->base_offset + i;
            assert_true(dense[i] == (float)at);
        }
        free(dense);
        free(words);
    }
    plan_destroy(p);
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d_pack),
        cmocka_unit_test(test_grouped_pack),
        cmocka_unit_test(test_depthwise_and_dense_pack),
        cmocka_unit_test(test_batch_norm_pack),
        cmocka_unit_test(test_unpack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
