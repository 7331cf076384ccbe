/* Convolutions as matrix products, over random shapes: through shared memory the bits are those of
 * the direct kernel; on cooperative matrices every element is within the contract, and all tiles
 * give the same bits. Both give a picture the same bits at every place of every batch, since the
 * batch is part of the rows that tiles are cut from, and write nothing outside. */
#include "tests/vulkan/cases.h"
#include "tests/vulkan/judge.h"

enum { SEED = 20241124, MAX_BATCH = 5, MAX_STEPS = 16, MAX_VARIANTS = 64, SETS = 5 };

static const uint32_t batches[] = {1, 2, 3, 5};
static const activation activations[] = {{ACTIVATION_RELU, 0.0f, 0.0f, INFINITY},
                                         {ACTIVATION_LINEAR, 0.0f, 0.0f, INFINITY},
                                         {ACTIVATION_RELU, 0.1f, 0.0f, 6.0f},
                                         {ACTIVATION_SIGMOID, 0.0f, 0.0f, INFINITY}};

static uint32_t between(test_random *r, uint32_t low, uint32_t high)
{
    return low + test_random_u32(r) % (high - low + 1);
}

static kernel_case random_shape(test_random *r)
{
    kernel_case c = {.name = "random",
                     .op = OP_CONV2D,
                     .h = between(r, 1, 19),
                     .w = between(r, 1, 19),
                     .c = between(r, 1, 70),
                     .kernel_h = between(r, 1, 5),
                     .kernel_w = between(r, 1, 5),
                     .stride = between(r, 1, 2),
                     .dilation = between(r, 1, 2),
                     .branches = (int)between(r, 1, 4),
                     .own_inputs = between(r, 0, 1) == 1,
                     .no_bias = between(r, 0, 3) == 0,
                     .pooled = between(r, 0, 2) == 0,
                     .pool_same = between(r, 0, 1) == 1,
                     .map = between(r, 0, 1) == 1};
    for (int i = 0; i < c.branches; i++) {
        c.filters[i] = between(r, 1, 70);
    }
    c.act = activations[between(r, 0, 3)];
    const uint32_t reach_h = (c.kernel_h - 1) * c.dilation + 1;
    const uint32_t reach_w = (c.kernel_w - 1) * c.dilation + 1;
    c.same = c.h < reach_h + 1 || c.w < reach_w + 1 || between(r, 0, 2) > 0;
    if (c.branches == 1 && between(r, 0, 1)) {
        c.repeat = between(r, 1, 2);
        c.pooled = false;
    }
    c.pooled = c.pooled && c.h / c.stride >= 2 && c.w / c.stride >= 2 &&
               (c.same || (c.h - reach_h >= 2 * c.stride && c.w - reach_w >= 2 * c.stride));
    return c;
}

/* --- one shape --- */

typedef struct trial {
    char name[64];
    graph *graph;
    plan_precision precision;
    plan_vendor vendor; /* 0: the device's */
    float *inputs[2];
    reference_values first[2], again, expected, bound;
} trial;

static void trial_begin(trial *t)
{
    error err = {0};
    const uint64_t count = shape_elements(t->graph->values[t->graph->input].shape);
    reference_values *all[SETS] = {&t->first[0], &t->first[1], &t->again, &t->expected, &t->bound};
    for (int i = 0; i < 2; i++) {
        t->inputs[i] = malloc(count * sizeof(float));
        assert_non_null(t->inputs[i]);
        fill_input(t->inputs[i], count, SEED + (uint64_t)i);
    }
    for (size_t i = 0; i < SETS; i++) {
        assert_status_ok(reference_values_create(t->graph, &allocator_default, all[i], &err), err);
    }
}

static void trial_end(trial *t)
{
    reference_values *all[SETS] = {&t->first[0], &t->first[1], &t->again, &t->expected, &t->bound};
    for (size_t i = 0; i < SETS; i++) {
        reference_values_destroy(all[i]);
    }
    free(t->inputs[0]);
    free(t->inputs[1]);
}

static network network_of(const trial *t, const uint8_t *choices, size_t count)
{
    return (network){.graph = t->graph,
                     .max_batch = MAX_BATCH,
                     .keep_all = true,
                     .precision = t->precision,
                     .vendor = t->vendor,
                     .choices = choices,
                     .choice_count = count};
}

/* For each tunable step a candidate of this shader, another with every turn; candidate 0 where
 * there is none. How many steps have one. */
static size_t choose(const trial *t, const char *shader, size_t turn, uint8_t chosen[MAX_STEPS],
                     char *names, size_t room)
{
    error err = {0};
    uint8_t choices[MAX_STEPS] = {0}, counts[MAX_STEPS] = {0};
    uint8_t found[MAX_STEPS][MAX_VARIANTS], found_count[MAX_STEPS] = {0};
    uint32_t most = 1;
    size_t with = 0, tunable = 0, used = 0;
    for (uint32_t k = 0; k < most; k++) {
        for (size_t i = 0; i < tunable; i++) {
            choices[i] = (uint8_t)(k < counts[i] ? k : 0);
        }
        network n = network_of(t, choices, tunable);
        assert_status_ok(network_plan(&n, &err), err);
        tunable = n.plan->tunable_count;
        assert_true(tunable <= MAX_STEPS);
        for (size_t i = 0; i < n.plan->step_count; i++) {
            const plan_step *s = &n.plan->steps[i];
            if (s->tunable < 0) {
                continue;
            }
            const int at = s->tunable;
            assert_true(s->variant_count <= MAX_VARIANTS);
            counts[at] = (uint8_t)s->variant_count;
            most = s->variant_count > most ? s->variant_count : most;
            if (s->variant_index == k && strncmp(s->shader, shader, strlen(shader)) == 0) {
                found[at][found_count[at]++] = (uint8_t)k;
            }
        }
        network_close(&n);
    }
    for (size_t i = 0; i < tunable; i++) {
        chosen[i] = found_count[i] ? found[i][turn % found_count[i]] : 0;
        with += found_count[i] > 0;
        const int wrote = snprintf(names + used, room - used, " %u", chosen[i]);
        used += wrote > 0 && (size_t)wrote < room - used ? (size_t)wrote : 0;
    }
    return with;
}

static void assert_same(const trial *t, const network *n, uint32_t image,
                        const reference_values *want, const char *of)
{
    for (size_t v = 0; v < t->graph->value_count; v++) {
        const uint64_t count = shape_elements(t->graph->values[v].shape);
        if (n->plan->value_buffer[v] == GRAPH_NONE ||
            memcmp(want->data[v], t->again.data[v], count * sizeof(float)) == 0) {
            continue;
        }
        const unsigned char *a = (const unsigned char *)want->data[v];
        const unsigned char *b = (const unsigned char *)t->again.data[v];
        uint64_t e = 0;
        while (a[e] == b[e]) {
            e++;
        }
        e /= sizeof(float);
        fail_msg("%s: value %s of picture %u, element %llu of %llu: %.9g, not %.9g as %s", t->name,
                 t->graph->values[v].name, image, (unsigned long long)e, (unsigned long long)count,
                 (double)t->again.data[v][e], (double)want->data[v][e], of);
    }
}

/* `keep`: what the batch of one gives becomes t->first; else it is compared with that. */
static void run(trial *t, const uint8_t *choices, size_t count, bool keep)
{
    error err = {0};
    network n = network_of(t, choices, count);
    if (network_open(&n, &err)) {
        fail_msg("%s: %s", t->name, err.text);
    }
    session *s = session_behind(&n);
    for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) {
        const uint32_t batch = batches[k];
        pixels images[MAX_BATCH];
        for (uint32_t i = 0; i < batch; i++) {
            images[i] = network_tensor(&n, t->inputs[i % 2]);
        }
        assert_status_ok(transfer_fill_arena(s, &s->slots[0], POISON, &err), err);
        assert_status_ok(network_run(&n, images, batch, NULL, &err), err);
        assert_no_overrun(t->name, &n, batch);
        for (uint32_t i = 0; i < batch; i++) {
            const bool first = keep && batch <= 2 && i + 1 == batch;
            read_values(&n, i, first ? &t->first[i] : &t->again);
            for (size_t at = 0; first && at < t->graph->node_count; at++) {
                compare_node(t->name, n.plan, at, &t->first[i], &t->expected, &t->bound);
            }
            if (!first) {
                assert_same(t, &n, i, &t->first[i % 2],
                            keep ? "in a smaller batch" : "another candidate has it");
            }
        }
    }
    network_close(&n);
    rig_assert_silent();
}

/* --- many --- */

/* Compiling is what takes the time. VKDET_TEST_ALL=1 runs ten times as many. */
static size_t shapes_wanted(void)
{
    const char *all = getenv("VKDET_TEST_ALL");
    vkdet_device_info info;
    vulkan_device_describe(rig.instance, rig.device, &info);
    const size_t few = rig.validate || !strstr(info.name, "llvmpipe") ? 4 : 24;
    return all && strcmp(all, "1") == 0 ? 240 : few;
}

/* `turn`: of the choices */
typedef void (*check)(trial *t, const uint8_t *choices, const char *shader, size_t turn);

/* The kernel of windows has a way of its own for few channels, and none for what is dilated or
 * repeated; a GPU's tiles run on every device. */
static void shape_for_windows(kernel_case *c, trial *t, size_t i)
{
    c->c = i % 4 == 0 ? 1 + c->c % 4 : c->c;
    c->pooled = c->pooled || (i % 8 == 0 && c->same && c->h >= 4 && c->w >= 4 && c->repeat == 0);
    t->vendor = i % 6 == 0 ? VENDOR_NVIDIA : VENDOR_UNKNOWN;
}

static void run_shapes(const char *shader, plan_precision precision, check call)
{
    test_random r = test_random_seed(SEED);
    size_t ran = 0;
    for (size_t i = 0, wanted = shapes_wanted(); ran < wanted; i++) {
        error err = {0};
        trial t = {.precision = precision};
        uint8_t choices[MAX_STEPS] = {0};
        char names[48] = "";
        kernel_case c = random_shape(&r);
        assert_true(i < 100 * wanted);
        if (strncmp(shader, "conv2d_window", 13) == 0) {
            shape_for_windows(&c, &t, i);
        }
        assert_status_ok(kernel_case_build(&c, &allocator_default, SEED + i, &t.graph, &err), err);
        assert_status_ok(plan_round_weights(t.graph, precision, &err), err);
        if (precision == PLAN_FP16 && i % 2) { /* what nobody asks for is stored as halves */
            t.graph->output_count = 0;
        }
        if (choose(&t, shader, ran, choices, names, sizeof names) > 0) {
            (void)snprintf(t.name, sizeof t.name, "shape %zu,%s", i, names);
            trial_begin(&t);
            call(&t, choices, shader, ran);
            trial_end(&t);
            ran++;
        }
        graph_destroy(t.graph);
    }
    print_message("%zu shapes\n", ran);
}

static void check_shared(trial *t, const uint8_t *choices, const char *shader, size_t turn)
{
    (void)shader;
    (void)turn;
    const uint8_t defaults[MAX_STEPS] = {0};
    run(t, defaults, MAX_STEPS, true);
    run(t, choices, MAX_STEPS, false);
}

/* Tiles differ in what they compute and not in how: matrices follow each other along the depth in
 * all of them. So the bits do not depend on the tile; some turns compare with another one. */
static void check_matrix(trial *t, const uint8_t *choices, const char *shader, size_t turn)
{
    run(t, choices, MAX_STEPS, true);
    if (turn % 4 == 0) {
        uint8_t others[MAX_STEPS] = {0};
        char names[48];
        (void)choose(t, shader, turn + 3, others, names, sizeof names);
        run(t, others, MAX_STEPS, false);
    }
}

static void test_shared(void **state)
{
    (void)state;
    run_shapes("conv2d_gemm", PLAN_FP32, check_shared);
}

static void run_matrices(const char *shader)
{
    plan_target target;
    vulkan_device_target(rig.instance, rig.device, &target);
    if (target.matrix.m == 0) {
        vkdet_device_info info;
        vulkan_device_describe(rig.instance, rig.device, &info);
        printf("SKIPPED %s, products on cooperative matrices: needs a device that has them and "
               "kernels built for it, which %s has not (VKDET_TEST_MATRIX_ICD)\n",
               shader, info.name);
        skip();
    }
    print_message("%ux%ux%u, subgroups of %u: %s\n", target.matrix.m, target.matrix.n,
                  target.matrix.k, target.subgroup_size, target.matrix.shader);
    run_shapes(shader, PLAN_FP16, check_matrix);
}

static void test_matrix(void **state)
{
    (void)state;
    run_matrices("conv2d_matrix");
}

static void test_window(void **state)
{
    (void)state;
    run_matrices("conv2d_window");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_window),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests_name("products", tests, rig_setup, rig_teardown);
}
