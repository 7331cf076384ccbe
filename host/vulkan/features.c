/* Optional abilities: asking for them and switching them on.
 *
 * Half arithmetic and the memory model became core in Vulkan 1.2; on 1.1 devices half arithmetic is
 * an extension, and cooperative matrices are not looked for there. */
#include "host/vulkan/features.h"

#include "host/vulkan/check.h"
#include "host/vulkan/instance.h"
#include "shaders/shaders.h"

#include <string.h>

bool extension_listed(const VkExtensionProperties *list, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].extensionName, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_core_1_2(const physical_device *p)
{
    return p->properties.apiVersion >= VK_API_VERSION_1_2;
}

static void chain(features_request *r, void *next)
{
    VkBaseOutStructure *added = next;
    added->pNext = r->base.pNext;
    r->base.pNext = added;
}

/* The structures that the device knows, chained and with nothing set. */
static void request_begin(const physical_device *p, bool half, bool subgroups, matrix_api matrix,
                          features_request *r)
{
    *r = (features_request){
        .base = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2},
        .storage16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES},
        .fp16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES},
        .memory_model = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES},
        .subgroups = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES},
    };
    chain(r, &r->storage16);
    if (half) {
        chain(r, &r->fp16);
    }
    if (is_core_1_2(p)) {
        chain(r, &r->memory_model);
    }
    if (subgroups) {
        chain(r, &r->subgroups);
    }
    if (matrix == MATRIX_API_KHR) {
        r->matrix.khr.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR;
        chain(r, &r->matrix.khr);
    } else if (matrix == MATRIX_API_NV) {
        r->matrix.nv.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_NV;
        chain(r, &r->matrix.nv);
    }
}

static void shape_add(device_features *f, matrix_shape s, uint32_t scope)
{
    if (f->shape_count < FEATURES_MAX_SHAPES && scope == VK_SCOPE_SUBGROUP_NV) {
        f->shapes[f->shape_count++] = s;
    }
}

static status shapes_khr(const vulkan_instance *v, physical_device *p, error *err)
{
    static const char call[] = "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR";
    uint32_t count = 0;
    status s = vulkan_check(
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(p->handle, &count, NULL), call,
        err);
    if (s || count == 0) {
        return s;
    }
    VkCooperativeMatrixPropertiesKHR *list = memory_allocate(&v->alloc, count, sizeof *list);
    if (!list) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u matrix shapes", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR;
    }
    s = vulkan_check(
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesKHR(p->handle, &count, list), call,
        err);
    for (uint32_t i = 0; !s && i < count; i++) {
        const VkCooperativeMatrixPropertiesKHR *l = &list[i];
        if (!l->saturatingAccumulation) {
            shape_add(&p->features,
                      (matrix_shape){l->MSize, l->NSize, l->KSize, l->AType, l->BType, l->CType,
                                     l->ResultType},
                      l->scope);
        }
    }
    memory_release(&v->alloc, list);
    return s;
}

static status shapes_nv(const vulkan_instance *v, physical_device *p, error *err)
{
    static const char call[] = "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV";
    uint32_t count = 0;
    status s = vulkan_check(
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesNV(p->handle, &count, NULL), call, err);
    if (s || count == 0) {
        return s;
    }
    VkCooperativeMatrixPropertiesNV *list = memory_allocate(&v->alloc, count, sizeof *list);
    if (!list) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u matrix shapes", count);
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i].sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_NV;
    }
    s = vulkan_check(
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesNV(p->handle, &count, list), call, err);
    for (uint32_t i = 0; !s && i < count; i++) {
        const VkCooperativeMatrixPropertiesNV *l = &list[i];
        shape_add(
            &p->features,
            (matrix_shape){l->MSize, l->NSize, l->KSize, l->AType, l->BType, l->CType, l->DType},
            l->scope);
    }
    memory_release(&v->alloc, list);
    return s;
}

/* which of the two extensions to look at, if any */
static matrix_api matrix_candidate(const vulkan_instance *v, const physical_device *p,
                                   const VkExtensionProperties *extensions, uint32_t count)
{
    if (!is_core_1_2(p) || p->quirks & QUIRK_NO_MATRIX) {
        return MATRIX_API_NONE;
    }
    if (extension_listed(extensions, count, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME) &&
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesKHR && shader_find("peak_matrix_khr")) {
        return MATRIX_API_KHR;
    }
    if (extension_listed(extensions, count, VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME) &&
        v->call.GetPhysicalDeviceCooperativeMatrixPropertiesNV && shader_find("peak_matrix_nv")) {
        return MATRIX_API_NV;
    }
    return MATRIX_API_NONE;
}

status features_query(const vulkan_instance *v, physical_device *p,
                      const VkExtensionProperties *extensions, uint32_t count, error *err)
{
    device_features *f = &p->features;
    const bool half = is_core_1_2(p) || extension_listed(extensions, count,
                                                         VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME);
    const bool subgroups =
        extension_listed(extensions, count, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    const matrix_api matrix = matrix_candidate(v, p, extensions, count);
    VkPhysicalDeviceSubgroupProperties subgroup = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &subgroup};
    features_request has;
    request_begin(p, half, subgroups, matrix, &has);
    v->call.GetPhysicalDeviceFeatures2(p->handle, &has.base);
    v->call.GetPhysicalDeviceProperties2(p->handle, &properties);
    *f = (device_features){
        .fp16 = has.fp16.shaderFloat16,
        .storage16 = has.storage16.storageBuffer16BitAccess,
        .subgroup_size = subgroup.subgroupSize,
        .broadcast = subgroup.supportedOperations & VK_SUBGROUP_FEATURE_BALLOT_BIT &&
                     subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT,
    };
    const bool on = matrix == MATRIX_API_KHR  ? has.matrix.khr.cooperativeMatrix
                    : matrix == MATRIX_API_NV ? has.matrix.nv.cooperativeMatrix
                                              : false;
    if (!on || !f->fp16 || !f->storage16 || !has.memory_model.vulkanMemoryModel ||
        !has.memory_model.vulkanMemoryModelDeviceScope ||
        (matrix == MATRIX_API_KHR && !has.subgroups.computeFullSubgroups)) {
        return STATUS_OK;
    }
    f->matrix = matrix;
    f->full_subgroups = has.subgroups.computeFullSubgroups;
    return matrix == MATRIX_API_KHR ? shapes_khr(v, p, err) : shapes_nv(v, p, err);
}

matrix_shape features_half_matrix(const device_features *f)
{
    matrix_shape best = {0};
    for (uint32_t i = 0; i < f->shape_count; i++) {
        const matrix_shape *s = &f->shapes[i];
        const bool halves = s->a == VK_COMPONENT_TYPE_FLOAT16_KHR && s->b == s->a &&
                            s->c == VK_COMPONENT_TYPE_FLOAT32_KHR && s->result == s->c;
        const bool square = s->m == 16 && s->n == 16 && s->k == 16;
        if (halves &&
            (square || (uint64_t)s->m * s->n * s->k > (uint64_t)best.m * best.n * best.k)) {
            best = *s;
        }
        if (halves && square) {
            break;
        }
    }
    return best;
}

VkPipelineShaderStageCreateFlags features_stage_flags(const device_features *f, const char *name)
{
    const size_t length = strlen(name);
    const bool matrix = (length > 4 && strcmp(name + length - 4, "_khr") == 0) ||
                        (length > 3 && strcmp(name + length - 3, "_nv") == 0);
    return matrix && f->full_subgroups
               ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT
               : 0;
}

void features_request_make(const physical_device *p, features_request *out)
{
    const device_features *f = &p->features;
    request_begin(p, f->fp16, f->full_subgroups, f->matrix, out);
    out->storage16.storageBuffer16BitAccess = f->storage16;
    out->fp16.shaderFloat16 = f->fp16;
    /* without device scope the atomics of all other kernels would be out of bounds */
    out->memory_model.vulkanMemoryModel = f->matrix != MATRIX_API_NONE;
    out->memory_model.vulkanMemoryModelDeviceScope = f->matrix != MATRIX_API_NONE;
    out->subgroups.computeFullSubgroups = f->full_subgroups;
    if (f->full_subgroups) {
        out->extensions[out->extension_count++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    }
    if (f->fp16 && !is_core_1_2(p)) {
        out->extensions[out->extension_count++] = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
    }
    if (f->matrix == MATRIX_API_KHR) {
        out->matrix.khr.cooperativeMatrix = VK_TRUE;
        out->extensions[out->extension_count++] = VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME;
    } else if (f->matrix == MATRIX_API_NV) {
        out->matrix.nv.cooperativeMatrix = VK_TRUE;
        out->extensions[out->extension_count++] = VK_NV_COOPERATIVE_MATRIX_EXTENSION_NAME;
    }
    if (p->portability) {
        out->extensions[out->extension_count++] = "VK_KHR_portability_subset";
    }
}
