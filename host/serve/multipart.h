/* multipart/form-data (RFC 7578), out of a body that is whole: parts are views of it. */
#ifndef HOST_SERVE_MULTIPART_H
#define HOST_SERVE_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

enum { MULTIPART_NAME = 1024, MULTIPART_BOUNDARY = 70 };

typedef enum multipart_kind {
    MULTIPART_NOT = 0, /* another type of content */
    MULTIPART_FORM,
    MULTIPART_BROKEN /* multipart/form-data without a boundary that makes sense */
} multipart_kind;

/* What a Content-Type says (NULL: nothing). boundary is terminated. */
multipart_kind multipart_read_type(const char *content_type, char boundary[MULTIPART_BOUNDARY + 1]);

typedef struct multipart {
    const unsigned char *at, *end;
    const char *boundary; /* as multipart_read_type gave it */
    bool begun;
} multipart;

typedef struct multipart_part {
    char name[MULTIPART_NAME]; /* file name if there is one, else the field's; "" without either */
    const unsigned char *bytes;
    size_t size;
} multipart_part;

typedef enum multipart_outcome {
    MULTIPART_PART = 0,
    MULTIPART_END,
    MULTIPART_MALFORMED /* *reason says why */
} multipart_outcome;

/* `out` begins as {body, body + size, boundary}. */
multipart_outcome multipart_next(multipart *m, multipart_part *out, const char **reason);

#endif
