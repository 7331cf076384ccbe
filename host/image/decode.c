/* From bytes to an upright picture: what the bytes are (told by content, never by name), the
 * decoder for them, then the EXIF orientation. */
#include "host/image/codec.h"

#include <string.h>

static bool starts_with(const encoded *in, size_t at, const char *magic, size_t length)
{
    return in->size >= at && in->size - at >= length && memcmp(in->bytes + at, magic, length) == 0;
}

#define STARTS(in, at, literal) starts_with(in, at, literal, sizeof(literal) - 1)

static bool is_jpeg(const encoded *in)
{
    return STARTS(in, 0, "\xff\xd8\xff");
}

static bool is_png(const encoded *in)
{
    return STARTS(in, 0, "\x89PNG\r\n\x1a\n");
}

static bool is_webp(const encoded *in)
{
    return STARTS(in, 0, "RIFF") && STARTS(in, 8, "WEBP");
}

static bool is_gif(const encoded *in)
{
    return STARTS(in, 0, "GIF87a") || STARTS(in, 0, "GIF89a");
}

static bool is_bmp(const encoded *in)
{
    return STARTS(in, 0, "BM");
}

static bool is_pnm(const encoded *in)
{
    return in->size >= 3 && in->bytes[0] == 'P' && in->bytes[1] >= '1' && in->bytes[1] <= '6' &&
           (strchr(" \t\r\n\v\f#", in->bytes[2]) && in->bytes[2]);
}

/* TGA has no signature: every field of its header that has few legal values must have one. */
static bool is_tga(const encoded *in)
{
    if (in->size < 18) {
        return false;
    }
    const unsigned char *b = in->bytes;
    const unsigned map = b[1], type = b[2], map_bits = b[7], bits = b[16];
    if ((b[12] | b[13]) == 0 || (b[14] | b[15]) == 0 || (b[17] & 0xc0) != 0) {
        return false;
    }
    if (map == 1) {
        return (type == 1 || type == 9) && (b[5] | b[6]) != 0 && (bits == 8 || bits == 16) &&
               (map_bits == 15 || map_bits == 16 || map_bits == 24 || map_bits == 32);
    }
    if (type == 3 || type == 11) {
        return map == 0 && (bits == 8 || bits == 16);
    }
    return map == 0 && (type == 2 || type == 10) &&
           (bits == 15 || bits == 16 || bits == 24 || bits == 32);
}

typedef struct codec {
    const char *name;
    bool (*matches)(const encoded *in);
    decoder decode; /* NULL: its library was absent when this was built */
} codec;

#if VKDET_HAVE_JPEG
#define DECODE_JPEG decode_jpeg
#else
#define DECODE_JPEG NULL
#endif
#if VKDET_HAVE_PNG
#define DECODE_PNG decode_png
#else
#define DECODE_PNG NULL
#endif
#if VKDET_HAVE_WEBP
#define DECODE_WEBP decode_webp
#else
#define DECODE_WEBP NULL
#endif
#if VKDET_HAVE_GIF
#define DECODE_GIF decode_gif
#else
#define DECODE_GIF NULL
#endif
/* TGA last: the others have signatures. */
static const codec codecs[] = {
    {"JPEG", is_jpeg, DECODE_JPEG}, {"PNG", is_png, DECODE_PNG}, {"WebP", is_webp, DECODE_WEBP},
    {"GIF", is_gif, DECODE_GIF},    {"BMP", is_bmp, decode_bmp}, {"PNM", is_pnm, decode_pnm},
    {"TGA", is_tga, decode_tga},
};

/* What people pass by mistake, refused by name. */
static const struct {
    const char *name, *magic;
    size_t at, length;
} foreign[] = {
    {"TIFF", "II*\0", 0, 4},
    {"TIFF", "MM\0*", 0, 4},
    {"BigTIFF", "II+\0", 0, 4},
    {"BigTIFF", "MM\0+", 0, 4},
    {"HEIC", "ftyphei", 4, 7},
    {"HEIC", "ftyphev", 4, 7},
    {"HEIF", "ftypmif1", 4, 8},
    {"HEIF", "ftypmsf1", 4, 8},
    {"AVIF", "ftypavi", 4, 7},
    {"video", "ftyp", 4, 4},
    {"video", "\x1a\x45\xdf\xa3", 0, 4},
    {"video", "AVI ", 8, 4},
    {"JPEG XL", "\xff\x0a", 0, 2},
    {"JPEG XL", "JXL \r\n\x87\n", 4, 8},
    {"JPEG 2000", "jP  \r\n\x87\n", 4, 8},
    {"JPEG 2000", "\xff\x4f\xff\x51", 0, 4},
    {"Photoshop PSD", "8BPS", 0, 4},
    {"OpenEXR", "\x76\x2f\x31\x01", 0, 4},
    {"Radiance HDR", "#?RADIANCE", 0, 10},
    {"Windows icon", "\0\0\1\0", 0, 4},
    {"DDS", "DDS ", 0, 4},
    {"QOI", "qoif", 0, 4},
    {"PAM", "P7\n", 0, 3},
    {"PFM", "PF\n", 0, 3},
    {"PFM", "Pf\n", 0, 3},
    {"PDF", "%PDF-", 0, 5},
    {"PostScript", "%!PS", 0, 4},
    {"ZIP archive", "PK\3\4", 0, 4},
    {"gzip archive", "\x1f\x8b", 0, 2},
};

/* Case-insensitive search in the first bytes. */
static bool head_contains(const encoded *in, const char *word)
{
    const size_t length = strlen(word), end = in->size < 1024 ? in->size : 1024;
    for (size_t at = 0; at + length <= end; at++) {
        size_t n = 0;
        while (n < length) {
            unsigned char c = in->bytes[at + n];
            c = (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
            if (c != (unsigned char)word[n]) {
                break;
            }
            n++;
        }
        if (n == length) {
            return true;
        }
    }
    return false;
}

static bool head_is_text(const encoded *in)
{
    const size_t end = in->size < 512 ? in->size : 512;
    for (size_t at = 0; at < end; at++) {
        const unsigned char c = in->bytes[at];
        if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7f) {
            return false;
        }
    }
    return end > 0;
}

/* No decoder took it: say what it is. */
static status refuse(const encoded *in, error *err)
{
    for (size_t n = 0; n < sizeof foreign / sizeof foreign[0]; n++) {
        if (starts_with(in, foreign[n].at, foreign[n].magic, foreign[n].length)) {
            return error_set(err, STATUS_UNSUPPORTED, "%s is not supported", foreign[n].name);
        }
    }
    if (head_is_text(in)) {
        if (head_contains(in, "<svg")) {
            return error_set(err, STATUS_UNSUPPORTED, "SVG is not supported");
        }
        const bool html = head_contains(in, "<!doctype html") || head_contains(in, "<html");
        return error_set(err, STATUS_IMAGE, "this is %s, not a picture",
                         html ? "an HTML page" : "text");
    }
    return error_set(err, STATUS_IMAGE, "not a picture format that is known here");
}

status image_decode(const allocator *a, const logger *log, const void *bytes, size_t size,
                    const image_limits *limits, image *out, error *err)
{
    const encoded in = {
        .alloc = a,
        .bytes = bytes,
        .size = size,
        .max_pixels = limits && limits->max_pixels ? limits->max_pixels : IMAGE_DEFAULT_MAX_PIXELS,
    };
    const uint64_t max_bytes =
        limits && limits->max_file_bytes ? limits->max_file_bytes : IMAGE_DEFAULT_MAX_FILE_BYTES;
    if (size == 0 || !bytes) {
        return error_set(err, STATUS_IMAGE, "empty: there are no bytes");
    }
    if (size > max_bytes) {
        return error_set(err, STATUS_LIMIT, "%zu bytes exceed the limit of %llu", size,
                         (unsigned long long)max_bytes);
    }
    const codec *found = NULL;
    for (size_t n = 0; n < sizeof codecs / sizeof codecs[0] && !found; n++) {
        found = codecs[n].matches(&in) ? &codecs[n] : NULL;
    }
    if (!found) {
        return refuse(&in, err);
    }
    if (!found->decode) {
        return error_set(err, STATUS_UNSUPPORTED, "%s support was not built in", found->name);
    }
    image picture = {.alloc = *a, .orientation = 1};
    status s = found->decode(&in, &picture, err);
    if (s == STATUS_OK) {
        s = image_orient(&picture, err);
    }
    if (s != STATUS_OK) {
        image_destroy(&picture);
        return s;
    }
    if (picture.partial && log) {
        log_write(log, LOG_image_partial,
                  "%s of %u x %u pixels is damaged or ends early: decoded as far as it goes",
                  found->name, picture.width, picture.height);
    }
    *out = picture;
    return STATUS_OK;
}

void image_destroy(image *i)
{
    if (i && i->data) {
        memory_release(&i->alloc, i->data);
        i->data = NULL;
    }
}

pixels image_pixels(const image *i)
{
    return (pixels){.format = i->format,
                    .width = i->width,
                    .height = i->height,
                    .stride = (size_t)i->width * pixel_bytes(i->format),
                    .data = i->data};
}
