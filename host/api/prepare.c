/* From a model and a device's name to a plan and its backend: the one road for sessions, reports
 * and verification. */
#include "host/api/api.h"
#include "host/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>

status prepared_create(vkdet_context *context, const model *m, const char *device,
                       vkdet_precision precision, vkdet_winograd winograd,
                       const plan_options *options, prepared *out, error *err)
{
    *out = (prepared){0};
    plan_options o = *options;
    status code = device_choose(context, device, &out->device, err);
    if (code == STATUS_OK && out->device.vulkan_index >= 0) {
        vulkan_device_target(context->vulkan, (uint32_t)out->device.vulkan_index, &o.target);
    }
    if (code == STATUS_OK) {
        code = precision_choose(&out->device, &o.target, &m->card, precision, &out->precision, err);
        o.precision = out->precision == VKDET_PRECISION_FP16 ? PLAN_FP16 : PLAN_FP32;
    }
    if (code == STATUS_OK) {
        code = winograd_choose(&out->device, out->precision, winograd, &o.winograd, err);
    }
    if (code == STATUS_OK) {
        code = graph_clone(m->graph, &context->alloc, &out->graph, err);
    }
    if (code == STATUS_OK) {
        code = passes_run(out->graph, err);
    }
    if (code == STATUS_OK) {
        code = plan_create(&context->alloc, out->graph, &m->card.preprocess,
                           m->card.detects ? &m->head : NULL, &o, &out->plan, err);
    }
    if (code != STATUS_OK) {
        prepared_destroy(out);
    }
    return code;
}

void prepared_destroy(prepared *p)
{
    plan_destroy(p->plan);
    graph_destroy(p->graph);
    *p = (prepared){0};
}

/* Returns whether it is the reference that runs. */
static bool params_fill(const vkdet_context *context, const model *m, const prepared *p,
                        backend_params *params)
{
    params->alloc = &context->alloc;
    params->log = &context->log;
    /* the reference runs the network as it was imported, so that it judges the passes too; where
     * every step is compared (keep_all) both sides run the same rewritten graph */
    const bool reference = p->device.info.kind == VKDET_DEVICE_REFERENCE;
    const bool imported = reference && !params->keep_all;
    params->graph = imported ? m->graph : p->graph;
    params->preprocess = &m->card.preprocess;
    params->head = m->card.detects ? &m->head : NULL;
    params->precision = p->precision;
    return reference;
}

status prepared_backend(vkdet_context *context, const model *m, const prepared *p,
                        backend_params *params, backend **out, error *err)
{
    if (params_fill(context, m, p, params)) {
        return reference_backend_create(params, out, err);
    }
    if (p->device.info.kind == VKDET_DEVICE_CPU) {
        return cpu_backend_create(params, out, err);
    }
    return vulkan_backend_create(context->vulkan, (uint32_t)p->device.vulkan_index, params, p->plan,
                                 out, err);
}

status prepared_tune(vkdet_context *context, const model *m, const backend_params *session,
                     vkdet_tune how, bool no_default, prepared *p, error *err)
{
    if ((unsigned)how > VKDET_TUNE_FULL) {
        return error_set(err, STATUS_ARGUMENT, "tune %d does not exist", (int)how);
    }
    if (p->device.vulkan_index < 0 || how == VKDET_TUNE_OFF) {
        return STATUS_OK;
    }
    backend_params params = *session;
    params_fill(context, m, p, &params);
    tune_params tuning = {.session = &params, .nms = m->card.nms, .how = how};
    if (how == VKDET_TUNE_DEFAULT) {
        /* a driver on the processor compiles and runs for so long that its defaults have to do;
         * and two seconds at each start would buy nothing back */
        tuning.how = VKDET_TUNE_QUICK;
        tuning.kept_only = no_default || p->device.info.kind == VKDET_DEVICE_SOFTWARE ||
                           !params.cache_dir ||
                           !vulkan_tune_keeps(&context->alloc, params.cache_dir);
    }
    return vulkan_tune(context->vulkan, (uint32_t)p->device.vulkan_index, &tuning, &p->plan, err);
}

const char *cache_dir_choose(const char *wanted, char *path, size_t size)
{
    if (wanted) {
        return wanted[0] ? wanted : NULL;
    }
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (base && base[0] == '/') {
        length = snprintf(path, size, "%s/vkdet", base);
    } else if (home && home[0] == '/') {
        length = snprintf(path, size, "%s/.cache/vkdet", home);
    }
    return length > 0 && (size_t)length < size ? path : NULL;
}
