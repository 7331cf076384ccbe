/* The scene as JPEG: colour spaces, sampling, progressive, arithmetic, orientations. */
#include "tests/image/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

typedef struct recipe {
    const char *name;
    J_COLOR_SPACE in, stored;
    int horizontal, vertical; /* sampling of the first component */
    bool progressive, arithmetic, adobe, restart;
} recipe;

static const recipe recipes[] = {
    {"jpeg-gray", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, 1, false, false, false, false},
    {"jpeg-444", JCS_RGB, JCS_YCbCr, 1, 1, false, false, false, false},
    {"jpeg-420", JCS_RGB, JCS_YCbCr, 2, 2, false, false, false, false},
    {"jpeg-422", JCS_RGB, JCS_YCbCr, 2, 1, false, false, false, false},
    {"jpeg-411", JCS_RGB, JCS_YCbCr, 4, 1, false, false, false, false},
    {"jpeg-rgb", JCS_RGB, JCS_RGB, 1, 1, false, false, true, false},
    {"jpeg-restart", JCS_RGB, JCS_YCbCr, 2, 2, false, false, false, true},
    {"jpeg-progressive", JCS_RGB, JCS_YCbCr, 2, 2, true, false, false, false},
    {"jpeg-progressive-gray", JCS_GRAYSCALE, JCS_GRAYSCALE, 1, 1, true, false, false, false},
    {"jpeg-arithmetic", JCS_RGB, JCS_YCbCr, 2, 2, false, true, false, false},
    {"jpeg-arithmetic-progressive", JCS_RGB, JCS_YCbCr, 2, 2, true, true, false, false},
    {"jpeg-cmyk-plain", JCS_CMYK, JCS_CMYK, 1, 1, false, false, false, false},
    {"jpeg-cmyk-adobe", JCS_CMYK, JCS_CMYK, 1, 1, false, false, true, false},
    {"jpeg-ycck-adobe", JCS_CMYK, JCS_YCCK, 1, 1, false, false, true, false},
};

/* One row of the input that the recipe wants. Black carries part of the ink where it can. */
static void fill_row(const recipe *r, const unsigned char *rgb, uint32_t y, uint32_t width,
                     unsigned char *row)
{
    for (uint32_t x = 0; x < width; x++) {
        if (r->in == JCS_GRAYSCALE) {
            row[x] = scene_gray(x, y);
        } else if (r->in == JCS_RGB) {
            memcpy(row + 3 * (size_t)x, rgb + ((size_t)y * width + x) * 3, 3);
        } else {
            const unsigned char *p = rgb + ((size_t)y * width + x) * 3;
            unsigned top = p[0] > p[1] ? p[0] : p[1];
            top = p[2] > top ? p[2] : top;
            for (size_t c = 0; c < 4; c++) {
                /* light kept, 0..255: the inverted form */
                const unsigned kept = c == 3 ? top : p[c] * 255u / top;
                row[4 * (size_t)x + c] = (unsigned char)(r->adobe ? kept : 255 - kept);
            }
        }
    }
}

static void write_jpeg(bytes *out, const recipe *r, const unsigned char *rgb, uint32_t width,
                       uint32_t height, const bytes *exif)
{
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char *memory = NULL, row[4 * 64];
    unsigned long size = 0;
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &memory, &size);
    info.image_width = width;
    info.image_height = height;
    info.input_components = r->in == JCS_GRAYSCALE ? 1 : r->in == JCS_RGB ? 3 : 4;
    info.in_color_space = r->in;
    jpeg_set_defaults(&info);
    jpeg_set_colorspace(&info, r->stored);
    jpeg_set_quality(&info, 95, TRUE);
    info.comp_info[0].h_samp_factor = r->horizontal;
    info.comp_info[0].v_samp_factor = r->vertical;
    info.arith_code = r->arithmetic;
    info.restart_in_rows = r->restart;
    info.write_Adobe_marker = r->adobe;
    if (r->progressive) {
        jpeg_simple_progression(&info);
    }
    jpeg_start_compress(&info, TRUE);
    if (exif) {
        jpeg_write_marker(&info, JPEG_APP0 + 1, exif->data, (unsigned)exif->size);
    }
    for (uint32_t y = 0; y < height; y++) {
        JSAMPROW line = row;
        fill_row(r, rgb, y, width, row);
        (void)jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    bytes_put(out, memory, size);
    free(memory);
}

void samples_add_jpeg(sample_set *set)
{
    bytes b = {0};
    uint32_t width, height;
    unsigned char *rgb = scene_stored(1, &width, &height);
    for (size_t n = 0; n < sizeof recipes / sizeof recipes[0]; n++) {
        write_jpeg(&b, &recipes[n], rgb, width, height, NULL);
        (void)samples_add(set, &b, recipes[n].in == JCS_GRAYSCALE ? PIXEL_GRAY8 : PIXEL_RGB8,
                          MATCH_NEAR, 1, "%s", recipes[n].name);
    }
    free(rgb);
    for (uint32_t o = 1; o <= 8; o++) {
        bytes exif = {0};
        bytes_put(&exif, "Exif\0\0", 6);
        put_exif(&exif, o, o % 2 == 0);
        rgb = scene_stored(o, &width, &height);
        write_jpeg(&b, &recipes[1], rgb, width, height, &exif);
        (void)samples_add(set, &b, PIXEL_RGB8, MATCH_NEAR, o, "jpeg-turned-%u", o);
        free(rgb);
        free(exif.data);
    }
}
