/* Convolutions as matrix products, as far as a plan decides them: which targets get them and which
 * tiles, how many workgroups a batch takes, where packed weights lie (by an index formula of its
 * own), and what may be off in sums on matrix units. */
#include "tests/engine/single_conv.h"

#include "engine/half.h"
#include "engine/reference.h"
#include "shaders/interface.h"

static const conv_options plain = {.kernel = 3, .bias = true};

static plan_target gpu(uint32_t m, uint32_t n, uint32_t k)
{
    return (plan_target){.max_invocations = 1024,
                         .max_shared_bytes = 49152,
                         .vendor = VENDOR_NVIDIA,
                         .subgroup_size = 32,
                         .has_fp16 = true,
                         .matrix = {m, n, k, "conv2d_matrix_nv"}};
}

static void plan_again(single *s, plan_options options, uint8_t choice)
{
    options.choices = &choice;
    options.choice_count = 1;
    single_plan(s, options);
}

static bool is_matrix(const plan_step *s)
{
    return strncmp(s->shader, "conv2d_matrix", 13) == 0;
}

/* --- candidates --- */

/* how many candidates the convolution has whose module's name begins so */
static uint32_t count_of(single *s, plan_options options, const char *module)
{
    uint32_t count = 0, all = 1;
    for (uint32_t k = 0; k < all; k++) {
        plan_again(s, options, (uint8_t)k);
        const plan_step *step = single_step(s->plan);
        all = step->variant_count;
        count += strncmp(step->shader, module, strlen(module)) == 0;
        assert_int_equal(step->matrix_sums, is_matrix(step));
        assert_int_equal(plan_value_on_matrices(s->plan, s->b.g->outputs[0]), is_matrix(step));
        assert_false(plan_value_on_matrices(s->plan, s->b.g->input));
        check_plan(s->plan);
    }
    return count;
}

static void test_targets(void **state)
{
    (void)state;
    plan_options o = {.target = gpu(16, 16, 16), .precision = PLAN_FP16, .batch = 8};
    single s = single_make(20, 32, 64, plain, o);
    const uint32_t all = count_of(&s, o, "conv2d_matrix");
    assert_true(all >= 4);
    assert_true(count_of(&s, o, "conv2d_gemm") >= 3);
    plan_again(&s, o, 0);
    assert_true(is_matrix(single_step(s.plan)));

    plan_options other = o;
    other.target.vendor = VENDOR_SOFTWARE; /* there, but not the default */
    assert_true(count_of(&s, other, "conv2d_matrix") > 0);
    plan_again(&s, other, 0);
    assert_string_equal(single_step(s.plan)->shader, "conv2d_half");

    other = o;
    other.precision = PLAN_FP32;
    assert_int_equal(count_of(&s, other, "conv2d_matrix"), 0);
    const plan_target without[] = {
        {.max_invocations = 1024, .vendor = VENDOR_NVIDIA, .subgroup_size = 32},
        gpu(0, 0, 0),
        gpu(16, 16, 4),  /* a row of the factor must be 16 bytes at least */
        gpu(16, 16, 24), /* divides no slice */
        gpu(16, 6, 16),
    };
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        other = o;
        other.target = without[i];
        assert_int_equal(count_of(&s, other, "conv2d_matrix"), 0);
    }
    other = o;
    other.target.subgroup_size = 0;
    assert_int_equal(count_of(&s, other, "conv2d_matrix"), 0);
    other = o;
    other.target.matrix.shader = NULL;
    assert_int_equal(count_of(&s, other, "conv2d_matrix"), 0);
    other = o;
    other.target.max_shared_bytes = 16384; /* leaves the small ones */
    const uint32_t small = count_of(&s, other, "conv2d_matrix");
    assert_true(small > 0 && small < all);
    single_free(&s);
}

/* What the tile of a plan keeps in shared memory, as shaders/conv2d_matrix.comp declares it. */
static uint32_t shared_bytes(const plan_step *s)
{
    const uint32_t *c = s->constants;
    const uint32_t rows = c[SPEC_GEMM_ROWS], depth = c[SPEC_GEMM_DEPTH], n = c[SPEC_MATRIX_N];
    const uint32_t side_by_side = c[SPEC_MATRIX_SUB_COLUMNS] / n % 2 == 0 ? 2 : 1;
    return rows * 8 + rows * 4 + (c[SPEC_CONV2D_POOL] ? rows / 4 : 1) * 4 +
           2 * rows * (depth / 8 + 1) * 16 +
           c[SPEC_MATRIX_SUBGROUPS] * c[SPEC_MATRIX_M] * (side_by_side * n + 4) * 4;
}

/* Every tile is whole in every way that its kernel counts on. */
static void test_tiles(void **state)
{
    (void)state;
    static const uint32_t shapes[][4] = {/* m, n, k, subgroup */
                                         {16, 16, 16, 32}, {16, 16, 16, 64}, {8, 16, 16, 16},
                                         {8, 8, 8, 8},     {16, 8, 16, 32},  {64, 16, 32, 32}};
    static const plan_vendor vendors[] = {VENDOR_NVIDIA, VENDOR_AMD, VENDOR_SOFTWARE};
    for (size_t i = 0; i < 3 * sizeof shapes / sizeof *shapes; i++) {
        const uint32_t *m = shapes[i / 3];
        plan_options o = {.target = gpu(m[0], m[1], m[2]), .precision = PLAN_FP16};
        o.target.vendor = vendors[i % 3];
        o.target.subgroup_size = m[3];
        single s = single_make(9, 24, 129, plain, o);
        uint32_t all = 1, seen = 0;
        for (uint32_t k = 0; k < all; k++) {
            plan_again(&s, o, (uint8_t)k);
            const plan_step *step = single_step(s.plan);
            const uint32_t *c = step->constants;
            all = step->variant_count;
            if (!is_matrix(step)) {
                continue;
            }
            seen++;
            assert_int_equal(c[0], c[SPEC_MATRIX_SUBGROUPS] * m[3]);
            assert_true(c[0] <= o.target.max_invocations && c[1] == 1 && c[2] == 1);
            assert_int_equal(c[SPEC_GEMM_ROWS] % c[SPEC_MATRIX_SUB_ROWS], 0);
            assert_int_equal(c[SPEC_GEMM_COLUMNS] % c[SPEC_MATRIX_SUB_COLUMNS], 0);
            assert_int_equal(c[SPEC_GEMM_ROWS] / c[SPEC_MATRIX_SUB_ROWS] * c[SPEC_GEMM_COLUMNS] /
                                 c[SPEC_MATRIX_SUB_COLUMNS],
                             c[SPEC_MATRIX_SUBGROUPS]);
            assert_int_equal(c[SPEC_MATRIX_SUB_ROWS] % m[0], 0);
            assert_int_equal(c[SPEC_MATRIX_SUB_COLUMNS] % m[1], 0);
            assert_int_equal(c[SPEC_GEMM_DEPTH] % m[2], 0);
            assert_int_equal(c[0] % (c[SPEC_GEMM_DEPTH] / 4), 0);
            assert_true(shared_bytes(step) <= o.target.max_shared_bytes);
            assert_int_equal(c[SPEC_MATRIX_EIGHTS], 1);
        }
        assert_true(seen > 0);
        single_free(&s);
    }
}

/* Small maps of a batch of one want small tiles, large batches the large ones. */
static void test_batch(void **state)
{
    (void)state;
    plan_options o = {.target = gpu(16, 16, 16), .precision = PLAN_FP16, .batch = 1};
    single s = single_make(9, 64, 64, plain, o);
    const uint32_t *c = single_step(s.plan)->constants;
    assert_true(c[SPEC_GEMM_ROWS] * c[SPEC_GEMM_COLUMNS] <= 64 * 32);
    o.batch = 1024;
    plan_again(&s, o, 0);
    c = single_step(s.plan)->constants;
    assert_true(c[SPEC_GEMM_ROWS] * c[SPEC_GEMM_COLUMNS] >= 128 * 64);
    single_free(&s);
    o.batch = 1;
    s = single_make(9, 12, 64, plain, o); /* three blocks: in fours */
    assert_int_equal(single_step(s.plan)->constants[SPEC_MATRIX_EIGHTS], 0);
    single_free(&s);
}

/* --- workgroups --- */

static void test_groups(void **state)
{
    (void)state;
    plan_options o = {.target = gpu(16, 16, 16), .precision = PLAN_FP16};
    const uint32_t most[][3] = {{65535, 65535, 65535}, {7, 9, 1}, {1, 3, 4}};
    for (size_t i = 0; i < sizeof most / sizeof *most; i++) {
        single s = single_make(5, 16, 16, plain, o);
        plan *p = s.plan;
        memcpy(p->options.target.max_groups, most[i], sizeof most[i]);
        const plan_step *step = single_step(p);
        assert_int_equal(step->rows, 30);
        for (uint32_t batch = 1; batch <= 200; batch++) {
            uint32_t groups[3];
            const uint64_t tiles = ((uint64_t)step->rows * batch + step->tile_rows - 1) /
                                   step->tile_rows * step->row_groups;
            const bool good = plan_step_groups(p, step, batch, groups);
            const bool possible = tiles <= (uint64_t)most[i][0] * most[i][1];
            assert_int_equal(good, possible);
            if (good) {
                const uint64_t all = (uint64_t)groups[0] * groups[1];
                assert_true(groups[2] == 1 && all >= tiles && all - tiles < groups[1]);
                assert_true(groups[0] <= most[i][0] && groups[1] <= most[i][1]);
            }
        }
        step = find_step(p, "preprocess"); /* the images are the third dimension */
        uint32_t groups[3];
        const bool fits = step->groups[0] <= most[i][0] && step->groups[1] <= most[i][1];
        assert_int_equal(plan_step_groups(p, step, most[i][2], groups), fits);
        assert_int_equal(groups[2], most[i][2]);
        assert_false(plan_step_groups(p, step, most[i][2] + 1, groups));
        single_free(&s);
    }
}

/* --- packing --- */

static float half_at(const float *words, uint64_t at)
{
    uint32_t word;
    memcpy(&word, words + at / 2, sizeof word);
    return half_to_float((uint16_t)(word >> at % 2 * 16));
}

/* shaders/conv2d_matrix.comp: record, bias [blocks][4], matrices [column][depth][N][K] */
static void check_matrix_pack(const single *s)
{
    const plan_step *step = single_step(s->plan);
    const uint32_t *c = step->constants;
    const graph *g = s->b.g;
    struct conv2d_gemm_push push;
    memcpy(&push, step->push, sizeof push);
    float *words = packed_weights(s->plan);
    const weight *filter = &g->weights[g->nodes[0].weights[0]];
    const weight *bias = &g->weights[g->nodes[0].weights[1]];
    const uint32_t taps = filter->shape.dim[0] * filter->shape.dim[1];
    const uint32_t inputs = filter->shape.dim[2], outputs = filter->shape.dim[3];
    const uint32_t n = c[SPEC_MATRIX_N], k = c[SPEC_MATRIX_K], blocks = (inputs + 3) / 4;
    const uint32_t slices = (taps * blocks * 4 + c[SPEC_GEMM_DEPTH] - 1) / c[SPEC_GEMM_DEPTH];
    const uint32_t depth = slices * c[SPEC_GEMM_DEPTH];
    const uint32_t columns =
        (outputs + c[SPEC_GEMM_COLUMNS] - 1) / c[SPEC_GEMM_COLUMNS] * c[SPEC_GEMM_COLUMNS];
    const float *record = words + push.branch[0].record;
    struct conv2d_record r;
    memcpy(&r, record, sizeof r);
    assert_int_equal(r.channels, outputs);
    assert_int_equal(c[SPEC_GEMM_INPUT_BLOCKS], blocks);
    assert_int_equal(push.column_groups, columns / c[SPEC_GEMM_COLUMNS]);
    const float *at = record + CONV2D_RECORD_WORDS;
    for (uint32_t o = 0; o < (outputs + 3) / 4 * 4; o++) {
        assert_true(at[o] == (o < outputs ? bias->data[o] : 0.0f));
    }
    const float *halves = at + (outputs + 3) / 4 * 4;
    assert_int_equal((halves - words) % 4, 0);
    assert_true((uint64_t)(halves - words) + (uint64_t)depth * columns / 2 <=
                s->plan->weight_words);
    for (uint32_t column = 0; column < columns; column++) {
        for (uint32_t d = 0; d < depth; d++) {
            const uint32_t tap = d / (blocks * 4), input = d % (blocks * 4);
            const bool real = column < outputs && tap < taps && input < inputs;
            const float want = real ? filter->data[(tap * inputs + input) * outputs + column] : 0;
            const uint64_t matrix = (uint64_t)(column / n) * (depth / k) + d / k;
            const float got = half_at(halves, matrix * n * k + column % n * k + d % k);
            assert_true(got == want);
        }
    }
    free(words);
}

static void test_pack(void **state)
{
    (void)state;
    static const uint32_t channels[][2] = {{3, 6}, {8, 16}, {12, 40}, {33, 130}, {64, 1}};
    static const uint32_t shapes[][3] = {{16, 16, 16}, {8, 8, 8}, {16, 8, 8}, {8, 16, 16}};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        plan_options o = {.precision = PLAN_FP16};
        const uint32_t *m = shapes[i % 4];
        o.target = gpu(m[0], m[1], m[2]);
        single s = single_make(5, channels[i][0], channels[i][1],
                               (conv_options){.kernel = i % 2 ? 1 : 3, .bias = true}, o);
        uint32_t all = single_step(s.plan)->variant_count, seen = 0;
        for (uint32_t k = 0; k < all; k++) {
            plan_again(&s, o, (uint8_t)k);
            if (is_matrix(single_step(s.plan))) {
                check_matrix_pack(&s);
                seen++;
            }
        }
        assert_true(seen > 0);
        single_free(&s);
    }
}

/* --- the contract --- */

static void test_bound(void **state)
{
    (void)state;
    const uint64_t counts[] = {3, 29, 290, 4610, 1u << 20};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const double sums = reference_gamma(counts[i]);
        float bound = nextafterf((float)sums, INFINITY);
        reference_widen_for_matrices(&bound, 1);
        assert_true((double)bound >= reference_gamma(4 * counts[i]));
        assert_true((double)bound <= 5.0001 * sums);
    }
    float infinite = INFINITY;
    reference_widen_for_matrices(&infinite, 1);
    assert_true(isinf(infinite));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets), cmocka_unit_test(test_tiles), cmocka_unit_test(test_batch),
        cmocka_unit_test(test_groups),  cmocka_unit_test(test_pack),  cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
