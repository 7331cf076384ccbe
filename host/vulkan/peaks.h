/* The peaks with less effort, for tests: host/vulkan/vulkan.h has the rest. */
#ifndef HOST_VULKAN_PEAKS_H
#define HOST_VULKAN_PEAKS_H

#include "host/vulkan/device.h"

typedef struct peaks_effort {
    uint64_t sample_ns;    /* what a sample should take at least */
    uint64_t budget_ns;    /* for everything; once it is used up nothing is sampled twice */
    uint64_t buffer_bytes; /* of the device's buffers, at most */
} peaks_effort;

status vulkan_peaks_measure_with(const vulkan_instance *v, uint32_t index, const logger *log,
                                 const peaks_effort *effort, vkdet_device_peaks *out, error *err);

#endif
