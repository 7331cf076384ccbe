/* A detector made ready and fed: what the commands that run one over pictures share. Each function
 * returns an exit status (command.h) after it told standard error the reason. */
#ifndef HOST_CLI_DETECTOR_H
#define HOST_CLI_DETECTOR_H

#include "host/cli/options.h"
#include "host/cli/sources.h"
#include "host/cli/writer.h"

#include "vkdet.h"

typedef struct detector {
    vkdet_context *context;
    vkdet_model *model;
    vkdet_model_info info;
    vkdet_session *session;
} detector;

/* What makes no sense whatever the model is; `name` of the command, for the message. */
int detector_check(const settings *s, const char *name);
/* The context, and a model that has boxes. */
int detector_open(detector *d, const settings *s);
/* The session. */
int detector_start(detector *d, const settings *s);
/* Every source through the detector into the writer, until they end or a signal ends the run.
 * `bar`: whether a progress bar is wanted. */
int detector_run(detector *d, const settings *s, sources *from, writer *to, bool bar);
/* Also of one that was opened in part, or not at all. */
void detector_close(detector *d);

#endif
