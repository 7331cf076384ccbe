/* Whether two lists of detections say the same. By itself, so that a test can hold it to cases. */
#ifndef HOST_CLI_BENCH_AGREE_H
#define HOST_CLI_BENCH_AGREE_H

#include "vkdet.h"

#include <stdbool.h>
#include <stddef.h>

/* How far a device's detections may be from the reference's.
 *
 * A detection of one list has a partner in the other: of its class, at least that much overlap, and
 * a score at most that far away; and with `same_anchor` it came from the same anchor. One without a
 * partner is allowed when its score lies within that distance of the threshold, where rounding
 * decides whether it is there at all. */
typedef struct bench_tolerance {
    double score, iou;
    bool same_anchor;
} bench_tolerance;

/* fp32: the same anchors, scores within 1e-4, boxes overlap 0.99. fp16: overlap 0.99, scores within
 * 0.01, and a neighbouring anchor may win: the rule by which a card names a precision
 * (models/CARD.md). bf16 rounds eight times as coarsely: 0.9 and 0.05. */
bench_tolerance tolerance_of(vkdet_precision precision);

/* threshold: scores above it were kept. False: `why` says what has no partner. */
bool detections_agree(const vkdet_result *expected, const vkdet_result *got,
                      const bench_tolerance *t, double threshold, char *why, size_t size);

#endif
