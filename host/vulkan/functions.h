/* The Vulkan functions that this room calls, as tables filled through a vkGetInstanceProcAddr.
 *
 * Nothing is called through global pointers: every instance and every device has a table of its
 * own, so several coexist in several threads, and a caller that hands in another
 * vkGetInstanceProcAddr (a test, an embedding that has loaded Vulkan itself) sees every call. */
#ifndef HOST_VULKAN_FUNCTIONS_H
#define HOST_VULKAN_FUNCTIONS_H

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include "host/vulkan/matrix_khr.h"

#include <stdbool.h>
#include <vulkan/vulkan_core.h>

#define VULKAN_GLOBAL_FUNCTIONS(X)                                                                 \
    X(CreateInstance)                                                                              \
    X(EnumerateInstanceExtensionProperties)                                                        \
    X(EnumerateInstanceLayerProperties)

#define VULKAN_INSTANCE_FUNCTIONS(X)                                                               \
    X(DestroyInstance)                                                                             \
    X(EnumeratePhysicalDevices)                                                                    \
    X(GetPhysicalDeviceProperties)                                                                 \
    X(GetPhysicalDeviceFeatures2)                                                                  \
    X(GetPhysicalDeviceProperties2)                                                                \
    X(GetPhysicalDeviceMemoryProperties)                                                           \
    X(GetPhysicalDeviceQueueFamilyProperties)                                                      \
    X(EnumerateDeviceExtensionProperties)                                                          \
    X(CreateDevice)                                                                                \
    X(GetDeviceProcAddr)

/* there on devices that have one of the extensions; else NULL */
#define VULKAN_OPTIONAL_FUNCTIONS(X)                                                               \
    X(GetPhysicalDeviceCooperativeMatrixPropertiesKHR)                                             \
    X(GetPhysicalDeviceCooperativeMatrixPropertiesNV)

/* there when the extension is enabled */
#define VULKAN_DEBUG_FUNCTIONS(X)                                                                  \
    X(CreateDebugUtilsMessengerEXT)                                                                \
    X(DestroyDebugUtilsMessengerEXT)

#define VULKAN_DEVICE_FUNCTIONS(X)                                                                 \
    X(DestroyDevice)                                                                               \
    X(GetDeviceQueue)                                                                              \
    X(DeviceWaitIdle)                                                                              \
    X(CreateBuffer)                                                                                \
    X(DestroyBuffer)                                                                               \
    X(GetBufferMemoryRequirements)                                                                 \
    X(AllocateMemory)                                                                              \
    X(FreeMemory)                                                                                  \
    X(BindBufferMemory)                                                                            \
    X(MapMemory)                                                                                   \
    X(FlushMappedMemoryRanges)                                                                     \
    X(InvalidateMappedMemoryRanges)                                                                \
    X(CreateDescriptorSetLayout)                                                                   \
    X(DestroyDescriptorSetLayout)                                                                  \
    X(CreateDescriptorPool)                                                                        \
    X(DestroyDescriptorPool)                                                                       \
    X(AllocateDescriptorSets)                                                                      \
    X(UpdateDescriptorSets)                                                                        \
    X(CreatePipelineLayout)                                                                        \
    X(DestroyPipelineLayout)                                                                       \
    X(CreateShaderModule)                                                                          \
    X(DestroyShaderModule)                                                                         \
    X(CreatePipelineCache)                                                                         \
    X(DestroyPipelineCache)                                                                        \
    X(GetPipelineCacheData)                                                                        \
    X(CreateComputePipelines)                                                                      \
    X(DestroyPipeline)                                                                             \
    X(CreateCommandPool)                                                                           \
    X(DestroyCommandPool)                                                                          \
    X(AllocateCommandBuffers)                                                                      \
    X(BeginCommandBuffer)                                                                          \
    X(EndCommandBuffer)                                                                            \
    X(CmdBindPipeline)                                                                             \
    X(CmdBindDescriptorSets)                                                                       \
    X(CmdPushConstants)                                                                            \
    X(CmdDispatch)                                                                                 \
    X(CmdPipelineBarrier)                                                                          \
    X(CmdCopyBuffer)                                                                               \
    X(CmdFillBuffer)                                                                               \
    X(CmdResetQueryPool)                                                                           \
    X(CmdWriteTimestamp)                                                                           \
    X(CreateQueryPool)                                                                             \
    X(DestroyQueryPool)                                                                            \
    X(GetQueryPoolResults)                                                                         \
    X(CreateFence)                                                                                 \
    X(DestroyFence)                                                                                \
    X(ResetFences)                                                                                 \
    X(WaitForFences)                                                                               \
    X(QueueSubmit)

#define VULKAN_MEMBER(name) PFN_vk##name name;

typedef struct global_functions {
    PFN_vkEnumerateInstanceVersion EnumerateInstanceVersion; /* NULL: a Vulkan 1.0 loader */
    VULKAN_GLOBAL_FUNCTIONS(VULKAN_MEMBER)
} global_functions;

typedef struct instance_functions {
    VULKAN_INSTANCE_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_OPTIONAL_FUNCTIONS(VULKAN_MEMBER)
    VULKAN_DEBUG_FUNCTIONS(VULKAN_MEMBER)
} instance_functions;

typedef struct device_functions {
    VULKAN_DEVICE_FUNCTIONS(VULKAN_MEMBER)
} device_functions;

#undef VULKAN_MEMBER

/* NULL when the loader library is not installed. Thread-safe. */
PFN_vkGetInstanceProcAddr functions_loader(void);

/* Each answers the name of the first function that is missing, or NULL when all are there. */
const char *functions_load_global(PFN_vkGetInstanceProcAddr get, global_functions *out);
const char *functions_load_instance(PFN_vkGetInstanceProcAddr get, VkInstance handle, bool debug,
                                    instance_functions *out);
const char *functions_load_device(PFN_vkGetDeviceProcAddr get, VkDevice handle,
                                  device_functions *out);

#endif
