/* Six bits a character, most significant first. */
#include "host/serve/base64.h"

#include <stdint.h>

size_t base64_room(size_t length)
{
    return length / 4 * 3 + 3;
}

/* 0..63, or -1 */
static int bits_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* What follows the digits: as many '=' as fill the group, or none at all. */
static bool padding_fits(const char *text, size_t length, size_t at, unsigned digits, size_t *fault)
{
    unsigned padding = 0;
    for (; at < length; at++) {
        if (text[at] == '=' && digits + padding < 4 && digits >= 2) {
            padding++;
        } else if (!is_break(text[at])) {
            *fault = at;
            return false;
        }
    }
    *fault = length;
    return digits != 1 && (padding == 0 || digits + padding == 4);
}

bool base64_decode(const char *text, size_t length, unsigned char *out, size_t *size)
{
    uint32_t group = 0;
    unsigned digits = 0; /* in the group at hand */
    size_t written = 0, at = 0;
    for (; at < length && text[at] != '='; at++) {
        int bits = bits_of(text[at]);
        if (bits < 0) {
            if (is_break(text[at])) {
                continue;
            }
            *size = at;
            return false;
        }
        group = group << 6 | (uint32_t)bits;
        if (++digits == 4) {
            out[written++] = (unsigned char)(group >> 16);
            out[written++] = (unsigned char)(group >> 8 & 0xff);
            out[written++] = (unsigned char)(group & 0xff);
            group = 0;
            digits = 0;
        }
    }
    size_t fault;
    if (!padding_fits(text, length, at, digits, &fault)) {
        *size = fault;
        return false;
    }
    if (digits >= 2) {
        out[written++] = (unsigned char)(group >> (digits == 2 ? 4 : 10));
    }
    if (digits == 3) {
        out[written++] = (unsigned char)(group >> 2 & 0xff);
    }
    *size = written;
    return true;
}
