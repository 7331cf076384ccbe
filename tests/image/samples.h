/* One small scene in many encodings, made in memory: what the image tests decode, truncate and
 * damage, and what the image fuzzer starts from. */
#ifndef TESTS_IMAGE_SAMPLES_H
#define TESTS_IMAGE_SAMPLES_H

#include "engine/detector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SCENE_WIDTH = 37, SCENE_HEIGHT = 23 };

typedef enum sample_match {
    MATCH_EXACT = 0,
    MATCH_NEAR,   /* lossy coding: the mean difference is small */
    MATCH_LEVELS, /* few levels: every value is within 64 of the scene's */
    MATCH_SIZE    /* black and white: only the size is checked */
} sample_match;

typedef struct sample {
    char name[40];        /* "gray-...": a palette of grays, all channels as scene_gray */
    unsigned char *bytes; /* malloc */
    size_t size;
    pixel_format format; /* of the decoded picture */
    sample_match match;
    uint32_t orientation;
} sample;

typedef struct sample_set {
    sample *samples;
    size_t count;
} sample_set;

/* Red, green, blue of the upright scene; gray is the red. */
void scene_pixel(uint32_t x, uint32_t y, unsigned char rgb[3]);
unsigned char scene_gray(uint32_t x, uint32_t y);

/* All samples; aborts when memory runs out. */
sample_set samples_make(void);
void samples_destroy(sample_set *set);
const sample *samples_find(const sample_set *set, const char *name);

/* --- for the files that make them --- */
typedef struct bytes {
    unsigned char *data;
    size_t size, capacity;
} bytes;
void bytes_put(bytes *b, const void *data, size_t size);
void bytes_u8(bytes *b, unsigned value);
void bytes_le16(bytes *b, unsigned value);
void bytes_le32(bytes *b, uint32_t value);

/* the stored pixels (malloc, RGB) that orientation `o` turns into the scene, and their sides */
unsigned char *scene_stored(uint32_t o, uint32_t *width, uint32_t *height);
/* an EXIF block without lead: TIFF header and the orientation */
void put_exif(bytes *b, uint32_t orientation, bool big_endian);

sample *samples_add(sample_set *set, bytes *b, pixel_format format, sample_match match,
                    uint32_t orientation, const char *format_name, ...)
    __attribute__((format(printf, 6, 7)));

void samples_add_jpeg(sample_set *set);
void samples_add_png(sample_set *set);
void samples_add_webp(sample_set *set);
void samples_add_plain(sample_set *set); /* BMP, GIF, TGA, PNM */

#endif
