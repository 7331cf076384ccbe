/* vkdet detect: pictures in, boxes out. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/feed.h"
#include "host/cli/interrupt.h"
#include "host/cli/open.h"
#include "host/cli/pipeline.h"
#include "host/cli/sources.h"
#include "host/cli/writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELD_BYTES (512ull << 20) /* of decoded pixels, ahead of the device */

/* A score is a float; asked to keep "above 0", the library needs a number that is not its sign for
 * "the card's". */
#define ABOVE_ZERO 1e-300

/* Everything that a run holds, so that one place lets it go. */
typedef struct run {
    const settings *settings;
    vkdet_context *context;
    vkdet_model *model;
    vkdet_model_info info;
    vkdet_session *session;
    sources *sources;
    feed *feed;
    struct stat folder;
    writer writer;
} run;

/* What makes no sense whatever the model is. */
static int check_usage(const settings *s, writer *w)
{
    vkdet_nms_mode mode;
    const char *format = s->format ? s->format : "ndjson";
    w->format = writer_format_find(format);
    if (!w->format) {
        console_error("detect: --format takes ndjson, csv, coco or yolo, not \"%s\"", format);
        return EXIT_USAGE;
    }
    if (s->nms_mode && vkdet_nms_mode_from_name(s->nms_mode, &mode) != VKDET_OK) {
        console_error("detect: --nms-mode takes tfjs, tf, tfjs-per-class or tf-per-class, not "
                      "\"%s\"",
                      s->nms_mode);
        return EXIT_USAGE;
    }
    if (!s->output && (w->format->into_folder || s->save_img)) {
        console_error("detect: %s needs --output DIR",
                      s->save_img ? "--save-img" : "--format yolo");
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

static int check_labels(const run *r)
{
    const char *wanted = r->settings->labels;
    if (!wanted || vkdet_model_label(r->model, 0, wanted)) {
        return EXIT_GOOD;
    }
    char known[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < r->info.language_count && used < sizeof known; i++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 vkdet_model_language(r->model, i));
    }
    console_error("detect: --labels \"%s\": the model has %s", wanted, known);
    return EXIT_USAGE;
}

static int open_detector(run *r)
{
    int status = open_model(r->context, r->settings->model, &r->model);
    if (status != EXIT_GOOD) {
        return status;
    }
    vkdet_model_info_get(r->model, &r->info);
    if (!r->info.detects) {
        console_error("%s is a classifier: it has no boxes to detect", r->info.name);
        return EXIT_MODEL;
    }
    return check_labels(r);
}

static int open_session(run *r)
{
    const settings *s = r->settings;
    vkdet_session_params params = {.device = s->device,
                                   .max_batch = (uint32_t)(s->batch ? s->batch : 1),
                                   .slots = (uint32_t)(s->slots ? s->slots : 2),
                                   .max_detections = (uint32_t)s->max_det,
                                   .cache_dir = s->cache_dir};
    vkdet_status status = vkdet_session_create(r->context, r->model, &params, &r->session);
    if (status != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return exit_of_run(status);
    }
    vkdet_device_info device;
    vkdet_session_device(r->session, &device);
    if (!s->device || strcmp(s->device, "auto") == 0) {
        console_note("device %s: %s", device.id, device.name);
    }
    return EXIT_GOOD;
}

static int open_output(run *r)
{
    const settings *s = r->settings;
    writer *w = &r->writer;
    w->model = r->model;
    w->language = s->labels;
    w->class_count = r->info.class_count;
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

static int open_input(run *r)
{
    const settings *s = r->settings;
    r->sources = sources_create(s->operands, s->operand_count, r->writer.names ? &r->folder : NULL);
    feed_params params = {.context = r->context,
                          .sources = r->sources,
                          .image = {.max_pixels = s->max_pixels},
                          .capacity = pipeline_capacity((uint32_t)(s->batch ? s->batch : 1),
                                                        (uint32_t)(s->slots ? s->slots : 2)),
                          .byte_limit = HELD_BYTES};
    r->feed = r->sources ? feed_create(&params) : NULL;
    if (!r->feed) {
        console_error("out of memory or threads");
        return EXIT_DEVICE;
    }
    return EXIT_GOOD;
}

static int detect_all(run *r)
{
    const settings *s = r->settings;
    pipeline_params params = {.session = r->session,
                              .feed = r->feed,
                              .writer = &r->writer,
                              .detect = {.score_threshold = s->conf == 0  ? ABOVE_ZERO
                                                            : s->conf < 0 ? 0
                                                                          : s->conf,
                                         .iou_threshold = s->iou,
                                         .max_detections = (uint32_t)s->max_det},
                              .batch = (uint32_t)(s->batch ? s->batch : 1),
                              .slots = (uint32_t)(s->slots ? s->slots : 2),
                              .save_pictures = s->save_img != 0};
    if (s->nms_mode) {
        (void)vkdet_nms_mode_from_name(s->nms_mode, &params.detect.nms_mode); /* checked before */
    }
    /* lines that run down a terminal are progress enough */
    bool silent = r->writer.format->into_folder || isatty(STDOUT_FILENO) != 1;
    progress_start(silent, sources_total(r->sources));
    interrupt_watch(r->sources);
    int status = pipeline_run(&params);
    interrupt_unwatch();
    progress_end();
    uint64_t messages = vkdet_context_validation_messages(r->context);
    if (messages > 0) {
        console_error("the validation layers had %" PRIu64 " messages", messages);
        status = status == EXIT_GOOD || status == EXIT_INPUT ? EXIT_DEVICE : status;
    }
    if (interrupt_signal() != 0 && (status == EXIT_GOOD || status == EXIT_INPUT)) {
        console_note("stopped by signal %d", interrupt_signal());
        status = EXIT_SIGNAL + interrupt_signal();
    }
    return status;
}

static int detect_run(const settings *s)
{
    run r = {.settings = s};
    int status = check_usage(s, &r.writer);
    if (status == EXIT_GOOD) {
        status = open_context(s, &r.context);
    }
    if (status == EXIT_GOOD) {
        status = open_detector(&r);
    }
    if (status == EXIT_GOOD) {
        status = open_output(&r);
    }
    if (status == EXIT_GOOD) {
        status = open_session(&r);
    }
    if (status == EXIT_GOOD) {
        status = open_input(&r);
    }
    if (status == EXIT_GOOD) {
        status = detect_all(&r);
    }
    feed_destroy(r.feed);
    sources_destroy(r.sources);
    vkdet_session_destroy(r.session);
    names_destroy(r.writer.names);
    if (r.writer.spool) {
        (void)fclose(r.writer.spool);
    }
    vkdet_model_destroy(r.model);
    vkdet_context_destroy(r.context);
    return status;
}

static const option_id detect_options[] = {
    OPTION_MODEL,      OPTION_DEVICE,   OPTION_CONF,       OPTION_IOU,       OPTION_MAX_DET,
    OPTION_NMS_MODE,   OPTION_BATCH,    OPTION_SLOTS,      OPTION_FORMAT,    OPTION_LABELS,
    OPTION_OUTPUT_DIR, OPTION_SAVE_IMG, OPTION_MAX_PIXELS, OPTION_CACHE_DIR, OPTION_VALIDATE,
    OPTION_VERBOSE,    OPTION_QUIET,    OPTION_HELP,       OPTION_END};

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
