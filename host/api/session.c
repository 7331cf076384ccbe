/* Sessions: everything is planned, built and allocated here, so that detect.c only runs it. */
#include "host/api/session.h"

#include <string.h>

enum { MAX_THREADS = 1024 };

static status check_params(const model *m, const vkdet_session_params *p, vkdet_session *s,
                           error *err)
{
    s->max_batch = p->max_batch ? p->max_batch : 1;
    s->slot_count = p->slots ? p->slots : SESSION_DEFAULT_SLOTS;
    if (s->max_batch > API_MAX_BATCH) {
        return error_set(err, STATUS_ARGUMENT, "max_batch %u: at most %d", s->max_batch,
                         API_MAX_BATCH);
    }
    if (s->slot_count > SESSION_MAX_SLOTS) {
        return error_set(err, STATUS_ARGUMENT, "slots %u: at most %d", s->slot_count,
                         SESSION_MAX_SLOTS);
    }
    if (p->threads > MAX_THREADS) {
        return error_set(err, STATUS_ARGUMENT, "threads %u: at most %d", p->threads, MAX_THREADS);
    }
    s->keep_outputs = p->keep_outputs != 0;
    if (!m->card.detects) {
        if (!s->keep_outputs) {
            return error_set(err, STATUS_MODEL,
                             "model \"%s\" is a classifier: it has no boxes to detect; only its "
                             "raw outputs can be had",
                             m->card.name);
        }
        return STATUS_OK;
    }
    s->capacity = p->max_detections ? p->max_detections : m->card.nms.max_detections;
    if (s->capacity > m->head.anchor_count) {
        s->capacity = m->head.anchor_count;
    }
    return STATUS_OK;
}

static status allocate_slots(vkdet_session *s, error *err)
{
    const allocator *a = &s->context->alloc;
    s->slots = memory_allocate(a, s->slot_count, sizeof *s->slots);
    s->images = memory_allocate(a, s->max_batch, sizeof *s->images);
    if (!s->slots || !s->images) {
        return error_set(err, STATUS_MEMORY, "out of memory for a session");
    }
    for (uint32_t i = 0; i < s->slot_count; i++) {
        session_slot *slot = &s->slots[i];
        size_t detections;
        if (!checked_multiply(s->max_batch, s->capacity ? s->capacity : 1, &detections)) {
            return error_set(err, STATUS_MEMORY, "out of memory for results");
        }
        slot->sizes = memory_allocate(a, s->max_batch, sizeof *slot->sizes);
        slot->results = memory_allocate(a, s->max_batch, sizeof *slot->results);
        slot->detections = memory_allocate(a, detections, sizeof *slot->detections);
        if (!slot->sizes || !slot->results || !slot->detections) {
            return error_set(err, STATUS_MEMORY, "out of memory for results");
        }
    }
    return STATUS_OK;
}

static status build(vkdet_session *s, const vkdet_session_params *p, error *err)
{
    plan_options options = {
        .keep_outputs = s->keep_outputs, .batch = s->max_batch, .max_detections = s->capacity};
    status code = prepared_create(s->context, s->model, p->device, p->precision, p->winograd,
                                  &options, &s->ready, err);
    if (code != STATUS_OK) {
        return code;
    }
    char folder[4096];
    backend_params params = {
        .max_batch = s->max_batch,
        .slots = s->slot_count,
        .max_detections = s->capacity,
        .keep_outputs = s->keep_outputs,
        .cache_dir = cache_dir_choose(p->cache_dir, folder, sizeof folder),
        .threads = p->threads,
    };
    code = prepared_tune(s->context, s->model, &params, p->tune, false, &s->ready, err);
    if (code != STATUS_OK) {
        return code;
    }
    code = prepared_backend(s->context, s->model, &s->ready, &params, &s->backend, err);
    s->graph = params.graph;
    if (code == STATUS_OK) {
        code = known_answer_check(s->context, s->model, &s->ready, params.cache_dir, err);
    }
    return code;
}

vkdet_status vkdet_session_create(vkdet_context *context, const vkdet_model *model_handle,
                                  const vkdet_session_params *params, vkdet_session **out)
{
    error err = {0};
    if (!context || !model_handle || !out) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_session_create: an argument is NULL"));
    }
    *out = NULL;
    vkdet_session_params p = params ? *params : (vkdet_session_params){0};
    vkdet_session *s = memory_allocate(&context->alloc, 1, sizeof *s);
    if (!s) {
        return api_return(&err, error_set(&err, STATUS_MEMORY, "out of memory for a session"));
    }
    s->context = context;
    s->model = model_handle->model;
    s->last_slot = UINT32_MAX;
    status code = check_params(s->model, &p, s, &err);
    if (code == STATUS_OK) {
        code = allocate_slots(s, &err);
    }
    if (code == STATUS_OK) {
        code = build(s, &p, &err);
    }
    if (code != STATUS_OK) {
        vkdet_session_destroy(s);
        return api_return(&err, code);
    }
    *out = s;
    return VKDET_OK;
}

void vkdet_session_destroy(vkdet_session *s)
{
    if (!s) {
        return;
    }
    const allocator a = s->context->alloc;
    if (s->backend) {
        s->backend->call->destroy(s->backend);
    }
    prepared_destroy(&s->ready);
    for (uint32_t i = 0; s->slots && i < s->slot_count; i++) {
        memory_release(&a, s->slots[i].sizes);
        memory_release(&a, s->slots[i].results);
        memory_release(&a, s->slots[i].detections);
    }
    memory_release(&a, s->slots);
    memory_release(&a, s->images);
    memory_release(&a, s->all_results);
    memory_release(&a, s->all_detections);
    memory_release(&a, s);
}

void vkdet_session_device(const vkdet_session *session, vkdet_device_info *out)
{
    *out = session->ready.device.info;
}

vkdet_precision vkdet_session_precision(const vkdet_session *session)
{
    return session->ready.precision;
}

void vkdet_session_memory_get(const vkdet_session *session, vkdet_session_memory *out)
{
    const bool planned = session->ready.device.vulkan_index >= 0;
    backend_memory bytes = {0};
    session->backend->call->memory(session->backend, &bytes);
    *out = (vkdet_session_memory){
        .device_bytes = bytes.device_bytes,
        .host_visible_bytes = bytes.host_visible_bytes,
        .arena_bytes = planned ? session->ready.plan->arena_words * 4 : bytes.arena_bytes,
        .weight_bytes = planned ? session->ready.plan->weight_words * 4 : bytes.weight_bytes,
    };
}
