/* A scan that knows strings and brackets, then the library. */
#include "host/serve/oip_text.h"

typedef struct tally {
    size_t depth, values, members;
} tally;

/* The byte behind the string that begins at `at`. */
static size_t string_end(const char *text, size_t size, size_t at)
{
    for (at++; at < size && text[at] != '"'; at++) {
        at += text[at] == '\\';
    }
    return at + 1;
}

static bool within(const tally *t, const oip_text_limits *limits, oip_fault *fault)
{
    if (t->depth > limits->depth) {
        return oip_refuse(fault, "the JSON is nested deeper than %zu levels", limits->depth);
    }
    if (t->values > limits->values) {
        return oip_refuse(fault,
                          "the JSON has more than %zu values; send so much data in the binary form",
                          limits->values);
    }
    if (t->members > limits->members) {
        return oip_refuse(fault, "the JSON has more than %zu members", limits->members);
    }
    return true;
}

/* Counts as if the text were well-formed; where it is not, the library stops at the same place or
 * before. */
static bool look_over(const char *text, size_t size, const oip_text_limits *limits,
                      oip_fault *fault)
{
    tally t = {0, 0, 0};
    for (size_t at = 0; at < size; at++) {
        switch (text[at]) {
        case '"':
            at = string_end(text, size, at) - 1;
            break;
        case '[':
        case '{':
            t.depth++;
            t.values++;
            break;
        case ']':
        case '}':
            t.depth -= t.depth > 0;
            break;
        case ',':
            t.values++;
            break;
        case ':':
            t.members++;
            break;
        default:
            break;
        }
        if (!within(&t, limits, fault)) {
            return false;
        }
    }
    return true;
}

json_t *oip_text_load(const char *text, size_t size, const oip_text_limits *limits,
                      oip_fault *fault)
{
    if (!look_over(text, size, limits, fault)) {
        return NULL;
    }
    json_error_t err;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &err);
    if (!document) {
        /* where the library itself could not allocate it often says nothing */
        if (err.text[0] == 0 || json_error_code(&err) == json_error_out_of_memory) {
            (void)oip_no_memory(fault);
        } else {
            (void)oip_refuse(fault, "the JSON of %zu bytes, at byte %d: %s", size, err.position,
                             err.text);
        }
        return NULL;
    }
    if (!json_is_object(document)) {
        (void)oip_refuse(fault, "the JSON is not an object");
        json_decref(document);
        return NULL;
    }
    return document;
}
