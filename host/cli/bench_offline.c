/* offline: all pictures are there from the start; how many are done a second.
 *
 * The device is kept busy by every slot. A sample is a stretch of that steady state (no drain
 * between samples) that lasts a twentieth of the least time and in which every slot finished once;
 * the score is the median of the stretches. The stage "device" times vkdet_session_repeat. */
#include "host/cli/bench_decode.h"
#include "host/cli/bench_document.h"

#include <stdlib.h>

enum { MOST_SLOTS = 16 };

static const bench_metric throughput = {"offline", "", "throughput", "images/s", true, 1};

typedef struct flow {
    const bench *bench;
    const bench_case *item;
    decoders *decoders; /* NULL: pixels that are there */
    vkdet_pixels *list;
    vkdet_image **images; /* of one batch, until it was submitted */
    vkdet_ticket tickets[MOST_SLOTS];
    uint32_t head, flying;
    uint64_t next; /* picture */
} flow;

static vkdet_status flow_submit(flow *f)
{
    const uint32_t batch = f->item->batch;
    vkdet_status status = VKDET_OK;
    vkdet_ticket ticket = 0;
    for (uint32_t i = 0; i < batch; i++) {
        f->images[i] = NULL;
        if (f->decoders) {
            f->images[i] = decoders_take(f->decoders);
            if (!f->images[i]) {
                status = VKDET_ERROR_IMAGE;
                break;
            }
            f->list[i] = vkdet_image_pixels(f->images[i]);
        } else {
            f->list[i] = f->bench->inputs.pixels[bench_input_at(&f->bench->inputs, f->next + i)];
        }
    }
    if (status == VKDET_OK) {
        status =
            vkdet_session_submit(f->item->session, f->list, batch, &f->bench->wish.detect, &ticket);
    }
    for (uint32_t i = 0; f->decoders && i < batch && f->images[i]; i++) {
        vkdet_image_destroy(f->images[i]);
    }
    if (status == VKDET_OK) {
        f->tickets[(f->head + f->flying) % MOST_SLOTS] = ticket;
        f->flying++;
        f->next += batch;
    }
    return status;
}

static vkdet_status flow_finish(flow *f)
{
    const vkdet_result *results = NULL;
    uint32_t count = 0;
    vkdet_ticket ticket = f->tickets[f->head];
    vkdet_status status =
        vkdet_session_wait(f->item->session, ticket, VKDET_WAIT_FOREVER, &results, &count);
    if (status == VKDET_OK) {
        status = vkdet_session_release(f->item->session, ticket);
        f->head = (f->head + 1) % MOST_SLOTS;
        f->flying--;
    }
    return status;
}

/* one batch in, and one out once every slot is taken */
static vkdet_status flow_step(flow *f, bool *finished)
{
    *finished = false;
    if (f->flying < f->item->slots) {
        return flow_submit(f);
    }
    *finished = true;
    return flow_finish(f);
}

static vkdet_status flow_drain(flow *f, vkdet_status status)
{
    while (f->flying > 0) {
        vkdet_status drained = flow_finish(f);
        if (drained != VKDET_OK) {
            return status != VKDET_OK ? status : drained;
        }
    }
    return status;
}

/* Each slot three times, and half a second; it ends, as every sample does, as a batch comes out:
 * what came out while a batch went in would be counted without its time. */
static vkdet_status flow_warm_up(flow *f)
{
    const double until = bench_now() + BENCH_WARM_SECONDS;
    vkdet_status status = VKDET_OK;
    bool finished = false;
    for (uint32_t done = 0; status == VKDET_OK && bench_goes_on() &&
                            (!finished || done < 3 * f->item->slots || bench_now() < until);
         done += finished) {
        status = flow_step(f, &finished);
    }
    return status;
}

static vkdet_status flow_measure(flow *f, bench_samples *samples)
{
    const bench_rule *rule = &f->bench->wish.rule;
    const double stretch = rule->min_seconds / 20;
    uint32_t batches = 0;
    bool finished;
    vkdet_status status = flow_warm_up(f);
    const double started = bench_now();
    double mark = started;
    while (status == VKDET_OK && bench_goes_on()) {
        status = flow_step(f, &finished);
        batches += status == VKDET_OK && finished;
        double now = bench_now();
        if (finished && batches >= f->item->slots && now - mark >= stretch) {
            double images = (double)batches * f->item->batch;
            if (!samples_add(samples, images / (now - mark)) ||
                rule_is_met(rule, samples, now - started)) {
                break;
            }
            mark = now;
            batches = 0;
        }
    }
    return flow_drain(f, status);
}

static vkdet_status measure_flow(bench *b, const bench_case *c, unsigned stage,
                                 bench_samples *samples, size_t *threads)
{
    flow f = {.bench = b, .item = c};
    vkdet_status status = VKDET_ERROR_MEMORY;
    f.list = calloc(c->batch, sizeof *f.list);
    f.images = calloc(c->batch, sizeof(vkdet_image *));
    if (stage == STAGE_BYTES) {
        f.decoders = decoders_start(b, c->batch);
        *threads = f.decoders ? decoders_threads(f.decoders) : 0;
    }
    if (f.list && f.images && (f.decoders || stage != STAGE_BYTES)) {
        status = flow_measure(&f, samples);
    }
    decoders_stop(f.decoders);
    free(f.list);
    free(f.images);
    return status;
}

static vkdet_status measure_device(bench *b, const bench_case *c, bench_samples *samples)
{
    const bench_rule *rule = &b->wish.rule;
    const double stretch = rule->min_seconds / 20;
    vkdet_pixels *list = calloc(c->batch, sizeof *list);
    uint32_t runs = c->slots;
    uint64_t ns = 0;
    vkdet_status status = list ? VKDET_OK : VKDET_ERROR_MEMORY;
    for (uint32_t i = 0; list && i < c->batch; i++) {
        list[i] = b->inputs.pixels[bench_input_at(&b->inputs, i)];
    }
    /* warm-up, and how many runs make a stretch */
    for (int i = 0; status == VKDET_OK && bench_goes_on() && i < 32; i++) {
        status = vkdet_session_repeat(c->session, list, c->batch, &b->wish.detect, runs, &ns);
        const double seconds = 1e-9 * (double)ns;
        if ((seconds >= stretch && (i > 1 || seconds > 0.5)) || runs > UINT32_MAX / 4) {
            break;
        }
        runs *= seconds < stretch ? 2 : 1;
    }
    const double started = bench_now();
    while (status == VKDET_OK && bench_goes_on()) {
        status = vkdet_session_repeat(c->session, list, c->batch, &b->wish.detect, runs, &ns);
        if (status != VKDET_OK ||
            !samples_add(samples, 1e9 * (double)runs * c->batch / (double)(ns ? ns : 1)) ||
            rule_is_met(rule, samples, bench_now() - started)) {
            break;
        }
    }
    free(list);
    return status;
}

vkdet_status bench_offline(bench *b, const bench_case *c, unsigned stage)
{
    bench_metric metric = throughput;
    bench_samples samples = {0};
    size_t threads = 0;
    metric.stage = stage_name(stage);
    if (c->withheld[0]) {
        document_add(b, c, &metric, (bench_estimate){0}, 0);
        return VKDET_OK;
    }
    vkdet_status status = stage == STAGE_DEVICE ? measure_device(b, c, &samples)
                                                : measure_flow(b, c, stage, &samples, &threads);
    samples_sort(&samples);
    document_add_quantile(b, c, &metric, 0.5, &samples);
    if (samples.count > 0) {
        document_annotate(b, "slots", json_integer(c->slots));
    }
    if (samples.count > 0 && threads > 0) {
        document_annotate(b, "decoders", json_integer((json_int_t)threads));
    }
    samples_free(&samples);
    return status;
}
