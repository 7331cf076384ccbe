/* Passes: graph -> graph rewrites. Each keeps what the graph computes (within rounding) and has an
 * equivalence test against the reference. A pass edits in place; new weights live in the graph's
 * region. Values that a pass leaves unused are dropped by pass_compact. The graph's outputs keep
 * their order, shapes and meaning. */
#ifndef ENGINE_PASSES_H
#define ENGINE_PASSES_H

#include "engine/graph.h"

/* What reaches a pass has been through graph_validate. A pass that runs out of memory leaves a
 * valid graph, half rewritten. */

/* Batch-norm that directly follows a convolution, depthwise or dense node (its only reader) becomes
 * part of its weights; computed in double. */
status pass_fold_batch_norm(graph *g, error *err);
/* An activation that is the only reader of a node that can fuse it moves into that node, also
 * across reshapes (an element-wise function commutes with them), and across a concat into all of
 * its parts. Zero-padding that only feeds a convolution or depthwise node (never a pool) joins its
 * window. */
status pass_fuse_activation(graph *g, error *err);
status pass_fuse_zero_pad(graph *g, error *err);
/* A 2x2, stride 2 max-pool that begins in the corner joins the convolution before it; the unpooled
 * map stays an output when anything else reads it. */
status pass_fuse_pool(graph *g, error *err);
/* A sum of equal shapes joins the linear convolution that makes one of its operands, also across a
 * nearest resize by a whole factor, when nothing else reads that operand. Where both could, it is
 * the one at the end of the longer path. */
status pass_fuse_add(graph *g, error *err);
/* Convolutions with equal window and input shape that read one input, and then convolutions that
 * read the branches of one node, become branches of one node (at most CONV2D_MAX_BRANCHES). */
status pass_merge_siblings(graph *g, error *err);
/* Reshape and concat of pieces that lie one after the other (axis 0) become views: producers write
 * at an offset of the base. A value becomes a view, or a base, only when nothing but reshape,
 * concat and permute reads it, or when value_layout_dense holds for it and its base and it begins
 * at a multiple of 4 (see `value` in graph.h). A concat of which one piece cannot be placed stays:
 * a piece that has its place already, comes twice or is the graph's input. */
status pass_place_heads(graph *g, error *err);
/* Identity reshapes, permutes, pads, crops, resizes, one-cell pools, one-input concats and linear
 * activations go; a permute that only moves dimensions of 1 becomes a reshape. */
status pass_drop_identity(graph *g, error *err);
/* Drops nodes whose outputs nobody reads, values and weights nobody refers to; restores the
 * topological order. */
status pass_compact(graph *g, error *err);

typedef struct pass {
    const char *name;
    status (*run)(graph *g, error *err);
} pass;

/* all of them in the order in which the planner applies them; validated after each */
extern const pass passes[];
extern const size_t pass_count;
status passes_run(graph *g, error *err);

#endif
