/* Building graphs: shapes, windows, what every operator makes of what shape.
 */
#include "tests/engine/graph_builder.h"

static shape dims(uint32_t rank, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t dim[] = {a, b, c, d};
    return shape_make(rank, dim);
}

static void assert_shape(const builder *b, int v, shape expected)
{
    char got[64], wanted[64];
    shape_text(builder_shape(b, v), got);
    shape_text(expected, wanted);
    assert_string_equal(got, wanted);
}

static void test_shapes(void **state)
{
    (void)state;
    char text[64];
    shape_text(dims(3, 260, 260, 3, 0), text);
    assert_string_equal(text, "260x260x3");
    shape_text((shape){0}, text);
    assert_string_equal(text, "scalar");
    shape_text((shape){UINT32_MAX, {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}}, text);
    assert_string_equal(text, "4294967295x4294967295x4294967295x4294967295");
    assert_int_equal(shape_elements((shape){0}), 1);
    assert_int_equal(shape_elements(dims(4, 2, 3, 5, 7)), 210);
    assert_true(shape_equal(dims(2, 4, 5, 0, 0), dims(2, 4, 5, 9, 9)));
    assert_false(shape_equal(dims(2, 4, 5, 0, 0), dims(3, 4, 5, 1, 0)));

    assert_true(shape_valid(dims(1, SHAPE_MAX_DIM, 0, 0, 0), 3));
    assert_false(shape_valid(dims(1, SHAPE_MAX_DIM + 1, 0, 0, 0), 3));
    assert_true(shape_valid(dims(2, SHAPE_MAX_DIM, 256, 0, 0), 3));
    assert_false(shape_valid(dims(2, SHAPE_MAX_DIM, 257, 0, 0), 3));
    assert_false(shape_valid(dims(4, 1048576, 1048576, 1048576, 1048576), 4)); /* 2^80 */
    assert_false(shape_valid(dims(4, 1, 1, 1, 1), 3));
    assert_false(shape_valid((shape){0}, 3));
    assert_false(shape_valid(dims(3, 4, 0, 4, 0), 3));
    assert_true(value_layout_dense(dims(3, 5, 5, 8, 0)));
    assert_false(value_layout_dense(dims(2, 8, 2, 0, 0)));

    uint32_t h, w, c;
    shape_hwc(dims(1, 7, 0, 0, 0), &h, &w, &c);
    assert_true(h == 1 && w == 1 && c == 7);
    shape_hwc(dims(2, 6, 7, 0, 0), &h, &w, &c);
    assert_true(h == 1 && w == 6 && c == 7);
    shape_hwc(dims(3, 5, 6, 7, 0), &h, &w, &c);
    assert_true(h == 5 && w == 6 && c == 7);
}

/* against TensorFlow's rule, written down from its documentation: out = ceil(in / stride), the odd
 * cell of padding goes to the end */
static void test_same_padding(void **state)
{
    (void)state;
    for (uint32_t in = 1; in <= 20; in++) {
        for (uint32_t kernel = 1; kernel <= 7; kernel++) {
            for (uint32_t stride = 1; stride <= 4; stride++) {
                for (uint32_t dilation = 1; dilation <= 3; dilation++) {
                    window w = {kernel, kernel, stride, stride, dilation, dilation, 9, 9, 9, 9};
                    window_pad_same(&w, in, in + 3);
                    int extent = (int)((kernel - 1) * dilation + 1);
                    int total =
                        in % stride == 0 ? extent - (int)stride : extent - (int)(in % stride);
                    total = total < 0 ? 0 : total;
                    assert_int_equal(w.pad_top, total / 2);
                    assert_int_equal(w.pad_bottom, total - total / 2);
                    uint32_t h, v;
                    assert_true(window_output(&w, in, in + 3, &h, &v));
                    assert_int_equal(h, (in + stride - 1) / stride);
                    assert_int_equal(v, (in + 3 + stride - 1) / stride);
                }
            }
        }
    }
}

static void test_hostile_windows(void **state)
{
    (void)state;
    const uint32_t odd[] = {0, 1, 2, 1048576, UINT32_MAX - 1, UINT32_MAX};
    uint32_t h, w;
    for (int i = 0; i < 6 * 6 * 6 * 6; i++) {
        uint32_t kernel = odd[i % 6], stride = odd[i / 6 % 6], dilation = odd[i / 36 % 6];
        window x = {kernel, kernel, stride, stride, dilation, dilation, 0, 0, 0, 0};
        window_pad_same(&x, odd[i / 216], 5);
        x.pad_top = x.pad_bottom = odd[i % 6];
        bool fits = window_output(&x, odd[i / 216], 5, &h, &w);
        assert_true(!fits || (kernel && stride && dilation));
    }
    window exact = {3, 3, 1, 1, 2, 2, 0, 0, 0, 0};
    assert_true(window_output(&exact, 5, 6, &h, &w));
    assert_true(h == 1 && w == 2);
    assert_false(window_output(&exact, 4, 6, &h, &w));
}

static void test_convolution_shapes(void **state)
{
    (void)state;
    builder b = builder_make(1, 13, 17, 6);
    int in = b.g->input;
    assert_shape(&b, build_conv(&b, in, 10, (conv_options){.kernel = 3}), dims(3, 13, 17, 10, 0));
    assert_shape(&b, build_conv(&b, in, 10, (conv_options){.kernel = 3, .valid = true}),
                 dims(3, 11, 15, 10, 0));
    assert_shape(&b, build_conv(&b, in, 9, (conv_options){.kernel = 5, .stride = 2, .groups = 3}),
                 dims(3, 7, 9, 9, 0));
    assert_shape(&b,
                 build_conv(&b, in, 1, (conv_options){.kernel = 4, .dilation = 4, .valid = true}),
                 dims(3, 1, 5, 1, 0));
    assert_shape(&b, build_conv(&b, in, 3, (conv_options){.kernel = 1, .stride = 4}),
                 dims(3, 4, 5, 3, 0));
    int depthwise = build_depthwise(&b, in, 3, 2);
    assert_shape(&b, depthwise, dims(3, 13, 17, 12, 0));
    assert_shape(&b, build_dense(&b, in, 5, true), dims(3, 13, 17, 5, 0));
    int rows = build_rows(&b, in, 26);
    assert_shape(&b, rows, dims(2, 51, 26, 0, 0));
    assert_shape(&b, build_dense(&b, rows, 4, false), dims(2, 51, 4, 0, 0));
    int flat = build_reshape(&b, in, dims(1, 13 * 17 * 6, 0, 0, 0));
    assert_shape(&b, build_dense(&b, flat, 3, true), dims(1, 3, 0, 0, 0));
    builder_outputs(&b, 1, &depthwise);
    graph_destroy(b.g);
}

static void test_pooled_convolution(void **state)
{
    (void)state;
    builder b = builder_make(2, 9, 8, 4);
    int in = b.g->input, inputs[] = {in, in};
    int weights[] = {build_weight(&b, dims(4, 3, 3, 4, 5), 1.0f), GRAPH_NONE,
                     build_weight(&b, dims(4, 3, 3, 4, 7), 1.0f),
                     build_weight(&b, dims(1, 7, 0, 0, 0), 1.0f)};
    node n = {.op = OP_CONV2D,
              .name = "pair",
              .input_count = 2,
              .inputs = inputs,
              .weight_count = 4,
              .weights = weights,
              .attributes.conv = {
                  {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}, 1, true, {2, 2, 2, 2, 1, 1, 0, 0, 1, 0}, 2}};
    error err = {0};
    int index;
    assert_status_ok(graph_add_node(b.g, &n, &index, &err), err);
    const int *o = b.g->nodes[index].outputs;
    assert_shape(&b, o[0], dims(3, 9, 8, 5, 0));
    assert_shape(&b, o[1], dims(3, 5, 4, 5, 0));
    assert_shape(&b, o[2], dims(3, 9, 8, 7, 0));
    assert_shape(&b, o[3], dims(3, 5, 4, 7, 0));
    assert_string_equal(b.g->values[o[0]].name, "pair");
    assert_string_equal(b.g->values[o[1]].name, "pair/pooled");
    assert_string_equal(b.g->values[o[2]].name, "pair/1");
    assert_string_equal(b.g->values[o[3]].name, "pair/1/pooled");
    assert_int_equal(b.g->nodes[index].act_count, 2);
    assert_int_equal(b.g->nodes[index].act[1].kind, ACTIVATION_LINEAR);
    assert_int_equal(graph_producer(b.g, o[3]), index);
    assert_int_equal(graph_producer(b.g, in), GRAPH_NONE);
    assert_int_equal(graph_find_value(b.g, "pair/1"), o[2]);
    assert_int_equal(graph_find_value(b.g, "nobody"), GRAPH_NONE);

    /* the maps are not wanted */
    int wanted[] = {GRAPH_NONE, 0, GRAPH_NONE, 0};
    n.outputs = wanted;
    n.output_count = 4;
    assert_status_ok(graph_add_node(b.g, &n, &index, &err), err);
    o = b.g->nodes[index].outputs;
    assert_int_equal(o[0], GRAPH_NONE);
    assert_shape(&b, o[3], dims(3, 5, 4, 7, 0));
    builder_outputs(&b, 1, &o[3]);
    uint64_t macs = 9u * 8u * 9u * 4u * (5u + 7u);
    assert_int_equal(node_macs(b.g, &b.g->nodes[index]), macs);
    assert_int_equal(node_flops(b.g, &b.g->nodes[index]),
                     2 * macs + 9 * 8 * 7 + 4 * 5 * 4 * (5 + 7));

    int missing[] = {0, GRAPH_NONE, 0, GRAPH_NONE};
    n.outputs = missing;
    assert_int_equal(graph_add_node(b.g, &n, &index, &err), STATUS_MODEL);
    n.attributes.conv.pooled = false;
    n.outputs = wanted;
    assert_int_equal(graph_add_node(b.g, &n, &index, &err), STATUS_MODEL);
    graph_destroy(b.g);
}

static void test_other_shapes(void **state)
{
    (void)state;
    builder b = builder_make(3, 7, 5, 3);
    int in = b.g->input;
    assert_shape(&b, build_pool(&b, OP_MAX_POOL, in, 2, true), dims(3, 4, 3, 3, 0));
    assert_shape(&b, build_pool(&b, OP_MAX_POOL, in, 2, false), dims(3, 3, 2, 3, 0));
    assert_shape(&b, build_pool(&b, OP_AVERAGE_POOL, in, 3, true), dims(3, 4, 3, 3, 0));
    assert_shape(&b, build_batch_norm(&b, in, true, false), dims(3, 7, 5, 3, 0));
    node n = {.op = OP_GLOBAL_AVERAGE, .input_count = 1, .inputs = &in};
    int average = build_node(&b, &n);
    assert_shape(&b, average, dims(1, 3, 0, 0, 0));
    assert_shape(&b, build_pad(&b, in, 1, 2, 3, 4), dims(3, 11, 11, 3, 0));
    n = (node){.op = OP_CROP, .input_count = 1, .inputs = &in, .attributes.border = {3, 2, 3, 2}};
    assert_shape(&b, build_node(&b, &n), dims(3, 1, 1, 3, 0));
    n = (node){.op = OP_RESIZE, .input_count = 1, .inputs = &in};
    n.attributes.resize.height = 14;
    n.attributes.resize.width = 1;
    assert_shape(&b, build_node(&b, &n), dims(3, 14, 1, 3, 0));
    n = (node){.op = OP_SOFTMAX, .input_count = 1, .inputs = &in};
    assert_shape(&b, build_node(&b, &n), dims(3, 7, 5, 3, 0));
    /* (3) joins (7, 5, 3) from the right */
    assert_shape(&b, build_binary(&b, OP_MULTIPLY, average, in), dims(3, 7, 5, 3, 0));
    int column = build_reshape(&b, average, dims(3, 1, 3, 1, 0));
    assert_shape(&b, build_binary(&b, OP_ADD, column, average), dims(3, 1, 3, 3, 0));
    int both[] = {in, in};
    assert_shape(&b, build_concat(&b, both, 2, 0), dims(3, 14, 5, 3, 0));
    assert_shape(&b, build_concat(&b, both, 2, 2), dims(3, 7, 5, 6, 0));
    assert_shape(&b, build_permute(&b, in, 2, 0, 1), dims(3, 3, 7, 5, 0));
    int alpha = build_weight(&b, dims(3, 1, 1, 3, 0), 1.0f);
    n = (node){
        .op = OP_PRELU, .input_count = 1, .inputs = &in, .weight_count = 1, .weights = &alpha};
    int prelu = build_node(&b, &n);
    assert_shape(&b, prelu, dims(3, 7, 5, 3, 0));
    builder_outputs(&b, 1, &prelu);
    graph_destroy(b.g);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < OP_COUNT; i++) {
        op found = OP_COUNT;
        assert_true(op_from_name(op_name((op)i), &found));
        assert_int_equal(found, i);
    }
    for (int i = 0; i < ACTIVATION_COUNT; i++) {
        activation_kind found = ACTIVATION_COUNT;
        assert_true(activation_from_name(activation_name((activation_kind)i), &found));
        assert_int_equal(found, i);
    }
    op o = OP_COUNT;
    activation_kind k = ACTIVATION_COUNT;
    assert_false(op_from_name("Conv2D", &o));
    assert_false(activation_from_name("", &k));
    assert_string_equal(op_name(OP_COUNT), "unknown");
    assert_string_equal(op_name((op)-1), "unknown");
    assert_string_equal(activation_name(ACTIVATION_COUNT), "unknown");
}

static int last_node(const builder *b)
{
    return (int)b->g->node_count - 1;
}

static void expect_cost(const builder *b, uint64_t macs, uint64_t flops)
{
    const node *n = &b->g->nodes[last_node(b)];
    if (node_macs(b->g, n) != macs || node_flops(b->g, n) != flops) {
        fail_msg("%s: %llu MACs, %llu FLOPs", n->name, (unsigned long long)node_macs(b->g, n),
                 (unsigned long long)node_flops(b->g, n));
    }
}

static void test_costs(void **state)
{
    (void)state;
    builder b = builder_make(8, 6, 4, 8);
    int in = b.g->input;
    (void)build_conv(&b, in, 6, (conv_options){.kernel = 3, .groups = 2, .bias = true});
    expect_cost(&b, 6 * 4 * 6 * 9 * 4, 2 * 6 * 4 * 6 * 9 * 4 + 6 * 4 * 6);
    (void)build_depthwise(&b, in, 3, 2);
    expect_cost(&b, 6 * 4 * 16 * 9, 2 * 6 * 4 * 16 * 9);
    (void)build_dense(&b, in, 5, true);
    expect_cost(&b, 6 * 4 * 5 * 8, 2 * 6 * 4 * 5 * 8 + 6 * 4 * 5);
    (void)build_batch_norm(&b, in, true, true);
    expect_cost(&b, 0, 2 * 6 * 4 * 8);
    (void)build_activation(&b, in, ACTIVATION_SIGMOID);
    expect_cost(&b, 0, 6 * 4 * 8);
    (void)build_activation(&b, in, ACTIVATION_LINEAR);
    expect_cost(&b, 0, 0);
    (void)build_binary(&b, OP_ADD, in, in);
    expect_cost(&b, 0, 6 * 4 * 8);
    (void)build_pool(&b, OP_MAX_POOL, in, 2, false);
    expect_cost(&b, 0, 3 * 2 * 8 * 4);
    (void)build_rows(&b, in, 8);
    expect_cost(&b, 0, 0);
    node n = {.op = OP_SOFTMAX, .input_count = 1, .inputs = &in};
    (void)build_node(&b, &n);
    expect_cost(&b, 0, 5 * 6 * 4 * 8);
    n.op = OP_GLOBAL_AVERAGE;
    (void)build_node(&b, &n);
    expect_cost(&b, 0, 6 * 4 * 8);
    n.op = OP_RESIZE;
    n.attributes.resize.height = n.attributes.resize.width = 2;
    (void)build_node(&b, &n);
    expect_cost(&b, 0, 0);
    n.attributes.resize.mode = RESIZE_BILINEAR;
    (void)build_node(&b, &n);
    expect_cost(&b, 0, 8 * 2 * 2 * 8);
    graph_destroy(b.g);
}

static builder sample(void)
{
    builder b = builder_make(9, 8, 8, 3);
    int v = build_conv(&b, b.g->input, 8, (conv_options){.kernel = 3, .bias = true});
    v = build_batch_norm(&b, v, true, true);
    v = build_activation(&b, v, ACTIVATION_RELU);
    int pieces[] = {build_rows(&b, v, 4), build_rows(&b, v, 4)};
    int out = build_concat(&b, pieces, 2, 0);
    builder_outputs(&b, 1, &out);
    return b;
}

static void test_clone(void **state)
{
    (void)state;
    builder b = sample();
    graph *copy = NULL;
    error err = {0};
    assert_status_ok(graph_clone(b.g, &allocator_default, &copy, &err), err);
    assert_status_ok(graph_validate(copy, &err), err);
    assert_same_outputs(b.g, copy, 5);
    assert_ptr_not_equal(copy->nodes[0].inputs, b.g->nodes[0].inputs);
    assert_ptr_not_equal(copy->values[0].name, b.g->values[0].name);
    assert_ptr_equal(copy->weights[0].data, b.g->weights[0].data);
    /* a clone can grow */
    node n = {.op = OP_SOFTMAX, .name = "more", .input_count = 1, .inputs = copy->outputs};
    int index;
    assert_status_ok(graph_add_node(copy, &n, &index, &err), err);
    assert_status_ok(graph_validate(copy, &err), err);
    graph_destroy(copy);
    graph_destroy(b.g);
}

/* everything that building allocates, on an allocator that may refuse */
static status build_all(const allocator *a, const graph *like, error *err)
{
    graph *g = NULL, *copy = NULL;
    int index;
    status s = graph_create(a, &g, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; s == STATUS_OK && i < like->weight_count; i++) {
        const weight *w = &like->weights[i];
        s = graph_add_weight(g, w->name, w->shape, w->data, &index, err);
    }
    if (s == STATUS_OK) {
        s = graph_add_value(g, "input", like->values[like->input].shape, &g->input, err);
    }
    for (size_t i = 0; s == STATUS_OK && i < like->node_count; i++) {
        s = graph_add_node(g, &like->nodes[i], NULL, err);
    }
    /* blocks of the region hide small allocations; large names do not fit them */
    char *name = calloc(1, 20001);
    assert_non_null(name);
    memset(name, 'n', 20000);
    node big = {.op = OP_SOFTMAX, .name = name, .input_count = 1, .inputs = &g->input};
    for (int i = 0; s == STATUS_OK && i < 3; i++) {
        s = graph_add_node(g, &big, NULL, err);
    }
    if (s == STATUS_OK) {
        s = graph_add_weight(g, name, like->weights[0].shape, like->weights[0].data, &index, err);
    }
    free(name);
    if (s == STATUS_OK) {
        s = graph_set_outputs(g, like->outputs, like->output_count, err);
    }
    if (s == STATUS_OK) {
        s = graph_validate(g, err);
    }
    if (s == STATUS_OK) {
        s = graph_clone(g, a, &copy, err);
    }
    graph_destroy(copy);
    graph_destroy(g);
    return s;
}

static void test_memory_failures(void **state)
{
    (void)state;
    builder b = sample();
    size_t n = 1;
    for (;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        error err = {0};
        status s = build_all(&t.alloc, b.g, &err);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_status_ok(s, err);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_int_equal(err.code, STATUS_MEMORY);
    }
    assert_true(n > 10);
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_same_padding),
        cmocka_unit_test(test_hostile_windows),
        cmocka_unit_test(test_convolution_shapes),
        cmocka_unit_test(test_pooled_convolution),
        cmocka_unit_test(test_other_shapes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_costs),
        cmocka_unit_test(test_clone),
        cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
