/* The scene as PNG: every colour type and depth, interlaced, with chunks that must not matter, and
 * turned by eXIf. */
#include "tests/image/samples.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct recipe {
    const char *name;
    int colour, depth;
    uint32_t orientation;
    bool interlaced, transparent, gamma, big_endian;
} recipe;

static void on_write(png_structp png, png_bytep data, size_t size)
{
    bytes_put(png_get_io_ptr(png), data, size);
}

static void on_flush(png_structp png)
{
    (void)png;
}

static unsigned quantise(unsigned value, int depth)
{
    const unsigned top = (1u << depth) - 1;
    return (value * top + 127) / 255;
}

static void put_bits(unsigned char *row, uint32_t x, int depth, unsigned value)
{
    const unsigned per_byte = 8u / (unsigned)depth;
    row[x / per_byte] |= (unsigned char)(value << (8 - (unsigned)depth * (x % per_byte + 1)));
}

/* Palette entry i of a picture of `depth` bits: gray, its place on the scale. */
static void set_palette(png_structp png, png_infop info, int depth)
{
    png_color palette[256];
    const unsigned top = (1u << depth) - 1;
    for (unsigned n = 0; n <= top; n++) {
        const png_byte v = (png_byte)(n * 255 / top);
        palette[n] = (png_color){v, v, v};
    }
    png_set_PLTE(png, info, palette, (int)top + 1);
}

/* 16-bit values whose correct rounding differs from cutting them off: v * 257 - 100 rounds to v. */
static void put_sample(unsigned char **to, const recipe *r, unsigned value)
{
    if (r->depth == 16) {
        const unsigned wide = value ? value * 257 - 100 : 0;
        *(*to)++ = (unsigned char)(wide >> 8);
        *(*to)++ = (unsigned char)wide;
    } else {
        *(*to)++ = (unsigned char)value;
    }
}

static void fill_row(const recipe *r, const unsigned char *rgb, uint32_t y, uint32_t width,
                     unsigned char *row)
{
    unsigned char *to = row;
    for (uint32_t x = 0; x < width; x++) {
        const unsigned char *p = rgb + ((size_t)y * width + x) * 3;
        if (r->depth < 8 || r->colour == PNG_COLOR_TYPE_PALETTE) {
            put_bits(row, x, r->depth, quantise(scene_gray(x, y), r->depth));
        } else if (r->colour & PNG_COLOR_MASK_COLOR) {
            for (unsigned c = 0; c < 3; c++) {
                put_sample(&to, r, p[c]);
            }
        } else {
            put_sample(&to, r, scene_gray(x, y));
        }
        if (r->colour & PNG_COLOR_MASK_ALPHA) {
            put_sample(&to, r, (x * 7) & 0xff);
        }
    }
}

static void write_png(bytes *out, const recipe *r)
{
    uint32_t width, height;
    unsigned char *rgb = scene_stored(r->orientation, &width, &height);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    unsigned char rows[64][8 * 64];
    png_bytep lines[64];
    bytes exif = {0};
    put_exif(&exif, r->orientation, r->big_endian);
    png_set_write_fn(png, out, on_write, on_flush);
    png_set_IHDR(png, info, width, height, r->depth, r->colour,
                 r->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (r->colour == PNG_COLOR_TYPE_PALETTE) {
        set_palette(png, info, r->depth);
    }
    if (r->transparent) {
        const png_byte alpha[2] = {0, 128};
        const png_color_16 key = {.red = 10, .green = 5, .blue = 200, .gray = 0};
        png_set_tRNS(png, info, alpha, 2, &key);
    }
    if (r->gamma) {
        png_set_gAMA(png, info, 1.0);
    }
    if (r->orientation != 1) {
        png_set_eXIf_1(png, info, (png_uint_32)exif.size, exif.data);
    }
    memset(rows, 0, sizeof rows);
    for (uint32_t y = 0; y < height; y++) {
        fill_row(r, rgb, y, width, rows[y]);
        lines[y] = rows[y];
    }
    png_write_info(png, info);
    png_write_image(png, lines);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(exif.data);
    free(rgb);
}

void samples_add_png(sample_set *set)
{
    static const recipe recipes[] = {
        {"png-gray1", PNG_COLOR_TYPE_GRAY, 1, 1, false, false, false, false},
        {"png-gray2", PNG_COLOR_TYPE_GRAY, 2, 1, false, false, false, false},
        {"png-gray4", PNG_COLOR_TYPE_GRAY, 4, 1, true, false, false, false},
        {"png-gray8", PNG_COLOR_TYPE_GRAY, 8, 1, false, false, false, false},
        {"png-gray8-key", PNG_COLOR_TYPE_GRAY, 8, 1, false, true, false, false},
        {"png-gray16", PNG_COLOR_TYPE_GRAY, 16, 1, false, false, false, false},
        {"png-graya8", PNG_COLOR_TYPE_GRAY_ALPHA, 8, 1, false, false, false, false},
        {"png-graya16", PNG_COLOR_TYPE_GRAY_ALPHA, 16, 1, true, false, false, false},
        {"png-rgb8", PNG_COLOR_TYPE_RGB, 8, 1, false, false, false, false},
        {"png-rgb8-key", PNG_COLOR_TYPE_RGB, 8, 1, false, true, false, false},
        {"png-rgb8-gamma", PNG_COLOR_TYPE_RGB, 8, 1, false, false, true, false},
        {"png-rgb8-adam7", PNG_COLOR_TYPE_RGB, 8, 1, true, false, false, false},
        {"png-rgb16", PNG_COLOR_TYPE_RGB, 16, 1, false, false, true, false},
        {"png-rgba8", PNG_COLOR_TYPE_RGBA, 8, 1, false, false, false, false},
        {"png-rgba16", PNG_COLOR_TYPE_RGBA, 16, 1, true, false, false, false},
    };
    bytes b = {0};
    for (size_t n = 0; n < sizeof recipes / sizeof recipes[0]; n++) {
        const recipe *r = &recipes[n];
        write_png(&b, r);
        (void)samples_add(set, &b, r->colour & PNG_COLOR_MASK_COLOR ? PIXEL_RGB8 : PIXEL_GRAY8,
                          r->depth == 1  ? MATCH_SIZE
                          : r->depth < 8 ? MATCH_LEVELS
                                         : MATCH_EXACT,
                          1, "%s", r->name);
    }
    for (int depth = 1; depth <= 8; depth *= 2) {
        const recipe r = {"",   PNG_COLOR_TYPE_PALETTE, depth, 1, depth == 4, depth == 8, false,
                          false};
        write_png(&b, &r);
        (void)samples_add(set, &b, PIXEL_RGB8, MATCH_SIZE, 1, "png-palette%d", depth);
    }
    for (uint32_t o = 2; o <= 8; o++) {
        const recipe r = {"", PNG_COLOR_TYPE_RGB, 8, o, false, false, false, o % 2 == 1};
        write_png(&b, &r);
        (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, o, "png-turned-%u", o);
    }
}
