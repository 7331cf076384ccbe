/* vkdet_model_plan: the plan as JSON. */
#include "host/api/plan_report.h"
#include "host/api/text.h"

static json_t *buffer_names(const plan *p, const int *buffers, uint32_t count)
{
    json_t *names = json_array();
    for (uint32_t i = 0; i < count; i++) {
        (void)json_array_append_new(names, json_string(p->buffers[buffers[i]].name));
    }
    return names;
}

static json_t *step_json(const plan *p, size_t index)
{
    const plan_step *s = &p->steps[index];
    uint32_t groups[3];
    (void)plan_step_groups(p, s, 1, groups);
    return json_pack(
        "{s:I, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:[I,I,I], s:o, s:o, s:I, s:I, s:I, s:I}",
        "index", (json_int_t)index, "name", s->name, "kernel", kernel_name(s->kernel), "shader",
        s->shader, "variant", s->variant ? s->variant : "", "variant_index",
        (json_int_t)s->variant_index, "variant_count", (json_int_t)s->variant_count, "level",
        (json_int_t)s->level, "groups", (json_int_t)groups[0], (json_int_t)groups[1],
        (json_int_t)groups[2], "reads", buffer_names(p, s->reads, s->read_count), "writes",
        buffer_names(p, s->writes, s->write_count), "flops", (json_int_t)s->flops, "bytes_read",
        (json_int_t)s->bytes_read, "bytes_written", (json_int_t)s->bytes_written, "weight_bytes",
        (json_int_t)s->weight_bytes);
}

static json_int_t bytes_of(uint64_t words)
{
    return (json_int_t)words * 4;
}

static json_t *buffer_json(const plan *p, size_t index)
{
    const plan_buffer *b = &p->buffers[index];
    char shape_string[64] = "";
    if (b->value != GRAPH_NONE) {
        shape_text(p->graph->values[b->value].shape, shape_string);
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:[I,I]}", "name", b->name, "shape",
                     shape_string, "element", b->element == ELEMENT_F16 ? "f16" : "f32",
                     "offset_bytes", bytes_of(b->offset), "bytes", bytes_of(b->words),
                     "pixel_stride", (json_int_t)b->pixel_stride, "levels",
                     (json_int_t)b->first_level, (json_int_t)b->last_level);
}

static json_t *plan_json(const plan *p, const model *m, const vkdet_device_info *device,
                         vkdet_precision precision, const backend_params *session,
                         const backend_memory *memory)
{
    const json_int_t batch = session->max_batch;
    json_t *steps = json_array(), *buffers = json_array();
    uint64_t flops = 0, bytes = 0;
    bool whole = true;
    for (size_t i = 0; i < p->step_count; i++) {
        whole = json_array_append_new(steps, step_json(p, i)) == 0 && whole;
        flops += p->steps[i].flops;
        bytes += p->steps[i].bytes_read + p->steps[i].bytes_written;
    }
    for (size_t i = 0; i < p->buffer_count; i++) {
        whole = json_array_append_new(buffers, buffer_json(p, i)) == 0 && whole;
    }
    if (!whole) { /* out of memory: better no report than one with a hole */
        json_decref(steps);
        json_decref(buffers);
        return NULL;
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
        "model", m->card.name, "device", device->id, "device_name", device->name, "precision",
        vkdet_precision_name(precision), "batch", batch, "slots", (json_int_t)session->slots,
        "levels", (json_int_t)p->level_count, "flops_per_image", (json_int_t)flops,
        "activation_bytes_per_image", (json_int_t)bytes, "arena_bytes_per_image",
        bytes_of(p->arena_words), "arena_bytes", batch * bytes_of(p->arena_words), "weight_bytes",
        bytes_of(p->weight_words), "result_bytes_per_image", bytes_of(p->result_words),
        "device_bytes", (json_int_t)memory->device_bytes, "host_visible_bytes",
        (json_int_t)memory->host_visible_bytes, "steps", steps, "buffers", buffers);
}

/* The report of a prepared model; NULL, and STATUS_OK, when memory for the text ran out. */
static status report(vkdet_context *context, const model *m, const prepared *ready,
                     const backend_params *session, json_t **out, error *err)
{
    const vkdet_device_info *device = &ready->device.info;
    backend_memory memory;
    if (ready->device.vulkan_index >= 0) {
        vulkan_session_bill(context->vulkan, (uint32_t)ready->device.vulkan_index, ready->plan,
                            session->max_batch, session->slots, &memory);
        *out = plan_json(ready->plan, m, device, ready->precision, session, &memory);
        return STATUS_OK;
    }
    backend *b = NULL;
    backend_params params = *session;
    const status code = prepared_backend(context, m, ready, &params, &b, err);
    if (code == STATUS_OK) {
        b->call->memory(b, &memory);
        *out = device->kind == VKDET_DEVICE_CPU
                   ? plan_report_cpu(b, m, ready, session)
                   : plan_json(ready->plan, m, device, ready->precision, session, &memory);
        b->call->destroy(b);
    }
    return code;
}

vkdet_status vkdet_model_plan(vkdet_context *context, const vkdet_model *handle,
                              const vkdet_plan_params *params, char **json)
{
    error err = {0};
    const vkdet_plan_params wanted = params ? *params : (vkdet_plan_params){0};
    if (!context || !handle || !json) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_model_plan: an argument is NULL"));
    }
    *json = NULL;
    prepared ready;
    const card *c = &handle->model->card;
    const uint32_t anchors = handle->model->head.anchor_count, most = c->nms.max_detections;
    plan_options options = {.max_detections = !c->detects      ? 0
                                              : most < anchors ? most
                                                               : anchors,
                            .batch = wanted.batch,
                            .keep_outputs = !c->detects};
    if (wanted.slots > SESSION_MAX_SLOTS || wanted.batch > API_MAX_BATCH) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "a batch of %u in %u slots: at most %d in %d",
                            wanted.batch, wanted.slots, API_MAX_BATCH, SESSION_MAX_SLOTS));
    }
    status code = prepared_create(context, handle->model, wanted.device, wanted.precision,
                                  wanted.winograd, &options, &ready, &err);
    char folder[4096];
    const backend_params session = {
        .max_batch = wanted.batch ? wanted.batch : 1,
        .slots = wanted.slots ? wanted.slots : SESSION_DEFAULT_SLOTS,
        .max_detections = options.max_detections,
        .keep_outputs = options.keep_outputs,
        .cache_dir = cache_dir_choose(wanted.cache_dir, folder, sizeof folder),
    };
    if (code == STATUS_OK) {
        code = prepared_tune(context, handle->model, &session, wanted.tune, true, &ready, &err);
    }
    json_t *document = NULL;
    if (code == STATUS_OK) {
        code = report(context, handle->model, &ready, &session, &document, &err);
    }
    if (code == STATUS_OK) {
        code = text_from_json(&context->alloc, document, json, &err);
    }
    prepared_destroy(&ready);
    return api_return(&err, code);
}
