/* The optional abilities of a device that kernels of ours can use: what it has, and how a logical
 * device is asked for them. Whatever is listed here is enabled on every logical device. */
#ifndef HOST_VULKAN_FEATURES_H
#define HOST_VULKAN_FEATURES_H

#include "engine/plan.h"
#include "host/vulkan/functions.h"

/* The extension through which cooperative matrices are had: one that the device has and that this
 * build has modules for (shaders named ..._khr and ..._nv). KHR goes first. */
typedef enum matrix_api { MATRIX_API_NONE = 0, MATRIX_API_KHR, MATRIX_API_NV } matrix_api;

/* Component types are numbered as VkComponentTypeKHR; the NV extension numbers them alike. */
typedef struct matrix_shape {
    uint32_t m, n, k;         /* A is m x k, B is k x n */
    uint32_t a, b, c, result; /* component types */
} matrix_shape;

enum { FEATURES_MAX_SHAPES = 64 };

typedef struct device_features {
    bool fp16;      /* shaderFloat16: arithmetic on halves */
    bool storage16; /* storageBuffer16BitAccess: halves in storage buffers */
    /* Only where both above are there, the Vulkan memory model (with device scope; enabled with it
     * and not otherwise) and, for KHR, full subgroups. */
    matrix_api matrix;
    bool full_subgroups;                      /* pipelines may ask for them; enabled with matrix */
    matrix_shape shapes[FEATURES_MAX_SHAPES]; /* of subgroup scope, without saturation */
    uint32_t shape_count;
    uint32_t subgroup_size;
    bool broadcast; /* within a subgroup, in compute */
} device_features;

struct vulkan_instance;
struct physical_device;

/* whether the name is in the list */
bool extension_listed(const VkExtensionProperties *list, uint32_t count, const char *name);

/* extensions: of the device. Fills p->features. */
status features_query(const struct vulkan_instance *v, struct physical_device *p,
                      const VkExtensionProperties *extensions, uint32_t count, error *err);

/* Half factors and float sums, 16 x 16 x 16 where there is such a shape, else the largest; zeros
 * when there is none. */
matrix_shape features_half_matrix(const device_features *f);

/* How the stage of a pipeline is made: modules of cooperative matrices, which are told by the end
 * of their name (_khr, _nv), need full subgroups, so that the workgroup's x is a multiple of
 * subgroup_size there. */
VkPipelineShaderStageCreateFlags features_stage_flags(const device_features *f, const char *name);

/* What vkCreateDevice is told. Points into itself: do not copy. */
typedef struct features_request {
    VkPhysicalDeviceFeatures2 base; /* pNext of VkDeviceCreateInfo */
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDeviceShaderFloat16Int8Features fp16;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroups;
    union {
        VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr;
        VkPhysicalDeviceCooperativeMatrixFeaturesNV nv;
    } matrix;
    const char *extensions[8];
    uint32_t extension_count;
} features_request;

void features_request_make(const struct physical_device *p, features_request *out);

#endif
