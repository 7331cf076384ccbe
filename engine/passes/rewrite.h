/* What the passes share: who makes and who reads each value, and nodes marked for removal. */
#ifndef ENGINE_PASSES_REWRITE_H
#define ENGINE_PASSES_REWRITE_H

#include "engine/graph.h"

typedef struct rewrite {
    graph *g;
    uint32_t *uses; /* by value: how often nodes and the graph's outputs refer to it */
    int *producer;  /* by value: the node that writes it, or GRAPH_NONE */
    bool *is_output;
    bool *shared;  /* by value: a view, or a base that has views */
    bool *removed; /* by node */
} rewrite;

/* Counts; STATUS_MEMORY leaves nothing to release. Values added later are not covered. */
status rewrite_begin(rewrite *r, graph *g, error *err);
/* Takes the removed nodes out of the graph, keeping the order of the others. */
void rewrite_end(rewrite *r);

/* For a reader of v: the node that makes v, when v has storage of its own and nobody else reads it
 * (an output of the graph counts as read): what a fusion may swallow. NULL otherwise. */
node *rewrite_sole_producer(const rewrite *r, int v);
/* index of v among the outputs of its producer n */
int rewrite_output_slot(const node *n, int v);
/* `by`, which reads only `v`, goes; n writes its output instead of v. */
void rewrite_take_output(rewrite *r, node *n, int v, int by);

bool window_equal(const window *a, const window *b);
/* The window of a conv2d or depthwise node; NULL for others. */
window *node_window(node *n);
status rewrite_out_of_memory(const char *pass, error *err);

#endif
