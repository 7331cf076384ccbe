/* The Vulkan room's door: what the API needs of it. No Vulkan type appears here. */
#ifndef HOST_VULKAN_VULKAN_H
#define HOST_VULKAN_VULKAN_H

#include "host/backend.h"

typedef struct vulkan_instance vulkan_instance;

/* Loads the loader and makes an instance. STATUS_DEVICE with a reason when there is no loader or no
 * usable driver: the caller decides what that means. validate: the Khronos layer with
 * synchronisation validation; STATUS_DEVICE when it is not installed. Every message of the layer
 * goes to the log (LOG_validation) and is counted. */
status vulkan_instance_create(const allocator *alloc, const logger *log, bool validate,
                              vulkan_instance **out, error *err);
void vulkan_instance_destroy(vulkan_instance *v);
uint64_t vulkan_validation_messages(const vulkan_instance *v);

/* Physical devices in the loader's order; indices are what "vulkan:N" means. Devices that cannot
 * run vkdet are listed with the reason in `unusable`. */
uint32_t vulkan_device_count(const vulkan_instance *v);
void vulkan_device_describe(const vulkan_instance *v, uint32_t index, vkdet_device_info *out);
/* the index that "auto" means: discrete, integrated, virtual GPU; never a software driver. -1: none
 */
int vulkan_device_pick(const vulkan_instance *v);
/* what the planner may rely on there */
void vulkan_device_target(const vulkan_instance *v, uint32_t index, plan_target *out);

/* params->graph has been through the passes; p is its plan. */
status vulkan_backend_create(vulkan_instance *v, uint32_t index, const backend_params *params,
                             const plan *p, backend **out, error *err);

#endif
