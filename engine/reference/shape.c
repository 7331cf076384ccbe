/* Operators that only move values: pad, crop, concat, reshape, permute. A copy is exact. */
#include "engine/reference/operators.h"

#include <string.h>

static void bound_copies(const operands *o)
{
    float *bound = operand_bound(o, 0);
    size_t count = bound ? (size_t)shape_elements(operand_output_shape(o, 0)) : 0;
    for (size_t i = 0; i < count; i++) {
        bound[i] = bound_round(FLUSHED(1));
    }
}

void reference_zero_pad(const operands *o)
{
    map from = map_of(operand_input_shape(o, 0)), to = map_of(operand_output_shape(o, 0));
    uint32_t top = o->node->attributes.border.top, left = o->node->attributes.border.left;
    float *out = operand_output(o, 0);
    memset(out, 0, (size_t)shape_elements(operand_output_shape(o, 0)) * sizeof *out);
    for (uint32_t y = 0; y < from.height; y++) {
        memcpy(out + map_at(to, y + top, left), operand_input(o, 0) + map_at(from, y, 0),
               (size_t)from.width * from.channels * sizeof *out);
    }
    bound_copies(o);
}

void reference_crop(const operands *o)
{
    map from = map_of(operand_input_shape(o, 0)), to = map_of(operand_output_shape(o, 0));
    uint32_t top = o->node->attributes.border.top, left = o->node->attributes.border.left;
    float *out = operand_output(o, 0);
    for (uint32_t y = 0; y < to.height; y++) {
        memcpy(out + map_at(to, y, 0), operand_input(o, 0) + map_at(from, y + top, left),
               (size_t)to.width * to.channels * sizeof *out);
    }
    bound_copies(o);
}

/* Each input is a sequence of runs: its dimensions from the axis on, once for every index of the
 * dimensions before it. The output interleaves the runs. */
void reference_concat(const operands *o)
{
    uint32_t axis = o->node->attributes.axis;
    float *out = operand_output(o, 0);
    shape s = operand_output_shape(o, 0);
    size_t outer = 1, run = 1, offset = 0;
    for (uint32_t d = 0; d < s.rank; d++) {
        *(d < axis ? &outer : &run) *= s.dim[d];
    }
    for (int i = 0; i < o->node->input_count; i++) {
        size_t part = (size_t)shape_elements(operand_input_shape(o, i)) / outer;
        for (size_t k = 0; k < outer; k++) {
            memmove(out + k * run + offset, operand_input(o, i) + k * part, part * sizeof *out);
        }
        offset += part;
    }
    bound_copies(o);
}

void reference_reshape(const operands *o)
{
    float *out = operand_output(o, 0);
    memmove(out, operand_input(o, 0),
            (size_t)shape_elements(operand_output_shape(o, 0)) * sizeof *out);
    bound_copies(o);
}

void reference_permute(const operands *o)
{
    const float *in = operand_input(o, 0);
    float *out = operand_output(o, 0);
    shape from = operand_input_shape(o, 0), to = operand_output_shape(o, 0);
    size_t in_stride[SHAPE_MAX_RANK], count = (size_t)shape_elements(to);
    size_t next = 1;
    for (uint32_t d = from.rank; d-- > 0;) {
        in_stride[d] = next;
        next *= from.dim[d];
    }
    for (size_t i = 0; i < count; i++) {
        size_t rest = i, at = 0;
        for (uint32_t d = to.rank; d-- > 0;) {
            at += rest % to.dim[d] * in_stride[o->node->attributes.permutation[d]];
            rest /= to.dim[d];
        }
        out[i] = in[at];
    }
    bound_copies(o);
}
