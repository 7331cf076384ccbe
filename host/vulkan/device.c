/* Logical device, its queue, and the loss of it. */
#include "host/vulkan/device.h"

#include "host/vulkan/check.h"

status device_create(const vulkan_instance *v, uint32_t index, const logger *log, device *out,
                     error *err)
{
    *out = (device){0};
    if (index >= v->device_count) {
        return error_set(err, STATUS_DEVICE,
                         "vulkan:%u does not exist: there are %u Vulkan devices", index,
                         v->device_count);
    }
    const physical_device *p = &v->devices[index];
    if (p->unusable[0]) {
        return error_set(err, STATUS_DEVICE, "vulkan:%u (%s) cannot be used: %s", index,
                         p->properties.deviceName, p->unusable);
    }
    const float priority = 1.0f;
    features_request features;
    features_request_make(p, &features);
    const VkDeviceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &features.base,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos =
            &(VkDeviceQueueCreateInfo){
                .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                .queueFamilyIndex = p->queue_family,
                .queueCount = 1,
                .pQueuePriorities = &priority,
            },
        .enabledExtensionCount = features.extension_count,
        .ppEnabledExtensionNames = features.extensions,
    };
    VkDevice handle = VK_NULL_HANDLE;
    status s =
        vulkan_check(v->call.CreateDevice(p->handle, &info, NULL, &handle), "vkCreateDevice", err);
    if (s) {
        return s;
    }
    device d = {.physical = p, .log = log, .handle = handle};
    const char *missing = functions_load_device(v->call.GetDeviceProcAddr, handle, &d.call);
    if (missing) {
        if (d.call.DestroyDevice) {
            d.call.DestroyDevice(handle, NULL);
        }
        return error_set(err, STATUS_DEVICE, "the driver of %s has no %s", p->properties.deviceName,
                         missing);
    }
    if (p->quirks) {
        log_write(log, LOG_driver_quirk, "%s: %s", p->properties.deviceName, p->quirk_reason);
    }
    d.call.GetDeviceQueue(handle, p->queue_family, 0, &d.queue);
    *out = d;
    return STATUS_OK;
}

void device_destroy(device *d)
{
    if (d->handle) {
        d->call.DestroyDevice(d->handle, NULL);
    }
    *d = (device){0};
}

status device_check(device *d, VkResult r, const char *call, error *err)
{
    if (r == VK_ERROR_DEVICE_LOST && !d->lost) {
        d->lost = true;
        log_write(d->log, LOG_device_lost, "%s was lost in %s", d->physical->properties.deviceName,
                  call);
    }
    return vulkan_check(r, call, err);
}

status device_alive(const device *d, error *err)
{
    return d->lost ? error_set(err, STATUS_DEVICE_LOST, "%s was lost; make the session anew",
                               d->physical->properties.deviceName)
                   : STATUS_OK;
}
