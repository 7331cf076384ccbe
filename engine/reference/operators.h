/* What the operators of the reference share. Internal to engine/reference. */
#ifndef ENGINE_REFERENCE_OPERATORS_H
#define ENGINE_REFERENCE_OPERATORS_H

#include "engine/reference.h"

/* One node with the storage of its values. */
typedef struct operands {
    const graph *graph;
    const node *node;
    float *const *data;        /* by value index */
    float *const *bound;       /* by value index; NULL: no bounds wanted */
    uint32_t cells;            /* pixels that a convolution is to compute; 0: all */
    double *const *sum_errors; /* by branch of a convolution: what the error of each sum may be,
                                  [y][x] [channel]; NULL: that of adding up the products */
} operands;

const float *operand_input(const operands *o, int i);
shape operand_input_shape(const operands *o, int i);
float *operand_output(const operands *o, int i); /* NULL where the node has none */
shape operand_output_shape(const operands *o, int i);
float *operand_bound(const operands *o, int i);        /* of output i; NULL: not wanted */
const float *operand_weight(const operands *o, int i); /* NULL where the node has none */
const activation *operand_activation(const operands *o, int i);

/* (height, width, channels) of a value; the first element of pixel (y, x) is at ((y * width) + x) *
 * channels */
typedef struct map {
    uint32_t height, width, channels;
} map;
map map_of(shape s);
size_t map_at(map m, uint32_t y, uint32_t x);

/* u = 2^-24: half a unit in the last place of a float, relatively */
#define UNIT_ROUNDOFF (1.0 / 16777216.0)
/* the same of a binary16, 2^-11, and its smallest normal number, 2^-14 */
#define HALF_ROUNDOFF (1.0 / 2048.0)
#define HALF_SMALLEST (1.0 / 16384.0)
/* and of a bfloat16 */
#define BF16_ROUNDOFF (1.0 / 256.0)
/* Devices may flush subnormal results and operands to zero: so much each operation may lose. (A
 * subnormal operand times a weight above 1 would lose more; weights of networks are not such.) */
#define FLUSHED(operations) ((double)(operations)*1.17549435e-38)

double activation_apply(const activation *a, double x);
/* Bound on |computed - activation_apply(a, x)| of an fp32 kernel whose own argument lies within
 * `slack` of x; the rounding of the reference itself included. */
double activation_bound(const activation *a, double x, double slack);

/* output i = the activation of x, rounded once; bound i (where wanted) from the error of x */
void store(float *out, float *bound, size_t i, const activation *a, double x, double slack);
/* a bound rounded upwards */
float bound_round(double bound);

/* winograd.c: such errors of branch `index`, for memory_release with a; *out may be set after a
 * failure too */
status winograd_errors(const operands *o, int index, const allocator *a, double **out, error *err);

/* The operators. */
void reference_convolution(const operands *o); /* conv2d, depthwise, dense */
void reference_batch_norm(const operands *o);
void reference_activation(const operands *o);
void reference_prelu(const operands *o);
void reference_softmax(const operands *o);
void reference_max_pool(const operands *o);
void reference_average_pool(const operands *o);
void reference_global_average(const operands *o);
void reference_zero_pad(const operands *o);
void reference_crop(const operands *o);
void reference_resize(const operands *o);
void reference_add(const operands *o);
void reference_multiply(const operands *o);
void reference_concat(const operands *o);
void reference_reshape(const operands *o);
void reference_permute(const operands *o);

#endif
