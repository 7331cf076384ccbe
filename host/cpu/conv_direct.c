/* Convolution in plain loops over neighbouring output channels, in fp32: for grouped, strangely
 * padded and multiplied forms that oneDNN has no fast code for. */
#include "host/cpu/convolution.h"

#include <string.h>

/* One input channel an output channel: every tap is then one product of two rows of channels. */
static bool is_depthwise(const branch *b)
{
    return b->groups == b->in.channels;
}

/* the input's pixel, each channel as often as it is used */
static const float *expand(const branch *b, const float *pixel, float *buffer)
{
    const uint32_t multiplier = b->filters / b->groups;
    if (multiplier == 1) {
        return pixel;
    }
    for (uint32_t c = 0; c < b->filters; c++) {
        buffer[c] = pixel[c / multiplier];
    }
    return buffer;
}

static void add_tap(const program *p, const branch *b, const float *pixel, const float *tap,
                    float *buffer, float *sums)
{
    if (is_depthwise(b)) {
        p->loops->add_products(expand(b, pixel, buffer), tap, sums, b->filters);
        return;
    }
    const uint32_t in = b->in.channels / b->groups, out = b->filters / b->groups;
    for (uint32_t g = 0; g < b->groups; g++) {
        for (uint32_t c = 0; c < in; c++) {
            p->loops->add_scaled(pixel[g * in + c], tap + (size_t)c * b->filters + g * out,
                                 sums + g * out, out);
        }
    }
}

/* One tap row over a whole row of the map. */
static void add_row(const program *p, const branch *b, const float *in, const float *taps,
                    float *buffer, float *sums)
{
    const window *w = &b->window;
    const size_t tap_floats = (size_t)(b->in.channels / b->groups) * b->filters;
    for (uint32_t x = 0; x < b->map_width; x++) {
        for (uint32_t k = 0; k < w->kernel_w; k++) {
            const int64_t ix = (int64_t)x * w->stride_w + (int64_t)k * w->dilation_w - w->pad_left;
            if (ix >= 0 && ix < (int64_t)b->in.width) {
                add_tap(p, b, in + (size_t)ix * b->in.channels, taps + k * tap_floats, buffer,
                        sums + (size_t)x * b->filters);
            }
        }
    }
}

void conv_direct_run(const program *p, const branch *b, const strip *s, worker *w, float *out)
{
    const window *k = &b->window;
    const size_t row_floats = (size_t)b->map_width * b->filters;
    const size_t taps = (size_t)k->kernel_w * (b->in.channels / b->groups) * b->filters;
    for (uint32_t y = 0; y < s->rows; y++) {
        float *sums = out + y * row_floats;
        for (uint32_t x = 0; x < b->map_width; x++) {
            if (b->bias) {
                memcpy(sums + (size_t)x * b->filters, b->bias, b->filters * sizeof *sums);
            } else {
                memset(sums + (size_t)x * b->filters, 0, b->filters * sizeof *sums);
            }
        }
        for (uint32_t ky = 0; ky < k->kernel_h; ky++) {
            const int64_t iy =
                (int64_t)(s->first + y) * k->stride_h + (int64_t)ky * k->dilation_h - k->pad_top;
            if (iy >= 0 && iy < (int64_t)b->in.height) {
                const float *in = row_read(p, w, &b->in, (uint32_t)iy, w->row[0]);
                add_row(p, b, in, b->kernel + ky * taps, w->row[1], sums);
            }
        }
    }
}
