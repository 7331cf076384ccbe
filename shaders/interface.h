/* What host and shaders agree on: bindings, the request, the result. Included by C and by GLSL, so
 * only preprocessor and plain structs of 32-bit words. Every word is a uint or float of 4 bytes;
 * sizes are asserted on the C side.
 *
 * Descriptor set 0, the same five storage buffers for every kernel:
 *   0 arena    activations and candidates of a slot, read and written
 *   1 weights  packed weights and anchors, read
 *   2 pixels   the pictures of the request as 32-bit words, rows padded to 4 bytes, read
 *   3 request  request_header, then one image_entry a picture, read
 *   4 results  one result block a picture, written */
#ifndef SHADERS_INTERFACE_H
#define SHADERS_INTERFACE_H

#ifdef __STDC_VERSION__
#include <stdint.h>
typedef uint32_t iface_uint;
typedef float iface_float;
#else
#define iface_uint  uint
#define iface_float float
#endif

#define BINDING_ARENA   0
#define BINDING_WEIGHTS 1
#define BINDING_PIXELS  2
#define BINDING_REQUEST 3
#define BINDING_RESULTS 4
#define BINDING_COUNT   5

/* The thresholds of one submission. The IoU threshold t, a double, comes as the sum of two floats,
 * the larger first: iou_t0 + iou_t1 is within 2^-48 |t| of it, and what that leaves open is
 * reported as a near-tie (shaders/overlap.glsl), so decisions stay exact. A score passes when score
 * > score_threshold, which is the largest float not above the double that was asked for (so that
 * the float comparison decides as the double one does). */
struct request_header {
    iface_uint batch;
    iface_uint nms_mode; /* engine/detector.h nms_mode */
    iface_uint max_detections;
    iface_float score_threshold;
    iface_float iou_t0;
    iface_float iou_t1;
    iface_uint reserved0;
    iface_uint reserved1;
};
#define REQUEST_HEADER_WORDS 8

/* Candidates of a picture, in the arena:
 *   keys     CANDIDATE_HEADER_WORDS words, the first of which counts the candidates; then two words
 * a candidate: the bits of its score (non-negative floats order as integers) and its anchor.
 * Appended in any order by decode, in the total order (score descending, anchor ascending) after
 * sort. Room for every anchor, padded to a power of two boxes    four floats an anchor, written for
 * candidates only classes  one uint an anchor, written for candidates only */
#define CANDIDATE_HEADER_WORDS 64

/* One picture. When rows == 0 all its rows are there, `stride_words` apart. Otherwise only the rows
 * that the resize reads were uploaded: output row i of the placement rectangle reads stored rows 2i
 * (its upper source row) and 2i + 1 (its lower one). The resize itself is computed from width and
 * height with integer arithmetic either way. */
struct image_entry {
    iface_uint offset_words; /* of the first stored row in the pixels buffer */
    iface_uint stride_words;
    iface_uint width; /* of the picture */
    iface_uint height;
    iface_uint format;      /* engine/detector.h pixel_format */
    iface_uint packed_rows; /* 0 or 1, see above */
    iface_uint
        place_x; /* rectangle of the network input that the picture covers (preprocess_place) */
    iface_uint place_y;
    iface_uint place_width;
    iface_uint place_height;
    iface_uint reserved0;
    iface_uint reserved1;
};
#define IMAGE_ENTRY_WORDS 12

/* The result block of a picture: the header, then max_detections (the plan's capacity) detections.
 */
struct result_header {
    iface_uint count;      /* detections that follow */
    iface_uint candidates; /* anchors above the score threshold */
    iface_uint near_ties;  /* overlap decisions that the kernel could not settle (shaders/nms.comp):
                              when not 0, the host lets the reference decide for this picture */
    iface_uint reserved;
};
#define RESULT_HEADER_WORDS 4

struct result_detection {
    iface_float box[4]; /* fractions of the network input */
    iface_float score;
    iface_uint class_id;
    iface_uint anchor;
    iface_uint reserved;
};
#define RESULT_DETECTION_WORDS 8

/* --- the kernels ---
 * gl_WorkGroupID.z is the image. Specialization constants 0, 1, 2 are the workgroup size of every
 * kernel; what follows them is listed per kernel as SPEC_<KERNEL>_<NAME>. Push-constant structs
 * hold words only, at most 128 bytes; members marked `scaled` are arena offsets that the recorder
 * multiplies by the batch. */
#ifdef __STDC_VERSION__
#define iface_struct(name) struct name
#else
#define iface_struct(name) name
#endif

/* A value in the arena, as a kernel sees it: channel c of pixel p of image b is the element offset
 * + p * stride + c from the word base + b * words on. An element is a float, or half a word. */
struct operand {
    iface_uint base; /* scaled */
    iface_uint words;
    iface_uint offset; /* elements */
    iface_uint stride;
};
#define OPERAND_WORDS 4

/* A fused activation, engine/graph.h activation. */
struct activation_words {
    iface_uint kind;
    iface_float slope;
    iface_float threshold;
    iface_float limit;
};

/* Which operands' pixels are 16-byte aligned with their channels contiguous, so that four channels
 * move at once. A target that is not has no padding lanes. */
#define VECTOR_SOURCE 1u
#define VECTOR_TARGET 2u

/* Which operands are stored as halves (engine/plan.h, ELEMENT_F16); the others are floats. What is
 * stored as halves is always aligned. */
#define HALF_SOURCE 1u
#define HALF_TARGET 2u
#define HALF_SECOND                                                                                \
    4u /* elementwise: the second source; conv2d: the pooled map, or what is added */
#define HALF_WEIGHTS 8u /* the kernel; biases and all other weights are floats */

/* preprocess: pixels -> input tensor. One invocation a pixel of the tensor. */
#define SPEC_PREPROCESS_SAMPLING 3
#define SPEC_PREPROCESS_ORDER    4
#define SPEC_PREPROCESS_HALF     5
struct preprocess_push {
    iface_struct(operand) target;
    iface_uint width; /* of the tensor */
    iface_uint height;
    iface_uint channels;  /* of the tensor; pictures of bytes fill three, or one when gray */
    iface_uint has_keys;  /* 1: clear the candidate counter */
    iface_uint keys_base; /* scaled */
    iface_uint keys_words;
    iface_float fill;
    iface_float mean[3];
    iface_float deviation[3];
};

/* conv2d: see shaders/conv2d.comp for the tile, the order of accumulation and the packed kernel.
 * What differs between the branches of a dispatch sits in a record in front of the branch's packed
 * weights. */
#define SPEC_CONV2D_KERNEL_H   3
#define SPEC_CONV2D_KERNEL_W   4
#define SPEC_CONV2D_STRIDE_H   5
#define SPEC_CONV2D_STRIDE_W   6
#define SPEC_CONV2D_DILATION_H 7
#define SPEC_CONV2D_DILATION_W 8
#define SPEC_CONV2D_TILE_H     9
#define SPEC_CONV2D_TILE_W     10
#define SPEC_CONV2D_BLOCKS     11 /* output blocks of four channels an invocation */
#define SPEC_CONV2D_POOL       12 /* 1: also max-pools 2x2, stride 2 */
#define SPEC_CONV2D_ANY        13 /* 1: any activation; 0: only what RELU's three numbers express */
#define SPEC_CONV2D_ROW_REUSE                                                                      \
    14 /* 1: a row of the tile's input is loaded once and used by every tap of the row; 2: and the \
          weights of all taps of the row are held */
#define SPEC_CONV2D_SCALAR 15 /* 1: the pixels of some target are not aligned, see the flags */
#define SPEC_CONV2D_HALF   16
#define SPEC_CONV2D_LANES                                                                          \
    17 /* 0: neighbours differ in the tile alone, so weights are uniform; 1: 2^(push.lanes_pool &  \
          255) */
#define SPEC_CONV2D_REPEAT                                                                         \
    24 /* 0: nothing is added; else each pixel of the map is written REPEAT x REPEAT times, with   \
          what is added there; of one branch, without POOL */
#define SPEC_CONV2D_SHORT                                                                          \
    25 /* 1: code that a driver compiles the sooner, for drivers on the processor; POOL and REPEAT \
          1 then say what may be asked for, the flags what is */
#define SPEC_CONV2D_READERS 26 /* conv2d_weights.glsl */
#define SPEC_CONV2D_INPUTS  27 /* channels of every input block: of the only one, or 4 */
#define CONV2D_BRANCHES     4
#define CONV2D_MAP          1u /* the record's flags: the map is wanted */
#define CONV2D_POOLED       2u /* the pooled map is wanted */
#define CONV2D_MAP_VECTOR                                                                          \
    4u /* pixels of the map are 16-byte aligned: store four channels at once */
#define CONV2D_SECOND_VECTOR 8u  /* likewise of the pooled map, or of what is added */
#define CONV2D_ADDED         16u /* with REPEAT 1: something is added */
struct conv2d_record {
    iface_struct(activation_words) act;
    iface_uint channels; /* Cout */
    iface_uint flags;
    iface_uint source_offset; /* words, a multiple of 4 */
    iface_uint map_words;
    iface_uint map_offset;
    iface_uint map_stride;
    iface_uint second_words; /* of the pooled map, or with REPEAT of what is added */
    iface_uint second_offset;
    iface_uint second_stride;
    iface_uint reserved0;
    iface_uint reserved1;
    iface_uint reserved2;
};
#define CONV2D_RECORD_WORDS 16
struct conv2d_branch {
    iface_uint source;    /* scaled */
    iface_uint map;       /* scaled */
    iface_uint second;    /* scaled; the pooled map, or with REPEAT what is added */
    iface_uint record;    /* in the weights, a multiple of 4: record, bias, kernel */
    iface_uint group_end; /* the first channel group of the next branch */
};
#define CONV2D_BRANCH_WORDS 5
struct conv2d_push {
    iface_uint source_width;
    iface_uint source_height;
    iface_uint source_words;  /* of an image */
    iface_uint source_blocks; /* pixel stride / 4 */
    iface_uint width;         /* of the map */
    iface_uint height;
    iface_uint pad;                 /* top << 16 | left */
    iface_uint group_source_blocks; /* input blocks of a convolution group */
    iface_uint group_blocks;        /* output blocks of a convolution group */
    iface_uint tiles_x;
    iface_uint channel_groups; /* of all branches */
    iface_uint lanes_pool; /* bits 0-7: log2 of the invocations along the output blocks; 8: pooled
                              width rounds up; 9: height */
    iface_struct(conv2d_branch) branch[CONV2D_BRANCHES];
};

/* conv2d_gemm and conv2d_matrix: the same convolution as a matrix product,
 * shaders/conv2d_rows.glsl. Constants 3 to 8 and POOL, ANY, SCALAR, HALF, REPEAT as above. The rows
 * of the whole batch are one dimension, so the groups of a dispatch follow from the batch
 * (plan_step.rows). */
#define SPEC_GEMM_ROWS          9
#define SPEC_GEMM_COLUMNS       10
#define SPEC_GEMM_DEPTH         11
#define SPEC_GEMM_INPUT_BLOCKS  14
#define SPEC_GEMM_ROW_FOURS     17
#define SPEC_GEMM_COLUMN_FOURS  18
#define SPEC_MATRIX_SUB_ROWS    17
#define SPEC_MATRIX_SUB_COLUMNS 18
#define SPEC_MATRIX_M           19
#define SPEC_MATRIX_N           20
#define SPEC_MATRIX_K           21
#define SPEC_MATRIX_SUBGROUPS   22
#define SPEC_MATRIX_EIGHTS      23 /* 1: pairs of input blocks are aligned as one */
struct conv2d_gemm_push {
    iface_uint source_width;
    iface_uint source_height;
    iface_uint source_words;  /* of an image */
    iface_uint source_blocks; /* pixel stride / 4 */
    iface_uint width;         /* of the map */
    iface_uint height;
    iface_uint pad;           /* top << 16 | left */
    iface_uint rows;          /* of an image */
    iface_uint row_width;     /* of the map in pixels, or with POOL in pooled pixels, rounded up */
    iface_uint column_groups; /* of all branches */
    iface_uint pool_edges;    /* bit 0: the pooled width rounds up; 1: the height */
    iface_struct(conv2d_branch) branch[CONV2D_BRANCHES];
};

/* conv2d_window: the same convolution, undilated and in one group, from a patch of the source in
 * shared memory, shaders/conv2d_window.comp. Constants 3 to 8 and POOL, ANY, SCALAR, HALF, REPEAT
 * as of conv2d, REPEAT at most 1; M, N, K, SUBGROUPS and EIGHTS as of conv2d_matrix. */
#define SPEC_WINDOW_TILE_H       9 /* in cells */
#define SPEC_WINDOW_TILE_W       10
#define SPEC_WINDOW_COLUMNS      11 /* output channels of a workgroup */
#define SPEC_WINDOW_INPUT_BLOCKS 14
#define SPEC_WINDOW_SUB_ROWS     17 /* matrices of a subgroup */
#define SPEC_WINDOW_SUB_COLUMNS  18
#define SPEC_WINDOW_NARROW       25 /* 1: a row of the window is the depth of a matrix */
#define SPEC_WINDOW_AT_ONCE      26 /* parts of the patch that an invocation loads at once */
struct conv2d_window_push {
    iface_uint source_width;
    iface_uint source_height;
    iface_uint source_words;  /* of an image */
    iface_uint source_blocks; /* pixel stride / 4 */
    iface_uint width;         /* of the map */
    iface_uint height;
    iface_uint pad; /* top << 16 | left */
    iface_uint tiles_x;
    iface_uint column_groups; /* of all branches */
    iface_uint pool_edges;    /* bit 0: the pooled width rounds up; 1: the height */
    iface_struct(conv2d_branch) branch[CONV2D_BRANCHES];
};

/* winograd_input, winograd_product, winograd_output: a 3x3 convolution by way of Winograd's
 * F(4x4, 3x3), shaders/winograd.glsl, a band of tiles at a time. The tiles of the whole
 * batch are one dimension (plan_step.rows), of which `tiles` belong to an image. In the arena lie,
 * as floats,
 *     the transformed source  [element][input block][tile][4]
 *     the products            [element][output block of all branches][tile][4]
 */
#define WINOGRAD_TILE     4 /* pixels of the map, each way */
#define WINOGRAD_WINDOW   6 /* pixels of the source, each way */
#define WINOGRAD_ELEMENTS 36
/* The points besides 0 and infinity are +-a and +-b; all products below are exact in fp32. */
#define WINOGRAD_A           0.75
#define WINOGRAD_B           1.5
#define SPEC_WINOGRAD_LANES  3 /* neighbours that differ in the tile */
#define SPEC_WINOGRAD_TILES  4 /* product: of an invocation */
#define SPEC_WINOGRAD_BLOCKS 5 /* product: output blocks of four channels an invocation */
#define SPEC_WINOGRAD_ANY    4 /* output: ANY and SCALAR of conv2d */
#define SPEC_WINOGRAD_SCALAR 5
struct winograd_input_push {
    iface_uint source;        /* scaled */
    iface_uint source_words;  /* of an image */
    iface_uint source_offset; /* words, a multiple of 4 */
    iface_uint source_width;
    iface_uint source_height;
    iface_uint source_blocks; /* pixel stride / 4 */
    iface_uint pad;           /* top << 16 | left */
    iface_uint target;        /* scaled */
    iface_uint tiles;         /* of an image */
    iface_uint tiles_x;
    iface_uint first_tile;   /* among those of the map */
    iface_uint blocks;       /* of input channels */
    iface_uint block_groups; /* workgroups that these take */
};
struct winograd_columns {
    iface_uint record; /* as in conv2d_branch; the kernel is [element][input channel][block][4] */
    iface_uint first_block; /* among those of all branches */
    iface_uint group_end;   /* the first column group of the next branch */
};
struct winograd_product_push {
    iface_uint source; /* scaled */
    iface_uint target; /* scaled */
    iface_uint tiles;  /* of an image */
    iface_uint input_blocks;
    iface_uint blocks; /* of the output channels of all branches */
    iface_uint column_groups;
    iface_struct(winograd_columns) branch[CONV2D_BRANCHES];
};
struct winograd_output_push {
    iface_uint source; /* scaled */
    iface_uint tiles;  /* of an image */
    iface_uint tiles_x;
    iface_uint first_tile; /* among those of the map */
    iface_uint width;      /* of the map */
    iface_uint height;
    iface_uint pool_edges;   /* bit 0: the pooled width rounds up; 1: the height */
    iface_uint blocks;       /* of the output channels of all branches */
    iface_uint block_groups; /* workgroups that these take */
    iface_struct(conv2d_branch) branch[CONV2D_BRANCHES]; /* group_end: of block groups */
};

/* conv2d_grouped: groups whose channels do not come in fours; one invocation an output. */
#define SPEC_CONV2D_GROUPED_HALF 3 /* HALF_SOURCE and HALF_WEIGHTS */
struct conv2d_grouped_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_struct(activation_words) act;
    iface_uint source_width;
    iface_uint source_height;
    iface_uint width;
    iface_uint height;
    iface_uint channels;
    iface_uint padded_channels; /* channels and the padding lanes behind them */
    iface_uint pad;             /* top << 16 | left; likewise kernel, stride, dilation */
    iface_uint kernel;
    iface_uint stride;
    iface_uint dilation;
    iface_uint group_source_channels;
    iface_uint group_channels;
    iface_uint weights; /* [ky][kx][Cin / groups][Cout] */
    iface_uint bias;
};

/* depthwise: one invocation four output channels of TILE_H x TILE_W pixels. */
#define SPEC_DEPTHWISE_KERNEL_H   3
#define SPEC_DEPTHWISE_KERNEL_W   4
#define SPEC_DEPTHWISE_STRIDE_H   5
#define SPEC_DEPTHWISE_STRIDE_W   6
#define SPEC_DEPTHWISE_DILATION_H 7
#define SPEC_DEPTHWISE_DILATION_W 8
#define SPEC_DEPTHWISE_TILE_W     9
#define SPEC_DEPTHWISE_MULTIPLIER 10
#define SPEC_DEPTHWISE_ANY        11
#define SPEC_DEPTHWISE_VECTOR     12 /* 1: the target's pixels are 16-byte aligned */
#define SPEC_DEPTHWISE_HALF       13
#define SPEC_DEPTHWISE_TILE_H     14
#define SPEC_DEPTHWISE_REUSE                                                                       \
    15 /* 1: input rows are loaded once; no dilation, no multiplier; 2: and TILE_H is 1, the       \
          tile's rows are push.tile_rows */
struct depthwise_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_struct(activation_words) act;
    iface_uint source_width;
    iface_uint source_height;
    iface_uint width;
    iface_uint height;
    iface_uint channels; /* of the output */
    iface_uint pad;      /* top << 16 | left */
    iface_uint tiles_x;
    iface_uint weights;   /* [ky][kx][output channels rounded up to 4], a multiple of 4 words */
    iface_uint bias;      /* a multiple of 4 words */
    iface_uint tile_rows; /* with REUSE 2 */
};

/* dense: few pixels, many channels. A workgroup computes blocks of four output channels of one
 * pixel. */
#define SPEC_DENSE_SLICES 3 /* invocations that share one sum, a power of two */
#define SPEC_DENSE_ANY    4
#define SPEC_DENSE_VECTOR 5 /* 1: the target's pixels are aligned; the source's always are */
#define SPEC_DENSE_HALF   6
#define DENSE_INVOCATIONS 64 /* the workgroup's size */
struct dense_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_struct(activation_words) act;
    iface_uint source_blocks; /* input channels / 4, rounded up */
    iface_uint channels;
    iface_uint pixels;
    iface_uint weights; /* [input channels rounded up to 4][output channels rounded up to 4] */
    iface_uint bias;
};

/* pool */
#define POOL_MAX                0
#define POOL_AVERAGE            1
#define POOL_GLOBAL_AVERAGE     2
#define SPEC_POOL_KIND          3
#define SPEC_POOL_VECTOR        4 /* VECTOR_ bits */
#define SPEC_POOL_HALF          5
#define POOL_GLOBAL_SLICES      8
#define POOL_GLOBAL_INVOCATIONS 64 /* the workgroup's size of the global average */
struct pool_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_uint source_width;
    iface_uint source_height;
    iface_uint width;
    iface_uint height;
    iface_uint channels;
    iface_uint pad;    /* top << 16 | left */
    iface_uint kernel; /* height << 16 | width */
    iface_uint stride;
};

/* elementwise: target = act(f(a, b)). A stride of 0 repeats. */
#define ELEMENTWISE_ACTIVATION 0
#define ELEMENTWISE_BATCH_NORM                                                                     \
    1 /* weights: mean, scale, shift, each of the channels rounded up to 4 */
#define ELEMENTWISE_PRELU          2 /* b lies in the weights */
#define ELEMENTWISE_ADD            3
#define ELEMENTWISE_MULTIPLY       4
#define SPEC_ELEMENTWISE_OPERATION 3
#define SPEC_ELEMENTWISE_VECTOR                                                                    \
    4 /* VECTOR_ bits; an operand whose channel repeats counts as aligned */
#define SPEC_ELEMENTWISE_HALF 5
struct elementwise_operand {
    iface_uint base; /* scaled, but for PReLU's alpha */
    iface_uint words;
    iface_uint offset;
    iface_uint row;
    iface_uint pixel;
    iface_uint channel;
};
struct elementwise_push {
    iface_struct(operand) target;
    iface_struct(elementwise_operand) a;
    iface_struct(elementwise_operand) b;
    iface_struct(activation_words) act;
    iface_uint width;
    iface_uint pixels;
    iface_uint channels;
    iface_uint weights;
};

/* resize */
#define SPEC_RESIZE_BILINEAR 3
#define SPEC_RESIZE_VECTOR   4 /* VECTOR_ bits */
#define SPEC_RESIZE_HALF     5
#define RESIZE_STRETCH       0 /* source = i * in / out */
#define RESIZE_HALF_PIXEL    1
#define RESIZE_ALIGN_CORNERS 2
struct resize_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_uint source_width;
    iface_uint source_height;
    iface_uint width;
    iface_uint height;
    iface_uint channels;
    iface_uint grid; /* RESIZE_STRETCH ... */
};

/* softmax over the channels: SLICES invocations a pixel */
#define SPEC_SOFTMAX_SLICES 3
#define SPEC_SOFTMAX_HALF   4  /* HALF_SOURCE alone */
#define SOFTMAX_INVOCATIONS 64 /* the workgroup's size */
struct softmax_push {
    iface_struct(operand) source;
    iface_struct(operand) target;
    iface_uint pixels;
    iface_uint channels;
    iface_uint padded_channels;
};

/* copy: a box of the target from a strided source; what lies outside the source becomes zero.
 * RESHAPE instead keeps the dense order of the elements. `tail` channels behind the box's are set
 * to zero (padding lanes). */
#define SPEC_COPY_RESHAPE 3
#define SPEC_COPY_VECTOR  4 /* 1: both are aligned and contiguous */
#define SPEC_COPY_HALF    5
struct copy_push {
    iface_uint target_base; /* scaled */
    iface_uint target_words;
    iface_uint target_offset;
    iface_uint target_row;
    iface_uint target_pixel;
    iface_uint source_base; /* scaled */
    iface_uint source_words;
    iface_uint source_offset;
    iface_uint source_row; /* elements from one row of the target to the next, in the source */
    iface_uint source_pixel;
    iface_uint source_channel; /* RESHAPE: the source's channels */
    iface_uint width;          /* the box */
    iface_uint height;
    iface_uint channels;
    iface_uint tail;
    iface_uint
        source_width; /* bounds, after `top` and `left` are subtracted from the box's coordinates */
    iface_uint source_height;
    iface_uint top;
    iface_uint left;
};

/* decode, sort, nms */
struct decode_push {
    iface_struct(operand) loc;
    iface_struct(operand) scores;
    iface_uint keys_base; /* scaled */
    iface_uint keys_words;
    iface_uint boxes_base; /* scaled */
    iface_uint boxes_words;
    iface_uint classes_base; /* scaled */
    iface_uint classes_words;
    iface_uint anchors; /* in the weights, a multiple of 4: corners */
    iface_uint anchor_count;
    iface_uint class_count;
    iface_uint background; /* 0xffffffff: none */
    iface_float variance[4];
};
struct sort_push {
    iface_uint keys_base; /* scaled */
    iface_uint keys_words;
};
#define SORT_SHARED_KEYS 1024
#define NMS_CHUNK        128 /* the workgroup's size */
struct nms_push {
    iface_uint keys_base; /* scaled */
    iface_uint keys_words;
    iface_uint boxes_base; /* scaled */
    iface_uint boxes_words;
    iface_uint classes_base; /* scaled */
    iface_uint classes_words;
    iface_uint kept_base; /* scaled; anchors of the boxes kept so far */
    iface_uint kept_words;
    iface_uint capacity; /* detections of a result block */
    iface_uint result_words;
};

/* --- peaks: what a device reaches (host/vulkan/peaks.c); two buffers of their own --- */
#define PEAK_BINDING_FROM        0
#define PEAK_BINDING_TO          1
#define PEAK_BINDING_COUNT       2
#define PEAK_CHAINS              3 /* of vectors of four, an invocation */
#define PEAK_STEPS               8 /* of each chain, a turn */
#define SPEC_PEAK_MATRIX_M       3
#define SPEC_PEAK_MATRIX_N       4
#define SPEC_PEAK_MATRIX_K       5
#define SPEC_PEAK_MATRIX_ROWS    6
#define SPEC_PEAK_MATRIX_COLUMNS 7
struct peak_push {
    iface_uint turns; /* of the innermost loop */
    iface_float factor;
    iface_float term;
    iface_float never; /* what no sum comes out as, and not 0 */
};

#endif
