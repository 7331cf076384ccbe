/* A request of /v1/detect: what it asks for beside its pictures. */
#ifndef HOST_SERVE_DETECTION_H
#define HOST_SERVE_DETECTION_H

#include "host/serve/errand.h"

#include "vkdet.h"

typedef struct detection {
    pool_task drawing; /* first: tasks have its address */
    errand *errand;    /* whose user this is */
    bool annotate;
    vkdet_image_codec codec;
} detection;

void detection_destroy(detection *d);
/* Every item is home: errand.answer. */
void detection_answer(errand *e);

#endif
