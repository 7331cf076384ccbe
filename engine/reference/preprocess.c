/* Pixels to network input: fit, resize, channel order, normalisation. Everything in double, rounded
 * once. */
#include "engine/detector.h"
#include "engine/sampling.h"

#include <string.h>

static uint32_t input_channels(const preprocess *p)
{
    return p->channels == CHANNELS_GRAY ? 1 : 3;
}

static status check_tensor(const preprocess *p, const pixels *image, error *err)
{
    size_t row = (size_t)p->width * input_channels(p) * sizeof(float);
    if (image->width != p->width || image->height != p->height) {
        return error_set(err, STATUS_ARGUMENT, "tensor image is %ux%u, the network input is %ux%u",
                         image->width, image->height, p->width, p->height);
    }
    if (image->stride < row) {
        return error_set(err, STATUS_ARGUMENT, "tensor image: stride %zu is less than a row, %zu",
                         image->stride, row);
    }
    return STATUS_OK;
}

status preprocess_check(const preprocess *p, const pixels *image, error *err)
{
    if ((unsigned)image->format >= PIXEL_FORMAT_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "unknown pixel format %d", (int)image->format);
    }
    if (!image->data || image->width == 0 || image->height == 0) {
        return error_set(err, STATUS_ARGUMENT, "image without pixels");
    }
    if (image->format == PIXEL_TENSOR_F32) {
        return check_tensor(p, image, err);
    }
    if (image->width > SAMPLING_MAX_SOURCE || image->height > SAMPLING_MAX_SOURCE ||
        p->width > SAMPLING_MAX_TARGET || p->height > SAMPLING_MAX_TARGET) {
        return error_set(err, STATUS_LIMIT,
                         "image %ux%u to %ux%u: sides are limited to %d and %d pixels",
                         image->width, image->height, p->width, p->height, SAMPLING_MAX_SOURCE,
                         SAMPLING_MAX_TARGET);
    }
    if (image->stride < (size_t)image->width * pixel_bytes(image->format)) {
        return error_set(err, STATUS_ARGUMENT, "image: stride %zu is less than a row of %u pixels",
                         image->stride, image->width);
    }
    return STATUS_OK;
}

static void copy_tensor(const preprocess *p, const pixels *image, float *input)
{
    size_t row = (size_t)p->width * input_channels(p) * sizeof *input;
    for (uint32_t y = 0; y < p->height; y++) {
        memcpy((char *)input + y * row, (const char *)image->data + y * image->stride, row);
    }
}

/* 0..255 */
static void read_rgb(const pixels *image, uint32_t x, uint32_t y, double rgb[3])
{
    const unsigned char *p = (const unsigned char *)image->data + y * image->stride +
                             (size_t)x * pixel_bytes(image->format);
    if (image->format == PIXEL_GRAY8) {
        rgb[0] = rgb[1] = rgb[2] = p[0];
        return;
    }
    bool reversed = image->format == PIXEL_BGR8 || image->format == PIXEL_BGRA8;
    rgb[0] = p[reversed ? 2 : 0];
    rgb[1] = p[1];
    rgb[2] = p[reversed ? 0 : 2];
}

/* The picture at (row, column) of its rectangle, horizontally first, as TensorFlow.js does. */
static void resample(const pixels *image, sample row, sample column, double rgb[3])
{
    double corner[2][2][3];
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            read_rgb(image, j ? column.second : column.first, i ? row.second : row.first,
                     corner[i][j]);
        }
    }
    double fx = (double)column.numerator / column.denominator;
    double fy = (double)row.numerator / row.denominator;
    for (int c = 0; c < 3; c++) {
        double top = corner[0][0][c] + (corner[0][1][c] - corner[0][0][c]) * fx;
        double bottom = corner[1][0][c] + (corner[1][1][c] - corner[1][0][c]) * fx;
        rgb[c] = top + (bottom - top) * fy;
    }
}

static void write_pixel(const preprocess *p, const double rgb[3], bool gray, float *out)
{
    double value[3] = {rgb[0], rgb[1], rgb[2]};
    if (p->channels == CHANNELS_BGR) {
        value[0] = rgb[2];
        value[2] = rgb[0];
    } else if (p->channels == CHANNELS_GRAY && !gray) {
        value[0] = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
    }
    for (uint32_t c = 0; c < input_channels(p); c++) {
        out[c] = (float)((value[c] - (double)p->mean[c]) / (double)p->deviation[c]);
    }
}

status reference_preprocess(const preprocess *p, const pixels *image, float *input, error *err)
{
    status s = preprocess_check(p, image, err);
    if (s != STATUS_OK) {
        return s;
    }
    if (image->format == PIXEL_TENSOR_F32) {
        copy_tensor(p, image, input);
        return STATUS_OK;
    }
    placement place = preprocess_place(p, image->width, image->height);
    double fill[3] = {(double)p->fill, (double)p->fill, (double)p->fill};
    for (uint32_t y = 0; y < p->height; y++) {
        for (uint32_t x = 0; x < p->width; x++) {
            float *out = input + ((size_t)y * p->width + x) * input_channels(p);
            /* before the rectangle these wrap to large numbers */
            uint32_t row = y - place.y, column = x - place.x;
            if (row >= place.height || column >= place.width) {
                write_pixel(p, fill, true, out);
                continue;
            }
            double rgb[3];
            resample(image, sample_at(p->sampling, image->height, place.height, row),
                     sample_at(p->sampling, image->width, place.width, column), rgb);
            write_pixel(p, rgb, image->format == PIXEL_GRAY8, out);
        }
    }
    return STATUS_OK;
}
