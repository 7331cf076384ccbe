/* Buffers and the choice of their memory. */
#include "host/vulkan/memory.h"

#include "host/vulkan/check.h"

#define LOCAL    VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT
#define VISIBLE  VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT
#define COHERENT VK_MEMORY_PROPERTY_HOST_COHERENT_BIT
#define CACHED   VK_MEMORY_PROPERTY_HOST_CACHED_BIT
/* anything beyond these four needs a feature or is slow by design */
#define ORDINARY (LOCAL | VISIBLE | COHERENT | CACHED)

enum { CHOICES = 4, BUFFER_PORTION = 256 };

typedef struct memory_choice {
    VkMemoryPropertyFlags with, without;
} memory_choice;

/* Best first; the list ends at an entry without flags. MEMORY_DEVICE never falls back to memory of
 * the host while the device has memory of its own: that would be many times slower, silently. */
static const memory_choice choices[MEMORY_USE_COUNT][CHOICES + 1] = {
    [MEMORY_DEVICE] = {{LOCAL, VISIBLE}, {LOCAL, 0}},
    [MEMORY_SHARED_IN] = {{LOCAL | VISIBLE | COHERENT, 0}, {LOCAL | VISIBLE, 0}},
    [MEMORY_SHARED_OUT] = {{LOCAL | VISIBLE | CACHED | COHERENT, 0}, {LOCAL | VISIBLE | CACHED, 0}},
    [MEMORY_STAGING] = {{VISIBLE | COHERENT, LOCAL}, {VISIBLE | COHERENT, 0}, {VISIBLE, 0}},
    [MEMORY_READBACK] = {{VISIBLE | CACHED | COHERENT, 0},
                         {VISIBLE | CACHED, 0},
                         {VISIBLE | COHERENT, 0},
                         {VISIBLE, 0}},
};

static bool choice_matches(VkMemoryPropertyFlags flags, memory_choice c)
{
    return (flags & c.with) == c.with && !(flags & c.without) && !(flags & ~(unsigned)ORDINARY);
}

/* those of the best type; 0: there is none */
static VkMemoryPropertyFlags best_flags(const physical_device *gpu, memory_use use)
{
    const VkPhysicalDeviceMemoryProperties *m = &gpu->memory;
    for (const memory_choice *c = choices[use]; c->with; c++) {
        for (uint32_t i = 0; i < m->memoryTypeCount; i++) {
            if (choice_matches(m->memoryTypes[i].propertyFlags, *c)) {
                return m->memoryTypes[i].propertyFlags;
            }
        }
    }
    return 0;
}

bool memory_offered(const physical_device *gpu, memory_use use)
{
    return best_flags(gpu, use) != 0;
}

/* In portions that drivers align to, so that what is asked for is what is allocated. */
static uint64_t rounded_bytes(const physical_device *gpu, uint64_t bytes)
{
    const uint64_t range = gpu->properties.limits.maxStorageBufferRange;
    uint64_t rounded = (bytes + BUFFER_PORTION - 1) / BUFFER_PORTION * BUFFER_PORTION;
    rounded = rounded ? rounded : BUFFER_PORTION;
    return rounded > range && bytes <= range ? bytes : rounded;
}

/* Tries every suitable type in order of preference while memory runs out in the one before. */
static status memory_get(device *d, memory_use use, const VkMemoryRequirements *needs, buffer *b,
                         error *err)
{
    const VkPhysicalDeviceMemoryProperties *m = &d->physical->memory;
    uint32_t tried = 0;
    VkResult r = VK_SUCCESS;
    for (const memory_choice *c = choices[use]; c->with; c++) {
        for (uint32_t i = 0; i < m->memoryTypeCount; i++) {
            const uint32_t bit = 1u << i;
            const VkMemoryPropertyFlags flags = m->memoryTypes[i].propertyFlags;
            if (tried & bit || !(needs->memoryTypeBits & bit) || !choice_matches(flags, *c)) {
                continue;
            }
            tried |= bit;
            const VkMemoryAllocateInfo info = {
                .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                .allocationSize = needs->size,
                .memoryTypeIndex = i,
            };
            r = d->call.AllocateMemory(d->handle, &info, NULL, &b->memory);
            if (r == VK_SUCCESS) {
                b->allocated = needs->size;
                b->flags = flags;
                b->coherent = flags & COHERENT;
                d->device_bytes += flags & LOCAL ? b->allocated : 0;
                d->host_visible_bytes += flags & VISIBLE ? b->allocated : 0;
                return STATUS_OK;
            }
            b->memory = VK_NULL_HANDLE;
            if (r != VK_ERROR_OUT_OF_DEVICE_MEMORY) {
                return device_check(d, r, "vkAllocateMemory", err);
            }
        }
    }
    if (!tried) {
        return error_set(err, STATUS_DEVICE, "the device has no memory type for it");
    }
    return device_check(d, r, "vkAllocateMemory", err);
}

static status buffer_make(device *d, memory_use use, buffer *b, error *err)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = b->bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                 VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    status s = device_check(d, d->call.CreateBuffer(d->handle, &info, NULL, &b->handle),
                            "vkCreateBuffer", err);
    if (s) {
        b->handle = VK_NULL_HANDLE;
        return s;
    }
    VkMemoryRequirements needs;
    d->call.GetBufferMemoryRequirements(d->handle, b->handle, &needs);
    if (d->physical->max_allocation && needs.size > d->physical->max_allocation) {
        return error_set(err, STATUS_LIMIT, "the device allocates at most %llu bytes at once",
                         (unsigned long long)d->physical->max_allocation);
    }
    s = memory_get(d, use, &needs, b, err);
    if (s) {
        return s;
    }
    s = device_check(d, d->call.BindBufferMemory(d->handle, b->handle, b->memory, 0),
                     "vkBindBufferMemory", err);
    if (!s && use != MEMORY_DEVICE) {
        s = device_check(d,
                         d->call.MapMemory(d->handle, b->memory, 0, VK_WHOLE_SIZE, 0, &b->mapped),
                         "vkMapMemory", err);
    }
    return s;
}

status buffer_create(device *d, const char *name, memory_use use, uint64_t bytes, buffer *out,
                     error *err)
{
    *out = (buffer){.bytes = rounded_bytes(d->physical, bytes)};
    const uint32_t range = d->physical->properties.limits.maxStorageBufferRange;
    if (out->bytes > range && use != MEMORY_STAGING && use != MEMORY_READBACK) {
        return error_set(err, STATUS_LIMIT,
                         "%s: %llu bytes are needed, but the device's kernels reach %u bytes of a "
                         "buffer (maxStorageBufferRange); a smaller batch needs less",
                         name, (unsigned long long)bytes, range);
    }
    const status s = buffer_make(d, use, out, err);
    if (s) {
        buffer_destroy(d, out);
        (void)error_prefix(err, "%s, %llu bytes: ", name, (unsigned long long)bytes);
    }
    return s;
}

void buffer_destroy(device *d, buffer *b)
{
    if (b->handle) {
        d->call.DestroyBuffer(d->handle, b->handle, NULL);
    }
    if (b->memory) {
        d->call.FreeMemory(d->handle, b->memory, NULL); /* unmaps */
        d->device_bytes -= b->flags & LOCAL ? b->allocated : 0;
        d->host_visible_bytes -= b->flags & VISIBLE ? b->allocated : 0;
    }
    *b = (buffer){0};
}

/* the first `bytes` rounded up as mapped ranges must be */
static VkMappedMemoryRange mapped_range(const device *d, const buffer *b, uint64_t bytes)
{
    const VkDeviceSize atom = d->physical->properties.limits.nonCoherentAtomSize;
    const VkDeviceSize size = (bytes + atom - 1) / atom * atom;
    return (VkMappedMemoryRange){
        .sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE,
        .memory = b->memory,
        .size = size < b->allocated ? size : VK_WHOLE_SIZE,
    };
}

status buffer_flush(device *d, const buffer *b, uint64_t bytes, error *err)
{
    if (b->coherent || !b->mapped || bytes == 0) {
        return STATUS_OK;
    }
    const VkMappedMemoryRange range = mapped_range(d, b, bytes);
    return device_check(d, d->call.FlushMappedMemoryRanges(d->handle, 1, &range),
                        "vkFlushMappedMemoryRanges", err);
}

status buffer_invalidate(device *d, const buffer *b, uint64_t bytes, error *err)
{
    if (b->coherent || !b->mapped || bytes == 0) {
        return STATUS_OK;
    }
    const VkMappedMemoryRange range = mapped_range(d, b, bytes);
    return device_check(d, d->call.InvalidateMappedMemoryRanges(d->handle, 1, &range),
                        "vkInvalidateMappedMemoryRanges", err);
}

status exchange_create(device *d, const char *name, bool upload, uint64_t bytes, exchange *out,
                       error *err)
{
    *out = (exchange){0};
    const memory_use shared = upload ? MEMORY_SHARED_IN : MEMORY_SHARED_OUT;
    if (memory_offered(d->physical, shared)) {
        const status s = buffer_create(d, name, shared, bytes, &out->device, err);
        if (s != STATUS_DEVICE) { /* fits, can never fit, or something worse happened */
            return s;
        }
    }
    status s = buffer_create(d, name, MEMORY_DEVICE, bytes, &out->device, err);
    if (!s) {
        s = buffer_create(d, name, upload ? MEMORY_STAGING : MEMORY_READBACK, bytes, &out->host,
                          err);
    }
    if (s) {
        exchange_destroy(d, out);
    }
    return s;
}

void exchange_destroy(device *d, exchange *e)
{
    buffer_destroy(d, &e->device);
    buffer_destroy(d, &e->host);
}

const buffer *exchange_host(const exchange *e)
{
    return e->host.handle ? &e->host : &e->device;
}

void buffer_bill(const physical_device *gpu, memory_use use, uint64_t bytes, backend_memory *bill)
{
    const VkMemoryPropertyFlags flags = best_flags(gpu, use);
    const uint64_t allocated = rounded_bytes(gpu, bytes);
    bill->device_bytes += flags & LOCAL ? allocated : 0;
    bill->host_visible_bytes += flags & VISIBLE ? allocated : 0;
}

void exchange_bill(const physical_device *gpu, bool upload, uint64_t bytes, backend_memory *bill)
{
    const memory_use shared = upload ? MEMORY_SHARED_IN : MEMORY_SHARED_OUT;
    if (memory_offered(gpu, shared)) {
        buffer_bill(gpu, shared, bytes, bill);
        return;
    }
    buffer_bill(gpu, MEMORY_DEVICE, bytes, bill);
    buffer_bill(gpu, upload ? MEMORY_STAGING : MEMORY_READBACK, bytes, bill);
}
