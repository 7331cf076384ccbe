/* The strips of depthwise and pointwise convolutions that separable.c computes in fp32, and
 * pointwise_amx.c in bfloat16. A depthwise one takes and leaves bfloat16 too, a row at a time. */
#include "host/cpu/convolution.h"

#include <math.h>

enum { MAX_WINDOW_ROWS = 8, LEAST_PIXELS = 8 };

static bool is_depthwise(const branch *b)
{
    const window *w = &b->window;
    return b->groups > 1 && b->groups == b->in.channels && b->groups == b->filters && b->has_map &&
           !b->has_pooled && !b->repeat && w->dilation_h == 1 && w->dilation_w == 1 &&
           w->kernel_h <= MAX_WINDOW_ROWS;
}

static bool is_pointwise(const program *p, const branch *b)
{
    const window *w = &b->window;
    const bool plain = w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 &&
                       w->stride_w == 1 && b->map_height == b->in.height &&
                       b->map_width == b->in.width;
    const bool fits = b->in.element == IN_F32 || (p->halves && b->in.channels % 2 == 0);
    /* where pixels are few it would wait for weights and sums */
    return plain && b->groups == 1 && fits &&
           (uint64_t)b->map_height * b->map_width >= LEAST_PIXELS;
}

method conv_separable_method(const program *p, const branch *b)
{
    if (!p->separable) {
        return BY_LOOPS;
    }
    return is_depthwise(b) ? BY_DEPTHWISE : is_pointwise(p, b) ? BY_POINTWISE : BY_LOOPS;
}

bool conv_separable_fuses(const activation *a)
{
    return a->kind == ACTIVATION_LINEAR || (a->kind == ACTIVATION_RELU && a->threshold == 0.0f &&
                                            a->slope == 0.0f && a->limit > 0.0f);
}

static status pack_floats(program *p, branch *b, error *err)
{
    const size_t floats = p->separable->packed_floats(b->in.channels, b->filters);
    float *packed = program_allocate(p, floats, sizeof *packed);
    if (!packed) {
        return error_set(err, STATUS_MEMORY, "out of memory for %zu weights", floats);
    }
    p->separable->pack(b->kernel, b->bias, b->in.channels, b->filters, packed);
    p->weight_bytes += floats * sizeof *packed;
    b->packed = packed;
    return STATUS_OK;
}

static status pack_halves(program *p, branch *b, error *err)
{
    const size_t count = (size_t)b->in.channels * b->filters,
                 bytes = p->halves->packed_bytes(b->in.channels, b->filters);
    void *packed = program_allocate(p, bytes, 1);
    uint16_t *halves = memory_allocate(&p->alloc, count, sizeof *halves);
    if (!packed || !halves) {
        memory_release(&p->alloc, halves);
        return error_set(err, STATUS_MEMORY, "out of memory for %zu weights", count);
    }
    p->loops->to_bf16(b->kernel, halves, count);
    p->halves->pack(halves, b->bias, b->in.channels, b->filters, packed);
    memory_release(&p->alloc, halves);
    p->weight_bytes += bytes;
    b->packed = packed;
    return STATUS_OK;
}

status conv_separable_make(program *p, branch *b, const char **variant, error *err)
{
    const bool halves = b->in.element == IN_BF16;
    *variant =
        region_format(p->memory, "%s %s", b->method == BY_DEPTHWISE ? "depthwise" : "pointwise",
                      b->method == BY_POINTWISE && halves ? "amx" : p->separable->isa);
    if (!*variant) {
        return error_set(err, STATUS_MEMORY, "out of memory for a name");
    }
    if (b->method == BY_POINTWISE) {
        return halves ? pack_halves(p, b, err) : pack_floats(p, b, err);
    }
    const size_t floats = (size_t)b->window.kernel_h * b->in.width * b->in.channels;
    p->window_floats = halves && floats > p->window_floats ? floats : p->window_floats;
    return STATUS_OK;
}

static pointwise_form form_of(const branch *b, bool clamps)
{
    return (pointwise_form){.in = b->in.channels,
                            .out = b->filters,
                            .packed = b->packed,
                            .low = clamps ? 0.0f : -INFINITY,
                            .high = clamps ? b->act.limit : INFINITY,
                            .added_halves = b->added.element == IN_BF16,
                            .out_halves = b->computed == IN_BF16};
}

bool conv_separable_adds(const program *p, const branch *b)
{
    return p->separable && conv_separable_fuses(&b->act) && b->added.element == b->map.element &&
           (b->map.element == IN_F32 || p->halves);
}

void conv_add_run(const program *p, const branch *b, const float *sums, const void *added,
                  void *out)
{
    const pointwise_form form = form_of(b, b->act.kind == ACTIVATION_RELU);
    if (b->map.element == IN_F32) {
        p->separable->add_repeated(&form, sums, added, out, b->map_width, b->repeat);
    } else {
        p->halves->add_repeated(&form, sums, added, out, b->map_width, b->repeat);
    }
}

void conv_pointwise_run(const program *p, const branch *b, const strip *s, worker *w, void *out)
{
    const pointwise_form form = form_of(b, b->act_fused && b->act.kind == ACTIVATION_RELU);
    const void *in = tensor_at(w, &b->in, s->first),
               *added = b->sum_fused ? tensor_at(w, &b->added, s->first) : NULL;
    const size_t count = (size_t)s->rows * b->map_width;
    if (b->in.element == IN_BF16) {
        p->halves->run(&form, in, added, out, count);
    } else {
        p->separable->pointwise(&form, in, added, out, count);
    }
}

/* The rows first .. end - 1 of the input in fp32, by row modulo the window's height; `*next` is the
 * first that has not been there yet. */
static void window_fill(const program *p, const branch *b, worker *w, uint32_t first, uint32_t end,
                        uint32_t *next, const float **rows)
{
    const size_t floats = (size_t)b->in.width * b->in.channels;
    for (uint32_t y = first; y < end; y++) {
        if (b->in.element == IN_F32) {
            rows[y - first] = tensor_at(w, &b->in, y);
            continue;
        }
        float *row = w->window + y % b->window.kernel_h * floats;
        if (y >= *next) {
            p->loops->to_float(tensor_at(w, &b->in, y), row, floats);
            *next = y + 1;
        }
        rows[y - first] = row;
    }
}

void conv_depthwise_run(const program *p, const branch *b, const strip *s, worker *w)
{
    const window *k = &b->window;
    const depthwise_form form = {.kernel_w = k->kernel_w,
                                 .stride_w = k->stride_w,
                                 .pad_left = k->pad_left,
                                 .in_width = b->in.width,
                                 .out_width = b->map_width,
                                 .channels = b->filters,
                                 .bias = b->bias};
    const size_t taps_each = (size_t)k->kernel_w * b->filters,
                 floats = (size_t)b->map_width * b->filters;
    const float *rows[MAX_WINDOW_ROWS], *taps[MAX_WINDOW_ROWS];
    uint32_t next = 0;
    for (uint32_t y = s->first; y < s->first + s->rows; y++) {
        const int64_t top = (int64_t)y * k->stride_h - k->pad_top, bottom = top + k->kernel_h;
        const uint32_t first = top > 0 ? (uint32_t)top : 0;
        const uint32_t end =
            bottom < (int64_t)b->in.height ? (uint32_t)(bottom > 0 ? bottom : 0) : b->in.height;
        const uint32_t count = end > first ? end - first : 0;
        window_fill(p, b, w, first, first + count, &next, rows);
        for (uint32_t r = 0; r < count; r++) {
            taps[r] = b->kernel + ((int64_t)first + r - top) * (int64_t)taps_each;
        }
        float *out = row_begin(w, &b->map, y, w->row[3]);
        p->separable->depthwise(&form, rows, taps, count, out);
        p->loops->activate(&b->act, out, floats);
        if (b->map.element == IN_BF16 && p->halves) {
            p->halves->from_floats(out, tensor_at(w, &b->map, y), floats);
        } else {
            row_done(p, w, &b->map, y, out);
        }
    }
}
