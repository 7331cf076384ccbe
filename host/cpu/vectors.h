/* As many floats as the instruction set that the compiler is told to use takes at once, AVX-512 or
 * AVX2 with FMA, and the few operations that separable.c needs of them. `part` says how many of
 * them count. */
#ifndef HOST_CPU_VECTORS_H
#define HOST_CPU_VECTORS_H

#include <stdint.h>

#include <immintrin.h>

#if defined(__AVX512F__)

enum { LANES = 16, TILE_PIXELS = 8 };
typedef __m512 vector;
typedef __mmask16 part;

static inline part part_of(uint32_t n)
{
    return (part)(n >= LANES ? 0xffffu : (1u << n) - 1);
}
static inline vector vector_load(const float *from)
{
    return _mm512_loadu_ps(from);
}
static inline vector vector_load_part(const float *from, part which)
{
    return _mm512_maskz_loadu_ps(which, from);
}
static inline void vector_store(float *to, vector x)
{
    _mm512_storeu_ps(to, x);
}
static inline void vector_store_part(float *to, vector x, part which)
{
    _mm512_mask_storeu_ps(to, which, x);
}
static inline vector vector_all(float x)
{
    return _mm512_set1_ps(x);
}
static inline vector vector_add(vector a, vector b)
{
    return _mm512_add_ps(a, b);
}
/* sum + a * b, rounded once */
static inline vector vector_add_product(vector sum, vector a, vector b)
{
    return _mm512_fmadd_ps(a, b, sum);
}
/* x where it lies between the two or is no number */
static inline vector vector_clamp(vector x, vector low, vector high)
{
    return _mm512_min_ps(high, _mm512_max_ps(low, x));
}

#if defined(__AVX512BF16__)
/* bfloat16, in fp32 meanwhile; to nearest, ties to even */
static inline vector vector_load_halves_part(const uint16_t *from, part which)
{
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(which, from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}
static inline void vector_store_halves_part(uint16_t *to, vector x, part which)
{
    _mm256_mask_storeu_epi16(to, which, (__m256i)_mm512_cvtneps_pbh(x));
}
#endif

#else /* AVX2 and FMA */

enum { LANES = 8, TILE_PIXELS = 4 };
typedef __m256 vector;
typedef __m256i part;

static inline part part_of(uint32_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n < LANES ? n : LANES)), lane);
}
static inline vector vector_load(const float *from)
{
    return _mm256_loadu_ps(from);
}
static inline vector vector_load_part(const float *from, part which)
{
    return _mm256_maskload_ps(from, which);
}
static inline void vector_store(float *to, vector x)
{
    _mm256_storeu_ps(to, x);
}
static inline void vector_store_part(float *to, vector x, part which)
{
    _mm256_maskstore_ps(to, which, x);
}
static inline vector vector_all(float x)
{
    return _mm256_set1_ps(x);
}
static inline vector vector_add(vector a, vector b)
{
    return _mm256_add_ps(a, b);
}
static inline vector vector_add_product(vector sum, vector a, vector b)
{
    return _mm256_fmadd_ps(a, b, sum);
}
static inline vector vector_clamp(vector x, vector low, vector high)
{
    return _mm256_min_ps(high, _mm256_max_ps(low, x));
}

#endif

#endif
