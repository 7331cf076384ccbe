/* Ranks, intervals, arrivals, the search for a rate, and verdicts. */
#include "host/cli/bench_stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool samples_add(bench_samples *s, double value)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        double *grown = realloc(s->values, capacity * sizeof *grown);
        if (!grown) {
            return false;
        }
        s->values = grown;
        s->capacity = capacity;
    }
    s->values[s->count++] = value;
    return true;
}

void samples_free(bench_samples *s)
{
    free(s->values);
    *s = (bench_samples){0};
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void samples_sort(bench_samples *s)
{
    if (s->count > 0) {
        qsort(s->values, s->count, sizeof *s->values, by_value);
    }
}

bench_ranks ranks_of_quantile(size_t n, double q, double confidence)
{
    const double tail = (1 - confidence) / 2;
    const double step = log(q / (1 - q));
    double mass = (double)n * log1p(-q); /* log of P(B = k), B ~ binomial(n, q) */
    double below = 0;                    /* P(B < k) */
    bench_ranks ranks = {0, n + 1};
    for (size_t k = 0; k <= n; k++) {
        below += exp(mass); /* now P(B <= k) */
        /* x_q < X(l) takes fewer than l samples below it: P(B <= l - 1) */
        if (below <= tail && k + 1 <= n) {
            ranks.low = k + 1;
        }
        /* X(u) <= x_q takes u of them: 1 - P(B <= u - 1) */
        if (1 - below <= tail && k + 1 <= n) {
            ranks.high = k + 1;
            break;
        }
        mass += k < n ? log((double)(n - k) / (double)(k + 1)) + step : 0;
    }
    return ranks;
}

/* The nearest rank, from 1 (n is not 0). The product may come out a hair above a whole number,
 * which must not cost a rank. */
static size_t rank_of(size_t n, double q)
{
    const size_t rank = (size_t)ceil(q * (double)n * (1 - 1e-12));
    return rank < 1 ? 1 : rank > n ? n : rank;
}

bench_estimate samples_quantile(const bench_samples *s, double q)
{
    const size_t n = s->count, rank = rank_of(n, q);
    bench_ranks ranks = ranks_of_quantile(n, q, BENCH_CONFIDENCE);
    return (bench_estimate){
        .value = s->values[rank - 1],
        .low = ranks.low >= 1 ? s->values[ranks.low - 1] : (double)NAN,
        .high = ranks.high <= n ? s->values[ranks.high - 1] : (double)NAN,
    };
}

bool rule_is_met(const bench_rule *rule, const bench_samples *s, double elapsed_seconds)
{
    if (s->count >= BENCH_LEAST_RUNS && elapsed_seconds >= rule->max_seconds) {
        return true;
    }
    if (s->count < rule->min_runs || s->count < 1 || elapsed_seconds < rule->min_seconds) {
        return false;
    }
    bench_samples copy = {malloc(s->count * sizeof *copy.values), s->count, s->count};
    if (!copy.values) {
        return true; /* short of memory is no reason to go on */
    }
    memcpy(copy.values, s->values, s->count * sizeof *copy.values);
    samples_sort(&copy);
    bench_estimate median = samples_quantile(&copy, 0.5);
    samples_free(&copy);
    return median.high - median.low <= rule->spread * median.value; /* false while unbounded */
}

uint64_t random_bits(bench_random *r)
{
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double random_unit(bench_random *r)
{
    return (double)(random_bits(r) >> 11) * 0x1p-53;
}

double random_gap(bench_random *r, double rate)
{
    return -log1p(-random_unit(r)) / rate;
}

void arrivals_fill(double *out, size_t count, double rate, uint64_t seed)
{
    bench_random r = {seed};
    double at = 0;
    for (size_t i = 0; i < count; i++) {
        at += random_gap(&r, rate);
        out[i] = at;
    }
    /* one gap more: the end of the window is no arrival */
    at += random_gap(&r, rate);
    const double scale = at > 0 ? (double)count / rate / at : 0;
    for (size_t i = 0; i < count; i++) {
        out[i] *= scale;
    }
}

double search_seconds(const bench_rule *rule, double bound_seconds, double tolerance)
{
    return fmin(fmax(rule->min_seconds, bound_seconds / tolerance), rule->max_seconds);
}

bool bound_is_lost(size_t beyond, size_t count, double q)
{
    return beyond > count - rank_of(count, q);
}

bench_search search_begin(double start, double tolerance, unsigned max_trials)
{
    return (bench_search){.rate = start, .tolerance = tolerance, .max_trials = max_trials};
}

bool search_next(bench_search *s, bool held)
{
    if (held) {
        s->held = fmax(s->held, s->rate);
    } else {
        s->failed = s->failed > 0 ? fmin(s->failed, s->rate) : s->rate;
    }
    s->trials++;
    if (s->trials >= s->max_trials) {
        return false;
    }
    if (s->held <= 0) {
        s->rate = s->failed / 2;
    } else if (s->failed <= 0) {
        s->rate = s->held * 2;
    } else if (s->failed / s->held <= 1 + s->tolerance) {
        return false;
    } else {
        s->rate = sqrt(s->held * s->failed);
    }
    return true;
}

const char *verdict_name(bench_verdict v)
{
    static const char *const names[] = {"within noise", "faster", "slower", "not comparable"};
    return names[v];
}

static bool is_whole(const bench_estimate *e)
{
    return e->low > 0 && isfinite(e->high) && e->value > 0 && isfinite(e->value);
}

bench_verdict estimates_compare(const bench_estimate *base, const bench_estimate *now,
                                bool higher_is_better, double floor, bench_estimate *ratio)
{
    const bench_estimate *over = higher_is_better ? now : base;
    const bench_estimate *under = higher_is_better ? base : now;
    *ratio = (bench_estimate){(double)NAN, (double)NAN, (double)NAN};
    if (base->value > 0 && now->value > 0) {
        ratio->value = over->value / under->value;
    }
    if (!is_whole(base) || !is_whole(now)) {
        return VERDICT_NONE;
    }
    ratio->low = over->low / under->high;
    ratio->high = over->high / under->low;
    if (ratio->low > 1 && ratio->value >= 1 + floor) {
        return VERDICT_FASTER;
    }
    if (ratio->high < 1 && ratio->value <= 1 / (1 + floor)) {
        return VERDICT_SLOWER;
    }
    return VERDICT_NOISE;
}

double roofline_at(double peak_flops, double peak_bytes, double flops, double bytes)
{
    if (!(peak_flops > 0) || !(peak_bytes > 0) || !(flops > 0)) {
        return 0;
    }
    return bytes > 0 ? fmin(peak_flops, flops / bytes * peak_bytes) : peak_flops;
}
