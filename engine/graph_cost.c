/* How much arithmetic a node is. Multiply-accumulates are what a convolution's inner loop does;
 * FLOPs count two for each and one for every other operation on an element, a transcendental
 * function as one. */
#include "engine/graph.h"

static uint64_t value_elements(const graph *g, int v)
{
    return v == GRAPH_NONE ? 0 : shape_elements(g->values[v].shape);
}

/* The map of one branch, stored or not. */
static shape map_shape(const graph *g, const node *n, int branch)
{
    const shape *in = &g->values[n->inputs[branch]].shape;
    shape map = *in;
    (void)window_output(&n->attributes.conv.window, in->dim[0], in->dim[1], &map.dim[0],
                        &map.dim[1]);
    map.dim[2] = g->weights[n->weights[2 * branch]].shape.dim[3];
    return map;
}

uint64_t node_macs(const graph *g, const node *n)
{
    uint64_t macs = 0;
    if (n->op == OP_CONV2D) {
        for (int b = 0; b < n->attributes.conv.branches; b++) {
            const shape *k = &g->weights[n->weights[2 * b]].shape;
            macs += shape_elements(map_shape(g, n, b)) * k->dim[0] * k->dim[1] * k->dim[2];
        }
    } else if (n->op == OP_DEPTHWISE) {
        const shape *k = &g->weights[n->weights[0]].shape;
        macs = value_elements(g, n->outputs[0]) * k->dim[0] * k->dim[1];
    } else if (n->op == OP_DENSE) {
        macs = value_elements(g, n->outputs[0]) * g->weights[n->weights[0]].shape.dim[0];
    }
    return macs;
}

static uint64_t activation_flops(const activation *a, uint64_t elements)
{
    return a->kind == ACTIVATION_LINEAR ? 0 : elements;
}

/* Cells that a pool compares or adds for each output: no more than the map has, however wide the
 * kernel. */
static uint64_t pool_cells(const window *w, const shape *map)
{
    uint64_t rows = w->kernel_h < map->dim[0] ? w->kernel_h : map->dim[0];
    return rows * (w->kernel_w < map->dim[1] ? w->kernel_w : map->dim[1]);
}

static uint64_t conv2d_flops(const graph *g, const node *n)
{
    const conv2d_attributes *a = &n->attributes.conv;
    uint64_t flops = 2 * node_macs(g, n);
    for (int b = 0; b < a->branches; b++) {
        shape map = map_shape(g, n, b);
        uint64_t elements = shape_elements(map);
        flops += n->weights[2 * b + 1] == GRAPH_NONE ? 0 : elements;
        if (a->repeat) {
            elements = value_elements(g, n->outputs[0]);
            flops += elements;
        }
        flops += activation_flops(&n->act[b], elements);
        flops += value_elements(g, n->outputs[2 * b + 1]) * pool_cells(&a->pool, &map);
    }
    return flops;
}

uint64_t node_flops(const graph *g, const node *n)
{
    if (n->op == OP_CONV2D) {
        return conv2d_flops(g, n);
    }
    uint64_t out = value_elements(g, n->outputs[0]);
    uint64_t flops = activation_flops(&n->act[0], out);
    switch (n->op) {
    case OP_DEPTHWISE:
    case OP_DENSE:
        return flops + 2 * node_macs(g, n) + (n->weights[1] == GRAPH_NONE ? 0 : out);
    case OP_BATCH_NORM:
        return flops + 2 * out; /* one scale, one shift */
    case OP_PRELU:
    case OP_ADD:
    case OP_MULTIPLY:
        return flops + out;
    case OP_SOFTMAX:
        return 5 * out; /* maximum, difference, exponential, sum, quotient */
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        return out * pool_cells(&n->attributes.pool, &g->values[n->inputs[0]].shape);
    case OP_GLOBAL_AVERAGE:
        return value_elements(g, n->inputs[0]);
    case OP_RESIZE:
        return n->attributes.resize.mode == RESIZE_BILINEAR ? 8 * out : 0;
    default:
        return flops;
    }
}

status graph_cost_check(const graph *g, error *err)
{
    uint64_t total = 0; /* a node adds less than 2^62: no overflow before it is compared */
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        total += node_flops(g, n);
        for (int k = 0; k < n->output_count; k++) {
            total += value_elements(g, n->outputs[k]);
        }
        if (total > GRAPH_MAX_OPERATIONS) {
            return error_set(err, STATUS_LIMIT,
                             "the network takes more than %llu operations an image, the most that "
                             "is handled, up to and including node %s",
                             GRAPH_MAX_OPERATIONS, n->name);
        }
    }
    return STATUS_OK;
}
