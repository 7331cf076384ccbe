/* The document for a terminal and for a spreadsheet.
 *
 * A line a fact, a line a result: "name = value unit", the equals signs in one column; behind the
 * unit in brackets what else is known. */
#include "host/cli/bench_document.h"

#include "host/cli/report.h"
#include "host/client/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Five digits that mean something, however large the number. */
static void print_value(FILE *out, double value)
{
    if (!isfinite(value)) {
        (void)fputs("?", out);
    } else if (fabs(value) >= 99999.5) {
        (void)fprintf(out, "%.0f", value);
    } else {
        (void)fprintf(out, "%.5g", value);
    }
}

static void print_name(const char *name, int width)
{
    (void)printf("%-*s = ", width, name);
}

static void print_fact(const char *name, int width, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

static void print_fact(const char *name, int width, const char *format, ...)
{
    va_list arguments;
    print_name(name, width);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)fputc('\n', stdout);
}

static void print_state(const json_t *document, const char *member, int width)
{
    const json_t *state = json_object_get(document, member);
    const char *key;
    json_t *value;
    char name[64];
    json_object_foreach((json_t *)state, key, value)
    {
        (void)snprintf(name, sizeof name, "%s.%s", member, key);
        if (json_is_string(value)) {
            print_fact(name, width, "%s", json_string_value(value));
        } else {
            print_fact(name, width, "%s", document_shown(state, key, COUNT_DIGITS).text);
        }
    }
}

static void print_clocks(const json_t *document, int width)
{
    size_t i;
    json_t *entry;
    const bool alike = document_clocks_alike(document);
    json_array_foreach(json_object_get(document, "under_load"), i, entry)
    {
        char name[96] = "under_load", text[DOCUMENT_CLOCKS];
        if (alike && i > 0) {
            break;
        }
        if (!alike) {
            (void)snprintf(name, sizeof name, "under_load.%s.%s.b%s",
                           document_text(entry, "device"), document_text(entry, "precision"),
                           document_shown(entry, "batch", COUNT_DIGITS).text);
        }
        document_clocks(entry, text, sizeof text);
        print_fact(name, width, "%s", text);
    }
}

/* Checks are no scores, and compared with nothing; how long they took is told all the same, of a
 * run that was stopped too. */
static void print_checks(const json_t *document, int width)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(document, "checks"), i, check)
    {
        char name[96];
        const json_t *ok = json_object_get(check, "ok");
        (void)snprintf(name, sizeof name, "check.%s.%s.b%s", document_text(check, "device"),
                       document_text(check, "precision"),
                       document_shown(check, "batch", COUNT_DIGITS).text);
        print_name(name, width);
        print_value(stdout, document_get(check, "seconds"));
        (void)printf(" s  [%s; slots %s]\n",
                     json_is_true(ok)    ? "passed"
                     : json_is_false(ok) ? "failed"
                                         : "?",
                     document_shown(check, "slots", COUNT_DIGITS).text);
    }
}

static void print_facts(const json_t *d, int width)
{
    const json_t *host = json_object_get(d, "host"), *model = json_object_get(d, "model");
    const json_t *input = json_object_get(d, "input");
    size_t i;
    json_t *device;
    print_fact("vkdet", width, "%s (shaders %.12s)", document_text(d, "version"),
               document_text(d, "shader_digest"));
    print_fact("date", width, "%s", document_text(d, "date"));
    print_fact("system", width, "%s, %s", document_text(host, "system"),
               document_text(host, "kernel"));
    print_fact("cpu", width, "%s, %s cores, %s to use", document_text(host, "cpu"),
               document_shown(host, "cores", COUNT_DIGITS).text,
               document_shown(host, "processors", COUNT_DIGITS).text);
    print_state(d, "host_before", width);
    print_state(d, "host_after", width);
    print_clocks(d, width);
    print_fact("model", width, "%s %s (weights %.12s)", document_text(model, "name"),
               document_text(model, "version"), document_text(model, "sha256"));
    const document_figure pictures = document_shown(input, "pictures", COUNT_DIGITS);
    if (json_is_integer(json_object_get(input, "width"))) {
        print_fact("input", width, "%s %s of %sx%s", pictures.text, document_text(input, "kind"),
                   document_shown(input, "width", COUNT_DIGITS).text,
                   document_shown(input, "height", COUNT_DIGITS).text);
    } else if (input && !json_is_null(input)) {
        print_fact("input", width, "%s %s of several sizes", pictures.text,
                   document_text(input, "kind"));
    } else {
        print_fact("input", width, "?");
    }
    char rules[512];
    document_rules(d, rules, sizeof rules);
    print_fact("rules", width, "%s", rules);
    json_array_foreach(json_object_get(d, "devices"), i, device)
    {
        char name[64];
        (void)snprintf(name, sizeof name, "device.%s", document_text(device, "id"));
        const char *driver = document_text(device, "driver");
        print_fact(name, width, "%s%s%s", document_text(device, "name"), *driver ? ", " : "",
                   driver);
    }
}

/* what a rate of the server scenario came with */
static void print_server(const json_t *result, const json_t *holds, const json_t *rules)
{
    if (holds) {
        (void)printf(" p99 %s %s ms", json_is_true(holds) ? "within" : "beyond",
                     document_shown(result, "bound_ms", 6).text);
    }
    if (isfinite(document_get(result, "answered_per_second"))) {
        (void)fputs(", answered ", stdout);
        print_value(stdout, document_get(result, "answered_per_second"));
        (void)printf("/s in %s s", document_shown(result, "seconds", 3).text);
    }
    /* a queue may grow all the time and stay within the bound until the end */
    const double needed = document_get(result, "bound_ms") * 1e-3 / BENCH_RATE_TOLERANCE;
    if (json_is_true(holds) && document_get(rules, "max_seconds") < needed) {
        (void)printf("; whether it lasts takes --max-time %.0f to tell", ceil(needed));
    }
    if (document_get(result, "unanswered") > 0) {
        (void)printf(", %.0f unanswered", document_get(result, "unanswered"));
    }
}

static void print_result(const json_t *result, const json_t *rules, int width)
{
    const double low = document_get(result, "low"), high = document_get(result, "high");
    const json_t *told = json_object_get(result, "holds");
    const json_t *holds = json_is_boolean(told) ? told : NULL;
    const document_figure samples = document_shown(result, "samples", COUNT_DIGITS);
    print_name(document_text(result, "name"), width);
    if (json_object_get(result, "withheld")) {
        (void)printf("withheld: %s\n", document_text(result, "withheld"));
        return;
    }
    print_value(stdout, document_get(result, "value"));
    (void)printf(" %s", document_text(result, "unit"));
    if (isfinite(low) || isfinite(high)) {
        (void)fputs(holds ? "  [held, failed " : "  [95 % ", stdout);
        print_value(stdout, low);
        (void)fputs(" to ", stdout);
        print_value(stdout, high);
        if (json_object_get(result, "min")) {
            (void)fputs("; min ", stdout);
            print_value(stdout, document_get(result, "min"));
            (void)fputs(", max ", stdout);
            print_value(stdout, document_get(result, "max"));
        }
        (void)printf("; n %s]", samples.text);
    } else {
        (void)printf("  [n %s]", samples.text);
    }
    print_server(result, holds, rules);
    (void)fputc('\n', stdout);
}

static void print_layers(const json_t *entry)
{
    static const report_column columns[] = {
        {"step", "name", false},
        {"kernel", "kernel", false},
        {"variant", "variant", false},
        {"level", "level", true},
        {"us", "us", true},
        {"% of sum", "share_percent", true},
        {"GFLOP/s", "gflops", true},
        {"GB/s", "gbs", true},
        {"FLOP/B", "intensity", true},
        {"% of roof", "of_roof_percent", true},
    };
    const char *device = document_text(entry, "device");
    const char *precision = document_text(entry, "precision");
    const document_figure batch = document_shown(entry, "batch", COUNT_DIGITS);
    if (json_object_get(entry, "withheld")) {
        (void)printf("\nlayers of %s %s batch %s are withheld: %s\n", device, precision, batch.text,
                     document_text(entry, "withheld"));
        return;
    }
    (void)printf("\nlayers of %s %s batch %s: medians of %s runs; together ", device, precision,
                 batch.text, document_shown(entry, "runs", COUNT_DIGITS).text);
    print_value(stdout, document_get(entry, "total_us"));
    (void)fputs(" us, one by one ", stdout);
    print_value(stdout, document_get(entry, "sum_us"));
    (void)fputs(" us", stdout);
    if (document_get(entry, "peak_gflops") > 0) {
        (void)printf("; roof %s GFLOP/s, %s GB/s", document_shown(entry, "peak_gflops", 5).text,
                     document_shown(entry, "peak_gbs", 4).text);
    }
    (void)fputs("\n\n", stdout);
    report_table(json_object_get(entry, "steps"), columns, sizeof columns / sizeof columns[0]);
}

static void print_comparison(const json_t *comparison, int width)
{
    size_t i;
    json_t *line;
    (void)printf("\nagainst %s (speed now / then; above 1 is faster)\n",
                 document_text(comparison, "base"));
    json_array_foreach(json_object_get(comparison, "differences"), i, line)
    {
        (void)printf("beware: %s\n", json_string_value(line));
    }
    json_array_foreach(json_object_get(comparison, "results"), i, line)
    {
        print_name(document_text(line, "name"), width);
        if (isfinite(document_get(line, "ratio"))) {
            (void)printf("%.4g x", document_get(line, "ratio"));
        }
        if (isfinite(document_get(line, "low"))) {
            (void)printf("  [%s to %s]", document_shown(line, "low", 4).text,
                         document_shown(line, "high", 4).text);
        }
        (void)printf("  %s\n", document_text(line, "verdict"));
    }
}

int bench_print_lines(const json_t *document)
{
    size_t i, longest = strlen("host_before.cpu_throttle_events");
    json_t *entry;
    const json_t *results = json_object_get(document, "results");
    json_array_foreach(results, i, entry)
    {
        size_t length = strlen(document_text(entry, "name"));
        longest = length > longest && length < 120 ? length : longest;
    }
    const int width = (int)longest;
    print_facts(document, width);
    print_checks(document, width);
    (void)fputc('\n', stdout);
    json_array_foreach(results, i, entry)
    {
        print_result(entry, json_object_get(document, "rules"), width);
    }
    json_array_foreach(json_object_get(document, "layers"), i, entry)
    {
        print_layers(entry);
    }
    if (json_object_get(document, "comparison")) {
        print_comparison(json_object_get(document, "comparison"), width);
    }
    if (json_is_string(json_object_get(document, "stopped"))) {
        (void)printf("\nstopped by %s: what was measured until then\n",
                     document_text(document, "stopped"));
    }
    return report_end();
}

static void csv_member(const json_t *result, const char *key)
{
    const json_t *value = json_object_get(result, key);
    if (json_is_string(value)) {
        text_csv_field(stdout, json_string_value(value));
    } else if (json_is_integer(value)) {
        (void)printf("%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        (void)printf("%.9g", json_real_value(value));
    } else if (json_is_boolean(value)) {
        (void)fputs(json_is_true(value) ? "true" : "false", stdout);
    }
}

/* What the whole run shares, in every line: a line may be read alone. */
static void csv_shared(const json_t *d, const json_t *result)
{
    const json_t *device = NULL;
    const json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(d, "devices"), i, entry)
    {
        if (strcmp(document_text(entry, "id"), document_text(result, "device")) == 0) {
            device = entry;
        }
    }
    const json_t *model = json_object_get(d, "model");
    const char *const shared[] = {document_text(device, "name"),
                                  document_text(device, "driver"),
                                  document_text(json_object_get(d, "host"), "cpu"),
                                  document_text(model, "name"),
                                  document_text(model, "sha256"),
                                  document_text(d, "version"),
                                  document_text(d, "shader_digest"),
                                  document_text(d, "date")};
    for (size_t k = 0; k < sizeof shared / sizeof shared[0]; k++) {
        (void)fputc(',', stdout);
        text_csv_field(stdout, shared[k]);
    }
}

int bench_print_csv(const json_t *document)
{
    static const char *const members[] = {
        "name", "scenario", "stage", "device", "precision", "batch",    "metric", "value",   "unit",
        "low",  "high",     "min",   "max",    "samples",   "withheld", "holds",  "bound_ms"};
    enum { COUNT = sizeof members / sizeof members[0] };
    size_t i;
    json_t *result;
    for (size_t k = 0; k < COUNT; k++) {
        (void)printf("%s%s", k ? "," : "", members[k]);
    }
    (void)fputs(",device_name,driver,cpu,model,weights,version,shader_digest,date\n", stdout);
    json_array_foreach(json_object_get(document, "results"), i, result)
    {
        for (size_t k = 0; k < COUNT; k++) {
            (void)fputs(k ? "," : "", stdout);
            csv_member(result, members[k]);
        }
        csv_shared(document, result);
        (void)fputc('\n', stdout);
    }
    return report_end();
}
