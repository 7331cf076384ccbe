/* Helpers of the passes: see rewrite.h. */
#include "engine/passes/rewrite.h"

status rewrite_out_of_memory(const char *pass, error *err)
{
    (void)error_set(err, STATUS_MEMORY, "out of memory in the pass %s", pass);
    return STATUS_MEMORY;
}

static void release(rewrite *r)
{
    const allocator *a = region_allocator(r->g->memory);
    memory_release(a, r->uses);
    memory_release(a, r->producer);
    memory_release(a, r->is_output);
    memory_release(a, r->shared);
    memory_release(a, r->removed);
}

static void count_uses(rewrite *r)
{
    const graph *g = r->g;
    for (size_t v = 0; v < g->value_count; v++) {
        r->producer[v] = GRAPH_NONE;
        if (g->values[v].base != GRAPH_NONE) {
            r->shared[v] = r->shared[g->values[v].base] = true;
        }
    }
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < n->input_count; k++) {
            r->uses[n->inputs[k]]++;
        }
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] != GRAPH_NONE) {
                r->producer[n->outputs[k]] = (int)i;
            }
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        r->uses[g->outputs[i]]++;
        r->is_output[g->outputs[i]] = true;
    }
}

status rewrite_begin(rewrite *r, graph *g, error *err)
{
    const allocator *a = region_allocator(g->memory);
    *r = (rewrite){.g = g};
    r->uses = memory_allocate(a, g->value_count + 1, sizeof *r->uses);
    r->producer = memory_allocate(a, g->value_count + 1, sizeof *r->producer);
    r->is_output = memory_allocate(a, g->value_count + 1, sizeof *r->is_output);
    r->shared = memory_allocate(a, g->value_count + 1, sizeof *r->shared);
    r->removed = memory_allocate(a, g->node_count + 1, sizeof *r->removed);
    if (!r->uses || !r->producer || !r->is_output || !r->shared || !r->removed) {
        release(r);
        (void)error_set(err, STATUS_MEMORY, "out of memory while rewriting a graph");
        return STATUS_MEMORY;
    }
    count_uses(r);
    return STATUS_OK;
}

void rewrite_end(rewrite *r)
{
    graph *g = r->g;
    size_t kept = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        if (!r->removed[i]) {
            g->nodes[kept++] = g->nodes[i];
        }
    }
    g->node_count = kept;
    release(r);
}

node *rewrite_sole_producer(const rewrite *r, int v)
{
    int p = r->producer[v];
    if (p == GRAPH_NONE || r->removed[p] || r->uses[v] != 1 || r->shared[v]) {
        return NULL;
    }
    return &r->g->nodes[p];
}

int rewrite_output_slot(const node *n, int v)
{
    int slot = 0;
    while (slot < n->output_count - 1 && n->outputs[slot] != v) {
        slot++;
    }
    return slot;
}

void rewrite_take_output(rewrite *r, node *n, int v, int by)
{
    int output = r->g->nodes[by].outputs[0];
    n->outputs[rewrite_output_slot(n, v)] = output;
    r->producer[output] = (int)(n - r->g->nodes);
    r->producer[v] = GRAPH_NONE;
    r->uses[v] = 0;
    r->removed[by] = true;
}

bool window_equal(const window *a, const window *b)
{
    return a->kernel_h == b->kernel_h && a->kernel_w == b->kernel_w && a->stride_h == b->stride_h &&
           a->stride_w == b->stride_w && a->dilation_h == b->dilation_h &&
           a->dilation_w == b->dilation_w && a->pad_top == b->pad_top &&
           a->pad_left == b->pad_left && a->pad_bottom == b->pad_bottom &&
           a->pad_right == b->pad_right;
}

window *node_window(node *n)
{
    return n->op == OP_CONV2D      ? &n->attributes.conv.window
           : n->op == OP_DEPTHWISE ? &n->attributes.depthwise.window
                                   : NULL;
}
