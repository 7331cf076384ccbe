/* Random graphs: whatever the passes find in them, the outputs keep their bits. */
#include "tests/engine/graph_builder.h"

#include "engine/passes.h"

enum {
    MAX_LIVE = 40,
    MAX_LAYERS = 14,
    MAX_DEPTH = 3 /* layers with weights on one path: as many as single precision adds exactly */
};

/* What has been built so far: rank 3 values, with how many weighted layers are behind each. */
typedef struct pool {
    int value[MAX_LIVE], depth[MAX_LIVE];
    bool exact[MAX_LIVE]; /* no transcendental function behind it: may be added and multiplied */
    int count;
} pool;

static void push(pool *p, int v, int depth, bool exact)
{
    if (p->count < MAX_LIVE) {
        p->value[p->count] = v;
        p->depth[p->count] = depth;
        p->exact[p->count++] = exact;
    }
}

/* one of the last few more often than not: deep graphs, but with branches */
static int pick(const pool *p, test_random *r)
{
    int span = test_random_u32(r) % 3 ? 3 : p->count;
    span = span > p->count ? p->count : span;
    return p->count - 1 - (int)(test_random_u32(r) % (uint32_t)span);
}

static void add_weighted(builder *b, pool *p, int from, test_random *r)
{
    int v = p->value[from];
    shape s = builder_shape(b, v);
    uint32_t filters = 1 + test_random_u32(r) % 6;
    uint32_t bits = test_random_u32(r); /* one draw: the order of arguments is the compiler's */
    conv_options o = {
        .kernel = bits & 1 ? 3 : 1, .stride = bits >> 1 & 3 ? 1 : 2, .bias = bits >> 3 & 1};
    switch (test_random_u32(r) % 6) {
    case 0:
        v = build_depthwise(b, v, 3, 1 + (bits >> 4 & 1));
        break;
    case 1:
        v = build_dense(b, v, filters, o.bias);
        break;
    case 2:
        v = build_pad(b, v, 1, bits >> 4 & 1, 1, 2);
        o.valid = s.dim[0] > 2 && s.dim[1] > 2;
        v = build_conv(b, v, filters, o);
        break;
    default:
        v = build_conv(b, v, filters, o);
        if (bits >> 10 & 1) { /* a sibling */
            push(p, build_conv(b, p->value[from], filters, o), p->depth[from] + 1, true);
        }
        break;
    }
    int depth = p->depth[from] + 1;
    if (bits >> 5 & 1) {
        v = build_batch_norm(b, v, bits >> 6 & 1, bits >> 7 & 1);
    }
    if (bits >> 8 & 3) {
        v = build_activation(b, v, ACTIVATION_RELU);
    }
    push(p, v, depth, true);
}

static void add_layer(builder *b, pool *p, test_random *r)
{
    int from = pick(p, r), v = p->value[from], other = pick(p, r);
    bool exact = p->exact[from];
    uint32_t kind = test_random_u32(r) % 8;
    if (kind < 4 && exact && p->depth[from] < MAX_DEPTH) {
        add_weighted(b, p, from, r);
        return;
    }
    shape s = builder_shape(b, v);
    switch (kind) {
    case 4:
        v = build_pool(b, OP_MAX_POOL, v, 2,
                       s.dim[0] < 2 || s.dim[1] < 2 || test_random_u32(r) % 2);
        break;
    case 5:
        v = build_activation(b, v,
                             (activation_kind)(test_random_u32(r) % (uint32_t)ACTIVATION_COUNT));
        exact = false;
        break;
    case 6: {
        int pair[] = {v, p->value[other]};
        if (!shape_equal(s, builder_shape(b, pair[1]))) {
            return;
        }
        exact = exact && p->exact[other];
        v = exact && test_random_u32(r) % 2 ? build_binary(b, OP_ADD, pair[0], pair[1])
                                            : build_concat(b, pair, 2, test_random_u32(r) % 3);
        break;
    }
    default:
        v = test_random_u32(r) % 2 ? build_permute(b, v, 1, 0, 2) : build_reshape(b, v, s);
        break;
    }
    int depth = p->depth[from] > p->depth[other] ? p->depth[from] : p->depth[other];
    push(p, v, depth, exact);
}

/* heads: rows of equal width, joined */
static int add_heads(builder *b, const pool *p, test_random *r)
{
    int pieces[4], count = 0;
    uint32_t columns = 1 + test_random_u32(r) % 4;
    for (int tries = 0; tries < 8 && count < 4; tries++) {
        int v = p->value[pick(p, r)];
        if (shape_elements(builder_shape(b, v)) % columns == 0) {
            pieces[count] = build_rows(b, v, columns);
            if (test_random_u32(r) % 2) {
                pieces[count] = build_activation(b, pieces[count], ACTIVATION_SIGMOID);
            }
            count++;
        }
    }
    return count == 0 ? p->value[p->count - 1] : build_concat(b, pieces, count, 0);
}

static builder random_graph(uint64_t seed)
{
    test_random r = test_random_seed(seed);
    uint32_t size = test_random_u32(&r);
    builder b = builder_make(seed + 1000000, 1 + size % 9, 1 + size / 9 % 9, 1 + size / 81 % 5);
    pool p = {0};
    push(&p, b.g->input, 0, true);
    for (uint32_t layers = 1 + test_random_u32(&r) % MAX_LAYERS; layers > 0; layers--) {
        add_layer(&b, &p, &r);
    }
    int outputs[4], count = 1 + (int)(test_random_u32(&r) % 4);
    for (int i = 0; i < count; i++) {
        outputs[i] = test_random_u32(&r) % 2 ? add_heads(&b, &p, &r) : p.value[pick(&p, &r)];
    }
    builder_outputs(&b, count, outputs);
    return b;
}

static void check(const graph *original, const graph *g, uint64_t seed, const char *pass_name)
{
    error err = {0};
    if (graph_validate(g, &err) != STATUS_OK) {
        fail_msg("graph %llu after %s: %s", (unsigned long long)seed, pass_name, err.text);
    }
    assert_same_outputs(original, g, seed);
}

static void test_random_graphs(void **state)
{
    (void)state;
    enum { GRAPHS = 3000 };
    size_t before = 0, after = 0;
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        builder b = random_graph(seed);
        error err = {0};
        graph *g = NULL;
        assert_status_ok(graph_clone(b.g, &allocator_default, &g, &err), err);
        assert_status_ok(passes_run(g, &err), err);
        check(b.g, g, seed, "all");
        before += b.g->node_count;
        after += g->node_count;
        graph_destroy(g);
        graph_destroy(b.g);
    }
    print_message("graphs 1 to %d: %zu nodes became %zu\n", GRAPHS, before, after);
    assert_true(after < before / 2);
}

/* Any passes in any order: each stands on its own, views or not. */
static void test_random_orders(void **state)
{
    (void)state;
    for (uint64_t seed = 10001; seed <= 11500; seed++) {
        builder b = random_graph(seed);
        test_random r = test_random_seed(seed);
        error err = {0};
        graph *g = NULL;
        assert_status_ok(graph_clone(b.g, &allocator_default, &g, &err), err);
        for (int i = 0; i < 10; i++) {
            const pass *p = &passes[test_random_u32(&r) % pass_count];
            assert_status_ok(p->run(g, &err), err);
            check(b.g, g, seed, p->name);
        }
        graph_destroy(g);
        graph_destroy(b.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_random_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
