/* The known-answer check: before the first session with a plan on a GPU answers anybody, the plan's
 * kernels are run on a noise picture, every step is compared with the reference on a few pixels,
 * and the boxes as a whole. A driver that miscomputes is an error then, and not wrong boxes.
 *
 * The same kernels with the same constants are checked once: that they passed is kept where the
 * tuner keeps its choices. Drivers that run on the processor are left to `vkdet verify`: their
 * compiler would take as long again as the session itself. */
#include "host/api/verify.h"

#include <string.h>

/* ready's kernels in a plan that keeps every value, for one picture */
static status plan_keeping_all(vkdet_context *context, const model *m, const prepared *ready,
                               prepared *out, error *err)
{
    const plan *p = ready->plan;
    plan_options options = p->options;
    options.keep_outputs = options.keep_all = true;
    options.max_detections = m->card.detects ? m->head.anchor_count : 0;
    uint8_t *choices = memory_allocate(&context->alloc, (size_t)p->tunable_count + 1, 1);
    if (!choices) {
        return error_set(err, STATUS_MEMORY, "out of memory for the known-answer check");
    }
    for (size_t i = 0; i < p->step_count; i++) {
        if (p->steps[i].tunable >= 0) {
            choices[p->steps[i].tunable] = (uint8_t)p->steps[i].variant_index;
        }
    }
    options.choices = choices;
    options.choice_count = p->tunable_count;
    *out = (prepared){.device = ready->device, .precision = ready->precision};
    status code = graph_clone(ready->graph, &context->alloc, &out->graph, err);
    if (code == STATUS_OK) {
        code = plan_create(&context->alloc, out->graph, p->preprocess, p->head, &options,
                           &out->plan, err);
    }
    if (code == STATUS_OK) { /* the reference is to have the weights that the device has */
        code = plan_round_weights(out->graph, options.precision, err);
    }
    memory_release(&context->alloc, choices);
    return code;
}

/* What the session itself may do without: memory for every value, most likely. */
static bool is_refusal(status code)
{
    return code == STATUS_DEVICE || code == STATUS_LIMIT || code == STATUS_UNSUPPORTED;
}

status known_answer_run(vkdet_context *context, const model *m, const prepared *ready,
                        const char *cache_dir, bool *passed, error *err)
{
    prepared checked = {0};
    backend *b = NULL;
    backend_params params = {.max_batch = 1,
                             .slots = 1,
                             .max_detections = m->card.detects ? m->head.anchor_count : 0,
                             .keep_outputs = true,
                             .keep_all = true,
                             .cache_dir = cache_dir};
    error why = {0};
    status code = plan_keeping_all(context, m, ready, &checked, &why);
    if (code == STATUS_OK) {
        code = prepared_backend(context, m, &checked, &params, &b, &why);
    }
    *passed = false;
    if (code == STATUS_OK) {
        code = verify_known_answer(context, m, &checked, b, err);
        *passed = code == STATUS_OK;
    } else if (is_refusal(code)) {
        log_write(&context->log, LOG_known_answer, "%s is not checked: %s", ready->device.info.id,
                  why.text);
        code = STATUS_OK;
    } else {
        *err = why;
    }
    if (*passed) {
        log_write(&context->log, LOG_known_answer, "%s: every step of %s is right",
                  ready->device.info.id, m->card.name);
    }
    if (b) {
        b->call->destroy(b);
    }
    prepared_destroy(&checked);
    return code;
}

status known_answer_check(vkdet_context *context, const model *m, const prepared *ready,
                          const char *cache_dir, error *err)
{
    const uint32_t index = (uint32_t)ready->device.vulkan_index;
    if (ready->device.vulkan_index < 0 || ready->device.info.kind == VKDET_DEVICE_SOFTWARE) {
        return STATUS_OK;
    }
    bool passed = false;
    status code = vulkan_check_passed(context->vulkan, index, &context->alloc, &context->log,
                                      cache_dir, ready->plan, &passed, err);
    if (code != STATUS_OK || passed) {
        return code;
    }
    code = known_answer_run(context, m, ready, cache_dir, &passed, err);
    if (passed) {
        vulkan_check_keep(context->vulkan, index, &context->alloc, &context->log, cache_dir,
                          ready->plan);
    }
    return code;
}
