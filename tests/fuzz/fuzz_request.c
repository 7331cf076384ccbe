/* Any bytes as what a client sends: behind the first line, which says what, a query, a path, an
 * Authorization or an If-None-Match or a Host header, a list of hosts, or a Content-Type and a
 * form. */
#define _GNU_SOURCE /* strcasestr */

#include "host/serve/authority.h"
#include "host/serve/guard.h"
#include "host/serve/multipart.h"
#include "host/serve/query.h"
#include "host/serve/static_files.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* no file: the lookup that is compiled along has none to find */
const static_file static_files[1];
const size_t static_file_count = 0;

/* What is no star names the tag. */
static void as_etag(const char *text)
{
    const static_file file = {.etag = "\"ab\""};
    if (static_file_matches(&file, text) && !strchr(text, '*') && !strstr(text, file.etag)) {
        abort();
    }
}

static void as_query(char *text)
{
    query q;
    const char *reason = NULL;
    if (query_parse(text, &q, &reason)) {
        for (size_t i = 0; i < q.count; i++) {
            if (query_get(&q, q.pairs[i].name) != q.pairs[i].value) {
                abort();
            }
        }
    } else if (!reason) {
        abort();
    }
}

static void as_token(const char *text)
{
    const guard g = {"0123456789abcdef", 16};
    const bool right = strcmp(text, "Bearer 0123456789abcdef") == 0;
    if (right && !guard_allows(&g, text)) {
        abort();
    }
    if (guard_allows(&g, text) && !strstr(text, "0123456789abcdef")) {
        abort();
    }
}

/* What is let in has a name of the server in it. */
static void as_host(const char *text)
{
    static const char *const names[] = {"localhost",   "127.",  "1]", "0.0.1",
                                        "gpu.example", "fe80:", "7f"};
    authority a;
    bool named = false;
    authority_set(&a, "127.0.0.1:8000", "127.0.0.1", "gpu.example,fe80::5");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        named = named || strcasestr(text, names[i]);
    }
    if (authority_allows(&a, text) && (!named || strpbrk(text, " \t@/\\,"))) {
        abort();
    }
}

/* A list that is sound allows its first name. */
static void as_hosts(const char *list)
{
    authority a;
    char name[AUTHORITY_NAME + 2];
    const size_t length = strcspn(list, ",");
    authority_set(&a, "[::1]:8000", NULL, list);
    if (!authority_list_is_sound(list)) {
        (void)authority_allows(&a, list);
        return;
    }
    const char *form = memchr(list, ':', length) ? "[%.*s]" : "%.*s";
    (void)snprintf(name, sizeof name, form, (int)length, list);
    if (strcmp(list, "*") != 0 && !authority_allows(&a, name)) {
        abort();
    }
}

/* The parts lie within the body, one behind the other. */
static void as_form(const char *type, const unsigned char *body, size_t size)
{
    char boundary[MULTIPART_BOUNDARY + 1];
    if (multipart_read_type(type, boundary) != MULTIPART_FORM) {
        return;
    }
    multipart m = {body, body + size, boundary, false};
    multipart_part part;
    const char *reason = NULL;
    const unsigned char *before = body;
    multipart_outcome outcome = multipart_next(&m, &part, &reason);
    for (; outcome == MULTIPART_PART; outcome = multipart_next(&m, &part, &reason)) {
        if (part.bytes < before || part.size > (size_t)(body + size - part.bytes) ||
            memchr(part.name, 0, sizeof part.name) == NULL) {
            abort();
        }
        before = part.bytes + part.size;
    }
    if (outcome == MULTIPART_MALFORMED && !reason) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const uint8_t kind = data[0];
    const uint8_t *rest = data + 1;
    const uint8_t *line = memchr(rest, '\n', size - 1);
    char *text = malloc(size);
    if (!text) {
        return 0;
    }
    const size_t length = kind == 'f' && line ? (size_t)(line - rest) : size - 1;
    memcpy(text, rest, length);
    text[length] = 0;
    if (kind == 'q') {
        as_query(text);
    } else if (kind == 'p') {
        (void)percent_decode(text, false);
    } else if (kind == 't') {
        as_token(text);
    } else if (kind == 'h') {
        as_host(text);
    } else if (kind == 'l') {
        as_hosts(text);
    } else if (kind == 'e') {
        as_etag(text);
    } else if (kind == 'f' && line) {
        as_form(text, line + 1, size - 2 - length);
    }
    free(text);
    return 0;
}
