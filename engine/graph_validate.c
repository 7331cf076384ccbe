/* The gate for graphs that come from a file: after graph_validate every index, shape and view can
 * be relied upon. Nothing is believed before it is checked, and the work is bounded by n log n. */
#include "engine/graph.h"

#include <stdint.h>
#include <stdlib.h>

/* One write: the elements [begin, end) of a storage, and the value through which they are written
 * (the graph's input counts as written before the first node). */
typedef struct writing {
    int storage, value;
    uint64_t begin, end;
} writing;

typedef struct checker {
    const graph *g;
    writing *writings; /* sorted by storage and begin, disjoint */
    size_t writing_count;
    uint64_t *done; /* Fenwick tree over writings: the elements that have been written so far */
    int *slot;      /* by value: its position in writings, or GRAPH_NONE */
    bool *shared;   /* by value: a view, or a base that has views */
} checker;

static status check_value(const graph *g, size_t index, error *err)
{
    const value *v = &g->values[index];
    if (!v->name) {
        return error_set(err, STATUS_MODEL, "value %zu has no name", index);
    }
    if (!shape_valid(v->shape, VALUE_MAX_RANK)) {
        return error_set(err, STATUS_MODEL,
                         "value %zu '%s': its shape is empty, too large or not of rank 1 to %d",
                         index, v->name, VALUE_MAX_RANK);
    }
    if (v->base == GRAPH_NONE) {
        return v->base_offset == 0
                   ? STATUS_OK
                   : error_set(err, STATUS_MODEL, "value %zu '%s': an offset, but no base", index,
                               v->name);
    }
    if (v->base < 0 || (size_t)v->base >= g->value_count) {
        return error_set(err, STATUS_MODEL, "value %zu '%s': base %d does not exist", index,
                         v->name, v->base);
    }
    const value *base = &g->values[v->base];
    if (base->base != GRAPH_NONE) {
        return error_set(err, STATUS_MODEL, "value %zu '%s': its base %d is a view itself", index,
                         v->name, v->base);
    }
    uint64_t elements = shape_elements(v->shape);
    if (!shape_valid(base->shape, VALUE_MAX_RANK) || v->base_offset > SHAPE_MAX_ELEMENTS ||
        v->base_offset + elements > shape_elements(base->shape)) {
        return error_set(err, STATUS_MODEL, "value %zu '%s': lies outside its base %d", index,
                         v->name, v->base);
    }
    return STATUS_OK;
}

static status check_weight(const graph *g, size_t index, error *err)
{
    const weight *w = &g->weights[index];
    if (!w->name) {
        return error_set(err, STATUS_MODEL, "weight %zu has no name", index);
    }
    if (!shape_valid(w->shape, SHAPE_MAX_RANK)) {
        return error_set(err, STATUS_MODEL,
                         "weight %zu '%s': its shape is empty, too large or not of rank 1 to %d",
                         index, w->name, SHAPE_MAX_RANK);
    }
    if (!w->data || (uintptr_t)w->data % _Alignof(float) != 0) {
        return error_set(err, STATUS_MODEL, "weight %zu '%s': no data, or not aligned", index,
                         w->name);
    }
    return STATUS_OK;
}

static bool value_exists(const graph *g, int v)
{
    return v >= 0 && (size_t)v < g->value_count;
}

static status check_tables(const graph *g, error *err)
{
    if (!g->memory) {
        return error_set(err, STATUS_MODEL, "the graph has no memory");
    }
    if (g->value_count == 0 || g->value_count > GRAPH_MAX_VALUES || !g->values ||
        g->node_count > GRAPH_MAX_NODES || (g->node_count > 0 && !g->nodes) ||
        g->weight_count > GRAPH_MAX_WEIGHTS || (g->weight_count > 0 && !g->weights) ||
        g->output_count == 0 || g->output_count > GRAPH_MAX_INPUTS || !g->outputs) {
        return error_set(err, STATUS_MODEL,
                         "the graph has %zu values, %zu weights, %zu nodes, %zu outputs, or lacks "
                         "one of these tables",
                         g->value_count, g->weight_count, g->node_count, g->output_count);
    }
    status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < g->value_count; i++) {
        s = check_value(g, i, err);
    }
    for (size_t i = 0; s == STATUS_OK && i < g->weight_count; i++) {
        s = check_weight(g, i, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (!value_exists(g, g->input) || g->values[g->input].shape.rank != 3 ||
        g->values[g->input].base != GRAPH_NONE) {
        return error_set(err, STATUS_MODEL,
                         "the graph's input %d is not a map (H, W, C) of its own", g->input);
    }
    for (size_t i = 0; i < g->output_count; i++) {
        if (!value_exists(g, g->outputs[i])) {
            return error_set(err, STATUS_MODEL, "output %zu is value %d, which does not exist", i,
                             g->outputs[i]);
        }
    }
    return STATUS_OK;
}

/* A node by itself, and that its outputs exist and have the shapes that it makes. */
static status check_node(const graph *g, size_t index, error *err)
{
    const node *n = &g->nodes[index];
    shape shapes[2 * CONV2D_MAX_BRANCHES] = {{0}};
    if (!n->name) {
        return error_set(err, STATUS_MODEL, "node %zu has no name", index);
    }
    status s = graph_infer(g, n, shapes, err);
    if (s != STATUS_OK) {
        error_prefix(err, "node %zu: ", index);
        return s;
    }
    for (int i = 0; i < n->output_count; i++) {
        int v = n->outputs[i];
        if (v == GRAPH_NONE && n->op == OP_CONV2D) {
            continue; /* graph_infer knows which of them a convolution may leave out */
        }
        if (!value_exists(g, v)) {
            return error_set(err, STATUS_MODEL,
                             "node %zu: %s '%s': output %d is value %d, which does not exist",
                             index, op_name(n->op), n->name, i, v);
        }
        if (!shape_equal(g->values[v].shape, shapes[i])) {
            char has[64], makes[64];
            shape_text(g->values[v].shape, has);
            shape_text(shapes[i], makes);
            return error_set(err, STATUS_MODEL,
                             "node %zu: %s '%s': output '%s' is %s, but the node makes %s", index,
                             op_name(n->op), n->name, g->values[v].name, has, makes);
        }
    }
    return STATUS_OK;
}

/* --- who writes what, and when --- */

static int compare_writings(const void *a, const void *b)
{
    const writing *x = a, *y = b;
    if (x->storage != y->storage) {
        return x->storage < y->storage ? -1 : 1;
    }
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return x->value < y->value ? -1 : x->value > y->value;
}

static void add_writing(checker *c, int v)
{
    uint64_t begin = c->g->values[v].base_offset;
    c->writings[c->writing_count++] = (writing){
        .storage = graph_storage(c->g, v),
        .value = v,
        .begin = begin,
        .end = begin + shape_elements(c->g->values[v].shape),
    };
}

static status collect_writings(checker *c, error *err)
{
    const graph *g = c->g;
    add_writing(c, g->input);
    for (size_t i = 0; i < g->node_count; i++) {
        for (int k = 0; k < g->nodes[i].output_count; k++) {
            if (g->nodes[i].outputs[k] != GRAPH_NONE) {
                add_writing(c, g->nodes[i].outputs[k]);
            }
        }
    }
    qsort(c->writings, c->writing_count, sizeof *c->writings, compare_writings);
    for (size_t v = 0; v < g->value_count; v++) {
        c->slot[v] = GRAPH_NONE;
        if (g->values[v].base != GRAPH_NONE) {
            c->shared[v] = c->shared[g->values[v].base] = true;
        }
    }
    for (size_t i = 0; i < c->writing_count; i++) {
        const writing *w = &c->writings[i];
        c->slot[w->value] = (int)i;
        if (i > 0 && w[-1].storage == w->storage && w[-1].end > w->begin) {
            return error_set(err, STATUS_MODEL,
                             "values '%s' and '%s' are written to the same elements",
                             g->values[w[-1].value].name, g->values[w->value].name);
        }
    }
    return STATUS_OK;
}

/* the value's elements have been written now */
static void mark_written(checker *c, int v)
{
    const writing *w = &c->writings[c->slot[v]];
    for (size_t i = (size_t)c->slot[v] + 1; i <= c->writing_count; i += i & (~i + 1)) {
        c->done[i] += w->end - w->begin;
    }
}

/* elements written so far by the first `count` writings */
static uint64_t written_before(const checker *c, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = count; i > 0; i -= i & (~i + 1)) {
        sum += c->done[i];
    }
    return sum;
}

/* index of the first writing that ends after (storage, element) */
static size_t first_writing(const checker *c, int storage, uint64_t element)
{
    size_t low = 0, high = c->writing_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const writing *w = &c->writings[middle];
        if (w->storage < storage || (w->storage == storage && w->end <= element)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Every element of v has been written: the writings that touch it are disjoint, so it suffices that
 * they add up, less what sticks out at both ends. */
static bool is_written(const checker *c, int v)
{
    int storage = graph_storage(c->g, v);
    uint64_t begin = c->g->values[v].base_offset;
    uint64_t end = begin + shape_elements(c->g->values[v].shape), needed = end - begin;
    size_t first = first_writing(c, storage, begin), last = first_writing(c, storage, end - 1);
    if (last >= c->writing_count || c->writings[last].storage != storage) {
        return false;
    }
    if (c->writings[first].begin < begin) {
        needed += begin - c->writings[first].begin;
    }
    needed += c->writings[last].end - end;
    return written_before(c, last + 1) - written_before(c, first) == needed;
}

static bool reads_any_layout(op o)
{
    return o == OP_RESHAPE || o == OP_CONCAT || o == OP_PERMUTE;
}

static status check_order(checker *c, error *err)
{
    const graph *g = c->g;
    mark_written(c, g->input);
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; k < n->input_count; k++) {
            const value *v = &g->values[n->inputs[k]];
            if (!is_written(c, n->inputs[k])) {
                return error_set(err, STATUS_MODEL,
                                 "node %zu: %s '%s': reads '%s' before it is made (or it never is)",
                                 i, op_name(n->op), n->name, v->name);
            }
            int storage = graph_storage(g, n->inputs[k]);
            if (c->shared[n->inputs[k]] && !reads_any_layout(n->op) &&
                (!value_layout_dense(v->shape) || v->base_offset % 4 != 0 ||
                 !value_layout_dense(g->values[storage].shape))) {
                return error_set(err, STATUS_MODEL,
                                 "node %zu: %s '%s': '%s' shares storage in a layout that it "
                                 "cannot read",
                                 i, op_name(n->op), n->name, v->name);
            }
        }
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] != GRAPH_NONE) {
                mark_written(c, n->outputs[k]);
            }
        }
    }
    for (size_t i = 0; i < g->output_count; i++) {
        if (!is_written(c, g->outputs[i])) {
            return error_set(err, STATUS_MODEL, "output %zu, '%s', is never made", i,
                             g->values[g->outputs[i]].name);
        }
    }
    return STATUS_OK;
}

status graph_validate(const graph *g, error *err)
{
    status s = check_tables(g, err);
    size_t writings = 1;
    for (size_t i = 0; s == STATUS_OK && i < g->node_count; i++) {
        s = check_node(g, i, err);
        writings += s == STATUS_OK ? (size_t)g->nodes[i].output_count : 0;
    }
    if (s != STATUS_OK) {
        return s;
    }
    const allocator *a = region_allocator(g->memory);
    checker c = {.g = g};
    c.writings = memory_allocate(a, writings, sizeof *c.writings);
    c.done = memory_allocate(a, writings + 1, sizeof *c.done);
    c.slot = memory_allocate(a, g->value_count, sizeof *c.slot);
    c.shared = memory_allocate(a, g->value_count, sizeof *c.shared);
    if (!c.writings || !c.done || !c.slot || !c.shared) {
        s = STATUS_MEMORY;
        (void)error_set(err, s, "out of memory while checking a graph");
    } else {
        s = collect_writings(&c, err);
        s = s == STATUS_OK ? check_order(&c, err) : s;
    }
    memory_release(a, c.writings);
    memory_release(a, c.done);
    memory_release(a, c.slot);
    memory_release(a, c.shared);
    return s;
}
