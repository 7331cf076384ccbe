/* Boxes with labels, drawn into the pixels. Everything is clipped at the picture's borders. */
#include "host/image/codec.h"
#include "host/image/font.h"

#include <math.h>
#include <string.h>

/* A longer label is cut: no picture is wide enough for it. */
#define LABEL_POINTS_MAX 256

typedef struct rectangle {
    int x0, y0, x1, y1; /* the last two exclusive */
} rectangle;

typedef struct canvas {
    unsigned char *data;
    int width, height;
    size_t channels;
} canvas;

static rectangle clip(const canvas *c, rectangle r)
{
    r.x0 = r.x0 < 0 ? 0 : r.x0;
    r.y0 = r.y0 < 0 ? 0 : r.y0;
    r.x1 = r.x1 > c->width ? c->width : r.x1;
    r.y1 = r.y1 > c->height ? c->height : r.y1;
    return r;
}

static void blend(const canvas *c, int x, int y, uint32_t colour, unsigned cover)
{
    unsigned char *p = c->data + ((size_t)y * (size_t)c->width + (size_t)x) * c->channels;
    for (unsigned n = 0; n < 3; n++) {
        const unsigned ink = colour >> (16 - 8 * n) & 0xff;
        p[n] = (unsigned char)((p[n] * (255 - cover) + ink * cover + 127) / 255);
    }
}

static void fill(const canvas *c, rectangle r, uint32_t colour)
{
    r = clip(c, r);
    for (int y = r.y0; y < r.y1; y++) {
        for (int x = r.x0; x < r.x1; x++) {
            blend(c, x, y, colour, 255);
        }
    }
}

static void outline(const canvas *c, rectangle r, int line, uint32_t colour)
{
    fill(c, (rectangle){r.x0, r.y0, r.x1, r.y0 + line}, colour);
    fill(c, (rectangle){r.x0, r.y1 - line, r.x1, r.y1}, colour);
    fill(c, (rectangle){r.x0, r.y0, r.x0 + line, r.y1}, colour);
    fill(c, (rectangle){r.x1 - line, r.y0, r.x1, r.y1}, colour);
}

/* Far outside the picture is as good as infinitely far. */
static int to_pixel(float v)
{
    const float far = 4.0f * (float)IMAGE_MAX_SIDE;
    return (int)lroundf(fminf(fmaxf(v, -far), far));
}

/* The outline, centred on the box's edges. False for what is no box: NaN, or corners in the wrong
 * order. */
static bool mark_outline(const image_mark *m, int line, rectangle *out)
{
    if (!(m->box[0] <= m->box[2]) || !(m->box[1] <= m->box[3])) {
        return false;
    }
    const int before = line / 2, after = line - before;
    *out = (rectangle){to_pixel(m->box[0]) - before, to_pixel(m->box[1]) - before,
                       to_pixel(m->box[2]) + after, to_pixel(m->box[3]) + after};
    return true;
}

/* Control characters take no room; tabs and newlines are spaces. */
static uint32_t label_point(const char **text)
{
    uint32_t point = utf8_next(text);
    while (point && point < 0x20 && point != '\t' && point != '\n') {
        point = utf8_next(text);
    }
    return point == '\t' || point == '\n' ? ' ' : point;
}

static status label_width(font *f, const char *text, int *width, error *err)
{
    int sum = 0;
    for (int n = 0; n < LABEL_POINTS_MAX; n++) {
        const uint32_t point = label_point(&text);
        glyph g;
        if (!point) {
            break;
        }
        status s = f->call->glyph(f, point, &g, err);
        if (s != STATUS_OK) {
            return s;
        }
        sum += g.advance;
    }
    *width = sum;
    return STATUS_OK;
}

static void draw_glyph(const canvas *c, const glyph *g, int pen, int baseline, uint32_t colour)
{
    const int left = pen + g->left, top = baseline - g->top;
    const rectangle r = clip(c, (rectangle){left, top, left + g->width, top + g->height});
    for (int y = r.y0; y < r.y1; y++) {
        const unsigned char *row = g->coverage + (size_t)(y - top) * (size_t)g->width;
        for (int x = r.x0; x < r.x1; x++) {
            blend(c, x, y, colour, row[x - left]);
        }
    }
}

/* Above the outline where there is room, else inside its upper edge; moved left when it would
 * leave the picture on the right. */
static rectangle place_label(const canvas *c, rectangle box, int width, int height)
{
    const int x = box.x0 + width > c->width ? c->width - width : box.x0;
    const int y = box.y0 - height >= 0 ? box.y0 - height : box.y0;
    const rectangle r = {x < 0 ? 0 : x, y < 0 ? 0 : y, 0, 0};
    return (rectangle){r.x0, r.y0, r.x0 + width, r.y0 + height};
}

static status draw_label(const canvas *c, font *f, rectangle box, const image_mark *m, error *err)
{
    if (box.x1 <= 0 || box.y1 <= 0 || box.x0 >= c->width || box.y0 >= c->height) {
        return STATUS_OK;
    }
    int width = 0;
    status s = label_width(f, m->text, &width, err);
    if (s != STATUS_OK) {
        return s;
    }
    const int space = 1 + (f->ascent + f->descent) / 6;
    const rectangle r =
        place_label(c, box, width + 2 * space, f->ascent + f->descent + 2 * (space / 2));
    fill(c, r, m->colour);
    /* ITU-R BT.601 luma, as everywhere here */
    const unsigned luma =
        299 * (m->colour >> 16 & 0xff) + 587 * (m->colour >> 8 & 0xff) + 114 * (m->colour & 0xff);
    const uint32_t ink = luma > 128000 ? 0x000000 : 0xffffff;
    const char *text = m->text;
    int pen = r.x0 + space;
    for (int n = 0; n < LABEL_POINTS_MAX && pen < c->width; n++) {
        const uint32_t point = label_point(&text);
        glyph g;
        if (!point) {
            break;
        }
        s = f->call->glyph(f, point, &g, err);
        if (s != STATUS_OK) {
            return s;
        }
        draw_glyph(c, &g, pen, r.y0 + space / 2 + f->ascent, ink);
        pen += g.advance;
    }
    return STATUS_OK;
}

static status image_to_rgb(image *i, error *err)
{
    const size_t count = (size_t)i->width * i->height;
    unsigned char *rgb = memory_allocate(&i->alloc, count, 3);
    if (!rgb) {
        return error_set(err, STATUS_MEMORY, "out of memory while drawing on %u x %u pixels",
                         i->width, i->height);
    }
    for (size_t n = 0; n < count; n++) {
        memset(rgb + 3 * n, i->data[n], 3);
    }
    memory_release(&i->alloc, i->data);
    i->data = rgb;
    i->format = PIXEL_RGB8;
    return STATUS_OK;
}

status image_draw(image *i, const logger *log, const image_mark *marks, size_t count, error *err)
{
    if (i->format == PIXEL_GRAY8) {
        status s = image_to_rgb(i, err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    const canvas c = {i->data, (int)i->width, (int)i->height, pixel_bytes(i->format)};
    const int side = c.width < c.height ? c.width : c.height;
    const int line = side / 200 > 2 ? side / 200 : 2;
    const uint32_t letters = side / 40 > 12 ? (uint32_t)side / 40 : 12;
    font_coverage needed = {.count = 0};
    bool labelled = false;
    for (size_t n = 0; n < count; n++) {
        rectangle box;
        if (mark_outline(&marks[n], line, &box)) {
            outline(&c, box, line, marks[n].colour);
        }
        if (marks[n].text && marks[n].text[0]) {
            font_coverage_add(&needed, marks[n].text);
            labelled = true;
        }
    }
    if (!labelled) {
        return STATUS_OK;
    }
    /* labels after all boxes, so that no line crosses them */
    font *f = NULL;
    status s = font_create(&i->alloc, log, &needed, letters, &f, err);
    for (size_t n = 0; n < count && s == STATUS_OK; n++) {
        rectangle box;
        if (marks[n].text && marks[n].text[0] && mark_outline(&marks[n], line, &box)) {
            s = draw_label(&c, f, box, &marks[n], err);
        }
    }
    font_destroy(f);
    return s;
}
