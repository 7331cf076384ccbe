/* An inference request: the body of POST .../infer as one plain struct.
 *
 * The body is a JSON object, behind it perhaps binary data; then the header
 * Inference-Header-Content-Length says how long the JSON is. With a length of 0 there is no JSON:
 * the whole body is one picture file. */
#ifndef HOST_SERVE_OIP_REQUEST_H
#define HOST_SERVE_OIP_REQUEST_H

#include "host/serve/oip_tensor.h"

typedef struct oip_wanted {
    oip_output output;
    bool binary;
} oip_wanted;

typedef struct oip_request {
    char *id; /* NULL: the request has none */
    vkdet_detect_params detect;
    uint64_t timeout_us; /* 0: the server's */
    oip_wanted wanted[OIP_OUTPUT_COUNT];
    uint32_t wanted_count;
    oip_tensor tensor;
} oip_request;

/* header_length: the header's value, NULL when there is none. The body must outlive *out. On
 * failure *out is empty. */
bool oip_request_parse(oip_bytes body, const char *header_length, const oip_limits *limits,
                       oip_request *out, oip_fault *fault);
void oip_request_destroy(oip_request *request);

#endif
