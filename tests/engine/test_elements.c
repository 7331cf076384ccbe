/* What a plan of fp16 stores as halves: the rule of engine/plan/elements.c case by case, kernels as
 * packed, values read back, what does not fit; and the bound of a reference on what is stored. */
#include "tests/engine/graph_builder.h"
#include "tests/engine/plan_check.h"

#include "engine/half.h"
#include "engine/passes.h"
#include "engine/reference.h"
#include "shaders/interface.h"

static const conv_options plain = {.kernel = 3, .bias = true};

/* plans the graph, whose output is `out`, in fp16 */
static plan *plan_halves(builder *b, int out, preprocess *pre)
{
    builder_outputs(b, 1, &out);
    *pre = preprocess_for(b->g);
    plan *p = make_plan(b->g, pre, NULL, (plan_options){.precision = PLAN_FP16});
    check_plan(p);
    return p;
}

static void expect_element(const plan *p, int v, element_type want)
{
    int buffer = p->value_buffer[graph_storage(p->graph, v)];
    assert_true(buffer != GRAPH_NONE);
    if (p->buffers[buffer].element != want) {
        fail_msg("%s is %s", p->buffers[buffer].name, want == ELEMENT_F16 ? "floats" : "halves");
    }
}

/* --- the rule --- */

static void test_inner_values(void **state)
{
    (void)state;
    builder b = builder_make(1, 6, 7, 3);
    preprocess pre;
    int first = build_conv(&b, b.g->input, 5, plain); /* channels are padded: any number will do */
    int second = build_depthwise(&b, first, 3, 1);
    int out = build_conv(&b, second, 4, plain);
    plan *p = plan_halves(&b, out, &pre);
    expect_element(p, b.g->input, ELEMENT_F16);
    expect_element(p, first, ELEMENT_F16);
    expect_element(p, second, ELEMENT_F16);
    expect_element(p, out, ELEMENT_F32);
    plan *exact = make_plan(b.g, &pre, NULL, (plan_options){0});
    check_plan(exact);
    for (size_t i = 0; i < exact->buffer_count; i++) {
        assert_int_equal(exact->buffers[i].element, ELEMENT_F32);
    }
    assert_true(p->arena_words < exact->arena_words && p->weight_words < exact->weight_words);
    for (size_t i = 0; i < p->step_count; i++) { /* half of what is read and written inside */
        assert_true(p->steps[i].bytes_written <= exact->steps[i].bytes_written);
        assert_true(p->steps[i].weight_bytes <= exact->steps[i].weight_bytes);
    }
    assert_int_equal(2 * find_step(p, "depthwise_half")->bytes_read,
                     find_step(exact, "depthwise")->bytes_read);
    plan_destroy(exact);
    plan_destroy(p);
    graph_destroy(b.g);
}

/* what is moved, or activated, on its way to the output */
static void test_way_to_output(void **state)
{
    (void)state;
    builder b = builder_make(2, 4, 4, 8);
    preprocess pre;
    int trunk = build_conv(&b, b.g->input, 8, plain);
    int head = build_conv(&b, trunk, 8, plain);
    int moved = build_permute(&b, head, 1, 0, 2);
    int rows = build_rows(&b, moved, 4);
    int out = build_activation(&b, rows, ACTIVATION_SIGMOID);
    plan *p = plan_halves(&b, out, &pre);
    expect_element(p, trunk, ELEMENT_F16);
    expect_element(p, head, ELEMENT_F32);
    expect_element(p, moved, ELEMENT_F32);
    expect_element(p, rows, ELEMENT_F32);
    plan_destroy(p);
    graph_destroy(b.g);
    /* an output that is read further on */
    b = builder_make(3, 4, 4, 8);
    trunk = build_conv(&b, b.g->input, 8, plain);
    out = build_conv(&b, trunk, 4, plain);
    builder_outputs(&b, 2, (int[]){trunk, out});
    pre = preprocess_for(b.g);
    p = make_plan(b.g, &pre, NULL, (plan_options){.precision = PLAN_FP16});
    check_plan(p);
    expect_element(p, trunk, ELEMENT_F32);
    plan_destroy(p);
    graph_destroy(b.g);
}

/* kernels that write less than four numbers at a time */
static void test_odd_writers(void **state)
{
    (void)state;
    static const uint32_t groups[] = {1, 2, 4};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        builder b = builder_make(i, 5, 5, 16);
        preprocess pre;
        conv_options o = {.kernel = 3, .groups = groups[i]};
        int grouped = build_conv(&b, b.g->input, 8, o); /* 8, 4, 2 channels a group */
        int out = build_conv(&b, grouped, 4, plain);
        plan *p = plan_halves(&b, out, &pre);
        expect_element(p, grouped, groups[i] < 4 ? ELEMENT_F16 : ELEMENT_F32);
        plan_destroy(p);
        graph_destroy(b.g);
    }
    for (uint32_t odd = 0; odd < 2; odd++) {
        builder b = builder_make(odd, 5, 5, 4);
        int first = build_conv(&b, b.g->input, 4 + odd, plain);
        int second = build_conv(&b, b.g->input, 3, plain); /* the last part may be any */
        int both = build_concat(&b, (int[]){first, second}, 2, 2);
        int below = build_concat(&b, (int[]){second, second}, 2, 0);
        builder_outputs(&b, 2,
                        (int[]){build_conv(&b, both, 4, plain), build_conv(&b, below, 4, plain)});
        const preprocess pre = preprocess_for(b.g);
        plan *p = make_plan(b.g, &pre, NULL, (plan_options){.precision = PLAN_FP16});
        check_plan(p);
        expect_element(p, first, ELEMENT_F16);
        expect_element(p, both, odd ? ELEMENT_F32 : ELEMENT_F16);
        expect_element(p, below, ELEMENT_F16);
        plan_destroy(p);
        graph_destroy(b.g);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    builder b = builder_make(4, 4, 4, 8);
    preprocess pre;
    int logits = build_conv(&b, b.g->input, 8, plain);
    activation act = activation_linear;
    node n = {.op = OP_SOFTMAX,
              .name = "softmax",
              .input_count = 1,
              .output_count = 1,
              .act_count = 1,
              .inputs = &logits,
              .act = &act};
    int shares = build_node(&b, &n);
    int out = build_conv(&b, shares, 4, plain);
    plan *p = plan_halves(&b, out, &pre);
    expect_element(p, logits, ELEMENT_F16);
    expect_element(p, shares, ELEMENT_F32);
    plan_destroy(p);
    graph_destroy(b.g);
}

/* heads that write into one storage, which a layer reads */
static void test_views(void **state)
{
    (void)state;
    for (uint32_t columns = 3; columns <= 4; columns++) {
        error err = {0};
        builder b = builder_make(5, 3, 4, 8);
        preprocess pre;
        int heads[2];
        for (int i = 0; i < 2; i++) {
            heads[i] = build_rows(&b, build_conv(&b, b.g->input, 12, plain), columns);
        }
        int all = build_concat(&b, heads, 2, 0);
        int out = build_binary(&b, OP_MULTIPLY, all, all);
        builder_outputs(&b, 1, &out);
        assert_status_ok(passes_run(b.g, &err), err);
        pre = preprocess_for(b.g);
        plan *p = make_plan(b.g, &pre, NULL, (plan_options){.precision = PLAN_FP16});
        check_plan(p);
        size_t views = 0;
        for (size_t v = 0; v < b.g->value_count; v++) {
            if (b.g->values[v].base != GRAPH_NONE) {
                views++;
                expect_element(p, (int)v, columns == 4 ? ELEMENT_F16 : ELEMENT_F32);
            }
        }
        assert_true(views > 0);
        plan_destroy(p);
        graph_destroy(b.g);
    }
}

/* --- kernels --- */

static float number_at(const float *words, uint64_t at)
{
    uint32_t word;
    memcpy(&word, words + at / 2, sizeof word);
    return half_to_float((uint16_t)(word >> at % 2 * 16));
}

/* numbers that no half is, tiny ones among them */
static void spoil(graph *g, uint64_t seed)
{
    test_random r = test_random_seed(seed);
    for (size_t i = 0; i < g->weight_count; i++) {
        uint64_t count = shape_elements(g->weights[i].shape);
        float *data = region_allocate(g->memory, count, sizeof *data);
        assert_non_null(data);
        for (uint64_t k = 0; k < count; k++) {
            data[k] = test_random_float(&r, -1.0f, 1.0f) * (k % 5 == 0 ? 1e-4f : 1.0f);
        }
        g->weights[i].data = data;
    }
}

static void expect_kernel(const float *words, uint64_t begin, const float *filter, uint64_t count,
                          uint64_t columns, uint64_t lanes)
{
    for (uint64_t i = 0; i < count; i++) {
        float want = half_to_float(half_stored(filter[i]));
        assert_true(number_at(words + begin, i / columns * lanes + i % columns) == want);
    }
}

static void test_packed_kernels(void **state)
{
    (void)state;
    error err = {0};
    preprocess pre;
    builder b = builder_make(6, 1, 1, 5);
    int v = build_conv(&b, b.g->input, 3, (conv_options){.kernel = 1, .bias = true});
    v = build_depthwise(&b, v, 3, 2);
    v = build_dense(&b, v, 7, true);
    spoil(b.g, 6);
    plan *p = plan_halves(&b, v, &pre);
    float *words = packed_weights(p);
    struct conv2d_push conv;
    struct depthwise_push depthwise;
    struct dense_push dense;
    memcpy(&conv, find_step(p, "conv2d_half")->push, sizeof conv);
    memcpy(&depthwise, find_step(p, "depthwise_half")->push, sizeof depthwise);
    memcpy(&dense, find_step(p, "dense")->push, sizeof dense);
    const node *nodes = b.g->nodes;
    const weight *weights = b.g->weights;
    /* record, bias, kernel; one tap and one output block, so that only channels are rounded up */
    expect_kernel(words, conv.branch[0].record + CONV2D_RECORD_WORDS + 4,
                  weights[nodes[0].weights[0]].data, 15, 3, 4);
    expect_kernel(words, depthwise.weights, weights[nodes[1].weights[0]].data, 54, 6, 8);
    expect_kernel(words, dense.weights, weights[nodes[2].weights[0]].data, 42, 7, 8);
    /* biases stay as they are */
    assert_memory_equal(words + conv.branch[0].record + CONV2D_RECORD_WORDS,
                        weights[nodes[0].weights[1]].data, 3 * sizeof *words);
    assert_memory_equal(words + dense.bias, weights[nodes[2].weights[1]].data, 7 * sizeof *words);
    free(words);
    /* and rounding the graph first changes nothing in what is packed */
    words = packed_weights(p);
    const float *bias = weights[nodes[2].weights[1]].data;
    assert_status_ok(plan_round_weights(b.g, PLAN_FP16, &err), err);
    float *again = packed_weights(p);
    assert_memory_equal(words, again, p->weight_words * sizeof *words);
    assert_ptr_equal(bias, weights[nodes[2].weights[1]].data);
    const weight *rounded = &weights[nodes[2].weights[0]];
    for (uint64_t i = 0; i < 42; i++) {
        assert_true(rounded->data[i] == half_to_float(half_stored(rounded->data[i])));
    }
    const float *kept = rounded->data;
    assert_status_ok(plan_round_weights(b.g, PLAN_FP32, &err), err);
    assert_ptr_equal(kept, rounded->data);
    free(words);
    free(again);
    plan_destroy(p);
    graph_destroy(b.g);
}

static void test_grouped_kernel(void **state)
{
    (void)state;
    preprocess pre;
    builder b = builder_make(7, 5, 6, 6);
    int v = build_conv(&b, b.g->input, 10, (conv_options){.kernel = 3, .groups = 2, .bias = true});
    spoil(b.g, 7);
    plan *p = plan_halves(&b, v, &pre);
    struct conv2d_grouped_push push;
    memcpy(&push, find_step(p, "conv2d_grouped")->push, sizeof push);
    float *words = packed_weights(p);
    const node *n = &b.g->nodes[0];
    expect_kernel(words, push.weights, b.g->weights[n->weights[0]].data, 270, 10, 10);
    assert_memory_equal(words + push.bias, b.g->weights[n->weights[1]].data, 10 * sizeof *words);
    free(words);
    plan_destroy(p);
    graph_destroy(b.g);
}

static void test_too_large(void **state)
{
    (void)state;
    static const float large[] = {65519.99f, 65520.0f, -70000.0f, INFINITY};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        error err = {0};
        plan *p = NULL;
        builder b = builder_make(8, 4, 4, 4);
        int v = build_conv(&b, b.g->input, 4, plain);
        builder_outputs(&b, 1, &v);
        spoil(b.g, 8);
        float *data = region_allocate(b.g->memory, 4 * 9 * 4, sizeof *data);
        assert_non_null(data);
        memcpy(data, b.g->weights[0].data, 4 * 9 * 4 * sizeof *data);
        data[7] = large[i];
        b.g->weights[0].data = data;
        const preprocess pre = preprocess_for(b.g);
        const plan_options options = {.precision = PLAN_FP16}, exact = {0};
        status s = plan_create(&allocator_default, b.g, &pre, NULL, &options, &p, &err);
        assert_int_equal(s, i == 0 ? STATUS_OK : STATUS_LIMIT);
        assert_true(i == 0 || strstr(err.text, b.g->nodes[0].name) != NULL);
        plan_destroy(p);
        assert_int_equal(plan_create(&allocator_default, b.g, &pre, NULL, &exact, &p, &err),
                         STATUS_OK);
        plan_destroy(p);
        graph_destroy(b.g);
    }
}

/* --- values back --- */

static void test_unpack(void **state)
{
    (void)state;
    builder b = builder_make(9, 3, 4, 5);
    preprocess pre;
    int inner = build_conv(&b, b.g->input, 7, plain);
    int out = build_conv(&b, inner, 4, plain);
    plan *p = plan_halves(&b, out, &pre);
    const plan_buffer *buffer = &p->buffers[p->value_buffer[inner]];
    assert_int_equal(buffer->pixel_stride, 8);
    uint32_t *words = malloc(buffer->words * sizeof *words);
    float dense[3 * 4 * 7];
    assert_non_null(words);
    for (uint32_t i = 0; i < buffer->words; i++) {
        words[i] = half_from_float((float)(2 * i)) | (uint32_t)half_from_float((float)(2 * i + 1))
                                                         << 16;
    }
    plan_unpack_value(p, inner, (const float *)(const void *)words, dense);
    for (uint32_t i = 0; i < 3 * 4 * 7; i++) {
        const uint32_t at = i / 7 * 8 + i % 7;
        assert_true(dense[i] == (float)at);
    }
    free(words);
    plan_destroy(p);
    graph_destroy(b.g);
}

/* --- the bound --- */

/* What is computed lies within `slack` of what is exact; what is stored, within the widened bound;
 * and a bound narrower by a thousandth would not do for some of it. */
static void test_bound(void **state)
{
    (void)state;
    test_random r = test_random_seed(10);
    double closest = 0;
    for (int i = 0; i < 400000; i++) {
        float exact = ldexpf(test_random_float(&r, -2.0f, 2.0f), -(int)(test_random_u32(&r) % 20));
        exact = i % 1000 == 0 ? 0.0f : exact;
        float slack = fabsf(exact) * (i % 2 ? 1e-6f : 0.0f), bound = slack;
        float computed = exact + slack * test_random_float(&r, -0.99f, 0.99f);
        reference_widen_for_halves(&exact, &bound, 1);
        double off = fabs((double)half_to_float(half_stored(computed)) - (double)exact);
        if (!(off <= (double)bound)) {
            fail_msg("%.9g, computed as %.9g: off by %.3g, bound %.3g", (double)exact,
                     (double)computed, off, (double)bound);
        }
        if (fabsf(exact) > 1e-3f) {
            closest = fmax(closest, off / (double)bound);
        }
    }
    assert_true(closest > 0.99);
    float large = 70000.0f, bound = 1.0f; /* infinite when stored: outside */
    reference_widen_for_halves(&large, &bound, 1);
    assert_true(isfinite(bound) && isinf(half_to_float(half_stored(large))));
}

static void test_stored(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        float number = half_to_float((uint16_t)half);
        uint16_t stored = half_stored(number);
        if (isnan(number)) {
            assert_true(isnan(half_to_float(stored)));
        } else if (fabsf(number) < 0x1p-14f) {
            assert_int_equal(stored, 0);
        } else {
            assert_int_equal(stored, half);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inner_values),   cmocka_unit_test(test_way_to_output),
        cmocka_unit_test(test_odd_writers),    cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_views),          cmocka_unit_test(test_packed_kernels),
        cmocka_unit_test(test_grouped_kernel), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_unpack),         cmocka_unit_test(test_bound),
        cmocka_unit_test(test_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
