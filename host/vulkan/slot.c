/* A slot: the buffers, descriptor set, fence and command buffers of one request in flight. */
#include "host/vulkan/check.h"
#include "host/vulkan/session.h"
#include "shaders/interface.h"

uint32_t upload_size_index(uint64_t bytes)
{
    uint32_t i = 0;
    while (i + 1 < UPLOAD_SIZES && upload_size_bytes(i) < bytes) {
        i++;
    }
    return i;
}

uint64_t upload_size_bytes(uint32_t index)
{
    return (uint64_t)(4 + index % 4) << (12 + index / 4);
}

/* Recorded commands use the set, so they are recorded anew after it was written. */
static void descriptors_write(session *s, slot *t)
{
    const buffer *bound[BINDING_COUNT] = {
        [BINDING_ARENA] = &t->arena,
        [BINDING_WEIGHTS] = &s->weights,
        [BINDING_PIXELS] = &t->pixels.device,
        [BINDING_REQUEST] = &t->request.device,
        [BINDING_RESULTS] = &t->results.device,
    };
    VkDescriptorBufferInfo infos[BINDING_COUNT];
    VkWriteDescriptorSet writes[BINDING_COUNT];
    for (uint32_t i = 0; i < BINDING_COUNT; i++) {
        infos[i] = (VkDescriptorBufferInfo){bound[i]->handle, 0, bound[i]->bytes};
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = t->set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &infos[i],
        };
    }
    s->dev.call.UpdateDescriptorSets(s->dev.handle, BINDING_COUNT, writes, 0, NULL);
    for (uint32_t i = 0; i < s->max_batch; i++) {
        t->run_recorded[i] = false;
    }
    for (uint32_t i = 0; i < UPLOAD_SIZES; i++) {
        t->upload_recorded[i] = false;
    }
}

status slot_reserve_pixels(session *s, slot *t, uint64_t bytes, error *err)
{
    if (bytes <= t->pixels.device.bytes) {
        return STATUS_OK;
    }
    const uint64_t range = s->dev.physical->properties.limits.maxStorageBufferRange;
    if (bytes > range) {
        return error_set(err, STATUS_LIMIT,
                         "the pictures of this batch take %llu bytes, but the device's kernels "
                         "reach %llu bytes of a buffer (maxStorageBufferRange); submit fewer at "
                         "once",
                         (unsigned long long)bytes, (unsigned long long)range);
    }
    const uint64_t rounded = upload_size_bytes(upload_size_index(bytes));
    exchange grown;
    const status code =
        exchange_create(&s->dev, "pixels", true, rounded < range ? rounded : range, &grown, err);
    if (code) {
        return code;
    }
    exchange_destroy(&s->dev, &t->pixels);
    t->pixels = grown;
    descriptors_write(s, t);
    return STATUS_OK;
}

static status host_arrays_create(session *s, slot *t, error *err)
{
    const allocator *a = &s->alloc;
    t->run = memory_allocate(a, s->max_batch, sizeof(VkCommandBuffer));
    t->run_recorded = memory_allocate(a, s->max_batch, sizeof *t->run_recorded);
    t->images = memory_allocate(a, s->max_batch, sizeof *t->images);
    t->ready = memory_allocate(a, s->max_batch, sizeof *t->ready);
    bool complete = t->run && t->run_recorded && t->images && t->ready;
    if (s->capacity) {
        t->detections =
            memory_allocate(a, s->capacity, (size_t)s->max_batch * sizeof *t->detections);
        complete = complete && t->detections;
    }
    return complete ? STATUS_OK
                    : error_set(err, STATUS_MEMORY, "out of memory for the results of a slot");
}

static status buffers_create(session *s, slot *t, error *err)
{
    const slot_sizes bytes = slot_sizes_of(s->plan, s->preprocess, s->max_batch);
    status code = buffer_create(&s->dev, "arena", MEMORY_DEVICE, bytes.arena, &t->arena, err);
    if (!code) {
        code = exchange_create(&s->dev, "request", true, bytes.request, &t->request, err);
    }
    if (!code) {
        code = exchange_create(&s->dev, "results", false, bytes.results, &t->results, err);
    }
    if (!code) {
        code = exchange_create(&s->dev, "pixels", true, bytes.pixels, &t->pixels, err);
    }
    return code;
}

status slot_create(session *s, slot *t, error *err)
{
    device *d = &s->dev;
    *t = (slot){0};
    status code = host_arrays_create(s, t, err);
    if (!code) {
        code = buffers_create(s, t, err);
    }
    if (code) {
        goto fail;
    }
    const VkDescriptorSetAllocateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = s->descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &s->pipes.set_layout,
    };
    code = device_check(d, d->call.AllocateDescriptorSets(d->handle, &set_info, &t->set),
                        "vkAllocateDescriptorSets", err);
    if (code) {
        goto fail;
    }
    const VkCommandBufferAllocateInfo run_info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = s->commands,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = s->max_batch,
    };
    code = device_check(d, d->call.AllocateCommandBuffers(d->handle, &run_info, t->run),
                        "vkAllocateCommandBuffers", err);
    if (code) {
        goto fail;
    }
    const VkFenceCreateInfo fence_info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    code = device_check(d, d->call.CreateFence(d->handle, &fence_info, NULL, &t->fence),
                        "vkCreateFence", err);
    if (code) {
        t->fence = VK_NULL_HANDLE;
        goto fail;
    }
    descriptors_write(s, t);
    return STATUS_OK;
fail:
    slot_destroy(s, t);
    return code;
}

/* sets and command buffers go with their pools */
void slot_destroy(session *s, slot *t)
{
    device *d = &s->dev;
    if (t->fence) {
        d->call.DestroyFence(d->handle, t->fence, NULL);
    }
    buffer_destroy(d, &t->arena);
    exchange_destroy(d, &t->pixels);
    exchange_destroy(d, &t->request);
    exchange_destroy(d, &t->results);
    memory_release(&s->alloc, t->run);
    memory_release(&s->alloc, t->run_recorded);
    memory_release(&s->alloc, t->images);
    memory_release(&s->alloc, t->ready);
    memory_release(&s->alloc, t->detections);
    *t = (slot){0};
}
