/* Winograd convolution, shaders/winograd.glsl: three steps for each band of tiles. What lies
 * between them takes several times the map's room, so a band is as large as a share of the
 * arena allows; one band's source is transformed while the other's output is.
 *
 * Its sums are others than the direct kernels' (reference_run_winograd), so whether a convolution
 * is computed this way follows from its shape, the target and plan_options.winograd alone, and
 * never from a choice among candidates: where it is, all candidates are of this family. */
#include "engine/plan/conv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_TILES, SIZE_BLOCKS };
/* of one picture's part of the arena, in words, that a band's numbers may take */
enum { BAND_WORDS = 640 * 1024 };
enum { MAX_SIDE = 8192, MAX_BATCH = 4096 };

static_assert(sizeof(struct winograd_output_push) <= PLAN_MAX_PUSH * 4, "what every device has");

/* What an invocation of the product computes. */
typedef struct product_tile {
    uint32_t tiles, blocks; /* of four output channels */
} product_tile;

/* Cheapest first, but an earlier one of the first few stands in for one that is up to `tolerance`
 * times cheaper: a processor compiles for as long as it computes some pictures. */
enum { SHAPES = 5 };
typedef struct shape_list {
    uint32_t few;
    double tolerance;
    product_tile shapes[SHAPES];
} shape_list;

static const shape_list gpu_shapes = {SHAPES, 1, {{8, 4}, {4, 4}, {8, 2}, {4, 2}, {2, 2}}};
static const shape_list split_shapes = {1, 1, {{8, 4}, {4, 4}, {8, 2}, {4, 2}, {2, 2}}};
static const shape_list gathered_shapes = {2, 1.2, {{8, 8}, {4, 8}, {8, 4}, {4, 4}, {2, 8}}};

static const shape_list *shapes_for(const builder *b)
{
    return b->target.vendor != VENDOR_SOFTWARE ? &gpu_shapes
           : b->target.loads != LOADS_GATHERED ? &split_shapes
                                               : &gathered_shapes;
}

typedef struct tiling {
    uint32_t across, all; /* tiles of a row of the map, of the map */
    uint32_t inputs;      /* channels, in whole fours */
    uint32_t blocks;      /* of output channels, all branches */
    uint32_t band;        /* tiles at once */
} tiling;

/* The fewest bands that the room allows, all but of one size; or bands of whole units, what a
 * workgroup of a processor's products of eight tiles takes, where they leave more of those units
 * out than they add bands. */
static uint32_t band_make(uint32_t all, uint64_t room, uint32_t at_least, bool in_units)
{
    enum { UNIT = 64 };
    uint32_t most = room < at_least ? at_least : room < all ? (uint32_t)room : all;
    uint32_t bands = (uint32_t)ceil_divide(all, most);
    uint32_t even = (uint32_t)ceil_divide(all, bands);
    uint32_t whole = most / UNIT * UNIT;
    if (!in_units || whole == 0) {
        return even;
    }
    uint64_t saved = ceil_divide(even, UNIT) * bands - ceil_divide(all, UNIT);
    return saved > ceil_divide(all, whole) - bands ? whole : even;
}

static tiling tiling_make(const builder *b, const convolution *c)
{
    tiling t = {.across = (uint32_t)ceil_divide(c->width, WINOGRAD_TILE),
                .inputs = round_up4(c->branches[0].source.channels)};
    t.all = t.across * (uint32_t)ceil_divide(c->height, WINOGRAD_TILE);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        t.blocks += blocks_of(c->branches[i].channels);
    }
    uint64_t tile = (uint64_t)WINOGRAD_ELEMENTS * (t.inputs + 4 * t.blocks);
    t.band = band_make(t.all, BAND_WORDS / tile, t.across, b->target.vendor == VENDOR_SOFTWARE);
    return t;
}

/* --- whether --- */

static bool is_float(const place *p)
{
    return p->element == ELEMENT_F32;
}

/* All branches read one source, and everything is stored as floats. */
static bool branches_fit(const builder *b, const convolution *c)
{
    const place *source = &c->branches[0].source;
    bool fit = b->weight_element == ELEMENT_F32 && is_float(source) && place_aligned(source);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        fit = fit && br->source.buffer == source->buffer && br->source.offset == source->offset &&
              (!br->wants_map || is_float(&br->map)) &&
              (!br->wants_pooled || is_float(&br->second));
    }
    return fit;
}

static bool window_fits(const convolution *c)
{
    const window *w = &c->window;
    return w->kernel_h == 3 && w->kernel_w == 3 && w->stride_h == 1 && w->stride_w == 1 &&
           w->dilation_h == 1 && w->dilation_w == 1 && c->groups == 1 && c->repeat == 0 &&
           c->height <= MAX_SIDE && c->width <= MAX_SIDE && w->pad_top <= MAX_SIDE &&
           w->pad_left <= MAX_SIDE;
}

/* Numbers of the batch are counted in 32 bits. */
static bool sizes_fit(const tiling *t)
{
    uint64_t channels = t->inputs > 4 * t->blocks ? t->inputs : 4 * t->blocks;
    return (uint64_t)t->band * channels * WINOGRAD_ELEMENTS < UINT32_MAX / MAX_BATCH;
}

/* --- what it costs, in multiply-adds of an invocation --- */

/* of reading or writing four numbers: a GPU serves a warp's in the time of as many multiply-adds, a
 * processor one lane after the other */
static double access_cost(const builder *b)
{
    return b->target.vendor == VENDOR_SOFTWARE ? 64 : 16;
}

static uint32_t product_lanes(const builder *b)
{
    return b->target.vendor == VENDOR_SOFTWARE ? 8 : 64;
}

/* workgroups that take so many tiles each, in all bands of so many pictures */
static double tile_groups(const tiling *t, uint32_t tiles, uint32_t batch)
{
    uint64_t whole = t->all / t->band, rest = (uint64_t)(t->all % t->band) * batch;
    return (double)(whole * ceil_divide((uint64_t)t->band * batch, tiles) +
                    ceil_divide(rest, tiles));
}

/* of all products, for so many pictures */
static double product_cost(const builder *b, const convolution *c, const tiling *t,
                           const product_tile *tile, uint32_t batch)
{
    uint32_t lanes = product_lanes(b), readers = conv_readers(b);
    double few = b->target.vendor == VENDOR_SOFTWARE ? 4 : 256; /* workgroups that leave it idle */
    few *= (double)ceil_divide(t->all, t->band);
    double groups = 0;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        groups += (double)ceil_divide(blocks_of(c->branches[i].channels), tile->blocks);
    }
    groups *= WINOGRAD_ELEMENTS * tile_groups(t, lanes * tile->tiles, batch);
    double reads = tile->tiles + 4.0 * tile->blocks / (readers ? readers : 1);
    double one = t->inputs / 4.0 * (access_cost(b) * reads + 16.0 * tile->tiles * tile->blocks) +
                 access_cost(b) * tile->tiles * tile->blocks;
    return (groups > few ? groups : few) * lanes * one;
}

typedef struct ranked {
    const product_tile *shape;
    double cost;
} ranked;

static int compare_ranked(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    return a->cost < b->cost ? -1 : a->cost > b->cost ? 1 : a->shape < b->shape ? -1 : 1;
}

static void rank_shapes(const builder *b, const convolution *c, const tiling *t, uint32_t batch,
                        ranked out[SHAPES])
{
    const shape_list *list = shapes_for(b);
    for (uint32_t i = 0; i < SHAPES; i++) {
        out[i] = (ranked){&list->shapes[i], product_cost(b, c, t, &list->shapes[i], batch)};
    }
    ranked first = out[0];
    for (uint32_t i = 1; i < list->few; i++) {
        first = out[i].cost * list->tolerance < first.cost ? out[i] : first;
    }
    qsort(out, SHAPES, sizeof *out, compare_ranked);
    uint32_t at = 0;
    while (out[at].shape != first.shape) {
        at++;
    }
    memmove(&out[1], &out[0], at * sizeof *out);
    out[0] = first;
}

/* A rule of thumb for software drivers, for one picture whatever the batch. GPUs are left to who
 * asks for it: on an H200 AIZOO-260 gains 1.3 times at 256 pictures and loses a quarter of the rate
 * at one, and the choice must not depend on the batch. */
static bool pays(const builder *b, const convolution *c, const tiling *t)
{
    /* What the direct kernel reads for a row of taps, its multiply-adds, and what a read costs
     * where they hide some of it: measured on llvmpipe 22.3 and 26.2. */
    enum { DIRECT_READS = 44, READS_SHARED = 18, DIRECT_SUMS = 1536, HIDDEN_COST = 20 };
    bool gathered = b->target.loads == LOADS_GATHERED;
    double reads = gathered && conv_readers(b) ? READS_SHARED : DIRECT_READS;
    reads *= gathered ? HIDDEN_COST : access_cost(b);
    double direct =
        9.0 * c->height * c->width * t->inputs * 4 * t->blocks * (1 + reads / DIRECT_SUMS);
    double transforms = t->all * access_cost(b) * (72.0 * t->inputs / 4 + 52.0 * t->blocks);
    ranked shapes[SHAPES];
    rank_shapes(b, c, t, 1, shapes);
    return b->target.vendor == VENDOR_SOFTWARE && shapes[0].cost + transforms < direct;
}

bool conv_takes_winograd(const builder *b, const convolution *c)
{
    plan_winograd wish = b->p->options.winograd;
    if (wish == WINOGRAD_NEVER || !window_fits(c) || !branches_fit(b, c)) {
        return false;
    }
    tiling t = tiling_make(b, c);
    return sizes_fit(&t) && (wish == WINOGRAD_ALWAYS || pays(b, c, &t));
}

/* --- candidates --- */

static void propose_winograd(const builder *b, const convolution *c, conv_candidates *out)
{
    const tiling t = tiling_make(b, c);
    ranked all[SHAPES];
    rank_shapes(b, c, &t, b->p->options.batch ? b->p->options.batch : 1, all);
    for (uint32_t i = 0; i < SHAPES; i++) {
        conv_propose(out, &(conv_candidate){.family = &conv_winograd,
                                            .rank = (int)i,
                                            .sizes = {all[i].shape->tiles, all[i].shape->blocks}});
    }
}

/* --- emission --- */

/* One band's steps, and what they hand on. */
typedef struct band {
    const convolution *c;
    const conv_candidate *chosen;
    const tiling *t;
    uint32_t first, tiles;
    place source, product;   /* one "pixel" an element and channel */
    const uint64_t *records; /* of the branches, in the weights */
    uint64_t kernel_words;
} band;

enum { LANES = 32 }; /* tiles that a workgroup of the transforms takes */

/* channels' fours that a workgroup of the transforms takes */
static uint32_t block_lanes(const builder *b)
{
    return b->target.vendor == VENDOR_SOFTWARE ? 1 : 4;
}

static status begin_step(builder *b, const convolution *c, const char *shader, plan_step **out)
{
    status s = builder_step(b, KERNEL_CONV2D, shader, c->node, c->name, out);
    if (s == STATUS_OK) {
        (*out)->winograd = true;
    }
    return s;
}

static status emit_input(builder *b, const band *o, int after)
{
    const branch *br = &o->c->branches[0];
    uint32_t lanes = LANES, blocks = o->t->inputs / 4;
    struct winograd_input_push push = {
        .source_words = (uint32_t)b->p->buffers[br->source.buffer].words,
        .source_offset = br->source.offset,
        .source_width = br->source.width,
        .source_height = br->source.height,
        .source_blocks = br->source.stride / 4,
        .pad = o->c->window.pad_top << 16 | o->c->window.pad_left,
        .tiles = o->tiles,
        .tiles_x = o->t->across,
        .first_tile = o->first,
        .blocks = blocks,
        .block_groups = (uint32_t)ceil_divide(blocks, block_lanes(b)),
    };
    plan_step *step;
    status s = begin_step(b, o->c, "winograd_input", &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct winograd_input_push, source), br->source.buffer);
    step_offset(step, offsetof(struct winograd_input_push, target), o->source.buffer);
    step_constant(step, SPEC_WINOGRAD_LANES, lanes);
    step_reads(step, br->source.buffer,
               (uint64_t)o->tiles * WINOGRAD_TILE * WINOGRAD_TILE * o->t->inputs);
    if (after != GRAPH_NONE) {
        step_reads(step, after, 0); /* only then may it take the room of the band before */
    }
    step_writes(step, o->source.buffer, place_words(&o->source));
    step->variant = "winograd 4x4 input";
    step->flops = (uint64_t)o->tiles * o->t->inputs * 12 * 22;
    s = step_rows(b, step, lanes * block_lanes(b), o->tiles, lanes, push.block_groups);
    step_finish(b, step);
    return s;
}

static status emit_product(builder *b, const band *o)
{
    const convolution *c = o->c;
    uint32_t blocks = o->chosen->sizes[SIZE_BLOCKS], lanes = product_lanes(b);
    uint32_t first = 0;
    struct winograd_product_push push = {
        .tiles = o->tiles, .input_blocks = o->t->inputs / 4, .blocks = o->t->blocks};
    plan_step *step;
    const uint32_t readers = conv_readers(b);
    const char *shader = readers ? "winograd_product_shared" : "winograd_product";
    status s = begin_step(b, c, shader, &step);
    if (s != STATUS_OK) {
        return s;
    }
    for (uint32_t i = 0; i < c->branch_count; i++) {
        push.column_groups += (uint32_t)ceil_divide(blocks_of(c->branches[i].channels), blocks);
        push.branch[i] =
            (struct winograd_columns){(uint32_t)o->records[i], first, push.column_groups};
        first += blocks_of(c->branches[i].channels);
    }
    step->weight_bytes = 4 * o->kernel_words;
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct winograd_product_push, source), o->source.buffer);
    step_offset(step, offsetof(struct winograd_product_push, target), o->product.buffer);
    step_constant(step, SPEC_WINOGRAD_LANES, lanes);
    step_constant(step, SPEC_WINOGRAD_TILES, o->chosen->sizes[SIZE_TILES]);
    step_constant(step, SPEC_WINOGRAD_BLOCKS, blocks);
    if (readers) {
        step_constant(step, SPEC_CONV2D_READERS, readers);
    }
    step_reads(step, o->source.buffer, place_words(&o->source));
    step_writes(step, o->product.buffer, place_words(&o->product));
    step->flops = 2 * (uint64_t)o->tiles * WINOGRAD_ELEMENTS * o->t->inputs * 4 * o->t->blocks;
    step->variant = region_format(b->p->memory, "winograd 4x4 tile %ux%u",
                                  o->chosen->sizes[SIZE_TILES], 4 * blocks);
    if (!step->variant) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    s = step_rows(b, step, lanes, o->tiles, o->chosen->sizes[SIZE_TILES] * lanes,
                  WINOGRAD_ELEMENTS * push.column_groups);
    step_finish(b, step);
    return s;
}

static status emit_output(builder *b, const band *o)
{
    const convolution *c = o->c;
    const uint32_t lanes = LANES;
    uint32_t first = 0;
    struct winograd_output_push push = {.tiles = o->tiles,
                                        .tiles_x = o->t->across,
                                        .first_tile = o->first,
                                        .width = c->width,
                                        .height = c->height,
                                        .pool_edges = conv_pool_edges(c),
                                        .blocks = o->t->blocks};
    plan_step *step;
    status s = begin_step(b, c, "winograd_output", &step);
    if (s != STATUS_OK) {
        return s;
    }
    for (uint32_t i = 0; i < c->branch_count; i++) {
        uint32_t own = blocks_of(c->branches[i].channels);
        push.block_groups += (uint32_t)ceil_divide(own, block_lanes(b));
        push.branch[i] = (struct conv2d_branch){
            .source = first, .record = (uint32_t)o->records[i], .group_end = push.block_groups};
        first += own;
    }
    step_push(step, &push, sizeof push);
    step_offset(step, offsetof(struct winograd_output_push, source), o->product.buffer);
    step_reads(step, o->product.buffer, place_words(&o->product));
    for (uint32_t i = 0; i < c->branch_count; i++) {
        conv_targets(step, c, i, offsetof(struct winograd_output_push, branch), o->first,
                     o->first + o->tiles, o->t->all);
    }
    step_constant(step, SPEC_WINOGRAD_LANES, lanes);
    step_constant(step, SPEC_WINOGRAD_ANY, conv_any_activation(c));
    step_constant(step, SPEC_WINOGRAD_SCALAR, conv_moves_scalars(c));
    step->flops = (uint64_t)o->tiles * 4 * o->t->blocks * (10 * 18 + 16);
    step->variant = "winograd 4x4 output";
    s = step_rows(b, step, lanes * block_lanes(b), o->tiles, lanes, push.block_groups);
    step_finish(b, step);
    return s;
}

/* A buffer for one band's numbers: a "pixel" an element and tile. */
static status band_place(builder *b, const char *what, const band *o, uint32_t channels, place *out)
{
    const char *name = region_format(b->p->memory, "%s (%s %u)", o->c->name, what, o->first);
    if (!name) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    *out = (place){.element = ELEMENT_F32,
                   .stride = channels,
                   .height = WINOGRAD_ELEMENTS,
                   .width = o->tiles,
                   .channels = channels};
    return builder_pixels(b, name, GRAPH_NONE, out);
}

static status emit_band(builder *b, band *o, int after)
{
    status s = band_place(b, "transformed", o, o->t->inputs, &o->source);
    if (s == STATUS_OK) {
        s = band_place(b, "products", o, 4 * o->t->blocks, &o->product);
    }
    if (s == STATUS_OK) {
        s = emit_input(b, o, after);
    }
    if (s == STATUS_OK) {
        s = emit_product(b, o);
    }
    return s == STATUS_OK ? emit_output(b, o) : s;
}

static status emit_winograd(builder *b, const convolution *c, const conv_candidate *chosen)
{
    const tiling t = tiling_make(b, c);
    uint64_t records[CONV2D_BRANCHES] = {0};
    band o = {.c = c, .chosen = chosen, .t = &t, .records = records};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        plan_pack *pack;
        uint64_t words =
            (uint64_t)WINOGRAD_ELEMENTS * t.inputs * 4 * blocks_of(c->branches[i].channels);
        status s = conv_pack(b, c, &c->branches[i], PACK_WINOGRAD, words, &pack);
        if (s != STATUS_OK) {
            return s;
        }
        records[i] = pack->offset;
        o.kernel_words += pack->words;
    }
    int after = GRAPH_NONE;
    for (o.first = 0; o.first < t.all; o.first += t.band) {
        o.tiles = t.all - o.first < t.band ? t.all - o.first : t.band;
        status s = emit_band(b, &o, after);
        if (s != STATUS_OK) {
            return s;
        }
        after = o.product.buffer;
        o.kernel_words = 0; /* read again, counted once */
    }
    return STATUS_OK;
}

const conv_family conv_winograd = {propose_winograd, emit_winograd};
