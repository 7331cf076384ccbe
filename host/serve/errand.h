/* Pictures on their way through the server, for every route that detects: decoded by the pool where
 * they are files, then batched. Whoever brings the last one home answers. */
#ifndef HOST_SERVE_ERRAND_H
#define HOST_SERVE_ERRAND_H

#include "host/serve/batcher.h"
#include "host/serve/pool.h"
#include "host/serve/routes.h"

#include <stdatomic.h>

struct errand;

typedef struct errand_item {
    pool_task decoding; /* first: tasks have its address */
    batch_job job;
    struct errand *errand;
    /* set by the route: a picture file, which the request holds; else job.pixels */
    const unsigned char *bytes;
    size_t size;
    char *name; /* from malloc; freed with the errand */
    /* what became of it */
    vkdet_image *image; /* gone by the answer, unless keep_images */
    uint64_t held;      /* bytes of it on the pool's bill */
    vkdet_image_info info;
    vkdet_status status;
    char message[512]; /* why it failed */
    vkdet_detection *detections;
    uint32_t count;
    uint64_t decode_ns;
} errand_item;

typedef struct errand {
    request *request;
    const served_model *model;
    vkdet_detect_params params;
    /* ends the request, and then the errand; on any thread, which it must not keep for long */
    void (*answer)(struct errand *errand);
    void *user;
    bool keep_images;     /* of items that went well: the answer draws on them */
    const char *language; /* of labels; NULL: the model's first */
    atomic_uint open;     /* items under way */
    uint32_t count;
    errand_item items[];
} errand;

/* NULL after the request was ended for want of memory. */
errand *errand_create(request *r, const served_model *model, uint32_t count);
void errand_destroy(errand *e);

/* Sends all items off. False after the request was ended because the queue is full; the errand is
 * still the caller's then. */
bool errand_start(errand *e);

/* Lets the image of an item go. */
void errand_drop_image(errand_item *it);

/* The headers that tell model, device, precision and times, of the first item. */
void errand_add_facts(const errand *e);

#endif
