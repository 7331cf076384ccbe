/* Convolution as a matrix product: through shared memory (shaders/conv2d_gemm.comp), and in halves
 * on cooperative matrices (shaders/conv2d_matrix.comp). */
#include "engine/plan/conv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* FIRST x SECOND: what an invocation computes in fours, or a subgroup in numbers */
enum { SIZE_ROWS, SIZE_COLUMNS, SIZE_DEPTH, SIZE_FIRST, SIZE_SECOND, SIZES };

static_assert(sizeof(struct conv2d_gemm_push) <= PLAN_MAX_PUSH * 4, "what every device has");

/* Rows of the product: pixels, in fours around a pooled one where there is a pool. */
static uint64_t rows_of(const convolution *c)
{
    return c->pool ? 4 * ceil_divide(c->height, 2) * ceil_divide(c->width, 2)
                   : (uint64_t)c->height * c->width;
}

/* The kernels keep a tap's y and x in 16 bits each, and rows in 32 for the largest batch there is.
 */
static bool fits(const convolution *c)
{
    enum { MAX_SIDE = 8192, MAX_BATCH = 4096 };
    const window *w = &c->window;
    const branch *br = &c->branches[0];
    return c->groups == 1 && br->source.height <= MAX_SIDE && br->source.width <= MAX_SIDE &&
           (uint64_t)w->kernel_h * w->dilation_h <= MAX_SIDE &&
           (uint64_t)w->kernel_w * w->dilation_w <= MAX_SIDE && w->pad_top <= MAX_SIDE &&
           w->pad_left <= MAX_SIDE && (uint64_t)c->height * w->stride_h <= 2 * MAX_SIDE &&
           (uint64_t)c->width * w->stride_w <= 2 * MAX_SIDE &&
           rows_of(c) * MAX_BATCH < UINT32_MAX / 2;
}

static uint32_t depth_of(const convolution *c)
{
    return c->window.kernel_h * c->window.kernel_w * round_up4(c->branches[0].source.channels);
}

/* what both kernels keep of each row of a tile: where its source is, its map, and what is added or
 * a quarter of a pooled map */
enum { ROW_BYTES = 16 };

/* workgroups of the batch that the plan is for */
static double tiles_of(const builder *b, const convolution *c, const uint32_t *size)
{
    uint64_t batch = b->p->options.batch ? b->p->options.batch : 1;
    return (double)ceil_divide(rows_of(c) * batch, size[SIZE_ROWS]) *
           conv_column_groups(c, size[SIZE_COLUMNS]);
}

/* --- what both emit --- */

static status emit_rows(builder *b, const convolution *c, const char *shader, pack_kind kind,
                        const uint64_t kernel_words[CONV2D_BRANCHES], const conv_candidate *chosen,
                        uint32_t invocations, plan_step **out)
{
    const branch *first = &c->branches[0];
    struct conv2d_gemm_push push = {
        .source_width = first->source.width,
        .source_height = first->source.height,
        .source_words = (uint32_t)b->p->buffers[first->source.buffer].words,
        .source_blocks = first->source.stride / 4,
        .width = c->width,
        .height = c->height,
        .pad = c->window.pad_top << 16 | c->window.pad_left,
        .rows = (uint32_t)rows_of(c),
        .row_width = c->pool ? (c->width + 1) / 2 : c->width,
        .pool_edges = conv_pool_edges(c),
    };
    uint64_t pack_words[CONV2D_BRANCHES] = {0};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        plan_pack *pack;
        status s = conv_pack(b, c, br, kind, kernel_words[i], &pack);
        if (s != STATUS_OK) {
            return s;
        }
        push.branch[i].record = (uint32_t)pack->offset;
        pack_words[i] = pack->words;
        push.column_groups += (uint32_t)ceil_divide(br->channels, chosen->sizes[SIZE_COLUMNS]);
        push.branch[i].group_end = push.column_groups;
        if (kind == PACK_MATRIX) {
            pack->matrix =
                (matrix_packing){.n = b->target.matrix.n,
                                 .k = b->target.matrix.k,
                                 .depth = chosen->sizes[SIZE_DEPTH],
                                 .lanes = round_up4(first->source.channels),
                                 .row = c->window.kernel_w * round_up4(first->source.channels),
                                 .across = 1};
        }
    }
    plan_step *step;
    status s = builder_step(b, KERNEL_CONV2D, shader, c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        conv_branch(step, c, i, offsetof(struct conv2d_gemm_push, branch), pack_words[i]);
    }
    conv_constants(b, step, c);
    step_constant(step, SPEC_GEMM_ROWS, chosen->sizes[SIZE_ROWS]);
    step_constant(step, SPEC_GEMM_COLUMNS, chosen->sizes[SIZE_COLUMNS]);
    step_constant(step, SPEC_GEMM_DEPTH, chosen->sizes[SIZE_DEPTH]);
    step_constant(step, SPEC_GEMM_INPUT_BLOCKS, blocks_of(first->source.channels));
    *out = step;
    return step_rows(b, step, invocations, push.rows, chosen->sizes[SIZE_ROWS], push.column_groups);
}

static status name_variant(builder *b, plan_step *s, const convolution *c, const char *kind,
                           const conv_candidate *chosen)
{
    const window *w = &c->window;
    s->variant = region_format(b->p->memory, "%ux%u/%u %s %ux%ux%u by %ux%u%s%s", w->kernel_h,
                               w->kernel_w, w->stride_w, kind, chosen->sizes[SIZE_ROWS],
                               chosen->sizes[SIZE_COLUMNS], chosen->sizes[SIZE_DEPTH],
                               chosen->sizes[SIZE_FIRST], chosen->sizes[SIZE_SECOND], conv_fused(c),
                               conv_any_activation(c) ? " any" : "");
    return s->variant ? STATUS_OK
                      : error_set(b->err, STATUS_MEMORY, "out of memory while planning");
}

/* --- shared memory --- */

/* The direct kernel's packing serves. On a GPU that has enough tiles to be full these go first: a
 * number from memory takes part in 32 to 64 products, the direct kernel's in about 20. */
static bool gemm_first(const builder *b, const convolution *c, const uint32_t *size)
{
    enum { FULL = 256 };
    plan_vendor v = b->target.vendor;
    return (v == VENDOR_NVIDIA || v == VENDOR_AMD || v == VENDOR_INTEL) && depth_of(c) >= 64 &&
           conv_widest_branch(c) >= 32 && tiles_of(b, c, size) >= FULL;
}

static void propose_gemm(const builder *b, const convolution *c, conv_candidates *out)
{
    static const uint32_t tiles[][SIZES] = {
        {128, 64, 16, 2, 2}, {64, 64, 16, 2, 2}, {64, 32, 16, 2, 2}, {32, 32, 16, 1, 2}};
    enum { FIRST_RANK = 100 };
    if (!fits(c)) {
        return;
    }
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        const uint32_t *t = tiles[i];
        uint32_t invocations =
            t[SIZE_ROWS] / (4 * t[SIZE_FIRST]) * t[SIZE_COLUMNS] / (4 * t[SIZE_SECOND]);
        uint32_t shared_bytes =
            (t[SIZE_ROWS] + t[SIZE_COLUMNS]) * t[SIZE_DEPTH] * 4 + t[SIZE_ROWS] * ROW_BYTES + 4;
        bool wide = t[SIZE_COLUMNS] > 32 && conv_widest_branch(c) < t[SIZE_COLUMNS];
        if (!wide && conv_widest_branch(c) >= 16 && invocations <= b->target.max_invocations &&
            shared_bytes <= b->target.max_shared_bytes) {
            conv_candidate one = {.family = &conv_gemm,
                                  .rank = (gemm_first(b, c, t) ? -FIRST_RANK / 2 : FIRST_RANK) +
                                          (int)i};
            memcpy(one.sizes, t, sizeof tiles[i]);
            conv_propose(out, &one);
        }
    }
}

static status emit_gemm(builder *b, const convolution *c, const conv_candidate *chosen)
{
    uint64_t kernel_words[CONV2D_BRANCHES] = {0};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        kernel_words[i] = element_words(b->weight_element, (uint64_t)depth_of(c) * 4 *
                                                               blocks_of(c->branches[i].channels));
    }
    uint32_t rows = chosen->sizes[SIZE_FIRST], columns = chosen->sizes[SIZE_SECOND];
    uint32_t invocations =
        chosen->sizes[SIZE_ROWS] / (4 * rows) * chosen->sizes[SIZE_COLUMNS] / (4 * columns);
    plan_step *step;
    status s =
        emit_rows(b, c, "conv2d_gemm", PACK_CONV2D, kernel_words, chosen, invocations, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_constant(step, SPEC_GEMM_ROW_FOURS, rows);
    step_constant(step, SPEC_GEMM_COLUMN_FOURS, columns);
    s = name_variant(b, step, c, "gemm", chosen);
    step_finish(b, step);
    return s;
}

const conv_family conv_gemm = {propose_gemm, emit_gemm};

/* --- cooperative matrices --- */

static uint32_t subgroups_of(const uint32_t *tile)
{
    return tile[SIZE_ROWS] / tile[SIZE_FIRST] * (tile[SIZE_COLUMNS] / tile[SIZE_SECOND]);
}

/* What a tile costs, in instructions of a subgroup of 32 (or as many of half the lanes), and so
 * only good for comparing: fetching and storing a slice, loading and multiplying its matrices, the
 * epilogue; times the subgroups that a scheduler runs after each other. A device has some hundreds
 * of schedulers, and each needs about four subgroups to hide what they wait for. */
static double matrix_cost(const builder *b, const convolution *c, const uint32_t *size)
{
    enum { SCHEDULERS = 512, HIDING = 4 };
    double subgroups = subgroups_of(size);
    double slices = (double)ceil_divide(depth_of(c), size[SIZE_DEPTH]);
    double down = size[SIZE_FIRST] / 16.0, across = size[SIZE_SECOND] / 16.0;
    double steps = size[SIZE_DEPTH] / 16.0;
    double part = conv_in_eights(c) ? 8 : 4;
    double fetches = size[SIZE_ROWS] * size[SIZE_DEPTH] / part / (subgroups * 32);
    double slice = 40 + 20 * fetches + steps * (4 * down + 8 * across + 10 * down * across);
    double whole = 150 + slices * slice + 120 * down * across;
    double turns = tiles_of(b, c, size) * subgroups / SCHEDULERS;
    return whole * (turns > HIDING ? turns : HIDING);
}

/* Tiles in sixteens: subgroups down and across, and what each of them computes. An invocation's
 * share of the sums must leave it registers for the rest. A driver that runs on the processor
 * unrolls all of it, for seconds; it gets matrices for sixteens, and few. */
static bool matrix_tile(const builder *b, const convolution *c, const uint32_t *sixteens,
                        uint32_t size[SIZES])
{
    const plan_target *t = &b->target;
    bool software = t->vendor == VENDOR_SOFTWARE;
    uint32_t down = software ? t->matrix.m : round_up_to(16, t->matrix.m);
    uint32_t across = software ? t->matrix.n : round_up_to(16, t->matrix.n);
    size[SIZE_FIRST] = sixteens[2] * down;
    size[SIZE_SECOND] = sixteens[3] * across;
    size[SIZE_ROWS] = sixteens[0] * size[SIZE_FIRST];
    size[SIZE_COLUMNS] = sixteens[1] * size[SIZE_SECOND];
    size[SIZE_DEPTH] = sixteens[4];
    uint32_t subgroups = subgroups_of(size), invocations = subgroups * t->subgroup_size;
    uint32_t patch = (size[SIZE_SECOND] / t->matrix.n % 2 == 0 ? 2 : 1) * t->matrix.n + 4;
    uint32_t shared_bytes = 2 * size[SIZE_ROWS] * (2 * size[SIZE_DEPTH] + 16) +
                            size[SIZE_ROWS] * ROW_BYTES + 4 + subgroups * t->matrix.m * patch * 4;
    /* columns that would all be padding */
    bool wide = size[SIZE_COLUMNS] > across && conv_widest_branch(c) * 2 <= size[SIZE_COLUMNS];
    uint32_t sums = size[SIZE_FIRST] * size[SIZE_SECOND] / t->subgroup_size;
    return !wide && sums <= (software ? 64 : 128) && size[SIZE_DEPTH] % t->matrix.k == 0 &&
           invocations <= t->max_invocations && invocations % (size[SIZE_DEPTH] / 4) == 0 &&
           shared_bytes <= t->max_shared_bytes;
}

/* On a GPU these go before all others wherever there is enough to multiply; a driver that runs on
 * the processor has no matrix units to gain from. */
static void propose_matrix(const builder *b, const convolution *c, conv_candidates *out)
{
    static const uint32_t tiles[][5] = {
        {4, 1, 2, 4, 32}, {4, 1, 2, 4, 64}, {2, 1, 4, 4, 32}, {2, 2, 4, 4, 32},
        {4, 1, 2, 2, 32}, {4, 1, 2, 2, 16}, {2, 2, 2, 2, 32}, {2, 2, 2, 2, 64},
        {4, 1, 1, 2, 32}, {4, 1, 1, 1, 32}, {2, 1, 1, 2, 32}, {2, 2, 1, 1, 32},
    };
    enum { COUNT = sizeof tiles / sizeof *tiles };
    conv_candidate all[COUNT];
    size_t count = 0;
    if (!b->target.matrix.shader || !conv_matrices_fit(b) || !conv_all_halves(b, c) || !fits(c)) {
        return;
    }
    for (size_t i = 0; i < COUNT; i++) {
        all[count] = (conv_candidate){.family = &conv_matrix};
        if (matrix_tile(b, c, tiles[i], all[count].sizes)) {
            all[count].cost = matrix_cost(b, c, all[count].sizes);
            count++;
        }
    }
    qsort(all, count, sizeof *all, conv_compare_costs);
    int rank = b->target.vendor == VENDOR_SOFTWARE || depth_of(c) < 32 ? 200 : -100;
    for (size_t i = 0; i < count; i++) {
        all[i].rank = rank + 2 * (int)i;
        conv_propose(out, &all[i]);
    }
}

static status emit_matrix(builder *b, const convolution *c, const conv_candidate *chosen)
{
    const uint32_t *size = chosen->sizes;
    uint64_t kernel_words[CONV2D_BRANCHES] = {0};
    uint64_t depth = ceil_divide(depth_of(c), size[SIZE_DEPTH]) * size[SIZE_DEPTH];
    for (uint32_t i = 0; i < c->branch_count; i++) {
        uint64_t columns = ceil_divide(c->branches[i].channels, size[SIZE_COLUMNS]);
        kernel_words[i] = element_words(ELEMENT_F16, depth * columns * size[SIZE_COLUMNS]);
    }
    uint32_t subgroups = subgroups_of(size);
    plan_step *step;
    status s = emit_rows(b, c, b->target.matrix.shader, PACK_MATRIX, kernel_words, chosen,
                         subgroups * b->target.subgroup_size, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step->matrix_sums = true;
    step_constant(step, SPEC_MATRIX_SUB_ROWS, size[SIZE_FIRST]);
    step_constant(step, SPEC_MATRIX_SUB_COLUMNS, size[SIZE_SECOND]);
    step_constant(step, SPEC_MATRIX_M, b->target.matrix.m);
    step_constant(step, SPEC_MATRIX_N, b->target.matrix.n);
    step_constant(step, SPEC_MATRIX_K, b->target.matrix.k);
    step_constant(step, SPEC_MATRIX_SUBGROUPS, subgroups);
    step_constant(step, SPEC_MATRIX_EIGHTS, conv_in_eights(c));
    s = name_variant(b, step, c, "matrix", chosen);
    step_finish(b, step);
    return s;
}

const conv_family conv_matrix = {propose_matrix, emit_matrix};
