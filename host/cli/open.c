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

int exit_of_run(vkdet_status status)
{
    switch (status) {
    case VKDET_OK:
        return EXIT_GOOD;
    case VKDET_ERROR_MODEL:
        return EXIT_MODEL;
    default:
        return EXIT_DEVICE;
    }
}
