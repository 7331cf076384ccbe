/* Every operator on the cpu device against the reference over the table of kernel cases, in fp32
 * and bf16: each element within the contract's bound; the same bytes on any number of threads and
 * in any batch. */
#include "tests/cpu/rig.h"
#include "tests/vulkan/cases.h"
#include "tests/vulkan/miniature.h"

#include "engine/passes.h"

enum { SEED = 20261123, BATCH = 5 };

static void read_all(rig *r, uint32_t image, reference_values *out)
{
    error err = {0};
    for (size_t v = 0; v < r->graph->value_count; v++) {
        assert_status_ok(
            r->backend->call->read_value(r->backend, 0, image, (int)v, out->data[v], &err), err);
    }
}

static void assert_same(const char *name, const graph *g, const reference_values *a,
                        const reference_values *b)
{
    for (size_t v = 0; v < g->value_count; v++) {
        const size_t bytes = (size_t)shape_elements(g->values[v].shape) * sizeof(float);
        if (memcmp(a->data[v], b->data[v], bytes) != 0) {
            fail_msg("%s: %s depends on threads or batch", name, g->values[v].name);
        }
    }
}

/* Alone on one thread; then among others, with more threads than pictures and with fewer. */
static void run_graph(const char *name, const graph *g, vkdet_precision precision)
{
    static const uint32_t threads[] = {1, 2, 3};
    float *inputs[2] = {rig_input(g, SEED), rig_input(g, SEED + 1)};
    reference_values first = rig_values(g), again = rig_values(g);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        rig r;
        if (!rig_open(&r, g, NULL, precision, threads[t], t == 0 ? 1 : BATCH, true)) {
            break;
        }
        if (t == 0) {
            const pixels image = rig_tensor(&r, inputs[0]);
            rig_run(&r, &image, 1);
            read_all(&r, 0, &first);
            rig_compare(name, g, precision, &first);
        } else {
            pixels images[BATCH];
            for (int i = 0; i < BATCH; i++) {
                images[i] = rig_tensor(&r, inputs[i % 2]);
            }
            rig_run(&r, images, BATCH);
            for (uint32_t i = 0; i < BATCH; i += 2) {
                read_all(&r, i, &again);
                assert_same(name, g, &first, &again);
            }
        }
        rig_close(&r);
    }
    reference_values_destroy(&first);
    reference_values_destroy(&again);
    free(inputs[0]);
    free(inputs[1]);
}

/* The reference then computes with the weights that the device has. Without outputs nothing asks
 * for fp32, and every value is stored as bf16. */
static void run_bf16(const char *name, graph *g)
{
    error err = {0};
    assert_status_ok(cpu_round_weights(g, &err), err);
    run_graph(name, g, VKDET_PRECISION_BF16);
    g->output_count = 0;
    run_graph(name, g, VKDET_PRECISION_BF16);
}

static void run_cases(void **state)
{
    const op *wanted = *state;
    size_t ran = 0;
    for (size_t i = 0; i < kernel_case_count; i++) {
        const kernel_case *c = &kernel_cases[i];
        error err = {0};
        graph *g = NULL;
        if (c->op != *wanted) {
            continue;
        }
        assert_status_ok(kernel_case_build(c, &allocator_default, SEED + i, &g, &err), err);
        run_graph(c->name, g, VKDET_PRECISION_FP32);
        run_bf16(c->name, g);
        graph_destroy(g);
        ran++;
    }
    assert_true(ran > 0);
}

/* a whole network, before and after the passes */
static void test_network(void **state)
{
    (void)state;
    error err = {0};
    graph *g = NULL;
    detector_head head;
    assert_status_ok(miniature_build(&allocator_default, SEED, &g, &head, &err), err);
    run_graph("as imported", g, VKDET_PRECISION_FP32);
    assert_status_ok(passes_run(g, &err), err);
    run_graph("after the passes", g, VKDET_PRECISION_FP32);
    run_bf16("after the passes, bf16", g);
    graph_destroy(g);
}

/* A pool with windows that overlap and begin outside, beside the map itself: more than the passes
 * fuse, but what a container may hold. */
static void test_overlapping_pool(void **state)
{
    (void)state;
    for (int keep_map = 0; keep_map < 2; keep_map++) {
        error err = {0};
        graph *g = NULL;
        int input = 0, index = 0, weights[2] = {GRAPH_NONE, GRAPH_NONE};
        int outputs[2] = {keep_map ? 0 : GRAPH_NONE, 0};
        assert_status_ok(graph_create(&allocator_default, &g, &err), err);
        assert_status_ok(graph_add_value(g, "input", (shape){3, {19, 17, 3}}, &input, &err), err);
        g->input = input;
        float *taps = region_allocate(g->memory, 3 * 3 * 3 * 8, sizeof *taps);
        assert_non_null(taps);
        test_random random = test_random_seed(SEED);
        for (int i = 0; i < 3 * 3 * 3 * 8; i++) {
            taps[i] = test_random_float(&random, -1.0f, 1.0f);
        }
        assert_status_ok(
            graph_add_weight(g, "kernel", (shape){4, {3, 3, 3, 8}}, taps, &weights[0], &err), err);
        activation act = activation_relu;
        node n = {.op = OP_CONV2D,
                  .name = "conv",
                  .input_count = 1,
                  .output_count = 2,
                  .weight_count = 2,
                  .act_count = 1,
                  .inputs = &input,
                  .outputs = outputs,
                  .weights = weights,
                  .act = &act};
        n.attributes.conv = (conv2d_attributes){.window = {3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
                                                .groups = 1,
                                                .pooled = true,
                                                .pool = {3, 3, 2, 2, 1, 1, 1, 1, 1, 1},
                                                .branches = 1};
        assert_status_ok(graph_add_node(g, &n, &index, &err), err);
        run_graph("overlapping pool", g, VKDET_PRECISION_FP32);
        run_bf16("overlapping pool", g);
        graph_destroy(g);
    }
}

/* What the user allows at most (the tests cpu_operators.avx2 and .sse41 set it) no kernel of ours
 * exceeds, and the device's name tells no more. */
static void test_cap(void **state)
{
    (void)state;
    const char *cap = getenv("ONEDNN_MAX_CPU_ISA");
    vkdet_device_info info;
    cpu_device_describe(&info);
#if defined(VKDET_CPU_X86)
    if (cap && (strcmp(cap, "AVX2") == 0 || strcmp(cap, "SSE41") == 0)) {
        assert_true(loops_pick() != &loops_avx512);
        assert_true(separable_pick() != &separable_avx512);
        assert_null(pointwise_halves_pick());
        assert_false(cpu_has_bf16());
        assert_null(strstr(info.name, "AVX-512"));
    }
    if (cap && strcmp(cap, "SSE41") == 0) {
        assert_true(loops_pick() == &loops_base);
        assert_null(separable_pick());
        assert_null(strstr(info.name, ", AVX"));
    }
#endif
    print_message("%s: %s\n", cap ? cap : "no cap", info.name);
}

int main(void)
{
    struct CMUnitTest tests[OP_COUNT + 3] = {
        [OP_COUNT] = cmocka_unit_test(test_network),
        [OP_COUNT + 1] = cmocka_unit_test(test_overlapping_pool),
        [OP_COUNT + 2] = cmocka_unit_test(test_cap),
    };
    op ops[OP_COUNT];
    for (int o = 0; o < OP_COUNT; o++) {
        ops[o] = (op)o;
        tests[o] = (struct CMUnitTest){op_name(ops[o]), run_cases, NULL, NULL, &ops[o]};
    }
    print_message("seed %d, loops %s\n", SEED, loops_pick()->isa);
    return cmocka_run_group_tests_name("cpu operators", tests, NULL, NULL);
}
