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

int read_precision(const settings *s, const char *name, vkdet_precision *out)
{
    *out = VKDET_PRECISION_AUTO;
    if (s->precision && vkdet_precision_from_name(s->precision, out) != VKDET_OK) {
        console_error("%s: --precision takes auto, fp32, fp16 or bf16, not \"%s\"", name,
                      s->precision);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

int read_tune(const settings *s, const char *name, vkdet_tune *out)
{
    *out = VKDET_TUNE_DEFAULT;
    if (s->tune && vkdet_tune_from_name(s->tune, out) != VKDET_OK) {
        console_error("%s: --tune takes off, quick or full, not \"%s\"", name, s->tune);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
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
