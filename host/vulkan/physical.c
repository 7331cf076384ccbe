/* Physical devices: what they can do, whether vkdet can run there, which one "auto" means. */
#include "host/vulkan/check.h"
#include "host/vulkan/instance.h"
#include "shaders/interface.h"

#include <stdio.h>
#include <string.h>

enum { BROADCASTING_LANES = 4 }; /* shaders/winograd_product.comp */
enum { PUSH_BYTES = PLAN_MAX_PUSH * 4, NEEDED_INVOCATIONS = 128, NEEDED_SHARED_BYTES = 16384 };

static void driver_describe(const vulkan_instance *v, physical_device *p)
{
    quirk_subject subject = {.vendor = p->properties.vendorID,
                             .version = p->properties.driverVersion,
                             .type = p->properties.deviceType};
    if (p->properties.apiVersion >= VK_API_VERSION_1_2) {
        VkPhysicalDeviceDriverProperties driver = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
        VkPhysicalDeviceProperties2 properties = {
            .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
        v->call.GetPhysicalDeviceProperties2(p->handle, &properties);
        (void)snprintf(p->driver, sizeof p->driver, "%.127s %.120s", driver.driverName,
                       driver.driverInfo);
        subject.driver = driver.driverID;
    } else {
        (void)snprintf(p->driver, sizeof p->driver, "driver version 0x%x", subject.version);
    }
    p->quirks = quirks_find(&subject, &p->quirk_reason);
}

/* A family that computes and does not draw leaves the desktop its own queue; else any that
 * computes (which every device that draws has). */
static bool queue_family_find(const vulkan_instance *v, physical_device *p, status *s, error *err)
{
    uint32_t count = 0;
    v->call.GetPhysicalDeviceQueueFamilyProperties(p->handle, &count, NULL);
    if (count == 0) {
        return false;
    }
    VkQueueFamilyProperties *families = memory_allocate(&v->alloc, count, sizeof *families);
    if (!families) {
        *s = error_set(err, STATUS_MEMORY, "out of memory for %u queue families", count);
        return false;
    }
    v->call.GetPhysicalDeviceQueueFamilyProperties(p->handle, &count, families);
    bool found = false, dedicated = false;
    for (uint32_t i = 0; i < count; i++) {
        const bool computes =
            families[i].queueCount && families[i].queueFlags & VK_QUEUE_COMPUTE_BIT;
        const bool draws = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (computes && (!found || (!dedicated && !draws))) {
            p->queue_family = i;
            p->timestamp_bits = families[i].timestampValidBits;
            found = true;
            dedicated = !draws;
        }
    }
    memory_release(&v->alloc, families);
    return found;
}

/* Where the system has the device, for whoever wants to ask the system about it. */
static void place_query(const vulkan_instance *v, physical_device *p,
                        const VkExtensionProperties *list, uint32_t count)
{
    VkPhysicalDevicePCIBusInfoPropertiesEXT pci = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT};
    VkPhysicalDeviceDrmPropertiesEXT drm = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRM_PROPERTIES_EXT};
    VkPhysicalDeviceProperties2 properties = {.sType =
                                                  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    const bool on_pci = extension_listed(list, count, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
    if (on_pci) {
        properties.pNext = &pci;
    }
    if (extension_listed(list, count, VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME)) {
        drm.pNext = properties.pNext;
        properties.pNext = &drm;
    }
    if (properties.pNext) {
        v->call.GetPhysicalDeviceProperties2(p->handle, &properties);
    }
    if (on_pci) {
        (void)snprintf(p->pci, sizeof p->pci, "%04x:%02x:%02x.%x", pci.pciDomain & 0xfffffu,
                       pci.pciBus & 0xffu, pci.pciDevice & 0xffu, pci.pciFunction & 0xfu);
    }
    if (drm.hasRender || drm.hasPrimary) {
        (void)snprintf(p->drm, sizeof p->drm, "%u:%u",
                       (unsigned)(drm.hasRender ? drm.renderMajor : drm.primaryMajor) & 0xffffu,
                       (unsigned)(drm.hasRender ? drm.renderMinor : drm.primaryMinor) & 0xfffffu);
    }
}

static status extensions_query(const vulkan_instance *v, physical_device *p, error *err)
{
    uint32_t count = 0;
    status s =
        vulkan_check(v->call.EnumerateDeviceExtensionProperties(p->handle, NULL, &count, NULL),
                     "vkEnumerateDeviceExtensionProperties", err);
    if (s || count == 0) {
        return s ? s : features_query(v, p, NULL, 0, err);
    }
    VkExtensionProperties *list = memory_allocate(&v->alloc, count, sizeof *list);
    if (!list) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u device extensions", count);
    }
    s = vulkan_check(v->call.EnumerateDeviceExtensionProperties(p->handle, NULL, &count, list),
                     "vkEnumerateDeviceExtensionProperties", err);
    if (!s) {
        p->portability = extension_listed(list, count, "VK_KHR_portability_subset");
        place_query(v, p, list, count);
        s = features_query(v, p, list, count, err);
    }
    memory_release(&v->alloc, list);
    return s;
}

#define UNUSABLE(p, ...) ((void)snprintf((p)->unusable, sizeof(p)->unusable, __VA_ARGS__))

static void limits_check(physical_device *p)
{
    const VkPhysicalDeviceLimits *l = &p->properties.limits;
    if (l->maxPerStageDescriptorStorageBuffers < BINDING_COUNT) {
        UNUSABLE(p, "%u storage buffers a kernel, %u are needed",
                 l->maxPerStageDescriptorStorageBuffers, (unsigned)BINDING_COUNT);
    } else if (l->maxPushConstantsSize < PUSH_BYTES) {
        UNUSABLE(p, "%u bytes of push constants, %d are needed", l->maxPushConstantsSize,
                 PUSH_BYTES);
    } else if (l->maxComputeWorkGroupInvocations < NEEDED_INVOCATIONS) {
        UNUSABLE(p, "%u invocations a workgroup, %d are needed", l->maxComputeWorkGroupInvocations,
                 NEEDED_INVOCATIONS);
    } else if (l->maxComputeSharedMemorySize < NEEDED_SHARED_BYTES) {
        UNUSABLE(p, "%u bytes of shared memory, %d are needed", l->maxComputeSharedMemorySize,
                 NEEDED_SHARED_BYTES);
    }
}

status physical_device_query(const vulkan_instance *v, physical_device *p, error *err)
{
    status s = STATUS_OK;
    v->call.GetPhysicalDeviceProperties(p->handle, &p->properties);
    v->call.GetPhysicalDeviceMemoryProperties(p->handle, &p->memory);
    if (p->properties.apiVersion < VK_API_VERSION_1_1) {
        UNUSABLE(p, "Vulkan 1.0; 1.1 is needed");
        return STATUS_OK;
    }
    VkPhysicalDeviceMaintenance3Properties maintenance = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &maintenance};
    v->call.GetPhysicalDeviceProperties2(p->handle, &properties);
    p->max_allocation = maintenance.maxMemoryAllocationSize;
    driver_describe(v, p);
    limits_check(p);
    if (!queue_family_find(v, p, &s, err) && !s && !p->unusable[0]) {
        UNUSABLE(p, "no compute queue");
    }
    return s ? s : extensions_query(v, p, err);
}

static vkdet_device_kind kind_of(VkPhysicalDeviceType type)
{
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return VKDET_DEVICE_DISCRETE_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return VKDET_DEVICE_INTEGRATED_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return VKDET_DEVICE_VIRTUAL_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return VKDET_DEVICE_SOFTWARE;
    default:
        return VKDET_DEVICE_OTHER;
    }
}

uint32_t vulkan_device_count(const vulkan_instance *v)
{
    return v ? v->device_count : 0;
}

int vulkan_device_pick(const vulkan_instance *v)
{
    static const vkdet_device_kind preference[] = {
        VKDET_DEVICE_DISCRETE_GPU, VKDET_DEVICE_INTEGRATED_GPU, VKDET_DEVICE_VIRTUAL_GPU};
    for (size_t k = 0; k < sizeof preference / sizeof *preference; k++) {
        for (uint32_t i = 0; i < vulkan_device_count(v); i++) {
            const physical_device *p = &v->devices[i];
            if (!p->unusable[0] && kind_of(p->properties.deviceType) == preference[k]) {
                return (int)i;
            }
        }
    }
    return -1;
}

void vulkan_device_describe(const vulkan_instance *v, uint32_t index, vkdet_device_info *out)
{
    *out = (vkdet_device_info){0};
    if (index >= vulkan_device_count(v)) {
        (void)snprintf(out->unusable, sizeof out->unusable, "there is no device of that index");
        return;
    }
    const physical_device *p = &v->devices[index];
    const uint32_t api = p->properties.apiVersion;
    (void)snprintf(out->id, sizeof out->id, "vulkan:%u", index);
    (void)snprintf(out->name, sizeof out->name, "%s", p->properties.deviceName);
    (void)snprintf(out->driver, sizeof out->driver, "%s", p->driver);
    (void)snprintf(out->api_version, sizeof out->api_version, "%u.%u.%u", VK_API_VERSION_MAJOR(api),
                   VK_API_VERSION_MINOR(api), VK_API_VERSION_PATCH(api));
    (void)snprintf(out->unusable, sizeof out->unusable, "%s", p->unusable);
    out->kind = kind_of(p->properties.deviceType);
    (void)snprintf(out->pci, sizeof out->pci, "%s", p->pci);
    (void)snprintf(out->drm, sizeof out->drm, "%s", p->drm);
    out->vendor_id = p->properties.vendorID;
    out->device_id = p->properties.deviceID;
    for (uint32_t i = 0; i < p->memory.memoryHeapCount; i++) {
        const VkMemoryHeap *heap = &p->memory.memoryHeaps[i];
        if (heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && heap->size > out->memory_bytes) {
            out->memory_bytes = heap->size;
        }
    }
    out->is_auto = vulkan_device_pick(v) == (int)index;
}

static plan_vendor vendor_of(const VkPhysicalDeviceProperties *p)
{
    static const struct {
        uint32_t id;
        plan_vendor vendor;
    } known[] = {
        {0x10de, VENDOR_NVIDIA}, {0x1002, VENDOR_AMD},      {0x8086, VENDOR_INTEL},
        {0x13b5, VENDOR_ARM},    {0x5143, VENDOR_QUALCOMM}, {0x106b, VENDOR_APPLE},
    };
    if (p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) {
        return VENDOR_SOFTWARE;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].id == p->vendorID) {
            return known[i].vendor;
        }
    }
    return VENDOR_UNKNOWN;
}

void vulkan_device_target(const vulkan_instance *v, uint32_t index, plan_target *out)
{
    *out = (plan_target){0};
    if (index >= vulkan_device_count(v)) {
        return;
    }
    const VkPhysicalDeviceLimits *l = &v->devices[index].properties.limits;
    out->max_invocations = l->maxComputeWorkGroupInvocations;
    out->max_shared_bytes = l->maxComputeSharedMemorySize;
    memcpy(out->max_groups, l->maxComputeWorkGroupCount, sizeof out->max_groups);
    const device_features *f = &v->devices[index].features;
    const matrix_shape matrix = features_half_matrix(f);
    out->vendor = vendor_of(&v->devices[index].properties);
    out->subgroup_size = f->subgroup_size;
    out->broadcasts = f->broadcast && f->subgroup_size >= BROADCASTING_LANES;
    const uint32_t quirks = v->devices[index].quirks;
    out->loads = quirks & QUIRK_SPLITS_ALL_LOADS ? LOADS_ALL_SPLIT
                 : quirks & QUIRK_SPLITS_LOADS   ? LOADS_SPLIT
                                                 : LOADS_GATHERED;
    out->compiles_late = quirks & QUIRK_COMPILES_LATE;
    out->has_fp16 = f->fp16 && f->storage16;
    out->matrix.m = matrix.m;
    out->matrix.n = matrix.n;
    out->matrix.k = matrix.k;
    const bool khr = f->matrix == MATRIX_API_KHR;
    out->matrix.shader = khr ? "conv2d_matrix_khr" : "conv2d_matrix_nv";
    out->matrix.window_shader = khr ? "conv2d_window_khr" : "conv2d_window_nv";
}
