/* Making a plan: lowers the nodes in order, then places the buffers by the levels they live
 * through and replaces buffer indices in the push constants by offsets. */
#include "engine/plan/internal.h"

#include <string.h>

static const char *const kernel_names[KERNEL_COUNT] = {
    [KERNEL_PREPROCESS] = "preprocess",
    [KERNEL_CONV2D] = "conv2d",
    [KERNEL_DEPTHWISE] = "depthwise",
    [KERNEL_DENSE] = "dense",
    [KERNEL_POOL] = "pool",
    [KERNEL_ELEMENTWISE] = "elementwise",
    [KERNEL_RESIZE] = "resize",
    [KERNEL_SOFTMAX] = "softmax",
    [KERNEL_COPY] = "copy",
    [KERNEL_DECODE] = "decode",
    [KERNEL_SORT] = "sort",
    [KERNEL_NMS] = "nms",
};

const char *kernel_name(kernel k)
{
    return (unsigned)k < KERNEL_COUNT ? kernel_names[k] : "unknown";
}

/* What every Vulkan 1.1 device has, where the caller says nothing. */
static plan_target target_resolve(plan_target t)
{
    t.max_invocations = t.max_invocations ? t.max_invocations : 128;
    t.max_shared_bytes = t.max_shared_bytes ? t.max_shared_bytes : 16384;
    for (int i = 0; i < 3; i++) {
        t.max_groups[i] = t.max_groups[i] ? t.max_groups[i] : 65535;
    }
    return t;
}

static status lower_node(builder *b, int index)
{
    switch (b->g->nodes[index].op) {
    case OP_CONV2D:
        return lower_conv2d(b, index);
    case OP_DEPTHWISE:
        return lower_depthwise(b, index);
    case OP_DENSE:
        return lower_dense(b, index);
    case OP_BATCH_NORM:
    case OP_ACTIVATION:
    case OP_PRELU:
    case OP_ADD:
    case OP_MULTIPLY:
        return lower_elementwise(b, index);
    case OP_SOFTMAX:
        return lower_softmax(b, index);
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
    case OP_GLOBAL_AVERAGE:
        return lower_pool(b, index);
    case OP_RESIZE:
        return lower_resize(b, index);
    case OP_ZERO_PAD:
    case OP_CROP:
    case OP_CONCAT:
    case OP_RESHAPE:
    case OP_PERMUTE:
        return lower_copy(b, index);
    case OP_COUNT:
        break;
    }
    return builder_error(b, STATUS_UNSUPPORTED, index, "an operation that no kernel computes");
}

bool plan_step_groups(const plan *p, const plan_step *s, uint32_t batch, uint32_t groups[3])
{
    const uint32_t *most = p->options.target.max_groups;
    uint64_t x = s->groups[0], y = s->groups[1], z = (uint64_t)s->groups[2] * batch;
    if (s->rows) {
        uint64_t all = ceil_divide((uint64_t)s->rows * batch, s->tile_rows) * s->row_groups;
        y = ceil_divide(all, most[0]);
        x = ceil_divide(all, y);
        z = 1;
    }
    groups[0] = (uint32_t)x;
    groups[1] = (uint32_t)y;
    groups[2] = (uint32_t)z;
    return x <= most[0] && y <= most[1] && z <= most[2];
}

bool plan_value_on_matrices(const plan *p, int v)
{
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        if (!s->matrix_sums) {
            continue;
        }
        const struct node *n = &p->graph->nodes[s->node];
        for (int k = 0; k < n->output_count; k++) {
            if (n->outputs[k] == v) {
                return true;
            }
        }
    }
    return false;
}

bool plan_node_is_winograd(const plan *p, int index)
{
    for (size_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].winograd && p->steps[i].node == index) {
            return true;
        }
    }
    return false;
}

static status builder_prepare(builder *b)
{
    const graph *g = b->g;
    plan *p = b->p;
    size_t count = g->value_count;
    b->dense = region_allocate(p->memory, count, sizeof *b->dense);
    b->element = region_allocate(p->memory, count, sizeof *b->element);
    b->aligned = region_allocate(p->memory, count, sizeof *b->aligned);
    p->value_buffer = region_allocate(p->memory, count, sizeof *p->value_buffer);
    if (!b->dense || !b->element || !b->aligned || !p->value_buffer) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    for (size_t v = 0; v < count; v++) {
        b->aligned[v] = GRAPH_NONE;
        p->value_buffer[v] = GRAPH_NONE;
        if (g->values[v].base != GRAPH_NONE) {
            b->dense[v] = true;
            b->dense[g->values[v].base] = true;
        }
    }
    return builder_elements(b);
}

/* Buffers of the head, made first: preprocess clears the counter. */
static status make_candidates(builder *b)
{
    plan *p = b->p;
    uint32_t anchors = p->head->anchor_count;
    if (anchors == 0 || anchors > DETECTOR_MAX_ANCHORS || p->head->class_count == 0) {
        return error_set(b->err, STATUS_LIMIT,
                         "a head of %u anchors and %u classes; 1 to %d anchors and at least one "
                         "class are handled",
                         anchors, p->head->class_count, DETECTOR_MAX_ANCHORS);
    }
    uint64_t keys = CANDIDATE_HEADER_WORDS + 2 * (uint64_t)next_power_of_two(anchors);
    status s = builder_buffer(b, "keys", GRAPH_NONE, keys, 2, &p->keys_buffer);
    if (s == STATUS_OK) {
        s = builder_buffer(b, "boxes", GRAPH_NONE, 4 * (uint64_t)anchors, 4, &p->boxes_buffer);
    }
    if (s == STATUS_OK) {
        s = builder_buffer(b, "classes", GRAPH_NONE, anchors, 1, &p->classes_buffer);
    }
    return s;
}

static status lower_all(builder *b)
{
    plan *p = b->p;
    status s = p->head ? make_candidates(b) : STATUS_OK;
    if (s == STATUS_OK) {
        s = lower_preprocess(b);
    }
    for (size_t i = 0; s == STATUS_OK && i < b->g->node_count; i++) {
        s = lower_node(b, (int)i);
    }
    if (s == STATUS_OK && p->head) {
        s = lower_head(b);
    }
    return s;
}

/* Brings the steps into the order of their levels, keeping the order within a level. */
static status order_steps(builder *b)
{
    plan *p = b->p;
    for (size_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].level + 1 > p->level_count) {
            p->level_count = p->steps[i].level + 1;
        }
    }
    plan_step *ordered = memory_allocate(b->alloc, p->step_count, sizeof *ordered);
    size_t *begin = memory_allocate(b->alloc, (size_t)p->level_count + 1, sizeof *begin);
    if (!ordered || !begin) {
        memory_release(b->alloc, ordered);
        memory_release(b->alloc, begin);
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    for (size_t i = 0; i < p->step_count; i++) {
        begin[p->steps[i].level + 1]++;
    }
    for (uint32_t level = 0; level < p->level_count; level++) {
        begin[level + 1] += begin[level];
    }
    for (size_t i = 0; i < p->step_count; i++) {
        ordered[begin[p->steps[i].level]++] = p->steps[i];
    }
    memory_release(b->alloc, begin);
    memory_release(b->alloc, p->steps);
    p->steps = ordered;
    return STATUS_OK;
}

/* Which buffers outlive their last reader. */
static void extend_lifetimes(plan *p)
{
    uint32_t last = p->level_count - 1;
    const int kept[] = {p->keys_buffer, p->boxes_buffer, p->classes_buffer};
    for (size_t i = 0; i < 3; i++) {
        if (kept[i] != GRAPH_NONE) {
            p->buffers[kept[i]].last_level = last;
        }
    }
    for (size_t i = 0; p->options.keep_outputs && i < p->graph->output_count; i++) {
        p->buffers[p->value_buffer[p->graph->outputs[i]]].last_level = last;
    }
    for (size_t i = 0; i < p->buffer_count; i++) {
        if (p->options.keep_all && p->buffers[i].value != GRAPH_NONE) {
            p->buffers[i].first_level = 0; /* no temporary writes behind its pixels either */
            p->buffers[i].last_level = last;
        }
        if (p->buffers[i].first_level > last) { /* nothing touches it */
            p->buffers[i].first_level = p->buffers[i].last_level;
        }
    }
}

static status place_buffers(builder *b)
{
    plan *p = b->p;
    arena_request *requests = memory_allocate(b->alloc, p->buffer_count, sizeof *requests);
    if (!requests) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    for (size_t i = 0; i < p->buffer_count; i++) {
        requests[i] = (arena_request){.words = p->buffers[i].words,
                                      .first_level = p->buffers[i].first_level,
                                      .last_level = p->buffers[i].last_level};
    }
    status s = arena_place(b->alloc, requests, p->buffer_count, &p->arena_words, b->err);
    for (size_t i = 0; s == STATUS_OK && i < p->buffer_count; i++) {
        p->buffers[i].offset = requests[i].offset;
    }
    memory_release(b->alloc, requests);
    if (s == STATUS_OK && p->arena_words > INT32_MAX) {
        s = error_set(b->err, STATUS_LIMIT,
                      "the arena takes %llu words, more than a device offset reaches",
                      (unsigned long long)p->arena_words);
    }
    return s;
}

static void resolve_offsets(plan *p)
{
    for (size_t i = 0; i < p->step_count; i++) {
        plan_step *s = &p->steps[i];
        for (uint32_t w = 0; w < s->push_count; w++) {
            if ((s->push_scaled >> w & 1u) != 0) {
                s->push[w] = (uint32_t)p->buffers[s->push[w]].offset;
            }
        }
    }
}

/* A graph output that no node writes (the input itself, for example) has a buffer too. */
static status touch_outputs(builder *b)
{
    status s = STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < b->g->output_count; i++) {
        place unused;
        s = builder_value(b, b->g->outputs[i], &unused);
    }
    return s;
}

/* values that only exist as views of something else point at its storage */
static void resolve_views(plan *p)
{
    for (size_t v = 0; v < p->graph->value_count; v++) {
        int base = p->graph->values[v].base;
        if (base != GRAPH_NONE) {
            p->value_buffer[v] = p->value_buffer[base];
        }
    }
}

status plan_create(const allocator *a, const graph *g, const preprocess *pre,
                   const detector_head *head, const plan_options *options, plan **out, error *err)
{
    status s;
    builder b = {.alloc = a, .g = g, .err = err};
    plan *p = memory_allocate(a, 1, sizeof *p);
    if (!p) {
        return error_set(err, STATUS_MEMORY, "out of memory while planning");
    }
    b.p = p;
    p->alloc = *a;
    p->memory = region_create(a);
    p->graph = g;
    p->preprocess = pre;
    p->head = head;
    p->options = options ? *options : (plan_options){0};
    p->keys_buffer = p->boxes_buffer = p->classes_buffer = GRAPH_NONE;
    b.target = p->options.target = target_resolve(p->options.target);
    if (!p->memory) {
        s = error_set(err, STATUS_MEMORY, "out of memory while planning");
        goto fail;
    }
    if ((s = graph_cost_check(g, err)) != STATUS_OK || (s = builder_prepare(&b)) != STATUS_OK ||
        (s = lower_all(&b)) != STATUS_OK || (s = touch_outputs(&b)) != STATUS_OK ||
        (s = order_steps(&b)) != STATUS_OK) {
        goto fail;
    }
    resolve_views(p);
    extend_lifetimes(p);
    if ((s = place_buffers(&b)) != STATUS_OK) {
        goto fail;
    }
    resolve_offsets(p);
    p->weight_words = b.weight_words;
    p->options.choices = NULL;
    p->options.choice_count = 0;
    memory_release(a, b.written);
    *out = p;
    return STATUS_OK;
fail:
    memory_release(a, b.written);
    plan_destroy(p);
    return s;
}

void plan_destroy(plan *p)
{
    if (!p) {
        return;
    }
    allocator a = p->alloc;
    memory_release(&a, p->steps);
    memory_release(&a, p->buffers);
    memory_release(&a, p->packs);
    region_destroy(p->memory);
    memory_release(&a, p);
}
