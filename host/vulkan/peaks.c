/* What a device reaches in small kernels that do one thing (shaders/peak_*.comp).
 *
 * Each is run in samples that grow until one takes long enough for the clock and for what a
 * submission costs, and not so long that a watchdog barks; the median of three is the answer. Time
 * is the host's, from submission to fence. */
#include "host/vulkan/peaks.h"

#include "host/clock.h"
#include "host/vulkan/check.h"
#include "host/vulkan/memory.h"
#include "shaders/interface.h"
#include "shaders/shaders.h"

enum {
    SAMPLES = 3,
    GROWTH = 16,            /* at most, from one sample to the next */
    MOST_REPEATS = 1 << 16, /* in one command buffer */
    LOCAL_SIZE = 128,       /* what every device runs that vkdet runs on */
    SUBGROUPS = 4,          /* of a workgroup that multiplies matrices */
    COPY_TURNS = 16,        /* vectors an invocation moves */
    COPY_GRAIN = LOCAL_SIZE * COPY_TURNS * 16,
    FMA_TURNS = 512,
    MATRIX_TURNS = 32,
    LEAST_BUFFER = 1 << 20,
    HOST_BUFFER = 64 << 20, /* at most: pinning memory takes time */
    VECTOR_FLOPS = 8        /* a multiply-add of four lanes */
};

typedef struct peaks {
    device dev;
    peaks_effort effort;
    uint64_t deadline;
    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkDescriptorPool descriptors;
    VkDescriptorSet set;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkFence fence;
    bool pending; /* a wait for the fence has not succeeded yet */
    VkPipeline pipeline;
    buffer from, to, staging, readback;
} peaks;

/* Something to be done over and over: a dispatch of the pipeline, or a copy. */
typedef struct work {
    const buffer *source, *target; /* of a copy; NULL: a dispatch */
    uint64_t bytes;                /* of a copy */
    uint32_t groups, most_groups;  /* the grid grows first, up to here, */
    uint32_t repeats;              /* then their number */
    double group_units;            /* flops or bytes of a group; of the whole copy */
    struct peak_push push;
} work;

/* --- making --- */

static status layouts_create(peaks *p, error *err)
{
    device *d = &p->dev;
    VkDescriptorSetLayoutBinding bindings[PEAK_BINDING_COUNT];
    for (uint32_t i = 0; i < PEAK_BINDING_COUNT; i++) {
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .descriptorCount = 1,
            .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
        };
    }
    const VkDescriptorSetLayoutCreateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = PEAK_BINDING_COUNT,
        .pBindings = bindings,
    };
    status s = device_check(
        d, d->call.CreateDescriptorSetLayout(d->handle, &set_info, NULL, &p->set_layout),
        "vkCreateDescriptorSetLayout", err);
    if (s) {
        p->set_layout = VK_NULL_HANDLE;
        return s;
    }
    const VkPipelineLayoutCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .setLayoutCount = 1,
        .pSetLayouts = &p->set_layout,
        .pushConstantRangeCount = 1,
        .pPushConstantRanges =
            &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(struct peak_push)},
    };
    s = device_check(d, d->call.CreatePipelineLayout(d->handle, &info, NULL, &p->layout),
                     "vkCreatePipelineLayout", err);
    p->layout = s ? VK_NULL_HANDLE : p->layout;
    return s;
}

static status commands_create(peaks *p, error *err)
{
    device *d = &p->dev;
    const VkCommandPoolCreateInfo pool = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
        .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
        .queueFamilyIndex = d->physical->queue_family,
    };
    status s = device_check(d, d->call.CreateCommandPool(d->handle, &pool, NULL, &p->pool),
                            "vkCreateCommandPool", err);
    if (s) {
        p->pool = VK_NULL_HANDLE;
        return s;
    }
    const VkCommandBufferAllocateInfo commands = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = p->pool,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1,
    };
    s = device_check(d, d->call.AllocateCommandBuffers(d->handle, &commands, &p->commands),
                     "vkAllocateCommandBuffers", err);
    if (!s) {
        const VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
        s = device_check(d, d->call.CreateFence(d->handle, &fence, NULL, &p->fence),
                         "vkCreateFence", err);
        p->fence = s ? VK_NULL_HANDLE : p->fence;
    }
    return s;
}

/* How large the buffers should be: on a GPU several times what its caches hold. */
static uint64_t buffer_bytes(const peaks *p)
{
    const physical_device *gpu = p->dev.physical;
    const VkPhysicalDeviceLimits *l = &gpu->properties.limits;
    const bool software = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    uint64_t bytes = software ? 64u << 20 : 256u << 20;
    uint64_t heap = 0;
    for (uint32_t i = 0; i < gpu->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *h = &gpu->memory.memoryHeaps[i];
        heap = h->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && h->size > heap ? h->size : heap;
    }
    bytes = p->effort.buffer_bytes < bytes ? p->effort.buffer_bytes : bytes;
    bytes = l->maxStorageBufferRange < bytes ? l->maxStorageBufferRange : bytes;
    bytes = gpu->max_allocation && gpu->max_allocation < bytes ? gpu->max_allocation : bytes;
    bytes = heap / 8 < bytes ? heap / 8 : bytes;
    return bytes > LEAST_BUFFER ? bytes / COPY_GRAIN * COPY_GRAIN : LEAST_BUFFER;
}

static void buffers_destroy(peaks *p)
{
    buffer_destroy(&p->dev, &p->from);
    buffer_destroy(&p->dev, &p->to);
    buffer_destroy(&p->dev, &p->staging);
    buffer_destroy(&p->dev, &p->readback);
}

static status buffers_try(peaks *p, uint64_t bytes, error *err)
{
    const uint64_t host = bytes < HOST_BUFFER ? bytes : HOST_BUFFER;
    status s = buffer_create(&p->dev, "peak source", MEMORY_DEVICE, bytes, &p->from, err);
    if (!s) {
        s = buffer_create(&p->dev, "peak target", MEMORY_DEVICE, bytes, &p->to, err);
    }
    if (!s) {
        s = buffer_create(&p->dev, "peak staging", MEMORY_STAGING, host, &p->staging, err);
    }
    if (!s) {
        s = buffer_create(&p->dev, "peak readback", MEMORY_READBACK, host, &p->readback, err);
    }
    if (s) {
        buffers_destroy(p);
    }
    return s;
}

/* smaller ones where memory is short */
static status buffers_create(peaks *p, error *err)
{
    uint64_t bytes = buffer_bytes(p);
    status s = buffers_try(p, bytes, err);
    while (s == STATUS_DEVICE && bytes > LEAST_BUFFER) {
        bytes = bytes / 2 > LEAST_BUFFER ? bytes / 2 / COPY_GRAIN * COPY_GRAIN : LEAST_BUFFER;
        s = buffers_try(p, bytes, err);
    }
    return s;
}

static status descriptors_create(peaks *p, error *err)
{
    device *d = &p->dev;
    const VkDescriptorPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
        .maxSets = 1,
        .poolSizeCount = 1,
        .pPoolSizes =
            &(VkDescriptorPoolSize){VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, PEAK_BINDING_COUNT},
    };
    status s =
        device_check(d, d->call.CreateDescriptorPool(d->handle, &info, NULL, &p->descriptors),
                     "vkCreateDescriptorPool", err);
    if (s) {
        p->descriptors = VK_NULL_HANDLE;
        return s;
    }
    const VkDescriptorSetAllocateInfo set_info = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
        .descriptorPool = p->descriptors,
        .descriptorSetCount = 1,
        .pSetLayouts = &p->set_layout,
    };
    s = device_check(d, d->call.AllocateDescriptorSets(d->handle, &set_info, &p->set),
                     "vkAllocateDescriptorSets", err);
    if (s) {
        return s;
    }
    const buffer *bound[PEAK_BINDING_COUNT] = {
        [PEAK_BINDING_FROM] = &p->from, [PEAK_BINDING_TO] = &p->to};
    for (uint32_t i = 0; i < PEAK_BINDING_COUNT; i++) {
        const VkWriteDescriptorSet write = {
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
            .dstSet = p->set,
            .dstBinding = i,
            .descriptorCount = 1,
            .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
            .pBufferInfo = &(VkDescriptorBufferInfo){bound[i]->handle, 0, bound[i]->bytes},
        };
        d->call.UpdateDescriptorSets(d->handle, 1, &write, 0, NULL);
    }
    return STATUS_OK;
}

static void pipeline_destroy(peaks *p)
{
    if (p->pipeline) {
        p->dev.call.DestroyPipeline(p->dev.handle, p->pipeline, NULL);
        p->pipeline = VK_NULL_HANDLE;
    }
}

/* constants: the workgroup's size, then what the shader has */
static status pipeline_create(peaks *p, const char *name, const uint32_t *constants, uint32_t count,
                              error *err)
{
    enum { MOST = 6 };
    device *d = &p->dev;
    VkShaderModule module = VK_NULL_HANDLE;
    VkSpecializationMapEntry entries[MOST];
    const shader *code = shader_find(name);
    if (!code || count > MOST) {
        return error_set(err, STATUS_INTERNAL, "the shader %s was not built in", name);
    }
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    }
    pipeline_destroy(p);
    const VkShaderModuleCreateInfo module_info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
        .codeSize = code->code_bytes,
        .pCode = code->code,
    };
    status s = device_check(d, d->call.CreateShaderModule(d->handle, &module_info, NULL, &module),
                            "vkCreateShaderModule", err);
    if (s) {
        return error_prefix(err, "shader %s: ", name);
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
        .layout = p->layout,
        .basePipelineIndex = -1,
    };
    s = device_check(
        d, d->call.CreateComputePipelines(d->handle, VK_NULL_HANDLE, 1, &info, NULL, &p->pipeline),
        "vkCreateComputePipelines", err);
    d->call.DestroyShaderModule(d->handle, module, NULL);
    if (s) {
        p->pipeline = VK_NULL_HANDLE;
        return error_prefix(err, "shader %s: ", name);
    }
    return STATUS_OK;
}

/* --- timing --- */

static status fence_wait(peaks *p, error *err)
{
    device *d = &p->dev;
    const VkResult r = d->call.WaitForFences(d->handle, 1, &p->fence, VK_TRUE, BACKEND_MAX_WAIT_NS);
    const status s = device_check(d, r, "vkWaitForFences", err);
    p->pending = s != STATUS_OK;
    return s;
}

static void work_record(peaks *p, const work *w)
{
    device *d = &p->dev;
    const VkCommandBuffer c = p->commands;
    const VkPipelineStageFlags stages =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                         VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    if (!w->source) {
        d->call.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, p->pipeline);
        d->call.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, p->layout, 0, 1, &p->set,
                                      0, NULL);
        d->call.CmdPushConstants(c, p->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof w->push,
                                 &w->push);
    }
    for (uint32_t i = 0; i < w->repeats; i++) {
        if (w->source) { /* the larger of the two is walked through */
            const uint64_t steps =
                (w->target->bytes > w->source->bytes ? w->target : w->source)->bytes / w->bytes;
            const uint64_t at = i % steps * w->bytes;
            const VkBufferCopy copy = {
                .srcOffset = at + w->bytes <= w->source->bytes ? at : 0,
                .dstOffset = at + w->bytes <= w->target->bytes ? at : 0,
                .size = w->bytes,
            };
            d->call.CmdCopyBuffer(c, w->source->handle, w->target->handle, 1, &copy);
        } else {
            d->call.CmdDispatch(c, w->groups, 1, 1);
        }
        d->call.CmdPipelineBarrier(c, stages, stages, 0, 1, &barrier, 0, NULL, 0, NULL);
    }
}

static status sample(peaks *p, const work *w, uint64_t *ns, error *err)
{
    device *d = &p->dev;
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &p->commands,
    };
    status s = device_check(d, d->call.BeginCommandBuffer(p->commands, &begin),
                            "vkBeginCommandBuffer", err);
    if (s) {
        return s;
    }
    work_record(p, w);
    s = device_check(d, d->call.EndCommandBuffer(p->commands), "vkEndCommandBuffer", err);
    if (!s) {
        s = device_check(d, d->call.ResetFences(d->handle, 1, &p->fence), "vkResetFences", err);
    }
    if (!s) {
        const uint64_t started = clock_ns();
        s = device_check(d, d->call.QueueSubmit(d->queue, 1, &submit, p->fence), "vkQueueSubmit",
                         err);
        p->pending = !s;
        if (!s) {
            s = fence_wait(p, err);
        }
        *ns = clock_ns() - started;
        *ns += *ns == 0;
    }
    return s;
}

/* False when there is no more to grow. */
static bool work_grow(work *w, uint64_t ns, uint64_t wanted_ns)
{
    const uint64_t ratio = wanted_ns / ns + 1;
    const uint32_t factor = ratio < 2 ? 2 : ratio > GROWTH ? GROWTH : (uint32_t)ratio;
    if (w->groups < w->most_groups) {
        const uint64_t groups = (uint64_t)w->groups * factor;
        w->groups = groups < w->most_groups ? (uint32_t)groups : w->most_groups;
        return true;
    }
    w->repeats = w->repeats < MOST_REPEATS / factor ? w->repeats * factor : MOST_REPEATS;
    return w->repeats < MOST_REPEATS;
}

/* Units a second, the median of some samples. */
static status rate(peaks *p, work *w, double *per_second, error *err)
{
    uint64_t ns[SAMPLES] = {0};
    status s = sample(p, w, &ns[0], err); /* drivers compile at the first dispatch */
    if (!s) {
        s = sample(p, w, &ns[0], err);
    }
    while (!s && ns[0] < p->effort.sample_ns && clock_ns() < p->deadline &&
           work_grow(w, ns[0], p->effort.sample_ns)) {
        s = sample(p, w, &ns[0], err);
    }
    uint32_t count = 1;
    while (!s && count < SAMPLES && clock_ns() < p->deadline) {
        s = sample(p, w, &ns[count++], err);
    }
    for (uint32_t i = 1; !s && i < count; i++) { /* in order */
        for (uint32_t k = i; k > 0 && ns[k] < ns[k - 1]; k--) {
            const uint64_t larger = ns[k - 1];
            ns[k - 1] = ns[k];
            ns[k] = larger;
        }
    }
    if (!s) {
        const double units = w->group_units * (w->source ? 1 : w->groups) * w->repeats;
        *per_second = units / (double)ns[count / 2] * 1e9;
    }
    return s;
}

/* --- what is measured --- */

static work dispatch_of(const peaks *p, uint32_t groups, uint32_t turns, double group_units)
{
    return (work){
        .groups = groups,
        .most_groups = p->dev.physical->properties.limits.maxComputeWorkGroupCount[0],
        .repeats = 1,
        .group_units = group_units,
        .push = {.turns = turns, .factor = 0.5f, .term = 0.5f, .never = -1e30f},
    };
}

static status fma_measure(peaks *p, const char *module, double *flops, error *err)
{
    const uint32_t constants[3] = {LOCAL_SIZE, 1, 1};
    work w =
        dispatch_of(p, 8, FMA_TURNS, (double)LOCAL_SIZE * FMA_TURNS * PEAK_CHAINS * VECTOR_FLOPS);
    const status s = pipeline_create(p, module, constants, 3, err);
    return s ? s : rate(p, &w, flops, err);
}

static status matrix_measure(peaks *p, double *flops, error *err)
{
    const device_features *f = &p->dev.physical->features;
    const matrix_shape m = features_half_matrix(f);
    const uint32_t most = p->dev.physical->properties.limits.maxComputeWorkGroupInvocations;
    const uint32_t subgroups = f->subgroup_size * SUBGROUPS <= most ? SUBGROUPS : 1;
    const uint64_t halves = (uint64_t)(PEAK_ROWS * m.m + PEAK_COLUMNS * m.n) * m.k;
    if (m.m == 0 || halves * 2 > p->from.bytes) {
        return STATUS_OK;
    }
    const uint32_t constants[6] = {f->subgroup_size * subgroups, 1, 1, m.m, m.n, m.k};
    work w =
        dispatch_of(p, 1, MATRIX_TURNS,
                    2.0 * m.m * m.n * m.k * PEAK_ROWS * PEAK_COLUMNS * MATRIX_TURNS * subgroups);
    const status s = pipeline_create(
        p, f->matrix == MATRIX_API_KHR ? "peak_matrix_khr" : "peak_matrix_nv", constants, 6, err);
    return s ? s : rate(p, &w, flops, err);
}

/* bytes: that a kernel moves for each that it reads */
static status stream_measure(peaks *p, const char *module, double bytes, double *per_second,
                             error *err)
{
    const uint32_t constants[3] = {LOCAL_SIZE, 1, 1};
    const uint32_t most = p->dev.physical->properties.limits.maxComputeWorkGroupCount[0];
    uint32_t turns = COPY_TURNS;
    uint64_t groups = p->from.bytes / COPY_GRAIN;
    while (groups > most) {
        groups /= 2;
        turns *= 2;
    }
    work w = dispatch_of(p, (uint32_t)groups, turns, bytes * LOCAL_SIZE * 16 * turns);
    w.most_groups = w.groups; /* which is the whole buffer */
    const status s = pipeline_create(p, module, constants, 3, err);
    return s ? s : rate(p, &w, per_second, err);
}

static status copy_measure(peaks *p, const buffer *source, const buffer *target, double *per_second,
                           error *err)
{
    const uint64_t bytes = p->staging.bytes;
    work w = {.source = source,
              .target = target,
              .bytes = bytes,
              .repeats = 1,
              .group_units = (double)bytes};
    return rate(p, &w, per_second, err);
}

static status dispatch_measure(peaks *p, double *ns, error *err)
{
    const uint32_t constants[3] = {1, 1, 1};
    double per_second = 0;
    work w = dispatch_of(p, 1, 0, 1);
    w.most_groups = 1;
    w.repeats = 64;
    status s = pipeline_create(p, "peak_empty", constants, 3, err);
    if (!s) {
        s = rate(p, &w, &per_second, err);
    }
    if (!s) {
        *ns = 1e9 / per_second;
    }
    return s;
}

/* Halves between 1/4 and 1, which make small floats too: what devices compute with should not be
 * zeros, which cost some of them less power. */
static status source_fill(peaks *p, error *err)
{
    uint32_t *words = p->staging.mapped;
    uint32_t state = 20260101u;
    uint64_t ignored = 0;
    for (uint64_t i = 0; i < p->staging.bytes / 4; i++) {
        state = state * 1664525u + 1013904223u;
        words[i] = 0x34003400u + (state >> 8 & 0x07ff07ffu);
    }
    status s = buffer_flush(&p->dev, &p->staging, p->staging.bytes, err);
    if (!s) {
        const work w = {.source = &p->staging,
                        .target = &p->from,
                        .bytes = p->staging.bytes,
                        .repeats = (uint32_t)(p->from.bytes / p->staging.bytes)};
        s = sample(p, &w, &ignored, err);
    }
    return s;
}

static status everything(peaks *p, vkdet_device_peaks *out, error *err)
{
    status s = source_fill(p, err);
    if (!s) {
        s = fma_measure(p, "peak_fma", &out->fp32_flops, err);
    }
    if (!s && p->dev.physical->features.fp16) {
        s = fma_measure(p, "peak_fma_half", &out->fp16_flops, err);
    }
    if (!s && p->dev.physical->features.matrix != MATRIX_API_NONE) {
        s = matrix_measure(p, &out->matrix_fp16_flops, err);
    }
    if (!s) {
        s = stream_measure(p, "peak_copy", 2, &out->copy_bytes, err);
    }
    if (!s) {
        s = stream_measure(p, "peak_read", 1, &out->read_bytes, err);
    }
    if (!s) {
        s = dispatch_measure(p, &out->dispatch_ns, err);
    }
    if (!s) {
        s = copy_measure(p, &p->staging, &p->from, &out->upload_bytes, err);
    }
    if (!s) {
        s = copy_measure(p, &p->from, &p->readback, &out->download_bytes, err);
    }
    return s;
}

/* Nothing is freed that the device may still use: where it does not end its work, all is left. */
static void peaks_destroy(peaks *p)
{
    enum { ATTEMPTS = 3 };
    device *d = &p->dev;
    for (int i = 0; p->pending && !d->lost && i < ATTEMPTS; i++) {
        if (fence_wait(p, NULL) == STATUS_TIMEOUT) {
            break;
        }
    }
    if (d->lost) {
        (void)d->call.DeviceWaitIdle(d->handle);
    } else if (p->pending) {
        log_write(d->log, LOG_device_lost, "%s does not finish its work; its memory is left to it",
                  d->physical->properties.deviceName);
        return;
    }
    if (d->handle) {
        pipeline_destroy(p);
        buffers_destroy(p);
        if (p->fence) {
            d->call.DestroyFence(d->handle, p->fence, NULL);
        }
        if (p->pool) {
            d->call.DestroyCommandPool(d->handle, p->pool, NULL);
        }
        if (p->descriptors) {
            d->call.DestroyDescriptorPool(d->handle, p->descriptors, NULL);
        }
        if (p->layout) {
            d->call.DestroyPipelineLayout(d->handle, p->layout, NULL);
        }
        if (p->set_layout) {
            d->call.DestroyDescriptorSetLayout(d->handle, p->set_layout, NULL);
        }
    }
    device_destroy(d);
}

status vulkan_peaks_measure_with(const vulkan_instance *v, uint32_t index, const logger *log,
                                 const peaks_effort *effort, vkdet_device_peaks *out, error *err)
{
    peaks p = {.effort = *effort, .deadline = clock_ns() + effort->budget_ns};
    vkdet_device_peaks found = {0};
    status s = device_create(v, index, log, &p.dev, err);
    if (!s) {
        s = layouts_create(&p, err);
    }
    if (!s) {
        s = commands_create(&p, err);
    }
    if (!s) {
        s = buffers_create(&p, err);
    }
    if (!s) {
        s = descriptors_create(&p, err);
    }
    if (!s) {
        s = everything(&p, &found, err);
    }
    peaks_destroy(&p);
    if (!s) {
        *out = found;
    }
    return s;
}

status vulkan_peaks_measure(const vulkan_instance *v, uint32_t index, const logger *log,
                            vkdet_device_peaks *out, error *err)
{
    const peaks_effort effort = {
        .sample_ns = 20000000, .budget_ns = 1500000000, .buffer_bytes = UINT64_MAX};
    return vulkan_peaks_measure_with(v, index, log, &effort, out, err);
}
