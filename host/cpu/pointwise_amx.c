/* Pointwise convolution of bfloat16 on AMX: sums of products in tiles of 16 pixels by 16 output
 * channels, 32 input channels at a time. Compiled where the compiler knows AMX, called where oneDNN
 * found that the processor and the system let us use it. */
#include "host/cpu/separable.h"

#include "host/cpu/amx.h"
#include "host/cpu/vectors.h"

enum {
    TILE_ROWS = 16,
    TILE_DEPTH = 32, /* input channels; the weights of two lie in one word */
    TILE_HALVES = TILE_ROWS * TILE_DEPTH,
    GROUP = 3, /* tiles of output channels at once */
    SUMS = 0,  /* tiles 0 .. 2 */
    PIXELS = 3,
    PIXELS_REST,
    WEIGHTS,
    WEIGHTS_REST, /* of the channels that fill no tile */
    TILES
};

static uint32_t tiles_of(uint32_t n, uint32_t each)
{
    return (n + each - 1) / each;
}

/* the biases in fp32, then tile by tile: output channels outer, input channels inner */
static size_t packed_bytes(uint32_t in, uint32_t out)
{
    const size_t columns = tiles_of(out, LANES);
    return columns * LANES * sizeof(float) +
           columns * tiles_of(in, TILE_DEPTH) * TILE_HALVES * sizeof(uint16_t);
}

static void pack(const uint16_t *weights, const float *bias, uint32_t in, uint32_t out,
                 void *packed)
{
    const uint32_t columns = tiles_of(out, LANES) * LANES,
                   depth = tiles_of(in, TILE_DEPTH) * TILE_DEPTH;
    float *biases = packed;
    uint16_t *to = (uint16_t *)(void *)(biases + columns);
    for (uint32_t o = 0; o < columns; o++) {
        biases[o] = o < out && bias ? bias[o] : 0.0f;
        for (uint32_t i = 0; i < depth; i++) {
            const size_t tile = (size_t)(o / LANES) * (depth / TILE_DEPTH) + i / TILE_DEPTH;
            const size_t at = (size_t)(i % TILE_DEPTH / 2 * LANES + o % LANES) * 2 + i % 2;
            to[tile * TILE_HALVES + at] = o < out && i < in ? weights[(size_t)i * out + o] : 0;
        }
    }
}

/* --- running --- */

static void configure(uint32_t pixels, uint32_t in)
{
    tile_config c = {.palette = 1};
    const uint32_t rest = in % TILE_DEPTH;
    for (int i = 0; i < TILES; i++) {
        c.rows[i] = TILE_ROWS;
        c.row_bytes[i] = LANES * sizeof(float);
    }
    for (int i = SUMS; i <= PIXELS_REST; i++) {
        c.rows[i] = (uint8_t)pixels;
    }
    if (rest > 0) {
        c.row_bytes[PIXELS_REST] = (uint16_t)(rest * sizeof(uint16_t));
        c.rows[WEIGHTS_REST] = (uint8_t)(rest / 2);
    }
    _tile_loadconfig(&c);
}

/* Adds the products of input channels from k tiles on, to as many tiles of sums as there are
 * columns. A macro, for the numbers of tiles are part of the instructions. */
#define ADD_PRODUCTS(pixels, weights, k)                                                           \
    do {                                                                                           \
        const uint16_t *w = first + (size_t)(k)*TILE_HALVES;                                       \
        _tile_loadd(pixels, in + (size_t)(k)*TILE_DEPTH, row);                                     \
        _tile_loadd(weights, w, word_row);                                                         \
        _tile_dpbf16ps(0, pixels, weights);                                                        \
        if (columns > 1) {                                                                         \
            _tile_loadd(weights, w + column, word_row);                                            \
            _tile_dpbf16ps(1, pixels, weights);                                                    \
        }                                                                                          \
        if (columns > 2) {                                                                         \
            _tile_loadd(weights, w + 2 * column, word_row);                                        \
            _tile_dpbf16ps(2, pixels, weights);                                                    \
        }                                                                                          \
    } while (0)

/* sums of a block of pixels with up to three tiles of output channels, into `sums` */
static inline __attribute__((always_inline)) void multiply(const uint16_t *in, uint32_t channels,
                                                           const uint16_t *first, uint32_t columns,
                                                           float *sums)
{
    const uint32_t whole = channels / TILE_DEPTH;
    const size_t row = channels * sizeof(uint16_t),
                 column = (size_t)tiles_of(channels, TILE_DEPTH) * TILE_HALVES;
    const size_t word_row = LANES * sizeof(float);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    for (uint32_t k = 0; k < whole; k++) {
        ADD_PRODUCTS(3, 5, k);
    }
    if (channels % TILE_DEPTH) {
        ADD_PRODUCTS(4, 6, whole);
    }
    _tile_stored(0, sums, GROUP * word_row);
    if (columns > 1) {
        _tile_stored(1, sums + LANES, GROUP * word_row);
    }
    if (columns > 2) {
        _tile_stored(2, sums + 2 * LANES, GROUP * word_row);
    }
}

static inline vector load_element(const void *from, bool halves, size_t at, part which)
{
    return halves ? vector_load_halves_part((const uint16_t *)from + at, which)
                  : vector_load_part((const float *)from + at, which);
}

/* one block of pixels, from its sums to the map */
static inline void finish(const pointwise_form *f, const float *sums, const float *bias,
                          const void *added, void *out, size_t at, uint32_t pixels,
                          uint32_t columns, uint32_t channels)
{
    const vector low = vector_all(f->low), high = vector_all(f->high);
    for (uint32_t c = 0; c < columns; c++) {
        const part which = part_of(channels - c * LANES);
        const vector start = vector_load(bias + c * LANES);
        for (uint32_t i = 0; i < pixels; i++) {
            const size_t to = at + (size_t)i * f->out + c * LANES;
            vector sum = vector_add(vector_load(sums + (i * GROUP + c) * LANES), start);
            if (added) {
                sum = vector_add(sum, load_element(added, f->added_halves, to, which));
            }
            sum = vector_clamp(sum, low, high);
            if (f->out_halves) {
                vector_store_halves_part((uint16_t *)out + to, sum, which);
            } else {
                vector_store_part((float *)out + to, sum, which);
            }
        }
    }
}

static void run(const pointwise_form *f, const uint16_t *in, const void *added, void *out,
                size_t pixels)
{
    const uint32_t block = pixels < TILE_ROWS ? (uint32_t)pixels : TILE_ROWS;
    const uint32_t columns = tiles_of(f->out, LANES);
    const float *bias = f->packed;
    const uint16_t *weights = (const uint16_t *)(const void *)(bias + columns * LANES);
    const size_t column = (size_t)tiles_of(f->in, TILE_DEPTH) * TILE_HALVES;
    _Alignas(64) float sums[TILE_ROWS * GROUP * LANES];
    configure(block, f->in);
    for (uint32_t c = 0; c < columns; c += GROUP) {
        const uint32_t n = columns - c < GROUP ? columns - c : GROUP;
        for (size_t x = 0; x < pixels; x += block) {
            /* the last whole block may compute some again, to the same bits */
            x = x + block <= pixels ? x : pixels - block;
            multiply(in + x * f->in, f->in, weights + c * column, n, sums);
            finish(f, sums, bias + c * LANES, added, out, x * f->out + c * LANES, block, n,
                   f->out - c * LANES);
        }
    }
    _tile_release();
}

static void add_repeated(const pointwise_form *f, const float *sums, const uint16_t *added,
                         uint16_t *out, size_t pixels, uint32_t repeat)
{
    const vector low = vector_all(f->low), high = vector_all(f->high);
    for (size_t x = 0; x < pixels * repeat; x++) {
        for (uint32_t c = 0; c < f->out; c += LANES) {
            const part which = part_of(f->out - c);
            const vector sum = vector_add(vector_load_part(sums + x / repeat * f->out + c, which),
                                          vector_load_halves_part(added + x * f->out + c, which));
            vector_store_halves_part(out + x * f->out + c, vector_clamp(sum, low, high), which);
        }
    }
}

static void from_floats(const float *in, uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const part which = part_of(n - i < LANES ? (uint32_t)(n - i) : LANES);
        vector_store_halves_part(out + i, vector_load_part(in + i, which), which);
    }
}

const pointwise_halves pointwise_amx = {
    .packed_bytes = packed_bytes,
    .pack = pack,
    .run = run,
    .add_repeated = add_repeated,
    .from_floats = from_floats,
};
