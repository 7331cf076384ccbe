/* The gate for graphs from outside: every kind of damage has its message, and random damage never
 * does harm. */
#include "tests/engine/graph_builder.h"

#include "engine/passes.h"

/* conv, batch-norm, relu, pool, two heads, concat: something of everything */
static builder sample(void)
{
    builder b = builder_make(1, 12, 12, 3);
    int v = build_conv(&b, b.g->input, 8, (conv_options){.kernel = 3, .bias = true});
    v = build_batch_norm(&b, v, true, true);
    int map = build_activation(&b, v, ACTIVATION_RELU);
    int small = build_pool(&b, OP_MAX_POOL, map, 2, true);
    int heads[] = {
        build_rows(&b, build_conv(&b, map, 4, (conv_options){.kernel = 3, .bias = true}), 2),
        build_rows(&b, build_conv(&b, small, 8, (conv_options){.kernel = 3}), 2)};
    int joined = build_concat(&b, heads, 2, 0);
    int outputs[] = {joined, build_binary(&b, OP_ADD, small, small)};
    builder_outputs(&b, 2, outputs);
    return b;
}

/* the same after the passes: branches, pooled maps, views */
static builder rewritten_sample(void)
{
    builder b = sample();
    error err = {0};
    assert_status_ok(passes_run(b.g, &err), err);
    return b;
}

static void expect_invalid(const graph *g, const char *message)
{
    error err = {0};
    status s = graph_validate(g, &err);
    if (s != STATUS_MODEL || !strstr(err.text, message)) {
        fail_msg("%s \"%s\", expected \"%s\"", status_name(s), err.text, message);
    }
    assert_int_equal(graph_validate(g, NULL), STATUS_MODEL);
}

static void test_damaged_tables(void **state)
{
    (void)state;
    builder b = sample();
    const graph good = *b.g;
    graph g;
#define EXPECT(change, message)                                                                    \
    do {                                                                                           \
        g = good;                                                                                  \
        change;                                                                                    \
        expect_invalid(&g, message);                                                               \
    } while (0)
    EXPECT(g.memory = NULL, "no memory");
    EXPECT(g.values = NULL, "lacks");
    EXPECT(g.weights = NULL, "lacks");
    EXPECT(g.nodes = NULL, "lacks");
    EXPECT(g.outputs = NULL, "lacks");
    EXPECT(g.output_count = 0, "0 outputs");
    EXPECT(g.value_count = 0, "0 values");
    EXPECT(g.value_count = SIZE_MAX, "values");
    EXPECT(g.node_count = SIZE_MAX / 2, "nodes");
    EXPECT(g.weight_count = (size_t)1 << 40, "weights");
    EXPECT(g.output_count = (size_t)1 << 40, "outputs");
    EXPECT(g.input = GRAPH_NONE, "input -1");
    EXPECT(g.input = 4000, "input 4000");
    EXPECT(g.input = g.outputs[0], "not a map");
    EXPECT(g.node_count = 2, "is never made");
    EXPECT(g.weight_count = 1, "which does not exist");
    EXPECT(g.value_count = 3, "which does not exist");
#undef EXPECT
    graph_destroy(b.g);
}

static void test_damaged_members(void **state)
{
    (void)state;
    builder b = sample();
    graph *g = b.g;
    node *first = &g->nodes[0], *second = &g->nodes[1];
    int index;
    const char *name;
    error err = {0};
#define WITH(type, place, bad, message)                                                            \
    do {                                                                                           \
        type old = (place);                                                                        \
        (place) = (bad);                                                                           \
        expect_invalid(g, message);                                                                \
        (place) = old;                                                                             \
        assert_status_ok(graph_validate(g, &err), err);                                            \
    } while (0)
    WITH(const char *, g->values[2].name, NULL, "value 2 has no name");
    WITH(const char *, g->weights[1].name, NULL, "weight 1 has no name");
    WITH(const char *, g->nodes[1].name, NULL, "node 1 has no name");
    WITH(uint32_t, g->values[3].shape.rank, 4, "value 3");
    WITH(uint32_t, g->values[3].shape.rank, UINT32_MAX, "value 3");
    WITH(uint32_t, g->values[3].shape.dim[0], 0, "value 3");
    WITH(uint32_t, g->values[3].shape.dim[1], 13, "but the node makes");
    WITH(uint32_t, g->weights[0].shape.dim[2], 0xffffffffu, "weight 0");
    WITH(const float *, g->weights[0].data, NULL, "weight 0");
    name = (const char *)g->weights[0].data;
    WITH(const float *, g->weights[0].data, (const float *)(const void *)(name + 1), "not aligned");
    WITH(op, first->op, (op)1000, "unknown operator 1000");
    WITH(op, first->op, OP_ADD, "node 0: add 'conv2d_0'");
    WITH(int, first->input_count, INT32_MAX, "node 0: conv2d 'conv2d_0'");
    WITH(int, first->output_count, 1, "1 outputs");
    WITH(int, first->weight_count, -1, "-1 weights");
    WITH(int, first->act_count, 0, "0 activations");
    WITH(int *, first->inputs, NULL, "an array is missing");
    WITH(int *, first->outputs, NULL, "an array is missing");
    WITH(int *, first->weights, NULL, "an array is missing");
    WITH(activation *, first->act, NULL, "an array is missing");
    WITH(int, first->inputs[0], -7, "value -7, which does not exist");
    WITH(int, first->inputs[0], first->outputs[0], "conv2d");
    WITH(int, first->outputs[0], 70000, "output 0 is value 70000");
    WITH(int, first->outputs[0], -3, "output 0 is value -3");
    WITH(int, second->outputs[0], GRAPH_NONE, "output 0 is value -1");
    WITH(int, second->outputs[0], first->outputs[0], "written to the same elements");
    WITH(int, second->inputs[0], g->nodes[2].outputs[0], "before it is made");
    WITH(int, second->inputs[0], second->outputs[0], "before it is made");
    WITH(float, second->attributes.epsilon, NAN, "epsilon");
    WITH(float, second->attributes.epsilon, -1.0f, "epsilon");
    WITH(int, g->outputs[1], -1, "output 1 is value -1");
    WITH(uint32_t, first->attributes.conv.window.stride_w, 0, "does not fit");
    WITH(uint32_t, first->attributes.conv.window.dilation_w, UINT32_MAX, "does not fit");
    assert_status_ok(graph_add_value(g, "orphan", g->values[g->input].shape, &index, &err), err);
    WITH(int, first->inputs[0], index, "before it is made (or it never is)");
    WITH(int, g->outputs[0], index, "never made");
    graph_destroy(g);
}

static void test_damaged_views(void **state)
{
    (void)state;
    builder b = rewritten_sample();
    graph *g = b.g;
    error err = {0};
    int view = 0;
    while (g->values[view].base == GRAPH_NONE || g->values[view].base_offset == 0) {
        view++;
    }
    int base = g->values[view].base;
    assert_int_equal(graph_storage(g, view), base);
    assert_int_equal(graph_storage(g, base), base);
    assert_true(graph_producer(g, base) >= 0);
    WITH(int, g->values[view].base, -9, "base -9 does not exist");
    WITH(int, g->values[view].base, 9999, "base 9999 does not exist");
    WITH(int, g->values[view].base, view, "is a view itself");
    WITH(int, g->values[base].base, g->input, "is a view itself");
    WITH(int, g->values[view].base, GRAPH_NONE, "an offset, but no base");
    WITH(uint64_t, g->values[view].base_offset, UINT64_MAX, "outside its base");
    WITH(uint64_t, g->values[view].base_offset, g->values[view].base_offset + 1,
         "outside its base");
    WITH(uint64_t, g->values[view].base_offset, g->values[view].base_offset - 1,
         "written to the same elements");
    WITH(int, g->values[g->input].base, base, "");
    graph_destroy(g);
}

/* A value that is put together from pieces can be read once all of them are there, and by an
 * operator that computes only in a layout that it understands. */
static void test_reading_shared_storage(void **state)
{
    (void)state;
    builder b = builder_make(2, 4, 4, 4);
    error err = {0};
    graph *g = b.g;
    int a = build_conv(&b, g->input, 4, (conv_options){0});
    int c = build_conv(&b, g->input, 4, (conv_options){0});
    int base, reader;
    uint32_t dim[] = {8, 4, 4};
    assert_status_ok(graph_add_value(g, "base", shape_make(3, dim), &base, &err), err);
    g->values[a].base = g->values[c].base = base;
    g->values[c].base_offset = 64;
    reader = build_activation(&b, base, ACTIVATION_TANH);
    builder_outputs(&b, 1, &reader);
    WITH(uint64_t, g->values[c].base_offset, 0, "written to the same elements");
    WITH(int, g->nodes[1].inputs[0], base, "makes");
    node swapped = g->nodes[1];
    g->nodes[1] = g->nodes[2];
    g->nodes[2] = swapped;
    expect_invalid(g, "reads 'base' before it is made");
    g->nodes[2] = g->nodes[1];
    g->nodes[1] = swapped;

    /* a middle piece of the base, across both writers */
    int middle;
    uint32_t rows[] = {4, 4, 4};
    assert_status_ok(graph_add_value(g, "middle", shape_make(3, rows), &middle, &err), err);
    g->values[middle].base = base;
    g->values[middle].base_offset = 32;
    int copy = build_activation(&b, middle, ACTIVATION_TANH);
    builder_outputs(&b, 1, &copy);
    WITH(uint64_t, g->values[middle].base_offset, 33, "in a layout that it cannot read");
    node *last = &g->nodes[g->node_count - 1], saved = *last;
    last->op = OP_RESHAPE;
    last->act[0] = activation_linear;
    last->attributes.target = g->values[copy].shape;
    g->values[middle].base_offset = 33;
    assert_status_ok(graph_validate(g, &err), err);
    *last = saved;
    graph_destroy(g);
}
#undef WITH

/* --- random damage --- */

static uint32_t odd_number(test_random *r)
{
    static const uint32_t odd[] = {0,          1,           2,           3,          4,
                                   8,          255,         65535,       1048576,    1048577,
                                   0x7fffffff, 0x80000000u, 0xfffffffeu, 0xffffffffu};
    return test_random_u32(r) % 3 ? odd[test_random_u32(r) % 14] : test_random_u32(r) % 32;
}

static float odd_float(test_random *r)
{
    const float odd[] = {NAN, INFINITY, -INFINITY, 0.0f, -1.0f, 1e-45f, 3e38f};
    return odd[test_random_u32(r) % 7];
}

static void damage_node(node *n, test_random *r)
{
    uint32_t number = odd_number(r);
    int signed_number = (int)number, which = (int)(test_random_u32(r) % 14);
    window *w = &n->attributes.conv.window;
    uint32_t *const sizes[] = {&w->kernel_h,   &w->kernel_w, &w->stride_h, &w->stride_w,
                               &w->dilation_h, &w->pad_top,  &w->pad_left, &w->pad_bottom};
    switch (which) {
    case 0:
        n->op = (op)(number % 20);
        break;
    case 1:
        n->input_count = signed_number;
        break;
    case 2:
        n->output_count = signed_number;
        break;
    case 3:
        n->weight_count = signed_number;
        break;
    case 4:
        n->inputs[0] = signed_number;
        break;
    case 5:
        n->outputs[0] = signed_number;
        break;
    case 6:
        if (n->weight_count > 0 && n->weight_count < 9) {
            n->weights[0] = signed_number;
        }
        break;
    case 7:
        n->act[0].kind = (activation_kind)(number % 9);
        n->act[0].slope = odd_float(r);
        n->act[0].limit = odd_float(r);
        break;
    case 8:
        n->attributes.epsilon = odd_float(r);
        break;
    case 9:
        if (n->op == OP_CONV2D) {
            n->attributes.conv.branches = signed_number;
        }
        break;
    case 10:
        if (n->op == OP_CONV2D) {
            n->attributes.conv.groups = number;
        }
        break;
    case 11:
        if (n->op == OP_CONV2D) {
            n->attributes.conv.pooled = number % 2;
        }
        break;
    case 12:
        n->attributes.target.rank = number;
        break;
    default:
        *sizes[test_random_u32(r) % 8] = number;
        break;
    }
}

static void damage(graph *g, test_random *r)
{
    uint32_t number = odd_number(r);
    size_t v = test_random_u32(r) % g->value_count, w = test_random_u32(r) % g->weight_count;
    switch (test_random_u32(r) % 10) {
    case 0:
        g->values[v].shape.dim[number % 4] = odd_number(r);
        break;
    case 1:
        g->values[v].shape.rank = number;
        break;
    case 2:
        g->values[v].base = (int)number;
        break;
    case 3:
        g->values[v].base_offset = (uint64_t)number << (test_random_u32(r) % 33);
        break;
    case 4:
        g->weights[w].shape.dim[number % 4] = odd_number(r);
        break;
    case 5:
        g->outputs[0] = (int)number;
        break;
    case 6:
        g->input = (int)(number % 40);
        break;
    default:
        damage_node(&g->nodes[test_random_u32(r) % g->node_count], r);
        break;
    }
}

/* Validation decides; what it lets pass must survive whatever comes after it. */
static void damage_randomly(const graph *original, uint64_t first_seed, int rounds)
{
    int passed = 0;
    for (uint64_t seed = first_seed; seed < first_seed + (uint64_t)rounds; seed++) {
        test_random random = test_random_seed(seed);
        error err = {0};
        graph *g = NULL;
        assert_status_ok(graph_clone(original, &allocator_default, &g, &err), err);
        for (uint32_t times = 1 + test_random_u32(&random) % 3; times > 0; times--) {
            damage(g, &random);
        }
        status s = graph_validate(g, &err);
        if (s == STATUS_OK) {
            passed++;
            s = passes_run(g, &err);
            if (s != STATUS_OK && s != STATUS_MODEL) {
                fail_msg("seed %llu: %s", (unsigned long long)seed, err.text);
            }
            for (size_t i = 0; i < g->node_count; i++) {
                (void)node_flops(g, &g->nodes[i]);
            }
        } else if (s != STATUS_MODEL || err.text[0] == 0) {
            fail_msg("seed %llu: %s", (unsigned long long)seed, status_name(s));
        }
        graph_destroy(g);
    }
    print_message("seeds %llu to %llu: %d of %d still valid\n", (unsigned long long)first_seed,
                  (unsigned long long)first_seed + (unsigned)rounds - 1, passed, rounds);
    assert_true(passed < rounds);
}

static void test_random_damage(void **state)
{
    (void)state;
    builder b = sample();
    damage_randomly(b.g, 1, 20000);
    graph_destroy(b.g);
    b = rewritten_sample();
    damage_randomly(b.g, 100001, 20000);
    graph_destroy(b.g);
}

/* The largest graphs that are let in are checked and rewritten in reasonable time. */
typedef enum large_kind {
    CHAIN_STAYS,   /* of nodes that no pass touches */
    CHAIN_GOES,    /* of linear activations */
    CHAIN_IS_VIEW, /* of reshapes */
    FAN_IS_VIEW,   /* reshapes of one value */
    FAN_OF_CONVS,  /* of one value, each with a window of its own */
    LARGE_KINDS
} large_kind;

static void next_node(const builder *b, large_kind kind, node *n)
{
    uint32_t columns = 1u << b->g->node_count % 4; /* of the 16 elements */
    uint32_t dim[] = {16 / columns, columns};
    if (kind == FAN_OF_CONVS) {
        *n = b->g->nodes[b->g->node_count - 1];
        n->outputs = NULL;
        n->attributes.conv.window.pad_bottom++;
    } else {
        n->op = kind == CHAIN_STAYS ? OP_SOFTMAX : kind == CHAIN_GOES ? OP_ACTIVATION : OP_RESHAPE;
        n->attributes.target = shape_make(2, dim);
    }
    n->name = "n";
}

static void test_large_graphs(void **state)
{
    (void)state;
    for (int kind = 0; kind < LARGE_KINDS; kind++) {
        builder b = builder_make(3, 2, 2, 4);
        error err = {0};
        int first = build_conv(&b, b.g->input, 4, (conv_options){0}), v = first, index, count = 0;
        int *outputs = malloc(GRAPH_MAX_VALUES * sizeof *outputs);
        assert_non_null(outputs);
        size_t most = kind == FAN_OF_CONVS ? 4000 : GRAPH_MAX_VALUES; /* they grow */
        while (b.g->value_count < most) {
            node n = {.input_count = 1, .inputs = &v};
            next_node(&b, (large_kind)kind, &n);
            assert_status_ok(graph_add_node(b.g, &n, &index, &err), err);
            outputs[count] = b.g->nodes[index].outputs[0];
            if (kind >= FAN_IS_VIEW) {
                count++; /* else only the last is an output */
            } else {
                v = outputs[0];
            }
        }
        builder_outputs(&b, count ? count : 1, outputs);
        assert_status_ok(passes_run(b.g, &err), err);
        free(outputs);
        graph_destroy(b.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_tables), cmocka_unit_test(test_damaged_members),
        cmocka_unit_test(test_damaged_views),  cmocka_unit_test(test_reading_shared_storage),
        cmocka_unit_test(test_random_damage),  cmocka_unit_test(test_large_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
