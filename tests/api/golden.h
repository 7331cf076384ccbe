/* Comparison with golden outputs, what TensorFlow.js made of the same picture: for every model that
 * has some. */
#ifndef TESTS_API_GOLDEN_H
#define TESTS_API_GOLDEN_H

#include "tests/api/support.h"

#include <jansson.h>

/* What detections may differ by. pixels 0: corners are compared as whole pixels, rounded the way
 * the article's page rounds them. */
typedef struct golden_limits {
    double score, pixels;
} golden_limits;

/* list: the golden's array of {"class", "score", "box_xyxy"} and, if it likes, "anchor". Fails
 * unless ours are as many, in the same order, with the same classes, and scores and boxes within
 * the limits. `name` is for messages, here and below. */
void golden_check_detections(const char *name, const vkdet_result *ours, const json_t *list,
                             const golden_limits *limits);

/* Raw output `index` of the picture detected last by a session that keeps outputs, which must have
 * `count` values. Release with free. */
float *golden_read_output(vkdet_session *session, uint32_t index, size_t count);

/* One row of a raw output; fails at the first value further off than the tolerance. Returns the
 * larger of `worst` and the largest difference. */
double golden_check_row(const char *name, const char *output, size_t row, const float *ours,
                        const float *golden, size_t columns, double tolerance, double worst);

/* Every picture gives the same bytes at batch 1, 2, 3 and `count`, in order and shuffled, with
 * scores from 0.01. count is at most 16 and no multiple of 5. */
void golden_check_batches(vkdet_context *context, const vkdet_model *model,
                          vkdet_precision precision, vkdet_winograd winograd,
                          vkdet_image *const *images, uint32_t count);

/* How many steps of the JSON of vkdet_model_plan or vkdet_verify are by way of Winograd. */
size_t golden_winograd_steps(const char *report);

#endif
