/* Convolutions inside the planner. lower_conv2d.c gathers the branches that one dispatch may
 * compute, asks every family for its candidates, and lets the chosen one's family make the steps. A
 * family is one file: how it packs weights, which tiles it has, when it is worth trying. To add
 * one, write that file and list it in lower_conv2d.c. */
#ifndef ENGINE_PLAN_CONV_H
#define ENGINE_PLAN_CONV_H

#include "engine/plan/internal.h"

/* One branch of a node, ready for a dispatch. */
typedef struct branch {
    place source, map;
    place second; /* the pooled map, or with convolution.repeat what is added */
    bool wants_map, wants_pooled;
    int kernel, bias; /* weights of the graph */
    activation act;
    uint32_t channels;
} branch;

/* What one dispatch computes. The branches' sources have one shape and layout. */
typedef struct convolution {
    window window;
    uint32_t groups;
    bool pool;       /* fused, 2x2 */
    uint32_t repeat; /* engine/graph.h; not together with pool */
    int node;
    const char *name;
    branch branches[CONV2D_BRANCHES];
    uint32_t branch_count;
    uint32_t height, width; /* of the map, before it is repeated */
    uint32_t pooled_height, pooled_width;
} convolution;

typedef struct conv_family conv_family;

/* One way to compute a convolution. */
typedef struct conv_candidate {
    const conv_family *family;
    int rank;    /* lower is tried first and rank decides the default; the direct kernel's own best
                    guess has 0, so a family that expects to be faster goes below */
    double cost; /* an estimate, to compare candidates of the family by */
    uint32_t sizes[8]; /* the family's own */
} conv_candidate;

enum { CONV_MAX_CANDIDATES = 32 };

typedef struct conv_candidates {
    conv_candidate list[CONV_MAX_CANDIDATES];
    uint32_t count;
} conv_candidates;

struct conv_family {
    /* Appends its ways to compute c on the target; none where it cannot, or is never worth it. */
    void (*propose)(const builder *b, const convolution *c, conv_candidates *out);
    /* Packs the weights and makes the steps. */
    status (*emit)(builder *b, const convolution *c, const conv_candidate *chosen);
};

extern const conv_family conv_direct, conv_grouped, conv_gemm, conv_matrix, conv_window,
    conv_winograd;

/* c is computed by way of Winograd: by the family of that name, and no other */
bool conv_takes_winograd(const builder *b, const convolution *c);

/* --- what families share --- */
/* neighbours that share the reading of weights (shaders/conv2d_weights.glsl); 0: each reads its own
 */
uint32_t conv_readers(const builder *b);
/* what is full is left alone: the list is longer than any target's candidates */
void conv_propose(conv_candidates *out, const conv_candidate *one);
/* for qsort: by cost, then by sizes */
int conv_compare_costs(const void *x, const void *y);
bool conv_is_pointwise(const convolution *c);
/* channels of every group in fours: what the blocked layouts need */
bool conv_in_fours(const convolution *c, const branch *br);
uint32_t conv_widest_branch(const convolution *c);
/* workgroups along the output channels, of all branches */
uint32_t conv_column_groups(const convolution *c, uint32_t columns);
/* sources and kernels are halves */
bool conv_all_halves(const builder *b, const convolution *c);
/* every tap's input blocks can be fetched two at a time */
bool conv_in_eights(const convolution *c);
/* the target's cooperative matrices are of a size that the kernels can load */
bool conv_matrices_fit(const builder *b);
/* the record that begins a branch's packed weights */
struct conv2d_record conv_record(const builder *b, const convolution *c, const branch *br);
/* a branch reads or writes its second place */
bool conv_has_second(const convolution *c, const branch *br);
/* HALF_SOURCE, HALF_TARGET (the map), HALF_SECOND (the second place), HALF_WEIGHTS: the same for
 * all branches of a dispatch */
uint32_t conv_halves(const builder *b, const convolution *c);
/* some branch has more than what RELU's three numbers express */
bool conv_any_activation(const convolution *c);
/* some pixels that are written, or added, are not aligned */
bool conv_moves_scalars(const convolution *c);
/* the constants that every family's kernels have: window, POOL, ANY, SCALAR, HALF, REPEAT */
void conv_constants(const builder *b, plan_step *s, const convolution *c);
/* what a variant's name says of pool and repeat */
const char *conv_fused(const convolution *c);
/* how a pooled map ends: bit 0: the pooled width rounds up; 1: the height */
uint32_t conv_pool_edges(const convolution *c);
/* room for a branch's record, bias and so many words of kernel; the record is filled in */
status conv_pack(builder *b, const convolution *c, const branch *br, pack_kind kind,
                 uint64_t kernel_words, plan_pack **out);
/* reads, writes, FLOPs and weights of branch br */
void conv_account(plan_step *s, const convolution *c, const branch *br, uint64_t weight_words);
/* the same of branch i, and its offsets in the push constants, whose branches begin at byte `at` */
void conv_branch(plan_step *s, const convolution *c, uint32_t i, size_t at, uint64_t weight_words);

/* offsets of branch i's map and pooled map likewise, and what is written of them: of `all` pieces
 * those from `first` to `end` */
void conv_targets(plan_step *s, const convolution *c, uint32_t i, size_t at, uint32_t first,
                  uint32_t end, uint32_t all);

#endif
