/* What the files of this folder share: the input of a decoder, the checks every decoder makes
 * before it allocates, and memory with a ceiling for the libraries that take an allocator. */
#ifndef HOST_IMAGE_CODEC_H
#define HOST_IMAGE_CODEC_H

#include "host/image/image.h"

/* Neither side of a picture may be longer, whatever max_pixels allows: below it, the products of
 * sides and pixel sizes that the decoders form fit their integers. */
#define IMAGE_MAX_SIDE 65535u

/* On top of the 8 bytes a pixel: rows, tables and windows that do not grow with the picture's area.
 */
#define IMAGE_WORKING_BYTES (16u << 20)

/* An encoded picture and what may be spent on it. */
typedef struct encoded {
    const allocator *alloc;
    const unsigned char *bytes;
    size_t size;
    uint64_t max_pixels;
} encoded;

/* A decoder fills format, width, height, data and partial; orientation is the EXIF value found
 * (1 when there is none), not yet applied. `out` comes with its allocator set and is released by
 * the caller when the decoder fails. */
typedef status (*decoder)(const encoded *in, image *out, error *err);

status decode_jpeg(const encoded *in, image *out, error *err);
status decode_png(const encoded *in, image *out, error *err);
status decode_webp(const encoded *in, image *out, error *err);
status decode_bmp(const encoded *in, image *out, error *err);
status decode_gif(const encoded *in, image *out, error *err);
status decode_tga(const encoded *in, image *out, error *err);
status decode_pnm(const encoded *in, image *out, error *err);

/* `codec` in messages: "PNG". Zero sides, sides over IMAGE_MAX_SIDE, more than max_pixels. */
status limits_check(const encoded *in, const char *codec, uint64_t width, uint64_t height,
                    error *err);
/* limits_check, then zeroed pixels into `out`. */
status image_allocate(const encoded *in, const char *codec, pixel_format format, uint64_t width,
                      uint64_t height, image *out, error *err);
/* 8 bytes a pixel of max_pixels and the working bytes; saturates. */
size_t decoder_memory(const encoded *in);

/* The value 1..8 of the orientation tag in an EXIF block that starts with its TIFF header ("II" or
 * "MM"); 1 when there is none, or it makes no sense. Fails only for lack of memory. */
status exif_orientation(const allocator *a, const unsigned char *tiff, size_t size,
                        uint32_t *orientation, error *err);
/* Turns the pixels upright. On failure the image is as it was. */
status image_orient(image *i, error *err);

/* Memory from an allocator with a ceiling on what is live at once. */
typedef struct budget {
    const allocator *alloc;
    size_t cap, live;
    bool over_cap; /* a request was refused because of the cap */
    bool refused;  /* or because the allocator had no more */
} budget;
void *budget_allocate(budget *b, size_t size); /* zeroed */
void budget_release(budget *b, void *memory);

/* quality 1..100, for the formats that have one */
typedef status (*encoder)(const image *i, int quality, unsigned char **bytes, size_t *size,
                          error *err);
status encode_png(const image *i, int quality, unsigned char **bytes, size_t *size, error *err);
status encode_jpeg(const image *i, int quality, unsigned char **bytes, size_t *size, error *err);

#endif
