/* Convolution on cooperative matrices, straight from a patch of the source in shared memory
 * (shaders/conv2d_window.comp). Tiles follow the map: of one image, and none of a batch's results
 * depends on its neighbours. */
#include "engine/plan/conv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* cells down and across a tile; matrices of a subgroup's sums, down and across; subgroups; output
 * channels of a workgroup; 1: a row of the window is the depth of a matrix */
enum { TILE_H, TILE_W, SUB_ROWS, SUB_COLUMNS, SUBGROUPS, COLUMNS, NARROW, SIZES };

static_assert(sizeof(struct conv2d_window_push) <= PLAN_MAX_PUSH * 4, "what every device has");
static_assert(SIZES <= sizeof((conv_candidate *)0)->sizes / sizeof(uint32_t), "there is room");

/* --- what it can compute --- */

/* Of two sums the greater one, and what comes of it, is the greater one still: the maximum of a
 * pool may be taken first. So it is for RELU that neither falls nor jumps down. */
static bool keeps_order(activation a)
{
    return a.kind == ACTIVATION_LINEAR || (a.kind == ACTIVATION_RELU && a.slope >= 0 &&
                                           a.threshold >= 0 && a.limit >= a.threshold);
}

static bool fits(const builder *b, const convolution *c)
{
    enum { MAX_SIDE = 8192, MAX_STRIDE = 4, MAX_TAPS = 64 };
    const window *w = &c->window;
    const place *source = &c->branches[0].source;
    bool order = true;
    for (uint32_t i = 0; c->pool && i < c->branch_count; i++) {
        order = order && keeps_order(c->branches[i].act);
    }
    return order && b->target.matrix.window_shader && conv_matrices_fit(b) &&
           conv_all_halves(b, c) && c->groups == 1 && c->repeat <= 1 && w->dilation_h == 1 &&
           w->dilation_w == 1 && w->kernel_h * w->kernel_w > 1 &&
           w->kernel_h * w->kernel_w <= MAX_TAPS && w->stride_h <= MAX_STRIDE &&
           w->stride_w <= MAX_STRIDE && source->height <= MAX_SIDE && source->width <= MAX_SIDE;
}

/* Two cells are two source pixels apart, which with four channels is what a load of a matrix may
 * begin at. */
static bool is_narrow(const convolution *c)
{
    return blocks_of(c->branches[0].source.channels) == 1 &&
           (c->pool ? 2 : 1) * c->window.stride_w == 2;
}

/* --- a tile, as the shader has it --- */

typedef struct tile {
    uint32_t cell, reach_h, reach_w; /* pixels; rows and columns of the source under a cell */
    uint32_t steps, across,
        deep;               /* matrices along a row of the kernel; sets of columns; channels */
    uint32_t lefts;         /* matrices loaded of a row of the source */
    uint32_t pitch, rows;   /* of a plane */
    uint32_t parts, places; /* eights of a place; places of the patch */
    uint32_t units_down, units;
    uint32_t shared_bytes;
} tile;

static tile tile_of(const builder *b, const convolution *c, const uint32_t *size)
{
    const window *w = &c->window;
    const uint32_t m = b->target.matrix.m, n = b->target.matrix.n, k = b->target.matrix.k;
    const bool narrow = size[NARROW] != 0;
    tile t = {.cell = c->pool ? 2 : 1};
    const uint32_t step_h = t.cell * w->stride_h, step_w = t.cell * w->stride_w;
    t.reach_h = (t.cell - 1) * w->stride_h + w->kernel_h;
    t.reach_w = (t.cell - 1) * w->stride_w + w->kernel_w;
    t.steps = narrow ? (uint32_t)ceil_divide(4 * t.reach_w, k) : w->kernel_w;
    t.across = narrow ? t.cell : 1;
    t.lefts = narrow ? t.steps : t.reach_w;
    t.deep = narrow ? 1 : (uint32_t)ceil_divide(round_up4(c->branches[0].source.channels), k);
    t.parts = narrow ? 1 : t.deep * k / 8;
    t.pitch = size[TILE_W] + (narrow ? t.steps * (k / 8) - 1 : (t.reach_w - 1) / step_w);
    t.rows = size[TILE_H] + (t.reach_h - 1) / step_h;
    t.units_down = (uint32_t)ceil_divide(size[TILE_H] * t.pitch, size[SUB_ROWS] * m);
    t.units = t.units_down * (size[COLUMNS] / (size[SUB_COLUMNS] * n));
    const uint32_t plane = t.pitch * t.rows;
    const uint32_t furthest = t.units_down * size[SUB_ROWS] * m +
                              (t.reach_h - 1) / step_h * t.pitch + t.pitch - size[TILE_W];
    t.places = (step_h * (narrow ? 1 : step_w) - 1) * plane + (furthest > plane ? furthest : plane);
    const uint32_t fours = (size[SUB_COLUMNS] % 2 == 0 ? 2 : 1) * n / 4;
    t.shared_bytes =
        16 * (t.places * (narrow ? 1 : t.parts + 1) + size[SUBGROUPS] * m * (fours + 1));
    return t;
}

static uint32_t tiles_across(const convolution *c, const uint32_t *size)
{
    return (uint32_t)ceil_divide(c->width, (c->pool ? 2 : 1) * size[TILE_W]);
}

static uint32_t tiles_down(const convolution *c, const uint32_t *size)
{
    return (uint32_t)ceil_divide(c->height, (c->pool ? 2 : 1) * size[TILE_H]);
}

static uint64_t tiles_of(const convolution *c, const uint32_t *size)
{
    return (uint64_t)tiles_across(c, size) * tiles_down(c, size) *
           conv_column_groups(c, size[COLUMNS]);
}

/* The part of the matrices' rows that are cells of the map. */
static double filled(const convolution *c, const uint32_t *size, const tile *t, uint32_t m)
{
    const double cells =
        (double)ceil_divide(c->height, t->cell) * (double)ceil_divide(c->width, t->cell);
    return cells / ((double)tiles_across(c, size) * tiles_down(c, size) * t->units_down *
                    size[SUB_ROWS] * m);
}

/* Parts of the patch that an invocation has on their way at once; the code is there for each of
 * them, which a processor's driver compiles for longer than it gains. */
static uint32_t parts_at_once(const builder *b)
{
    return b->target.vendor == VENDOR_SOFTWARE ? 2 : 8;
}

/* --- what it costs --- */

/* What a workgroup costs, in clocks of a processor of 32 x 4 lanes, guessed for NVIDIA's of the
 * years 2020 to 2024 and only good for comparing. A clock is 1200 multiply-adds on matrices; 128
 * bytes of shared memory or first cache, of which right matrices, columns of 32 bytes, get half; 24
 * bytes of the second cache, from where the subgroups of a workgroup, being at the same place,
 * bring right matrices once for all of them. What a tile asks for takes 700 clocks each time that
 * all invocations have asked, in which others of the same processor work: as many as its shared
 * memory and registers hold. */
static double unit_cost(const builder *b, const convolution *c, const uint32_t *size, const tile *t)
{
    const uint32_t m = b->target.matrix.m, n = b->target.matrix.n, k = b->target.matrix.k;
    const uint32_t rights_each = t->cell * t->cell / t->across; /* products of a right matrix */
    const uint32_t rolled = t->reach_h, apart = t->cell * c->window.kernel_h;
    const uint32_t rows = c->pool && c->window.stride_h == 1 ? rolled : apart;
    const double lefts = (double)size[SUB_ROWS] * rows * t->lefts * t->deep * m;
    const double rights =
        (double)c->window.kernel_h * t->steps * t->deep * size[SUB_COLUMNS] * t->across * n;
    const double multiply = rights * size[SUB_ROWS] * rights_each * m * k / 1200;
    const double near = (lefts + 2 * rights) * k * 2 / 128;
    const double far = rights * k * 2 / (24.0 * size[SUBGROUPS]);
    const double numbers = (double)size[SUB_ROWS] * m * size[SUB_COLUMNS] * n;
    return (multiply > near ? multiply : near) + 0.3 * (near + far) + 0.15 * numbers;
}

static double tile_cost(const builder *b, const convolution *c, const uint32_t *size, const tile *t)
{
    enum { PROCESSORS = 128, SHARED = 196608, REGISTERS = 65536, SPARE = 48, ENOUGH = 8 };
    enum { MOST_HELD = 224 };
    const uint32_t m = b->target.matrix.m, n = b->target.matrix.n, k = b->target.matrix.k;
    const uint32_t lanes = b->target.subgroup_size;
    const uint64_t batch = b->p->options.batch ? b->p->options.batch : 1;
    const double sums = (double)size[SUB_ROWS] * t->cell * t->cell * size[SUB_COLUMNS] * m * n;
    const double factors = (double)size[SUB_ROWS] * t->cell * t->lefts * m * k / 2;
    const double held = (sums + factors) / lanes + SPARE;
    const double by_registers = REGISTERS / (held * lanes * size[SUBGROUPS]);
    const double by_memory = (double)SHARED / t->shared_bytes;
    double at_once = by_registers < by_memory ? by_registers : by_memory;
    at_once = at_once < 1 ? 1 : at_once;
    const double busy = at_once * size[SUBGROUPS] / ENOUGH;
    const double turns = (double)ceil_divide(t->units, size[SUBGROUPS]) * size[SUBGROUPS];
    const uint32_t parts = t->places * t->parts;
    const uint32_t asked = lanes * size[SUBGROUPS] * parts_at_once(b);
    const double waits = 700.0 * (double)ceil_divide(parts, asked);
    double whole = (300 + waits) / at_once + 0.5 * parts +
                   turns * unit_cost(b, c, size, t) / (busy < 1 ? busy : 1);
    whole *= held > MOST_HELD ? 2 : 1; /* the rest would be in memory */
    const double groups = (double)(tiles_of(c, size) * batch) / PROCESSORS;
    return whole * (groups > 1 ? groups : 1);
}

/* --- candidates --- */

/* Matrices of a subgroup down and across, and subgroups. Eight and sixteen sums a subgroup are the
 * registers of a lane that a GPU has for them; where there is little to compute, a picture alone in
 * its small maps, more subgroups with fewer sums end sooner. A processor's driver unrolls all of
 * it, for seconds, and gets few. */
typedef struct share {
    uint32_t rows, columns, subgroups;
} share;
static const share pooled_shares[] = {{1, 4, 4}, {1, 2, 4}, {1, 2, 8},
                                      {2, 2, 4}, {1, 4, 2}, {1, 1, 4}};
static const share plain_shares[] = {{4, 4, 4}, {2, 4, 4}, {4, 2, 4},
                                     {2, 2, 8}, {4, 1, 4}, {1, 1, 4}};
static const share software_shares[] = {{1, 1, 4}, {1, 2, 2}};

/* The best tile for such a share: its cells divide the map evenly. */
static bool best_tile(const builder *b, const convolution *c, const share *s, conv_candidate *out)
{
    enum { MAX_H = 16, MAX_W = 34 };
    const plan_target *t = &b->target;
    const uint32_t cell = c->pool ? 2 : 1;
    const uint32_t height = (uint32_t)ceil_divide(c->height, cell);
    const uint32_t width = (uint32_t)ceil_divide(c->width, cell);
    const uint32_t columns = s->columns * t->matrix.n;
    const uint32_t all = round_up_to(conv_widest_branch(c), columns);
    bool found = false;
    if ((uint64_t)s->subgroups * t->subgroup_size > t->max_invocations) {
        return false;
    }
    for (uint32_t across = (uint32_t)ceil_divide(width, MAX_W), last_w = 0; across <= width;
         across++) {
        const uint32_t tile_w = (uint32_t)ceil_divide(width, across);
        for (uint32_t down = (uint32_t)ceil_divide(height, MAX_H), last_h = 0;
             tile_w != last_w && down <= height; down++) {
            const uint32_t tile_h = (uint32_t)ceil_divide(height, down);
            for (uint32_t wide = 0; tile_h != last_h && wide < (all > columns ? 2 : 1); wide++) {
                conv_candidate one = {.family = &conv_window,
                                      .sizes = {tile_h, tile_w, s->rows, s->columns, s->subgroups,
                                                wide ? all : columns, is_narrow(c)}};
                const tile of = tile_of(b, c, one.sizes);
                one.cost = tile_cost(b, c, one.sizes, &of);
                if (of.shared_bytes <= t->max_shared_bytes &&
                    (!found || conv_compare_costs(&one, out) < 0)) {
                    *out = one;
                    found = true;
                }
            }
            last_h = tile_h;
        }
        last_w = tile_w;
    }
    return found;
}

/* A share whose columns would for the most part be padding, or whose sums are too many. */
static bool share_fits(const builder *b, const convolution *c, const share *s)
{
    const plan_target *t = &b->target;
    const uint32_t per_cell = c->pool ? 4 : 1, n = t->matrix.n;
    const uint32_t sums = s->rows * s->columns * per_cell * t->matrix.m * n / t->subgroup_size;
    return sums <= (t->vendor == VENDOR_SOFTWARE ? 64 : 128) &&
           (s->columns == 1 || conv_widest_branch(c) * 2 > s->columns * n);
}

/* On a GPU these go before the products of rows, turn about, so that whoever measures meets the
 * best of both early: where most of the matrices' rows are cells. */
static void propose_window(const builder *b, const convolution *c, conv_candidates *out)
{
    enum { MOST = 6 };
    const bool software = b->target.vendor == VENDOR_SOFTWARE;
    const share *shares = software ? software_shares : c->pool ? pooled_shares : plain_shares;
    const size_t few = sizeof software_shares / sizeof *shares;
    static_assert(sizeof plain_shares == sizeof pooled_shares, "one count");
    static_assert(sizeof pooled_shares / sizeof *pooled_shares == MOST, "there is room");
    conv_candidate all[MOST];
    size_t count = 0;
    if (!fits(b, c)) {
        return;
    }
    for (size_t i = 0; i < (software ? few : MOST); i++) {
        count += share_fits(b, c, &shares[i]) && best_tile(b, c, &shares[i], &all[count]);
    }
    qsort(all, count, sizeof *all, conv_compare_costs);
    for (size_t i = 0; i < count; i++) {
        const tile t = tile_of(b, c, all[i].sizes);
        const bool full = filled(c, all[i].sizes, &t, b->target.matrix.m) > 0.6;
        all[i].rank = (software ? 200 : full ? -101 : -99) + 2 * (int)i;
        conv_propose(out, &all[i]);
    }
}

/* --- the step --- */

static status name_variant(builder *b, plan_step *s, const convolution *c, const uint32_t *size)
{
    const window *w = &c->window;
    s->variant = region_format(b->p->memory, "%ux%u/%u window %ux%ux%u by %ux%u of %u%s%s%s",
                               w->kernel_h, w->kernel_w, w->stride_w, size[TILE_H], size[TILE_W],
                               size[COLUMNS], size[SUB_ROWS], size[SUB_COLUMNS], size[SUBGROUPS],
                               size[NARROW] ? " narrow" : "", conv_fused(c),
                               conv_any_activation(c) ? " any" : "");
    return s->variant ? STATUS_OK
                      : error_set(b->err, STATUS_MEMORY, "out of memory while planning");
}

static void window_constants(const builder *b, plan_step *s, const convolution *c,
                             const uint32_t *size)
{
    conv_constants(b, s, c);
    step_constant(s, SPEC_WINDOW_TILE_H, size[TILE_H]);
    step_constant(s, SPEC_WINDOW_TILE_W, size[TILE_W]);
    step_constant(s, SPEC_WINDOW_COLUMNS, size[COLUMNS]);
    step_constant(s, SPEC_WINDOW_INPUT_BLOCKS, blocks_of(c->branches[0].source.channels));
    step_constant(s, SPEC_WINDOW_SUB_ROWS, size[SUB_ROWS]);
    step_constant(s, SPEC_WINDOW_SUB_COLUMNS, size[SUB_COLUMNS]);
    step_constant(s, SPEC_MATRIX_M, b->target.matrix.m);
    step_constant(s, SPEC_MATRIX_N, b->target.matrix.n);
    step_constant(s, SPEC_MATRIX_K, b->target.matrix.k);
    step_constant(s, SPEC_MATRIX_SUBGROUPS, size[SUBGROUPS]);
    step_constant(s, SPEC_MATRIX_EIGHTS, conv_in_eights(c));
    step_constant(s, SPEC_WINDOW_NARROW, size[NARROW]);
    step_constant(s, SPEC_WINDOW_AT_ONCE, parts_at_once(b));
}

static matrix_packing packing_of(const builder *b, const convolution *c, const uint32_t *size)
{
    const tile t = tile_of(b, c, size);
    const uint32_t k = b->target.matrix.k, lanes = size[NARROW] ? 4 : t.deep * k;
    return (matrix_packing){.n = b->target.matrix.n,
                            .k = k,
                            .depth = k,
                            .lanes = lanes,
                            .row = size[NARROW] ? t.steps * k : c->window.kernel_w * lanes,
                            .across = t.across,
                            .shift = size[NARROW] ? 4 * c->window.stride_w : 0};
}

static status emit_window(builder *b, const convolution *c, const conv_candidate *chosen)
{
    const uint32_t *size = chosen->sizes;
    const branch *first = &c->branches[0];
    const matrix_packing packing = packing_of(b, c, size);
    struct conv2d_window_push push = {
        .source_width = first->source.width,
        .source_height = first->source.height,
        .source_words = (uint32_t)b->p->buffers[first->source.buffer].words,
        .source_blocks = first->source.stride / 4,
        .width = c->width,
        .height = c->height,
        .pad = c->window.pad_top << 16 | c->window.pad_left,
        .tiles_x = tiles_across(c, size),
        .pool_edges = conv_pool_edges(c),
    };
    uint64_t pack_words[CONV2D_BRANCHES] = {0};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const uint64_t groups = ceil_divide(c->branches[i].channels, size[COLUMNS]);
        const uint64_t numbers =
            groups * size[COLUMNS] * packing.across * packing.row * c->window.kernel_h;
        plan_pack *pack;
        status s = conv_pack(b, c, &c->branches[i], PACK_MATRIX,
                             element_words(ELEMENT_F16, numbers), &pack);
        if (s != STATUS_OK) {
            return s;
        }
        pack->matrix = packing;
        pack_words[i] = pack->words;
        push.branch[i].record = (uint32_t)pack->offset;
        push.column_groups += (uint32_t)groups;
        push.branch[i].group_end = push.column_groups;
    }
    plan_step *step;
    status s =
        builder_step(b, KERNEL_CONV2D, b->target.matrix.window_shader, c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        conv_branch(step, c, i, offsetof(struct conv2d_window_push, branch), pack_words[i]);
    }
    step->matrix_sums = true;
    window_constants(b, step, c, size);
    s = step_groups(b, step, size[SUBGROUPS] * b->target.subgroup_size, tiles_of(c, size));
    if (s == STATUS_OK) {
        s = name_variant(b, step, c, size);
    }
    step_finish(b, step);
    return s;
}

const conv_family conv_window = {propose_window, emit_window};
