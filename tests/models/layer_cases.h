/* Layers and what they compute, see layer_cases.c. */
#ifndef TESTS_MODELS_LAYER_CASES_H
#define TESTS_MODELS_LAYER_CASES_H

#include <stddef.h>
#include <stdint.h>

typedef struct layer_case {
    const char *name;
    uint32_t input[3];
    const char *topology, *weights;
    const char *shape; /* of the output */
    float expected[64];
} layer_case;

extern const layer_case layer_cases[];
extern const size_t layer_case_count;

#endif
