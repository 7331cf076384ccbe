/* The graph as JSON, both ways. What each operator stores besides the common members is in
 * write_attributes and read_attributes, side by side. */
#include "models/graph_json.h"

#include "models/half.h"
#include "models/reader.h"

#include <math.h>
#include <string.h>

enum { GRAPH_JSON_MAX = 64 << 20, GRAPH_NAME_MAX = 1 << 16, INPUTS_MAX = 1024, WEIGHTS_MAX = 4 };

static const char *const window_members[] = {"kernel", "stride", "dilation", "pad"};
static const char *const resize_names[] = {"nearest", "bilinear"};

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory for a graph");
}

/* --- writing --- */

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
        if (n->output_count != 1 &&
            (n->op != OP_CONV2D || n->attributes.conv.branches != 1 || n->attributes.conv.pooled)) {
            return error_set(err, STATUS_ARGUMENT,
                             "node '%s' is fused: a container holds graphs as imported", n->name);
        }
        ids[n->outputs[0]] = (json_int_t)i + 1;
    }
    return STATUS_OK;
}

status graph_to_json(const graph *g, const char *const *names, json_t **out, error *err)
{
    json_int_t *ids = region_allocate(g->memory, g->value_count, sizeof *ids);
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

/* --- reading --- */

typedef struct graph_reader {
    graph *g;
    const tensor_table *table;
    json_t *loaded; /* tensor name -> index of the graph's weight, so that shared weights are read
                       once */
    int *ids;       /* value id -> value */
    size_t id_count;
} graph_reader;

static status read_shape(const json_cursor *at, shape *out, error *err)
{
    size_t rank = 0;
    status code = reader_array(at, 1, VALUE_MAX_RANK, &rank, err);
    *out = (shape){.rank = (uint32_t)rank};
    for (size_t i = 0; code == STATUS_OK && i < rank; i++) {
        json_cursor item = reader_item(at, i);
        code = reader_u32(&item, 1, SHAPE_MAX_DIM, &out->dim[i], err);
    }
    return code;
}

static status read_list(const json_cursor *at, const char *key, size_t count, uint32_t least,
                        uint32_t *out, error *err)
{
    json_cursor list = reader_member(at, key);
    size_t found = 0;
    status code = reader_array(&list, count, count, &found, err);
    for (size_t i = 0; code == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&list, i);
        code = reader_u32(&item, least, SHAPE_MAX_DIM, &out[i], err);
    }
    return code;
}

static status read_window(const json_cursor *node_at, window *w, error *err)
{
    json_cursor at = reader_member(node_at, "window");
    uint32_t kernel[2], stride[2], dilation[2], pad[4];
    status code =
        reader_members(&at, window_members, sizeof window_members / sizeof window_members[0], err);
    if (code == STATUS_OK) {
        code = read_list(&at, "kernel", 2, 1, kernel, err);
    }
    if (code == STATUS_OK) {
        code = read_list(&at, "stride", 2, 1, stride, err);
    }
    if (code == STATUS_OK) {
        code = read_list(&at, "dilation", 2, 1, dilation, err);
    }
    if (code == STATUS_OK) {
        code = read_list(&at, "pad", 4, 0, pad, err);
    }
    if (code == STATUS_OK) {
        *w = (window){.kernel_h = kernel[0],
                      .kernel_w = kernel[1],
                      .stride_h = stride[0],
                      .stride_w = stride[1],
                      .dilation_h = dilation[0],
                      .dilation_w = dilation[1],
                      .pad_top = pad[0],
                      .pad_bottom = pad[1],
                      .pad_left = pad[2],
                      .pad_right = pad[3]};
    }
    return code;
}

static status read_float(const json_cursor *at, const char *key, float fallback, float *out,
                         error *err)
{
    json_cursor number = reader_member(at, key);
    double x = (double)fallback;
    status code = number.value ? reader_number(&number, -3.4e38, 3.4e38, &x, err) : STATUS_OK;
    *out = (float)x;
    return code;
}

static status read_activation(const json_cursor *node_at, activation *out, error *err)
{
    static const char *const members[] = {"kind", "slope", "threshold", "limit"};
    json_cursor at = reader_member(node_at, "activation");
    *out = activation_linear;
    if (!at.value) {
        return STATUS_OK;
    }
    json_cursor kind = reader_member(&at, "kind");
    const char *name = NULL;
    status code = reader_members(&at, members, sizeof members / sizeof members[0], err);
    if (code == STATUS_OK) {
        code = reader_string(&kind, GRAPH_NAME_MAX, &name, err);
    }
    if (code == STATUS_OK && !activation_from_name(name, &out->kind)) {
        code = reader_fail(&kind, STATUS_MODEL, err, "no activation is called \"%s\"", name);
    }
    if (code == STATUS_OK) {
        code = read_float(&at, "slope", 0, &out->slope, err);
    }
    if (code == STATUS_OK) {
        code = read_float(&at, "threshold", 0, &out->threshold, err);
    }
    if (code == STATUS_OK) {
        code = read_float(&at, "limit", INFINITY, &out->limit, err);
    }
    return code;
}

static status read_resize(const json_cursor *node_at, node *n, error *err)
{
    static const char *const members[] = {"mode", "align_corners", "half_pixel", "size"};
    json_cursor at = reader_member(node_at, "resize");
    json_cursor mode = reader_member(&at, "mode"), align = reader_member(&at, "align_corners"),
                half = reader_member(&at, "half_pixel");
    size_t choice = 0;
    uint32_t size[2] = {0};
    status code = reader_members(&at, members, sizeof members / sizeof members[0], err);
    if (code == STATUS_OK) {
        code = reader_choice(&mode, resize_names, 2, &choice, err);
    }
    if (code == STATUS_OK) {
        code = reader_bool(&align, &n->attributes.resize.align_corners, err);
    }
    if (code == STATUS_OK) {
        code = reader_bool(&half, &n->attributes.resize.half_pixel, err);
    }
    if (code == STATUS_OK) {
        code = read_list(&at, "size", 2, 1, size, err);
    }
    n->attributes.resize.mode = (resize_mode)choice;
    n->attributes.resize.height = size[0];
    n->attributes.resize.width = size[1];
    return code;
}

static status read_number(const json_cursor *at, const char *key, uint32_t *out, error *err)
{
    json_cursor number = reader_member(at, key);
    return reader_u32(&number, 0, SHAPE_MAX_DIM, out, err);
}

static status read_border(const json_cursor *at, node *n, error *err)
{
    uint32_t border[4] = {0};
    status code = read_list(at, "border", 4, 0, border, err);
    n->attributes.border.top = border[0];
    n->attributes.border.bottom = border[1];
    n->attributes.border.left = border[2];
    n->attributes.border.right = border[3];
    return code;
}

static status read_permutation(const json_cursor *at, node *n, error *err)
{
    json_cursor list = reader_member(at, "permutation");
    size_t rank = 0;
    status code = reader_array(&list, 1, VALUE_MAX_RANK, &rank, err);
    return code == STATUS_OK ? read_list(at, "permutation", rank, 0, n->attributes.permutation, err)
                             : code;
}

static status read_attributes(const json_cursor *at, node *n, error *err)
{
    json_cursor target = reader_member(at, "target");
    status code = STATUS_OK;
    switch (n->op) {
    case OP_CONV2D:
        n->attributes.conv.branches = 1;
        code = read_window(at, &n->attributes.conv.window, err);
        return code == STATUS_OK ? read_number(at, "groups", &n->attributes.conv.groups, err)
                                 : code;
    case OP_DEPTHWISE:
        code = read_window(at, &n->attributes.depthwise.window, err);
        return code == STATUS_OK
                   ? read_number(at, "multiplier", &n->attributes.depthwise.multiplier, err)
                   : code;
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        return read_window(at, &n->attributes.pool, err);
    case OP_ZERO_PAD:
    case OP_CROP:
        return read_border(at, n, err);
    case OP_RESIZE:
        return read_resize(at, n, err);
    case OP_CONCAT:
        return read_number(at, "axis", &n->attributes.axis, err);
    case OP_RESHAPE:
        return read_shape(&target, &n->attributes.target, err);
    case OP_PERMUTE:
        return read_permutation(at, n, err);
    case OP_BATCH_NORM:
        return read_float(at, "epsilon", 0, &n->attributes.epsilon, err);
    case OP_DENSE:
    case OP_ACTIVATION:
    case OP_PRELU:
    case OP_SOFTMAX:
    case OP_GLOBAL_AVERAGE:
    case OP_ADD:
    case OP_MULTIPLY:
    case OP_COUNT:
    default:
        return STATUS_OK;
    }
}

/* F32 where it lies; F16 expanded into the graph's memory. */
static status load_tensor(graph_reader *r, const tensor_entry *e, int *out, error *err)
{
    const unsigned char *bytes = r->table->data + e->begin;
    const float *floats = (const float *)(const void *)bytes;
    if (e->half) {
        uint64_t count = shape_elements(e->shape);
        float *expanded = region_allocate(r->g->memory, count, sizeof *expanded);
        if (!expanded) {
            return out_of_memory(err);
        }
        for (uint64_t i = 0; i < count; i++) {
            expanded[i] = half_to_float((uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8));
        }
        floats = expanded;
    }
    return graph_add_weight(r->g, e->name, e->shape, floats, out, err);
}

static status read_weight(graph_reader *r, const json_cursor *at, int *out, error *err)
{
    const char *name = NULL;
    *out = GRAPH_NONE;
    if (json_is_null(at->value)) {
        return STATUS_OK;
    }
    status code = reader_string(at, GRAPH_NAME_MAX, &name, err);
    if (code != STATUS_OK) {
        return code;
    }
    const json_t *known = json_object_get(r->loaded, name),
                 *index = json_object_get(r->table->by_name, name);
    if (known) {
        *out = (int)json_integer_value(known);
        return STATUS_OK;
    }
    if (!index) {
        return reader_fail(at, STATUS_MODEL, err, "there is no tensor \"%s\"", name);
    }
    code = load_tensor(r, &r->table->entries[json_integer_value(index)], out, err);
    if (code == STATUS_OK && json_object_set_new(r->loaded, name, json_integer(*out)) != 0) {
        code = out_of_memory(err);
    }
    return code;
}

static status read_operands(graph_reader *r, const json_cursor *at, node *n, size_t made,
                            error *err)
{
    json_cursor inputs = reader_member(at, "inputs"), weights = reader_member(at, "weights");
    size_t input_count = 0, weight_count = 0;
    status code = reader_array(&inputs, 1, INPUTS_MAX, &input_count, err);
    for (size_t i = 0; code == STATUS_OK && i < input_count; i++) {
        json_cursor item = reader_item(&inputs, i);
        uint32_t id = 0;
        code = reader_u32(&item, 0, (uint32_t)made, &id, err);
        n->inputs[i] = r->ids[id];
    }
    if (code == STATUS_OK) {
        code = reader_array(&weights, 0, WEIGHTS_MAX, &weight_count, err);
    }
    for (size_t i = 0; code == STATUS_OK && i < weight_count; i++) {
        json_cursor item = reader_item(&weights, i);
        code = read_weight(r, &item, &n->weights[i], err);
    }
    n->input_count = (int)input_count;
    n->weight_count = (int)weight_count;
    return code;
}

/* Reads node `index`, adds it, and compares the shape that it was stored with. */
static status read_node(graph_reader *r, const json_cursor *at, size_t index, error *err)
{
    static const char *const members[] = {"op",     "name",   "inputs", "weights",     "activation",
                                          "window", "groups", "border", "multiplier",  "resize",
                                          "axis",   "target", "shape",  "permutation", "epsilon"};
    int inputs[INPUTS_MAX], weights[WEIGHTS_MAX];
    activation act;
    node n = {.inputs = inputs, .weights = weights, .act = &act, .act_count = 1};
    const char *kind = NULL;
    shape stored;
    json_cursor op_at = reader_member(at, "op"), name_at = reader_member(at, "name"),
                shape_at = reader_member(at, "shape");
    status code = reader_members(at, members, sizeof members / sizeof members[0], err);
    if (code == STATUS_OK) {
        code = reader_string(&op_at, GRAPH_NAME_MAX, &kind, err);
    }
    if (code == STATUS_OK && !op_from_name(kind, &n.op)) {
        code = reader_fail(&op_at, STATUS_UNSUPPORTED, err, "no operator is called \"%s\"", kind);
    }
    if (code == STATUS_OK) {
        code = reader_string(&name_at, GRAPH_NAME_MAX, &n.name, err);
    }
    if (code == STATUS_OK) {
        code = read_operands(r, at, &n, index, err);
    }
    if (code == STATUS_OK) {
        code = read_activation(at, &act, err);
    }
    if (code == STATUS_OK) {
        code = read_attributes(at, &n, err);
    }
    if (code == STATUS_OK) {
        code = read_shape(&shape_at, &stored, err);
    }
    int added = 0;
    if (code == STATUS_OK) {
        code = graph_add_node(r->g, &n, &added, err);
    }
    if (code == STATUS_OK) {
        int made = r->g->nodes[added].outputs[0];
        r->ids[index + 1] = made;
        if (!shape_equal(r->g->values[made].shape, stored)) {
            code = reader_fail(&shape_at, STATUS_MODEL, err, "node '%s' computes another shape",
                               n.name);
        }
    }
    return code;
}

static status read_input(graph_reader *r, const json_cursor *root, error *err)
{
    static const char *const members[] = {"name", "shape"};
    json_cursor at = reader_member(root, "input");
    json_cursor name_at = reader_member(&at, "name"), shape_at = reader_member(&at, "shape");
    const char *name = NULL;
    shape s;
    status code = reader_members(&at, members, 2, err);
    if (code == STATUS_OK) {
        code = reader_string(&name_at, GRAPH_NAME_MAX, &name, err);
    }
    if (code == STATUS_OK) {
        code = read_shape(&shape_at, &s, err);
    }
    if (code == STATUS_OK) {
        code = graph_add_value(r->g, name, s, &r->g->input, err);
        r->ids[0] = r->g->input;
    }
    return code;
}

static status read_outputs(graph_reader *r, const json_cursor *root, size_t nodes, error *err)
{
    static const char *const members[] = {"value", "name"};
    json_cursor list = reader_member(root, "outputs");
    size_t count = 0;
    status code = reader_array(&list, 1, INPUTS_MAX, &count, err);
    int outputs[INPUTS_MAX];
    for (size_t i = 0; code == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&list, i);
        json_cursor id_at = reader_member(&item, "value"), name_at = reader_member(&item, "name");
        const char *name = NULL;
        uint32_t id = 0;
        code = reader_members(&item, members, 2, err);
        if (code == STATUS_OK) {
            code = reader_u32(&id_at, 0, (uint32_t)nodes, &id, err);
        }
        if (code == STATUS_OK) {
            code = reader_string(&name_at, GRAPH_NAME_MAX, &name, err);
        }
        if (code == STATUS_OK) {
            char *copy = region_string(r->g->memory, name);
            outputs[i] = r->ids[id];
            r->g->values[outputs[i]].name = copy;
            code = copy ? STATUS_OK : out_of_memory(err);
        }
    }
    return code == STATUS_OK ? graph_set_outputs(r->g, outputs, count, err) : code;
}

static status read_graph(graph_reader *r, const json_cursor *root, error *err)
{
    static const char *const members[] = {"input", "nodes", "outputs"};
    json_cursor nodes = reader_member(root, "nodes");
    size_t count = 0;
    status code = reader_members(root, members, 3, err);
    if (code == STATUS_OK) {
        code = reader_array(&nodes, 1, GRAPH_MAX_NODES, &count, err);
    }
    if (code != STATUS_OK) {
        return code;
    }
    r->ids = region_allocate(r->g->memory, count + 1, sizeof *r->ids);
    r->loaded = json_object();
    if (!r->ids || !r->loaded) {
        return out_of_memory(err);
    }
    code = read_input(r, root, err);
    for (size_t i = 0; code == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&nodes, i);
        code = read_node(r, &item, i, err);
    }
    if (code == STATUS_OK) {
        code = read_outputs(r, root, count, err);
    }
    return code == STATUS_OK ? graph_validate(r->g, err) : code;
}

status graph_from_json(const allocator *a, const char *text, size_t size, const tensor_table *table,
                       graph **out, error *err)
{
    json_t *document = NULL;
    graph_reader r = {.table = table};
    status code = reader_parse("graph", text, size, GRAPH_JSON_MAX, &document, err);
    if (code == STATUS_OK) {
        code = graph_create(a, &r.g, err);
    }
    if (code == STATUS_OK) {
        json_cursor root = reader_root(document);
        code = read_graph(&r, &root, err);
        if (code == STATUS_MODEL || code == STATUS_UNSUPPORTED) {
            (void)error_prefix(err, "graph: ");
        }
    }
    if (code == STATUS_OK) {
        *out = r.g;
    } else {
        graph_destroy(r.g);
    }
    json_decref(r.loaded);
    json_decref(document);
    return code;
}
