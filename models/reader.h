/* Reading JSON that came from outside: every value knows its place in the document, so that an
 * error can name it ("anchors.levels[2].sizes: ..."). Thin over jansson. */
#ifndef MODELS_READER_H
#define MODELS_READER_H

#include "engine/memory.h"
#include "engine/status.h"

#include <jansson.h>

/* A place in a document; value is NULL where the member is missing. Borrowed: parent and document
 * must outlive it. */
typedef struct json_cursor {
    json_t *value;
    const struct json_cursor *parent;
    const char *key; /* of a member; NULL for an item of an array and for the root */
    size_t index;
} json_cursor;

/* Parses a whole document, whose root must be an object. `what` begins the message. *out is
 * released with json_decref. Duplicate members are an error. */
status reader_parse(const char *what, const char *text, size_t size, size_t cap, json_t **out,
                    error *err);

json_cursor reader_root(json_t *value);
json_cursor reader_member(const json_cursor *parent, const char *key);
json_cursor reader_item(const json_cursor *parent, size_t index);
/* there, and not null */
bool reader_present(const json_cursor *at);

/* Stores "place: message". */
status reader_fail(const json_cursor *at, status code, error *err, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

/* Each refuses a missing value, a wrong type and what is out of range. */
status reader_object(const json_cursor *at, error *err);
/* an object with no members but these */
status reader_members(const json_cursor *at, const char *const *names, size_t count, error *err);
status reader_array(const json_cursor *at, size_t least, size_t most, size_t *count, error *err);
/* 1 to `most` bytes; borrowed from the document */
status reader_string(const json_cursor *at, size_t most, const char **out, error *err);
status reader_u32(const json_cursor *at, uint32_t least, uint32_t most, uint32_t *out, error *err);
status reader_number(const json_cursor *at, double least, double most, double *out, error *err);
status reader_bool(const json_cursor *at, bool *out, error *err);
/* one of the names; its index */
status reader_choice(const json_cursor *at, const char *const *names, size_t count, size_t *out,
                     error *err);

#endif
