/* The graph as JSON: reading. Every node goes through graph_add_node, which infers its shape; the
 * shape that was stored must be the same. */
#include "models/graph_json.h"

#include "engine/half.h"
#include "models/reader.h"

#include <math.h>

enum { GRAPH_JSON_MAX = 64 << 20, GRAPH_NAME_MAX = 1 << 16, WEIGHTS_MAX = 4 };

static const char *const window_members[] = {"kernel", "stride", "dilation", "pad"};
static const char *const resize_names[] = {"nearest", "bilinear"};

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory for a graph");
}

typedef struct graph_reader {
    graph *g;
    const tensor_table *table;
    json_t *loaded; /* tensor name -> index of the graph's weight, so that shared weights are read
                       once */
    int *ids;       /* value id -> value */
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
    status code = reader_array(&inputs, 1, GRAPH_MAX_INPUTS, &input_count, err);
    if (code != STATUS_OK) {
        return code;
    }
    n->inputs = region_allocate(r->g->memory, input_count, sizeof *n->inputs);
    if (!n->inputs) {
        return out_of_memory(err);
    }
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
    int weights[WEIGHTS_MAX];
    activation act;
    node n = {.weights = weights, .act = &act, .act_count = 1};
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
    status code = reader_array(&list, 1, GRAPH_MAX_INPUTS, &count, err);
    if (code != STATUS_OK) {
        return code;
    }
    int *outputs = region_allocate(r->g->memory, count, sizeof *outputs);
    if (!outputs) {
        return out_of_memory(err);
    }
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
