/* A case against the reference. */
#include "host/cli/bench_check.h"

#include "host/cli/bench_document.h"
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One picture's detections, kept. */
typedef struct bench_truth {
    size_t count;
    vkdet_result *results;
    vkdet_detection **detections; /* what the results point to */
} bench_truth;

vkdet_session_params bench_session_params(const bench *b, const char *device,
                                          vkdet_precision precision, uint32_t batch, uint32_t slots)
{
    return (vkdet_session_params){
        .device = device,
        .max_batch = batch,
        .slots = slots,
        .keep_outputs = !b->info.detects, /* else a classifier would have no result at all */
        .cache_dir = b->settings->cache_dir,
        .precision = precision,
        .tune = b->wish.tune,
        .threads = b->wish.threads,
        .winograd = b->wish.winograd,
    };
}

void bench_truth_free(bench_truth *t)
{
    for (size_t i = 0; t && i < t->count; i++) {
        free(t->detections[i]);
    }
    free(t ? t->results : NULL);
    free(t ? t->detections : NULL);
    free(t);
}

static bool keep_result(bench_truth *t, const vkdet_result *r)
{
    size_t bytes = r->count * sizeof *r->detections;
    vkdet_detection *copy = malloc(bytes ? bytes : 1);
    if (!copy) {
        return false;
    }
    if (bytes) {
        memcpy(copy, r->detections, bytes);
    }
    t->detections[t->count] = copy;
    t->results[t->count] = *r;
    t->results[t->count++].detections = copy;
    return true;
}

int bench_truth_make(bench *b)
{
    const bench_inputs *in = &b->inputs;
    vkdet_session *session = NULL;
    vkdet_session_params params = bench_session_params(b, "reference", VKDET_PRECISION_FP32, 1, 1);
    bench_truth *t = calloc(1, sizeof *t);
    b->truth = t;
    if (t) {
        t->results = calloc(in->count, sizeof *t->results);
        t->detections = calloc(in->count, sizeof(vkdet_detection *));
    }
    if (!t || !t->results || !t->detections) {
        console_error("out of memory for the reference's detections");
        return EXIT_DEVICE;
    }
    vkdet_status status = vkdet_session_create(b->context, b->model, &params, &session);
    for (size_t i = 0; status == VKDET_OK && i < in->count && bench_goes_on(); i++) {
        const vkdet_result *result = NULL;
        status = vkdet_session_detect(session, &in->pixels[i], 1, &b->wish.detect, &result);
        if (status == VKDET_OK && !keep_result(t, result)) {
            vkdet_session_destroy(session);
            console_error("out of memory for the reference's detections");
            return EXIT_DEVICE;
        }
    }
    if (status != VKDET_OK) {
        console_error("the reference: %s", vkdet_error_message());
    }
    vkdet_session_destroy(session);
    return exit_of_run(status);
}

static void withhold(bench_case *c, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

/* the first reason stays */
static void withhold(bench_case *c, const char *format, ...)
{
    if (c->withheld[0] == 0) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(c->withheld, sizeof c->withheld, format, arguments);
        va_end(arguments);
    }
}

static const char *reason_of(vkdet_status status)
{
    const char *message = vkdet_error_message();
    return *message ? message : vkdet_status_name(status);
}

/* The kernels that the case's session runs, as one number in text: the tuner may choose others for
 * another batch. */
static void kernels_of(const bench_case *c, char *text, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    const uint32_t count = vkdet_session_step_count(c->session);
    for (uint32_t i = 0; i < count; i++) {
        vkdet_step step = {0};
        (void)vkdet_session_step(c->session, i, &step);
        const char *const texts[] = {step.name, step.kernel, step.variant};
        for (size_t k = 0; k < 3; k++) {
            const char *at = texts[k] ? texts[k] : "";
            do {
                hash = (hash ^ (unsigned char)*at) * 0x100000001b3u;
            } while (*at++);
        }
    }
    (void)snprintf(text, size, "%016llx", (unsigned long long)hash);
}

/* The check of an earlier batch of the same device, precision and kernels: its steps were judged
 * then. */
static const json_t *verified_before(const bench *b, const bench_case *c, const char *kernels)
{
    size_t i;
    json_t *check;
    json_array_foreach(json_object_get(b->document, "checks"), i, check)
    {
        if (strcmp(document_text(check, "device"), c->device.id) == 0 &&
            strcmp(document_text(check, "precision"), vkdet_precision_name(c->precision)) == 0 &&
            strcmp(document_text(check, "kernels"), kernels) == 0) {
            return check;
        }
    }
    return NULL;
}

/* the largest share of its bound that a step's error took, and how many steps were judged */
static json_t *summary_of(const char *text)
{
    size_t i;
    json_t *step, *root = json_loads(text, 0, NULL);
    const json_t *steps = json_object_get(root, "steps");
    double worst = 0;
    json_array_foreach(steps, i, step)
    {
        const json_t *ratio = json_object_get(step, "max_error_over_bound");
        worst = fmax(worst, json_is_number(ratio) ? json_number_value(ratio) : (double)INFINITY);
    }
    json_t *summary = json_pack("{s:I, s:o}", "steps", (json_int_t)json_array_size(steps),
                                "worst_of_bound", document_number(worst));
    json_decref(root);
    return summary;
}

static json_t *check_steps(bench *b, bench_case *c, const char *kernels)
{
    const json_t *before = verified_before(b, c, kernels);
    if (before) {
        if (!json_is_true(json_object_get(json_object_get(before, "raw"), "ok"))) {
            withhold(c, "%s", document_text(json_object_get(before, "raw"), "reason"));
        }
        return json_deep_copy(json_object_get(before, "raw"));
    }
    char *text = NULL;
    vkdet_verify_params params = {.device = c->device.id,
                                  .precision = c->precision,
                                  .tune = b->wish.tune,
                                  .cache_dir = b->settings->cache_dir,
                                  .max_batch = c->batch,
                                  .winograd = b->wish.winograd};
    vkdet_status status = vkdet_verify(b->context, b->model, &params, &b->inputs.pixels[0], &text);
    json_t *raw = text ? summary_of(text) : json_object();
    vkdet_text_free(b->context, text);
    (void)json_object_set_new(raw, "ok", json_boolean(status == VKDET_OK));
    if (status != VKDET_OK) {
        withhold(c, "%s", reason_of(status));
        json_t *reason = json_string(reason_of(status));
        (void)json_object_set_new(raw, "reason", reason ? reason : json_string("failed"));
    }
    return raw;
}

/* All raw outputs of picture `image` of the session's last batch, one behind the other. */
static vkdet_status read_outputs(const bench *b, vkdet_session *session, uint32_t image, float *out,
                                 size_t capacity, size_t *total)
{
    vkdet_status status = VKDET_OK;
    *total = 0;
    for (uint32_t i = 0; status == VKDET_OK && i < b->info.output_count; i++) {
        size_t count = 0;
        status = vkdet_session_output(session, 0, image, i, out ? out + *total : NULL,
                                      out ? capacity - *total : 0, &count);
        *total += count;
    }
    return status;
}

/* `batch` pictures, round and round, through the session in one submission */
static vkdet_status run_batch(const bench *b, vkdet_session *session, size_t first, uint32_t batch,
                              vkdet_pixels *list)
{
    const vkdet_result *results = NULL;
    for (uint32_t i = 0; i < batch; i++) {
        list[i] = b->inputs.pixels[bench_input_at(&b->inputs, first + i)];
    }
    return vkdet_session_detect(session, list, batch, &b->wish.detect, &results);
}

/* Raw outputs of each picture by itself, then of a batch, all in one session: with the kernels that
 * a session of this batch runs. */
typedef struct outputs_check {
    vkdet_session *session;
    vkdet_pixels *list;
    float *alone, *together; /* alone: of every picture that the batch has */
    size_t floats, pictures;
} outputs_check;

static vkdet_status outputs_alone(const bench *b, outputs_check *o)
{
    vkdet_status status = VKDET_OK;
    for (size_t i = 0; status == VKDET_OK && i < o->pictures && bench_goes_on(); i++) {
        size_t count = 0;
        status = run_batch(b, o->session, i, 1, o->list);
        if (status == VKDET_OK && !o->alone) {
            status = read_outputs(b, o->session, 0, NULL, 0, &o->floats);
            o->alone =
                status == VKDET_OK ? calloc(o->pictures * o->floats + 1, sizeof *o->alone) : NULL;
            o->together = calloc(o->floats + 1, sizeof *o->together);
            if (status == VKDET_OK && (!o->alone || !o->together)) {
                return VKDET_ERROR_MEMORY;
            }
        }
        if (status == VKDET_OK) {
            status = read_outputs(b, o->session, 0, o->alone + i * o->floats, o->floats, &count);
        }
    }
    return status;
}

static vkdet_status outputs_together(const bench *b, bench_case *c, outputs_check *o)
{
    vkdet_status status = run_batch(b, o->session, 0, c->batch, o->list);
    for (uint32_t i = 0; status == VKDET_OK && i < c->batch && bench_goes_on(); i++) {
        const float *alone = o->alone + bench_input_at(&b->inputs, i) * o->floats;
        size_t count = 0;
        /* a picture that comes round again stands at another place: looked at too */
        status = read_outputs(b, o->session, i, o->together, o->floats, &count);
        if (status == VKDET_OK && memcmp(alone, o->together, o->floats * sizeof(float)) != 0) {
            withhold(
                c,
                "raw outputs of picture %u of a batch of %u differ from those of the picture alone",
                i, c->batch);
            break;
        }
    }
    return status;
}

static void check_batch(bench *b, bench_case *c)
{
    outputs_check o = {.list = calloc(c->batch, sizeof(vkdet_pixels)),
                       .pictures = b->inputs.count < c->batch ? b->inputs.count : c->batch};
    vkdet_session_params params = bench_session_params(b, c->device.id, c->precision, c->batch, 1);
    params.keep_outputs = 1;
    vkdet_status status = o.list ? VKDET_OK : VKDET_ERROR_MEMORY;
    if (status == VKDET_OK) {
        status = vkdet_session_create(b->context, b->model, &params, &o.session);
    }
    if (status == VKDET_OK) {
        status = outputs_alone(b, &o);
    }
    if (status == VKDET_OK && bench_goes_on()) {
        status = outputs_together(b, c, &o);
    }
    if (status != VKDET_OK) {
        withhold(c, "%s",
                 status == VKDET_ERROR_MEMORY ? "out of memory for raw outputs"
                                              : reason_of(status));
    }
    vkdet_session_destroy(o.session);
    free(o.list);
    free(o.alone);
    free(o.together);
}

static void check_detections(bench *b, bench_case *c)
{
    const size_t count = b->inputs.count > c->batch ? b->inputs.count : c->batch;
    const double threshold = b->wish.detect.score_threshold != 0 ? b->wish.detect.score_threshold
                                                                 : b->info.score_threshold;
    const bench_tolerance tolerance = tolerance_of(c->precision);
    vkdet_pixels *list = calloc(count, sizeof *list);
    const vkdet_result *results = NULL;
    char why[256];
    for (size_t i = 0; list && i < count; i++) {
        list[i] = b->inputs.pixels[bench_input_at(&b->inputs, i)];
    }
    vkdet_status status =
        list ? vkdet_session_detect(c->session, list, count, &b->wish.detect, &results)
             : VKDET_ERROR_MEMORY;
    if (status != VKDET_OK) {
        withhold(c, "%s", list ? reason_of(status) : "out of memory for a batch");
    }
    for (size_t i = 0; status == VKDET_OK && i < count; i++) {
        const size_t picture = bench_input_at(&b->inputs, i);
        if (picture < b->truth->count &&
            !detections_agree(&b->truth->results[picture], &results[i], &tolerance, threshold, why,
                              sizeof why)) {
            withhold(c, "picture %zu: %s", picture, why);
            break;
        }
    }
    free(list);
}

void bench_check(bench *b, bench_case *c)
{
    char kernels[32];
    const double began = bench_now();
    kernels_of(c, kernels, sizeof kernels);
    json_t *raw = check_steps(b, c, kernels);
    if (c->batch > 1 && c->withheld[0] == 0) {
        check_batch(b, c);
    }
    if (c->withheld[0] == 0 && b->info.detects) {
        check_detections(b, c);
    }
    if (!bench_goes_on()) { /* it may have been cut short */
        withhold(c, "the check was interrupted");
    }
    uint64_t boxes = 0;
    for (size_t i = 0; i < b->truth->count; i++) {
        boxes += b->truth->results[i].count;
    }
    json_t *check =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:o, s:s, s:I, s:f}", "device", c->device.id,
                  "precision", vkdet_precision_name(c->precision), "batch", (json_int_t)c->batch,
                  "slots", (json_int_t)c->slots, "ok", c->withheld[0] == 0, "raw", raw, "kernels",
                  kernels, "boxes", (json_int_t)boxes, "seconds", bench_now() - began);
    if (c->withheld[0]) {
        json_t *reason = json_string(c->withheld);
        (void)json_object_set_new(check, "reason", reason ? reason : json_string("failed"));
        console_error("%s %s batch %u: withheld: %s", c->device.id,
                      vkdet_precision_name(c->precision), c->batch, c->withheld);
    }
    (void)json_array_append_new(json_object_get(b->document, "checks"), check);
}
