/* Lowering of what surrounds the network: preprocess before it; decode, sort and nms after. */
#include "engine/plan/internal.h"
#include "engine/sampling.h"

enum { INVOCATIONS = 64, SORT_INVOCATIONS = 256 };

static uint32_t buffer_words(const builder *b, int buffer)
{
    return (uint32_t)b->p->buffers[buffer].words;
}

status lower_preprocess(builder *b)
{
    const preprocess *pre = b->p->preprocess;
    place target;
    status s = builder_value(b, b->g->input, &target);
    if (s != STATUS_OK) {
        return s;
    }
    if (target.width != pre->width || target.height != pre->height) {
        return error_set(b->err, STATUS_MODEL,
                         "the network's input is %ux%u (width x height), the card's %ux%u",
                         target.width, target.height, pre->width, pre->height);
    }
    if (pre->width > SAMPLING_MAX_TARGET || pre->height > SAMPLING_MAX_TARGET) {
        return error_set(b->err, STATUS_LIMIT, "network input %ux%u is above %u a side", pre->width,
                         pre->height, (unsigned)SAMPLING_MAX_TARGET);
    }
    int keys = b->p->keys_buffer;
    struct preprocess_push push = {
        .target = operand_make(b, &target),
        .width = target.width,
        .height = target.height,
        .channels = target.channels,
        .has_keys = keys != GRAPH_NONE,
        .fill = pre->fill,
    };
    for (int i = 0; i < 3; i++) {
        push.mean[i] = pre->mean[i];
        push.deviation[i] = pre->deviation[i];
    }
    plan_step *step;
    s = builder_step(b, KERNEL_PREPROCESS, "preprocess", GRAPH_NONE, "preprocess", &step);
    if (s != STATUS_OK) {
        return s;
    }
    if (keys != GRAPH_NONE) {
        push.keys_words = buffer_words(b, keys);
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct preprocess_push, target), &target);
    if (keys != GRAPH_NONE) {
        step_offset(step, offsetof(struct preprocess_push, keys_base), keys);
        step_writes(step, keys, 1);
    }
    step_constant(step, SPEC_PREPROCESS_SAMPLING, pre->sampling);
    step_constant(step, SPEC_PREPROCESS_ORDER, pre->channels);
    step_constant(step, SPEC_PREPROCESS_HALF, place_halves(NULL, &target));
    static const char *const names[] = {"nearest", "bilinear", "bilinear half pixel",
                                        "bilinear align corners"};
    step->variant = names[pre->sampling];
    uint64_t cells = (uint64_t)target.width * target.height;
    step_writes(step, target.buffer, place_words(&target));
    step->bytes_read = cells * (pre->sampling == SAMPLING_NEAREST ? 1 : 4) * 3;
    step->flops = cells * target.channels * (pre->sampling == SAMPLING_NEAREST ? 2 : 11);
    s = step_groups(b, step, INVOCATIONS, ceil_divide(cells, INVOCATIONS));
    step_finish(b, step);
    return s;
}

/* places of the two outputs; their shapes must be those that the head names */
static status head_places(builder *b, place *loc, place *scores)
{
    const detector_head *head = b->p->head;
    const graph *g = b->g;
    if (head->loc_output < 0 || (size_t)head->loc_output >= g->output_count ||
        head->score_output < 0 || (size_t)head->score_output >= g->output_count) {
        return error_set(b->err, STATUS_MODEL, "the head names an output that does not exist");
    }
    int loc_value = g->outputs[head->loc_output], score_value = g->outputs[head->score_output];
    shape want_loc = shape_make(2, (uint32_t[]){head->anchor_count, 4});
    shape want_scores = shape_make(2, (uint32_t[]){head->anchor_count, head->class_count});
    if (!shape_equal(g->values[loc_value].shape, want_loc) ||
        !shape_equal(g->values[score_value].shape, want_scores)) {
        return error_set(b->err, STATUS_MODEL, "the head's outputs are not (%u, 4) and (%u, %u)",
                         head->anchor_count, head->anchor_count, head->class_count);
    }
    status s = builder_value(b, loc_value, loc);
    return s == STATUS_OK ? builder_value(b, score_value, scores) : s;
}

static status lower_decode(builder *b)
{
    const plan *p = b->p;
    const detector_head *head = p->head;
    place loc, scores;
    plan_pack *pack = NULL;
    status s = head_places(b, &loc, &scores);
    if (s == STATUS_OK) {
        s = builder_pack(b, PACK_ANCHORS, 4 * (uint64_t)head->anchor_count, &pack);
    }
    if (s != STATUS_OK) {
        return s;
    }
    struct decode_push push = {
        .loc = operand_make(b, &loc),
        .scores = operand_make(b, &scores),
        .keys_words = buffer_words(b, p->keys_buffer),
        .boxes_words = buffer_words(b, p->boxes_buffer),
        .classes_words = buffer_words(b, p->classes_buffer),
        .anchors = (uint32_t)pack->offset,
        .anchor_count = head->anchor_count,
        .class_count = head->class_count,
        .background = head->background < 0 ? UINT32_MAX : (uint32_t)head->background,
    };
    for (int i = 0; i < 4; i++) {
        push.variance[i] = head->variance[i];
    }
    uint64_t words = pack->words;
    plan_step *step;
    s = builder_step(b, KERNEL_DECODE, "decode", GRAPH_NONE, "decode", &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct decode_push, loc), &loc);
    step_operand(step, offsetof(struct decode_push, scores), &scores);
    step_offset(step, offsetof(struct decode_push, keys_base), p->keys_buffer);
    step_offset(step, offsetof(struct decode_push, boxes_base), p->boxes_buffer);
    step_offset(step, offsetof(struct decode_push, classes_base), p->classes_buffer);
    step->variant = "centre-size";
    uint64_t anchors = head->anchor_count;
    step_reads(step, loc.buffer, 4 * anchors);
    step_reads(step, scores.buffer, head->class_count * anchors);
    step_reads(step, p->keys_buffer, 1);
    step_writes(step, p->keys_buffer, 2 * anchors);
    step_writes(step, p->boxes_buffer, 4 * anchors);
    step_writes(step, p->classes_buffer, anchors);
    step->weight_bytes = 4 * words;
    step->flops = anchors * (head->class_count + 24ull);
    s = step_groups(b, step, INVOCATIONS, ceil_divide(anchors, INVOCATIONS));
    step_finish(b, step);
    return s;
}

static status lower_sort(builder *b)
{
    const plan *p = b->p;
    struct sort_push push = {.keys_words = buffer_words(b, p->keys_buffer)};
    uint32_t invocations = SORT_INVOCATIONS;
    while (invocations > b->target.max_invocations) {
        invocations /= 2;
    }
    plan_step *step;
    status s = builder_step(b, KERNEL_SORT, "sort", GRAPH_NONE, "sort", &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct sort_push, keys_base), p->keys_buffer);
    step->variant = "bitonic";
    step_reads(step, p->keys_buffer, 2ull * p->head->anchor_count);
    step_writes(step, p->keys_buffer, 2ull * p->head->anchor_count);
    s = step_groups(b, step, invocations, 1);
    step_finish(b, step);
    return s;
}

static status lower_nms(builder *b, uint32_t capacity)
{
    const plan *p = b->p;
    int kept;
    status s = builder_buffer(b, "kept", GRAPH_NONE, capacity, 1, &kept);
    if (s != STATUS_OK) {
        return s;
    }
    struct nms_push push = {
        .keys_words = buffer_words(b, p->keys_buffer),
        .boxes_words = buffer_words(b, p->boxes_buffer),
        .classes_words = buffer_words(b, p->classes_buffer),
        .kept_words = buffer_words(b, kept),
        .capacity = capacity,
        .result_words = p->result_words,
    };
    plan_step *step;
    s = builder_step(b, KERNEL_NMS, "nms", GRAPH_NONE, "nms", &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct nms_push, keys_base), p->keys_buffer);
    step_offset(step, offsetof(struct nms_push, boxes_base), p->boxes_buffer);
    step_offset(step, offsetof(struct nms_push, classes_base), p->classes_buffer);
    step_offset(step, offsetof(struct nms_push, kept_base), kept);
    step->variant = "chunks of 128";
    uint64_t anchors = p->head->anchor_count;
    step_reads(step, p->keys_buffer, 2 * anchors);
    step_reads(step, p->boxes_buffer, 4 * anchors);
    step_reads(step, p->classes_buffer, anchors);
    step_writes(step, kept, capacity);
    s = step_groups(b, step, NMS_CHUNK, 1);
    step_finish(b, step);
    return s;
}

status lower_head(builder *b)
{
    plan *p = b->p;
    uint32_t anchors = p->head->anchor_count;
    uint32_t capacity = p->options.max_detections;
    capacity = capacity == 0 || capacity > anchors ? anchors : capacity;
    p->result_words = RESULT_HEADER_WORDS + capacity * RESULT_DETECTION_WORDS;
    status s = lower_decode(b);
    if (s == STATUS_OK) {
        s = lower_sort(b);
    }
    return s == STATUS_OK ? lower_nms(b, capacity) : s;
}
