/* What every command opens first: the context, a model. Each function
 * returns an exit status (command.h) after it told standard error the reason. */
#ifndef HOST_CLI_OPEN_H
#define HOST_CLI_OPEN_H

#include "host/cli/options.h"

#include "vkdet.h"

int open_context(const settings *s, vkdet_context **out);
/* path NULL: $VKDET_MODEL */
int open_model(vkdet_context *context, const char *path, vkdet_model **out);

/* Runs `work` with the context and the model that the first operand names, and lets both go.
 * Returns the exit status of what failed, else of work. */
int with_model(const settings *s,
               int (*work)(const settings *s, vkdet_context *context, const vkdet_model *model));

/* The exit status for a failed call that planned or ran a model on a device. */
int exit_of_run(vkdet_status status);

#endif
