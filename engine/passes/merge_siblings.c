/* Convolutions that could run side by side become branches of one node: first those that read one
 * value, then those that read the outputs of one node (the heads behind two merged layers).
 *
 * The merged node stands where the first of its members stood. What the later ones read existed
 * there already, being the same value or another output of the same, earlier node; so no order is
 * broken and no cycle can arise. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

#include <string.h>

/* how many earlier siblings are looked at; bounds the work on hostile graphs */
enum { SIBLINGS_TRIED = 64 };

typedef enum kinship { SAME_VALUE, SAME_PRODUCER } kinship;

/* What makes n a sibling of others: the one value that it reads, or the one node that makes all it
 * reads. GRAPH_NONE when there is no such thing. */
static int kinship_key(const rewrite *r, const node *n, kinship k)
{
    int key = GRAPH_NONE;
    for (int i = 0; i < n->input_count; i++) {
        int other = k == SAME_VALUE ? n->inputs[i] : r->producer[n->inputs[i]];
        if (i > 0 && other != key) {
            return GRAPH_NONE;
        }
        key = other;
    }
    return key;
}

static bool can_merge(const graph *g, const node *a, const node *b)
{
    const conv2d_attributes *x = &a->attributes.conv, *y = &b->attributes.conv;
    return x->branches + y->branches <= CONV2D_MAX_BRANCHES && !x->repeat && !y->repeat &&
           x->groups == y->groups && x->pooled == y->pooled &&
           window_equal(&x->window, &y->window) &&
           (!x->pooled || window_equal(&x->pool, &y->pool)) &&
           shape_equal(g->values[a->inputs[0]].shape, g->values[b->inputs[0]].shape);
}

static int *join(region *r, const int *a, int a_count, const int *b, int b_count)
{
    int *both = region_allocate(r, (size_t)a_count + (size_t)b_count, sizeof *both);
    if (both) {
        memcpy(both, a, (size_t)a_count * sizeof *both);
        memcpy(both + a_count, b, (size_t)b_count * sizeof *both);
    }
    return both;
}

/* The branches of b follow those of a. */
static status merge(graph *g, node *a, const node *b, error *err)
{
    region *r = g->memory;
    int *inputs = join(r, a->inputs, a->input_count, b->inputs, b->input_count);
    int *outputs = join(r, a->outputs, a->output_count, b->outputs, b->output_count);
    int *weights = join(r, a->weights, a->weight_count, b->weights, b->weight_count);
    activation *act = region_allocate(r, (size_t)a->act_count + (size_t)b->act_count, sizeof *act);
    const char *name = region_format(r, "%s+%s", a->name, b->name);
    if (!inputs || !outputs || !weights || !act || !name) {
        return rewrite_out_of_memory("merge-siblings", err);
    }
    memcpy(act, a->act, (size_t)a->act_count * sizeof *act);
    memcpy(act + a->act_count, b->act, (size_t)b->act_count * sizeof *act);
    a->name = name;
    a->inputs = inputs;
    a->outputs = outputs;
    a->weights = weights;
    a->act = act;
    a->input_count += b->input_count;
    a->output_count += b->output_count;
    a->weight_count += b->weight_count;
    a->act_count += b->act_count;
    a->attributes.conv.branches += b->attributes.conv.branches;
    return STATUS_OK;
}

/* The newest merged node with this key that n fits, or GRAPH_NONE. */
static int find_sibling(const graph *g, const node *n, int newest, const int *next)
{
    int i = newest;
    for (int tries = 0; i != GRAPH_NONE && tries < SIBLINGS_TRIED; tries++) {
        if (can_merge(g, &g->nodes[i], n)) {
            return i;
        }
        i = next[i];
    }
    return GRAPH_NONE;
}

/* newest[key] and next[node] chain the nodes of one key */
static status merge_all(rewrite *r, kinship k, int *newest, int *next, error *err)
{
    graph *g = r->g;
    size_t keys = k == SAME_VALUE ? g->value_count : g->node_count;
    for (size_t i = 0; i < keys; i++) {
        newest[i] = GRAPH_NONE;
    }
    for (size_t j = 0; j < g->node_count; j++) {
        const node *n = &g->nodes[j];
        int key = n->op == OP_CONV2D && !r->removed[j] ? kinship_key(r, n, k) : GRAPH_NONE;
        if (key == GRAPH_NONE) {
            continue;
        }
        int i = find_sibling(g, n, newest[key], next);
        if (i == GRAPH_NONE) {
            next[j] = newest[key];
            newest[key] = (int)j;
            continue;
        }
        status s = merge(g, &g->nodes[i], n, err);
        if (s != STATUS_OK) {
            return s;
        }
        r->removed[j] = true;
        for (int o = 0; o < n->output_count; o++) {
            if (n->outputs[o] != GRAPH_NONE) {
                r->producer[n->outputs[o]] = i;
            }
        }
    }
    return STATUS_OK;
}

status pass_merge_siblings(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    const allocator *a = region_allocator(g->memory);
    int *newest = memory_allocate(a, g->value_count + g->node_count, sizeof *newest);
    int *next = memory_allocate(a, g->node_count + 1, sizeof *next);
    if (newest && next) {
        s = merge_all(&r, SAME_VALUE, newest, next, err);
        s = s == STATUS_OK ? merge_all(&r, SAME_PRODUCER, newest, next, err) : s;
    } else {
        s = rewrite_out_of_memory("merge-siblings", err);
    }
    memory_release(a, newest);
    memory_release(a, next);
    rewrite_end(&r);
    return s;
}
