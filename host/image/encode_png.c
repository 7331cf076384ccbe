/* PNG through libpng, into memory. */
#include "host/image/png_support.h"

#include <string.h>

typedef struct writer {
    png_structp png;
    png_infop info;
    png_base base;
    const image *from;
    unsigned char *bytes;
    size_t size, capacity;
    bool out_of_memory;
} writer;

static void on_write(png_structp png, png_bytep from, size_t count)
{
    writer *w = png_get_io_ptr(png);
    void *bytes = w->bytes;
    size_t needed;
    if (!checked_add(w->size, count, &needed) ||
        !memory_grow(&w->from->alloc, &bytes, &w->capacity, needed, 1)) {
        w->out_of_memory = true;
        png_error(png, "out of memory");
    }
    w->bytes = bytes;
    memcpy(w->bytes + w->size, from, count);
    w->size = needed;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void step_write(writer *w)
{
    const image *i = w->from;
    const int colour = i->format == PIXEL_GRAY8  ? PNG_COLOR_TYPE_GRAY
                       : i->format == PIXEL_RGB8 ? PNG_COLOR_TYPE_RGB
                                                 : PNG_COLOR_TYPE_RGBA;
    const size_t stride = (size_t)i->width * pixel_bytes(i->format);
    w->png =
        png_create_write_struct_2(PNG_LIBPNG_VER_STRING, &w->base, png_base_error, png_base_warning,
                                  &w->base, png_base_allocate, png_base_release);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info) {
        w->out_of_memory = true;
        longjmp(w->base.escape, 1);
    }
    png_set_write_fn(w->png, w, on_write, on_flush);
    png_set_user_limits(w->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    /* photographs hardly shrink further at higher levels, which take several times as long */
    png_set_compression_level(w->png, 3);
    png_set_filter(w->png, 0, PNG_FILTER_SUB);
    png_set_IHDR(w->png, w->info, i->width, i->height, 8, colour, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w->png, w->info);
    for (uint32_t y = 0; y < i->height; y++) {
        png_write_row(w->png, i->data + y * stride);
    }
    png_write_end(w->png, w->info);
}

static bool run_write(writer *w)
{
    if (setjmp(w->base.escape)) {
        return false;
    }
    step_write(w);
    return true;
}

status encode_png(const image *i, int quality, unsigned char **bytes, size_t *size, error *err)
{
    (void)quality; /* without loss */
    writer w = {.base.memory = {.alloc = &i->alloc, .cap = IMAGE_WORKING_BYTES}, .from = i};
    const bool good = run_write(&w);
    png_destroy_write_struct(&w.png, &w.info);
    if (!good) {
        memory_release(&i->alloc, w.bytes);
        return w.out_of_memory || w.base.memory.refused || w.base.memory.over_cap
                   ? error_set(err, STATUS_MEMORY, "out of memory while encoding PNG")
                   : error_set(err, STATUS_INTERNAL, "PNG: %s", w.base.message);
    }
    *bytes = w.bytes;
    *size = w.size;
    return STATUS_OK;
}
