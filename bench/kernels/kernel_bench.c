/* kernel_bench: times every case of the table that the kernel tests check (tests/vulkan/cases.c),
 * with every variant that the planner has for it, after the same check against the reference.
 *
 *     kernel_bench [-b BATCH] [-r RUNS] [-p fp32|fp16] [-l] [PART]
 *
 * PART: only cases whose name holds it; -l lists their names. The device is chosen as for the tests
 * (tests/vulkan/rig.h). A line a variant, beginning with "kernel": case, candidate, variant, median
 * in microseconds with its 95 % interval, GFLOP/s, GB/s. A case outside its contract fails and has
 * no line. */
#include "host/cli/bench_stats.h"
#include "tests/vulkan/cases.h"
#include "tests/vulkan/judge.h"

#include <unistd.h>

enum { SEED = 20240611, MOST_VARIANTS = 64, MOST_TUNABLE = 16, WARM = 3 };

static struct {
    uint32_t batch, runs;
    plan_precision precision;
    const char *part;
} wish = {.batch = 1, .runs = 50, .part = ""};

/* One variant, made ready and fed. */
typedef struct timed {
    network net;
    uint8_t choices[MOST_TUNABLE];
    pixels *images;
    float *input;
    uint64_t *step_ns;
} timed;

static void timed_check(const char *name, timed *t)
{
    error err = {0};
    reference_values got, expected, bound;
    const graph *g = t->net.graph;
    assert_status_ok(reference_values_create(g, &allocator_default, &got, &err), err);
    assert_status_ok(reference_values_create(g, &allocator_default, &expected, &err), err);
    assert_status_ok(reference_values_create(g, &allocator_default, &bound, &err), err);
    assert_status_ok(network_run(&t->net, t->images, wish.batch, NULL, &err), err);
    read_values(&t->net, wish.batch - 1, &got);
    for (size_t i = 0; i < g->node_count; i++) {
        compare_node(name, t->net.plan, i, &got, &expected, &bound);
    }
    reference_values_destroy(&got);
    reference_values_destroy(&expected);
    reference_values_destroy(&bound);
}

/* the steps that compute the case's own node, which is the last one */
static bool is_timed(const plan *p, size_t step)
{
    return p->steps[step].node == (int)p->graph->node_count - 1;
}

static void timed_report(const char *name, const timed *t)
{
    const plan *p = t->net.plan;
    bench_samples us = {0};
    double flops = 0, bytes = 0;
    const char *variant = "";
    uint32_t index = 0;
    for (size_t s = 0; s < p->step_count; s++) {
        if (is_timed(p, s)) {
            const plan_step *step = &p->steps[s];
            flops += (double)step->flops * wish.batch;
            bytes += (double)(step->bytes_read + step->bytes_written) * wish.batch +
                     (double)step->weight_bytes;
            variant = step->variant ? step->variant : "";
            index = step->tunable >= 0 ? step->variant_index : index;
        }
    }
    for (uint32_t r = WARM; r < WARM + wish.runs; r++) {
        double sum = 0;
        for (size_t s = 0; s < p->step_count; s++) {
            sum += is_timed(p, s) ? 1e-3 * (double)t->step_ns[r * p->step_count + s] : 0;
        }
        assert_true(samples_add(&us, sum));
    }
    samples_sort(&us);
    const bench_estimate e = samples_quantile(&us, 0.5);
    printf("kernel %-34s %2u  %-34s %9.2f us  [%.2f to %.2f]  %8.2f GFLOP/s  %7.2f GB/s\n", name,
           index, variant, e.value, e.low, e.high, flops / e.value * 1e-3, bytes / e.value * 1e-3);
    (void)fflush(stdout);
    samples_free(&us);
}

static void timed_open(const char *name, timed *t)
{
    error err = {0};
    const uint64_t count = shape_elements(t->net.graph->values[t->net.graph->input].shape);
    if (network_open(&t->net, &err)) {
        fail_msg("%s: %s", name, err.text);
    }
    t->input = malloc(count * wish.batch * sizeof *t->input);
    t->images = malloc(wish.batch * sizeof *t->images);
    t->step_ns = malloc((size_t)(WARM + wish.runs) * t->net.plan->step_count * sizeof *t->step_ns);
    assert_true(t->input && t->images && t->step_ns);
    fill_input(t->input, count * wish.batch, SEED);
    for (uint32_t i = 0; i < wish.batch; i++) {
        t->images[i] = network_tensor(&t->net, t->input + i * count);
    }
}

/* candidates of the plan's tunable step of most; the others take as many as they have */
static uint32_t variants_of(const plan *p, uint32_t least[MOST_TUNABLE])
{
    uint32_t most = 1;
    for (size_t s = 0; s < p->step_count; s++) {
        const plan_step *step = &p->steps[s];
        if (step->tunable >= 0 && step->tunable < MOST_TUNABLE) {
            least[step->tunable] = step->variant_count;
            most = step->variant_count > most ? step->variant_count : most;
        }
    }
    return most < MOST_VARIANTS ? most : MOST_VARIANTS;
}

static void time_case(void **state)
{
    const kernel_case *c = &kernel_cases[*(const size_t *)*state];
    error err = {0};
    uint32_t counts[MOST_TUNABLE] = {0}, variants = 1;
    graph *g = NULL;
    assert_status_ok(kernel_case_build(c, &allocator_default, SEED, &g, &err), err);
    assert_status_ok(plan_round_weights(g, wish.precision, &err), err);
    for (uint32_t v = 0; v < variants; v++) {
        timed t = {.net = {.graph = g,
                           .max_batch = wish.batch,
                           .keep_all = true,
                           .precision = wish.precision}};
        for (uint32_t k = 0; k < MOST_TUNABLE; k++) {
            t.choices[k] = (uint8_t)(counts[k] ? (v < counts[k] ? v : counts[k] - 1) : 0);
        }
        t.net.choices = t.choices;
        t.net.choice_count = v == 0 ? 0 : MOST_TUNABLE;
        timed_open(c->name, &t);
        variants = v == 0 ? variants_of(t.net.plan, counts) : variants;
        timed_check(c->name, &t);
        const backend_request request = {.images = t.images, .count = wish.batch};
        const status s = t.net.backend->call->profile(t.net.backend, &request, WARM + wish.runs,
                                                      t.step_ns, NULL, &err);
        if (s) {
            fail_msg("%s: %s", c->name, err.text);
        }
        timed_report(c->name, &t);
        network_close(&t.net);
        free(t.input);
        free(t.images);
        free(t.step_ns);
    }
    graph_destroy(g);
}

static bool read_count(const char *text, uint32_t most, uint32_t *out)
{
    char *end = NULL;
    const unsigned long number = strtoul(text, &end, 10);
    *out = (uint32_t)number;
    return *text >= '0' && *text <= '9' && *end == 0 && number >= 1 && number <= most;
}

static bool is_wanted(const kernel_case *c)
{
    return strstr(c->name, wish.part) != NULL;
}

int main(int argc, char **argv)
{
    bool good = true, list = false;
    int option;
    while ((option = getopt(argc, argv, "b:r:p:l")) != -1) {
        if (option == 'b') {
            good = good && read_count(optarg, 256, &wish.batch);
        } else if (option == 'r') {
            good = good && read_count(optarg, 100000, &wish.runs);
        } else if (option == 'p') {
            wish.precision = strcmp(optarg, "fp16") == 0 ? PLAN_FP16 : PLAN_FP32;
            good = good && (wish.precision == PLAN_FP16 || strcmp(optarg, "fp32") == 0);
        } else {
            list = option == 'l';
            good = good && list;
        }
    }
    if (!good || argc - optind > 1) {
        (void)fputs("usage: kernel_bench [-b BATCH] [-r RUNS] [-p fp32|fp16] [-l] [PART]\n",
                    stderr);
        return 2;
    }
    wish.part = optind < argc ? argv[optind] : "";
    struct CMUnitTest *tests = calloc(kernel_case_count, sizeof *tests);
    size_t *places = calloc(kernel_case_count, sizeof *places);
    size_t count = 0;
    for (size_t i = 0; tests && places && i < kernel_case_count; i++) {
        const kernel_case *c = &kernel_cases[i];
        if (is_wanted(c) && list) {
            puts(c->name);
        } else if (is_wanted(c)) {
            places[count] = i;
            tests[count] = (struct CMUnitTest){c->name, time_case, NULL, NULL, &places[count]};
            count++;
        }
    }
    int failed = 0;
    if (!list && count == 0) {
        (void)fprintf(stderr, "kernel_bench: no case has \"%s\" in its name\n", wish.part);
        failed = 2;
    } else if (!list) {
        failed = _cmocka_run_group_tests("kernels", tests, count, rig_setup, rig_teardown);
    }
    free(tests);
    free(places);
    return failed;
}
