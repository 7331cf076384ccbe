/* The answer to an inference request. */
#ifndef HOST_SERVE_OIP_RESPONSE_H
#define HOST_SERVE_OIP_RESPONSE_H

#include "host/serve/oip_request.h"

/* What was found in one picture. */
typedef struct oip_found {
    const vkdet_detection *detections;
    uint32_t count; /* at most `capacity` */
} oip_found;

typedef struct oip_response {
    const char *model_name, *model_version;
    const char *id; /* NULL: none */
    const oip_wanted *wanted;
    uint32_t wanted_count;
    const oip_found *found; /* one a picture */
    uint32_t count;
    uint32_t capacity; /* detections that every picture has room for; the rest is zeros */
} oip_response;

/* False when memory ran out. */
bool oip_response_write(const oip_response *r, oip_body *out);

#endif
