/* Loads the function tables; volk finds the loader library. */
#include "host/vulkan/functions.h"

#include <pthread.h>

#define VOLK_IMPLEMENTATION
#include <volk.h>

static pthread_once_t loader_once = PTHREAD_ONCE_INIT;

static void load_once(void)
{
    (void)volkInitialize(); /* on failure vkGetInstanceProcAddr stays NULL */
}

PFN_vkGetInstanceProcAddr functions_loader(void)
{
    (void)pthread_once(&loader_once, load_once);
    return vkGetInstanceProcAddr;
}

#define LOAD(name)                                                                                 \
    out->name = (PFN_vk##name)get(handle, "vk" #name);                                             \
    if (!out->name) {                                                                              \
        return "vk" #name;                                                                         \
    }

#define LOAD_OPTIONAL(name) out->name = (PFN_vk##name)get(handle, "vk" #name);

const char *functions_load_global(PFN_vkGetInstanceProcAddr get, global_functions *out)
{
    VkInstance handle = VK_NULL_HANDLE;
    out->EnumerateInstanceVersion =
        (PFN_vkEnumerateInstanceVersion)get(handle, "vkEnumerateInstanceVersion");
    VULKAN_GLOBAL_FUNCTIONS(LOAD)
    return NULL;
}

const char *functions_load_instance(PFN_vkGetInstanceProcAddr get, VkInstance handle, bool debug,
                                    instance_functions *out)
{
    VULKAN_INSTANCE_FUNCTIONS(LOAD)
    VULKAN_OPTIONAL_FUNCTIONS(LOAD_OPTIONAL)
    if (debug) {
        VULKAN_DEBUG_FUNCTIONS(LOAD)
    }
    return NULL;
}

const char *functions_load_device(PFN_vkGetDeviceProcAddr get, VkDevice handle,
                                  device_functions *out)
{
    VULKAN_DEVICE_FUNCTIONS(LOAD)
    return NULL;
}
