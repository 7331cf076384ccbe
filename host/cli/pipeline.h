/* The way from decoded pictures to written results: groups of pictures, in input order, through the
 * slots of a session. */
#ifndef HOST_CLI_PIPELINE_H
#define HOST_CLI_PIPELINE_H

#include "host/cli/feed.h"
#include "host/cli/writer.h"

typedef struct pipeline_params {
    vkdet_session *session;
    feed *feed;
    writer *writer;
    vkdet_detect_params detect;
    uint32_t batch, slots; /* as the session was made */
    bool save_pictures;
} pipeline_params;

/* Runs until the feed ends. Returns an exit status; reasons have been told. */
int pipeline_run(const pipeline_params *params);

/* what the feed must be able to hold so that every slot can be filled */
uint32_t pipeline_capacity(uint32_t batch, uint32_t slots);

#endif
