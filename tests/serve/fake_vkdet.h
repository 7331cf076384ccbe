/* A vkdet whose sessions compute nothing and wait for a gate: what the batcher does is then in the
 * test's hands. */
#ifndef TESTS_SERVE_FAKE_VKDET_H
#define TESTS_SERVE_FAKE_VKDET_H

#include "vkdet.h"

#include <stdbool.h>
#include <stddef.h>

enum { FAKE_CALLS = 1024, FAKE_BATCH = 64 };

/* One call of vkdet_session_detect: the width of each picture names it. */
typedef struct fake_call {
    uint32_t count;
    uint32_t widths[FAKE_BATCH];
    double score_threshold;
} fake_call;

/* kind: of the devices; a picture as wide as `refused` is refused, one as wide as `lost` loses the
 * device. */
void fake_reset(vkdet_device_kind kind, uint32_t refused, uint32_t lost);
/* While it is shut, detect waits. */
void fake_gate(bool open);
/* Waits until so many calls of detect have begun. */
void fake_wait_calls(size_t count);
size_t fake_calls(fake_call *out); /* FAKE_CALLS at most */
size_t fake_sessions(void);        /* made so far */
size_t fake_live_sessions(void);
void fake_fail_session(size_t at); /* the at-th to be made fails; 0: none */

#endif
