/* SHA-256 through libmd (BSD licence, part of every Debian system). */
#include "models/digest.h"

#include <string.h>

void digest_begin(digest *d)
{
    SHA256Init(&d->state);
}

void digest_add(digest *d, const void *bytes, size_t size)
{
    SHA256Update(&d->state, bytes, size);
}

void digest_end(digest *d, char text[DIGEST_TEXT])
{
    (void)SHA256End(&d->state, text);
}

void digest_bytes(const void *bytes, size_t size, char text[DIGEST_TEXT])
{
    digest d;
    digest_begin(&d);
    digest_add(&d, bytes, size);
    digest_end(&d, text);
}

bool digest_valid(const char *text)
{
    return strspn(text, "0123456789abcdef") == DIGEST_TEXT - 1 && text[DIGEST_TEXT - 1] == 0;
}
