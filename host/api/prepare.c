/* From a model and a device's name to a plan and its backend: the one road for sessions, reports
 * and verification. */
#include "host/api/api.h"

#include <stdio.h>
#include <stdlib.h>

status prepared_create(vkdet_context *context, const model *m, const char *device,
                       const plan_options *options, prepared *out, error *err)
{
    *out = (prepared){0};
    plan_options o = *options;
    status code = device_choose(context, device, &out->device, err);
    if (code == STATUS_OK) {
        code = graph_clone(m->graph, &context->alloc, &out->graph, err);
    }
    if (code == STATUS_OK) {
        code = passes_run(out->graph, err);
    }
    if (code == STATUS_OK && out->device.vulkan_index >= 0) {
        vulkan_device_target(context->vulkan, (uint32_t)out->device.vulkan_index, &o.target);
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

status prepared_backend(vkdet_context *context, const model *m, const prepared *p,
                        backend_params *params, backend **out, error *err)
{
    params->alloc = &context->alloc;
    params->log = &context->log;
    /* the reference runs the network as it was imported, so that it judges the passes too; where
     * every step is compared (keep_all) both sides run the same rewritten graph */
    bool imported = p->device.vulkan_index < 0 && !params->keep_all;
    params->graph = imported ? m->graph : p->graph;
    params->preprocess = &m->card.preprocess;
    params->head = m->card.detects ? &m->head : NULL;
    if (p->device.vulkan_index < 0) {
        return reference_backend_create(params, out, err);
    }
    return vulkan_backend_create(context->vulkan, (uint32_t)p->device.vulkan_index, params, p->plan,
                                 out, err);
}

bool cache_default_dir(char *path, size_t size)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (base && base[0] == '/') {
        length = snprintf(path, size, "%s/vkdet", base);
    } else if (home && home[0] == '/') {
        length = snprintf(path, size, "%s/.cache/vkdet", home);
    }
    return length > 0 && (size_t)length < size;
}
