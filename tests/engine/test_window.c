/* Convolutions from a patch of the source on cooperative matrices, as far as a plan decides them:
 * which convolutions and targets get them, what their tiles take of a device, where packed weights
 * lie (by an index formula of its own). */
#include "tests/engine/single_conv.h"

#include "engine/half.h"
#include "engine/passes.h"
#include "shaders/interface.h"

static const conv_options plain = {.kernel = 3, .bias = true};

static plan_target gpu(uint32_t m, uint32_t n, uint32_t k, uint32_t subgroup)
{
    return (plan_target){.max_invocations = 1024,
                         .max_shared_bytes = 49152,
                         .vendor = VENDOR_NVIDIA,
                         .subgroup_size = subgroup,
                         .has_fp16 = true,
                         .matrix = {m, n, k, "conv2d_matrix_nv", "conv2d_window_nv"}};
}

static bool is_window(const plan_step *s)
{
    return strcmp(s->shader, "conv2d_window_nv") == 0;
}

typedef void (*check)(const single *s, const plan_options *o);

/* Every window among the convolution's candidates, and how many there are. */
static uint32_t for_windows(single *s, plan_options o, check call)
{
    uint32_t all = 1, seen = 0;
    for (uint32_t k = 0; k < all; k++) {
        const uint8_t choice = (uint8_t)k;
        o.choices = &choice;
        o.choice_count = 1;
        single_plan(s, o);
        check_plan(s->plan);
        const plan_step *step = single_step(s->plan);
        all = step->variant_count;
        if (is_window(step)) {
            seen++;
            assert_true(step->matrix_sums);
            if (call) {
                call(s, &o);
            }
        }
    }
    return seen;
}

static uint32_t windows_of(uint32_t side, uint32_t inputs, uint32_t outputs, conv_options of,
                           plan_options o)
{
    single s = single_make(side, inputs, outputs, of, o);
    const uint32_t seen = for_windows(&s, o, NULL);
    single_free(&s);
    return seen;
}

/* --- candidates --- */

static void test_targets(void **state)
{
    (void)state;
    const plan_options o = {.target = gpu(16, 16, 16, 32), .precision = PLAN_FP16, .batch = 8};
    plan_options other = o;
    const uint32_t all = windows_of(20, 32, 64, plain, o);
    assert_true(all >= 3);
    assert_true(windows_of(20, 3, 16, (conv_options){.kernel = 3, .stride = 2}, o) > 0);
    assert_int_equal(windows_of(20, 32, 64, (conv_options){.kernel = 1}, o), 0);
    assert_int_equal(windows_of(20, 32, 64, (conv_options){.kernel = 3, .dilation = 2}, o), 0);
    assert_int_equal(windows_of(20, 32, 64, (conv_options){.kernel = 3, .groups = 2}, o), 0);
    assert_int_equal(windows_of(20, 1024, 64, plain, o), 0); /* no memory for its channels */
    other.precision = PLAN_FP32;
    assert_int_equal(windows_of(20, 32, 64, plain, other), 0);
    other = o;
    other.target.matrix.window_shader = NULL;
    assert_int_equal(windows_of(20, 32, 64, plain, other), 0);
    other = o;
    other.target.subgroup_size = 0;
    assert_int_equal(windows_of(20, 32, 64, plain, other), 0);
    other = o;
    other.target.max_shared_bytes = 16384;
    const uint32_t small = windows_of(20, 32, 64, plain, other);
    assert_true(small > 0 && small <= all);
}

/* First where most of what it multiplies is of the map; and never on a processor's driver. */
static void test_first(void **state)
{
    (void)state;
    plan_options o = {.target = gpu(16, 16, 16, 32), .precision = PLAN_FP16, .batch = 256};
    single s = single_make(40, 32, 64, plain, o);
    assert_true(is_window(single_step(s.plan)));
    o.target.vendor = VENDOR_SOFTWARE;
    single_plan(&s, o);
    assert_string_equal(single_step(s.plan)->shader, "conv2d_half");
    assert_true(for_windows(&s, o, NULL) > 0);
    single_free(&s);
    o.target.vendor = VENDOR_NVIDIA;
    s = single_make(2, 32, 64, plain, o);
    assert_false(is_window(single_step(s.plan)));
    single_free(&s);
}

/* A pool is computed before the activation, so it must keep the order of what it is given. */
static void test_pool(void **state)
{
    (void)state;
    static const struct {
        activation act;
        bool keeps;
    } cases[] = {
        {{ACTIVATION_LINEAR, 0, 0, INFINITY}, true},
        {{ACTIVATION_RELU, 0.25f, 0.5f, 6}, true},
        {{ACTIVATION_RELU, -0.25f, 0, INFINITY}, false},
        {{ACTIVATION_RELU, 0, -1, INFINITY}, false},
        {{ACTIVATION_RELU, 0, 1, 0.5f}, false},
        {{ACTIVATION_SWISH, 0, 0, INFINITY}, false},
        {{ACTIVATION_TANH, 0, 0, INFINITY}, false},
    };
    const plan_options o = {.target = gpu(16, 16, 16, 32), .precision = PLAN_FP16, .batch = 256};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        error err = {0};
        single s = {.b = builder_make(7, 40, 41, 32)};
        int out = build_conv(&s.b, s.b.g->input, 64, plain);
        s.b.g->nodes[0].act[0] = cases[i].act;
        out = build_pool(&s.b, OP_MAX_POOL, out, 2, true);
        builder_outputs(&s.b, 1, &out);
        assert_status_ok(passes_run(s.b.g, &err), err);
        assert_int_equal(s.b.g->node_count, 1);
        s.pre = preprocess_for(s.b.g);
        single_plan(&s, o);
        assert_int_equal(is_window(single_step(s.plan)), cases[i].keeps);
        if (cases[i].keeps) {
            assert_true(for_windows(&s, o, NULL) >= 3);
        }
        single_free(&s);
    }
}

/* --- tiles --- */

static uint32_t ceil_of(uint32_t a, uint32_t b)
{
    return (a + b - 1) / b;
}

/* What a workgroup keeps in shared memory, as shaders/conv2d_window.comp declares it: without a
 * pool a cell is a pixel. */
static uint32_t shared_bytes(const uint32_t *c)
{
    const uint32_t m = c[SPEC_MATRIX_M], n = c[SPEC_MATRIX_N], k = c[SPEC_MATRIX_K];
    const uint32_t narrow = c[SPEC_WINDOW_NARROW];
    const uint32_t kernel_h = c[SPEC_CONV2D_KERNEL_H], kernel_w = c[SPEC_CONV2D_KERNEL_W];
    const uint32_t step_h = c[SPEC_CONV2D_STRIDE_H], step_w = c[SPEC_CONV2D_STRIDE_W];
    const uint32_t deep = ceil_of(c[SPEC_WINDOW_INPUT_BLOCKS] * 4, k);
    const uint32_t beyond = narrow ? ceil_of(kernel_w * 4, k) * k / 8 - 1 : (kernel_w - 1) / step_w;
    const uint32_t pitch = c[SPEC_WINDOW_TILE_W] + beyond;
    const uint32_t rows = c[SPEC_WINDOW_TILE_H] + (kernel_h - 1) / step_h;
    const uint32_t cells = ceil_of(c[SPEC_WINDOW_TILE_H] * pitch, c[SPEC_WINDOW_SUB_ROWS] * m) *
                           c[SPEC_WINDOW_SUB_ROWS] * m;
    const uint32_t last = cells + (kernel_h - 1) / step_h * pitch + beyond;
    const uint32_t places = (step_h * (narrow ? 1 : step_w) - 1) * pitch * rows +
                            (last > pitch * rows ? last : pitch * rows);
    const uint32_t side_by_side = c[SPEC_WINDOW_SUB_COLUMNS] % 2 == 0 ? 2 : 1;
    return places * (narrow ? 1 : deep * k / 8 + 1) * 16 +
           c[SPEC_MATRIX_SUBGROUPS] * m * (side_by_side * n / 4 + 1) * 16;
}

static void check_tile(const single *s, const plan_options *o)
{
    const plan_step *step = single_step(s->plan);
    const uint32_t *c = step->constants;
    struct conv2d_window_push push;
    memcpy(&push, step->push, sizeof push);
    assert_int_equal(c[0], c[SPEC_MATRIX_SUBGROUPS] * o->target.subgroup_size);
    assert_true(c[0] <= o->target.max_invocations && c[1] == 1 && c[2] == 1);
    assert_int_equal(c[SPEC_WINDOW_COLUMNS] % (c[SPEC_WINDOW_SUB_COLUMNS] * c[SPEC_MATRIX_N]), 0);
    assert_true(shared_bytes(c) <= o->target.max_shared_bytes);
    const uint32_t tiles = ceil_of(push.width, c[SPEC_WINDOW_TILE_W]) *
                           ceil_of(push.height, c[SPEC_WINDOW_TILE_H]) * push.column_groups;
    assert_int_equal(push.tiles_x, ceil_of(push.width, c[SPEC_WINDOW_TILE_W]));
    assert_true(step->rows == 0 && step->groups[2] == 1);
    assert_true(step->groups[0] * step->groups[1] >= tiles &&
                step->groups[0] * step->groups[1] - tiles < step->groups[1]);
}

/* --- packing --- */

static float half_at(const float *words, uint64_t at)
{
    uint32_t word;
    memcpy(&word, words + at / 2, sizeof word);
    return half_to_float((uint16_t)(word >> at % 2 * 16));
}

/* [column of matrices][kernel row][step along it][K at a time][N][K]; the depth of a matrix is a
 * pixel's channels, or with NARROW the four channels of pixels side by side */
static void check_pack(const single *s, const plan_options *o)
{
    (void)o;
    const plan_step *step = single_step(s->plan);
    const uint32_t *c = step->constants;
    const graph *g = s->b.g;
    struct conv2d_window_push push;
    memcpy(&push, step->push, sizeof push);
    float *words = packed_weights(s->plan);
    const weight *filter = &g->weights[g->nodes[0].weights[0]];
    const uint32_t height = filter->shape.dim[0], width = filter->shape.dim[1];
    const uint32_t inputs = filter->shape.dim[2], outputs = filter->shape.dim[3];
    const uint32_t n = c[SPEC_MATRIX_N], k = c[SPEC_MATRIX_K], narrow = c[SPEC_WINDOW_NARROW];
    const uint32_t steps = narrow ? ceil_of(4 * width, k) : width;
    const uint32_t deep = narrow ? 1 : ceil_of((inputs + 3) / 4 * 4, k);
    const uint32_t columns = push.column_groups * c[SPEC_WINDOW_COLUMNS];
    const float *halves =
        words + push.branch[0].record + CONV2D_RECORD_WORDS + (outputs + 3) / 4 * 4;
    assert_true((uint64_t)(halves - words) + (uint64_t)height * steps * deep * k * columns / 2 <=
                s->plan->weight_words);
    const uint64_t all = (uint64_t)columns / n * height * steps * deep * n * k;
    for (uint64_t i = 0; i < all; i++) {
        const uint32_t within = (uint32_t)(i % k), own = (uint32_t)(i / k % n);
        const uint64_t matrix = i / k / n;
        const uint32_t d = (uint32_t)(matrix % deep), x = (uint32_t)(matrix / deep % steps);
        const uint32_t y = (uint32_t)(matrix / deep / steps % height);
        const uint32_t column = (uint32_t)(matrix / deep / steps / height) * n + own;
        const uint32_t input = narrow ? (x * k + within) % 4 : d * k + within;
        const uint32_t tap = narrow ? (x * k + within) / 4 : x;
        const bool real = column < outputs && input < inputs && tap < width;
        const uint64_t at = ((uint64_t)(y * width + tap) * inputs + input) * outputs + column;
        assert_true(half_at(halves, i) == (real ? filter->data[at] : 0.0f));
    }
    free(words);
}

static void check_all(const single *s, const plan_options *o)
{
    check_tile(s, o);
    check_pack(s, o);
}

static void test_tiles(void **state)
{
    (void)state;
    static const uint32_t shapes[][4] = {/* m, n, k, subgroup */
                                         {16, 16, 16, 32}, {16, 16, 16, 64}, {8, 16, 16, 16},
                                         {8, 8, 8, 8},     {16, 8, 16, 32},  {64, 16, 32, 32}};
    static const plan_vendor vendors[] = {VENDOR_NVIDIA, VENDOR_AMD, VENDOR_SOFTWARE};
    static const uint32_t channels[][2] = {{3, 40}, {24, 130}, {8, 16}};
    for (size_t i = 0; i < 3 * sizeof shapes / sizeof *shapes; i++) {
        const uint32_t *m = shapes[i / 3];
        plan_options o = {.target = gpu(m[0], m[1], m[2], m[3]), .precision = PLAN_FP16};
        o.target.vendor = vendors[i % 3];
        for (size_t k = 0; k < 3; k++) {
            const conv_options of = {.kernel = 3, .stride = k == 1 ? 1 : 2, .bias = true};
            single s = single_make(11, channels[k][0], channels[k][1], of, o);
            const uint32_t seen = for_windows(&s, o, check_all);
            assert_true(seen > 0 || m[0] * m[1] > 256); /* too many sums for a lane */
            single_free(&s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_tiles),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
