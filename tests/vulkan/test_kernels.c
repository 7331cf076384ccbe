/* Every kernel against the reference over the table of cases: each element within the contract's
 * bound, nothing written outside, the same bits at every batch size and position; in fp32, and in
 * fp16 with outputs that are floats (what the network answers) and that are halves. */
#include "tests/vulkan/cases.h"
#include "tests/vulkan/judge.h"
#include "tests/vulkan/miniature.h"

#include "engine/passes.h"

enum { MAX_BATCH = 8, SEED = 20240611, SETS = 5 };

static const uint32_t batches[] = {1, 2, 3, 8};

typedef struct buffers {
    reference_values first, other, again, expected, bound;
} buffers;

static void buffers_make(const graph *g, buffers *b)
{
    error err = {0};
    reference_values *all[SETS] = {&b->first, &b->other, &b->again, &b->expected, &b->bound};
    for (size_t i = 0; i < SETS; i++) {
        assert_status_ok(reference_values_create(g, &allocator_default, all[i], &err), err);
    }
}

static void buffers_free(buffers *b)
{
    reference_values *all[SETS] = {&b->first, &b->other, &b->again, &b->expected, &b->bound};
    for (size_t i = 0; i < SETS; i++) {
        reference_values_destroy(all[i]);
    }
}

static void assert_same_bits(const char *name, const network *n, uint32_t batch, uint32_t image,
                             const reference_values *a, const reference_values *b)
{
    for (size_t v = 0; v < n->graph->value_count; v++) {
        const size_t bytes = shape_elements(n->graph->values[v].shape) * sizeof(float);
        if (n->plan->value_buffer[v] != GRAPH_NONE && memcmp(a->data[v], b->data[v], bytes) != 0) {
            fail_msg("%s: value %s of picture %u of a batch of %u differs from the batch of one",
                     name, n->graph->values[v].name, image, batch);
        }
    }
}

/* The batch alternates between two inputs; each must give at every place what it gave alone. */
static void run_batches(const char *name, network *n, const float *const inputs[2], buffers *b)
{
    error err = {0};
    session *s = session_behind(n);
    for (size_t k = 0; k < sizeof batches / sizeof *batches && batches[k] <= n->max_batch; k++) {
        const uint32_t batch = batches[k];
        pixels images[MAX_BATCH];
        for (uint32_t i = 0; i < batch; i++) {
            images[i] = network_tensor(n, inputs[i % 2]);
        }
        assert_status_ok(transfer_fill_arena(s, &s->slots[0], POISON, &err), err);
        assert_status_ok(network_run(n, images, batch, NULL, &err), err);
        assert_no_overrun(name, n, batch);
        if (batch == 1) {
            read_values(n, 0, &b->first);
            continue;
        }
        if (batch == 2) {
            read_values(n, 1, &b->other);
        }
        for (uint32_t i = 0; i < batch; i++) {
            read_values(n, i, &b->again);
            assert_same_bits(name, n, batch, i, i % 2 ? &b->other : &b->first, &b->again);
        }
    }
}

static void run_plan(const char *name, graph *g, plan_precision precision, plan_winograd winograd)
{
    error err = {0};
    network n = {.graph = g,
                 .max_batch =
                     precision == PLAN_FP32 ? MAX_BATCH : 3, /* where it repeats, it may be less */
                 .keep_all = true,
                 .precision = precision,
                 .winograd = winograd};
    buffers b;
    const uint64_t count = shape_elements(g->values[g->input].shape);
    float *inputs[2] = {malloc(count * sizeof(float)), malloc(count * sizeof(float))};
    assert_true(inputs[0] && inputs[1]);
    fill_input(inputs[0], count, SEED);
    fill_input(inputs[1], count, SEED + 1);
    buffers_make(g, &b);
    if (network_open(&n, &err)) {
        fail_msg("%s: %s", name, err.text);
    }
    run_batches(name, &n, (const float *const *)inputs, &b);
    for (size_t i = 0; i < g->node_count; i++) {
        compare_node(name, n.plan, i, &b.first, &b.expected, &b.bound);
        compare_node(name, n.plan, i, &b.other, &b.expected, &b.bound);
    }
    network_close(&n);
    buffers_free(&b);
    free(inputs[0]);
    free(inputs[1]);
    rig_assert_silent();
}

static void run_graph(const char *name, graph *g, plan_precision precision)
{
    run_plan(name, g, precision, WINOGRAD_NEVER);
}

/* The reference then computes with the weights that the device has. What no output asks for is
 * computed all the same, and stored as halves wherever the kernel can. */
static void run_halves(const char *name, graph *g)
{
    error err = {0};
    assert_status_ok(plan_round_weights(g, PLAN_FP16, &err), err);
    run_graph(name, g, PLAN_FP16);
    g->output_count = 0;
    run_graph(name, g, PLAN_FP16);
}

/* the cases of one operator */
static void run_cases(void **state)
{
    const op *wanted = *state;
    size_t ran = 0;
    for (size_t i = 0; i < kernel_case_count; i++) {
        const kernel_case *c = &kernel_cases[i];
        if (c->op != *wanted) {
            continue;
        }
        error err = {0};
        graph *g = NULL;
        assert_status_ok(kernel_case_build(c, &allocator_default, SEED + i, &g, &err), err);
        run_graph(c->name, g, PLAN_FP32);
        if (c->op == OP_CONV2D && c->kernel_h == 3) {
            run_plan(c->name, g, PLAN_FP32, WINOGRAD_ALWAYS);
        }
        run_halves(c->name, g);
        graph_destroy(g);
        ran++;
    }
    assert_true(ran > 0);
}

/* What is known of the device's driver: a test may pretend otherwise, for itself. */
static uint32_t *quirks(void)
{
    return &rig.instance->devices[rig.device].quirks;
}

static uint32_t known_quirks;

static int remember_quirks(void **state)
{
    (void)state;
    known_quirks = *quirks();
    return 0;
}

static int restore_quirks(void **state)
{
    (void)state;
    *quirks() = known_quirks;
    return 0;
}

/* A network before and after the passes. */
static void test_network(void **state)
{
    (void)state;
    error err = {0};
    graph *g = NULL;
    detector_head head;
    assert_status_ok(miniature_build(&allocator_default, SEED, &g, &head, &err), err);
    run_graph("network as imported", g, PLAN_FP32);
    assert_status_ok(passes_run(g, &err), err);
    run_graph("network after the passes", g, PLAN_FP32);
    run_plan("network after the passes, Winograd", g, PLAN_FP32, WINOGRAD_ALWAYS);
    *quirks() ^= QUIRK_SPECIALIZE; /* the other way than what the driver is better with */
    run_plan("network after the passes, constants the other way", g, PLAN_FP32, WINOGRAD_ALWAYS);
    *quirks() ^= QUIRK_SPECIALIZE;
    run_halves("network after the passes, fp16", g);
    graph_destroy(g);
}

/* Buffers that share memory over time, and levels of several steps: the same bits as without. */
static void test_shared_arena(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {.max_batch = 3, .keep_all = true, .head = &head};
    reference_values values[2][3];
    backend_result results[2][3];
    detection kept[3][64];
    const nms_params nms = {NMS_TFJS, 0.5, 0.5, 64};
    uint64_t arena_words[2];
    assert_status_ok(miniature_build(&allocator_default, SEED, &n.graph, &head, &err), err);
    assert_status_ok(passes_run(n.graph, &err), err);
    const uint64_t count = shape_elements(n.graph->values[n.graph->input].shape);
    float *input = malloc(3 * count * sizeof *input);
    assert_non_null(input);
    fill_input(input, 3 * count, SEED);
    for (int shared = 0; shared < 2; shared++) {
        n.keep_all = !shared;
        n.keep_outputs = shared;
        assert_status_ok(network_open(&n, &err), err);
        arena_words[shared] = n.plan->arena_words;
        const pixels images[3] = {network_tensor(&n, input), network_tensor(&n, input + count),
                                  network_tensor(&n, input + 2 * count)};
        session *s = session_behind(&n);
        assert_status_ok(transfer_fill_arena(s, &s->slots[0], POISON, &err), err);
        assert_status_ok(network_run(&n, images, 3, &nms, &err), err);
        for (uint32_t i = 0; i < 3; i++) {
            backend_result *r = &results[shared][i];
            assert_status_ok(n.backend->call->result(n.backend, 0, i, r, &err), err);
            assert_true(r->count > 0 && r->count <= 64);
            if (!shared) {
                memcpy(kept[i], r->detections, r->count * sizeof(detection));
            } else {
                assert_int_equal(r->count, results[0][i].count);
                assert_memory_equal(kept[i], r->detections, r->count * sizeof(detection));
            }
            assert_status_ok(
                reference_values_create(n.graph, &allocator_default, &values[shared][i], &err),
                err);
            for (size_t o = 0; o < n.graph->output_count; o++) {
                const int v = n.graph->outputs[o];
                assert_status_ok(n.backend->call->read_value(n.backend, 0, i, v,
                                                             values[shared][i].data[v], &err),
                                 err);
                assert_memory_equal(values[0][i].data[v], values[shared][i].data[v],
                                    shape_elements(n.graph->values[v].shape) * sizeof(float));
            }
        }
        network_close(&n);
    }
    assert_true(arena_words[1] < arena_words[0]);
    for (int k = 0; k < 6; k++) {
        reference_values_destroy(&values[k / 3][k % 3]);
    }
    free(input);
    network_destroy(&n);
    rig_assert_silent();
}

/* Convolutions as a driver on the processor gets them that gathers, on one that splits loads: those
 * kernels are checked without a newer driver too. */
static void test_gathered(void **state)
{
    (void)state;
    op convolution = OP_CONV2D;
    void *cases = &convolution;
    if (!(*quirks() & QUIRK_SPLITS_LOADS)) {
        print_message(
            "SKIPPED test_gathered: needs a driver that splits loads where lanes differ\n");
        skip();
    }
    *quirks() &= ~(uint32_t)(QUIRK_SPLITS_LOADS | QUIRK_COMPILES_LATE);
    run_cases(&cases);
}

int main(void)
{
    struct CMUnitTest tests[OP_COUNT + 3] = {
        [OP_COUNT] = cmocka_unit_test_setup_teardown(test_network, remember_quirks, restore_quirks),
        [OP_COUNT + 1] = cmocka_unit_test(test_shared_arena),
        [OP_COUNT + 2] =
            cmocka_unit_test_setup_teardown(test_gathered, remember_quirks, restore_quirks),
    };
    op ops[OP_COUNT];
    for (int o = 0; o < OP_COUNT; o++) {
        ops[o] = (op)o;
        tests[o] = (struct CMUnitTest){op_name(ops[o]), run_cases, NULL, NULL, &ops[o]};
    }
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("kernels", tests, rig_setup, rig_teardown);
}
