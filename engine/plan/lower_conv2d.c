/* Lowering of convolutions: which branches share a dispatch, which tile, and what the pooled map
 * becomes where the kernel cannot fuse it. */
#include "engine/plan/internal.h"

#include "engine/passes.h"

#include <string.h>

typedef struct tile {
    uint32_t height, width, blocks;
} tile;

/* One branch of a node, ready for a dispatch. */
typedef struct branch {
    place source, map, pooled;
    bool wants_map, wants_pooled;
    int kernel, bias;
    activation act;
    uint32_t channels;
} branch;

typedef struct convolution {
    window window;
    uint32_t groups;
    bool pool; /* fused, 2x2 */
    int node;
    const char *name;
    branch branches[CONV2D_BRANCHES];
    uint32_t branch_count;
    uint32_t height, width; /* of the map */
    uint32_t pooled_height, pooled_width;
} convolution;

static bool pool_is_fusable(const window *w)
{
    return w->kernel_h == 2 && w->kernel_w == 2 && w->stride_h == 2 && w->stride_w == 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top == 0 && w->pad_left == 0 &&
           w->pad_bottom <= 1 && w->pad_right <= 1;
}

static bool is_pointwise(const convolution *c)
{
    const window *w = &c->window;
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) == 0 && !c->pool;
}

static tile choose_tile(const convolution *c)
{
    if (c->groups > 1) {
        return (tile){c->pool ? 2 : 1, 4, 1};
    }
    if (is_pointwise(c)) {
        return (tile){1, 8, 1};
    }
    return (tile){2, 4, 1};
}

/* cells of an input row under a row of the tile; held together when that is not too many */
static uint32_t row_cells(const window *w, tile t)
{
    return (t.width - 1) * w->stride_w + (w->kernel_w - 1) * w->dilation_w + 1;
}

enum { MAX_ROW_CELLS = 10, MAX_LANE_BITS = 4, CONV2D_INVOCATIONS = 64 };

/* Invocations along the output blocks: as many as possible without idle ones. */
static uint32_t choose_lane_bits(const convolution *c, tile t)
{
    uint32_t best = 0;
    uint64_t best_lanes = UINT64_MAX;
    for (uint32_t bits = 0; bits <= MAX_LANE_BITS; bits++) {
        uint64_t lanes = 0;
        uint32_t step = t.blocks << bits;
        for (uint32_t i = 0; i < c->branch_count; i++) {
            lanes += (uint64_t)(blocks_of(c->branches[i].channels) + step - 1) / step * step;
        }
        if (lanes <= best_lanes) {
            best_lanes = lanes;
            best = bits;
        }
    }
    return best;
}

static status pack_branch(builder *b, const convolution *c, const branch *br, uint32_t *at)
{
    uint32_t blocks = blocks_of(br->channels);
    uint64_t taps = (uint64_t)c->window.kernel_h * c->window.kernel_w;
    uint64_t inputs = round_up4(br->source.channels / c->groups);
    plan_pack *pack;
    status s = builder_pack(b, PACK_CONV2D,
                            CONV2D_RECORD_WORDS + 4 * (uint64_t)blocks + taps * inputs * blocks * 4,
                            &pack);
    if (s != STATUS_OK) {
        return s;
    }
    pack->weights[0] = br->kernel;
    pack->weights[1] = br->bias;
    struct conv2d_record *r = &pack->record;
    r->act = activation_make(br->act);
    r->channels = br->channels;
    r->source_offset = br->source.offset;
    if (br->wants_map) {
        r->flags |= CONV2D_MAP | (place_aligned(&br->map) ? CONV2D_MAP_VECTOR : 0);
        r->map_words = (uint32_t)b->p->buffers[br->map.buffer].words;
        r->map_offset = br->map.offset;
        r->map_stride = br->map.stride;
    }
    if (br->wants_pooled) {
        r->flags |= CONV2D_POOLED | (place_aligned(&br->pooled) ? CONV2D_POOLED_VECTOR : 0);
        r->pooled_words = (uint32_t)b->p->buffers[br->pooled.buffer].words;
        r->pooled_offset = br->pooled.offset;
        r->pooled_stride = br->pooled.stride;
    }
    *at = (uint32_t)pack->offset;
    return STATUS_OK;
}

static void step_branch(plan_step *s, const convolution *c, uint32_t i, uint64_t pack_words)
{
    const branch *br = &c->branches[i];
    size_t at = offsetof(struct conv2d_push, branch) + i * sizeof(struct conv2d_branch);
    uint64_t map = (uint64_t)c->height * c->width * br->channels;
    step_offset(s, at + offsetof(struct conv2d_branch, source), br->source.buffer);
    step_reads(s, br->source.buffer,
               (uint64_t)br->source.height * br->source.width * br->source.channels);
    if (br->wants_map) {
        step_offset(s, at + offsetof(struct conv2d_branch, map), br->map.buffer);
        step_writes(s, br->map.buffer, map);
    }
    if (br->wants_pooled) {
        step_offset(s, at + offsetof(struct conv2d_branch, pooled), br->pooled.buffer);
        step_writes(s, br->pooled.buffer,
                    (uint64_t)c->pooled_height * c->pooled_width * br->channels);
    }
    uint64_t inputs = br->source.channels / c->groups;
    s->flops += map * (2 * inputs * c->window.kernel_h * c->window.kernel_w + 2);
    s->weight_bytes += 4 * pack_words;
}

static const char *variant_text(builder *b, const convolution *c, tile t, bool any)
{
    const window *w = &c->window;
    return region_format(b->p->memory, "%ux%u/%u tile %ux%ux%u%s%s%s", w->kernel_h, w->kernel_w,
                         w->stride_w, t.height, t.width, 4 * t.blocks, c->pool ? " pool" : "",
                         any ? " any" : "", c->groups > 1 ? " groups" : "");
}

static void step_variant(plan_step *s, const convolution *c, tile t, bool any)
{
    const window *w = &c->window;
    bool scalar = false;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        scalar = scalar || (br->wants_map && !place_aligned(&br->map)) ||
                 (br->wants_pooled && !place_aligned(&br->pooled));
    }
    step_constant(s, SPEC_CONV2D_KERNEL_H, w->kernel_h);
    step_constant(s, SPEC_CONV2D_KERNEL_W, w->kernel_w);
    step_constant(s, SPEC_CONV2D_STRIDE_H, w->stride_h);
    step_constant(s, SPEC_CONV2D_STRIDE_W, w->stride_w);
    step_constant(s, SPEC_CONV2D_DILATION_H, w->dilation_h);
    step_constant(s, SPEC_CONV2D_DILATION_W, w->dilation_w);
    step_constant(s, SPEC_CONV2D_TILE_H, t.height);
    step_constant(s, SPEC_CONV2D_TILE_W, t.width);
    step_constant(s, SPEC_CONV2D_BLOCKS, t.blocks);
    step_constant(s, SPEC_CONV2D_POOL, c->pool);
    step_constant(s, SPEC_CONV2D_ANY, any);
    step_constant(s, SPEC_CONV2D_ROW_REUSE, row_cells(w, t) <= MAX_ROW_CELLS);
    step_constant(s, SPEC_CONV2D_SCALAR, scalar);
}

/* One dispatch of the tiled kernel. The branches' sources have one shape and layout. */
static status emit_tiled(builder *b, convolution *c)
{
    const branch *first = &c->branches[0];
    uint32_t source_height = first->source.height, source_width = first->source.width;
    if (is_pointwise(c)) { /* one row: no tile hangs over the end of each */
        c->width *= c->height;
        source_width *= source_height;
        c->height = source_height = 1;
    }
    tile t = choose_tile(c);
    uint32_t lane_bits = choose_lane_bits(c, t);
    struct conv2d_push push = {
        .source_width = source_width,
        .source_height = source_height,
        .source_words = (uint32_t)b->p->buffers[first->source.buffer].words,
        .source_blocks = first->source.stride / 4,
        .width = c->width,
        .height = c->height,
        .pad = c->window.pad_top << 16 | c->window.pad_left,
        .group_source_blocks = blocks_of(first->source.channels / c->groups),
        .group_blocks = c->groups > 1 ? first->channels / c->groups / 4 : UINT32_MAX,
        .tiles_x = (c->width + t.width - 1) / t.width,
        .lanes_pool = lane_bits,
    };
    if (c->pool) {
        push.lanes_pool |= (c->pooled_width * 2 > c->width ? 1u << 8 : 0) |
                           (c->pooled_height * 2 > c->height ? 1u << 9 : 0);
    }
    bool any = !c->pool && b->any_activation;
    uint64_t pack_words[CONV2D_BRANCHES] = {0};
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        uint32_t step = t.blocks << lane_bits;
        uint64_t before = b->weight_words;
        status s = pack_branch(b, c, br, &push.branch[i].record);
        if (s != STATUS_OK) {
            return s;
        }
        pack_words[i] = b->weight_words - before;
        push.channel_groups += (blocks_of(br->channels) + step - 1) / step;
        push.branch[i].group_end = push.channel_groups;
        any = any || !activation_is_simple(br->act);
    }

    plan_step *step;
    status s = builder_step(b, KERNEL_CONV2D, "conv2d", c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        step_branch(step, c, i, pack_words[i]);
    }
    step_variant(step, c, t, any);
    step->variant = variant_text(b, c, t, any);
    if (!step->variant) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    uint64_t tiles = (uint64_t)push.tiles_x * ((c->height + t.height - 1) / t.height);
    uint32_t tiles_a_group = (uint32_t)CONV2D_INVOCATIONS >> lane_bits;
    s = step_groups(b, step, CONV2D_INVOCATIONS,
                    (tiles + tiles_a_group - 1) / tiles_a_group * push.channel_groups);
    step_finish(b, step);
    return s;
}

/* One branch with groups whose channels do not come in fours. */
static status emit_grouped(builder *b, const convolution *c)
{
    const branch *br = &c->branches[0];
    const window *w = &c->window;
    uint32_t inputs = br->source.channels / c->groups;
    uint64_t filter = (uint64_t)w->kernel_h * w->kernel_w * inputs * br->channels;
    plan_pack *pack;
    status s = builder_pack(b, PACK_GROUPED, filter + br->channels, &pack);
    if (s != STATUS_OK) {
        return s;
    }
    pack->weights[0] = br->kernel;
    pack->weights[1] = br->bias;
    bool padded = br->map.stride > br->channels && br->map.stride == round_up4(br->channels);
    struct conv2d_grouped_push push = {
        .source = operand_make(b, &br->source),
        .target = operand_make(b, &br->map),
        .act = activation_make(br->act),
        .source_width = br->source.width,
        .source_height = br->source.height,
        .width = c->width,
        .height = c->height,
        .channels = br->channels,
        .padded_channels = padded ? br->map.stride : br->channels,
        .pad = w->pad_top << 16 | w->pad_left,
        .kernel = w->kernel_h << 16 | w->kernel_w,
        .stride = w->stride_h << 16 | w->stride_w,
        .dilation = w->dilation_h << 16 | w->dilation_w,
        .group_source_channels = inputs,
        .group_channels = br->channels / c->groups,
        .weights = (uint32_t)pack->offset,
        .bias = (uint32_t)(pack->offset + filter),
    };
    uint64_t words = pack->words;
    plan_step *step;
    s = builder_step(b, KERNEL_CONV2D, "conv2d_grouped", c->node, c->name, &step);
    if (s != STATUS_OK) {
        return s;
    }
    step_push(step, &push, sizeof push);
    step_operand(step, offsetof(struct conv2d_grouped_push, source), &br->source);
    step_operand(step, offsetof(struct conv2d_grouped_push, target), &br->map);
    step->variant = "grouped";
    uint64_t map = (uint64_t)c->height * c->width * br->channels;
    step_reads(step, br->source.buffer,
               (uint64_t)br->source.height * br->source.width * br->source.channels);
    step_writes(step, br->map.buffer, map);
    step->flops = map * (2ull * inputs * w->kernel_h * w->kernel_w + 2);
    step->weight_bytes = 4 * words;
    uint64_t outputs = (uint64_t)c->height * c->width * push.padded_channels;
    s = step_groups(b, step, CONV2D_INVOCATIONS,
                    (outputs + CONV2D_INVOCATIONS - 1) / CONV2D_INVOCATIONS);
    step_finish(b, step);
    return s;
}

/* Where the map of a branch goes: its value, or a buffer of its own when only a pool reads it. */
static status make_map(builder *b, const convolution *c, int v, branch *br)
{
    if (v != GRAPH_NONE) {
        return builder_value(b, v, &br->map);
    }
    const char *name = region_format(b->p->memory, "%s (unpooled)", c->name);
    if (!name) {
        return error_set(b->err, STATUS_MEMORY, "out of memory while planning");
    }
    uint32_t stride = round_up4(br->channels);
    br->map =
        (place){.stride = stride, .height = c->height, .width = c->width, .channels = br->channels};
    return builder_buffer(b, name, GRAPH_NONE, (uint64_t)c->height * c->width * stride, stride,
                          &br->map.buffer);
}

static bool tiled_fits(const convolution *c, const branch *br)
{
    return c->groups == 1 ||
           ((br->source.channels / c->groups) % 4 == 0 && (br->channels / c->groups) % 4 == 0);
}

static bool share_dispatch(const builder *b, const place *x, const place *y)
{
    return x->stride == y->stride &&
           b->p->buffers[x->buffer].words == b->p->buffers[y->buffer].words;
}

static status check_window(const builder *b, int index, const window *w)
{
    const uint32_t sizes[] = {w->kernel_h,   w->kernel_w,   w->stride_h, w->stride_w,
                              w->dilation_h, w->dilation_w, w->pad_top,  w->pad_left};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] > UINT16_MAX) {
            return builder_error(b, STATUS_LIMIT, index, "a window measure above 65535");
        }
    }
    return STATUS_OK;
}

/* Branch i of node n: places, weights, and whether the pooled map is left to a step of its own. */
static status make_branch(builder *b, const convolution *c, const struct node *n, int i,
                          bool *own_pool, branch *br)
{
    int map_value = n->outputs[2 * i], pooled_value = n->outputs[2 * i + 1];
    const struct weight *filter = &b->g->weights[n->weights[2 * i]];
    *br = (branch){.kernel = n->weights[2 * i],
                   .bias = n->weights[2 * i + 1],
                   .act = n->act[i],
                   .channels = filter->shape.dim[3]};
    place plain;
    status s = builder_value(b, n->inputs[i], &plain);
    if (s != STATUS_OK) {
        return s;
    }
    br->source = plain;
    bool tiled = tiled_fits(c, br);
    if (tiled) {
        s = builder_aligned(b, n->inputs[i], &br->source);
    }
    br->wants_pooled = n->attributes.conv.pooled && pooled_value != GRAPH_NONE;
    *own_pool = br->wants_pooled && !(tiled && pool_is_fusable(&n->attributes.conv.pool));
    br->wants_map = map_value != GRAPH_NONE || *own_pool;
    if (s == STATUS_OK && br->wants_pooled) {
        s = builder_value(b, pooled_value, &br->pooled);
    }
    if (s == STATUS_OK && br->wants_map) {
        s = make_map(b, c, map_value, br);
    }
    return s;
}

static status emit(builder *b, convolution *c)
{
    if (c->branch_count == 0) {
        return STATUS_OK;
    }
    c->pool = false;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        c->pool = c->pool || c->branches[i].wants_pooled;
    }
    convolution copy = *c; /* emitting may reshape it */
    c->branch_count = 0;
    return tiled_fits(&copy, &copy.branches[0]) ? emit_tiled(b, &copy) : emit_grouped(b, &copy);
}

status lower_conv2d(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    const conv2d_attributes *a = &n->attributes.conv;
    convolution c = {.window = a->window, .groups = a->groups, .node = index, .name = n->name};
    place source;
    status s = check_window(b, index, &a->window);
    if (s == STATUS_OK && a->pooled) {
        s = check_window(b, index, &a->pool);
    }
    if (s == STATUS_OK) {
        s = builder_value(b, n->inputs[0], &source);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (!window_output(&a->window, source.height, source.width, &c.height, &c.width) ||
        (a->pooled &&
         !window_output(&a->pool, c.height, c.width, &c.pooled_height, &c.pooled_width))) {
        return builder_error(b, STATUS_MODEL, index, "the window does not fit the map");
    }
    for (int i = 0; i < a->branches; i++) {
        branch br;
        bool own_pool = false;
        s = make_branch(b, &c, n, i, &own_pool, &br);
        if (s != STATUS_OK) {
            return s;
        }
        place pooled = br.pooled;
        br.wants_pooled = br.wants_pooled && !own_pool;
        bool joins = c.branch_count < CONV2D_BRANCHES && !own_pool && tiled_fits(&c, &br);
        if (c.branch_count > 0 && (!joins || !tiled_fits(&c, &c.branches[0]) ||
                                   !share_dispatch(b, &br.source, &c.branches[0].source))) {
            s = emit(b, &c);
        }
        if (s == STATUS_OK) {
            c.branches[c.branch_count++] = br;
        }
        if (s == STATUS_OK && own_pool) {
            s = emit(b, &c);
            if (s == STATUS_OK) {
                s = lower_window_pool(b, index, POOL_MAX, &a->pool, &br.map, &pooled);
            }
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    return emit(b, &c);
}

/* A dense layer over the pixels of a value is a 1x1 convolution over a map of one row. */
status lower_pointwise(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    convolution c = {.window = {.kernel_h = 1,
                                .kernel_w = 1,
                                .stride_h = 1,
                                .stride_w = 1,
                                .dilation_h = 1,
                                .dilation_w = 1},
                     .groups = 1,
                     .node = index,
                     .name = n->name,
                     .branch_count = 1};
    branch *br = &c.branches[0];
    *br = (branch){.wants_map = true,
                   .kernel = n->weights[0],
                   .bias = n->weights[1],
                   .act = n->act[0],
                   .channels = b->g->weights[n->weights[0]].shape.dim[1]};
    status s = builder_aligned(b, n->inputs[0], &br->source);
    if (s == STATUS_OK) {
        s = builder_value(b, n->outputs[0], &br->map);
    }
    if (s != STATUS_OK) {
        return s;
    }
    c.height = br->source.height;
    c.width = br->source.width;
    return emit(b, &c);
}
