/* What each operator accepts and what shapes it makes. Everything about a node that can be judged
 * from the node itself and the shapes of what it reads is judged here; nothing is trusted. */
#include "engine/graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const char *node_label(const node *n)
{
    return n->name ? n->name : "(unnamed)";
}

/* STATUS_MODEL with the operator and the name of the node in front */
ENGINE_PRINTF(3, 4)
static status refuse(const node *n, error *err, const char *format, ...)
{
    char reason[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return error_set(err, STATUS_MODEL, "%s '%s': %s", op_name(n->op), node_label(n), reason);
}

/* --- windows --- */

/* cells between the first and the last that one window covers, both included */
static uint64_t window_extent(uint32_t kernel, uint32_t dilation)
{
    return (uint64_t)(kernel - 1) * dilation + 1;
}

static void pad_same(uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t size,
                     uint32_t *before, uint32_t *after)
{
    *before = *after = 0;
    if (kernel == 0 || stride == 0 || size == 0) {
        return;
    }
    uint64_t outputs = ((uint64_t)size + stride - 1) / stride;
    uint64_t needed = (outputs - 1) * stride + window_extent(kernel, dilation);
    uint64_t total = needed > size ? needed - size : 0;
    if (total / 2 + 1 > UINT32_MAX) {
        return; /* no such window fits a capped map: window_output refuses it */
    }
    *before = (uint32_t)(total / 2);
    *after = (uint32_t)(total - total / 2);
}

void window_pad_same(window *w, uint32_t height, uint32_t width)
{
    pad_same(w->kernel_h, w->stride_h, w->dilation_h, height, &w->pad_top, &w->pad_bottom);
    pad_same(w->kernel_w, w->stride_w, w->dilation_w, width, &w->pad_left, &w->pad_right);
}

static bool output_size(uint32_t kernel, uint32_t stride, uint32_t dilation, uint32_t before,
                        uint32_t after, uint32_t size, uint32_t *out)
{
    if (kernel == 0 || stride == 0 || dilation == 0 || size == 0) {
        return false;
    }
    uint64_t padded = (uint64_t)size + before + after, extent = window_extent(kernel, dilation);
    if (extent > padded) {
        return false;
    }
    uint64_t outputs = (padded - extent) / stride + 1;
    if (outputs > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)outputs;
    return true;
}

bool window_output(const window *w, uint32_t height, uint32_t width, uint32_t *out_height,
                   uint32_t *out_width)
{
    uint32_t h, v;
    if (!output_size(w->kernel_h, w->stride_h, w->dilation_h, w->pad_top, w->pad_bottom, height,
                     &h) ||
        !output_size(w->kernel_w, w->stride_w, w->dilation_w, w->pad_left, w->pad_right, width,
                     &v)) {
        return false;
    }
    *out_height = h;
    *out_width = v;
    return true;
}

static bool pads_capped(const window *w)
{
    return w->pad_top <= SHAPE_MAX_DIM && w->pad_left <= SHAPE_MAX_DIM &&
           w->pad_bottom <= SHAPE_MAX_DIM && w->pad_right <= SHAPE_MAX_DIM;
}

static status infer_window(const node *n, const window *w, const shape *in, shape *out, error *err)
{
    char text[64];
    shape_text(*in, text);
    if (in->rank != 3) {
        return refuse(n, err, "reads a map (H, W, C), not %s", text);
    }
    if (!pads_capped(w) || !window_output(w, in->dim[0], in->dim[1], &out->dim[0], &out->dim[1])) {
        return refuse(n, err,
                      "a window of %ux%u, stride %ux%u, dilation %ux%u, padding %u %u %u %u does "
                      "not fit a map of %s",
                      (unsigned)w->kernel_h, (unsigned)w->kernel_w, (unsigned)w->stride_h,
                      (unsigned)w->stride_w, (unsigned)w->dilation_h, (unsigned)w->dilation_w,
                      (unsigned)w->pad_top, (unsigned)w->pad_left, (unsigned)w->pad_bottom,
                      (unsigned)w->pad_right, text);
    }
    out->rank = 3;
    out->dim[2] = in->dim[2];
    return STATUS_OK;
}

/* Every window of a pool must hold at least one cell of the map, or there is nothing to take the
 * maximum of; less padding than kernel on each side is exactly that. */
static status infer_pool(const node *n, const window *w, const shape *in, shape *out, error *err)
{
    if (w->dilation_h != 1 || w->dilation_w != 1) {
        return refuse(n, err, "pools have dilation 1, not %ux%u", (unsigned)w->dilation_h,
                      (unsigned)w->dilation_w);
    }
    if (w->pad_top >= w->kernel_h || w->pad_bottom >= w->kernel_h || w->pad_left >= w->kernel_w ||
        w->pad_right >= w->kernel_w) {
        return refuse(n, err, "a pool's padding must be smaller than its kernel of %ux%u",
                      (unsigned)w->kernel_h, (unsigned)w->kernel_w);
    }
    return infer_window(n, w, in, out, err);
}

/* --- weights --- */

static const shape *weight_shape(const graph *g, const node *n, int slot)
{
    int w = n->weights[slot];
    return w == GRAPH_NONE ? NULL : &g->weights[w].shape;
}

/* a required or optional vector of `channels` */
static status check_vector(const graph *g, const node *n, int slot, const char *what, bool required,
                           uint64_t channels, error *err)
{
    const shape *s = weight_shape(g, n, slot);
    if (!s) {
        return required ? refuse(n, err, "has no %s", what) : STATUS_OK;
    }
    if (s->rank != 1 || s->dim[0] != channels) {
        char text[64];
        shape_text(*s, text);
        return refuse(n, err, "%s is %s, not %llu", what, text, (unsigned long long)channels);
    }
    return STATUS_OK;
}

static status check_kernel(const graph *g, const node *n, int slot, const window *w,
                           uint64_t channels_in, error *err)
{
    const shape *k = weight_shape(g, n, slot);
    if (!k) {
        return refuse(n, err, "has no kernel");
    }
    if (k->rank != 4 || k->dim[0] != w->kernel_h || k->dim[1] != w->kernel_w ||
        k->dim[2] != channels_in) {
        char text[64];
        shape_text(*k, text);
        return refuse(n, err, "kernel is %s, not %ux%ux%llux...", text, (unsigned)w->kernel_h,
                      (unsigned)w->kernel_w, (unsigned long long)channels_in);
    }
    return STATUS_OK;
}

/* --- operators: in[i] are the shapes of the inputs, out[i] takes those of the outputs --- */

/* `out` is the map, and becomes what it is after the repetition, which is what is added to it. */
static status infer_added(const node *n, const shape *added, shape *out, error *err)
{
    const conv2d_attributes *a = &n->attributes.conv;
    if (a->branches != 1 || a->pooled) {
        return refuse(n, err, "adds to %d branches%s", a->branches, a->pooled ? ", pooled" : "");
    }
    uint64_t height = (uint64_t)out->dim[0] * a->repeat, width = (uint64_t)out->dim[1] * a->repeat;
    if (height > SHAPE_MAX_DIM || width > SHAPE_MAX_DIM) {
        return refuse(n, err, "repeats pixels %ux%u times", (unsigned)a->repeat,
                      (unsigned)a->repeat);
    }
    out->dim[0] = (uint32_t)height;
    out->dim[1] = (uint32_t)width;
    if (!shape_equal(*added, *out)) {
        char text[64], own[64];
        shape_text(*added, text);
        shape_text(*out, own);
        return refuse(n, err, "adds %s to %s", text, own);
    }
    return STATUS_OK;
}

static status infer_conv2d(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    const conv2d_attributes *a = &n->attributes.conv;
    uint32_t channels = in[0].dim[in[0].rank - 1];
    if (a->groups == 0 || channels % a->groups != 0) {
        return refuse(n, err, "%u channels in %u groups", (unsigned)channels, (unsigned)a->groups);
    }
    for (int b = 0; b < a->branches; b++) {
        shape *map = &out[2 * b], *pooled = &out[2 * b + 1];
        if (!shape_equal(in[b], in[0])) {
            return refuse(n, err, "branch %d reads another shape than branch 0", b);
        }
        status s = infer_window(n, &a->window, &in[b], map, err);
        if (s == STATUS_OK) {
            s = check_kernel(g, n, 2 * b, &a->window, channels / a->groups, err);
        }
        if (s != STATUS_OK) {
            return s;
        }
        map->dim[2] = weight_shape(g, n, 2 * b)->dim[3];
        if (map->dim[2] % a->groups != 0) {
            return refuse(n, err, "%u filters in %u groups", (unsigned)map->dim[2],
                          (unsigned)a->groups);
        }
        s = check_vector(g, n, 2 * b + 1, "bias", false, map->dim[2], err);
        if (s == STATUS_OK && !shape_valid(*map, VALUE_MAX_RANK)) {
            s = refuse(n, err, "makes too large a map");
        }
        pooled->rank = 0;
        if (s == STATUS_OK && a->pooled) {
            s = infer_pool(n, &a->pool, map, pooled, err);
        }
        if (s != STATUS_OK) {
            return s;
        }
        if (n->outputs[2 * b + (a->pooled ? 1 : 0)] == GRAPH_NONE ||
            (!a->pooled && n->outputs[2 * b + 1] != GRAPH_NONE)) {
            return refuse(n, err, "branch %d must write its %s", b,
                          a->pooled ? "pooled map" : "map and nothing else");
        }
    }
    return a->repeat ? infer_added(n, &in[a->branches], &out[0], err) : STATUS_OK;
}

static status infer_depthwise(const graph *g, const node *n, const shape *in, shape *out,
                              error *err)
{
    const window *w = &n->attributes.depthwise.window;
    uint32_t multiplier = n->attributes.depthwise.multiplier;
    status s = infer_window(n, w, in, out, err);
    if (s == STATUS_OK) {
        s = check_kernel(g, n, 0, w, in->dim[2], err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    uint64_t channels = (uint64_t)in->dim[2] * multiplier;
    if (weight_shape(g, n, 0)->dim[3] != multiplier || channels > SHAPE_MAX_DIM) {
        return refuse(n, err, "multiplier is %u, the kernel's %u", (unsigned)multiplier,
                      (unsigned)weight_shape(g, n, 0)->dim[3]);
    }
    out->dim[2] = (uint32_t)channels;
    return check_vector(g, n, 1, "bias", false, channels, err);
}

static status infer_dense(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    const shape *k = weight_shape(g, n, 0);
    *out = *in;
    if (!k) {
        return refuse(n, err, "has no kernel");
    }
    if (k->rank != 2 || k->dim[0] != in->dim[in->rank - 1]) {
        char text[64];
        shape_text(*k, text);
        return refuse(n, err, "kernel is %s, not %ux...", text, (unsigned)in->dim[in->rank - 1]);
    }
    out->dim[out->rank - 1] = k->dim[1];
    return check_vector(g, n, 1, "bias", false, k->dim[1], err);
}

static status infer_batch_norm(const graph *g, const node *n, const shape *in, shape *out,
                               error *err)
{
    static const char *const what[] = {"gamma", "beta", "mean", "variance"};
    *out = *in;
    if (!isfinite(n->attributes.epsilon) || n->attributes.epsilon < 0.0f) {
        return refuse(n, err, "epsilon is %g", (double)n->attributes.epsilon);
    }
    for (int i = 0; i < 4; i++) {
        status s = check_vector(g, n, i, what[i], i >= 2, in->dim[in->rank - 1], err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

/* dimension i of s as if it had been padded with ones on the left to `rank` */
static uint32_t padded_dim(const shape *s, uint32_t rank, uint32_t i)
{
    return i + s->rank < rank ? 1 : s->dim[i + s->rank - rank];
}

static status infer_prelu(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    const shape *alpha = weight_shape(g, n, 0);
    *out = *in;
    if (!alpha) {
        return refuse(n, err, "has no alpha");
    }
    bool fits = alpha->rank <= in->rank;
    for (uint32_t i = 0; fits && i < in->rank; i++) {
        uint32_t d = padded_dim(alpha, in->rank, i);
        fits = d == 1 || d == in->dim[i];
    }
    if (!fits) {
        char alpha_text[64], in_text[64];
        shape_text(*alpha, alpha_text);
        shape_text(*in, in_text);
        return refuse(n, err, "alpha of %s does not broadcast to %s", alpha_text, in_text);
    }
    return STATUS_OK;
}

static status infer_broadcast(const graph *g, const node *n, const shape *in, shape *out,
                              error *err)
{
    (void)g;
    uint32_t rank = in[0].rank > in[1].rank ? in[0].rank : in[1].rank;
    out->rank = rank;
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t a = padded_dim(&in[0], rank, i), b = padded_dim(&in[1], rank, i);
        if (a != b && a != 1 && b != 1) {
            char a_text[64], b_text[64];
            shape_text(in[0], a_text);
            shape_text(in[1], b_text);
            return refuse(n, err, "%s and %s do not broadcast", a_text, b_text);
        }
        out->dim[i] = a > b ? a : b;
    }
    return STATUS_OK;
}

static status infer_same(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    (void)g;
    (void)n;
    (void)err;
    *out = *in;
    return STATUS_OK;
}

static status infer_pool_node(const graph *g, const node *n, const shape *in, shape *out,
                              error *err)
{
    (void)g;
    return infer_pool(n, &n->attributes.pool, in, out, err);
}

static status infer_global_average(const graph *g, const node *n, const shape *in, shape *out,
                                   error *err)
{
    (void)g;
    if (in->rank != 3) {
        return refuse(n, err, "reads a map (H, W, C), not rank %u", (unsigned)in->rank);
    }
    *out = shape_make(1, &in->dim[2]);
    return STATUS_OK;
}

static status infer_border(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    (void)g;
    uint64_t rows = (uint64_t)n->attributes.border.top + n->attributes.border.bottom;
    uint64_t columns = (uint64_t)n->attributes.border.left + n->attributes.border.right;
    if (in->rank != 3) {
        return refuse(n, err, "reads a map (H, W, C), not rank %u", (unsigned)in->rank);
    }
    *out = *in;
    if (n->op == OP_CROP) {
        if (rows >= in->dim[0] || columns >= in->dim[1]) {
            return refuse(n, err, "nothing is left of %ux%u", (unsigned)in->dim[0],
                          (unsigned)in->dim[1]);
        }
        out->dim[0] -= (uint32_t)rows;
        out->dim[1] -= (uint32_t)columns;
        return STATUS_OK;
    }
    if (rows > SHAPE_MAX_DIM || columns > SHAPE_MAX_DIM) {
        return refuse(n, err, "pads by more than %u", SHAPE_MAX_DIM);
    }
    out->dim[0] += (uint32_t)rows;
    out->dim[1] += (uint32_t)columns;
    return STATUS_OK;
}

static status infer_resize(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    (void)g;
    if (in->rank != 3) {
        return refuse(n, err, "reads a map (H, W, C), not rank %u", (unsigned)in->rank);
    }
    if ((unsigned)n->attributes.resize.mode > RESIZE_BILINEAR) {
        return refuse(n, err, "unknown mode %u", (unsigned)n->attributes.resize.mode);
    }
    if (n->attributes.resize.align_corners && n->attributes.resize.half_pixel) {
        return refuse(n, err, "align_corners and half_pixel exclude each other");
    }
    *out = *in;
    out->dim[0] = n->attributes.resize.height;
    out->dim[1] = n->attributes.resize.width;
    return STATUS_OK;
}

static status infer_concat(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    uint32_t axis = n->attributes.axis;
    if (axis >= in->rank) {
        return refuse(n, err, "axis %u of rank %u", (unsigned)axis, (unsigned)in->rank);
    }
    uint64_t sum = 0;
    for (int i = 0; i < n->input_count; i++) {
        shape other = g->values[n->inputs[i]].shape;
        uint32_t along = axis < other.rank ? other.dim[axis] : 0;
        sum += along;
        other.dim[axis] = in->dim[axis];
        if (along == 0 || !shape_equal(other, *in)) {
            char first_text[64], text[64];
            shape_text(*in, first_text);
            shape_text(g->values[n->inputs[i]].shape, text);
            return refuse(n, err, "input %d is %s, which does not join %s along axis %u", i, text,
                          first_text, (unsigned)axis);
        }
    }
    *out = *in;
    out->dim[axis] = sum > SHAPE_MAX_DIM ? 0 : (uint32_t)sum;
    return STATUS_OK;
}

static status infer_reshape(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    (void)g;
    *out = n->attributes.target;
    if (!shape_valid(*out, VALUE_MAX_RANK) || shape_elements(*out) != shape_elements(*in)) {
        char from[64], to[64];
        shape_text(*in, from);
        shape_text(*out, to);
        return refuse(n, err, "%s cannot become %s (rank %u)", from, to, (unsigned)out->rank);
    }
    return STATUS_OK;
}

static status infer_permute(const graph *g, const node *n, const shape *in, shape *out, error *err)
{
    (void)g;
    uint32_t seen = 0;
    out->rank = in->rank;
    for (uint32_t i = 0; i < in->rank; i++) {
        uint32_t from = n->attributes.permutation[i];
        if (from >= in->rank || (seen >> from & 1u)) {
            return refuse(n, err, "its permutation does not name each of %u dimensions once",
                          (unsigned)in->rank);
        }
        seen |= 1u << from;
        out->dim[i] = in->dim[from];
    }
    return STATUS_OK;
}

/* --- the table --- */

typedef struct op_rule {
    int inputs;  /* a branch; 0: any number from 1 */
    int weights; /* a branch */
    bool fuses;  /* takes an activation other than linear */
    status (*infer)(const graph *g, const node *n, const shape *in, shape *out, error *err);
} op_rule;

static const op_rule rules[OP_COUNT] = {
    [OP_CONV2D] = {1, 2, true, infer_conv2d},
    [OP_DEPTHWISE] = {1, 2, true, infer_depthwise},
    [OP_DENSE] = {1, 2, true, infer_dense},
    [OP_BATCH_NORM] = {1, 4, true, infer_batch_norm},
    [OP_ACTIVATION] = {1, 0, true, infer_same},
    [OP_PRELU] = {1, 1, false, infer_prelu},
    [OP_SOFTMAX] = {1, 0, false, infer_same},
    [OP_MAX_POOL] = {1, 0, false, infer_pool_node},
    [OP_AVERAGE_POOL] = {1, 0, false, infer_pool_node},
    [OP_GLOBAL_AVERAGE] = {1, 0, false, infer_global_average},
    [OP_ZERO_PAD] = {1, 0, false, infer_border},
    [OP_CROP] = {1, 0, false, infer_border},
    [OP_RESIZE] = {1, 0, false, infer_resize},
    [OP_ADD] = {2, 0, true, infer_broadcast},
    [OP_MULTIPLY] = {2, 0, true, infer_broadcast},
    [OP_CONCAT] = {0, 0, false, infer_concat},
    [OP_RESHAPE] = {1, 0, false, infer_reshape},
    [OP_PERMUTE] = {1, 0, false, infer_permute},
};

static status check_activation(const node *n, const activation *a, bool fuses, error *err)
{
    if ((unsigned)a->kind >= ACTIVATION_COUNT) {
        return refuse(n, err, "unknown activation %u", (unsigned)a->kind);
    }
    if (a->kind != ACTIVATION_LINEAR && !fuses) {
        return refuse(n, err, "cannot have the activation %s", activation_name(a->kind));
    }
    bool slope = a->kind == ACTIVATION_RELU || a->kind == ACTIVATION_ELU;
    if ((slope && !isfinite(a->slope)) ||
        (a->kind == ACTIVATION_RELU &&
         (!isfinite(a->threshold) || isnan(a->limit) || a->limit == -INFINITY))) {
        return refuse(n, err, "%s with slope %g, threshold %g, limit %g", activation_name(a->kind),
                      (double)a->slope, (double)a->threshold, (double)a->limit);
    }
    return STATUS_OK;
}

static status check_counts(const node *n, const op_rule *rule, int branches, error *err)
{
    int inputs = rule->inputs == 0 ? n->input_count : rule->inputs * branches;
    inputs += n->op == OP_CONV2D && n->attributes.conv.repeat ? 1 : 0;
    int outputs = n->op == OP_CONV2D ? 2 * branches : 1;
    if (n->input_count != inputs || inputs < 1 || inputs > GRAPH_MAX_INPUTS ||
        n->output_count != outputs || n->weight_count != rule->weights * branches ||
        n->act_count != branches) {
        return refuse(n, err,
                      "has %d inputs, %d outputs, %d weights, %d activations, not %d, %d, %d, %d",
                      n->input_count, n->output_count, n->weight_count, n->act_count, inputs,
                      outputs, rule->weights * branches, branches);
    }
    if (!n->inputs || !n->outputs || !n->act || (n->weight_count > 0 && !n->weights)) {
        return refuse(n, err, "an array is missing");
    }
    return STATUS_OK;
}

/* Indices, and the shapes behind them: after this they can be used. */
static status check_operands(const graph *g, const node *n, error *err)
{
    for (int i = 0; i < n->input_count; i++) {
        int v = n->inputs[i];
        if (v < 0 || (size_t)v >= g->value_count || !g->values) {
            return refuse(n, err, "input %d is value %d, which does not exist", i, v);
        }
        if (!shape_valid(g->values[v].shape, VALUE_MAX_RANK)) {
            return refuse(n, err, "input %d has no valid shape", i);
        }
    }
    for (int i = 0; i < n->weight_count; i++) {
        int w = n->weights[i];
        if (w == GRAPH_NONE) {
            continue;
        }
        if (w < 0 || (size_t)w >= g->weight_count || !g->weights) {
            return refuse(n, err, "weight %d is weight %d, which does not exist", i, w);
        }
        if (!shape_valid(g->weights[w].shape, SHAPE_MAX_RANK)) {
            return refuse(n, err, "weight %d has no valid shape", i);
        }
    }
    return STATUS_OK;
}

status graph_infer(const graph *g, const node *n, shape *outputs, error *err)
{
    if ((unsigned)n->op >= OP_COUNT) {
        return refuse(n, err, "unknown operator %u", (unsigned)n->op);
    }
    const op_rule *rule = &rules[n->op];
    int branches = n->op == OP_CONV2D ? n->attributes.conv.branches : 1;
    if (branches < 1 || branches > CONV2D_MAX_BRANCHES) {
        return refuse(n, err, "has %d branches, not 1 to %d", branches, CONV2D_MAX_BRANCHES);
    }
    status s = check_counts(n, rule, branches, err);
    if (s == STATUS_OK) {
        s = check_operands(g, n, err);
    }
    for (int b = 0; s == STATUS_OK && b < branches; b++) {
        s = check_activation(n, &n->act[b], rule->fuses, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    shape in[CONV2D_MAX_BRANCHES + 1]; /* a concat looks up its further inputs itself */
    for (int i = 0; i < n->input_count && i <= CONV2D_MAX_BRANCHES; i++) {
        in[i] = g->values[n->inputs[i]].shape;
    }
    s = rule->infer(g, n, in, outputs, err);
    for (int i = 0; s == STATUS_OK && i < n->output_count; i++) {
        if (outputs[i].rank != 0 && !shape_valid(outputs[i], VALUE_MAX_RANK)) {
            s = refuse(n, err, "makes an empty or too large value");
        }
    }
    return s;
}
