/* The loops, for the instruction set that the compiler is told to use; LOOPS names the table. */
#include "host/cpu/loops.h"

#include <math.h>
#include <string.h>

#if !defined(LOOPS)
#define LOOPS     loops_base
#define LOOPS_ISA "base"
#endif

static inline float float_of(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void to_float(const uint16_t *restrict in, float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = float_of(in[i]);
    }
}

/* adding 0x7fff, and one more to an odd upper half, carries exactly where rounding goes up; a NaN
 * could carry into infinity, so it keeps its upper half, made quiet */
static void to_bf16(const float *restrict in, uint16_t *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &in[i], sizeof bits);
        const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        const uint32_t quiet = (bits >> 16) | 0x40u;
        out[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

/* --- activations ---
 * exp(x) = 2^n exp(r) as in shaders/activation.glsl, whose error the contract of the activations
 * counts: ln 2 in two parts, the series of exp(r) to r^7, the scale in two steps. */
typedef struct exponential {
    float e, e_minus_1;
} exponential;

static inline float power_of_two(int32_t n)
{
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline exponential exponential_of(float x)
{
    float bounded = x > -104.0f ? x : -104.0f;
    bounded = bounded < 89.0f ? bounded : 89.0f;
    /* to the nearest by adding and taking away what has no room for a fraction */
    const float shifter = 12582912.0f;
    const float n = (bounded * 1.44269504088896341f + shifter) - shifter;
    const float r = (bounded - n * 0.693359375f) - n * -2.12194440054690583e-4f;
    float p = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = (p * r) * r + r;
    const int32_t whole = (int32_t)n, half_way = whole / 2;
    exponential y = {(p + 1.0f) * power_of_two(half_way) * power_of_two(whole - half_way), 0};
    y.e = x == x ? y.e : x;
    y.e_minus_1 = n == 0.0f ? p : y.e - 1.0f;
    return y;
}

static void relu(const activation *a, float *x, size_t n)
{
    const float slope = a->slope, threshold = a->threshold, limit = a->limit;
    if (slope == 0.0f && threshold == 0.0f) {
        for (size_t i = 0; i < n; i++) {
            const float y = x[i] < 0.0f ? 0.0f : x[i];
            x[i] = y >= limit ? limit : y;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float below = slope * (x[i] - threshold);
        const float y = x[i] < threshold ? below : x[i];
        x[i] = x[i] >= limit ? limit : y;
    }
}

static void hyperbolic_tangent(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float magnitude = fabsf(x[i]);
        const float m = exponential_of(2.0f * (magnitude < 10.0f ? magnitude : 10.0f)).e_minus_1;
        const float t = m / (m + 2.0f);
        x[i] = x[i] == x[i] ? (x[i] < 0.0f ? -t : t) : x[i];
    }
}

static void activate(const activation *a, float *x, size_t n)
{
    switch (a->kind) {
    case ACTIVATION_RELU:
        relu(a, x, n);
        break;
    case ACTIVATION_SIGMOID:
        for (size_t i = 0; i < n; i++) {
            x[i] = 1.0f / (1.0f + exponential_of(-x[i]).e);
        }
        break;
    case ACTIVATION_TANH:
        hyperbolic_tangent(x, n);
        break;
    case ACTIVATION_ELU:
        for (size_t i = 0; i < n; i++) {
            const float below = a->slope * exponential_of(x[i]).e_minus_1;
            x[i] = x[i] >= 0.0f ? x[i] : below;
        }
        break;
    case ACTIVATION_SWISH:
        for (size_t i = 0; i < n; i++) {
            x[i] = x[i] / (1.0f + exponential_of(-x[i]).e);
        }
        break;
    case ACTIVATION_HARD_SIGMOID:
        for (size_t i = 0; i < n; i++) {
            const float y = 0.2f * x[i] + 0.5f, low = y < 0.0f ? 0.0f : y;
            x[i] = low > 1.0f ? 1.0f : low;
        }
        break;
    case ACTIVATION_LINEAR:
    case ACTIVATION_COUNT:
        break;
    }
}

/* --- pairs --- */

static void add(const float *a, const float *b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] + b[i];
    }
}

static void add_one(const float *a, float b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] + b;
    }
}

static void multiply(const float *a, const float *b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] * b[i];
    }
}

static void multiply_one(const float *a, float b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] * b;
    }
}

static void scale_shift(const float *x, const float *scale, const float *shift, float *out,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = x[i] * scale[i] + shift[i];
    }
}

static void prelu(const float *x, const float *alpha, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float below = alpha[i] * x[i];
        out[i] = x[i] >= 0.0f ? x[i] : below;
    }
}

static void prelu_one(const float *x, float alpha, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float below = alpha * x[i];
        out[i] = x[i] >= 0.0f ? x[i] : below;
    }
}

static void larger(const float *restrict x, float *restrict most, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        most[i] = x[i] > most[i] ? x[i] : most[i];
    }
}

static void add_products(const float *restrict x, const float *restrict w, float *restrict sum,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum[i] += x[i] * w[i];
    }
}

static void add_scaled(float x, const float *restrict w, float *restrict sum, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        sum[i] += x * w[i];
    }
}

static void blend(const float *restrict a, const float *restrict b, float t, float *restrict out,
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] + (b[i] - a[i]) * t;
    }
}

static void blend_bytes(const unsigned char *a, const unsigned char *b, float t,
                        float *restrict out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float x = (float)a[i];
        out[i] = x + ((float)b[i] - x) * t;
    }
}

/* --- rows --- */

static void softmax(const float *in, float *out, size_t n)
{
    float most = -INFINITY, sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        most = in[i] > most ? in[i] : most;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = exponential_of(in[i] - most).e;
    }
    for (size_t i = 0; i < n; i++) {
        sum += out[i];
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = out[i] / sum;
    }
}

static inline float most_of(float a, float b)
{
    return a > b ? a : b;
}

static void pool_2x2(const float *a, const float *b, float *restrict out, size_t cells,
                     size_t channels)
{
    for (size_t x = 0; x < cells; x++) {
        const float *p = a + 2 * x * channels, *q = b + 2 * x * channels;
        for (size_t c = 0; c < channels; c++) {
            out[x * channels + c] =
                most_of(most_of(p[c], p[c + channels]), most_of(q[c], q[c + channels]));
        }
    }
}

static void pool_2x2_bf16(const uint16_t *a, const uint16_t *b, uint16_t *restrict out,
                          size_t cells, size_t channels)
{
    for (size_t x = 0; x < cells; x++) {
        const uint16_t *p = a + 2 * x * channels, *q = b + 2 * x * channels;
        for (size_t c = 0; c < channels; c++) {
            const float most = most_of(most_of(float_of(p[c]), float_of(p[c + channels])),
                                       most_of(float_of(q[c]), float_of(q[c + channels])));
            uint32_t bits;
            memcpy(&bits, &most, sizeof bits);
            out[x * channels + c] = (uint16_t)(bits >> 16);
        }
    }
}

const loops LOOPS = {
    .isa = LOOPS_ISA,
    .to_float = to_float,
    .to_bf16 = to_bf16,
    .activate = activate,
    .add = add,
    .add_one = add_one,
    .multiply = multiply,
    .multiply_one = multiply_one,
    .scale_shift = scale_shift,
    .prelu = prelu,
    .prelu_one = prelu_one,
    .larger = larger,
    .add_products = add_products,
    .add_scaled = add_scaled,
    .softmax = softmax,
    .blend = blend,
    .blend_bytes = blend_bytes,
    .pool_2x2 = pool_2x2,
    .pool_2x2_bf16 = pool_2x2_bf16,
};
