/* The inner loops over contiguous floats, written so that compilers vectorise them. loops.c is
 * compiled once for each instruction set that is worth it; loops_pick takes the best one that this
 * CPU has. bfloat16 is the upper half of a float, rounded to nearest, ties to even. */
#ifndef HOST_CPU_LOOPS_H
#define HOST_CPU_LOOPS_H

#include "engine/graph.h"

typedef struct loops {
    const char *isa;
    void (*to_float)(const uint16_t *in, float *out, size_t n);
    void (*to_bf16)(const float *in, uint16_t *out, size_t n);
    void (*activate)(const activation *a, float *x, size_t n); /* in place */
    void (*add)(const float *a, const float *b, float *out, size_t n);
    void (*add_one)(const float *a, float b, float *out, size_t n);
    void (*multiply)(const float *a, const float *b, float *out, size_t n);
    void (*multiply_one)(const float *a, float b, float *out, size_t n);
    void (*scale_shift)(const float *x, const float *scale, const float *shift, float *out,
                        size_t n);
    void (*prelu)(const float *x, const float *alpha, float *out, size_t n);
    void (*prelu_one)(const float *x, float alpha, float *out, size_t n);
    void (*larger)(const float *x, float *most, size_t n); /* most = max(most, x) */
    void (*add_products)(const float *x, const float *w, float *sum, size_t n); /* sum += x * w */
    void (*add_scaled)(float x, const float *w, float *sum, size_t n);          /* likewise */
    void (*softmax)(const float *in, float *out, size_t n);
    void (*blend)(const float *a, const float *b, float t, float *out,
                  size_t n); /* a + (b - a) t */
    void (*blend_bytes)(const unsigned char *a, const unsigned char *b, float t, float *out,
                        size_t n); /* likewise */
    /* `cells` pixels: the maximum over 2 x 2 of the rows a and b, `channels` each; b may be a */
    void (*pool_2x2)(const float *a, const float *b, float *out, size_t cells, size_t channels);
    void (*pool_2x2_bf16)(const uint16_t *a, const uint16_t *b, uint16_t *out, size_t cells,
                          size_t channels);
} loops;

extern const loops loops_base;
#if defined(VKDET_CPU_X86)
extern const loops loops_avx2, loops_avx512;
#endif

const loops *loops_pick(void);

#endif
