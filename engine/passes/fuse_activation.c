/* Activations into the nodes whose results they are applied to. An element-wise function may be
 * applied before elements are moved instead of after, and to the parts before they are joined. */
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

static bool moves_elements(op o)
{
    return o == OP_RESHAPE || o == OP_PERMUTE || o == OP_CROP;
}

/* The node that computes what v only moves, and alone; NULL when others read it on the way. *v is
 * then its value. */
static node *find_origin(const rewrite *r, int *v)
{
    node *n = rewrite_sole_producer(r, *v);
    while (n && moves_elements(n->op)) {
        *v = n->inputs[0];
        n = rewrite_sole_producer(r, *v);
    }
    return n;
}

/* where the activation of value v is, when v's node can take it */
static activation *find_room(const rewrite *r, int v)
{
    node *n = find_origin(r, &v);
    int branch = n && n->op == OP_CONV2D ? rewrite_output_slot(n, v) / 2 : 0;
    return n && can_fuse_into(n, branch) ? &n->act[branch] : NULL;
}

/* Gives the activation to what v is computed by, all of it or nothing. */
static bool push_up(const rewrite *r, int v, const activation *act)
{
    activation *room = find_room(r, v);
    if (room) {
        *room = *act;
        return true;
    }
    const node *joined = find_origin(r, &v);
    if (!joined || joined->op != OP_CONCAT) {
        return false;
    }
    for (int i = 0; i < joined->input_count; i++) {
        if (!find_room(r, joined->inputs[i])) {
            return false;
        }
    }
    for (int i = 0; i < joined->input_count; i++) {
        *find_room(r, joined->inputs[i]) = *act;
    }
    return true;
}

status pass_fuse_activation(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        if (n->op == OP_ACTIVATION && push_up(&r, n->inputs[0], &n->act[0])) {
            rewrite_take_output(&r, &g->nodes[r.producer[n->inputs[0]]], n->inputs[0], (int)i);
        }
    }
    rewrite_end(&r);
    return STATUS_OK;
}
