/* Graphs: shapes, building, copying and the questions that passes and planner ask. What an operator
 * accepts is in graph_infer.c, what a whole graph must satisfy in graph_validate.c. */
#include "engine/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const activation activation_linear = {ACTIVATION_LINEAR, 0.0f, 0.0f, INFINITY};
const activation activation_relu = {ACTIVATION_RELU, 0.0f, 0.0f, INFINITY};

static status out_of_memory(error *err)
{
    (void)error_set(err, STATUS_MEMORY, "out of memory while building a graph");
    return STATUS_MEMORY;
}

/* --- shapes --- */

shape shape_make(uint32_t rank, const uint32_t *dim)
{
    shape s = {.rank = rank};
    for (uint32_t i = 0; i < rank && i < SHAPE_MAX_RANK; i++) {
        s.dim[i] = dim[i];
    }
    return s;
}

bool shape_equal(shape a, shape b)
{
    if (a.rank != b.rank) {
        return false;
    }
    for (uint32_t i = 0; i < a.rank && i < SHAPE_MAX_RANK; i++) {
        if (a.dim[i] != b.dim[i]) {
            return false;
        }
    }
    return true;
}

uint64_t shape_elements(shape s)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < s.rank && i < SHAPE_MAX_RANK; i++) {
        n *= s.dim[i];
    }
    return n;
}

void shape_hwc(shape s, uint32_t *height, uint32_t *width, uint32_t *channels)
{
    *height = s.rank >= 3 ? s.dim[s.rank - 3] : 1;
    *width = s.rank >= 2 ? s.dim[s.rank - 2] : 1;
    *channels = s.rank >= 1 ? s.dim[s.rank - 1] : 1;
}

void shape_text(shape s, char text[64])
{
    (void)snprintf(text, 64, "scalar");
    size_t used = 0;
    for (uint32_t i = 0; i < s.rank && i < SHAPE_MAX_RANK; i++) {
        used += (size_t)snprintf(text + used, 64 - used, i ? "x%u" : "%u", (unsigned)s.dim[i]);
    }
}

bool shape_valid(shape s, uint32_t max_rank)
{
    if (s.rank < 1 || s.rank > max_rank || s.rank > SHAPE_MAX_RANK) {
        return false;
    }
    uint64_t n = 1;
    for (uint32_t i = 0; i < s.rank; i++) {
        if (s.dim[i] < 1 || s.dim[i] > SHAPE_MAX_DIM) {
            return false;
        }
        n *= s.dim[i]; /* at most 2^28 * 2^20 */
        if (n > SHAPE_MAX_ELEMENTS) {
            return false;
        }
    }
    return true;
}

bool value_layout_dense(shape s)
{
    return s.rank >= 1 && s.rank <= SHAPE_MAX_RANK && s.dim[s.rank - 1] % 4 == 0;
}

/* --- building --- */

status graph_create(const allocator *a, graph **out, error *err)
{
    region *memory = region_create(a);
    if (!memory) {
        return out_of_memory(err);
    }
    graph *g = region_allocate(memory, 1, sizeof *g);
    if (!g) {
        region_destroy(memory);
        return out_of_memory(err);
    }
    g->memory = memory;
    g->input = GRAPH_NONE;
    *out = g;
    return STATUS_OK;
}

void graph_destroy(graph *g)
{
    if (g) {
        region_destroy(g->memory);
    }
}

/* As memory_grow, but in the graph's region: the old array stays behind until the graph goes. */
static bool grow(region *r, void **array, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    size_t larger = *capacity < 16 ? 16 : *capacity * 2;
    void *memory = region_allocate(r, larger, size);
    if (!memory) {
        return false;
    }
    if (count > 0) {
        memcpy(memory, *array, count * size);
    }
    *array = memory;
    *capacity = larger;
    return true;
}

status graph_add_value(graph *g, const char *name, shape s, int *out, error *err)
{
    char text[64];
    shape_text(s, text);
    if (!name) {
        return error_set(err, STATUS_ARGUMENT, "a value needs a name");
    }
    if (!shape_valid(s, VALUE_MAX_RANK)) {
        return error_set(err, STATUS_MODEL,
                         "value '%s': shape %s of rank %u is empty, too large or not of rank 1 to "
                         "%d",
                         name, text, (unsigned)s.rank, VALUE_MAX_RANK);
    }
    if (g->value_count >= GRAPH_MAX_VALUES) {
        return error_set(err, STATUS_LIMIT, "value '%s': a graph has at most %d values", name,
                         GRAPH_MAX_VALUES);
    }
    void *values = g->values;
    char *copy = region_string(g->memory, name);
    if (!copy || !grow(g->memory, &values, &g->value_capacity, g->value_count, sizeof(value))) {
        return out_of_memory(err);
    }
    g->values = values;
    *out = (int)g->value_count;
    g->values[g->value_count++] = (value){.name = copy, .shape = s, .base = GRAPH_NONE};
    return STATUS_OK;
}

status graph_add_weight(graph *g, const char *name, shape s, const float *data, int *out,
                        error *err)
{
    char text[64];
    shape_text(s, text);
    if (!name || !data) {
        return error_set(err, STATUS_ARGUMENT, "a weight needs a name and data");
    }
    if (!shape_valid(s, SHAPE_MAX_RANK)) {
        return error_set(err, STATUS_MODEL,
                         "weight '%s': shape %s of rank %u is empty, too large or not of rank 1 to "
                         "%d",
                         name, text, (unsigned)s.rank, SHAPE_MAX_RANK);
    }
    if (g->weight_count >= GRAPH_MAX_WEIGHTS) {
        return error_set(err, STATUS_LIMIT, "weight '%s': a graph has at most %d weights", name,
                         GRAPH_MAX_WEIGHTS);
    }
    void *weights = g->weights;
    char *copy = region_string(g->memory, name);
    if (!copy || !grow(g->memory, &weights, &g->weight_capacity, g->weight_count, sizeof(weight))) {
        return out_of_memory(err);
    }
    g->weights = weights;
    *out = (int)g->weight_count;
    g->weights[g->weight_count++] = (weight){.name = copy, .shape = s, .data = data};
    return STATUS_OK;
}

status graph_set_outputs(graph *g, const int *values, size_t count, error *err)
{
    int *copy = region_allocate(g->memory, count, sizeof *copy);
    if (!copy) {
        return out_of_memory(err);
    }
    if (count > 0) {
        memcpy(copy, values, count * sizeof *copy);
    }
    g->outputs = copy;
    g->output_count = count;
    return STATUS_OK;
}

/* A copy of `count` elements in r (of at least one, so that NULL means no memory). */
static void *copy_array(region *r, const void *from, size_t count, size_t size)
{
    void *to = region_allocate(r, count ? count : 1, size);
    if (to && from && count > 0) {
        memcpy(to, from, count * size);
    }
    return to;
}

static bool copy_node(region *r, const node *from, node *to)
{
    *to = *from;
    to->name = region_string(r, from->name);
    to->inputs = copy_array(r, from->inputs, (size_t)from->input_count, sizeof(int));
    to->outputs = copy_array(r, from->outputs, (size_t)from->output_count, sizeof(int));
    to->weights = copy_array(r, from->weights, (size_t)from->weight_count, sizeof(int));
    to->act = copy_array(r, from->act, (size_t)from->act_count, sizeof(activation));
    return to->name && to->inputs && to->outputs && to->weights && to->act;
}

/* What a caller may leave out of a node: the outputs (all of them) and activations (linear). */
typedef struct node_defaults {
    int outputs[2 * CONV2D_MAX_BRANCHES];
    activation act[CONV2D_MAX_BRANCHES];
} node_defaults;

static void fill_defaults(node *n, node_defaults *d)
{
    bool conv = n->op == OP_CONV2D;
    int branches = conv ? n->attributes.conv.branches : 1;
    if (branches < 1 || branches > CONV2D_MAX_BRANCHES) {
        return; /* graph_infer says so */
    }
    if (!n->outputs) {
        n->outputs = d->outputs;
        n->output_count = conv ? 2 * branches : 1;
        for (int i = 0; i < n->output_count; i++) {
            bool absent = i % 2 == 1 && !n->attributes.conv.pooled;
            d->outputs[i] = absent ? GRAPH_NONE : 0;
        }
    }
    if (!n->act) {
        n->act = d->act;
        n->act_count = branches;
        for (int b = 0; b < branches; b++) {
            d->act[b] = activation_linear;
        }
    }
}

/* The value of a node's first branch carries the node's name. */
static const char *output_name(region *r, const node *n, int index)
{
    if (index == 0) {
        return n->name;
    }
    const char *what = index % 2 ? "/pooled" : "";
    return index < 2 ? region_format(r, "%s%s", n->name, what)
                     : region_format(r, "%s/%d%s", n->name, index / 2, what);
}

static status make_outputs(graph *g, node *n, const shape *shapes, error *err)
{
    for (int i = 0; i < n->output_count; i++) {
        if (n->outputs[i] == GRAPH_NONE) {
            continue;
        }
        if (shapes[i].rank == 0) {
            return error_set(err, STATUS_MODEL, "%s '%s': output %d does not exist", op_name(n->op),
                             n->name, i);
        }
        const char *name = output_name(g->memory, n, i);
        if (!name) {
            return out_of_memory(err);
        }
        status s = graph_add_value(g, name, shapes[i], &n->outputs[i], err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

status graph_add_node(graph *g, const node *n, int *out, error *err)
{
    if (!n->name) {
        return error_set(err, STATUS_ARGUMENT, "a node needs a name");
    }
    if (g->node_count >= GRAPH_MAX_NODES) {
        return error_set(err, STATUS_LIMIT, "node '%s': a graph has at most %d nodes", n->name,
                         GRAPH_MAX_NODES);
    }
    node_defaults defaults;
    node full = *n, copy;
    fill_defaults(&full, &defaults);
    shape shapes[2 * CONV2D_MAX_BRANCHES] = {{0}};
    status s = graph_infer(g, &full, shapes, err);
    if (s != STATUS_OK) {
        return s;
    }
    void *nodes = g->nodes;
    if (!copy_node(g->memory, &full, &copy) ||
        !grow(g->memory, &nodes, &g->node_capacity, g->node_count, sizeof(node))) {
        return out_of_memory(err);
    }
    g->nodes = nodes;
    size_t values_before = g->value_count;
    s = make_outputs(g, &copy, shapes, err);
    if (s != STATUS_OK) {
        g->value_count = values_before;
        return s;
    }
    if (out) {
        *out = (int)g->node_count;
    }
    g->nodes[g->node_count++] = copy;
    return STATUS_OK;
}

status graph_clone(const graph *g, const allocator *a, graph **out, error *err)
{
    graph *c = NULL;
    status s = graph_create(a, &c, err);
    if (s != STATUS_OK) {
        return s;
    }
    c->values = copy_array(c->memory, g->values, g->value_count, sizeof(value));
    c->weights = copy_array(c->memory, g->weights, g->weight_count, sizeof(weight));
    c->nodes = copy_array(c->memory, g->nodes, g->node_count, sizeof(node));
    c->outputs = copy_array(c->memory, g->outputs, g->output_count, sizeof(int));
    bool copied = c->values && c->weights && c->nodes && c->outputs;
    c->value_count = c->value_capacity = g->value_count;
    c->weight_count = c->weight_capacity = g->weight_count;
    c->node_count = c->node_capacity = g->node_count;
    c->output_count = g->output_count;
    c->input = g->input;
    for (size_t i = 0; copied && i < c->value_count; i++) {
        copied = (c->values[i].name = region_string(c->memory, g->values[i].name)) != NULL;
    }
    for (size_t i = 0; copied && i < c->weight_count; i++) {
        copied = (c->weights[i].name = region_string(c->memory, g->weights[i].name)) != NULL;
    }
    for (size_t i = 0; copied && i < c->node_count; i++) {
        copied = copy_node(c->memory, &g->nodes[i], &c->nodes[i]);
    }
    if (!copied) {
        graph_destroy(c);
        return out_of_memory(err);
    }
    *out = c;
    return STATUS_OK;
}

/* --- asking --- */

int graph_storage(const graph *g, int v)
{
    return g->values[v].base == GRAPH_NONE ? v : g->values[v].base;
}

int graph_producer(const graph *g, int v)
{
    int storage = graph_storage(g, v);
    uint64_t begin = g->values[v].base_offset, end = begin + shape_elements(g->values[v].shape);
    for (size_t i = 0; i < g->node_count; i++) {
        for (int k = 0; k < g->nodes[i].output_count; k++) {
            int o = g->nodes[i].outputs[k];
            if (o == v) {
                return (int)i;
            }
            if (o == GRAPH_NONE || graph_storage(g, o) != storage) {
                continue;
            }
            uint64_t from = g->values[o].base_offset;
            if (from < end && from + shape_elements(g->values[o].shape) > begin) {
                return (int)i;
            }
        }
    }
    return GRAPH_NONE;
}

int graph_find_value(const graph *g, const char *name)
{
    for (size_t i = 0; i < g->value_count; i++) {
        if (strcmp(g->values[i].name, name) == 0) {
            return (int)i;
        }
    }
    return GRAPH_NONE;
}
