/* The statistics of vkdet bench, by themselves: no clock, no device, so that tests can hold them to
 * known answers.
 *
 * Times are not normally distributed: they have a floor and a long tail. So everything here is
 * about ranks. A percentile is the nearest rank: the smallest sample that at least that share of
 * the samples does not exceed. Its confidence interval goes from one order statistic to another and
 * assumes no distribution: of n independent samples, the number below the true quantile is
 * binomial(n, q), so P(X(l) <= x_q < X(u)) = sum over k = l .. u-1 of C(n,k) q^k (1-q)^(n-k)
 * (Conover, Practical Nonparametric Statistics, 3.2; David and Nagaraja, Order Statistics, 7.1).
 * Both tails are at most half of what the confidence leaves. */
#ifndef HOST_CLI_BENCH_STATS_H
#define HOST_CLI_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_CONFIDENCE 0.95

/* Samples in the order in which they were taken, grown as needed. {0} is empty. */
typedef struct bench_samples {
    double *values;
    size_t count, capacity;
} bench_samples;

/* false when memory ran out; the samples so far stay */
bool samples_add(bench_samples *s, double value);
void samples_free(bench_samples *s);
void samples_sort(bench_samples *s);

/* Ranks (from 1) of the interval for quantile q of n samples. 0 for `low` and n + 1 for `high` say
 * that n samples are too few for a bound on that side. */
typedef struct bench_ranks {
    size_t low, high;
} bench_ranks;
bench_ranks ranks_of_quantile(size_t n, double q, double confidence);

/* A quantile with its interval; a side without a bound is NAN. */
typedef struct bench_estimate {
    double value, low, high;
} bench_estimate;
/* s is sorted and not empty */
bench_estimate samples_quantile(const bench_samples *s, double q);

/* When to stop taking samples. */
typedef struct bench_rule {
    size_t min_runs;
    double min_seconds, max_seconds;
    double spread; /* enough when the interval is narrower than this share of the median */
} bench_rule;
/* Sorts a copy, so ask seldom. max_seconds ends it once there are `BENCH_LEAST_RUNS`. */
enum { BENCH_LEAST_RUNS = 6 };
bool rule_is_met(const bench_rule *rule, const bench_samples *s, double elapsed_seconds);

/* --- arrivals --- */

/* splitmix64: the same arrivals and pictures everywhere for one seed */
typedef struct bench_random {
    uint64_t state;
} bench_random;
uint64_t random_bits(bench_random *r);
double random_unit(bench_random *r); /* in [0, 1) */
/* the gap to the next arrival of a Poisson process of that many a second, in seconds */
double random_gap(bench_random *r, double rate);
/* The `count` arrivals of a Poisson process in count / rate seconds from 0, in order. The process
 * is taken given its count (its arrivals are then uniform order statistics), so that the rate is
 * the one that was asked for: of 500 free arrivals it would stray by 4 %. */
void arrivals_fill(double *out, size_t count, double rate, uint64_t seed);

/* The highest rate that holds: doubling or halving from the start until one rate held and one did
 * not, then bisection between them (geometric) until they are `tolerance` apart. */
typedef struct bench_search {
    double held, failed; /* 0: none yet */
    double tolerance;
    double rate; /* to be tried now */
    unsigned trials, max_trials;
} bench_search;
bench_search search_begin(double start, double tolerance, unsigned max_trials);
/* what became of `rate`; false when the search is over */
bool search_next(bench_search *s, bool held);

/* How long a rate must be tried before it may count as held. A device that is asked for a share e
 * more than it can do falls behind by e seconds each second, and latencies stay within the bound
 * for bound / e seconds: what is to be told within `tolerance` takes bound / tolerance. Never below
 * the rule's least time nor above its longest. */
double search_seconds(const bench_rule *rule, double bound_seconds, double tolerance);
/* That many latencies beyond the bound, of `count` in all, leave the nearest rank of quantile q
 * beyond it too. */
bool bound_is_lost(size_t beyond, size_t count, double q);

/* --- comparison --- */

typedef enum bench_verdict {
    VERDICT_NOISE = 0, /* the interval holds 1, or the change is below the floor */
    VERDICT_FASTER,
    VERDICT_SLOWER,
    VERDICT_NONE /* a side has no interval: nothing can be said */
} bench_verdict;
/* "within noise", "faster", "slower", "not comparable" */
const char *verdict_name(bench_verdict v);

/* speed of `now` over speed of `base`: above 1 is faster, whichever way the metric goes. The
 * interval is from the worst to the best pair of ends: with two independent intervals of 95 % it
 * holds the ratio with at least 90 % (Bonferroni). `floor`: changes smaller than this share are
 * noise whatever the interval says (two runs of one program differ by more than either's spread).
 */
bench_verdict estimates_compare(const bench_estimate *base, const bench_estimate *now,
                                bool higher_is_better, double floor, bench_estimate *ratio);

/* --- roofline --- */

/* The most that a device with these peaks can do at flops / bytes: min(peak, intensity *
 * bandwidth), in FLOP/s. 0 when a peak is unknown. A step without arithmetic is judged by its
 * bytes: see bench_layers.c. */
double roofline_at(double peak_flops, double peak_bytes, double flops, double bytes);

#endif
