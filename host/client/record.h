/* What became of one picture, and the line that tells it: the NDJSON object that every way out of
 * vkdet shares. */
#ifndef HOST_CLIENT_RECORD_H
#define HOST_CLIENT_RECORD_H

#include "vkdet.h"

#include <stddef.h>
#include <stdio.h>

/* One input: its detections, or why there are none. */
typedef struct record {
    const char *image; /* as named by the user, found in a folder, or sent along */
    uint64_t index;
    uint32_t width, height, orientation;
    const vkdet_detection *detections;
    uint32_t count;
    const char *error, *message; /* status name and reason; error NULL: it went well */
    const char *stem;            /* of files that are made of it; NULL when there are none */
} record;

/* language NULL: the card's first. "" when the model knows no name. */
const char *record_label(const vkdet_model *model, const char *language, uint32_t class_id);

/* Why the picture failed, "NAME: REASON", into text. The library's messages about a file begin with
 * its path already, others do not. */
void record_reason(char *text, size_t size, const char *image, const char *reason);

/* The object and a newline. */
void record_write(FILE *out, const record *r, const vkdet_model *model, const char *language);

#endif
