/* Graphs for tests: one call a layer, seeded weights, and a run in the reference.
 *
 * All numbers are dyadic (small multiples of a power of two), and so are the scales that the
 * batch-norms amount to: sums and products are exact in single precision, so a rewritten graph must
 * give the same bits as the original. */
#ifndef TESTS_ENGINE_GRAPH_BUILDER_H
#define TESTS_ENGINE_GRAPH_BUILDER_H

#include "tests/support/test.h"

#include "engine/graph.h"

typedef struct builder {
    graph *g;
    test_random random;
    int names; /* counts the nodes, for their names */
} builder;

/* a graph with an input of height x width x channels; fails the test where it cannot */
builder builder_make(uint64_t seed, uint32_t height, uint32_t width, uint32_t channels);
void builder_outputs(builder *b, int count, const int *values);

/* a weight with dyadic numbers between -high and high */
int build_weight(builder *b, shape s, float high);
/* the one output value of a new node (for a convolution: its map) */
int build_node(builder *b, node *n);
typedef struct conv_options {
    uint32_t kernel, stride, dilation, groups; /* 0: 1 */
    bool valid, bias;
} conv_options;
int build_conv(builder *b, int in, uint32_t filters, conv_options o);
int build_depthwise(builder *b, int in, uint32_t kernel, uint32_t multiplier);
int build_dense(builder *b, int in, uint32_t units, bool bias);
int build_batch_norm(builder *b, int in, bool gamma, bool beta);
int build_activation(builder *b, int in, activation_kind kind);
/* kernel x kernel, stride 2 */
int build_pool(builder *b, op kind, int in, uint32_t kernel, bool same);
int build_binary(builder *b, op kind, int first, int second);
int build_concat(builder *b, const int *in, int count, uint32_t axis);
int build_reshape(builder *b, int in, shape target);
int build_rows(builder *b, int in, uint32_t columns); /* reshape to (-1, columns) */
int build_pad(builder *b, int in, uint32_t top, uint32_t left, uint32_t bottom, uint32_t right);
int build_permute(builder *b, int in, uint32_t first, uint32_t second, uint32_t third);

shape builder_shape(const builder *b, int v);

/* The outputs of g for a seeded dyadic input, one after the other; storage is poisoned first, so
 * that an element nobody writes shows. The caller frees. */
float *run_outputs(const graph *g, uint64_t seed, size_t *count);
/* fails with the first difference */
void assert_same_outputs(const graph *expected, const graph *got, uint64_t seed);

#endif
