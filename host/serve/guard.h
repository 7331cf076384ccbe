/* Who may ask: the bearer token, and whether the address may be served without one. */
#ifndef HOST_SERVE_GUARD_H
#define HOST_SERVE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

enum { GUARD_TOKEN_SIZE = 1024 };

typedef struct guard {
    char token[GUARD_TOKEN_SIZE]; /* padded with zeros */
    size_t length;                /* 0: everyone may */
} guard;

/* The token that the file holds: its first line, 16 to 1023 printable characters without blanks.
 * The token itself is never on a command line, where other users of the machine could read it. */
bool guard_read(guard *g, const char *path, char *message, size_t size);

/* Whether the value of an Authorization header ("Bearer TOKEN"; NULL: none) lets in. Takes the same
 * time for every wrong token of any length up to the longest. */
bool guard_allows(const guard *g, const char *authorization);

#endif
