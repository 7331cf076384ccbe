/* What the command line of vkdet bench asks for, checked before anything is opened. */
#include "host/cli/bench.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <stdlib.h>
#include <string.h>

/* The items of "a,b,c" one after the other; an empty or overlong item ends in false. */
static bool next_item(const char **rest, char *item, size_t size)
{
    size_t length = strcspn(*rest, ",");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(item, *rest, length);
    item[length] = 0;
    *rest += length;
    if (**rest == ',') {
        (*rest)++;
        return **rest != 0; /* nothing behind the last comma */
    }
    return true;
}

typedef struct flag_name {
    const char *name;
    unsigned flag;
} flag_name;

static bool read_flags(const char *text, const flag_name *names, size_t count, unsigned *out)
{
    char item[32];
    *out = 0;
    while (*text) {
        size_t i = 0;
        if (!next_item(&text, item, sizeof item)) {
            return false;
        }
        while (i < count && strcmp(names[i].name, item) != 0) {
            i++;
        }
        if (i == count) {
            return false;
        }
        *out |= names[i].flag;
    }
    return true;
}

static bool read_batches(const char *text, bench_wish *w)
{
    char item[16];
    while (*text) {
        if (w->batch_count == BENCH_MAX_LIST || !next_item(&text, item, sizeof item) ||
            item[strspn(item, "0123456789")] != 0) {
            return false;
        }
        unsigned long value = strtoul(item, NULL, 10); /* 15 digits at most */
        if (value < 1 || value > 4096) {
            return false;
        }
        bool told = false;
        for (size_t i = 0; i < w->batch_count; i++) {
            told = told || w->batches[i] == value;
        }
        if (!told) { /* nothing is measured twice under one name */
            w->batches[w->batch_count++] = (uint32_t)value;
        }
    }
    return true;
}

static bool read_precisions(const char *text, bench_wish *w)
{
    char item[16];
    while (*text) {
        if (w->precision_count == BENCH_MAX_LIST || !next_item(&text, item, sizeof item) ||
            vkdet_precision_from_name(item, &w->precisions[w->precision_count]) != VKDET_OK) {
            return false;
        }
        bool told = false;
        for (size_t i = 0; i < w->precision_count; i++) {
            told = told || w->precisions[i] == w->precisions[w->precision_count];
        }
        w->precision_count += !told;
    }
    return true;
}

static bool read_devices(const char *text, bench_wish *w)
{
    while (*text) {
        if (w->device_count == BENCH_MAX_LIST ||
            !next_item(&text, w->devices[w->device_count], sizeof w->devices[0])) {
            return false;
        }
        bool told = false;
        for (size_t i = 0; i < w->device_count; i++) {
            told = told || strcmp(w->devices[i], w->devices[w->device_count]) == 0;
        }
        w->device_count += !told;
    }
    return true;
}

static bool read_size(const char *text, bench_wish *w)
{
    char *end = NULL;
    if (text[strspn(text, "0123456789x")] != 0 || strlen(text) > 11) {
        return false;
    }
    unsigned long width = strtoul(text, &end, 10);
    if (*end != 'x' || end[1] == 0) {
        return false;
    }
    unsigned long height = strtoul(end + 1, &end, 10);
    if (*end != 0 || width < 1 || height < 1 || width > 16384 || height > 16384) {
        return false;
    }
    w->width = (uint32_t)width;
    w->height = (uint32_t)height;
    return true;
}

static const flag_name scenario_names[] = {
    {"single-stream", SCENARIO_SINGLE_STREAM},
    {"offline", SCENARIO_OFFLINE},
    {"server", SCENARIO_SERVER},
    {"all", SCENARIO_SINGLE_STREAM | SCENARIO_OFFLINE | SCENARIO_SERVER},
};
static const flag_name stage_names[] = {
    {"pixels", STAGE_PIXELS},
    {"bytes", STAGE_BYTES},
    {"device", STAGE_DEVICE},
    {"all", STAGE_PIXELS | STAGE_BYTES | STAGE_DEVICE},
};

static int refuse(const char *option, const char *takes, const char *text)
{
    console_error("bench: --%s takes %s, not \"%s\"", option, takes, text);
    return EXIT_USAGE;
}

static int read_lists(const settings *s, bench_wish *w)
{
    const size_t scenarios = sizeof scenario_names / sizeof scenario_names[0];
    const size_t stages = sizeof stage_names / sizeof stage_names[0];
    if (s->scenario && !read_flags(s->scenario, scenario_names, scenarios, &w->scenarios)) {
        return refuse("scenario", "a list of single-stream, offline, server or all", s->scenario);
    }
    if (s->stage && !read_flags(s->stage, stage_names, stages, &w->stages)) {
        return refuse("stage", "a list of pixels, bytes, device or all", s->stage);
    }
    if (!read_devices(s->device ? s->device : "auto", w)) {
        return refuse("device", "a list of up to 32 devices (vkdet devices lists them)", s->device);
    }
    if (!read_precisions(s->precision ? s->precision : "auto", w)) {
        return refuse("precision", "a list of auto, fp32, fp16 or bf16", s->precision);
    }
    if (!read_batches(s->batches ? s->batches : "1,2,4,8", w)) {
        return refuse("batch", "a list of up to 32 whole numbers from 1 to 4096", s->batches);
    }
    if (s->size && !read_size(s->size, w)) {
        return refuse("size", "WIDTHxHEIGHT, each from 1 to 16384", s->size);
    }
    if (s->tune && vkdet_tune_from_name(s->tune, &w->tune) != VKDET_OK) {
        return refuse("tune", "off, quick or full", s->tune);
    }
    if (s->winograd && vkdet_winograd_from_name(s->winograd, &w->winograd) != VKDET_OK) {
        return refuse("winograd", "auto, never or always", s->winograd);
    }
    return EXIT_GOOD;
}

/* Any of the flags that a run that was kept cannot follow any more. */
static bool asks_to_measure(const settings *s)
{
    return s->operand_count > 0 || s->scenario || s->stage || s->layers || s->peak || s->device ||
           s->model || s->precision || s->batches || s->size || s->tune || s->winograd ||
           s->slots || s->threads || s->seed || s->qps > 0 || s->latency_bound > 0 || s->runs ||
           s->min_time > 0 || s->max_time > 0 || s->conf >= 0 || s->iou > 0;
}

/* Flags that say nothing together, or that go unheard. */
static int check_sense(const settings *s, const bench_wish *w)
{
    const char *problem = NULL;
    if (s->json && s->csv) {
        problem = "--json and --csv: one of them";
    } else if (s->from && asks_to_measure(s)) {
        problem = "--from shows a run that was kept: it goes with --json, --csv, --report and "
                  "--compare alone";
    } else if (s->operand_count > 0 && s->size) {
        problem = "--size is of pictures that are drawn: it goes without SOURCE";
    } else if (s->qps > 0 && !(w->scenarios & SCENARIO_SERVER)) {
        problem = "--qps goes with --scenario server";
    } else if (s->latency_bound > 0 && !(w->scenarios & SCENARIO_SERVER)) {
        problem = "--latency-bound goes with --scenario server";
    } else if (s->noise > 0 && !s->compare) {
        problem = "--noise goes with --compare";
    } else if (w->rule.min_seconds > w->rule.max_seconds) {
        problem = "--min-time is more than --max-time";
    } else if ((w->scenarios & SCENARIO_SERVER) && !(w->stages & STAGE_PIXELS)) {
        problem = "the server scenario has the stage pixels alone";
    } else if (w->scenarios == SCENARIO_SINGLE_STREAM && w->stages == STAGE_DEVICE) {
        problem = "the single-stream scenario has the stages pixels and bytes";
    }
    if (problem) {
        console_error("bench: %s", problem);
        return EXIT_USAGE;
    }
    return EXIT_GOOD;
}

int bench_wish_read(const settings *s, bench_wish *out)
{
    *out = (bench_wish){
        .slots = (uint32_t)(s->slots ? s->slots : 2),
        .threads = (uint32_t)s->threads,
        .seed = s->seed ? s->seed : 1,
        .qps = s->qps,
        .bound_seconds = (s->latency_bound > 0 ? s->latency_bound : 100) * 1e-3,
        .layers = s->layers || s->report,
        .peak = s->peak || s->report || s->layers, /* a share needs its roof */
        .rule = {.min_runs = (size_t)(s->runs ? s->runs : 32),
                 .min_seconds = s->min_time > 0 ? s->min_time : 1,
                 .max_seconds = s->max_time > 0 ? s->max_time : 10,
                 .spread = 0.01},
        /* 0 to the library is "the card's": a score above zero is a score above this */
        .detect = {.score_threshold = s->conf == 0  ? 1e-300
                                      : s->conf < 0 ? 0
                                                    : s->conf,
                   .iou_threshold = s->iou},
    };
    int status = read_lists(s, out);
    if (status != EXIT_GOOD) {
        return status;
    }
    if (!s->scenario && (s->report || !(s->layers || s->peak))) {
        out->scenarios = SCENARIO_SINGLE_STREAM | SCENARIO_OFFLINE;
    }
    if (!s->stage) {
        out->stages = STAGE_PIXELS;
    }
    if (!(s->max_time > 0) && s->min_time > out->rule.max_seconds) {
        out->rule.max_seconds = s->min_time;
    }
    if (!(s->min_time > 0) && s->max_time > 0 && s->max_time < out->rule.min_seconds) {
        out->rule.min_seconds = s->max_time;
    }
    return check_sense(s, out);
}
