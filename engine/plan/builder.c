/* The builder: buffers, steps, levels and lifetimes while a plan is made. */
#include "engine/plan/internal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

uint32_t round_up4(uint32_t n)
{
    return (n + 3) / 4 * 4;
}

uint32_t blocks_of(uint32_t channels)
{
    return (channels + 3) / 4;
}

uint32_t round_up_to(uint32_t n, uint32_t of)
{
    return (n + of - 1) / of * of;
}

uint32_t next_power_of_two(uint32_t n)
{
    uint32_t power = 1;
    while (power < n) {
        power *= 2;
    }
    return power;
}

uint64_t ceil_divide(uint64_t a, uint64_t b)
{
    return (a + b - 1) / b;
}

status builder_error(const builder *b, status code, int index, const char *reason)
{
    return error_set(b->err, code, "node %s: %s",
                     index == GRAPH_NONE ? "(head)" : b->g->nodes[index].name, reason);
}

/* --- buffers --- */

static status out_of_memory(const builder *b)
{
    return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
}

status builder_buffer(builder *b, const char *name, int v, uint64_t words, uint32_t stride,
                      int *out)
{
    plan *p = b->p;
    words = (words + PLAN_ALIGN_WORDS - 1) / PLAN_ALIGN_WORDS * PLAN_ALIGN_WORDS;
    if (words > INT32_MAX) {
        return error_set(b->err, STATUS_LIMIT,
                         "%s: %llu words of storage are more than a device offset reaches", name,
                         (unsigned long long)words);
    }
    if (!memory_grow(b->alloc, (void **)&p->buffers, &b->buffer_capacity, p->buffer_count + 1,
                     sizeof *p->buffers) ||
        !memory_grow(b->alloc, (void **)&b->written, &b->written_capacity, p->buffer_count + 1,
                     sizeof *b->written)) {
        return out_of_memory(b);
    }
    const char *copy = region_string(p->memory, name);
    if (!copy) {
        return out_of_memory(b);
    }
    b->written[p->buffer_count] = 0;
    p->buffers[p->buffer_count] = (plan_buffer){.name = copy,
                                                .value = v,
                                                .words = words,
                                                .pixel_stride = stride,
                                                .first_level = UINT32_MAX};
    *out = (int)p->buffer_count++;
    return STATUS_OK;
}

status builder_pixels(builder *b, const char *name, int v, place *p)
{
    uint64_t count = (uint64_t)p->height * p->width * p->stride;
    status s = builder_buffer(b, name, v, element_words(p->element, count), p->stride, &p->buffer);
    if (s == STATUS_OK) {
        b->p->buffers[p->buffer].element = p->element;
    }
    return s;
}

static void value_dimensions(const builder *b, int v, place *out)
{
    shape_hwc(b->g->values[v].shape, &out->height, &out->width, &out->channels);
}

status builder_value(builder *b, int v, place *out)
{
    const graph *g = b->g;
    plan *p = b->p;
    int storage = graph_storage(g, v);
    const struct value *own = &g->values[v];
    place found = {.buffer = p->value_buffer[storage], .element = b->element[storage]};
    uint32_t storage_rank = g->values[storage].shape.rank;
    if (own->shape.rank < 1 || own->shape.rank > 3 || storage_rank < 1 || storage_rank > 3) {
        return error_set(b->err, STATUS_UNSUPPORTED, "value %s: rank %u", own->name,
                         own->shape.rank);
    }
    value_dimensions(b, v, &found);
    if (found.buffer == GRAPH_NONE) {
        place whole = {.element = found.element};
        value_dimensions(b, storage, &whole);
        whole.stride = b->dense[storage] ? whole.channels : round_up4(whole.channels);
        status s = builder_pixels(b, g->values[storage].name, storage, &whole);
        if (s != STATUS_OK) {
            return s;
        }
        found.buffer = p->value_buffer[storage] = whole.buffer;
    }
    p->value_buffer[v] = found.buffer;
    found.offset = storage == v ? 0 : (uint32_t)own->base_offset;
    found.stride = b->dense[storage] ? found.channels : round_up4(found.channels);
    *out = found;
    return STATUS_OK;
}

bool place_aligned(const place *p)
{
    return p->stride % 4 == 0 && p->offset % 4 == 0;
}

uint64_t place_elements(const place *p)
{
    return (uint64_t)p->height * p->width * p->channels;
}

uint64_t place_words(const place *p)
{
    return element_words(p->element, place_elements(p));
}

uint32_t place_halves(const place *source, const place *target)
{
    return (source && source->element == ELEMENT_F16 ? HALF_SOURCE : 0) |
           (target && target->element == ELEMENT_F16 ? HALF_TARGET : 0);
}

uint32_t weight_halves(const builder *b)
{
    return b->weight_element == ELEMENT_F16 ? HALF_WEIGHTS : 0;
}

status builder_aligned(builder *b, int v, place *out)
{
    place own = {0};
    status s = builder_value(b, v, &own);
    if (s != STATUS_OK || place_aligned(&own)) {
        *out = own;
        return s;
    }
    place copy = own;
    copy.offset = 0;
    copy.stride = round_up4(own.channels);
    copy.buffer = b->aligned[v];
    if (copy.buffer == GRAPH_NONE) {
        const char *name = region_format(b->p->memory, "%s (padded)", b->g->values[v].name);
        if (!name) {
            return out_of_memory(b);
        }
        s = builder_pixels(b, name, GRAPH_NONE, &copy);
        if (s == STATUS_OK) {
            s = lower_align_copy(b, name, &own, &copy);
        }
        if (s != STATUS_OK) {
            return s;
        }
        b->aligned[v] = copy.buffer;
    }
    *out = copy;
    return STATUS_OK;
}

/* --- steps --- */

status builder_step(builder *b, kernel k, const char *shader, int index, const char *name,
                    plan_step **out)
{
    plan *p = b->p;
    if (!memory_grow(b->alloc, (void **)&p->steps, &b->step_capacity, p->step_count + 1,
                     sizeof *p->steps)) {
        return out_of_memory(b);
    }
    plan_step *s = &p->steps[p->step_count];
    *s = (plan_step){.kernel = k,
                     .shader = shader,
                     .variant = "plain",
                     .node = index,
                     .name = region_string(p->memory, name ? name : b->g->nodes[index].name),
                     .groups = {1, 1, 1},
                     .tunable = -1,
                     .variant_count = 1};
    if (!s->name) {
        return out_of_memory(b);
    }
    step_constant(s, 1, 1);
    step_constant(s, 2, 1);
    p->step_count++;
    *out = s;
    return STATUS_OK;
}

void step_constant(plan_step *s, uint32_t at, uint32_t constant)
{
    assert(at < PLAN_MAX_CONSTANTS);
    s->constants[at] = constant;
    if (at >= s->constant_count) {
        s->constant_count = at + 1;
    }
}

void step_push(plan_step *s, const void *push, size_t bytes)
{
    assert(bytes <= sizeof s->push);
    memcpy(s->push, push, bytes);
    s->push_count = (uint32_t)(bytes / 4);
}

void step_offset(plan_step *s, size_t byte_offset, int buffer)
{
    assert(byte_offset / 4 < s->push_count && buffer >= 0);
    s->push[byte_offset / 4] = (uint32_t)buffer;
    s->push_scaled |= 1u << (byte_offset / 4);
}

void step_reads(plan_step *s, int buffer, uint64_t words)
{
    s->bytes_read += 4 * words;
    for (uint32_t i = 0; i < s->read_count; i++) {
        if (s->reads[i] == buffer) {
            return;
        }
    }
    assert(s->read_count < PLAN_MAX_OPERANDS);
    s->reads[s->read_count++] = buffer;
}

void step_writes(plan_step *s, int buffer, uint64_t words)
{
    s->bytes_written += 4 * words;
    for (uint32_t i = 0; i < s->write_count; i++) {
        if (s->writes[i] == buffer) {
            return;
        }
    }
    assert(s->write_count < PLAN_MAX_OPERANDS);
    s->writes[s->write_count++] = buffer;
}

status step_groups(builder *b, plan_step *s, uint32_t invocations, uint64_t groups)
{
    step_constant(s, 0, invocations);
    uint64_t rows = ceil_divide(groups, b->target.max_groups[0]);
    if (invocations > b->target.max_invocations || rows > b->target.max_groups[1]) {
        return error_set(b->err, STATUS_LIMIT, "step %s: the device's workgroups do not reach",
                         s->name);
    }
    s->groups[0] = (uint32_t)ceil_divide(groups, rows);
    s->groups[1] = (uint32_t)rows;
    return STATUS_OK;
}

status step_rows(builder *b, plan_step *s, uint32_t invocations, uint32_t rows, uint32_t tile_rows,
                 uint32_t row_groups)
{
    status code = step_groups(b, s, invocations, ceil_divide(rows, tile_rows) * row_groups);
    s->rows = rows;
    s->tile_rows = tile_rows;
    s->row_groups = row_groups;
    return code;
}

static void extend(plan_buffer *buffer, uint32_t level)
{
    if (buffer->first_level > level) {
        buffer->first_level = level;
    }
    if (buffer->last_level < level) {
        buffer->last_level = level;
    }
}

void step_finish(builder *b, plan_step *s)
{
    s->level = 0;
    for (uint32_t i = 0; i < s->read_count; i++) {
        uint32_t after = b->written[s->reads[i]];
        s->level = after > s->level ? after : s->level;
    }
    for (uint32_t i = 0; i < s->read_count; i++) {
        extend(&b->p->buffers[s->reads[i]], s->level);
    }
    for (uint32_t i = 0; i < s->write_count; i++) {
        extend(&b->p->buffers[s->writes[i]], s->level);
        uint32_t *written = &b->written[s->writes[i]];
        *written = s->level + 1 > *written ? s->level + 1 : *written;
    }
}

/* --- choices --- */

status builder_choose(builder *b, int index, uint32_t count, choice *out)
{
    plan *p = b->p;
    *out = (choice){.tunable = -1, .count = count, .first_step = p->step_count};
    if (count < 2) {
        return STATUS_OK;
    }
    out->tunable = (int)p->tunable_count++;
    if ((size_t)out->tunable < p->options.choice_count && p->options.choices) {
        out->chosen = p->options.choices[out->tunable];
    }
    return out->chosen < count
               ? STATUS_OK
               : builder_error(b, STATUS_ARGUMENT, index, "the chosen variant does not exist");
}

void builder_chosen(builder *b, const choice *made)
{
    for (size_t i = made->first_step; i < b->p->step_count; i++) {
        plan_step *s = &b->p->steps[i];
        s->tunable = made->tunable;
        s->variant_index = made->chosen;
        s->variant_count = made->count;
    }
}

/* --- weights, operands, activations --- */

status builder_pack(builder *b, pack_kind kind, uint64_t words, plan_pack **out)
{
    plan *p = b->p;
    if (!memory_grow(b->alloc, (void **)&p->packs, &b->pack_capacity, p->pack_count + 1,
                     sizeof *p->packs)) {
        return out_of_memory(b);
    }
    words = (words + 3) / 4 * 4;
    p->packs[p->pack_count] = (plan_pack){.kind = kind,
                                          .offset = b->weight_words,
                                          .words = words,
                                          .element = b->weight_element,
                                          .weights = {-1, -1, -1, -1}};
    b->weight_words += words;
    if (b->weight_words > INT32_MAX) {
        return error_set(b->err, STATUS_LIMIT,
                         "the packed weights take more words than a device offset reaches");
    }
    *out = &p->packs[p->pack_count++];
    return STATUS_OK;
}

struct operand operand_make(const builder *b, const place *p)
{
    return (struct operand){.words = (uint32_t)b->p->buffers[p->buffer].words,
                            .offset = p->offset,
                            .stride = p->stride};
}

void step_operand(plan_step *s, size_t byte_offset, const place *p)
{
    step_offset(s, byte_offset + offsetof(struct operand, base), p->buffer);
}

/* what both linear and RELU are to a kernel */
struct activation_words activation_make(activation a)
{
    if (a.kind == ACTIVATION_LINEAR) {
        return (struct activation_words){ACTIVATION_RELU, 1.0f, 0.0f, INFINITY};
    }
    return (struct activation_words){(uint32_t)a.kind, a.slope, a.threshold, a.limit};
}

bool activation_is_simple(activation a)
{
    return a.kind == ACTIVATION_LINEAR || a.kind == ACTIVATION_RELU;
}
