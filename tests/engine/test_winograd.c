/* Winograd convolutions, as far as a plan decides them: which ones there are, that no choice among
 * candidates changes that, the bands and their room, where packed weights lie; and the contract: a
 * plain float version of the algorithm stays within it, and what breaks the algorithm does not. */
#include "tests/engine/single_conv.h"

#include "engine/reference.h"
#include "shaders/interface.h"

#include <math.h>

static const conv_options plain = {.kernel = 3, .bias = true};

static single checked_make(uint32_t side, uint32_t inputs, uint32_t outputs, conv_options o,
                           plan_options options)
{
    single s = single_make(side, inputs, outputs, o, options);
    check_plan(s.plan);
    return s;
}

static bool goes(uint32_t side, uint32_t inputs, uint32_t outputs, conv_options o,
                 plan_options options)
{
    single s = checked_make(side, inputs, outputs, o, options);
    const bool is = plan_node_is_winograd(s.plan, 0);
    if (is) {
        (void)find_step(s.plan, "winograd_output");
    }
    single_free(&s);
    return is;
}

/* --- which --- */

static const plan_target software[] = {
    {.vendor = VENDOR_SOFTWARE, .loads = LOADS_SPLIT, .subgroup_size = 8},
    {.vendor = VENDOR_SOFTWARE, .loads = LOADS_SPLIT, .subgroup_size = 8, .broadcasts = true},
    {.vendor = VENDOR_SOFTWARE, .loads = LOADS_ALL_SPLIT, .subgroup_size = 4, .broadcasts = true},
    {.vendor = VENDOR_SOFTWARE, .loads = LOADS_GATHERED, .subgroup_size = 8, .broadcasts = true},
};

static void test_which(void **state)
{
    (void)state;
    const plan_options all = {.winograd = WINOGRAD_ALWAYS};
    assert_true(goes(9, 8, 8, plain, all));
    assert_true(goes(1, 3, 1, plain, all));
    assert_true(goes(9, 5, 7, (conv_options){.kernel = 3, .valid = true}, all));
    assert_false(goes(9, 8, 8, (conv_options){.kernel = 1}, all));
    assert_false(goes(9, 8, 8, (conv_options){.kernel = 5}, all));
    assert_false(goes(9, 8, 8, (conv_options){.kernel = 3, .stride = 2}, all));
    assert_false(goes(9, 8, 8, (conv_options){.kernel = 3, .dilation = 2}, all));
    assert_false(goes(9, 8, 8, (conv_options){.kernel = 3, .groups = 2}, all));
    assert_false(goes(9, 8, 8, plain, (plan_options){.winograd = WINOGRAD_NEVER}));
    assert_false(
        goes(9, 8, 8, plain, (plan_options){.winograd = WINOGRAD_ALWAYS, .precision = PLAN_FP16}));
    /* by rule: software drivers, where there is enough to multiply */
    for (size_t i = 0; i < sizeof software / sizeof *software; i++) {
        plan_options rule = {.target = software[i]};
        assert_true(goes(66, 64, 64, plain, rule));
        assert_false(goes(5, 64, 64, plain, rule));
        assert_false(goes(66, 4, 4, plain, rule));
        /* the batch that a plan is for changes nothing: near where it begins to pay too */
        for (uint32_t side = 6; side < 60; side += 5) {
            rule.batch = 1;
            const bool one = goes(side, 32, 16, plain, rule);
            rule.batch = 64;
            assert_int_equal(goes(side, 32, 16, plain, rule), one);
        }
        rule.target.vendor = VENDOR_NVIDIA;
        assert_false(goes(66, 64, 64, plain, rule));
    }
}

/* What is chosen among the candidates never changes how a convolution adds up, nor does the batch
 * that a plan is for. */
static void check_choices(const plan_target *target)
{
    uint32_t count = 1;
    for (uint32_t k = 0; k < count; k++) {
        const uint8_t choice = (uint8_t)k;
        const plan_options options = {.target = *target, .choices = &choice, .choice_count = 1};
        single s = checked_make(66, 64, 64, plain, options);
        assert_true(plan_node_is_winograd(s.plan, 0));
        const bool shared = target->broadcasts;
        const plan_step *step =
            find_step(s.plan, shared ? "winograd_product_shared" : "winograd_product");
        assert_true(step->tunable == 0 && step->variant_index == k);
        count = step->variant_count;
        single_free(&s);
    }
    assert_true(count > 1);
}

static void test_choices(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof software / sizeof *software; i++) {
        check_choices(&software[i]);
    }
}

/* --- bands --- */

/* How many; that they follow each other to the end, which is checked. */
static uint32_t count_bands(const plan *p, uint32_t tiles)
{
    uint32_t outputs = 0, next = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *step = &p->steps[i];
        if (strcmp(step->shader, "winograd_output") == 0) {
            struct winograd_output_push push;
            memcpy(&push, step->push, sizeof push);
            assert_int_equal(push.first_tile, next);
            next += push.tiles;
            outputs++;
        }
    }
    assert_int_equal(next, tiles);
    return outputs;
}

/* A large layer's numbers in between stay within a share of the arena, whatever its height. */
static void test_bands(void **state)
{
    (void)state;
    enum { SIDE = 130, MOST_WORDS = 700 * 1024 };
    const plan_options all = {.winograd = WINOGRAD_ALWAYS};
    single s = checked_make(SIDE, 32, 64, plain, all);
    assert_true(count_bands(s.plan, (SIDE + 3) / 4 * ((SIDE + 3) / 4)) > 1);
    const uint64_t maps = (uint64_t)SIDE * (SIDE + 1) * (32 + 64);
    assert_true(s.plan->arena_words <= maps + MOST_WORDS);
    single_free(&s);
}

/* A processor's bands are of whole workgroups where more of those are saved than bands are added;
 * a GPU's are the fewest. */
static void test_whole_bands(void **state)
{
    (void)state;
    enum { SIDE = 112, TILES = 28 * 29, LARGE = 130, LARGE_TILES = 33 * 33 };
    plan_options always = {.winograd = WINOGRAD_ALWAYS, .target = {.vendor = VENDOR_NVIDIA}};
    single saves = checked_make(SIDE, 32, 40, plain, always); /* 252 tiles of room */
    single adds = checked_make(LARGE, 88, 64, plain, always); /* 119 */
    assert_int_equal(count_bands(saves.plan, TILES), 4);
    assert_int_equal(count_bands(adds.plan, LARGE_TILES), 10);
    for (size_t i = 0; i < sizeof software / sizeof *software; i++) {
        always.target = software[i];
        single_plan(&saves, always);
        single_plan(&adds, always);
        assert_int_equal(count_bands(saves.plan, TILES), 5);       /* 13 workgroups instead of 16 */
        assert_int_equal(count_bands(adds.plan, LARGE_TILES), 10); /* not 18 */
    }
    single_free(&saves);
    single_free(&adds);
}

/* --- weights --- */

/* record, bias, [element][input][output block][4] of G g G^T */
static void test_pack(void **state)
{
    (void)state;
    enum { INPUTS = 5, OUTPUTS = 6, DEPTH = 8, LANES = 8 };
    static const double g[6][3] = {
        {64.0 / 81, 0, 0},
        {-128.0 / 243, -32.0 / 81, -8.0 / 27},
        {-128.0 / 243, 32.0 / 81, -8.0 / 27},
        {32.0 / 243, 16.0 / 81, 8.0 / 27},
        {32.0 / 243, -16.0 / 81, 8.0 / 27},
        {0, 0, 1},
    };
    single s = checked_make(6, INPUTS, OUTPUTS, plain, (plan_options){.winograd = WINOGRAD_ALWAYS});
    struct winograd_product_push push;
    memcpy(&push, find_step(s.plan, "winograd_product")->push, sizeof push);
    const node *n = &s.b.g->nodes[0];
    const float *filter = s.b.g->weights[n->weights[0]].data;
    const float *bias = s.b.g->weights[n->weights[1]].data;
    float *words = packed_weights(s.plan);
    const float *at = words + push.branch[0].record + CONV2D_RECORD_WORDS;
    for (uint32_t o = 0; o < LANES; o++) {
        assert_true(*at++ == (o < OUTPUTS ? bias[o] : 0.0f));
    }
    for (uint32_t e = 0; e < WINOGRAD_ELEMENTS; e++) {
        for (uint32_t i = 0; i < DEPTH; i++) {
            for (uint32_t o = 0; o < LANES; o++) {
                double want = 0;
                for (uint32_t t = 0; t < 9 && i < INPUTS && o < OUTPUTS; t++) {
                    want += g[e / 6][t / 3] * g[e % 6][t % 3] *
                            (double)filter[(t * INPUTS + i) * OUTPUTS + o];
                }
                assert_true(fabs((double)*at++ - want) <= 0x1p-23 * fabs(want) + 0x1p-45);
            }
        }
    }
    free(words);
    single_free(&s);
}

/* --- the contract --- */

enum { SIDE = 6, CHANNELS = 12, FILTERS = 5 };

/* B^T and A^T of shaders/winograd.glsl, written out */
static const float source_matrix[6][6] = {
    {1.265625f, 0, -2.8125f, 0, 1, 0},    {0, -1.6875f, -2.25f, 0.75f, 1, 0},
    {0, 1.6875f, -2.25f, -0.75f, 1, 0},   {0, -0.84375f, -0.5625f, 1.5f, 1, 0},
    {0, 0.84375f, -0.5625f, -1.5f, 1, 0}, {0, 1.265625f, 0, -2.8125f, 0, 1},
};
static const float output_matrix[4][6] = {
    {1, 1, 1, 1, 1, 0},
    {0, 0.75f, -0.75f, 1.5f, -1.5f, 0},
    {0, 0.5625f, 0.5625f, 2.25f, 2.25f, 0},
    {0, 0.421875f, -0.421875f, 3.375f, -3.375f, 1},
};

/* rows x rows = left m left^T, plainly, in floats */
static void both_sides(const float *left, uint32_t rows, const float m[36], float *out)
{
    float half[6][6] = {{0}};
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < 6; c++) {
            for (uint32_t k = 0; k < 6; k++) {
                half[r][c] += left[r * 6 + k] * m[k * 6 + c];
            }
        }
    }
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < rows; c++) {
            out[r * rows + c] = 0;
            for (uint32_t k = 0; k < 6; k++) {
                out[r * rows + c] += half[r][k] * left[c * 6 + k];
            }
        }
    }
}

/* The valid convolution of a 6x6 map, a 4x4 tile, from the packed weights; no activation. */
static void float_winograd(const float *input, const float *packed, float *out)
{
    enum { DEPTH = (CHANNELS + 3) / 4 * 4, LANES = (FILTERS + 3) / 4 * 4 };
    float v[CHANNELS][36];
    for (uint32_t c = 0; c < CHANNELS; c++) {
        float d[36];
        for (uint32_t i = 0; i < 36; i++) {
            d[i] = input[i * CHANNELS + c];
        }
        both_sides(&source_matrix[0][0], 6, d, v[c]);
    }
    for (uint32_t f = 0; f < FILTERS; f++) {
        float m[36] = {0}, y[16];
        for (uint32_t e = 0; e < 36; e++) {
            for (uint32_t c = 0; c < CHANNELS; c++) {
                m[e] += v[c][e] * packed[LANES + (e * DEPTH + c) * LANES + f];
            }
        }
        both_sides(&output_matrix[0][0], 4, m, y);
        for (uint32_t i = 0; i < 16; i++) {
            out[i * FILTERS + f] = y[i] + packed[f];
        }
    }
}

typedef struct comparison {
    builder b;
    preprocess pre;
    plan *plan;
    reference_values values, bound;
    float *packed, *filter;
    uint32_t record;
} comparison;

/* inputs and weights that are no round numbers */
static void comparison_make(comparison *c, uint64_t seed)
{
    error err = {0};
    test_random r = test_random_seed(seed);
    *c = (comparison){.b = builder_make(seed, SIDE, SIDE, CHANNELS)};
    int out = build_conv(&c->b, c->b.g->input, FILTERS,
                         (conv_options){.kernel = 3, .valid = true, .bias = true});
    builder_outputs(&c->b, 1, &out);
    graph *g = c->b.g;
    const node *n = &g->nodes[0];
    float *filter = malloc(shape_elements(g->weights[n->weights[0]].shape) * sizeof(float));
    assert_non_null(filter);
    for (size_t i = 0; i < shape_elements(g->weights[n->weights[0]].shape); i++) {
        filter[i] = test_random_float(&r, -1.0f, 1.0f);
    }
    g->weights[n->weights[0]].data = c->filter = filter;
    c->pre = preprocess_for(g);
    c->plan = make_plan(g, &c->pre, NULL, (plan_options){.winograd = WINOGRAD_ALWAYS});
    c->packed = packed_weights(c->plan);
    struct winograd_product_push push;
    memcpy(&push, find_step(c->plan, "winograd_product")->push, sizeof push);
    c->record = push.branch[0].record;
    assert_status_ok(reference_values_create(g, &allocator_default, &c->values, &err), err);
    assert_status_ok(reference_values_create(g, &allocator_default, &c->bound, &err), err);
    for (size_t i = 0; i < SIDE * SIDE * CHANNELS; i++) {
        c->values.data[g->input][i] = test_random_float(&r, -4.0f, 4.0f);
    }
}

static void comparison_free(comparison *c)
{
    free(c->filter);
    free(c->packed);
    reference_values_destroy(&c->values);
    reference_values_destroy(&c->bound);
    plan_destroy(c->plan);
    graph_destroy(c->b.g);
}

/* the largest share of its bound that an element of `got` is off by */
static double worst(const comparison *c, const float *got)
{
    const int v = c->b.g->outputs[0];
    double most = 0;
    for (size_t i = 0; i < 16 * FILTERS; i++) {
        most = fmax(most, fabs((double)got[i] - (double)c->values.data[v][i]) /
                              (double)c->bound.data[v][i]);
    }
    return most;
}

static void test_contract(void **state)
{
    (void)state;
    enum { TRIALS = 20 };
    double most = 0;
    for (uint64_t seed = 1; seed <= TRIALS; seed++) {
        error err = {0};
        comparison c;
        float got[16 * FILTERS];
        comparison_make(&c, seed);
        const int v = c.b.g->outputs[0];
        assert_status_ok(reference_run_node(c.b.g, 0, &c.values, &c.bound, &err), err);
        const float direct = c.bound.data[v][0];
        assert_status_ok(reference_run_winograd(c.b.g, 0, 0, &c.values, &c.bound, &err), err);
        /* wider than that of adding up, and not without end */
        assert_true(c.bound.data[v][0] > direct && c.bound.data[v][0] < 1000 * direct);
        float_winograd(c.values.data[c.b.g->input], c.packed + c.record + CONV2D_RECORD_WORDS, got);
        const double share = worst(&c, got);
        most = fmax(most, share);
        assert_true(share <= 1);
        /* one input that is off by an eighth is not */
        c.values.data[c.b.g->input][(SIDE * 2 + 2) * CHANNELS] += 0.125f;
        float_winograd(c.values.data[c.b.g->input], c.packed + c.record + CONV2D_RECORD_WORDS, got);
        assert_true(worst(&c, got) > 1);
        comparison_free(&c);
    }
    assert_true(most > 1e-4); /* the bound is no empty word */
}

static void test_refusals(void **state)
{
    (void)state;
    error err = {0};
    comparison c;
    comparison_make(&c, 1);
    assert_int_equal(reference_run_winograd(c.b.g, 1, 0, &c.values, &c.bound, &err),
                     STATUS_ARGUMENT);
    comparison_free(&c);
    builder b = builder_make(1, 4, 4, 4);
    int out = build_activation(&b, b.g->input, ACTIVATION_RELU);
    builder_outputs(&b, 1, &out);
    reference_values v;
    assert_status_ok(reference_values_create(b.g, &allocator_default, &v, &err), err);
    assert_int_equal(reference_run_winograd(b.g, 0, 0, &v, &v, &err), STATUS_ARGUMENT);
    assert_non_null(strstr(err.text, "no convolution"));
    reference_values_destroy(&v);
    graph_destroy(b.g);
}

/* every allocation of the bounds fails once, and nothing is lost */
static void test_memory(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        error err = {0};
        test_allocator t;
        comparison c;
        comparison_make(&c, 1);
        test_allocator_init(&t, n);
        const allocator own = c.values.alloc;
        c.values.alloc = t.alloc;
        const status s = reference_run_winograd(c.b.g, 0, 0, &c.values, &c.bound, &err);
        failed = t.failed;
        assert_int_equal(s, failed ? STATUS_MEMORY : STATUS_OK);
        assert_int_equal(t.live, 0);
        c.values.alloc = own;
        comparison_free(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which),    cmocka_unit_test(test_choices),
        cmocka_unit_test(test_bands),    cmocka_unit_test(test_whole_bands),
        cmocka_unit_test(test_pack),     cmocka_unit_test(test_contract),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
