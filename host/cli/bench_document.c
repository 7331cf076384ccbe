/* Building and reading the document. */
#include "host/cli/bench_document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *stage_name(unsigned stage)
{
    return stage == STAGE_PIXELS ? "pixels" : stage == STAGE_BYTES ? "bytes" : "device";
}

json_t *document_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

double document_get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *document_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

document_figure document_figure_of(double value, int digits)
{
    document_figure f = {"?"};
    if (isfinite(value)) {
        (void)snprintf(f.text, sizeof f.text, "%.*g", digits, value);
    }
    return f;
}

document_figure document_shown(const json_t *object, const char *key, int digits)
{
    return document_figure_of(document_get(object, key), digits);
}

static json_t *model_facts(const bench *b)
{
    const vkdet_model_info *m = &b->info;
    return json_pack("{s:s, s:s, s:s, s:[I,I,I], s:I}", "name", m->name, "version", m->version,
                     "sha256", m->sha256, "input", (json_int_t)m->input_width,
                     (json_int_t)m->input_height, (json_int_t)m->input_channels, "anchors",
                     (json_int_t)m->anchor_count);
}

static const char *tune_text(vkdet_tune tune)
{
    return tune == VKDET_TUNE_OFF     ? "off"
           : tune == VKDET_TUNE_QUICK ? "quick"
           : tune == VKDET_TUNE_FULL  ? "full"
                                      : "default";
}

static const char *winograd_text(vkdet_winograd winograd)
{
    return winograd == VKDET_WINOGRAD_NEVER    ? "never"
           : winograd == VKDET_WINOGRAD_ALWAYS ? "always"
                                               : "auto";
}

static json_t *rule_facts(const bench_wish *w, const vkdet_model_info *m)
{
    const vkdet_detect_params *d = &w->detect;
    return json_pack(
        "{s:f, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:s, s:s}",
        "confidence", BENCH_CONFIDENCE, "min_runs", (json_int_t)w->rule.min_runs, "warm_up_seconds",
        BENCH_WARM_SECONDS, "min_seconds", w->rule.min_seconds, "max_seconds", w->rule.max_seconds,
        "spread", w->rule.spread, "slots", (json_int_t)w->slots, "threads", (json_int_t)w->threads,
        "tune", tune_text(w->tune), "winograd", winograd_text(w->winograd), "seed",
        (json_int_t)w->seed, "bound_ms", w->bound_seconds * 1e3, "qps", w->qps, "score_threshold",
        d->score_threshold != 0 ? d->score_threshold : (double)m->score_threshold, "iou_threshold",
        d->iou_threshold != 0 ? d->iou_threshold : (double)m->iou_threshold, "percentile",
        "nearest rank", "interval", "order statistics of the binomial");
}

static json_t *arguments_list(const settings *s)
{
    json_t *list = json_array();
    for (int i = 0; list && i < s->operand_count; i++) {
        json_t *text = json_string(s->operands[i]); /* NULL when it is no UTF-8 */
        (void)json_array_append_new(list, text ? text : json_string("(a name that is no UTF-8)"));
    }
    return list;
}

json_t *document_begin(bench *b, json_t *input_facts)
{
    char date[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) {
        (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    }
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:n, s:o, s:o, s:o, s:o, s:o, s:[], s:[], s:[], "
                     "s:[], s:[]}",
                     "schema", 1, "tool", "vkdet bench", "version", vkdet_version(),
                     "shader_digest", vkdet_shader_digest(), "date", date, "stopped", "host",
                     bench_host_facts(), "model", model_facts(b), "input", input_facts, "rules",
                     rule_facts(&b->wish, &b->info), "sources", arguments_list(b->settings),
                     "devices", "checks", "under_load", "results", "layers");
}

void document_add(bench *b, const bench_case *c, const bench_metric *m, bench_estimate e,
                  size_t samples)
{
    char name[256], where[96];
    (void)snprintf(where, sizeof where, "%s.%s.b%u", c->device.id,
                   vkdet_precision_name(c->precision), c->batch);
    (void)snprintf(name, sizeof name, "%s%s%s.%s.%s", m->scenario, *m->stage ? "." : "", m->stage,
                   where, m->name);
    json_t *result =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "name", name, "scenario",
                  m->scenario, "stage", m->stage, "device", c->device.id, "precision",
                  vkdet_precision_name(c->precision), "batch", (json_int_t)c->batch, "metric",
                  m->name, "unit", m->unit, "better", m->higher_is_better ? "higher" : "lower");
    if (c->withheld[0]) {
        (void)json_object_set_new(result, "withheld", json_string(c->withheld));
    } else {
        (void)json_object_set_new(result, "value", document_number(e.value * m->scale));
        (void)json_object_set_new(result, "low", document_number(e.low * m->scale));
        (void)json_object_set_new(result, "high", document_number(e.high * m->scale));
        (void)json_object_set_new(result, "samples", json_integer((json_int_t)samples));
    }
    (void)json_array_append_new(json_object_get(b->document, "results"), result);
}

void document_annotate(bench *b, const char *key, json_t *value)
{
    json_t *results = json_object_get(b->document, "results");
    size_t count = json_array_size(results);
    if (count > 0) {
        (void)json_object_set_new(json_array_get(results, count - 1), key, value);
    } else {
        json_decref(value);
    }
}

void document_add_quantile(bench *b, const bench_case *c, const bench_metric *m, double q,
                           const bench_samples *sorted)
{
    if (sorted->count == 0) {
        return;
    }
    document_add(b, c, m, samples_quantile(sorted, q), sorted->count);
    if (q == 0.5 && !c->withheld[0]) {
        document_annotate(b, "min", document_number(sorted->values[0] * m->scale));
        document_annotate(b, "max", document_number(sorted->values[sorted->count - 1] * m->scale));
    }
}

void document_clocks(const json_t *entry, char *text, size_t size)
{
    const char *gpu = document_text(entry, "gpu");
    (void)snprintf(text, size, "cpu clocks %s%s%s", document_text(entry, "cpu_clocks"),
                   *gpu ? "; " : "", gpu);
}

bool document_clocks_alike(const json_t *document)
{
    char first[DOCUMENT_CLOCKS], other[DOCUMENT_CLOCKS];
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(document, "under_load"), i, entry)
    {
        document_clocks(entry, i ? other : first, DOCUMENT_CLOCKS);
        if (i > 0 && strcmp(first, other) != 0) {
            return false;
        }
    }
    return true;
}

void document_rules(const json_t *document, char *text, size_t size)
{
    const json_t *rules = json_object_get(document, "rules");
    const double threads = document_get(rules, "threads");
    const char *tune = document_text(rules, "tune");
    const char *winograd = document_text(rules, "winograd");
    const bool a_core = threads == 0;
    (void)snprintf(text, size,
                   "%s s of warm-up, then %s to %s s and at least %s samples; %s slots; "
                   "cpu: %s%s; tuning %.16s; Winograd %.16s; percentiles by nearest rank, 95 %% "
                   "intervals by order "
                   "statistics",
                   document_shown(rules, "warm_up_seconds", 3).text,
                   document_shown(rules, "min_seconds", 3).text,
                   document_shown(rules, "max_seconds", 3).text,
                   document_shown(rules, "min_runs", COUNT_DIGITS).text,
                   document_shown(rules, "slots", COUNT_DIGITS).text,
                   a_core ? "a thread a core" : document_shown(rules, "threads", COUNT_DIGITS).text,
                   a_core ? "" : " threads", *tune ? tune : "?", *winograd ? winograd : "?");
}
