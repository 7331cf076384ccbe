/* Measuring a session: timestamps around every step, and the same commands over and over.
 *
 * Nothing here runs, and nothing is recorded or allocated, unless it is asked for; the commands of
 * the normal path stay as they are. Fences of its own keep what is measured apart from the slots:
 * one that a wait ran out on stays pending, and whatever comes next waits for it first. */
#include "host/vulkan/profile.h"

#include "host/clock.h"
#include "host/vulkan/check.h"

/* Queries: before and after a whole run, then before the first step and after each. */
enum { QUERY_RUN = 0, QUERY_STEPS = 2 };

static uint32_t query_count(const session *s)
{
    return QUERY_STEPS + (uint32_t)s->plan->step_count + 1;
}

static status fences_create(session *s, error *err)
{
    device *d = &s->dev;
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    status code = STATUS_OK;
    for (uint32_t i = 0; !code && i < PROFILER_FENCES; i++) {
        VkFence *fence = &s->profiler.fences[i];
        if (!*fence) {
            code = device_check(d, d->call.CreateFence(d->handle, &info, NULL, fence),
                                "vkCreateFence", err);
            *fence = code ? VK_NULL_HANDLE : *fence;
        }
    }
    return code;
}

static status commands_allocate(session *s, uint32_t count, VkCommandBuffer *out, error *err)
{
    device *d = &s->dev;
    const VkCommandBufferAllocateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = s->commands,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = count,
    };
    return device_check(d, d->call.AllocateCommandBuffers(d->handle, &info, out),
                        "vkAllocateCommandBuffers", err);
}

static status clock_create(session *s, error *err)
{
    device *d = &s->dev;
    profiler *p = &s->profiler;
    status code = STATUS_OK;
    if (!p->has_commands) {
        code = commands_allocate(s, PROFILER_COMMANDS, p->commands, err);
        p->has_commands = !code;
    }
    if (!code && !p->queries) {
        const VkQueryPoolCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_TIMESTAMP,
            .queryCount = query_count(s),
        };
        code = device_check(d, d->call.CreateQueryPool(d->handle, &info, NULL, &p->queries),
                            "vkCreateQueryPool", err);
        p->queries = code ? VK_NULL_HANDLE : p->queries;
    }
    return code;
}

static status repeats_create(session *s, error *err)
{
    profiler *p = &s->profiler;
    if (p->repeats) {
        return STATUS_OK;
    }
    VkCommandBuffer *made = memory_allocate(&s->alloc, s->slot_count, sizeof(VkCommandBuffer));
    if (!made) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u command buffers", s->slot_count);
    }
    const status code = commands_allocate(s, s->slot_count, made, err);
    if (code) {
        memory_release(&s->alloc, made);
        return code;
    }
    p->repeats = made;
    return STATUS_OK;
}

/* command buffers go with their pool */
void profiler_destroy(session *s)
{
    device *d = &s->dev;
    profiler *p = &s->profiler;
    for (uint32_t i = 0; i < PROFILER_FENCES; i++) {
        if (p->fences[i]) {
            d->call.DestroyFence(d->handle, p->fences[i], NULL);
        }
    }
    if (p->queries) {
        d->call.DestroyQueryPool(d->handle, p->queries, NULL);
    }
    memory_release(&s->alloc, p->repeats);
    *p = (profiler){0};
}

static status fence_wait(session *s, uint32_t fence, uint64_t timeout_ns, error *err)
{
    profiler *p = &s->profiler;
    status code = STATUS_OK;
    if (p->pending[fence]) {
        code = session_wait_fence(s, p->fences[fence], timeout_ns, err);
        p->pending[fence] = code != STATUS_OK;
    }
    return code;
}

status profiler_wait(session *s, uint64_t timeout_ns, error *err)
{
    status code = STATUS_OK;
    for (uint32_t i = 0; !code && i < PROFILER_FENCES; i++) {
        code = fence_wait(s, i, timeout_ns, err);
    }
    return code;
}

/* waits for what the fence was last used for, then submits */
static status submit(session *s, const VkCommandBuffer *commands, uint32_t count, uint32_t fence,
                     error *err)
{
    device *d = &s->dev;
    profiler *p = &s->profiler;
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = count,
        .pCommandBuffers = commands,
    };
    status code = fence_wait(s, fence, BACKEND_MAX_WAIT_NS, err);
    if (!code) {
        code = device_check(d, d->call.ResetFences(d->handle, 1, &p->fences[fence]),
                            "vkResetFences", err);
    }
    if (!code) {
        code = device_check(d, d->call.QueueSubmit(d->queue, 1, &info, p->fences[fence]),
                            "vkQueueSubmit", err);
        p->pending[fence] = !code;
    }
    return code;
}

/* *host_ns, when not NULL: how long it took by the host's clock */
static status submit_and_wait(session *s, const VkCommandBuffer *commands, uint32_t count,
                              uint64_t *host_ns, error *err)
{
    const uint64_t started = clock_ns();
    status code = submit(s, commands, count, 0, err);
    if (!code) {
        code = fence_wait(s, 0, BACKEND_MAX_WAIT_NS, err);
    }
    if (host_ns) {
        *host_ns = clock_ns() - started;
    }
    return code;
}

/* The device is there, nothing is in flight, and the slots give up what they held. */
static status begin(session *s, error *err)
{
    status code = device_alive(&s->dev, err);
    for (uint32_t i = 0; !code && i < s->slot_count; i++) {
        if (s->slots[i].state == SLOT_IN_FLIGHT) {
            code = error_set(err, STATUS_BUSY, "slot %u is in flight", i);
        }
    }
    if (!code) {
        code = fences_create(s, err);
    }
    if (!code) {
        code = profiler_wait(s, BACKEND_MAX_WAIT_NS, err);
    }
    for (uint32_t i = 0; !code && i < s->slot_count; i++) {
        s->slots[i].state = SLOT_FREE;
    }
    return code;
}

/* the request to where the kernels find it, for every run that follows */
static status resident(session *s, slot *t, const backend_request *request, error *err)
{
    uint64_t bytes = 0;
    status code = upload_request(s, t, request, &bytes, err);
    if (!code && (t->pixels.host.handle || t->request.host.handle)) {
        const uint32_t size = upload_size_index(bytes);
        code = record_upload(s, t, size, err);
        if (!code) {
            code = submit_and_wait(s, &t->upload[size], 1, NULL, err);
        }
    }
    return code;
}

/* --- timestamps --- */

static status clock_record(session *s, uint32_t which, error *err)
{
    device *d = &s->dev;
    const profiler *p = &s->profiler;
    const VkCommandBuffer c = p->commands[which];
    const slot *t = &s->slots[0];
    status code = record_begin(s, c, 0, err);
    if (code) {
        return code;
    }
    if (which == PROFILER_BEGIN) {
        d->call.CmdResetQueryPool(c, p->queries, QUERY_RUN, 2);
        d->call.CmdWriteTimestamp(c, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, p->queries, QUERY_RUN);
    } else if (which == PROFILER_END) {
        d->call.CmdWriteTimestamp(c, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->queries,
                                  QUERY_RUN + 1);
    } else {
        d->call.CmdResetQueryPool(c, p->queries, QUERY_STEPS, (uint32_t)s->plan->step_count + 1);
        record_steps(s, t, c, t->batch, &(record_clock){p->queries, QUERY_STEPS});
    }
    return record_end(s, c, err);
}

/* `count` timestamps from the first on, as nanoseconds after the first; a counter of fewer than 64
 * bits may have begun anew in between. Some drivers lose timestamps, or count in other units than
 * they say: what is longer than the host saw, or goes backwards, is not passed on. */
static status clock_read(session *s, uint32_t first, uint32_t count, uint64_t host_ns, uint64_t *ns,
                         error *err)
{
    device *d = &s->dev;
    const uint32_t bits = d->physical->timestamp_bits;
    const uint64_t mask = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
    const double period = (double)d->physical->properties.limits.timestampPeriod;
    const double most = 1.1 * (double)host_ns + 1e6;
    const VkResult r =
        d->call.GetQueryPoolResults(d->handle, s->profiler.queries, first, count,
                                    count * sizeof *ns, ns, sizeof *ns, VK_QUERY_RESULT_64_BIT);
    status code = r > 0 ? error_set(err, STATUS_DEVICE, "vkGetQueryPoolResults: %s (%d)",
                                    vulkan_result_name(r), (int)r)
                        : device_check(d, r, "vkGetQueryPoolResults", err);
    uint64_t before = ns[0];
    double since = 0;
    for (uint32_t i = 0; !code && i < count; i++) {
        since += (double)((ns[i] - before) & mask) * period;
        if (since > most) {
            return error_set(err, STATUS_DEVICE,
                             "%s keeps time wrongly: its timestamps are %.6f s apart, in what took "
                             "%.6f s",
                             d->physical->properties.deviceName, since * 1e-9,
                             (double)host_ns * 1e-9);
        }
        before = ns[i];
        ns[i] = (uint64_t)since;
    }
    return code;
}

static status run_time(session *s, uint64_t *total_ns, error *err)
{
    const slot *t = &s->slots[0];
    const VkCommandBuffer *c = s->profiler.commands;
    const VkCommandBuffer all[] = {c[PROFILER_BEGIN], t->run[t->batch - 1], c[PROFILER_END]};
    uint64_t ns[2] = {0};
    uint64_t host_ns = 0;
    status code = submit_and_wait(s, all, 3, &host_ns, err);
    if (!code) {
        code = clock_read(s, QUERY_RUN, 2, host_ns, ns, err);
    }
    if (!code) {
        *total_ns = ns[1];
    }
    return code;
}

/* scratch: a number more than there are steps */
static status run_steps(session *s, uint64_t *scratch, uint64_t *step_ns, error *err)
{
    const uint32_t steps = (uint32_t)s->plan->step_count;
    uint64_t host_ns = 0;
    status code = submit_and_wait(s, &s->profiler.commands[PROFILER_STEPS], 1, &host_ns, err);
    if (!code) {
        code = clock_read(s, QUERY_STEPS, steps + 1, host_ns, scratch, err);
    }
    for (uint32_t i = 0; !code && i < steps; i++) {
        step_ns[i] = scratch[i + 1] - scratch[i];
    }
    return code;
}

status profiler_profile(backend *b, const backend_request *request, uint32_t runs,
                        uint64_t *step_ns, uint64_t *total_ns, error *err)
{
    session *s = (session *)b;
    slot *t = &s->slots[0];
    const size_t steps = s->plan->step_count;
    if (s->dev.physical->timestamp_bits == 0) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "%s keeps no time on its compute queue (timestampValidBits is 0)",
                         s->dev.physical->properties.deviceName);
    }
    uint64_t *scratch = NULL;
    status code = begin(s, err);
    if (!code) {
        code = clock_create(s, err);
    }
    if (!code) {
        scratch = memory_allocate(&s->alloc, steps + 1, sizeof *scratch);
        code = scratch ? STATUS_OK
                       : error_set(err, STATUS_MEMORY, "out of memory for %zu times", steps + 1);
    }
    if (!code) {
        code = resident(s, t, request, err);
    }
    if (!code) {
        code = record_run(s, t, t->batch, err);
    }
    for (uint32_t i = 0; !code && i < PROFILER_COMMANDS; i++) {
        code = clock_record(s, i, err);
    }
    if (!code) { /* what is done for the first time (compiling, touching memory) is not measured */
        code = submit_and_wait(s, &s->profiler.commands[PROFILER_STEPS], 1, NULL, err);
    }
    for (uint32_t run = 0; !code && scratch && run < runs; run++) {
        if (total_ns) {
            code = run_time(s, &total_ns[run], err);
        }
        if (!code && step_ns) {
            code = run_steps(s, scratch, step_ns + run * steps, err);
        }
    }
    memory_release(&s->alloc, scratch);
    return code;
}

/* --- repeating --- */

/* A slot's run without its results, to be submitted again while it is still pending. What it
 * computes waits for its own last run: a barrier of another slot's run lies between the two, or
 * else one is put in front. */
static status repeat_record(session *s, const slot *t, VkCommandBuffer c, error *err)
{
    const bool alone = s->slot_count < 2 || s->plan->level_count < 2;
    const status code = record_begin(s, c, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, err);
    if (code) {
        return code;
    }
    if (alone) {
        record_step_barrier(s, c);
    }
    record_steps(s, t, c, t->batch, NULL);
    return record_end(s, c, err);
}

/* Rounds over all slots, several in flight. */
static status repeat_submit(session *s, uint32_t runs, error *err)
{
    status code = STATUS_OK;
    uint32_t round = 0;
    for (uint32_t left = runs; !code && left; round++) {
        const uint32_t count = left < s->slot_count ? left : s->slot_count;
        code = submit(s, s->profiler.repeats, count, round % PROFILER_FENCES, err);
        left -= count;
    }
    return code ? code : profiler_wait(s, BACKEND_MAX_WAIT_NS, err);
}

status profiler_repeat(backend *b, const backend_request *request, uint32_t runs, uint64_t *ns,
                       error *err)
{
    session *s = (session *)b;
    status code = begin(s, err);
    if (!code) {
        code = repeats_create(s, err);
    }
    for (uint32_t i = 0; !code && i < s->slot_count; i++) {
        code = resident(s, &s->slots[i], request, err);
        if (!code) {
            code = repeat_record(s, &s->slots[i], s->profiler.repeats[i], err);
        }
    }
    if (!code) { /* once for every slot without looking at the clock */
        code = repeat_submit(s, s->slot_count, err);
    }
    if (!code) {
        const uint64_t started = clock_ns();
        code = repeat_submit(s, runs, err);
        const uint64_t ended = clock_ns();
        *ns = code ? *ns : ended - started;
    }
    if (code) { /* those in flight are of no use any more, but their buffers are in use */
        (void)profiler_wait(s, BACKEND_MAX_WAIT_NS, NULL);
    }
    return code;
}

/* --- what the steps are --- */

uint32_t profiler_step_count(const backend *b)
{
    return (uint32_t)((const session *)b)->plan->step_count;
}

void profiler_step(const backend *b, uint32_t index, vkdet_step *out)
{
    const plan_step *step = &((const session *)b)->plan->steps[index];
    *out = (vkdet_step){
        .name = step->name,
        .kernel = kernel_name(step->kernel),
        .variant = step->variant ? step->variant : "",
        .level = step->level,
        .flops = step->flops,
        .bytes_read = step->bytes_read,
        .bytes_written = step->bytes_written,
        .weight_bytes = step->weight_bytes,
    };
}
