/* Base64 (RFC 4648) as programs send it: the standard or the URL alphabet, with or without padding,
 * with line breaks. */
#ifndef HOST_SERVE_BASE64_H
#define HOST_SERVE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* The most bytes that text of that length can mean. */
size_t base64_room(size_t length);

/* out has room for base64_room(length). False: *size is the offset of the first character that is
 * out of place, `length` when the text is cut in the middle of a byte. */
bool base64_decode(const char *text, size_t length, unsigned char *out, size_t *size);

#endif
