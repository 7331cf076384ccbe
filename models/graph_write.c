/* The graph as JSON: writing. What each operator stores besides the common members is in
 * write_attributes here and in read_attributes of graph_read.c. */
#include "models/graph_json.h"

#include <math.h>

static const char *const resize_names[] = {"nearest", "bilinear"};

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory for a graph");
}

static json_t *shape_json(shape s)
{
    json_t *dims = json_array();
    for (uint32_t i = 0; i < s.rank; i++) {
        (void)json_array_append_new(dims, json_integer(s.dim[i]));
    }
    return dims;
}

static json_t *window_json(const window *w)
{
    return json_pack("{s:[i,i], s:[i,i], s:[i,i], s:[i,i,i,i]}", "kernel", (int)w->kernel_h,
                     (int)w->kernel_w, "stride", (int)w->stride_h, (int)w->stride_w, "dilation",
                     (int)w->dilation_h, (int)w->dilation_w, "pad", (int)w->pad_top,
                     (int)w->pad_bottom, (int)w->pad_left, (int)w->pad_right);
}

static json_t *activation_json(const activation *a)
{
    json_t *out = json_pack("{s:s}", "kind", activation_name(a->kind));
    if (a->kind == ACTIVATION_RELU || a->kind == ACTIVATION_ELU) {
        (void)json_object_set_new(out, "slope", json_real((double)a->slope));
    }
    if (a->kind == ACTIVATION_RELU) {
        (void)json_object_set_new(out, "threshold", json_real((double)a->threshold));
        if (isfinite(a->limit)) {
            (void)json_object_set_new(out, "limit", json_real((double)a->limit));
        }
    }
    return out;
}

static void write_attributes(const node *n, json_t *out)
{
    switch (n->op) {
    case OP_CONV2D:
        (void)json_object_set_new(out, "window", window_json(&n->attributes.conv.window));
        (void)json_object_set_new(out, "groups", json_integer(n->attributes.conv.groups));
        break;
    case OP_DEPTHWISE:
        (void)json_object_set_new(out, "window", window_json(&n->attributes.depthwise.window));
        (void)json_object_set_new(out, "multiplier",
                                  json_integer(n->attributes.depthwise.multiplier));
        break;
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        (void)json_object_set_new(out, "window", window_json(&n->attributes.pool));
        break;
    case OP_ZERO_PAD:
    case OP_CROP:
        (void)json_object_set_new(
            out, "border",
            json_pack("[i,i,i,i]", (int)n->attributes.border.top, (int)n->attributes.border.bottom,
                      (int)n->attributes.border.left, (int)n->attributes.border.right));
        break;
    case OP_RESIZE:
        (void)json_object_set_new(
            out, "resize",
            json_pack("{s:s, s:b, s:b, s:[i,i]}", "mode", resize_names[n->attributes.resize.mode],
                      "align_corners", (int)n->attributes.resize.align_corners, "half_pixel",
                      (int)n->attributes.resize.half_pixel, "size",
                      (int)n->attributes.resize.height, (int)n->attributes.resize.width));
        break;
    case OP_CONCAT:
        (void)json_object_set_new(out, "axis", json_integer(n->attributes.axis));
        break;
    case OP_RESHAPE:
        (void)json_object_set_new(out, "target", shape_json(n->attributes.target));
        break;
    case OP_BATCH_NORM:
        (void)json_object_set_new(out, "epsilon", json_real((double)n->attributes.epsilon));
        break;
    case OP_PERMUTE:
    case OP_DENSE:
    case OP_ACTIVATION:
    case OP_PRELU:
    case OP_SOFTMAX:
    case OP_GLOBAL_AVERAGE:
    case OP_ADD:
    case OP_MULTIPLY:
    case OP_COUNT:
    default:
        break;
    }
}

static json_t *node_json(const graph *g, const node *n, const char *const *names,
                         const json_int_t *ids)
{
    json_t *inputs = json_array(), *weights = json_array();
    json_t *out = json_pack("{s:s, s:s, s:o, s:o}", "op", op_name(n->op), "name", n->name, "inputs",
                            inputs, "weights", weights);
    shape s = g->values[n->outputs[0]].shape;
    for (int i = 0; i < n->input_count; i++) {
        (void)json_array_append_new(inputs, json_integer(ids[n->inputs[i]]));
    }
    for (int i = 0; i < n->weight_count; i++) {
        int w = n->weights[i];
        (void)json_array_append_new(weights, w == GRAPH_NONE ? json_null() : json_string(names[w]));
    }
    if (n->act_count > 0 && n->act[0].kind != ACTIVATION_LINEAR) {
        (void)json_object_set_new(out, "activation", activation_json(&n->act[0]));
    }
    write_attributes(n, out);
    if (n->op == OP_PERMUTE) {
        json_t *order = json_array();
        for (uint32_t i = 0; i < s.rank; i++) {
            (void)json_array_append_new(order, json_integer(n->attributes.permutation[i]));
        }
        (void)json_object_set_new(out, "permutation", order);
    }
    (void)json_object_set_new(out, "shape", shape_json(s));
    return out;
}

/* Value 0 is the input; the output of node i is value i + 1. */
static status number_values(const graph *g, json_int_t *ids, error *err)
{
    for (size_t i = 0; i < g->value_count; i++) {
        ids[i] = -1;
        if (g->values[i].base != GRAPH_NONE) {
            return error_set(err, STATUS_ARGUMENT,
                             "value '%s' is a view: a container holds graphs as imported",
                             g->values[i].name);
        }
    }
    ids[g->input] = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        const conv2d_attributes *c = &n->attributes.conv;
        if (n->output_count != 1 &&
            (n->op != OP_CONV2D || c->branches != 1 || c->pooled || c->repeat)) {
            return error_set(err, STATUS_ARGUMENT,
                             "node '%s' is fused: a container holds graphs as imported", n->name);
        }
        ids[n->outputs[0]] = (json_int_t)i + 1;
    }
    return STATUS_OK;
}

status graph_to_json(region *scratch, const graph *g, const char *const *names, json_t **out,
                     error *err)
{
    json_int_t *ids = region_allocate(scratch, g->value_count, sizeof *ids);
    if (!ids) {
        return out_of_memory(err);
    }
    status code = number_values(g, ids, err);
    if (code != STATUS_OK) {
        return code;
    }
    json_t *nodes = json_array(), *outputs = json_array();
    for (size_t i = 0; i < g->node_count; i++) {
        (void)json_array_append_new(nodes, node_json(g, &g->nodes[i], names, ids));
    }
    for (size_t i = 0; i < g->output_count; i++) {
        (void)json_array_append_new(outputs, json_pack("{s:I, s:s}", "value", ids[g->outputs[i]],
                                                       "name", g->values[g->outputs[i]].name));
    }
    const value *input = &g->values[g->input];
    json_t *root = json_pack("{s:{s:s, s:o}, s:o, s:o}", "input", "name", input->name, "shape",
                             shape_json(input->shape), "nodes", nodes, "outputs", outputs);
    if (!root || json_array_size(nodes) != g->node_count) {
        json_decref(root);
        return out_of_memory(err);
    }
    *out = root;
    return STATUS_OK;
}
