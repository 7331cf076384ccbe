/* server: pictures arrive one at a time, by chance (a Poisson process), and each must be answered
 * within a bound.
 *
 * As in MLPerf Inference a rate holds when the 99th percentile of the latencies is within the
 * bound. A latency counts from the moment the picture should have arrived, so that a device that is
 * behind cannot hide it by taking pictures late. Whenever a slot is free it takes what waits, up to
 * the batch; nothing waits for a batch to fill. */
#include "host/cli/bench_document.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_SLOTS = 16, MOST_TRIALS = 24, LEAST_QUERIES = 128, MOST_QUERIES = 4000000 };

static const bench_metric rate_metric = {"server", "pixels", "rate", "queries/s", true, 1};

typedef struct flight {
    vkdet_ticket ticket;
    size_t first;
    uint32_t count;
} flight;

typedef struct traffic {
    const bench *bench;
    const bench_case *item;
    vkdet_pixels *list;
    double *arrivals; /* seconds of the clock */
    size_t count, arrived, submitted;
    flight flights[MOST_SLOTS];
    uint32_t head, flying;
    bool overloaded;
    bench_samples latencies;
} traffic;

static vkdet_status take_waiting(traffic *t)
{
    const bench *b = t->bench;
    size_t waiting = t->arrived - t->submitted;
    uint32_t count = waiting < t->item->batch ? (uint32_t)waiting : t->item->batch;
    flight f = {.first = t->submitted, .count = count};
    for (uint32_t i = 0; i < count; i++) {
        t->list[i] = b->inputs.pixels[bench_input_at(&b->inputs, t->submitted + i)];
    }
    vkdet_status status =
        vkdet_session_submit(t->item->session, t->list, count, &b->wish.detect, &f.ticket);
    if (status == VKDET_OK) {
        t->flights[(t->head + t->flying) % MOST_SLOTS] = f;
        t->submitted += count;
        t->flying++;
    }
    return status;
}

/* Waits for the oldest flight, until `until` at the latest. */
static vkdet_status land(traffic *t, double until)
{
    const flight f = t->flights[t->head];
    const vkdet_result *results = NULL;
    uint32_t count = 0;
    double left = until - bench_now();
    uint64_t ns = left > 0 ? (uint64_t)(left * 1e9) : 0;
    vkdet_status status = vkdet_session_wait(t->item->session, f.ticket, ns, &results, &count);
    if (status != VKDET_OK) {
        return status == VKDET_ERROR_TIMEOUT ? VKDET_OK : status;
    }
    const double now = bench_now();
    for (uint32_t i = 0; i < f.count; i++) {
        if (!samples_add(&t->latencies, now - t->arrivals[f.first + i])) {
            return VKDET_ERROR_MEMORY;
        }
    }
    t->head = (t->head + 1) % MOST_SLOTS;
    t->flying--;
    return vkdet_session_release(t->item->session, f.ticket);
}

/* a flight may take ten minutes (the library's own limit) before this is called again */
static vkdet_status step(traffic *t)
{
    const double now = bench_now(), patience = 10 * t->bench->wish.bound_seconds;
    while (t->arrived < t->count && t->arrivals[t->arrived] <= now) {
        t->arrived++;
    }
    const bool waits = t->submitted < t->arrived, free_slot = t->flying < t->item->slots;
    if (waits && now - t->arrivals[t->submitted] > patience) {
        t->overloaded = true; /* the queue only grows */
        return VKDET_OK;
    }
    if (waits && free_slot) {
        return take_waiting(t);
    }
    const double next = t->arrived < t->count ? t->arrivals[t->arrived] : now + 1;
    if (t->flying > 0) {
        return land(t, free_slot ? next : now + 1);
    }
    /* in short naps: a signal that comes just before one is heard after it */
    bench_sleep_until(fmin(next, now + 0.2));
    return VKDET_OK;
}

/* Sends `count` queries at that rate, or those of them that arrive within the longest time a
 * measurement may take; one at least. The latencies come out sorted. */
static vkdet_status traffic_play(traffic *t, double rate, size_t count, uint64_t seed)
{
    bench_random random = {seed};
    vkdet_status status = VKDET_OK;
    t->arrivals = malloc(count * sizeof *t->arrivals);
    t->list = calloc(t->item->batch, sizeof *t->list);
    if (!t->arrivals || !t->list) {
        return VKDET_ERROR_MEMORY;
    }
    double at = bench_now() + 1e-3;
    const double last = at + t->bench->wish.rule.max_seconds;
    for (t->count = 0; t->count < count; t->count++) {
        at += random_gap(&random, rate);
        if (at > last && t->count > 0) {
            break;
        }
        t->arrivals[t->count] = fmin(at, last);
    }
    while (status == VKDET_OK && !t->overloaded && t->latencies.count < t->count &&
           bench_goes_on()) {
        status = step(t);
    }
    while (status == VKDET_OK && t->flying > 0) {
        status = land(t, bench_now() + 1);
    }
    samples_sort(&t->latencies);
    return status;
}

static void traffic_free(traffic *t)
{
    samples_free(&t->latencies);
    free(t->arrivals);
    free(t->list);
    *t = (traffic){0};
}

static bool holds(const traffic *t)
{
    return !t->overloaded && t->latencies.count == t->count &&
           samples_quantile(&t->latencies, 0.99).value <= t->bench->wish.bound_seconds;
}

/* Long enough for the least time, and for a 99th percentile that is not simply the largest. */
static size_t queries_at(const bench *b, double rate)
{
    double count = fmax(rate * b->wish.rule.min_seconds, LEAST_QUERIES);
    count = fmin(count, rate * b->wish.rule.max_seconds);
    return (size_t)fmin(ceil(fmax(count, 1)), MOST_QUERIES);
}

static void report(bench *b, const bench_case *c, const traffic *t, bench_estimate rate, bool held)
{
    static const struct {
        const char *name;
        double q;
    } percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    bench_metric metric = rate_metric;
    document_add(b, c, &metric, rate, t->latencies.count);
    document_annotate(b, "holds", json_boolean(held));
    document_annotate(b, "bound_ms", json_real(b->wish.bound_seconds * 1e3));
    metric.unit = "ms";
    metric.higher_is_better = false;
    metric.scale = 1e3;
    for (size_t i = 0; i < sizeof percentiles / sizeof percentiles[0]; i++) {
        metric.name = percentiles[i].name;
        document_add_quantile(b, c, &metric, percentiles[i].q, &t->latencies);
    }
}

/* About what one slot does one by one: where the search begins. */
static vkdet_status rough_rate(const bench *b, const bench_case *c, double *rate)
{
    enum { WARM = 2, QUERIES = 6 };
    const vkdet_result *results = NULL;
    double started = 0;
    vkdet_status status = VKDET_OK;
    for (uint64_t i = 0; status == VKDET_OK && i < WARM + QUERIES; i++) {
        started = i == WARM ? bench_now() : started;
        status = vkdet_session_detect(c->session, &b->inputs.pixels[bench_input_at(&b->inputs, i)],
                                      1, &b->wish.detect, &results);
    }
    *rate = QUERIES / fmax(bench_now() - started, 1e-9) / 2;
    return status;
}

/* The bracket of the search stands where other metrics have their interval: `low` held, `high` did
 * not. */
static vkdet_status search(bench *b, const bench_case *c)
{
    double start = 1;
    vkdet_status status = rough_rate(b, c, &start);
    bench_search s = search_begin(start, 0.02, MOST_TRIALS);
    traffic best = {0};
    bool more = true;
    while (status == VKDET_OK && more && bench_goes_on()) {
        traffic t = {.bench = b, .item = c};
        status = traffic_play(&t, s.rate, queries_at(b, s.rate), b->wish.seed + s.trials);
        const bool held = status == VKDET_OK && bench_goes_on() && holds(&t);
        if (held) {
            traffic_free(&best);
            best = t;
        } else {
            traffic_free(&t);
        }
        if (status == VKDET_OK && bench_goes_on()) {
            /* less than one query in the longest time says nothing */
            more = search_next(&s, held) && s.rate * b->wish.rule.max_seconds >= 1;
        }
    }
    if (s.held > 0) {
        report(b, c, &best, (bench_estimate){s.held, s.held, s.failed > 0 ? s.failed : (double)NAN},
               true);
    } else if (status == VKDET_OK && s.trials > 0) {
        document_add(b, c, &rate_metric, (bench_estimate){0, NAN, s.failed}, s.trials);
        document_annotate(b, "holds", json_false());
        document_annotate(b, "bound_ms", json_real(b->wish.bound_seconds * 1e3));
    }
    traffic_free(&best);
    return status;
}

vkdet_status bench_server(bench *b, const bench_case *c, unsigned stage)
{
    (void)stage; /* pixels: bench_wish.c sees to it */
    if (c->withheld[0]) {
        document_add(b, c, &rate_metric, (bench_estimate){0}, 0);
        return VKDET_OK;
    }
    if (!(b->wish.qps > 0)) {
        return search(b, c);
    }
    double unused;
    traffic t = {.bench = b, .item = c};
    vkdet_status status = rough_rate(b, c, &unused); /* warm-up */
    if (status == VKDET_OK) {
        status = traffic_play(&t, b->wish.qps, queries_at(b, b->wish.qps), b->wish.seed);
    }
    if (t.latencies.count > 0) {
        report(b, c, &t, (bench_estimate){b->wish.qps, NAN, NAN}, holds(&t));
    }
    traffic_free(&t);
    return status;
}
