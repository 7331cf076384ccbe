/* Shared by the image tests: a log that is kept, and comparing with the scene. */
#ifndef TESTS_IMAGE_SUPPORT_H
#define TESTS_IMAGE_SUPPORT_H

#include "tests/support/test.h"

#include "host/image/image.h"
#include "tests/image/samples.h"

typedef struct kept_log {
    logger log;
    size_t count;
    char id[32], message[1024]; /* of the last line */
} kept_log;
void kept_log_init(kept_log *k); /* must not move afterwards */

/* Fails the test with the first difference. */
void check_scene(const sample *s, const image *i);
/* 0 for equal pictures; gray counts as three equal channels; -1 when sizes differ */
double mean_difference(const image *a, const image *b);

#endif
