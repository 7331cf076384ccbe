/* vkdet detect: pictures in, boxes out. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/detector.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Everything that a run holds, so that one place lets it go. */
typedef struct run {
    const settings *settings;
    detector detector;
    sources *sources;
    struct stat folder;
    writer writer;
} run;

/* What makes no sense whatever the model is. */
static int check_usage(const settings *s, writer *w)
{
    const char *format = s->format ? s->format : "ndjson";
    w->format = writer_format_find(format);
    if (!w->format) {
        console_error("detect: --format takes ndjson, csv, coco or yolo, not \"%s\"", format);
        return EXIT_USAGE;
    }
    if (!s->output && (w->format->into_folder || s->save_img)) {
        console_error("detect: %s needs --output DIR",
                      s->save_img ? "--save-img" : "--format yolo");
        return EXIT_USAGE;
    }
    return detector_check(s, "detect");
}

static int check_labels(const run *r)
{
    const char *wanted = r->settings->labels;
    const detector *d = &r->detector;
    if (!wanted || vkdet_model_label(d->model, 0, wanted)) {
        return EXIT_GOOD;
    }
    char known[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < d->info.language_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 vkdet_model_language(d->model, i));
    }
    console_error("detect: --labels \"%s\": the model has %s", wanted, known);
    return EXIT_USAGE;
}

static int open_output(run *r)
{
    const settings *s = r->settings;
    writer *w = &r->writer;
    w->model = r->detector.model;
    w->language = s->labels;
    w->class_count = r->detector.info.class_count;
    w->out = stdout;
    if (!w->format->into_folder && !s->save_img) {
        return EXIT_GOOD;
    }
    if (!folder_make(s->output, &r->folder)) {
        console_error("--output %s: %s", s->output, strerror(errno));
        return EXIT_OUTPUT;
    }
    w->names = names_create(s->output);
    if (!w->names) {
        console_error("out of memory");
        return EXIT_OUTPUT;
    }
    return EXIT_GOOD;
}

static int detect_all(run *r)
{
    const settings *s = r->settings;
    r->sources = sources_create(s->operands, s->operand_count, r->writer.names ? &r->folder : NULL);
    if (!r->sources) {
        console_error("out of memory or file descriptors");
        return EXIT_DEVICE;
    }
    /* lines that run down a terminal are progress enough */
    bool bar = r->writer.format->into_folder || isatty(STDOUT_FILENO) != 1;
    return detector_run(&r->detector, s, r->sources, &r->writer, bar);
}

static int detect_run(const settings *s)
{
    run r = {.settings = s};
    int status = check_usage(s, &r.writer);
    if (status == EXIT_GOOD) {
        status = detector_open(&r.detector, s);
    }
    if (status == EXIT_GOOD) {
        status = check_labels(&r);
    }
    if (status == EXIT_GOOD) {
        status = open_output(&r);
    }
    if (status == EXIT_GOOD) {
        status = detector_start(&r.detector, s);
    }
    if (status == EXIT_GOOD) {
        status = detect_all(&r);
    }
    sources_destroy(r.sources);
    names_destroy(r.writer.names);
    if (r.writer.spool) {
        (void)fclose(r.writer.spool);
    }
    detector_close(&r.detector);
    return status;
}

static const option_id detect_options[] = {
    OPTION_MODEL,    OPTION_DEVICE,     OPTION_PRECISION, OPTION_THREADS,  OPTION_TUNE,
    OPTION_WINOGRAD, OPTION_CONF,       OPTION_IOU,       OPTION_MAX_DET,  OPTION_NMS_MODE,
    OPTION_BATCH,    OPTION_SLOTS,      OPTION_FORMAT,    OPTION_LABELS,   OPTION_OUTPUT_DIR,
    OPTION_SAVE_IMG, OPTION_MAX_PIXELS, OPTION_CACHE_DIR, OPTION_VALIDATE, OPTION_VERBOSE,
    OPTION_QUIET,    OPTION_HELP,       OPTION_END};

const command command_detect = {
    .name = "detect",
    .operands = "SOURCE...",
    .summary = "find objects in pictures: boxes on standard output",
    .details = "\n"
               "A SOURCE is a picture, a folder (searched through, sorted by name), a pattern in\n"
               "quotes, or - for paths on standard input, one a line. Every source gives its\n"
               "result in input order, failed ones included; a failure is one line on standard\n"
               "error, and the rest goes on. Nothing that exists is overwritten.\n",
    .min_operands = 1,
    .max_operands = -1,
    .options = detect_options,
    .run = detect_run,
};
