/* Queries and percent-encoding (RFC 3986, and the + of forms). */
#include "host/serve/query.h"

#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool percent_decode(char *text, bool plus_is_blank)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '%') {
            int high = hex_digit(from[1]);
            int low = high < 0 ? -1 : hex_digit(from[2]);
            if (low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from == '+' && plus_is_blank ? ' ' : *from;
        }
    }
    *to = 0;
    return true;
}

bool query_parse(char *text, query *out, const char **reason)
{
    out->count = 0;
    while (text) {
        char *next = strchr(text, '&');
        if (next) {
            *next++ = 0;
        }
        if (*text) {
            char *value = strchr(text, '=');
            if (value) {
                *value++ = 0;
            } else {
                value = text + strlen(text); /* a name alone: an empty value */
            }
            if (!percent_decode(text, true) || !percent_decode(value, true)) {
                *reason = "a %XX in the query is broken, or a zero byte";
                return false;
            }
            if (query_get(out, text)) {
                *reason = "the query has a parameter twice";
                return false;
            }
            if (out->count == QUERY_PAIRS) {
                *reason = "the query has more than 32 parameters";
                return false;
            }
            out->pairs[out->count++] = (query_pair){text, value};
        }
        text = next;
    }
    return true;
}

const char *query_get(const query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (strcmp(q->pairs[i].name, name) == 0) {
            return q->pairs[i].value;
        }
    }
    return NULL;
}

const char *query_unknown(const query *q, const char *const *known)
{
    for (size_t i = 0; i < q->count; i++) {
        size_t k = 0;
        while (known[k] && strcmp(known[k], q->pairs[i].name) != 0) {
            k++;
        }
        if (!known[k]) {
            return q->pairs[i].name;
        }
    }
    return NULL;
}
