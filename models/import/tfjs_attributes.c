/* What a layer's config says. Files from Keras write snake_case, some tools camelCase;
 * TensorFlow.js reads both, for names of members and for words as values. */
#include "models/import/tfjs.h"

#include <math.h>
#include <string.h>

/* c, and the number of bytes of `snake` that stand for it: "_s" is 'S' */
static char camel_at(const char *snake, size_t *used)
{
    *used = 1;
    if (snake[0] == '_' && snake[1] >= 'a' && snake[1] <= 'z') {
        *used = 2;
        return (char)(snake[1] - 'a' + 'A');
    }
    return snake[0];
}

static bool equals_camel(const char *text, const char *snake)
{
    size_t used;
    while (*snake) {
        if (*text++ != camel_at(snake, &used)) {
            return false;
        }
        snake += used;
    }
    return *text == 0;
}

bool tfjs_same(const char *text, const char *snake)
{
    return strcmp(text, snake) == 0 || equals_camel(text, snake);
}

json_cursor tfjs_attribute(const json_cursor *config, const char *key)
{
    char camel[64];
    size_t length = 0, used;
    json_cursor at = reader_member(config, key);
    if (at.value) {
        return at;
    }
    for (const char *c = key; *c && length + 1 < sizeof camel; c += used) {
        camel[length++] = camel_at(c, &used);
    }
    camel[length] = 0;
    at.value = json_object_get(config->value, camel);
    return at;
}

status tfjs_u32(const json_cursor *config, const char *key, uint32_t fallback, uint32_t *out,
                error *err)
{
    json_cursor at = tfjs_attribute(config, key);
    *out = fallback;
    if (!reader_present(&at) && fallback) {
        return STATUS_OK;
    }
    return reader_u32(&at, 1, SHAPE_MAX_DIM, out, err);
}

status tfjs_bool(const json_cursor *config, const char *key, bool fallback, bool *out, error *err)
{
    json_cursor at = tfjs_attribute(config, key);
    *out = fallback;
    return reader_present(&at) ? reader_bool(&at, out, err) : STATUS_OK;
}

status tfjs_real(const json_cursor *config, const char *key, double fallback, double *out,
                 error *err)
{
    json_cursor at = tfjs_attribute(config, key);
    json_cursor inner = reader_member(&at, "value");
    *out = fallback;
    if (!reader_present(&at)) {
        return STATUS_OK;
    }
    /* older Keras: {"type": "ndarray", "value": 0.3} */
    return reader_number(json_is_object(at.value) ? &inner : &at, -1e30, 1e30, out, err);
}

static status read_two(const json_cursor *at, uint32_t least, uint32_t pair[2], error *err)
{
    size_t count;
    json_cursor first = reader_item(at, 0), second = reader_item(at, 1);
    status s = reader_array(at, 2, 2, &count, err);
    if (s == STATUS_OK) {
        s = reader_u32(&first, least, SHAPE_MAX_DIM, &pair[0], err);
    }
    return s == STATUS_OK ? reader_u32(&second, least, SHAPE_MAX_DIM, &pair[1], err) : s;
}

status tfjs_pair(const json_cursor *config, const char *key, uint32_t fallback, uint32_t pair[2],
                 error *err)
{
    json_cursor at = tfjs_attribute(config, key);
    pair[0] = pair[1] = fallback;
    if (!reader_present(&at) && fallback) {
        return STATUS_OK;
    }
    if (!json_is_number(at.value)) {
        return read_two(&at, 1, pair, err);
    }
    status s = reader_u32(&at, 1, SHAPE_MAX_DIM, &pair[0], err);
    pair[1] = pair[0];
    return s;
}

status tfjs_border(const json_cursor *config, const char *key, uint32_t fallback, uint32_t sides[4],
                   error *err)
{
    json_cursor at = tfjs_attribute(config, key);
    json_cursor rows = reader_item(&at, 0), columns = reader_item(&at, 1);
    uint32_t pair[2] = {fallback, fallback};
    status s = STATUS_OK;
    if (json_is_number(at.value)) {
        s = reader_u32(&at, 0, SHAPE_MAX_DIM, &pair[0], err);
        pair[1] = pair[0];
    } else if (json_is_array(rows.value)) {
        s = read_two(&rows, 0, sides, err);
        return s == STATUS_OK ? read_two(&columns, 0, sides + 2, err) : s;
    } else if (reader_present(&at)) {
        s = read_two(&at, 0, pair, err);
    }
    sides[0] = sides[1] = pair[0];
    sides[2] = sides[3] = pair[1];
    return s;
}

static status read_word(const json_cursor *at, const char *fallback, const char **word, error *err)
{
    *word = fallback;
    return reader_present(at) ? reader_string(at, TFJS_MAX_NAME, word, err) : STATUS_OK;
}

status tfjs_channels_last(const json_cursor *config, error *err)
{
    const char *word;
    json_cursor at = tfjs_attribute(config, "data_format");
    status s = read_word(&at, "channels_last", &word, err);
    if (s == STATUS_OK && !tfjs_same(word, "channels_last")) {
        s = reader_fail(&at, STATUS_UNSUPPORTED, err, "\"%s\" is not supported, only channels_last",
                        word);
    }
    return s;
}

status tfjs_padding(const json_cursor *config, bool *same, error *err)
{
    const char *word;
    json_cursor at = tfjs_attribute(config, "padding");
    status s = read_word(&at, "valid", &word, err);
    if (s != STATUS_OK) {
        return s;
    }
    *same = strcmp(word, "same") == 0;
    if (!*same && strcmp(word, "valid") != 0) {
        return reader_fail(&at, STATUS_UNSUPPORTED, err,
                           "\"%s\" is not supported, only valid and same", word);
    }
    return STATUS_OK;
}

status tfjs_activation(const json_cursor *config, activation *out, bool *softmax, error *err)
{
    static const struct {
        const char *name;
        activation act;
    } known[] = {
        {"linear", {ACTIVATION_LINEAR, 0, 0, INFINITY}},
        {"relu", {ACTIVATION_RELU, 0, 0, INFINITY}},
        {"relu6", {ACTIVATION_RELU, 0, 0, 6}},
        {"sigmoid", {ACTIVATION_SIGMOID, 0, 0, INFINITY}},
        {"tanh", {ACTIVATION_TANH, 0, 0, INFINITY}},
        {"elu", {ACTIVATION_ELU, 1, 0, INFINITY}},
        {"swish", {ACTIVATION_SWISH, 0, 0, INFINITY}},
        {"silu", {ACTIVATION_SWISH, 0, 0, INFINITY}},
        {"hard_sigmoid", {ACTIVATION_HARD_SIGMOID, 0, 0, INFINITY}},
    };
    const char *name;
    json_cursor at = tfjs_attribute(config, "activation");
    json_cursor inner = tfjs_attribute(&at, "class_name");
    /* a name, or {"class_name": name, "config": {...}} */
    status s = read_word(json_is_object(at.value) ? &inner : &at, "linear", &name, err);
    if (s != STATUS_OK) {
        return s;
    }
    *out = activation_linear;
    *softmax = strcmp(name, "softmax") == 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (tfjs_same(name, known[i].name)) {
            *out = known[i].act;
            return STATUS_OK;
        }
    }
    return *softmax ? STATUS_OK
                    : reader_fail(&at, STATUS_UNSUPPORTED, err, "\"%s\" is not supported", name);
}
