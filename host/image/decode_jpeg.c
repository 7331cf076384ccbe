/* JPEG through libjpeg-turbo: gray, YCbCr, RGB, CMYK and YCCK, baseline, progressive and
 * arithmetic-coded as far as the library goes. A file that ends early gives what it holds. */
#include "host/image/codec.h"

#include <limits.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> /* wants stdio.h first */

#include <jerror.h>

/* Encoders write about ten scans; each costs a pass over the whole picture, however few bytes it
 * takes in the file. */
#define MAX_SCANS 100

typedef struct reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    image *out;
    unsigned char *ink;  /* one row of CMYK, NULL for other colours */
    bool decoding;       /* past the header */
    bool ended;          /* the library asked for more than there is */
    bool ended_at_start; /* and no full line of pixels had been decoded by then */
    bool damaged;
    bool too_many_scans;
    char message[JMSG_LENGTH_MAX];
    int code;
} reader;

/* --- callbacks of the library --- */
static void on_error(j_common_ptr info)
{
    reader *r = info->client_data;
    r->code = info->err->msg_code;
    info->err->format_message(info, r->message);
    longjmp(r->escape, 1);
}

static void on_message(j_common_ptr info, int level)
{
    reader *r = info->client_data;
    if (level < 0) {
        info->err->num_warnings++;
        const int code = info->err->msg_code;
        if (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
            code == JWRN_MUST_RESYNC) {
            r->damaged = true;
        }
    }
}

static void on_output(j_common_ptr info)
{
    (void)info;
}

static void on_progress(j_common_ptr info)
{
    reader *r = info->client_data;
    if (r->info.input_scan_number > MAX_SCANS) {
        r->too_many_scans = true;
        longjmp(r->escape, 1);
    }
}

static void source_nothing(j_decompress_ptr info)
{
    (void)info;
}

/* All bytes are in memory from the start, so being asked for more means that the file ends early.
 * An end marker lets the library finish what it has. */
static boolean source_fill(j_decompress_ptr info)
{
    static const JOCTET end[2] = {0xff, JPEG_EOI};
    reader *r = info->client_data;
    if (!r->ended) {
        r->ended = true;
        r->ended_at_start =
            !r->decoding || (info->output_scanline == 0 && info->input_scan_number <= 1 &&
                             info->input_iMCU_row == 0);
    }
    info->src->next_input_byte = end;
    info->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void source_skip(j_decompress_ptr info, long count)
{
    if (count > 0) {
        if ((size_t)count > info->src->bytes_in_buffer) {
            (void)source_fill(info);
        } else {
            info->src->next_input_byte += count;
            info->src->bytes_in_buffer -= (size_t)count;
        }
    }
}

/* --- the orientation, straight from the bytes: markers saved by the library would cost memory ---
 */
static status jpeg_orientation(const encoded *in, uint32_t *orientation, error *err)
{
    size_t at = 2;
    *orientation = 1;
    while (in->size - at >= 4 && in->bytes[at] == 0xff) {
        const unsigned marker = in->bytes[at + 1];
        if (marker == 0xff) { /* fill byte */
            at++;
            continue;
        }
        if (marker == 0xda || marker == 0xd9) {
            break;
        }
        const size_t length = (size_t)in->bytes[at + 2] << 8 | in->bytes[at + 3];
        if (length < 2 || length > in->size - at - 2) {
            break;
        }
        if (marker == 0xe1 && length >= 8 && memcmp(in->bytes + at + 4, "Exif\0\0", 6) == 0) {
            return exif_orientation(in->alloc, in->bytes + at + 10, length - 8, orientation, err);
        }
        at += 2 + length;
    }
    return STATUS_OK;
}

/* --- steps, each run with the way out of errors set --- */
static void step_header(reader *r)
{
    jpeg_create_decompress(&r->info);
    r->info.src = &r->source;
    r->info.progress = &r->progress;
    (void)jpeg_read_header(&r->info, TRUE);
}

/* CMYK with an Adobe marker is stored inverted (255: no ink), as Photoshop writes it; without one
 * it is stored plainly. */
static void ink_to_rgb(const unsigned char *ink, bool inverted, uint32_t width, unsigned char *rgb)
{
    const unsigned flip = inverted ? 0 : 255;
    for (uint32_t x = 0; x < width; x++) {
        const unsigned light = ink[4 * (size_t)x + 3] ^ flip;
        for (size_t c = 0; c < 3; c++) {
            const unsigned value = (ink[4 * (size_t)x + c] ^ flip) * light;
            rgb[3 * (size_t)x + c] = (unsigned char)((value + 127) / 255);
        }
    }
}

static void step_pixels(reader *r)
{
    const size_t stride = (size_t)r->out->width * pixel_bytes(r->out->format);
    (void)jpeg_start_decompress(&r->info);
    while (r->info.output_scanline < r->info.output_height) {
        unsigned char *line = r->out->data + r->info.output_scanline * stride;
        JSAMPROW row = r->ink ? r->ink : line;
        (void)jpeg_read_scanlines(&r->info, &row, 1);
        if (r->ink) {
            ink_to_rgb(r->ink, r->info.saw_Adobe_marker, r->out->width, line);
        }
    }
}

static bool run_step(reader *r, void (*step)(reader *))
{
    if (setjmp(r->escape)) {
        return false;
    }
    step(r);
    return true;
}

static status reader_error(const reader *r, error *err)
{
    if (r->too_many_scans) {
        return error_set(err, STATUS_LIMIT, "JPEG has more than %d scans", MAX_SCANS);
    }
    switch (r->code) {
    case JERR_OUT_OF_MEMORY:
        return error_set(err, STATUS_MEMORY, "out of memory while decoding JPEG");
    case JERR_NO_BACKING_STORE:
        return error_set(err, STATUS_LIMIT, "JPEG needs more memory than the limit allows");
    case JERR_IMAGE_TOO_BIG:
        return error_set(err, STATUS_LIMIT, "JPEG: %s", r->message);
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_CCIR601_NOTIMPL:
    case JERR_FRACT_SAMPLE_NOTIMPL:
        return error_set(err, STATUS_UNSUPPORTED, "JPEG: %s", r->message);
    default:
        return error_set(err, STATUS_IMAGE, "JPEG: %s", r->message);
    }
}

/* The library's own ceiling: what is left of ours beside the pixels. It matters for progressive
 * files, whose coefficients are kept whole. */
static void set_memory_limit(reader *r, const encoded *in)
{
    const size_t all = decoder_memory(in);
    const size_t own = (size_t)r->out->width * r->out->height * pixel_bytes(r->out->format);
    const size_t left = all > own ? all - own : 1;
    r->info.mem->max_memory_to_use = left < LONG_MAX ? (long)left : LONG_MAX;
}

static status choose_output(reader *r, const encoded *in, error *err)
{
    struct jpeg_decompress_struct *info = &r->info;
    pixel_format format = PIXEL_RGB8;
    switch (info->num_components) {
    case 1:
        format = PIXEL_GRAY8;
        info->out_color_space = JCS_GRAYSCALE;
        break;
    case 3:
        info->out_color_space = JCS_RGB;
        break;
    case 4:
        info->out_color_space = JCS_CMYK;
        break;
    default:
        return error_set(err, STATUS_UNSUPPORTED, "JPEG of %d colour components is not supported",
                         info->num_components);
    }
    /* what TensorFlow's and the browsers' decoders do by default, and the most exact the library
     * has */
    info->dct_method = JDCT_ISLOW;
    info->do_fancy_upsampling = TRUE;
    status s =
        image_allocate(in, "JPEG", format, info->image_width, info->image_height, r->out, err);
    if (s == STATUS_OK && info->num_components == 4) {
        r->ink = memory_allocate(in->alloc, info->image_width, 4);
        s = r->ink ? STATUS_OK : error_set(err, STATUS_MEMORY, "out of memory while decoding JPEG");
    }
    if (s == STATUS_OK) {
        set_memory_limit(r, in);
    }
    return s;
}

/* Whether something is missing from what was decoded. The last bytes may be asked for without
 * need, so a single Huffman scan counts as complete unless the library had to make data up. */
static bool reader_is_partial(reader *r)
{
    return r->damaged || (r->ended && (r->info.arith_code || jpeg_has_multiple_scans(&r->info)));
}

status decode_jpeg(const encoded *in, image *out, error *err)
{
    reader r;
    memset(&r, 0, sizeof r);
    r.out = out;
    r.info.client_data = &r;
    r.info.err = jpeg_std_error(&r.errors);
    r.errors.error_exit = on_error;
    r.errors.emit_message = on_message;
    r.errors.output_message = on_output;
    r.progress.progress_monitor = on_progress;
    r.source = (struct jpeg_source_mgr){
        .next_input_byte = in->bytes,
        .bytes_in_buffer = in->size,
        .init_source = source_nothing,
        .fill_input_buffer = source_fill,
        .skip_input_data = source_skip,
        .resync_to_restart = jpeg_resync_to_restart,
        .term_source = source_nothing,
    };
    status s = STATUS_OK;
    if (!run_step(&r, step_header)) {
        s = r.ended ? error_set(err, STATUS_IMAGE, "JPEG ends before its first scan")
                    : reader_error(&r, err);
        goto done;
    }
    s = choose_output(&r, in, err);
    if (s != STATUS_OK) {
        goto done;
    }
    r.decoding = true;
    if (!run_step(&r, step_pixels)) {
        s = reader_error(&r, err);
        goto done;
    }
    out->partial = reader_is_partial(&r);
    if (out->partial && r.ended && r.ended_at_start) {
        s = error_set(err, STATUS_IMAGE, "JPEG ends before its first line of pixels is complete");
        goto done;
    }
    s = jpeg_orientation(in, &out->orientation, err);
done:
    memory_release(in->alloc, r.ink);
    jpeg_destroy_decompress(&r.info);
    return s;
}
