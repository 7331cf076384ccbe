/* The graph: what a network computes. Values (activations), weights (constants) and nodes; no
 * device, no layout.
 *
 * Importers build it, the container stores it, passes rewrite it, the reference executes it, the
 * planner lowers it. Shapes leave out the batch, which is the outermost dimension of every value:
 * rank 3 is (H, W, C), rank 2 (N, C), rank 1 (C). The dense layout of a value is row-major with the
 * last dimension contiguous (NHWC).
 *
 * A graph owns one region; everything reachable from it lives there, but for weight data, which may
 * also point into memory that outlives the graph (a mapped file). Not thread-safe while it is
 * built; read-only use may be shared. */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include "engine/memory.h"
#include "engine/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SHAPE_MAX_RANK = 4, /* of weights */
    VALUE_MAX_RANK = 3,
    GRAPH_MAX_VALUES = 65536,
    GRAPH_MAX_NODES = 65536,
    GRAPH_MAX_WEIGHTS = 262144,
    GRAPH_MAX_INPUTS = 65536, /* of one node (a concat), and outputs of the graph */
    CONV2D_MAX_BRANCHES = 4,
    GRAPH_NONE = -1 /* no value, no weight */
};

/* caps that keep every product below in 64 bits and every device offset in 32 */
#define SHAPE_MAX_DIM      1048576u
#define SHAPE_MAX_ELEMENTS (1u << 28)

typedef struct shape {
    uint32_t rank;
    uint32_t dim[SHAPE_MAX_RANK];
} shape;

/* A value is either storage of its own, or (base != GRAPH_NONE) a contiguous run of another value's
 * dense elements, beginning at base_offset: that is how heads write into the concatenated output
 * without a copy. A base is never a view itself. Each element of a storage is written by one node
 * at most, and before anything reads it; a value without a node of its own (the concatenated
 * output) is what the views in it make it.
 *
 * Storage that values share is always dense, while other maps may have padded pixels on a device.
 * So a value that shares storage may be read (by anything but reshape, concat and permute, which
 * copy element by element) only where both layouts coincide: value_layout_dense holds for it and
 * for its base, and base_offset is a multiple of 4. */
typedef struct value {
    const char *name;
    shape shape;
    int base;
    uint64_t base_offset; /* elements of one image */
} value;

/* Layouts: convolution and dense-as-convolution [KH, KW, Cin / groups, Cout]; depthwise [KH, KW, C,
 * multiplier]; dense [Cin, Cout]; per-channel vectors [C]; PReLU alpha broadcastable to the input's
 * shape. */
typedef struct weight {
    const char *name;
    shape shape;
    const float *data; /* 4-byte aligned */
} weight;

typedef enum op {
    OP_CONV2D = 0,     /* one or more branches, see conv2d_attributes */
    OP_DEPTHWISE,      /* in 0; weights: kernel, bias or none */
    OP_DENSE,          /* in 0, on the last axis; weights: kernel, bias or none */
    OP_BATCH_NORM,     /* in 0, last axis; weights: gamma or none, beta or none, mean, variance */
    OP_ACTIVATION,     /* in 0; act[0] */
    OP_PRELU,          /* in 0; weights: alpha */
    OP_SOFTMAX,        /* in 0, last axis */
    OP_MAX_POOL,       /* in 0 */
    OP_AVERAGE_POOL,   /* in 0; the divisor counts only cells inside the map */
    OP_GLOBAL_AVERAGE, /* in 0: (H, W, C) -> (C) */
    OP_ZERO_PAD,       /* in 0 (H, W, C) */
    OP_CROP,           /* in 0 (H, W, C) */
    OP_RESIZE,         /* in 0 (H, W, C) */
    OP_ADD,            /* in 0, in 1, equal shapes or broadcast per dimension of 1 */
    OP_MULTIPLY,       /* likewise */
    OP_CONCAT,         /* one or more inputs; attributes.axis counts without the batch */
    OP_RESHAPE,        /* in 0, same element count as attributes.target; Flatten too */
    OP_PERMUTE,        /* in 0 */
    OP_COUNT
} op;

typedef enum activation_kind {
    ACTIVATION_LINEAR = 0,
    ACTIVATION_RELU, /* x >= limit ? limit : x >= threshold ? x : slope * (x - threshold)   (Keras
                        ReLU) */
    ACTIVATION_SIGMOID, /* 1 / (1 + exp(-x)) */
    ACTIVATION_TANH,
    ACTIVATION_ELU,          /* x >= 0 ? x : slope * (exp(x) - 1) */
    ACTIVATION_SWISH,        /* x * sigmoid(x) */
    ACTIVATION_HARD_SIGMOID, /* min(max(0.2 x + 0.5, 0), 1)   (Keras 2, TensorFlow.js) */
    ACTIVATION_COUNT
} activation_kind;

/* ReLU6 is RELU with limit 6, LeakyReLU is RELU with a slope. limit is INFINITY where there is
 * none. */
typedef struct activation {
    activation_kind kind;
    float slope, threshold, limit;
} activation;

extern const activation activation_linear, activation_relu;

/* All sizes in cells of the map; SAME and VALID are resolved into explicit padding when a node is
 * added. */
typedef struct window {
    uint32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    uint32_t pad_top, pad_left, pad_bottom, pad_right;
} window;

typedef enum resize_mode { RESIZE_NEAREST = 0, RESIZE_BILINEAR } resize_mode;

/* Convolution. Importers make one branch; the passes add more:
 *   branch b reads inputs[b], uses weights[2b] (kernel) and weights[2b+1] (bias or GRAPH_NONE) and
 * act[b], writes outputs[2b] (the map; GRAPH_NONE when only the pooled map is needed) and, when
 * `pooled`, outputs[2b+1] (its max-pool through `pool`; GRAPH_NONE otherwise). All branches share
 * window, groups, pool and the input shape; they may differ in input, weights, Cout, outputs.
 *
 * With `repeat` there is one branch, not pooled, and a second input of the output's shape: each
 * pixel of the map is repeated repeat x repeat times (1: as it is), the second input is added, then
 * comes the activation. */
typedef struct conv2d_attributes {
    window window;
    uint32_t groups;
    bool pooled;
    struct window pool;
    int branches;
    uint32_t repeat; /* 0: nothing is added */
} conv2d_attributes;

typedef struct node {
    op op;
    const char *name;
    int input_count, output_count, weight_count, act_count;
    int *inputs;     /* value indices */
    int *outputs;    /* value indices; may hold GRAPH_NONE only for OP_CONV2D as above */
    int *weights;    /* weight indices or GRAPH_NONE */
    activation *act; /* fused activation of each output branch; act_count 1 for all ops but
                        OP_CONV2D. Fusable into OP_CONV2D, OP_DEPTHWISE, OP_DENSE, OP_ADD,
                        OP_MULTIPLY, OP_BATCH_NORM; linear elsewhere */
    union {
        conv2d_attributes conv;
        struct {
            struct window window;
            uint32_t multiplier;
        } depthwise;
        struct window pool; /* max and average pool; dilation 1 */
        struct {
            uint32_t top, left, bottom, right;
        } border; /* zero pad and crop */
        struct {
            resize_mode mode;
            bool align_corners, half_pixel;
            uint32_t height, width;
        } resize;
        uint32_t axis;                        /* concat */
        shape target;                         /* reshape: the output's shape */
        uint32_t permutation[SHAPE_MAX_RANK]; /* output dim i is input dim permutation[i] */
        float epsilon;                        /* batch norm */
    } attributes;
} node;

typedef struct graph {
    region *memory;
    value *values;
    weight *weights;
    node *nodes; /* in an order in which every input is made before it is used */
    size_t value_count, value_capacity, weight_count, weight_capacity, node_count, node_capacity;
    int input;    /* the one image input, shape (H, W, C) */
    int *outputs; /* value indices */
    size_t output_count;
} graph;

/* --- shapes --- */
shape shape_make(uint32_t rank, const uint32_t *dim);
bool shape_equal(shape a, shape b);
/* product of the dimensions; rank 0 gives 1 */
uint64_t shape_elements(shape s);
/* Every value as (H, W, C): rank 1 is (1, 1, C), rank 2 is (1, N, C). rank must be 1 to 3. */
void shape_hwc(shape s, uint32_t *height, uint32_t *width, uint32_t *channels);
/* "260x260x3" */
void shape_text(shape s, char text[64]);
/* rank 1 .. max_rank, dimensions and their product within the caps */
bool shape_valid(shape s, uint32_t max_rank);
/* Padding pixels to a multiple of 4 channels changes nothing: the last dimension is such a
 * multiple. */
bool value_layout_dense(shape s);

/* --- building --- (every graph_ function that allocates answers STATUS_MEMORY; index results
 * through out) */
status graph_create(const allocator *a, graph **out, error *err);
void graph_destroy(graph *g);
status graph_add_value(graph *g, const char *name, shape s, int *out, error *err);
/* data is not copied: it must outlive the graph (region_allocate(g->memory, ...) does) */
status graph_add_weight(graph *g, const char *name, shape s, const float *data, int *out,
                        error *err);

/* Copies `n` (its arrays too) and appends it; checks attributes, counts, weight shapes and input
 * shapes, infers the output shapes and makes the output values. act may be NULL: linear. n->outputs
 * says which outputs are wanted: on entry an entry of GRAPH_NONE stays none, any other entry is
 * replaced by the value made (named after the node); NULL outputs means all, and for OP_CONV2D the
 * map of each branch and its pooled map when `pooled`. STATUS_MODEL names node and reason. Returns
 * the node index (out may be NULL). */
status graph_add_node(graph *g, const node *n, int *out, error *err);

/* copies the list of the graph's outputs */
status graph_set_outputs(graph *g, const int *values, size_t count, error *err);

/* "same" padding as TensorFlow does it for an input of height x width: fills pad_* of w. */
void window_pad_same(window *w, uint32_t height, uint32_t width);
/* output size of a padded window; false when the window does not fit */
bool window_output(const window *w, uint32_t height, uint32_t width, uint32_t *out_height,
                   uint32_t *out_width);

/* --- checking and asking --- */
/* The whole graph: indices in range, one producer a value, topological order, no cycle, shapes as
 * inferred, views inside their base and not overlapping, weights finite or not is not checked. What
 * comes from a file passes through here. */
status graph_validate(const graph *g, error *err);
/* Shapes of the outputs that node n would have, given the shapes of its inputs: n->output_count
 * entries; for OP_CONV2D 2 a branch, the pooled one rank 0 when there is none. Of n->outputs
 * it only looks whether a convolution's entries are GRAPH_NONE. Used by add_node, validate and the
 * container reader. */
status graph_infer(const graph *g, const node *n, shape *outputs, error *err);
/* index of the node that makes v (for a base: the first that writes a view of it), or GRAPH_NONE
 * (the input) */
int graph_producer(const graph *g, int v);
/* follows views to the value that owns the storage */
int graph_storage(const graph *g, int v);
/* the first value of that name (names need not be unique), or GRAPH_NONE */
int graph_find_value(const graph *g, const char *name);
/* a deep copy in a region of its own; weight data is shared */
status graph_clone(const graph *g, const allocator *a, graph **out, error *err);

const char *
op_name(op o); /* "conv2d", "depthwise", ...: the names used in the container and in reports */
bool op_from_name(const char *name, op *out);
const char *activation_name(activation_kind k);
bool activation_from_name(const char *name, activation_kind *out);

/* multiply-accumulates of one image through this node (convolutions and dense; 0 for others) and
 * all arithmetic in FLOPs (2 a MAC, 1 an element-wise operation) */
uint64_t node_macs(const graph *g, const node *n);
uint64_t node_flops(const graph *g, const node *n);
/* What one image may cost: 2^43 operations, about 9 TFLOP, far above any detector. Few bytes of
 * graph can describe any amount of arithmetic; this ends it before a device is kept busy. */
#define GRAPH_MAX_OPERATIONS 8796093022208ull
/* STATUS_LIMIT when the nodes' FLOPs and the elements that they write add up to more. */
status graph_cost_check(const graph *g, error *err);

#endif
