/* Helpers of the tests of passes: see pass_case.h. */
#include "tests/engine/pass_case.h"

graph *rewritten(const graph *g, pass_run run)
{
    error err = {0};
    graph *copy = NULL;
    assert_status_ok(graph_clone(g, &allocator_default, &copy, &err), err);
    assert_status_ok(run(copy, &err), err);
    assert_status_ok(graph_validate(copy, &err), err);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_same_outputs(g, copy, seed);
    }
    return copy;
}

size_t count_op(const graph *g, op o)
{
    size_t n = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        n += g->nodes[i].op == o;
    }
    return n;
}

void expect_left(builder *b, pass_run run, op o, size_t of_kind, size_t left)
{
    graph *g = rewritten(b->g, run);
    if (count_op(g, o) != of_kind || g->node_count != left) {
        fail_msg("%zu %s nodes of %zu, expected %zu of %zu", count_op(g, o), op_name(o),
                 g->node_count, of_kind, left);
    }
    graph_destroy(g);
    graph_destroy(b->g);
}

void finish(builder *b, int first, int second)
{
    int outputs[] = {first, second};
    builder_outputs(b, second == GRAPH_NONE ? 1 : 2, outputs);
}
