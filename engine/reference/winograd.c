/* The bound of a convolution that is computed by way of Winograd's F(4x4, 3x3), reference.h. */
#include "engine/reference/operators.h"
#include "shaders/interface.h"

#include <math.h>
#include <string.h>

enum { TILE = WINOGRAD_TILE, WINDOW = WINOGRAD_WINDOW, KERNEL = 3 };

/* Added to every magnitude: times a rounding it is what some hundred flushed results lose. */
#define LEAST 0x1p-98

/* The magnitudes of B^T, A^T and G of shaders/winograd.glsl. */
typedef struct transforms {
    double source[WINDOW][WINDOW], output[TILE][WINDOW], kernel[WINDOW][KERNEL];
} transforms;

static void transforms_make(transforms *t)
{
    static const double points[2] = {WINOGRAD_A, WINOGRAD_B};
    const double a2 = points[0] * points[0], b2 = points[1] * points[1];
    *t = (transforms){
        .source =
            {{a2 * b2, 0, a2 + b2, 0, 1, 0}, {0}, {0}, {0}, {0}, {0, a2 * b2, 0, a2 + b2, 0, 1}},
        .output = {[0] = {[0] = 1}, [TILE - 1] = {[WINDOW - 1] = 1}},
        .kernel = {[0] = {[0] = 1 / (a2 * b2)}, [WINDOW - 1] = {[KERNEL - 1] = 1}},
    };
    for (int i = 0; i < 2; i++) {
        const double p = points[i], p2 = p * p, other = points[1 - i] * points[1 - i];
        const double distances = 2 * p2 * fabs(p2 - other);
        for (int row = 1 + 2 * i; row <= 2 + 2 * i; row++) {
            const double source[WINDOW] = {0, p * other, other, p, 1, 0};
            const double powers[TILE] = {1, p, p2, p * p2};
            for (int k = 0; k < WINDOW; k++) {
                t->source[row][k] = source[k];
            }
            for (int k = 0; k < TILE; k++) {
                t->output[k][row] = powers[k];
            }
            for (int k = 0; k < KERNEL; k++) {
                t->kernel[row][k] = powers[k] / distances;
            }
        }
    }
}

/* A branch, and room for its magnitudes: of the kernel [channel][output], and of one tile's sums
 * [output]. */
typedef double element_row[WINDOW * WINDOW];
typedef struct branch {
    const struct window *window;
    const float *input, *kernel, *bias;
    map in, out;
    transforms t;
    element_row *kernels, *sums;
} branch;

/* |left| m |right|^T */
static void transform(const double *left, const double *m, const double *right, uint32_t rows,
                      uint32_t inner, double *out)
{
    double half[WINDOW][WINDOW] = {{0}};
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t k = 0; k < inner; k++) {
            for (uint32_t c = 0; c < inner; c++) {
                half[r][c] += left[r * inner + k] * m[k * inner + c];
            }
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < rows; c++) {
            double sum = LEAST;
            for (uint32_t k = 0; k < inner; k++) {
                sum += half[r][k] * right[c * inner + k];
            }
            out[r * rows + c] = sum;
        }
    }
}

static void fill_kernels(branch *b)
{
    const size_t pairs = (size_t)b->in.channels * b->out.channels;
    for (size_t i = 0; i < pairs; i++) {
        double g[KERNEL * KERNEL];
        for (size_t tap = 0; tap < KERNEL * KERNEL; tap++) {
            g[tap] = fabs((double)b->kernel[tap * pairs + i]);
        }
        transform(&b->t.kernel[0][0], g, &b->t.kernel[0][0], WINDOW, KERNEL, b->kernels[i]);
    }
}

/* of one channel under the tile whose first pixel is (y, x) */
static void source_magnitudes(const branch *b, uint32_t y, uint32_t x, uint32_t channel,
                              element_row out)
{
    double d[WINDOW * WINDOW] = {0};
    for (uint32_t i = 0; i < WINDOW * WINDOW; i++) {
        const int64_t row = (int64_t)y + i / WINDOW - b->window->pad_top;
        const int64_t column = (int64_t)x + i % WINDOW - b->window->pad_left;
        if (row >= 0 && row < b->in.height && column >= 0 && column < b->in.width) {
            const size_t at = map_at(b->in, (uint32_t)row, (uint32_t)column) + channel;
            d[i] = fabs((double)b->input[at]);
        }
    }
    transform(&b->t.source[0][0], d, &b->t.source[0][0], WINDOW, WINDOW, out);
}

static void tile_errors(const branch *b, uint32_t y, uint32_t x, double *errors)
{
    /* eight roundings of each transform; two of the kernel's; the sum's over channels in whole
     * fours and the product's; the bias's; the reference's */
    const double gamma = reference_gamma(((uint64_t)b->in.channels + 3) / 4 * 4 + 21);
    memset(b->sums, 0, b->out.channels * sizeof *b->sums);
    for (uint32_t c = 0; c < b->in.channels; c++) {
        element_row d;
        source_magnitudes(b, y, x, c, d);
        const element_row *kernels = b->kernels + (size_t)c * b->out.channels;
        for (uint32_t k = 0; k < b->out.channels; k++) {
            for (uint32_t e = 0; e < WINDOW * WINDOW; e++) {
                b->sums[k][e] += d[e] * kernels[k][e];
            }
        }
    }
    for (uint32_t k = 0; k < b->out.channels; k++) {
        double sums[TILE * TILE];
        transform(&b->t.output[0][0], b->sums[k], &b->t.output[0][0], TILE, WINDOW, sums);
        for (uint32_t e = 0; e < TILE * TILE; e++) {
            const uint32_t row = y + e / TILE, column = x + e % TILE;
            const double bias = b->bias ? fabs((double)b->bias[k]) : 0;
            if (row < b->out.height && column < b->out.width) {
                errors[map_at(b->out, row, column) + k] = gamma * (sums[e] + bias);
            }
        }
    }
}

status winograd_errors(const operands *o, int index, const allocator *a, double **out, error *err)
{
    const conv2d_attributes *attributes = &o->node->attributes.conv;
    const int kernel = o->node->weights[(size_t)index * 2];
    branch b = {.window = &attributes->window,
                .input = operand_input(o, index),
                .kernel = operand_weight(o, 2 * index),
                .bias = operand_weight(o, 2 * index + 1),
                .in = map_of(operand_input_shape(o, index)),
                .out = {0, 0, o->graph->weights[kernel].shape.dim[3]}};
    (void)window_output(b.window, b.in.height, b.in.width, &b.out.height, &b.out.width);
    const size_t outputs = b.out.channels;
    b.kernels = memory_allocate(a, (b.in.channels + (size_t)1) * outputs, sizeof *b.kernels);
    double *errors =
        memory_allocate(a, (size_t)b.out.height * b.out.width * outputs, sizeof *errors);
    *out = errors;
    if (!b.kernels || !errors) {
        memory_release(a, b.kernels);
        return error_set(err, STATUS_MEMORY, "out of memory for the bounds of %s", o->node->name);
    }
    b.sums = b.kernels + b.in.channels * outputs;
    transforms_make(&b.t);
    fill_kernels(&b);
    for (uint32_t y = 0; y < b.out.height; y += TILE) {
        for (uint32_t x = 0; x < b.out.width; x += TILE) {
            tile_errors(&b, y, x, errors);
        }
    }
    memory_release(a, b.kernels);
    return STATUS_OK;
}
