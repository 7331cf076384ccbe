/* What the tests of measuring share: a small detector and pictures for it. */
#ifndef TESTS_VULKAN_MEASURED_H
#define TESTS_VULKAN_MEASURED_H

#include "tests/vulkan/rig.h"

#include "host/vulkan/peaks.h"

enum {
    MEASURED_ANCHORS = 24,
    MEASURED_CLASSES = 3,
    MEASURED_SIDE = 90, /* of the pictures */
    MEASURED_STEPS = 32 /* more than the plan has */
};

extern const nms_params measured_every;
extern const peaks_effort measured_little; /* the least there is */

/* which: 0 or 1 */
pixels measured_picture(int which);
/* makes boxes of the picture's bytes */
status measured_detector(network *n, detector_head *head, error *err);

#endif
