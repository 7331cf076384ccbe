/* What the parts of the Open Inference Protocol (version 2, over HTTP) share: the names of tensors,
 * and how a refusal is said. */
#ifndef HOST_SERVE_OIP_H
#define HOST_SERVE_OIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vkdet.h"

#define OIP_INPUT "image" /* the one input of every model */

typedef enum oip_output {
    OIP_NUM_DETECTIONS = 0,
    OIP_DETECTION_BOXES,
    OIP_DETECTION_SCORES,
    OIP_DETECTION_CLASSES,
    OIP_OUTPUT_COUNT
} oip_output;

/* one line a tensor: what the protocol calls it and its elements */
typedef struct oip_output_kind {
    const char *name, *datatype;
    uint32_t per_detection; /* elements a detection; 0: one a picture */
} oip_output_kind;
extern const oip_output_kind oip_outputs[OIP_OUTPUT_COUNT];

/* Why something was refused: one line that names the member. */
typedef struct oip_fault {
    char text[256];
    bool no_memory;
} oip_fault;

/* Both return false, so that a refusal is a return statement. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
bool oip_refuse(oip_fault *fault, const char *format, ...);
bool oip_no_memory(oip_fault *fault);

/* What is answered, malloc'd. json is the length of its JSON: size, unless binary data follows. */
typedef struct oip_body {
    char *bytes;
    size_t size, json;
} oip_body;

/* A stream into *out, which must not move until it is finished; NULL when memory ran out. */
FILE *oip_body_begin(oip_body *out);
/* Closes it. False when memory ran out on the way: *out is empty then. */
bool oip_body_finish(FILE *stream, oip_body *out);

#endif
