/* The instance and what is known of its physical devices. */
#ifndef HOST_VULKAN_INSTANCE_H
#define HOST_VULKAN_INSTANCE_H

#include "engine/memory.h"
#include "host/vulkan/features.h"
#include "host/vulkan/functions.h"
#include "host/vulkan/quirks.h"
#include "host/vulkan/vulkan.h"

#include <stdatomic.h>

typedef struct physical_device {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    VkDeviceSize max_allocation;
    uint32_t queue_family;
    uint32_t timestamp_bits; /* of that family; 0: it keeps no time */
    bool portability;        /* VK_KHR_portability_subset must be enabled */
    device_features features;
    uint32_t quirks; /* of the driver, quirks.h */
    const char *quirk_reason;
    char driver[256];
    char unusable[128];    /* "" when it can run vkdet */
    char pci[16], drm[16]; /* as in vkdet_device_info */
} physical_device;

/* Read-only after creation but for the counter, so threads may share it. */
struct vulkan_instance {
    allocator alloc;
    logger log;
    instance_functions call;
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
    atomic_ullong messages;
    physical_device *devices;
    uint32_t device_count;
};

/* As vulkan_instance_create, with a vkGetInstanceProcAddr of the caller's. */
status vulkan_instance_create_with(PFN_vkGetInstanceProcAddr get, const allocator *alloc,
                                   const logger *log, bool validate, vulkan_instance **out,
                                   error *err);

/* Fills everything but handle, which is set (host/vulkan/physical.c). */
status physical_device_query(const vulkan_instance *v, physical_device *p, error *err);

#endif
