/* VkResult -> status, with the name of the call. */
#include "host/vulkan/check.h"

const char *vulkan_result_name(VkResult r)
{
    switch (r) {
#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code;
        NAME(VK_SUCCESS)
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_INCOMPLETE)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_MEMORY_MAP_FAILED)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_TOO_MANY_OBJECTS)
        NAME(VK_ERROR_FRAGMENTED_POOL)
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
        NAME(VK_ERROR_FRAGMENTATION)
        NAME(VK_ERROR_UNKNOWN)
        NAME(VK_ERROR_INVALID_SHADER_NV)
#undef NAME
    default:
        return "an error this program has no name for";
    }
}

status vulkan_check(VkResult r, const char *call, error *err)
{
    status code = STATUS_DEVICE;
    switch (r) {
    case VK_SUCCESS:
    case VK_INCOMPLETE:
        return STATUS_OK;
    case VK_ERROR_OUT_OF_HOST_MEMORY:
        code = STATUS_MEMORY;
        break;
    case VK_ERROR_DEVICE_LOST:
        code = STATUS_DEVICE_LOST;
        break;
    case VK_TIMEOUT:
        code = STATUS_TIMEOUT;
        break;
    default:
        break;
    }
    return error_set(err, code, "%s: %s (%d)", call, vulkan_result_name(r), (int)r);
}
