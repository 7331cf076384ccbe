/* Plan -> command buffers. Recorded once for a slot and batch size, submitted many times. */
#include "host/vulkan/check.h"
#include "host/vulkan/session.h"

static void barrier(const device *d, VkCommandBuffer c, VkPipelineStageFlags from,
                    VkAccessFlags written, VkPipelineStageFlags to, VkAccessFlags accessed)
{
    const VkMemoryBarrier memory = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = written,
        .dstAccessMask = accessed,
    };
    d->call.CmdPipelineBarrier(c, from, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

status record_begin(session *s, VkCommandBuffer c, VkCommandBufferUsageFlags usage, error *err)
{
    device *d = &s->dev;
    const VkCommandBufferBeginInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = usage,
    };
    return device_check(d, d->call.BeginCommandBuffer(c, &info), "vkBeginCommandBuffer", err);
}

status record_end(session *s, VkCommandBuffer c, error *err)
{
    return device_check(&s->dev, s->dev.call.EndCommandBuffer(c), "vkEndCommandBuffer", err);
}

void record_step_barrier(const session *s, VkCommandBuffer c)
{
    /* reads of what follows after writes before, and writes after both */
    barrier(&s->dev, c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
}

static void step_record(const session *s, VkCommandBuffer c, const plan_step *step, uint32_t batch)
{
    const device *d = &s->dev;
    uint32_t push[PLAN_MAX_PUSH];
    for (uint32_t i = 0; i < step->push_count; i++) {
        push[i] = step->push_scaled >> i & 1 ? step->push[i] * batch : step->push[i];
    }
    if (step->push_count) {
        d->call.CmdPushConstants(c, s->pipes.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                 step->push_count * 4, push);
    }
    uint32_t groups[3];
    (void)plan_step_groups(s->plan, step, batch, groups); /* the largest batch was checked */
    d->call.CmdDispatch(c, groups[0], groups[1], groups[2]);
}

/* what the host reads: the result blocks of the batch */
static void results_record(const session *s, const slot *t, VkCommandBuffer c, uint32_t batch)
{
    const device *d = &s->dev;
    if (s->plan->result_words == 0) {
        return;
    }
    if (!t->results.host.handle) {
        barrier(d, c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
        return;
    }
    const VkBufferCopy copy = {.size = (VkDeviceSize)s->plan->result_words * 4 * batch};
    barrier(d, c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT);
    d->call.CmdCopyBuffer(c, t->results.device.handle, t->results.host.handle, 1, &copy);
    barrier(d, c, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
            VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
}

void record_steps(const session *s, const slot *t, VkCommandBuffer c, uint32_t batch,
                  const record_clock *clock)
{
    const device *d = &s->dev;
    d->call.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipes.layout, 0, 1, &t->set,
                                  0, NULL);
    VkPipeline bound = VK_NULL_HANDLE;
    if (clock) {
        d->call.CmdWriteTimestamp(c, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, clock->queries,
                                  clock->first);
    }
    for (size_t i = 0; i < s->plan->step_count; i++) {
        const plan_step *step = &s->plan->steps[i];
        const VkPipeline wanted = s->pipes.unique[s->pipes.of_step[i]];
        if (i && (clock || step->level != s->plan->steps[i - 1].level)) {
            record_step_barrier(s, c);
        }
        if (wanted != bound) {
            d->call.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, wanted);
            bound = wanted;
        }
        step_record(s, c, step, batch);
        if (clock) {
            d->call.CmdWriteTimestamp(c, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, clock->queries,
                                      clock->first + 1 + (uint32_t)i);
        }
    }
}

status record_run(session *s, slot *t, uint32_t batch, error *err)
{
    const VkCommandBuffer c = t->run[batch - 1];
    if (t->run_recorded[batch - 1]) {
        return STATUS_OK;
    }
    status code = record_begin(s, c, 0, err);
    if (code) {
        return code;
    }
    record_steps(s, t, c, batch, NULL);
    results_record(s, t, c, batch);
    code = record_end(s, c, err);
    t->run_recorded[batch - 1] = !code;
    return code;
}

status record_upload(session *s, slot *t, uint32_t size_index, error *err)
{
    device *d = &s->dev;
    VkCommandBuffer *c = &t->upload[size_index];
    if (t->upload_recorded[size_index]) {
        return STATUS_OK;
    }
    if (!*c) {
        const VkCommandBufferAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
            .commandPool = s->commands,
            .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
            .commandBufferCount = 1,
        };
        const status code = device_check(d, d->call.AllocateCommandBuffers(d->handle, &info, c),
                                         "vkAllocateCommandBuffers", err);
        if (code) {
            *c = VK_NULL_HANDLE;
            return code;
        }
    }
    status code = record_begin(s, *c, 0, err);
    if (code) {
        return code;
    }
    const exchange *both[] = {&t->request, &t->pixels};
    const uint64_t sizes[] = {t->request.device.bytes, upload_size_bytes(size_index)};
    for (int i = 0; i < 2; i++) {
        const uint64_t room = both[i]->device.bytes;
        const VkBufferCopy copy = {.size = sizes[i] < room ? sizes[i] : room};
        if (both[i]->host.handle) {
            d->call.CmdCopyBuffer(*c, both[i]->host.handle, both[i]->device.handle, 1, &copy);
        }
    }
    barrier(d, *c, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_WRITE_BIT,
            VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT);
    code = record_end(s, *c, err);
    t->upload_recorded[size_index] = !code;
    return code;
}
