/* server: pictures arrive one at a time, by chance (a Poisson process), and each must be answered
 * within a bound.
 *
 * As in MLPerf Inference a rate holds when the 99th percentile of the latencies is within the
 * bound. The loop is open: all arrivals are drawn before the first, and a latency counts from the
 * moment the picture should have arrived, so that a device that is behind cannot hide it by taking
 * pictures late. A picture that is never answered counts as infinitely late. Whenever a slot is
 * free it takes what waits, up to the batch; nothing waits for a batch to fill.
 *
 * The search for the highest rate tries each for long enough that a queue which grows shows
 * (search_seconds), and what it found must then hold once more with other arrivals: the luckiest of
 * many trials is no measurement. */
#include "host/cli/bench_document.h"

#include <math.h>
#include <stdlib.h>

enum {
    MOST_SLOTS = 16,
    MOST_TRIALS = 24,
    MOST_CONFIRMATIONS = 8,
    LEAST_QUERIES = 128,
    MOST_QUERIES = 4000000
};
#define QUANTILE 0.99 /* that must be within the bound */

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
    size_t count, arrived, submitted, beyond;
    flight flights[MOST_SLOTS];
    uint32_t head, flying;
    bool searching;  /* it is enough to know that the rate does not hold */
    bool overloaded; /* given up */
    double began, ended;
    size_t unanswered;
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
        const double latency = now - t->arrivals[f.first + i];
        t->beyond += latency > t->bench->wish.bound_seconds;
        if (!samples_add(&t->latencies, latency)) {
            return VKDET_ERROR_MEMORY;
        }
    }
    t->ended = now;
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
    if ((waits && now - t->arrivals[t->submitted] > patience) || /* the queue only grows */
        (t->searching && bound_is_lost(t->beyond, t->count, QUANTILE))) {
        t->overloaded = true;
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

/* Each query that got no answer counts as one that takes for ever. */
static vkdet_status count_unanswered(traffic *t)
{
    while (t->latencies.count < t->count) {
        if (!samples_add(&t->latencies, (double)INFINITY)) {
            return VKDET_ERROR_MEMORY;
        }
        t->unanswered++;
    }
    return VKDET_OK;
}

/* Sends `count` queries at that rate. The latencies come out sorted. */
static vkdet_status traffic_play(traffic *t, double rate, size_t count, uint64_t seed)
{
    const double longest = t->bench->wish.rule.max_seconds;
    vkdet_status status = VKDET_OK;
    t->arrivals = malloc(count * sizeof *t->arrivals);
    t->list = calloc(t->item->batch, sizeof *t->list);
    if (!t->arrivals || !t->list) {
        return VKDET_ERROR_MEMORY;
    }
    t->count = count;
    arrivals_fill(t->arrivals, count, rate, seed);
    t->began = t->ended = bench_now() + 1e-3;
    for (size_t i = 0; i < count; i++) {
        t->arrivals[i] = t->began + fmin(t->arrivals[i], longest);
    }
    while (status == VKDET_OK && !t->overloaded && t->latencies.count < t->count &&
           bench_goes_on()) {
        status = step(t);
    }
    while (status == VKDET_OK && t->flying > 0) {
        status = land(t, bench_now() + 1);
    }
    if (status == VKDET_OK && t->overloaded) {
        status = count_unanswered(t);
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
           samples_quantile(&t->latencies, QUANTILE).value <= t->bench->wish.bound_seconds;
}

/* Long enough for what search_seconds wants, and for a 99th percentile that is not simply the
 * largest, but no more than arrive in the longest time; at least one, which a rate below one in
 * that time has at its end. */
static size_t queries_at(const bench *b, double rate)
{
    const double seconds =
        search_seconds(&b->wish.rule, b->wish.bound_seconds, BENCH_RATE_TOLERANCE);
    double count = fmax(rate * seconds, LEAST_QUERIES);
    count = fmin(count, rate * b->wish.rule.max_seconds);
    return (size_t)fmin(ceil(fmax(count, 1)), MOST_QUERIES);
}

static void report(bench *b, const bench_case *c, const traffic *t, bench_estimate rate,
                   unsigned trials)
{
    static const struct {
        const char *name;
        double q;
    } percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};
    bench_metric metric = rate_metric;
    document_add(b, c, &metric, rate, t->latencies.count);
    if (t->latencies.count == t->count) { /* else it was interrupted, and nobody knows */
        document_annotate(b, "holds", json_boolean(holds(t)));
    }
    document_annotate(b, "bound_ms", json_real(b->wish.bound_seconds * 1e3));
    document_annotate(b, "trials", json_integer((json_int_t)trials));
    document_annotate(b, "unanswered", json_integer((json_int_t)t->unanswered));
    const double seconds = t->ended - t->began;
    document_annotate(b, "seconds", document_number(seconds));
    document_annotate(
        b, "answered_per_second",
        document_number((double)(t->latencies.count - t->unanswered) / fmax(seconds, 1e-9)));
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

/* One rate, tried with arrivals of its own. */
static vkdet_status try_rate(const bench *b, const bench_case *c, double rate, uint64_t trial,
                             bool searching, traffic *out, bool *held)
{
    *out = (traffic){.bench = b, .item = c, .searching = searching};
    vkdet_status status = traffic_play(out, rate, queries_at(b, rate), b->wish.seed + trial);
    *held = status == VKDET_OK && bench_goes_on() && holds(out);
    return status;
}

/* What the search found, with arrivals that it has not seen; while they do not hold, a little less.
 * The bracket stands where other metrics have their interval: `low` held, `high` did not. */
static vkdet_status confirm(bench *b, const bench_case *c, bench_search *s)
{
    vkdet_status status = VKDET_OK;
    bool held = false;
    for (int i = 0; i < MOST_CONFIRMATIONS && !held && status == VKDET_OK && bench_goes_on(); i++) {
        traffic t;
        status = try_rate(b, c, s->held, s->trials++, false, &t, &held);
        if (held) {
            const double failed = s->failed > 0 ? s->failed : (double)NAN;
            report(b, c, &t, (bench_estimate){s->held, s->held, failed}, s->trials);
        } else {
            s->failed = s->held;
            s->held /= 1 + BENCH_RATE_TOLERANCE;
        }
        traffic_free(&t);
    }
    s->held = held ? s->held : 0;
    return status;
}

static vkdet_status search(bench *b, const bench_case *c)
{
    double start = 1;
    vkdet_status status = rough_rate(b, c, &start);
    bench_search s = search_begin(start, BENCH_RATE_TOLERANCE, MOST_TRIALS);
    bool more = true, held;
    while (status == VKDET_OK && more && bench_goes_on()) {
        traffic t;
        status = try_rate(b, c, s.rate, s.trials, true, &t, &held);
        traffic_free(&t);
        if (status == VKDET_OK && bench_goes_on()) {
            /* less than one query in the longest time says nothing */
            more = search_next(&s, held) && s.rate * b->wish.rule.max_seconds >= 1;
        }
    }
    if (status == VKDET_OK && s.held > 0) {
        status = confirm(b, c, &s);
    }
    if (status == VKDET_OK && s.held <= 0 && s.trials > 0 && bench_goes_on()) {
        document_add(b, c, &rate_metric, (bench_estimate){0, NAN, s.failed}, s.trials);
        document_annotate(b, "holds", json_false());
        document_annotate(b, "bound_ms", json_real(b->wish.bound_seconds * 1e3));
    }
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
        report(b, c, &t, (bench_estimate){b->wish.qps, NAN, NAN}, 1);
    }
    traffic_free(&t);
    return status;
}
