/* vkdet bench: how fast a device runs a model, after a check that it runs it right. */
#include "host/cli/bench.h"

#include "host/cli/bench_check.h"
#include "host/cli/bench_document.h"
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/interrupt.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The machine now, with every device of it. */
static json_t *host_now(const vkdet_context *context)
{
    enum { MOST = 16 };
    vkdet_device_info devices[MOST];
    size_t count = 0;
    for (uint32_t i = 0; i < vkdet_device_count(context) && count < MOST; i++) {
        count += vkdet_device_describe(context, i, &devices[count]) == VKDET_OK;
    }
    return bench_host_state(devices, count);
}

static const char *signal_name(int number)
{
    return number == 2 ? "SIGINT" : number == 15 ? "SIGTERM" : number == 1 ? "SIGHUP" : "a signal";
}

static int measure(bench *b)
{
    json_t *input = NULL;
    int status = open_context(b->settings, &b->context);
    if (status == EXIT_GOOD) {
        status = open_model(b->context, b->settings->model, &b->model);
    }
    if (status != EXIT_GOOD) {
        return status;
    }
    vkdet_model_info_get(b->model, &b->info);
    status = bench_inputs_load(b, &input);
    if (status != EXIT_GOOD) {
        return status;
    }
    b->document = document_begin(b, input);
    if (!b->document) {
        console_error("out of memory for the results");
        return EXIT_DEVICE;
    }
    (void)json_object_set_new(b->document, "host_before", host_now(b->context));
    interrupt_watch(NULL);
    bench_run(b);
    (void)json_object_set_new(b->document, "host_after", host_now(b->context));
    if (interrupt_signal() != 0) {
        (void)json_object_set_new(b->document, "stopped",
                                  json_string(signal_name(interrupt_signal())));
    } else if (json_array_size(json_object_get(b->document, "devices")) == 0) {
        return b->status; /* not one device could be measured: the messages say why */
    }
    return EXIT_GOOD;
}

static bool any_withheld(const json_t *document)
{
    size_t i;
    json_t *result;
    json_array_foreach(json_object_get(document, "results"), i, result)
    {
        if (json_object_get(result, "withheld")) {
            return true;
        }
    }
    return false;
}

static int print_json(const json_t *document)
{
    char *text = json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (!text) {
        console_error("out of memory for the results");
        return EXIT_DEVICE;
    }
    (void)printf("%s\n", text);
    free(text);
    return report_end();
}

/* Shows the document every way that is asked for. What could not be shown comes first among the
 * exit statuses, then what failed, what is withheld, what is slower. */
static int show(const settings *s, json_t *document, const json_t *base, int failed)
{
    const double floor = (s->noise > 0 ? s->noise : 2) * 1e-2;
    bool slower = base && bench_compare(document, base, s->compare, floor);
    int shown = s->json  ? print_json(document)
                : s->csv ? bench_print_csv(document)
                         : bench_print_lines(document);
    if (s->report && shown == EXIT_GOOD) {
        shown = bench_report_write(document, s->report);
    }
    if (shown != EXIT_GOOD) {
        return shown;
    }
    if (interrupt_signal() != 0) {
        console_note("stopped by signal %d: what was measured until then", interrupt_signal());
        return EXIT_SIGNAL + interrupt_signal();
    }
    return failed != EXIT_GOOD      ? failed
           : any_withheld(document) ? EXIT_WITHHELD
           : slower                 ? EXIT_SLOWER
                                    : EXIT_GOOD;
}

/* A report that would take the place of a file that is given to be read. */
static int check_inputs(const settings *s)
{
    const char *const read[] = {s->from, s->compare, s->model};
    struct stat report, input;
    if (stat(s->report, &report) != 0 || !S_ISREG(report.st_mode)) {
        return EXIT_GOOD;
    }
    const int given = (int)(sizeof read / sizeof *read);
    for (int i = 0; i < given + s->operand_count; i++) {
        const char *path = i < given ? read[i] : s->operands[i - given];
        if (path && stat(path, &input) == 0 && input.st_dev == report.st_dev &&
            input.st_ino == report.st_ino) {
            console_error("bench: --report %s: that is %s, which this run reads", s->report, path);
            return EXIT_USAGE;
        }
    }
    return EXIT_GOOD;
}

static int bench_run_command(const settings *s)
{
    bench b = {.settings = s};
    json_t *base = NULL;
    int status = bench_wish_read(s, &b.wish);
    if (status == EXIT_GOOD && s->report) {
        status = check_inputs(s);
    }
    if (status == EXIT_GOOD && s->compare) { /* before minutes are spent */
        status = bench_document_load(s->compare, &base);
    }
    if (status == EXIT_GOOD && s->report) {
        status = bench_report_check(s->report);
    }
    if (status == EXIT_GOOD) {
        status = s->from ? bench_document_load(s->from, &b.document) : measure(&b);
    }
    if (status == EXIT_GOOD) {
        status = show(s, b.document, base, b.status);
    }
    interrupt_unwatch();
    json_decref(base);
    json_decref(b.document);
    bench_truth_free(b.truth);
    bench_inputs_free(&b.inputs);
    vkdet_model_destroy(b.model);
    vkdet_context_destroy(b.context);
    return status;
}

static const option_id bench_options[] = {
    OPTION_MODEL,       OPTION_BENCH_DEVICE, OPTION_BENCH_PRECISION,
    OPTION_BENCH_BATCH, OPTION_SLOTS,        OPTION_THREADS,
    OPTION_TUNE,        OPTION_WINOGRAD,     OPTION_SCENARIO,
    OPTION_STAGE,       OPTION_QPS,          OPTION_LATENCY_BOUND,
    OPTION_LAYERS,      OPTION_PEAK,         OPTION_SIZE,
    OPTION_SEED,        OPTION_CONF,         OPTION_IOU,
    OPTION_RUNS,        OPTION_MIN_TIME,     OPTION_MAX_TIME,
    OPTION_JSON,        OPTION_CSV,          OPTION_REPORT,
    OPTION_COMPARE,     OPTION_NOISE,        OPTION_FROM,
    OPTION_MAX_PIXELS,  OPTION_CACHE_DIR,    OPTION_VERBOSE,
    OPTION_QUIET,       OPTION_HELP,         OPTION_END};

const command command_bench = {
    .name = "bench",
    .operands = "[SOURCE]...",
    .summary = "measure speed, after checking the results against the reference",
    .details = "\n"
               "A SOURCE is as for detect; without any, eight scenes are drawn from --seed at the\n"
               "network's input size. Every device, precision and batch is compared with the\n"
               "reference on these pictures first; what differs is withheld (status 6).\n",
    .max_operands = -1,
    .options = bench_options,
    .run = bench_run_command,
};
