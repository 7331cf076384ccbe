/* The passes that merge, place, drop and order nodes: what they do, where they must leave the graph
 * alone, and that the outputs stay the same to the bit. */
#include "tests/engine/pass_case.h"

/* --- merge siblings --- */

static void test_merge_siblings(void **state)
{
    (void)state;
    builder b =
        builder_make(2, 6, 6, 4); /* two layers that read one map, each followed by a head */
    conv_options same = {.kernel = 3, .bias = true};
    int map = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 1});
    int loc = build_conv(&b, map, 4, same);
    int cls = build_conv(&b, map, 4, (conv_options){.kernel = 3});
    loc = build_conv(&b, loc, 8, same);
    cls = build_conv(&b, cls, 3, (conv_options){.kernel = 3});
    finish(&b, loc, cls);
    graph *g = rewritten(b.g, pass_merge_siblings);
    assert_int_equal(g->node_count, 3);
    assert_int_equal(g->nodes[1].attributes.conv.branches, 2);
    assert_int_equal(g->nodes[2].attributes.conv.branches, 2);
    assert_int_equal(g->nodes[2].inputs[0], g->nodes[1].outputs[0]);
    assert_int_equal(g->nodes[2].inputs[1], g->nodes[1].outputs[2]);
    assert_int_equal(g->nodes[2].weights[3], GRAPH_NONE);
    assert_string_equal(g->nodes[1].name, "conv2d_1+conv2d_2");
    graph_destroy(g);
    graph_destroy(b.g);

    b = builder_make(3, 4, 4, 4); /* more than fit one node */
    int outputs[7];
    for (int i = 0; i < 7; i++) {
        outputs[i] = build_conv(&b, b.g->input, (uint32_t)i + 1, same);
    }
    builder_outputs(&b, 7, outputs);
    g = rewritten(b.g, pass_merge_siblings);
    assert_int_equal(g->node_count, 2);
    assert_int_equal(g->nodes[0].attributes.conv.branches, 4);
    assert_int_equal(g->nodes[1].attributes.conv.branches, 3);
    graph_destroy(g);
    graph_destroy(b.g);
}

/* The later sibling stands after readers of the earlier one: the merged node comes before them. */
static void test_merge_keeps_order(void **state)
{
    (void)state;
    builder b = builder_make(4, 5, 5, 4);
    conv_options same = {.kernel = 3};
    int first = build_conv(&b, b.g->input, 4, same);
    int chain = build_activation(&b, first, ACTIVATION_TANH);
    chain = build_conv(&b, chain, 4, same);
    int second = build_conv(&b, b.g->input, 4, same);
    finish(&b, build_binary(&b, OP_ADD, chain, second), GRAPH_NONE);
    expect_left(&b, pass_merge_siblings, OP_CONV2D, 2, 4);
}

static void test_merge_not(void **state)
{
    (void)state;
    const conv_options plain = {.kernel = 3};
    const conv_options others[] = {{.kernel = 3, .stride = 2},
                                   {.kernel = 3, .valid = true},
                                   {.kernel = 3, .dilation = 2},
                                   {.kernel = 1},
                                   {.kernel = 3, .groups = 2}};
    for (int i = 0; i < 5; i++) {
        builder b = builder_make(10 + (uint64_t)i, 7, 7, 4);
        finish(&b, build_conv(&b, b.g->input, 4, plain), build_conv(&b, b.g->input, 4, others[i]));
        expect_left(&b, pass_merge_siblings, OP_CONV2D, 2, 2);
    }
    builder b = builder_make(20, 6, 6, 4); /* one pools, one does not */
    int v = build_conv(&b, b.g->input, 4, plain);
    finish(&b, build_pool(&b, OP_MAX_POOL, v, 2, true), build_conv(&b, b.g->input, 4, plain));
    error err = {0};
    assert_status_ok(pass_fuse_pool(b.g, &err), err);
    expect_left(&b, pass_merge_siblings, OP_CONV2D, 2, 2);

    b = builder_make(21, 6, 6, 4); /* the map and the pooled map of one node */
    v = build_conv(&b, b.g->input, 4, plain);
    int pooled = build_pool(&b, OP_MAX_POOL, v, 2, true);
    finish(&b, build_conv(&b, v, 4, plain), build_conv(&b, pooled, 4, plain));
    assert_status_ok(pass_fuse_pool(b.g, &err), err);
    expect_left(&b, pass_merge_siblings, OP_CONV2D, 3, 3);

    b = builder_make(22, 6, 6, 4); /* one after the other */
    v = build_conv(&b, b.g->input, 4, plain);
    finish(&b, v, build_conv(&b, v, 4, plain));
    expect_left(&b, pass_merge_siblings, OP_CONV2D, 2, 2);
}

/* --- place heads --- */

static void test_place_heads(void **state)
{
    (void)state;
    builder b = builder_make(1, 6, 5, 4);
    int pieces[3];
    for (int i = 0; i < 3; i++) {
        pieces[i] = build_rows(
            &b, build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3, .bias = true}), 2);
    }
    int out = build_concat(&b, pieces, 3, 0);
    finish(&b, out, GRAPH_NONE);
    graph *g = rewritten(b.g, pass_place_heads);
    assert_int_equal(g->node_count, 3);
    for (int i = 0; i < 3; i++) {
        const value *v = &g->values[g->nodes[i].outputs[0]];
        assert_int_equal(v->base, g->outputs[0]);
        assert_int_equal(v->base_offset, (uint64_t)i * 6 * 5 * 4);
    }
    assert_int_equal(graph_producer(g, g->outputs[0]), 0);
    assert_int_equal(graph_producer(g, g->nodes[2].outputs[0]), 2);
    graph_destroy(g);
    graph_destroy(b.g);
}

/* concat in concat, reshapes on the way, a piece that is itself an output */
static void test_place_nested(void **state)
{
    (void)state;
    builder b = builder_make(2, 4, 4, 4);
    int a = build_conv(&b, b.g->input, 2, (conv_options){.kernel = 3});
    int c = build_conv(&b, b.g->input, 6, (conv_options){.kernel = 3});
    int d = build_activation(&b, b.g->input, ACTIVATION_TANH);
    int inner[] = {build_rows(&b, a, 2), build_rows(&b, build_rows(&b, c, 4), 2)};
    int middle = build_concat(&b, inner, 2, 0);
    int outer[] = {build_rows(&b, d, 8), build_rows(&b, middle, 8)};
    finish(&b, build_concat(&b, outer, 2, 0), inner[1]);
    expect_left(&b, pass_place_heads, OP_CONCAT, 0, 3);
}

static void test_place_not(void **state)
{
    (void)state;
    builder b = builder_make(3, 4, 4, 4); /* twice the same piece; the input */
    int v = build_conv(&b, b.g->input, 4, (conv_options){0}), twice[] = {v, v};
    int input_too[] = {b.g->input, build_conv(&b, b.g->input, 4, (conv_options){0})};
    finish(&b, build_concat(&b, twice, 2, 0), build_concat(&b, input_too, 2, 0));
    expect_left(&b, pass_place_heads, OP_CONCAT, 2, 4);

    b = builder_make(4, 4, 4, 4); /* two places for one piece: the later gets it */
    v = build_conv(&b, b.g->input, 4, (conv_options){0});
    int w = build_conv(&b, b.g->input, 4, (conv_options){0});
    int x = build_conv(&b, b.g->input, 4, (conv_options){0}), first[] = {v, w}, second[] = {x, v};
    finish(&b, build_concat(&b, first, 2, 0), build_concat(&b, second, 2, 0));
    expect_left(&b, pass_place_heads, OP_CONCAT, 1, 4);

    b = builder_make(5, 4, 4, 4); /* channels do not lie one after the other */
    v = build_conv(&b, b.g->input, 4, (conv_options){0});
    w = build_conv(&b, b.g->input, 4, (conv_options){0});
    int pair[] = {v, w};
    finish(&b, build_concat(&b, pair, 2, 2), GRAPH_NONE);
    expect_left(&b, pass_place_heads, OP_CONCAT, 1, 3);

    b = builder_make(6, 1, 1, 4); /* unless there is one pixel */
    pair[0] = build_conv(&b, b.g->input, 4, (conv_options){0});
    pair[1] = build_conv(&b, b.g->input, 3, (conv_options){0});
    finish(&b, build_concat(&b, pair, 2, 2), GRAPH_NONE);
    expect_left(&b, pass_place_heads, OP_CONCAT, 0, 2);

    b = builder_make(7, 2, 2, 4); /* the graph's input and its reshape */
    finish(&b, build_rows(&b, b.g->input, 2), GRAPH_NONE);
    expect_left(&b, pass_place_heads, OP_RESHAPE, 1, 1);
}

/* A map that is computed with lies in padded pixels, so it may share storage only where padding
 * changes nothing. */
static void test_place_layouts(void **state)
{
    (void)state;
    for (uint32_t channels = 3; channels <= 8; channels++) {
        for (uint32_t columns = 1; columns <= 4; columns++) {
            if (channels * 4 % columns != 0) {
                continue;
            }
            builder b = builder_make(30 + channels, 2, 2, 3);
            int v = build_conv(&b, b.g->input, channels, (conv_options){0});
            int rows = build_rows(&b, v, columns);
            finish(&b, build_activation(&b, v, ACTIVATION_TANH), rows);
            expect_left(&b, pass_place_heads, OP_RESHAPE, channels % 4 != 0, channels % 4 ? 3 : 2);
        }
    }
    /* both ends are computed with: both must be multiples of 4 */
    builder b = builder_make(40, 2, 2, 3);
    int v = build_conv(&b, b.g->input, 8, (conv_options){0}), rows = build_rows(&b, v, 4);
    finish(&b, build_activation(&b, v, ACTIVATION_TANH),
           build_activation(&b, rows, ACTIVATION_TANH));
    expect_left(&b, pass_place_heads, OP_RESHAPE, 0, 3);
    b = builder_make(41, 2, 2, 3);
    v = build_conv(&b, b.g->input, 8, (conv_options){0});
    rows = build_rows(&b, v, 2);
    finish(&b, build_activation(&b, v, ACTIVATION_TANH),
           build_activation(&b, rows, ACTIVATION_TANH));
    expect_left(&b, pass_place_heads, OP_RESHAPE, 1, 4);
    /* what is joined is computed with */
    for (uint32_t columns = 2; columns <= 4; columns++) {
        b = builder_make(44, 3, 4, 3);
        int ends[2];
        for (int i = 0; i < 2; i++) {
            v = build_conv(&b, b.g->input, 2 * columns, (conv_options){0});
            ends[i] = build_rows(&b, v, columns);
        }
        rows = build_concat(&b, ends, 2, 0);
        finish(&b, build_activation(&b, rows, ACTIVATION_TANH), GRAPH_NONE);
        expect_left(&b, pass_place_heads, OP_CONCAT, columns != 4, columns == 4 ? 3 : 4);
    }
    /* a piece that is computed with must begin at a multiple of 4 */
    b = builder_make(42, 1, 1, 4);
    int first = build_conv(&b, b.g->input, 6, (conv_options){0});
    int second = build_conv(&b, b.g->input, 8, (conv_options){0});
    int third = build_conv(&b, b.g->input, 2, (conv_options){0});
    int pieces[] = {first, second, third}, ordered[3];
    finish(&b, build_concat(&b, pieces, 3, 2), build_activation(&b, second, ACTIVATION_TANH));
    expect_left(&b, pass_place_heads, OP_CONCAT, 1, 5);
    b = builder_make(43, 1, 1, 4);
    ordered[1] = build_conv(&b, b.g->input, 6, (conv_options){0});
    ordered[0] = build_conv(&b, b.g->input, 8, (conv_options){0});
    ordered[2] = build_conv(&b, b.g->input, 2, (conv_options){0});
    finish(&b, build_concat(&b, ordered, 3, 2), build_activation(&b, ordered[0], ACTIVATION_TANH));
    expect_left(&b, pass_place_heads, OP_CONCAT, 0, 4);
}

/* --- drop identity --- */

static void test_drop_identity(void **state)
{
    (void)state;
    builder b = builder_make(1, 4, 4, 3);
    int v = build_activation(&b, b.g->input, ACTIVATION_TANH);
    v = build_reshape(&b, v, builder_shape(&b, v));
    v = build_permute(&b, v, 0, 1, 2);
    v = build_concat(&b, &v, 1, 1);
    v = build_activation(&b, v, ACTIVATION_LINEAR);
    v = build_pad(&b, v, 0, 0, 0, 0);
    node crop = {.op = OP_CROP, .input_count = 1, .inputs = &v};
    v = build_node(&b, &crop);
    node pool = {.op = OP_AVERAGE_POOL, .input_count = 1, .inputs = &v};
    pool.attributes.pool = (window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    v = build_node(&b, &pool);
    for (int i = 0; i < 6; i++) {
        node resize = {.op = OP_RESIZE, .input_count = 1, .inputs = &v};
        resize.attributes.resize.mode = i % 2 ? RESIZE_BILINEAR : RESIZE_NEAREST;
        resize.attributes.resize.align_corners = i / 2 == 1;
        resize.attributes.resize.half_pixel = i / 2 == 2;
        resize.attributes.resize.height = resize.attributes.resize.width = 4;
        v = build_node(&b, &resize);
    }
    finish(&b, v, build_activation(&b, v, ACTIVATION_RELU));
    expect_left(&b, pass_drop_identity, OP_ACTIVATION, 2, 2);

    b = builder_make(2, 1, 4, 3); /* a permute of ones is a reshape */
    v = build_permute(&b, build_activation(&b, b.g->input, ACTIVATION_TANH), 1, 0, 2);
    finish(&b, v, GRAPH_NONE);
    expect_left(&b, pass_drop_identity, OP_RESHAPE, 1, 2);
}

static void test_drop_identity_not(void **state)
{
    (void)state;
    builder b = builder_make(1, 4, 4, 3); /* the input as an output */
    finish(&b, build_activation(&b, b.g->input, ACTIVATION_LINEAR), GRAPH_NONE);
    expect_left(&b, pass_drop_identity, OP_ACTIVATION, 1, 1);

    b = builder_make(2, 4, 4, 3); /* two outputs with one content: one copy stays */
    int v = build_activation(&b, b.g->input, ACTIVATION_TANH);
    int outputs[] = {build_activation(&b, v, ACTIVATION_LINEAR), v,
                     build_activation(&b, v, ACTIVATION_LINEAR)};
    builder_outputs(&b, 3, outputs);
    expect_left(&b, pass_drop_identity, OP_ACTIVATION, 3, 3);

    b = builder_make(3, 4, 3, 3); /* changes */
    v = build_permute(&b, b.g->input, 1, 0, 2);
    v = build_activation(&b, build_permute(&b, v, 0, 2, 1), ACTIVATION_RELU);
    finish(&b, v, GRAPH_NONE);
    expect_left(&b, pass_drop_identity, OP_PERMUTE, 2, 3);
}

/* --- compact --- */

static void test_compact(void **state)
{
    (void)state;
    builder b = builder_make(1, 5, 5, 4);
    (void)build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3}); /* nobody reads it */
    int v = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3, .bias = true});
    (void)build_activation(&b, build_activation(&b, v, ACTIVATION_TANH), ACTIVATION_TANH);
    int w = build_conv(&b, v, 4, (conv_options){.kernel = 3});
    finish(&b, build_binary(&b, OP_ADD, v, w), w);
    graph *g = rewritten(b.g, pass_compact);
    assert_int_equal(g->node_count, 3);
    assert_int_equal(g->value_count, 4);
    assert_int_equal(g->weight_count, 3);
    graph_destroy(g);

    /* any order is brought back */
    test_random r = test_random_seed(7);
    error err = {0};
    for (int round = 0; round < 20; round++) {
        assert_status_ok(graph_clone(b.g, &allocator_default, &g, &err), err);
        for (size_t i = g->node_count; i > 1; i--) {
            size_t k = test_random_u32(&r) % i;
            node other = g->nodes[k];
            g->nodes[k] = g->nodes[i - 1];
            g->nodes[i - 1] = other;
        }
        assert_status_ok(pass_compact(g, &err), err);
        assert_status_ok(graph_validate(g, &err), err);
        assert_same_outputs(b.g, g, 3);
        graph_destroy(g);
    }
    graph_destroy(b.g);
}

static void test_compact_views(void **state)
{
    (void)state;
    builder b = builder_make(2, 4, 4, 4);
    int pieces[3];
    for (int i = 0; i < 3; i++) {
        pieces[i] = build_conv(&b, b.g->input, 4, (conv_options){.kernel = 3});
    }
    int joined = build_concat(&b, pieces, 3, 0);
    finish(&b, build_activation(&b, joined, ACTIVATION_TANH), GRAPH_NONE);
    error err = {0};
    graph *g;
    assert_status_ok(graph_clone(b.g, &allocator_default, &g, &err), err);
    assert_status_ok(pass_place_heads(g, &err), err);
    assert_int_equal(g->node_count, 4);
    node last = g->nodes[3]; /* the reader of the base, first */
    g->nodes[3] = g->nodes[0];
    g->nodes[0] = last;
    assert_status_ok(pass_compact(g, &err), err);
    assert_status_ok(graph_validate(g, &err), err);
    assert_same_outputs(b.g, g, 3);
    graph_destroy(g);
    graph_destroy(b.g);
}

static void test_compact_cycle(void **state)
{
    (void)state;
    builder b = builder_make(3, 4, 4, 4);
    int first = build_activation(&b, b.g->input, ACTIVATION_TANH);
    int second = build_activation(&b, first, ACTIVATION_TANH);
    finish(&b, second, GRAPH_NONE);
    b.g->nodes[0].inputs[0] = second;
    error err = {0};
    assert_int_equal(pass_compact(b.g, &err), STATUS_MODEL);
    assert_non_null(strstr(err.text, "depends on its own result"));
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge_siblings),    cmocka_unit_test(test_merge_keeps_order),
        cmocka_unit_test(test_merge_not),         cmocka_unit_test(test_place_heads),
        cmocka_unit_test(test_place_nested),      cmocka_unit_test(test_place_not),
        cmocka_unit_test(test_place_layouts),     cmocka_unit_test(test_drop_identity),
        cmocka_unit_test(test_drop_identity_not), cmocka_unit_test(test_compact),
        cmocka_unit_test(test_compact_views),     cmocka_unit_test(test_compact_cycle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
