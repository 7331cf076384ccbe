/* Lowering of everything that only moves elements: reshape, permute, padding, cropping, the parts
 * of a concatenation, and the copies into padded pixels that convolutions ask for. */
#include "engine/plan/internal.h"

enum { INVOCATIONS = 64 };

/* A box of the target filled from a source with these strides. */
typedef struct copy {
    place source, target;
    uint32_t source_row, source_pixel, source_channel; /* elements; of a step in the target */
    uint32_t width, height, channels, tail;
    uint32_t source_width, source_height, top, left;
    uint32_t source_offset, target_offset; /* elements, added to those of the places */
    bool reshape;
    const char *variant;
} copy;

static copy copy_whole(const place *source, const place *target, const char *variant)
{
    return (copy){
        .source = *source,
        .target = *target,
        .source_row = source->width * source->stride,
        .source_pixel = source->stride,
        .source_channel = 1,
        .width = target->width,
        .height = target->height,
        .channels = target->channels,
        .tail = target->stride - target->channels,
        .source_width = target->width,
        .source_height = target->height,
        .variant = variant,
    };
}

static bool copy_is_vector(const copy *c)
{
    uint32_t strides = c->source.offset | c->source_offset | c->source_row | c->source_pixel |
                       c->target.offset | c->target_offset | c->target.stride;
    return !c->reshape && c->source_channel == 1 && strides % 4 == 0 &&
           (c->channels + c->tail) % 4 == 0 && c->tail < 4 &&
           (c->tail == 0 || c->source.stride >= c->channels + c->tail);
}

static status emit_copy(builder *b, int index, const char *name, const copy *c)
{
    struct copy_push push = {
        .target_words = (uint32_t)b->p->buffers[c->target.buffer].words,
        .target_offset = c->target.offset + c->target_offset,
        .target_row = c->target.width * c->target.stride,
        .target_pixel = c->target.stride,
        .source_words = (uint32_t)b->p->buffers[c->source.buffer].words,
        .source_offset = c->source.offset + c->source_offset,
        .source_row = c->source_row,
        .source_pixel = c->source_pixel,
        .source_channel = c->source_channel,
        .width = c->width,
        .height = c->height,
        .channels = c->channels,
        .tail = c->tail,
        .source_width = c->source_width,
        .source_height = c->source_height,
        .top = c->top,
        .left = c->left,
    };
    plan_step *step;
    status s = builder_step(b, KERNEL_COPY, "copy", index, name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct copy_push, target_base), c->target.buffer);
    step_offset(step, offsetof(struct copy_push, source_base), c->source.buffer);
    step_constant(step, SPEC_COPY_RESHAPE, c->reshape);
    step_constant(step, SPEC_COPY_VECTOR, copy_is_vector(c));
    step_constant(step, SPEC_COPY_HALF, place_halves(&c->source, &c->target));
    step->variant = c->variant;
    uint64_t written = (uint64_t)c->height * c->width * c->channels;
    uint64_t source = (uint64_t)c->source.height * c->source.width * c->source.channels;
    step_reads(step, c->source.buffer,
               element_words(c->source.element, source < written ? source : written));
    step_writes(step, c->target.buffer, element_words(c->target.element, written));
    uint64_t invocations = (uint64_t)c->height * c->width * blocks_of(c->channels + c->tail);
    s = step_groups(b, step, INVOCATIONS, (invocations + INVOCATIONS - 1) / INVOCATIONS);
    step_finish(b, step);
    return s;
}

status lower_align_copy(builder *b, const char *name, const place *source, const place *target)
{
    copy c = copy_whole(source, target, "align");
    return emit_copy(b, GRAPH_NONE, name, &c);
}

static copy reshape_copy(const place *source, const place *target)
{
    copy c = copy_whole(source, target, "reshape");
    if (source->channels == target->channels) { /* pixel by pixel */
        c.source_row = target->width * source->stride;
        return c;
    }
    c.reshape = true;
    c.source_pixel = source->stride;
    c.source_channel = source->channels;
    return c;
}

static copy permute_copy(const struct node *n, uint32_t rank, const place *source,
                         const place *target)
{
    copy c = copy_whole(source, target, "permute");
    const uint32_t stride[3] = {source->width * source->stride, source->stride, 1};
    uint32_t from[3] = {0, 1, 2}; /* input dimension of each output dimension, as (H, W, C) */
    for (uint32_t i = 0; i < rank; i++) {
        from[3 - rank + i] = 3 - rank + n->attributes.permutation[i];
    }
    c.source_row = stride[from[0]];
    c.source_pixel = stride[from[1]];
    c.source_channel = stride[from[2]];
    return c;
}

static copy border_copy(const struct node *n, const place *source, const place *target)
{
    copy c = copy_whole(source, target, n->op == OP_ZERO_PAD ? "pad" : "crop");
    if (n->op == OP_ZERO_PAD) {
        c.top = n->attributes.border.top;
        c.left = n->attributes.border.left;
        c.source_width = source->width;
        c.source_height = source->height;
    } else {
        c.source_offset =
            n->attributes.border.top * c.source_row + n->attributes.border.left * c.source_pixel;
    }
    return c;
}

static status lower_concat(builder *b, int index, const place *target)
{
    const struct node *n = &b->g->nodes[index];
    uint32_t axis = n->attributes.axis + 3 - b->g->values[n->outputs[0]].shape.rank;
    const uint32_t stride[3] = {target->width * target->stride, target->stride, 1};
    uint32_t at = 0;
    for (int i = 0; i < n->input_count; i++) {
        place source;
        status s = builder_value(b, n->inputs[i], &source);
        if (s != STATUS_OK) {
            return s;
        }
        copy c = copy_whole(&source, target, "concat");
        c.width = c.source_width = source.width;
        c.height = c.source_height = source.height;
        c.channels = source.channels;
        c.target_offset = at * stride[axis];
        if (axis == 2 && i + 1 < n->input_count) {
            c.tail = 0; /* the last part fills the padding lanes */
        }
        s = emit_copy(b, index, NULL, &c);
        if (s != STATUS_OK) {
            return s;
        }
        at += axis == 0 ? source.height : axis == 1 ? source.width : source.channels;
    }
    return STATUS_OK;
}

status lower_copy(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    place source, target;
    status s = builder_value(b, n->outputs[0], &target);
    if (s != STATUS_OK) {
        return s;
    }
    if (n->op == OP_CONCAT) {
        return lower_concat(b, index, &target);
    }
    s = builder_value(b, n->inputs[0], &source);
    if (s != STATUS_OK) {
        return s;
    }
    copy c;
    if (n->op == OP_RESHAPE) {
        c = reshape_copy(&source, &target);
    } else if (n->op == OP_PERMUTE) {
        c = permute_copy(n, b->g->values[n->outputs[0]].shape.rank, &source, &target);
    } else {
        c = border_copy(n, &source, &target);
    }
    return emit_copy(b, index, NULL, &c);
}
