/* The device "cpu" of a build without oneDNN. */
#include "host/cpu/cpu.h"

#include <stdio.h>

static status refuse(error *err)
{
    return error_set(err, STATUS_UNSUPPORTED,
                     "this build has no cpu device: it was made without oneDNN");
}

void cpu_device_describe(vkdet_device_info *out)
{
    *out = (vkdet_device_info){.kind = VKDET_DEVICE_CPU};
    (void)snprintf(out->id, sizeof out->id, "cpu");
    (void)snprintf(out->name, sizeof out->name, "CPU");
    (void)snprintf(out->unusable, sizeof out->unusable, "this build was made without oneDNN");
}

bool cpu_has_bf16(void)
{
    return false;
}

status cpu_backend_create(const backend_params *params, backend **out, error *err)
{
    (void)params;
    (void)out;
    return refuse(err);
}

status cpu_peaks_measure(const allocator *a, vkdet_device_peaks *out, error *err)
{
    (void)a;
    (void)out;
    return refuse(err);
}
