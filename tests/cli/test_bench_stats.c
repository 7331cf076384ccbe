/* The statistics of vkdet bench against known answers: ranks and intervals, the stopping rule,
 * arrivals, the search for a rate, verdicts, the roofline; and when two lists of detections agree.
 */
#include "host/cli/bench_agree.h"
#include "host/cli/bench_stats.h"
#include "tests/support/test.h"

enum { SEED = 20260526 };

static bench_samples made(size_t n)
{
    bench_samples s = {0};
    for (size_t i = 1; i <= n; i++) {
        assert_true(samples_add(&s, (double)i));
    }
    return s;
}

static void test_percentiles(void **state)
{
    (void)state;
    /* nearest rank: ceil(q n) */
    static const struct {
        size_t n;
        double q, value;
    } cases[] = {{1, 0.5, 1},    {1, 0.99, 1},     {2, 0.5, 1},       {3, 0.5, 2},
                 {4, 0.5, 2},    {5, 0.9, 5},      {10, 0.9, 9},      {100, 0.99, 99},
                 {100, 0.9, 90}, {101, 0.99, 100}, {1000, 0.99, 990}, {1000, 0.5, 500}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_samples s = made(cases[i].n);
        const double got = samples_quantile(&s, cases[i].q).value;
        samples_free(&s);
        if (got != cases[i].value) {
            fail_msg("quantile %g of 1 .. %zu is %g, not %g", cases[i].q, cases[i].n, got,
                     cases[i].value);
        }
    }
}

/* Tables of the sign test: ranks (l, u) of the 95 % interval of the median. */
static void test_median_intervals(void **state)
{
    (void)state;
    static const size_t tabled[][3] = {{5, 0, 6},   {6, 1, 6},    {8, 1, 8},    {9, 2, 8},
                                       {10, 2, 9},  {12, 3, 10},  {15, 4, 12},  {20, 6, 15},
                                       {25, 8, 18}, {50, 18, 33}, {100, 40, 61}};
    for (size_t i = 0; i < sizeof tabled / sizeof tabled[0]; i++) {
        const bench_ranks r = ranks_of_quantile(tabled[i][0], 0.5, 0.95);
        if (r.low != tabled[i][1] || r.high != tabled[i][2]) {
            fail_msg("n %zu: ranks %zu and %zu, not %zu and %zu", tabled[i][0], r.low, r.high,
                     tabled[i][1], tabled[i][2]);
        }
    }
}

/* An upper bound of p99 takes 368 samples: 0.99^n <= 0.025. */
static void test_tail_intervals(void **state)
{
    (void)state;
    assert_int_equal(ranks_of_quantile(367, 0.99, 0.95).high, 368);
    assert_int_equal(ranks_of_quantile(368, 0.99, 0.95).high, 368);
    assert_true(ranks_of_quantile(368, 0.99, 0.95).low >= 1);
    const bench_ranks many = ranks_of_quantile(2000000, 0.99, 0.95);
    /* about 1.96 standard deviations either side: sqrt(n q (1 - q)) = 140.7 */
    assert_in_range(many.low, 1980000 - 280, 1980000 - 270);
    assert_in_range(many.high, 1980000 + 270, 1980000 + 282);
    bench_samples few = made(5);
    const bench_estimate e = samples_quantile(&few, 0.5);
    samples_free(&few);
    assert_true(isnan(e.low) && isnan(e.high));
}

/* The promise itself: of many small experiments at least 95 % have the true median inside. */
static void test_coverage(void **state)
{
    (void)state;
    enum { EXPERIMENTS = 4000, SIZE = 21 };
    bench_random r = {SEED};
    size_t inside = 0;
    for (int i = 0; i < EXPERIMENTS; i++) {
        bench_samples s = {0};
        for (int k = 0; k < SIZE; k++) { /* skewed: median ln 2 */
            assert_true(samples_add(&s, random_gap(&r, 1)));
        }
        samples_sort(&s);
        const bench_estimate e = samples_quantile(&s, 0.5);
        inside += e.low <= log(2) && log(2) <= e.high;
        samples_free(&s);
    }
    assert_true((double)inside >= 0.95 * EXPERIMENTS);
}

static void test_rule(void **state)
{
    (void)state;
    const bench_rule rule = {.min_runs = 10, .min_seconds = 1, .max_seconds = 5, .spread = 0.05};
    bench_samples s = {0};
    assert_false(rule_is_met(&rule, &s, 100)); /* nothing yet, whatever the time */
    for (int i = 0; i < 5; i++) {
        assert_true(samples_add(&s, 1));
    }
    assert_false(rule_is_met(&rule, &s, 100));
    assert_true(samples_add(&s, 1));
    assert_int_equal(s.count, BENCH_LEAST_RUNS);
    assert_false(rule_is_met(&rule, &s, 4.9)); /* too few */
    assert_true(rule_is_met(&rule, &s, 5));    /* but the time is over */
    while (s.count < 20) {
        assert_true(samples_add(&s, 1));
    }
    assert_false(rule_is_met(&rule, &s, 0.9)); /* too short */
    assert_true(rule_is_met(&rule, &s, 1));
    for (size_t i = 0; i < s.count; i += 2) {
        s.values[i] = 2;
    }
    assert_false(rule_is_met(&rule, &s, 1));           /* too wide */
    assert_true(s.values[0] == 2 && s.values[1] == 1); /* the order is kept */
    samples_free(&s);
}

/* Gaps of a Poisson process: mean and standard deviation 1 / rate, no memory, the same each time.
 */
static void test_arrivals(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    const double rate = 250;
    bench_random r = {SEED}, again = {SEED}, other = {SEED + 1};
    double sum = 0, squares = 0;
    size_t beyond = 0;
    bool differs = false;
    for (int i = 0; i < COUNT; i++) {
        const double gap = random_gap(&r, rate);
        assert_true(gap >= 0 && isfinite(gap));
        assert_true(gap == random_gap(&again, rate));
        differs = differs || gap != random_gap(&other, rate);
        sum += gap;
        squares += gap * gap;
        beyond += gap > 1 / rate;
    }
    const double mean = sum / COUNT, deviation = sqrt(squares / COUNT - mean * mean);
    assert_true(differs);
    assert_true(fabs(mean * rate - 1) < 0.01);
    assert_true(fabs(deviation * rate - 1) < 0.01);
    assert_true(fabs((double)beyond / COUNT - exp(-1)) < 0.005);
}

/* All arrivals of a run: in order, inside the window, as many in each part of it as chance gives,
 * gaps without memory, and the rate the one that was asked for. */
static void test_arrival_times(void **state)
{
    (void)state;
    enum { COUNT = 20000, PARTS = 20 };
    static double at[COUNT], other[COUNT];
    const double rate = 40, window = COUNT / rate;
    size_t in_part[PARTS] = {0}, beyond = 0;
    arrivals_fill(at, COUNT, rate, SEED);
    arrivals_fill(other, COUNT, rate, SEED + 1);
    assert_true(at[0] != other[0] && at[COUNT / 2] != other[COUNT / 2]);
    for (size_t i = 0; i < COUNT; i++) {
        const double before = i ? at[i - 1] : 0;
        assert_true(at[i] >= before && at[i] <= window);
        beyond += at[i] - before > 1 / rate;
        in_part[(size_t)fmin(at[i] / window * PARTS, PARTS - 1)]++;
    }
    /* 1000 a part, deviation 31 (binomial): five of them */
    for (size_t i = 0; i < PARTS; i++) {
        assert_in_range(in_part[i], 1000 - 155, 1000 + 155);
    }
    assert_true(fabs((double)beyond / COUNT - exp(-1)) < 0.02);
    arrivals_fill(at, 1, 5, SEED);
    assert_true(at[0] >= 0 && at[0] <= 0.2);
}

/* The 99th percentile of a server that takes 1 / capacity for each picture, one after the other. */
static double p99_of_queue(double rate, double capacity, double seconds)
{
    const size_t count = (size_t)(rate * seconds);
    double *at = malloc(count * sizeof *at), free_at = 0;
    bench_samples latencies = {0};
    assert_non_null(at);
    arrivals_fill(at, count, rate, SEED);
    for (size_t i = 0; i < count; i++) {
        free_at = fmax(free_at, at[i]) + 1 / capacity;
        assert_true(samples_add(&latencies, free_at - at[i]));
    }
    samples_sort(&latencies);
    const double p99 = samples_quantile(&latencies, 0.99).value;
    samples_free(&latencies);
    free(at);
    return p99;
}

/* Why a trial is long: in one second a server that is asked for 8 % more than it can do stays
 * within 100 ms; in the time that search_seconds gives it does not. */
static void test_overload(void **state)
{
    (void)state;
    const bench_rule rule = {.min_seconds = 1, .max_seconds = 10};
    const double bound = 0.1, seconds = search_seconds(&rule, bound, 0.02);
    assert_true(fabs(seconds - 5) < 1e-9);
    assert_true(p99_of_queue(1080, 1000, 1) <= bound);
    assert_true(p99_of_queue(1080, 1000, seconds) > bound);
    assert_true(p99_of_queue(1040, 1000, seconds) > bound);
    assert_true(p99_of_queue(900, 1000, seconds) <= bound);
    assert_true(search_seconds(&rule, 0.001, 0.02) == 1);
    assert_true(search_seconds(&rule, 60, 0.02) == 10);
}

/* Given up as soon as the percentile cannot come out within the bound any more, and not before. */
static void test_lost(void **state)
{
    (void)state;
    for (size_t n = 1; n < 400; n++) {
        for (size_t beyond = 0; beyond <= n; beyond++) {
            bench_samples s = {0};
            for (size_t i = 0; i < n; i++) {
                assert_true(samples_add(&s, i < n - beyond ? 1 : 3));
            }
            const bool over = samples_quantile(&s, 0.99).value > 2;
            samples_free(&s);
            assert_int_equal(bound_is_lost(beyond, n, 0.99), over);
        }
    }
}

static void search_for(double limit, double start)
{
    bench_search s = search_begin(start, 0.02, 60);
    do {
        assert_true(s.rate > 0);
    } while (search_next(&s, s.rate <= limit));
    if (!(s.held <= limit && s.failed > limit && s.failed / s.held <= 1.0201)) {
        fail_msg("limit %g from %g: held %g, failed %g", limit, start, s.held, s.failed);
    }
}

static void test_search(void **state)
{
    (void)state;
    static const double numbers[] = {0.01, 1, 7.3, 100, 12345};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            search_for(numbers[i], numbers[k]);
        }
    }
    bench_search never = search_begin(8, 0.02, 4);
    unsigned trials = 1;
    while (search_next(&never, false)) {
        trials++;
    }
    assert_int_equal(trials, 4);
    assert_true(never.held == 0 && never.failed == 1);
}

static void compare(bench_estimate base, bench_estimate now, bool higher, bench_verdict wanted,
                    double wanted_ratio)
{
    bench_estimate ratio;
    const bench_verdict got = estimates_compare(&base, &now, higher, 0.02, &ratio);
    if (got != wanted || !(fabs(ratio.value - wanted_ratio) < 1e-12)) {
        fail_msg("%g against %g: %s by %g, not %s by %g", now.value, base.value, verdict_name(got),
                 ratio.value, verdict_name(wanted), wanted_ratio);
    }
    if (got != VERDICT_NONE) {
        assert_true(ratio.low <= ratio.value && ratio.value <= ratio.high);
    }
}

static void test_verdicts(void **state)
{
    (void)state;
    const bench_estimate ten = {10, 9.5, 10.5}, five = {5, 4.9, 5.2}, eleven = {11, 10.4, 11.6};
    compare(ten, five, false, VERDICT_FASTER, 2); /* a latency that halves */
    compare(five, ten, false, VERDICT_SLOWER, 0.5);
    compare(five, ten, true, VERDICT_FASTER, 2); /* a throughput that doubles */
    compare(ten, five, true, VERDICT_SLOWER, 0.5);
    compare(ten, eleven, false, VERDICT_NOISE, 10.0 / 11); /* the intervals touch */
    compare(ten, ten, true, VERDICT_NOISE, 1);
    /* certain, but below the floor of 2 % */
    compare((bench_estimate){100, 99.9, 100.1}, (bench_estimate){101, 100.9, 101.1}, true,
            VERDICT_NOISE, 1.01);
    compare(ten, (bench_estimate){5, (double)NAN, (double)NAN}, false, VERDICT_NONE, 2);
    compare((bench_estimate){10, 9, (double)NAN}, five, false, VERDICT_NONE, 2);
}

static void test_roofline(void **state)
{
    (void)state;
    /* 100 FLOP/s, 10 byte/s: the ridge is at 10 FLOP a byte */
    assert_true(roofline_at(100, 10, 1000, 10) == 100);
    assert_true(roofline_at(100, 10, 50, 10) == 50);
    assert_true(roofline_at(100, 10, 5, 0) == 100);
    assert_true(roofline_at(100, 10, 0, 10) == 0);
    assert_true(roofline_at((double)NAN, 10, 5, 1) == 0);
    assert_true(roofline_at(100, 0, 5, 1) == 0);
}

/* --- detections --- */

static const vkdet_detection three[] = {
    {{10, 10, 50, 60}, 0.9f, 1, 7},
    {{60, 10, 90, 40}, 0.7f, 0, 21},
    {{5, 70, 45, 99}, 0.5005f, 1, 40},
};

static bool agree(const vkdet_detection *got, uint32_t count, vkdet_precision precision)
{
    const vkdet_result expected = {three, 3, 3, 0}, device = {got, count, count, 0};
    const bench_tolerance t = tolerance_of(precision);
    char why[256] = "";
    const bool same = detections_agree(&expected, &device, &t, 0.5, why, sizeof why);
    assert_true(same || strstr(why, "no partner"));
    return same;
}

static void test_agreement(void **state)
{
    (void)state;
    vkdet_detection got[4];
    memcpy(got, three, sizeof three);
    assert_true(agree(got, 3, VKDET_PRECISION_FP32));
    /* the last one is close to the threshold, but not that close in fp32 */
    assert_false(agree(got, 2, VKDET_PRECISION_FP32));
    assert_true(agree(got, 2, VKDET_PRECISION_FP16));
    assert_false(agree(got, 1, VKDET_PRECISION_FP16));
    got[0].score += 5e-5f;
    assert_true(agree(got, 3, VKDET_PRECISION_FP32));
    got[0].score += 5e-3f;
    assert_false(agree(got, 3, VKDET_PRECISION_FP32));
    assert_true(agree(got, 3, VKDET_PRECISION_FP16));
    got[0].score += 0.05f;
    assert_false(agree(got, 3, VKDET_PRECISION_FP16));
    memcpy(got, three, sizeof three);
    got[1].box[0] += 1; /* overlap 0.967 */
    assert_false(agree(got, 3, VKDET_PRECISION_FP32));
    assert_false(agree(got, 3, VKDET_PRECISION_FP16));
    assert_true(agree(got, 3, VKDET_PRECISION_BF16));
    got[1].box[0] -= 0.9f; /* 0.997 */
    assert_true(agree(got, 3, VKDET_PRECISION_FP16));
    memcpy(got, three, sizeof three);
    got[1].anchor++;
    assert_false(agree(got, 3, VKDET_PRECISION_FP32));
    assert_true(agree(got, 3, VKDET_PRECISION_FP16));
    got[1].class_id = 1;
    assert_false(agree(got, 3, VKDET_PRECISION_FP16));
    memcpy(got, three, sizeof three); /* one that the reference does not have */
    got[3] = (vkdet_detection){{1, 1, 9, 9}, 0.8f, 0, 3};
    assert_false(agree(got, 4, VKDET_PRECISION_FP16));
    got[3].score = 0.50005f;
    assert_true(agree(got, 4, VKDET_PRECISION_FP32));
    got[0].score = NAN;
    assert_false(agree(got, 3, VKDET_PRECISION_FP16));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_percentiles),    cmocka_unit_test(test_median_intervals),
        cmocka_unit_test(test_tail_intervals), cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_rule),           cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_arrival_times),  cmocka_unit_test(test_overload),
        cmocka_unit_test(test_lost),           cmocka_unit_test(test_search),
        cmocka_unit_test(test_verdicts),       cmocka_unit_test(test_roofline),
        cmocka_unit_test(test_agreement),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
