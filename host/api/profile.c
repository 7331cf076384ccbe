/* Measuring: the steps of a session, how long each takes, how fast a device can be. */
#include "host/api/session.h"
#include "host/cpu/cpu.h"

#include <string.h>

uint32_t vkdet_session_step_count(const vkdet_session *session)
{
    return session ? session->backend->call->step_count(session->backend) : 0;
}

vkdet_status vkdet_session_step(const vkdet_session *session, uint32_t index, vkdet_step *out)
{
    error err = {0};
    const uint32_t count = vkdet_session_step_count(session);
    if (!out || index >= count) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_session_step: step %u of %u", index, count));
    }
    session->backend->call->step(session->backend, index, out);
    return VKDET_OK;
}

/* What profile and repeat have in common: a request over all slots. */
static status request_make(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                           const vkdet_detect_params *params, uint32_t runs,
                           backend_request *request, error *err)
{
    if (!s || !images || count < 1 || count > s->max_batch || runs < 1) {
        return error_set(err, STATUS_ARGUMENT,
                         "measuring takes 1 to %u images and at least one run",
                         s ? s->max_batch : 0);
    }
    *request = (backend_request){.images = s->images, .count = count};
    status code = session_take_all(s, err);
    if (code == STATUS_OK) {
        code = session_read_params(s, params, &request->nms, err);
    }
    return code == STATUS_OK ? session_read_images(s, images, count, err) : code;
}

vkdet_status vkdet_session_profile(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                                   const vkdet_detect_params *params, uint32_t runs,
                                   uint64_t *step_ns, uint64_t *total_ns)
{
    error err = {0};
    backend_request request;
    status code = request_make(s, images, count, params, runs, &request, &err);
    if (code == STATUS_OK) {
        code = session_note(
            s, s->backend->call->profile(s->backend, &request, runs, step_ns, total_ns, &err));
    }
    return api_return(&err, code);
}

vkdet_status vkdet_session_repeat(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                                  const vkdet_detect_params *params, uint32_t runs, uint64_t *ns)
{
    error err = {0};
    backend_request request;
    status code = ns ? request_make(s, images, count, params, runs, &request, &err)
                     : error_set(&err, STATUS_ARGUMENT, "vkdet_session_repeat: ns is NULL");
    if (code == STATUS_OK) {
        code = session_note(s, s->backend->call->repeat(s->backend, &request, runs, ns, &err));
    }
    return api_return(&err, code);
}

vkdet_status vkdet_device_peaks_measure(vkdet_context *context, const char *device,
                                        vkdet_device_peaks *out)
{
    error err = {0};
    if (!context || !out) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_device_peaks_measure: an argument is NULL"));
    }
    *out = (vkdet_device_peaks){0};
    device_choice choice;
    status code = device_choose(context, device, &choice, &err);
    if (code == STATUS_OK && choice.info.kind == VKDET_DEVICE_CPU) {
        return api_return(&err, cpu_peaks_measure(&context->alloc, out, &err));
    }
    if (code == STATUS_OK && choice.vulkan_index < 0) {
        code = error_set(&err, STATUS_UNSUPPORTED,
                         "%s has no peaks worth measuring: it is scalar C, for comparison",
                         choice.info.id);
    }
    if (code == STATUS_OK) {
        code = vulkan_peaks_measure(context->vulkan, (uint32_t)choice.vulkan_index, &context->log,
                                    out, &err);
    }
    return api_return(&err, code);
}
