/* Activations and softmax in double, and how far an fp32 kernel may be from them.
 *
 * Where the constants come from, u = 2^-24. By the Vulkan specification (Precision of Individual
 * Operations) addition and multiplication are correctly rounded (u), a fused multiply-add is at
 * least as good as the two, and a division is within 2.5 ULP = 5u. The specification's exp(x), 3 +
 * 2|x| ULP, is not used: the kernels have their own (shaders/activation.glsl), made of sums and
 * products. In units of u it is off by
 *     0.41          the argument r = x - n ln 2: one sum, n times the low part of ln 2
 *     0.29 + 0.42   the terms of the series from r^2 on; their sum with r
 *     0.09          r^8 / 8!, what the series leaves out
 *     1             the sum with 1 (0.5 below 1)
 * relative to 1 .. 1.42, or to 0.7 .. 1 where the last line is halved: below 2.3 in all, and the
 * scale by 2^n is exact. EXPONENTIAL grants 4.
 *
 * Every formula below holds to first order; SECOND_ORDER covers the products of such errors. The
 * reference rounds its own result to float: one u more in each. */
#include "engine/reference/operators.h"

#include <math.h>

#define SECOND_ORDER    1.001
#define EXPONENTIAL     (4 * UNIT_ROUNDOFF)
#define DIVISION        (5 * UNIT_ROUNDOFF)
#define OWN_ROUNDING    UNIT_ROUNDOFF
#define SWISH_LIPSCHITZ 1.1 /* the derivative of x * sigmoid(x) is at most 1.0999 */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* s = 1 / (1 + E), E = exp(-x): ds / s = -E / (1 + E) * dE / E, relatively (1 - s) EXPONENTIAL,
 * then the rounding of the sum and the division. (The form E / (1 + E) for x < 0 has the same
 * bound.) */
static double sigmoid_relative(double x)
{
    return (1 - sigmoid(x)) * EXPONENTIAL + UNIT_ROUNDOFF + DIVISION;
}

/* t = M / (M + 2), M = e^2|x| - 1. The error of e^2|x| is one of x by half as much: (1 - t^2) / 2
 * EXPONENTIAL. M and the sum round once each (M near zero comes straight from the series: 2.3 u),
 * and the quotient by its own. The kernel stops |x| at 10, where 1 - t is 0.07 u. */
static double tanh_absolute(double x)
{
    double t = fabs(tanh(x));
    return (1 - t * t) / 2 * EXPONENTIAL + (4 * UNIT_ROUNDOFF + DIVISION) * t;
}

/* slope (exp(x) - 1): the error of exp is absolute once 1 is subtracted; two more roundings. Only
 * where the kernel's argument may be negative. */
static double elu_absolute(double slope, double x, double slack)
{
    if (x - slack >= 0) {
        return 0;
    }
    double negative = fmin(x, 0);
    return fabs(slope) * (exp(negative) * EXPONENTIAL + 2 * UNIT_ROUNDOFF * fabs(expm1(negative)));
}

/* Piecewise linear: slope * (x - threshold) is two roundings relative to its value; the other
 * pieces are exact. With a threshold the function jumps there from slope * 0 to x. */
static double relu_absolute(const activation *a, double x, double y, double slack)
{
    double bound = 0;
    if (x - slack < (double)a->threshold) {
        double below = fabs((double)a->slope) * fabs(x - (double)a->threshold);
        bound = 2 * UNIT_ROUNDOFF * fmax(fabs(y), below);
    }
    if (slack > 0 && fabs(x - (double)a->threshold) <= slack) {
        bound += fabs((double)a->threshold);
    }
    return bound;
}

static double relu(const activation *a, double x)
{
    if (x >= (double)a->limit) {
        return (double)a->limit;
    }
    if (x < (double)a->threshold && a->slope == 0.0f) {
        return 0; /* not -0, and not NaN for an infinite x */
    }
    return x >= (double)a->threshold ? x : (double)a->slope * (x - (double)a->threshold);
}

double activation_apply(const activation *a, double x)
{
    switch (a->kind) {
    case ACTIVATION_RELU:
        return relu(a, x);
    case ACTIVATION_SIGMOID:
        return sigmoid(x);
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_ELU:
        return x >= 0 ? x : (double)a->slope * expm1(x);
    case ACTIVATION_SWISH:
        return x * sigmoid(x);
    case ACTIVATION_HARD_SIGMOID:
        return fmin(fmax(0.2 * x + 0.5, 0), 1);
    case ACTIVATION_LINEAR:
    case ACTIVATION_COUNT:
        break;
    }
    return x;
}

double activation_bound(const activation *a, double x, double slack)
{
    double y = activation_apply(a, x);
    double rounding = OWN_ROUNDING * fabs(y) + FLUSHED(2);
    switch (a->kind) {
    case ACTIVATION_RELU:
        return fmax(1, fabs((double)a->slope)) * slack + relu_absolute(a, x, y, slack) + rounding;
    case ACTIVATION_SIGMOID:
        return 0.25 * slack + SECOND_ORDER * sigmoid_relative(x) * y + rounding;
    case ACTIVATION_TANH:
        return slack + SECOND_ORDER * tanh_absolute(x) + rounding;
    case ACTIVATION_ELU:
        return fmax(1, fabs((double)a->slope)) * slack +
               SECOND_ORDER * elu_absolute((double)a->slope, x, slack) + rounding;
    case ACTIVATION_SWISH:
        return SWISH_LIPSCHITZ * slack +
               SECOND_ORDER * (sigmoid_relative(x) + UNIT_ROUNDOFF) * fabs(y) +
               FLUSHED(2) * fabs(x) + rounding;
    case ACTIVATION_HARD_SIGMOID:
        /* inside the ramp |0.2 x| <= 0.5: the constant, the product and the sum round once each */
        return 0.2 * slack + 2 * UNIT_ROUNDOFF + rounding;
    case ACTIVATION_LINEAR:
    case ACTIVATION_COUNT:
        break;
    }
    return slack + rounding;
}

void reference_activation(const operands *o)
{
    const float *in = operand_input(o, 0);
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    size_t count = (size_t)shape_elements(operand_input_shape(o, 0));
    for (size_t i = 0; i < count; i++) {
        store(out, bound, i, operand_activation(o, 0), (double)in[i], 0);
    }
}

/* y_i = e_i / S, e_i = exp(x_i - max), S = sum e_j. With d_i = max - x_i, whose subtraction rounds
 * by u d_i: e_i is relatively off by r_i = EXPONENTIAL + u d_i, S by sum(y_j r_j) + gamma(n), and
 * the division adds its own. */
static void softmax_row(const float *in, float *out, float *bound, uint32_t channels)
{
    double max = -(double)INFINITY, sum = 0, sum_error = 0;
    for (uint32_t c = 0; c < channels; c++) {
        max = fmax(max, (double)in[c]);
    }
    for (uint32_t c = 0; c < channels; c++) {
        double d = max - (double)in[c];
        sum += exp(-d);
        sum_error += exp(-d) * (EXPONENTIAL + UNIT_ROUNDOFF * d);
    }
    for (uint32_t c = 0; c < channels; c++) {
        double d = max - (double)in[c], y = exp(-d) / sum;
        out[c] = (float)y;
        if (bound) {
            double relative = EXPONENTIAL + UNIT_ROUNDOFF * d + sum_error / sum +
                              reference_gamma(channels) + DIVISION + OWN_ROUNDING;
            bound[c] = bound_round(SECOND_ORDER * relative * y + FLUSHED(channels + 2.0));
        }
    }
}

void reference_softmax(const operands *o)
{
    shape s = operand_input_shape(o, 0);
    uint32_t channels = s.dim[s.rank - 1];
    size_t rows = (size_t)shape_elements(s) / channels;
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    for (size_t row = 0; row < rows; row++) {
        softmax_row(operand_input(o, 0) + row * channels, out + row * channels,
                    bound ? bound + row * channels : NULL, channels);
    }
}
