/* Delimiters, part headers, and the name in a Content-Disposition. */
#include "host/serve/multipart.h"

#include "host/serve/query.h"

#include <string.h>
#include <strings.h>

enum { MOST_HEADER_BYTES = 8192 };

/* RFC 2046: what a boundary may be made of */
static bool is_boundary_text(const char *s, size_t length)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "'()+_,-./:=? ";
    return length > 0 && length <= MULTIPART_BOUNDARY && strspn(s, allowed) >= length &&
           s[length - 1] != ' ';
}

multipart_kind multipart_read_type(const char *content_type, char boundary[MULTIPART_BOUNDARY + 1])
{
    static const char type[] = "multipart/form-data", parameter[] = "boundary=";
    if (!content_type || strncasecmp(content_type, type, sizeof type - 1) != 0 ||
        strcspn(content_type, "; \t") != sizeof type - 1) {
        return MULTIPART_NOT;
    }
    for (const char *s = strchr(content_type, ';'); s; s = strchr(s, ';')) {
        s += 1 + strspn(s + 1, " \t");
        if (strncasecmp(s, parameter, sizeof parameter - 1) != 0) {
            continue;
        }
        s += sizeof parameter - 1;
        const bool quoted = *s == '"';
        s += quoted;
        const size_t length = strcspn(s, quoted ? "\"" : "; \t");
        if ((quoted && s[length] != '"') || !is_boundary_text(s, length)) {
            return MULTIPART_BROKEN;
        }
        memcpy(boundary, s, length);
        boundary[length] = 0;
        return MULTIPART_FORM;
    }
    return MULTIPART_BROKEN;
}

/* The first place of `what` in [at, end), or NULL. */
static const unsigned char *find(const unsigned char *at, const unsigned char *end,
                                 const char *what, size_t length)
{
    while ((size_t)(end - at) >= length) {
        at = memchr(at, what[0], (size_t)(end - at) - length + 1);
        if (!at || memcmp(at, what, length) == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}

static bool begins(const unsigned char *at, const unsigned char *end, const char *what,
                   size_t length)
{
    return (size_t)(end - at) >= length && memcmp(at, what, length) == 0;
}

/* The value of ;key= in a header's line, unquoted into `out`; browsers write a quote in a name as
 * %22, others as \". */
static bool read_parameter(const char *line, const char *key, char *out, size_t size)
{
    const size_t key_length = strlen(key);
    for (const char *s = strchr(line, ';'); s; s = strchr(s, ';')) {
        s += 1 + strspn(s + 1, " \t");
        const bool mine = strncasecmp(s, key, key_length) == 0 && s[key_length] == '=';
        const char *value = strpbrk(s, "=;");
        if (!value || *value == ';') {
            continue;
        }
        size_t used = 0;
        s = value + 1;
        if (*s == '"') {
            for (s++; *s && *s != '"'; s++) {
                s += *s == '\\' && (s[1] == '"' || s[1] == '\\');
                if (used + 1 < size && mine) {
                    out[used++] = *s;
                }
            }
        } else {
            for (; *s && !strchr("; \t", *s); s++) {
                if (used + 1 < size && mine) {
                    out[used++] = *s;
                }
            }
        }
        if (mine) {
            out[used] = 0;
            return true;
        }
    }
    return false;
}

/* The headers of a part, of which only the name matters. Each ends with CRLF. */
static void read_headers(const unsigned char *at, const unsigned char *end, char *name)
{
    static const char disposition[] = "content-disposition:";
    char line[MOST_HEADER_BYTES + 1];
    *name = 0;
    while (at < end) {
        const unsigned char *stop = find(at, end, "\r\n", 2);
        const size_t length = (size_t)((stop ? stop : end) - at);
        memcpy(line, at, length);
        line[length] = 0;
        if (strncasecmp(line, disposition, sizeof disposition - 1) == 0 &&
            (read_parameter(line, "filename", name, MULTIPART_NAME) ||
             read_parameter(line, "name", name, MULTIPART_NAME))) {
            char plain[MULTIPART_NAME];
            memcpy(plain, name, MULTIPART_NAME);
            if (percent_decode(plain, false)) {
                memcpy(name, plain, MULTIPART_NAME);
            }
            return;
        }
        at = stop ? stop + 2 : end;
    }
}

/* Behind a delimiter: the end of all, or the end of its line. */
static multipart_outcome after_delimiter(multipart *m, const char **reason)
{
    if (begins(m->at, m->end, "--", 2)) {
        return MULTIPART_END;
    }
    while (m->at < m->end && (*m->at == ' ' || *m->at == '\t')) {
        m->at++;
    }
    if (!begins(m->at, m->end, "\r\n", 2)) {
        *reason = "something follows a boundary on its line";
        return MULTIPART_MALFORMED;
    }
    m->at += 2;
    return MULTIPART_PART;
}

multipart_outcome multipart_next(multipart *m, multipart_part *out, const char **reason)
{
    char delimiter[MULTIPART_BOUNDARY + 5] = "\r\n--";
    const size_t length = 4 + strlen(m->boundary);
    memcpy(delimiter + 4, m->boundary, length - 4);
    if (!m->begun) {
        /* the first one may be where the body begins */
        m->begun = true;
        if (begins(m->at, m->end, delimiter + 2, length - 2)) {
            m->at += length - 2;
        } else {
            const unsigned char *first = find(m->at, m->end, delimiter, length);
            if (!first) {
                *reason = "the boundary that the Content-Type names is not in the body";
                return MULTIPART_MALFORMED;
            }
            m->at = first + length;
        }
    }
    multipart_outcome outcome = after_delimiter(m, reason);
    if (outcome != MULTIPART_PART) {
        return outcome;
    }
    const size_t rest = (size_t)(m->end - m->at);
    const unsigned char *limit = m->at + (rest < MOST_HEADER_BYTES ? rest : MOST_HEADER_BYTES);
    const unsigned char *headers = m->at, *blank = NULL;
    if (begins(m->at, m->end, "\r\n", 2)) {
        blank = m->at;
        m->at += 2;
    } else {
        blank = find(m->at, limit, "\r\n\r\n", 4);
        m->at = blank ? blank + 4 : m->at;
    }
    if (!blank) {
        *reason = "the headers of a part do not end";
        return MULTIPART_MALFORMED;
    }
    read_headers(headers, blank, out->name);
    out->bytes = m->at;
    /* a part without content: its blank line's end is the delimiter's begin */
    const unsigned char *from = m->at - 2;
    const unsigned char *next = find(from, m->end, delimiter, length);
    if (!next) {
        *reason = "the last boundary is missing: the body ends within a part";
        return MULTIPART_MALFORMED;
    }
    out->size = next > m->at ? (size_t)(next - m->at) : 0;
    m->at = next + length;
    return MULTIPART_PART;
}
