/* What every model target does with what it got: passes, plan and packing, with memory counted. */
#ifndef TESTS_FUZZ_EXERCISE_H
#define TESTS_FUZZ_EXERCISE_H

#include "models/model.h"

/* Counts what is live and traps beyond FUZZ_MAX_LIVE: a small file must not take much memory. */
extern const allocator fuzz_allocator;

/* A valid graph must come through the passes as a valid graph, and the planner may refuse it, but
 * only for a stated reason. pre and head may be NULL. */
void fuzz_exercise(const graph *g, const preprocess *pre, const detector_head *head);

#endif
