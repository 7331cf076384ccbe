/* The pipeline cache on disk. */
#include "host/vulkan/cache.h"

#include "host/vulkan/check.h"
#include "shaders/shaders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

static void put(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(number >> (8 * i));
    }
}

static uint64_t get(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number |= (uint64_t)from[i] << (8 * i);
    }
    return number;
}

static uint64_t fnv1a(const unsigned char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    }
    return hash;
}

static void header_write(const device *d, const unsigned char *payload, size_t size,
                         unsigned char header[HEADER_BYTES])
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    memset(header, 0, HEADER_BYTES);
    memcpy(header, magic, sizeof magic);
    put(header + 8, CACHE_VERSION, 4);
    put(header + OFFSET_VENDOR, p->vendorID, 4);
    put(header + OFFSET_VENDOR + 4, p->deviceID, 4);
    put(header + OFFSET_VENDOR + 8, p->driverVersion, 4);
    memcpy(header + OFFSET_UUID, p->pipelineCacheUUID, VK_UUID_SIZE);
    for (size_t i = 0; i < DIGEST_BYTES && shader_digest[i]; i++) {
        header[OFFSET_DIGEST + i] = (unsigned char)shader_digest[i];
    }
    put(header + OFFSET_BYTES, size, 8);
    put(header + OFFSET_HASH, fnv1a(payload, size), 8);
}

/* Whether it begins as VkPipelineCacheHeaderVersionOne of this device. */
static bool payload_valid(const device *d, const unsigned char *payload, size_t size)
{
    const VkPhysicalDeviceProperties *p = &d->physical->properties;
    return size >= VULKAN_HEADER_BYTES && get(payload, 4) >= VULKAN_HEADER_BYTES &&
           get(payload + 4, 4) == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           get(payload + 8, 4) == p->vendorID && get(payload + 12, 4) == p->deviceID &&
           memcmp(payload + 16, p->pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

/* Why the file cannot be used, or NULL. */
static const char *file_check(const device *d, const unsigned char *bytes, size_t size)
{
    if (size < HEADER_BYTES || memcmp(bytes, magic, sizeof magic) != 0) {
        return "it is not a pipeline cache";
    }
    if (get(bytes + 8, 4) != CACHE_VERSION) {
        return "it has another version";
    }
    const unsigned char *payload = bytes + HEADER_BYTES;
    if (get(bytes + OFFSET_BYTES, 8) != size - HEADER_BYTES) {
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
        (void)snprintf(path, size, "%s/pipelines-%04x-%04x-%08x-%s-%.16s.bin", dir, p->vendorID,
                       p->deviceID, p->driverVersion, uuid, shader_digest);
    }
    return path;
}

/* *bytes is NULL when there is no file, or none that can be used (logged). */
static status file_read(const device *d, const allocator *a, const char *path,
                        unsigned char **bytes, size_t *size, error *err)
{
    *bytes = NULL;
    *size = 0;
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f) {
        if (errno != ENOENT) {
            log_write(d->log, LOG_cache_ignored, "%s: %s", path, strerror(errno));
        }
        return STATUS_OK;
    }
    status s = STATUS_OK;
    const char *reason = NULL;
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > (off_t)CACHE_MAX_BYTES) {
        reason = "it is not a pipeline cache";
        goto done;
    }
    *size = (size_t)st.st_size;
    *bytes = memory_allocate(a, *size, 1);
    if (!*bytes) {
        s = error_set(err, STATUS_MEMORY, "%s: out of memory for %zu bytes", path, *size);
        goto done;
    }
    if (fread(*bytes, 1, *size, f) != *size) {
        reason = "it cannot be read";
        goto done;
    }
    reason = file_check(d, *bytes, *size);
done:
    (void)fclose(f);
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
        s = file_read(d, a, out->path, &bytes, &size, err);
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
        out->disk_hash = get(bytes + OFFSET_HASH, 8);
        log_write(d->log, LOG_cache_loaded, "%s: %zu bytes", out->path, size);
    }
done:
    memory_release(a, bytes);
    if (s) {
        out->handle = VK_NULL_HANDLE;
        pipeline_cache_destroy(d, a, out);
    }
    return s;
}

/* mkdir -p with 0700; an errno */
static int directories_make(const allocator *a, const char *dir)
{
    const size_t size = strlen(dir) + 1;
    char *part = memory_allocate(a, size, 1);
    if (!part) {
        return ENOMEM;
    }
    memcpy(part, dir, size);
    int error_number = 0;
    for (size_t i = 1; i <= size - 1 && !error_number; i++) {
        if (part[i] == '/' || part[i] == 0) {
            const char kept = part[i];
            part[i] = 0;
            if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EISDIR) {
                error_number = errno;
            }
            part[i] = kept;
        }
    }
    memory_release(a, part);
    return error_number;
}

/* an errno */
static int file_write(const allocator *a, const char *path, const unsigned char *header,
                      const unsigned char *payload, size_t size)
{
    static const char suffix[] = ".XXXXXX";
    const size_t length = strlen(path);
    char *temporary = memory_allocate(a, length + sizeof suffix, 1);
    if (!temporary) {
        return ENOMEM;
    }
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    int error_number = 0;
    const int fd = mkstemp(temporary);
    FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!f) {
        error_number = errno;
        if (fd >= 0) {
            (void)close(fd);
            (void)unlink(temporary);
        }
        memory_release(a, temporary);
        return error_number;
    }
    errno = EIO;
    const bool written = fwrite(header, 1, HEADER_BYTES, f) == HEADER_BYTES &&
                         fwrite(payload, 1, size, f) == size && fflush(f) == 0;
    error_number = written ? 0 : errno;
    if (fclose(f) != 0 && !error_number) {
        error_number = errno;
    }
    if (!error_number && rename(temporary, path) != 0) {
        error_number = errno;
    }
    if (error_number) {
        (void)unlink(temporary);
    }
    memory_release(a, temporary);
    return error_number;
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
               (size != c->disk_bytes || fnv1a(payload, size) != c->disk_hash)) {
        unsigned char header[HEADER_BYTES];
        header_write(d, payload, size, header);
        int error_number = directories_make(a, dir);
        if (!error_number) {
            error_number = file_write(a, c->path, header, payload, size);
        }
        if (error_number) {
            log_write(d->log, LOG_cache_not_written, "%s: %s", c->path, strerror(error_number));
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
