/* JSON strings, CSV fields, floats, and the UTF-8 under them. */
#include "host/client/text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

size_t utf8_length(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) {
        return u[0] != 0;
    }
    size_t length = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    switch (u[0]) {
    case 0xe0:
        low = 0xa0;
        break;
    case 0xed:
        high = 0x9f;
        break;
    case 0xf0:
        low = 0x90;
        break;
    case 0xf4:
        high = 0x8f;
        break;
    default:
        break;
    }
    if (u[0] < 0xc2 || u[0] > 0xf4 || u[1] < low || u[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((u[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

size_t utf8_columns(const char *s)
{
    size_t columns = 0;
    while (*s) {
        size_t length = utf8_length(s);
        /* U+1100.. and from U+2E80 on (three bytes, lead e1 84 or e2 ba and up) scripts are wide;
         * close enough for a table */
        bool wide = length == 4 || (length == 3 && memcmp(s, "\xe2\xba", 2) >= 0);
        columns += wide ? 2 : 1;
        s += length ? length : 1;
    }
    return columns;
}

void text_json_string(FILE *out, const char *s)
{
    (void)fputc('"', out);
    while (*s) {
        size_t length = utf8_length(s);
        unsigned char c = (unsigned char)*s;
        if (length == 0) {
            (void)fputs(replacement, out);
            length = 1;
        } else if (c == '"' || c == '\\') {
            (void)fprintf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            (void)fprintf(out, "\\u%04x", c);
        } else {
            (void)fwrite(s, 1, length, out);
        }
        s += length;
    }
    (void)fputc('"', out);
}

void text_csv_field(FILE *out, const char *s)
{
    bool quoted = s[strcspn(s, "\",\r\n")] != 0;
    if (quoted) {
        (void)fputc('"', out);
    }
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0) {
            (void)fputs(replacement, out);
            length = 1;
        } else {
            if (*s == '"') {
                (void)fputc('"', out);
            }
            (void)fwrite(s, 1, length, out);
        }
        s += length;
    }
    if (quoted) {
        (void)fputc('"', out);
    }
}

void text_float(FILE *out, float value)
{
    if (!isfinite(value)) {
        (void)fputs("null", out);
        return;
    }
    char digits[32];
    for (int precision = 6; precision <= 9; precision++) {
        (void)snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        if (strtof(digits, NULL) == value) {
            break;
        }
    }
    (void)fputs(digits, out);
}
