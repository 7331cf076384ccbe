/* Every candidate of every tunable step, those of every vendor's plans: within the contract,
 * nothing written outside, and in fp32 the same bits as the default's. What differs between vendors
 * is the plan alone, so one driver can run them all; the slower ones run their own. */
#include "tests/vulkan/cases.h"
#include "tests/vulkan/judge.h"
#include "tests/vulkan/miniature.h"

#include "engine/passes.h"

enum { SEED = 20241123, BATCH = 2, MAX_STEPS = 64, MAX_SEEN = 512 };

static const plan_vendor vendors[] = {VENDOR_SOFTWARE, VENDOR_NVIDIA, VENDOR_AMD,
                                      VENDOR_INTEL,    VENDOR_ARM,    VENDOR_QUALCOMM,
                                      VENDOR_APPLE,    VENDOR_UNKNOWN};

static size_t networks_run, candidates_run, candidates_left;

/* One graph's candidates so far: shader, constants and workgroups of the tunable steps, hashed. */
typedef struct trial {
    const char *name;
    graph *graph;
    plan_precision precision;
    plan_winograd winograd;
    float *input;
    uint64_t seen[MAX_SEEN];
    size_t seen_count;
    reference_values first[BATCH], again, expected, bound;
} trial;

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ b[i]) * 1099511628211u;
    }
    return hash;
}

static uint64_t tunable_hash(const plan *p)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        if (s->tunable >= 0) {
            hash = mix(hash, s->shader, strlen(s->shader));
            hash = mix(hash, s->constants, s->constant_count * sizeof *s->constants);
            hash = mix(hash, s->groups, sizeof s->groups);
        }
    }
    return hash;
}

static bool seen_before(trial *t, const plan *p)
{
    const uint64_t hash = tunable_hash(p);
    for (size_t i = 0; i < t->seen_count; i++) {
        if (t->seen[i] == hash) {
            return true;
        }
    }
    assert_true(t->seen_count < MAX_SEEN);
    t->seen[t->seen_count++] = hash;
    return false;
}

/* sums on matrix units have bounds, not bits, in common with the first plan's, a processor's */
static bool order_differs(const plan *p)
{
    bool differs = false;
    for (size_t i = 0; i < p->step_count; i++) {
        differs = differs || p->steps[i].matrix_sums;
    }
    return differs;
}

static void compare_bits(const trial *t, const network *n, uint32_t image)
{
    for (size_t v = 0; v < t->graph->value_count; v++) {
        const size_t bytes = shape_elements(t->graph->values[v].shape) * sizeof(float);
        if (n->plan->value_buffer[v] == GRAPH_NONE ||
            memcmp(t->first[image].data[v], t->again.data[v], bytes) == 0) {
            continue;
        }
        for (size_t i = 0; i < n->plan->step_count; i++) {
            const plan_step *s = &n->plan->steps[i];
            if (s->tunable >= 0) {
                print_error("%s: %s (%u of %u)\n", s->name, s->variant, s->variant_index,
                            s->variant_count);
            }
        }
        fail_msg("%s: value %s of picture %u differs from the default's", t->name,
                 t->graph->values[v].name, image);
    }
}

static void run_candidate(trial *t, network *n, bool first)
{
    error err = {0};
    const uint64_t count = shape_elements(t->graph->values[t->graph->input].shape);
    pixels images[BATCH];
    if (network_open(n, &err)) {
        fail_msg("%s: %s", t->name, err.text);
    }
    for (uint32_t i = 0; i < BATCH; i++) {
        images[i] = network_tensor(n, t->input + i * count);
    }
    session *s = session_behind(n);
    assert_status_ok(transfer_fill_arena(s, &s->slots[0], POISON, &err), err);
    assert_status_ok(network_run(n, images, BATCH, NULL, &err), err);
    assert_no_overrun(t->name, n, BATCH);
    for (uint32_t i = 0; i < BATCH; i++) {
        reference_values *got = first ? &t->first[i] : &t->again;
        read_values(n, i, got);
        for (size_t k = 0; k < t->graph->node_count && (first || order_differs(n->plan)); k++) {
            compare_node(t->name, n->plan, k, got, &t->expected, &t->bound);
        }
        if (!first && !order_differs(n->plan)) {
            compare_bits(t, n, i);
        }
    }
    candidates_run++;
}

/* a plan to try: choice k everywhere, or the last where there are not so many */
typedef struct attempt {
    plan_vendor vendor;
    uint32_t k;
} attempt;

static void make_plan(const trial *t, const attempt *a, network *n, uint8_t choices[MAX_STEPS])
{
    error err = {0};
    *n = (network){.graph = t->graph,
                   .max_batch = BATCH,
                   .keep_all = true,
                   .precision = t->precision,
                   .winograd = t->winograd,
                   .vendor = a->vendor};
    assert_status_ok(network_plan(n, &err), err);
    assert_true(n->plan->tunable_count <= MAX_STEPS);
    n->choices = choices;
    n->choice_count = n->plan->tunable_count;
    for (size_t i = 0; i < n->plan->step_count; i++) {
        const plan_step *s = &n->plan->steps[i];
        if (s->tunable >= 0) {
            assert_int_equal(s->variant_index, 0);
            choices[s->tunable] = (uint8_t)(a->k < s->variant_count ? a->k : s->variant_count - 1);
        }
    }
    network_close(n);
    assert_status_ok(network_plan(n, &err), err);
    for (size_t i = 0; i < n->plan->step_count; i++) {
        const plan_step *s = &n->plan->steps[i];
        assert_true(s->tunable < 0 || s->variant_index == choices[s->tunable]);
    }
}

static uint32_t most_variants(const plan *p)
{
    uint32_t most = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        most = s->tunable >= 0 && s->variant_count > most ? s->variant_count : most;
    }
    return most;
}

/* distinct ones of all vendors, the device's default first */
static size_t find_attempts(trial *t, attempt found[MAX_SEEN])
{
    network n;
    uint8_t choices[MAX_STEPS];
    size_t count = 0;
    for (size_t v = 0; v < sizeof vendors / sizeof *vendors; v++) {
        uint32_t most = 1;
        for (uint32_t k = 0; k < most; k++) {
            const attempt a = {vendors[v], k};
            make_plan(t, &a, &n, choices);
            most = most_variants(n.plan);
            if (most > 0 && !seen_before(t, n.plan)) {
                found[count++] = a;
            }
            network_close(&n);
        }
    }
    return count;
}

/* All of them, or `most` in even steps that begin elsewhere in every graph: over the whole table
 * each tile has its turns. */
static void run_attempts(trial *t, size_t turn, size_t most)
{
    attempt found[MAX_SEEN];
    const size_t count = find_attempts(t, found);
    const size_t step = most < count ? count / (most ? most : 1) : 1;
    for (size_t i = 0; i < count; i++) {
        if (most == 0 || (i > 0 && (i + turn) % step != 0)) {
            candidates_left++;
            continue;
        }
        network n;
        uint8_t choices[MAX_STEPS];
        make_plan(t, &found[i], &n, choices);
        run_candidate(t, &n, i == 0);
        network_close(&n);
    }
}

/* Compiling is what takes the time. VKDET_TEST_ALL=1 leaves none out. */
static size_t most_candidates(plan_precision precision)
{
    const char *all = getenv("VKDET_TEST_ALL");
    vkdet_device_info info;
    vulkan_device_describe(rig.instance, rig.device, &info);
    if (all && strcmp(all, "1") == 0) {
        return MAX_SEEN;
    }
    if (!rig.validate && strstr(info.name, "llvmpipe")) {
        return precision == PLAN_FP32 ? 3 : 1;
    }
    return precision == PLAN_FP32 ? 1 : 0;
}

static void run_plans(const char *name, graph *g, plan_precision precision, plan_winograd winograd)
{
    error err = {0};
    trial t = {.name = name, .graph = g, .precision = precision, .winograd = winograd};
    const uint64_t count = shape_elements(g->values[g->input].shape);
    enum { SETS = 5 };
    reference_values *const all[SETS] = {&t.first[0], &t.first[1], &t.again, &t.expected, &t.bound};
    t.input = malloc(BATCH * count * sizeof *t.input);
    assert_non_null(t.input);
    fill_input(t.input, BATCH * count, SEED);
    for (size_t i = 0; i < SETS; i++) {
        assert_status_ok(reference_values_create(g, &allocator_default, all[i], &err), err);
    }
    run_attempts(&t, networks_run, most_candidates(precision));
    for (size_t i = 0; i < SETS; i++) {
        reference_values_destroy(all[i]);
    }
    free(t.input);
    networks_run++;
    rig_assert_silent();
}

/* whether any convolution goes by way of Winograd when all that can do */
static bool winograd_goes(graph *g)
{
    error err = {0};
    network n = {.graph = g, .winograd = WINOGRAD_ALWAYS};
    bool goes = false;
    assert_status_ok(network_plan(&n, &err), err);
    for (size_t i = 0; i < g->node_count; i++) {
        goes = goes || plan_node_is_winograd(n.plan, (int)i);
    }
    network_close(&n);
    return goes;
}

/* Either way of adding up is one order for all candidates and vendors. */
static void run_graph(const char *name, graph *g, plan_precision precision)
{
    run_plans(name, g, precision, WINOGRAD_NEVER);
    if (precision == PLAN_FP32 && winograd_goes(g)) {
        run_plans(name, g, precision, WINOGRAD_ALWAYS);
    }
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < kernel_case_count; i++) {
        const kernel_case *c = &kernel_cases[i];
        if (c->op != OP_CONV2D && c->op != OP_DEPTHWISE && c->op != OP_DENSE) {
            continue;
        }
        error err = {0};
        graph *g = NULL;
        assert_status_ok(kernel_case_build(c, &allocator_default, SEED + i, &g, &err), err);
        run_graph(c->name, g, PLAN_FP32);
        assert_status_ok(plan_round_weights(g, PLAN_FP16, &err), err);
        run_graph(c->name, g, PLAN_FP16);
        graph_destroy(g);
    }
}

static void test_network(void **state)
{
    (void)state;
    error err = {0};
    graph *g = NULL;
    detector_head head;
    assert_status_ok(miniature_build(&allocator_default, SEED, &g, &head, &err), err);
    assert_status_ok(passes_run(g, &err), err);
    run_graph("network", g, PLAN_FP32);
    graph_destroy(g);
}

/* a choice that is not there names the node */
static void test_refusal(void **state)
{
    (void)state;
    error err = {0};
    const uint8_t choice = 255;
    network n = {.choices = &choice, .choice_count = 1};
    for (size_t i = 0; i < kernel_case_count && !n.graph; i++) {
        if (kernel_cases[i].op == OP_CONV2D && kernel_cases[i].c >= 8) {
            assert_status_ok(
                kernel_case_build(&kernel_cases[i], &allocator_default, SEED, &n.graph, &err), err);
        }
    }
    assert_int_equal(network_plan(&n, &err), STATUS_ARGUMENT);
    assert_non_null(strstr(err.text, "variant"));
    network_destroy(&n);
}

static int report(void **state)
{
    print_message("%zu networks, %zu candidates run, %zu left out\n", networks_run, candidates_run,
                  candidates_left);
    return rig_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_refusal),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("variants", tests, rig_setup, report);
}
