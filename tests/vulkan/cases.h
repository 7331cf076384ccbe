/* One table of kernel cases: a node each, in every awkward shape. Tests check them against the
 * reference; a bench may time them. */
#ifndef TESTS_VULKAN_CASES_H
#define TESTS_VULKAN_CASES_H

#include "engine/graph.h"

/* Zeros mean: no second input, rank 3, square kernel, stride, dilation, groups, branches 1. */
typedef struct kernel_case {
    const char *name;
    op op;
    uint32_t rank;    /* of the input: 1 uses c, 2 uses w and c */
    uint32_t h, w, c; /* input */
    struct {
        uint32_t h, w, c;
        bool first; /* it is the operator's first input */
    } other;        /* second input of add, multiply and concat; alpha of PReLU */
    uint32_t kernel_h, kernel_w, stride, dilation;
    uint32_t groups; /* convolution */
    uint32_t multiplier;
    int branches;
    uint32_t filters[CONV2D_MAX_BRANCHES]; /* Cout of a branch; dense: [0] */
    activation act;                        /* branch b uses the kind that many further on */
    uint32_t border[4];                    /* top left bottom right of a pad or crop */
    uint32_t out_h, out_w;                 /* resize; reshape's target with out_c */
    uint32_t out_c, out_rank;
    resize_mode mode;
    uint32_t axis, permutation[3];
    bool same;                   /* padding; else none */
    bool own_inputs;             /* every branch reads a value of its own */
    bool pooled, pool_same, map; /* convolution: 2x2 max-pool; the unpooled map is kept too */
    uint32_t repeat;             /* convolution: the sum of its map, so repeated, and another */
    bool no_bias;                /* batch norm: no gamma, no beta */
    bool align_corners, half_pixel;
} kernel_case;

extern const kernel_case kernel_cases[];
extern const size_t kernel_case_count;

/* The graph of a case: a one-channel input (its elements are the operator's inputs in dense order),
 * what turns it into the inputs, and the node. Weights follow from the seed. */
status kernel_case_build(const kernel_case *c, const allocator *a, uint64_t seed, graph **out,
                         error *err);

#endif
