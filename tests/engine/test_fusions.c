/* The passes that take one node into another: what they do, where they must leave the graph alone,
 * and that the outputs stay the same to the bit (all numbers are dyadic, see graph_builder.h). */
#include "tests/engine/pass_case.h"

#include "engine/reference.h"

/* --- fold batch-norm --- */

static void test_fold_batch_norm(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) { /* every layer, with and without bias, gamma, beta */
        builder b = builder_make(100 + (uint64_t)i, 7, 9, 6);
        bool bias = i & 1, gamma = i & 2, beta = i & 4;
        int v = b.g->input;
        v = i / 8 == 0
                ? build_conv(&b, v, 10, (conv_options){.kernel = 3, .groups = 2, .bias = bias})
            : i / 8 == 1 ? build_depthwise(&b, v, 3, 2)
                         : build_dense(&b, v, 5, bias);
        v = build_batch_norm(&b, v, gamma, beta);
        finish(&b, v, GRAPH_NONE);
        expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 0, 1);
    }
}

static void test_fold_batch_norm_not(void **state)
{
    (void)state;
    builder b = builder_make(1, 5, 5, 4); /* someone else reads the convolution */
    int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    finish(&b, build_batch_norm(&b, v, true, true), build_activation(&b, v, ACTIVATION_RELU));
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 1, 3);

    b = builder_make(2, 5, 5, 4); /* the world reads the convolution */
    v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    finish(&b, build_batch_norm(&b, v, true, true), v);
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 1, 2);

    b = builder_make(3, 5, 5, 4); /* no layer before it, and none that is linear */
    v = build_conv(&b, build_batch_norm(&b, b.g->input, true, true), 4, (conv_options){0});
    b.g->nodes[1].act[0] = activation_relu;
    finish(&b, build_batch_norm(&b, v, true, true), GRAPH_NONE);
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 2, 3);

    b = builder_make(5, 5, 5, 4); /* its pooled map is read as well */
    v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    int pooled = build_pool(&b, OP_MAX_POOL, v, 2, true);
    finish(&b, build_batch_norm(&b, v, true, true), pooled);
    error err = {0};
    assert_status_ok(pass_fuse_pool(b.g, &err), err);
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 1, 2);

    b = builder_make(4, 5, 5, 4); /* one after the other: both */
    v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    v = build_batch_norm(&b, build_batch_norm(&b, v, true, true), false, true);
    finish(&b, v, GRAPH_NONE);
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 0, 1);
}

/* Two layers share one kernel, each with a batch-norm of its own. */
static void test_fold_shared_kernel(void **state)
{
    (void)state;
    builder b = builder_make(5, 6, 6, 4);
    int first = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    int second = build_conv(&b, first, 4, (conv_options){.kernel = 3});
    b.g->nodes[1].weights[0] = b.g->nodes[0].weights[0];
    int relu = build_activation(&b, build_batch_norm(&b, second, true, true), ACTIVATION_RELU);
    finish(&b, relu,
           build_batch_norm(&b, build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3}), true,
                            true));
    b.g->nodes[4].weights[0] = b.g->nodes[0].weights[0];
    expect_left(&b, pass_fold_batch_norm, OP_BATCH_NORM, 0, 4);
}

static void test_fold_bad_variance(void **state)
{
    (void)state;
    const float bad[] = {-0.25f, -5.0f, NAN};
    for (int i = 0; i < 3; i++) {
        builder b = builder_make(6, 3, 3, 2);
        int v = build_conv(&b, b.g->input, 4, (conv_options){0});
        finish(&b, build_batch_norm(&b, v, true, true), GRAPH_NONE);
        float variance[] = {1.0f, 1.0f, bad[i], 1.0f};
        b.g->weights[b.g->nodes[1].weights[3]].data = variance;
        error err = {0};
        assert_int_equal(pass_fold_batch_norm(b.g, &err), STATUS_MODEL);
        assert_non_null(strstr(err.text, "batch_norm_1"));
        assert_non_null(strstr(err.text, "channel 2"));
        assert_status_ok(graph_validate(b.g, &err), err);
        graph_destroy(b.g);
    }
}

/* Ordinary numbers. Folding moves roundings around: the original rounds the sum, then the result;
 * the folded one rounds every weight, the bias and the result. With S = sum |w x| + |b|, scale s,
 * the two differ by at most u (2 |s| S + |s| |mean| + |beta| + 2 |y|) to first order. */
static void test_fold_rounding(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        enum { IN = 37, OUT = 11 };
        test_random r = test_random_seed(seed);
        float kernel[IN * OUT], x[IN], vectors[5][OUT];
        uint32_t in_dim[] = {1, 1, IN}, kernel_dim[] = {IN, OUT}, out_dim = OUT;
        error err = {0};
        graph *g = NULL;
        int weights[6], node_index;
        for (int i = 0; i < IN * OUT; i++) {
            kernel[i] = test_random_float(&r, -1.0f, 1.0f);
        }
        for (int i = 0; i < IN; i++) {
            x[i] = test_random_float(&r, -3.0f, 3.0f);
        }
        assert_status_ok(graph_create(&allocator_default, &g, &err), err);
        assert_status_ok(graph_add_value(g, "x", shape_make(3, in_dim), &g->input, &err), err);
        assert_status_ok(
            graph_add_weight(g, "k", shape_make(2, kernel_dim), kernel, &weights[0], &err), err);
        for (int k = 0; k < 5; k++) { /* bias, gamma, beta, mean, variance */
            for (int c = 0; c < OUT; c++) {
                vectors[k][c] = test_random_float(&r, k == 4 ? 0.001f : -2.0f, 2.0f);
            }
            assert_status_ok(graph_add_weight(g, "v", shape_make(1, &out_dim), vectors[k],
                                              &weights[k + 1], &err),
                             err);
        }
        node n = {.op = OP_DENSE,
                  .name = "dense",
                  .input_count = 1,
                  .inputs = &g->input,
                  .weight_count = 2,
                  .weights = weights};
        assert_status_ok(graph_add_node(g, &n, &node_index, &err), err);
        node bn = {.op = OP_BATCH_NORM,
                   .name = "bn",
                   .input_count = 1,
                   .inputs = g->nodes[0].outputs,
                   .weight_count = 4,
                   .weights = weights + 2,
                   .attributes.epsilon = 1e-3f};
        assert_status_ok(graph_add_node(g, &bn, &node_index, &err), err);
        assert_status_ok(graph_set_outputs(g, g->nodes[1].outputs, 1, &err), err);

        float got[2][OUT];
        for (int folded = 0; folded < 2; folded++) {
            reference_values values;
            if (folded) {
                assert_status_ok(pass_fold_batch_norm(g, &err), err);
                assert_int_equal(g->node_count, 1);
            }
            assert_status_ok(reference_values_create(g, &allocator_default, &values, &err), err);
            memcpy(values.data[g->input], x, sizeof x);
            assert_status_ok(reference_run(g, &values, &err), err);
            memcpy(got[folded], values.data[g->outputs[0]], sizeof got[0]);
            reference_values_destroy(&values);
        }
        for (int c = 0; c < OUT; c++) {
            double sum = fabs((double)vectors[0][c]), u = 1.0 / 16777216.0;
            for (int i = 0; i < IN; i++) {
                sum += fabs((double)kernel[i * OUT + c] * (double)x[i]);
            }
            double s = fabs((double)vectors[1][c]) / sqrt((double)vectors[4][c] + 1e-3);
            double bound = 1.01 * u *
                           (2.0 * s * sum + s * fabs((double)vectors[3][c]) +
                            fabs((double)vectors[2][c]) + 2.0 * fabs((double)got[0][c]));
            double difference = fabs((double)got[0][c] - (double)got[1][c]);
            if (!(difference <= bound)) {
                fail_msg("seed %llu, unit %d: off by %g, bound %g", (unsigned long long)seed, c,
                         difference, bound);
            }
        }
        graph_destroy(g);
    }
}

/* --- fuse activation --- */

static void test_fuse_activation(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        builder b = builder_make(200 + (uint64_t)kind, 6, 7, 4);
        int v = b.g->input;
        v = kind == 0   ? build_conv(&b, v, 4, (conv_options){.kernel = 3, .bias = true})
            : kind == 1 ? build_depthwise(&b, v, 3, 1)
            : kind == 2 ? build_dense(&b, v, 4, true)
            : kind == 3 ? build_binary(&b, OP_ADD, v, v)
            : kind == 4 ? build_binary(&b, OP_MULTIPLY, v, v)
                        : build_batch_norm(&b, v, true, true);
        finish(&b, build_activation(&b, v, ACTIVATION_RELU), GRAPH_NONE);
        expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 0, 1);
    }
    for (int kind = ACTIVATION_SIGMOID; kind < ACTIVATION_COUNT; kind++) { /* across moves */
        builder b = builder_make(210 + (uint64_t)kind, 6, 4, 3);
        int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3, .bias = true});
        v = build_rows(&b, build_permute(&b, v, 1, 0, 2), 2);
        finish(&b, build_activation(&b, v, (activation_kind)kind), GRAPH_NONE);
        expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 0, 3);
    }
    builder b = builder_make(220, 6, 4, 3); /* into the parts of a concat */
    int parts[] = {build_rows(&b, build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3}), 2),
                   build_rows(&b, build_depthwise(&b, b.g->input, 3, 2), 2),
                   build_rows(&b, build_dense(&b, b.g->input, 5, true), 2)};
    int joined = build_rows(&b, build_concat(&b, parts, 3, 0), 4);
    finish(&b, build_activation(&b, joined, ACTIVATION_SIGMOID), GRAPH_NONE);
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 0, 8);
}

static void test_fuse_activation_not(void **state)
{
    (void)state;
    builder b = builder_make(1, 6, 6, 3); /* a second activation */
    int v = build_conv(&b, b.g->input, 4, (conv_options){0});
    v = build_activation(&b, build_activation(&b, v, ACTIVATION_RELU), ACTIVATION_SIGMOID);
    finish(&b, v, GRAPH_NONE);
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 1, 2);

    b = builder_make(2, 6, 6, 3); /* another reader, behind the reshape */
    v = build_rows(&b, build_conv(&b, b.g->input, 4, (conv_options){0}), 4);
    finish(&b, build_activation(&b, v, ACTIVATION_TANH), build_activation(&b, v, ACTIVATION_ELU));
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 2, 4);

    b = builder_make(3, 6, 6, 3); /* the world reads what is before the reshape */
    v = build_conv(&b, b.g->input, 4, (conv_options){0});
    finish(&b, build_activation(&b, build_rows(&b, v, 2), ACTIVATION_TANH), v);
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 1, 3);

    b = builder_make(4, 6, 6, 3); /* nothing that could take it */
    v = build_pool(&b, OP_MAX_POOL, b.g->input, 2, true);
    finish(&b, build_activation(&b, v, ACTIVATION_TANH), GRAPH_NONE);
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 1, 2);

    b = builder_make(5, 6, 6, 4); /* a part of a concat that cannot: then none does */
    int parts[] = {build_conv(&b, b.g->input, 4, (conv_options){0}),
                   build_permute(&b, b.g->input, 0, 1, 2)};
    finish(&b, build_activation(&b, build_concat(&b, parts, 2, 0), ACTIVATION_TANH), GRAPH_NONE);
    expect_left(&b, pass_fuse_activation, OP_ACTIVATION, 1, 4);
}

/* --- fuse zero-padding --- */

static void test_fuse_zero_pad(void **state)
{
    (void)state;
    builder b = builder_make(1, 6, 5, 3);
    int v = build_pad(&b, b.g->input, 1, 0, 2, 3);
    finish(&b, build_conv(&b, v, 4, (conv_options){.kernel = 3, .stride = 2, .valid = true}),
           build_depthwise(&b, v, 3, 2));
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 0, 2);

    b = builder_make(2, 6, 5, 3); /* a pool reads it too */
    v = build_pad(&b, b.g->input, 1, 1, 1, 1);
    finish(&b, build_conv(&b, v, 4, (conv_options){.kernel = 3, .valid = true}),
           build_pool(&b, OP_MAX_POOL, v, 2, false));
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 1, 3);

    b = builder_make(3, 6, 5, 3); /* the world does */
    v = build_pad(&b, b.g->input, 1, 1, 1, 1);
    finish(&b, build_conv(&b, v, 4, (conv_options){.kernel = 3, .valid = true}), v);
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 1, 2);

    b = builder_make(5, 4, 4, 3); /* only one branch reads it */
    v = build_pad(&b, b.g->input, 1, 1, 1, 1);
    int other = build_pad(&b, b.g->input, 2, 2, 0, 0);
    int pair = build_conv(&b, v, 4, (conv_options){.kernel = 3, .valid = true});
    node *n = &b.g->nodes[b.g->node_count - 1], two = *n;
    int inputs[] = {v, other}, weights[] = {n->weights[0], GRAPH_NONE, n->weights[0], GRAPH_NONE};
    two.inputs = inputs;
    two.weights = weights;
    two.input_count = two.attributes.conv.branches = 2;
    two.weight_count = 4;
    two.outputs = NULL;
    two.act = NULL;
    two.act_count = 0;
    (void)build_node(&b, &two);
    finish(&b, pair, b.g->nodes[b.g->node_count - 1].outputs[2]);
    b.g->nodes[b.g->node_count - 2].inputs[0] = other; /* so that v has one reader */
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 2, 4);

    b = builder_make(6, 2, 2, 4); /* part of something larger */
    v = build_pad(&b, b.g->input, 1, 1, 1, 1);
    int pieces[] = {v, build_pad(&b, b.g->input, 2, 2, 0, 0)};
    int joined = build_concat(&b, pieces, 2, 0);
    finish(&b, joined, build_conv(&b, v, 4, (conv_options){.kernel = 3}));
    error err = {0};
    assert_status_ok(pass_place_heads(b.g, &err), err);
    assert_int_equal(b.g->node_count, 3);
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 2, 3);

    b = builder_make(4, 3, 2, 3); /* padding of padding: the nearer one */
    v = build_pad(&b, build_pad(&b, b.g->input, 1, 0, 0, 2), 0, 1, 3, 0);
    finish(&b, build_conv(&b, v, 4, (conv_options){.kernel = 3}), GRAPH_NONE);
    expect_left(&b, pass_fuse_zero_pad, OP_ZERO_PAD, 1, 2);
}

/* --- fuse pool --- */

static void test_fuse_pool(void **state)
{
    (void)state;
    for (uint32_t side = 1; side <= 6; side++) {
        for (int head = 0; head < 2; head++) {
            builder b = builder_make(side, side, side + 1, 3);
            int v = build_conv(&b, b.g->input, 5, (conv_options){.kernel = 3, .bias = true});
            b.g->nodes[0].act[0] = activation_relu;
            int pooled = build_pool(&b, OP_MAX_POOL, v, 2, true);
            finish(&b, pooled, head ? build_activation(&b, v, ACTIVATION_TANH) : GRAPH_NONE);
            graph *g = rewritten(b.g, pass_fuse_pool);
            assert_int_equal(count_op(g, OP_MAX_POOL), 0);
            assert_int_equal(g->nodes[0].outputs[0] == GRAPH_NONE, !head);
            assert_true(g->nodes[0].attributes.conv.pooled);
            graph_destroy(g);
            graph_destroy(b.g);
        }
    }
}

static void test_fuse_pool_not(void **state)
{
    (void)state;
    builder b = builder_make(1, 8, 8, 3); /* 3x3; average; behind something else; a second pool */
    int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    finish(&b, build_pool(&b, OP_MAX_POOL, v, 3, true),
           build_pool(&b, OP_AVERAGE_POOL, v, 2, true));
    expect_left(&b, pass_fuse_pool, OP_CONV2D, 1, 3);

    b = builder_make(2, 8, 8, 3);
    v = build_activation(&b, build_conv(&b, b.g->input, 4, (conv_options){0}), ACTIVATION_TANH);
    finish(&b, build_pool(&b, OP_MAX_POOL, v, 2, true), GRAPH_NONE);
    expect_left(&b, pass_fuse_pool, OP_MAX_POOL, 1, 3);

    b = builder_make(4, 7, 7, 3); /* begins outside the corner */
    v = build_conv(&b, b.g->input, 4, (conv_options){0});
    node pool = {.op = OP_MAX_POOL, .input_count = 1, .inputs = &v};
    pool.attributes.pool = (window){2, 2, 2, 2, 1, 1, 1, 0, 0, 1};
    finish(&b, build_node(&b, &pool), GRAPH_NONE);
    expect_left(&b, pass_fuse_pool, OP_MAX_POOL, 1, 2);

    b = builder_make(3, 7, 7, 3);
    v = build_conv(&b, b.g->input, 4, (conv_options){0});
    finish(&b, build_pool(&b, OP_MAX_POOL, v, 2, true), build_pool(&b, OP_MAX_POOL, v, 2, false));
    expect_left(&b, pass_fuse_pool, OP_MAX_POOL, 1, 2);

    b = builder_make(5, 8, 8, 3); /* behind a sum that the convolution took in */
    v = build_conv(&b, b.g->input, 3, (conv_options){0});
    v = build_binary(&b, OP_ADD, v, b.g->input);
    finish(&b, build_pool(&b, OP_MAX_POOL, v, 2, true), GRAPH_NONE);
    error err = {0};
    assert_status_ok(pass_fuse_add(b.g, &err), err);
    expect_left(&b, pass_fuse_pool, OP_MAX_POOL, 1, 2);
}

/* --- fuse add --- */

static int build_resize(builder *b, int in, uint32_t height, uint32_t width, bool half_pixel)
{
    node n = {.op = OP_RESIZE, .input_count = 1, .inputs = &in};
    n.attributes.resize.height = height;
    n.attributes.resize.width = width;
    n.attributes.resize.half_pixel = half_pixel;
    n.attributes.resize.mode = RESIZE_NEAREST;
    return build_node(b, &n);
}

static void test_fuse_add(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) { /* either operand, with and without an activation behind */
        builder b = builder_make(20 + (uint64_t)i, 6, 5, 4);
        int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3, .bias = i & 4});
        v = i & 1 ? build_binary(&b, OP_ADD, v, b.g->input)
                  : build_binary(&b, OP_ADD, b.g->input, v);
        if (i & 2) {
            b.g->nodes[b.g->node_count - 1].act[0] = activation_relu;
        }
        finish(&b, v, GRAPH_NONE);
        graph *g = rewritten(b.g, pass_fuse_add);
        assert_int_equal(g->node_count, 1);
        assert_int_equal(g->nodes[0].attributes.conv.repeat, 1);
        assert_int_equal(g->nodes[0].act[0].kind, i & 2 ? ACTIVATION_RELU : ACTIVATION_LINEAR);
        graph_destroy(g);
        graph_destroy(b.g);
    }
    /* both operands are convolutions: the one behind the longer path, wherever it stands */
    for (int order = 0; order < 2; order++) {
        builder b = builder_make(30 + (uint64_t)order, 6, 5, 4);
        int shortcut = GRAPH_NONE;
        if (order == 0) {
            shortcut = build_conv(&b, b.g->input, 8, (conv_options){0});
        }
        int v = build_conv(&b, b.g->input, 3, (conv_options){.kernel = 3});
        v = build_conv(&b, v, 8, (conv_options){.kernel = 3});
        if (order == 1) {
            shortcut = build_conv(&b, b.g->input, 8, (conv_options){0});
        }
        finish(&b, build_binary(&b, OP_ADD, order ? v : shortcut, order ? shortcut : v),
               GRAPH_NONE);
        graph *g = rewritten(b.g, pass_fuse_add);
        assert_int_equal(g->node_count, 3);
        assert_int_equal(g->nodes[2].attributes.conv.repeat, 1);
        assert_int_equal(g->nodes[2].attributes.conv.window.kernel_h, 3);
        graph_destroy(g);
        graph_destroy(b.g);
    }
    for (uint32_t factor = 1; factor <= 4; factor++) { /* across a resize */
        builder b = builder_make(40 + factor, 12, 24, 4);
        int small = build_conv(&b, b.g->input, 4,
                               (conv_options){.kernel = factor, .stride = factor, .valid = true});
        int v = build_conv(&b, small, 5, (conv_options){.kernel = 3});
        v = build_resize(&b, v, 12, 24, factor % 2);
        int wide = build_depthwise(&b, build_conv(&b, b.g->input, 5, (conv_options){0}), 3, 1);
        finish(&b, build_binary(&b, OP_ADD, wide, v), GRAPH_NONE);
        graph *g = rewritten(b.g, pass_fuse_add);
        assert_int_equal(g->node_count, 4);
        assert_int_equal(count_op(g, OP_RESIZE), 0);
        assert_int_equal(g->nodes[3].attributes.conv.repeat, factor);
        graph_destroy(g);
        graph_destroy(b.g);
    }
}

static void test_fuse_add_not(void **state)
{
    (void)state;
    builder b = builder_make(1, 5, 5, 4); /* someone else reads the convolution */
    int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    finish(&b, build_binary(&b, OP_ADD, v, b.g->input), build_activation(&b, v, ACTIVATION_RELU));
    expect_left(&b, pass_fuse_add, OP_ADD, 1, 3);

    b = builder_make(2, 5, 5, 4); /* twice the same; a difference in shape */
    v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    int column = build_conv(&b, b.g->input, 1, (conv_options){0});
    finish(&b, build_binary(&b, OP_ADD, v, v), build_binary(&b, OP_ADD, column, b.g->input));
    expect_left(&b, pass_fuse_add, OP_ADD, 2, 4);

    b = builder_make(3, 5, 5, 4); /* activated before; no convolution */
    v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    b.g->nodes[0].act[0] = activation_relu;
    finish(&b, build_binary(&b, OP_ADD, v, b.g->input),
           build_binary(&b, OP_ADD, build_depthwise(&b, b.g->input, 3, 1), b.g->input));
    expect_left(&b, pass_fuse_add, OP_ADD, 2, 4);

    b = builder_make(4, 5, 5, 6); /* groups of three channels; pooled; already a sum */
    v = build_conv(&b, b.g->input, 6, (conv_options){.kernel = 3, .groups = 2});
    int second = build_conv(&b, b.g->input, 6, (conv_options){.kernel = 3});
    second = build_binary(&b, OP_ADD, second, b.g->input);
    finish(&b, build_binary(&b, OP_ADD, v, b.g->input),
           build_binary(&b, OP_ADD, second, b.g->input));
    expect_left(&b, pass_fuse_add, OP_ADD, 2, 4);

    b = builder_make(5, 4, 6, 4); /* a resize that is not by one whole factor, or by a large one */
    int small = build_pool(&b, OP_MAX_POOL, b.g->input, 2, false);
    v = build_resize(&b, build_conv(&b, small, 4, (conv_options){0}), 4, 6, false);
    int odd = build_resize(&b, build_conv(&b, small, 4, (conv_options){0}), 5, 6, false);
    int large = build_resize(&b, build_conv(&b, small, 4, (conv_options){0}), 10, 15, false);
    int to_odd = build_resize(&b, b.g->input, 5, 6, false);
    int to_large = build_resize(&b, b.g->input, 10, 15, false);
    v = build_binary(&b, OP_ADD, v, b.g->input);
    v = build_resize(&b, v, 5, 6, false);
    finish(&b, build_binary(&b, OP_ADD, build_binary(&b, OP_ADD, odd, to_odd), v),
           build_binary(&b, OP_ADD, large, to_large));
    expect_left(&b, pass_fuse_add, OP_ADD, 3, 12);
}

/* What the other passes do to a convolution that has taken in a sum: nothing. */
static void test_passes_leave_sums(void **state)
{
    (void)state;
    builder b = builder_make(6, 6, 6, 4);
    int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    v = build_binary(&b, OP_ADD, v, b.g->input);
    int other = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    finish(&b, build_batch_norm(&b, v, true, true), other);
    error err = {0};
    assert_status_ok(pass_fuse_add(b.g, &err), err);
    assert_int_equal(b.g->node_count, 3);
    graph *g = rewritten(b.g, pass_fold_batch_norm);
    assert_int_equal(g->node_count, 3);
    graph_destroy(g);
    g = rewritten(b.g, pass_merge_siblings);
    assert_int_equal(g->node_count, 3);
    graph_destroy(g);
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold_batch_norm),
        cmocka_unit_test(test_fold_batch_norm_not),
        cmocka_unit_test(test_fold_shared_kernel),
        cmocka_unit_test(test_fold_bad_variance),
        cmocka_unit_test(test_fold_rounding),
        cmocka_unit_test(test_fuse_activation),
        cmocka_unit_test(test_fuse_activation_not),
        cmocka_unit_test(test_fuse_zero_pad),
        cmocka_unit_test(test_fuse_pool),
        cmocka_unit_test(test_fuse_pool_not),
        cmocka_unit_test(test_fuse_add),
        cmocka_unit_test(test_fuse_add_not),
        cmocka_unit_test(test_passes_leave_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
