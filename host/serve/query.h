/* The query of a URL: name=value pairs, decoded. */
#ifndef HOST_SERVE_QUERY_H
#define HOST_SERVE_QUERY_H

#include <stdbool.h>
#include <stddef.h>

enum { QUERY_PAIRS = 32 };

typedef struct query_pair {
    const char *name, *value;
} query_pair;

typedef struct query {
    query_pair pairs[QUERY_PAIRS];
    size_t count;
} query;

/* Cuts the text behind the '?' into pairs and decodes them in place (%XX, and + for a blank).
 * False: *reason says why (a broken %XX, a zero byte, a name twice, too many pairs). */
bool query_parse(char *text, query *out, const char **reason);
/* NULL when it was not given */
const char *query_get(const query *q, const char *name);
/* The first name that is not in the list, which NULL ends; NULL when all are. */
const char *query_unknown(const query *q, const char *const *known);

/* %XX of a path, in place; + stays. False: broken, or a zero byte. */
bool percent_decode(char *text, bool plus_is_blank);

#endif
