/* --compare: a run against one that was kept, result by result. */
#include "host/cli/bench_document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *find_named(const json_t *list, const char *key, const char *name)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)list, i, entry)
    {
        if (strcmp(document_text(entry, key), name) == 0) {
            return entry;
        }
    }
    return NULL;
}

static bench_estimate estimate_of(const json_t *result)
{
    return (bench_estimate){document_get(result, "value"), document_get(result, "low"),
                            document_get(result, "high")};
}

static void note_difference(json_t *list, const char *what, const char *then, const char *now)
{
    char text[640];
    if (strcmp(then, now) != 0) {
        (void)snprintf(text, sizeof text, "%s was \"%.200s\", is \"%.200s\"", what, then, now);
        json_t *line = json_string(text);
        (void)json_array_append_new(list, line ? line : json_string("a name that is no UTF-8"));
    }
}

/* a rule of measuring that is another now; a base from before the rule was kept says nothing */
static void note_rule(json_t *list, const char *what, const json_t *then, const json_t *now)
{
    char *before = then ? json_dumps(then, JSON_ENCODE_ANY) : NULL;
    char *after = now ? json_dumps(now, JSON_ENCODE_ANY) : NULL;
    if (before && after && !json_equal((json_t *)then, (json_t *)now)) {
        note_difference(list, what, before, after);
    }
    free(before);
    free(after);
}

/* What makes the two runs something else than the same thing twice. */
static json_t *differences(const json_t *base, const json_t *now)
{
    json_t *list = json_array();
    const json_t *devices = json_object_get(base, "devices");
    size_t i;
    json_t *device;
    note_difference(list, "the cpu", document_text(json_object_get(base, "host"), "cpu"),
                    document_text(json_object_get(now, "host"), "cpu"));
    note_rule(list, "processors", json_object_get(json_object_get(base, "host"), "processors"),
              json_object_get(json_object_get(now, "host"), "processors"));
    note_difference(list, "the model", document_text(json_object_get(base, "model"), "sha256"),
                    document_text(json_object_get(now, "model"), "sha256"));
    json_array_foreach(json_object_get(now, "devices"), i, device)
    {
        const char *id = document_text(device, "id");
        const json_t *then = find_named(devices, "id", id);
        if (then) {
            note_difference(list, id, document_text(then, "name"), document_text(device, "name"));
            note_difference(list, "its driver", document_text(then, "driver"),
                            document_text(device, "driver"));
        }
    }
    static const char *const rules[] = {"slots",    "threads",         "tune",          "winograd",
                                        "bound_ms", "score_threshold", "iou_threshold", "seed"};
    for (i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        note_rule(list, rules[i], json_object_get(json_object_get(base, "rules"), rules[i]),
                  json_object_get(json_object_get(now, "rules"), rules[i]));
    }
    if (!json_equal((json_t *)json_object_get(base, "input"),
                    (json_t *)json_object_get(now, "input"))) {
        (void)json_array_append_new(list, json_string("the pictures are others"));
    }
    return list;
}

static json_t *line_of(const json_t *result, const json_t *base, double floor, bool *slower)
{
    const char *verdict = NULL;
    bench_estimate ratio = {(double)NAN, (double)NAN, (double)NAN};
    if (!base) {
        verdict = "only in this run";
    } else if (json_object_get(result, "withheld") || json_object_get(base, "withheld")) {
        verdict = json_object_get(result, "withheld") ? "withheld" : "withheld then";
    } else {
        const bench_estimate then = estimate_of(base), now = estimate_of(result);
        const bool higher = strcmp(document_text(result, "better"), "higher") == 0;
        bench_verdict v = estimates_compare(&then, &now, higher, floor, &ratio);
        *slower = *slower || v == VERDICT_SLOWER;
        verdict = verdict_name(v);
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:s}", "name", document_text(result, "name"), "ratio",
                     document_number(ratio.value), "low", document_number(ratio.low), "high",
                     document_number(ratio.high), "verdict", verdict);
}

bool bench_compare(json_t *document, const json_t *base, const char *base_path, double floor)
{
    const json_t *before = json_object_get(base, "results");
    json_t *lines = json_array(), *path = json_string(base_path);
    bool slower = false;
    size_t i;
    json_t *result;
    json_array_foreach(json_object_get(document, "results"), i, result)
    {
        const json_t *then = find_named(before, "name", document_text(result, "name"));
        (void)json_array_append_new(lines, line_of(result, then, floor, &slower));
    }
    json_array_foreach((json_t *)before, i, result)
    {
        const char *name = document_text(result, "name");
        if (!find_named(json_object_get(document, "results"), "name", name)) {
            (void)json_array_append_new(
                lines, json_pack("{s:s, s:s}", "name", name, "verdict", "only in the base"));
        }
    }
    json_t *comparison =
        json_pack("{s:o, s:s, s:f, s:o, s:o}", "base", path ? path : json_string("?"), "date",
                  document_text(base, "date"), "floor", floor, "differences",
                  differences(base, document), "results", lines);
    (void)json_object_set_new(document, "comparison", comparison);
    return slower;
}
