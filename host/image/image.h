/* Pictures: encoded bytes -> oriented 8-bit pixels, boxes and labels drawn on them, pixels ->
 * encoded bytes. */
#ifndef HOST_IMAGE_IMAGE_H
#define HOST_IMAGE_IMAGE_H

#include "engine/detector.h"
#include "host/log.h"

typedef struct image {
    allocator alloc;
    pixel_format
        format; /* PIXEL_GRAY8, PIXEL_RGB8 or PIXEL_RGBA8, row-major, stride = width * bytes */
    uint32_t width, height; /* after orientation */
    uint32_t orientation;   /* EXIF value that was applied, 1 when there was none */
    bool partial;           /* the file is damaged or ended early; what is missing is gray */
    unsigned char *data;
} image;

typedef struct image_limits {
    uint64_t max_pixels;     /* width * height; 0: IMAGE_DEFAULT_MAX_PIXELS */
    uint64_t max_file_bytes; /* 0: IMAGE_DEFAULT_MAX_FILE_BYTES */
} image_limits;

#define IMAGE_DEFAULT_MAX_PIXELS     100000000ull
#define IMAGE_DEFAULT_MAX_FILE_BYTES 268435456ull

/* JPEG (gray, YCbCr, RGB, CMYK, YCCK, progressive), PNG (all depths and colour types), WebP (first
 * frame), BMP, GIF (first frame), TGA, PNM. By content, never by name. Alpha is dropped, not
 * blended. STATUS_IMAGE, STATUS_UNSUPPORTED (TIFF, HEIC, ... by name) or STATUS_LIMIT; the decoder
 * never allocates more than 8 bytes a pixel of max_pixels and 16 MiB. JPEG and GIF that end early
 * give what they hold, with `partial` set and a log line; the others are errors then. */
status image_decode(const allocator *a, const logger *log, const void *bytes, size_t size,
                    const image_limits *limits, image *out, error *err);
/* reads the file first; every message begins with the path */
status image_load(const allocator *a, const logger *log, const char *path,
                  const image_limits *limits, image *out, error *err);
void image_destroy(image *i);
pixels image_pixels(const image *i);

/* One labelled box; colour 0xRRGGBB; text UTF-8. Coordinates in pixels, clipped while drawing. */
typedef struct image_mark {
    float box[4];
    uint32_t colour;
    const char *text;
} image_mark;
/* Draws on RGB8 and RGBA8 (gray is turned into RGB8 first). Line width and font size follow the
 * picture's size. A mark whose box holds NaN or has its corners in the wrong order draws nothing.
 * Thread-safe on different images. */
status image_draw(image *i, const logger *log, const image_mark *marks, size_t count, error *err);

typedef enum image_codec { IMAGE_PNG = 0, IMAGE_JPEG } image_codec;
/* quality 1..100 for JPEG, 0: 90. *bytes is from the image's allocator, released with
 * memory_release. */
status image_encode(const image *i, image_codec codec, int quality, unsigned char **bytes,
                    size_t *size, error *err);

#endif
