/* Tiles of the direct convolution, cheapest first by a model of the target.
 *
 * The model counts, for an invocation and one kernel row of one input block, the multiply-adds and
 * the loads of four numbers, and charges a load by what it costs a subgroup: where neighbours read
 * the same four numbers it is one line of the cache, else a line each. What does not fill the
 * machine is charged as if it did, so that small maps get small tiles. The constants are guesses by
 * vendor, good enough to order the candidates; measuring among them is the tuner's business. */
#include "engine/plan/conv_tiles.h"

#include <stdlib.h>
#include <string.h>

typedef struct machine {
    uint32_t subgroup;  /* where the driver does not say */
    uint32_t in_flight; /* invocations that keep it busy */
    uint32_t registers; /* floats an invocation may hold before it slows down; at most twice that */
    /* of a load of four numbers, in multiply-adds of a subgroup: */
    double load;    /* at the least */
    double line;    /* and for each cache line that the subgroup touches */
    double uniform; /* instead, where the whole workgroup reads the same */
} machine;

/* clang-format off */
static const machine machines[] = {
    [VENDOR_UNKNOWN]  = {32,  8192,  64,  4, 4, 8},
    [VENDOR_NVIDIA]   = {32, 32768, 128,  0, 4, 4},
    [VENDOR_AMD]      = {64, 32768, 128, 14, 2, 2},
    [VENDOR_INTEL]    = {16,  8192,  64,  4, 4, 4},
    [VENDOR_ARM]      = {16,  2048,  32,  0, 4, 4},
    [VENDOR_QUALCOMM] = {64,  4096,  64,  6, 2, 4},
    [VENDOR_APPLE]    = {32,  8192,  96,  4, 4, 8},
    [VENDOR_SOFTWARE] = { 8,    64, 256, 16, 0, 2},
};

typedef struct tile_shape {
    uint8_t height, width, blocks; /* of four output channels */
} tile_shape;

/* Shapes worth having; each is tried with one lane and with as many as fit. The first few are those
 * that the default is chosen among: each distinct one is a pipeline to compile before the first
 * picture, so an earlier one stands in for one that is up to `tolerance` times cheaper. A pointwise
 * convolution sees its map as one row. */
enum { MAX_SHAPES = 16 };
typedef struct shape_list {
    double tolerance;
    bool one_lane; /* defaults have one */
    uint32_t few, count;
    tile_shape shapes[MAX_SHAPES];
} shape_list;

static const shape_list gpu_shapes = {1.15, false, 5, 15, {
    {4, 4, 1}, {2, 4, 2}, {2, 4, 1}, {2, 2, 1}, {1, 2, 1}, {1, 1, 1}, {2, 8, 1}, {4, 8, 1},
    {2, 2, 2}, {4, 4, 2}, {2, 8, 2}, {2, 2, 4}, {2, 4, 4}, {4, 2, 1}, {4, 2, 2}}};
static const shape_list gpu_rows = {1.15, false, 4, 11, {
    {1, 16, 1}, {1, 8, 1}, {1, 4, 1}, {1, 2, 1}, {1, 1, 1}, {1, 2, 2}, {1, 4, 2}, {1, 8, 2},
    {1, 16, 2}, {1, 4, 4}, {1, 8, 4}}};
/* a processor compiles for as long as it computes some pictures */
static const shape_list software_pooled = {2, true, 2, 6, {
    {2, 4, 2}, {2, 4, 1}, {2, 8, 2}, {4, 4, 2}, {2, 8, 4}, {2, 4, 4}}};
/* of a large map where a driver gathers: twice the channels for each cell pay for their code */
static const shape_list gathered_pooled = {2, true, 2, 6, {
    {2, 4, 4}, {2, 4, 1}, {2, 4, 2}, {2, 8, 2}, {4, 4, 2}, {2, 8, 4}}};
static const shape_list software_shapes = {1.3, true, 3, 9, {
    {2, 4, 2}, {2, 8, 2}, {2, 4, 1}, {1, 4, 1}, {4, 4, 2}, {2, 8, 4}, {2, 4, 4}, {2, 2, 4},
    {4, 2, 2}}};
/* of narrow vectors, without registers for more: the first always */
static const shape_list narrow_shapes = {1, true, 1, 5, {
    {2, 4, 1}, {2, 4, 2}, {1, 4, 1}, {2, 2, 1}, {2, 8, 2}}};
static const shape_list software_rows = {1.2, true, 3, 8, {
    {1, 8, 4}, {1, 8, 2}, {1, 8, 1}, {1, 16, 2}, {1, 4, 2}, {1, 4, 4}, {1, 16, 1}, {1, 4, 1}}};
/* clang-format on */

enum { MAX_ROW_CELLS = 20, MAX_LANE_BITS = 4, INVOCATIONS = 64, LINE_BYTES = 128 };
enum { ANY_PIXELS = 8 }; /* the code of an exponential for each: enough to compile */

static bool is_narrow(const plan_target *t)
{
    enum { NARROW = 4 };
    return t->vendor == VENDOR_SOFTWARE && t->subgroup_size && t->subgroup_size <= NARROW;
}

static bool gathers_large(const plan_target *t, const convolution *c)
{
    enum { LARGE = 128 * 128 };
    return c->pool && t->loads == LOADS_GATHERED && (uint64_t)c->height * c->width >= LARGE;
}

static const shape_list *shapes_for(const plan_target *t, const convolution *c)
{
    if (t->vendor == VENDOR_SOFTWARE) {
        return conv_is_pointwise(c)  ? &software_rows
               : is_narrow(t)        ? &narrow_shapes
               : gathers_large(t, c) ? &gathered_pooled
               : c->pool             ? &software_pooled
                                     : &software_shapes;
    }
    return conv_is_pointwise(c) ? &gpu_rows : &gpu_shapes;
}

/* cells of an input row under a row of the tile */
static uint32_t row_cells(const window *w, const tile *t)
{
    return (t->width - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
}

/* Held together, a cell serves every tap of the row: when there are not too many, and not more than
 * the taps would load one by one. So does a sum when the weights of the row are held too; a
 * processor of narrow vectors has no registers for that. */
uint32_t tile_row_reuse(const plan_target *target, const convolution *c, const tile *t)
{
    enum { MAX_TAPS = 4 };
    uint32_t cells = row_cells(&c->window, t), taps = c->window.kernel_w;
    if (cells > MAX_ROW_CELLS || cells > t->width * taps) {
        return 0;
    }
    return taps > MAX_TAPS || is_narrow(target) ? 1 : 2;
}

static uint64_t idle_blocks(const convolution *c, uint32_t step)
{
    uint64_t lanes = 0;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        lanes += ceil_divide(blocks_of(c->branches[i].channels), step) * step;
    }
    return lanes;
}

/* Invocations along the output blocks: as many as possible without idle ones. */
static uint32_t widest_lanes(const convolution *c, uint32_t blocks)
{
    uint32_t best = 0;
    for (uint32_t bits = 1; bits <= MAX_LANE_BITS; bits++) {
        if (idle_blocks(c, blocks << bits) <= idle_blocks(c, blocks << best)) {
            best = bits;
        }
    }
    return best;
}

/* of a load where `distinct` neighbours read four numbers each, `apart` bytes from one another */
static double load_cost(const machine *m, uint32_t distinct, uint32_t apart)
{
    return m->load + m->line * (double)ceil_divide((uint64_t)distinct * apart, LINE_BYTES);
}

static double tile_cost(const machine *m, const plan_options *options, const convolution *c,
                        const tile *t)
{
    uint32_t subgroup = options->target.subgroup_size ? options->target.subgroup_size : m->subgroup;
    uint32_t batch = options->batch ? options->batch : 1;
    const window *w = &c->window;
    bool pointwise = conv_is_pointwise(c);
    uint32_t height = pointwise ? 1 : c->height;
    uint32_t width = pointwise ? c->width * c->height : c->width;
    uint64_t tiles = ceil_divide(height, t->height) * ceil_divide(width, t->width);
    uint32_t lanes = 1u << t->lane_bits;
    uint64_t groups = idle_blocks(c, t->blocks << t->lane_bits) / (t->blocks << t->lane_bits);
    uint64_t invocations = ceil_divide(tiles << t->lane_bits, subgroup) * subgroup * groups * batch;

    uint32_t cells = t->height * t->width;
    bool reuse = tile_row_reuse(&options->target, c, t) > 0;
    double sums = 16.0 * w->kernel_w * cells * t->blocks;
    double inputs = t->height * (reuse ? row_cells(w, t) : w->kernel_w * t->width);
    double weights = 4.0 * w->kernel_w * t->blocks;
    uint32_t across = lanes < subgroup ? lanes : subgroup;
    double one = sums + inputs * load_cost(m, subgroup / across, LINE_BYTES) +
                 weights * (lanes == 1 ? m->uniform : load_cost(m, across, 16));
    double held = 4.0 * cells * t->blocks + 4.0 * (reuse ? row_cells(w, t) : 1) + 32;
    if (held > m->registers) {
        one *= held > 2.0 * m->registers ? 4 : held / m->registers;
    }
    return one * (double)(invocations > m->in_flight ? invocations : m->in_flight);
}

static bool shape_fits(const convolution *c, const tile_shape *s)
{
    return !(c->pool && (s->height % 2 || s->width % 2)) && !(c->groups > 1 && s->blocks > 1) &&
           !(conv_any_activation(c) && s->height * s->width * s->blocks > ANY_PIXELS);
}

static int compare_tiles(const void *a, const void *b)
{
    const tile *x = a, *y = b;
    return x->cost < y->cost ? -1 : x->cost > y->cost ? 1 : (int)x->order - (int)y->order;
}

/* The default comes first: of the few, the first that is not much dearer than the best of them. */
static void default_first(const shape_list *from, tile *all, uint32_t count)
{
    uint32_t best = UINT32_MAX, first = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        best = best == UINT32_MAX && all[i].few ? i : best;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].few && all[i].cost <= all[best].cost * from->tolerance &&
            (first == UINT32_MAX || all[i].order < all[first].order)) {
            first = i;
        }
    }
    tile chosen = all[first];
    memmove(&all[1], &all[0], first * sizeof *all);
    all[0] = chosen;
}

uint32_t tiles_list(const plan_options *options, const convolution *c, tile out[TILES_MAX])
{
    tile all[2 * MAX_SHAPES];
    uint32_t count = 0;
    const machine *m = &machines[options->target.vendor];
    const shape_list *from = shapes_for(&options->target, c);
    for (uint32_t i = 0; i < from->count; i++) {
        const tile_shape *s = &from->shapes[i];
        uint32_t widest = widest_lanes(c, s->blocks);
        for (uint32_t bits = 0; shape_fits(c, s) && bits <= widest; bits += widest ? widest : 1) {
            tile t = {.height = s->height,
                      .width = s->width,
                      .blocks = s->blocks,
                      .lane_bits = bits,
                      .invocations = INVOCATIONS,
                      .order = count};
            t.few = i < from->few && (bits == 0 ? widest == 0 || from->one_lane : !from->one_lane);
            t.cost = tile_cost(m, options, c, &t);
            all[count++] = t;
        }
    }
    qsort(all, count, sizeof *all, compare_tiles);
    default_first(from, all, count);
    count = count < TILES_MAX ? count : TILES_MAX;
    memcpy(out, all, count * sizeof *all);
    return count;
}
