/* The reference executor: one obvious scalar function an operator, double accumulation, results
 * rounded once to float. It defines the truth that every kernel is compared with. Runs any valid
 * graph, as imported or after any pass. */
#ifndef ENGINE_REFERENCE_H
#define ENGINE_REFERENCE_H

#include "engine/graph.h"

/* Storage for the values of one image. data[v] is dense; views point into their base. */
typedef struct reference_values {
    allocator alloc;
    size_t count;
    float **data;
    float *storage;
} reference_values;

status reference_values_create(const graph *g, const allocator *a, reference_values *out,
                               error *err);
void reference_values_destroy(reference_values *v);

/* Computes the outputs of node `index` from its inputs. When `bound` is not NULL it holds, for each
 * output value v of the node with bound->data[v], an elementwise bound on |computed - exact| of a
 * correct fp32 kernel (see reference_contract below), given these inputs. */
status reference_run_node(const graph *g, size_t index, reference_values *values,
                          reference_values *bound, error *err);
/* The same of a sample: of convolutions and dense layers only about `cells` pixels of each map are
 * computed, spread over it, its first and last among them, in all channels. The other elements, and
 * their bounds, stay as they are. */
status reference_run_sample(const graph *g, size_t index, uint32_t cells, reference_values *values,
                            reference_values *bound, error *err);
/* The same of a convolution that a plan computes by way of Winograd (plan_step.winograd), with the
 * bounds of that, below. */
status reference_run_winograd(const graph *g, size_t index, uint32_t cells,
                              reference_values *values, reference_values *bound, error *err);
/* all nodes in order; input must have been written to values->data[g->input] */
status reference_run(const graph *g, reference_values *values, error *err);

/* The contract of an fp32 kernel that sums n products in any order, with or without fused
 * multiply-add, then applies an activation with Lipschitz constant L and relative error a:
 *     |computed - exact| <= L * gamma(n + 2) * sum|x_i w_i| + a * |exact| + tiny,   gamma(k) = k u
 * / (1 - k u), u = 2^-24 (Higham, Accuracy and Stability of Numerical Algorithms, 3.1). The bound
 * arrays above hold this. */
double reference_gamma(uint64_t terms);

/* The contract of a convolution by way of Winograd's F(4x4, 3x3), shaders/winograd.glsl:
 *     Y = A^T M A,  M = sum over the channels of U * V,  U = G g G^T,  V = B^T d B
 * with * element by element. Each of the four steps multiplies what came before by constants, exact
 * in fp32, and adds, so each term of Y is off by the product of its roundings' (1 + delta) and,
 * with |X| the matrix of magnitudes, |computed Y - Y| <= gamma(k) (|A^T| [ sum |G||g||G^T| *
 * |B^T||d||B| ] |A| + |bias|) (Higham, 3.1 again; Barabasz, Anderson, Soodhalter, Gregg, Error
 * analysis and improving the accuracy of Winograd convolution, ACM TOMS 46(4), 2020, by norms
 * instead of element by element). k counts the roundings on the longest way: 4 in each of the two
 * passes of either transform, with or without fused multiply-add; 2 for U, which is computed in
 * double and rounded once; n + 1 for the products and sums of n channels, in whole fours; 1 for the
 * bias and 1 for the reference: n + 21. It
 * stands in place of gamma(n + 2) sum|x_i w_i| above. */

/* The contract of sums on matrix units (plan_step.matrix_sums), of halves in floats. Products are
 * exact there. Some k of them and the sum so far are added at once: shifted to the largest exponent
 * among them and cut to 24 bits or more, the result cut again (Fasi, Higham, Mikaitis, Pranesh,
 * Numerical behavior of NVIDIA tensor cores, PeerJ Computer Science 7:e330, 2021). None of them
 * exceeds sum|x_i w_i|, so k + 1 terms and a result lose less than (k + 2) 2^-23 of it; that is at
 * most 4 u a product for k >= 2, and units that round after every addition stay below. So the bound
 * of floats with gamma(4 (n + 2)) in it, which is less than 5 gamma(n + 2) up to n = 2^20.
 * Widens the bounds of `count` elements; goes before the widening for how they are stored. */
void reference_widen_for_matrices(float *bound, uint64_t count);

/* The contract of fp16 storage (engine/plan.h, ELEMENT_F16), where sums stay fp32. Of the three
 * things that are stored, the inputs are taken as the device holds them and the kernels as it
 * packed them (plan_round_weights): both are exact then. So the bound above holds for what is
 * computed, and storing that as binary16 adds
 *     2^-11 |computed|   rounding to nearest of 11 bits
 *     2^-14              where |computed| may be below that: it becomes zero
 * with |computed| <= |exact| + bound. What exceeds 65504 is infinite, and so outside.
 * Widens the bounds of `count` elements that are stored so; `exact` are their values. */
void reference_widen_for_halves(const float *exact, float *bound, uint64_t count);
/* Likewise for storage as bfloat16, which has 8 bits and a float's exponents: storing adds
 *     2^-8 |computed|
 * and nothing else. */
void reference_widen_for_bf16(const float *exact, float *bound, uint64_t count);

#endif
