/* EXIF orientation: reading the tag, and the eight ways to turn a picture upright (CIPA DC-008,
 * tag 0x0112). */
#include "host/image/codec.h"

#include <string.h>

#if VKDET_HAVE_EXIF
#include <libexif/exif-data.h>

/* IFD0 stands at the front of a block; what follows it (thumbnails, maker notes) may be megabytes.
 */
#define EXIF_BYTES_READ 65536u

status exif_orientation(const allocator *a, const unsigned char *tiff, size_t size,
                        uint32_t *orientation, error *err)
{
    static const unsigned char lead[6] = {'E', 'x', 'i', 'f', 0, 0};
    *orientation = 1;
    if (size < 14 || (memcmp(tiff, "II", 2) != 0 && memcmp(tiff, "MM", 2) != 0)) {
        return STATUS_OK;
    }
    if (size > EXIF_BYTES_READ) {
        size = EXIF_BYTES_READ;
    }
    /* the library wants the lead that only JPEG has */
    unsigned char *block = memory_allocate(a, size + sizeof lead, 1);
    if (!block) {
        return error_set(err, STATUS_MEMORY, "out of memory while reading EXIF");
    }
    memcpy(block, lead, sizeof lead);
    memcpy(block + sizeof lead, tiff, size);
    ExifData *data = exif_data_new_from_data(block, (unsigned int)(size + sizeof lead));
    memory_release(a, block);
    if (!data) {
        return error_set(err, STATUS_MEMORY, "out of memory while reading EXIF");
    }
    const ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
    if (entry && entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) {
        const unsigned value = exif_get_short(entry->data, exif_data_get_byte_order(data));
        *orientation = value >= 1 && value <= 8 ? value : 1;
    }
    exif_data_unref(data);
    return STATUS_OK;
}
#else
status exif_orientation(const allocator *a, const unsigned char *tiff, size_t size,
                        uint32_t *orientation, error *err)
{
    (void)a;
    (void)tiff;
    (void)size;
    (void)err;
    *orientation = 1;
    return STATUS_OK;
}
#endif

/* Where the pixel that lands at (0, 0) is in the stored picture, and how a step right or down in
 * the upright picture moves there. */
typedef struct turn {
    bool swaps_sides, from_right, from_bottom;
} turn;

static const turn turns[9] = {
    [1] = {false, false, false}, [2] = {false, true, false}, [3] = {false, true, true},
    [4] = {false, false, true},  [5] = {true, false, false}, [6] = {true, false, true},
    [7] = {true, true, true},    [8] = {true, true, false},
};

/* Square tiles keep both pictures in cache when sides are swapped. */
enum { TILE = 64 };

static void copy_tile(const image *from, unsigned char *to, uint32_t x0, uint32_t y0,
                      uint32_t to_width, uint32_t to_height)
{
    const turn t = turns[from->orientation];
    const size_t bytes = pixel_bytes(from->format);
    const uint32_t x1 = to_width - x0 < TILE ? to_width : x0 + TILE;
    const uint32_t y1 = to_height - y0 < TILE ? to_height : y0 + TILE;
    for (uint32_t y = y0; y < y1; y++) {
        for (uint32_t x = x0; x < x1; x++) {
            uint32_t sx = t.swaps_sides ? y : x, sy = t.swaps_sides ? x : y;
            sx = t.from_right ? from->width - 1 - sx : sx;
            sy = t.from_bottom ? from->height - 1 - sy : sy;
            const unsigned char *source = from->data + ((size_t)sy * from->width + sx) * bytes;
            unsigned char *target = to + ((size_t)y * to_width + x) * bytes;
            for (size_t b = 0; b < bytes; b++) {
                target[b] = source[b];
            }
        }
    }
}

status image_orient(image *i, error *err)
{
    if (i->orientation <= 1 || i->orientation > 8) {
        i->orientation = 1;
        return STATUS_OK;
    }
    const bool swap = turns[i->orientation].swaps_sides;
    const uint32_t width = swap ? i->height : i->width, height = swap ? i->width : i->height;
    unsigned char *upright =
        memory_allocate(&i->alloc, (size_t)width * height, pixel_bytes(i->format));
    if (!upright) {
        return error_set(err, STATUS_MEMORY, "out of memory while turning %u x %u pixels upright",
                         i->width, i->height);
    }
    for (uint32_t y = 0; y < height; y += TILE) {
        for (uint32_t x = 0; x < width; x += TILE) {
            copy_tile(i, upright, x, y, width, height);
        }
    }
    memory_release(&i->alloc, i->data);
    i->data = upright;
    i->width = width;
    i->height = height;
    return STATUS_OK;
}
