/* Token file, and a comparison whose time says nothing. */
#include "host/serve/guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SHORTEST = 16 };

bool guard_read(guard *g, const char *path, char *message, size_t size)
{
    *g = (guard){.length = 0};
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(message, size, "--token-file %s: %s", path, strerror(errno));
        return false;
    }
    char line[GUARD_TOKEN_SIZE + 2] = "";
    errno = 0;
    bool read = fgets(line, (int)sizeof line, file) != NULL;
    int reason = errno;
    (void)fclose(file);
    if (!read && reason) {
        (void)snprintf(message, size, "--token-file %s: %s", path, strerror(reason));
        return false;
    }
    size_t length = strcspn(line, "\r\n");
    line[length] = 0;
    bool good = length >= SHORTEST && length < GUARD_TOKEN_SIZE;
    for (size_t i = 0; i < length; i++) {
        good = good && line[i] > ' ' && line[i] < 0x7f;
    }
    if (!good) {
        (void)snprintf(message, size,
                       "--token-file %s: the first line must be a token of %d to %d printable "
                       "characters without blanks",
                       path, SHORTEST, GUARD_TOKEN_SIZE - 1);
        return false;
    }
    memcpy(g->token, line, length);
    g->length = length;
    return true;
}

bool guard_allows(const guard *g, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (g->length == 0) {
        return true;
    }
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *given = authorization + sizeof scheme - 1;
    given += strspn(given, " ");
    size_t length = strlen(given);
    /* every byte of the room is compared, whatever was given */
    volatile unsigned char difference = length != g->length;
    for (size_t i = 0; i < GUARD_TOKEN_SIZE; i++) {
        unsigned char mine = (unsigned char)g->token[i];
        unsigned char other = (unsigned char)given[i < length ? i : length];
        difference = (unsigned char)(difference | (mine ^ other));
    }
    return difference == 0;
}
