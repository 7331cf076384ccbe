/* What a device reaches in small kernels that do one thing (shaders/peak_*.comp).
 *
 * Each is run in samples that grow until one takes long enough for the clock and for what a
 * submission costs, and not so long that a watchdog barks; the median of three is the answer. Time
 * is the host's, from submission to fence. */
#include "host/vulkan/peaks.h"

#include "host/clock.h"
#include "host/vulkan/check.h"
#include "host/vulkan/peaks_rig.h"
#include "shaders/interface.h"

enum {
    SAMPLES = 3,
    GROWTH = 16,            /* at most, from one sample to the next */
    MOST_REPEATS = 1 << 16, /* in one command buffer */
    FMA_TURNS = 128,
    MATRIX_TURNS = 256,
    VECTOR_FLOPS = 8 /* a multiply-add of four lanes */
};

typedef struct peaks {
    peaks_rig rig;
    peaks_effort effort;
    uint64_t deadline;
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

/* --- timing --- */

static void work_record(peaks *p, const work *w)
{
    device *d = &p->rig.dev;
    const VkCommandBuffer c = p->rig.commands;
    const VkPipelineStageFlags stages =
        VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier barrier = {
        .sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                         VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
    };
    if (!w->source) {
        d->call.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, p->rig.pipeline);
        d->call.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, p->rig.layout, 0, 1,
                                      &p->rig.set, 0, NULL);
        d->call.CmdPushConstants(c, p->rig.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof w->push,
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
    device *d = &p->rig.dev;
    const VkCommandBufferBeginInfo begin = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT,
    };
    const VkSubmitInfo submit = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
        .commandBufferCount = 1,
        .pCommandBuffers = &p->rig.commands,
    };
    status s = device_check(d, d->call.BeginCommandBuffer(p->rig.commands, &begin),
                            "vkBeginCommandBuffer", err);
    if (s) {
        return s;
    }
    work_record(p, w);
    s = device_check(d, d->call.EndCommandBuffer(p->rig.commands), "vkEndCommandBuffer", err);
    if (!s) {
        s = device_check(d, d->call.ResetFences(d->handle, 1, &p->rig.fence), "vkResetFences", err);
    }
    if (!s) {
        const uint64_t started = clock_ns();
        s = device_check(d, d->call.QueueSubmit(d->queue, 1, &submit, p->rig.fence),
                         "vkQueueSubmit", err);
        p->rig.pending = !s;
        if (!s) {
            s = peaks_rig_wait(&p->rig, err);
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
        const uint32_t middle = count / 2;
        *per_second = units / (double)ns[middle] * 1e9;
    }
    return s;
}

/* --- what is measured --- */

static work dispatch_of(const peaks *p, uint32_t groups, uint32_t turns, double group_units)
{
    return (work){
        .groups = groups,
        .most_groups = p->rig.dev.physical->properties.limits.maxComputeWorkGroupCount[0],
        .repeats = 1,
        .group_units = group_units,
        .push = {.turns = turns, .factor = 0.5f, .term = 0.5f, .never = -1e30f},
    };
}

static status fma_measure(peaks *p, const char *module, double *flops, error *err)
{
    const uint32_t constants[3] = {PEAKS_LOCAL_SIZE, 1, 1};
    work w =
        dispatch_of(p, 8, FMA_TURNS,
                    (double)PEAKS_LOCAL_SIZE * FMA_TURNS * PEAK_STEPS * PEAK_CHAINS * VECTOR_FLOPS);
    const status s = peaks_rig_pipeline(&p->rig, module, constants, 3, err);
    return s ? s : rate(p, &w, flops, err);
}

/* What a subgroup sums, in matrices, and the subgroups of a workgroup. */
typedef struct matrix_block {
    uint32_t rows, columns, subgroups;
} matrix_block;

static status block_measure(peaks *p, matrix_shape m, const matrix_block *b, double *flops,
                            error *err)
{
    const device_features *f = &p->rig.dev.physical->features;
    const uint32_t constants[8] = {
        f->subgroup_size * b->subgroups, 1, 1, m.m, m.n, m.k, b->rows, b->columns};
    work w =
        dispatch_of(p, 1, MATRIX_TURNS,
                    2.0 * m.m * m.n * m.k * b->rows * b->columns * MATRIX_TURNS * b->subgroups);
    const status s = peaks_rig_pipeline(
        &p->rig, f->matrix == MATRIX_API_KHR ? "peak_matrix_khr" : "peak_matrix_nv", constants, 8,
        err);
    return s ? s : rate(p, &w, flops, err);
}

/* The best of some blocks: with more sums a subgroup needs fewer neighbours to keep the units busy,
 * with more subgroups each has fewer registers. A processor's driver compiles each for as long as
 * it runs it, and has one kind of unit: it gets the first. */
static status matrix_measure(peaks *p, double *flops, error *err)
{
    static const matrix_block blocks[] = {{2, 4, 4}, {4, 4, 8}, {2, 4, 8}, {4, 4, 4}};
    const physical_device *gpu = p->rig.dev.physical;
    const bool software = gpu->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    const matrix_shape m = features_half_matrix(&gpu->features);
    const uint32_t most = gpu->properties.limits.maxComputeWorkGroupInvocations;
    status s = STATUS_OK;
    for (size_t i = 0; !s && m.m > 0 && i < (software ? 1 : sizeof blocks / sizeof *blocks); i++) {
        matrix_block b = blocks[i];
        const uint64_t halves = (uint64_t)(b.rows * m.m + b.columns * m.n) * m.k;
        double found = 0;
        b.subgroups = gpu->features.subgroup_size * b.subgroups <= most ? b.subgroups : 1;
        if (halves * 2 <= p->rig.from.bytes && (i == 0 || clock_ns() < p->deadline)) {
            s = block_measure(p, m, &b, &found, err);
            *flops = found > *flops ? found : *flops;
        }
    }
    return s;
}

/* bytes: that a kernel moves for each that it reads */
static status stream_measure(peaks *p, const char *module, double bytes, double *per_second,
                             error *err)
{
    const uint32_t constants[3] = {PEAKS_LOCAL_SIZE, 1, 1};
    const uint32_t most = p->rig.dev.physical->properties.limits.maxComputeWorkGroupCount[0];
    uint32_t turns = PEAKS_COPY_TURNS;
    uint64_t groups = p->rig.from.bytes / PEAKS_COPY_GRAIN;
    while (groups > most) {
        groups /= 2;
        turns *= 2;
    }
    work w = dispatch_of(p, (uint32_t)groups, turns, bytes * PEAKS_LOCAL_SIZE * 16 * turns);
    w.most_groups = w.groups; /* which is the whole buffer */
    const status s = peaks_rig_pipeline(&p->rig, module, constants, 3, err);
    return s ? s : rate(p, &w, per_second, err);
}

static status copy_measure(peaks *p, const buffer *source, const buffer *target, double *per_second,
                           error *err)
{
    const uint64_t bytes = p->rig.staging.bytes;
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
    status s = peaks_rig_pipeline(&p->rig, "peak_empty", constants, 3, err);
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
    uint32_t *words = p->rig.staging.mapped;
    uint32_t state = 20260101u;
    uint64_t ignored = 0;
    for (uint64_t i = 0; i < p->rig.staging.bytes / 4; i++) {
        state = state * 1664525u + 1013904223u;
        words[i] = 0x34003400u + (state >> 8 & 0x07ff07ffu);
    }
    status s = buffer_flush(&p->rig.dev, &p->rig.staging, p->rig.staging.bytes, err);
    if (!s) {
        const work w = {.source = &p->rig.staging,
                        .target = &p->rig.from,
                        .bytes = p->rig.staging.bytes,
                        .repeats = (uint32_t)(p->rig.from.bytes / p->rig.staging.bytes)};
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
    if (!s && p->rig.dev.physical->features.fp16) {
        s = fma_measure(p, "peak_fma_half", &out->fp16_flops, err);
    }
    if (!s && p->rig.dev.physical->features.matrix != MATRIX_API_NONE) {
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
        s = copy_measure(p, &p->rig.staging, &p->rig.from, &out->upload_bytes, err);
    }
    if (!s) {
        s = copy_measure(p, &p->rig.from, &p->rig.readback, &out->download_bytes, err);
    }
    return s;
}

status vulkan_peaks_measure_with(const vulkan_instance *v, uint32_t index, const logger *log,
                                 const peaks_effort *effort, vkdet_device_peaks *out, error *err)
{
    peaks p = {.effort = *effort, .deadline = clock_ns() + effort->budget_ns};
    vkdet_device_peaks found = {0};
    status s = peaks_rig_create(v, index, log, effort->buffer_bytes, &p.rig, err);
    if (!s) {
        s = everything(&p, &found, err);
    }
    peaks_rig_destroy(&p.rig);
    if (!s) {
        *out = found;
    }
    return s;
}

status vulkan_peaks_measure(const vulkan_instance *v, uint32_t index, const logger *log,
                            vkdet_device_peaks *out, error *err)
{
    const peaks_effort effort = {
        .sample_ns = 20000000, .budget_ns = 2500000000, .buffer_bytes = UINT64_MAX};
    return vulkan_peaks_measure_with(v, index, log, &effort, out, err);
}
