/* The scene, the list of samples and the helpers of the files that make them. */
#include "tests/image/samples.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scene_pixel(uint32_t x, uint32_t y, unsigned char rgb[3])
{
    rgb[0] = (unsigned char)(x * 6 + 10);
    rgb[1] = (unsigned char)(y * 10 + 5);
    rgb[2] = (unsigned char)(200 - 2 * x - 3 * y);
}

unsigned char scene_gray(uint32_t x, uint32_t y)
{
    return (unsigned char)(x * 4 + y * 4);
}

static void *must(void *memory)
{
    if (!memory) {
        abort();
    }
    return memory;
}

void bytes_put(bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = (b->size + size) * 2;
        b->data = must(realloc(b->data, b->capacity));
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

void bytes_u8(bytes *b, unsigned value)
{
    const unsigned char byte = (unsigned char)value;
    bytes_put(b, &byte, 1);
}

void bytes_le16(bytes *b, unsigned value)
{
    bytes_u8(b, value & 0xff);
    bytes_u8(b, value >> 8 & 0xff);
}

void bytes_le32(bytes *b, uint32_t value)
{
    bytes_le16(b, value & 0xffff);
    bytes_le16(b, value >> 16);
}

unsigned char *scene_stored(uint32_t o, uint32_t *width, uint32_t *height)
{
    const bool swap = o >= 5;
    const uint32_t w = swap ? SCENE_HEIGHT : SCENE_WIDTH, h = swap ? SCENE_WIDTH : SCENE_HEIGHT;
    unsigned char *rgb = must(malloc((size_t)w * h * 3));
    for (uint32_t y = 0; y < h; y++) {
        for (uint32_t x = 0; x < w; x++) {
            /* what the standard says of row 0 and column 0 of each value, spelled out */
            const uint32_t upright[9][2] = {
                [1] = {x, y},
                [2] = {w - 1 - x, y},
                [3] = {w - 1 - x, h - 1 - y},
                [4] = {x, h - 1 - y},
                [5] = {y, x},
                [6] = {h - 1 - y, x},
                [7] = {h - 1 - y, w - 1 - x},
                [8] = {y, w - 1 - x},
            };
            scene_pixel(upright[o][0], upright[o][1], rgb + ((size_t)y * w + x) * 3);
        }
    }
    *width = w;
    *height = h;
    return rgb;
}

void put_exif(bytes *b, uint32_t orientation, bool big_endian)
{
    const unsigned char big[26] = {'M', 'M',  0, 42, 0, 0, 0, 8, 0, 1,
                                   1,   0x12, 0, 3,  0, 0, 0, 1, 0, (unsigned char)orientation};
    const unsigned char little[26] = {
        'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, (unsigned char)orientation};
    bytes_put(b, big_endian ? big : little, 26);
}

sample *samples_add(sample_set *set, bytes *b, pixel_format format, sample_match match,
                    uint32_t orientation, const char *format_name, ...)
{
    set->samples = must(realloc(set->samples, (set->count + 1) * sizeof *set->samples));
    sample *s = &set->samples[set->count++];
    *s = (sample){.size = b->size, .format = format, .match = match, .orientation = orientation};
    s->bytes = must(malloc(b->size)); /* exactly, so that reading past the end shows */
    memcpy(s->bytes, b->data, b->size);
    free(b->data);
    *b = (bytes){0};
    va_list args;
    va_start(args, format_name);
    (void)vsnprintf(s->name, sizeof s->name, format_name, args);
    va_end(args);
    return s;
}

sample_set samples_make(void)
{
    sample_set set = {0};
    samples_add_jpeg(&set);
    samples_add_png(&set);
    samples_add_webp(&set);
    samples_add_plain(&set);
    return set;
}

void samples_destroy(sample_set *set)
{
    for (size_t n = 0; n < set->count; n++) {
        free(set->samples[n].bytes);
    }
    free(set->samples);
    *set = (sample_set){0};
}

const sample *samples_find(const sample_set *set, const char *name)
{
    for (size_t n = 0; n < set->count; n++) {
        if (strcmp(set->samples[n].name, name) == 0) {
            return &set->samples[n];
        }
    }
    return NULL;
}
