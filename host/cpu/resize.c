/* Resize of a map by rows: which cells an output cell lies between is found once, exactly as the
 * reference finds it. */
#include "host/cpu/operators.h"

#include <string.h>

typedef struct position {
    uint32_t first, second;
    float t;
} position;

typedef struct resizing {
    tensor in, out;
    bool nearest;
    uint32_t rows_each;
    const position *rows, *columns;
} resizing;

/* source = numerator / denominator, see engine/reference/resize.c */
static position locate(const node *n, uint32_t in, uint32_t out, uint32_t i)
{
    const bool align = n->attributes.resize.align_corners, half = n->attributes.resize.half_pixel;
    const bool nearest = n->attributes.resize.mode == RESIZE_NEAREST;
    const int64_t in_size = align && out > 1 ? (int64_t)in - 1 : in;
    const int64_t out_size = align && out > 1 ? (int64_t)out - 1 : out;
    const int64_t denominator = 2 * out_size;
    int64_t numerator = (2 * (int64_t)i + (half ? 1 : 0)) * in_size;
    numerator += nearest ? (align ? out_size : 0) : (half ? -out_size : 0);
    numerator = numerator < 0 ? 0 : numerator;
    uint32_t cell = (uint32_t)(numerator / denominator);
    if (nearest || cell + 1 >= in) {
        cell = cell < in ? cell : in - 1;
        return (position){cell, cell, 0};
    }
    return (position){cell, cell + 1,
                      (float)((double)(numerator % denominator) / (double)denominator)};
}

/* one row of the input at the output's width */
static void stretch(const program *p, const resizing *s, const float *in, float *out)
{
    const size_t channels = s->in.channels;
    for (uint32_t x = 0; x < s->out.width; x++) {
        const position *at = &s->columns[x];
        const float *left = in + at->first * channels;
        if (at->t == 0.0f) {
            memcpy(out + x * channels, left, channels * sizeof *out);
        } else {
            p->loops->blend(left, in + at->second * channels, at->t, out + x * channels, channels);
        }
    }
}

static status run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const resizing *state = s->state;
    const row_range r = item_rows(state->out.height, state->rows_each, item);
    const size_t n = (size_t)state->out.width * state->out.channels;
    (void)err;
    for (uint32_t y = r.first; y < r.end; y++) {
        const position *at = &state->rows[y];
        float *out = row_begin(w, &state->out, y, w->row[3]);
        stretch(p, state, row_read(p, w, &state->in, at->first, w->row[0]), out);
        if (at->t != 0.0f) {
            stretch(p, state, row_read(p, w, &state->in, at->second, w->row[0]), w->row[1]);
            p->loops->blend(out, w->row[1], at->t, w->row[2], n);
            memcpy(out, w->row[2], n * sizeof *out);
        }
        row_done(p, w, &state->out, y, out);
    }
    return STATUS_OK;
}

status resize_make(program *p, const node *n, step *s, error *err)
{
    resizing *state = program_allocate(p, 1, sizeof *state);
    const tensor in = p->tensors[n->inputs[0]], out = p->tensors[n->outputs[0]];
    position *all = program_allocate(p, (size_t)out.height + out.width, sizeof *all);
    if (!state || !all) {
        return error_set(err, STATUS_MEMORY, "out of memory for a resize");
    }
    for (uint32_t y = 0; y < out.height; y++) {
        all[y] = locate(n, in.height, out.height, y);
    }
    for (uint32_t x = 0; x < out.width; x++) {
        all[out.height + x] = locate(n, in.width, out.width, x);
    }
    const uint64_t elements = (uint64_t)out.height * out.width * out.channels;
    *state = (resizing){.in = in,
                        .out = out,
                        .nearest = n->attributes.resize.mode == RESIZE_NEAREST,
                        .rows_each = rows_an_item(out.height, 20 * elements, 0, 1),
                        .rows = all,
                        .columns = all + out.height};
    s->items = (out.height + state->rows_each - 1) / state->rows_each;
    s->variant = state->nearest ? "nearest" : "bilinear";
    s->run = run;
    s->state = state;
    return STATUS_OK;
}
