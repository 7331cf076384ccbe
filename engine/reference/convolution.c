/* Convolution, and the two that are special cases of it down to the layout of their weights: a
 * depthwise convolution has as many groups as channels, a dense layer is a 1x1 convolution over its
 * rows.
 *
 * The product of two floats is exact in double (24 + 24 bits), so only the additions round: bias
 * first, then kernel row, kernel column, input channel. Inner loops run over neighbouring output
 * channels, which lie side by side in the weights; that changes nothing in any one sum.
 *
 * Bound: n products and n additions of an fp32 kernel cost gamma(n + 1) * sum|x w|, and the
 * reference's own rounding makes it gamma(n + 2); padded taps are counted, so that a kernel may
 * multiply by the zeros of a halo. What is added to the map is one more term, and one more
 * addition.
 */
#include "engine/reference/operators.h"

#include <math.h>

enum { LANES = 16 }; /* output channels at a time: what fits the registers */

typedef struct convolution {
    const struct window *window;
    const float *input, *kernel, *bias;
    const float *added; /* of the size of the repeated map; NULL: nothing */
    const activation *act;
    map in, out;
    uint32_t repeat;              /* of each pixel of the map, along both sides */
    uint32_t group_in, group_out; /* channels of a group */
    uint32_t cells;               /* of a map that are computed; 0: all */
    const double *errors;         /* of the sums, where others than those of adding up */
} convolution;

/* sum[i] += x[k] * w[k][i], or the magnitudes of it. `magnitude` and (mostly) `lanes` are literals
 * where this is called, so that it is specialised. */
static inline void add_products(double *sum, const float *x, uint32_t terms, const float *w,
                                size_t row, uint32_t lanes, bool magnitude)
{
    double local[LANES];
    for (uint32_t i = 0; i < lanes; i++) {
        local[i] = sum[i];
    }
    for (uint32_t k = 0; k < terms; k++) {
        double xk = magnitude ? fabs((double)x[k]) : (double)x[k];
        for (uint32_t i = 0; i < lanes; i++) {
            double wk = (double)w[k * row + i];
            local[i] += xk * (magnitude ? fabs(wk) : wk);
        }
    }
    for (uint32_t i = 0; i < lanes; i++) {
        sum[i] = local[i];
    }
}

/* The sums of output channels first .. first + lanes - 1, all of one group, at output cell (y, x).
 */
static inline void sum_cell(const convolution *c, uint32_t y, uint32_t x, uint32_t first,
                            uint32_t lanes, bool magnitude, double *sum)
{
    const struct window *w = c->window;
    uint32_t group = first / c->group_out;
    for (uint32_t i = 0; i < lanes; i++) {
        double bias = c->bias ? (double)c->bias[first + i] : 0;
        sum[i] = magnitude ? fabs(bias) : bias;
    }
    for (uint32_t ky = 0; ky < w->kernel_h; ky++) {
        int64_t iy = (int64_t)y * w->stride_h + (int64_t)ky * w->dilation_h - w->pad_top;
        if (iy < 0 || iy >= c->in.height) {
            continue;
        }
        for (uint32_t kx = 0; kx < w->kernel_w; kx++) {
            int64_t ix = (int64_t)x * w->stride_w + (int64_t)kx * w->dilation_w - w->pad_left;
            if (ix < 0 || ix >= c->in.width) {
                continue;
            }
            const float *pixel =
                c->input + map_at(c->in, (uint32_t)iy, (uint32_t)ix) + (size_t)group * c->group_in;
            const float *tap =
                c->kernel + ((size_t)ky * w->kernel_w + kx) * c->group_in * c->out.channels + first;
            if (lanes == LANES) {
                add_products(sum, pixel, c->group_in, tap, c->out.channels, LANES, magnitude);
            } else {
                add_products(sum, pixel, c->group_in, tap, c->out.channels, lanes, magnitude);
            }
        }
    }
}

/* Output channels first .. first + lanes - 1 of cell (y, x) of the repeated map, activated and
 * rounded. */
static void compute_cell(const convolution *c, uint32_t y, uint32_t x, uint32_t first,
                         uint32_t lanes, float *out, float *bound)
{
    double sum[LANES], magnitude[LANES];
    sum_cell(c, y / c->repeat, x / c->repeat, first, lanes, false, sum);
    double gamma = 0, flushed = 0;
    const double *errors = c->errors ? c->errors + map_at(c->out, y, x) + first : NULL;
    if (bound && !errors) {
        uint64_t terms = (uint64_t)c->window->kernel_h * c->window->kernel_w * c->group_in;
        terms += c->added ? 1 : 0;
        sum_cell(c, y / c->repeat, x / c->repeat, first, lanes, true, magnitude);
        gamma = reference_gamma(terms + 2);
        flushed = FLUSHED(terms + 2);
    }
    const map whole = {c->out.height * c->repeat, c->out.width * c->repeat, c->out.channels};
    const float *added = c->added ? c->added + map_at(whole, y, x) + first : NULL;
    for (uint32_t i = 0; i < lanes; i++) {
        if (added) {
            sum[i] += (double)added[i];
        }
        if (added && bound && !errors) {
            magnitude[i] += fabs((double)added[i]);
        }
        double slack = errors ? errors[i] : bound ? gamma * magnitude[i] + flushed : 0;
        store(out, bound, i, c->act, sum[i], slack);
    }
}

/* The same of cell (y, x) of the pooled map: the maximum over the window of the map's cells. Pooled
 * values are off by at most the largest error in their window. */
static void compute_pooled(const convolution *c, const struct window *p, uint32_t y, uint32_t x,
                           uint32_t first, uint32_t lanes, float *out, float *bound)
{
    for (uint32_t i = 0; i < lanes; i++) {
        out[i] = -INFINITY;
        if (bound) {
            bound[i] = 0;
        }
    }
    for (uint32_t ky = 0; ky < p->kernel_h; ky++) {
        for (uint32_t kx = 0; kx < p->kernel_w; kx++) {
            int64_t cy = (int64_t)y * p->stride_h + ky - p->pad_top;
            int64_t cx = (int64_t)x * p->stride_w + kx - p->pad_left;
            if (cy < 0 || cy >= c->out.height || cx < 0 || cx >= c->out.width) {
                continue;
            }
            float cell[LANES], cell_bound[LANES];
            compute_cell(c, (uint32_t)cy, (uint32_t)cx, first, lanes, cell,
                         bound ? cell_bound : NULL);
            for (uint32_t i = 0; i < lanes; i++) {
                out[i] = cell[i] > out[i] ? cell[i] : out[i];
                if (bound) {
                    bound[i] = fmaxf(bound[i], cell_bound[i]);
                }
            }
        }
    }
}

/* The distance of the cells of a sample. Odd: in a map of even width neighbouring rows then
 * show different columns. */
static uint64_t sample_step(const convolution *c, map size)
{
    const uint64_t all = (uint64_t)size.height * size.width;
    return c->cells && all > c->cells ? all / c->cells | 1 : 1;
}

/* pool NULL: the map itself */
static void compute_map(const convolution *c, const struct window *pool, map size, float *out,
                        float *bound)
{
    const uint64_t step = sample_step(c, size), last = (uint64_t)size.height * size.width - 1;
    for (uint32_t y = 0; y < size.height; y++) {
        for (uint32_t x = 0; x < size.width; x++) {
            const uint64_t cell = (uint64_t)y * size.width + x;
            if (cell % step != 0 && cell != last) {
                continue;
            }
            uint32_t lanes;
            for (uint32_t first = 0; first < size.channels; first += lanes) {
                uint32_t left = c->group_out - first % c->group_out;
                lanes = left < LANES ? left : LANES;
                size_t at = map_at(size, y, x) + first;
                float *bound_at = bound ? bound + at : NULL;
                if (pool) {
                    compute_pooled(c, pool, y, x, first, lanes, out + at, bound_at);
                } else {
                    compute_cell(c, y, x, first, lanes, out + at, bound_at);
                }
            }
        }
    }
}

static void run_conv2d(const operands *o)
{
    const conv2d_attributes *a = &o->node->attributes.conv;
    for (int b = 0; b < a->branches; b++) {
        map in = map_of(operand_input_shape(o, b));
        int kernel = o->node->weights[(size_t)b * 2];
        uint32_t channels = o->graph->weights[kernel].shape.dim[3];
        convolution c = {.window = &a->window,
                         .input = operand_input(o, b),
                         .kernel = operand_weight(o, 2 * b),
                         .bias = operand_weight(o, 2 * b + 1),
                         .added = a->repeat ? operand_input(o, 1) : NULL,
                         .act = operand_activation(o, b),
                         .in = in,
                         .out = {0, 0, channels},
                         .repeat = a->repeat ? a->repeat : 1,
                         .group_in = in.channels / a->groups,
                         .group_out = channels / a->groups,
                         .cells = o->cells,
                         .errors = o->sum_errors ? o->sum_errors[b] : NULL};
        (void)window_output(&a->window, in.height, in.width, &c.out.height, &c.out.width);
        if (operand_output(o, 2 * b)) {
            compute_map(&c, NULL, map_of(operand_output_shape(o, 2 * b)), operand_output(o, 2 * b),
                        operand_bound(o, 2 * b));
        }
        if (a->pooled && operand_output(o, 2 * b + 1)) {
            compute_map(&c, &a->pool, map_of(operand_output_shape(o, 2 * b + 1)),
                        operand_output(o, 2 * b + 1), operand_bound(o, 2 * b + 1));
        }
    }
}

static void run_depthwise(const operands *o)
{
    map in = map_of(operand_input_shape(o, 0));
    convolution c = {.window = &o->node->attributes.depthwise.window,
                     .input = operand_input(o, 0),
                     .kernel = operand_weight(o, 0),
                     .bias = operand_weight(o, 1),
                     .act = operand_activation(o, 0),
                     .in = in,
                     .out = map_of(operand_output_shape(o, 0)),
                     .repeat = 1,
                     .group_in = 1,
                     .group_out = o->node->attributes.depthwise.multiplier,
                     .cells = o->cells};
    compute_map(&c, NULL, c.out, operand_output(o, 0), operand_bound(o, 0));
}

static void run_dense(const operands *o)
{
    static const struct window one = {.kernel_h = 1,
                                      .kernel_w = 1,
                                      .stride_h = 1,
                                      .stride_w = 1,
                                      .dilation_h = 1,
                                      .dilation_w = 1};
    map in = map_of(operand_input_shape(o, 0)), out = map_of(operand_output_shape(o, 0));
    convolution c = {.window = &one,
                     .input = operand_input(o, 0),
                     .kernel = operand_weight(o, 0),
                     .bias = operand_weight(o, 1),
                     .act = operand_activation(o, 0),
                     .in = in,
                     .out = out,
                     .repeat = 1,
                     .group_in = in.channels,
                     .group_out = out.channels,
                     .cells = o->cells};
    compute_map(&c, NULL, c.out, operand_output(o, 0), operand_bound(o, 0));
}

void reference_convolution(const operands *o)
{
    if (o->node->op == OP_CONV2D) {
        run_conv2d(o);
    } else if (o->node->op == OP_DEPTHWISE) {
        run_depthwise(o);
    } else {
        run_dense(o);
    }
}
