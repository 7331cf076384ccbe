/* --from and --compare: a document that a run of vkdet bench left, read again.
 *
 * Anything may stand in a file. Who goes on with the document relies on this: members that are
 * there have the kind that bench_document.h gives them, numbers are not negative, every result has
 * a name and either a value or the reason why it has none. The first thing that is otherwise is
 * named, and the document refused: half a comparison would look like a whole one. Members that are
 * missing are no fault (older programs wrote fewer), unknown ones neither (newer ones write more).
 */
#include "host/cli/bench_document.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGEST = 64 << 20 }; /* a run of hundreds of cases with layers takes some megabytes */

static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* What is shown comes from a file: no text of it may steer a terminal, nor break a line in two. */
static void tame(json_t *value)
{
    const char *key;
    void *next;
    json_t *inner;
    size_t i;
    if (json_is_string(value) && has_control(json_string_value(value))) {
        (void)json_string_set(value, "(a text with control characters)");
    }
    json_array_foreach(value, i, inner)
    {
        tame(inner);
    }
    json_object_foreach_safe(value, next, key, inner)
    {
        if (has_control(key)) {
            (void)json_object_del(value, key);
        } else {
            tame(inner);
        }
    }
}

/* NULL, the reason told */
static json_t *read_json(const char *path)
{
    json_error_t err;
    struct stat is;
    json_t *document = NULL;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &is) != 0) {
        console_error("%s: %s", path, strerror(errno));
    } else if (S_ISDIR(is.st_mode)) {
        console_error("%s: %s", path, strerror(EISDIR));
    } else if (is.st_size > LARGEST) {
        console_error("%s: %lld bytes are more than a document has (at most %d)", path,
                      (long long)is.st_size, LARGEST);
    } else {
        document = json_loadf(file, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &err);
        if (!document) {
            console_error("%s: %s", path, err.text);
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return document;
}

/* --- what a member is --- */

typedef enum shape {
    TEXT,
    AMOUNT, /* a number that counts or measures: never negative */
    FACTS,  /* an object of texts and amounts */
    TEXTS,  /* a list */
    OBJECT,
    OBJECTS /* a list */
} shape;

/* a row without a key ends a table; null stands for what is not known, whatever the shape */
typedef struct member {
    const char *key;
    shape is;
    const struct member *inner; /* of OBJECT and OBJECTS */
} member;

static const member result_members[] = {
    {"name", TEXT, NULL},
    {"scenario", TEXT, NULL},
    {"stage", TEXT, NULL},
    {"device", TEXT, NULL},
    {"precision", TEXT, NULL},
    {"batch", AMOUNT, NULL},
    {"metric", TEXT, NULL},
    {"unit", TEXT, NULL},
    {"better", TEXT, NULL},
    {"withheld", TEXT, NULL},
    {"value", AMOUNT, NULL},
    {"low", AMOUNT, NULL},
    {"high", AMOUNT, NULL},
    {"min", AMOUNT, NULL},
    {"max", AMOUNT, NULL},
    {"samples", AMOUNT, NULL},
    {"bound_ms", AMOUNT, NULL},
    {"seconds", AMOUNT, NULL},
    {"answered_per_second", AMOUNT, NULL},
    {"unanswered", AMOUNT, NULL},
    {NULL, TEXT, NULL},
};

static const member step_members[] = {
    {"name", TEXT, NULL},
    {"kernel", TEXT, NULL},
    {"variant", TEXT, NULL},
    {"level", AMOUNT, NULL},
    {"us", AMOUNT, NULL},
    {"low", AMOUNT, NULL},
    {"high", AMOUNT, NULL},
    {"share_percent", AMOUNT, NULL},
    {"flops", AMOUNT, NULL},
    {"bytes", AMOUNT, NULL},
    {"gflops", AMOUNT, NULL},
    {"gbs", AMOUNT, NULL},
    {"intensity", AMOUNT, NULL},
    {"roof_gflops", AMOUNT, NULL},
    {"of_roof_percent", AMOUNT, NULL},
    {NULL, TEXT, NULL},
};

static const member layer_members[] = {
    {"device", TEXT, NULL},     {"precision", TEXT, NULL},
    {"batch", AMOUNT, NULL},    {"withheld", TEXT, NULL},
    {"runs", AMOUNT, NULL},     {"total_us", AMOUNT, NULL},
    {"sum_us", AMOUNT, NULL},   {"peak_gflops", AMOUNT, NULL},
    {"peak_gbs", AMOUNT, NULL}, {"steps", OBJECTS, step_members},
    {NULL, TEXT, NULL},
};

static const member device_members[] = {
    {"id", TEXT, NULL},     {"name", TEXT, NULL}, {"driver", TEXT, NULL},
    {"peaks", FACTS, NULL}, {NULL, TEXT, NULL},
};

static const member check_members[] = {
    {"device", TEXT, NULL},  {"precision", TEXT, NULL}, {"batch", AMOUNT, NULL},
    {"slots", AMOUNT, NULL}, {"seconds", AMOUNT, NULL}, {"reason", TEXT, NULL},
    {"raw", OBJECT, NULL},   {NULL, TEXT, NULL},
};

static const member load_members[] = {
    {"device", TEXT, NULL},     {"precision", TEXT, NULL}, {"batch", AMOUNT, NULL},
    {"cpu_clocks", TEXT, NULL}, {"gpu", TEXT, NULL},       {NULL, TEXT, NULL},
};

static const member verdict_members[] = {
    {"name", TEXT, NULL},   {"ratio", AMOUNT, NULL}, {"low", AMOUNT, NULL},
    {"high", AMOUNT, NULL}, {"verdict", TEXT, NULL}, {NULL, TEXT, NULL},
};

static const member comparison_members[] = {
    {"base", TEXT, NULL},         {"date", TEXT, NULL},
    {"differences", TEXTS, NULL}, {"results", OBJECTS, verdict_members},
    {NULL, TEXT, NULL},
};

static const member document_members[] = {
    {"version", TEXT, NULL},
    {"shader_digest", TEXT, NULL},
    {"date", TEXT, NULL},
    {"stopped", TEXT, NULL},
    {"host", FACTS, NULL},
    {"host_before", FACTS, NULL},
    {"host_after", FACTS, NULL},
    {"model", OBJECT, NULL},
    {"input", FACTS, NULL},
    {"rules", FACTS, NULL},
    {"devices", OBJECTS, device_members},
    {"checks", OBJECTS, check_members},
    {"under_load", OBJECTS, load_members},
    {"results", OBJECTS, result_members},
    {"layers", OBJECTS, layer_members},
    {"comparison", OBJECT, comparison_members},
    {NULL, TEXT, NULL},
};

/* Where in which file: places are made of our own words and of numbers, and stay short. */
typedef struct place {
    const char *file;
    char text[160];
} place;

/* The place inside of `at`; index < 0: a member, else one of a list. */
static place place_in(const place *at, const char *key, long index)
{
    place inner = *at;
    const size_t used = strlen(inner.text);
    char *end = inner.text + used;
    if (index < 0) {
        (void)snprintf(end, sizeof inner.text - used, "%s%s", used ? "." : "", key);
    } else {
        (void)snprintf(end, sizeof inner.text - used, "[%ld]", index);
    }
    return inner;
}

static const char *kind_of(const json_t *value)
{
    return json_is_object(value)   ? "an object"
           : json_is_array(value)  ? "a list"
           : json_is_string(value) ? "a text"
           : json_is_number(value) ? "a number"
           : json_is_null(value)   ? "null"
                                   : "true or false";
}

static bool refuse_kind(const place *at, const json_t *value, const char *wanted)
{
    console_error("%s: %s is %s, not %s", at->file, at->text, kind_of(value), wanted);
    return false;
}

static bool check_text(const place *at, const json_t *value)
{
    return json_is_string(value) || refuse_kind(at, value, "a text");
}

static bool check_amount(const place *at, const json_t *value)
{
    if (!json_is_number(value)) {
        return refuse_kind(at, value, "a number");
    }
    if (json_number_value(value) < 0) {
        console_error("%s: %s is %.9g, and nothing that is measured is negative", at->file,
                      at->text, json_number_value(value));
        return false;
    }
    return true;
}

/* Keys of such an object are the file's own, and not shown. */
static bool check_facts(const place *at, const json_t *facts)
{
    const char *key;
    json_t *value;
    if (!json_is_object(facts)) {
        return refuse_kind(at, facts, "an object");
    }
    json_object_foreach((json_t *)facts, key, value)
    {
        if (json_is_number(value) && json_number_value(value) < 0) {
            console_error("%s: a number of %s is negative", at->file, at->text);
            return false;
        }
        if (!json_is_string(value) && !json_is_number(value) && !json_is_null(value)) {
            console_error("%s: a member of %s is %s, not a text or a number", at->file, at->text,
                          kind_of(value));
            return false;
        }
    }
    return true;
}

static bool check_object(const place *at, const json_t *object, const member *members);

static bool check_list(const place *at, const json_t *list, const member *m)
{
    size_t i;
    json_t *value;
    if (!json_is_array(list)) {
        return refuse_kind(at, list, "a list");
    }
    json_array_foreach((json_t *)list, i, value)
    {
        const place inner = place_in(at, "", (long)i);
        if (!(m->is == TEXTS ? check_text(&inner, value) : check_object(&inner, value, m->inner))) {
            return false;
        }
    }
    return true;
}

static bool check_member(const place *at, const json_t *value, const member *m)
{
    switch (m->is) {
    case TEXT:
        return check_text(at, value);
    case AMOUNT:
        return check_amount(at, value);
    case FACTS:
        return check_facts(at, value);
    case OBJECT:
        return check_object(at, value, m->inner);
    default:
        return check_list(at, value, m);
    }
}

static bool check_object(const place *at, const json_t *object, const member *members)
{
    if (!json_is_object(object)) {
        return refuse_kind(at, object, "an object");
    }
    for (const member *m = members; m && m->key; m++) {
        const json_t *value = json_object_get(object, m->key);
        if (value && !json_is_null(value)) {
            const place inner = place_in(at, m->key, -1);
            if (!check_member(&inner, value, m)) {
                return false;
            }
        }
    }
    return true;
}

/* Of a result what no single member tells. */
static bool check_result(const place *at, const json_t *result)
{
    const char *better = document_text(result, "better");
    const bool known = strcmp(better, "higher") == 0 || strcmp(better, "lower") == 0;
    const json_t *withheld = json_object_get(result, "withheld");
    if (*document_text(result, "name") == 0) {
        console_error("%s: %s has no name", at->file, at->text);
        return false;
    }
    if (json_is_string(withheld)) {
        return true;
    }
    if (withheld || !json_object_get(result, "value")) {
        console_error("%s: %s has neither a value nor a reason why it is withheld", at->file,
                      at->text);
        return false;
    }
    if (!known) {
        console_error("%s: %s.better is neither \"higher\" nor \"lower\"", at->file, at->text);
        return false;
    }
    if (document_get(result, "low") > document_get(result, "high")) {
        console_error("%s: the interval of %s runs from %.9g down to %.9g", at->file, at->text,
                      document_get(result, "low"), document_get(result, "high"));
        return false;
    }
    return true;
}

/* Whether it is one of ours at all, then all that is in it. */
static bool check_document(const char *path, const json_t *document)
{
    static const char none[] = "no document of vkdet bench --json";
    const char *tool = document_text(document, "tool");
    const json_t *results = json_object_get(document, "results");
    const place top = {path, ""};
    const place list = place_in(&top, "results", -1);
    size_t i;
    json_t *result;
    if (!json_is_object(document)) {
        console_error("%s: %s, but %s", path, none, kind_of(document));
    } else if (*tool == 0) {
        console_error("%s: %s: it does not name its tool", path, none);
    } else if (strcmp(tool, "vkdet bench") != 0) {
        console_error("%s: %s, but of \"%.60s\"", path, none, tool);
    } else if (!json_is_integer(json_object_get(document, "schema"))) {
        console_error("%s: %s: its schema is no whole number", path, none);
    } else if (document_get(document, "schema") != 1) {
        console_error("%s: a document of schema %.0f; this vkdet reads 1", path,
                      document_get(document, "schema"));
    } else if (!results || json_is_null(results)) {
        console_error("%s: %s: it has no results", path, none);
    } else if (check_object(&top, document, document_members)) {
        json_array_foreach((json_t *)results, i, result)
        {
            const place inner = place_in(&list, "", (long)i);
            if (!check_result(&inner, result)) {
                return false;
            }
        }
        return true;
    }
    return false;
}

int bench_document_load(const char *path, json_t **out)
{
    *out = read_json(path);
    if (!*out) {
        return EXIT_INPUT;
    }
    if (!check_document(path, *out)) {
        json_decref(*out);
        *out = NULL;
        return EXIT_INPUT;
    }
    tame(*out);
    return EXIT_GOOD;
}
