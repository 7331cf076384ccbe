/* Layers with weights: convolutions, dense, batch normalisation, PReLU. */
#include "models/import/tfjs_layers.h"

#include <math.h>

static status read_window(const json_cursor *config, shape in, window *w, error *err)
{
    uint32_t kernel[2], stride[2], dilation[2];
    bool same = false;
    status s = tfjs_pair(config, "kernel_size", 0, kernel, err);
    if (s == STATUS_OK) {
        s = tfjs_pair(config, "strides", 1, stride, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_pair(config, "dilation_rate", 1, dilation, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_padding(config, &same, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    *w = (window){.kernel_h = kernel[0],
                  .kernel_w = kernel[1],
                  .stride_h = stride[0],
                  .stride_w = stride[1],
                  .dilation_h = dilation[0],
                  .dilation_w = dilation[1]};
    if (same) {
        window_pad_same(w, in.dim[0], in.dim[1]);
    }
    return STATUS_OK;
}

/* *index is GRAPH_NONE for a layer without bias */
static status get_bias(tfjs_importer *t, const tfjs_call *call, uint32_t channels, int *index,
                       error *err)
{
    bool used = true;
    *index = GRAPH_NONE;
    status s = tfjs_bool(&call->config, "use_bias", true, &used, err);
    return s == STATUS_OK && used
               ? tfjs_weight_get(t, call, "bias", NULL, shape_make(1, &channels), index, err)
               : s;
}

/* a product that a shape may have, or 0, which no shape has */
static uint32_t capped_product(uint32_t a, uint32_t b)
{
    uint64_t product = (uint64_t)a * b;
    return product <= SHAPE_MAX_DIM ? (uint32_t)product : 0;
}

status tfjs_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape in;
    window w;
    uint32_t filters = 0, groups = 1;
    activation act;
    bool softmax = false;
    int weights[2] = {GRAPH_NONE, GRAPH_NONE};
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = read_window(&call->config, in, &w, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_u32(&call->config, "filters", 0, &filters, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_u32(&call->config, "groups", 1, &groups, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_activation(&call->config, &act, &softmax, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (in.dim[2] % groups != 0 || filters % groups != 0) {
        return error_set(err, STATUS_MODEL, "%u channels and %u filters in %u groups",
                         (unsigned)in.dim[2], (unsigned)filters, (unsigned)groups);
    }
    uint32_t kernel[] = {w.kernel_h, w.kernel_w, in.dim[2] / groups, filters};
    s = tfjs_weight_get(t, call, "kernel", NULL, shape_make(4, kernel), &weights[0], err);
    if (s == STATUS_OK) {
        s = get_bias(t, call, filters, &weights[1], err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node n = {.op = OP_CONV2D,
              .weight_count = 2,
              .weights = weights,
              .act_count = 1,
              .act = &act,
              .attributes.conv = {.window = w, .groups = groups, .branches = 1}};
    return tfjs_add_activated(t, call, &n, softmax, output, err);
}

/* What DepthwiseConv2D and SeparableConv2D have in common: a depthwise node but for its bias and
 * activation. TensorFlow.js does not look at the dilation of a DepthwiseConv2D; Keras, which
 * trained it, does, and so it is honoured here. */
static status depthwise_part(tfjs_importer *t, const tfjs_call *call, const char *other_name,
                             node *n, uint32_t *channels, error *err)
{
    shape in;
    window w;
    uint32_t multiplier;
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = read_window(&call->config, in, &w, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_u32(&call->config, "depth_multiplier", 1, &multiplier, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t kernel[] = {w.kernel_h, w.kernel_w, in.dim[2], multiplier};
    n->op = OP_DEPTHWISE;
    n->attributes.depthwise.window = w;
    n->attributes.depthwise.multiplier = multiplier;
    *channels = capped_product(in.dim[2], multiplier);
    return tfjs_weight_get(t, call, "depthwise_kernel", other_name, shape_make(4, kernel),
                           &n->weights[0], err);
}

status tfjs_depthwise_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    activation act;
    bool softmax = false;
    uint32_t channels;
    int weights[2] = {GRAPH_NONE, GRAPH_NONE};
    node n = {.weight_count = 2, .weights = weights, .act_count = 1, .act = &act};
    status s = depthwise_part(t, call, "kernel", &n, &channels, err);
    if (s == STATUS_OK) {
        s = tfjs_activation(&call->config, &act, &softmax, err);
    }
    if (s == STATUS_OK) {
        s = get_bias(t, call, channels, &weights[1], err);
    }
    return s == STATUS_OK ? tfjs_add_activated(t, call, &n, softmax, output, err) : s;
}

status tfjs_separable_conv2d(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    activation act;
    bool softmax = false;
    uint32_t channels, filters = 0;
    int middle, depthwise_weights[2] = {GRAPH_NONE, GRAPH_NONE};
    int weights[2] = {GRAPH_NONE, GRAPH_NONE};
    node depthwise = {.weight_count = 2, .weights = depthwise_weights};
    status s = depthwise_part(t, call, NULL, &depthwise, &channels, err);
    if (s == STATUS_OK) {
        s = tfjs_u32(&call->config, "filters", 0, &filters, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_activation(&call->config, &act, &softmax, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t kernel[] = {1, 1, channels, filters};
    s = tfjs_weight_get(t, call, "pointwise_kernel", NULL, shape_make(4, kernel), &weights[0], err);
    if (s == STATUS_OK) {
        s = get_bias(t, call, filters, &weights[1], err);
    }
    if (s == STATUS_OK) {
        s = tfjs_add(t, call, "depthwise", &depthwise, &middle, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node pointwise = {.op = OP_CONV2D,
                      .input_count = 1,
                      .inputs = &middle,
                      .weight_count = 2,
                      .weights = weights,
                      .act_count = 1,
                      .act = &act,
                      .attributes.conv = {.window = {.kernel_h = 1,
                                                     .kernel_w = 1,
                                                     .stride_h = 1,
                                                     .stride_w = 1,
                                                     .dilation_h = 1,
                                                     .dilation_w = 1},
                                          .groups = 1,
                                          .branches = 1}};
    return tfjs_add_activated(t, call, &pointwise, softmax, output, err);
}

status tfjs_dense(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape in = tfjs_input_shape(t, call);
    uint32_t units = 0;
    activation act;
    bool softmax = false;
    int weights[2] = {GRAPH_NONE, GRAPH_NONE};
    status s = tfjs_u32(&call->config, "units", 0, &units, err);
    if (s == STATUS_OK) {
        s = tfjs_activation(&call->config, &act, &softmax, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t kernel[] = {in.dim[in.rank - 1], units};
    s = tfjs_weight_get(t, call, "kernel", NULL, shape_make(2, kernel), &weights[0], err);
    if (s == STATUS_OK) {
        s = get_bias(t, call, units, &weights[1], err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node n = {.op = OP_DENSE, .weight_count = 2, .weights = weights, .act_count = 1, .act = &act};
    return tfjs_add_activated(t, call, &n, softmax, output, err);
}

/* Keras writes the axis as a number or a list of one; it counts the batch. */
static status check_axis(const tfjs_call *call, shape in, error *err)
{
    double axis = -1;
    json_cursor at = tfjs_attribute(&call->config, "axis"), only = reader_item(&at, 0);
    const json_cursor *number = json_array_size(at.value) == 1 ? &only : &at;
    if (!reader_present(&at)) {
        return STATUS_OK;
    }
    status s = reader_number(number, -4, 4, &axis, err);
    if (s == STATUS_OK && axis != -1 && axis != in.rank) {
        s = reader_fail(number, STATUS_UNSUPPORTED, err,
                        "is %g; only the last axis of a %u-dimensional batch is supported", axis,
                        (unsigned)in.rank + 1);
    }
    return s;
}

status tfjs_batch_normalization(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape in = tfjs_input_shape(t, call);
    shape channels = shape_make(1, &in.dim[in.rank - 1]);
    double epsilon;
    bool scale = true, centre = true, renormed = false;
    int weights[4] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    status s = check_axis(call, in, err);
    if (s == STATUS_OK) {
        s = tfjs_real(&call->config, "epsilon", 1e-3, &epsilon, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_bool(&call->config, "scale", true, &scale, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_bool(&call->config, "center", true, &centre, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_bool(&call->config, "renorm", false, &renormed, err);
    }
    if (s == STATUS_OK && renormed) {
        s = error_set(err, STATUS_UNSUPPORTED, "renorm: true is not supported");
    }
    if (s == STATUS_OK && scale) {
        s = tfjs_weight_get(t, call, "gamma", NULL, channels, &weights[0], err);
    }
    if (s == STATUS_OK && centre) {
        s = tfjs_weight_get(t, call, "beta", NULL, channels, &weights[1], err);
    }
    if (s == STATUS_OK) {
        s = tfjs_weight_get(t, call, "moving_mean", NULL, channels, &weights[2], err);
    }
    if (s == STATUS_OK) {
        s = tfjs_weight_get(t, call, "moving_variance", NULL, channels, &weights[3], err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node n = {.op = OP_BATCH_NORM,
              .weight_count = 4,
              .weights = weights,
              .attributes.epsilon = (float)epsilon};
    return tfjs_add(t, call, NULL, &n, output, err);
}

status tfjs_prelu(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape alpha = tfjs_input_shape(t, call);
    json_cursor at = tfjs_attribute(&call->config, "shared_axes");
    size_t count = 0;
    uint32_t axis;
    int weights[1] = {GRAPH_NONE};
    status s = STATUS_OK;
    if (json_is_number(at.value)) {
        s = reader_u32(&at, 1, alpha.rank, &axis, err);
        if (s == STATUS_OK) {
            alpha.dim[axis - 1] = 1;
        }
    } else if (reader_present(&at)) {
        s = reader_array(&at, 0, SHAPE_MAX_RANK, &count, err);
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&at, i);
        s = reader_u32(&item, 1, alpha.rank, &axis, err);
        if (s == STATUS_OK) {
            alpha.dim[axis - 1] = 1;
        }
    }
    if (s == STATUS_OK) {
        s = tfjs_weight_get(t, call, "alpha", NULL, alpha, &weights[0], err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node n = {.op = OP_PRELU, .weight_count = 1, .weights = weights};
    return tfjs_add(t, call, NULL, &n, output, err);
}
