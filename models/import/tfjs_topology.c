/* Models: which layer is called on what. A Functional model lists, with each layer, the calls of it
 * ("inbound nodes"); a call names its inputs by layer and number of the call. A Sequential model
 * calls each layer on the one before. A model is itself a layer of the model around it, and layers
 * and models may be called several times: then only their weights are shared.
 *
 * A model is built anew for each call of it, from its outputs backwards: what no output needs is
 * left out. There is no recursion but for models in models, which is capped. */
#include "models/import/tfjs.h"

#include <string.h>

/* output `tensor` of call `call` of a layer */
typedef struct tensor_name {
    size_t layer, call, tensor;
} tensor_name;

typedef struct layer_call {
    tensor_name *inputs;
    size_t input_count, next; /* inputs before `next` have been built */
    int *values;              /* outputs, once built */
    size_t value_count;
    bool entered;
} layer_call;

typedef struct layer {
    const char *name, *class_name;
    json_cursor at, config;
    bool is_model, is_input;
    size_t first_call; /* the number that names call 0, see number_calls */
    layer_call *calls;
    size_t call_count;
} layer;

/* a model while it is built */
typedef struct network {
    tfjs_importer *t;
    const char *name, *path; /* of the models around: "", or "outer/inner/" */
    size_t depth;
    layer *layers;
    size_t layer_count, call_count;
    json_t *by_name; /* layer name -> index */
} network;

typedef struct values {
    const int *list;
    size_t count;
} values;

static status build_model(tfjs_importer *t, const json_cursor *at, const network *around,
                          values inputs, values *outputs, error *err);

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory while importing a model");
}

static bool is_model_class(const char *class_name)
{
    return strcmp(class_name, "Model") == 0 || strcmp(class_name, "Functional") == 0 ||
           strcmp(class_name, "Sequential") == 0;
}

/* Layers and calls count each time that their model is used. */
static status count_calls(tfjs_importer *t, size_t count, error *err)
{
    t->calls += count;
    if (t->calls > TFJS_MAX_CALLS) {
        return error_set(err, STATUS_LIMIT, "more than %d calls of layers", TFJS_MAX_CALLS);
    }
    return STATUS_OK;
}

/* --- reading the layers of a model --- */

static status read_layer(network *net, size_t index, const json_cursor *at, error *err)
{
    layer *l = &net->layers[index];
    l->at = *at;
    json_cursor class_name = tfjs_attribute(&l->at, "class_name");
    json_cursor config = tfjs_attribute(&l->at, "config");
    json_cursor name = tfjs_attribute(&l->at, "name");
    json_cursor inner_name = tfjs_attribute(&config, "name");
    status s = reader_string(&class_name, TFJS_MAX_NAME, &l->class_name, err);
    if (s == STATUS_OK) {
        s = reader_string(name.value ? &name : &inner_name, TFJS_MAX_NAME, &l->name, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    l->config = reader_root(config.value); /* messages name the layer instead of the whole place */
    l->is_model = is_model_class(l->class_name);
    l->is_input = strcmp(l->class_name, "InputLayer") == 0;
    if (!l->is_model) { /* in old files the config of a Sequential is an array */
        s = reader_object(&config, err);
    }
    if (s == STATUS_OK && json_object_get(net->by_name, l->name)) {
        s = reader_fail(at, STATUS_MODEL, err, "there are two layers '%s'", l->name);
    }
    if (s == STATUS_OK &&
        json_object_set_new(net->by_name, l->name, json_integer((json_int_t)index)) != 0) {
        s = out_of_memory(err);
    }
    return s;
}

static status read_layers(network *net, const json_cursor *list, error *err)
{
    status s = reader_array(list, 1, TFJS_MAX_CALLS, &net->layer_count, err);
    if (s == STATUS_OK) {
        s = count_calls(net->t, net->layer_count, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    net->layers = region_allocate(net->t->scratch, net->layer_count, sizeof *net->layers);
    net->by_name = json_object();
    if (!net->layers || !net->by_name) {
        return out_of_memory(err);
    }
    for (size_t i = 0; s == STATUS_OK && i < net->layer_count; i++) {
        json_cursor item = reader_item(list, i);
        s = read_layer(net, i, &item, err);
    }
    return s;
}

/* [name, call, tensor] or [name, call, tensor, keyword arguments] */
static status read_name(network *net, const json_cursor *at, tensor_name *out, error *err)
{
    size_t count;
    const char *name = NULL;
    uint32_t call = 0, tensor = 0;
    json_cursor first = reader_item(at, 0), second = reader_item(at, 1), third = reader_item(at, 2);
    status s = reader_array(at, 3, 4, &count, err);
    if (s == STATUS_OK) {
        s = reader_string(&first, TFJS_MAX_NAME, &name, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&second, 0, TFJS_MAX_CALLS, &call, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&third, 0, TFJS_MAX_CALLS, &tensor, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    const json_t *index = json_object_get(net->by_name, name);
    if (!index) {
        return reader_fail(at, STATUS_MODEL, err, "there is no layer '%s'", name);
    }
    *out = (tensor_name){(size_t)json_integer_value(index), call, tensor};
    layer *l = &net->layers[out->layer];
    l->first_call = call < l->first_call ? call : l->first_call;
    return STATUS_OK;
}

/* A list of names; a single one may stand for itself, without the brackets around. */
static status read_names(network *net, const json_cursor *list, tensor_name **out, size_t *count,
                         error *err)
{
    if (json_is_object(list->value)) {
        return reader_fail(list, STATUS_UNSUPPORTED, err,
                           "is in the form of Keras 3; save the model with Keras 2 (tf_keras)");
    }
    status s = reader_array(list, 1, TFJS_MAX_CALLS, count, err);
    if (s != STATUS_OK) {
        return s;
    }
    bool single = json_is_string(json_array_get(list->value, 0));
    *count = single ? 1 : *count;
    *out = region_allocate(net->t->scratch, *count, sizeof **out);
    if (!*out) {
        return out_of_memory(err);
    }
    s = count_calls(net->t, *count, err);
    for (size_t i = 0; s == STATUS_OK && i < *count; i++) {
        json_cursor item = single ? *list : reader_item(list, i);
        s = read_name(net, &item, &(*out)[i], err);
    }
    return s;
}

static status read_calls(network *net, layer *l, error *err)
{
    json_cursor nodes = tfjs_attribute(&l->at, "inbound_nodes");
    size_t count = 0;
    status s = reader_array(&nodes, 0, TFJS_MAX_CALLS, &count, err);
    if (s != STATUS_OK) {
        return s;
    }
    if (l->is_input && count > 0) {
        return reader_fail(&nodes, STATUS_MODEL, err, "an input layer is called on something");
    }
    l->call_count = l->is_input ? 1 : count;
    l->calls = region_allocate(net->t->scratch, l->call_count, sizeof *l->calls);
    if (!l->calls) {
        return out_of_memory(err);
    }
    net->call_count += l->call_count;
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&nodes, i);
        s = read_names(net, &item, &l->calls[i].inputs, &l->calls[i].input_count, err);
    }
    return s;
}

/* Calls are numbered from 0. But making a model counts as its call 0, so that its calls in the
 * model around it begin with 1, except in files of versions that do not count so. Which it is shows
 * in the least number that is used. */
static status number_calls(const network *net, tensor_name *name, error *err)
{
    const layer *l = &net->layers[name->layer];
    size_t first = l->is_model && l->first_call > 0 ? 1 : 0;
    if (name->call < first || name->call - first >= l->call_count) {
        return error_set(err, STATUS_MODEL, "call %zu of layer '%s%s' is used, but it has %zu",
                         name->call, net->name, l->name, l->call_count);
    }
    name->call -= first;
    return STATUS_OK;
}

/* --- building --- */

static status build_layer(network *net, const layer *l, size_t number, values inputs,
                          values *outputs, error *err)
{
    region *r = net->t->scratch;
    char *path = region_format(r, "%s%s", net->path, l->name);
    char *name = number ? region_format(r, "%s%s:%zu", net->name, l->name, number)
                        : region_format(r, "%s%s", net->name, l->name);
    if (!path || !name) {
        return out_of_memory(err);
    }
    net->t->name_bytes +=
        strlen(path) + strlen(name); /* models in models make long ones of short */
    if (net->t->name_bytes > TFJS_MAX_NAMES) {
        return error_set(err, STATUS_LIMIT, "the names of all layers take more than %d bytes",
                         TFJS_MAX_NAMES);
    }
    if (l->is_model) {
        network around = {.name = name, .path = path, .depth = net->depth};
        return build_model(net->t, &l->at, &around, inputs, outputs, err);
    }
    int *output = region_allocate(r, 1, sizeof *output);
    if (!output) {
        return out_of_memory(err);
    }
    tfjs_call call = {.name = name,
                      .path = path,
                      .class_name = l->class_name,
                      .config = l->config,
                      .inputs = inputs.list,
                      .input_count = inputs.count};
    status s = tfjs_layer_build(net->t, &call, output, err);
    if (s != STATUS_OK) {
        error_prefix(err, "layer '%s' (%s): ", name, l->class_name);
    }
    *outputs = (values){output, 1};
    return s;
}

static status check_input(const network *net, const layer *l, int v, error *err)
{
    json_cursor declared = tfjs_attribute(&l->config, "batch_input_shape");
    json_cursor newer = tfjs_attribute(&l->config, "batch_shape");
    declared = declared.value ? declared : newer;
    if (!reader_present(&declared)) {
        return STATUS_OK;
    }
    status s = tfjs_check_shape(&declared, net->t->graph->values[v].shape, err);
    if (s != STATUS_OK) {
        error_prefix(err, "layer '%s%s' (%s): ", net->name, l->name, l->class_name);
    }
    return s;
}

static status value_of(const network *net, const tensor_name *name, int *out, error *err)
{
    const layer *l = &net->layers[name->layer];
    const layer_call *call = &l->calls[name->call];
    if (name->tensor >= call->value_count) {
        return error_set(err, STATUS_MODEL, "output %zu of layer '%s%s' is used, but it has %zu",
                         name->tensor, net->name, l->name, call->value_count);
    }
    *out = call->values[name->tensor];
    return STATUS_OK;
}

static status gather(const network *net, const tensor_name *names, size_t count, values *out,
                     error *err)
{
    status s = STATUS_OK;
    int *list = region_allocate(net->t->scratch, count, sizeof *list);
    if (!list) {
        return out_of_memory(err);
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = value_of(net, &names[i], &list[i], err);
    }
    *out = (values){list, count};
    return s;
}

/* Copies the outputs: they belong to this call, whatever they alias. */
static status finish_call(network *net, layer *l, size_t number, error *err)
{
    layer_call *call = &l->calls[number];
    values inputs, outputs = {0};
    if (l->is_input) {
        return error_set(err, STATUS_MODEL, "layer '%s%s' is no input of its model", net->name,
                         l->name);
    }
    status s = gather(net, call->inputs, call->input_count, &inputs, err);
    if (s == STATUS_OK) {
        s = build_layer(net, l, number, inputs, &outputs, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    call->values = region_allocate(net->t->scratch, outputs.count, sizeof(int));
    if (!call->values) {
        return out_of_memory(err);
    }
    memcpy(call->values, outputs.list, outputs.count * sizeof(int));
    call->value_count = outputs.count;
    return STATUS_OK;
}

/* Builds a call after everything that it needs. `stack` has room for every call of the model. */
static status build_from(network *net, tensor_name start, tensor_name *stack, error *err)
{
    size_t depth = 0;
    status s = STATUS_OK;
    stack[depth++] = start;
    while (s == STATUS_OK && depth > 0) {
        layer *l = &net->layers[stack[depth - 1].layer];
        layer_call *call = &l->calls[stack[depth - 1].call];
        call->entered = true;
        if (call->values) {
            depth--;
        } else if (call->next == call->input_count) {
            s = finish_call(net, l, stack[depth - 1].call, err);
        } else {
            tensor_name input = call->inputs[call->next++];
            const layer_call *from = &net->layers[input.layer].calls[input.call];
            if (from->values) {
                continue;
            }
            if (from->entered) {
                return error_set(err, STATUS_MODEL, "layer '%s%s' needs its own output", net->name,
                                 net->layers[input.layer].name);
            }
            stack[depth++] = input;
        }
    }
    return s;
}

static status bind_inputs(network *net, const json_cursor *list, values inputs, error *err)
{
    tensor_name *names = NULL;
    size_t count = 0;
    status s = read_names(net, list, &names, &count, err);
    if (s == STATUS_OK && count != inputs.count) {
        s = reader_fail(list, STATUS_UNSUPPORTED, err,
                        "the model has %zu inputs, but %zu are given", count, inputs.count);
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        layer *l = &net->layers[names[i].layer];
        if (!l->is_input || names[i].call != 0 || names[i].tensor != 0 || l->calls[0].values) {
            return reader_fail(list, STATUS_MODEL, err, "'%s' is no input layer, or named twice",
                               l->name);
        }
        l->calls[0].values = region_allocate(net->t->scratch, 1, sizeof(int));
        if (!l->calls[0].values) {
            return out_of_memory(err);
        }
        l->calls[0].values[0] = inputs.list[i];
        l->calls[0].value_count = 1;
        s = check_input(net, l, inputs.list[i], err);
    }
    return s;
}

static status build_functional(network *net, const json_cursor *config, values inputs,
                               values *outputs, error *err)
{
    json_cursor list = tfjs_attribute(config, "layers");
    json_cursor input_list = tfjs_attribute(config, "input_layers");
    json_cursor output_list = tfjs_attribute(config, "output_layers");
    tensor_name *names = NULL, *stack = NULL;
    size_t count = 0;
    status s = read_layers(net, &list, err);
    for (size_t i = 0; s == STATUS_OK && i < net->layer_count; i++) {
        net->layers[i].first_call = TFJS_MAX_CALLS;
    }
    for (size_t i = 0; s == STATUS_OK && i < net->layer_count; i++) {
        s = read_calls(net, &net->layers[i], err);
    }
    if (s == STATUS_OK) {
        s = read_names(net, &output_list, &names, &count, err);
    }
    for (size_t i = 0; s == STATUS_OK && i < net->layer_count; i++) {
        for (size_t k = 0; s == STATUS_OK && k < net->layers[i].call_count; k++) {
            layer_call *call = &net->layers[i].calls[k];
            for (size_t n = 0; s == STATUS_OK && n < call->input_count; n++) {
                s = number_calls(net, &call->inputs[n], err);
            }
        }
    }
    if (s == STATUS_OK) {
        s = bind_inputs(net, &input_list, inputs, err);
    }
    if (s == STATUS_OK) {
        stack = region_allocate(net->t->scratch, net->call_count + 1, sizeof *stack);
        s = stack ? STATUS_OK : out_of_memory(err);
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        s = number_calls(net, &names[i], err);
        if (s == STATUS_OK) {
            s = build_from(net, names[i], stack, err);
        }
    }
    return s == STATUS_OK ? gather(net, names, count, outputs, err) : s;
}

static status build_sequential(network *net, const json_cursor *config, values inputs,
                               values *outputs, error *err)
{
    json_cursor list = json_is_array(config->value) ? *config : tfjs_attribute(config, "layers");
    status s = read_layers(net, &list, err);
    if (s == STATUS_OK && inputs.count != 1) {
        s = reader_fail(config, STATUS_MODEL, err,
                        "a Sequential model has 1 input, but %zu are given", inputs.count);
    }
    values current = inputs;
    for (size_t i = 0; s == STATUS_OK && i < net->layer_count; i++) {
        const layer *l = &net->layers[i];
        if (i == 0) {
            s = check_input(net, l, current.list[0], err);
        }
        if (s == STATUS_OK && !l->is_input) {
            values made = {0};
            s = build_layer(net, l, 0, current, &made, err);
            current = made;
        }
        if (s == STATUS_OK && current.count != 1) {
            s = reader_fail(&l->at, STATUS_MODEL, err,
                            "a layer of a Sequential model has %zu outputs", current.count);
        }
    }
    *outputs = current;
    return s;
}

static status build_model(tfjs_importer *t, const json_cursor *at, const network *around,
                          values inputs, values *outputs, error *err)
{
    const char *class_name;
    json_cursor class_at = tfjs_attribute(at, "class_name"), config = tfjs_attribute(at, "config");
    status s = reader_string(&class_at, TFJS_MAX_NAME, &class_name, err);
    if (s != STATUS_OK) {
        return s;
    }
    if (!is_model_class(class_name)) {
        return reader_fail(&class_at, STATUS_UNSUPPORTED, err,
                           "\"%s\" is no model: Model, Functional or Sequential", class_name);
    }
    if (around && around->depth >= TFJS_MAX_DEPTH) {
        return reader_fail(at, STATUS_LIMIT, err, "models nested more than %d deep",
                           TFJS_MAX_DEPTH);
    }
    network net = {.t = t, .name = "", .path = ""};
    if (around) {
        net.name = region_format(t->scratch, "%s/", around->name);
        net.path = region_format(t->scratch, "%s/", around->path);
        net.depth = around->depth + 1;
    }
    if (!net.name || !net.path) {
        return out_of_memory(err);
    }
    s = strcmp(class_name, "Sequential") == 0
            ? build_sequential(&net, &config, inputs, outputs, err)
            : build_functional(&net, &config, inputs, outputs, err);
    json_decref(net.by_name);
    return s;
}

/* The graph's input has the name of the model's input layer, or TensorFlow.js' name for one that a
 * Sequential model leaves out. */
static status input_name(tfjs_importer *t, const json_cursor *at, const char **out, error *err)
{
    json_cursor config = tfjs_attribute(at, "config");
    json_cursor inputs = tfjs_attribute(&config, "input_layers");
    json_cursor first_input = reader_item(&inputs, 0);
    json_cursor input =
        json_is_array(first_input.value) ? reader_item(&first_input, 0) : first_input;
    json_cursor layers = json_is_array(config.value) ? config : tfjs_attribute(&config, "layers");
    json_cursor first = reader_item(&layers, 0), first_config = tfjs_attribute(&first, "config"),
                outer = tfjs_attribute(&first, "name"),
                inner = tfjs_attribute(&first_config, "name");
    const char *class_name = json_string_value(tfjs_attribute(&first, "class_name").value);
    const char *name = json_string_value(outer.value ? outer.value : inner.value);
    if (json_is_string(input.value)) {
        *out = json_string_value(input.value);
    } else if (name && class_name && strcmp(class_name, "InputLayer") == 0) {
        *out = name;
    } else {
        *out = region_format(t->scratch, "%s_input", name ? name : "model");
    }
    return *out ? STATUS_OK : out_of_memory(err);
}

status tfjs_topology_build(tfjs_importer *t, const json_cursor *topology, error *err)
{
    const preprocess *p = &t->card->preprocess;
    uint32_t dim[] = {p->height, p->width, p->channels == CHANNELS_GRAY ? 1 : 3};
    json_cursor wrapped = tfjs_attribute(topology, "model_config");
    const json_cursor *network_at = reader_present(&wrapped) ? &wrapped : topology;
    const char *name;
    int input = GRAPH_NONE;
    values outputs = {0};
    json_cursor nodes = reader_member(topology, "node");
    if (json_is_array(nodes.value)) {
        return reader_fail(topology, STATUS_UNSUPPORTED, err,
                           "is a TensorFlow.js graph model; only layers models are supported");
    }
    status s = input_name(t, network_at, &name, err);
    if (s == STATUS_OK) {
        s = graph_add_value(t->graph, name, shape_make(3, dim), &input, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    t->graph->input = input;
    s = build_model(t, network_at, NULL, (values){&input, 1}, &outputs, err);
    return s == STATUS_OK ? graph_set_outputs(t->graph, outputs.list, outputs.count, err) : s;
}
