/* Which convolutions are computed in one step, strip by strip: a depthwise or pointwise one, and
 * the pointwise one that alone reads its map. A strip of the second needs the same rows of the
 * first and no others, so nothing is computed twice, and the rows between stay in the cache of one
 * core instead of going out into the arena, past a barrier, and back. */
#include "host/cpu/program.h"

static bool is_pointwise(const node *n)
{
    const conv2d_attributes *c = &n->attributes.conv;
    const window *w = &c->window;
    return n->op == OP_CONV2D && !c->pooled && c->groups == 1 && w->kernel_h == 1 &&
           w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 && w->pad_top == 0 &&
           w->pad_left == 0 && w->pad_bottom == 0 && w->pad_right == 0;
}

static bool is_first(const node *n)
{
    return n->op == OP_DEPTHWISE ||
           (is_pointwise(n) && n->attributes.conv.branches == 1 && n->attributes.conv.repeat == 0);
}

/* Who makes and who reads a value. */
typedef struct usage {
    int producer, reader; /* the last reader */
    bool alone;           /* it is the only one, and nobody else needs the value */
} usage;

static void find_usages(const graph *g, usage *usages)
{
    for (size_t v = 0; v < g->value_count; v++) {
        usages[v] = (usage){GRAPH_NONE, GRAPH_NONE, true};
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < n->input_count; k++) {
            usage *u = &usages[n->inputs[k]];
            u->alone = u->alone && (u->reader == GRAPH_NONE || u->reader == (int)i);
            u->reader = (int)i;
        }
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] != GRAPH_NONE) {
                usages[n->outputs[k]].producer = (int)i;
            }
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        usages[g->outputs[i]].alone = false;
    }
    for (size_t v = 0; v < g->value_count; v++) {
        if (g->values[v].base != GRAPH_NONE) {
            usages[v].alone = false;
            usages[g->values[v].base].alone = false;
        }
    }
}

/* the node whose map `n` alone reads, row by row; or GRAPH_NONE */
static int find_before(const graph *g, const node *n, const usage *usages)
{
    const int v = n->inputs[0];
    const int producer = usages[v].producer;
    if (!is_pointwise(n) || !usages[v].alone || producer == GRAPH_NONE ||
        !is_first(&g->nodes[producer])) {
        return GRAPH_NONE;
    }
    for (int k = 1; k < n->input_count; k++) { /* all branches do, and what is added is another */
        if ((n->inputs[k] == v) != (k < n->attributes.conv.branches)) {
            return GRAPH_NONE;
        }
    }
    return producer;
}

status chains_find(program *p, error *err)
{
    const graph *g = p->graph;
    p->before = program_allocate(p, g->node_count, sizeof *p->before);
    p->absorbed = program_allocate(p, g->node_count, sizeof *p->absorbed);
    usage *usages = memory_allocate(&p->alloc, g->value_count, sizeof *usages);
    if (!p->before || !p->absorbed || !usages) {
        memory_release(&p->alloc, usages);
        return error_set(err, STATUS_MEMORY, "out of memory for the steps of a network");
    }
    find_usages(g, usages);
    for (size_t i = 0; i < g->node_count; i++) {
        p->before[i] = find_before(g, &g->nodes[i], usages);
        if (p->before[i] != GRAPH_NONE) {
            p->absorbed[p->before[i]] = true;
        }
    }
    memory_release(&p->alloc, usages);
    return STATUS_OK;
}
