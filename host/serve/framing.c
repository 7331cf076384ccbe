/* Where a body ends and the next request begins must not be a matter of opinion (RFC 9112, 5.1, 6.1
 * and 6.3): what a proxy before us may read otherwise is refused. libmicrohttpd 0.9.75 takes the
 * first of several lengths, prefers chunks to a length, and keeps a blank before the colon as a
 * part of the name. */
#include "host/serve/framing.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

typedef struct framing {
    unsigned lengths, codings, hosts;
    const char *coding;
    const char *reason; /* NULL: nothing wrong yet */
} framing;

/* A token of RFC 9110, 5.6.2. */
static bool is_name(const char *key, size_t size)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < size; i++) {
        const char c = key[i];
        const char lower = (char)(c | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
              (c != 0 && strchr(marks, c)))) {
            return false;
        }
    }
    return size > 0;
}

static bool is_value(const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static enum MHD_Result look(void *user, enum MHD_ValueKind kind, const char *key, size_t key_size,
                            const char *value, size_t value_size)
{
    framing *f = user;
    (void)kind;
    if (!is_name(key, key_size)) {
        f->reason = "a name among the headers is not one: a blank before its colon?";
    } else if (value && !is_value(value, value_size)) {
        f->reason = "there is a control character in a header";
    } else if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        f->lengths++;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->codings++;
        f->coding = value ? value : "";
    } else if (strcasecmp(key, MHD_HTTP_HEADER_HOST) == 0) {
        f->hosts++;
    }
    return f->reason ? MHD_NO : MHD_YES;
}

unsigned framing_check(struct MHD_Connection *connection, const char *version, const char **reason)
{
    framing f = {.reason = NULL};
    const bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
    (void)MHD_get_connection_values_n(connection, MHD_HEADER_KIND, look, &f);
    if (f.reason) {
        *reason = f.reason;
    } else if (f.hosts > 1 || (f.hosts == 0 && !old)) {
        *reason = "a request needs one Host";
    } else if (f.lengths > 1) {
        *reason = "there is more than one Content-Length";
    } else if (f.codings > 1) {
        *reason = "there is more than one Transfer-Encoding";
    } else if (f.codings && f.lengths) {
        *reason = "Content-Length and Transfer-Encoding exclude each other";
    } else if (f.codings && old) {
        *reason = "HTTP/1.0 has no Transfer-Encoding";
    } else if (f.codings && strcasecmp(f.coding, "chunked") != 0) {
        *reason = "of transfer codings, chunked alone is read";
        return 501;
    } else {
        return 0;
    }
    return 400;
}
