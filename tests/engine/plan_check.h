/* What holds for every plan, and the few things that all tests of plans need. */
#ifndef TESTS_ENGINE_PLAN_CHECK_H
#define TESTS_ENGINE_PLAN_CHECK_H

#include "tests/support/test.h"

#include "engine/plan.h"

/* of exactly the graph's input */
preprocess preprocess_for(const graph *g);
/* fails the test where there is none */
plan *make_plan(const graph *g, const preprocess *pre, const detector_head *head,
                plan_options options);
/* the first step that runs this module */
const plan_step *find_step(const plan *p, const char *module);
/* the packed weights; the caller frees */
float *packed_weights(const plan *p);

/* Levels, lifetimes, the arena, push constants, the sizes of buffers, and that packing stays inside
 * its words. */
void check_plan(const plan *p);

#endif
