/* IEEE 754 binary16, as stored by quantised TensorFlow.js weights, F16 tensors and F16 buffers. */
#ifndef ENGINE_HALF_H
#define ENGINE_HALF_H

#include <stdint.h>
#include <string.h>

/* exact */
static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 0x1fu;
    uint32_t mantissa = half & 0x3ffu, bits;
    if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24, a normal float */
        float magnitude = (float)mantissa * 0x1p-24f;
        memcpy(&bits, &magnitude, sizeof bits);
        bits |= sign;
    } else {
        exponent = exponent == 31 ? 255 : exponent + 112;
        bits = sign | exponent << 23 | mantissa << 13;
    }
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* To the nearest, ties to even; from 65520 on to infinity. A number that is no number stays one,
 * with as much of its payload as fits. */
static inline uint16_t half_from_float(float number)
{
    uint32_t bits, result, shift = 13;
    memcpy(&bits, &number, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000u, exponent = bits >> 23 & 0xffu,
             mantissa = bits & 0x7fffffu;
    if (exponent == 255) {
        uint32_t payload = mantissa >> 13;
        return (uint16_t)(sign | 0x7c00u | payload | (mantissa != 0 && payload == 0 ? 0x200u : 0));
    }
    if (exponent >= 143) { /* 2^16 and above */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (exponent < 102) { /* below 2^-25, half the smallest subnormal */
        return (uint16_t)sign;
    }
    if (exponent > 112) {
        result = (exponent - 112) << 10 | mantissa >> 13;
    } else { /* subnormal, in units of 2^-24 */
        mantissa |= 0x800000u;
        shift = 126 - exponent;
        result = mantissa >> shift;
    }
    uint32_t rest = mantissa & ((1u << shift) - 1), tie = 1u << (shift - 1);
    result += rest > tie || (rest == tie && (result & 1u)); /* a carry goes on into the exponent */
    return (uint16_t)(sign | result);
}

/* As ELEMENT_F16 stores it (engine/plan.h): to the nearest, but zero where that is subnormal. */
static inline uint16_t half_stored(float number)
{
    uint16_t half = half_from_float(number);
    return (half & 0x7c00u) != 0 ? half : 0;
}

#endif
