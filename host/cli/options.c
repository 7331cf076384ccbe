/* The table of options, its strict parser and its help text. */
#include "host/cli/options.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum option_kind {
    KIND_FLAG = 0,
    KIND_TEXT,
    KIND_ANY_TEXT, /* also none at all */
    KIND_TEXTS,    /* of many times each counts */
    KIND_NUMBER,
    KIND_INTEGER
} option_kind;

typedef struct option_spec {
    const char *name;
    char letter; /* 0: none */
    option_kind kind;
    const char *value; /* its name in the help text */
    const char *help;
    size_t offset;    /* in settings */
    double low, high; /* of numbers and integers, both included */
} option_spec;

#define AT(member) offsetof(settings, member)

static const option_spec specs[OPTION_COUNT] = {
    [OPTION_MODEL] = {"model", 'm', KIND_TEXT, "MODEL",
                      "a .vkdet container, or builtin; default: $VKDET_MODEL, else builtin",
                      AT(model), 0, 0},
    [OPTION_DEVICE] = {"device", 'd', KIND_TEXT, "DEVICE",
                       "auto (default), vulkan:N, cpu or reference; see vkdet devices", AT(device),
                       0, 0},
    [OPTION_PRECISION] = {"precision", 'p', KIND_TEXT, "PRECISION",
                          "auto (default), fp32, fp16 or bf16", AT(precision), 0, 0},
    [OPTION_CONF] = {"conf", 'c', KIND_NUMBER, "SCORE",
                     "keep detections with a score above this, 0 to 1; default: the card's",
                     AT(conf), 0, 1},
    [OPTION_IOU] = {"iou", 0, KIND_NUMBER, "IOU",
                    "overlap at which the weaker box goes, above 0 to 1; default: the card's",
                    AT(iou), DBL_TRUE_MIN, 1},
    [OPTION_MAX_DET] = {"max-det", 0, KIND_INTEGER, "N",
                        "at most this many detections a picture; default: the card's", AT(max_det),
                        1, 4294967294.0},
    [OPTION_NMS_MODE] = {"nms-mode", 0, KIND_TEXT, "MODE",
                         "tfjs, tf, tfjs-per-class or tf-per-class; default: the card's",
                         AT(nms_mode), 0, 0},
    [OPTION_BATCH] = {"batch", 'b', KIND_INTEGER, "N",
                      "pictures a submission, 1 to 1024; default 1", AT(batch), 1, 1024},
    [OPTION_SLOTS] = {"slots", 0, KIND_INTEGER, "N", "submissions in flight, 1 to 16; default 2",
                      AT(slots), 1, 16},
    [OPTION_FORMAT] = {"format", 'f', KIND_TEXT, "FORMAT",
                       "ndjson (default), csv, coco or yolo; yolo writes into --output", AT(format),
                       0, 0},
    [OPTION_LABELS] = {"labels", 'l', KIND_TEXT, "LANGUAGE",
                       "language of the labels, such as en or zh; default: the card's first",
                       AT(labels), 0, 0},
    [OPTION_OUTPUT_DIR] = {"output", 'o', KIND_TEXT, "DIR",
                           "folder for pictures and yolo files; made when it does not exist",
                           AT(output), 0, 0},
    [OPTION_SAVE_IMG] = {"save-img", 's', KIND_FLAG, NULL,
                         "write each picture with its boxes into --output", AT(save_img), 0, 0},
    [OPTION_MAX_PIXELS] = {"max-pixels", 0, KIND_INTEGER, "N",
                           "refuse larger pictures before decoding; default 100000000",
                           AT(max_pixels), 1, 4294836225.0},
    [OPTION_CACHE_DIR] = {"cache-dir", 0, KIND_ANY_TEXT, "DIR",
                          "of pipelines and tuning; \"\" for none; default: "
                          "$XDG_CACHE_HOME/vkdet or ~/.cache/vkdet",
                          AT(cache_dir), 0, 0},
    [OPTION_CARD] = {"card", 'c', KIND_TEXT, "CARD.json",
                     "what the network file does not say (models/CARD.md)", AT(card), 0, 0},
    [OPTION_WEIGHTS] = {"weights", 0, KIND_TEXT, "TYPE",
                        "exact (default: fp16 where a tensor loses nothing), fp16 or fp32",
                        AT(weights), 0, 0},
    [OPTION_OUTPUT_FILE] = {"output", 'o', KIND_TEXT, "FILE", "container to write", AT(output), 0,
                            0},
    [OPTION_DATA] = {"data", 0, KIND_TEXT, "COCO.json", "the ground truth: COCO instances",
                     AT(data), 0, 0},
    [OPTION_IMAGES] = {"images", 0, KIND_TEXT, "DIR", "folder that its file names are in",
                       AT(images), 0, 0},
    [OPTION_PRED] = {"pred", 0, KIND_TEXT, "RESULTS.json",
                     "judge these COCO results instead of running a model", AT(pred), 0, 0},
    [OPTION_MAP] = {"map", 0, KIND_TEXTS, "CLASS=CATEGORY",
                    "class of the model that stands for a category; empty: for none; many times",
                    AT(map), 0, 0},
    [OPTION_VAL_CONF] = {"conf", 'c', KIND_NUMBER, "SCORE",
                         "keep detections with a score above this, 0 to 1; default 0.01", AT(conf),
                         0, 1},
    [OPTION_VAL_MAX_DET] = {"max-det", 0, KIND_INTEGER, "N",
                            "at most this many detections a picture; default 100", AT(max_det), 1,
                            4294967294.0},
    [OPTION_BENCH_DEVICE] = {"device", 'd', KIND_TEXT, "DEVICES",
                             "one or several, as in vulkan:0,cpu; default auto", AT(device), 0, 0},
    [OPTION_BENCH_PRECISION] = {"precision", 'p', KIND_TEXT, "LIST",
                                "of auto (default), fp32, fp16 and bf16", AT(precision), 0, 0},
    [OPTION_BENCH_BATCH] = {"batch", 'b', KIND_TEXT, "LIST",
                            "pictures a submission, each 1 to 4096; default 1,2,4,8", AT(batches),
                            0, 0},
    [OPTION_THREADS] = {"threads", 't', KIND_INTEGER, "N",
                        "of the device cpu, 1 to 1024; default: one a core", AT(threads), 1, 1024},
    [OPTION_TUNE] = {"tune", 0, KIND_TEXT, "HOW",
                     "try kernel variants: off, quick or full; default: quick on GPUs, once",
                     AT(tune), 0, 0},
    [OPTION_WINOGRAD] = {"winograd", 0, KIND_TEXT, "WHEN",
                         "auto (default: not on GPUs), never or always, in fp32 on Vulkan devices",
                         AT(winograd), 0, 0},
    [OPTION_SCENARIO] = {"scenario", 0, KIND_TEXT, "LIST",
                         "of single-stream, offline, server; all; default single-stream,offline",
                         AT(scenario), 0, 0},
    [OPTION_STAGE] = {"stage", 0, KIND_TEXT, "LIST",
                      "of pixels (default), bytes (files in memory), device (nothing moves); all",
                      AT(stage), 0, 0},
    [OPTION_QPS] = {"qps", 0, KIND_NUMBER, "RATE",
                    "arrivals a second in server; default: search for the highest that holds",
                    AT(qps), DBL_TRUE_MIN, 1e6},
    [OPTION_LATENCY_BOUND] = {"latency-bound", 0, KIND_NUMBER, "MS",
                              "on the 99th percentile in server; default 100", AT(latency_bound),
                              DBL_TRUE_MIN, 1e5},
    [OPTION_LAYERS] = {"layers", 0, KIND_FLAG, NULL,
                       "time each step, against the roofline of the device", AT(layers), 0, 0},
    [OPTION_PEAK] = {"peak", 0, KIND_FLAG, NULL,
                     "measure the device's arithmetic, bandwidth and transfers", AT(peak), 0, 0},
    [OPTION_SIZE] = {"size", 0, KIND_TEXT, "WxH", "of drawn pictures; default: the network's input",
                     AT(size), 0, 0},
    [OPTION_SEED] = {"seed", 0, KIND_INTEGER, "N", "of drawn pictures and arrivals; default 1",
                     AT(seed), 1, 4294967295.0},
    [OPTION_RUNS] = {"runs", 0, KIND_INTEGER, "N", "at least this many samples; default 32",
                     AT(runs), 1, 1e6},
    [OPTION_MIN_TIME] = {"min-time", 0, KIND_NUMBER, "SECONDS",
                         "measure each at least this long; default 1", AT(min_time), DBL_TRUE_MIN,
                         86400},
    [OPTION_MAX_TIME] = {"max-time", 0, KIND_NUMBER, "SECONDS",
                         "and, but for 6 samples, no longer; default 10", AT(max_time),
                         DBL_TRUE_MIN, 86400},
    [OPTION_CSV] = {"csv", 0, KIND_FLAG, NULL, "CSV, a line a result", AT(csv), 0, 0},
    [OPTION_REPORT] = {"report", 0, KIND_TEXT, "FILE.html",
                       "write a report with roofline too; implies --layers and --peak", AT(report),
                       0, 0},
    [OPTION_COMPARE] = {"compare", 0, KIND_TEXT, "BASE.json",
                        "with a run kept by --json; status 7 when something is slower", AT(compare),
                        0, 0},
    [OPTION_NOISE] = {"noise", 0, KIND_NUMBER, "PERCENT",
                      "smaller changes are within noise; default 2", AT(noise), DBL_TRUE_MIN, 1000},
    [OPTION_FROM] = {"from", 0, KIND_TEXT, "RUN.json",
                     "show a run kept by --json; nothing is measured", AT(from), 0, 0},
    [OPTION_MODEL_REPOSITORY] = {"model-repository", 0, KIND_TEXT, "DIR",
                                 "serve all models of it: NAME/VERSION/model.vkdet, NAME.vkdet",
                                 AT(model_repository), 0, 0},
    [OPTION_TOKEN_FILE] = {"token-file", 0, KIND_TEXT, "FILE",
                           "ask for the bearer token on its first line", AT(token_file), 0, 0},
    [OPTION_ALLOW_ANYONE] = {"allow-anyone", 0, KIND_FLAG, NULL,
                             "serve other machines without a token", AT(allow_anyone), 0, 0},
    [OPTION_ALLOW_HOST] = {"allow-host", 0, KIND_TEXT, "NAMES",
                           "in the Host of requests, besides loopback's; * for any", AT(allow_host),
                           0, 0},
    [OPTION_CORS_ORIGIN] = {"cors-origin", 0, KIND_TEXT, "ORIGIN",
                            "pages of that origin (* for any) may call the server", AT(cors_origin),
                            0, 0},
    [OPTION_ACCESS_LOG] = {"access-log", 0, KIND_TEXT, "FILE",
                           "append a JSON line a request; - for standard output", AT(access_log), 0,
                           0},
    [OPTION_MAX_BATCH] = {"max-batch", 'b', KIND_INTEGER, "N",
                          "most pictures a batch, 1 to 1024; default 8", AT(batch), 1, 1024},
    [OPTION_MAX_QUEUE] = {"max-queue", 0, KIND_INTEGER, "N",
                          "most pictures that wait for a device; default 256", AT(max_queue), 1,
                          1e6},
    [OPTION_MAX_QUEUE_DELAY] = {"max-queue-delay-us", 0, KIND_INTEGER, "MICROSECONDS",
                                "longest wait for a batch to fill, on a busy device; default 2000",
                                AT(max_queue_delay), 1, 1e7},
    [OPTION_TIMEOUT] = {"timeout-ms", 0, KIND_INTEGER, "MILLISECONDS",
                        "deadline of a request that names none; default 30000", AT(timeout_ms), 1,
                        3.6e6},
    [OPTION_CLIENT_TIMEOUT] = {"client-timeout", 0, KIND_INTEGER, "SECONDS",
                               "for a client to send, to take its answer, to go on; default 60",
                               AT(client_timeout), 1, 86400},
    [OPTION_MAX_BODY] = {"max-body", 0, KIND_INTEGER, "BYTES",
                         "refuse larger requests; default 33554432", AT(max_body), 1, 1e12},
    [OPTION_MAX_HELD] = {"max-held", 0, KIND_INTEGER, "BYTES",
                         "of bodies, and of pixels, of all requests; default 1073741824",
                         AT(max_held), 1, 1e15},
    [OPTION_SERVE_MAX_PIXELS] = {"max-pixels", 0, KIND_INTEGER, "N",
                                 "refuse larger pictures before decoding; default 50000000",
                                 AT(max_pixels), 1, 4294836225.0},
    [OPTION_MAX_CONNECTIONS] = {"max-connections", 0, KIND_INTEGER, "N",
                                "most at once; more wait; default 1024", AT(max_connections), 1,
                                1e5},
    [OPTION_HOST] = {"host", 0, KIND_TEXT, "ADDRESS", "to serve on; default 127.0.0.1", AT(host), 0,
                     0},
    [OPTION_PORT] = {"port", 0, KIND_TEXT, "N", "to serve on, 0 for a free one; default 8000",
                     AT(port), 0, 0},
    [OPTION_JSON] = {"json", 'j', KIND_FLAG, NULL, "JSON instead of a table", AT(json), 0, 0},
    [OPTION_VALIDATE] = {"validate", 0, KIND_FLAG, NULL,
                         "turn the Vulkan validation layers on; their messages end in status 3",
                         AT(validate), 0, 0},
    [OPTION_VERBOSE] = {"verbose", 'v', KIND_FLAG, NULL, "log more; twice for everything",
                        AT(verbose), 0, 0},
    [OPTION_QUIET] = {"quiet", 'q', KIND_FLAG, NULL, "errors only, no progress bar", AT(quiet), 0,
                      0},
    [OPTION_HELP] = {"help", 'h', KIND_FLAG, NULL, "this text", AT(help), 0, 0},
};

/* strtod would also take blanks, "nan", "infinity" and hexadecimal */
static bool parse_number(const char *text, double *out)
{
    if (*text == 0 || text[strspn(text, "0123456789.eE+-")] != 0) {
        return false;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (*end != 0 || !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool parse_integer(const char *text, uint64_t *out)
{
    if (*text == 0 || text[strspn(text, "0123456789")] != 0) {
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    if (errno != 0) {
        return false;
    }
    *out = value;
    return true;
}

/* Numbers the way people write them: 1, 0.5, 4294967295. */
static void print_range(char *text, size_t size, const option_spec *spec)
{
    if (spec->kind == KIND_INTEGER) {
        (void)snprintf(text, size, "a whole number from %.0f to %.0f", spec->low, spec->high);
    } else if (spec->low > 0) {
        (void)snprintf(text, size, "a number above 0 and at most %g", spec->high);
    } else {
        (void)snprintf(text, size, "a number from %g to %g", spec->low, spec->high);
    }
}

static bool option_store(const command *c, const option_spec *spec, const char *text, settings *s)
{
    char *target = (char *)s + spec->offset;
    char range[96];
    uint64_t whole = 0;
    double number = 0;
    switch (spec->kind) {
    case KIND_FLAG:
        *(unsigned *)(void *)target += 1;
        return true;
    case KIND_TEXT:
        if (*text == 0) {
            console_error("%s: --%s takes %s, not an empty text", c->name, spec->name, spec->value);
            return false;
        }
        *(const char **)(void *)target = text;
        return true;
    case KIND_ANY_TEXT:
        *(const char **)(void *)target = text;
        return true;
    case KIND_TEXTS: {
        text_list *list = (text_list *)(void *)target;
        if (list->count == sizeof list->items / sizeof list->items[0]) {
            console_error("%s: --%s is there more than %zu times", c->name, spec->name,
                          list->count);
            return false;
        }
        list->items[list->count++] = text;
        return true;
    }
    case KIND_NUMBER:
        if (parse_number(text, &number) && number >= spec->low && number <= spec->high) {
            *(double *)(void *)target = number;
            return true;
        }
        break;
    case KIND_INTEGER:
        if (parse_integer(text, &whole) && (double)whole >= spec->low &&
            (double)whole <= spec->high) {
            *(uint64_t *)(void *)target = whole;
            return true;
        }
        break;
    }
    print_range(range, sizeof range, spec);
    console_error("%s: --%s takes %s, not \"%s\"", c->name, spec->name, range, text);
    return false;
}

/* the command's options in getopt's terms; the value of a long option is its place in the list */
typedef struct getopt_tables {
    struct option long_options[OPTION_COUNT + 1];
    char letters[2 * OPTION_COUNT + 2];
} getopt_tables;

enum { LONG_BASE = 256 }; /* above every letter */

static void tables_fill(getopt_tables *t, const option_id *list)
{
    size_t count = 0;
    char *letter = t->letters;
    *letter++ = ':'; /* report a missing argument as ':' */
    for (; list[count] != OPTION_END; count++) {
        const option_spec *spec = &specs[list[count]];
        int takes = spec->kind == KIND_FLAG ? no_argument : required_argument;
        t->long_options[count] =
            (struct option){spec->name, takes, NULL, LONG_BASE + (int)list[count]};
        if (spec->letter) {
            *letter++ = spec->letter;
            if (takes == required_argument) {
                *letter++ = ':';
            }
        }
    }
    t->long_options[count] = (struct option){NULL, 0, NULL, 0};
    *letter = 0;
}

static const option_spec *spec_of(const option_id *list, int code)
{
    if (code >= LONG_BASE) {
        return &specs[code - LONG_BASE];
    }
    for (; *list != OPTION_END; list++) {
        if (specs[*list].letter == code) {
            return &specs[*list];
        }
    }
    return NULL;
}

/* getopt met something that is no option, or an option used wrongly */
static void complain(const command *c, int code, const char *word)
{
    if (code == ':') {
        console_error("%s: no value after \"%s\"", c->name, word);
    } else if (optopt >= LONG_BASE) {
        console_error("%s: --%s takes no value", c->name, specs[optopt - LONG_BASE].name);
    } else if (optopt != 0) {
        console_error("%s: no option -%c (vkdet %s --help lists them)", c->name, optopt, c->name);
    } else {
        console_error("%s: no option \"%s\", or a short form of several (vkdet %s --help lists "
                      "them)",
                      c->name, word, c->name);
    }
}

bool options_parse(const command *c, int argc, char **argv, settings *out)
{
    getopt_tables tables;
    tables_fill(&tables, c->options);
    *out = (settings){.conf = -1};
    opterr = 0;
    optind = 1;
    for (;;) {
        int code = getopt_long(argc, argv, tables.letters, tables.long_options, NULL);
        if (code == -1) {
            break;
        }
        if (code == '?' || code == ':') {
            complain(c, code, argv[optind - 1]);
            return false;
        }
        const option_spec *spec = spec_of(c->options, code);
        if (!spec || !option_store(c, spec, optarg, out)) {
            return false;
        }
    }
    out->operands = (const char *const *)(argv + optind);
    out->operand_count = argc - optind;
    if (out->help) {
        return true;
    }
    int most = c->max_operands;
    if (c->takes_model) {
        most--;
        if (!out->model && out->operand_count > 0) {
            out->model = *out->operands++;
            out->operand_count--;
        }
    }
    if (out->operand_count < c->min_operands) {
        /* "-d.jpg" was meant as a file, perhaps */
        console_error("%s: %s missing (usage: vkdet %s %s%s)", c->name,
                      c->min_operands > 1 ? "operands" : "operand", c->name, c->operands,
                      argc > 1 ? "; a name that begins with - goes behind --" : "");
        return false;
    }
    if (c->max_operands >= 0 && out->operand_count > most) {
        console_error("%s: one operand too many: \"%s\" (usage: vkdet %s %s)", c->name,
                      out->operands[most], c->name, c->operands);
        return false;
    }
    return true;
}

void options_print(const option_id *list)
{
    for (; *list != OPTION_END; list++) {
        const option_spec *spec = &specs[*list];
        char left[64];
        (void)snprintf(left, sizeof left, "%c%c%s --%s%s%s", spec->letter ? '-' : ' ',
                       spec->letter ? spec->letter : ' ', spec->letter ? "," : " ", spec->name,
                       spec->value ? " " : "", spec->value ? spec->value : "");
        (void)printf("  %-24s  %s\n", left, spec->help);
    }
}
