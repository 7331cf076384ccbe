/* The function table of the Vulkan device: create, submit, wait, answer, destroy. */
#include "engine/sampling.h"
#include "host/clock.h"
#include "host/vulkan/check.h"
#include "host/vulkan/profile.h"
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

/* A thread that sleeps is woken some time after the device is done, which a picture alone would
 * feel: so for a while a GPU is asked over and over. A software driver needs the processor itself.
 */
static VkResult fence_wait(const session *s, VkFence fence, uint64_t timeout_ns)
{
    enum { ASK_NS = 500000 };
    const device *d = &s->dev;
    const bool software = d->physical->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    const uint64_t asking = software ? 0 : timeout_ns < ASK_NS ? timeout_ns : ASK_NS;
    const uint64_t began = clock_ns();
    VkResult r = VK_TIMEOUT;
    while (r == VK_TIMEOUT && clock_ns() - began < asking) {
        r = d->call.WaitForFences(d->handle, 1, &fence, VK_TRUE, 0);
    }
    return r == VK_TIMEOUT
               ? d->call.WaitForFences(d->handle, 1, &fence, VK_TRUE, timeout_ns - asking)
               : r;
}

status session_wait_fence(session *s, VkFence fence, uint64_t timeout_ns, error *err)
{
    const uint64_t bounded = timeout_ns < BACKEND_MAX_WAIT_NS ? timeout_ns : BACKEND_MAX_WAIT_NS;
    const VkResult r = fence_wait(s, fence, bounded);
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
    code = profiler_wait(s, BACKEND_MAX_WAIT_NS, err);
    if (!code) {
        code = upload_request(s, t, request, &bytes, err);
    }
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
    *out = (backend_memory){.device_bytes = s->dev.device_bytes,
                            .host_visible_bytes = s->dev.host_visible_bytes};
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
    if (!code) {
        code = profiler_wait(s, BACKEND_MAX_WAIT_NS, NULL);
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

/* Gives up what was made for the plan; nothing is in flight. */
static void session_clear(session *s)
{
    device *d = &s->dev;
    for (uint32_t i = 0; s->slots && i < s->slot_count; i++) {
        slot_destroy(s, &s->slots[i]);
    }
    transfer_destroy(s);
    profiler_destroy(s);
    buffer_destroy(d, &s->weights);
    if (s->commands) {
        d->call.DestroyCommandPool(d->handle, s->commands, NULL);
        s->commands = VK_NULL_HANDLE;
    }
    if (s->descriptors) {
        d->call.DestroyDescriptorPool(d->handle, s->descriptors, NULL);
        s->descriptors = VK_NULL_HANDLE;
    }
    pipelines_destroy(d, &s->alloc, &s->pipes);
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
    session_clear(s);
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
    .step_count = profiler_step_count,
    .step = profiler_step,
    .profile = profiler_profile,
    .repeat = profiler_repeat,
    .destroy = session_destroy,
};

/* What the plan asks of this device for the largest batch. */
static status plan_check(const physical_device *gpu, const plan *p, uint32_t max_batch, error *err)
{
    const VkPhysicalDeviceLimits *l = &gpu->properties.limits;
    const uint64_t arena = p->arena_words * max_batch;
    const uint64_t most = p->options.precision == PLAN_FP16 ? UINT32_MAX / 2 : UINT32_MAX;
    if (p->arena_words > most || arena > most) {
        return error_set(err, STATUS_LIMIT,
                         "a batch of %u needs %llu words of arena; offsets have 32 bits", max_batch,
                         (unsigned long long)arena);
    }
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *step = &p->steps[i];
        const uint32_t *size = step->constants; /* the first three are the workgroup */
        uint32_t groups[3];
        if (!plan_step_groups(p, step, max_batch, groups)) {
            return error_set(err, STATUS_LIMIT,
                             "step %s: a batch of %u needs more workgroups than %s runs",
                             step->name, max_batch, gpu->properties.deviceName);
        }
        uint64_t invocations = 1;
        for (unsigned k = 0; k < 3; k++) {
            invocations *= step->constant_count > k ? size[k] : 1;
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

/* What the plan needs on the device. */
static status session_build(session *s, error *err)
{
    status code = plan_check(s->dev.physical, s->plan, s->max_batch, err);
    if (!code) {
        code = pipelines_create(&s->dev, &s->alloc, s->plan, s->cache.handle, &s->pipes, err);
    }
    if (!code) {
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

status session_replan(session *s, const plan *p, error *err)
{
    if (!session_settle_down(s)) {
        return error_set(err, STATUS_TIMEOUT, "%s does not finish its work",
                         s->dev.physical->properties.deviceName);
    }
    const status code = device_alive(&s->dev, err);
    if (code) {
        return code;
    }
    session_clear(s);
    s->plan = p;
    return session_build(s, err);
}

status vulkan_backend_create(const vulkan_instance *v, uint32_t index, const backend_params *params,
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
        code = pipeline_cache_create(&s->dev, &s->alloc, params->cache_dir, &s->cache, err);
    }
    if (!code) {
        code = session_build(s, err);
    }
    if (!code && s->dev.physical->quirks & QUIRK_COMPILES_LATE) {
        code = compile_ahead(v, index, params, COMPILING_NS, s, err);
    }
    if (code) {
        session_destroy(&s->base);
        return code;
    }
    pipeline_cache_store(&s->dev, &s->alloc, params->cache_dir, &s->cache);
    log_write(s->log, LOG_memory_bill,
              "%llu bytes on %s, %llu of all visible to the host: %u slots of %u pictures, arena "
              "%llu, weights %llu bytes",
              (unsigned long long)s->dev.device_bytes, s->dev.physical->properties.deviceName,
              (unsigned long long)s->dev.host_visible_bytes, s->slot_count, s->max_batch,
              (unsigned long long)p->arena_words * 4, (unsigned long long)p->weight_words * 4);
    *out = &s->base;
    return STATUS_OK;
}
