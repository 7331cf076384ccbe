/* What a GPU's clocks do, as its driver tells it. */
#ifndef HOST_CLI_BENCH_GPU_H
#define HOST_CLI_BENCH_GPU_H

#include "vkdet.h"

#include <stdbool.h>
#include <stddef.h>

/* In words: clocks now and at most, memory, temperature, power, and what holds it back; false when
 * nothing can be read. NVIDIA's own tool is asked for NVIDIA's GPUs, and sysfs for all others.
 * root: what /sys lies under, "" but in tests. May take seconds. */
bool bench_gpu_state(const char *root, const vkdet_device_info *device, char *text, size_t size);

/* A line of nvidia-smi in those words, or as it is when it has other fields. */
void bench_gpu_nvidia(const char *line, char *text, size_t size);

#endif
