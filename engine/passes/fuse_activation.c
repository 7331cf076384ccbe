/* Activations into the node whose result they are applied to. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

static bool can_fuse_into(const node *n, int branch)
{
    switch (n->op) {
    case OP_CONV2D:
        return !n->attributes.conv.pooled && n->act[branch].kind == ACTIVATION_LINEAR;
    case OP_DEPTHWISE:
    case OP_DENSE:
    case OP_BATCH_NORM:
    case OP_ADD:
    case OP_MULTIPLY:
        return n->act[0].kind == ACTIVATION_LINEAR;
    default:
        return false;
    }
}

/* An element-wise function may be applied before elements are moved instead of after. */
static bool moves_elements(op o)
{
    return o == OP_RESHAPE || o == OP_PERMUTE || o == OP_CROP;
}

status pass_fuse_activation(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        if (g->nodes[i].op != OP_ACTIVATION) {
            continue;
        }
        int last = g->nodes[i].inputs[0], v = last;
        node *n = rewrite_sole_producer(&r, v);
        while (n && moves_elements(n->op)) {
            v = n->inputs[0];
            n = rewrite_sole_producer(&r, v);
        }
        int branch = n && n->op == OP_CONV2D ? rewrite_output_slot(n, v) / 2 : 0;
        if (n && can_fuse_into(n, branch)) {
            n->act[branch] = g->nodes[i].act[0];
            rewrite_take_output(&r, &g->nodes[r.producer[last]], last, (int)i);
        }
    }
    rewrite_end(&r);
    return STATUS_OK;
}
