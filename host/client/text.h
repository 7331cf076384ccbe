/* Text that other programs read: JSON and CSV pieces, UTF-8 whatever the file names hold. */
#ifndef HOST_CLIENT_TEXT_H
#define HOST_CLIENT_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Bytes of the UTF-8 character at s (RFC 3629: no overlong forms, no surrogates), or 0 when there
 * is none. s is terminated. */
size_t utf8_length(const char *s);
/* columns that text takes on a terminal, counting East Asian wide characters twice */
size_t utf8_columns(const char *s);

/* In each of these a byte that is no UTF-8 becomes U+FFFD. */
void text_json_string(FILE *out, const char *s);
/* the field quoted where RFC 4180 asks for it */
void text_csv_field(FILE *out, const char *s);

/* The fewest digits (6 to 9) that read back as the same float; null for what JSON cannot say. */
void text_float(FILE *out, float value);

#endif
