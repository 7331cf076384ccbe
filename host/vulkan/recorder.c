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

static status commands_begin(device *d, VkCommandBuffer c, error *err)
{
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    return device_check(d, d->call.BeginCommandBuffer(c, &info), "vkBeginCommandBuffer", err);
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
    d->call.CmdDispatch(c, step->groups[0], step->groups[1], step->groups[2] * batch);
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

status record_run(session *s, slot *t, uint32_t batch, error *err)
{
    device *d = &s->dev;
    const VkCommandBuffer c = t->run[batch - 1];
    if (t->run_recorded[batch - 1]) {
        return STATUS_OK;
    }
    status code = commands_begin(d, c, err);
    if (code) {
        return code;
    }
    d->call.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipes.layout, 0, 1, &t->set,
                                  0, NULL);
    VkPipeline bound = VK_NULL_HANDLE;
    for (size_t i = 0; i < s->plan->step_count; i++) {
        const plan_step *step = &s->plan->steps[i];
        const VkPipeline wanted = s->pipes.unique[s->pipes.of_step[i]];
        if (i && step->level != s->plan->steps[i - 1].level) {
            /* reads of this level after writes of earlier ones, and writes after both */
            barrier(d, c, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
                    VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                    VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        }
        if (wanted != bound) {
            d->call.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, wanted);
            bound = wanted;
        }
        step_record(s, c, step, batch);
    }
    results_record(s, t, c, batch);
    code = device_check(d, d->call.EndCommandBuffer(c), "vkEndCommandBuffer", err);
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
    status code = commands_begin(d, *c, err);
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
    code = device_check(d, d->call.EndCommandBuffer(*c), "vkEndCommandBuffer", err);
    t->upload_recorded[size_index] = !code;
    return code;
}
