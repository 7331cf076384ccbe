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

/* --precision, which is auto when it was not given; EXIT_USAGE, with a message of the command
 * `name`, when it is none. */
int read_precision(const settings *s, const char *name, vkdet_precision *out);
/* --tune likewise, which is VKDET_TUNE_DEFAULT when it was not given */
int read_tune(const settings *s, const char *name, vkdet_tune *out);

/* Runs `work` with the context and the model of the settings, and lets both go. Returns the exit
 * status of what failed, else of work. */
int with_model(const settings *s,
               int (*work)(const settings *s, vkdet_context *context, const vkdet_model *model));

/* The exit status for a failed call that planned or ran a model on a device. */
int exit_of_run(vkdet_status status);

#endif
