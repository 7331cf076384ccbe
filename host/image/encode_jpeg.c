/* JPEG through libjpeg-turbo, into memory. */
#include "host/image/codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> /* wants stdio.h first */

#include <jerror.h>

typedef struct writer {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    jmp_buf escape;
    const image *from;
    int quality;
    unsigned char *bytes;
    size_t capacity;
    bool out_of_memory;
    char message[JMSG_LENGTH_MAX];
} writer;

static void on_error(j_common_ptr info)
{
    writer *w = info->client_data;
    w->out_of_memory |= info->err->msg_code == JERR_OUT_OF_MEMORY;
    info->err->format_message(info, w->message);
    longjmp(w->escape, 1);
}

static void on_output(j_common_ptr info)
{
    (void)info;
}

/* Room for more behind the first `used` bytes. */
static void grow(writer *w, size_t used)
{
    void *bytes = w->bytes;
    size_t needed;
    if (!checked_add(used, 65536, &needed) ||
        !memory_grow(&w->from->alloc, &bytes, &w->capacity, needed, 1)) {
        w->out_of_memory = true;
        longjmp(w->escape, 1);
    }
    w->bytes = bytes;
    w->destination.next_output_byte = w->bytes + used;
    w->destination.free_in_buffer = w->capacity - used;
}

static void on_begin(j_compress_ptr info)
{
    grow(info->client_data, 0);
}

/* Called when the buffer is full, whatever the library's own counters say. */
static boolean on_full(j_compress_ptr info)
{
    writer *w = info->client_data;
    grow(w, w->capacity);
    return TRUE;
}

static void on_end(j_compress_ptr info)
{
    (void)info;
}

static void step_write(writer *w)
{
    const image *i = w->from;
    const size_t stride = (size_t)i->width * pixel_bytes(i->format);
    jpeg_create_compress(&w->info);
    w->info.dest = &w->destination;
    w->info.image_width = i->width;
    w->info.image_height = i->height;
    w->info.input_components = (int)pixel_bytes(i->format);
    w->info.in_color_space = i->format == PIXEL_GRAY8  ? JCS_GRAYSCALE
                             : i->format == PIXEL_RGB8 ? JCS_RGB
                                                       : JCS_EXT_RGBX;
    jpeg_set_defaults(&w->info);
    jpeg_set_quality(&w->info, w->quality, TRUE);
    if (w->quality >= 90 && i->format != PIXEL_GRAY8) {
        /* full colour resolution: half of it would smear thin coloured lines and letters */
        w->info.comp_info[0].h_samp_factor = 1;
        w->info.comp_info[0].v_samp_factor = 1;
    }
    jpeg_start_compress(&w->info, TRUE);
    while (w->info.next_scanline < w->info.image_height) {
        JSAMPROW row = i->data + w->info.next_scanline * stride;
        (void)jpeg_write_scanlines(&w->info, &row, 1);
    }
    jpeg_finish_compress(&w->info);
}

static bool run_write(writer *w)
{
    if (setjmp(w->escape)) {
        return false;
    }
    step_write(w);
    return true;
}

status encode_jpeg(const image *i, int quality, unsigned char **bytes, size_t *size, error *err)
{
    writer w;
    memset(&w, 0, sizeof w);
    w.from = i;
    w.quality = quality;
    w.info.client_data = &w;
    w.info.err = jpeg_std_error(&w.errors);
    w.errors.error_exit = on_error;
    w.errors.output_message = on_output;
    w.destination.init_destination = on_begin;
    w.destination.empty_output_buffer = on_full;
    w.destination.term_destination = on_end;
    const bool good = run_write(&w);
    jpeg_destroy_compress(&w.info);
    if (!good) {
        memory_release(&i->alloc, w.bytes);
        return w.out_of_memory ? error_set(err, STATUS_MEMORY, "out of memory while encoding JPEG")
                               : error_set(err, STATUS_LIMIT, "JPEG: %s", w.message);
    }
    *bytes = w.bytes;
    *size = w.capacity - w.destination.free_in_buffer;
    return STATUS_OK;
}
