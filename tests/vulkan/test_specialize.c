/* Modules with their constants written in: every built-in one, and a small one whose values are
 * known. (test_kernels runs a network of such modules.) */
#include "tests/support/test.h"

#include "host/vulkan/specialize.h"

enum { SPEC_ID = 1, DECORATE = 71, FIRST_SPEC = 48, LAST_SPEC = 52 };

/* nothing is left to specialize, and the instructions fill the module */
static void assert_constant(const char *name, const uint32_t *code, size_t words)
{
    size_t at = 5;
    while (at < words) {
        const uint32_t kind = code[at] & 0xffffu, length = code[at] >> 16;
        assert_true(length > 0);
        const bool special = (kind >= FIRST_SPEC && kind <= LAST_SPEC) ||
                             (kind == DECORATE && code[at + 2] == SPEC_ID);
        if (special) {
            fail_msg("%s: instruction %u is left at word %zu", name, kind, at);
        }
        at += length;
    }
    assert_int_equal(at, words);
}

static void test_every_module(void **state)
{
    (void)state;
    static const uint32_t values[] = {32, 2, 1}; /* the workgroup's size; the rest as it is */
    for (size_t i = 0; i < shader_count; i++) {
        const shader *m = &shader_table[i];
        for (uint32_t count = 0; count <= 3; count += 3) {
            size_t bytes = 0;
            uint32_t *code = specialize(&allocator_default, m, values, count, &bytes);
            assert_non_null(code);
            assert_memory_equal(code, m->code, 5 * sizeof *code);
            /* how long a matrix is the driver alone knows */
            if (!strstr(m->name, "_nv") && !strstr(m->name, "_khr")) {
                assert_constant(m->name, code, bytes / sizeof *code);
            }
            memory_release(&allocator_default, code);
        }
    }
}

enum { UINT = 1, BOOL, A, B, YES, TRIPLE_TYPE, TRIPLE, RESULTS };

/* a = 12 unless given, b = 5, yes = true, and one more a `operation` */
static size_t small_module(uint32_t *out, const uint32_t *operation, uint32_t operands, bool truth)
{
    /* clang-format off */
    const uint32_t head[] = {
        0x07230203, 0x10300, 0, RESULTS + 1, 0,
        4u << 16 | DECORATE, A, SPEC_ID, 0,
        4u << 16 | DECORATE, B, SPEC_ID, 1,
        4u << 16 | DECORATE, YES, SPEC_ID, 2,
        4u << 16 | 21, UINT, 32, 0, /* types: uint, bool, uvec3 */
        2u << 16 | 20, BOOL,
        4u << 16 | 23, TRIPLE_TYPE, UINT, 3,
        4u << 16 | 50, UINT, A, 12,
        4u << 16 | 50, UINT, B, 5,
        3u << 16 | 48, BOOL, YES,
        6u << 16 | 51, TRIPLE_TYPE, TRIPLE, A, B, A,
        (4 + operands) << 16 | 52, truth ? BOOL : UINT, RESULTS,
    };
    /* clang-format on */
    memcpy(out, head, sizeof head);
    memcpy(out + sizeof head / 4, operation, (1 + operands) * 4ul);
    return sizeof head / 4 + 1 + operands;
}

/* what the last instruction then says: a number, or the instruction's own for true and false */
static uint32_t computed(const uint32_t *operation, uint32_t operands, bool truth,
                         const uint32_t *values, uint32_t count)
{
    uint32_t code[64];
    const shader module = {"small", code, 4 * small_module(code, operation, operands, truth)};
    size_t bytes = 0;
    uint32_t *out = specialize(&allocator_default, &module, values, count, &bytes);
    assert_non_null(out);
    const size_t words = bytes / sizeof *out;
    assert_constant("small", out, words);
    const uint32_t *last = out + words - (truth ? 3 : 4);
    assert_int_equal(last[1], truth ? BOOL : UINT);
    assert_int_equal(last[2], RESULTS);
    const uint32_t answer = truth ? *last & 0xffffu : last[3];
    memory_release(&allocator_default, out);
    return answer;
}

static void test_values(void **state)
{
    (void)state;
    enum { TRUE = 41, FALSE = 42 };
    static const struct {
        uint32_t operation[4], operands, expected;
        bool truth;
    } all[] = {
        {{128, A, B}, 2, 17, false},      {{130, A, B}, 2, 7, false},
        {{132, A, B}, 2, 60, false},      {{134, A, B}, 2, 2, false},
        {{137, A, B}, 2, 2, false},       {{194, A, B}, 2, 0, false},
        {{196, A, B}, 2, 384, false},     {{197, A, B}, 2, 13, false},
        {{199, A, B}, 2, 4, false},       {{169, YES, A, B}, 3, 12, false},
        {{81, TRIPLE, 1}, 2, 5, false},   {{170, A, B}, 2, FALSE, true},
        {{171, A, B}, 2, TRUE, true},     {{172, A, B}, 2, TRUE, true},
        {{174, A, A}, 2, TRUE, true},     {{176, A, B}, 2, FALSE, true},
        {{178, A, A}, 2, TRUE, true},     {{166, YES, YES}, 2, TRUE, true},
        {{167, YES, YES}, 2, TRUE, true}, {{168, YES}, 1, FALSE, true},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_int_equal(computed(all[i].operation, all[i].operands, all[i].truth, NULL, 0),
                         all[i].expected);
    }
    const uint32_t given[] = {100, 7, 0};
    assert_int_equal(computed((uint32_t[]){130, A, B}, 2, false, given, 2), 93);
    assert_int_equal(computed((uint32_t[]){130, A, B}, 2, false, given, 1), 95);
    assert_int_equal(computed((uint32_t[]){169, YES, A, B}, 3, false, given, 3), 7);
    assert_int_equal(computed((uint32_t[]){81, TRIPLE, 1}, 2, false, given, 3), 7);
}

/* What cannot be computed stays as it was. */
static void test_left(void **state)
{
    (void)state;
    static const uint32_t left[][4] = {{134, A, B}, {137, A, B}, {196, A, TRIPLE}, {200, A, B}};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        const uint32_t zero[] = {1, 0};
        uint32_t code[64];
        const size_t words = small_module(code, left[i], 2, false);
        const shader module = {"small", code, 4 * words};
        size_t bytes = 0;
        uint32_t *out = specialize(&allocator_default, &module, zero, 2, &bytes);
        assert_non_null(out);
        assert_memory_equal(out + bytes / 4 - 6, code + words - 6, 6 * 4);
        memory_release(&allocator_default, out);
    }
}

static void test_memory(void **state)
{
    (void)state;
    size_t bytes = 0;
    for (size_t i = 1; i <= 3; i++) {
        test_allocator t;
        test_allocator_init(&t, i);
        assert_null(specialize(&t.alloc, &shader_table[0], NULL, 0, &bytes));
        assert_int_equal(t.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_module),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
