/* The document of a run:
 *
 *   schema 1, tool, version, shader_digest, date, arguments, stopped (signal or null)
 *   host, host_before, host_after      bench_host.c
 *   model, input, rules                what was timed, and how
 *   devices                            each with its peaks where they were measured
 *   under_load                         bench_load.c
 *   checks                             one a device, precision and batch: ok, or the reason
 *   results                            see below
 *   layers                             one a device, precision and batch: its steps
 *   comparison                         with --compare
 *
 * A result is named scenario.stage.device.precision.bN.metric and has value, unit, low and high
 * (the 95 % interval; null: none), samples; or `withheld` with the reason in place of the value. */
#ifndef HOST_CLI_BENCH_DOCUMENT_H
#define HOST_CLI_BENCH_DOCUMENT_H

#include "host/cli/bench.h"

/* What a result is of. device, precision and batch come from the case. */
typedef struct bench_metric {
    const char *scenario, *stage, *name, *unit;
    bool higher_is_better;
    double scale; /* from the samples' unit to the result's */
} bench_metric;

/* "pixels", "bytes", "device" */
const char *stage_name(unsigned stage);

/* The document without its results. */
json_t *document_begin(bench *b, json_t *input_facts);

/* One value with its interval (NAN: none). Withheld when the case is. */
void document_add(bench *b, const bench_case *c, const bench_metric *m, bench_estimate e,
                  size_t samples);
/* A quantile of sorted samples; for the median also min and max. Nothing when there are none. */
void document_add_quantile(bench *b, const bench_case *c, const bench_metric *m, double q,
                           const bench_samples *sorted);
/* a member of the last result that was added */
void document_annotate(bench *b, const char *key, json_t *value);

/* null for what JSON cannot say */
json_t *document_number(double value);
/* a member as a number, or NAN */
double document_get(const json_t *object, const char *key);
/* a member as text, or "" */
const char *document_text(const json_t *object, const char *key);

/* A number, or a member as one, in so many digits; "?" for what is not known: older programs wrote
 * fewer members. With COUNT_DIGITS whole numbers stay whole. */
typedef struct document_figure {
    char text[32];
} document_figure;
enum { COUNT_DIGITS = 15 };
document_figure document_figure_of(double value, int digits);
document_figure document_shown(const json_t *object, const char *key, int digits);

/* the clocks of an entry of under_load, in a line; and whether all entries have the same */
enum { DOCUMENT_CLOCKS = 600 };
bool document_clocks_alike(const json_t *document);
void document_clocks(const json_t *entry, char *text, size_t size);
/* how the document was measured, in a line */
void document_rules(const json_t *document, char *text, size_t size);

#endif
