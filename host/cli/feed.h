/* The feed: decodes pictures on a few threads, ahead of the device, and hands them out in input
 * order. Bounded in pictures and in bytes. */
#ifndef HOST_CLI_FEED_H
#define HOST_CLI_FEED_H

#include "host/cli/sources.h"

#include "vkdet.h"

/* One source, decoded or failed. */
typedef struct picture {
    char *path;
    uint64_t index; /* in input order, from 0 */
    vkdet_image *image;
    vkdet_image_info info;
    vkdet_status status;
    char *message; /* why, when status is not VKDET_OK; NULL when memory ran out for it */
    /* of the feed: */
    int state;
    uint64_t bytes;
} picture;

typedef struct feed feed;

typedef struct feed_params {
    vkdet_context *context;
    sources *sources; /* borrowed */
    vkdet_image_params image;
    uint32_t capacity;   /* pictures held at once */
    uint64_t byte_limit; /* of decoded pixels held at once; one picture is always let through */
} feed_params;

/* NULL when memory or threads ran out */
feed *feed_create(const feed_params *params);
/* also with pictures outstanding */
void feed_destroy(feed *f);

typedef enum feed_patience {
    FEED_POLL = 0, /* only what is decoded already */
    FEED_BRIEFLY,  /* also what is being decoded, and a moment for what is about to come */
    FEED_WAIT      /* until there is one, or no more */
} feed_patience;

typedef enum feed_outcome { FEED_GOT = 0, FEED_NOT_YET, FEED_END, FEED_NO_MEMORY } feed_outcome;

/* The next picture in input order, owned by the feed until released. One thread. */
feed_outcome feed_take(feed *f, feed_patience patience, picture **out);
/* The pixels are not needed any more; info stays. */
void feed_drop_pixels(feed *f, picture *p);
/* Releases the oldest picture that was taken. */
void feed_release(feed *f);

#endif
