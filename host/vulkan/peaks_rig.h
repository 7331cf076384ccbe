/* What the peaks are measured with: a logical device of its own, four buffers, one command buffer,
 * one pipeline at a time. */
#ifndef HOST_VULKAN_PEAKS_RIG_H
#define HOST_VULKAN_PEAKS_RIG_H

#include "host/vulkan/memory.h"

typedef struct peaks_rig {
    const allocator *alloc; /* the instance's */
    device dev;
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
} peaks_rig;

/* Buffers are multiples of this, which a workgroup of the copying kernels moves at once. */
enum {
    PEAKS_LOCAL_SIZE = 128, /* what every device runs that vkdet runs on */
    PEAKS_COPY_TURNS = 16,  /* vectors an invocation moves */
    PEAKS_COPY_GRAIN = PEAKS_LOCAL_SIZE * PEAKS_COPY_TURNS * 16
};

/* most_bytes: of the device's buffers. To be destroyed after a failure, too. */
status peaks_rig_create(const vulkan_instance *v, uint32_t index, const logger *log,
                        uint64_t most_bytes, peaks_rig *out, error *err);
/* Nothing is freed that the device may still use: where it does not end its work, all is left. */
void peaks_rig_destroy(peaks_rig *r);

/* In place of the pipeline before. constants: the workgroup's size, then what the shader has. */
status peaks_rig_pipeline(peaks_rig *r, const char *name, const uint32_t *constants, uint32_t count,
                          error *err);
status peaks_rig_wait(peaks_rig *r, error *err);

#endif
