/* Precision, tuning and Winograd: their names, and what a device computes in when asked. */
#include "host/api/api.h"
#include "host/cpu/cpu.h"

#include <string.h>

static const char *const precision_names[] = {
    [VKDET_PRECISION_AUTO] = "auto",
    [VKDET_PRECISION_FP32] = "fp32",
    [VKDET_PRECISION_FP16] = "fp16",
    [VKDET_PRECISION_BF16] = "bf16",
};
static const char *const tune_names[] = {
    [VKDET_TUNE_DEFAULT] = "default",
    [VKDET_TUNE_OFF] = "off",
    [VKDET_TUNE_QUICK] = "quick",
    [VKDET_TUNE_FULL] = "full",
};
static const char *const winograd_names[] = {
    [VKDET_WINOGRAD_AUTO] = "auto",
    [VKDET_WINOGRAD_NEVER] = "never",
    [VKDET_WINOGRAD_ALWAYS] = "always",
};
static const plan_winograd winograd_plans[] = {
    [VKDET_WINOGRAD_AUTO] = WINOGRAD_AUTO,
    [VKDET_WINOGRAD_NEVER] = WINOGRAD_NEVER,
    [VKDET_WINOGRAD_ALWAYS] = WINOGRAD_ALWAYS,
};
enum {
    PRECISION_COUNT = sizeof precision_names / sizeof *precision_names,
    TUNE_COUNT = sizeof tune_names / sizeof *tune_names,
    WINOGRAD_COUNT = sizeof winograd_names / sizeof *winograd_names
};

static unsigned name_find(const char *const *names, unsigned count, const char *name)
{
    unsigned i = 0;
    while (i < count && (!name || strcmp(names[i], name) != 0)) {
        i++;
    }
    return i;
}

const char *vkdet_precision_name(vkdet_precision precision)
{
    return (unsigned)precision < PRECISION_COUNT ? precision_names[precision] : "unknown";
}

vkdet_status vkdet_precision_from_name(const char *name, vkdet_precision *out)
{
    error err = {0};
    const unsigned found = name_find(precision_names, PRECISION_COUNT, name);
    if (!out || found == PRECISION_COUNT) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "precision \"%s\": expected auto, fp32, fp16 or bf16",
                                          name ? name : "(null)"));
    }
    *out = (vkdet_precision)found;
    return VKDET_OK;
}

vkdet_status vkdet_tune_from_name(const char *name, vkdet_tune *out)
{
    error err = {0};
    const unsigned found = name_find(tune_names, TUNE_COUNT, name);
    if (!out || found == TUNE_COUNT) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "tuning \"%s\": expected default, off, quick or full",
                                          name ? name : "(null)"));
    }
    *out = (vkdet_tune)found;
    return VKDET_OK;
}

vkdet_status vkdet_winograd_from_name(const char *name, vkdet_winograd *out)
{
    error err = {0};
    const unsigned found = name_find(winograd_names, WINOGRAD_COUNT, name);
    if (!out || found == WINOGRAD_COUNT) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "winograd \"%s\": expected auto, never or always",
                                          name ? name : "(null)"));
    }
    *out = (vkdet_winograd)found;
    return VKDET_OK;
}

/* fp16 runs on any Vulkan device, but is only worth it where the hardware knows halves: a software
 * driver converts each by hand. */
static bool prefers_fp16(const device_choice *device, const plan_target *target)
{
    return device->vulkan_index >= 0 && device->info.kind != VKDET_DEVICE_SOFTWARE &&
           target->has_fp16;
}

status precision_choose(const device_choice *device, const plan_target *target, const card *c,
                        vkdet_precision wanted, vkdet_precision *out, error *err)
{
    if ((unsigned)wanted >= PRECISION_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "precision %d does not exist", (int)wanted);
    }
    if (wanted == VKDET_PRECISION_AUTO) {
        *out = c->fit.fp16 && prefers_fp16(device, target) ? VKDET_PRECISION_FP16
                                                           : VKDET_PRECISION_FP32;
        return STATUS_OK;
    }
    if (wanted == VKDET_PRECISION_BF16 && device->info.kind == VKDET_DEVICE_CPU && cpu_has_bf16()) {
        *out = wanted;
        return STATUS_OK;
    }
    if (wanted == VKDET_PRECISION_BF16 ||
        (wanted == VKDET_PRECISION_FP16 && device->vulkan_index < 0)) {
        return error_set(err, STATUS_UNSUPPORTED, "%s (%s) does not compute in %s; ask for fp32",
                         device->info.id, device->info.name, precision_names[wanted]);
    }
    *out = wanted;
    return STATUS_OK;
}

status winograd_choose(const device_choice *device, vkdet_precision precision,
                       vkdet_winograd wanted, plan_winograd *out, error *err)
{
    if ((unsigned)wanted >= WINOGRAD_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "winograd %d does not exist", (int)wanted);
    }
    /* where it has no effect, nothing that is kept is to depend on it */
    const bool has_effect = device->vulkan_index >= 0 && precision == VKDET_PRECISION_FP32;
    *out = has_effect ? winograd_plans[wanted] : WINOGRAD_AUTO;
    return STATUS_OK;
}
