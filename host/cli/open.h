/* What every command opens first: the context, a model. Each function
 * returns an exit status (command.h) after it told standard error the reason. */
#ifndef HOST_CLI_OPEN_H
#define HOST_CLI_OPEN_H

#include "host/cli/options.h"

#include "vkdet.h"

int open_context(const settings *s, vkdet_context **out);
/* name: a container's path, or "builtin"; NULL: $VKDET_MODEL, or the built-in model where that is
 * not set */
int open_model(vkdet_context *context, const char *name, vkdet_model **out);

/* How a device is to compute: --precision, --tune and --winograd. */
typedef struct compute_wish {
    vkdet_precision precision;
    vkdet_tune tune;
    vkdet_winograd winograd;
} compute_wish;
/* What was not given is auto, or the default; EXIT_USAGE, with a message of the command `name`,
 * when one is none of its kind. */
int read_compute(const settings *s, const char *name, compute_wish *out);

/* for the memory and the steps of a session; read_compute has found the settings good */
vkdet_plan_params read_plan_params(const settings *s, const char *name);

/* Runs `work` with the context and the model of the settings, and lets both go. Returns the exit
 * status of what failed, else of work. */
int with_model(const settings *s,
               int (*work)(const settings *s, vkdet_context *context, const vkdet_model *model));

/* The exit status for a failed call that planned or ran a model on a device. */
int exit_of_run(vkdet_status status);

#endif
