/* The two halves of a separable convolution in fp32, on rows of pixels in (H, W, C) order:
 * depthwise, and pointwise as a matrix product of pixels and weights. separable.c is compiled once
 * for each instruction set that it is worth it on, like loops.c.
 *
 * Each element is bias, then products in the order of the weights, then what is added, then the
 * activation, wherever it lies in a row: how rows are cut changes no bit. */
#ifndef HOST_CPU_SEPARABLE_H
#define HOST_CPU_SEPARABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct depthwise_form {
    uint32_t kernel_w, stride_w, pad_left, in_width, out_width, channels;
    const float *bias; /* may be NULL */
} depthwise_form;

typedef struct pointwise_form {
    uint32_t in, out;              /* channels */
    const void *packed;            /* by pack */
    float low, high;               /* the result is clamped to these */
    bool added_halves, out_halves; /* pointwise_halves alone: in bfloat16, else in fp32 */
} pointwise_form;

typedef struct separable {
    const char *isa;
    /* One row of the map. `rows` are the `count` rows of the input under the window that are no
     * padding, `taps` their weights, [kernel_w][channels] each. */
    void (*depthwise)(const depthwise_form *f, const float *const *rows, const float *const *taps,
                      uint32_t count, float *out);
    size_t (*packed_floats)(uint32_t in, uint32_t out);
    /* weights [in][out]; bias may be NULL */
    void (*pack)(const float *weights, const float *bias, uint32_t in, uint32_t out, float *packed);
    /* out = clamp(in x weights + bias + added); added may be NULL */
    void (*pointwise)(const pointwise_form *f, const float *in, const float *added, float *out,
                      size_t pixels);
    /* out = clamp(sums + added), each pixel of `sums` being there `repeat` times */
    void (*add_repeated)(const pointwise_form *f, const float *sums, const float *added, float *out,
                         size_t pixels, uint32_t repeat);
} separable;

#if defined(VKDET_CPU_X86)
extern const separable separable_avx2, separable_avx512;
#endif

/* The pointwise one of bfloat16, in sums of fp32. */
typedef struct pointwise_halves {
    size_t (*packed_bytes)(uint32_t in, uint32_t out);
    void (*pack)(const uint16_t *weights, const float *bias, uint32_t in, uint32_t out,
                 void *packed);
    /* the channels that come in must be even */
    void (*run)(const pointwise_form *f, const uint16_t *in, const void *added, void *out,
                size_t pixels);
    /* both in bfloat16 but for the sums */
    void (*add_repeated)(const pointwise_form *f, const float *sums, const uint16_t *added,
                         uint16_t *out, size_t pixels, uint32_t repeat);
    void (*from_floats)(const float *in, uint16_t *out, size_t n);
} pointwise_halves;

#if defined(VKDET_CPU_AMX)
extern const pointwise_halves pointwise_amx;
#endif

/* What this CPU runs faster than oneDNN's code; NULL: nothing is known to be. */
const separable *separable_pick(void);
const pointwise_halves *pointwise_halves_pick(void);

#endif
