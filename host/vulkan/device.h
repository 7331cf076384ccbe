/* A logical device with one queue.
 *
 * Every backend makes one of its own: a VkQueue must not be used by two threads at once, and with
 * a device each there is nothing to lock, the loss of one leaves the others alone, and all objects
 * of a session die with it. Drivers share what is costly (compiled pipelines) through the cache. */
#ifndef HOST_VULKAN_DEVICE_H
#define HOST_VULKAN_DEVICE_H

#include "host/vulkan/instance.h"

typedef struct device {
    const physical_device *physical; /* of the instance */
    const logger *log;
    device_functions call;
    VkDevice handle;
    VkQueue queue;
    bool lost;                                 /* sticky */
    uint64_t device_bytes, host_visible_bytes; /* allocated now, see memory.c */
} device;

status device_create(const vulkan_instance *v, uint32_t index, const logger *log, device *out,
                     error *err);
void device_destroy(device *d); /* zeroed or destroyed before is fine */

/* vulkan_check, and the device is marked lost when the call says so (logged once). */
status device_check(device *d, VkResult r, const char *call, error *err);
/* STATUS_DEVICE_LOST once the device was lost */
status device_alive(const device *d, error *err);

#endif
