/* BMP: the headers of OS/2 and Windows, 1 to 32 bits a pixel, palettes, bit fields, run lengths,
 * either row order. Our own decoder, because stb_image (2.27) has no run lengths, leaves out the
 * last entries of OS/2 palettes, reads undefined entries as they lie in memory, and makes missing
 * data zeros without a word. */
#include "host/image/codec.h"

#include <string.h>

enum { FILE_HEADER = 14, MASKS_AT = 54, ENTRIES_MAX = 256 };
enum {
    PLAIN = 0,
    RLE8 = 1,
    RLE4 = 2,
    FIELDS = 3,
    JPEG_INSIDE = 4,
    PNG_INSIDE = 5,
    ALPHA_FIELDS = 6
};

typedef struct bitmap {
    const encoded *in;
    size_t start, header; /* of the pixels in the file; of the second header its size */
    uint64_t width, height;
    uint32_t bits, compression;
    uint32_t masks[3];
    unsigned shifts[3]; /* of a mask's lowest bit */
    bool top_down;
    unsigned char palette[ENTRIES_MAX][3]; /* what the file does not define is black */
} bitmap;

static uint32_t little16(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

static uint32_t little32(const unsigned char *b)
{
    return little16(b) | little16(b + 2) << 16;
}

static uint64_t magnitude(uint32_t two_complement)
{
    const int64_t value = (int32_t)two_complement;
    return (uint64_t)(value < 0 ? -value : value);
}

static status ends_early(error *err)
{
    return error_set(err, STATUS_IMAGE, "BMP ends early");
}

static void read_palette(bitmap *b, size_t count)
{
    const size_t entry = b->header == 12 ? 3 : 4, at = FILE_HEADER + b->header;
    const size_t room = (b->start - at) / entry;
    count = count == 0 || count > ENTRIES_MAX ? ENTRIES_MAX : count;
    count = count < room ? count : room;
    for (size_t n = 0; n < count; n++) {
        const unsigned char *bgr = b->in->bytes + at + n * entry;
        for (size_t c = 0; c < 3; c++) {
            b->palette[n][c] = bgr[2 - c];
        }
    }
}

static status read_header(bitmap *b, error *err)
{
    const unsigned char *bytes = b->in->bytes;
    if (b->in->size < FILE_HEADER + 12) {
        return ends_early(err);
    }
    b->start = little32(bytes + 10);
    b->header = little32(bytes + 14);
    if ((b->header != 12 && b->header < 40) || b->header > 1024) {
        return error_set(err, STATUS_IMAGE, "BMP has an unknown header of %zu bytes", b->header);
    }
    if (b->start < FILE_HEADER + b->header || b->start > b->in->size) {
        return ends_early(err);
    }
    size_t colours = 0;
    if (b->header == 12) {
        b->width = little16(bytes + 18);
        b->height = little16(bytes + 20);
        b->bits = little16(bytes + 24);
    } else {
        b->width = magnitude(little32(bytes + 18));
        b->height = magnitude(little32(bytes + 22));
        b->top_down = bytes[25] >> 7;
        b->bits = little16(bytes + 28);
        b->compression = little32(bytes + 30);
        colours = little32(bytes + 46);
    }
    if (b->bits <= 8) {
        read_palette(b, colours);
    }
    return STATUS_OK;
}

/* Which combinations of depth and compression there are, and where the masks come from. */
static status check_coding(bitmap *b, error *err)
{
    const uint32_t bits = b->bits, coding = b->compression;
    const bool fields = coding == FIELDS || coding == ALPHA_FIELDS;
    if (coding == JPEG_INSIDE || coding == PNG_INSIDE || coding > ALPHA_FIELDS) {
        return error_set(err, STATUS_UNSUPPORTED, "BMP compression %u is not supported", coding);
    }
    const bool good =
        coding == RLE8   ? bits == 8 && !b->top_down
        : coding == RLE4 ? bits == 4 && !b->top_down
        : fields         ? bits == 16 || bits == 32
                 : bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
    if (!good) {
        return error_set(err, STATUS_IMAGE, "BMP of %u bits with compression %u is malformed", bits,
                         coding);
    }
    const uint32_t defaults[2][3] = {{0x7c00, 0x03e0, 0x001f}, {0xff0000, 0xff00, 0xff}};
    memcpy(b->masks, defaults[bits == 32], sizeof b->masks);
    if (fields) {
        if (b->in->size < MASKS_AT + 12) {
            return ends_early(err);
        }
        for (size_t c = 0; c < 3; c++) {
            b->masks[c] = little32(b->in->bytes + MASKS_AT + 4 * c);
        }
    }
    for (size_t c = 0; c < 3; c++) {
        while (b->masks[c] && !(b->masks[c] >> b->shifts[c] & 1u)) {
            b->shifts[c]++;
        }
    }
    return STATUS_OK;
}

static unsigned char field(const bitmap *b, uint32_t value, size_t c)
{
    const uint32_t top = b->masks[c] >> b->shifts[c];
    const uint32_t part = (value & b->masks[c]) >> b->shifts[c];
    if (top == 255 || top == 0) {
        return (unsigned char)part;
    }
    return (unsigned char)(((uint64_t)part * 255 + top / 2) / top);
}

static void read_row(const bitmap *b, const unsigned char *from, unsigned char *to)
{
    for (size_t x = 0; x < b->width; x++, to += 3) {
        if (b->bits <= 8) {
            const size_t per_byte = 8 / b->bits;
            const unsigned shift = 8 - b->bits * (unsigned)(x % per_byte + 1);
            const unsigned index = (unsigned)from[x / per_byte] >> shift & ((1u << b->bits) - 1);
            memcpy(to, b->palette[index], 3);
        } else if (b->bits == 24) {
            for (size_t c = 0; c < 3; c++) {
                to[c] = from[3 * x + 2 - c];
            }
        } else {
            const uint32_t value = b->bits == 16 ? little16(from + 2 * x) : little32(from + 4 * x);
            for (size_t c = 0; c < 3; c++) {
                to[c] = field(b, value, c);
            }
        }
    }
}

/* Rows are padded to four bytes; the padding of the last may be missing. */
static status read_rows(const bitmap *b, image *out, error *err)
{
    const size_t used = ((size_t)b->width * b->bits + 7) / 8, stride = (used + 3) / 4 * 4;
    if (b->in->size - b->start < stride * (b->height - 1) + used) {
        return ends_early(err);
    }
    status s = image_allocate(b->in, "BMP", PIXEL_RGB8, b->width, b->height, out, err);
    for (size_t n = 0; n < b->height && s == STATUS_OK; n++) {
        const size_t y = b->top_down ? n : b->height - 1 - n;
        read_row(b, b->in->bytes + b->start + n * stride, out->data + y * b->width * 3);
    }
    return s;
}

/* --- run lengths: pairs of a count and what to repeat; count 0 leads an escape --- */
typedef struct runs {
    const bitmap *b;
    image *out;
    size_t at;
    uint64_t x, y; /* y from the bottom */
} runs;

static void put_index(runs *r, unsigned index)
{
    if (r->x < r->b->width && r->y < r->b->height) {
        const size_t row = (size_t)(r->b->height - 1 - r->y);
        memcpy(r->out->data + (row * r->b->width + r->x) * 3, r->b->palette[index], 3);
    }
    r->x++;
}

/* `count` indices as they are, padded to two bytes; false when they are not all there */
static bool read_literal(runs *r, size_t count)
{
    const unsigned char *from = r->b->in->bytes + r->at;
    const size_t bytes = r->b->compression == RLE8 ? count : (count + 1) / 2;
    if (bytes > r->b->in->size - r->at) {
        return false;
    }
    for (size_t n = 0; n < count; n++) {
        const unsigned half = n % 2 ? from[n / 2] & 15u : (unsigned)from[n / 2] >> 4;
        put_index(r, r->b->compression == RLE8 ? from[n] : half);
    }
    const size_t padded = bytes + bytes % 2, left = r->b->in->size - r->at;
    r->at += padded < left ? padded : left;
    return true;
}

/* What no run reaches has the first colour. */
static status read_runs(const bitmap *b, image *out, error *err)
{
    status s = image_allocate(b->in, "BMP", PIXEL_RGB8, b->width, b->height, out, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t n = 0; n < (size_t)b->width * b->height; n++) {
        memcpy(out->data + 3 * n, b->palette[0], 3);
    }
    runs r = {.b = b, .out = out, .at = b->start};
    while (r.y < b->height && b->in->size - r.at >= 2) {
        const unsigned char *pair = b->in->bytes + r.at;
        const unsigned count = pair[0], value = pair[1];
        r.at += 2;
        if (count > 0) {
            for (unsigned n = 0; n < count; n++) {
                const unsigned half = n % 2 ? value & 15u : value >> 4;
                put_index(&r, b->compression == RLE8 ? value : half);
            }
        } else if (value == 0) { /* end of the line */
            r.x = 0;
            r.y++;
        } else if (value == 1) { /* end of the picture */
            return STATUS_OK;
        } else if (value == 2) { /* a step right and up */
            if (b->in->size - r.at < 2) {
                break;
            }
            r.x += b->in->bytes[r.at];
            r.y += b->in->bytes[r.at + 1];
            r.at += 2;
        } else if (!read_literal(&r, value)) {
            break;
        }
    }
    return r.y >= b->height ? STATUS_OK : ends_early(err);
}

status decode_bmp(const encoded *in, image *out, error *err)
{
    bitmap b = {.in = in};
    status s = read_header(&b, err);
    if (s == STATUS_OK) {
        s = limits_check(in, "BMP", b.width, b.height, err);
    }
    if (s == STATUS_OK) {
        s = check_coding(&b, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    const bool run_lengths = b.compression == RLE8 || b.compression == RLE4;
    return run_lengths ? read_runs(&b, out, err) : read_rows(&b, out, err);
}
