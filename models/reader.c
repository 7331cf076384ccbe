/* JSON with places. */
#include "models/reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_MAX = 512, PLACE_MAX_DEPTH = 32 };

status reader_parse(const char *what, const char *text, size_t size, size_t cap, json_t **out,
                    error *err)
{
    if (size > cap) {
        return error_set(err, STATUS_LIMIT, "%s: %zu bytes of JSON, at most %zu are read", what,
                         size, cap);
    }
    json_error_t problem = {0};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &problem);
    if (!root) {
        bool memory = json_error_code(&problem) == json_error_out_of_memory;
        return error_set(err, memory ? STATUS_MEMORY : STATUS_MODEL, "%s: line %d, column %d: %s",
                         what, problem.line, problem.column, problem.text);
    }
    if (!json_is_object(root)) {
        json_decref(root);
        return error_set(err, STATUS_MODEL, "%s: not a JSON object", what);
    }
    *out = root;
    return STATUS_OK;
}

json_cursor reader_root(json_t *value)
{
    return (json_cursor){.value = value};
}

json_cursor reader_member(const json_cursor *parent, const char *key)
{
    return (json_cursor){
        .value = json_object_get(parent->value, key), .parent = parent, .key = key};
}

json_cursor reader_item(const json_cursor *parent, size_t index)
{
    return (json_cursor){
        .value = json_array_get(parent->value, index), .parent = parent, .index = index};
}

bool reader_present(const json_cursor *at)
{
    return at->value && !json_is_null(at->value);
}

static void place_text(const json_cursor *at, char *text, size_t size)
{
    const json_cursor *chain[PLACE_MAX_DEPTH];
    size_t depth = 0, used = 0;
    for (; at->parent && depth < PLACE_MAX_DEPTH; at = at->parent) {
        chain[depth++] = at;
    }
    text[0] = 0;
    while (depth > 0 && used < size) {
        const json_cursor *c = chain[--depth];
        int wrote = c->key ? snprintf(text + used, size - used, used ? ".%s" : "%s", c->key)
                           : snprintf(text + used, size - used, "[%zu]", c->index);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

status reader_fail(const json_cursor *at, status code, error *err, const char *format, ...)
{
    char place[PLACE_MAX], message[ERROR_TEXT_MAX - PLACE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    place_text(at, place, sizeof place);
    return error_set(err, code, "%s%s%s", place, place[0] ? ": " : "", message);
}

static const char *type_text(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
    default:
        return "null";
    }
}

static status wrong_type(const json_cursor *at, const char *expected, error *err)
{
    if (!at->value) {
        return reader_fail(at, STATUS_MODEL, err, "is missing");
    }
    return reader_fail(at, STATUS_MODEL, err, "is %s, not %s", type_text(at->value), expected);
}

status reader_object(const json_cursor *at, error *err)
{
    return json_is_object(at->value) ? STATUS_OK : wrong_type(at, "an object", err);
}

status reader_members(const json_cursor *at, const char *const *names, size_t count, error *err)
{
    status s = reader_object(at, err);
    const char *key;
    json_t *value;
    if (s != STATUS_OK) {
        return s;
    }
    json_object_foreach(at->value, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0) {
            i++;
        }
        if (i == count) {
            json_cursor member = {.value = value, .parent = at, .key = key};
            return reader_fail(&member, STATUS_MODEL, err, "no such member");
        }
    }
    return STATUS_OK;
}

status reader_array(const json_cursor *at, size_t least, size_t most, size_t *count, error *err)
{
    if (!json_is_array(at->value)) {
        return wrong_type(at, "an array", err);
    }
    size_t size = json_array_size(at->value);
    if (size < least || size > most) {
        return least == most
                   ? reader_fail(at, STATUS_MODEL, err, "has %zu items, not %zu", size, least)
                   : reader_fail(at, STATUS_MODEL, err, "has %zu items, not %zu to %zu", size,
                                 least, most);
    }
    *count = size;
    return STATUS_OK;
}

status reader_string(const json_cursor *at, size_t most, const char **out, error *err)
{
    if (!json_is_string(at->value)) {
        return wrong_type(at, "a string", err);
    }
    size_t length = json_string_length(at->value);
    if (length < 1 || length > most) {
        return reader_fail(at, STATUS_MODEL, err, "has %zu bytes, not 1 to %zu", length, most);
    }
    *out = json_string_value(at->value);
    return STATUS_OK;
}

status reader_number(const json_cursor *at, double least, double most, double *out, error *err)
{
    if (!json_is_number(at->value)) {
        return wrong_type(at, "a number", err);
    }
    double x = json_number_value(at->value);
    if (!(x >= least && x <= most)) {
        return reader_fail(at, STATUS_MODEL, err, "is %.9g, not %.9g to %.9g", x, least, most);
    }
    *out = x;
    return STATUS_OK;
}

status reader_u32(const json_cursor *at, uint32_t least, uint32_t most, uint32_t *out, error *err)
{
    double x = 0;
    if (!json_is_number(at->value)) {
        return wrong_type(at, "a whole number", err);
    }
    if (json_number_value(at->value) != floor(json_number_value(at->value))) {
        return reader_fail(at, STATUS_MODEL, err, "is %.9g, not a whole number",
                           json_number_value(at->value));
    }
    status s = reader_number(at, least, most, &x, err);
    if (s == STATUS_OK) {
        *out = (uint32_t)x;
    }
    return s;
}

status reader_bool(const json_cursor *at, bool *out, error *err)
{
    if (!json_is_boolean(at->value)) {
        return wrong_type(at, "true or false", err);
    }
    *out = json_is_true(at->value);
    return STATUS_OK;
}

status reader_choice(const json_cursor *at, const char *const *names, size_t count, size_t *out,
                     error *err)
{
    const char *text = "";
    char list[256] = "";
    size_t used = 0;
    status s = reader_string(at, 64, &text, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return STATUS_OK;
        }
        int wrote = used < sizeof list
                        ? snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i])
                        : 0;
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return reader_fail(at, STATUS_MODEL, err, "is \"%s\", not one of %s", text, list);
}
