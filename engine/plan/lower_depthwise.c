/* Depthwise convolution, shaders/depthwise.comp: its tiles and its dispatch. */
#include "engine/plan/internal.h"

#include <string.h>

enum { INVOCATIONS = 64 };

/* pixels an invocation computes, of four channels each */
typedef struct tile {
    uint32_t height, width;
} tile;

typedef struct depthwise {
    const struct node *node;
    const window *window;
    uint32_t multiplier;
    place source, target;
} depthwise;

/* --- candidates --- */

/* Larger tiles load less and are fewer: the first that leaves work for the whole device is the
 * default. */
static const tile tiles[] = {{4, 4}, {2, 4}, {1, 4}, {1, 2}, {2, 8}, {2, 2}, {1, 8}};
enum { TILES = sizeof tiles / sizeof *tiles, DEFAULTS = 4, MAX_TAPS = 9 };

/* SPEC_DEPTHWISE_REUSE: how a row of the input serves all rows of the tile when the weights of all
 * taps can be held. A processor compiles for as long as it computes some pictures, so its kernels
 * are short and the same for all heights. */
enum { REUSE_NONE, REUSE_UNROLLED, REUSE_ROLLED };

static uint32_t reuse_rows(const builder *b, const depthwise *d)
{
    const window *w = d->window;
    bool possible = d->multiplier == 1 && w->dilation_h == 1 && w->dilation_w == 1 &&
                    (uint64_t)w->kernel_h * w->kernel_w <= MAX_TAPS;
    return !possible                             ? REUSE_NONE
           : b->target.vendor == VENDOR_SOFTWARE ? REUSE_ROLLED
                                                 : REUSE_UNROLLED;
}

static uint64_t invocations_of(const depthwise *d, const tile *t)
{
    return ceil_divide(d->target.height, t->height) * ceil_divide(d->target.width, t->width) *
           blocks_of(d->target.channels);
}

/* those that fit, the default first */
static uint32_t list_tiles(const builder *b, const depthwise *d, tile out[TILES])
{
    const plan_options *o = &b->p->options;
    uint64_t enough = o->target.vendor == VENDOR_SOFTWARE ? 512 : 16384;
    uint32_t count = 0, chosen = 0;
    bool found = false;
    for (uint32_t i = 0; i < TILES; i++) {
        if (tiles[i].height > 1 && !reuse_rows(b, d)) {
            continue;
        }
        if (i < DEFAULTS && !found) {
            chosen = count;
            found = invocations_of(d, &tiles[i]) * (o->batch ? o->batch : 1) >= enough;
        }
        out[count++] = tiles[i];
    }
    tile first = out[chosen];
    memmove(&out[1], &out[0], chosen * sizeof *out);
    out[0] = first;
    return count;
}

/* --- emission --- */

static status pack_depthwise(builder *b, const depthwise *d, plan_pack **out)
{
    uint64_t lanes = round_up4(d->target.channels);
    uint64_t taps = (uint64_t)d->window->kernel_h * d->window->kernel_w;
    status s = builder_pack(b, PACK_DEPTHWISE,
                            lanes + element_words(b->weight_element, taps * lanes), out);
    if (s == STATUS_OK) {
        (*out)->weights[0] = d->node->weights[0];
        (*out)->weights[1] = d->node->weights[1];
    }
    return s;
}

static status step_variant(builder *b, plan_step *s, const depthwise *d, const tile *t)
{
    const window *w = d->window;
    static const char *const reuse_names[] = {"", " rows", " rolled"};
    bool any = !activation_is_simple(d->node->act[0]);
    uint32_t reuse = reuse_rows(b, d);
    step_constant(s, SPEC_DEPTHWISE_KERNEL_H, w->kernel_h);
    step_constant(s, SPEC_DEPTHWISE_KERNEL_W, w->kernel_w);
    step_constant(s, SPEC_DEPTHWISE_STRIDE_H, w->stride_h);
    step_constant(s, SPEC_DEPTHWISE_STRIDE_W, w->stride_w);
    step_constant(s, SPEC_DEPTHWISE_DILATION_H, w->dilation_h);
    step_constant(s, SPEC_DEPTHWISE_DILATION_W, w->dilation_w);
    step_constant(s, SPEC_DEPTHWISE_TILE_H, reuse == REUSE_ROLLED ? 1 : t->height);
    step_constant(s, SPEC_DEPTHWISE_TILE_W, t->width);
    step_constant(s, SPEC_DEPTHWISE_REUSE, reuse);
    step_constant(s, SPEC_DEPTHWISE_MULTIPLIER, d->multiplier);
    step_constant(s, SPEC_DEPTHWISE_ANY, any);
    step_constant(s, SPEC_DEPTHWISE_VECTOR, place_aligned(&d->target));
    step_constant(s, SPEC_DEPTHWISE_HALF, place_halves(&d->source, &d->target) | weight_halves(b));
    s->variant = region_format(b->p->memory, "%ux%u/%u tile %ux%ux4%s%s%s", w->kernel_h,
                               w->kernel_w, w->stride_w, t->height, t->width, reuse_names[reuse],
                               any ? " any" : "", d->multiplier > 1 ? " multiplier" : "");
    return s->variant ? STATUS_OK
                      : error_set(b->err, STATUS_MEMORY, "out of memory while planning");
}

static status emit(builder *b, int index, const depthwise *d, const tile *t)
{
    plan_pack *pack;
    status s = pack_depthwise(b, d, &pack);
    if (s != STATUS_OK) {
        return s;
    }
    struct depthwise_push push = {
        .source = operand_make(b, &d->source),
        .target = operand_make(b, &d->target),
        .act = activation_make(d->node->act[0]),
        .source_width = d->source.width,
        .source_height = d->source.height,
        .width = d->target.width,
        .height = d->target.height,
        .channels = d->target.channels,
        .pad = d->window->pad_top << 16 | d->window->pad_left,
        .tiles_x = (uint32_t)ceil_divide(d->target.width, t->width),
        .weights = (uint32_t)pack->offset + round_up4(d->target.channels),
        .bias = (uint32_t)pack->offset,
        .tile_rows = t->height,
    };
    uint64_t words = pack->words;
    plan_step *step;
    uint32_t halves = place_halves(&d->source, &d->target) | weight_halves(b);
    s = builder_step(b, KERNEL_DEPTHWISE, halves ? "depthwise_half" : "depthwise", index, NULL,
                     &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct depthwise_push, source), &d->source);
    step_operand(step, offsetof(struct depthwise_push, target), &d->target);
    step_reads(step, d->source.buffer, place_words(&d->source));
    step_writes(step, d->target.buffer, place_words(&d->target));
    step->flops = node_flops(b->g, d->node);
    step->weight_bytes = 4 * words;
    s = step_variant(b, step, d, t);
    if (s == STATUS_OK) {
        s = step_groups(b, step, INVOCATIONS, ceil_divide(invocations_of(d, t), INVOCATIONS));
    }
    step_finish(b, step);
    return s;
}

status lower_depthwise(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    depthwise d = {.node = n,
                   .window = &n->attributes.depthwise.window,
                   .multiplier = n->attributes.depthwise.multiplier};
    status s = d.multiplier == 1 ? builder_aligned(b, n->inputs[0], &d.source)
                                 : builder_value(b, n->inputs[0], &d.source);
    if (s == STATUS_OK) {
        s = builder_value(b, n->outputs[0], &d.target);
    }
    if (s == STATUS_OK) {
        s = window_check(b, index, d.window);
    }
    if (s != STATUS_OK) {
        return s;
    }
    tile candidates[TILES];
    choice made;
    s = builder_choose(b, index, list_tiles(b, &d, candidates), &made);
    if (s == STATUS_OK) {
        s = emit(b, index, &d, &candidates[made.chosen]);
        builder_chosen(b, &made);
    }
    return s;
}
