/* A network of one convolution and its plan: what tests of a family of kernels look at. */
#ifndef TESTS_ENGINE_SINGLE_CONV_H
#define TESTS_ENGINE_SINGLE_CONV_H

#include "tests/engine/graph_builder.h"
#include "tests/engine/plan_check.h"

typedef struct single {
    builder b;
    preprocess pre;
    plan *plan;
} single;

/* The input is side x (side + 1) x inputs. */
single single_make(uint32_t side, uint32_t inputs, uint32_t outputs, conv_options o,
                   plan_options options);
/* another plan of the same network */
void single_plan(single *s, plan_options options);
/* the first convolution of such a plan */
const plan_step *single_step(const plan *p);
void single_free(single *s);

#endif
