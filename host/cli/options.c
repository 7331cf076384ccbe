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
    [OPTION_MODEL] = {"model", 'm', KIND_TEXT, "MODEL", "container to run; default: $VKDET_MODEL",
                      AT(model), 0, 0},
    [OPTION_DEVICE] = {"device", 'd', KIND_TEXT, "DEVICE",
                       "auto (default), vulkan:N or reference; see vkdet devices", AT(device), 0,
                       0},
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
                          "of the pipeline cache; \"\" for none; default: "
                          "$XDG_CACHE_HOME/vkdet or ~/.cache/vkdet",
                          AT(cache_dir), 0, 0},
    [OPTION_CARD] = {"card", 'c', KIND_TEXT, "CARD.json",
                     "what the network file does not say (models/CARD.md)", AT(card), 0, 0},
    [OPTION_OUTPUT_FILE] = {"output", 'o', KIND_TEXT, "FILE", "container to write", AT(output), 0,
                            0},
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
    if (out->operand_count < c->min_operands) {
        /* "-d.jpg" was meant as a file, perhaps */
        console_error("%s: %s missing (usage: vkdet %s %s%s)", c->name,
                      c->min_operands > 1 ? "operands" : "operand", c->name, c->operands,
                      argc > 1 ? "; a name that begins with - goes behind --" : "");
        return false;
    }
    if (c->max_operands >= 0 && out->operand_count > c->max_operands) {
        console_error("%s: one operand too many: \"%s\" (usage: vkdet %s %s)", c->name,
                      out->operands[c->max_operands], c->name, c->operands);
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
