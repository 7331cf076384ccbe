/* Stands between the Vulkan room and the driver: counts calls, makes the N-th one fail, and lies
 * about what the device is. Process-wide; one session at a
 * time (which may make its pipelines in several threads, and on several devices). */
#ifndef TESTS_VULKAN_SHIM_H
#define TESTS_VULKAN_SHIM_H

#include "host/vulkan/functions.h"

#include <stddef.h>
#include <stdint.h>

enum { SHIM_MAX_DEVICES = 8, SHIM_MATRIX_SHAPES = 5 };

typedef enum shim_memory {
    SHIM_MEMORY_REAL = 0,
    SHIM_MEMORY_DISCRETE, /* device-local memory that the host cannot map, and coherent host memory
                           */
    SHIM_MEMORY_BAR,      /* the same, and a little device-local memory that it can map */
    SHIM_MEMORY_NONCOHERENT, /* one type of everything, but flushes are needed */
    SHIM_MEMORY_NONE         /* no type that anything could use */
} shim_memory;

typedef struct shim_state {
    /* set by tests */
    size_t fail_at;       /* the N-th call that can fail fails (from 1); 0: none */
    const char *fail_one; /* only calls of this name ("vkQueueSubmit") count towards fail_at */
    bool fail_on;         /* and all later ones too */
    VkResult fail_with;
    shim_memory memory;
    bool bar_exhausted;         /* SHIM_MEMORY_BAR: nothing is left of it */
    uint32_t api_version;       /* 0: the device's */
    uint32_t max_storage_range; /* 0: the device's */
    uint32_t max_groups_z;      /* 0: the device's */
    uint32_t device_copies;     /* 0: as they are; else the first device so many times, with: */
    VkPhysicalDeviceType device_types[SHIM_MAX_DEVICES];
    bool no_compute;         /* no queue family computes */
    bool lost_timestamp;     /* the last of those that are read is 0 */
    uint64_t tick;           /* timestamps that are read are so far apart; 0: as they are */
    uint32_t timestamp_bits; /* of every queue family; 0: the device's, above 64: none */
    /* The device says that it has VK_NV_cooperative_matrix, with so many shapes of shim.c's table.
     * Enough to list it, not to make a device of it. */
    uint32_t matrix_shapes;
    /* the device says where it sits: PCI 1:c1:0.2, and the nodes 226:0 (which draws) and 226:128 */
    bool placed;
    bool timeout; /* vkWaitForFences answers VK_TIMEOUT at once */
    /* told to tests */
    size_t calls;       /* that can fail, or those of fail_one */
    const char *failed; /* the first call that was made to fail */
    size_t creations;   /* objects made, memory allocated, sets and command buffers allocated */
    size_t waits;       /* for fences, or for the device to be idle */
    size_t recordings, descriptor_writes, submissions, flushes, invalidations;
    size_t live; /* objects made and not destroyed, but for sets and command buffers */
} shim_state;

extern shim_state shim;

/* back to zeros, live included */
void shim_reset(void);
/* what vulkan_instance_create_with takes; NULL when there is no loader */
PFN_vkGetInstanceProcAddr shim_loader(void);

#endif
