/* Error messages: formatting, and keeping them on one printable line whatever the bytes of a
 * hostile file were. */
#include "engine/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_one_line(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

status error_set(error *err, status code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        (void)vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        make_one_line(err->text);
    }
    return code;
}

status error_prefix(error *err, const char *format, ...)
{
    if (!err) {
        return STATUS_INTERNAL;
    }
    char rest[ERROR_TEXT_MAX];
    memcpy(rest, err->text, sizeof rest);
    va_list args;
    va_start(args, format);
    int length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof err->text) {
        (void)snprintf(err->text + length, sizeof err->text - (size_t)length, "%s", rest);
    }
    make_one_line(err->text);
    return err->code;
}

const char *status_name(status code)
{
    static const char *const names[] = {
        [STATUS_OK] = "ok",
        [STATUS_ARGUMENT] = "argument",
        [STATUS_MEMORY] = "memory",
        [STATUS_IO] = "io",
        [STATUS_MODEL] = "model",
        [STATUS_IMAGE] = "image",
        [STATUS_UNSUPPORTED] = "unsupported",
        [STATUS_LIMIT] = "limit",
        [STATUS_DEVICE] = "device",
        [STATUS_DEVICE_LOST] = "device-lost",
        [STATUS_TIMEOUT] = "timeout",
        [STATUS_BUSY] = "busy",
        [STATUS_DIVERGED] = "diverged",
        [STATUS_INTERNAL] = "internal",
    };
    return (unsigned)code < sizeof names / sizeof names[0] ? names[code] : "unknown";
}
