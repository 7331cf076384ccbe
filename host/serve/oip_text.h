/* JSON from outside, looked over before a library makes a tree of it: a tree costs up to fifty
 * times its text, so depth and numbers of values are bounded first. */
#ifndef HOST_SERVE_OIP_TEXT_H
#define HOST_SERVE_OIP_TEXT_H

#include "host/serve/oip.h"

#include <jansson.h>

typedef struct oip_text_limits {
    size_t depth;   /* of lists and objects in each other */
    size_t values;  /* in lists and objects, all together */
    size_t members; /* of objects, all together */
} oip_text_limits;

/* The document, an object; NULL with a fault. Duplicate members, numbers that no double holds and
 * text that is no UTF-8 are refused. */
json_t *oip_text_load(const char *text, size_t size, const oip_text_limits *limits,
                      oip_fault *fault);

#endif
