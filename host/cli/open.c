/* Context and model, with the messages that a user can act on. */
#include "host/cli/open.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <stdlib.h>

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

int open_model(vkdet_context *context, const char *path, vkdet_model **out)
{
    if (!path) {
        path = getenv("VKDET_MODEL");
    }
    if (!path || !*path) {
        console_error("no model: name a .vkdet container or set VKDET_MODEL; vkdet convert makes "
                      "one, README.md tells where to get a network");
        return EXIT_USAGE;
    }
    if (vkdet_model_open(context, path, out) != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return EXIT_MODEL;
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
        status = open_model(context, s->operand_count ? s->operands[0] : NULL, &model);
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
