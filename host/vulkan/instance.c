/* Instance: loader, layers, debug messenger, list of physical devices. */
#include "host/vulkan/instance.h"

#include "host/vulkan/check.h"

#include <stdio.h>
#include <string.h>

#define VALIDATION_LAYER "VK_LAYER_KHRONOS_validation"

static VKAPI_ATTR VkBool32 VKAPI_CALL messenger_callback(
    VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT types,
    const VkDebugUtilsMessengerCallbackDataEXT *data, void *user)
{
    (void)severity;
    (void)types;
    vulkan_instance *v = user;
    atomic_fetch_add(&v->messages, 1);
    log_write(&v->log, LOG_validation, "%s", data->pMessage ? data->pMessage : "(no text)");
    return VK_FALSE;
}

static VkDebugUtilsMessengerCreateInfoEXT messenger_info(vulkan_instance *v)
{
    return (VkDebugUtilsMessengerCreateInfoEXT){
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = messenger_callback,
        .pUserData = v,
    };
}

/* *has: whether the loader (layer NULL) or a layer offers the extension */
static status extension_offered(const vulkan_instance *v, const global_functions *global,
                                const char *layer, const char *name, bool *has, error *err)
{
    *has = false;
    uint32_t count = 0;
    status s = vulkan_check(global->EnumerateInstanceExtensionProperties(layer, &count, NULL),
                            "vkEnumerateInstanceExtensionProperties", err);
    if (s || count == 0) {
        return s;
    }
    VkExtensionProperties *list = memory_allocate(&v->alloc, count, sizeof *list);
    if (!list) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u Vulkan extension names", count);
    }
    s = vulkan_check(global->EnumerateInstanceExtensionProperties(layer, &count, list),
                     "vkEnumerateInstanceExtensionProperties", err);
    for (uint32_t i = 0; !s && i < count; i++) {
        *has = *has || strcmp(list[i].extensionName, name) == 0;
    }
    memory_release(&v->alloc, list);
    return s;
}

static status layer_installed(const vulkan_instance *v, const global_functions *global, error *err)
{
    uint32_t count = 0;
    status s = vulkan_check(global->EnumerateInstanceLayerProperties(&count, NULL),
                            "vkEnumerateInstanceLayerProperties", err);
    if (s) {
        return s;
    }
    VkLayerProperties *list = NULL;
    bool found = false;
    if (count) {
        list = memory_allocate(&v->alloc, count, sizeof *list);
        if (!list) {
            return error_set(err, STATUS_MEMORY, "out of memory for %u Vulkan layer names", count);
        }
        s = vulkan_check(global->EnumerateInstanceLayerProperties(&count, list),
                         "vkEnumerateInstanceLayerProperties", err);
        for (uint32_t i = 0; !s && i < count; i++) {
            found = found || strcmp(list[i].layerName, VALIDATION_LAYER) == 0;
        }
        memory_release(&v->alloc, list);
    }
    if (!s && !found) {
        s = error_set(err, STATUS_DEVICE,
                      "validation was asked for, but " VALIDATION_LAYER
                      " is not installed (Debian: vulkan-validationlayers)");
    }
    return s;
}

static status instance_make(vulkan_instance *v, const global_functions *global, bool validate,
                            error *err)
{
    const char *extensions[3];
    const char *layers[] = {VALIDATION_LAYER};
    VkInstanceCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pApplicationInfo =
            &(VkApplicationInfo){
                .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                .pApplicationName = "vkdet",
                .pEngineName = "vkdet",
                .apiVersion = VK_API_VERSION_1_2, /* 1.1 is needed; 1.2 names drivers */
            },
        .ppEnabledExtensionNames = extensions,
        .ppEnabledLayerNames = layers,
    };
    bool portability = false;
    status s = extension_offered(v, global, NULL, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME,
                                 &portability, err);
    if (!s && portability) { /* drivers that translate, such as MoltenVK */
        extensions[info.enabledExtensionCount++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        info.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(v);
    const VkValidationFeatureEnableEXT enables[] = {
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features = {
        .sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
        .pNext = &messenger,
        .enabledValidationFeatureCount = 1,
        .pEnabledValidationFeatures = enables,
    };
    if (!s && validate) {
        s = layer_installed(v, global, err);
        extensions[info.enabledExtensionCount++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
        extensions[info.enabledExtensionCount++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
        info.enabledLayerCount = 1;
        info.pNext = &features;
    }
    if (s) {
        return s;
    }
    VkResult r = global->CreateInstance(&info, NULL, &v->handle);
    if (r == VK_ERROR_INCOMPATIBLE_DRIVER) {
        return error_set(err, STATUS_DEVICE, "no Vulkan driver is installed");
    }
    return vulkan_check(r, "vkCreateInstance", err);
}

/* A device that does not answer is listed as unusable; it is no reason to do without the others. */
static status device_ask(const vulkan_instance *v, physical_device *p, error *err)
{
    error reason = {0};
    const status s = physical_device_query(v, p, &reason);
    if (s == STATUS_MEMORY) {
        return error_set(err, s, "%s", reason.text);
    }
    if (s) {
        (void)snprintf(p->unusable, sizeof p->unusable, "%.127s", reason.text);
    }
    return STATUS_OK;
}

static status devices_list(vulkan_instance *v, error *err)
{
    uint32_t count = 0;
    status s = vulkan_check(v->call.EnumeratePhysicalDevices(v->handle, &count, NULL),
                            "vkEnumeratePhysicalDevices", err);
    if (s) {
        return s;
    }
    if (count == 0) {
        return error_set(err, STATUS_DEVICE, "the Vulkan drivers found no device");
    }
    VkPhysicalDevice *handles = memory_allocate(&v->alloc, count, sizeof(VkPhysicalDevice));
    v->devices = memory_allocate(&v->alloc, count, sizeof *v->devices);
    if (!handles || !v->devices) {
        memory_release(&v->alloc, handles);
        return error_set(err, STATUS_MEMORY, "out of memory for %u Vulkan devices", count);
    }
    s = vulkan_check(v->call.EnumeratePhysicalDevices(v->handle, &count, handles),
                     "vkEnumeratePhysicalDevices", err);
    for (uint32_t i = 0; !s && i < count; i++) {
        v->devices[i].handle = handles[i];
        s = device_ask(v, &v->devices[i], err);
        v->device_count = i + 1;
    }
    memory_release(&v->alloc, handles);
    return s;
}

status vulkan_instance_create(const allocator *alloc, const logger *log, bool validate,
                              vulkan_instance **out, error *err)
{
    PFN_vkGetInstanceProcAddr get = functions_loader();
    if (!get) {
        *out = NULL;
        return error_set(err, STATUS_DEVICE,
                         "the Vulkan loader is not installed (Debian: libvulkan1)");
    }
    return vulkan_instance_create_with(get, alloc, log, validate, out, err);
}

status vulkan_instance_create_with(PFN_vkGetInstanceProcAddr get, const allocator *alloc,
                                   const logger *log, bool validate, vulkan_instance **out,
                                   error *err)
{
    *out = NULL;
    status s = STATUS_OK;
    const char *missing = NULL;
    global_functions global;
    vulkan_instance *v = memory_allocate(alloc, 1, sizeof *v);
    if (!v) {
        return error_set(err, STATUS_MEMORY, "out of memory for the Vulkan instance");
    }
    v->alloc = *alloc;
    if (log) {
        v->log = *log;
    }
    atomic_init(&v->messages, 0);
    missing = functions_load_global(get, &global);
    if (missing || !global.EnumerateInstanceVersion) {
        s = error_set(err, STATUS_DEVICE, "the Vulkan loader is too old: it has no %s",
                      missing ? missing : "vkEnumerateInstanceVersion");
        goto fail;
    }
    s = instance_make(v, &global, validate, err);
    if (s) {
        goto fail;
    }
    missing = functions_load_instance(get, v->handle, validate, &v->call);
    if (missing) {
        s = error_set(err, STATUS_DEVICE, "the Vulkan loader has no %s", missing);
        goto fail;
    }
    if (validate) {
        VkDebugUtilsMessengerCreateInfoEXT info = messenger_info(v);
        s = vulkan_check(
            v->call.CreateDebugUtilsMessengerEXT(v->handle, &info, NULL, &v->messenger),
            "vkCreateDebugUtilsMessengerEXT", err);
        if (s) {
            goto fail;
        }
    }
    s = devices_list(v, err);
    if (s) {
        goto fail;
    }
    *out = v;
    return STATUS_OK;
fail:
    vulkan_instance_destroy(v);
    return s;
}

void vulkan_instance_destroy(vulkan_instance *v)
{
    if (!v) {
        return;
    }
    if (v->messenger) {
        v->call.DestroyDebugUtilsMessengerEXT(v->handle, v->messenger, NULL);
    }
    if (v->handle && v->call.DestroyInstance) {
        v->call.DestroyInstance(v->handle, NULL);
    }
    memory_release(&v->alloc, v->devices);
    const allocator alloc = v->alloc;
    memory_release(&alloc, v);
}

uint64_t vulkan_validation_messages(const vulkan_instance *v)
{
    return v ? atomic_load(&v->messages) : 0;
}
