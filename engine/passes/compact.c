/* Drops what nobody needs and brings the nodes into an order in which everything is made before it
 * is read: their old order where that is one. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

#include <string.h>

/* The nodes that write to a storage are chained: first[storage], then next[entry]; entry e is
 * output e % 8 of node e / 8. */
enum { MAX_OUTPUTS = 2 * CONV2D_MAX_BRANCHES };

/* a node whose inputs are being visited: the input, and the next writer of it to look at */
typedef struct frame {
    int node, input, entry;
} frame;

typedef struct compaction {
    graph *g;
    int *first, *next;
    bool *live_value; /* first by storage (something of it is needed), then by value */
    bool *live_weight;
    unsigned char *state; /* of a node: 0 new, 1 live, 2 being visited, 3 in order */
    frame *stack;
    node *order;
    size_t ordered;
    int *new_index; /* of values, then of weights */
} compaction;

static int entry_value(const compaction *c, int entry)
{
    return c->g->nodes[entry / MAX_OUTPUTS].outputs[entry % MAX_OUTPUTS];
}

static void chain_writers(compaction *c)
{
    const graph *g = c->g;
    for (size_t v = 0; v < g->value_count; v++) {
        c->first[v] = GRAPH_NONE;
    }
    for (size_t i = g->node_count; i-- > 0;) {
        for (int k = g->nodes[i].output_count - 1; k >= 0; k--) {
            if (g->nodes[i].outputs[k] != GRAPH_NONE) {
                int storage = graph_storage(g, g->nodes[i].outputs[k]);
                int entry = (int)i * MAX_OUTPUTS + k;
                c->next[entry] = c->first[storage];
                c->first[storage] = entry;
            }
        }
    }
}

/* Marks the nodes that write to the storage of v, unless that has been done; they are pushed to be
 * looked at. Each node is pushed once. */
static size_t need_value(compaction *c, int v, size_t depth)
{
    int storage = graph_storage(c->g, v);
    if (c->live_value[storage]) {
        return depth;
    }
    c->live_value[storage] = true;
    for (int e = c->first[storage]; e != GRAPH_NONE; e = c->next[e]) {
        if (c->state[e / MAX_OUTPUTS] == 0) {
            c->state[e / MAX_OUTPUTS] = 1;
            c->stack[depth++].node = e / MAX_OUTPUTS;
        }
    }
    return depth;
}

static void mark_live(compaction *c)
{
    const graph *g = c->g;
    size_t depth = 0;
    for (size_t i = 0; i < g->output_count; i++) {
        depth = need_value(c, g->outputs[i], depth);
    }
    while (depth > 0) {
        const node *n = &g->nodes[c->stack[--depth].node];
        for (int k = 0; k < n->input_count; k++) {
            depth = need_value(c, n->inputs[k], depth);
        }
    }
}

static bool overlap(const graph *g, int a, int b)
{
    const value *x = &g->values[a], *y = &g->values[b];
    return x->base_offset < y->base_offset + shape_elements(y->shape) &&
           y->base_offset < x->base_offset + shape_elements(x->shape);
}

static frame frame_make(const compaction *c, int index)
{
    const node *n = &c->g->nodes[index];
    return (frame){.node = index,
                   .input = 0,
                   .entry = n->input_count > 0 ? c->first[graph_storage(c->g, n->inputs[0])]
                                               : GRAPH_NONE};
}

/* The next node that must come before the one of frame f and is not in order yet, or GRAPH_NONE. */
static int next_dependency(const compaction *c, frame *f)
{
    const node *n = &c->g->nodes[f->node];
    while (f->input < n->input_count) {
        while (f->entry != GRAPH_NONE) {
            int entry = f->entry;
            f->entry = c->next[entry];
            if (c->state[entry / MAX_OUTPUTS] != 3 &&
                overlap(c->g, entry_value(c, entry), n->inputs[f->input])) {
                return entry / MAX_OUTPUTS;
            }
        }
        f->input++;
        if (f->input < n->input_count) {
            f->entry = c->first[graph_storage(c->g, n->inputs[f->input])];
        }
    }
    return GRAPH_NONE;
}

/* Depth first, with an explicit stack: a hostile graph may be 65536 nodes deep. */
static status order_from(compaction *c, int start, error *err)
{
    size_t depth = 0;
    c->stack[depth++] = frame_make(c, start);
    c->state[start] = 2;
    while (depth > 0) {
        int needed = next_dependency(c, &c->stack[depth - 1]);
        if (needed == GRAPH_NONE) {
            int done = c->stack[--depth].node;
            c->state[done] = 3;
            c->order[c->ordered++] = c->g->nodes[done];
        } else if (c->state[needed] == 2) {
            return error_set(err, STATUS_MODEL, "%s '%s' depends on its own result",
                             op_name(c->g->nodes[needed].op), c->g->nodes[needed].name);
        } else {
            c->state[needed] = 2;
            c->stack[depth++] = frame_make(c, needed);
        }
    }
    return STATUS_OK;
}

static void mark_used(compaction *c, int v)
{
    if (v != GRAPH_NONE) {
        c->live_value[v] = true;
        c->live_value[graph_storage(c->g, v)] = true;
    }
}

static void renumber(int *list, int count, const int *new_index)
{
    for (int i = 0; i < count; i++) {
        list[i] = list[i] == GRAPH_NONE ? GRAPH_NONE : new_index[list[i]];
    }
}

static void drop_values(compaction *c)
{
    graph *g = c->g;
    memset(c->live_value, 0, g->value_count * sizeof *c->live_value);
    mark_used(c, g->input);
    for (size_t i = 0; i < g->output_count; i++) {
        mark_used(c, g->outputs[i]);
    }
    for (size_t i = 0; i < g->node_count; i++) {
        for (int k = 0; k < g->nodes[i].input_count; k++) {
            mark_used(c, g->nodes[i].inputs[k]);
        }
        for (int k = 0; k < g->nodes[i].output_count; k++) {
            mark_used(c, g->nodes[i].outputs[k]);
        }
    }
    size_t kept = 0;
    for (size_t v = 0; v < g->value_count; v++) {
        if (c->live_value[v]) {
            c->new_index[v] = (int)kept;
            g->values[kept++] = g->values[v];
        }
    }
    g->value_count = kept;
    for (size_t v = 0; v < kept; v++) {
        renumber(&g->values[v].base, 1, c->new_index);
    }
    for (size_t i = 0; i < g->node_count; i++) {
        renumber(g->nodes[i].inputs, g->nodes[i].input_count, c->new_index);
        renumber(g->nodes[i].outputs, g->nodes[i].output_count, c->new_index);
    }
    renumber(&g->input, 1, c->new_index);
    renumber(g->outputs, (int)g->output_count, c->new_index);
}

static void drop_weights(compaction *c)
{
    graph *g = c->g;
    for (size_t i = 0; i < g->node_count; i++) {
        for (int k = 0; k < g->nodes[i].weight_count; k++) {
            if (g->nodes[i].weights[k] != GRAPH_NONE) {
                c->live_weight[g->nodes[i].weights[k]] = true;
            }
        }
    }
    size_t kept = 0;
    for (size_t w = 0; w < g->weight_count; w++) {
        if (c->live_weight[w]) {
            c->new_index[w] = (int)kept;
            g->weights[kept++] = g->weights[w];
        }
    }
    g->weight_count = kept;
    for (size_t i = 0; i < g->node_count; i++) {
        renumber(g->nodes[i].weights, g->nodes[i].weight_count, c->new_index);
    }
}

static status compact(compaction *c, error *err)
{
    graph *g = c->g;
    chain_writers(c);
    mark_live(c);
    for (size_t i = 0; i < g->node_count; i++) {
        status s = c->state[i] == 1 ? order_from(c, (int)i, err) : STATUS_OK;
        if (s != STATUS_OK) {
            return s;
        }
    }
    memcpy(g->nodes, c->order, c->ordered * sizeof *g->nodes);
    g->node_count = c->ordered;
    drop_values(c);
    drop_weights(c);
    return STATUS_OK;
}

status pass_compact(graph *g, error *err)
{
    const allocator *a = region_allocator(g->memory);
    size_t indices = g->value_count > g->weight_count ? g->value_count : g->weight_count;
    compaction c = {.g = g};
    if (g->node_count == 0) {
        return STATUS_OK;
    }
    c.first = memory_allocate(a, g->value_count, sizeof *c.first);
    c.next = memory_allocate(a, g->node_count * MAX_OUTPUTS, sizeof *c.next);
    c.live_value = memory_allocate(a, g->value_count, sizeof *c.live_value);
    c.live_weight = memory_allocate(a, g->weight_count + 1, sizeof *c.live_weight);
    c.state = memory_allocate(a, g->node_count, sizeof *c.state);
    c.stack = memory_allocate(a, g->node_count, sizeof *c.stack);
    c.order = memory_allocate(a, g->node_count, sizeof *c.order);
    c.new_index = memory_allocate(a, indices, sizeof *c.new_index);
    bool allocated = c.first && c.next && c.live_value && c.live_weight && c.state && c.stack &&
                     c.order && c.new_index;
    status s = allocated ? compact(&c, err) : rewrite_out_of_memory("compact", err);
    memory_release(a, c.first);
    memory_release(a, c.next);
    memory_release(a, c.live_value);
    memory_release(a, c.live_weight);
    memory_release(a, c.state);
    memory_release(a, c.stack);
    memory_release(a, c.order);
    memory_release(a, c.new_index);
    return s;
}
