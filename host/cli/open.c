/* Context and model, with the messages that a user can act on. */
#include "host/cli/open.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <stdlib.h>
#include <string.h>

int open_context(const settings *s, vkdet_context **out)
{
    vkdet_context_params params = {.log = console_log, .validate = s->validate != 0};
    params.log_level = s->quiet         ? VKDET_LOG_ERROR
                       : s->verbose > 1 ? VKDET_LOG_DEBUG
                       : s->verbose     ? VKDET_LOG_INFO
                                        : VKDET_LOG_WARNING;
    if (vkdet_context_create(&params, out) != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return EXIT_DEVICE;
    }
    return EXIT_GOOD;
}

int open_model(vkdet_context *context, const char *name, vkdet_model **out)
{
    static const char builtin[] = "builtin";
    if (!name) {
        name = getenv("VKDET_MODEL");
    }
    if (!name || !*name) {
        name = builtin;
    }
    vkdet_status opened = strcmp(name, builtin) == 0 ? vkdet_model_open_builtin(context, out)
                                                     : vkdet_model_open(context, name, out);
    if (opened == VKDET_OK) {
        return EXIT_GOOD;
    }
    console_error("%s%s", vkdet_error_message(),
                  opened == VKDET_ERROR_UNSUPPORTED && strcmp(name, builtin) == 0
                      ? "; -m or VKDET_MODEL names one"
                      : "");
    return EXIT_MODEL;
}

int read_compute(const settings *s, const char *name, compute_wish *out)
{
    *out = (compute_wish){.precision = VKDET_PRECISION_AUTO};
    if (s->precision && vkdet_precision_from_name(s->precision, &out->precision) != VKDET_OK) {
        console_error("%s: --precision takes auto, fp32, fp16 or bf16, not \"%s\"", name,
                      s->precision);
        return EXIT_USAGE;
    }
    if (s->tune && vkdet_tune_from_name(s->tune, &out->tune) != VKDET_OK) {
        console_error("%s: --tune takes off, quick or full, not \"%s\"", name, s->tune);
        return EXIT_USAGE;
    }
    if (s->winograd && vkdet_winograd_from_name(s->winograd, &out->winograd) != VKDET_OK) {
        console_error("%s: --winograd takes auto, never or always, not \"%s\"", name, s->winograd);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

vkdet_plan_params read_plan_params(const settings *s, const char *name)
{
    compute_wish compute;
    (void)read_compute(s, name, &compute);
    return (vkdet_plan_params){.device = s->device,
                               .batch = (uint32_t)s->batch,
                               .precision = compute.precision,
                               .tune = compute.tune,
                               .cache_dir = s->cache_dir,
                               .slots = (uint32_t)s->slots,
                               .winograd = compute.winograd};
}

int with_model(const settings *s,
               int (*work)(const settings *s, vkdet_context *context, const vkdet_model *model))
{
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    int status = open_context(s, &context);
    if (status == EXIT_GOOD) {
        status = open_model(context, s->model, &model);
    }
    if (status == EXIT_GOOD) {
        status = work(s, context, model);
    }
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return status;
}

int exit_of_run(vkdet_status status)
{
    switch (status) {
    case VKDET_OK:
        return EXIT_GOOD;
    case VKDET_ERROR_DIVERGED:
        return EXIT_INPUT;
    case VKDET_ERROR_MODEL:
        return EXIT_MODEL;
    default:
        return EXIT_DEVICE;
    }
}
