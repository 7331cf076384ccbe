/* Letters for labels: glyph bitmaps from an installed font that covers the text, or from the plain
 * alphabet that is built in. */
#ifndef HOST_IMAGE_FONT_H
#define HOST_IMAGE_FONT_H

#include "engine/memory.h"
#include "engine/status.h"
#include "host/log.h"

#include <stdbool.h>

/* The characters beyond ASCII that a set of labels needs, sorted, each once. ASCII is always
 * needed. What exceeds the capacity is not asked for. */
#define FONT_COVERAGE_MAX 256
typedef struct font_coverage {
    uint32_t points[FONT_COVERAGE_MAX];
    size_t count;
} font_coverage;
void font_coverage_add(font_coverage *c, const char *utf8);

#define UTF8_INVALID 0xfffdu
/* The next code point, 0 at the end. Bytes that are no UTF-8 give UTF8_INVALID one at a time. */
uint32_t utf8_next(const char **text);

/* How much of the mark's colour covers each pixel, 0..255, rows of `width` bytes. left and top are
 * the distance of its corner from the pen to the right and upwards from the baseline. Valid until
 * the next call on the font. */
typedef struct glyph {
    const unsigned char *coverage;
    int width, height, left, top;
    int advance; /* of the pen, pixels */
} glyph;

typedef struct font font;

/* What a source of letters does: the installed fonts, the built-in alphabet. */
typedef struct font_functions {
    status (*glyph)(font *f, uint32_t point, glyph *out, error *err);
    void (*destroy)(font *f);
} font_functions;

struct font {
    const font_functions *call;
    allocator alloc;
    int ascent, descent; /* of a line, pixels above and below the baseline, both positive */
    bool complete;       /* has every character that was needed; a box stands for the others */
};

/* Letters about `size` pixels high. A machine without a fitting font is no error: the built-in
 * alphabet takes over. A log line says once a process that letters are missing. */
status font_create(const allocator *a, const logger *log, const font_coverage *needed,
                   uint32_t size, font **out, error *err);
void font_destroy(font *f);

/* The two sources. Installed: *out NULL and STATUS_OK when there is no font. */
status font_installed_create(const allocator *a, const font_coverage *needed, uint32_t size,
                             font **out, error *err);
status font_builtin_create(const allocator *a, const font_coverage *needed, uint32_t size,
                           font **out, error *err);

#endif
