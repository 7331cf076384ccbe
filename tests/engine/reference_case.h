/* A graph of a node or two with random values, run by the reference: what the operator tests share.
 */
#ifndef TESTS_ENGINE_REFERENCE_CASE_H
#define TESTS_ENGINE_REFERENCE_CASE_H

#include "tests/support/test.h"

#include "engine/reference.h"

typedef struct reference_case {
    uint64_t seed;
    test_random random;
    graph *graph;
    reference_values values, bound;
} reference_case;

void case_begin(reference_case *c, uint64_t seed);
/* a value; the ones that no node makes are filled at random (-1 .. 1) by case_run */
int case_value(reference_case *c, shape s);
int case_weight(reference_case *c, shape s, float low, float high);
int case_constant(reference_case *c, shape s, const float *data);
/* adds the node; its index */
int case_node(reference_case *c, const node *n);
/* adds the node; its first output */
int case_output(reference_case *c, const node *n);
/* Allocates, fills, poisons what nodes write, runs. Returns after all outputs and bounds are
 * checked to have been written. */
void case_run(reference_case *c);
/* The same with given values for the values without a node. */
void case_prepare(reference_case *c);
void case_execute(reference_case *c);
void case_end(reference_case *c);

float *case_data(reference_case *c, int v);
size_t case_count(reference_case *c, int v);
/* element i of v is `expected`, rounded to float (one ULP is forgiven, and what the order of double
 * additions may cost) */
void case_expect(reference_case *c, int v, size_t i, double expected);
/* `computed`, an fp32 result of element i of v, keeps the contract, which is not looser than
 * `loosest` */
void case_expect_bound(reference_case *c, int v, size_t i, double computed, double loosest);

shape shape1(uint32_t a);
shape shape2(uint32_t a, uint32_t b);
shape shape3(uint32_t a, uint32_t b, uint32_t c);
shape shape4(uint32_t a, uint32_t b, uint32_t c, uint32_t d);
uint32_t random_between(test_random *r, uint32_t low, uint32_t high); /* both included */

#endif
