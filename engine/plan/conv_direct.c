/* The register-tiled direct convolution, shaders/conv2d.comp: its tiles and its dispatch. */
#include "engine/plan/conv_tiles.h"

enum { SIZE_HEIGHT, SIZE_WIDTH, SIZE_BLOCKS, SIZE_LANE_BITS, SIZE_INVOCATIONS };

static void propose_direct(const builder *b, const convolution *c, conv_candidates *out)
{
    tile tiles[TILES_MAX];
    uint32_t count = conv_in_fours(c, &c->branches[0]) ? tiles_list(&b->p->options, c, tiles) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const tile *t = &tiles[i];
        conv_propose(out, &(conv_candidate){.family = &conv_direct,
                                            .rank = (int)i,
                                            .sizes = {t->height, t->width, t->blocks, t->lane_bits,
                                                      t->invocations}});
    }
}

/* --- emission --- */

static status pack_branch(builder *b, const convolution *c, const branch *br, plan_pack **out)
{
    uint32_t blocks = blocks_of(br->channels);
    uint64_t taps = (uint64_t)c->window.kernel_h * c->window.kernel_w;
    uint64_t inputs = round_up4(br->source.channels / c->groups);
    return conv_pack(b, c, br, PACK_CONV2D,
                     element_words(b->weight_element, taps * inputs * blocks * 4), out);
}

/* A processor compiles for as long as it computes some pictures: its code is short, and the same
 * whether or not a convolution pools or adds. */
static void shorten(plan_step *s, const convolution *c, const tile *t, bool any)
{
    bool in_squares = t->height % 2 == 0 && t->width % 2 == 0;
    step_constant(s, SPEC_CONV2D_SHORT, 1);
    step_constant(s, SPEC_CONV2D_POOL, c->pool || (in_squares && !any && c->repeat == 0));
    step_constant(s, SPEC_CONV2D_REPEAT, conv_is_pointwise(c) ? 1 : c->repeat);
}

static status step_variant(builder *b, plan_step *s, const convolution *c, const tile *t, bool any)
{
    const window *w = &c->window;
    conv_constants(b, s, c);
    step_constant(s, SPEC_CONV2D_TILE_H, t->height);
    step_constant(s, SPEC_CONV2D_TILE_W, t->width);
    step_constant(s, SPEC_CONV2D_BLOCKS, t->blocks);
    step_constant(s, SPEC_CONV2D_ROW_REUSE, tile_row_reuse(&b->target, c, t));
    step_constant(s, SPEC_CONV2D_LANES, t->lane_bits > 0);
    /* one more pipeline, which takes a late compiler as long as it saves in many pictures */
    uint32_t inputs = c->branches[0].source.channels / c->groups;
    bool few = inputs < 4 && !b->target.compiles_late;
    step_constant(s, SPEC_CONV2D_INPUTS, few ? inputs : 4);
    if (b->target.vendor == VENDOR_SOFTWARE) {
        shorten(s, c, t, any);
    }
    s->variant = region_format(b->p->memory, "%ux%u/%u tile %ux%ux%u lanes %u%s%s%s", w->kernel_h,
                               w->kernel_w, w->stride_w, t->height, t->width, 4 * t->blocks,
                               1u << t->lane_bits, conv_fused(c), any ? " any" : "",
                               c->groups > 1 ? " groups" : "");
    return s->variant ? STATUS_OK
                      : error_set(b->err, STATUS_MEMORY, "out of memory while planning");
}

/* A pointwise convolution sees its map as one row: no tile hangs over the end of each. */
static struct conv2d_push push_make(const builder *b, const convolution *c, const tile *t)
{
    const branch *first = &c->branches[0];
    struct conv2d_push push = {
        .source_width = first->source.width,
        .source_height = first->source.height,
        .source_words = (uint32_t)b->p->buffers[first->source.buffer].words,
        .source_blocks = first->source.stride / 4,
        .width = c->width,
        .height = c->height,
        .pad = c->window.pad_top << 16 | c->window.pad_left,
        .group_source_blocks = blocks_of(first->source.channels / c->groups),
        .lanes_pool = t->lane_bits,
        .group_blocks = c->groups > 1 ? first->channels / c->groups / 4 : UINT32_MAX,
    };
    if (conv_is_pointwise(c)) {
        push.width *= push.height;
        push.source_width *= push.source_height;
        push.height = push.source_height = 1;
    }
    push.tiles_x = (push.width + t->width - 1) / t->width;
    push.lanes_pool |= conv_pool_edges(c) << 8;
    return push;
}

static status emit_direct(builder *b, const convolution *c, const conv_candidate *chosen)
{
    const tile t = {.height = chosen->sizes[SIZE_HEIGHT],
                    .width = chosen->sizes[SIZE_WIDTH],
                    .blocks = chosen->sizes[SIZE_BLOCKS],
                    .lane_bits = chosen->sizes[SIZE_LANE_BITS],
                    .invocations = chosen->sizes[SIZE_INVOCATIONS]};
    struct conv2d_push push = push_make(b, c, &t);
    bool any = conv_any_activation(c);
    uint64_t pack_words[CONV2D_BRANCHES] = {0};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        plan_pack *pack;
        status s = pack_branch(b, c, br, &pack);
        if (s != STATUS_OK) {
            return s;
        }
        push.branch[i].record = (uint32_t)pack->offset;
        pack_words[i] = pack->words;
        push.channel_groups +=
            (uint32_t)ceil_divide(blocks_of(br->channels), t.blocks << t.lane_bits);
        push.branch[i].group_end = push.channel_groups;
    }
    plan_step *step;
    /* neighbours differ in the tile alone, and reading alike costs them something */
    bool alike = t.lane_bits == 0 && b->target.loads != LOADS_SPLIT;
    uint32_t readers = alike ? conv_readers(b) : 0;
    const char *shader = conv_halves(b, c) ? "conv2d_half" : readers ? "conv2d_shared" : "conv2d";
    status s = builder_step(b, KERNEL_CONV2D, shader, c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    if (readers) {
        step_constant(step, SPEC_CONV2D_READERS, readers);
    }
    step_push(step, &push, sizeof push);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        conv_branch(step, c, i, offsetof(struct conv2d_push, branch), pack_words[i]);
    }
    s = step_variant(b, step, c, &t, any);
    if (s == STATUS_OK) {
        uint64_t tiles = push.tiles_x * ceil_divide(push.height, t.height);
        s = step_groups(b, step, t.invocations,
                        ceil_divide(tiles, t.invocations >> t.lane_bits) * push.channel_groups);
    }
    step_finish(b, step);
    return s;
}

const conv_family conv_direct = {propose_direct, emit_direct};
