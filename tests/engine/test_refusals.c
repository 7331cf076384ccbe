/* What building refuses: every operator with every kind of wrong attribute, operand and weight. */
#include "tests/engine/graph_builder.h"

static shape dims(uint32_t rank, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t dim[] = {a, b, c, d};
    return shape_make(rank, dim);
}

static void expect_refused(builder *b, const char *what, node n, const char *message)
{
    error err = {0};
    int index = 77;
    size_t values = b->g->value_count, nodes = b->g->node_count;
    n.name = what;
    status s = graph_add_node(b->g, &n, &index, &err);
    if (s != STATUS_MODEL || !strstr(err.text, what) || !strstr(err.text, message)) {
        fail_msg("%s: %s \"%s\", expected \"%s\"", what, status_name(s), err.text, message);
    }
    assert_int_equal(index, 77);
    assert_int_equal(b->g->value_count, values);
    assert_int_equal(b->g->node_count, nodes);
}

static void test_refused_convolutions(void **state)
{
    (void)state;
    builder b = builder_make(4, 6, 6, 4);
    int in = b.g->input, kernel = build_weight(&b, dims(4, 3, 3, 4, 8), 1.0f);
    int bias = build_weight(&b, dims(1, 7, 0, 0, 0), 1.0f), rows = build_rows(&b, in, 4);
    int weights[] = {kernel, GRAPH_NONE}, biased[] = {kernel, bias};
    int none[] = {GRAPH_NONE, GRAPH_NONE}, far[] = {1000, GRAPH_NONE}, below[] = {kernel, -2};
    const window w = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
    const node good = {.op = OP_CONV2D,
                       .input_count = 1,
                       .inputs = &in,
                       .weight_count = 2,
                       .weights = weights,
                       .attributes.conv = {.window = w, .groups = 1, .branches = 1}};
    node n = good;
    n.attributes.conv.branches = 0;
    expect_refused(&b, "no branches", n, "0 branches");
    n.attributes.conv.branches = CONV2D_MAX_BRANCHES + 1;
    expect_refused(&b, "many branches", n, "5 branches");
    n.attributes.conv.branches = 2;
    expect_refused(&b, "two branches, one input", n, "1 inputs");
    n = good, n.attributes.conv.repeat = 1;
    expect_refused(&b, "nothing to add", n, "not 2, 2, 2, 1");
    int pair[] = {in, in};
    n.input_count = 2, n.inputs = pair;
    expect_refused(&b, "another size to add", n, "adds 6x6x4 to 6x6x8");
    n.attributes.conv.repeat = UINT32_MAX;
    expect_refused(&b, "endless repetition", n, "repeats pixels 4294967295x4294967295 times");
    n.attributes.conv.repeat = 1, n.attributes.conv.pooled = true;
    n.attributes.conv.pool = (window){2, 2, 2, 2, 1, 1, 0, 0, 0, 0};
    expect_refused(&b, "a sum that is pooled", n, "adds to 1 branches, pooled");
    n = good, n.attributes.conv.groups = 0;
    expect_refused(&b, "no groups", n, "in 0 groups");
    n = good, n.attributes.conv.groups = 3;
    expect_refused(&b, "odd groups", n, "4 channels in 3 groups");
    n = good, n.attributes.conv.window.kernel_h = 2;
    expect_refused(&b, "other kernel", n, "kernel is 3x3x4x8");
    n = good, n.attributes.conv.window.stride_h = 0;
    expect_refused(&b, "no stride", n, "stride 0x1");
    n = good, n.attributes.conv.window.dilation_w = 4;
    expect_refused(&b, "wide dilation", n, "does not fit");
    n = good, n.attributes.conv.window.pad_left = UINT32_MAX;
    expect_refused(&b, "endless padding", n, "does not fit");
    n = good, n.inputs = &rows;
    expect_refused(&b, "rows", n, "reads a map (H, W, C), not 36x4");
    n = good, n.weights = biased;
    expect_refused(&b, "short bias", n, "bias is 7, not 8");
    n = good, n.weights = none;
    expect_refused(&b, "no kernel", n, "has no kernel");
    n = good, n.weights = far;
    expect_refused(&b, "far weight", n, "weight 1000, which does not exist");
    n = good, n.weights = below;
    expect_refused(&b, "negative weight", n, "weight -2, which does not exist");
    n = good, n.weights = NULL;
    expect_refused(&b, "absent weights", n, "an array is missing");
    n = good, n.weight_count = 1;
    expect_refused(&b, "half the weights", n, "1 weights");
    n = good, n.attributes.conv.pooled = true;
    expect_refused(&b, "empty pool", n, "dilation 1");
    n.attributes.conv.pool = (window){2, 2, 2, 2, 1, 1, 2, 0, 0, 0};
    expect_refused(&b, "pool of padding", n, "smaller than its kernel");
    n.attributes.conv.pool = (window){2, 2, 2, 2, 1, 1, 0, 0, 2, 0};
    expect_refused(&b, "pool of padding below", n, "smaller than its kernel");
    n.attributes.conv.pool = (window){2, 2, 2, 2, 1, 1, 0, 2, 0, 0};
    expect_refused(&b, "pool of padding left", n, "smaller than its kernel");
    n.attributes.conv.pool = (window){2, 2, 2, 2, 1, 1, 0, 0, 0, 2};
    expect_refused(&b, "pool of padding right", n, "smaller than its kernel");
    n = good, n.attributes.conv.window.stride_h = SHAPE_MAX_DIM;
    n.attributes.conv.window.pad_top = SHAPE_MAX_DIM + 1;
    expect_refused(&b, "much padding", n, "does not fit");
    int far_value = 999;
    n = good, n.inputs = &far_value;
    expect_refused(&b, "far input", n, "value 999, which does not exist");
    n = good, n.op = OP_COUNT;
    expect_refused(&b, "no operator", n, "unknown operator");
    activation act = {ACTIVATION_RELU, NAN, 0.0f, INFINITY};
    n = good, n.act = &act, n.act_count = 1;
    expect_refused(&b, "nan slope", n, "slope nan");
    act = (activation){ACTIVATION_RELU, 0.0f, 0.0f, -INFINITY};
    expect_refused(&b, "low limit", n, "limit -inf");
    act.kind = ACTIVATION_COUNT;
    expect_refused(&b, "unknown act", n, "unknown activation 7");
    n = good, n.op = OP_DEPTHWISE;
    n.attributes.depthwise.window = w;
    n.attributes.depthwise.multiplier = 2;
    expect_refused(&b, "depthwise", n, "multiplier is 2, the kernel's 8");
    n.op = OP_DENSE;
    expect_refused(&b, "dense", n, "kernel is 3x3x4x8");
    graph_destroy(b.g);
}

static void test_refused_others(void **state)
{
    (void)state;
    builder b = builder_make(5, 6, 5, 4);
    int in = b.g->input, rows = build_rows(&b, in, 4), many[] = {in, in, rows};
    int vector = build_weight(&b, dims(1, 4, 0, 0, 0), 1.0f);
    int wide = build_weight(&b, dims(1, 5, 0, 0, 0), 1.0f);
    int norm[] = {GRAPH_NONE, wide, vector, vector}, bare[] = {vector, vector, vector, GRAPH_NONE};
    int good_norm[] = {vector, vector, vector, vector};
    const node one = {.input_count = 1, .inputs = &in};
    node n = one;
    n.op = OP_BATCH_NORM, n.weight_count = 4, n.weights = norm;
    expect_refused(&b, "beta", n, "beta is 5, not 4");
    n.weights = bare;
    expect_refused(&b, "variance", n, "has no variance");
    n.weights = good_norm, n.attributes.epsilon = NAN;
    expect_refused(&b, "epsilon", n, "epsilon is nan");
    n = one, n.op = OP_PRELU, n.weight_count = 1, n.weights = &wide;
    expect_refused(&b, "alpha", n, "alpha of 5 does not broadcast to 6x5x4");
    n = one, n.op = OP_AVERAGE_POOL;
    n.attributes.pool = (window){8, 2, 1, 1, 1, 1, 0, 0, 0, 0};
    expect_refused(&b, "tall pool", n, "does not fit");
    n = one, n.op = OP_CROP;
    n.attributes.border.top = n.attributes.border.bottom = 3;
    expect_refused(&b, "crop", n, "nothing is left of 6x5");
    n.attributes.border.top = n.attributes.border.bottom = UINT32_MAX;
    expect_refused(&b, "far crop", n, "nothing is left");
    n.op = OP_ZERO_PAD;
    expect_refused(&b, "pad", n, "pads by more than");
    n.attributes.border.top = n.attributes.border.bottom = 524288;
    expect_refused(&b, "tall pad", n, "too large");
    n = one, n.op = OP_RESIZE;
    expect_refused(&b, "resize to nothing", n, "empty or too large");
    n.attributes.resize.align_corners = n.attributes.resize.half_pixel = true;
    expect_refused(&b, "both corners", n, "exclude each other");
    n.attributes.resize.mode = (resize_mode)9;
    expect_refused(&b, "resize mode", n, "unknown mode 9");
    n = one, n.op = OP_ADD;
    expect_refused(&b, "add one", n, "has 1 inputs");
    n.input_count = 2, n.inputs = many + 1;
    expect_refused(&b, "add rows", n, "6x5x4 and 30x4 do not broadcast");
    n.op = OP_CONCAT;
    expect_refused(&b, "concat rows", n, "input 1 is 30x4, which does not join 6x5x4");
    n.inputs = many, n.attributes.axis = 3;
    expect_refused(&b, "axis", n, "axis 3 of rank 3");
    n.input_count = 0;
    expect_refused(&b, "concat nothing", n, "has 0 inputs");
    n.input_count = -1;
    expect_refused(&b, "concat less", n, "has -1 inputs");
    n = one, n.op = OP_RESHAPE;
    expect_refused(&b, "reshape to nothing", n, "6x5x4 cannot become scalar");
    n.attributes.target = dims(2, 7, 17, 0, 0);
    expect_refused(&b, "reshape", n, "6x5x4 cannot become 7x17");
    n.attributes.target = dims(4, 1, 6, 5, 4);
    expect_refused(&b, "reshape to rank 4", n, "rank 4");
    n = one, n.op = OP_PERMUTE;
    expect_refused(&b, "permute", n, "does not name each");
    n.attributes.permutation[2] = 77;
    expect_refused(&b, "far permute", n, "does not name each");
    activation act = activation_relu;
    n = one, n.op = OP_SOFTMAX, n.act = &act, n.act_count = 1;
    expect_refused(&b, "softmax relu", n, "cannot have the activation relu");
    n.op = OP_GLOBAL_AVERAGE, n.inputs = &rows, n.act = NULL, n.act_count = 0;
    expect_refused(&b, "global", n, "not rank 2");
    n.op = OP_CROP;
    expect_refused(&b, "crop rows", n, "not rank 2");
    n.op = OP_RESIZE;
    expect_refused(&b, "resize rows", n, "not rank 2");
    graph_destroy(b.g);
}

static void test_refused_values(void **state)
{
    (void)state;
    builder b = builder_make(6, 2, 2, 2);
    error err = {0};
    int v = 77;
    float data[1] = {0};
    assert_int_equal(graph_add_value(b.g, "flat", dims(2, 0, 5, 0, 0), &v, &err), STATUS_MODEL);
    assert_non_null(strstr(err.text, "flat"));
    assert_int_equal(graph_add_value(b.g, "deep", dims(4, 1, 1, 1, 1), &v, &err), STATUS_MODEL);
    assert_int_equal(graph_add_value(b.g, NULL, dims(1, 1, 0, 0, 0), &v, &err), STATUS_ARGUMENT);
    assert_int_equal(graph_add_weight(b.g, "w", dims(1, 0, 0, 0, 0), data, &v, &err), STATUS_MODEL);
    assert_int_equal(graph_add_weight(b.g, "w", dims(1, 1, 0, 0, 0), NULL, &v, &err),
                     STATUS_ARGUMENT);
    node n = {.op = OP_ADD};
    assert_int_equal(graph_add_node(b.g, &n, &v, &err), STATUS_ARGUMENT);
    assert_int_equal(v, 77);
    graph_destroy(b.g);
    graph_destroy(NULL);
}

static void test_caps(void **state)
{
    (void)state;
    builder b = builder_make(7, 1, 1, 1);
    error err = {0};
    int v;
    while (b.g->value_count < GRAPH_MAX_VALUES) {
        assert_status_ok(graph_add_value(b.g, "v", dims(1, 1, 0, 0, 0), &v, &err), err);
    }
    assert_int_equal(graph_add_value(b.g, "last", dims(1, 1, 0, 0, 0), &v, &err), STATUS_LIMIT);
    node n = {.op = OP_SOFTMAX, .name = "full", .input_count = 1, .inputs = &b.g->input};
    size_t values = b.g->value_count;
    assert_int_equal(graph_add_node(b.g, &n, &v, &err), STATUS_LIMIT);
    assert_int_equal(b.g->value_count, values);
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_convolutions),
        cmocka_unit_test(test_refused_others),
        cmocka_unit_test(test_refused_values),
        cmocka_unit_test(test_caps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
