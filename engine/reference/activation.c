/* Activations and softmax in double, and how far an fp32 kernel may be from them.
 *
 * Where the constants come from. "ULP" of the Vulkan specification (Precision of Individual
 * Operations) is at most 2u relative, u = 2^-24: exp(x) within 3 + 2|x| ULP, division 2.5 ULP = 5u;
 * addition and multiplication are correctly rounded (u). Let
 *     eps(x) = (3 + 2|x|) 2u          relative error of exp(x) on a device.
 * Every formula below holds to first order; SECOND_ORDER covers the products of such errors (eps
 * stays below 2.3e-5 where exp(x) is finite). The reference rounds its own result to float: one u
 * more in each. */
#include "engine/reference/operators.h"

#include <math.h>

#define SECOND_ORDER    1.001
#define DIVISION        (5 * UNIT_ROUNDOFF)
#define OWN_ROUNDING    UNIT_ROUNDOFF
#define SWISH_LIPSCHITZ 1.1 /* the derivative of x * sigmoid(x) is at most 1.0999 */

static double exp_error(double x)
{
    return (3 + 2 * fabs(x)) * 2 * UNIT_ROUNDOFF;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* s = 1 / (1 + E), E = exp(-x): ds / s = -E / (1 + E) * dE / E = -(1 - s) eps(x), then the rounding
 * of the sum and the division. (The form E / (1 + E) for x < 0 has the same bound.) */
static double sigmoid_relative(double x)
{
    return (1 - sigmoid(x)) * exp_error(x) + UNIT_ROUNDOFF + DIVISION;
}

/* The specification derives tanh from sinh / cosh = (e^x - e^-x) / (e^x + e^-x): the numerator is
 * off by at most cosh(x) eps and a rounding, the denominator relatively by eps and a rounding, so
 * the quotient by eps (1 + |t|) + (2u + 5u) |t|. Beyond |x| = 10, e^-|x| is less than half a ULP
 * beside e^|x|, numerator and denominator are the same number, and the error of exp cancels.
 * 1 - 2 / (e^2x + 1) stays inside the same bound. */
static double tanh_absolute(double x)
{
    double t = fabs(tanh(x));
    return exp_error(fmin(fabs(x), 10)) * (1 + t) + (2 * UNIT_ROUNDOFF + DIVISION) * t +
           2 * UNIT_ROUNDOFF;
}

/* slope (exp(x) - 1): the error of exp is absolute once 1 is subtracted; two more roundings. Only
 * where the kernel's argument may be negative. */
static double elu_absolute(double slope, double x, double slack)
{
    if (x - slack >= 0) {
        return 0;
    }
    double negative = fmin(x, 0);
    return fabs(slope) *
           (exp(negative) * exp_error(negative) + 2 * UNIT_ROUNDOFF * fabs(expm1(negative)));
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
 * by u d_i: e_i is relatively off by r_i = eps(d_i) + u d_i, S by sum(y_j r_j) + gamma(n), and the
 * division adds its own. */
static void softmax_row(const float *in, float *out, float *bound, uint32_t channels)
{
    double max = -(double)INFINITY, sum = 0, sum_error = 0;
    for (uint32_t c = 0; c < channels; c++) {
        max = fmax(max, (double)in[c]);
    }
    for (uint32_t c = 0; c < channels; c++) {
        double d = max - (double)in[c];
        sum += exp(-d);
        sum_error += exp(-d) * (exp_error(d) + UNIT_ROUNDOFF * d);
    }
    for (uint32_t c = 0; c < channels; c++) {
        double d = max - (double)in[c], y = exp(-d) / sum;
        out[c] = (float)y;
        if (bound) {
            double relative = exp_error(d) + UNIT_ROUNDOFF * d + sum_error / sum +
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
