/* Copies outside requests: weights up, arena words down. */
#include "host/vulkan/check.h"
#include "host/vulkan/session.h"

status transfer_create(session *s, error *err)
{
    device *d = &s->dev;
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = s->commands,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    status code =
        device_check(d, d->call.AllocateCommandBuffers(d->handle, &commands, &s->transfer.commands),
                     "vkAllocateCommandBuffers", err);
    if (code) {
        return code;
    }
    const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    code = device_check(d, d->call.CreateFence(d->handle, &fence, NULL, &s->transfer.fence),
                        "vkCreateFence", err);
    if (code) {
        s->transfer.fence = VK_NULL_HANDLE;
        return code;
    }
    code = transfer_weights(s, err);
    const uint64_t words = readback_words(s->plan);
    if (!code && words) {
        code = buffer_create(d, "readback", MEMORY_READBACK, words * 4, &s->transfer.host, err);
    }
    return code;
}

void transfer_destroy(session *s)
{
    if (s->transfer.fence) {
        s->dev.call.DestroyFence(s->dev.handle, s->transfer.fence, NULL);
    }
    buffer_destroy(&s->dev, &s->transfer.host);
    s->transfer = (transfer){0};
}

status transfer_wait(session *s, uint64_t timeout_ns, error *err)
{
    if (!s->transfer.pending) {
        return STATUS_OK;
    }
    const status code = session_wait_fence(s, s->transfer.fence, timeout_ns, err);
    if (!code) {
        s->transfer.pending = false;
    }
    return code;
}

status transfer_begin(session *s, error *err)
{
    device *d = &s->dev;
    status code = transfer_wait(s, BACKEND_MAX_WAIT_NS, err);
    if (code) {
        return code;
    }
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    return device_check(d, d->call.BeginCommandBuffer(s->transfer.commands, &info),
                        "vkBeginCommandBuffer", err);
}

status transfer_finish(session *s, error *err)
{
    device *d = &s->dev;
    transfer *t = &s->transfer;
    status code = device_check(d, d->call.EndCommandBuffer(t->commands), "vkEndCommandBuffer", err);
    if (!code) {
        code = device_check(d, d->call.ResetFences(d->handle, 1, &t->fence), "vkResetFences", err);
    }
    if (!code) {
        const VkSubmitInfo info = {
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .commandBufferCount = 1,
            .pCommandBuffers = &t->commands,
        };
        code = device_check(d, d->call.QueueSubmit(d->queue, 1, &info, t->fence), "vkQueueSubmit",
                            err);
        t->pending = !code;
    }
    return code ? code : transfer_wait(s, BACKEND_MAX_WAIT_NS, err);
}

static void memory_barrier(session *s, VkPipelineStageFlags from, VkAccessFlags written,
                           VkPipelineStageFlags to, VkAccessFlags accessed)
{
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = accessed,
    };
    s->dev.call.CmdPipelineBarrier(s->transfer.commands, from, to, 0, 1, &barrier, 0, NULL, 0,
                                   NULL);
}

/* Packed straight into the kernels' buffer where the host can map it without crossing a bus
 * (integrated and software devices) and there is room, else through staging. */
status transfer_weights(session *s, error *err)
{
    device *d = &s->dev;
    const uint64_t bytes = s->plan->weight_words * 4;
    const memory_use best = weights_use(d->physical);
    status code = buffer_create(d, "weights", best, bytes, &s->weights, err);
    if (code == STATUS_DEVICE && best != MEMORY_DEVICE) {
        code = buffer_create(d, "weights", MEMORY_DEVICE, bytes, &s->weights, err);
    }
    if (code || bytes == 0) {
        return code;
    }
    if (s->weights.mapped) {
        plan_pack_weights(s->plan, s->weights.mapped);
        return buffer_flush(d, &s->weights, bytes, err);
    }
    buffer *staging = &s->transfer.host;
    code = buffer_create(d, "weight staging", MEMORY_STAGING, bytes, staging, err);
    if (code) {
        return code;
    }
    plan_pack_weights(s->plan, staging->mapped);
    code = buffer_flush(d, staging, bytes, err);
    if (!code) {
        code = transfer_begin(s, err);
    }
    if (!code) {
        const VkBufferCopy copy = {.size = bytes};
        d->call.CmdCopyBuffer(s->transfer.commands, staging->handle, s->weights.handle, 1, &copy);
        memory_barrier(s, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT);
        code = transfer_finish(s, err);
    }
    if (!code) { /* otherwise it may still be in use: the session's end takes it */
        buffer_destroy(d, staging);
    }
    return code;
}

status transfer_read_arena(session *s, const slot *t, const arena_run *runs, uint32_t run_count,
                           const uint32_t **words, error *err)
{
    device *d = &s->dev;
    buffer *host = &s->transfer.host;
    VkBufferCopy copies[ARENA_MAX_RUNS];
    uint64_t total = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < run_count && i < ARENA_MAX_RUNS; i++) {
        if (runs[i].count) {
            copies[used++] = (VkBufferCopy){runs[i].first * 4, total * 4, runs[i].count * 4};
            total += runs[i].count;
        }
    }
    *words = host->mapped;
    if (used == 0) {
        return STATUS_OK;
    }
    if (total * 4 > host->bytes) {
        return error_set(err, STATUS_INTERNAL, "%llu words to read, room for %llu",
                         (unsigned long long)total, (unsigned long long)host->bytes / 4);
    }
    status code = transfer_begin(s, err);
    if (!code) {
        memory_barrier(s, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                       VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
        d->call.CmdCopyBuffer(s->transfer.commands, t->arena.handle, host->handle, used, copies);
        memory_barrier(s, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
        code = transfer_finish(s, err);
    }
    return code ? code : buffer_invalidate(d, host, total * 4, err);
}

status transfer_fill_arena(session *s, const slot *t, uint32_t word, error *err)
{
    status code = transfer_begin(s, err);
    if (!code) {
        s->dev.call.CmdFillBuffer(s->transfer.commands, t->arena.handle, 0, VK_WHOLE_SIZE, word);
        memory_barrier(s, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
                       VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                       VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        code = transfer_finish(s, err);
    }
    return code;
}
