/* Which letters a label is drawn with, and reading its UTF-8. */
#include "host/image/font.h"

#include <stdatomic.h>
#include <string.h>

uint32_t utf8_next(const char **text)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)*text;
    if (*s == 0) {
        return 0;
    }
    const size_t length = *s < 0x80             ? 1
                          : (*s & 0xe0) == 0xc0 ? 2
                          : (*s & 0xf0) == 0xe0 ? 3
                          : (*s & 0xf8) == 0xf0 ? 4
                                                : 0;
    uint32_t point = length == 1 ? *s : *s & (0x7fu >> length);
    size_t n = 1;
    while (n < length && (s[n] & 0xc0) == 0x80) {
        point = point << 6 | (s[n++] & 0x3fu);
    }
    if (length == 0 || n < length || point < smallest[length] || point > 0x10ffff ||
        (point >= 0xd800 && point <= 0xdfff)) {
        *text += 1;
        return UTF8_INVALID;
    }
    *text += length;
    return point;
}

void font_coverage_add(font_coverage *c, const char *utf8)
{
    for (uint32_t point = utf8_next(&utf8); point; point = utf8_next(&utf8)) {
        if (point < 0x80 || point == UTF8_INVALID) {
            continue;
        }
        size_t at = 0;
        while (at < c->count && c->points[at] < point) {
            at++;
        }
        if ((at < c->count && c->points[at] == point) || c->count == FONT_COVERAGE_MAX) {
            continue;
        }
        memmove(c->points + at + 1, c->points + at, (c->count - at) * sizeof c->points[0]);
        c->points[at] = point;
        c->count++;
    }
}

status font_create(const allocator *a, const logger *log, const font_coverage *needed,
                   uint32_t size, font **out, error *err)
{
    font *made = NULL;
    status s = STATUS_OK;
#if VKDET_HAVE_FONTS
    s = font_installed_create(a, needed, size, &made, err);
#endif
    const bool installed = made != NULL;
    if (s == STATUS_OK && !made) {
        s = font_builtin_create(a, needed, size, &made, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    /* a run over many pictures says it once */
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if ((!installed || !made->complete) && log && !atomic_flag_test_and_set(&said)) {
        log_write(log, LOG_font_missing, "%s%s",
                  installed ? "no installed font has every character of the labels"
                            : "no usable font is installed: labels use the built-in alphabet",
                  made->complete ? "" : "; boxes stand for what is missing");
    }
    *out = made;
    return STATUS_OK;
}

void font_destroy(font *f)
{
    if (f) {
        f->call->destroy(f);
    }
}
