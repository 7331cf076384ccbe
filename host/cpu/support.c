/* What operators share: memory, rows in either type, how finely a step is cut; and the buffers of a
 * worker. */
#include "host/cpu/program.h"

#include <string.h>

void *program_allocate(program *p, size_t count, size_t size)
{
    size_t bytes;
    if (!checked_multiply(count, size, &bytes) || !checked_add(bytes, CACHE_LINE, &bytes)) {
        return NULL;
    }
    void *memory = region_allocate(p->memory, bytes, 1);
    return memory ? align_up(memory) : NULL;
}

status program_keep_memory(program *p, const dnnl_memory_desc_t *desc, void *handle,
                           dnnl_memory_t *out, error *err)
{
    if (!memory_grow(&p->alloc, (void **)&p->memories, &p->memory_capacity, p->memory_count + 1,
                     sizeof(dnnl_memory_t))) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    const status code = onednn_status(
        p->call->memory_create(&p->memories[p->memory_count], desc, p->engine, handle),
        "a memory object", err);
    if (code == STATUS_OK) {
        *out = p->memories[p->memory_count++];
    }
    return code;
}

status program_keep_primitive(program *p, const_dnnl_primitive_desc_t desc, dnnl_primitive_t *out,
                              error *err)
{
    if (!memory_grow(&p->alloc, (void **)&p->primitives, &p->primitive_capacity,
                     p->primitive_count + 1, sizeof(dnnl_primitive_t))) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    const status code = onednn_status(
        p->call->primitive_create(&p->primitives[p->primitive_count], desc), "a primitive", err);
    if (code == STATUS_OK) {
        *out = p->primitives[p->primitive_count++];
    }
    return code;
}

void *tensor_at(const worker *w, const tensor *t, uint32_t row)
{
    if (t->band) {
        return w->band[t->band - 1] + (row - w->band_first) * tensor_row_bytes(t);
    }
    return w->arena + t->offset + row * tensor_row_bytes(t);
}

void elements_convert(const program *p, const void *from, element from_type, void *to,
                      element to_type, size_t n)
{
    if (from_type == to_type) {
        memmove(to, from, n * element_bytes(to_type));
    } else if (to_type == IN_BF16) {
        p->loops->to_bf16(from, to, n);
    } else {
        p->loops->to_float(from, to, n);
    }
}

const float *row_read(const program *p, const worker *w, const tensor *t, uint32_t y, float *buffer)
{
    const void *row = tensor_at(w, t, y);
    if (t->element == IN_F32) {
        return row;
    }
    p->loops->to_float(row, buffer, (size_t)t->width * t->channels);
    return buffer;
}

float *row_begin(const worker *w, const tensor *t, uint32_t y, float *buffer)
{
    return t->element == IN_F32 ? tensor_at(w, t, y) : buffer;
}

void row_done(const program *p, const worker *w, const tensor *t, uint32_t y, const float *row)
{
    if (t->element == IN_BF16) {
        p->loops->to_bf16(row, tensor_at(w, t, y), (size_t)t->width * t->channels);
    }
}

uint32_t rows_an_item(uint32_t height, uint64_t flops, size_t row_bytes, uint32_t multiple)
{
    /* about 20 us of arithmetic at least, no more than 24 items, and no strip beyond what a core's
     * second-level cache holds beside the weights */
    const uint64_t least_flops = 4000000, most_items = 24, most_bytes = 512 * 1024;
    uint64_t rows = flops ? least_flops * height / flops : height;
    const uint64_t least = (height + most_items - 1) / most_items;
    rows = rows > least ? rows : least;
    const uint64_t most = row_bytes ? most_bytes / row_bytes : height;
    rows = rows < most ? rows : most;
    rows = (rows + multiple - 1) / multiple * multiple;
    rows = rows ? rows : multiple;
    return rows < height ? (uint32_t)rows : height;
}

/* --- workers --- */

static void *lend(void *user, size_t size)
{
    worker *w = user;
    return size <= w->candidates_bytes ? w->candidates : NULL;
}

static void take_back(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

status worker_create(const program *p, uint32_t index, uint32_t anchors, worker *w, error *err)
{
    *w = (worker){.index = index, .lends = {lend, take_back, w}};
    /* in the order in which they lie there; the cache line is what aligning may skip */
    const struct {
        size_t bytes, count;
    } buffers[] = {{p->scratch_bytes, 1},
                   {p->strip_bytes, 1},
                   {p->row_floats * sizeof(float), WORKER_ROWS},
                   {p->window_floats * sizeof(float), 1},
                   {p->band_bytes, WORKER_BANDS}};
    unsigned char *places[3 + WORKER_ROWS + WORKER_BANDS];
    size_t total = CACHE_LINE, count = 0;
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        for (size_t k = 0; k < buffers[i].count; k++) {
            if (!checked_add(total, buffers[i].bytes + CACHE_LINE, &total)) {
                return error_set(err, STATUS_LIMIT, "a map exceeds the address space");
            }
        }
    }
    w->memory = memory_allocate(&p->alloc, total, 1);
    w->candidates = anchors ? memory_allocate(&p->alloc, anchors, sizeof *w->candidates) : NULL;
    if (!w->memory || (anchors && !w->candidates)) {
        return error_set(err, STATUS_MEMORY, "out of memory for a thread's %zu bytes", total);
    }
    w->memory_bytes = total;
    w->candidates_bytes = anchors * sizeof *w->candidates;
    unsigned char *next = align_up(w->memory);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) {
        for (size_t k = 0; k < buffers[i].count; k++) {
            places[count++] = next;
            next = align_up(next + buffers[i].bytes);
        }
    }
    w->scratch = places[0];
    w->strip = places[1];
    for (size_t i = 0; i < WORKER_ROWS; i++) {
        w->row[i] = (float *)(void *)places[2 + i];
    }
    w->window = (float *)(void *)places[2 + WORKER_ROWS];
    for (size_t i = 0; i < WORKER_BANDS; i++) {
        w->band[i] = places[3 + WORKER_ROWS + i];
    }
    for (size_t i = 0; i < p->scratch_user_count; i++) {
        if (p->scratch_users[i].worker == index) {
            const status code = onednn_status(
                p->call->memory_set(p->scratch_users[i].memory, w->scratch), "scratch", err);
            if (code != STATUS_OK) {
                return code;
            }
        }
    }
    return onednn_status(p->call->stream_create(&w->stream, p->engine, dnnl_stream_default_flags),
                         "a stream", err);
}

void worker_destroy(const program *p, worker *w)
{
    if (w->stream) {
        (void)p->call->stream_destroy(w->stream);
    }
    memory_release(&p->alloc, w->memory);
    memory_release(&p->alloc, w->candidates);
    *w = (worker){0};
}
