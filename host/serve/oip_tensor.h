/* The input tensor of an inference request: one picture an element of its first dimension.
 *
 *   BYTES  [N] or [N,1]     picture files (JPEG, PNG, WebP, ...); in JSON as base64
 *   UINT8  [N,H,W,3]        RGB pixels; any size
 *   FP32   [N,H,W,C]        the network's input itself, normalised */
#ifndef HOST_SERVE_OIP_TENSOR_H
#define HOST_SERVE_OIP_TENSOR_H

#include "host/serve/oip.h"

#include <jansson.h>

/* What a server takes, and the network behind it. */
typedef struct oip_limits {
    uint32_t images;         /* of one request */
    uint64_t pixels;         /* of one picture */
    uint32_t max_detections; /* of one picture's answer */
    uint32_t input_width, input_height, input_channels;
} oip_limits;

typedef enum oip_datatype { OIP_BYTES = 0, OIP_UINT8, OIP_FP32, OIP_DATATYPE_COUNT } oip_datatype;

typedef struct oip_bytes {
    const unsigned char *data;
    size_t size;
} oip_bytes;

typedef struct oip_tensor {
    oip_datatype datatype;
    uint32_t height, width; /* 0 for BYTES: the files tell */
    uint32_t count;
    oip_bytes *items;     /* one a picture; they lie in the request's body or in: */
    unsigned char *owned; /* NULL when all lie in the body */
    size_t owned_size;
} oip_tensor;

/* "BYTES", ... */
const char *oip_datatype_name(oip_datatype datatype);

/* input: the object, whose name and members have been checked. tail: what follows the JSON. On
 * failure *out is empty. */
bool oip_tensor_read(const json_t *input, oip_bytes tail, const oip_limits *limits, oip_tensor *out,
                     oip_fault *fault);
/* One picture file that is the whole body. */
bool oip_tensor_of_file(oip_bytes file, oip_tensor *out, oip_fault *fault);
void oip_tensor_destroy(oip_tensor *tensor);

/* Of UINT8 and FP32. */
vkdet_pixels oip_tensor_pixels(const oip_tensor *tensor, uint32_t index);

#endif
