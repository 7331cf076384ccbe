/* Wrappers around the functions of host/vulkan/functions.h. */
#include "tests/vulkan/shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

shim_state shim;

static struct {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
    global_functions global;
    instance_functions instance;
    device_functions device;
} real;

static uint32_t properties_asked; /* since the devices were listed */

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER; /* pipelines are made by threads,
                                                                and some on devices of theirs */

static bool fails(const char *name)
{
    if (shim.fail_one && strcmp(shim.fail_one, name) != 0) {
        return false;
    }
    (void)pthread_mutex_lock(&counting);
    shim.calls++;
    const bool now =
        shim.fail_at && (shim.calls == shim.fail_at || (shim.fail_on && shim.calls > shim.fail_at));
    if (now && !shim.failed) {
        shim.failed = name;
    }
    (void)pthread_mutex_unlock(&counting);
    return now;
}

static void created(size_t count, bool counts)
{
    (void)pthread_mutex_lock(&counting);
    shim.creations += count;
    shim.live += counts ? count : 0;
    (void)pthread_mutex_unlock(&counting);
}

static void destroyed(bool any)
{
    (void)pthread_mutex_lock(&counting);
    shim.live -= any;
    (void)pthread_mutex_unlock(&counting);
}

static void counted(size_t *what)
{
    (void)pthread_mutex_lock(&counting);
    ++*what;
    (void)pthread_mutex_unlock(&counting);
}

#define UNPACK(...) __VA_ARGS__

/* a function that can fail, and has no other effect here */
#define PLAIN(table, name, parameters, arguments)                                                  \
    static VKAPI_ATTR VkResult VKAPI_CALL shim_##name(UNPACK parameters)                           \
    {                                                                                              \
        return fails("vk" #name) ? shim.fail_with : real.table.name(UNPACK arguments);             \
    }

/* one that makes `count` things that live until they are destroyed (counts: 1) or with a pool */
#define CREATE(table, name, count, counts, parameters, arguments)                                  \
    static VKAPI_ATTR VkResult VKAPI_CALL shim_##name(UNPACK parameters)                           \
    {                                                                                              \
        const VkResult r = fails("vk" #name) ? shim.fail_with : real.table.name(UNPACK arguments); \
        if (r == VK_SUCCESS) {                                                                     \
            created(count, counts);                                                                \
        }                                                                                          \
        return r;                                                                                  \
    }

#define DESTROY(table, name, parent, type)                                                         \
    static VKAPI_ATTR void VKAPI_CALL shim_##name(parent p, type object,                           \
                                                  const VkAllocationCallbacks *a)                  \
    {                                                                                              \
        destroyed(object != VK_NULL_HANDLE);                                                       \
        real.table.name(p, object, a);                                                             \
    }

#define DESTROY_SELF(table, name, type)                                                            \
    static VKAPI_ATTR void VKAPI_CALL shim_##name(type object, const VkAllocationCallbacks *a)     \
    {                                                                                              \
        destroyed(object != VK_NULL_HANDLE);                                                       \
        real.table.name(object, a);                                                                \
    }

#define ALLOCATION const VkAllocationCallbacks *a

PLAIN(global, EnumerateInstanceExtensionProperties,
      (const char *layer, uint32_t *count, VkExtensionProperties *list), (layer, count, list))
PLAIN(global, EnumerateInstanceLayerProperties, (uint32_t * count, VkLayerProperties *list),
      (count, list))
CREATE(global, CreateInstance, 1, 1, (const VkInstanceCreateInfo *i, ALLOCATION, VkInstance *out),
       (i, a, out))
DESTROY_SELF(instance, DestroyInstance, VkInstance)
CREATE(instance, CreateDevice, 1, 1,
       (VkPhysicalDevice p, const VkDeviceCreateInfo *i, ALLOCATION, VkDevice *out), (p, i, a, out))
CREATE(instance, CreateDebugUtilsMessengerEXT, 1, 1,
       (VkInstance p, const VkDebugUtilsMessengerCreateInfoEXT *i, ALLOCATION,
        VkDebugUtilsMessengerEXT *out),
       (p, i, a, out))
DESTROY(instance, DestroyDebugUtilsMessengerEXT, VkInstance, VkDebugUtilsMessengerEXT)

DESTROY_SELF(device, DestroyDevice, VkDevice)

/* whatever it answers, nothing runs afterwards: so it is on a device that was lost */
static VKAPI_ATTR VkResult VKAPI_CALL shim_DeviceWaitIdle(VkDevice d)
{
    counted(&shim.waits);
    const VkResult r = real.device.DeviceWaitIdle(d);
    return fails("vkDeviceWaitIdle") ? shim.fail_with : r;
}
PLAIN(device, BindBufferMemory, (VkDevice d, VkBuffer b, VkDeviceMemory m, VkDeviceSize offset),
      (d, b, m, offset))
PLAIN(device, MapMemory,
      (VkDevice d, VkDeviceMemory m, VkDeviceSize offset, VkDeviceSize size, VkMemoryMapFlags flags,
       void **out),
      (d, m, offset, size, flags, out))
PLAIN(device, EndCommandBuffer, (VkCommandBuffer c), (c))
PLAIN(device, ResetFences, (VkDevice d, uint32_t count, const VkFence *fences), (d, count, fences))
PLAIN(device, GetPipelineCacheData, (VkDevice d, VkPipelineCache c, size_t *size, void *data),
      (d, c, size, data))

#define CREATE_OBJECT(name, object)                                                                \
    CREATE(device, Create##name, 1, 1,                                                             \
           (VkDevice d, const Vk##object##CreateInfo *i, ALLOCATION, Vk##object *out),             \
           (d, i, a, out))                                                                         \
    DESTROY(device, Destroy##name, VkDevice, Vk##object)

CREATE_OBJECT(Buffer, Buffer)
CREATE_OBJECT(DescriptorSetLayout, DescriptorSetLayout)
CREATE_OBJECT(DescriptorPool, DescriptorPool)
CREATE_OBJECT(PipelineLayout, PipelineLayout)
CREATE_OBJECT(ShaderModule, ShaderModule)
CREATE_OBJECT(PipelineCache, PipelineCache)
CREATE_OBJECT(CommandPool, CommandPool)
CREATE_OBJECT(Fence, Fence)
CREATE_OBJECT(QueryPool, QueryPool)
static VKAPI_ATTR VkResult VKAPI_CALL shim_GetQueryPoolResults(VkDevice d, VkQueryPool q,
                                                               uint32_t first, uint32_t count,
                                                               size_t size, void *data,
                                                               VkDeviceSize stride,
                                                               VkQueryResultFlags flags)
{
    if (fails("vkGetQueryPoolResults")) {
        return shim.fail_with;
    }
    const VkResult r =
        real.device.GetQueryPoolResults(d, q, first, count, size, data, stride, flags);
    for (uint32_t k = 0; shim.tick && k < count; k++) {
        ((uint64_t *)data)[k] = k * shim.tick;
    }
    if (shim.lost_timestamp) {
        ((uint64_t *)data)[count - 1] = 0;
    }
    return r;
}
CREATE(device, AllocateDescriptorSets, i->descriptorSetCount, 0,
       (VkDevice d, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *out), (d, i, out))
CREATE(device, AllocateCommandBuffers, i->commandBufferCount, 0,
       (VkDevice d, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *out), (d, i, out))
CREATE(device, CreateComputePipelines, n, 1,
       (VkDevice d, VkPipelineCache c, uint32_t n, const VkComputePipelineCreateInfo *i, ALLOCATION,
        VkPipeline *out),
       (d, c, n, i, a, out))
DESTROY(device, DestroyPipeline, VkDevice, VkPipeline)
DESTROY(device, FreeMemory, VkDevice, VkDeviceMemory)

static VKAPI_ATTR VkResult VKAPI_CALL shim_BeginCommandBuffer(VkCommandBuffer c,
                                                              const VkCommandBufferBeginInfo *i)
{
    counted(&shim.recordings);
    return fails("vkBeginCommandBuffer") ? shim.fail_with : real.device.BeginCommandBuffer(c, i);
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_QueueSubmit(VkQueue q, uint32_t n, const VkSubmitInfo *i,
                                                       VkFence f)
{
    counted(&shim.submissions);
    return fails("vkQueueSubmit") ? shim.fail_with : real.device.QueueSubmit(q, n, i, f);
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_WaitForFences(VkDevice d, uint32_t n,
                                                         const VkFence *fences, VkBool32 all,
                                                         uint64_t timeout)
{
    counted(&shim.waits);
    if (shim.timeout) {
        return VK_TIMEOUT;
    }
    return fails("vkWaitForFences") ? shim.fail_with
                                    : real.device.WaitForFences(d, n, fences, all, timeout);
}

static VKAPI_ATTR VkResult VKAPI_CALL
shim_FlushMappedMemoryRanges(VkDevice d, uint32_t n, const VkMappedMemoryRange *ranges)
{
    counted(&shim.flushes);
    return fails("vkFlushMappedMemoryRanges") ? shim.fail_with
                                              : real.device.FlushMappedMemoryRanges(d, n, ranges);
}

static VKAPI_ATTR VkResult VKAPI_CALL
shim_InvalidateMappedMemoryRanges(VkDevice d, uint32_t n, const VkMappedMemoryRange *ranges)
{
    counted(&shim.invalidations);
    return fails("vkInvalidateMappedMemoryRanges")
               ? shim.fail_with
               : real.device.InvalidateMappedMemoryRanges(d, n, ranges);
}

static VKAPI_ATTR void VKAPI_CALL shim_UpdateDescriptorSets(VkDevice d, uint32_t n,
                                                            const VkWriteDescriptorSet *writes,
                                                            uint32_t copies,
                                                            const VkCopyDescriptorSet *copied)
{
    counted(&shim.descriptor_writes);
    real.device.UpdateDescriptorSets(d, n, writes, copies, copied);
}

/* --- lies --- */

static VKAPI_ATTR VkResult VKAPI_CALL shim_EnumeratePhysicalDevices(VkInstance i, uint32_t *count,
                                                                    VkPhysicalDevice *out)
{
    if (fails("vkEnumeratePhysicalDevices")) {
        return shim.fail_with;
    }
    properties_asked = 0;
    if (!shim.device_copies) {
        return real.instance.EnumeratePhysicalDevices(i, count, out);
    }
    VkResult r = VK_SUCCESS;
    if (out) {
        uint32_t one = 1;
        r = real.instance.EnumeratePhysicalDevices(i, &one, out);
        for (uint32_t k = 1; k < shim.device_copies && k < *count; k++) {
            out[k] = out[0];
        }
    }
    *count = shim.device_copies;
    return r == VK_INCOMPLETE ? VK_SUCCESS : r;
}

static VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceProperties(VkPhysicalDevice p,
                                                                   VkPhysicalDeviceProperties *out)
{
    real.instance.GetPhysicalDeviceProperties(p, out);
    if (shim.api_version) {
        out->apiVersion = shim.api_version;
    }
    if (shim.max_storage_range) {
        out->limits.maxStorageBufferRange = shim.max_storage_range;
    }
    if (shim.max_groups_z) {
        out->limits.maxComputeWorkGroupCount[2] = shim.max_groups_z;
    }
    if (shim.device_copies && properties_asked < shim.device_copies) {
        out->deviceType = shim.device_types[properties_asked];
    }
    properties_asked++;
}

static VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceQueueFamilyProperties(
    VkPhysicalDevice p, uint32_t *count, VkQueueFamilyProperties *out)
{
    real.instance.GetPhysicalDeviceQueueFamilyProperties(p, count, out);
    for (uint32_t i = 0; out && shim.no_compute && i < *count; i++) {
        out[i].queueFlags &= ~(VkQueueFlags)VK_QUEUE_COMPUTE_BIT;
    }
    for (uint32_t i = 0; out && shim.timestamp_bits && i < *count; i++) {
        out[i].timestampValidBits = shim.timestamp_bits > 64 ? 0 : shim.timestamp_bits;
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_EnumerateDeviceExtensionProperties(
    VkPhysicalDevice p, const char *layer, uint32_t *count, VkExtensionProperties *list)
{
    if (fails("vkEnumerateDeviceExtensionProperties")) {
        return shim.fail_with;
    }
    const VkResult r = real.instance.EnumerateDeviceExtensionProperties(p, layer, count, list);
    const struct {
        bool there;
        const char *name;
    } more[] = {{shim.matrix_shapes > 0, VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME},
                {shim.placed, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME},
                {shim.placed, VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) { /* behind those that there are */
        if (more[i].there && list) {
            list[*count] = (VkExtensionProperties){.specVersion = 1};
            (void)snprintf(list[*count].extensionName, VK_MAX_EXTENSION_NAME_SIZE, "%s",
                           more[i].name);
        }
        *count += more[i].there;
    }
    return r == VK_INCOMPLETE ? VK_SUCCESS : r;
}

/* What no driver is asked for is answered here and not passed on. */
static VKAPI_ATTR void VKAPI_CALL
shim_GetPhysicalDeviceProperties2(VkPhysicalDevice p, VkPhysicalDeviceProperties2 *out)
{
    void *const chained = out->pNext;
    bool ours = false;
    for (VkBaseOutStructure *s = shim.placed ? out->pNext : NULL; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT) {
            VkPhysicalDevicePCIBusInfoPropertiesEXT *pci = (void *)s;
            ours = true;
            pci->pciDomain = 1;
            pci->pciBus = 0xc1;
            pci->pciDevice = 0;
            pci->pciFunction = 2;
        } else if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRM_PROPERTIES_EXT) {
            VkPhysicalDeviceDrmPropertiesEXT *drm = (void *)s;
            ours = true;
            drm->hasPrimary = drm->hasRender = VK_TRUE;
            drm->primaryMajor = drm->renderMajor = 226;
            drm->primaryMinor = 0;
            drm->renderMinor = 128;
        }
    }
    out->pNext = ours ? NULL : chained;
    real.instance.GetPhysicalDeviceProperties2(p, out);
    out->pNext = chained;
}

static VKAPI_ATTR void VKAPI_CALL shim_GetPhysicalDeviceFeatures2(VkPhysicalDevice p,
                                                                  VkPhysicalDeviceFeatures2 *out)
{
    real.instance.GetPhysicalDeviceFeatures2(p, out);
    for (VkBaseOutStructure *s = shim.matrix_shapes ? out->pNext : NULL; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV) {
            ((VkPhysicalDeviceCooperativeMatrixFeaturesNV *)(void *)s)->cooperativeMatrix = VK_TRUE;
        }
    }
}

#define HALF  VK_COMPONENT_TYPE_FLOAT16_NV
#define FLOAT VK_COMPONENT_TYPE_FLOAT32_NV
#define SHAPE(m, n, k, sum, scope)                                                                 \
    {                                                                                              \
        VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV, NULL, m, n, k, HALF, HALF, sum, sum,   \
            scope                                                                                  \
    }
static const VkCooperativeMatrixPropertiesNV fake_shapes[SHIM_MATRIX_SHAPES] = {
    SHAPE(32, 32, 16, FLOAT, VK_SCOPE_WORKGROUP_NV), SHAPE(16, 8, 8, FLOAT, VK_SCOPE_SUBGROUP_NV),
    SHAPE(64, 8, 16, HALF, VK_SCOPE_SUBGROUP_NV),    SHAPE(64, 16, 16, FLOAT, VK_SCOPE_SUBGROUP_NV),
    SHAPE(16, 16, 16, FLOAT, VK_SCOPE_SUBGROUP_NV),
};

static VKAPI_ATTR VkResult VKAPI_CALL shim_GetPhysicalDeviceCooperativeMatrixPropertiesNV(
    VkPhysicalDevice p, uint32_t *count, VkCooperativeMatrixPropertiesNV *list)
{
    (void)p;
    if (fails("vkGetPhysicalDeviceCooperativeMatrixPropertiesNV")) {
        return shim.fail_with;
    }
    for (uint32_t i = 0; list && i < *count && i < shim.matrix_shapes; i++) {
        list[i] = fake_shapes[i];
    }
    *count = shim.matrix_shapes;
    return VK_SUCCESS;
}

static const VkMemoryPropertyFlags fake_types[][4] = {
    [SHIM_MEMORY_DISCRETE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                              VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                  VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
    [SHIM_MEMORY_BAR] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                             VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                             VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                         VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                             VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
    [SHIM_MEMORY_NONCOHERENT] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
                                 VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                 VK_MEMORY_PROPERTY_HOST_CACHED_BIT},
    [SHIM_MEMORY_NONE] = {VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
                          VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT},
};
enum { BAR_TYPE = 2 };

static uint32_t real_memory_type; /* a type that is everything at once */

static VKAPI_ATTR void VKAPI_CALL
shim_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice p, VkPhysicalDeviceMemoryProperties *out)
{
    real.instance.GetPhysicalDeviceMemoryProperties(p, out);
    if (shim.memory == SHIM_MEMORY_REAL) {
        return;
    }
    for (uint32_t i = out->memoryTypeCount; i-- > 0;) {
        if (out->memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) {
            real_memory_type = i;
        }
    }
    out->memoryTypeCount = 0;
    for (uint32_t i = 0; i < 4 && fake_types[shim.memory][i]; i++) {
        out->memoryTypes[i] = (VkMemoryType){fake_types[shim.memory][i], 0};
        out->memoryTypeCount++;
    }
}

static VKAPI_ATTR void VKAPI_CALL shim_GetBufferMemoryRequirements(VkDevice d, VkBuffer b,
                                                                   VkMemoryRequirements *out)
{
    real.device.GetBufferMemoryRequirements(d, b, out);
    if (shim.memory != SHIM_MEMORY_REAL) {
        out->memoryTypeBits = 7;
    }
}

static VKAPI_ATTR VkResult VKAPI_CALL shim_AllocateMemory(VkDevice d, const VkMemoryAllocateInfo *i,
                                                          ALLOCATION, VkDeviceMemory *out)
{
    VkMemoryAllocateInfo info = *i;
    if (fails("vkAllocateMemory")) {
        return shim.fail_with;
    }
    if (shim.memory != SHIM_MEMORY_REAL) {
        if (shim.memory == SHIM_MEMORY_BAR && shim.bar_exhausted &&
            info.memoryTypeIndex == BAR_TYPE) {
            return VK_ERROR_OUT_OF_DEVICE_MEMORY;
        }
        info.memoryTypeIndex = real_memory_type;
    }
    const VkResult r = real.device.AllocateMemory(d, &info, a, out);
    if (r == VK_SUCCESS) {
        created(1, true);
    }
    return r;
}

/* --- lookup --- */

typedef struct wrapper {
    const char *name;
    PFN_vkVoidFunction function, *next;
} wrapper;

#define WRAPPER(table, name)                                                                       \
    {"vk" #name, (PFN_vkVoidFunction)shim_##name, (PFN_vkVoidFunction *)&real.table.name},
#define WRAPPER_PAIR(name) WRAPPER(device, Create##name) WRAPPER(device, Destroy##name)

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetDeviceProcAddr(VkDevice d,
                                                                       const char *name);

/* clang-format off */
static const wrapper wrappers[] = {
    WRAPPER(global, EnumerateInstanceExtensionProperties)
    WRAPPER(global, EnumerateInstanceLayerProperties)
    WRAPPER(global, CreateInstance)
    WRAPPER(instance, DestroyInstance)
    WRAPPER(instance, EnumerateDeviceExtensionProperties)
    WRAPPER(instance, CreateDevice)
    WRAPPER(instance, CreateDebugUtilsMessengerEXT)
    WRAPPER(instance, DestroyDebugUtilsMessengerEXT)
    WRAPPER(instance, EnumeratePhysicalDevices)
    WRAPPER(instance, GetPhysicalDeviceProperties)
    WRAPPER(instance, GetPhysicalDeviceProperties2)
    WRAPPER(instance, GetPhysicalDeviceQueueFamilyProperties)
    WRAPPER(instance, GetPhysicalDeviceMemoryProperties)
    WRAPPER(instance, GetDeviceProcAddr)
    WRAPPER(instance, GetPhysicalDeviceFeatures2)
    WRAPPER(device, DestroyDevice)
    WRAPPER(device, DeviceWaitIdle)
    WRAPPER(device, BindBufferMemory)
    WRAPPER(device, MapMemory)
    WRAPPER(device, EndCommandBuffer)
    WRAPPER(device, ResetFences)
    WRAPPER(device, GetPipelineCacheData)
    WRAPPER_PAIR(Buffer)
    WRAPPER_PAIR(DescriptorSetLayout)
    WRAPPER_PAIR(DescriptorPool)
    WRAPPER_PAIR(PipelineLayout)
    WRAPPER_PAIR(ShaderModule)
    WRAPPER_PAIR(PipelineCache)
    WRAPPER_PAIR(CommandPool)
    WRAPPER_PAIR(Fence)
    WRAPPER_PAIR(QueryPool)
    WRAPPER(device, GetQueryPoolResults)
    WRAPPER(device, AllocateDescriptorSets)
    WRAPPER(device, AllocateCommandBuffers)
    WRAPPER(device, CreateComputePipelines)
    WRAPPER(device, DestroyPipeline)
    WRAPPER(device, AllocateMemory)
    WRAPPER(device, FreeMemory)
    WRAPPER(device, BeginCommandBuffer)
    WRAPPER(device, QueueSubmit)
    WRAPPER(device, WaitForFences)
    WRAPPER(device, FlushMappedMemoryRanges)
    WRAPPER(device, InvalidateMappedMemoryRanges)
    WRAPPER(device, UpdateDescriptorSets)
    WRAPPER(device, GetBufferMemoryRequirements)
};
/* clang-format on */

static PFN_vkVoidFunction wrap(const char *name, PFN_vkVoidFunction next)
{
    for (size_t i = 0; next && i < sizeof wrappers / sizeof *wrappers; i++) {
        if (strcmp(wrappers[i].name, name) == 0) {
            *wrappers[i].next = next;
            return wrappers[i].function;
        }
    }
    return next;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetDeviceProcAddr(VkDevice d, const char *name)
{
    return wrap(name, real.instance.GetDeviceProcAddr(d, name));
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL shim_GetInstanceProcAddr(VkInstance i,
                                                                         const char *name)
{
    if (shim.matrix_shapes &&
        strcmp(name, "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV") == 0) {
        return (PFN_vkVoidFunction)shim_GetPhysicalDeviceCooperativeMatrixPropertiesNV;
    }
    return wrap(name, real.GetInstanceProcAddr(i, name));
}

void shim_reset(void)
{
    shim = (shim_state){0};
}

PFN_vkGetInstanceProcAddr shim_loader(void)
{
    real.GetInstanceProcAddr = functions_loader();
    return real.GetInstanceProcAddr ? shim_GetInstanceProcAddr : NULL;
}
