/* vkdet bench: what its files share. One run is one JSON document (bench_document.c says what is in
 * it); the terminal lines, the CSV, the HTML report and the comparison are views of that document,
 * so that a run that was kept can be shown and compared like a fresh one. */
#ifndef HOST_CLI_BENCH_H
#define HOST_CLI_BENCH_H

#include "host/cli/bench_stats.h"
#include "host/cli/options.h"

#include "vkdet.h"

#include <jansson.h>
#include <stdbool.h>

enum {
    SCENARIO_SINGLE_STREAM = 1,
    SCENARIO_OFFLINE = 2,
    SCENARIO_SERVER = 4,
    STAGE_PIXELS = 1, /* decoded pictures in memory -> boxes */
    STAGE_BYTES = 2,  /* picture files in memory -> boxes */
    STAGE_DEVICE = 4, /* pictures on the device; nothing moves */
    BENCH_MAX_LIST = 32
};

/* of the rate that the search finds: it tries each for the bound on the latency divided by this */
#define BENCH_RATE_TOLERANCE 0.02
#define BENCH_WARM_SECONDS   0.5 /* before a measurement, and each slot three times */

/* The command line, read. */
typedef struct bench_wish {
    char devices[BENCH_MAX_LIST][32];
    size_t device_count;
    vkdet_precision precisions[BENCH_MAX_LIST];
    size_t precision_count;
    uint32_t batches[BENCH_MAX_LIST];
    size_t batch_count;
    unsigned scenarios, stages;
    bool layers, peak;
    uint32_t slots, threads;
    vkdet_tune tune;
    vkdet_winograd winograd;
    uint32_t width, height; /* of the pictures that are drawn; 0: the network's input */
    uint64_t seed;
    double qps; /* 0: search */
    double bound_seconds;
    bench_rule rule;
    vkdet_detect_params detect;
} bench_wish;

/* Pictures, all in memory before anything is timed (bench_inputs.c). */
typedef struct bench_file {
    unsigned char *bytes;
    size_t size;
} bench_file;
typedef struct bench_inputs {
    size_t count;
    vkdet_image **images;
    vkdet_pixels *pixels;
    bench_file *files; /* NULL unless the bytes are timed */
    vkdet_image_params limits;
} bench_inputs;

typedef struct bench {
    const settings *settings;
    bench_wish wish;
    vkdet_context *context;
    vkdet_model *model;
    vkdet_model_info info;
    bench_inputs inputs;
    struct bench_truth *truth; /* bench_check.c */
    json_t *document;
    int status; /* the first failure that did not end the run, or EXIT_GOOD */
} bench;

/* One thing to time: a session that has passed its check, or has not. */
typedef struct bench_case {
    vkdet_session *session;
    vkdet_device_info device;
    vkdet_precision asked, precision;
    uint32_t batch, slots;
    char withheld[512]; /* why its scores are withheld; "" when they are not */
} bench_case;

/* --- bench_wish.c: an exit status, the reason told --- */
int bench_wish_read(const settings *s, bench_wish *out);

/* --- bench_inputs.c --- */
/* The operands' pictures, or drawn ones. facts: what they are, for the document. */
int bench_inputs_load(bench *b, json_t **facts);
void bench_inputs_free(bench_inputs *in);
/* picture i of a run that goes round and round through them */
static inline size_t bench_input_at(const bench_inputs *in, uint64_t i)
{
    return (size_t)(i % in->count);
}

/* --- bench_scene.c: a seeded scene of width x height, as a PNM file in memory (malloc'd) --- */
unsigned char *bench_scene_draw(uint32_t width, uint32_t height, uint64_t seed, size_t *size);

/* --- bench_run.c --- */
/* every device, precision and batch that was asked for, into the document; b->status */
void bench_run(bench *b);
/* false once a signal came: finish what is in flight, keep what was measured */
bool bench_goes_on(void);
/* notes a failed library call, with what it was for */
void bench_failed(bench *b, vkdet_status status, const char *what);

/* --- the scenarios: each measures one stage of a case and adds its results to the document.
 * VKDET_OK, or what failed. --- */
vkdet_status bench_single_stream(bench *b, const bench_case *c, unsigned stage);
vkdet_status bench_offline(bench *b, const bench_case *c, unsigned stage);
vkdet_status bench_server(bench *b, const bench_case *c, unsigned stage);
vkdet_status bench_layers(bench *b, const bench_case *c);
vkdet_status bench_peaks(bench *b, const char *device, json_t **out);

/* --- bench_clock.c --- */
double bench_now(void); /* seconds of the monotonic clock */
void bench_sleep_until(double when);

/* --- bench_host.c: facts about the machine, and what its clocks do --- */
json_t *bench_host_facts(void);
/* now, for the document's "before" and "after"; devices: those of which the GPUs' clocks are told
 */
json_t *bench_host_state(const vkdet_device_info *devices, size_t count);
/* of it the clocks alone; may be called on another thread */
json_t *bench_host_clocks(const vkdet_device_info *devices, size_t count);

/* --- bench_load.c: the clocks while the case computes, into the document; nothing is timed --- */
void bench_note_load(bench *b, const bench_case *c);

/* --- bench_view.c --- */
int bench_print_lines(const json_t *document);
int bench_print_csv(const json_t *document);

/* --- bench_html.c: an exit status --- */
/* whether a report can be written there, told before minutes are spent */
int bench_report_check(const char *path);
int bench_report_write(const json_t *document, const char *path);

/* --- bench_read.c --- */
/* a document that bench wrote before; an exit status, the reason told */
int bench_document_load(const char *path, json_t **out);

/* --- bench_compare.c --- */
/* Adds "comparison" to the document. True when something is slower. */
bool bench_compare(json_t *document, const json_t *base, const char *base_path, double floor);

#endif
