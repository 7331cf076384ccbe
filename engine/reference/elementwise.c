/* Element by element: batch norm, PReLU, sum and product with broadcasting. */
#include "engine/reference/operators.h"

#include <math.h>

/* y = (x - mean) * scale + beta, scale = gamma / sqrt(variance + epsilon).
 *
 * Bound: a kernel may fold it into x * s + t (s and t rounded once), or compute it as written
 * (inversesqrt 2 ULP = 4u, the sum below it u / 2 once halved by the root, gamma, difference,
 * product, sum). Either way each of x s, mean s and beta passes at most 9 roundings; the
 * reference's is the tenth. */
enum { BATCH_NORM_ROUNDINGS = 10 };

void reference_batch_norm(const operands *o)
{
    const float *in = operand_input(o, 0), *gamma = operand_weight(o, 0),
                *beta = operand_weight(o, 1), *mean = operand_weight(o, 2),
                *variance = operand_weight(o, 3);
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    shape s = operand_input_shape(o, 0);
    uint32_t channels = s.dim[s.rank - 1];
    size_t count = (size_t)shape_elements(s);
    for (size_t i = 0; i < count; i++) {
        size_t c = i % channels;
        double scale = (gamma ? (double)gamma[c] : 1) /
                       sqrt((double)variance[c] + (double)o->node->attributes.epsilon);
        double shift = beta ? (double)beta[c] : 0;
        double x = (double)in[i], m = (double)mean[c];
        double magnitude = (fabs(x) + fabs(m)) * fabs(scale) + fabs(shift);
        store(out, bound, i, operand_activation(o, 0), (x - m) * scale + shift,
              reference_gamma(BATCH_NORM_ROUNDINGS) * magnitude + FLUSHED(4));
    }
}

/* Strides of an operand over the dimensions of the output, aligned at the last one; 0 where it is
 * repeated. Dimensions are padded in front to SHAPE_MAX_RANK. */
static void broadcast_strides(shape s, size_t stride[SHAPE_MAX_RANK])
{
    size_t next = 1;
    for (uint32_t i = 0; i < SHAPE_MAX_RANK; i++) {
        uint32_t from_last = SHAPE_MAX_RANK - 1 - i;
        uint32_t dim = i < s.rank ? s.dim[s.rank - 1 - i] : 1;
        stride[from_last] = dim == 1 ? 0 : next;
        next *= dim;
    }
}

typedef void (*pair_function)(const operands *o, double a, double b, size_t i);

/* calls `apply` for every output element i with the two operands that meet there */
static void for_each_pair(const operands *o, const float *a, shape a_shape, const float *b,
                          shape b_shape, pair_function apply)
{
    shape s = operand_output_shape(o, 0);
    size_t dim[SHAPE_MAX_RANK], sa[SHAPE_MAX_RANK], sb[SHAPE_MAX_RANK];
    for (uint32_t i = 0; i < SHAPE_MAX_RANK; i++) {
        dim[SHAPE_MAX_RANK - 1 - i] = i < s.rank ? s.dim[s.rank - 1 - i] : 1;
    }
    broadcast_strides(a_shape, sa);
    broadcast_strides(b_shape, sb);
    size_t at = 0;
    for (size_t i = 0; i < dim[0]; i++) {
        for (size_t j = 0; j < dim[1]; j++) {
            for (size_t k = 0; k < dim[2]; k++) {
                for (size_t l = 0; l < dim[3]; l++, at++) {
                    apply(o, (double)a[i * sa[0] + j * sa[1] + k * sa[2] + l * sa[3]],
                          (double)b[i * sb[0] + j * sb[1] + k * sb[2] + l * sb[3]], at);
                }
            }
        }
    }
}

/* one rounding, before the activation */
static void store_rounded(const operands *o, size_t i, double y)
{
    store(operand_output(o, 0), operand_bound(o, 0), i, operand_activation(o, 0), y,
          UNIT_ROUNDOFF * fabs(y) + FLUSHED(3));
}

static void add_pair(const operands *o, double a, double b, size_t i)
{
    store_rounded(o, i, a + b);
}

static void multiply_pair(const operands *o, double a, double b, size_t i)
{
    store_rounded(o, i, a * b);
}

static void prelu_pair(const operands *o, double x, double alpha, size_t i)
{
    store_rounded(o, i, x >= 0 ? x : alpha * x);
}

void reference_add(const operands *o)
{
    for_each_pair(o, operand_input(o, 0), operand_input_shape(o, 0), operand_input(o, 1),
                  operand_input_shape(o, 1), add_pair);
}

void reference_multiply(const operands *o)
{
    for_each_pair(o, operand_input(o, 0), operand_input_shape(o, 0), operand_input(o, 1),
                  operand_input_shape(o, 1), multiply_pair);
}

void reference_prelu(const operands *o)
{
    const weight *alpha = &o->graph->weights[o->node->weights[0]];
    for_each_pair(o, operand_input(o, 0), operand_input_shape(o, 0), alpha->data, alpha->shape,
                  prelu_pair);
}
