/* Pooling. Cells outside the map take no part: they are neither a maximum nor counted.
 *
 * Bounds: a maximum is exact; an average of n cells is n - 1 additions, a division (2.5 ULP = 5u,
 * or a rounded reciprocal and a product: 2u) and the reference's rounding, at most gamma(n + 6)
 * times the mean magnitude. */
#include "engine/reference/operators.h"

#include <math.h>

/* rows or columns [from, to) of the map under window cell `at` */
static void clip_window(uint32_t at, uint32_t stride, uint32_t kernel, uint32_t pad, uint32_t size,
                        uint32_t *from, uint32_t *to)
{
    int64_t first = (int64_t)at * stride - pad, end = first + kernel;
    *from = first < 0 ? 0 : first < size ? (uint32_t)first : size;
    *to = end < 0 ? 0 : end < size ? (uint32_t)end : size;
}

typedef struct box {
    uint32_t top, bottom, left, right;
} box;

static box clip_box(const struct window *w, map in, uint32_t y, uint32_t x)
{
    box b;
    clip_window(y, w->stride_h, w->kernel_h, w->pad_top, in.height, &b.top, &b.bottom);
    clip_window(x, w->stride_w, w->kernel_w, w->pad_left, in.width, &b.left, &b.right);
    return b;
}

/* what becomes of a channel of a box; bound may be NULL */
typedef void pooled(const float *in, map m, box b, uint32_t channel, float *out, float *bound);

static void pool(const operands *o, pooled *take)
{
    const float *in = operand_input(o, 0);
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    map from = map_of(operand_input_shape(o, 0)), to = map_of(operand_output_shape(o, 0));
    for (uint32_t y = 0; y < to.height; y++) {
        for (uint32_t x = 0; x < to.width; x++) {
            box b = clip_box(&o->node->attributes.pool, from, y, x);
            for (uint32_t c = 0; c < to.channels; c++) {
                size_t at = map_at(to, y, x) + c;
                take(in, from, b, c, out + at, bound ? bound + at : NULL);
            }
        }
    }
}

static void box_maximum(const float *in, map m, box b, uint32_t channel, float *out, float *bound)
{
    float max = -INFINITY;
    for (uint32_t y = b.top; y < b.bottom; y++) {
        for (uint32_t x = b.left; x < b.right; x++) {
            float cell = in[map_at(m, y, x) + channel];
            max = cell > max ? cell : max;
        }
    }
    *out = max;
    if (bound) {
        *bound = bound_round(FLUSHED(1));
    }
}

void reference_max_pool(const operands *o)
{
    pool(o, box_maximum);
}

static void box_average(const float *in, map m, box b, uint32_t channel, float *out, float *bound)
{
    double sum = 0, magnitude = 0;
    double cells = (double)(b.bottom - b.top) * (b.right - b.left);
    for (uint32_t y = b.top; y < b.bottom; y++) {
        for (uint32_t x = b.left; x < b.right; x++) {
            double cell = (double)in[map_at(m, y, x) + channel];
            sum += cell;
            magnitude += fabs(cell);
        }
    }
    *out = (float)(sum / cells);
    if (bound) {
        *bound = bound_round(reference_gamma((uint64_t)cells + 6) * magnitude / cells +
                             FLUSHED(cells + 2));
    }
}

void reference_average_pool(const operands *o)
{
    pool(o, box_average);
}

void reference_global_average(const operands *o)
{
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    map from = map_of(operand_input_shape(o, 0));
    box all = {0, from.height, 0, from.width};
    for (uint32_t c = 0; c < from.channels; c++) {
        box_average(operand_input(o, 0), from, all, c, out + c, bound ? bound + c : NULL);
    }
}
