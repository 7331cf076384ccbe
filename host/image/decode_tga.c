/* TGA (Truevision): gray, true colour and palette, plain and run-length, any corner first. The
 * header was checked when the format was recognised. Our own decoder, because stb_image (2.27)
 * mirrors pictures stored from the right, takes the palette's first index for a count of bytes to
 * skip, and makes missing data zeros without a word. */
#include "host/image/codec.h"

enum { HEADER = 18 };

typedef struct targa {
    const encoded *in;
    size_t at;
    uint32_t width, height;
    size_t pixel;             /* bytes of a pixel in the file */
    const unsigned char *map; /* NULL: no palette */
    size_t map_first, map_count, map_entry;
    bool gray, runs;
    /* of the packet being read */
    size_t packet_left;
    bool repeating;
    const unsigned char *current;
} targa;

static uint32_t little16(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

/* NULL when fewer than `count` bytes are left. */
static const unsigned char *take(targa *t, size_t count)
{
    if (count > t->in->size - t->at) {
        return NULL;
    }
    const unsigned char *taken = t->in->bytes + t->at;
    t->at += count;
    return taken;
}

/* The stored bytes of the next pixel; NULL at the end of the file. */
static const unsigned char *next_pixel(targa *t)
{
    if (!t->runs) {
        return take(t, t->pixel);
    }
    if (t->packet_left == 0) {
        const unsigned char *lead = take(t, 1);
        if (!lead) {
            return NULL;
        }
        t->packet_left = (*lead & 0x7fu) + 1;
        t->repeating = *lead >> 7;
        t->current = take(t, t->pixel);
    } else if (!t->repeating) {
        t->current = take(t, t->pixel);
    }
    t->packet_left--;
    return t->current;
}

static void put_colour(const unsigned char *from, size_t size, unsigned char *to)
{
    if (size == 2) {
        const uint32_t value = little16(from);
        for (unsigned c = 0; c < 3; c++) {
            to[c] = (unsigned char)(((value >> (10 - 5 * c) & 31) * 255 + 15) / 31);
        }
    } else {
        for (size_t c = 0; c < 3; c++) {
            to[c] = from[2 - c];
        }
    }
}

static void put_pixel(const targa *t, const unsigned char *from, unsigned char *to)
{
    if (t->gray) {
        *to = *from; /* a second byte is alpha */
    } else if (t->map) {
        const size_t index = (t->pixel == 1 ? *from : little16(from)) - t->map_first;
        if (index < t->map_count) { /* else black */
            put_colour(t->map + index * t->map_entry, t->map_entry, to);
        }
    } else {
        put_colour(from, t->pixel, to);
    }
}

status decode_tga(const encoded *in, image *out, error *err)
{
    const unsigned char *b = in->bytes;
    targa t = {.in = in,
               .at = HEADER,
               .width = little16(b + 12),
               .height = little16(b + 14),
               .pixel = (b[16] + 7u) / 8,
               .gray = (b[2] & 7) == 3,
               .runs = b[2] >= 9};
    const bool leftwards = b[17] & 0x10, top_down = b[17] & 0x20;
    status s = limits_check(in, "TGA", t.width, t.height, err);
    if (s != STATUS_OK) {
        return s;
    }
    bool good = take(&t, b[0]) != NULL; /* the identification */
    if (good && b[1] == 1) {
        t.map_first = little16(b + 3);
        t.map_count = little16(b + 5);
        t.map_entry = (b[7] + 7u) / 8;
        t.map = take(&t, t.map_count * t.map_entry);
        good = t.map != NULL;
    }
    const size_t count = (size_t)t.width * t.height;
    if (!good || (!t.runs && in->size - t.at < count * t.pixel)) {
        return error_set(err, STATUS_IMAGE, "TGA ends early");
    }
    s = image_allocate(in, "TGA", t.gray ? PIXEL_GRAY8 : PIXEL_RGB8, t.width, t.height, out, err);
    if (s != STATUS_OK) {
        return s;
    }
    const size_t bytes = pixel_bytes(out->format);
    for (size_t n = 0; n < count; n++) {
        const size_t column = n % t.width, row = n / t.width;
        const size_t x = leftwards ? t.width - 1 - column : column;
        const size_t y = top_down ? row : t.height - 1 - row;
        const unsigned char *from = next_pixel(&t);
        if (!from) {
            return error_set(err, STATUS_IMAGE, "TGA ends early");
        }
        put_pixel(&t, from, out->data + (y * t.width + x) * bytes);
    }
    return STATUS_OK;
}
