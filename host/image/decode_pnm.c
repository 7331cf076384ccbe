/* PNM (Netpbm): bitmaps, graymaps and pixmaps, as text (P1 P2 P3) and raw (P4 P5 P6), with any
 * maximum from 1 to 65535. Our own decoder, because stb_image (2.27) has no text and no bitmaps,
 * does not scale by the maximum and makes missing data zeros without a word, and Netpbm's own
 * library reads only from a FILE and exits when one is damaged, unless a hook is set for the whole
 * process. */
#include "host/image/codec.h"

typedef struct cursor {
    const unsigned char *bytes;
    size_t size, at;
} cursor;

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(cursor *c)
{
    while (c->at < c->size) {
        if (c->bytes[c->at] == '#') {
            while (c->at < c->size && c->bytes[c->at] != '\n' && c->bytes[c->at] != '\r') {
                c->at++;
            }
        } else if (is_space(c->bytes[c->at])) {
            c->at++;
        } else {
            break;
        }
    }
}

/* false: no number there, or one that no field of the format can hold */
static bool read_number(cursor *c, uint32_t *value)
{
    skip_space(c);
    uint32_t number = 0;
    size_t digits = 0;
    while (c->at < c->size && c->bytes[c->at] >= '0' && c->bytes[c->at] <= '9') {
        if (number > 99999999) {
            return false;
        }
        number = number * 10 + (uint32_t)(c->bytes[c->at++] - '0');
        digits++;
    }
    *value = number;
    return digits > 0;
}

static unsigned char scale(uint32_t value, uint32_t maximum)
{
    return (unsigned char)(((value < maximum ? value : maximum) * 255u + maximum / 2) / maximum);
}

/* All samples in one row of characters; the bits of P1 need no space between them, and 1 is
 * black. */
static status read_text(cursor *c, bool bits, uint32_t maximum, size_t samples, unsigned char *to,
                        error *err)
{
    for (size_t n = 0; n < samples; n++) {
        uint32_t value = 0;
        if (bits) {
            skip_space(c);
            if (c->at == c->size || (c->bytes[c->at] != '0' && c->bytes[c->at] != '1')) {
                return error_set(err, STATUS_IMAGE, "PNM ends early or has a bad bit");
            }
            value = c->bytes[c->at++] == '0';
        } else if (!read_number(c, &value)) {
            return error_set(err, STATUS_IMAGE, "PNM ends early or has a bad number");
        }
        to[n] = scale(value, maximum);
    }
    return STATUS_OK;
}

static void read_bits(const unsigned char *from, uint32_t width, uint32_t height, unsigned char *to)
{
    const size_t row = ((size_t)width + 7) / 8;
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            const unsigned bit = (unsigned)from[y * row + x / 8] >> (7 - x % 8) & 1u;
            to[y * width + x] = bit ? 0 : 255;
        }
    }
}

static void read_raw(const unsigned char *from, uint32_t maximum, size_t samples, unsigned char *to)
{
    if (maximum < 256) {
        for (size_t n = 0; n < samples; n++) {
            to[n] = scale(from[n], maximum);
        }
    } else {
        for (size_t n = 0; n < samples; n++) {
            to[n] = scale((uint32_t)from[2 * n] << 8 | from[2 * n + 1], maximum);
        }
    }
}

status decode_pnm(const encoded *in, image *out, error *err)
{
    cursor c = {in->bytes, in->size, 2};
    const unsigned kind = in->bytes[1] - (unsigned)'0';
    const bool bits = kind == 1 || kind == 4, raw = kind >= 4;
    const uint32_t channels = kind == 3 || kind == 6 ? 3 : 1;
    uint32_t width = 0, height = 0, maximum = 1;
    if (!read_number(&c, &width) || !read_number(&c, &height) ||
        (!bits && !read_number(&c, &maximum)) || maximum < 1 || maximum > 65535) {
        return error_set(err, STATUS_IMAGE, "PNM header is malformed");
    }
    status s = limits_check(in, "PNM", width, height, err);
    if (s != STATUS_OK) {
        return s;
    }
    /* the pixels must be there before memory is taken for them: one byte after the header, then at
     * least this many */
    const size_t samples = (size_t)width * height * channels;
    const size_t needed = kind == 4 ? ((size_t)width + 7) / 8 * height
                          : raw     ? samples * (maximum < 256 ? 1 : 2)
                          : bits    ? samples
                                    : samples * 2 - 1;
    if (c.at >= in->size || !is_space(in->bytes[c.at]) || in->size - c.at - 1 < needed) {
        return error_set(err, STATUS_IMAGE, "PNM ends early: %u x %u pixels need %zu bytes", width,
                         height, needed);
    }
    c.at++;
    s = image_allocate(in, "PNM", channels == 3 ? PIXEL_RGB8 : PIXEL_GRAY8, width, height, out,
                       err);
    if (s != STATUS_OK) {
        return s;
    }
    if (kind == 4) {
        read_bits(in->bytes + c.at, width, height, out->data);
    } else if (raw) {
        read_raw(in->bytes + c.at, maximum, samples, out->data);
    } else {
        s = read_text(&c, bits, maximum, samples, out->data, err);
    }
    return s;
}
