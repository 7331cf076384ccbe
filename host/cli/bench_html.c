/* --report: the document as one HTML file. */
#include "host/cli/bench_html.h"

#include "host/cli/bench_document.h"
#include "host/cli/command.h"
#include "host/cli/console.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char style[] =
    ":root{--page:#f7f8fa;--card:#fff;--ink:#1b2230;--soft:#667085;--line:#e2e6ec;--track:#eef1f5;"
    "--good:#137a4b;--bad:#b42318;--roof:#475467;"
    "--c0:#2f6fde;--c1:#d97706;--c2:#0f9f8a;--c3:#b83280;--c4:#6d5ae0;--c5:#5b8c1a;--c6:#c2410c;"
    "--c7:#64748b;--c8:#0b7c9e;--c9:#8a6d3b}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#10141b;--card:#181e28;--ink:#e6eaf2;"
    "--soft:#97a3b6;--line:#2a3342;--track:#222a37;--good:#4ccb8f;--bad:#ff8a7a;--roof:#aab4c4;"
    "--c0:#6da2ff;--c1:#f5b04c;--c2:#45cdb9;--c3:#f083bd;--c4:#a496ff;--c5:#a3d15b;--c6:#ff9966;"
    "--c7:#9fb0c6;--c8:#4fc3e8;--c9:#d0b27a}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}\n"
    "main{max-width:1060px;margin:0 auto;padding:32px 20px 64px}"
    "h1{font-size:26px;margin:0}h2{font-size:19px;margin:36px 0 12px}h3{font-size:15px;margin:20px "
    "0 8px;color:var(--soft);font-weight:600}p{margin:6px 0;max-width:80ch}\n"
    ".soft,.sub{color:var(--soft)}.card{background:var(--card);border:1px solid var(--line);"
    "border-radius:10px;padding:16px 18px;margin:12px 0;overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:13.5px}th{text-align:left;color:var(--"
    "soft)"
    ";font-weight:600}th,td{padding:5px 10px 5px 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}tr:last-child td{border-bottom:0}\n"
    ".soft{white-space:nowrap}p.soft{white-space:normal}td.n,th.n{text-align:right;font-variant-"
    "numeric:tabular-nums;white-space:nowrap}"
    "td.id{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12.5px}\n"
    ".good{color:var(--good)}.bad{color:var(--bad)}.warn{border-left:4px solid var(--bad)}\n"
    "svg{display:block;width:100%;min-width:620px;max-width:900px;height:auto;font-size:12px}"
    "svg text{fill:var(--ink)}svg .tick,svg .note,svg .soft{fill:var(--soft)}svg .axis{fill:"
    "var(--soft);font-weight:600}svg .value{font-variant-numeric:tabular-nums}\n"
    ".grid{stroke:var(--line);fill:none}.roof{stroke:var(--roof);stroke-width:2;fill:none}"
    ".track{fill:var(--track)}.whisker{stroke:var(--ink);stroke-width:1.5;fill:none}"
    "svg .label{font-size:11px;font-weight:600}circle.dot{fill-opacity:.82;stroke:var(--card)}\n"
    ".k0{fill:var(--c0);background:var(--c0)}.k1{fill:var(--c1);background:var(--c1)}"
    ".k2{fill:var(--c2);background:var(--c2)}.k3{fill:var(--c3);background:var(--c3)}"
    ".k4{fill:var(--c4);background:var(--c4)}.k5{fill:var(--c5);background:var(--c5)}"
    ".k6{fill:var(--c6);background:var(--c6)}.k7{fill:var(--c7);background:var(--c7)}"
    ".k8{fill:var(--c8);background:var(--c8)}.k9{fill:var(--c9);background:var(--c9)}\n"
    ".legend span{display:inline-block;margin-right:16px;white-space:nowrap}.legend i{display:"
    "inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}\n"
    "@media print{body{background:#fff}.card{break-inside:avoid}}\n";

void html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            (void)fputs("&amp;", out);
            break;
        case '<':
            (void)fputs("&lt;", out);
            break;
        case '>':
            (void)fputs("&gt;", out);
            break;
        case '"':
            (void)fputs("&quot;", out);
            break;
        default:
            (void)fputc(*text, out);
            break;
        }
    }
}

void html_number(FILE *out, double value)
{
    const double size = fabs(value);
    if (!isfinite(value)) {
        (void)fputs("&ndash;", out);
    } else if (size != 0 && size < 0.01) {
        (void)fprintf(out, "%.3g", value);
    } else {
        const int decimals = size >= 999.95   ? 0
                             : size >= 99.995 ? 1
                             : size >= 9.9995 ? 2
                             : size != 0      ? 3
                                              : 0;
        (void)fprintf(out, "%.*f", decimals, value);
    }
}

/* of things that are counted */
static void count_cell(FILE *out, double value)
{
    (void)fputs("<td class=\"n\">", out);
    if (isfinite(value)) {
        (void)fprintf(out, "%.0f", value);
    } else {
        (void)fputs("&ndash;", out);
    }
    (void)fputs("</td>", out);
}

unsigned html_family(const json_t *steps, const char *kernel)
{
    enum { COLOURS = 10 };
    unsigned family = 0;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const char *name = document_text(json_array_get(steps, i), "kernel");
        bool fresh = true;
        if (strcmp(name, kernel) == 0) {
            return family % COLOURS;
        }
        for (size_t k = 0; k < i && fresh; k++) {
            fresh = strcmp(document_text(json_array_get(steps, k), "kernel"), name) != 0;
        }
        family += fresh;
    }
    return 0;
}

static void cell(FILE *out, const char *kind, const char *text)
{
    (void)fprintf(out, "<td%s>", kind);
    html_text(out, text);
    (void)fputs("</td>", out);
}

static void number_cell(FILE *out, double value)
{
    (void)fputs("<td class=\"n\">", out);
    html_number(out, value);
    (void)fputs("</td>", out);
}

static void fact(FILE *out, const char *name, const char *text)
{
    (void)fputs("<tr>", out);
    cell(out, " class=\"soft\"", name);
    cell(out, "", text);
    (void)fputs("</tr>\n", out);
}

static void states(FILE *out, const json_t *d)
{
    const char *key;
    json_t *before;
    json_object_foreach(json_object_get(d, "host_before"), key, before)
    {
        static const char *const when[2] = {"host_before", "host_after"};
        char text[2][300], both[640];
        for (int i = 0; i < 2; i++) {
            const json_t *state = json_object_get(d, when[i]);
            const char *words = json_string_value(json_object_get(state, key));
            (void)snprintf(text[i], sizeof text[i], "%s",
                           words ? words : document_shown(state, key, COUNT_DIGITS).text);
        }
        if (strcmp(text[0], text[1]) == 0) {
            (void)snprintf(both, sizeof both, "%s", text[0]);
        } else {
            (void)snprintf(both, sizeof both, "%s; after: %s", text[0], text[1]);
        }
        char name[64];
        size_t used = 0;
        for (; key[used] && used + 1 < sizeof name; used++) {
            name[used] = key[used];
            if (name[used] == '_') {
                name[used] = ' ';
            }
        }
        name[used] = 0;
        fact(out, name, both);
    }
    size_t i;
    json_t *entry;
    char clocks[DOCUMENT_CLOCKS], text[DOCUMENT_CLOCKS + 96];
    const bool alike = document_clocks_alike(d);
    json_array_foreach(json_object_get(d, "under_load"), i, entry)
    {
        if (alike && i > 0) {
            break;
        }
        document_clocks(entry, clocks, sizeof clocks);
        (void)snprintf(text, sizeof text, "%.31s %.15s, batch %s: %s",
                       document_text(entry, "device"), document_text(entry, "precision"),
                       document_shown(entry, "batch", COUNT_DIGITS).text, clocks);
        fact(out, "clocks under load", alike ? clocks : text);
    }
}

static void facts(FILE *out, const json_t *d)
{
    const json_t *host = json_object_get(d, "host"), *model = json_object_get(d, "model");
    const json_t *input = json_object_get(d, "input");
    char text[512];
    size_t i;
    json_t *device;
    (void)fputs("<h2>What was measured</h2>\n<div class=\"card\"><table>\n", out);
    (void)snprintf(text, sizeof text, "%s %s, weights %.16s", document_text(model, "name"),
                   document_text(model, "version"), document_text(model, "sha256"));
    fact(out, "model", text);
    json_array_foreach(json_object_get(d, "devices"), i, device)
    {
        (void)snprintf(text, sizeof text, "%s: %s, %s", document_text(device, "id"),
                       document_text(device, "name"), document_text(device, "driver"));
        fact(out, "device", text);
    }
    (void)snprintf(text, sizeof text, "%s, %s cores, %s to use, %s, %s", document_text(host, "cpu"),
                   document_shown(host, "cores", COUNT_DIGITS).text,
                   document_shown(host, "processors", COUNT_DIGITS).text,
                   document_text(host, "system"), document_text(host, "kernel"));
    fact(out, "machine", text);
    (void)snprintf(text, sizeof text, "%s, shaders %.16s", document_text(d, "version"),
                   document_text(d, "shader_digest"));
    fact(out, "vkdet", text);
    (void)snprintf(text, sizeof text, "%s %s, %s megapixels in all",
                   document_shown(input, "pictures", COUNT_DIGITS).text,
                   document_text(input, "kind"),
                   document_figure_of(document_get(input, "pixels") * 1e-6, 4).text);
    fact(out, "pictures", text);
    document_rules(d, text, sizeof text);
    fact(out, "rules", text);
    states(out, d);
    (void)fputs("</table></div>\n", out);
}

static void checks(FILE *out, const json_t *d)
{
    size_t i;
    json_t *check;
    if (json_array_size(json_object_get(d, "checks")) == 0) {
        return;
    }
    (void)fputs(
        "<h2>Checked against the reference first</h2>\n<div class=\"card\"><table>"
        "<tr><th>device</th><th>precision</th><th class=\"n\">batch</th><th "
        "class=\"n\">slots</th><th class=\"n\">"
        "largest error, share of its bound</th><th class=\"n\">seconds</th><th>result</th></tr>\n",
        out);
    json_array_foreach(json_object_get(d, "checks"), i, check)
    {
        const json_t *ok = json_object_get(check, "ok");
        (void)fputs("<tr>", out);
        cell(out, "", document_text(check, "device"));
        cell(out, "", document_text(check, "precision"));
        count_cell(out, document_get(check, "batch"));
        count_cell(out, document_get(check, "slots"));
        number_cell(out, document_get(json_object_get(check, "raw"), "worst_of_bound"));
        number_cell(out, document_get(check, "seconds"));
        cell(out, json_is_true(ok) ? " class=\"good\"" : " class=\"bad\"",
             json_is_true(ok)    ? "agrees"
             : json_is_false(ok) ? document_text(check, "reason")
                                 : "?");
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</table></div>\n", out);
}

static void result_row(FILE *out, const json_t *result)
{
    (void)fputs("<tr>", out);
    cell(out, " class=\"id\"", document_text(result, "name"));
    if (json_object_get(result, "withheld")) {
        (void)fputs("<td class=\"bad\" colspan=\"8\">withheld: ", out);
        html_text(out, document_text(result, "withheld"));
        (void)fputs("</td></tr>\n", out);
        return;
    }
    number_cell(out, document_get(result, "value"));
    cell(out, "", document_text(result, "unit"));
    number_cell(out, document_get(result, "low"));
    number_cell(out, document_get(result, "high"));
    number_cell(out, document_get(result, "min"));
    number_cell(out, document_get(result, "max"));
    count_cell(out, document_get(result, "samples"));
    (void)fputs("<td style=\"white-space:nowrap\">", out);
    if (json_is_boolean(json_object_get(result, "holds"))) {
        (void)fprintf(out, "p99 %s %s ms",
                      json_is_true(json_object_get(result, "holds")) ? "within" : "beyond",
                      document_shown(result, "bound_ms", 6).text);
    }
    (void)fputs("</td></tr>\n", out);
}

static void results(FILE *out, const json_t *d)
{
    const json_t *list = json_object_get(d, "results");
    size_t i;
    json_t *result;
    (void)fputs("<h2>Results</h2>\n<div class=\"card\">", out);
    (void)fputs("<table><tr><th>result</th><th class=\"n\">value</th><th>unit</th><th "
                "class=\"n\">low</th><th class=\"n\">high</th><th class=\"n\">min</th><th "
                "class=\"n\">max</th><th class=\"n\">samples</th><th></th></tr>\n",
                out);
    json_array_foreach((json_t *)list, i, result)
    {
        result_row(out, result);
    }
    (void)fputs("</table>\n<p class=\"soft\">low, high: the interval of 95 % of a median or a "
                "percentile, by order statistics; a dash where so few samples cannot bound it. Of "
                "a rate that was searched for: the highest that held, and the lowest that did "
                "not.</p>\n",
                out);
    svg_batches(out, list);
    (void)fputs("</div>\n", out);
}

static void legend(FILE *out, const json_t *steps)
{
    (void)fputs("<p class=\"legend\">", out);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const char *kernel = document_text(json_array_get(steps, i), "kernel");
        bool fresh = true;
        for (size_t k = 0; k < i && fresh; k++) {
            fresh = strcmp(document_text(json_array_get(steps, k), "kernel"), kernel) != 0;
        }
        if (fresh) {
            (void)fprintf(out, "<span><i class=\"k%u\"></i>", html_family(steps, kernel));
            html_text(out, kernel);
            (void)fputs("</span>", out);
        }
    }
    (void)fputs("</p>\n", out);
}

static void step_table(FILE *out, const json_t *steps)
{
    static const char *const numbers[] = {"us",     "low", "high",      "share_percent",
                                          "gflops", "gbs", "intensity", "of_roof_percent"};
    size_t i;
    json_t *step;
    (void)fputs("<table><tr><th class=\"n\">#</th><th>step</th><th>kernel</th><th>variant</th><th "
                "class=\"n\">us</th><th class=\"n\">low</th><th class=\"n\">high</th><th "
                "class=\"n\">% of sum</th><th class=\"n\">GFLOP/s</th><th class=\"n\">GB/s</th><th "
                "class=\"n\">FLOP/B</th><th class=\"n\">% of roof</th></tr>\n",
                out);
    json_array_foreach((json_t *)steps, i, step)
    {
        (void)fputs("<tr>", out);
        count_cell(out, (double)(i + 1));
        cell(out, "", document_text(step, "name"));
        cell(out, "", document_text(step, "kernel"));
        cell(out, "", document_text(step, "variant"));
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
            number_cell(out, document_get(step, numbers[k]));
        }
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</table>\n", out);
}

static void layers(FILE *out, const json_t *d)
{
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(d, "layers"), i, entry)
    {
        const json_t *steps = json_object_get(entry, "steps");
        (void)fputs("<h2>Steps: ", out);
        html_text(out, document_text(entry, "device"));
        (void)fputs(", ", out);
        html_text(out, document_text(entry, "precision"));
        (void)fprintf(out, ", batch %s</h2>\n<div class=\"card\">",
                      document_shown(entry, "batch", COUNT_DIGITS).text);
        if (!steps) {
            (void)fputs("<p class=\"bad\">withheld: ", out);
            html_text(out, document_text(entry, "withheld"));
            (void)fputs("</p></div>\n", out);
            continue;
        }
        (void)fprintf(out, "<p>Medians of %s runs. The whole batch takes ",
                      document_shown(entry, "runs", COUNT_DIGITS).text);
        html_number(out, document_get(entry, "total_us"));
        (void)fputs(" us; its steps one by one, each waiting for the one before, ", out);
        html_number(out, document_get(entry, "sum_us"));
        (void)fputs(" us.", out);
        if (document_get(entry, "peak_gflops") > 0) {
            (void)fputs(" The roof is what the same device reached in the same run in arithmetic "
                        "and in copying its memory. The bytes of a step are those that it needs; "
                        "what it finds in a cache moves faster, and may take it above the roof.",
                        out);
        }
        (void)fputs("</p>\n", out);
        legend(out, steps);
        (void)fputs("<h3>Roofline: a dot a step, its area the share of the time</h3>\n", out);
        svg_roofline(out, entry);
        (void)fputs("<h3>Time of each step</h3>\n", out);
        svg_steps(out, entry);
        (void)fputs("<h3>All figures</h3>\n", out);
        step_table(out, steps);
        (void)fputs("</div>\n", out);
    }
}

static void comparison(FILE *out, const json_t *d)
{
    const json_t *c = json_object_get(d, "comparison");
    size_t i;
    json_t *line;
    if (!c) {
        return;
    }
    (void)fputs("<h2>Against ", out);
    html_text(out, document_text(c, "base"));
    (void)fputs("</h2>\n<div class=\"card\">", out);
    json_array_foreach(json_object_get(c, "differences"), i, line)
    {
        (void)fputs("<p class=\"bad\">", out);
        html_text(out, json_string_value(line));
        (void)fputs("</p>\n", out);
    }
    (void)fputs("<table><tr><th>result</th><th class=\"n\">speed now / then</th><th class=\"n\">low"
                "</th><th class=\"n\">high</th><th>verdict</th></tr>\n",
                out);
    json_array_foreach(json_object_get(c, "results"), i, line)
    {
        const char *verdict = document_text(line, "verdict");
        (void)fputs("<tr>", out);
        cell(out, " class=\"id\"", document_text(line, "name"));
        number_cell(out, document_get(line, "ratio"));
        number_cell(out, document_get(line, "low"));
        number_cell(out, document_get(line, "high"));
        cell(out,
             strcmp(verdict, "faster") == 0   ? " class=\"good\""
             : strcmp(verdict, "slower") == 0 ? " class=\"bad\""
                                              : "",
             verdict);
        (void)fputs("</tr>\n", out);
    }
    (void)fputs("</table></div>\n", out);
}

static void page(FILE *out, const json_t *d)
{
    (void)fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                "<meta name=\"color-scheme\" content=\"light dark\"><title>vkdet bench: ",
                out);
    html_text(out, document_text(json_object_get(d, "model"), "name"));
    (void)fprintf(out,
                  "</title>\n<style>%s</style></head>\n<body><main>\n<h1>vkdet bench: ", style);
    html_text(out, document_text(json_object_get(d, "model"), "name"));
    (void)fputs("</h1>\n<p class=\"sub\">", out);
    html_text(out, document_text(d, "date"));
    (void)fputs("</p>\n", out);
    if (json_is_string(json_object_get(d, "stopped"))) {
        (void)fputs("<p class=\"card warn\">Stopped by ", out);
        html_text(out, document_text(d, "stopped"));
        (void)fputs(": this is what was measured until then.</p>\n", out);
    }
    facts(out, d);
    checks(out, d);
    results(out, d);
    comparison(out, d);
    layers(out, d);
    (void)fputs("</main></body></html>\n", out);
}

/* Whether a report is written beside its place and then moved there. A name that stands for
 * something else than a plain file (a device, a pipe, a link to either) is written to: to move a
 * file there would take the device away. */
static bool is_replaced(const char *path)
{
    struct stat is;
    return lstat(path, &is) != 0 || S_ISREG(is.st_mode);
}

/* The file to write; NULL with errno when there is none. beside: "" when it is the place itself. */
static FILE *report_open(const char *path, char *beside, size_t size)
{
    beside[0] = 0;
    if (!is_replaced(path)) {
        return fopen(path, "w");
    }
    int length = snprintf(beside, size, "%s.%ld.part", path, (long)getpid());
    if (length < 0 || (size_t)length >= size) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    return fopen(beside, "wx"); /* never through a link that somebody laid there */
}

static int cannot_write(const char *path, int number)
{
    console_error("--report %s: %s", path, number ? strerror(number) : "write failed");
    return EXIT_OUTPUT;
}

int bench_report_check(const char *path)
{
    char beside[4096];
    struct stat is;
    if (stat(path, &is) == 0 && S_ISDIR(is.st_mode)) {
        return cannot_write(path, EISDIR);
    }
    if (!is_replaced(path)) {
        return access(path, W_OK) == 0 ? EXIT_GOOD : cannot_write(path, errno);
    }
    FILE *out = report_open(path, beside, sizeof beside);
    if (!out) {
        return cannot_write(path, errno);
    }
    (void)fclose(out);
    (void)remove(beside);
    return EXIT_GOOD;
}

int bench_report_write(const json_t *document, const char *path)
{
    char beside[4096];
    FILE *out = report_open(path, beside, sizeof beside);
    if (!out) {
        return cannot_write(path, errno);
    }
    page(out, document);
    bool bad = ferror(out) != 0;
    errno = 0;
    bad = fclose(out) != 0 || bad;
    if (bad || (beside[0] && rename(beside, path) != 0)) {
        const int number = errno;
        if (beside[0]) {
            (void)remove(beside);
        }
        return cannot_write(path, number);
    }
    console_note("wrote %s", path);
    return EXIT_GOOD;
}
