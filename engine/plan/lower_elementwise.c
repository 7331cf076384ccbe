/* Lowering of dense layers, element-wise operations and softmax. */
#include "engine/plan/internal.h"

enum {
    INVOCATIONS = 64,
    DENSE_FEW_PIXELS = 8 /* from here on a dense layer runs as a 1x1 convolution */
};

static status begin(builder *b, int index, bool aligned, place *source, place *target)
{
    const struct node *n = &b->g->nodes[index];
    status s =
        aligned ? builder_aligned(b, n->inputs[0], source) : builder_value(b, n->inputs[0], source);
    return s == STATUS_OK ? builder_value(b, n->outputs[0], target) : s;
}

/* --- dense --- */

/* Follows from the layer alone: the slices set the order of accumulation. */
static uint32_t dense_slices(uint32_t source_blocks)
{
    return source_blocks >= 64 ? 16 : source_blocks >= 16 ? 4 : 1;
}

status lower_dense(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    place source, target;
    status s = begin(b, index, true, &source, &target);
    if (s != STATUS_OK) {
        return s;
    }
    uint64_t cells = (uint64_t)source.height * source.width;
    if (cells >= DENSE_FEW_PIXELS) {
        return lower_pointwise(b, index);
    }
    uint64_t filter = element_words(b->weight_element, (uint64_t)round_up4(source.channels) *
                                                           round_up4(target.channels));
    plan_pack *pack;
    s = builder_pack(b, PACK_DENSE, filter + round_up4(target.channels), &pack);
    if (s != STATUS_OK) {
        return s;
    }
    pack->weights[0] = n->weights[0];
    pack->weights[1] = n->weights[1];
    uint64_t words = pack->words;
    uint32_t slices = dense_slices(blocks_of(source.channels));
    struct dense_push push = {
        .source = operand_make(b, &source),
        .target = operand_make(b, &target),
        .act = activation_make(n->act[0]),
        .source_blocks = blocks_of(source.channels),
        .channels = target.channels,
        .pixels = (uint32_t)cells,
        .bias = (uint32_t)pack->offset,
        .weights = (uint32_t)pack->offset + round_up4(target.channels),
    };
    plan_step *step;
    s = builder_step(b, KERNEL_DENSE, "dense", index, NULL, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct dense_push, source), &source);
    step_operand(step, offsetof(struct dense_push, target), &target);
    step_constant(step, SPEC_DENSE_SLICES, slices);
    step_constant(step, SPEC_DENSE_ANY, !activation_is_simple(n->act[0]));
    step_constant(step, SPEC_DENSE_VECTOR, place_aligned(&target));
    step_constant(step, SPEC_DENSE_HALF, place_halves(&source, &target) | weight_halves(b));
    step->variant = region_format(b->p->memory, "%u slices", slices);
    if (!step->variant) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    step_reads(step, source.buffer, place_words(&source));
    step_writes(step, target.buffer, place_words(&target));
    step->flops = node_flops(b->g, n);
    step->weight_bytes = 4 * words;
    s = step_groups(b, step, DENSE_INVOCATIONS,
                    ceil_divide(cells * blocks_of(target.channels), DENSE_INVOCATIONS / slices));
    step_finish(b, step);
    return s;
}

/* --- element by element --- */

/* A dimension of 1 repeats along a longer one of the target. */
static struct elementwise_operand broadcast(const builder *b, const place *p, const place *target)
{
    return (struct elementwise_operand){
        .words = (uint32_t)b->p->buffers[p->buffer].words,
        .offset = p->offset,
        .row = p->height == 1 && target->height > 1 ? 0 : p->width * p->stride,
        .pixel = p->width == 1 && target->width > 1 ? 0 : p->stride,
        .channel = p->channels == 1 && target->channels > 1 ? 0 : 1,
    };
}

static bool fits_vector(const place *p, const struct elementwise_operand *o)
{
    return o->channel == 0 || place_aligned(p);
}

/* alpha in the weights, its channels rounded up to four */
static status pack_alpha(builder *b, int w, const place *target, struct elementwise_operand *o,
                         uint64_t *words)
{
    uint32_t height, width, channels;
    shape_hwc(b->g->weights[w].shape, &height, &width, &channels);
    uint32_t stride = round_up4(channels);
    plan_pack *pack;
    status s = builder_pack(b, PACK_PRELU, (uint64_t)height * width * stride, &pack);
    if (s != STATUS_OK) {
        return s;
    }
    pack->weights[0] = w;
    *words = pack->words;
    *o = (struct elementwise_operand){
        .base = (uint32_t)pack->offset,
        .row = height == 1 ? 0 : width * stride,
        .pixel = width == 1 ? 0 : stride,
        .channel = channels == 1 && target->channels > 1 ? 0 : 1,
    };
    return STATUS_OK;
}

static status pack_batch_norm(builder *b, const struct node *n, uint32_t channels,
                              struct elementwise_push *push, uint64_t *words)
{
    plan_pack *pack;
    status s = builder_pack(b, PACK_BATCH_NORM, 3 * (uint64_t)round_up4(channels), &pack);
    if (s != STATUS_OK) {
        return s;
    }
    for (int i = 0; i < 4; i++) {
        pack->weights[i] = n->weights[i];
    }
    pack->epsilon = (double)n->attributes.epsilon;
    push->weights = (uint32_t)pack->offset;
    *words = pack->words;
    return STATUS_OK;
}

static uint32_t elementwise_operation(op o, const char **name)
{
    switch (o) {
    case OP_BATCH_NORM:
        *name = "batch norm";
        return ELEMENTWISE_BATCH_NORM;
    case OP_PRELU:
        *name = "prelu";
        return ELEMENTWISE_PRELU;
    case OP_ADD:
        *name = "add";
        return ELEMENTWISE_ADD;
    case OP_MULTIPLY:
        *name = "multiply";
        return ELEMENTWISE_MULTIPLY;
    default:
        *name = "activation";
        return ELEMENTWISE_ACTIVATION;
    }
}

status lower_elementwise(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    place source, target, second = {0};
    status s = begin(b, index, false, &source, &target);
    if (s != STATUS_OK) {
        return s;
    }
    const char *name;
    uint32_t operation = elementwise_operation(n->op, &name);
    bool two = operation == ELEMENTWISE_ADD || operation == ELEMENTWISE_MULTIPLY;
    struct elementwise_push push = {
        .target = operand_make(b, &target),
        .a = broadcast(b, &source, &target),
        .act = activation_make(n->act[0]),
        .width = target.width,
        .pixels = target.width * target.height,
        .channels = target.channels,
    };
    bool vector = fits_vector(&source, &push.a);
    uint64_t words = 0;
    if (two) {
        s = builder_value(b, n->inputs[1], &second);
        if (s == STATUS_OK) {
            push.b = broadcast(b, &second, &target);
            vector = vector && fits_vector(&second, &push.b);
        }
    } else if (operation == ELEMENTWISE_PRELU) {
        s = pack_alpha(b, n->weights[0], &target, &push.b, &words);
    } else if (operation == ELEMENTWISE_BATCH_NORM) {
        s = pack_batch_norm(b, n, target.channels, &push, &words);
    }
    plan_step *step = NULL;
    if (s == STATUS_OK) {
        s = builder_step(b, KERNEL_ELEMENTWISE, "elementwise", index, NULL, &step);
    }
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct elementwise_push, target), &target);
    step_offset(step, offsetof(struct elementwise_push, a), source.buffer);
    step_reads(step, source.buffer, place_words(&source));
    if (two) {
        step_offset(step, offsetof(struct elementwise_push, b), second.buffer);
        step_reads(step, second.buffer, place_words(&second));
    }
    step_constant(step, SPEC_ELEMENTWISE_OPERATION, operation);
    step_constant(step, SPEC_ELEMENTWISE_VECTOR,
                  (vector ? VECTOR_SOURCE : 0) | (place_aligned(&target) ? VECTOR_TARGET : 0));
    step_constant(step, SPEC_ELEMENTWISE_HALF,
                  place_halves(&source, &target) |
                      (second.element == ELEMENT_F16 ? HALF_SECOND : 0));
    step->variant = name;
    step_writes(step, target.buffer, place_words(&target));
    step->flops = node_flops(b->g, n);
    step->weight_bytes = 4 * words;
    s = step_groups(b, step, INVOCATIONS,
                    ceil_divide((uint64_t)push.pixels * blocks_of(target.channels), INVOCATIONS));
    step_finish(b, step);
    return s;
}

/* --- softmax --- */

status lower_softmax(builder *b, int index)
{
    place source, target;
    status s = begin(b, index, false, &source, &target);
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t slices = target.channels >= 64 ? 64 : target.channels >= 16 ? 8 : 1;
    bool padded = target.stride == round_up4(target.channels);
    struct softmax_push push = {
        .source = operand_make(b, &source),
        .target = operand_make(b, &target),
        .pixels = target.width * target.height,
        .channels = target.channels,
        .padded_channels = padded ? target.stride : target.channels,
    };
    plan_step *step;
    s = builder_step(b, KERNEL_SOFTMAX, "softmax", index, NULL, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct softmax_push, source), &source);
    step_operand(step, offsetof(struct softmax_push, target), &target);
    step_constant(step, SPEC_SOFTMAX_SLICES, slices);
    step_constant(step, SPEC_SOFTMAX_HALF, place_halves(&source, NULL));
    step->variant = region_format(b->p->memory, "%u slices", slices);
    if (!step->variant) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    step_reads(step, source.buffer, place_words(&source));
    step_writes(step, target.buffer, place_words(&target));
    step->flops = node_flops(b->g, &b->g->nodes[index]);
    s = step_groups(b, step, SOFTMAX_INVOCATIONS,
                    ceil_divide(push.pixels, SOFTMAX_INVOCATIONS / slices));
    step_finish(b, step);
    return s;
}
