/* One call of a layer -> nodes: the table of layer classes, and the layers without weights. */
#include "models/import/tfjs_layers.h"

#include <math.h>
#include <string.h>

/* --- shared by the builders --- */

shape tfjs_input_shape(const tfjs_importer *t, const tfjs_call *call)
{
    return t->graph->values[call->inputs[0]].shape;
}

status tfjs_map_input(const tfjs_importer *t, const tfjs_call *call, shape *out, error *err)
{
    status s = tfjs_channels_last(&call->config, err);
    *out = tfjs_input_shape(t, call);
    if (s == STATUS_OK && out->rank != 3) {
        char text[64];
        shape_text(*out, text);
        s = error_set(err, STATUS_MODEL, "reads a map (height, width, channels), not %s", text);
    }
    return s;
}

status tfjs_add(tfjs_importer *t, const tfjs_call *call, const char *part, const node *n,
                int *output, error *err)
{
    int index = 0, input = call->inputs[0];
    node named = *n;
    named.name = part ? region_format(t->scratch, "%s/%s", call->name, part) : call->name;
    if (!named.name) {
        return error_set(err, STATUS_MEMORY, "out of memory");
    }
    if (!named.inputs) {
        named.inputs = &input;
        named.input_count = 1;
    }
    status s = graph_add_node(t->graph, &named, &index, err);
    if (s == STATUS_OK) {
        *output = t->graph->nodes[index].outputs[0];
    }
    return s;
}

status tfjs_add_activated(tfjs_importer *t, const tfjs_call *call, const node *n, bool softmax,
                          int *output, error *err)
{
    int middle = GRAPH_NONE;
    status s = tfjs_add(t, call, softmax ? "linear" : NULL, n, softmax ? &middle : output, err);
    if (s != STATUS_OK || !softmax) {
        return s;
    }
    node soft = {.op = OP_SOFTMAX, .inputs = &middle, .input_count = 1};
    return tfjs_add(t, call, NULL, &soft, output, err);
}

status tfjs_check_shape(const json_cursor *declared, shape s, error *err)
{
    size_t rank;
    char text[64];
    shape_text(s, text);
    status result = reader_array(declared, 1, 16, &rank, err);
    bool same = result == STATUS_OK && rank == s.rank + 1;
    for (uint32_t i = 0; same && i < s.rank; i++) {
        const json_t *dim = json_array_get(declared->value, i + 1);
        same = json_is_null(dim) || (json_is_number(dim) && json_number_value(dim) == s.dim[i]);
    }
    if (result == STATUS_OK && !same) {
        result =
            reader_fail(declared, STATUS_MODEL, err, "does not take what it is given, %s", text);
    }
    return result;
}

/* --- activations --- */

static status add_activation(tfjs_importer *t, const tfjs_call *call, activation act, int *output,
                             error *err)
{
    node n = {.op = OP_ACTIVATION, .act = &act, .act_count = 1};
    return tfjs_add(t, call, NULL, &n, output, err);
}

static status build_activation(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    activation act;
    bool softmax = false;
    status s = tfjs_activation(&call->config, &act, &softmax, err);
    if (s == STATUS_OK && softmax) {
        node n = {.op = OP_SOFTMAX};
        return tfjs_add(t, call, NULL, &n, output, err);
    }
    return s == STATUS_OK ? add_activation(t, call, act, output, err) : s;
}

/* max_value, negative_slope and threshold as Keras defines them (TensorFlow.js reads the first
 * only)
 */
static status build_relu(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    double limit = 0, slope = 0, threshold = 0;
    status s = tfjs_real(&call->config, "max_value", INFINITY, &limit, err);
    if (s == STATUS_OK) {
        s = tfjs_real(&call->config, "negative_slope", 0, &slope, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_real(&call->config, "threshold", 0, &threshold, err);
    }
    if (s == STATUS_OK && (limit < 0 || slope < 0 || threshold < 0)) {
        s = error_set(err, STATUS_MODEL,
                      "max_value %g, negative_slope %g, threshold %g: none may be negative", limit,
                      slope, threshold);
    }
    activation act = {ACTIVATION_RELU, (float)slope, (float)threshold, (float)limit};
    return s == STATUS_OK ? add_activation(t, call, act, output, err) : s;
}

static status build_leaky_relu(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    double alpha = 0, slope = 0;
    status s = tfjs_real(&call->config, "alpha", 0.3, &alpha, err);
    if (s == STATUS_OK) { /* its newer name */
        s = tfjs_real(&call->config, "negative_slope", alpha, &slope, err);
    }
    activation act = {ACTIVATION_RELU, (float)slope, 0, INFINITY};
    return s == STATUS_OK ? add_activation(t, call, act, output, err) : s;
}

static status build_elu(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    double alpha = 0;
    status s = tfjs_real(&call->config, "alpha", 1, &alpha, err);
    activation act = {ACTIVATION_ELU, (float)alpha, 0, INFINITY};
    return s == STATUS_OK ? add_activation(t, call, act, output, err) : s;
}

/* what does something in training only */
static status build_identity(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return add_activation(t, call, activation_linear, output, err);
}

/* An axis that counts the batch, from the front or from the end as Keras does (TensorFlow.js takes
 * every negative one for the last), as one of `rank` dimensions. */
static status read_axis(const tfjs_call *call, uint32_t rank, uint32_t *out, error *err)
{
    double axis = -1;
    json_cursor at = tfjs_attribute(&call->config, "axis"), only = reader_item(&at, 0);
    const json_cursor *number = json_array_size(at.value) == 1 ? &only : &at;
    int last = (int)rank;
    if (reader_present(&at)) {
        status s = reader_number(number, -last, last, &axis, err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    if (axis == 0 || axis != floor(axis)) {
        return reader_fail(number, STATUS_UNSUPPORTED, err, "is %g, which is no axis of an image",
                           axis);
    }
    *out = (uint32_t)(axis > 0 ? (int)axis - 1 : (int)axis + last);
    return STATUS_OK;
}

static status build_softmax(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    uint32_t rank = tfjs_input_shape(t, call).rank, axis = 0;
    status s = read_axis(call, rank, &axis, err);
    if (s == STATUS_OK && axis != rank - 1) {
        s = error_set(err, STATUS_UNSUPPORTED, "axis: only the last axis is supported");
    }
    node n = {.op = OP_SOFTMAX};
    return s == STATUS_OK ? tfjs_add(t, call, NULL, &n, output, err) : s;
}

/* --- pooling and maps --- */

static status build_pool(tfjs_importer *t, const tfjs_call *call, op o, int *output, error *err)
{
    shape in;
    uint32_t size[2], stride[2];
    bool same = false;
    json_cursor strides = tfjs_attribute(&call->config, "strides");
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = tfjs_pair(&call->config, "pool_size", 2, size, err);
    }
    if (s == STATUS_OK) {
        s = tfjs_pair(&call->config, reader_present(&strides) ? "strides" : "pool_size", 2, stride,
                      err);
    }
    if (s == STATUS_OK) {
        s = tfjs_padding(&call->config, &same, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    node n = {.op = o,
              .attributes.pool = {.kernel_h = size[0],
                                  .kernel_w = size[1],
                                  .stride_h = stride[0],
                                  .stride_w = stride[1],
                                  .dilation_h = 1,
                                  .dilation_w = 1}};
    if (same) {
        window_pad_same(&n.attributes.pool, in.dim[0], in.dim[1]);
    }
    return tfjs_add(t, call, NULL, &n, output, err);
}

static status build_max_pool(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_pool(t, call, OP_MAX_POOL, output, err);
}

static status build_average_pool(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_pool(t, call, OP_AVERAGE_POOL, output, err);
}

static status build_global_average(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape in;
    bool keep = false;
    int middle = GRAPH_NONE;
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = tfjs_bool(&call->config, "keepdims", false, &keep, err);
    }
    node n = {.op = OP_GLOBAL_AVERAGE};
    if (s == STATUS_OK) {
        s = tfjs_add(t, call, keep ? "mean" : NULL, &n, keep ? &middle : output, err);
    }
    if (s != STATUS_OK || !keep) {
        return s;
    }
    uint32_t dim[] = {1, 1, in.dim[2]};
    node reshape = {.op = OP_RESHAPE,
                    .inputs = &middle,
                    .input_count = 1,
                    .attributes.target = shape_make(3, dim)};
    return tfjs_add(t, call, NULL, &reshape, output, err);
}

static status build_border(tfjs_importer *t, const tfjs_call *call, op o, const char *key,
                           uint32_t fallback, int *output, error *err)
{
    shape in;
    uint32_t sides[4] = {0};
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = tfjs_border(&call->config, key, fallback, sides, err);
    }
    node n = {.op = o,
              .attributes.border = {
                  .top = sides[0], .bottom = sides[1], .left = sides[2], .right = sides[3]}};
    return s == STATUS_OK ? tfjs_add(t, call, NULL, &n, output, err) : s;
}

static status build_zero_padding(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_border(t, call, OP_ZERO_PAD, "padding", 1, output, err);
}

static status build_cropping(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_border(t, call, OP_CROP, "cropping", 0, output, err);
}

/* TensorFlow.js resizes here with align_corners false and half_pixel_centers false. */
static status build_up_sampling(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    shape in;
    uint32_t size[2];
    const char *word = "nearest";
    json_cursor at = tfjs_attribute(&call->config, "interpolation");
    status s = tfjs_map_input(t, call, &in, err);
    if (s == STATUS_OK) {
        s = tfjs_pair(&call->config, "size", 2, size, err);
    }
    if (s == STATUS_OK && reader_present(&at)) {
        s = reader_string(&at, TFJS_MAX_NAME, &word, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    bool bilinear = strcmp(word, "bilinear") == 0;
    if (!bilinear && strcmp(word, "nearest") != 0) {
        return reader_fail(&at, STATUS_UNSUPPORTED, err,
                           "\"%s\" is not supported, only nearest and bilinear", word);
    }
    uint64_t height = (uint64_t)in.dim[0] * size[0], width = (uint64_t)in.dim[1] * size[1];
    if (height > SHAPE_MAX_DIM || width > SHAPE_MAX_DIM) {
        return error_set(err, STATUS_LIMIT, "a map is at most %u wide or high", SHAPE_MAX_DIM);
    }
    node n = {.op = OP_RESIZE,
              .attributes.resize = {.mode = bilinear ? RESIZE_BILINEAR : RESIZE_NEAREST,
                                    .height = (uint32_t)height,
                                    .width = (uint32_t)width}};
    return tfjs_add(t, call, NULL, &n, output, err);
}

/* --- several inputs --- */

/* from the left, two at a time, as TensorFlow.js does */
static status build_chain(tfjs_importer *t, const tfjs_call *call, op o, int *output, error *err)
{
    status s = STATUS_OK;
    int current = call->inputs[0];
    for (size_t i = 1; s == STATUS_OK && i < call->input_count; i++) {
        int inputs[] = {current, call->inputs[i]};
        bool last = i + 1 == call->input_count;
        char part[24];
        (void)snprintf(part, sizeof part, "%zu", i);
        node n = {.op = o, .inputs = inputs, .input_count = 2};
        s = tfjs_add(t, call, last ? NULL : part, &n, &current, err);
    }
    *output = current;
    return s;
}

static status build_add(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_chain(t, call, OP_ADD, output, err);
}

static status build_multiply(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    return build_chain(t, call, OP_MULTIPLY, output, err);
}

static status build_concatenate(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    uint32_t axis = 0;
    int *inputs = region_allocate(t->scratch, call->input_count, sizeof *inputs);
    if (!inputs) {
        return error_set(err, STATUS_MEMORY, "out of memory");
    }
    memcpy(inputs, call->inputs, call->input_count * sizeof *inputs);
    status s = read_axis(call, tfjs_input_shape(t, call).rank, &axis, err);
    node n = {.op = OP_CONCAT,
              .inputs = inputs,
              .input_count = (int)call->input_count,
              .attributes.axis = axis};
    return s == STATUS_OK ? tfjs_add(t, call, NULL, &n, output, err) : s;
}

/* --- shapes --- */

/* one dimension may be -1 or null: what is left */
static status build_reshape(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    json_cursor at = tfjs_attribute(&call->config, "target_shape");
    size_t rank;
    shape target = {0};
    int open = -1;
    uint64_t known = 1, all = shape_elements(tfjs_input_shape(t, call));
    status s = reader_array(&at, 1, 16, &rank, err);
    if (s == STATUS_OK && rank > VALUE_MAX_RANK) {
        s = reader_fail(&at, STATUS_UNSUPPORTED, err, "%zu dimensions, at most %d are supported",
                        rank, VALUE_MAX_RANK);
    }
    for (uint32_t i = 0; s == STATUS_OK && i < rank; i++) {
        json_cursor item = reader_item(&at, i);
        if (json_is_null(item.value) ||
            (json_is_number(item.value) && json_number_value(item.value) < 0)) {
            s = open < 0 ? STATUS_OK
                         : reader_fail(&at, STATUS_MODEL, err, "two dimensions are left open");
            open = (int)i;
        } else {
            s = reader_u32(&item, 1, SHAPE_MAX_DIM, &target.dim[i], err);
            known *= target.dim[i]; /* at most 2^60 */
        }
    }
    if (s != STATUS_OK) {
        return s;
    }
    target.rank = (uint32_t)rank;
    if (open >= 0) {
        uint64_t rest = all % known == 0 ? all / known : 0;
        target.dim[open] = rest <= SHAPE_MAX_DIM ? (uint32_t)rest : 0;
    }
    node n = {.op = OP_RESHAPE, .attributes.target = target};
    return tfjs_add(t, call, NULL, &n, output, err);
}

static status build_flatten(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    status s = tfjs_channels_last(&call->config, err);
    uint64_t all = shape_elements(tfjs_input_shape(t, call));
    uint32_t dim[] = {all <= SHAPE_MAX_DIM ? (uint32_t)all : 0};
    node n = {.op = OP_RESHAPE, .attributes.target = shape_make(1, dim)};
    return s == STATUS_OK ? tfjs_add(t, call, NULL, &n, output, err) : s;
}

static status build_permute(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    uint32_t rank = tfjs_input_shape(t, call).rank;
    json_cursor at = tfjs_attribute(&call->config, "dims");
    size_t count;
    node n = {.op = OP_PERMUTE};
    status s = reader_array(&at, rank, rank, &count, err);
    for (uint32_t i = 0; s == STATUS_OK && i < rank; i++) {
        uint32_t dim = 1;
        json_cursor item = reader_item(&at, i);
        s = reader_u32(&item, 1, rank, &dim, err);
        n.attributes.permutation[i] = dim - 1;
    }
    return s == STATUS_OK ? tfjs_add(t, call, NULL, &n, output, err) : s;
}

/* --- the table --- */

static const struct {
    const char *class_name;
    tfjs_builder build;
    size_t least, most; /* inputs */
} classes[] = {
    {"Activation", build_activation, 1, 1},
    {"ActivityRegularization", build_identity, 1, 1},
    {"Add", build_add, 2, SIZE_MAX},
    {"AlphaDropout", build_identity, 1, 1},
    {"AveragePooling2D", build_average_pool, 1, 1},
    {"BatchNormalization", tfjs_batch_normalization, 1, 1},
    {"Concatenate", build_concatenate, 2, SIZE_MAX},
    {"Conv2D", tfjs_conv2d, 1, 1},
    {"Cropping2D", build_cropping, 1, 1},
    {"Dense", tfjs_dense, 1, 1},
    {"DepthwiseConv2D", tfjs_depthwise_conv2d, 1, 1},
    {"Dropout", build_identity, 1, 1},
    {"ELU", build_elu, 1, 1},
    {"Flatten", build_flatten, 1, 1},
    {"GaussianDropout", build_identity, 1, 1},
    {"GaussianNoise", build_identity, 1, 1},
    {"GlobalAveragePooling2D", build_global_average, 1, 1},
    {"LeakyReLU", build_leaky_relu, 1, 1},
    {"MaxPooling2D", build_max_pool, 1, 1},
    {"Multiply", build_multiply, 2, SIZE_MAX},
    {"PReLU", tfjs_prelu, 1, 1},
    {"Permute", build_permute, 1, 1},
    {"ReLU", build_relu, 1, 1},
    {"Reshape", build_reshape, 1, 1},
    {"SeparableConv2D", tfjs_separable_conv2d, 1, 1},
    {"Softmax", build_softmax, 1, 1},
    {"SpatialDropout1D", build_identity, 1, 1},
    {"SpatialDropout2D", build_identity, 1, 1},
    {"UpSampling2D", build_up_sampling, 1, 1},
    {"ZeroPadding2D", build_zero_padding, 1, 1},
};

status tfjs_layer_build(tfjs_importer *t, const tfjs_call *call, int *output, error *err)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strcmp(classes[i].class_name, call->class_name) != 0) {
            continue;
        }
        if (call->input_count < classes[i].least || call->input_count > classes[i].most) {
            return error_set(err, STATUS_MODEL, "is called on %zu inputs", call->input_count);
        }
        return classes[i].build(t, call, output, err);
    }
    return error_set(err, STATUS_UNSUPPORTED, "layers of this class are not supported");
}
