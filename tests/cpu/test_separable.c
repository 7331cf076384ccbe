/* Depthwise and pointwise convolution: the kernels of every instruction set that this CPU has
 * against sums in double, at awkward sizes; and chains of them, whose results are those of a
 * session that keeps every map, on any number of threads. */
#include "tests/cpu/rig.h"

enum { SEED = 20261128, GUARD = 24, MOST_CHANNELS = 67, MOST_PIXELS = 21 };

static const separable *sets[2];
static size_t set_count;

static void find_sets(void)
{
#if defined(VKDET_CPU_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        sets[set_count++] = &separable_avx2;
    }
    if (separable_pick() == &separable_avx512) {
        sets[set_count++] = &separable_avx512;
    }
#endif
}

static void fill(test_random *random, float *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        data[i] = test_random_float(random, -2.0f, 2.0f);
    }
}

static uint32_t below(test_random *random, uint32_t n)
{
    return test_random_u32(random) % n;
}

static void poison(float *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        data[i] = NAN;
    }
}

/* |got - sum| within the contract of `terms` products */
static void expect_near(const char *isa, float got, double sum, double magnitude, uint64_t terms)
{
    const double bound = reference_gamma(terms + 2) * magnitude;
    if (!(fabs((double)got - sum) <= bound)) {
        fail_msg("%s: %.9g instead of %.9g, bound %.3g", isa, (double)got, sum, bound);
    }
}

/* --- pointwise --- */

typedef struct product {
    uint32_t in, out;
    size_t pixels;
    float x[MOST_PIXELS * MOST_CHANNELS], weights[MOST_CHANNELS * MOST_CHANNELS],
        bias[MOST_CHANNELS], added[MOST_PIXELS * MOST_CHANNELS];
} product;

static void expect_product(const separable *s, const product *p, bool clamps)
{
    const size_t count = p->pixels * p->out;
    float *packed = malloc(s->packed_floats(p->in, p->out) * sizeof *packed);
    float *got = malloc((count + GUARD) * sizeof *got), *part = malloc(count * sizeof *part);
    assert_true(packed && got && part);
    s->pack(p->weights, p->bias, p->in, p->out, packed);
    const pointwise_form form = {.in = p->in,
                                 .out = p->out,
                                 .packed = packed,
                                 .low = clamps ? 0.0f : -INFINITY,
                                 .high = clamps ? 1.5f : INFINITY};
    poison(got, count + GUARD);
    s->pointwise(&form, p->x, p->added, got, p->pixels);
    for (size_t i = 0; i < count; i++) {
        const size_t pixel = i / p->out, o = i % p->out;
        double sum = (double)p->bias[o] + (double)p->added[i], magnitude = fabs(sum) + 4;
        for (size_t k = 0; k < p->in; k++) {
            const double term =
                (double)p->x[pixel * p->in + k] * (double)p->weights[k * p->out + o];
            sum += term;
            magnitude += fabs(term);
        }
        sum = clamps ? fmin(fmax(sum, 0), 1.5) : sum;
        expect_near(s->isa, got[i], sum, magnitude, p->in);
    }
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(isnan(got[count + i])); /* nothing behind was touched */
    }
    for (size_t first = 0; first < p->pixels; first += 3) { /* in pieces: the same bits */
        const size_t n = p->pixels - first < 3 ? p->pixels - first : 3;
        s->pointwise(&form, p->x + first * p->in, p->added + first * p->out, part + first * p->out,
                     n);
    }
    assert_memory_equal(part, got, count * sizeof *part);
    free(packed);
    free(got);
    free(part);
}

static product *product_make(void)
{
    product *p = malloc(sizeof *p);
    assert_non_null(p);
    test_random random = test_random_seed(SEED);
    fill(&random, p->x, MOST_PIXELS * MOST_CHANNELS);
    fill(&random, p->weights, MOST_CHANNELS * MOST_CHANNELS);
    fill(&random, p->bias, MOST_CHANNELS);
    fill(&random, p->added, MOST_PIXELS * MOST_CHANNELS);
    return p;
}

static void test_pointwise(void **state)
{
    (void)state;
    static const uint32_t channels[] = {1, 3, 4, 8, 12, 16, 17, 24, 40, 48, 50, 64, 67};
    const size_t kinds = sizeof channels / sizeof *channels;
    product *p = product_make();
    for (size_t s = 0; s < set_count; s++) {
        for (size_t i = 0; i < kinds * kinds; i++) {
            for (size_t count = 1; count <= MOST_PIXELS; count += 4) {
                p->in = channels[i / kinds];
                p->out = channels[i % kinds];
                p->pixels = count;
                expect_product(sets[s], p, i % 2);
            }
        }
    }
    free(p);
}

/* neither bias nor sum; what is no number stays none behind a clamp */
static void test_pointwise_bare(void **state)
{
    (void)state;
    for (size_t s = 0; s < set_count; s++) {
        const float weights[2] = {1, 1}, x[4] = {NAN, 1, -2, 1};
        float out[2], packed[64];
        assert_true(sets[s]->packed_floats(2, 1) <= 64);
        sets[s]->pack(weights, NULL, 2, 1, packed);
        const pointwise_form form = {.in = 2, .out = 1, .packed = packed, .high = 6};
        sets[s]->pointwise(&form, x, NULL, out, 2);
        assert_true(isnan(out[0]) && out[1] == 0.0f);
    }
}

static float float_of(uint16_t half)
{
    float x;
    loops_base.to_float(&half, &x, 1);
    return x;
}

/* The same of bfloat16, into fp32 and bfloat16, with what is added in either. */
static void expect_halves(const pointwise_halves *k, const product *p, bool out_halves,
                          bool added_halves)
{
    const size_t count = p->pixels * p->out, taps = (size_t)p->in * p->out;
    uint16_t *x = malloc(p->pixels * p->in * sizeof *x), *weights = malloc(taps * sizeof *weights),
             *added = malloc(count * sizeof *added);
    uint16_t *halves = malloc((count + GUARD) * sizeof *halves);
    float *floats = malloc((count + GUARD) * sizeof *floats);
    void *packed = malloc(k->packed_bytes(p->in, p->out));
    assert_true(x && weights && added && halves && floats && packed);
    loops_base.to_bf16(p->x, x, p->pixels * p->in);
    loops_base.to_bf16(p->weights, weights, taps);
    loops_base.to_bf16(p->added, added, count);
    memset(halves, 0xff, (count + GUARD) * sizeof *halves);
    poison(floats, count + GUARD);
    k->pack(weights, p->bias, p->in, p->out, packed);
    const pointwise_form form = {p->in, p->out, packed, 0.0f, 1.5f, added_halves, out_halves};
    const void *plus = added_halves ? (const void *)added : p->added;
    k->run(&form, x, plus, out_halves ? (void *)halves : (void *)floats, p->pixels);
    for (size_t i = 0; i < count; i++) {
        const size_t pixel = i / p->out, o = i % p->out;
        double sum = (double)p->bias[o] + (double)(added_halves ? float_of(added[i]) : p->added[i]),
               magnitude = fabs(sum) + 4;
        for (size_t c = 0; c < p->in; c++) {
            const double term =
                (double)float_of(x[pixel * p->in + c]) * (double)float_of(weights[c * p->out + o]);
            sum += term;
            magnitude += fabs(term);
        }
        sum = fmin(fmax(sum, 0), 1.5);
        const double bound = reference_gamma(p->in + 2) * magnitude;
        const double got = (double)(out_halves ? float_of(halves[i]) : floats[i]);
        if (!(fabs(got - sum) <= bound + (out_halves ? (fabs(sum) + bound) / 256 : 0))) {
            fail_msg("amx: %.9g instead of %.9g", got, sum);
        }
    }
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(halves[count + i] == 0xffff && isnan(floats[count + i]));
    }
    uint16_t *part = malloc(count * sizeof *part);
    assert_non_null(part);
    for (size_t first = 0; out_halves && first < p->pixels; first += 3) {
        const size_t n = p->pixels - first < 3 ? p->pixels - first : 3, at = first * p->out;
        k->run(&form, x + first * p->in,
               added_halves ? (const void *)(added + at) : (const void *)(p->added + at), part + at,
               n);
    }
    assert_true(!out_halves || memcmp(part, halves, count * sizeof *part) == 0);
    free(part);
    free(x);
    free(weights);
    free(added);
    free(halves);
    free(floats);
    free(packed);
}

static void test_pointwise_halves(void **state)
{
    (void)state;
    static const uint32_t ins[] = {2, 16, 30, 32, 34, 40, 64, 66},
                          outs[] = {1, 4, 8, 16, 17, 40, 48, 64, 67};
    const pointwise_halves *k = pointwise_halves_pick();
    if (!k) {
        print_message("SKIPPED %s: needs a CPU and a system with AMX\n", __func__);
        skip();
        return;
    }
    product *p = product_make();
    for (size_t i = 0; i < sizeof ins / sizeof *ins; i++) {
        for (size_t o = 0; o < sizeof outs / sizeof *outs; o++) {
            for (size_t count = 1; count <= MOST_PIXELS; count += 4) {
                p->in = ins[i];
                p->out = outs[o];
                p->pixels = count;
                expect_halves(k, p, o % 2, (i + o) % 3 == 0);
            }
        }
    }
    free(p);
}

/* --- depthwise --- */

static void expect_depthwise(const separable *s, const depthwise_form *f, const float *in,
                             const float *weights, uint32_t rows)
{
    const size_t count = (size_t)f->out_width * f->channels, row = f->in_width * f->channels,
                 taps = f->kernel_w * f->channels;
    const float *at[5], *tap[5];
    float *got = malloc((count + GUARD) * sizeof *got);
    assert_non_null(got);
    poison(got, count + GUARD);
    for (uint32_t r = 0; r < rows; r++) {
        at[r] = in + r * row;
        tap[r] = weights + r * taps;
    }
    s->depthwise(f, at, tap, rows, got);
    for (size_t i = 0; i < count; i++) {
        const size_t x = i / f->channels, c = i % f->channels;
        double sum = f->bias ? (double)f->bias[c] : 0, magnitude = fabs(sum) + 1e-30;
        for (uint32_t t = 0; t < rows * f->kernel_w; t++) {
            const int64_t ix = (int64_t)(x * f->stride_w + t % f->kernel_w) - f->pad_left;
            if (ix >= 0 && ix < (int64_t)f->in_width) {
                const double term = (double)at[t / f->kernel_w][(size_t)ix * f->channels + c] *
                                    (double)tap[t / f->kernel_w][t % f->kernel_w * f->channels + c];
                sum += term;
                magnitude += fabs(term);
            }
        }
        expect_near(s->isa, got[i], sum, magnitude, rows * f->kernel_w);
    }
    for (size_t i = 0; i < GUARD; i++) {
        assert_true(isnan(got[count + i]));
    }
    free(got);
}

static void test_depthwise(void **state)
{
    (void)state;
    enum { MOST = 5 * 19 * MOST_CHANNELS };
    float *in = malloc(MOST * sizeof *in), *weights = malloc(MOST * sizeof *weights);
    assert_true(in && weights);
    test_random random = test_random_seed(SEED);
    fill(&random, in, MOST);
    fill(&random, weights, MOST);
    for (size_t s = 0; s < set_count; s++) {
        for (uint32_t i = 0; i < 2000; i++) {
            const uint32_t size = 1 + below(&random, 5), stride = 1 + below(&random, 3),
                           pad = below(&random, size), width = size + below(&random, 15);
            const depthwise_form f = {.kernel_w = size,
                                      .stride_w = stride,
                                      .pad_left = pad,
                                      .in_width = width,
                                      .out_width = (width + 2 * pad - size) / stride + 1,
                                      .channels = 1 + below(&random, MOST_CHANNELS),
                                      .bias = i % 3 ? weights : NULL};
            expect_depthwise(sets[s], &f, in, weights, below(&random, size + 1));
        }
    }
    free(in);
    free(weights);
}

/* --- chains --- */

static int add_weight(graph *g, test_random *random, shape s)
{
    error err = {0};
    int index = 0;
    float *data = region_allocate(g->memory, shape_elements(s), sizeof *data);
    assert_non_null(data);
    for (uint64_t i = 0; i < shape_elements(s); i++) {
        data[i] = test_random_float(random, -0.4f, 0.4f);
    }
    assert_status_ok(graph_add_weight(g, "weight", s, data, &index, &err), err);
    return index;
}

static int add_depthwise(graph *g, test_random *random, int in, uint32_t stride)
{
    error err = {0};
    int index = 0;
    const shape s = g->values[in].shape;
    int weights[2] = {add_weight(g, random, (shape){4, {3, 3, s.dim[2], 1}}),
                      add_weight(g, random, (shape){1, {s.dim[2]}})};
    node n = {.op = OP_DEPTHWISE,
              .name = "depthwise",
              .input_count = 1,
              .output_count = 1,
              .weight_count = 2,
              .inputs = &in,
              .weights = weights};
    n.attributes.depthwise.window = (window){3, 3, stride, stride, 1, 1, 1, 1, 1, 1};
    n.attributes.depthwise.multiplier = 1;
    assert_status_ok(graph_add_node(g, &n, &index, &err), err);
    return g->nodes[index].outputs[0];
}

/* a pointwise convolution; branches of it, or a sum with `added`; answers its last output */
static int add_pointwise(graph *g, test_random *random, int in, uint32_t filters, int branches,
                         int added)
{
    error err = {0};
    int index = 0, inputs[2] = {in, added == GRAPH_NONE ? in : added}, weights[4],
        outputs[4] = {0, GRAPH_NONE, 0, GRAPH_NONE};
    activation act[2] = {{ACTIVATION_RELU, 0, 0, 6}, {ACTIVATION_SIGMOID, 0, 0, 0}};
    for (int b = 0; b < branches; b++) {
        weights[2 * b] =
            add_weight(g, random, (shape){4, {1, 1, g->values[in].shape.dim[2], filters}});
        weights[2 * b + 1] = add_weight(g, random, (shape){1, {filters}});
    }
    node n = {.op = OP_CONV2D,
              .name = "pointwise",
              .input_count = branches == 2 || added != GRAPH_NONE ? 2 : 1,
              .output_count = 2 * branches,
              .weight_count = 2 * branches,
              .act_count = branches,
              .inputs = inputs,
              .outputs = outputs,
              .weights = weights,
              .act = act};
    n.attributes.conv = (conv2d_attributes){.window = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
                                            .groups = 1,
                                            .branches = branches,
                                            .repeat = added != GRAPH_NONE};
    assert_status_ok(graph_add_node(g, &n, &index, &err), err);
    return g->nodes[index].outputs[2 * (branches - 1)];
}

/* depthwise, pointwise | depthwise, pointwise and a sum | depthwise, pointwise, two heads */
static graph *chains_build(void)
{
    error err = {0};
    graph *g = NULL;
    int x = 0;
    test_random random = test_random_seed(SEED);
    assert_status_ok(graph_create(&allocator_default, &g, &err), err);
    assert_status_ok(graph_add_value(g, "input", (shape){3, {37, 29, 3}}, &x, &err), err);
    g->input = x;
    x = add_depthwise(g, &random, x, 1);
    x = add_pointwise(g, &random, x, 20, 1, GRAPH_NONE);
    const int before = x;
    x = add_depthwise(g, &random, x, 1);
    x = add_pointwise(g, &random, x, 20, 1, before);
    x = add_depthwise(g, &random, x, 2);
    x = add_pointwise(g, &random, x, 40, 1, GRAPH_NONE);
    x = add_pointwise(g, &random, x, 5, 2, GRAPH_NONE);
    const int outputs[2] = {g->nodes[g->node_count - 1].outputs[0], x};
    assert_status_ok(graph_set_outputs(g, outputs, 2, &err), err);
    return g;
}

static void run_chains(const graph *g, vkdet_precision precision)
{
    error err = {0};
    float *input = rig_input(g, SEED);
    reference_values kept = rig_values(g), got = rig_values(g);
    rig r;
    if (rig_open(&r, g, NULL, precision, 2, 1, true)) {
        const pixels image = rig_tensor(&r, input);
        rig_run(&r, &image, 1);
        assert_int_equal(r.backend->call->step_count(r.backend), 4); /* one is the input's */
        for (size_t v = 0; v < g->value_count; v++) {
            assert_status_ok(
                r.backend->call->read_value(r.backend, 0, 0, (int)v, kept.data[v], &err), err);
        }
        rig_compare("chains", g, precision, &kept);
        rig_close(&r);
        for (uint32_t threads = 1; threads <= 5; threads++) {
            assert_true(rig_open(&r, g, NULL, precision, threads, 1, false));
            rig_run(&r, &image, 1);
            for (size_t i = 0; i < g->output_count; i++) {
                const int v = g->outputs[i];
                assert_status_ok(r.backend->call->read_value(r.backend, 0, 0, v, got.data[v], &err),
                                 err);
                assert_memory_equal(got.data[v], kept.data[v],
                                    shape_elements(g->values[v].shape) * sizeof(float));
            }
            /* what only passes through is nowhere to be read */
            assert_int_equal(r.backend->call->read_value(r.backend, 0, 0, g->nodes[0].outputs[0],
                                                         got.data[g->nodes[0].outputs[0]], &err),
                             STATUS_ARGUMENT);
            rig_close(&r);
        }
    }
    reference_values_destroy(&kept);
    reference_values_destroy(&got);
    free(input);
}

static void test_chains(void **state)
{
    (void)state;
    error err = {0};
    graph *g = chains_build();
    run_chains(g, VKDET_PRECISION_FP32);
    assert_status_ok(cpu_round_weights(g, &err), err);
    run_chains(g, VKDET_PRECISION_BF16);
    graph_destroy(g);
}

static void test_chains_out_of_memory(void **state)
{
    (void)state;
    graph *g = chains_build();
    rig r;
    assert_true(rig_open(&r, g, NULL, VKDET_PRECISION_FP32, 2, 1, false));
    rig_close(&r);
    rig_run_out_of_memory(&r.params);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointwise),        cmocka_unit_test(test_pointwise_bare),
        cmocka_unit_test(test_pointwise_halves), cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_chains),           cmocka_unit_test(test_chains_out_of_memory),
    };
    find_sets();
    print_message("seed %d, %zu instruction sets\n", SEED, set_count);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
