/* Lowering of convolutions: which branches share a dispatch, which family and candidate computes
 * it, and what the pooled map becomes where no kernel fuses it. */
#include "engine/plan/conv.h"

#include "engine/passes.h"

#include <string.h>

static const conv_family *const families[] = {&conv_direct, &conv_grouped, &conv_gemm,
                                              &conv_matrix, &conv_window,  NULL};
/* what computes a convolution by other sums, and so stands alone where it does */
static const conv_family *const winograd[] = {&conv_winograd, NULL};

/* --- what families share --- */

void conv_propose(conv_candidates *out, const conv_candidate *one)
{
    if (out->count < CONV_MAX_CANDIDATES) {
        out->list[out->count++] = *one;
    }
}

int conv_compare_costs(const void *x, const void *y)
{
    const conv_candidate *a = x, *b = y;
    return a->cost < b->cost   ? -1
           : a->cost > b->cost ? 1
                               : memcmp(a->sizes, b->sizes, sizeof a->sizes);
}

bool conv_is_pointwise(const convolution *c)
{
    const window *w = &c->window;
    return w->kernel_h == 1 && w->kernel_w == 1 && w->stride_h == 1 && w->stride_w == 1 &&
           (w->pad_top | w->pad_left | w->pad_bottom | w->pad_right) == 0 && !c->pool &&
           c->repeat <= 1;
}

bool conv_in_fours(const convolution *c, const branch *br)
{
    return c->groups == 1 ||
           ((br->source.channels / c->groups) % 4 == 0 && (br->channels / c->groups) % 4 == 0);
}

bool conv_has_second(const convolution *c, const branch *br)
{
    return br->wants_pooled || c->repeat > 0;
}

struct conv2d_record conv_record(const builder *b, const convolution *c, const branch *br)
{
    struct conv2d_record r = {.act = activation_make(br->act),
                              .channels = br->channels,
                              .source_offset = br->source.offset};
    if (br->wants_map) {
        r.flags |= CONV2D_MAP | (place_aligned(&br->map) ? CONV2D_MAP_VECTOR : 0);
        r.map_words = (uint32_t)b->p->buffers[br->map.buffer].words;
        r.map_offset = br->map.offset;
        r.map_stride = br->map.stride;
    }
    r.flags |= (br->wants_pooled ? CONV2D_POOLED : 0) | (c->repeat ? CONV2D_ADDED : 0);
    if (conv_has_second(c, br)) {
        r.flags |= place_aligned(&br->second) ? CONV2D_SECOND_VECTOR : 0;
        r.second_words = (uint32_t)b->p->buffers[br->second.buffer].words;
        r.second_offset = br->second.offset;
        r.second_stride = br->second.stride;
    }
    return r;
}

uint32_t conv_halves(const builder *b, const convolution *c)
{
    uint32_t halves = weight_halves(b);
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        halves |= place_halves(&br->source, br->wants_map ? &br->map : NULL);
        halves |= conv_has_second(c, br) && br->second.element == ELEMENT_F16 ? HALF_SECOND : 0;
    }
    return halves;
}

bool conv_any_activation(const convolution *c)
{
    bool any = false;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        any = any || !activation_is_simple(c->branches[i].act);
    }
    return any;
}

bool conv_moves_scalars(const convolution *c)
{
    bool scalars = false;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const branch *br = &c->branches[i];
        scalars = scalars || (br->wants_map && !place_aligned(&br->map)) ||
                  (conv_has_second(c, br) && !place_aligned(&br->second));
    }
    return scalars;
}

void conv_constants(const builder *b, plan_step *s, const convolution *c)
{
    const window *w = &c->window;
    step_constant(s, SPEC_CONV2D_KERNEL_H, w->kernel_h);
    step_constant(s, SPEC_CONV2D_KERNEL_W, w->kernel_w);
    step_constant(s, SPEC_CONV2D_STRIDE_H, w->stride_h);
    step_constant(s, SPEC_CONV2D_STRIDE_W, w->stride_w);
    step_constant(s, SPEC_CONV2D_DILATION_H, w->dilation_h);
    step_constant(s, SPEC_CONV2D_DILATION_W, w->dilation_w);
    step_constant(s, SPEC_CONV2D_POOL, c->pool);
    step_constant(s, SPEC_CONV2D_ANY, conv_any_activation(c));
    step_constant(s, SPEC_CONV2D_SCALAR, conv_moves_scalars(c));
    step_constant(s, SPEC_CONV2D_HALF, conv_halves(b, c));
    step_constant(s, SPEC_CONV2D_REPEAT, c->repeat);
}

uint32_t conv_readers(const builder *b)
{
    const plan_target *t = &b->target;
    return t->vendor != VENDOR_SOFTWARE || !t->broadcasts ? 0 : t->subgroup_size < 8 ? 4 : 8;
}

const char *conv_fused(const convolution *c)
{
    return c->pool ? " pool" : c->repeat > 1 ? " repeat add" : c->repeat ? " add" : "";
}

uint32_t conv_pool_edges(const convolution *c)
{
    return !c->pool ? 0
                    : (c->pooled_width * 2 > c->width ? 1u : 0) |
                          (c->pooled_height * 2 > c->height ? 2u : 0);
}

uint32_t conv_widest_branch(const convolution *c)
{
    uint32_t widest = 0;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        widest = c->branches[i].channels > widest ? c->branches[i].channels : widest;
    }
    return widest;
}

uint32_t conv_column_groups(const convolution *c, uint32_t columns)
{
    uint32_t all = 0;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        all += (uint32_t)ceil_divide(c->branches[i].channels, columns);
    }
    return all;
}

bool conv_all_halves(const builder *b, const convolution *c)
{
    bool all = b->weight_element == ELEMENT_F16;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        all = all && c->branches[i].source.element == ELEMENT_F16;
    }
    return all;
}

bool conv_in_eights(const convolution *c)
{
    bool all = true;
    for (uint32_t i = 0; i < c->branch_count; i++) {
        const place *source = &c->branches[i].source;
        all = all && blocks_of(source->channels) % 2 == 0 && source->stride % 8 == 0 &&
              source->offset % 8 == 0;
    }
    return all;
}

bool conv_matrices_fit(const builder *b)
{
    const plan_target *t = &b->target;
    return t->matrix.m > 0 && t->subgroup_size > 0 && t->matrix.m % 4 == 0 &&
           t->matrix.n % 4 == 0 && t->matrix.k % 8 == 0;
}

status conv_pack(builder *b, const convolution *c, const branch *br, pack_kind kind,
                 uint64_t kernel_words, plan_pack **out)
{
    status s = builder_pack(
        b, kind, CONV2D_RECORD_WORDS + 4 * (uint64_t)blocks_of(br->channels) + kernel_words, out);
    if (s == STATUS_OK) {
        (*out)->weights[0] = br->kernel;
        (*out)->weights[1] = br->bias;
        (*out)->record = conv_record(b, c, br);
    }
    return s;
}

/* what a branch writes, of its maps cut into `all` pieces the ones from `first` to `end` */
static void account_targets(plan_step *s, const convolution *c, const branch *br, uint32_t first,
                            uint32_t end, uint32_t all)
{
    if (br->wants_map) {
        uint64_t repeated = c->repeat ? (uint64_t)c->repeat * c->repeat : 1;
        uint64_t map = (uint64_t)c->height * c->width * br->channels * repeated;
        step_writes(s, br->map.buffer,
                    element_words(br->map.element, map * end / all - map * first / all));
    }
    if (br->wants_pooled) {
        uint64_t pooled = (uint64_t)c->pooled_height * c->pooled_width * br->channels;
        step_writes(s, br->second.buffer,
                    element_words(br->second.element, pooled * end / all - pooled * first / all));
    }
}

void conv_account(plan_step *s, const convolution *c, const branch *br, uint64_t weight_words)
{
    uint64_t map = (uint64_t)c->height * c->width * br->channels;
    uint64_t inputs = br->source.channels / c->groups;
    step_reads(s, br->source.buffer, place_words(&br->source));
    if (c->repeat) {
        step_reads(s, br->second.buffer, place_words(&br->second));
        s->flops += place_elements(&br->second);
    }
    account_targets(s, c, br, 0, 1, 1);
    s->flops += map * (2 * inputs * c->window.kernel_h * c->window.kernel_w + 2);
    s->weight_bytes += 4 * weight_words;
}

/* the push words of a branch's maps, and of what is added */
static void target_offsets(plan_step *s, const convolution *c, const branch *br, size_t at)
{
    if (br->wants_map) {
        step_offset(s, at + offsetof(struct conv2d_branch, map), br->map.buffer);
    }
    if (conv_has_second(c, br)) {
        step_offset(s, at + offsetof(struct conv2d_branch, second), br->second.buffer);
    }
}

void conv_branch(plan_step *s, const convolution *c, uint32_t i, size_t at, uint64_t weight_words)
{
    const branch *br = &c->branches[i];
    at += i * sizeof(struct conv2d_branch);
    step_offset(s, at + offsetof(struct conv2d_branch, source), br->source.buffer);
    target_offsets(s, c, br, at);
    conv_account(s, c, br, weight_words);
}

void conv_targets(plan_step *s, const convolution *c, uint32_t i, size_t at, uint32_t first,
                  uint32_t end, uint32_t all)
{
    const branch *br = &c->branches[i];
    target_offsets(s, c, br, at + i * sizeof(struct conv2d_branch));
    account_targets(s, c, br, first, end, all);
}

/* --- candidates --- */

/* Stable, so that of equal ranks the family listed first, and its own order, come first. */
static void sort_by_rank(conv_candidates *all)
{
    for (uint32_t i = 1; i < all->count; i++) {
        conv_candidate moved = all->list[i];
        uint32_t at = i;
        for (; at > 0 && all->list[at - 1].rank > moved.rank; at--) {
            all->list[at] = all->list[at - 1];
        }
        all->list[at] = moved;
    }
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
    conv_candidates all = {.count = 0};
    const conv_family *const *able = conv_takes_winograd(b, c) ? winograd : families;
    for (size_t i = 0; able[i]; i++) {
        able[i]->propose(b, c, &all);
    }
    if (all.count == 0) {
        return builder_error(b, STATUS_UNSUPPORTED, c->node,
                             "a convolution that no kernel computes");
    }
    sort_by_rank(&all);
    choice made;
    status s = builder_choose(b, c->node, all.count, &made);
    if (s == STATUS_OK) {
        const conv_candidate *chosen = &all.list[made.chosen];
        s = chosen->family->emit(b, c, chosen);
        builder_chosen(b, &made);
    }
    c->branch_count = 0;
    return s;
}

/* --- gathering --- */

static bool pool_is_fusable(const window *w)
{
    return w->kernel_h == 2 && w->kernel_w == 2 && w->stride_h == 2 && w->stride_w == 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && w->pad_top == 0 && w->pad_left == 0 &&
           w->pad_bottom <= 1 && w->pad_right <= 1;
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
    br->map = (place){.element = conv_in_fours(c, br) ? br->second.element : ELEMENT_F32,
                      .stride = round_up4(br->channels),
                      .height = c->height,
                      .width = c->width,
                      .channels = br->channels};
    return builder_pixels(b, name, GRAPH_NONE, &br->map);
}

/* One layout of the sources, and one element for what the branches write. */
static bool share_dispatch(const builder *b, const branch *x, const branch *y)
{
    return x->source.stride == y->source.stride && x->source.element == y->source.element &&
           b->p->buffers[x->source.buffer].words == b->p->buffers[y->source.buffer].words &&
           (!x->wants_map || !y->wants_map || x->map.element == y->map.element) &&
           (!x->wants_pooled || !y->wants_pooled || x->second.element == y->second.element);
}

/* br can become one more branch of c */
static bool may_join(const builder *b, const convolution *c, const branch *br)
{
    bool may = c->branch_count < CONV2D_BRANCHES && conv_in_fours(c, br);
    for (uint32_t i = 0; may && i < c->branch_count; i++) {
        may = conv_in_fours(c, &c->branches[i]) && share_dispatch(b, &c->branches[i], br);
    }
    return may;
}

/* Branch i of node n: places, weights, and whether the pooled map is left to a step of its own. */
static status make_branch(builder *b, const convolution *c, const struct node *n, int i,
                          bool *own_pool, branch *br)
{
    const conv2d_attributes *a = &n->attributes.conv;
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
    bool tiled = conv_in_fours(c, br);
    if (tiled) {
        s = builder_aligned(b, n->inputs[i], &br->source);
    }
    br->wants_pooled = a->pooled && pooled_value != GRAPH_NONE;
    *own_pool = br->wants_pooled && !(tiled && pool_is_fusable(&a->pool));
    br->wants_map = map_value != GRAPH_NONE || *own_pool;
    if (s == STATUS_OK && br->wants_pooled) {
        s = builder_value(b, pooled_value, &br->second);
    }
    if (s == STATUS_OK && br->wants_map) {
        s = make_map(b, c, map_value, br);
    }
    if (s == STATUS_OK && c->repeat) {
        s = builder_value(b, n->inputs[a->branches], &br->second);
    }
    return s;
}

status lower_conv2d(builder *b, int index)
{
    const struct node *n = &b->g->nodes[index];
    const conv2d_attributes *a = &n->attributes.conv;
    convolution c = {.window = a->window,
                     .groups = a->groups,
                     .repeat = a->repeat,
                     .node = index,
                     .name = n->name};
    place source;
    status s = window_check(b, index, &a->window);
    if (s == STATUS_OK && a->pooled) {
        s = window_check(b, index, &a->pool);
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
        place pooled = br.second;
        br.wants_pooled = br.wants_pooled && !own_pool;
        if (c.branch_count > 0 && (own_pool || !may_join(b, &c, &br))) {
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
