/* Sums into the convolution that makes one of their operands: the other one is added before the
 * activation. A nearest resize by a whole factor in between only repeats pixels, and goes too. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

/* repeated more often than this, a pixel is a small map, and its convolution no place to write a
 * large one */
enum { MAX_REPEAT = 4 };

/* A convolution that can take in a sum. */
typedef struct host {
    int conv;   /* node, or GRAPH_NONE */
    int resize; /* node between it and the sum, or GRAPH_NONE */
    uint32_t repeat;
} host;

/* The factor by which the node repeats pixels; 0 when it does anything else. */
static uint32_t repeats(const graph *g, const node *n)
{
    if (n->op != OP_RESIZE || n->attributes.resize.mode != RESIZE_NEAREST ||
        n->attributes.resize.align_corners) {
        return 0;
    }
    const uint32_t *in = g->values[n->inputs[0]].shape.dim;
    uint32_t factor = n->attributes.resize.height / in[0];
    bool whole = factor <= MAX_REPEAT && factor * in[0] == n->attributes.resize.height &&
                 factor * in[1] == n->attributes.resize.width;
    return whole ? factor : 0;
}

/* Groups whose channels do not come in fours have a kernel of their own, which adds nothing. */
static bool can_add(const graph *g, const node *n)
{
    const conv2d_attributes *a = &n->attributes.conv;
    if (n->op != OP_CONV2D || a->branches != 1 || a->pooled || a->repeat ||
        n->act[0].kind != ACTIVATION_LINEAR) {
        return false;
    }
    const shape *kernel = &g->weights[n->weights[0]].shape;
    return a->groups == 1 || (kernel->dim[2] % 4 == 0 && kernel->dim[3] / a->groups % 4 == 0);
}

static host find_host(const rewrite *r, int v)
{
    const graph *g = r->g;
    host h = {GRAPH_NONE, GRAPH_NONE, 1};
    const node *n = rewrite_sole_producer(r, v);
    if (n && repeats(g, n)) {
        h.resize = (int)(n - g->nodes);
        h.repeat = repeats(g, n);
        n = rewrite_sole_producer(r, n->inputs[0]);
    }
    if (n && can_add(g, n)) {
        h.conv = (int)(n - g->nodes);
    }
    return h;
}

/* The convolution moves to where the sum is: all that it now reads has been made there. */
static status take_in(rewrite *r, size_t index, const host *h, int other, error *err)
{
    graph *g = r->g;
    const node sum = g->nodes[index];
    node n = g->nodes[h->conv];
    int *inputs = region_allocate(g->memory, 2, sizeof *inputs);
    if (!inputs) {
        return rewrite_out_of_memory("fuse-add", err);
    }
    inputs[0] = n.inputs[0];
    inputs[1] = other;
    n.inputs = inputs;
    n.input_count = 2;
    n.attributes.conv.repeat = h->repeat;
    n.act[0] = sum.act[0];
    r->producer[n.outputs[0]] = GRAPH_NONE;
    n.outputs[0] = sum.outputs[0];
    g->nodes[index] = n;
    r->removed[h->conv] = true;
    if (h->resize != GRAPH_NONE) {
        r->producer[g->nodes[h->resize].outputs[0]] = GRAPH_NONE;
        r->removed[h->resize] = true;
    }
    return STATUS_OK;
}

/* by value: the longest path of nodes to it */
static void find_depths(const graph *g, uint32_t *depth)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        uint32_t deepest = 0;
        for (int k = 0; k < n->input_count; k++) {
            uint32_t d = depth[graph_storage(g, n->inputs[k])];
            deepest = d > deepest ? d : deepest;
        }
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] != GRAPH_NONE) {
                uint32_t *d = &depth[graph_storage(g, n->outputs[k])];
                *d = deepest + 1 > *d ? deepest + 1 : *d;
            }
        }
    }
}

static status fuse_all(rewrite *r, const uint32_t *depth, error *err)
{
    const graph *g = r->g;
    status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < g->node_count; i++) {
        const node *sum = &g->nodes[i];
        if (sum->op != OP_ADD ||
            !shape_equal(g->values[sum->inputs[0]].shape, g->values[sum->inputs[1]].shape)) {
            continue;
        }
        int first =
            depth[graph_storage(g, sum->inputs[1])] > depth[graph_storage(g, sum->inputs[0])];
        for (int k = 0; k < 2; k++) {
            int own = first ^ k;
            host h = find_host(r, sum->inputs[own]);
            if (h.conv != GRAPH_NONE) {
                s = take_in(r, i, &h, sum->inputs[1 - own], err);
                break;
            }
        }
    }
    return s;
}

status pass_fuse_add(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    const allocator *a = region_allocator(g->memory);
    uint32_t *depth = memory_allocate(a, g->value_count, sizeof *depth);
    if (depth) {
        find_depths(g, depth);
        s = fuse_all(&r, depth, err);
    } else {
        s = rewrite_out_of_memory("fuse-add", err);
    }
    memory_release(a, depth);
    rewrite_end(&r);
    return s;
}
