/* PNG through libpng: every bit depth and colour type, Adam7. Alpha is dropped. Gamma and colour
 * profiles are ignored: the networks were trained on the stored values, and a file that differs
 * only in these chunks must give the same detections. */
#include "host/image/png_support.h"

#include <string.h>

#define CHUNK_BYTES_MAX (8u << 20)

typedef struct reader {
    png_structp png;
    png_infop info;
    png_base base;
    const encoded *in;
    size_t at;
    image *out;
    uint32_t width, height;
    pixel_format format;
    png_bytep exif; /* NULL: none; the library's */
    png_uint_32 exif_size;
    bool ended;
} reader;

/* --- callbacks of the library --- */
static void on_read(png_structp png, png_bytep to, size_t count)
{
    reader *r = png_get_io_ptr(png);
    if (count > r->in->size - r->at) {
        r->ended = true;
        png_error(png, "ends early");
    }
    memcpy(to, r->in->bytes + r->at, count);
    r->at += count;
}

/* --- steps, each run with the way out of errors set --- */
static void step_header(reader *r)
{
    /* of the chunks that are no pixels only eXIf matters; the rest is passed over unread */
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_AS_DEFAULT, (png_const_bytep) "eXIf", 1);
    png_set_user_limits(r->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(r->png, CHUNK_BYTES_MAX);
    png_set_chunk_cache_max(r->png, 16);
    png_set_read_fn(r->png, r, on_read);
    png_read_info(r->png, r->info);
    r->width = png_get_image_width(r->png, r->info);
    r->height = png_get_image_height(r->png, r->info);
    const int colour = png_get_color_type(r->png, r->info);
    r->format = (colour & PNG_COLOR_MASK_COLOR) ? PIXEL_RGB8 : PIXEL_GRAY8;
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(r->png);
    } else if (colour == PNG_COLOR_TYPE_GRAY) {
        png_set_expand_gray_1_2_4_to_8(r->png);
    }
    png_set_scale_16(r->png); /* v * 255 / 65535, rounded; stripping would shift the values down */
    png_set_strip_alpha(r->png);
}

static void step_pixels(reader *r)
{
    const int passes = png_set_interlace_handling(r->png);
    const size_t stride = (size_t)r->width * pixel_bytes(r->format);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != stride) {
        png_error(r->png, "unexpected pixel size");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t y = 0; y < r->height; y++) {
            png_read_row(r->png, r->out->data + y * stride, NULL);
        }
    }
    png_read_end(r->png, r->info);
    if (!png_get_eXIf_1(r->png, r->info, &r->exif_size, &r->exif)) {
        r->exif = NULL;
    }
}

static bool run_step(reader *r, void (*step)(reader *))
{
    if (setjmp(r->base.escape)) {
        return false;
    }
    step(r);
    return true;
}

static void step_create(reader *r)
{
    r->png =
        png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r->base, png_base_error, png_base_warning,
                                 &r->base, png_base_allocate, png_base_release);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
}

static status reader_error(const reader *r, error *err)
{
    if (r->ended) {
        return error_set(err, STATUS_IMAGE, "PNG ends early");
    }
    if (r->base.memory.over_cap) {
        return error_set(err, STATUS_LIMIT, "PNG needs more memory than the limit allows");
    }
    if (r->base.memory.refused) {
        return error_set(err, STATUS_MEMORY, "out of memory while decoding PNG");
    }
    return error_set(err, STATUS_IMAGE, "PNG: %s", r->base.message);
}

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

status decode_png(const encoded *in, image *out, error *err)
{
    /* the sides first, before the library sees them: IHDR is always the first chunk */
    if (in->size < 33 || memcmp(in->bytes + 12, "IHDR", 4) != 0) {
        return error_set(err, STATUS_IMAGE, "PNG ends early or has no header");
    }
    status s = limits_check(in, "PNG", big_endian(in->bytes + 16), big_endian(in->bytes + 20), err);
    if (s != STATUS_OK) {
        return s;
    }
    reader r = {
        .base.memory = {.alloc = in->alloc, .cap = IMAGE_WORKING_BYTES}, .in = in, .out = out};
    if (!run_step(&r, step_create) || !r.info) {
        s = error_set(err, STATUS_MEMORY, "out of memory while decoding PNG");
        goto done;
    }
    if (!run_step(&r, step_header)) {
        s = reader_error(&r, err);
        goto done;
    }
    s = image_allocate(in, "PNG", r.format, r.width, r.height, out, err);
    if (s != STATUS_OK) {
        goto done;
    }
    /* the library passes over a chunk it had no memory for: without eXIf the picture could lie on
     * its side */
    if (!run_step(&r, step_pixels) || r.base.memory.refused) {
        s = reader_error(&r, err);
        goto done;
    }
    if (r.exif) {
        s = exif_orientation(in->alloc, r.exif, r.exif_size, &out->orientation, err);
    }
done:
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return s;
}
