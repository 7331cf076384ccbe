/* The pipeline cache on disk. */
#include "host/vulkan/cache.h"

#include "host/vulkan/cache_file.h"
#include "host/vulkan/check.h"
#include "shaders/shaders.h"

#include <stdio.h>
#include <string.h>

enum {
    CACHE_VERSION = 1,
    OFFSET_VENDOR = 12,
    OFFSET_UUID = 24,
    OFFSET_DIGEST = 40,
    OFFSET_BYTES = 104,
    OFFSET_HASH = 112,
    HEADER_BYTES = 120,
    DIGEST_BYTES = OFFSET_BYTES - OFFSET_DIGEST,
    NAME_BYTES = 160,
    VULKAN_HEADER_BYTES = 32 /* VkPipelineCacheHeaderVersionOne */
};

static const unsigned char magic[8] = {'v', 'k', 'd', 'e', 't', 'p', 'c', '\n'};

/* no driver comes near; a larger file is not ours */
#define CACHE_MAX_BYTES (256u << 20)

static void header_write(const device *d, const unsigned char *payload, size_t size,
                         unsigned char header[HEADER_BYTES])
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    memset(header, 0, HEADER_BYTES);
    memcpy(header, magic, sizeof magic);
    bytes_put(header + 8, CACHE_VERSION, 4);
    bytes_put(header + OFFSET_VENDOR, p->vendorID, 4);
    bytes_put(header + OFFSET_VENDOR + 4, p->deviceID, 4);
    bytes_put(header + OFFSET_VENDOR + 8, p->driverVersion, 4);
    memcpy(header + OFFSET_UUID, p->pipelineCacheUUID, VK_UUID_SIZE);
    for (size_t i = 0; i < DIGEST_BYTES && shader_digest[i]; i++) {
        header[OFFSET_DIGEST + i] = (unsigned char)shader_digest[i];
    }
    bytes_put(header + OFFSET_BYTES, size, 8);
    bytes_put(header + OFFSET_HASH, bytes_hash(BYTES_HASH_SEED, payload, size), 8);
}

/* Whether it begins as VkPipelineCacheHeaderVersionOne of this device. */
static bool payload_valid(const device *d, const unsigned char *payload, size_t size)
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    return size >= VULKAN_HEADER_BYTES && bytes_get(payload, 4) >= VULKAN_HEADER_BYTES &&
           bytes_get(payload + 4, 4) == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           bytes_get(payload + 8, 4) == p->vendorID && bytes_get(payload + 12, 4) == p->deviceID &&
           memcmp(payload + 16, p->pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

/* Why the file cannot be used, or NULL. */
static const char *file_check(const device *d, const unsigned char *bytes, size_t size)
{
    if (size < HEADER_BYTES || memcmp(bytes, magic, sizeof magic) != 0) {
        return "it is not a pipeline cache";
    }
    if (bytes_get(bytes + 8, 4) != CACHE_VERSION) {
        return "it has another version";
    }
    const unsigned char *payload = bytes + HEADER_BYTES;
    if (bytes_get(bytes + OFFSET_BYTES, 8) != size - HEADER_BYTES) {
        return "it is cut short";
    }
    unsigned char expected[HEADER_BYTES];
    header_write(d, payload, size - HEADER_BYTES, expected);
    if (memcmp(bytes + OFFSET_VENDOR, expected + OFFSET_VENDOR, OFFSET_BYTES - OFFSET_VENDOR) !=
        0) {
        return "it belongs to another device, driver or version of vkdet";
    }
    if (memcmp(bytes, expected, HEADER_BYTES) != 0) {
        return "its checksum is wrong";
    }
    return payload_valid(d, payload, size - HEADER_BYTES) ? NULL : "its Vulkan header is wrong";
}

#define NAME_DEVICE "pipelines-%04x-%04x-"

/* dir/pipelines-VENDOR-DEVICE-DRIVER-UUID-DIGEST.bin */
static char *path_make(const device *d, const allocator *a, const char *dir)
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    char uuid[2 * VK_UUID_SIZE + 1];
    for (size_t i = 0; i < VK_UUID_SIZE; i++) {
        (void)snprintf(uuid + 2 * i, 3, "%02x", p->pipelineCacheUUID[i]);
    }
    const size_t size = strlen(dir) + NAME_BYTES;
    char *path = memory_allocate(a, size, 1);
    if (path) {
        (void)snprintf(path, size, "%s/" NAME_DEVICE "%08x-%s-%.16s.bin", dir, p->vendorID,
                       p->deviceID, p->driverVersion, uuid, shader_digest);
    }
    return path;
}

/* Files of this device that other drivers and builds left; what the name has in common with theirs
 * ends with the device. */
static void old_remove(const device *d, const char *dir, const char *path)
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    const cache_part begin = {magic, sizeof magic};
    const int fixed = snprintf(NULL, 0, NAME_DEVICE, p->vendorID, p->deviceID);
    const size_t removed =
        fixed > 0 ? cache_folder_tidy(dir, path + strlen(dir) + 1, (size_t)fixed, &begin) : 0;
    if (removed) {
        log_write(d->log, LOG_cache_removed,
                  "%s: %zu pipeline caches of this device, unused for %d days", dir, removed,
                  CACHE_KEPT_DAYS);
    }
}

/* *bytes is NULL when there is no file, or none that can be used (logged). */
static status payload_read(const device *d, const allocator *a, const char *path,
                           unsigned char **bytes, size_t *size, error *err)
{
    const char *reason = NULL;
    const status s = cache_file_read(a, path, CACHE_MAX_BYTES, bytes, size, &reason, err);
    if (*bytes) {
        reason = file_check(d, *bytes, *size);
    }
    if (reason) {
        log_write(d->log, LOG_cache_ignored, "%s: %s; pipelines are built anew", path, reason);
        memory_release(a, *bytes);
        *bytes = NULL;
    }
    return s;
}

status pipeline_cache_create(device *d, const allocator *a, const char *dir, pipeline_cache *out,
                             error *err)
{
    *out = (pipeline_cache){0};
    unsigned char *bytes = NULL;
    size_t size = 0;
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    status s = STATUS_OK;
    if (dir && *dir) {
        out->path = path_make(d, a, dir);
        if (!out->path) {
            return error_set(err, STATUS_MEMORY, "out of memory for a path in %s", dir);
        }
        s = payload_read(d, a, out->path, &bytes, &size, err);
        if (s) {
            goto done;
        }
    }
    if (bytes) {
        info.initialDataSize = size - HEADER_BYTES;
        info.pInitialData = bytes + HEADER_BYTES;
    }
    VkResult r = d->call.CreatePipelineCache(d->handle, &info, NULL, &out->handle);
    if (r && bytes && r != VK_ERROR_DEVICE_LOST) {
        log_write(d->log, LOG_cache_ignored,
                  "%s: the driver refused it: %s; pipelines are built anew", out->path,
                  vulkan_result_name(r));
        memory_release(a, bytes);
        bytes = NULL;
        info.initialDataSize = 0;
        info.pInitialData = NULL;
        r = d->call.CreatePipelineCache(d->handle, &info, NULL, &out->handle);
    }
    s = device_check(d, r, "vkCreatePipelineCache", err);
    if (!s && bytes) {
        out->disk_bytes = info.initialDataSize;
        out->disk_hash = bytes_get(bytes + OFFSET_HASH, 8);
        log_write(d->log, LOG_cache_loaded, "%s: %zu bytes", out->path, size);
        cache_file_used(out->path);
    }
done:
    memory_release(a, bytes);
    if (s) {
        out->handle = VK_NULL_HANDLE;
        pipeline_cache_destroy(d, a, out);
    }
    return s;
}

void pipeline_cache_store(device *d, const allocator *a, const char *dir, const pipeline_cache *c)
{
    if (!c->path) {
        return;
    }
    unsigned char *payload = NULL;
    size_t size = 0;
    VkResult r = d->call.GetPipelineCacheData(d->handle, c->handle, &size, NULL);
    if (r == VK_SUCCESS && size > 0 && size <= CACHE_MAX_BYTES) {
        payload = memory_allocate(a, size, 1);
        r = payload ? d->call.GetPipelineCacheData(d->handle, c->handle, &size, payload)
                    : VK_ERROR_OUT_OF_HOST_MEMORY;
    }
    if (r) {
        log_write(d->log, LOG_cache_not_written, "%s: vkGetPipelineCacheData: %s", c->path,
                  vulkan_result_name(r));
    } else if (payload && payload_valid(d, payload, size) && /* some drivers have nothing to keep */
               (size != c->disk_bytes ||
                bytes_hash(BYTES_HASH_SEED, payload, size) != c->disk_hash)) {
        unsigned char header[HEADER_BYTES];
        header_write(d, payload, size, header);
        const cache_part parts[] = {{header, sizeof header}, {payload, size}};
        const int error_number = cache_file_write(a, dir, c->path, parts, 2);
        if (error_number) {
            log_write(d->log, LOG_cache_not_written, "%s: %s", c->path, strerror(error_number));
        } else {
            old_remove(d, dir, c->path);
        }
    }
    memory_release(a, payload);
}

void pipeline_cache_destroy(device *d, const allocator *a, pipeline_cache *c)
{
    if (c->handle) {
        d->call.DestroyPipelineCache(d->handle, c->handle, NULL);
    }
    memory_release(a, c->path);
    *c = (pipeline_cache){0};
}
