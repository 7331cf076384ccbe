/* Pipelines of a plan: one layout for all, one pipeline for every distinct (shader, constants). */
#ifndef HOST_VULKAN_PIPELINES_H
#define HOST_VULKAN_PIPELINES_H

#include "engine/plan.h"
#include "host/vulkan/device.h"

typedef struct pipelines {
    VkDescriptorSetLayout set_layout; /* BINDING_COUNT storage buffers */
    VkPipelineLayout layout;          /* that set, PLAN_MAX_PUSH words of push constants */
    VkPipeline *unique;
    uint32_t unique_count;
    uint32_t *of_step; /* index into unique, by step */
} pipelines;

status pipelines_create(device *d, const allocator *a, const plan *p, VkPipelineCache cache,
                        pipelines *out, error *err);
/* A set of so many storage buffers, at most BINDING_COUNT, and a layout of that set and push
 * constants. What was made is set also on failure; the rest is VK_NULL_HANDLE. */
status pipelines_layouts(device *d, uint32_t buffers, uint32_t push_bytes,
                         VkDescriptorSetLayout *set_layout, VkPipelineLayout *layout, error *err);
/* The built-in shader of that name; constants are those of the pipeline that it is for, which some
 * drivers want to see in it. */
status pipelines_module(device *d, const allocator *a, const char *name, const uint32_t *constants,
                        uint32_t count, VkShaderModule *module, error *err);
/* What vkCreateComputePipelines answered: anything but VK_SUCCESS is a failure. */
status pipelines_check(device *d, VkResult r, error *err);
void pipelines_destroy(device *d, const allocator *a, pipelines *p);

#endif
