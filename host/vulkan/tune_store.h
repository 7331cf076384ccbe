/* What the tuner chose, on disk: one file a device, driver, set of shaders, precision, way of
 * convolutions, size of batch and list of candidates.
 *
 *   offset  bytes  content (little-endian)
 *        0      8  "vkdettn\n"
 *        8      4  version of this layout, 1
 *       12      4  vendor id           16  4  device id          20  4  driver version
 *       24     16  pipelineCacheUUID
 *       40     64  digest of the shaders, zero-padded
 *      104      2  precision, as in plan_precision
 *      106      2  Winograd, as in plan_winograd
 *      108      4  pictures of a submission that was measured
 *      112      8  hash of all candidates of all steps (tuner.c)
 *      120      4  how they were tried, as in vkdet_tune: 2 or 3
 *      124      4  number of choices, N
 *      128      N  the choices, in the order of plan_step.tunable
 *    128+N      8  FNV-1a of all before
 *
 * A file for a batch of 0, which has no choices, says that the plan with the hash above was checked
 * and computes what it should (vulkan_check_passed).
 *
 * Time depends on shapes and not on weights: networks with the same candidates share a file. */
#ifndef HOST_VULKAN_TUNE_STORE_H
#define HOST_VULKAN_TUNE_STORE_H

#include "host/vulkan/instance.h"

enum { TUNE_KEY_BYTES = 120 };

/* A step's part in the hash: what is computed, whatever the memory it is computed in. */
uint64_t tune_step_hash(uint64_t hash, const plan_step *s);

/* How the file begins. */
typedef struct tune_key {
    unsigned char bytes[TUNE_KEY_BYTES];
} tune_key;

void tune_key_make(const physical_device *p, plan_precision precision, plan_winograd winograd,
                   uint32_t batch, uint64_t candidates, tune_key *out);

/* Any bytes as such a file. variants: how many candidates each of the `count` choices is among. Why
 * it cannot be used, or NULL; then *how and the choices are filled in. */
const char *tune_parse(const unsigned char *bytes, size_t size, const tune_key *key,
                       const uint8_t *variants, uint32_t count, vkdet_tune *how, uint8_t *choices);

/* *how is VKDET_TUNE_OFF when nothing was kept, or nothing that can be used (logged). Fails for
 * want of memory alone. */
status tune_store_read(const allocator *a, const logger *log, const char *dir, const tune_key *key,
                       const uint8_t *variants, uint32_t count, vkdet_tune *how, uint8_t *choices,
                       error *err);
/* Cannot fail: what goes wrong is logged. */
void tune_store_write(const allocator *a, const logger *log, const char *dir, const tune_key *key,
                      vkdet_tune how, const uint8_t *choices, uint32_t count);

#endif
