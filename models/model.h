/* A model: a network as a graph, and its card. What importers produce and the container holds. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "engine/detector.h"
#include "engine/graph.h"

typedef struct card_label {
    const char *language;     /* BCP 47: "en", "zh" */
    const char *const *names; /* one a class, background too */
} card_label;

/* The card: what a network file does not say. models/CARD.md documents the JSON; a card is valid
 * against it or refused with the path of the first wrong member ("anchors.levels[2].sizes: ...").
 * Unknown members are an error. */
typedef struct card {
    const char *name, *version, *description, *source, *licence;
    bool detects; /* task "detect"; false for "classify": no anchors, no boxes */
    preprocess preprocess;
    anchor_spec anchors;
    const char *loc_output, *score_output; /* names of graph outputs */
    float variance[4];
    uint32_t class_count;
    int background;
    struct {
        bool fp16, bf16;
    } fit; /* precisions whose detections were compared with fp32's and agree */
    card_label *labels;
    size_t label_count; /* at least one; the first is the default */
    nms_params nms;     /* the defaults */
    struct {
        const char *file, *sha256;
    } * files; /* of the sources; checked by convert */
    size_t file_count;
} card;

/* How a container stores weights (models/FORMAT.md). */
typedef enum weight_type {
    WEIGHTS_EXACT = 0, /* F16 where a tensor loses nothing by it, else F32 */
    WEIGHTS_FP16,      /* F16, rounded; parameters of batch norms as in EXACT */
    WEIGHTS_FP32,
    WEIGHTS_TYPE_COUNT
} weight_type;
/* "exact", "fp16", "fp32" */
bool weight_type_from_name(const char *name, weight_type *out);

typedef struct model {
    allocator alloc;
    region *memory; /* card, head and tensors */
    graph *graph;   /* as imported, before any pass */
    card card;
    const char *card_json; /* as stored */
    detector_head head;    /* valid when card.detects; anchors generated */
    void *mapping;         /* of the container file, or NULL */
    size_t mapping_size;
    uint64_t file_bytes;
    char digest[65];                    /* SHA-256 of the tensor data, hex */
    const struct tensor_entry *tensors; /* as stored, in the order of their bytes */
    size_t tensor_count;
} model;

/* Parses and checks a card; strings and arrays live in r. `text` need not be terminated. */
status card_parse(region *r, const char *text, size_t size, card *out, error *err);

/* TensorFlow.js layers model. path is model.json; shards are found beside it (never outside its
 * folder). The graph's input must be the card's input size where the file leaves it open. */
status tfjs_import(const allocator *a, const char *path, const card *c, graph **out, error *err);
/* the same from memory: `fetch` hands out a shard's bytes by its relative path (for tests and
 * fuzzing) */
typedef struct tfjs_source {
    status (*fetch)(void *user, const char *relative_path, const unsigned char **bytes,
                    size_t *size, error *err);
    void *user;
} tfjs_source;
status tfjs_parse(const allocator *a, const char *json, size_t size, const tfjs_source *source,
                  const card *c, graph **out, error *err);

/* Container (models/FORMAT.md). open maps the file and checks header, checksum, graph and card;
 * open_memory does the same on borrowed bytes that must outlive the model and be 8-byte aligned. */
status model_open(const allocator *a, const char *path, model **out, error *err);
status model_open_memory(const allocator *a, const void *bytes, size_t size, model **out,
                         error *err);
void model_destroy(model *m);
/* g as imported; its card as text, already checked. Writes beside `path` and renames. STATUS_LIMIT
 * names a tensor that WEIGHTS_FP16 cannot hold. */
status model_write(const allocator *a, const graph *g, const char *card_json, size_t card_size,
                   weight_type type, const char *path, error *err);
/* import + card + write; checks card.files' SHA-256 where given */
status model_convert(const allocator *a, const char *model_path, const char *card_path,
                     weight_type type, const char *out_path, error *err);

/* JSON for `vkdet inspect --json`: card, layers, shapes, parameters, MACs, memory, tensors as
 * stored. Released with memory_release. */
status model_describe(const model *m, char **json, error *err);

#endif
