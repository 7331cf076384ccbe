/* All passes together: on detectors, twice, without memory, and on graphs that are wrong. */
#include "tests/engine/pass_case.h"

/* A small detector of the shape that the passes were made for. */
static builder detector(void)
{
    builder b = builder_make(77, 20, 20, 3);
    int v = b.g->input, loc[2], cls[2];
    for (int scale = 0; scale < 3; scale++) {
        v = build_conv(&b, v, 8, (conv_options){.kernel = 3});
        v = build_activation(&b, build_batch_norm(&b, v, true, true), ACTIVATION_RELU);
        if (scale > 0) {
            for (int head = 0; head < 2; head++) {
                int h = build_conv(&b, v, 4, (conv_options){.kernel = 3});
                h = build_activation(&b, build_batch_norm(&b, h, true, true), ACTIVATION_RELU);
                h = build_conv(&b, h, head ? 4 : 8, (conv_options){.kernel = 3, .bias = true});
                h = build_rows(&b, h, head ? 2 : 4);
                if (head) {
                    cls[scale - 1] = build_activation(&b, h, ACTIVATION_SIGMOID);
                } else {
                    loc[scale - 1] = h;
                }
            }
        }
        v = build_pool(&b, OP_MAX_POOL, v, 2, true);
    }
    finish(&b, build_concat(&b, loc, 2, 0), build_concat(&b, cls, 2, 0));
    return b;
}

static void test_all(void **state)
{
    (void)state;
    builder b = detector();
    graph *g = rewritten(b.g, passes_run);
    assert_int_equal(count_op(g, OP_CONV2D), g->node_count);
    assert_int_equal(g->node_count, 3 + 2 + 2);
    /* again: nothing is left to do, and views do not stand in the way */
    graph *twice = rewritten(g, passes_run);
    assert_int_equal(twice->node_count, g->node_count);
    assert_int_equal(twice->value_count, g->value_count);
    graph_destroy(twice);
    graph_destroy(g);
    graph_destroy(b.g);
}

/* One scale of a head: layer, batch-norm, relu, layer, rows. */
static int add_head(builder *b, int map, uint32_t filters, uint32_t columns)
{
    int v = build_conv(b, map, 4, (conv_options){.kernel = 3});
    v = build_activation(b, build_batch_norm(b, v, true, true), ACTIVATION_RELU);
    v = build_conv(b, v, filters, (conv_options){.kernel = 3, .bias = true});
    return build_rows(b, v, columns);
}

/* The layers of a five-scale face detector: eight in the backbone, six of them pooled, heads on
 * the unpooled maps, all class heads before all box heads. */
static void test_five_scales(void **state)
{
    (void)state;
    builder b = builder_make(78, 130, 130, 3);
    int v = b.g->input, maps[8], loc[5], cls[5];
    for (int i = 0; i < 8; i++) {
        v = build_conv(&b, v, 4, (conv_options){.kernel = 3, .valid = i == 7});
        v = build_activation(&b, build_batch_norm(&b, v, true, true), ACTIVATION_RELU);
        maps[i] = v;
        v = i < 6 ? build_pool(&b, OP_MAX_POOL, v, 2, true) : v;
    }
    for (int i = 0; i < 5; i++) {
        cls[i] = build_activation(&b, add_head(&b, maps[i + 3], 8, 2), ACTIVATION_SIGMOID);
    }
    for (int i = 0; i < 5; i++) {
        loc[i] = add_head(&b, maps[i + 3], 16, 4);
    }
    int outputs[] = {build_concat(&b, loc, 5, 0), 0};
    outputs[1] = build_concat(&b, cls, 5, 0);
    builder_outputs(&b, 2, outputs);
    error err = {0};
    assert_status_ok(passes_run(b.g, &err), err);
    assert_int_equal(b.g->node_count, 8 + 5 + 5);
    assert_int_equal(count_op(b.g, OP_CONV2D), 8 + 5 + 5);
    size_t pairs = 0, pooled = 0;
    for (size_t i = 0; i < b.g->node_count; i++) {
        pairs += b.g->nodes[i].attributes.conv.branches == 2;
        pooled += b.g->nodes[i].attributes.conv.pooled;
    }
    assert_int_equal(pairs, 10);
    assert_int_equal(pooled, 6);
    graph_destroy(b.g);
}

/* The pass on a copy of g with the N-th allocation failing, for every N. */
static void fail_each_allocation(const graph *original, const graph *g, pass_run run)
{
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        test_allocator t;
        test_allocator_init(&t, 0);
        error err = {0};
        graph *copy = NULL;
        assert_status_ok(graph_clone(g, &t.alloc, &copy, &err), err);
        t.fail_at = t.allocations + n;
        status s = run(copy, &err);
        failed = t.failed;
        assert_int_equal(s, failed ? STATUS_MEMORY : STATUS_OK);
        t.fail_at = 0;
        assert_status_ok(graph_validate(copy, &err), err);
        assert_same_outputs(original, copy, 3);
        graph_destroy(copy);
        assert_int_equal(t.live, 0);
    }
}

static void test_memory_failures(void **state)
{
    (void)state;
    builder b = detector();
    error err = {0};
    fail_each_allocation(b.g, b.g, passes_run);
    graph *g = NULL; /* one after the other, so that each has something to do */
    assert_status_ok(graph_clone(b.g, &allocator_default, &g, &err), err);
    for (size_t p = 0; p < pass_count; p++) {
        fail_each_allocation(b.g, g, passes[p].run);
        assert_status_ok(passes[p].run(g, &err), err);
    }
    graph_destroy(g);
    graph_destroy(b.g);
}

/* An invalid graph is stopped at the first pass, and says which. */
static void test_invalid_graph(void **state)
{
    (void)state;
    builder b = builder_make(1, 4, 4, 4);
    int v = build_conv(&b, b.g->input, 4, (conv_options){0});
    finish(&b, build_batch_norm(&b, v, false, false), GRAPH_NONE);
    float negative[] = {-1.0f, -1.0f, -1.0f, -1.0f};
    b.g->weights[b.g->nodes[1].weights[3]].data = negative;
    error err = {0};
    assert_int_equal(passes_run(b.g, &err), STATUS_MODEL);
    assert_int_equal(err.code, STATUS_MODEL);
    assert_non_null(strstr(err.text, "pass fold-batch-norm: batch_norm 'batch_norm_1'"));
    assert_int_equal(passes_run(b.g, NULL), STATUS_MODEL);
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_five_scales),
        cmocka_unit_test(test_memory_failures),
        cmocka_unit_test(test_invalid_graph),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
