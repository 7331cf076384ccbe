/* Which values are stored as halves. In a plan of fp16 a value is, unless
 *
 * 1. it is an output of the network, or only moved and activated on its way to one (a logit): what
 *    the network answers, and decode reads, is fp32;
 * 2. its pixels do not come in fours: the channels and the offset of every view of its storage
 *    must be multiples of four (a value without views has padded pixels);
 * 3. a node writes it in other portions than fours: softmax, a convolution whose groups do not come
 *    in fours, a concatenation along the channels whose parts do not begin at fours. Two of the
 *    kernel's invocations would share a word.
 *
 * Kernels of convolutions and dense layers are halves too. The rule asks the graph alone, so a plan
 * that keeps all values for a comparison computes what any other plan does. */
#include "engine/half.h"
#include "engine/plan/internal.h"

#include <math.h>

uint64_t element_words(element_type e, uint64_t count)
{
    return e == ELEMENT_F16 ? (count + 1) / 2 : count;
}

/* --- values --- */

static void keep_floats(builder *b, int v)
{
    if (v != GRAPH_NONE) {
        b->element[graph_storage(b->g, v)] = ELEMENT_F32;
    }
}

static bool moves_or_activates(op o)
{
    return o == OP_RESHAPE || o == OP_PERMUTE || o == OP_CONCAT || o == OP_CROP ||
           o == OP_ZERO_PAD || o == OP_ACTIVATION || o == OP_SOFTMAX;
}

/* Backwards, so that what is moved several times is followed to its origin. */
static void keep_outputs(builder *b)
{
    const graph *g = b->g;
    for (size_t i = 0; i < g->output_count; i++) {
        keep_floats(b, g->outputs[i]);
    }
    for (size_t i = g->node_count; i-- > 0;) {
        const struct node *n = &g->nodes[i];
        if (!moves_or_activates(n->op) ||
            b->element[graph_storage(g, n->outputs[0])] == ELEMENT_F16) {
            continue;
        }
        for (int k = 0; k < n->input_count; k++) {
            keep_floats(b, n->inputs[k]);
        }
    }
}

static void keep_odd_views(builder *b)
{
    const graph *g = b->g;
    for (size_t v = 0; v < g->value_count; v++) {
        const struct value *own = &g->values[v];
        uint32_t channels = own->shape.rank ? own->shape.dim[own->shape.rank - 1] : 1;
        if (b->dense[v] && (channels % 4 != 0 || own->base_offset % 4 != 0)) {
            keep_floats(b, (int)v);
        }
    }
}

static bool groups_in_fours(const graph *g, const struct node *n)
{
    uint32_t groups = n->attributes.conv.groups;
    for (int i = 0; groups > 1 && i < n->attributes.conv.branches; i++) {
        const struct weight *filter = &g->weights[n->weights[2 * i]];
        if (filter->shape.dim[2] % 4 != 0 || filter->shape.dim[3] / groups % 4 != 0) {
            return false;
        }
    }
    return true;
}

static bool parts_in_fours(const graph *g, const struct node *n)
{
    if (n->attributes.axis + 1 != g->values[n->outputs[0]].shape.rank) {
        return true;
    }
    for (int i = 0; i + 1 < n->input_count; i++) {
        shape s = g->values[n->inputs[i]].shape;
        if (s.dim[s.rank - 1] % 4 != 0) {
            return false;
        }
    }
    return true;
}

static bool writes_fours(const graph *g, const struct node *n)
{
    return n->op == OP_SOFTMAX  ? false
           : n->op == OP_CONV2D ? groups_in_fours(g, n)
           : n->op == OP_CONCAT ? parts_in_fours(g, n)
                                : true;
}

/* --- weights --- */

/* How many kernels node n has: its weights 0, 2, 4 ... */
static int kernel_count(const struct node *n)
{
    return n->op == OP_CONV2D                           ? n->attributes.conv.branches
           : n->op == OP_DEPTHWISE || n->op == OP_DENSE ? 1
                                                        : 0;
}

/* from here on a number is rounded to infinity */
#define HALF_OVERFLOW 65520.0f

static status check_kernels(const builder *b)
{
    for (size_t i = 0; i < b->g->node_count; i++) {
        const struct node *n = &b->g->nodes[i];
        for (int k = 0; k < kernel_count(n); k++) {
            const struct weight *w = &b->g->weights[n->weights[2 * k]];
            uint64_t count = shape_elements(w->shape);
            for (uint64_t e = 0; e < count; e++) {
                if (fabsf(w->data[e]) >= HALF_OVERFLOW) {
                    return error_set(b->err, STATUS_LIMIT,
                                     "node %s: a weight is %g, and fp16 ends at 65504; use fp32",
                                     n->name, (double)w->data[e]);
                }
            }
        }
    }
    return STATUS_OK;
}

status builder_elements(builder *b)
{
    const graph *g = b->g;
    bool halves = b->p->options.precision == PLAN_FP16;
    b->weight_element = halves ? ELEMENT_F16 : ELEMENT_F32;
    for (size_t v = 0; v < g->value_count; v++) {
        b->element[v] = b->weight_element;
    }
    if (!halves) {
        return STATUS_OK;
    }
    keep_outputs(b);
    keep_odd_views(b);
    for (size_t i = 0; i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; !writes_fours(g, n) && k < n->output_count; k++) {
            keep_floats(b, n->outputs[k]);
        }
    }
    return check_kernels(b);
}

status plan_round_weights(graph *g, plan_precision precision, error *err)
{
    for (size_t i = 0; precision == PLAN_FP16 && i < g->node_count; i++) {
        const struct node *n = &g->nodes[i];
        for (int k = 0; k < kernel_count(n); k++) {
            struct weight *w = &g->weights[n->weights[2 * k]];
            uint64_t count = shape_elements(w->shape);
            float *rounded = region_allocate(g->memory, (size_t)count, sizeof *rounded);
            if (!rounded) {
                return error_set(err, STATUS_MEMORY, "out of memory for rounded weights");
            }
            for (uint64_t e = 0; e < count; e++) {
                rounded[e] = half_to_float(half_stored(w->data[e]));
            }
            w->data = rounded;
        }
    }
    return STATUS_OK;
}
