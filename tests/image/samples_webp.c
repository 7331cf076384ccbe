/* The scene as WebP: lossy, lossless, with alpha, in the extended container with EXIF, and as the
 * first frame of an animation. */
#include "tests/image/samples.h"

#include <stdlib.h>
#include <string.h>
#include <webp/encode.h>

static void put_chunk(bytes *b, const char *name, const void *data, size_t size)
{
    bytes_put(b, name, 4);
    bytes_le32(b, (uint32_t)size);
    bytes_put(b, data, size);
    if (size % 2) {
        bytes_u8(b, 0);
    }
}

static void put_riff(bytes *b, const bytes *chunks)
{
    bytes_put(b, "RIFF", 4);
    bytes_le32(b, (uint32_t)chunks->size + 4);
    bytes_put(b, "WEBP", 4);
    bytes_put(b, chunks->data, chunks->size);
}

static void put_le24(bytes *b, uint32_t value)
{
    bytes_le16(b, value & 0xffff);
    bytes_u8(b, value >> 16);
}

static void put_extended_header(bytes *b, unsigned flags, uint32_t width, uint32_t height)
{
    bytes header = {0};
    bytes_le32(&header, flags);
    put_le24(&header, width - 1);
    put_le24(&header, height - 1);
    put_chunk(b, "VP8X", header.data, header.size);
    free(header.data);
}

/* The chunk of the lossless coding, without the RIFF header around it. */
static void put_lossless(bytes *b, uint32_t orientation, uint32_t *width, uint32_t *height)
{
    uint8_t *coded = NULL;
    unsigned char *rgb = scene_stored(orientation, width, height);
    const size_t size =
        WebPEncodeLosslessRGB(rgb, (int)*width, (int)*height, (int)*width * 3, &coded);
    bytes_put(b, coded + 12, size - 12);
    WebPFree(coded);
    free(rgb);
}

static void add_simple(sample_set *set)
{
    bytes b = {0};
    uint32_t width, height;
    uint8_t *coded = NULL;
    unsigned char *rgb = scene_stored(1, &width, &height), rgba[64 * 64 * 4];
    for (size_t n = 0; n < (size_t)width * height; n++) {
        memcpy(rgba + 4 * n, rgb + 3 * n, 3);
        rgba[4 * n + 3] = (unsigned char)(n & 0xff);
    }
    size_t size = WebPEncodeLosslessRGB(rgb, (int)width, (int)height, (int)width * 3, &coded);
    bytes_put(&b, coded, size);
    WebPFree(coded);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "webp-lossless");
    size = WebPEncodeRGB(rgb, (int)width, (int)height, (int)width * 3, 95, &coded);
    bytes_put(&b, coded, size);
    WebPFree(coded);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_NEAR, 1, "webp-lossy");
    size = WebPEncodeRGBA(rgba, (int)width, (int)height, (int)width * 4, 95, &coded);
    bytes_put(&b, coded, size);
    WebPFree(coded);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_SIZE, 1, "webp-lossy-alpha");
    free(rgb);
}

static void add_turned(sample_set *set, uint32_t orientation, bool lead)
{
    bytes b = {0}, coded = {0}, chunks = {0}, exif = {0};
    uint32_t width, height;
    put_lossless(&coded, orientation, &width, &height);
    put_extended_header(&chunks, 0x08, width, height);
    bytes_put(&chunks, coded.data, coded.size);
    if (lead) {
        bytes_put(&exif, "Exif\0\0", 6);
    }
    put_exif(&exif, orientation, orientation % 2 == 0);
    put_chunk(&chunks, "EXIF", exif.data, exif.size);
    put_riff(&b, &chunks);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, orientation, "webp-turned-%u", orientation);
    free(coded.data);
    free(chunks.data);
    free(exif.data);
}

static void add_animation(sample_set *set)
{
    bytes b = {0}, coded = {0}, chunks = {0}, frame = {0};
    uint32_t width, height;
    put_lossless(&coded, 1, &width, &height);
    put_extended_header(&chunks, 0x02, width, height);
    put_chunk(&chunks, "ANIM", "\xff\xff\xff\xff\0\0", 6);
    put_le24(&frame, 0);
    put_le24(&frame, 0);
    put_le24(&frame, width - 1);
    put_le24(&frame, height - 1);
    put_le24(&frame, 100);
    bytes_u8(&frame, 0);
    bytes_put(&frame, coded.data, coded.size);
    put_chunk(&chunks, "ANMF", frame.data, frame.size);
    put_chunk(&chunks, "ANMF", frame.data, frame.size);
    put_riff(&b, &chunks);
    (void)samples_add(set, &b, PIXEL_RGB8, MATCH_EXACT, 1, "webp-animation");
    free(coded.data);
    free(chunks.data);
    free(frame.data);
}

void samples_add_webp(sample_set *set)
{
    add_simple(set);
    for (uint32_t o = 1; o <= 8; o++) {
        add_turned(set, o, o % 3 == 0);
    }
    add_animation(set);
}
