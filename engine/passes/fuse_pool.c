/* 2x2 max-pools into the convolution before them. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

/* "same" or "valid" of a 2x2 window with stride 2: the first window begins in the corner */
static bool is_halving(const window *w)
{
    return w->kernel_h == 2 && w->kernel_w == 2 && w->stride_h == 2 && w->stride_w == 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top == 0 && w->pad_left == 0;
}

status pass_fuse_pool(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *pool = &g->nodes[i];
        int v = pool->inputs[0], p = r.producer[v];
        if (pool->op != OP_MAX_POOL || !is_halving(&pool->attributes.pool) || p == GRAPH_NONE ||
            g->nodes[p].op != OP_CONV2D) {
            continue;
        }
        node *n = &g->nodes[p];
        conv2d_attributes *a = &n->attributes.conv;
        if (a->pooled || a->repeat || a->branches != 1) {
            continue;
        }
        bool only_reader = rewrite_sole_producer(&r, v) == n;
        a->pooled = true;
        a->pool = pool->attributes.pool;
        n->outputs[0] = only_reader ? GRAPH_NONE : v;
        n->outputs[1] = pool->outputs[0];
        r.producer[pool->outputs[0]] = p;
        r.producer[v] = only_reader ? GRAPH_NONE : p;
        r.uses[v]--;
        r.removed[i] = true;
    }
    rewrite_end(&r);
    return STATUS_OK;
}
