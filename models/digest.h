/* SHA-256 of bytes, as 64 lowercase hexadecimal digits. */
#ifndef MODELS_DIGEST_H
#define MODELS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h> /* the BSD type names that sha2.h needs */

#include <sha2.h>

enum { DIGEST_TEXT = 65 };

typedef struct digest {
    SHA2_CTX state;
} digest;

void digest_begin(digest *d);
void digest_add(digest *d, const void *bytes, size_t size);
void digest_end(digest *d, char text[DIGEST_TEXT]);
void digest_bytes(const void *bytes, size_t size, char text[DIGEST_TEXT]);
/* 64 lowercase hexadecimal digits and nothing else */
bool digest_valid(const char *text);

#endif
