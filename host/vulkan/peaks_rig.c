/* Making and unmaking what the peaks are measured with. */
#include "host/vulkan/peaks_rig.h"

#include "host/vulkan/check.h"
#include "host/vulkan/pipelines.h"
#include "shaders/interface.h"

#include <assert.h>

enum {
    LEAST_BUFFER = 1 << 20,
    HOST_BUFFER = 64 << 20 /* at most: pinning memory takes time */
};

static status commands_create(peaks_rig *r, error *err)
{
    device *d = &r->dev;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = d->physical->queue_family,
    };
    status s = device_check(d, d->call.CreateCommandPool(d->handle, &pool, NULL, &r->pool),
                            "vkCreateCommandPool", err);
    if (s) {
        r->pool = VK_NULL_HANDLE;
        return s;
    }
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = r->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    s = device_check(d, d->call.AllocateCommandBuffers(d->handle, &commands, &r->commands),
                     "vkAllocateCommandBuffers", err);
    if (!s) {
        const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
        s = device_check(d, d->call.CreateFence(d->handle, &fence, NULL, &r->fence),
                         "vkCreateFence", err);
        r->fence = s ? VK_NULL_HANDLE : r->fence;
    }
    return s;
}

/* How large the buffers should be: on a GPU several times what its caches hold. */
static uint64_t buffer_bytes(const peaks_rig *r, uint64_t most_bytes)
{
    const physical_device *gpu = r->dev.physical;
    const VkPhysicalDeviceLimits *l = &gpu->properties.limits;
    const bool software = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    uint64_t bytes = software ? 64u << 20 : 256u << 20;
    uint64_t heap = 0;
    for (uint32_t i = 0; i < gpu->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *h = &gpu->memory.memoryHeaps[i];
        heap = h->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && h->size > heap ? h->size : heap;
    }
    bytes = most_bytes < bytes ? most_bytes : bytes;
    bytes = l->maxStorageBufferRange < bytes ? l->maxStorageBufferRange : bytes;
    bytes = gpu->max_allocation && gpu->max_allocation < bytes ? gpu->max_allocation : bytes;
    bytes = heap / 8 < bytes ? heap / 8 : bytes;
    return bytes > LEAST_BUFFER ? bytes / PEAKS_COPY_GRAIN * PEAKS_COPY_GRAIN : LEAST_BUFFER;
}

static void buffers_destroy(peaks_rig *r)
{
    buffer_destroy(&r->dev, &r->from);
    buffer_destroy(&r->dev, &r->to);
    buffer_destroy(&r->dev, &r->staging);
    buffer_destroy(&r->dev, &r->readback);
}

static status buffers_try(peaks_rig *r, uint64_t bytes, error *err)
{
    const uint64_t host = bytes < HOST_BUFFER ? bytes : HOST_BUFFER;
    status s = buffer_create(&r->dev, "peak source", MEMORY_DEVICE, bytes, &r->from, err);
    if (!s) {
        s = buffer_create(&r->dev, "peak target", MEMORY_DEVICE, bytes, &r->to, err);
    }
    if (!s) {
        s = buffer_create(&r->dev, "peak staging", MEMORY_STAGING, host, &r->staging, err);
    }
    if (!s) {
        s = buffer_create(&r->dev, "peak readback", MEMORY_READBACK, host, &r->readback, err);
    }
    if (s) {
        buffers_destroy(r);
    }
    return s;
}

/* smaller ones where memory is short */
static status buffers_create(peaks_rig *r, uint64_t most_bytes, error *err)
{
    uint64_t bytes = buffer_bytes(r, most_bytes);
    status s = buffers_try(r, bytes, err);
    while (s == STATUS_DEVICE && bytes > LEAST_BUFFER) {
        bytes = bytes / 2 > LEAST_BUFFER ? bytes / 2 / PEAKS_COPY_GRAIN * PEAKS_COPY_GRAIN
                                         : LEAST_BUFFER;
        s = buffers_try(r, bytes, err);
    }
    return s;
}

static status descriptors_create(peaks_rig *r, error *err)
{
    device *d = &r->dev;
    const VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = 1,
        .poolSizeCount = 1,
        .pPoolSizes =
            &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, PEAK_BINDING_COUNT},
    };
    status s =
        device_check(d, d->call.CreateDescriptorPool(d->handle, &info, NULL, &r->descriptors),
                     "vkCreateDescriptorPool", err);
    if (s) {
        r->descriptors = VK_NULL_HANDLE;
        return s;
    }
    const VkDescriptorSetAllocateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = r->descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &r->set_layout,
    };
    s = device_check(d, d->call.AllocateDescriptorSets(d->handle, &set_info, &r->set),
                     "vkAllocateDescriptorSets", err);
    if (s) {
        return s;
    }
    const buffer *bound[PEAK_BINDING_COUNT] = {
        [PEAK_BINDING_FROM] = &r->from, [PEAK_BINDING_TO] = &r->to};
    for (uint32_t i = 0; i < PEAK_BINDING_COUNT; i++) {
        const VkWriteDescriptorSet write = {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = r->set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &(VkDescriptorBufferInfo){bound[i]->handle, 0, bound[i]->bytes},
        };
        d->call.UpdateDescriptorSets(d->handle, 1, &write, 0, NULL);
    }
    return STATUS_OK;
}

static void pipeline_destroy(peaks_rig *r)
{
    if (r->pipeline) {
        r->dev.call.DestroyPipeline(r->dev.handle, r->pipeline, NULL);
        r->pipeline = VK_NULL_HANDLE;
    }
}

status peaks_rig_pipeline(peaks_rig *r, const char *name, const uint32_t *constants, uint32_t count,
                          error *err)
{
    enum { MOST = 8 };
    device *d = &r->dev;
    VkShaderModule module = VK_NULL_HANDLE;
    VkSpecializationMapEntry entries[MOST];
    assert(count <= MOST);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    }
    pipeline_destroy(r);
    status s = pipelines_module(d, r->alloc, name, constants, count, &module, err);
    if (s) {
        return s;
    }
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage =
            {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .flags = features_stage_flags(&d->physical->features, name),
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = module,
                .pName = "main",
                .pSpecializationInfo =
                    &(VkSpecializationInfo){count, entries, count * 4ul, constants},
            },
        .layout = r->layout,
        .basePipelineIndex = -1,
    };
    const VkResult answer =
        d->call.CreateComputePipelines(d->handle, VK_NULL_HANDLE, 1, &info, NULL, &r->pipeline);
    s = pipelines_check(d, answer, err);
    d->call.DestroyShaderModule(d->handle, module, NULL);
    if (s) {
        r->pipeline = VK_NULL_HANDLE;
        return error_prefix(err, "shader %s: ", name);
    }
    return STATUS_OK;
}

status peaks_rig_wait(peaks_rig *r, error *err)
{
    device *d = &r->dev;
    const VkResult answer =
        d->call.WaitForFences(d->handle, 1, &r->fence, VK_TRUE, BACKEND_MAX_WAIT_NS);
    const status s = device_check(d, answer, "vkWaitForFences", err);
    r->pending = s != STATUS_OK;
    return s;
}

void peaks_rig_destroy(peaks_rig *r)
{
    enum { ATTEMPTS = 3 };
    device *d = &r->dev;
    for (int i = 0; r->pending && !d->lost && i < ATTEMPTS; i++) {
        if (peaks_rig_wait(r, NULL) == STATUS_TIMEOUT) {
            break;
        }
    }
    if (d->lost) {
        (void)d->call.DeviceWaitIdle(d->handle);
    } else if (r->pending) {
        log_write(d->log, LOG_device_lost, "%s does not finish its work; its memory is left to it",
                  d->physical->properties.deviceName);
        return;
    }
    if (d->handle) {
        pipeline_destroy(r);
        buffers_destroy(r);
        if (r->fence) {
            d->call.DestroyFence(d->handle, r->fence, NULL);
        }
        if (r->pool) {
            d->call.DestroyCommandPool(d->handle, r->pool, NULL);
        }
        if (r->descriptors) {
            d->call.DestroyDescriptorPool(d->handle, r->descriptors, NULL);
        }
        if (r->layout) {
            d->call.DestroyPipelineLayout(d->handle, r->layout, NULL);
        }
        if (r->set_layout) {
            d->call.DestroyDescriptorSetLayout(d->handle, r->set_layout, NULL);
        }
    }
    device_destroy(d);
}

status peaks_rig_create(const vulkan_instance *v, uint32_t index, const logger *log,
                        uint64_t most_bytes, peaks_rig *out, error *err)
{
    *out = (peaks_rig){.alloc = &v->alloc};
    status s = device_create(v, index, log, &out->dev, err);
    if (!s) {
        s = pipelines_layouts(&out->dev, PEAK_BINDING_COUNT, sizeof(struct peak_push),
                              &out->set_layout, &out->layout, err);
    }
    if (!s) {
        s = commands_create(out, err);
    }
    if (!s) {
        s = buffers_create(out, most_bytes, err);
    }
    return s ? s : descriptors_create(out, err);
}
