/* Convolution, depthwise and dense: what the passes fused stays fused. A branch is cut into strips
 * of rows; each is convolved where its map lies, or in the thread's own memory, and while it is
 * still in the cache what there is to add is added, the activation that oneDNN has no form of is
 * applied, it is pooled, and converted. */
#include "host/cpu/convolution.h"

#include <math.h>
#include <string.h>

/* `inner` ones go before, one after the other: a strip of each is what the next one reads. Then an
 * item is one strip through all of them; otherwise it is one of one branch. */
typedef struct convolution {
    branch *inner;
    uint32_t inner_count;
    branch *branches;
    uint32_t count;
} convolution;

/* --- running --- */

static size_t computed_row_bytes(const branch *b)
{
    return (size_t)b->map_width * b->filters * element_bytes(b->computed);
}

/* the map as the pool sees it: it may have no place of its own */
static tensor map_of(const branch *b)
{
    return (tensor){.height = b->map_height,
                    .width = b->map_width,
                    .channels = b->filters,
                    .element = b->computed};
}

/* `row` with every pixel as often as it is repeated */
static const float *repeat_pixels(const branch *b, const float *row, float *buffer)
{
    if (b->repeat == 1) {
        return row;
    }
    for (uint32_t x = 0; x < b->map.width; x++) {
        memcpy(buffer + (size_t)x * b->filters, row + (size_t)(x / b->repeat) * b->filters,
               b->filters * sizeof *buffer);
    }
    return buffer;
}

static void add_strip(const program *p, const branch *b, const strip *s, worker *w,
                      const float *rows)
{
    const size_t n = (size_t)b->map.width * b->filters,
                 computed = (size_t)b->map_width * b->filters;
    const bool at_once = conv_separable_adds(p, b);
    for (uint32_t i = 0; i < s->rows * b->repeat; i++) {
        const uint32_t y = s->first * b->repeat + i;
        const float *row = rows + i / b->repeat * computed;
        if (at_once) {
            conv_add_run(p, b, row, tensor_at(w, &b->added, y), tensor_at(w, &b->map, y));
            continue;
        }
        const float *sums = repeat_pixels(b, row, w->row[1]);
        const float *added = row_read(p, w, &b->added, y, w->row[0]);
        float *out = row_begin(w, &b->map, y, w->row[3]);
        p->loops->add(sums, added, out, n);
        p->loops->activate(&b->act, out, n);
        row_done(p, w, &b->map, y, out);
    }
}

static void finish_strip(const program *p, const branch *b, const strip *s, worker *w,
                         unsigned char *rows)
{
    if (b->repeat && !b->sum_fused) {
        add_strip(p, b, s, w, (const float *)(const void *)rows);
        return;
    }
    const size_t floats = (size_t)s->rows * b->map_width * b->filters;
    if (!b->act_fused) {
        p->loops->activate(&b->act, (float *)(void *)rows, floats);
    }
    if (b->has_map && !b->in_place) {
        elements_convert(p, rows, b->computed, tensor_at(w, &b->map, s->first), b->map.element,
                         floats);
    }
    const tensor map = map_of(b);
    for (uint32_t y = 0; b->has_pooled && y < s->pooled_rows; y++) {
        pool_row(p, w, &b->pool, &map, b->computed, rows, s->first, &b->pooled,
                 s->pooled_first + y);
    }
}

static status run_strip(const program *p, const branch *b, const strip *s, worker *w, error *err)
{
    if (b->method == BY_DEPTHWISE) {
        conv_depthwise_run(p, b, s, w);
        return STATUS_OK;
    }
    unsigned char *rows = b->in_place ? tensor_at(w, &b->map, s->first) : w->strip;
    if (b->method == BY_ONEDNN) {
        const status code = conv_onednn_run(p, b, s, w, rows, err);
        if (code != STATUS_OK) {
            return code;
        }
    } else if (b->method == BY_POINTWISE) {
        conv_pointwise_run(p, b, s, w, rows);
    } else {
        conv_direct_run(p, b, s, w, (float *)(void *)rows);
    }
    finish_strip(p, b, s, w, rows);
    return STATUS_OK;
}

static status run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const convolution *c = s->state;
    const branch *b = c->branches;
    while (item >= b->strip_count) {
        item -= b->strip_count;
        b++;
    }
    return run_strip(p, b, &b->strips[item], w, err);
}

static status run_chain(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const convolution *c = s->state;
    w->band_first = c->branches->strips[item].first;
    status code = STATUS_OK;
    for (uint32_t i = 0; code == STATUS_OK && i < c->inner_count; i++) {
        code = run_strip(p, &c->inner[i], &c->inner[i].strips[item], w, err);
    }
    for (uint32_t i = 0; code == STATUS_OK && i < c->count; i++) {
        code = run_strip(p, &c->branches[i], &c->branches[i].strips[item], w, err);
    }
    return code;
}

/* --- cutting --- */

/* Pooled rows and the map's go hand in hand only where windows neither overlap nor begin outside.
 */
static bool pools_in_step(const branch *b)
{
    return b->pool.stride_h == b->pool.kernel_h && b->pool.pad_top == 0;
}

static void find_input_rows(const branch *b, strip *s)
{
    const window *w = &b->window;
    const int64_t first = (int64_t)s->first * w->stride_h - w->pad_top;
    const int64_t end = (int64_t)(s->first + s->rows - 1) * w->stride_h - w->pad_top +
                        (int64_t)(w->kernel_h - 1) * w->dilation_h + 1;
    const int64_t from = first > 0 ? first : 0;
    const int64_t to = end < (int64_t)b->in.height ? end : (int64_t)b->in.height;
    s->in_first = (uint32_t)from;
    s->in_rows = to > from ? (uint32_t)(to - from) : 0;
    s->above = (uint32_t)(from - first);
    s->below = (uint32_t)(end - to);
}

/* the rows of the map under pooled rows first .. first + count - 1 */
static void find_map_rows(const branch *b, strip *s)
{
    const window *w = &b->pool;
    const int64_t first = (int64_t)s->pooled_first * w->stride_h - w->pad_top;
    const int64_t end =
        (int64_t)(s->pooled_first + s->pooled_rows - 1) * w->stride_h - w->pad_top + w->kernel_h;
    s->first = first > 0 ? (uint32_t)first : 0;
    const uint32_t to = end < (int64_t)b->map_height ? (uint32_t)end : b->map_height;
    s->rows = to - s->first;
}

/* Rows of a strip; of one that pools, in the pooled map. */
static uint32_t strip_rows(const branch *b, uint64_t flops)
{
    const uint32_t multiple = b->has_pooled ? b->pool.stride_h : 1;
    flops /= b->in.element == IN_BF16 ? 4 : 1; /* they take less time */
    const uint32_t rows =
        rows_an_item(b->map_height, flops, computed_row_bytes(b), multiple) / multiple;
    return rows ? rows : 1;
}

static status cut(program *p, branch *b, uint32_t step_rows, error *err)
{
    const uint32_t height = b->has_pooled ? b->pooled.height : b->map_height;
    const uint32_t count = (height + step_rows - 1) / step_rows;
    strip *strips = program_allocate(p, count, sizeof *strips);
    if (!strips) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u strips", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        strip *s = &strips[i];
        const uint32_t first = i * step_rows, left = height - first;
        const uint32_t n = left < step_rows ? left : step_rows;
        if (b->has_pooled) {
            s->pooled_first = first;
            s->pooled_rows = n;
            find_map_rows(b, s);
            if (i + 1 == count && b->has_map) { /* rows that no window covers */
                s->rows = b->map_height - s->first;
            }
        } else {
            s->first = first;
            s->rows = n;
        }
        find_input_rows(b, s);
        const size_t bytes = s->rows * computed_row_bytes(b);
        p->strip_bytes = p->strip_bytes > bytes ? p->strip_bytes : bytes;
    }
    b->strips = strips;
    b->strip_count = count;
    return STATUS_OK;
}

/* One kernel for each form of strip: the first, those in the middle, the last, as a rule. */
static status find_forms(program *p, branch *b, error *err)
{
    b->kernels = program_allocate(p, b->strip_count, sizeof *b->kernels);
    strip *strips = (strip *)b->strips;
    if (!b->kernels) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u strips", b->strip_count);
    }
    for (uint32_t i = 0; i < b->strip_count; i++) {
        strip *s = &strips[i];
        uint32_t k = 0;
        while (k < b->kernel_count &&
               (b->kernels[k].rows != s->rows || b->kernels[k].in_rows != s->in_rows ||
                b->kernels[k].above != s->above || b->kernels[k].below != s->below)) {
            k++;
        }
        s->kernel = k;
        if (k == b->kernel_count) {
            b->kernels[b->kernel_count++] = (strip_kernel){
                .rows = s->rows, .in_rows = s->in_rows, .above = s->above, .below = s->below};
        }
    }
    return STATUS_OK;
}

static bool has_empty_strip(const branch *b)
{
    for (uint32_t i = 0; i < b->strip_count; i++) {
        if (b->strips[i].in_rows == 0) {
            return true;
        }
    }
    return false;
}

/* --- making --- */

static bool method_fuses(const branch *b)
{
    return b->method == BY_ONEDNN      ? conv_onednn_fuses(&b->act)
           : b->method == BY_POINTWISE ? conv_separable_fuses(&b->act)
                                       : false;
}

static void choose_types(branch *b)
{
    const element wanted = b->has_map ? b->map.element : b->pooled.element;
    const bool fuses = method_fuses(b), ours = b->method == BY_POINTWISE;
    const bool halves = b->in.element == IN_BF16;
    b->sum_fused = fuses && ours && b->repeat == 1 &&
                   (halves || (b->map.element == IN_F32 && b->added.element == IN_F32));
    b->act_fused = (!b->repeat || b->sum_fused) && (fuses || b->act.kind == ACTIVATION_LINEAR);
    /* an activation of our own, and pooling into another type, start from all the bits there are */
    const bool same = !b->has_map || !b->has_pooled || b->map.element == b->pooled.element;
    const bool rounds = (b->method == BY_ONEDNN || (ours && halves)) && b->act_fused && same;
    b->computed = rounds ? wanted : IN_F32;
    b->in_place = b->has_map && b->map.element == b->computed && b->repeat <= 1;
}

static status make_with(program *p, branch *b, method how, uint32_t rows, const char **variant,
                        error *err)
{
    b->method = how;
    choose_types(b);
    status code = cut(p, b, rows, err);
    if (code != STATUS_OK || how == BY_LOOPS) {
        return code;
    }
    if (how != BY_ONEDNN) {
        return conv_separable_make(p, b, variant, err);
    }
    if (has_empty_strip(b)) {
        return STATUS_OK;
    }
    code = find_forms(p, b, err);
    return code == STATUS_OK ? conv_onednn_make(p, b, variant, err) : code;
}

/* "first; second", each once in a row */
static status variant_note(program *p, const char *name, const char **variant, error *err)
{
    const size_t all = strlen(*variant), own = strlen(name);
    if (all >= own && strcmp(*variant + all - own, name) == 0) {
        return STATUS_OK;
    }
    *variant = all ? region_format(p->memory, "%s; %s", *variant, name) : name;
    return *variant ? STATUS_OK : error_set(err, STATUS_MEMORY, "out of memory for a name");
}

static status branch_make(program *p, branch *b, uint32_t rows, const char **variant, error *err)
{
    const char *name = NULL;
    const method ours = conv_separable_method(p, b);
    status code = make_with(p, b, ours == BY_LOOPS ? BY_ONEDNN : ours, rows, &name, err);
    if (code == STATUS_OK && !name) { /* oneDNN has no code for it that is worth calling */
        b->kernel_count = 0;
        code = make_with(p, b, BY_LOOPS, rows, &name, err);
        name = "direct loops";
    }
    if (code == STATUS_OK) {
        code = variant_note(p, name, variant, err);
    }
    const size_t floats = (size_t)b->map_width * b->filters;
    p->row_floats = p->row_floats > floats ? p->row_floats : floats;
    return code;
}

static const float *weight_data(const program *p, const node *n, int slot)
{
    const int w = n->weights[slot];
    return w == GRAPH_NONE ? NULL : p->graph->weights[w].data;
}

static void fill_branch(const program *p, const node *n, int index, branch *b)
{
    const graph *g = p->graph;
    const bool conv = n->op == OP_CONV2D;
    b->in = p->tensors[n->inputs[conv ? index : 0]];
    const int map = n->outputs[conv ? 2 * index : 0];
    const int pooled = conv ? n->outputs[2 * index + 1] : GRAPH_NONE;
    b->has_map = map != GRAPH_NONE;
    b->has_pooled = pooled != GRAPH_NONE;
    b->map = b->has_map ? p->tensors[map] : (tensor){0};
    b->pooled = b->has_pooled ? p->tensors[pooled] : (tensor){0};
    b->kernel = weight_data(p, n, conv ? 2 * index : 0);
    b->bias = weight_data(p, n, conv ? 2 * index + 1 : 1);
    b->act = conv ? n->act[index] : n->act_count ? n->act[0] : activation_linear;
    b->groups = 1;
    const shape *kernel = &g->weights[n->weights[conv ? 2 * index : 0]].shape;
    b->filters = kernel->dim[kernel->rank - 1];
    if (conv) {
        b->window = n->attributes.conv.window;
        b->pool = n->attributes.conv.pool;
        b->groups = n->attributes.conv.groups;
        b->repeat = n->attributes.conv.repeat;
        b->added = b->repeat ? p->tensors[n->inputs[1]] : (tensor){0};
    } else if (n->op == OP_DEPTHWISE) {
        b->window = n->attributes.depthwise.window;
        b->groups = b->in.channels;
        b->filters *= b->in.channels;
    } else {
        b->window = (struct window){1, 1, 1, 1, 1, 1, 0, 0, 0, 0};
    }
    (void)window_output(&b->window, b->in.height, b->in.width, &b->map_height, &b->map_width);
}

/* A long row of a dense layer's inputs is cut like the rows of a map. */
static void turn_rows(branch *b)
{
    tensor *const all[] = {&b->in, &b->map};
    for (int i = 0; i < 2; i++) {
        all[i]->height *= all[i]->width;
        all[i]->width = 1;
    }
    b->map_height *= b->map_width;
    b->map_width = 1;
}

/* --- chains --- */

/* Rows of a strip that goes through all of a chain. */
static uint32_t chain_rows(const convolution *c, uint64_t flops)
{
    const branch *first = c->inner;
    const uint32_t height = first->map_height;
    size_t row_bytes = 0;
    for (uint32_t i = 0; i < c->inner_count; i++) {
        row_bytes += tensor_row_bytes(&c->inner[i].map);
    }
    flops /= first->in.element == IN_BF16 ? 2 : 1;
    const uint32_t rows = rows_an_item(height, 2 * flops, row_bytes, 1);
    /* as many strips as two or four threads share out evenly */
    uint32_t strips = (height + rows - 1) / rows;
    strips = strips > 2 ? (strips + 3) / 4 * 4 : strips;
    return (height + strips - 1) / strips;
}

/* The branches of the nodes before `index`, first to last. */
static status fill_inner(program *p, size_t index, convolution *c, error *err)
{
    for (int i = p->before[index]; i != GRAPH_NONE; i = p->before[i]) {
        c->inner_count++;
    }
    c->inner = program_allocate(p, c->inner_count, sizeof *c->inner);
    if (!c->inner) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    uint32_t at = c->inner_count;
    for (int i = p->before[index]; i != GRAPH_NONE; i = p->before[i]) {
        branch *b = &c->inner[--at];
        fill_branch(p, &p->graph->nodes[i], 0, b);
        if (!p->keep_all) {
            b->map.band = at % WORKER_BANDS + 1;
            b->in.band = at ? (at - 1) % WORKER_BANDS + 1 : 0;
        }
    }
    return STATUS_OK;
}

static status chain_make(program *p, size_t index, convolution *c, step *s, error *err)
{
    const node *n = &p->graph->nodes[index];
    status code = fill_inner(p, index, c, err);
    const uint32_t rows = code == STATUS_OK ? chain_rows(c, s->flops) : 0;
    for (uint32_t i = 0; code == STATUS_OK && i < c->inner_count; i++) {
        const size_t bytes = rows * tensor_row_bytes(&c->inner[i].map);
        p->band_bytes = p->band_bytes > bytes ? p->band_bytes : bytes;
        code = branch_make(p, &c->inner[i], rows, &s->variant, err);
    }
    for (int i = 0; code == STATUS_OK && i < n->attributes.conv.branches; i++) {
        branch *b = &c->branches[c->count++];
        fill_branch(p, n, i, b);
        b->in.band = c->inner[c->inner_count - 1].map.band;
        code = branch_make(p, b, rows, &s->variant, err);
    }
    s->items = code == STATUS_OK ? c->branches->strip_count : 0;
    s->run = run_chain;
    return code;
}

static status single_make(program *p, const node *n, uint32_t branches, convolution *c, step *s,
                          error *err)
{
    const uint64_t flops = s->flops / branches;
    status code = STATUS_OK;
    for (uint32_t i = 0; code == STATUS_OK && i < branches; i++) {
        branch *b = &c->branches[c->count++];
        fill_branch(p, n, (int)i, b);
        if (n->op == OP_DENSE) {
            turn_rows(b);
        }
        if (b->has_map && b->has_pooled && !pools_in_step(b)) {
            /* overlapping windows: the map by itself, and once more for the pool */
            branch *second = &c->branches[c->count++];
            *second = *b;
            b->has_pooled = false;
            second->has_map = false;
            code = branch_make(p, second, strip_rows(second, flops), &s->variant, err);
        }
        if (code == STATUS_OK) {
            code = branch_make(p, b, strip_rows(b, flops), &s->variant, err);
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        s->items += c->branches[i].strip_count;
    }
    s->run = run;
    return code;
}

status convolution_make(program *p, size_t index, step *s, error *err)
{
    const node *n = &p->graph->nodes[index];
    const uint32_t branches = n->op == OP_CONV2D ? (uint32_t)n->attributes.conv.branches : 1;
    convolution *c = program_allocate(p, 1, sizeof *c);
    branch *all = program_allocate(p, (size_t)branches * 2, sizeof *all);
    if (!c || !all) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    *c = (convolution){.branches = all};
    s->state = c;
    return p->before[index] == GRAPH_NONE ? single_make(p, n, branches, c, s, err)
                                          : chain_make(p, index, c, s, err);
}
