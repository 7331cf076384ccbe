/* The plan: how a device computes a graph. A flat list of steps over one arena; plain data,
 * printable, the same for every recorder. Nothing here knows Vulkan: a kernel is named by its
 * family, and its specialization constants, push constants and weight layout are those of
 * shaders/interface.h.
 *
 * Arena offsets are in 4-byte words and planned for one image. For a batch of B every offset is
 * multiplied by B, and image b of a buffer begins at offset * B + b * words: batching never changes
 * what may share memory with what. */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include "engine/detector.h"
#include "engine/graph.h"

typedef enum kernel {
    KERNEL_PREPROCESS =
        0, /* pixels -> input tensor; also clears the candidate counter of its image */
    KERNEL_CONV2D,
    KERNEL_DEPTHWISE,
    KERNEL_DENSE,
    KERNEL_POOL,
    KERNEL_ELEMENTWISE, /* activation, batch norm, PReLU, add, multiply */
    KERNEL_RESIZE,
    KERNEL_SOFTMAX,
    KERNEL_COPY,   /* permute, pad, crop, concat, change of layout */
    KERNEL_DECODE, /* scores above the threshold -> decoded boxes and sort keys, compacted */
    KERNEL_SORT,
    KERNEL_NMS,
    KERNEL_COUNT
} kernel;
const char *kernel_name(kernel k);

enum {
    PLAN_MAX_CONSTANTS = 28,
    PLAN_MAX_PUSH = 32 /* 128 bytes: what every Vulkan device has */,
    PLAN_MAX_OPERANDS = 12
};

/* How the numbers of a buffer lie in the arena. ELEMENT_F16 is IEEE 754 binary16, two in a word,
 * the first in its low half; its pixels always come in fours (stride and offsets of all views), so
 * that a kernel writes whole words. What rounds to less than 2^-14 is stored as zero: devices may
 * flush subnormal halves, and this way none has to be asked whether it does. engine/plan/elements.c
 * says which buffers are of it. */
typedef enum element_type { ELEMENT_F32 = 0, ELEMENT_F16 } element_type;

/* What the planner may store values and weights of convolutions as. Sums, biases and activations
 * are fp32 either way. */
typedef enum plan_precision { PLAN_FP32 = 0, PLAN_FP16 } plan_precision;

/* Which 3x3 convolutions go by way of Winograd's F(4x4, 3x3) (shaders/winograd.glsl): in fp32, of
 * stride 1, undilated, in one group, whose branches read one source. It decides how they add up, so
 * it never depends on what was measured. */
typedef enum plan_winograd {
    WINOGRAD_AUTO = 0, /* those that the target and their shape make faster so, by a rule */
    WINOGRAD_NEVER,
    WINOGRAD_ALWAYS /* all that can */
} plan_winograd;

typedef struct plan_buffer {
    const char *name;
    int value; /* graph value whose storage this is, or GRAPH_NONE (candidates, boxes, ...) */
    element_type element;
    uint64_t offset;       /* words, for a batch of one */
    uint64_t words;        /* of one image, a multiple of PLAN_ALIGN_WORDS */
    uint32_t pixel_stride; /* elements from one pixel (row of the last dimension) to the next; >=
                              channels. Lanes between channels and pixel_stride hold finite numbers,
                              written by the producer */
    uint32_t first_level, last_level; /* live through these levels, both included */
} plan_buffer;

enum { PLAN_ALIGN_WORDS = 64 };

typedef struct plan_step {
    const char *name; /* of the node, or "preprocess", "decode", "sort", "nms" */
    kernel kernel;
    const char *shader;                     /* module in shaders/shaders.h */
    const char *variant;                    /* which member of the family, for reports */
    int node;                               /* graph node it computes, or GRAPH_NONE */
    uint32_t constants[PLAN_MAX_CONSTANTS]; /* specialization constants 0 .. constant_count - 1; 0,
                                               1, 2 are the workgroup size */
    uint32_t constant_count;
    uint32_t push[PLAN_MAX_PUSH];
    uint32_t push_count;
    uint32_t
        push_scaled; /* bit i: push[i] is an arena offset, multiplied by the batch when recorded */
    uint32_t groups[3]; /* of one image; groups[2] is multiplied by the batch: gl_WorkGroupID.z /
                           groups[2] is the image */
    /* Where rows is not 0, the rows of the whole batch are one dimension that is cut into tiles,
     * and groups says nothing: there are row_groups workgroups for each tile_rows rows or part of
     * them, and gl_WorkGroupID.z is 0. */
    uint32_t rows, tile_rows, row_groups;
    bool matrix_sums; /* summed on matrix units, see reference_widen_for_matrices */
    bool winograd;    /* part of a Winograd convolution, see reference_run_winograd */
    uint32_t level;   /* steps of a level are independent; one barrier between levels */
    int reads[PLAN_MAX_OPERANDS], writes[PLAN_MAX_OPERANDS]; /* buffers */
    uint32_t read_count, write_count;
    uint64_t flops, bytes_read, bytes_written, weight_bytes; /* of one image; weights once */
    int tunable;            /* the element of plan_options.choices that decides the step, or -1 */
    uint32_t variant_index; /* which candidate it is, of variant_count; 0 of 1 when not tunable */
    uint32_t variant_count;
} plan_step;

/* Whose device: what candidate 0 of a tunable step is chosen by. */
typedef enum plan_vendor {
    VENDOR_UNKNOWN = 0,
    VENDOR_NVIDIA,
    VENDOR_AMD,
    VENDOR_INTEL,
    VENDOR_ARM,
    VENDOR_QUALCOMM,
    VENDOR_APPLE,
    VENDOR_SOFTWARE, /* a driver that runs on the processor */
} plan_vendor;

/* How a driver on the processor reads four numbers for each lane of a subgroup. */
typedef enum plan_loads {
    LOADS_GATHERED = 0, /* by the processor's gathers */
    LOADS_SPLIT,        /* lane by lane, but once where all lanes read alike */
    LOADS_ALL_SPLIT,    /* always lane by lane */
} plan_loads;

/* What the planner may rely on. Zeroed members mean what every Vulkan 1.1 device has. */
typedef struct plan_target {
    uint32_t max_invocations;  /* a workgroup; 0: 128 */
    uint32_t max_shared_bytes; /* 0: 16384 */
    uint32_t max_groups[3];    /* 0: 65535 */
    plan_vendor vendor;
    uint32_t subgroup_size; /* 0: unknown */
    bool broadcasts;        /* within a subgroup, which then has four lanes at least */
    plan_loads loads;       /* of a driver on the processor */
    bool compiles_late;     /* a pipeline costs as much as computing many pictures */
    bool has_fp16;          /* arithmetic and 16-bit storage, enabled on the device */
    struct {
        uint32_t m, n, k;
        /* the modules that are built for them: conv2d_matrix_*, conv2d_window_*; static, may be
         * NULL */
        const char *shader, *window_shader;
    } matrix; /* cooperative matrices, fp16 times fp16 into fp32; 0: none */
} plan_target;

typedef struct plan_options {
    plan_target target;
    plan_precision precision;
    plan_winograd winograd;
    bool keep_outputs;       /* graph outputs stay readable after the run */
    bool keep_all;           /* every value stays readable (no sharing): for verify */
    uint32_t batch;          /* pictures of a submission that it should be fastest for; 0: 1 */
    uint32_t max_detections; /* capacity of the results of one image; 0: every anchor */
    /* Which candidate each tunable step takes, in the order of plan_step.tunable; NULL, or fewer
     * than there are: candidate 0. Read by plan_create alone. How many candidates a step has
     * follows from graph, target and options; a choice that is not among them is STATUS_ARGUMENT.
     */
    const uint8_t *choices;
    size_t choice_count;
} plan_options;

typedef struct plan {
    region *memory;
    const graph *graph;           /* borrowed: must outlive the plan */
    const preprocess *preprocess; /* borrowed */
    const detector_head *head;    /* borrowed; NULL: no decode, sort, nms */
    plan_options options;
    plan_step *steps; /* in the order of their levels */
    size_t step_count;
    uint32_t tunable_count;
    plan_buffer *buffers;
    size_t buffer_count;
    int *value_buffer; /* by graph value: the buffer of its storage, or GRAPH_NONE */
    int keys_buffer, boxes_buffer,
        classes_buffer; /* candidates, shaders/interface.h; GRAPH_NONE without a head. All
                           three stay readable after the run */
    uint32_t level_count;
    uint64_t arena_words;  /* of one image */
    uint64_t weight_words; /* of all packed weights, anchors included */
    uint32_t result_words; /* of one image, shaders/interface.h */
    allocator alloc;
    struct plan_pack *packs; /* how the packed weights are made; engine/plan/internal.h */
    size_t pack_count;
} plan;

/* g has been through passes_run. STATUS_UNSUPPORTED or STATUS_LIMIT names the node. */
status plan_create(const allocator *a, const graph *g, const preprocess *pre,
                   const detector_head *head, const plan_options *options, plan **out, error *err);
void plan_destroy(plan *p);

/* Writes all weights in the layout that the kernels read: p->weight_words words. */
void plan_pack_weights(const plan *p, float *words);
/* Replaces the kernels of g's convolutions and dense layers by what a plan of this precision packs,
 * so that a reference may judge a device by the numbers that it has. */
status plan_round_weights(graph *g, plan_precision precision, error *err);
/* The workgroups of a step for a batch. False when the target does not run so many. */
bool plan_step_groups(const plan *p, const plan_step *s, uint32_t batch, uint32_t groups[3]);
/* some step that writes value v has matrix_sums */
bool plan_value_on_matrices(const plan *p, int v);
/* node `index` is computed by way of Winograd */
bool plan_node_is_winograd(const plan *p, int index);
/* words of one image's storage of value v's base (buffer->words of them) -> dense floats of v */
void plan_unpack_value(const plan *p, int v, const float *words, float *dense);

/* --- arena (engine/plan/arena.c) --- */
typedef struct arena_request {
    uint64_t words;
    uint32_t first_level, last_level;
    uint64_t offset; /* result */
} arena_request;
/* Gives every request an offset such that requests whose levels intersect never overlap; *total is
 * the end of the furthest. Greedy by size (largest first, lowest fitting offset). Offsets are
 * multiples of PLAN_ALIGN_WORDS. */
status arena_place(const allocator *a, arena_request *requests, size_t count, uint64_t *total,
                   error *err);

#endif
