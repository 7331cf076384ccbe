/* The pipeline cache on disk: one file a device, driver and set of shaders.
 *
 *   offset  bytes  content (little-endian)
 *        0      8  "vkdetpc\n"
 *        8      4  version of this layout, 1
 *       12      4  vendor id           16  4  device id          20  4  driver version
 *       24     16  pipelineCacheUUID
 *       40     64  digest of the shaders, zero-padded
 *      104      8  bytes of payload
 *      112      8  FNV-1a of the payload
 *      120         payload: what vkGetPipelineCacheData gave
 *
 * Everything is checked before the driver sees the payload. A file that does not fit is ignored; a
 * new one is written beside it and renamed over it, so that readers see one or the other. Writing
 * one removes those of the same device that were not used for a month (cache_tidy.c). */
#ifndef HOST_VULKAN_CACHE_H
#define HOST_VULKAN_CACHE_H

#include "host/vulkan/device.h"

typedef struct pipeline_cache {
    VkPipelineCache handle;
    char *path;          /* NULL: not kept on disk */
    uint64_t disk_bytes; /* of the payload that was read; 0 when none was */
    uint64_t disk_hash;
} pipeline_cache;

/* dir NULL or "": in memory only. Only a failing device or host memory is an error. */
status pipeline_cache_create(device *d, const allocator *a, const char *dir, pipeline_cache *out,
                             error *err);
/* Writes the file when its content changed. Cannot fail: what goes wrong is logged. */
void pipeline_cache_store(device *d, const allocator *a, const char *dir, const pipeline_cache *c);
void pipeline_cache_destroy(device *d, const allocator *a, pipeline_cache *c);

#endif
