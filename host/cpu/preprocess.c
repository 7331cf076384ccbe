/* Pixels to network input in fp32: the two rows of the picture that a row of the input lies between
 * are mixed, brought to the input's width, and normalised. */
#include "host/cpu/program.h"

#include "engine/sampling.h"

#include <string.h>

enum { COLOURS = 3, ROWS_AN_ITEM = 20 };

typedef struct preprocessing {
    tensor input;
    /* one row of the input: value = colour * scale + shift; `fill` is one that no picture covers */
    const float *scale, *shift, *fill;
} preprocessing;

/* Where a row of the network's input finds its pixels. */
typedef struct columns {
    const pixels *picture;
    uint32_t width;           /* covered by the picture */
    bool as_they_are;         /* bytes in the input's order, one to one */
    int order[COLOURS];       /* where in a pixel the input's colours are */
    uint32_t *first, *second; /* bytes from the row's beginning */
    float *t;
} columns;

static const unsigned char *picture_row(const pixels *picture, uint32_t row)
{
    return (const unsigned char *)picture->data + row * picture->stride;
}

/* the arrays lie in `room`, which has space for three words a column */
static columns columns_make(const preprocess *pre, const pixels *picture, uint32_t width,
                            float *room)
{
    const bool reversed = picture->format == PIXEL_BGR8 || picture->format == PIXEL_BGRA8;
    const bool gray = picture->format == PIXEL_GRAY8;
    const bool swap = reversed != (pre->channels == CHANNELS_BGR);
    const uint32_t bytes = pixel_bytes(picture->format);
    columns c = {.picture = picture, .width = width};
    for (int k = 0; k < COLOURS && !gray; k++) {
        c.order[k] = swap ? COLOURS - 1 - k : k;
    }
    c.as_they_are = width == picture->width && bytes == COLOURS && !swap;
    c.first = (uint32_t *)(void *)room;
    c.second = c.first + width;
    c.t = room + 2 * (size_t)width;
    for (uint32_t x = 0; x < width && !c.as_they_are; x++) {
        const sample s = sample_at(pre->sampling, picture->width, width, x);
        c.first[x] = s.first * bytes;
        c.second[x] = s.second * bytes;
        c.t[x] = (float)s.numerator / (float)s.denominator;
    }
    return c;
}

/* One row of the picture at the width in which the network sees it, three colours a pixel. */
static void resample_bytes(const columns *c, uint32_t row, float *out)
{
    const unsigned char *from = picture_row(c->picture, row);
    for (uint32_t x = 0; x < c->width; x++) {
        const unsigned char *left = from + c->first[x], *right = from + c->second[x];
        for (int k = 0; k < COLOURS; k++) {
            const float a = (float)left[c->order[k]], b = (float)right[c->order[k]];
            out[x * COLOURS + (uint32_t)k] = a + (b - a) * c->t[x];
        }
    }
}

/* The same of a row that was mixed from two before. */
static void resample_floats(const columns *c, const float *from, float *out)
{
    for (uint32_t x = 0; x < c->width; x++) {
        const float *left = from + c->first[x], *right = from + c->second[x];
        for (int k = 0; k < COLOURS; k++) {
            const float a = left[c->order[k]], b = right[c->order[k]];
            out[x * COLOURS + (uint32_t)k] = a + (b - a) * c->t[x];
        }
    }
}

/* The picture between two of its rows, at the input's width. Rows are mixed before they are brought
 * to that width, for that runs at full speed, unless there is far more of them than is used. Which
 * way it is follows from the picture's size alone. */
static void mix_rows(const program *p, const columns *c, worker *w, sample at, float *out)
{
    const float t = (float)at.numerator / (float)at.denominator;
    const size_t wide = (size_t)c->picture->width * pixel_bytes(c->picture->format);
    const unsigned char *upper = picture_row(c->picture, at.first),
                        *lower = picture_row(c->picture, at.numerator ? at.second : at.first);
    if (c->as_they_are) {
        p->loops->blend_bytes(upper, lower, t, out, wide);
    } else if (wide <= p->row_floats && c->picture->width <= 4 * c->width) {
        p->loops->blend_bytes(upper, lower, t, w->row[0], wide);
        resample_floats(c, w->row[0], out);
    } else {
        const size_t n = (size_t)c->width * COLOURS;
        resample_bytes(c, at.first, w->row[0]);
        resample_bytes(c, at.numerator ? at.second : at.first, w->row[1]);
        p->loops->blend(w->row[0], w->row[1], t, out, n);
    }
}

static void to_gray(float *row, uint32_t width)
{
    for (uint32_t x = 0; x < width; x++) {
        const float *rgb = row + (size_t)x * COLOURS;
        row[x] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    }
}

static void run_picture(const program *p, const preprocessing *s, worker *w, uint32_t first,
                        uint32_t end)
{
    const preprocess *pre = p->preprocess;
    const pixels *picture = w->picture;
    const placement place = preprocess_place(pre, picture->width, picture->height);
    const size_t channels = s->input.channels, all = s->input.width * channels;
    const size_t begin = place.x * channels, covered = place.width * channels;
    const columns c = columns_make(pre, picture, place.width, w->row[2]);
    for (uint32_t y = first; y < end; y++) {
        float *out = row_begin(w, &s->input, y, w->row[3]);
        memcpy(out, s->fill, all * sizeof *out);
        if (y - place.y < place.height) { /* above it this wraps to a large number */
            const sample at = sample_at(pre->sampling, picture->height, place.height, y - place.y);
            float *mixed = w->row[3] + s->input.width * COLOURS;
            mix_rows(p, &c, w, at, mixed);
            if (channels == 1) {
                to_gray(mixed, place.width);
            }
            p->loops->scale_shift(mixed, s->scale + begin, s->shift + begin, out + begin, covered);
        }
        row_done(p, w, &s->input, y, out);
    }
}

static status run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const preprocessing *state = s->state;
    const tensor *input = &state->input;
    const uint32_t first = item * ROWS_AN_ITEM, left = input->height - first;
    const uint32_t end = first + (left < ROWS_AN_ITEM ? left : ROWS_AN_ITEM);
    (void)err;
    if (w->picture->format != PIXEL_TENSOR_F32) {
        run_picture(p, state, w, first, end);
        return STATUS_OK;
    }
    for (uint32_t y = first; y < end; y++) {
        elements_convert(p, (const char *)w->picture->data + y * w->picture->stride, IN_F32,
                         tensor_at(w, input, y), input->element,
                         (size_t)input->width * input->channels);
    }
    return STATUS_OK;
}

status preprocess_make(program *p, step *s, error *err)
{
    const preprocess *pre = p->preprocess;
    preprocessing *state = program_allocate(p, 1, sizeof *state);
    const tensor input = p->tensors[p->graph->input];
    const size_t row = (size_t)input.width * input.channels;
    float *rows = program_allocate(p, 3 * row, sizeof *rows);
    if (!state || !rows) {
        return error_set(err, STATUS_MEMORY, "out of memory for preprocessing");
    }
    for (size_t i = 0; i < row; i++) {
        const size_t c = i % input.channels;
        const double deviation = (double)pre->deviation[c], mean = (double)pre->mean[c];
        rows[i] = (float)(1 / deviation);
        rows[row + i] = (float)(-mean / deviation);
        rows[2 * row + i] = (float)(((double)pre->fill - mean) / deviation);
    }
    *state = (preprocessing){input, rows, rows + row, rows + 2 * row};
    /* the column arrays, and a mixed row beside an output row */
    const size_t needed = (size_t)input.width * 2 * COLOURS;
    p->row_floats = p->row_floats > needed ? p->row_floats : needed;
    s->variant = pre->sampling == SAMPLING_NEAREST ? "nearest" : "bilinear";
    s->items = (input.height + ROWS_AN_ITEM - 1) / ROWS_AN_ITEM;
    s->run = run;
    s->state = state;
    return STATUS_OK;
}
