/* What is in a model, as JSON. */
#include "engine/passes.h"
#include "engine/plan.h"
#include "models/graph_json.h"
#include "models/model.h"

#include <jansson.h>
#include <string.h>

static uint64_t parameters_of(const graph *g, const node *n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n->weight_count; i++) {
        sum += n->weights[i] == GRAPH_NONE ? 0 : shape_elements(g->weights[n->weights[i]].shape);
    }
    return sum;
}

static json_t *layer_json(const graph *g, size_t index)
{
    const node *n = &g->nodes[index];
    char text[64];
    json_t *inputs = json_array();
    for (int i = 0; i < n->input_count; i++) {
        (void)json_array_append_new(inputs, json_string(g->values[n->inputs[i]].name));
    }
    shape_text(g->values[n->outputs[0]].shape, text);
    return json_pack("{s:I, s:s, s:s, s:o, s:s, s:s, s:I, s:I}", "index", (json_int_t)index, "name",
                     n->name, "class", op_name(n->op), "inputs", inputs, "shape", text,
                     "activation", n->act_count > 0 ? activation_name(n->act[0].kind) : "linear",
                     "parameters", (json_int_t)parameters_of(g, n), "macs",
                     (json_int_t)node_macs(g, n));
}

static json_t *outputs_json(const graph *g)
{
    json_t *list = json_array();
    for (size_t i = 0; i < g->output_count; i++) {
        const value *v = &g->values[g->outputs[i]];
        char text[64];
        shape_text(v->shape, text);
        (void)json_array_append_new(list, json_pack("{s:s, s:s}", "name", v->name, "shape", text));
    }
    return list;
}

static json_t *tensors_json(const model *m, json_t **sums)
{
    json_t *list = json_array();
    json_int_t count[2] = {0}, bytes[2] = {0};
    for (size_t i = 0; i < m->tensor_count; i++) {
        const tensor_entry *e = &m->tensors[i];
        char text[64];
        shape_text(e->shape, text);
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:I}", "name", e->name, "type",
                                                    e->half ? "F16" : "F32", "shape", text, "bytes",
                                                    (json_int_t)(e->end - e->begin)));
        count[e->half]++;
        bytes[e->half] += (json_int_t)(e->end - e->begin);
    }
    *sums = json_pack("{s:I, s:I, s:I, s:I}", "f32_tensors", count[0], "f32_bytes", bytes[0],
                      "f16_tensors", count[1], "f16_bytes", bytes[1]);
    return list;
}

/* What a session of default options takes on a device, in a precision: of each picture of a batch,
 * and once. Left out when no plan can be made of the network; false without memory. */
static bool add_plan(const model *m, plan_precision precision, const char *arena_key,
                     const char *weights_key, json_t *memory)
{
    graph *g = NULL;
    plan *p = NULL;
    error err = {0};
    const plan_options options = {.precision = precision,
                                  .keep_outputs = !m->card.detects,
                                  .max_detections =
                                      m->card.detects ? m->card.nms.max_detections : 0};
    status s = graph_clone(m->graph, &m->alloc, &g, &err);
    if (s == STATUS_OK) {
        s = passes_run(g, &err);
    }
    if (s == STATUS_OK) {
        s = plan_create(&m->alloc, g, &m->card.preprocess, m->card.detects ? &m->head : NULL,
                        &options, &p, &err);
    }
    if (s == STATUS_OK) {
        (void)json_object_set_new(memory, arena_key, json_integer((json_int_t)p->arena_words * 4));
        (void)json_object_set_new(memory, weights_key,
                                  json_integer((json_int_t)p->weight_words * 4));
    }
    plan_destroy(p);
    graph_destroy(g);
    return s != STATUS_MEMORY;
}

static json_t *memory_json(const model *m, uint64_t parameters)
{
    const graph *g = m->graph;
    uint64_t largest = 0, all = 0, weight_bytes = parameters * sizeof(float);
    uint64_t anchor_bytes = (uint64_t)m->head.anchor_count * 4 * sizeof(float);
    for (size_t i = 0; i < g->value_count; i++) {
        uint64_t bytes = shape_elements(g->values[i].shape) * sizeof(float);
        all += bytes;
        largest = bytes > largest ? bytes : largest;
    }
    json_t *memory =
        json_pack("{s:I, s:I, s:I, s:I}", "weight_bytes", (json_int_t)weight_bytes,
                  "activation_bytes_unshared", (json_int_t)all, "largest_activation_bytes",
                  (json_int_t)largest, "anchor_bytes", (json_int_t)anchor_bytes);
    if (memory &&
        add_plan(m, PLAN_FP32, "fp32_arena_bytes_per_image", "fp32_packed_weight_bytes", memory) &&
        add_plan(m, PLAN_FP16, "fp16_arena_bytes_per_image", "fp16_packed_weight_bytes", memory)) {
        return memory;
    }
    json_decref(memory);
    return NULL;
}

static json_t *model_json(const model *m)
{
    const graph *g = m->graph;
    uint64_t macs = 0, flops = 0, parameters = 0;
    json_t *layers = json_array(), *stored = NULL, *tensors = tensors_json(m, &stored);
    char input[64];
    for (size_t i = 0; i < g->node_count; i++) {
        (void)json_array_append_new(layers, layer_json(g, i));
        macs += node_macs(g, &g->nodes[i]);
        flops += node_flops(g, &g->nodes[i]);
    }
    for (size_t i = 0; i < g->weight_count; i++) {
        parameters += shape_elements(g->weights[i].shape);
    }
    shape_text(g->values[g->input].shape, input);
    return json_pack("{s:o, s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "card",
                     json_loads(m->card_json, 0, NULL), "file_bytes", (json_int_t)m->file_bytes,
                     "sha256", m->digest, "input", input, "outputs", outputs_json(g), "parameters",
                     (json_int_t)parameters, "macs", (json_int_t)macs, "flops", (json_int_t)flops,
                     "stored", stored, "memory", memory_json(m, parameters), "layers", layers,
                     "tensors", tensors);
}

status model_describe(const model *m, char **json, error *err)
{
    json_t *root = model_json(m);
    const size_t flags = JSON_INDENT(1) | JSON_REAL_PRECISION(9);
    size_t size = root ? json_dumpb(root, NULL, 0, flags) : 0;
    char *text = size ? memory_allocate(&m->alloc, size + 1, 1) : NULL;
    if (text) {
        (void)json_dumpb(root, text, size, flags);
    }
    json_decref(root);
    if (!text) {
        return error_set(err, STATUS_MEMORY, "out of memory for a description");
    }
    *json = text;
    return STATUS_OK;
}
