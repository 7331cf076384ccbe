/* The reference executor: storage for values, and the node that is run next. */
#include "engine/reference/operators.h"

#include <math.h>

/* every value begins on a cache line */
enum { VALUE_ALIGN_FLOATS = 16 };

static size_t storage_floats(const graph *g, size_t v)
{
    uint64_t elements = shape_elements(g->values[v].shape);
    return (size_t)((elements + VALUE_ALIGN_FLOATS - 1) / VALUE_ALIGN_FLOATS * VALUE_ALIGN_FLOATS);
}

status reference_values_create(const graph *g, const allocator *a, reference_values *out,
                               error *err)
{
    reference_values v = {.alloc = *a, .count = g->value_count};
    size_t total = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        if (g->values[i].base == GRAPH_NONE && !checked_add(total, storage_floats(g, i), &total)) {
            return error_set(err, STATUS_LIMIT, "values of the graph exceed the address space");
        }
    }
    if (g->value_count > 0) {
        v.data = memory_allocate(a, g->value_count, sizeof *v.data);
        v.storage = memory_allocate(a, total, sizeof *v.storage);
        if (!v.data || !v.storage) {
            reference_values_destroy(&v);
            return error_set(err, STATUS_MEMORY, "out of memory for %zu floats of values", total);
        }
    }
    size_t next = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        if (g->values[i].base == GRAPH_NONE) {
            v.data[i] = v.storage + next;
            next += storage_floats(g, i);
        }
    }
    for (size_t i = 0; i < g->value_count; i++) {
        const value *view = &g->values[i];
        if (view->base != GRAPH_NONE) {
            v.data[i] = v.data[view->base] + view->base_offset;
        }
    }
    *out = v;
    return STATUS_OK;
}

void reference_values_destroy(reference_values *v)
{
    memory_release(&v->alloc, v->data);
    memory_release(&v->alloc, v->storage);
    v->data = NULL;
    v->storage = NULL;
    v->count = 0;
}

static void (*const operators[OP_COUNT])(const operands *) = {
    [OP_CONV2D] = reference_convolution,
    [OP_DEPTHWISE] = reference_convolution,
    [OP_DENSE] = reference_convolution,
    [OP_BATCH_NORM] = reference_batch_norm,
    [OP_ACTIVATION] = reference_activation,
    [OP_PRELU] = reference_prelu,
    [OP_SOFTMAX] = reference_softmax,
    [OP_MAX_POOL] = reference_max_pool,
    [OP_AVERAGE_POOL] = reference_average_pool,
    [OP_GLOBAL_AVERAGE] = reference_global_average,
    [OP_ZERO_PAD] = reference_zero_pad,
    [OP_CROP] = reference_crop,
    [OP_RESIZE] = reference_resize,
    [OP_ADD] = reference_add,
    [OP_MULTIPLY] = reference_multiply,
    [OP_CONCAT] = reference_concat,
    [OP_RESHAPE] = reference_reshape,
    [OP_PERMUTE] = reference_permute,
};

static status check_node(const graph *g, size_t index, const reference_values *values,
                         const reference_values *bound, error *err)
{
    if (index >= g->node_count || values->count != g->value_count ||
        (bound && bound->count != g->value_count)) {
        return error_set(err, STATUS_ARGUMENT, "node %zu: the values belong to another graph",
                         index);
    }
    const node *n = &g->nodes[index];
    if ((unsigned)n->op >= OP_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "node %zu (%s): unknown operator", index, n->name);
    }
    return STATUS_OK;
}

status reference_run_sample(const graph *g, size_t index, uint32_t cells, reference_values *values,
                            reference_values *bound, error *err)
{
    status s = check_node(g, index, values, bound, err);
    if (s == STATUS_OK) {
        const node *n = &g->nodes[index];
        operands o = {g, n, values->data, bound ? bound->data : NULL, cells, NULL};
        operators[n->op](&o);
    }
    return s;
}

status reference_run_winograd(const graph *g, size_t index, uint32_t cells,
                              reference_values *values, reference_values *bound, error *err)
{
    status s = check_node(g, index, values, bound, err);
    double *errors[CONV2D_MAX_BRANCHES] = {NULL};
    if (s != STATUS_OK) {
        return s;
    }
    const node *n = &g->nodes[index];
    if (n->op != OP_CONV2D || n->attributes.conv.repeat) {
        return error_set(err, STATUS_ARGUMENT, "node %s is no convolution by itself", n->name);
    }
    operands o = {g, n, values->data, bound->data, cells, errors};
    for (int b = 0; s == STATUS_OK && b < n->attributes.conv.branches; b++) {
        s = winograd_errors(&o, b, &values->alloc, &errors[b], err);
    }
    if (s == STATUS_OK) {
        operators[n->op](&o);
    }
    for (int b = 0; b < n->attributes.conv.branches; b++) {
        memory_release(&values->alloc, errors[b]);
    }
    return s;
}

status reference_run_node(const graph *g, size_t index, reference_values *values,
                          reference_values *bound, error *err)
{
    return reference_run_sample(g, index, 0, values, bound, err);
}

status reference_run(const graph *g, reference_values *values, error *err)
{
    for (size_t i = 0; i < g->node_count; i++) {
        status s = reference_run_node(g, i, values, NULL, err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

double reference_gamma(uint64_t terms)
{
    double product = (double)terms * UNIT_ROUNDOFF;
    return product < 1.0 ? product / (1.0 - product) : (double)INFINITY;
}

void reference_widen_for_matrices(float *bound, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        bound[i] = bound_round(5 * (double)bound[i]);
    }
}

void reference_widen_for_halves(const float *exact, float *bound, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double y = fabs((double)exact[i]), b = (double)bound[i];
        double flushed = y - b < HALF_SMALLEST ? HALF_SMALLEST : 0;
        bound[i] = bound_round(b + HALF_ROUNDOFF * (y + b) + flushed);
    }
}

void reference_widen_for_bf16(const float *exact, float *bound, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double b = (double)bound[i];
        bound[i] = bound_round(b + BF16_ROUNDOFF * (fabs((double)exact[i]) + b));
    }
}

/* --- what the operators share --- */

const float *operand_input(const operands *o, int i)
{
    return o->data[o->node->inputs[i]];
}

shape operand_input_shape(const operands *o, int i)
{
    return o->graph->values[o->node->inputs[i]].shape;
}

float *operand_output(const operands *o, int i)
{
    int v = o->node->outputs[i];
    return v == GRAPH_NONE ? NULL : o->data[v];
}

shape operand_output_shape(const operands *o, int i)
{
    return o->graph->values[o->node->outputs[i]].shape;
}

float *operand_bound(const operands *o, int i)
{
    int v = o->node->outputs[i];
    return o->bound && v != GRAPH_NONE ? o->bound[v] : NULL;
}

const float *operand_weight(const operands *o, int i)
{
    if (i >= o->node->weight_count || o->node->weights[i] == GRAPH_NONE) {
        return NULL;
    }
    return o->graph->weights[o->node->weights[i]].data;
}

const activation *operand_activation(const operands *o, int i)
{
    return i < o->node->act_count ? &o->node->act[i] : &activation_linear;
}

map map_of(shape s)
{
    map m;
    shape_hwc(s, &m.height, &m.width, &m.channels);
    return m;
}

size_t map_at(map m, uint32_t y, uint32_t x)
{
    return ((size_t)y * m.width + x) * m.channels;
}

float bound_round(double bound)
{
    return nextafterf((float)bound, INFINITY);
}

void store(float *out, float *bound, size_t i, const activation *a, double x, double slack)
{
    out[i] = (float)activation_apply(a, x);
    if (bound) {
        bound[i] = bound_round(activation_bound(a, x, slack));
    }
}
