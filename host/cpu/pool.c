/* Max-pooling by rows: of a step of its own, or of a strip that a convolution has just left in the
 * cache. */
#include "host/cpu/operators.h"

#include <math.h>
#include <string.h>

/* rows or columns [from, to) of the map under window cell `at` */
static void clip(uint32_t at, uint32_t stride, uint32_t kernel, uint32_t pad, uint32_t size,
                 uint32_t *from, uint32_t *to)
{
    const int64_t first = (int64_t)at * stride - pad, end = first + kernel;
    *from = first < 0 ? 0 : (uint32_t)first;
    *to = end < (int64_t)size ? (uint32_t)end : size;
}

/* The columns of a row that lie on 2 x 2 whole cells, by the loop made for them; 0 where the window
 * or the types are others. */
static uint32_t pool_pairs(const program *p, const window *pool, const tensor *map, element from,
                           const unsigned char *top, const unsigned char *bottom, const tensor *out,
                           void *to)
{
    if (pool->kernel_h != 2 || pool->kernel_w != 2 || pool->stride_w != 2 || pool->pad_left != 0 ||
        from != out->element) {
        return 0;
    }
    const uint32_t whole = map->width / 2, cells = whole < out->width ? whole : out->width;
    if (from == IN_BF16) {
        p->loops->pool_2x2_bf16((const void *)top, (const void *)bottom, to, cells, map->channels);
    } else {
        p->loops->pool_2x2((const void *)top, (const void *)bottom, to, cells, map->channels);
    }
    return cells;
}

void pool_row(const program *p, const worker *w, const window *pool, const tensor *map,
              element from, const unsigned char *rows, uint32_t first, const tensor *out,
              uint32_t y)
{
    const size_t channels = map->channels, cell_bytes = channels * element_bytes(from);
    const size_t row_bytes = map->width * cell_bytes;
    uint32_t top, bottom;
    clip(y, pool->stride_h, pool->kernel_h, pool->pad_top, map->height, &top, &bottom);
    unsigned char *to = tensor_at(w, out, y);
    uint32_t x = pool_pairs(p, pool, map, from, rows + (top - first) * row_bytes,
                            rows + (bottom - 1 - first) * row_bytes, out, to);
    float *most = w->row[2], *cell = w->row[3];
    for (; x < out->width; x++) {
        uint32_t left, right;
        clip(x, pool->stride_w, pool->kernel_w, pool->pad_left, map->width, &left, &right);
        for (size_t c = 0; c < channels; c++) {
            most[c] = -INFINITY;
        }
        for (uint32_t row = top; row < bottom; row++) {
            for (uint32_t column = left; column < right; column++) {
                const unsigned char *at = rows + (row - first) * row_bytes + column * cell_bytes;
                elements_convert(p, at, from, cell, IN_F32, channels);
                p->loops->larger(cell, most, channels);
            }
        }
        elements_convert(p, most, IN_F32, to + x * channels * element_bytes(out->element),
                         out->element, channels);
    }
}

/* --- steps of their own --- */

typedef struct pooling {
    tensor in, out;
    window window;
    uint32_t rows_each;
} pooling;

static status run_maximum(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const pooling *state = s->state;
    const row_range r = item_rows(state->out.height, state->rows_each, item);
    (void)err;
    for (uint32_t y = r.first; y < r.end; y++) {
        pool_row(p, w, &state->window, &state->in, state->in.element, tensor_at(w, &state->in, 0),
                 0, &state->out, y);
    }
    return STATUS_OK;
}

static status run_average(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const pooling *state = s->state;
    const window *k = &state->window;
    const row_range r = item_rows(state->out.height, state->rows_each, item);
    const size_t channels = state->in.channels;
    (void)err;
    for (uint32_t y = r.first; y < r.end; y++) {
        float *out = row_begin(w, &state->out, y, w->row[3]);
        memset(out, 0, state->out.width * channels * sizeof *out);
        uint32_t top, bottom, left, right;
        clip(y, k->stride_h, k->kernel_h, k->pad_top, state->in.height, &top, &bottom);
        for (uint32_t row = top; row < bottom; row++) {
            const float *in = row_read(p, w, &state->in, row, w->row[0]);
            for (uint32_t x = 0; x < state->out.width; x++) {
                clip(x, k->stride_w, k->kernel_w, k->pad_left, state->in.width, &left, &right);
                for (uint32_t column = left; column < right; column++) {
                    p->loops->add(out + x * channels, in + column * channels, out + x * channels,
                                  channels);
                }
            }
        }
        for (uint32_t x = 0; x < state->out.width; x++) {
            clip(x, k->stride_w, k->kernel_w, k->pad_left, state->in.width, &left, &right);
            const float cells = (float)(right - left) * (float)(bottom - top);
            p->loops->multiply_one(out + x * channels, 1.0f / cells, out + x * channels, channels);
        }
        row_done(p, w, &state->out, y, out);
    }
    return STATUS_OK;
}

status pool_make(program *p, const node *n, step *s, error *err)
{
    pooling *state = program_allocate(p, 1, sizeof *state);
    if (!state) {
        return error_set(err, STATUS_MEMORY, "out of memory for a pool");
    }
    *state = (pooling){.in = p->tensors[n->inputs[0]], .out = p->tensors[n->outputs[0]]};
    if (n->op == OP_GLOBAL_AVERAGE) { /* (H, W, C) -> (C): one window over all of it */
        state->window = (window){state->in.height, state->in.width, 1, 1, 1, 1, 0, 0, 0, 0};
    } else {
        state->window = n->attributes.pool;
    }
    state->rows_each =
        rows_an_item(state->out.height, 10 * s->flops, tensor_row_bytes(&state->out), 1);
    s->items = (state->out.height + state->rows_each - 1) / state->rows_each;
    s->variant = n->op == OP_MAX_POOL ? "maximum" : n->op == OP_AVERAGE_POOL ? "average" : "global";
    s->run = n->op == OP_MAX_POOL ? run_maximum : run_average;
    s->state = state;
    return STATUS_OK;
}
