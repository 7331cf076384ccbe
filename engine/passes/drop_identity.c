/* Nodes that change nothing go; a permute that only moves dimensions of size 1 becomes the reshape
 * that it is. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

static bool permute_keeps_order(const node *n, shape in)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < in.rank; i++) {
        uint32_t from = n->attributes.permutation[i];
        if (in.dim[from] == 1) {
            continue;
        }
        if (from < last) {
            return false;
        }
        last = from;
    }
    return true;
}

static bool is_unit_window(const window *w)
{
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           w->pad_top + w->pad_left + w->pad_bottom + w->pad_right == 0;
}

/* The same elements in the same order, and the same shape. A resize to the same size reads each
 * cell at its own place in every mode. */
static bool is_identity(const graph *g, const node *n)
{
    if (!shape_equal(g->values[n->inputs[0]].shape, g->values[n->outputs[0]].shape)) {
        return false;
    }
    switch (n->op) {
    case OP_RESHAPE:
    case OP_RESIZE:
    case OP_ZERO_PAD:
    case OP_CROP:
    case OP_CONCAT: /* of one input, or it would be larger */
        return true;
    case OP_ACTIVATION:
        return n->act[0].kind == ACTIVATION_LINEAR;
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        return is_unit_window(&n->attributes.pool);
    default:
        return false;
    }
}

static int resolve(const int *replaced_by, int v)
{
    while (replaced_by[v] != GRAPH_NONE) {
        v = replaced_by[v];
    }
    return v;
}

/* Readers of the identity's output read its input instead; where the output is one of the graph's,
 * it keeps its place and name, and the input goes. Neither is possible when both are seen from
 * outside (or the input is the graph's): then the node is a copy and stays. */
static void drop(rewrite *r, size_t index, int *replaced_by)
{
    const node *n = &r->g->nodes[index];
    int from = resolve(replaced_by, n->inputs[0]), to = n->outputs[0], p = r->producer[from];
    if (r->shared[from] || r->shared[to]) {
        return;
    }
    if (!r->is_output[to]) {
        replaced_by[to] = from;
    } else if (!r->is_output[from] && p != GRAPH_NONE) {
        node *made_by = &r->g->nodes[p];
        made_by->outputs[rewrite_output_slot(made_by, from)] = to;
        r->producer[to] = p;
        replaced_by[from] = to;
    } else {
        return;
    }
    r->removed[index] = true;
}

status pass_drop_identity(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    int *replaced_by =
        memory_allocate(region_allocator(g->memory), g->value_count, sizeof *replaced_by);
    if (!replaced_by) {
        rewrite_end(&r);
        return rewrite_out_of_memory("drop-identity", err);
    }
    for (size_t v = 0; v < g->value_count; v++) {
        replaced_by[v] = GRAPH_NONE;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        node *n = &g->nodes[i];
        if (n->op == OP_PERMUTE && permute_keeps_order(n, g->values[n->inputs[0]].shape)) {
            n->op = OP_RESHAPE;
            n->attributes.target = g->values[n->outputs[0]].shape;
        }
        if (is_identity(g, n)) {
            drop(&r, i, replaced_by);
        }
    }
    for (size_t i = 0; i < g->node_count; i++) {
        for (int k = 0; k < g->nodes[i].input_count; k++) {
            g->nodes[i].inputs[k] = resolve(replaced_by, g->nodes[i].inputs[k]);
        }
    }
    memory_release(region_allocator(g->memory), replaced_by);
    rewrite_end(&r);
    return STATUS_OK;
}
