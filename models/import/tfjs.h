/* The parts of the TensorFlow.js importer and what they hand each other.
 *
 *   tfjs.c            entry points: model.json, its shards, the card's input size
 *   tfjs_topology.c   models, nested and shared: which layer is called on what, and in which order
 *   tfjs_layers.c     one layer call -> nodes of the graph, by a table of layer classes
 *   tfjs_attributes.c what a layer's config says: sizes, padding, activations
 *   tfjs_weights.c    the weights manifest: where a weight's bytes are, and what they mean
 */
#ifndef MODELS_IMPORT_TFJS_H
#define MODELS_IMPORT_TFJS_H

#include "models/model.h"
#include "models/reader.h"

enum {
    TFJS_MAX_JSON = 64 << 20,
    TFJS_MAX_NAME = 256,
    TFJS_MAX_DEPTH = 16,      /* of models in models */
    TFJS_MAX_CALLS = 1 << 16, /* of layers, each time a model is used counted anew */
    TFJS_MAX_NAMES = 16 << 20 /* bytes of all their names, with the models around them in front */
};
#define TFJS_MAX_SHARD  ((size_t)2 << 30)
#define TFJS_MAX_WEIGHT ((size_t)4 << 30) /* bytes of all shards together */

/* --- weights --- */

typedef struct tfjs_shard {
    const unsigned char *bytes;
    size_t size;
} tfjs_shard;

typedef struct tfjs_group {
    tfjs_shard *shards;
    size_t shard_count;
} tfjs_group;

typedef enum tfjs_dtype {
    TFJS_FLOAT32 = 0,
    TFJS_FLOAT16,
    TFJS_UINT16,
    TFJS_UINT8,
    TFJS_INT32, /* the rest only takes its place in the shards */
    TFJS_BOOL,
    TFJS_COMPLEX64,
    TFJS_DTYPE_COUNT
} tfjs_dtype;

typedef struct tfjs_weight {
    const char *name;
    shape shape;         /* rank 0 for what the graph cannot hold */
    tfjs_dtype stored;   /* quantised type, or the type itself */
    bool floating;       /* its dtype is float32 */
    double scale, low;   /* value = stored * scale + low, for the quantised integers */
    size_t group, begin; /* bytes [begin, begin + size) of the group's shards laid end to end */
    size_t size;
    int index; /* in graph.weights once it has been used, else GRAPH_NONE */
} tfjs_weight;

typedef struct tfjs_weights {
    tfjs_group *groups;
    size_t group_count;
    tfjs_weight *entries;
    size_t count;
    json_t *by_name, *by_short_name, *by_tail; /* name -> index into entries; see tfjs_weights.c */
    json_t *paths;                             /* of the shards so far */
    size_t bytes;                              /* of the shards so far */
} tfjs_weights;

/* --- the importer --- */

typedef struct tfjs_importer {
    const tfjs_source *source;
    const card *card;
    region *scratch; /* lives as long as the import */
    graph *graph;
    tfjs_weights weights;
    size_t calls, name_bytes;
} tfjs_importer;

/* One call of one layer. */
typedef struct tfjs_call {
    const char *name;       /* of the node: the layer's name behind those of the models around it */
    const char *path;       /* the same for its weights, which calls share */
    const char *class_name; /* "Conv2D" */
    json_cursor config;
    const int *inputs; /* values */
    size_t input_count;
} tfjs_call;

/* Fetches every shard and checks that each group has the bytes that its weights need. */
status tfjs_weights_load(tfjs_importer *t, const json_cursor *manifest, error *err);
void tfjs_weights_release(tfjs_weights *w);
/* The weight `name` of the layer, as an index into graph.weights; expected names the shape. `other`
 * is a second name that some versions use, or NULL. */
status tfjs_weight_get(tfjs_importer *t, const tfjs_call *call, const char *name, const char *other,
                       shape expected, int *index, error *err);

/* Builds t->graph from the model in `topology`. */
status tfjs_topology_build(tfjs_importer *t, const json_cursor *topology, error *err);

/* Adds the nodes of one call of a layer that is no model. STATUS_UNSUPPORTED for an unknown class.
 */
status tfjs_layer_build(tfjs_importer *t, const tfjs_call *call, int *output, error *err);
/* a shape with the batch in front, as layers declare it: must agree with s where it is given */
status tfjs_check_shape(const json_cursor *declared, shape s, error *err);

/* --- attributes: each takes the value of `key` in config, in snake or camel case; a fallback of 0
 * means that it must be there --- */

json_cursor tfjs_attribute(const json_cursor *config, const char *key);
/* equal but for the case style: "channels_last" and "channelsLast" */
bool tfjs_same(const char *text, const char *snake);
/* one number for both, or two */
status tfjs_pair(const json_cursor *config, const char *key, uint32_t fallback, uint32_t pair[2],
                 error *err);
status tfjs_u32(const json_cursor *config, const char *key, uint32_t fallback, uint32_t *out,
                error *err);
status tfjs_real(const json_cursor *config, const char *key, double fallback, double *out,
                 error *err);
status tfjs_bool(const json_cursor *config, const char *key, bool fallback, bool *out, error *err);
/* top, bottom, left, right from n, [n, m] or [[t, b], [l, r]] */
status tfjs_border(const json_cursor *config, const char *key, uint32_t fallback, uint32_t sides[4],
                   error *err);
/* data_format must be channels_last */
status tfjs_channels_last(const json_cursor *config, error *err);
/* "same" or "valid" */
status tfjs_padding(const json_cursor *config, bool *same, error *err);
/* an activation by name; *softmax instead when it is that */
status tfjs_activation(const json_cursor *config, activation *out, bool *softmax, error *err);

#endif
