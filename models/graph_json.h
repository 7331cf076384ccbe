/* The graph as JSON: how the container stores it. models/FORMAT.md describes every member. Only
 * graphs as importers make them can be stored: one output a node, no views, one branch a
 * convolution. */
#ifndef MODELS_GRAPH_JSON_H
#define MODELS_GRAPH_JSON_H

#include "engine/graph.h"

#include <jansson.h>

/* names[i]: the tensor that holds weight i. STATUS_ARGUMENT for a graph that passes have rewritten.
 * *out is released with json_decref. */
status graph_to_json(region *scratch, const graph *g, const char *const *names, json_t **out,
                     error *err);

/* The tensors of a container by name. */
typedef struct tensor_entry {
    const char *name;
    shape shape;
    uint64_t begin, end; /* bytes of the data section */
    bool half;           /* F16, else F32 */
} tensor_entry;

typedef struct tensor_table {
    tensor_entry *entries; /* in the order of their bytes */
    size_t count;
    json_t *by_name; /* name -> index; released by who made the table */
    const unsigned char *data;
} tensor_table;

/* Builds and validates the graph. Weights point into table->data (F32) or into the graph's region
 * (F16, expanded). */
status graph_from_json(const allocator *a, const char *text, size_t size, const tensor_table *table,
                       graph **out, error *err);

#endif
