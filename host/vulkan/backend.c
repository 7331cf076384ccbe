/* The function table of the Vulkan device: create, submit, wait, answer, destroy. */
#include "engine/sampling.h"
#include "host/vulkan/check.h"
#include "host/vulkan/session.h"
#include "shaders/interface.h"

status session_of(backend *b, uint32_t slot_index, session **s, slot **t, error *err)
{
    session *found = (session *)b;
    if (slot_index >= found->slot_count) {
        (void)error_set(err, STATUS_ARGUMENT, "slot %u of %u", slot_index, found->slot_count);
        return STATUS_ARGUMENT;
    }
    *s = found;
    *t = &found->slots[slot_index];
    return device_alive(&found->dev, err);
}

status session_wait_fence(session *s, VkFence fence, uint64_t timeout_ns, error *err)
{
    const uint64_t bounded = timeout_ns < BACKEND_MAX_WAIT_NS ? timeout_ns : BACKEND_MAX_WAIT_NS;
    const VkResult r = s->dev.call.WaitForFences(s->dev.handle, 1, &fence, VK_TRUE, bounded);
    if (r == VK_TIMEOUT) {
        return error_set(err, STATUS_TIMEOUT, "%s has not finished within %.3f s",
                         s->dev.physical->properties.deviceName, (double)bounded * 1e-9);
    }
    return device_check(&s->dev, r, "vkWaitForFences", err);
}

static status session_submit(backend *b, uint32_t slot_index, const backend_request *request,
                             error *err)
{
    session *s = NULL;
    slot *t = NULL;
    status code = session_of(b, slot_index, &s, &t, err);
    if (code) {
        return code;
    }
    device *d = &s->dev;
    if (t->state == SLOT_IN_FLIGHT) {
        return error_set(err, STATUS_BUSY, "slot %u is in flight", slot_index);
    }
    t->state = SLOT_FREE;
    uint64_t bytes = 0;
    code = upload_request(s, t, request, &bytes, err);
    if (code) {
        return code;
    }
    VkCommandBuffer commands[2];
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pCommandBuffers = commands};
    if (t->pixels.host.handle || t->request.host.handle) {
        const uint32_t size = upload_size_index(bytes);
        code = record_upload(s, t, size, err);
        commands[info.commandBufferCount++] = t->upload[size];
    }
    if (!code) {
        code = record_run(s, t, t->batch, err);
        commands[info.commandBufferCount++] = t->run[t->batch - 1];
    }
    if (!code) {
        code = device_check(d, d->call.ResetFences(d->handle, 1, &t->fence), "vkResetFences", err);
    }
    if (!code) {
        code = device_check(d, d->call.QueueSubmit(d->queue, 1, &info, t->fence), "vkQueueSubmit",
                            err);
    }
    if (!code) {
        t->state = SLOT_IN_FLIGHT;
    }
    return code;
}

static status session_wait(backend *b, uint32_t slot_index, uint64_t timeout_ns, error *err)
{
    session *s = NULL;
    slot *t = NULL;
    status code = session_of(b, slot_index, &s, &t, err);
    if (code || t->state == SLOT_DONE) {
        return code;
    }
    if (t->state == SLOT_FREE) {
        return error_set(err, STATUS_ARGUMENT, "nothing was submitted to slot %u", slot_index);
    }
    code = session_wait_fence(s, t->fence, timeout_ns, err);
    if (!code) {
        code = results_receive(s, t, err);
    }
    if (!code) {
        t->state = SLOT_DONE;
    }
    return code;
}

static status finished_slot(backend *b, uint32_t slot_index, session **s, slot **t, error *err)
{
    const status code = session_of(b, slot_index, s, t, err);
    if (!code && (*t)->state != SLOT_DONE) {
        return error_set(err, STATUS_ARGUMENT, "slot %u has not been waited for", slot_index);
    }
    return code;
}

static status session_result(backend *b, uint32_t slot_index, uint32_t image, backend_result *out,
                             error *err)
{
    session *s = NULL;
    slot *t = NULL;
    const status code = finished_slot(b, slot_index, &s, &t, err);
    return code ? code : results_get(s, t, image, out, err);
}

/* Whether nothing else was put where the value's storage lies. */
static bool value_kept(const plan *p, int v)
{
    if (v < 0 || (size_t)v >= p->graph->value_count || p->value_buffer[v] == GRAPH_NONE) {
        return false;
    }
    bool kept = p->options.keep_all;
    for (size_t i = 0; !kept && p->options.keep_outputs && i < p->graph->output_count; i++) {
        kept = p->value_buffer[p->graph->outputs[i]] == p->value_buffer[v];
    }
    return kept;
}

static status session_read_value(backend *b, uint32_t slot_index, uint32_t image, int v,
                                 float *dense, error *err)
{
    session *s = NULL;
    slot *t = NULL;
    status code = finished_slot(b, slot_index, &s, &t, err);
    if (code) {
        return code;
    }
    if (image >= t->batch) {
        return error_set(err, STATUS_ARGUMENT, "picture %u of a batch of %u", image, t->batch);
    }
    if (!value_kept(s->plan, v)) {
        return error_set(err, STATUS_ARGUMENT, "value %d is not kept after the run", v);
    }
    const plan_buffer *storage = &s->plan->buffers[s->plan->value_buffer[v]];
    const arena_run run = {storage->offset * t->batch + image * storage->words, storage->words};
    const uint32_t *words = NULL;
    code = transfer_read_arena(s, t, &run, 1, &words, err);
    if (!code) {
        plan_unpack_value(s->plan, v, (const float *)(const void *)words, dense);
    }
    return code;
}

static void session_memory(backend *b, backend_memory *out)
{
    const session *s = (const session *)b;
    *out = (backend_memory){s->dev.device_bytes, s->dev.host_visible_bytes};
}

/* for all that was submitted */
static status work_wait(session *s)
{
    status code = STATUS_OK;
    for (uint32_t i = 0; !code && s->slots && i < s->slot_count; i++) {
        if (s->slots[i].state == SLOT_IN_FLIGHT) {
            code = session_wait_fence(s, s->slots[i].fence, BACKEND_MAX_WAIT_NS, NULL);
        }
    }
    return code ? code : transfer_wait(s, BACKEND_MAX_WAIT_NS, NULL);
}

/* Ends what is running. False when the device would not stop: then nothing of it may be freed.
 * Every wait ends: those for fences are capped, and one for the whole device is made only when it
 * was lost, where the specification has it return in finite time. */
static bool session_settle_down(session *s)
{
    enum {
        ATTEMPTS = 3
    }; /* a wait that fails, for want of memory say, tells nothing of the work */
    status code = STATUS_INTERNAL;
    for (int i = 0; code && code != STATUS_TIMEOUT && !s->dev.lost && i < ATTEMPTS; i++) {
        code = work_wait(s);
    }
    if (s->dev.lost) {
        (void)s->dev.call.DeviceWaitIdle(s->dev.handle);
    }
    return !code || s->dev.lost;
}

static void session_destroy(backend *b)
{
    session *s = (session *)b;
    if (!s) {
        return;
    }
    device *d = &s->dev;
    if (d->handle && !session_settle_down(s)) {
        log_write(s->log, LOG_device_lost, "%s does not finish its work; its memory is left to it",
                  d->physical->properties.deviceName);
        return;
    }
    for (uint32_t i = 0; s->slots && i < s->slot_count; i++) {
        slot_destroy(s, &s->slots[i]);
    }
    transfer_destroy(s);
    buffer_destroy(d, &s->weights);
    if (s->commands) {
        d->call.DestroyCommandPool(d->handle, s->commands, NULL);
    }
    if (s->descriptors) {
        d->call.DestroyDescriptorPool(d->handle, s->descriptors, NULL);
    }
    pipelines_destroy(d, &s->alloc, &s->pipes);
    pipeline_cache_destroy(d, &s->alloc, &s->cache);
    device_destroy(d);
    memory_release(&s->alloc, s->slots);
    memory_release(&s->alloc, s->candidates);
    const allocator alloc = s->alloc;
    memory_release(&alloc, s);
}

static const backend_functions session_functions = {
    .submit = session_submit,
    .wait = session_wait,
    .result = session_result,
    .read_value = session_read_value,
    .memory = session_memory,
    .destroy = session_destroy,
};

/* What the plan asks of this device for the largest batch. */
static status plan_check(const physical_device *gpu, const plan *p, uint32_t max_batch, error *err)
{
    const VkPhysicalDeviceLimits *l = &gpu->properties.limits;
    const uint64_t arena = p->arena_words * max_batch;
    if (p->arena_words > UINT32_MAX || arena > UINT32_MAX) {
        return error_set(err, STATUS_LIMIT,
                         "a batch of %u needs %llu words of arena; offsets have 32 bits", max_batch,
                         (unsigned long long)arena);
    }
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *step = &p->steps[i];
        const uint32_t *size = step->constants; /* the first three are the workgroup */
        uint64_t invocations = 1;
        for (int k = 0; k < 3; k++) {
            const uint64_t groups = (uint64_t)step->groups[k] * (k == 2 ? max_batch : 1);
            if (groups > l->maxComputeWorkGroupCount[k]) {
                return error_set(err, STATUS_LIMIT,
                                 "step %s: a batch of %u needs %llu workgroups in %c, %s runs %u",
                                 step->name, max_batch, (unsigned long long)groups, "xyz"[k],
                                 gpu -> properties.deviceName, l->maxComputeWorkGroupCount[k]);
            }
            invocations *= step->constant_count > (unsigned)k ? size[k] : 1;
        }
        if (invocations > l->maxComputeWorkGroupInvocations) {
            return error_set(err, STATUS_LIMIT, "step %s: workgroups of %llu, %s runs %u",
                             step->name, (unsigned long long)invocations,
                             gpu->properties.deviceName, l->maxComputeWorkGroupInvocations);
        }
        if (step->constant_count > PLAN_MAX_CONSTANTS || step->push_count > PLAN_MAX_PUSH ||
            (i && step->level < p->steps[i - 1].level)) {
            return error_set(err, STATUS_INTERNAL, "step %s of the plan is malformed", step->name);
        }
    }
    return STATUS_OK;
}

static status pools_create(session *s, error *err)
{
    device *d = &s->dev;
    const VkCommandPoolCreateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = d->physical->queue_family,
    };
    status code =
        device_check(d, d->call.CreateCommandPool(d->handle, &commands, NULL, &s->commands),
                     "vkCreateCommandPool", err);
    if (code) {
        s->commands = VK_NULL_HANDLE;
        return code;
    }
    const VkDescriptorPoolCreateInfo descriptors = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = s->slot_count,
        .poolSizeCount = 1,
        .pPoolSizes = &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                              s->slot_count * BINDING_COUNT},
    };
    code = device_check(
        d, d->call.CreateDescriptorPool(d->handle, &descriptors, NULL, &s->descriptors),
        "vkCreateDescriptorPool", err);
    if (code) {
        s->descriptors = VK_NULL_HANDLE;
    }
    return code;
}

static status session_build(session *s, const char *cache_dir, error *err)
{
    status code = pipeline_cache_create(&s->dev, &s->alloc, cache_dir, &s->cache, err);
    if (!code) {
        code = pipelines_create(&s->dev, &s->alloc, s->plan, s->cache.handle, &s->pipes, err);
    }
    if (!code) {
        pipeline_cache_store(&s->dev, &s->alloc, cache_dir, &s->cache);
        code = pools_create(s, err);
    }
    if (!code) {
        code = transfer_create(s, err);
    }
    for (uint32_t i = 0; !code && i < s->slot_count; i++) {
        code = slot_create(s, &s->slots[i], err);
    }
    return code;
}

status vulkan_backend_create(vulkan_instance *v, uint32_t index, const backend_params *params,
                             const plan *p, backend **out, error *err)
{
    *out = NULL;
    if (params->max_batch < 1 || params->slots < 1) {
        return error_set(err, STATUS_ARGUMENT, "a session needs a slot and a batch of at least 1");
    }
    if (params->preprocess->width > SAMPLING_MAX_TARGET ||
        params->preprocess->height > SAMPLING_MAX_TARGET) {
        return error_set(
            err, STATUS_LIMIT, "a network input of %ux%u pixels; a side has at most %d",
            params->preprocess->width, params->preprocess->height, SAMPLING_MAX_TARGET);
    }
    session *s = memory_allocate(params->alloc, 1, sizeof *s);
    if (!s) {
        return error_set(err, STATUS_MEMORY, "out of memory for a session");
    }
    s->base.call = &session_functions;
    s->alloc = *params->alloc;
    s->log = params->log;
    s->plan = p;
    s->preprocess = params->preprocess;
    s->head = params->head;
    s->max_batch = params->max_batch;
    s->slot_count = params->slots;
    if (s->head && p->result_words > RESULT_HEADER_WORDS) {
        s->capacity = (p->result_words - RESULT_HEADER_WORDS) / RESULT_DETECTION_WORDS;
    }
    status code = device_create(v, index, s->log, &s->dev, err);
    if (!code) {
        code = plan_check(s->dev.physical, p, s->max_batch, err);
    }
    if (!code) {
        s->slots = memory_allocate(&s->alloc, s->slot_count, sizeof *s->slots);
        if (s->head) {
            s->candidates =
                memory_allocate(&s->alloc, s->head->anchor_count, sizeof *s->candidates);
        }
        if (!s->slots || (s->head && !s->candidates)) {
            code = error_set(err, STATUS_MEMORY, "out of memory for %u slots", s->slot_count);
        }
    }
    if (!code) {
        code = session_build(s, params->cache_dir, err);
    }
    if (code) {
        session_destroy(&s->base);
        return code;
    }
    log_write(s->log, LOG_memory_bill,
              "%llu bytes on %s, %llu of all visible to the host: %u slots of %u pictures, arena "
              "%llu, weights %llu bytes",
              (unsigned long long)s->dev.device_bytes, s->dev.physical->properties.deviceName,
              (unsigned long long)s->dev.host_visible_bytes, s->slot_count, s->max_batch,
              (unsigned long long)p->arena_words * 4, (unsigned long long)p->weight_words * 4);
    *out = &s->base;
    return STATUS_OK;
}
