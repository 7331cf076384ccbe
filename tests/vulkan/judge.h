/* What tests hold a network's steps to: the reference, the memory around what they write. */
#ifndef TESTS_VULKAN_JUDGE_H
#define TESTS_VULKAN_JUDGE_H

#include "tests/vulkan/rig.h"

#include "engine/reference.h"

enum { POISON = 0x7fc07ead /* a NaN, and so is each half */ };

session *session_behind(network *n);
/* the values of one picture, as the device has them now */
void read_values(network *n, uint32_t image, reference_values *out);
/* Outputs of node `index` against the reference's of the same inputs, each element within the
 * contract's bound. */
void compare_node(const char *name, const plan *p, size_t index, const reference_values *got_values,
                  reference_values *expected, reference_values *bound);
/* words of the arena that no value's pixels cover must still be poison */
void assert_no_overrun(const char *name, network *n, uint32_t batch);
void fill_input(float *data, uint64_t count, uint64_t seed);

#endif
