/* The arena: nothing that lives at the same time overlaps, and little is wasted. */
#include "tests/support/test.h"

#include "engine/plan.h"

enum { MAX_REQUESTS = 60 };

static uint64_t rounded(uint64_t words)
{
    return (words + PLAN_ALIGN_WORDS - 1) / PLAN_ALIGN_WORDS * PLAN_ALIGN_WORDS;
}

/* words that are live at the busiest level: no placement needs less */
static uint64_t peak(const arena_request *r, size_t count)
{
    uint64_t most = 0;
    for (size_t i = 0; i < count; i++) { /* the peak begins where some request begins */
        uint64_t live = 0;
        for (size_t k = 0; k < count; k++) {
            if (r[k].first_level <= r[i].first_level && r[k].last_level >= r[i].first_level) {
                live += rounded(r[k].words);
            }
        }
        most = live > most ? live : most;
    }
    return most;
}

static void check_placement(const arena_request *r, size_t count, uint64_t total, uint64_t seed)
{
    uint64_t furthest = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t end = r[i].offset + rounded(r[i].words);
        assert_int_equal(r[i].offset % PLAN_ALIGN_WORDS, 0);
        furthest = end > furthest ? end : furthest;
        sum += rounded(r[i].words);
        for (size_t k = 0; k < i; k++) {
            bool together =
                r[i].first_level <= r[k].last_level && r[k].first_level <= r[i].last_level;
            bool apart = end <= r[k].offset || r[k].offset + rounded(r[k].words) <= r[i].offset;
            if (together && !apart) {
                fail_msg("seed %llu: requests %zu and %zu overlap", (unsigned long long)seed, k, i);
            }
        }
    }
    assert_int_equal(total, furthest);
    assert_true(total <= sum);
    assert_true(total >= peak(r, count));
}

static size_t random_requests(test_random *random, arena_request *r)
{
    size_t count = 1 + test_random_u32(random) % MAX_REQUESTS;
    uint32_t levels = 1 + test_random_u32(random) % 40, length = 1 + test_random_u32(random) % 8;
    for (size_t i = 0; i < count; i++) {
        uint32_t first = test_random_u32(random) % levels;
        uint32_t scale = test_random_u32(random) % 20;
        r[i] = (arena_request){.words = test_random_u32(random) % (2u << scale),
                               .first_level = first,
                               .last_level = first + test_random_u32(random) % length,
                               .offset = UINT64_MAX};
    }
    return count;
}

static void test_random_sets(void **state)
{
    (void)state;
    double ratio_sum = 0.0, worst = 0.0;
    enum { ROUNDS = 5000 };
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        test_random random = test_random_seed(seed);
        arena_request r[MAX_REQUESTS], again[MAX_REQUESTS];
        size_t count = random_requests(&random, r);
        memcpy(again, r, sizeof r);
        uint64_t total = 0, total_again = 0;
        error err = {0};
        assert_status_ok(arena_place(&allocator_default, r, count, &total, &err), err);
        check_placement(r, count, total, seed);
        assert_status_ok(arena_place(&allocator_default, again, count, &total_again, &err), err);
        assert_int_equal(total, total_again);
        assert_memory_equal(r, again, count * sizeof *r);
        uint64_t least = peak(r, count);
        double ratio = least ? (double)total / (double)least : 1.0;
        ratio_sum += ratio;
        worst = ratio > worst ? ratio : worst;
    }
    print_message("seeds 1 to %d: %.4f of the lower bound on average, %.3f at worst\n", ROUNDS,
                  ratio_sum / ROUNDS, worst);
    assert_true(ratio_sum / ROUNDS < 1.05);
    assert_true(worst < 1.6);
}

/* A chain of layers, each of which reads the one before: two neighbours at a time are enough. */
static void test_chain_alternates(void **state)
{
    (void)state;
    arena_request r[50];
    uint64_t total;
    error err = {0};
    for (uint32_t i = 0; i < 50; i++) {
        r[i] = (arena_request){.words = 640, .first_level = i, .last_level = i + 1};
    }
    assert_status_ok(arena_place(&allocator_default, r, 50, &total, &err), err);
    assert_int_equal(total, 1280);
}

static void test_edges(void **state)
{
    (void)state;
    error err = {0};
    uint64_t total = 7;
    assert_status_ok(arena_place(&allocator_default, NULL, 0, &total, &err), err);
    assert_int_equal(total, 0);

    arena_request empty = {.words = 0, .offset = 9};
    assert_status_ok(arena_place(&allocator_default, &empty, 1, &total, &err), err);
    assert_int_equal(total, 0);
    assert_int_equal(empty.offset, 0);

    arena_request backwards = {.words = 1, .first_level = 2, .last_level = 1};
    total = 7;
    assert_int_equal(arena_place(&allocator_default, &backwards, 1, &total, &err), STATUS_ARGUMENT);
    assert_int_equal(total, 7);

    arena_request huge = {.words = UINT64_MAX};
    assert_int_equal(arena_place(&allocator_default, &huge, 1, &total, &err), STATUS_LIMIT);
    arena_request two[] = {{.words = UINT64_MAX / 2 + 1}, {.words = UINT64_MAX / 2 + 1}};
    assert_int_equal(arena_place(&allocator_default, two, 2, &total, &err), STATUS_LIMIT);
}

static void test_memory_failures(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        arena_request r[] = {{.words = 100}, {.words = 200}};
        uint64_t total;
        error err = {0};
        status s = arena_place(&t.alloc, r, 2, &total, &err);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_int_equal(s, STATUS_OK);
            assert_true(n > 1);
            return;
        }
        assert_int_equal(s, STATUS_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_sets),
        cmocka_unit_test(test_chain_alternates),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_memory_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
