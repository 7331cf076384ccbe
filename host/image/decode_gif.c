/* GIF through giflib, first frame only: line by line, as its function for whole files would read
 * every later frame too and give nothing of a file that was cut. Transparent pixels keep the colour
 * of their palette entry (alpha is dropped, as everywhere here). */
#include "host/image/codec.h"

#include <gif_lib.h>
#include <string.h>

enum { MISSING_GRAY = 128, COLOURS = 256 };

typedef struct source {
    const encoded *in;
    size_t at;
    bool in_pixels; /* what comes are blocks, each led by its length, up to one of length 0 */
    bool in_block;  /* of these the length was read, but not yet the block */
    bool ended;     /* the file has less than was asked for */
} source;

/* The library gives nothing of a block that is not there whole, and takes a chain of blocks without
 * its end for an error even when no pixel is missing: to it, a file that was cut ends with a
 * shorter block and the end of the chain. */
static void read_length(source *s, GifByteType *to)
{
    const size_t left = s->in->size - s->at;
    size_t length = 0;
    if (left > 0) {
        length = s->in->bytes[s->at++];
    }
    if (left == 0 || length > left - 1) {
        s->ended = true;
        length = left > 0 ? left - 1 : 0;
    }
    s->in_block = length > 0;
    *to = (GifByteType)length;
}

static int on_read(GifFileType *gif, GifByteType *to, int count)
{
    source *s = gif->UserData;
    if (s->in_pixels && !s->in_block) {
        read_length(s, to);
        return 1;
    }
    s->in_block = false;
    const size_t left = s->in->size - s->at;
    size_t given = (size_t)count;
    if (given > left) {
        s->ended = true;
        given = left;
    }
    memcpy(to, s->in->bytes + s->at, given);
    s->at += given;
    return (int)given;
}

static status gif_error(const GifFileType *gif, const char *goal, error *err)
{
    const source *s = gif->UserData;
    if (gif->Error == D_GIF_ERR_NOT_ENOUGH_MEM) {
        return error_set(err, STATUS_MEMORY, "out of memory while decoding GIF");
    }
    if (s->ended || gif->Error == D_GIF_ERR_EOF_TOO_SOON) {
        return error_set(err, STATUS_IMAGE, "GIF ends before its first %s", goal);
    }
    return error_set(err, STATUS_IMAGE, "GIF is malformed");
}

/* Passes over extensions up to the first frame and reads its header. */
static status find_frame(GifFileType *gif, error *err)
{
    GifRecordType kind = UNDEFINED_RECORD_TYPE;
    int done = DGifGetRecordType(gif, &kind);
    while (done != GIF_ERROR && kind == EXTENSION_RECORD_TYPE) {
        GifByteType *block = NULL;
        int label;
        done = DGifGetExtension(gif, &label, &block);
        while (done != GIF_ERROR && block) {
            done = DGifGetExtensionNext(gif, &block);
        }
        if (done != GIF_ERROR) {
            done = DGifGetRecordType(gif, &kind);
        }
    }
    if (done != GIF_ERROR && kind == TERMINATE_RECORD_TYPE) {
        return error_set(err, STATUS_IMAGE, "GIF holds no frame");
    }
    if (done == GIF_ERROR || DGifGetImageDesc(gif) == GIF_ERROR) {
        return gif_error(gif, "frame", err);
    }
    return STATUS_OK;
}

static void copy_colour(const ColorMapObject *map, int index, unsigned char rgb[3])
{
    const bool known = map && index < map->ColorCount;
    const GifColorType colour = known ? map->Colors[index] : (GifColorType){0, 0, 0};
    rgb[0] = colour.Red;
    rgb[1] = colour.Green;
    rgb[2] = colour.Blue;
}

/* Where the pixels of the frame go. */
typedef struct frame {
    const image *to;
    size_t x, y, width, height;
    unsigned char rgb[COLOURS][3]; /* what the file does not define is black */
} frame;

static unsigned char *frame_row(const frame *f, size_t row)
{
    return f->to->data + ((f->y + row) * f->to->width + f->x) * 3;
}

/* The canvas in the background's colour, the frame's part of it in gray until its pixels come. */
static void prepare_canvas(const frame *f, const unsigned char background[3])
{
    const image *to = f->to;
    for (size_t n = 0; n < (size_t)to->width * to->height; n++) {
        memcpy(to->data + 3 * n, background, 3);
    }
    for (size_t row = 0; row < f->height; row++) {
        memset(frame_row(f, row), MISSING_GRAY, f->width * 3);
    }
}

/* How many rows the file gives; a row that it does not give whole stays gray. */
static size_t read_rows(GifFileType *gif, const frame *f, GifPixelType *line)
{
    static const struct {
        size_t start, step;
    } passes[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    const bool interlaced = gif->Image.Interlace;
    size_t count = 0;
    for (size_t pass = 0; pass < (interlaced ? 4 : 1); pass++) {
        const size_t step = interlaced ? passes[pass].step : 1;
        for (size_t row = passes[pass].start; row < f->height; row += step) {
            if (DGifGetLine(gif, line, (int)f->width) == GIF_ERROR) {
                return count;
            }
            unsigned char *to = frame_row(f, row);
            for (size_t x = 0; x < f->width; x++) {
                memcpy(to + 3 * x, f->rgb[line[x]], 3);
            }
            count++;
        }
    }
    return count;
}

/* A frame that sticks out makes the canvas larger, as in browsers. */
static status allocate_canvas(const encoded *in, const GifFileType *gif, const frame *f, image *out,
                              error *err)
{
    const size_t width = (size_t)gif->SWidth, height = (size_t)gif->SHeight;
    const size_t right = f->x + f->width, bottom = f->y + f->height;
    return image_allocate(in, "GIF", PIXEL_RGB8, right > width ? right : width,
                          bottom > height ? bottom : height, out, err);
}

static status read_frame(const encoded *in, GifFileType *gif, image *out, error *err)
{
    const GifImageDesc *place = &gif->Image;
    const ColorMapObject *map = place->ColorMap ? place->ColorMap : gif->SColorMap;
    frame f = {.to = out,
               .x = (size_t)place->Left,
               .y = (size_t)place->Top,
               .width = (size_t)place->Width,
               .height = (size_t)place->Height};
    if (!map) {
        return error_set(err, STATUS_IMAGE, "GIF has no palette");
    }
    if (f.width == 0 || f.height == 0) {
        return error_set(err, STATUS_IMAGE, "GIF frame says %zu x %zu pixels", f.width, f.height);
    }
    status s = allocate_canvas(in, gif, &f, out, err);
    if (s != STATUS_OK) {
        return s;
    }
    GifPixelType *line = memory_allocate(in->alloc, f.width, 1);
    if (!line) {
        return error_set(err, STATUS_MEMORY, "out of memory while decoding GIF");
    }
    unsigned char background[3];
    copy_colour(gif->SColorMap, gif->SBackGroundColor, background);
    for (int n = 0; n < COLOURS; n++) {
        copy_colour(map, n, f.rgb[n]);
    }
    prepare_canvas(&f, background);
    source *from = gif->UserData;
    from->in_pixels = true;
    const size_t rows = read_rows(gif, &f, line);
    memory_release(in->alloc, line);
    if (rows == 0) {
        return gif_error(gif, "line is complete", err);
    }
    out->partial = rows < f.height;
    return STATUS_OK;
}

status decode_gif(const encoded *in, image *out, error *err)
{
    source from = {.in = in};
    GifFileType *gif = DGifOpen(&from, on_read, NULL);
    if (!gif) {
        return from.ended ? error_set(err, STATUS_IMAGE, "GIF ends before its first frame")
                          : error_set(err, STATUS_MEMORY, "out of memory while decoding GIF");
    }
    status s = find_frame(gif, err);
    if (s == STATUS_OK) {
        s = read_frame(in, gif, out, err);
    }
    (void)DGifCloseFile(gif, NULL);
    return s;
}
