/* A graph made ready for the CPU: what the files of this room share.
 *
 * Every value is a dense (H, W, C) map, in fp32 or bfloat16, somewhere in an arena. A step computes
 * a node; it is cut into items, runs of rows that any thread may compute in any order. How it is
 * cut depends on the graph alone, so the bytes that come out depend neither on the number of
 * threads nor on the batch. Steps of one level do not depend on each other.
 *
 * Convolutions that only pass rows on to one another are one step (chain.c): an item computes its
 * rows through all of them, and what lies between never leaves the thread.
 *
 * A program is read-only while it runs: what a thread needs of its own is in its worker. */
#ifndef HOST_CPU_PROGRAM_H
#define HOST_CPU_PROGRAM_H

#include "engine/detector.h"
#include "engine/graph.h"
#include "host/cpu/loops.h"
#include "host/cpu/onednn.h"
#include "host/cpu/separable.h"

enum { CACHE_LINE = 64, WORKER_ROWS = 4, WORKER_BANDS = 2 };

typedef enum element { IN_F32 = 0, IN_BF16 } element;
size_t element_bytes(element e);

typedef struct tensor {
    uint32_t height, width, channels;
    element element;
    size_t offset; /* bytes into the arena */
    uint32_t band; /* 0, or it is not in the arena but worker.band[band - 1] */
} tensor;
size_t tensor_row_bytes(const tensor *t);

/* What a thread has to itself. */
typedef struct worker {
    uint32_t index;
    unsigned char *arena; /* of the image it works on */
    const pixels *picture;
    dnnl_stream_t stream;
    unsigned char *scratch;  /* oneDNN's: program.scratch_bytes */
    unsigned char *strip;    /* a piece of a map before it is pooled or converted: strip_bytes */
    float *row[WORKER_ROWS]; /* row_floats each */
    float *window;           /* rows under a window in fp32: window_floats */
    unsigned char *band[WORKER_BANDS]; /* rows of maps between convolutions: band_bytes each */
    uint32_t band_first;               /* which row is their first */
    detection *candidates;             /* one an anchor */
    allocator lends;                   /* lends `candidates` */
    size_t candidates_bytes, memory_bytes;
    void *memory; /* that all of it lies in */
} worker;

typedef struct program program;
typedef struct step step;

struct step {
    const char *name, *kernel, *variant;
    int node; /* GRAPH_NONE: preprocess */
    uint32_t level, items;
    status (*run)(const program *p, const step *s, worker *w, uint32_t item, error *err);
    const void *state; /* the operator's own */
    uint64_t flops, bytes_read, bytes_written, weight_bytes;
};

struct program {
    allocator alloc;
    region *memory; /* everything below lives in it, but for oneDNN's objects */
    const graph *graph;
    const preprocess *preprocess;
    const loops *loops;
    const separable *separable;     /* may be NULL */
    const pointwise_halves *halves; /* may be NULL */
    const onednn_calls *call;
    dnnl_engine_t engine;
    uint32_t workers;
    bool keep_all;
    tensor *tensors; /* by graph value */
    int *before;     /* by node: the one computed just before it in the same step, or GRAPH_NONE */
    bool *absorbed;  /* by node: it has no step of its own */
    step *steps;     /* in the order of their levels */
    size_t step_count;
    uint32_t level_count;
    size_t arena_bytes, weight_bytes, scratch_bytes, strip_bytes, row_floats, window_floats,
        band_bytes;
    dnnl_primitive_t *primitives; /* to be destroyed */
    size_t primitive_count, primitive_capacity;
    dnnl_memory_t *memories;
    size_t memory_count, memory_capacity;
    struct scratch_user *scratch_users; /* memories that get a worker's scratch */
    size_t scratch_user_count, scratch_user_capacity;
};

typedef struct scratch_user {
    dnnl_memory_t memory;
    uint32_t worker;
} scratch_user;

typedef struct program_params {
    const allocator *alloc;
    const graph *graph; /* after the passes; this and the next are borrowed */
    const preprocess *preprocess;
    const onednn_calls *call;
    uint32_t workers;
    element element;
    bool keep_outputs, keep_all;
} program_params;

status program_create(const program_params *params, program **out, error *err);
void program_destroy(program *p);
/* the buffers of worker `index` */
status worker_create(const program *p, uint32_t index, uint32_t anchors, worker *w, error *err);
void worker_destroy(const program *p, worker *w);
/* a cache-line aligned address at or behind `memory`; who allocates adds CACHE_LINE bytes */
void *align_up(void *memory);

/* --- what operators use --- */
/* zeroed, on a cache line */
void *program_allocate(program *p, size_t count, size_t size);
status program_keep_memory(program *p, const dnnl_memory_desc_t *desc, void *handle,
                           dnnl_memory_t *out, error *err);
status program_keep_primitive(program *p, const_dnnl_primitive_desc_t desc, dnnl_primitive_t *out,
                              error *err);
void *tensor_at(const worker *w, const tensor *t, uint32_t row);
/* floats of a row: in place, or converted into `buffer` */
const float *row_read(const program *p, const worker *w, const tensor *t, uint32_t y,
                      float *buffer);
/* where to put the floats of a row: in place, or `buffer`; row_done then writes them */
float *row_begin(const worker *w, const tensor *t, uint32_t y, float *buffer);
void row_done(const program *p, const worker *w, const tensor *t, uint32_t y, const float *row);
void elements_convert(const program *p, const void *from, element from_type, void *to,
                      element to_type, size_t n);
/* rows in an item, so that a step of `height` rows with `flops` in all is cut neither too fine nor
 * too coarse; a multiple of `multiple` */
uint32_t rows_an_item(uint32_t height, uint64_t flops, size_t row_bytes, uint32_t multiple);

/* One row of a max-pool. `rows` is row `first` of the map (of `map`'s width, channels and height,
 * in `from`), of which all rows under the window are there. w->row[2] and [3] are used. */
void pool_row(const program *p, const worker *w, const window *pool, const tensor *map,
              element from, const unsigned char *rows, uint32_t first, const tensor *out,
              uint32_t y);

/* Fills before and absorbed. */
status chains_find(program *p, error *err);

/* --- the makers of steps: fill s->variant, items, run, state for node n --- */
/* conv2d, depthwise, dense, and those before it */
status convolution_make(program *p, size_t index, step *s, error *err);
status operator_make(program *p, const node *n, step *s, error *err); /* everything else */
status preprocess_make(program *p, step *s, error *err);

#endif
