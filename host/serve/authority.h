/* By which names a request may call the server: what its Host header says.
 *
 * A page of anywhere may have its own name resolve to 127.0.0.1 once it is loaded (DNS rebinding);
 * to the browser the server is then of the same origin as the page, and CORS is not asked. The name
 * in Host is the page's, and that gives it away. */
#ifndef HOST_SERVE_AUTHORITY_H
#define HOST_SERVE_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>

enum { AUTHORITY_NAME = 256 };

typedef struct authority {
    bool any;                    /* nothing is looked at */
    char bound[AUTHORITY_NAME];  /* the address that is served on, as it was resolved */
    char wanted[AUTHORITY_NAME]; /* and as it was given; "" when it was not */
    const char *allowed;         /* a list with commas, or NULL; the caller's */
} authority;

/* bound: "127.0.0.1:8000", "[::1]:8000"; host: --host, or NULL; allowed: --allow-host, or NULL.
 * Every name is taken where that is "*", and where it is missing and others than this machine can
 * reach the address: by which names they do is not known. */
void authority_set(authority *a, const char *bound, const char *host, const char *allowed);

/* Whether the value of a Host header is a loopback name or address, the address that is served on,
 * or one of the allowed names; its port does not matter. */
bool authority_allows(const authority *a, const char *value);

/* Whether it is "*", or names and addresses without ports and with commas between. */
bool authority_list_is_sound(const char *list);

#endif
