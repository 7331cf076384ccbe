/* Any bytes as the head of a request: the first says which HTTP, then a header a line. What is
 * taken for sound must have one reading, also by this file's own count. */
#include "host/serve/framing.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct header {
    char *key, *value; /* each on the heap and exactly as long; value NULL: there was no colon */
    size_t key_size, value_size;
} header;

enum { MOST_HEADERS = 64 };

struct MHD_Connection {
    header headers[MOST_HEADERS];
    size_t count;
};

/* in place of libmicrohttpd's */
int MHD_get_connection_values_n(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *user)
{
    size_t i = 0;
    while (i < connection->count) {
        const header *h = &connection->headers[i++];
        if (iterator(user, kind, h->key, h->key_size, h->value, h->value_size) != MHD_YES) {
            break;
        }
    }
    return (int)i;
}

static char *text_of(const uint8_t *bytes, size_t size)
{
    char *text = malloc(size + 1);
    if (text) {
        memcpy(text, bytes, size);
        text[size] = 0;
    }
    return text;
}

/* false without memory */
static bool add_line(struct MHD_Connection *c, const uint8_t *line, size_t size)
{
    header *h = &c->headers[c->count];
    const uint8_t *colon = memchr(line, ':', size);
    *h = (header){.key_size = colon ? (size_t)(colon - line) : size};
    h->key = text_of(line, h->key_size);
    if (colon) {
        h->value_size = size - h->key_size - 1;
        h->value = text_of(colon + 1, h->value_size);
    }
    c->count++;
    return h->key && (h->value || !colon);
}

static size_t count_of(const struct MHD_Connection *c, const char *key)
{
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        count += strcasecmp(c->headers[i].key, key) == 0;
    }
    return count;
}

static void judge(const struct MHD_Connection *c, bool old)
{
    const size_t lengths = count_of(c, "Content-Length"),
                 codings = count_of(c, "Transfer-Encoding"), hosts = count_of(c, "Host");
    if (lengths + codings > 1 || hosts > 1 || (!old && hosts == 0) || (old && codings)) {
        abort();
    }
    for (size_t i = 0; i < c->count; i++) {
        const header *h = &c->headers[i];
        if (h->key_size == 0 || strlen(h->key) != h->key_size || strpbrk(h->key, " \t\r\n()\"") ||
            (h->value && (strlen(h->value) != h->value_size || strpbrk(h->value, "\r\n\x7f")))) {
            abort();
        }
        if (strcasecmp(h->key, "Transfer-Encoding") == 0 &&
            (!h->value || strcasecmp(h->value, "chunked") != 0)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct MHD_Connection c = {.count = 0};
    if (size < 1) {
        return 0;
    }
    const bool old = data[0] == '0';
    const uint8_t *at = data + 1, *end = data + size;
    bool whole = true;
    while (whole && at < end && c.count < MOST_HEADERS) {
        const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *stop = line ? line : end;
        whole = add_line(&c, at, (size_t)(stop - at));
        at = line ? line + 1 : end;
    }
    if (whole) {
        const char *reason = NULL;
        const unsigned code =
            framing_check(&c, old ? MHD_HTTP_VERSION_1_0 : MHD_HTTP_VERSION_1_1, &reason);
        if ((code != 0 && code != 400 && code != 501) || (code != 0) != (reason != NULL)) {
            abort();
        }
        if (code == 0) {
            judge(&c, old);
        }
    }
    for (size_t i = 0; i < c.count; i++) {
        free(c.headers[i].key);
        free(c.headers[i].value);
    }
    return 0;
}
