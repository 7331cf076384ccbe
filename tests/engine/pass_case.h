/* What the tests of passes share: a pass is run on a copy, and the copy must compute the same bits.
 */
#ifndef TESTS_ENGINE_PASS_CASE_H
#define TESTS_ENGINE_PASS_CASE_H

#include "tests/engine/graph_builder.h"

#include "engine/passes.h"

typedef status (*pass_run)(graph *g, error *err);

/* Runs the pass on a copy and compares; the rewritten copy, which the caller destroys. */
graph *rewritten(const graph *g, pass_run run);
size_t count_op(const graph *g, op o);
/* The pass leaves `left` nodes, of which `of_kind` are o. Destroys the graph. */
void expect_left(builder *b, pass_run run, op o, size_t of_kind, size_t left);
/* one or two outputs (GRAPH_NONE: no second) */
void finish(builder *b, int first, int second);

#endif
