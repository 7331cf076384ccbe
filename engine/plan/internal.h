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
    PACK_GROUPED,    /* kernel as it is, bias */
    PACK_DEPTHWISE,  /* kernel with channels rounded up to four, bias */
    PACK_DENSE,      /* as PACK_CONV2D, without the record */
    PACK_BATCH_NORM, /* mean, scale, shift, each rounded up to four */
    PACK_PRELU,      /* alpha, its last dimension rounded up to four */
    PACK_ANCHORS
} pack_kind;

typedef struct plan_pack {
    pack_kind kind;
    uint64_t offset, words; /* in the packed weights; offset is a multiple of 4 */
    int weights[4];         /* of the graph, in the node's order, or GRAPH_NONE */
    double epsilon;         /* batch norm */
    struct conv2d_record record;
} plan_pack;

/* Where a value lies in one image's part of a buffer. */
typedef struct place {
    int buffer;
    uint32_t offset; /* words from the buffer's begin; not 0 for views only */
    uint32_t stride; /* words from pixel to pixel */
    uint32_t height, width, channels;
} place;

typedef struct builder {
    const allocator *alloc;
    const graph *g;
    plan *p;
    error *err;
    size_t step_capacity, buffer_capacity, pack_capacity, written_capacity;
    uint32_t *written;   /* by buffer: level of its last writer + 1; 0: none yet */
    bool *dense;         /* by value: views refer to it */
    int *aligned;        /* by value: buffer of its padded copy, or GRAPH_NONE */
    bool any_activation; /* some convolution without a pool has more than a RELU: then all use the
                            pipeline that can, as a pipeline costs more than the choice it saves */
    uint64_t weight_words;
    plan_target target; /* defaults resolved */
} builder;

uint32_t round_up4(uint32_t n);
uint32_t blocks_of(uint32_t channels); /* of four */
uint32_t next_power_of_two(uint32_t n);
uint64_t ceil_divide(uint64_t a, uint64_t b);

/* --- builder.c --- */
/* temporary when value is GRAPH_NONE; stride is the pixel stride, words of one image before
 * rounding */
status builder_buffer(builder *b, const char *name, int v, uint64_t words, uint32_t stride,
                      int *out);
/* place of a value; makes its buffer at the first call */
status builder_value(builder *b, int v, place *out);
/* the same, copied into a padded buffer first unless pixels are 16-byte aligned already */
status builder_aligned(builder *b, int v, place *out);
bool place_aligned(const place *p);
uint64_t place_elements(const place *p);

/* node may be GRAPH_NONE (then name names the step). The step stays valid until the next step is
 * begun. */
status builder_step(builder *b, kernel k, const char *shader, int index, const char *name,
                    plan_step **out);
void step_constant(plan_step *s, uint32_t at, uint32_t constant);
/* words: those of the push struct */
void step_push(plan_step *s, const void *push, size_t bytes);
/* the push word that holds this buffer's offset */
void step_offset(plan_step *s, size_t byte_offset, int buffer);
void step_reads(plan_step *s, int buffer, uint64_t elements);
void step_writes(plan_step *s, int buffer, uint64_t elements);
/* workgroup of `invocations` x 1 x 1 and `groups` of them, folded into two dimensions */
status step_groups(builder *b, plan_step *s, uint32_t invocations, uint64_t groups);
/* after all reads and writes: level and lifetimes */
void step_finish(builder *b, plan_step *s);
status builder_error(const builder *b, status code, int index, const char *reason);

/* words of packed weights; the entry stays valid until the next one */
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
status lower_window_pool(builder *b, int index, uint32_t kind, const window *w, const place *source,
                         const place *target);
status lower_align_copy(builder *b, const char *name, const place *source, const place *target);
/* a 1x1 convolution over the pixels of a value, for dense layers with many pixels */
status lower_pointwise(builder *b, int index);

#endif
