/* The planner's inside: the builder that lowering writes into, and the recipe of the packed
 * weights.
 *
 * Lowering runs over the nodes in order and appends steps. A step's arena offsets are not known
 * then: where a push constant is an offset (push_scaled), it holds the buffer's index until
 * plan_create has placed the arena. */
#ifndef ENGINE_PLAN_INTERNAL_H
#define ENGINE_PLAN_INTERNAL_H

#include "engine/plan.h"
#include "shaders/interface.h"

typedef enum pack_kind {
    PACK_CONV2D,     /* record, bias, kernel in blocks of four by four */
    PACK_MATRIX,     /* record, bias, kernel in matrices */
    PACK_WINOGRAD,   /* record, bias, transformed kernel in blocks of four */
    PACK_GROUPED,    /* kernel as it is, bias */
    PACK_DEPTHWISE,  /* bias, kernel with channels rounded up to four */
    PACK_DENSE,      /* as PACK_CONV2D, without the record */
    PACK_BATCH_NORM, /* mean, scale, shift, each rounded up to four */
    PACK_PRELU,      /* alpha, its last dimension rounded up to four */
    PACK_ANCHORS
} pack_kind;

/* PACK_MATRIX: the kernel as matrices [column][depth] of n columns of k numbers. Input c of tap (y,
 * x) is at depth y * row + x * lanes + c, and the depth is rounded up to whole slices of `depth`. A
 * column of matrices is repeated `across` times, each `shift` further down than the one before. */
typedef struct matrix_packing {
    uint32_t n, k, depth, lanes, row, across, shift;
} matrix_packing;

typedef struct plan_pack {
    pack_kind kind;
    uint64_t offset, words; /* in the packed weights; offset is a multiple of 4 */
    element_type element;   /* of the kernel; biases and the rest are always F32 */
    int weights[4];         /* of the graph, in the node's order, or GRAPH_NONE */
    double epsilon;         /* batch norm */
    struct conv2d_record record;
    matrix_packing matrix;
} plan_pack;

/* Where a value lies in one image's part of a buffer. */
typedef struct place {
    int buffer;
    element_type element;
    uint32_t offset; /* elements from the buffer's begin; not 0 for views only */
    uint32_t stride; /* elements from pixel to pixel */
    uint32_t height, width, channels;
} place;

typedef struct builder {
    const allocator *alloc;
    const graph *g;
    plan *p;
    error *err;
    size_t step_capacity, buffer_capacity, pack_capacity, written_capacity;
    uint32_t *written;     /* by buffer: level of its last writer + 1; 0: none yet */
    bool *dense;           /* by value: views refer to it */
    element_type *element; /* by value that owns its storage */
    int *aligned;          /* by value: buffer of its padded copy, or GRAPH_NONE */
    uint64_t weight_words;
    plan_target target;          /* defaults resolved */
    element_type weight_element; /* of the kernels of convolutions and dense layers */
} builder;

uint32_t round_up4(uint32_t n);
uint32_t blocks_of(uint32_t channels); /* of four */
uint32_t round_up_to(uint32_t n, uint32_t of);
uint32_t next_power_of_two(uint32_t n);
uint64_t ceil_divide(uint64_t a, uint64_t b);

/* --- elements.c --- */
/* Decides how every value is stored, into b->element and b->weight_element. STATUS_LIMIT names a
 * weight that does not fit its element. */
status builder_elements(builder *b);
/* words that so many numbers take */
uint64_t element_words(element_type e, uint64_t count);

/* --- builder.c --- */
/* temporary when value is GRAPH_NONE; stride is the pixel stride, words of one image before
 * rounding */
status builder_buffer(builder *b, const char *name, int v, uint64_t words, uint32_t stride,
                      int *out);
/* a buffer for the pixels of `p`, whose size, stride and element are set: sets p->buffer */
status builder_pixels(builder *b, const char *name, int v, place *p);
/* place of a value; makes its buffer at the first call */
status builder_value(builder *b, int v, place *out);
/* the same, copied into a padded buffer first unless pixels are 16-byte aligned already */
status builder_aligned(builder *b, int v, place *out);
bool place_aligned(const place *p);
uint64_t place_elements(const place *p);
uint64_t place_words(const place *p); /* that its elements take */
/* HALF_SOURCE and HALF_TARGET of shaders/interface.h; either may be NULL */
uint32_t place_halves(const place *source, const place *target);
uint32_t weight_halves(const builder *b); /* HALF_WEIGHTS */

/* node may be GRAPH_NONE (then name names the step). The step stays valid until the next step is
 * begun. */
status builder_step(builder *b, kernel k, const char *shader, int index, const char *name,
                    plan_step **out);
void step_constant(plan_step *s, uint32_t at, uint32_t constant);
/* words: those of the push struct */
void step_push(plan_step *s, const void *push, size_t bytes);
/* the push word that holds this buffer's offset */
void step_offset(plan_step *s, size_t byte_offset, int buffer);
void step_reads(plan_step *s, int buffer, uint64_t words);
void step_writes(plan_step *s, int buffer, uint64_t words);
/* workgroup of `invocations` x 1 x 1 and `groups` of them, folded into two dimensions */
status step_groups(builder *b, plan_step *s, uint32_t invocations, uint64_t groups);
/* the same where the batch is part of the rows, see plan_step.rows */
status step_rows(builder *b, plan_step *s, uint32_t invocations, uint32_t rows, uint32_t tile_rows,
                 uint32_t row_groups);
/* after all reads and writes: level and lifetimes */
void step_finish(builder *b, plan_step *s);
status builder_error(const builder *b, status code, int index, const char *reason);

/* A choice among `count` candidates, made before the steps are: *chosen is the caller's choice, or
 * 0. One candidate is no choice. */
typedef struct choice {
    int tunable;
    uint32_t chosen, count;
    size_t first_step;
} choice;
status builder_choose(builder *b, int index, uint32_t count, choice *out);
/* the steps made since are those of this choice */
void builder_chosen(builder *b, const choice *made);

/* words of packed weights (element_words of b->weight_element for the kernel of a convolution or
 * dense layer); the entry stays valid until the next one */
status builder_pack(builder *b, pack_kind kind, uint64_t words, plan_pack **out);

struct operand operand_make(const builder *b, const place *p);
void step_operand(plan_step *s, size_t byte_offset, const place *p);
struct activation_words activation_make(activation a);
bool activation_is_simple(activation a); /* linear or RELU */

/* --- lowering, one function a family; node index in, steps appended --- */
status lower_conv2d(builder *b, int index);
status lower_depthwise(builder *b, int index);
status lower_dense(builder *b, int index);
status lower_pool(builder *b, int index);
status lower_elementwise(builder *b, int index);
status lower_softmax(builder *b, int index);
status lower_resize(builder *b, int index);
status lower_copy(builder *b, int index);
status lower_preprocess(builder *b);
status lower_head(builder *b);

/* pieces that several families use */
/* the kernels have 16 bits for each measure of a window */
status window_check(const builder *b, int index, const window *w);
status lower_window_pool(builder *b, int index, uint32_t kind, const window *w, const place *source,
                         const place *target);
status lower_align_copy(builder *b, const char *name, const place *source, const place *target);
/* a 1x1 convolution over the pixels of a value, for dense layers with many pixels */
status lower_pointwise(builder *b, int index);

#endif
