/* VkResult -> status, with the name of the call. */
#ifndef HOST_VULKAN_CHECK_H
#define HOST_VULKAN_CHECK_H

#include "engine/status.h"
#include "host/vulkan/functions.h"

/* "VK_ERROR_OUT_OF_HOST_MEMORY" */
const char *vulkan_result_name(VkResult r);

/* STATUS_OK for VK_SUCCESS (and VK_INCOMPLETE, which no caller of ours can be hurt by); else a
 * message such as "vkCreateFence: VK_ERROR_OUT_OF_HOST_MEMORY". */
status vulkan_check(VkResult r, const char *call, error *err);

#endif
