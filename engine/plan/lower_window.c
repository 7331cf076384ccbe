/* Lowering of what slides a window over each channel on its own: depthwise convolution and pooling;
 * and of the resize. */
#include "engine/plan/internal.h"
#include "engine/sampling.h"

enum { INVOCATIONS = 64 };

static uint32_t vector_bits(const place *source, const place *target)
{
    return (place_aligned(source) ? VECTOR_SOURCE : 0) |
           (place_aligned(target) ? VECTOR_TARGET : 0);
}

static bool above_16_bits(const window *w)
{
    return w->kernel_h > UINT16_MAX || w->kernel_w > UINT16_MAX || w->stride_h > UINT16_MAX ||
           w->stride_w > UINT16_MAX || w->pad_top > UINT16_MAX || w->pad_left > UINT16_MAX;
}

/* --- depthwise --- */

static status pack_depthwise(builder *b, const struct node *n, const window *w, uint32_t channels,
                             uint64_t *kernel_words, plan_pack **out)
{
    uint64_t lanes = round_up4(channels);
    *kernel_words = (uint64_t)w->kernel_h * w->kernel_w * lanes;
    status s = builder_pack(b, PACK_DEPTHWISE, *kernel_words + lanes, out);
    if (s == STATUS_OK) {
        (*out)->weights[0] = n->weights[0];
        (*out)->weights[1] = n->weights[1];
    }
    return s;
}

status lower_depthwise(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    const window *w = &n->attributes.depthwise.window;
    uint32_t multiplier = n->attributes.depthwise.multiplier;
    place source, target;
    status s = multiplier == 1 ? builder_aligned(b, n->inputs[0], &source)
                               : builder_value(b, n->inputs[0], &source);
    if (s == STATUS_OK) {
        s = builder_value(b, n->outputs[0], &target);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (above_16_bits(w)) {
        return builder_error(b, STATUS_LIMIT, index, "a window measure above 65535");
    }
    uint64_t kernel_words;
    plan_pack *pack;
    s = pack_depthwise(b, n, w, target.channels, &kernel_words, &pack);
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t tile = target.width >= 8 ? 4 : 2;
    struct depthwise_push push = {
        .source = operand_make(b, &source),
        .target = operand_make(b, &target),
        .act = activation_make(n->act[0]),
        .source_width = source.width,
        .source_height = source.height,
        .width = target.width,
        .height = target.height,
        .channels = target.channels,
        .pad = w->pad_top << 16 | w->pad_left,
        .tiles_x = (target.width + tile - 1) / tile,
        .weights = (uint32_t)pack->offset,
        .bias = (uint32_t)(pack->offset + kernel_words),
    };
    uint64_t words = pack->words;
    plan_step *step;
    s = builder_step(b, KERNEL_DEPTHWISE, "depthwise", index, NULL, &step);
    if (s != STATUS_OK) {
        return s;
    }
    bool any = !activation_is_simple(n->act[0]);
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct depthwise_push, source), &source);
    step_operand(step, offsetof(struct depthwise_push, target), &target);
    step_constant(step, SPEC_DEPTHWISE_KERNEL_H, w->kernel_h);
    step_constant(step, SPEC_DEPTHWISE_KERNEL_W, w->kernel_w);
    step_constant(step, SPEC_DEPTHWISE_STRIDE_H, w->stride_h);
    step_constant(step, SPEC_DEPTHWISE_STRIDE_W, w->stride_w);
    step_constant(step, SPEC_DEPTHWISE_DILATION_H, w->dilation_h);
    step_constant(step, SPEC_DEPTHWISE_DILATION_W, w->dilation_w);
    step_constant(step, SPEC_DEPTHWISE_TILE_W, tile);
    step_constant(step, SPEC_DEPTHWISE_MULTIPLIER, multiplier);
    step_constant(step, SPEC_DEPTHWISE_ANY, any);
    step_constant(step, SPEC_DEPTHWISE_VECTOR, place_aligned(&target));
    step->variant =
        region_format(b->p->memory, "%ux%u/%u tile 1x%ux4%s%s", w->kernel_h, w->kernel_w,
                      w->stride_w, tile, any ? " any" : "", multiplier > 1 ? " multiplier" : "");
    if (!step->variant) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    step_reads(step, source.buffer, place_elements(&source));
    step_writes(step, target.buffer, place_elements(&target));
    step->flops = node_flops(b->g, n);
    step->weight_bytes = 4 * words;
    s = step_groups(b, step, INVOCATIONS,
                    ceil_divide((uint64_t)push.tiles_x * target.height * blocks_of(target.channels),
                                INVOCATIONS));
    step_finish(b, step);
    return s;
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
    step->variant = kind == POOL_MAX ? "max" : kind == POOL_AVERAGE ? "average" : "global average";
    step_reads(step, source->buffer, place_elements(source));
    step_writes(step, target->buffer, place_elements(target));
    step->flops = place_elements(target) * window_cells;
    s = step_groups(b, step, w ? INVOCATIONS : POOL_GLOBAL_INVOCATIONS,
                    ceil_divide(invocations, per_group));
    step_finish(b, step);
    return s;
}

status lower_window_pool(builder *b, int index, uint32_t kind, const window *w, const place *source,
                         const place *target)
{
    if (above_16_bits(w)) {
        return builder_error(b, STATUS_LIMIT, index, "a window measure above 65535");
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
    step->variant = bilinear ? "bilinear" : "nearest";
    step_reads(step, source.buffer, place_elements(&source));
    step_writes(step, target.buffer, place_elements(&target));
    step->flops = node_flops(b->g, n);
    s = step_groups(b, step, INVOCATIONS,
                    ceil_divide((uint64_t)target.height * target.width * blocks_of(target.channels),
                                INVOCATIONS));
    step_finish(b, step);
    return s;
}
