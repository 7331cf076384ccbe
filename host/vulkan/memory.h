/* Buffers: one VkBuffer with device memory of its own (a session has about a dozen), of a memory
 * type chosen by what the buffer is for, mapped for life where the host can see it. */
#ifndef HOST_VULKAN_MEMORY_H
#define HOST_VULKAN_MEMORY_H

#include "host/backend.h"
#include "host/vulkan/device.h"

typedef enum memory_use {
    MEMORY_DEVICE = 0, /* kernels alone touch it */
    MEMORY_SHARED_IN,  /* the host writes, kernels read, no copy between */
    MEMORY_SHARED_OUT, /* kernels write, the host reads, no copy between */
    MEMORY_STAGING,    /* the host writes, a copy command reads */
    MEMORY_READBACK,   /* a copy command writes, the host reads */
    MEMORY_USE_COUNT
} memory_use;

typedef struct buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    VkDeviceSize bytes;     /* usable */
    VkDeviceSize allocated; /* of device memory */
    void *mapped;           /* NULL for MEMORY_DEVICE */
    bool coherent;
    VkMemoryPropertyFlags flags;
} buffer;

/* Whether the device has memory for a use: false for the SHARED uses where the host cannot map
 * device-local memory, so that staging and readback copies are needed. */
bool memory_offered(const physical_device *gpu, memory_use use);

/* bytes 0 gives the smallest buffer there can be. `name` is for messages ("arena"). STATUS_LIMIT
 * when it is larger than the device allows, STATUS_DEVICE when device memory ran out. */
status buffer_create(device *d, const char *name, memory_use use, uint64_t bytes, buffer *out,
                     error *err);
void buffer_destroy(device *d, buffer *b); /* zeroed or destroyed before is fine */

/* Makes host writes to the first `bytes` visible to the device, and the reverse. */
status buffer_flush(device *d, const buffer *b, uint64_t bytes, error *err);
status buffer_invalidate(device *d, const buffer *b, uint64_t bytes, error *err);

/* What host and kernels exchange: one mapped buffer where the device has such memory, else a buffer
 * for the kernels and a twin for the host, with a copy command between. */
typedef struct exchange {
    buffer device; /* what kernels use */
    buffer host;   /* the twin; no handle when the host uses `device` itself */
} exchange;

/* upload: the host writes; else it reads. Falls back to a twin when mapped device memory ran out.
 */
status exchange_create(device *d, const char *name, bool upload, uint64_t bytes, exchange *out,
                       error *err);
void exchange_destroy(device *d, exchange *e);

/* What the two ways of making buffers will allocate while there is room, added to the bill. (A
 * driver may round further; sizes are chosen so that those known do not.) */
void buffer_bill(const physical_device *gpu, memory_use use, uint64_t bytes, backend_memory *bill);
void exchange_bill(const physical_device *gpu, bool upload, uint64_t bytes, backend_memory *bill);

/* the one that is mapped */
const buffer *exchange_host(const exchange *e);

#endif
