/* The scene in the formats that are simple enough to be written by hand: BMP, GIF, TGA, PNM. */
#include "tests/image/samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_bgr(bytes *b, uint32_t x, uint32_t y)
{
    unsigned char rgb[3];
    scene_pixel(x, y, rgb);
    bytes_u8(b, rgb[2]);
    bytes_u8(b, rgb[1]);
    bytes_u8(b, rgb[0]);
}

/* --- BMP --- */
static void put_bmp_header(bytes *b, int32_t height, unsigned bits, uint32_t colours,
                           uint32_t compression)
{
    const uint32_t start = 54 + colours * 4 + (compression == 3 ? 12 : 0);
    const uint32_t stride = (SCENE_WIDTH * bits + 31) / 32 * 4;
    bytes_put(b, "BM", 2);
    bytes_le32(b, start + stride * SCENE_HEIGHT);
    bytes_le32(b, 0);
    bytes_le32(b, start);
    bytes_le32(b, 40);
    bytes_le32(b, SCENE_WIDTH);
    bytes_le32(b, (uint32_t)height);
    bytes_le16(b, 1);
    bytes_le16(b, bits);
    bytes_le32(b, compression);
    bytes_le32(b, stride * SCENE_HEIGHT);
    bytes_le32(b, 2835);
    bytes_le32(b, 2835);
    bytes_le32(b, colours);
    bytes_le32(b, 0);
}

static void pad_row(bytes *b, size_t row_start)
{
    while ((b->size - row_start) % 4) {
        bytes_u8(b, 0);
    }
}

static void add_bmp_colour(sample_set *set, unsigned bits, bool top_down)
{
    bytes b = {0};
    put_bmp_header(&b, top_down ? -SCENE_HEIGHT : SCENE_HEIGHT, bits, 0, 0);
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const size_t row_start = b.size;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            put_bgr(&b, x, top_down ? n : SCENE_HEIGHT - 1 - n);
            if (bits == 32) {
                bytes_u8(&b, x);
            }
        }
        pad_row(&b, row_start);
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "bmp-%u%s", bits,
                      top_down ? "-top-down" : "");
}

/* Gray levels as a palette of 2^bits entries, which the decoder gives as RGB. */
static void add_bmp_palette(sample_set *set, unsigned bits)
{
    bytes b = {0};
    const uint32_t colours = 1u << bits, per_byte = 8 / bits;
    put_bmp_header(&b, SCENE_HEIGHT, bits, colours, 0);
    for (uint32_t n = 0; n < colours; n++) {
        const uint32_t v = n * 255 / (colours - 1);
        bytes_le32(&b, v << 16 | v << 8 | v);
    }
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const size_t row_start = b.size;
        for (uint32_t x = 0; x < SCENE_WIDTH; x += per_byte) {
            unsigned byte = 0;
            for (uint32_t p = 0; p < per_byte; p++) {
                byte = byte << bits |
                       (scene_gray(x + p, SCENE_HEIGHT - 1 - n) * (colours - 1) + 127) / 255;
            }
            bytes_u8(&b, byte);
        }
        pad_row(&b, row_start);
    }
    (void)samples_add(set, &b, PIXEL_RGB8,
                      bits == 8   ? MATCH_EXACT
                      : bits == 4 ? MATCH_LEVELS
                                  : MATCH_SIZE,
                      1, "gray-bmp-palette%u", bits);
}

static void add_bmp_565(sample_set *set)
{
    bytes b = {0};
    put_bmp_header(&b, SCENE_HEIGHT, 16, 0, 3);
    bytes_le32(&b, 0xf800);
    bytes_le32(&b, 0x07e0);
    bytes_le32(&b, 0x001f);
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const size_t row_start = b.size;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            unsigned char p[3];
            scene_pixel(x, SCENE_HEIGHT - 1 - n, p);
            bytes_le16(&b, (unsigned)(p[0] >> 3) << 11 | (unsigned)(p[1] >> 2) << 5 |
                               (unsigned)(p[2] >> 3));
        }
        pad_row(&b, row_start);
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_NEAR, 1, "bmp-565");
}

/* 16 bits without masks: five a colour. */
static void add_bmp_555(sample_set *set)
{
    bytes b = {0};
    put_bmp_header(&b, SCENE_HEIGHT, 16, 0, 0);
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const size_t row_start = b.size;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            unsigned char p[3];
            scene_pixel(x, SCENE_HEIGHT - 1 - n, p);
            bytes_le16(&b, (unsigned)(p[0] >> 3) << 10 | (unsigned)(p[1] >> 3) << 5 |
                               (unsigned)(p[2] >> 3));
        }
        pad_row(&b, row_start);
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_NEAR, 1, "bmp-555");
}

/* The short header of OS/2, whose palette entries have three bytes; gray, exact. */
static void add_bmp_os2(sample_set *set)
{
    bytes b = {0};
    const uint32_t start = 26 + 256 * 3, stride = (SCENE_WIDTH + 3) / 4 * 4;
    bytes_put(&b, "BM", 2);
    bytes_le32(&b, start + stride * SCENE_HEIGHT);
    bytes_le32(&b, 0);
    bytes_le32(&b, start);
    bytes_le32(&b, 12);
    bytes_le16(&b, SCENE_WIDTH);
    bytes_le16(&b, SCENE_HEIGHT);
    bytes_le16(&b, 1);
    bytes_le16(&b, 8);
    for (unsigned n = 0; n < 256; n++) {
        bytes_u8(&b, n);
        bytes_u8(&b, n);
        bytes_u8(&b, n);
    }
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const size_t row_start = b.size;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            bytes_u8(&b, scene_gray(x, SCENE_HEIGHT - 1 - n));
        }
        pad_row(&b, row_start);
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "gray-bmp-os2");
}

/* Run lengths: a literal, a run, and a step back by none in every line. Gray ramps, exact. With 4
 * bits the sixteen levels are those of x / 4 + y / 4. */
static void add_bmp_runs(sample_set *set, unsigned bits)
{
    bytes b = {0};
    const uint32_t colours = 1u << bits;
    put_bmp_header(&b, SCENE_HEIGHT, bits, colours, bits == 8 ? 1 : 2);
    for (uint32_t n = 0; n < colours; n++) {
        const uint32_t v = bits == 8 ? n : n * 17;
        bytes_le32(&b, v << 16 | v << 8 | v);
    }
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const uint32_t y = SCENE_HEIGHT - 1 - n;
        unsigned row[SCENE_WIDTH + 1] = {0};
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            row[x] = bits == 8 ? scene_gray(x, y) : scene_gray(x, y) / 17u;
        }
        bytes_u8(&b, 0); /* a literal of five, with its padding */
        bytes_u8(&b, 5);
        for (uint32_t x = 0; x < 6; x += bits == 8 ? 1 : 2) {
            bytes_u8(&b, bits == 8 ? row[x] : row[x] << 4 | row[x + 1]);
        }
        if (bits == 4) {
            bytes_u8(&b, 0);
        }
        bytes_put(&b, "\0\2\0\0", 4);
        for (uint32_t x = 5; x < SCENE_WIDTH; x += bits == 8 ? 1 : 2) {
            const uint32_t count = bits == 8 || x + 1 == SCENE_WIDTH ? 1 : 2;
            bytes_u8(&b, count);
            bytes_u8(&b, bits == 8 ? row[x] : row[x] << 4 | row[x + 1]);
        }
        bytes_put(&b, "\0\0", 2);
    }
    bytes_put(&b, "\0\1", 2);
    (void)samples_add(set, &b, PIXEL_RGB8, bits == 8 ? MATCH_EXACT : MATCH_LEVELS, 1,
                      "gray-bmp-runs%u", bits);
}

/* --- GIF --- */
enum { LZW_CODES = 4096 };

typedef struct lzw {
    bytes *to;
    unsigned char block[255];
    size_t used;
    uint32_t bits;
    unsigned count, width;
} lzw;

static void lzw_flush(lzw *l)
{
    if (l->used) {
        bytes_u8(l->to, (unsigned)l->used);
        bytes_put(l->to, l->block, l->used);
        l->used = 0;
    }
}

static void lzw_code(lzw *l, unsigned code)
{
    l->bits |= code << l->count;
    l->count += l->width;
    while (l->count >= 8) {
        l->block[l->used++] = (unsigned char)l->bits;
        l->bits >>= 8;
        l->count -= 8;
        if (l->used == sizeof l->block) {
            lzw_flush(l);
        }
    }
}

/* `codes` caps the dictionary, so that small pictures too fill it and clear it. */
static void put_lzw(bytes *b, const unsigned char *indices, size_t count, unsigned bits,
                    unsigned codes)
{
    static unsigned prefix[LZW_CODES], last[LZW_CODES];
    const unsigned clear = 1u << bits;
    lzw l = {.to = b, .width = bits + 1};
    unsigned next = clear + 2, current = indices[0];
    bytes_u8(b, bits);
    lzw_code(&l, clear);
    for (size_t n = 1; n < count; n++) {
        unsigned code = clear + 2;
        while (code < next && (prefix[code] != current || last[code] != indices[n])) {
            code++;
        }
        if (code < next) {
            current = code;
            continue;
        }
        lzw_code(&l, current);
        if (next == codes) {
            lzw_code(&l, clear);
            l.width = bits + 1;
            next = clear + 2;
        } else {
            prefix[next] = current;
            last[next] = indices[n];
            l.width += next == 1u << l.width && l.width < 12;
            next++;
        }
        current = indices[n];
    }
    lzw_code(&l, current);
    lzw_code(&l, clear + 1);
    l.width = 8;
    lzw_code(&l, 0); /* pushes out what is left of the last code */
    lzw_flush(&l);
    bytes_u8(b, 0);
}

/* Of each pixel of the frame: index = x + y of the scene, modulo the palette; so the colours are
 * known, and exact. */
static void gif_colour(unsigned index, unsigned char rgb[3])
{
    const unsigned char gray = (unsigned char)(index * 4);
    memset(rgb, gray, 3);
}

static void add_gif(sample_set *set, const char *name, bool interlaced, bool transparent,
                    bool local, unsigned codes)
{
    static const uint32_t starts[4] = {0, 4, 2, 1}, steps[4] = {8, 8, 4, 2};
    bytes b = {0};
    unsigned char indices[SCENE_WIDTH * SCENE_HEIGHT];
    size_t count = 0;
    for (unsigned pass = 0; pass < (interlaced ? 4u : 1u); pass++) {
        for (uint32_t y = interlaced ? starts[pass] : 0; y < SCENE_HEIGHT;
             y += interlaced ? steps[pass] : 1) {
            for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
                indices[count++] = (unsigned char)(x + y);
            }
        }
    }
    bytes_put(&b, "GIF89a", 6);
    bytes_le16(&b, SCENE_WIDTH);
    bytes_le16(&b, SCENE_HEIGHT);
    bytes_u8(&b, local ? 0 : 0x80 | 5);
    bytes_le16(&b, 0);
    for (unsigned times = 0; times < 2; times++) {
        if (times == 1) {
            if (transparent) {
                bytes_put(&b, "\x21\xf9\x04\x01\x0a\x00\x07\x00", 8);
            }
            bytes_put(&b, "\x21\xfe\x03hey\x00", 7);
            bytes_u8(&b, 0x2c);
            bytes_le32(&b, 0);
            bytes_le16(&b, SCENE_WIDTH);
            bytes_le16(&b, SCENE_HEIGHT);
            bytes_u8(&b, (local ? 0x80u | 5u : 0) | (interlaced ? 0x40 : 0));
        }
        for (unsigned n = 0; n < 64 && (times == 1) == local; n++) {
            unsigned char rgb[3];
            gif_colour(n, rgb);
            bytes_put(&b, rgb, 3);
        }
    }
    put_lzw(&b, indices, count, 6, codes);
    bytes_u8(&b, 0x3b);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "%s", name);
}

/* --- TGA --- */
static void put_tga_header(bytes *b, unsigned type, unsigned bits, unsigned flags)
{
    bytes_u8(b, 0);
    bytes_u8(b, type == 1 || type == 9);
    bytes_u8(b, type);
    bytes_le16(b, 0);
    bytes_le16(b, type == 1 || type == 9 ? 256 : 0);
    bytes_u8(b, type == 1 || type == 9 ? 24 : 0);
    bytes_le32(b, 0);
    bytes_le16(b, SCENE_WIDTH);
    bytes_le16(b, SCENE_HEIGHT);
    bytes_u8(b, bits);
    bytes_u8(b, flags);
    for (unsigned n = 0; n < 256 && (type == 1 || type == 9); n++) {
        bytes_u8(b, n);
        bytes_u8(b, n);
        bytes_u8(b, n);
    }
}

static void add_tga(sample_set *set, unsigned type, unsigned bits, bool top_down)
{
    bytes b = {0};
    put_tga_header(&b, type, bits, top_down ? 0x20 : 0);
    for (uint32_t n = 0; n < SCENE_HEIGHT; n++) {
        const uint32_t y = top_down ? n : SCENE_HEIGHT - 1 - n;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            if (type >= 9) { /* runs of one, and raw packets of one, in turn */
                bytes_u8(&b, x % 2 ? 0x80 : 0x00);
            }
            if (bits == 8) {
                bytes_u8(&b, scene_gray(x, y));
            } else {
                put_bgr(&b, x, y);
                if (bits == 32) {
                    bytes_u8(&b, 77);
                }
            }
        }
    }
    const bool gray = type == 3 || type == 11;
    (void)samples_add(set, &b, gray ? PIXEL_GRAY8 : PIXEL_RGB8, MATCH_EXACT, 1, "%stga-%u-%u%s",
                      bits == 8 ? "gray-" : "", type, bits, top_down ? "-top-down" : "");
}

/* Sixteen bits, from the right; and a palette that starts at an index other than 0. */
static void add_tga_odd(sample_set *set)
{
    bytes b = {0};
    put_tga_header(&b, 2, 16, 0x30);
    for (uint32_t y = 0; y < SCENE_HEIGHT; y++) {
        for (uint32_t n = 0; n < SCENE_WIDTH; n++) {
            unsigned char p[3];
            scene_pixel(SCENE_WIDTH - 1 - n, y, p);
            bytes_le16(&b, (unsigned)(p[0] >> 3) << 10 | (unsigned)(p[1] >> 3) << 5 |
                               (unsigned)(p[2] >> 3));
        }
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_NEAR, 1, "tga-from-the-right");
    put_tga_header(&b, 1, 8, 0x20);
    b.data[3] = 10; /* the first index */
    for (uint32_t y = 0; y < SCENE_HEIGHT; y++) {
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            bytes_u8(&b, scene_gray(x, y) + 10u);
        }
    }
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "gray-tga-first-index");
}

/* --- PNM --- */
static void put_text(bytes *b, const char *text)
{
    bytes_put(b, text, strlen(text));
}

static void put_number(bytes *b, unsigned value)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%u\n", value);
    put_text(b, text);
}

static void put_sample(bytes *b, unsigned kind, unsigned maximum, unsigned value)
{
    if (kind < 4) {
        put_number(b, value);
        return;
    }
    if (maximum > 255) {
        bytes_u8(b, value >> 8);
    }
    bytes_u8(b, value & 0xff);
}

static void add_pnm(sample_set *set, unsigned kind, unsigned maximum)
{
    bytes b = {0};
    bytes_u8(&b, 'P');
    bytes_u8(&b, '0' + kind);
    put_text(&b, "\n# a remark\n37 23\n");
    if (kind % 3 != 1) {
        put_number(&b, maximum);
    }
    for (uint32_t y = 0; y < SCENE_HEIGHT; y++) {
        unsigned bits = 0;
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            unsigned char p[3];
            scene_pixel(x, y, p);
            if (kind == 1) {
                bytes_u8(&b, scene_gray(x, y) < 128 ? '1' : '0');
            } else if (kind == 4) {
                bits = bits << 1 | (scene_gray(x, y) < 128);
                if (x % 8 == 7 || x + 1 == SCENE_WIDTH) {
                    bytes_u8(&b, bits << (7 - x % 8));
                    bits = 0;
                }
            } else if (kind % 3 == 2) {
                put_sample(&b, kind, maximum, (scene_gray(x, y) * maximum + 127) / 255);
            } else {
                for (unsigned c = 0; c < 3; c++) {
                    put_sample(&b, kind, maximum, (p[c] * maximum + 127) / 255);
                }
            }
        }
    }
    (void)samples_add(set, &b, kind % 3 == 0 ? PIXEL_RGB8 : PIXEL_GRAY8,
                      kind % 3 == 1   ? MATCH_SIZE
                      : maximum < 255 ? MATCH_LEVELS
                                      : MATCH_EXACT,
                      1, "pnm-p%u-%u", kind, maximum);
}

void samples_add_plain(sample_set *set)
{
    add_bmp_colour(set, 24, false);
    add_bmp_colour(set, 24, true);
    add_bmp_colour(set, 32, false);
    add_bmp_palette(set, 1);
    add_bmp_palette(set, 4);
    add_bmp_palette(set, 8);
    add_bmp_565(set);
    add_bmp_555(set);
    add_bmp_os2(set);
    add_bmp_runs(set, 4);
    add_bmp_runs(set, 8);
    add_gif(set, "gray-gif", false, false, false, LZW_CODES);
    add_gif(set, "gray-gif-interlaced", true, false, false, LZW_CODES);
    add_gif(set, "gray-gif-transparent", false, true, false, LZW_CODES);
    add_gif(set, "gray-gif-local-palette", false, false, true, LZW_CODES);
    add_gif(set, "gray-gif-small-dictionary", false, false, false, 100);
    add_tga(set, 2, 24, false);
    add_tga(set, 2, 24, true);
    add_tga(set, 2, 32, false);
    add_tga(set, 10, 24, false);
    add_tga(set, 3, 8, true);
    add_tga(set, 11, 8, false);
    add_tga(set, 1, 8, false);
    add_tga(set, 9, 8, true);
    add_tga_odd(set);
    add_pnm(set, 1, 1);
    add_pnm(set, 2, 255);
    add_pnm(set, 3, 255);
    add_pnm(set, 4, 1);
    add_pnm(set, 5, 255);
    add_pnm(set, 5, 15);
    add_pnm(set, 6, 255);
    add_pnm(set, 6, 65535);
}
