/* The loops of every instruction set that this CPU has: against plain arithmetic, at lengths around
 * the vectors', and bfloat16 over every upper half there is. */
#include "tests/cpu/rig.h"

enum { SEED = 20261124, MOST = 83 };

static const loops *sets[3];
static size_t set_count;

static void find_sets(void)
{
    sets[set_count++] = &loops_base;
#if defined(VKDET_CPU_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) {
        sets[set_count++] = &loops_avx2;
    }
    if (loops_pick() == &loops_avx512) {
        sets[set_count++] = &loops_avx512;
    }
#endif
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* every bf16 number survives the way there and back, and what lies between goes to the nearer one,
 * the middle to the even one */
static void test_bf16(void **state)
{
    (void)state;
    enum { ALL = 65536 };
    uint16_t *halves = malloc(ALL * sizeof *halves), *back = malloc(ALL * sizeof *back);
    float *floats = malloc(ALL * sizeof *floats);
    assert_true(halves && back && floats);
    for (uint32_t i = 0; i < ALL; i++) {
        halves[i] = (uint16_t)i;
    }
    for (size_t s = 0; s < set_count; s++) {
        sets[s]->to_float(halves, floats, ALL);
        sets[s]->to_bf16(floats, back, ALL);
        for (uint32_t i = 0; i < ALL; i++) {
            assert_int_equal(bits_of(floats[i]), i << 16);
            const bool nan = (i & 0x7fffu) > 0x7f80u;
            assert_int_equal(back[i], nan ? i | 0x40u : i);
        }
        static const struct {
            uint32_t low;
            uint32_t up_even, up_odd;
        } betweens[] = {{0x7fff, 0, 0}, {0x8000, 0, 1}, {0x8001, 1, 1}};
        for (size_t b = 0; b < 3; b++) {
            for (uint32_t i = 0; i < ALL; i++) {
                floats[i] = float_of(i << 16 | betweens[b].low);
            }
            sets[s]->to_bf16(floats, back, ALL);
            for (uint32_t i = 0; i < ALL; i++) {
                if ((i & 0x7f80u) != 0x7f80u) {
                    const uint32_t up = i & 1 ? betweens[b].up_odd : betweens[b].up_even;
                    assert_int_equal(back[i], i + up);
                } else {
                    assert_true((back[i] & 0x7fffu) > 0x7f80u); /* still no number */
                }
            }
        }
    }
    free(halves);
    free(back);
    free(floats);
}

/* in bits, for these are the same operations in the same order */
static void test_sets_agree(void **state)
{
    (void)state;
    test_random random = test_random_seed(SEED);
    float a[MOST + 1], b[MOST + 1], c[MOST + 1], want[MOST + 1], got[MOST + 1];
    for (int i = 0; i <= MOST; i++) {
        a[i] = test_random_float(&random, -3.0f, 3.0f);
        b[i] = test_random_float(&random, -3.0f, 3.0f);
        c[i] = test_random_float(&random, -3.0f, 3.0f);
    }
    typedef void (*pair)(const float *, const float *, float *, size_t);
    for (size_t s = 1; s < set_count; s++) {
        const loops *x = sets[s], *y = &loops_base;
        const pair pairs[][2] = {{x->add, y->add},
                                 {x->multiply, y->multiply},
                                 {x->prelu, y->prelu},
                                 {x->add_products, y->add_products}};
        for (size_t n = 0; n <= MOST; n++) {
            for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
                memcpy(want, c, sizeof want);
                memcpy(got, c, sizeof got);
                pairs[k][0](a, b, got, n);
                pairs[k][1](a, b, want, n);
                assert_memory_equal(got, want, sizeof got); /* nothing behind n was touched */
            }
            memcpy(want, c, sizeof want);
            memcpy(got, c, sizeof got);
            x->scale_shift(a, b, c, got, n);
            y->scale_shift(a, b, c, want, n);
            assert_memory_equal(got, want, sizeof got);
            x->blend(a, b, 0.3f, got, n);
            y->blend(a, b, 0.3f, want, n);
            x->larger(a, got, n);
            y->larger(a, want, n);
            assert_memory_equal(got, want, sizeof got);
        }
    }
}

static void test_pool(void **state)
{
    (void)state;
    enum { CELLS = 5 };
    test_random random = test_random_seed(SEED);
    for (size_t channels = 1; channels <= MOST; channels += 9) {
        float rows[2][2 * CELLS * MOST], out[CELLS * MOST];
        uint16_t halves[2][2 * CELLS * MOST], half_out[CELLS * MOST];
        for (size_t i = 0; i < 2 * CELLS * channels; i++) {
            for (int r = 0; r < 2; r++) {
                rows[r][i] = float_of(bits_of(test_random_float(&random, -3, 3)) & 0xffff0000u);
                halves[r][i] = (uint16_t)(bits_of(rows[r][i]) >> 16);
            }
        }
        for (size_t s = 0; s < set_count; s++) {
            sets[s]->pool_2x2(rows[0], rows[1], out, CELLS, channels);
            sets[s]->pool_2x2_bf16(halves[0], halves[1], half_out, CELLS, channels);
            for (size_t i = 0; i < CELLS * channels; i++) {
                const size_t at = i / channels * 2 * channels + i % channels;
                const float want = fmaxf(fmaxf(rows[0][at], rows[0][at + channels]),
                                         fmaxf(rows[1][at], rows[1][at + channels]));
                assert_true(out[i] == want);
                assert_int_equal(half_out[i], bits_of(want) >> 16);
            }
        }
    }
}

/* far ends, infinities and NaN of every activation; the middle is the operators' test */
static void test_activations(void **state)
{
    (void)state;
    static const float ends[] = {-INFINITY, -1e30f, -200.0f, 200.0f, 1e30f, INFINITY};
    static const float want[ACTIVATION_COUNT][6] = {
        [ACTIVATION_LINEAR] = {-INFINITY, -1e30f, -200, 200, 1e30f, INFINITY},
        [ACTIVATION_RELU] = {0, 0, 0, 6, 6, 6},
        [ACTIVATION_SIGMOID] = {0, 0, 0, 1, 1, 1},
        [ACTIVATION_TANH] = {-1, -1, -1, 1, 1, 1},
        [ACTIVATION_ELU] = {-1, -1, -1, 200, 1e30f, INFINITY},
        [ACTIVATION_HARD_SIGMOID] = {0, 0, 0, 1, 1, 1},
    };
    for (size_t s = 0; s < set_count; s++) {
        for (int k = 0; k < ACTIVATION_COUNT; k++) {
            activation act = {(activation_kind)k, k == ACTIVATION_ELU ? 1.0f : 0.0f, 0, 6};
            float x[7];
            memcpy(x, ends, sizeof ends);
            x[6] = NAN;
            sets[s]->activate(&act, x, 7);
            for (int i = 0; k != ACTIVATION_SWISH && i < 6; i++) {
                if (!(fabsf(x[i] - want[k][i]) < 1e-30f || x[i] == want[k][i])) {
                    fail_msg("%s: %s(%g) is %g", sets[s]->isa, activation_name(act.kind),
                             (double)ends[i], (double)x[i]);
                }
            }
            assert_true(k == ACTIVATION_HARD_SIGMOID || isnan(x[6]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_sets_agree),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_activations),
    };
    find_sets();
    print_message("seed %d, %zu instruction sets\n", SEED, set_count);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
