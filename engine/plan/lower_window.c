/* Lowering of pooling and of the resize; what every sliding window is checked for. */
#include "engine/plan/internal.h"
#include "engine/sampling.h"

enum { INVOCATIONS = 64 };

static uint32_t vector_bits(const place *source, const place *target)
{
    return (place_aligned(source) ? VECTOR_SOURCE : 0) |
           (place_aligned(target) ? VECTOR_TARGET : 0);
}

status window_check(const builder *b, int index, const window *w)
{
    const uint32_t sizes[] = {w->kernel_h,   w->kernel_w,   w->stride_h, w->stride_w,
                              w->dilation_h, w->dilation_w, w->pad_top,  w->pad_left};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] > UINT16_MAX) {
            return builder_error(b, STATUS_LIMIT, index, "a window measure above 65535");
        }
    }
    return STATUS_OK;
}

/* --- pooling --- */

static status emit_pool(builder *b, int index, uint32_t kind, const window *w, const place *source,
                        const place *target)
{
    struct pool_push push = {
        .source = operand_make(b, source),
        .target = operand_make(b, target),
        .source_width = source->width,
        .source_height = source->height,
        .width = target->width,
        .height = target->height,
        .channels = target->channels,
    };
    uint64_t window_cells = (uint64_t)source->height * source->width;
    uint64_t invocations = (uint64_t)target->height * target->width * blocks_of(target->channels);
    uint64_t per_group = INVOCATIONS;
    if (w) {
        push.pad = w->pad_top << 16 | w->pad_left;
        push.kernel = w->kernel_h << 16 | w->kernel_w;
        push.stride = w->stride_h << 16 | w->stride_w;
        window_cells = (uint64_t)w->kernel_h * w->kernel_w;
    } else {
        per_group = POOL_GLOBAL_INVOCATIONS / POOL_GLOBAL_SLICES;
    }
    plan_step *step;
    status s = builder_step(b, KERNEL_POOL, "pool", index, NULL, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct pool_push, source), source);
    step_operand(step, offsetof(struct pool_push, target), target);
    step_constant(step, SPEC_POOL_KIND, kind);
    step_constant(step, SPEC_POOL_VECTOR, vector_bits(source, target));
    step_constant(step, SPEC_POOL_HALF, place_halves(source, target));
    step->variant = kind == POOL_MAX ? "max" : kind == POOL_AVERAGE ? "average" : "global average";
    step_reads(step, source->buffer, place_words(source));
    step_writes(step, target->buffer, place_words(target));
    step->flops = place_elements(target) * window_cells;
    s = step_groups(b, step, w ? INVOCATIONS : POOL_GLOBAL_INVOCATIONS,
                    ceil_divide(invocations, per_group));
    step_finish(b, step);
    return s;
}

status lower_window_pool(builder *b, int index, uint32_t kind, const window *w, const place *source,
                         const place *target)
{
    status s = window_check(b, index, w);
    if (s != STATUS_OK) {
        return s;
    }
    if (w->dilation_h > 1 || w->dilation_w > 1) {
        return builder_error(b, STATUS_UNSUPPORTED, index, "a dilated pooling window");
    }
    return emit_pool(b, index, kind, w, source, target);
}

status lower_pool(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    place source, target;
    status s = builder_value(b, n->inputs[0], &source);
    if (s == STATUS_OK) {
        s = builder_value(b, n->outputs[0], &target);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (n->op == OP_GLOBAL_AVERAGE) {
        return emit_pool(b, index, POOL_GLOBAL_AVERAGE, NULL, &source, &target);
    }
    return lower_window_pool(b, index, n->op == OP_MAX_POOL ? POOL_MAX : POOL_AVERAGE,
                             &n->attributes.pool, &source, &target);
}

/* --- resize --- */

status lower_resize(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    place source, target;
    status s = builder_value(b, n->inputs[0], &source);
    if (s == STATUS_OK) {
        s = builder_value(b, n->outputs[0], &target);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (source.height > SAMPLING_MAX_SOURCE || source.width > SAMPLING_MAX_SOURCE ||
        target.height > SAMPLING_MAX_TARGET || target.width > SAMPLING_MAX_TARGET) {
        return error_set(b->err, STATUS_LIMIT,
                         "node %s: a resize from more than %d or to more than %d cells a side",
                         n->name, SAMPLING_MAX_SOURCE, SAMPLING_MAX_TARGET);
    }
    bool bilinear = n->attributes.resize.mode == RESIZE_BILINEAR;
    struct resize_push push = {
        .source = operand_make(b, &source),
        .target = operand_make(b, &target),
        .source_width = source.width,
        .source_height = source.height,
        .width = target.width,
        .height = target.height,
        .channels = target.channels,
        .grid = n->attributes.resize.align_corners ? RESIZE_ALIGN_CORNERS
                : n->attributes.resize.half_pixel  ? RESIZE_HALF_PIXEL
                                                   : RESIZE_STRETCH,
    };
    plan_step *step;
    s = builder_step(b, KERNEL_RESIZE, "resize", index, NULL, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct resize_push, source), &source);
    step_operand(step, offsetof(struct resize_push, target), &target);
    step_constant(step, SPEC_RESIZE_BILINEAR, bilinear);
    step_constant(step, SPEC_RESIZE_VECTOR, vector_bits(&source, &target));
    step_constant(step, SPEC_RESIZE_HALF, place_halves(&source, &target));
    step->variant = bilinear ? "bilinear" : "nearest";
    step_reads(step, source.buffer, place_words(&source));
    step_writes(step, target.buffer, place_words(&target));
    step->flops = node_flops(b->g, n);
    s = step_groups(b, step, INVOCATIONS,
                    ceil_divide((uint64_t)target.height * target.width * blocks_of(target.channels),
                                INVOCATIONS));
    step_finish(b, step);
    return s;
}
