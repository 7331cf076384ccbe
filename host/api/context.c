/* Context: allocator, log and the Vulkan instance; devices and the choice among them. */
#include "host/api/api.h"
#include "host/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

vkdet_status vkdet_context_create(const vkdet_context_params *params, vkdet_context **out)
{
    error err = {0};
    if (!out) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "vkdet_context_create: out is NULL"));
    }
    *out = NULL;
    vkdet_context_params p = params ? *params : (vkdet_context_params){0};
    allocator a = allocator_default;
    if (p.allocator.allocate || p.allocator.release) {
        if (!p.allocator.allocate || !p.allocator.release) {
            return api_return(&err,
                              error_set(&err, STATUS_ARGUMENT,
                                        "allocator: set both allocate and release, or neither"));
        }
        a = (allocator){p.allocator.allocate, p.allocator.release, p.allocator.user};
    }
    vkdet_context *c = memory_allocate(&a, 1, sizeof *c);
    if (!c) {
        return api_return(&err, error_set(&err, STATUS_MEMORY, "out of memory for a context"));
    }
    c->alloc = a;
    c->log = (logger){p.log, p.log_user, p.log_level};
    c->validate = p.validate != 0;
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        memory_release(&a, c);
        return api_return(&err, error_set(&err, STATUS_MEMORY, "no mutex for a context"));
    }
    if (c->validate && !context_vulkan(c, &err)) {
        vkdet_context_destroy(c);
        return api_return(&err, err.code);
    }
    *out = c;
    return VKDET_OK;
}

void vkdet_context_destroy(vkdet_context *context)
{
    if (!context) {
        return;
    }
    vulkan_instance_destroy(context->vulkan);
    (void)pthread_mutex_destroy(&context->lock);
    allocator a = context->alloc;
    memory_release(&a, context);
}

vulkan_instance *context_vulkan(vkdet_context *context, error *why)
{
    (void)pthread_mutex_lock(&context->lock);
    if (!context->vulkan_tried) {
        status code = vulkan_instance_create(&context->alloc, &context->log, context->validate,
                                             &context->vulkan, &context->vulkan_error);
        if (code != STATUS_OK) {
            context->vulkan = NULL;
            context->vulkan_error.code = code;
        }
        /* a machine does not grow a driver, but memory comes back */
        context->vulkan_tried = code != STATUS_MEMORY;
    }
    vulkan_instance *v = context->vulkan;
    if (why) {
        *why = context->vulkan_error;
    }
    (void)pthread_mutex_unlock(&context->lock);
    return v;
}

uint64_t vkdet_context_validation_messages(const vkdet_context *context)
{
    if (!context) {
        return 0;
    }
    /* another thread may be opening Vulkan just now; the lock is no part of the context's value */
    pthread_mutex_t *lock = (pthread_mutex_t *)&context->lock;
    (void)pthread_mutex_lock(lock);
    vulkan_instance *v = context->vulkan;
    (void)pthread_mutex_unlock(lock);
    return v ? vulkan_validation_messages(v) : 0;
}

void vkdet_bytes_free(vkdet_context *context, void *bytes)
{
    if (context) {
        memory_release(&context->alloc, bytes);
    }
}

void vkdet_text_free(vkdet_context *context, char *text)
{
    vkdet_bytes_free(context, text);
}

/* --- devices --- */

static void describe_reference(vkdet_device_info *out, bool is_auto)
{
    *out = (vkdet_device_info){.kind = VKDET_DEVICE_REFERENCE, .is_auto = is_auto};
    (void)snprintf(out->id, sizeof out->id, "reference");
    (void)snprintf(out->name, sizeof out->name, "scalar reference on the CPU");
}

static uint32_t vulkan_count(vkdet_context *context)
{
    vulkan_instance *v = context_vulkan(context, NULL);
    return v ? vulkan_device_count(v) : 0;
}

/* `index` counts Vulkan devices first, then the cpu, then the reference */
static void describe(vkdet_context *context, uint32_t index, vkdet_device_info *out)
{
    uint32_t count = vulkan_count(context);
    int pick = count > 0 ? vulkan_device_pick(context->vulkan) : -1;
    if (index < count) {
        vulkan_device_describe(context->vulkan, index, out);
        out->is_auto = pick == (int)index;
        return;
    }
    cpu_device_describe(out);
    const bool cpu_is_auto = pick < 0 && !out->unusable[0];
    out->is_auto = cpu_is_auto;
    if (index > count) {
        describe_reference(out, pick < 0 && !cpu_is_auto);
    }
}

uint32_t vkdet_device_count(const vkdet_context *context)
{
    /* the instance behind the handle is opened lazily: logically const */
    return context ? vulkan_count((vkdet_context *)context) + 2 : 0;
}

vkdet_status vkdet_device_describe(const vkdet_context *context, uint32_t index,
                                   vkdet_device_info *out)
{
    error err = {0};
    if (!context || !out || index >= vkdet_device_count(context)) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT, "no device with index %u", index));
    }
    describe((vkdet_context *)context, index, out);
    return VKDET_OK;
}

/* Where "auto" goes: the best GPU, else the cpu, else the reference, never a software driver. */
static void choose_auto(vkdet_context *context, const error *why, device_choice *out)
{
    uint32_t count = vulkan_count(context);
    int pick = count > 0 ? vulkan_device_pick(context->vulkan) : -1;
    out->vulkan_index = pick;
    describe(context, pick >= 0 ? (uint32_t)pick : count, &out->info);
    if (pick >= 0) {
        return;
    }
    const bool slow = !out->info.is_auto;
    if (slow) {
        describe_reference(&out->info, true);
    }
    const char *instead = slow ? "the scalar reference on the CPU (slow)" : "the device cpu";
    if (count > 0) {
        log_write(&context->log, slow ? LOG_no_vulkan : LOG_no_gpu,
                  "no GPU found, only software Vulkan drivers, which are used when named "
                  "(vulkan:N); running %s",
                  instead);
    } else {
        log_write(&context->log, slow ? LOG_no_vulkan : LOG_no_gpu,
                  "no Vulkan device (%s); running %s",
                  context->vulkan ? "the loader found none" : why->text, instead);
    }
}

static status choose_named(vkdet_context *context, const char *name, const error *why,
                           device_choice *out, error *err)
{
    static const char prefix[] = "vulkan:";
    const char *digits = name + sizeof prefix - 1;
    size_t length =
        strncmp(name, prefix, sizeof prefix - 1) == 0 ? strspn(digits, "0123456789") : 0;
    if (length == 0 || length > 4 || digits[length] != 0) {
        return error_set(err, STATUS_DEVICE,
                         "device \"%s\": expected auto, vulkan:N, cpu or reference", name);
    }
    uint32_t index = (uint32_t)strtoul(digits, NULL, 10), count = vulkan_count(context);
    if (count == 0) {
        return error_set(err, STATUS_DEVICE, "device \"%s\": no Vulkan device (%s)", name,
                         context->vulkan ? "the loader found none" : why->text);
    }
    if (index >= count) {
        return error_set(err, STATUS_DEVICE, "device \"%s\": there %s only %u Vulkan device%s",
                         name, count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
    }
    describe(context, index, &out->info);
    out->vulkan_index = (int)index;
    if (out->info.unusable[0]) {
        return error_set(err, STATUS_DEVICE, "device \"%s\" (%s): %s", name, out->info.name,
                         out->info.unusable);
    }
    return STATUS_OK;
}

status device_choose(vkdet_context *context, const char *name, device_choice *out, error *err)
{
    out->vulkan_index = -1;
    if (name && strcmp(name, "reference") == 0) {
        describe_reference(&out->info, false);
        return STATUS_OK;
    }
    if (name && strcmp(name, "cpu") == 0) {
        cpu_device_describe(&out->info);
        return out->info.unusable[0]
                   ? error_set(err, STATUS_DEVICE, "device \"cpu\": %s", out->info.unusable)
                   : STATUS_OK;
    }
    error why = {0};
    if (!context_vulkan(context, &why) && why.code == STATUS_MEMORY) {
        *err = why; /* that says nothing about the machine's devices */
        return why.code;
    }
    status code = STATUS_OK;
    if (!name || strcmp(name, "auto") == 0) {
        choose_auto(context, &why, out);
    } else {
        code = choose_named(context, name, &why, out, err);
    }
    if (code == STATUS_OK && out->info.kind != VKDET_DEVICE_REFERENCE) {
        log_write(&context->log, LOG_device_picked, "%s: %s (%s)", out->info.id, out->info.name,
                  out->info.driver);
    }
    return code;
}
