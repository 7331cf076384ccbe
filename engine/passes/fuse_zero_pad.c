/* Zero-padding into the windows of the convolutions that read it. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

/* The window that would take in the padding `pad`, when n is a convolution that can. */
static bool padded_window(node *n, const node *pad, window *out)
{
    window *w = node_window(n);
    if (!w || n->input_count != 1) {
        return false;
    }
    *out = *w;
    out->pad_top += pad->attributes.border.top;
    out->pad_left += pad->attributes.border.left;
    out->pad_bottom += pad->attributes.border.bottom;
    out->pad_right += pad->attributes.border.right;
    return out->pad_top <= SHAPE_MAX_DIM && out->pad_left <= SHAPE_MAX_DIM &&
           out->pad_bottom <= SHAPE_MAX_DIM && out->pad_right <= SHAPE_MAX_DIM;
}

/* The zero_pad node that n reads, or NULL. Its result must not be part of something larger. */
static node *pad_before(const rewrite *r, const node *n)
{
    int v = n->inputs[0], p = r->producer[v];
    bool is_pad = p != GRAPH_NONE && r->g->nodes[p].op == OP_ZERO_PAD && !r->shared[v];
    return is_pad ? &r->g->nodes[p] : NULL;
}

status pass_fuse_zero_pad(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t *fusable =
        memory_allocate(region_allocator(g->memory), g->value_count,
                        sizeof *fusable); /* by value: readers that can take it in */
    if (!fusable) {
        rewrite_end(&r);
        return rewrite_out_of_memory("fuse-zero-pad", err);
    }
    window w;
    for (size_t i = 0; i < g->node_count; i++) {
        node *n = &g->nodes[i], *pad = pad_before(&r, n);
        if (pad && padded_window(n, pad, &w)) {
            fusable[n->inputs[0]]++;
        }
    }
    for (size_t i = 0; i < g->node_count; i++) {
        node *n = &g->nodes[i], *pad = pad_before(&r, n);
        int v = n->inputs[0];
        if (pad && fusable[v] == r.uses[v] && padded_window(n, pad, &w)) {
            *node_window(n) = w;
            n->inputs[0] = pad->inputs[0];
            r.removed[pad - g->nodes] = true;
        }
    }
    memory_release(region_allocator(g->memory), fusable);
    rewrite_end(&r);
    return STATUS_OK;
}
