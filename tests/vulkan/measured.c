/* A small detector and pictures for the tests of measuring. */
#include "tests/vulkan/measured.h"

const nms_params measured_every = {NMS_TFJS, 0.3, 0.95, MEASURED_ANCHORS};
const peaks_effort measured_little = {.sample_ns = 1, .budget_ns = 0, .buffer_bytes = 1};

pixels measured_picture(int which)
{
    static unsigned char bytes[2][MEASURED_SIDE * MEASURED_SIDE * 3];
    test_random r = test_random_seed(17u + (unsigned)which);
    for (size_t i = 0; i < sizeof bytes[which]; i++) {
        bytes[which][i] = (unsigned char)test_random_u32(&r);
    }
    return (pixels){PIXEL_RGB8, MEASURED_SIDE, MEASURED_SIDE, MEASURED_SIDE * 3, bytes[which]};
}

status measured_detector(network *n, detector_head *head, error *err)
{
    return passthrough_network(n, MEASURED_ANCHORS, MEASURED_CLASSES, head, err);
}
