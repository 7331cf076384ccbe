/* Depthwise and pointwise convolution for the instruction set that the compiler is told to use;
 * SEPARABLE names the table. */
#include "host/cpu/separable.h"

#include "host/cpu/vectors.h"

#define INLINE static inline __attribute__((always_inline))

/* Loops over tiles must be unrolled, or their sums would not stay in registers. */
#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

/* --- depthwise ---
 * A vector of channels at a time, along the row: a tap's weights then stay in registers. Channels
 * that fill no vector share the last one with some that were computed before, to the same bits. */

enum { WINDOW = 3, PIXELS_AT_ONCE = 4, PIECE = 16 };

/* pixels first .. end - 1 of the row, with whatever of the window lies in the input */
INLINE void depthwise_pixels(const depthwise_form *f, const float *const *rows,
                             const float *const *taps, uint32_t count, uint32_t c, part which,
                             uint32_t first, uint32_t end, float *out)
{
    const size_t channels = f->channels;
    const vector bias = f->bias ? vector_load_part(f->bias + c, which) : vector_all(0.0f);
    for (uint32_t x = first; x < end; x++) {
        vector sum = bias;
        for (uint32_t r = 0; r < count; r++) {
            for (uint32_t k = 0; k < f->kernel_w; k++) {
                const int64_t ix = (int64_t)x * f->stride_w + k - f->pad_left;
                if (ix >= 0 && ix < (int64_t)f->in_width) {
                    sum = vector_add_product(
                        sum, vector_load_part(rows[r] + (size_t)ix * channels + c, which),
                        vector_load_part(taps[r] + k * channels + c, which));
                }
            }
        }
        vector_store_part(out + x * channels + c, sum, which);
    }
}

/* `pixels` neighbours with whole windows; `in`: the first one's rows. A column is loaded once for
 * all the pixels that it is a tap of. */
INLINE void depthwise_window(const float *const *in, vector weights[][WINDOW], vector bias,
                             uint32_t count, uint32_t pixels, uint32_t stride, size_t channels,
                             float *out)
{
    vector sums[PIXELS_AT_ONCE];
    UNROLLED
    for (uint32_t i = 0; i < pixels; i++) {
        sums[i] = bias;
    }
    UNROLLED
    for (uint32_t r = 0; r < count; r++) {
        UNROLLED
        for (uint32_t column = 0; column < (pixels - 1) * stride + WINDOW; column++) {
            const vector x = vector_load(in[r] + column * channels);
            UNROLLED
            for (uint32_t i = 0; i < pixels; i++) {
                if (column >= i * stride && column - i * stride < WINDOW) {
                    sums[i] = vector_add_product(sums[i], x, weights[r][column - i * stride]);
                }
            }
        }
    }
    UNROLLED
    for (uint32_t i = 0; i < pixels; i++) {
        vector_store(out + i * channels, sums[i]);
    }
}

/* The same of whole windows of 3 columns and `count` rows, of a whole vector of channels. */
INLINE void depthwise_inner(const depthwise_form *f, const float *const *rows,
                            const float *const *taps, uint32_t count, uint32_t stride, uint32_t c,
                            uint32_t first, uint32_t end, float *out)
{
    const size_t channels = f->channels, step = stride * channels;
    const vector bias = f->bias ? vector_load(f->bias + c) : vector_all(0.0f);
    const float *in[WINDOW];
    vector weights[WINDOW][WINDOW];
    UNROLLED
    for (uint32_t r = 0; r < count; r++) {
        in[r] = rows[r] + ((size_t)first * stride - f->pad_left) * channels + c;
        UNROLLED
        for (uint32_t k = 0; k < WINDOW; k++) {
            weights[r][k] = vector_load(taps[r] + k * channels + c);
        }
    }
    float *to = out + first * channels + c;
    uint32_t n = 0;
    for (uint32_t x = first; x < end; x += n) {
        if (end - x >= PIXELS_AT_ONCE) {
            n = PIXELS_AT_ONCE;
            depthwise_window(in, weights, bias, count, PIXELS_AT_ONCE, stride, channels, to);
        } else {
            n = 1;
            depthwise_window(in, weights, bias, count, 1, stride, channels, to);
        }
        UNROLLED
        for (uint32_t r = 0; r < count; r++) {
            in[r] += n * step;
        }
        to += n * channels;
    }
}

/* 3 rows of the window, or 2 at the edge; stride 1 or 2 */
INLINE void depthwise_forms(const depthwise_form *f, const float *const *rows,
                            const float *const *taps, uint32_t count, uint32_t c, uint32_t first,
                            uint32_t end, float *out)
{
    if (count == WINDOW && f->stride_w == 1) {
        depthwise_inner(f, rows, taps, WINDOW, 1, c, first, end, out);
    } else if (count == WINDOW) {
        depthwise_inner(f, rows, taps, WINDOW, 2, c, first, end, out);
    } else if (f->stride_w == 1) {
        depthwise_inner(f, rows, taps, WINDOW - 1, 1, c, first, end, out);
    } else {
        depthwise_inner(f, rows, taps, WINDOW - 1, 2, c, first, end, out);
    }
}

/* all channels of pixels begin .. stop - 1 */
static void depthwise_piece(const depthwise_form *f, const float *const *rows,
                            const float *const *taps, uint32_t count, uint32_t begin, uint32_t stop,
                            float *out)
{
    /* pixels whose window lies in the row */
    uint32_t first = (f->pad_left + f->stride_w - 1) / f->stride_w, end = 0;
    if (f->in_width + f->pad_left >= f->kernel_w) {
        end = (f->in_width + f->pad_left - f->kernel_w) / f->stride_w + 1;
    }
    end = end < stop ? end : stop;
    first = first > begin ? first : begin;
    first = first < stop ? first : stop;
    const bool inner = f->kernel_w == WINDOW && f->channels >= LANES && f->stride_w <= 2 &&
                       (count == WINDOW || count == WINDOW - 1);
    for (uint32_t c = 0; c < f->channels; c += LANES) {
        const uint32_t left = f->channels - c;
        if (left < LANES && f->channels >= LANES) {
            c = f->channels - LANES;
        }
        const part which = part_of(left < LANES && f->channels < LANES ? left : LANES);
        uint32_t done = first;
        if (inner && first < end) {
            depthwise_forms(f, rows, taps, count, c, first, end, out);
            done = end;
        }
        depthwise_pixels(f, rows, taps, count, c, which, begin, first, out);
        depthwise_pixels(f, rows, taps, count, c, which, done, stop, out);
    }
}

/* In pieces that stay in the first-level cache while one vector of channels follows the other. */
static void depthwise(const depthwise_form *f, const float *const *rows, const float *const *taps,
                      uint32_t count, float *out)
{
    for (uint32_t x = 0; x < f->out_width; x += PIECE) {
        const uint32_t left = f->out_width - x;
        depthwise_piece(f, rows, taps, count, x, x + (left < PIECE ? left : PIECE), out);
    }
}

/* --- pointwise ---
 * Tiles of pixels by up to three vectors of output channels, whose sums stay in registers. Weights
 * lie in panels as wide as a tile, the bias before them. */

enum { PANEL_VECTORS = 3 };

/* vectors in the next panel, of `left`: no panel of one behind others of three */
INLINE uint32_t panel_vectors(uint32_t left)
{
    return left == PANEL_VECTORS + 1 ? 2 : left < PANEL_VECTORS ? left : PANEL_VECTORS;
}

static uint32_t vectors_of(uint32_t channels)
{
    return (channels + LANES - 1) / LANES;
}

static size_t packed_floats(uint32_t in, uint32_t out)
{
    return ((size_t)in + 1) * vectors_of(out) * LANES;
}

static void pack(const float *weights, const float *bias, uint32_t in, uint32_t out, float *packed)
{
    uint32_t first = 0;
    for (uint32_t left = vectors_of(out); left > 0;) {
        const uint32_t vectors = panel_vectors(left), width = vectors * LANES;
        for (uint32_t c = 0; c < width; c++) {
            const uint32_t o = first + c;
            packed[c] = o < out && bias ? bias[o] : 0.0f;
            for (size_t i = 0; i < in; i++) {
                packed[(i + 1) * width + c] = o < out ? weights[i * out + o] : 0.0f;
            }
        }
        packed += ((size_t)in + 1) * width;
        first += width;
        left -= vectors;
    }
}

typedef struct panel {
    const float *weights; /* the bias first */
    part last;            /* of its last vector */
} panel;

INLINE void tile_store(const pointwise_form *f, vector sum, const float *added, float *out,
                       part which)
{
    if (added) {
        sum = vector_add(sum, vector_load_part(added, which));
    }
    sum = vector_clamp(sum, vector_all(f->low), vector_all(f->high));
    vector_store_part(out, sum, which);
}

INLINE void tile(const pointwise_form *f, const panel *p, const float *in, const float *added,
                 float *out, uint32_t pixels, uint32_t vectors)
{
    vector sums[TILE_PIXELS][PANEL_VECTORS];
    const float *w = p->weights;
    UNROLLED
    for (uint32_t i = 0; i < pixels; i++) {
        UNROLLED
        for (uint32_t v = 0; v < vectors; v++) {
            sums[i][v] = vector_load(w + v * LANES);
        }
    }
    const size_t stride = f->in;
    for (size_t k = 0; k < stride; k++) {
        w += vectors * LANES;
        vector weights[PANEL_VECTORS];
        UNROLLED
        for (uint32_t v = 0; v < vectors; v++) {
            weights[v] = vector_load(w + v * LANES);
        }
        UNROLLED
        for (uint32_t i = 0; i < pixels; i++) {
            const vector x = vector_all(in[i * stride + k]);
            UNROLLED
            for (uint32_t v = 0; v < vectors; v++) {
                sums[i][v] = vector_add_product(sums[i][v], x, weights[v]);
            }
        }
    }
    const part whole = part_of(LANES);
    UNROLLED
    for (uint32_t i = 0; i < pixels; i++) {
        UNROLLED
        for (uint32_t v = 0; v < vectors; v++) {
            const size_t at = (size_t)i * f->out + v * LANES;
            tile_store(f, sums[i][v], added ? added + at : NULL, out + at,
                       v + 1 == vectors ? p->last : whole);
        }
    }
}

/* All pixels, in tiles; the last whole tile may compute some again, to the same bits. */
INLINE void panel_run(const pointwise_form *f, const panel *p, const float *in, const float *added,
                      float *out, size_t pixels, uint32_t vectors)
{
    const size_t tiled = pixels < TILE_PIXELS ? 0 : pixels;
    for (size_t x = 0; x < tiled; x += TILE_PIXELS) {
        x = x + TILE_PIXELS <= pixels ? x : pixels - TILE_PIXELS;
        tile(f, p, in + x * f->in, added ? added + x * f->out : NULL, out + x * f->out, TILE_PIXELS,
             vectors);
    }
    for (size_t x = tiled; x < pixels; x++) {
        tile(f, p, in + x * f->in, added ? added + x * f->out : NULL, out + x * f->out, 1, vectors);
    }
}

static void pointwise(const pointwise_form *f, const float *in, const float *added, float *out,
                      size_t pixels)
{
    const float *weights = f->packed;
    uint32_t first = 0;
    for (uint32_t left = vectors_of(f->out); left > 0;) {
        const uint32_t vectors = panel_vectors(left), width = vectors * LANES;
        const panel p = {weights, part_of(f->out - first - (width - LANES))};
        const float *plus = added ? added + first : NULL;
        if (vectors == 1) {
            panel_run(f, &p, in, plus, out + first, pixels, 1);
        } else if (vectors == 2) {
            panel_run(f, &p, in, plus, out + first, pixels, 2);
        } else {
            panel_run(f, &p, in, plus, out + first, pixels, PANEL_VECTORS);
        }
        weights += ((size_t)f->in + 1) * width;
        first += width;
        left -= vectors;
    }
}

static void add_repeated(const pointwise_form *f, const float *sums, const float *added, float *out,
                         size_t pixels, uint32_t repeat)
{
    for (size_t x = 0; x < pixels * repeat; x++) {
        const float *from = sums + x / repeat * f->out;
        for (uint32_t c = 0; c < f->out; c += LANES) {
            const part which = part_of(f->out - c);
            tile_store(f, vector_load_part(from + c, which), added + x * f->out + c,
                       out + x * f->out + c, which);
        }
    }
}

const separable SEPARABLE = {
    .isa = SEPARABLE_ISA,
    .depthwise = depthwise,
    .packed_floats = packed_floats,
    .pack = pack,
    .pointwise = pointwise,
    .add_repeated = add_repeated,
};
