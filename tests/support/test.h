/* What every test file includes first: cmocka in the order it wants, and the few helpers that all
 * tests share. */
#ifndef TESTS_SUPPORT_TEST_H
#define TESTS_SUPPORT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs the four headers above */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/memory.h"
#include "engine/status.h"

/* Skips the running test, saying by name what was missing, unless TEST_DATA_DIR/relative exists;
 * else its full path in a static buffer. */
#define REQUIRE_DATA(relative) test_data_or_skip(__func__, relative)
const char *test_data_path(const char *relative); /* NULL when it does not exist */

#define test_data_or_skip(test, relative)                                                          \
    (test_data_path(relative)                                                                      \
         ? test_data_path(relative)                                                                \
         : (printf("SKIPPED %s: needs %s (VKDET_TEST_DATA)\n", test, relative), skip(),            \
            (const char *)NULL))

/* xorshift generator with a printed seed; the same on every machine */
typedef struct test_random {
    uint64_t state;
} test_random;
test_random test_random_seed(uint64_t seed);
uint32_t test_random_u32(test_random *r);
float test_random_float(test_random *r, float low, float high);

/* An allocator that counts, tracks what is live, and fails the N-th allocation (0: never). */
typedef struct test_allocator {
    allocator alloc; /* hand this out; the struct must not move afterwards */
    size_t allocations, live, fail_at;
    bool failed;
} test_allocator;
void test_allocator_init(test_allocator *t, size_t fail_at);

/* A folder and all that is in it, links not followed; 0, or -1 when something stays. */
int test_remove_folder(const char *path);

/* Whole file into malloc'd memory (terminated by one zero byte); NULL when it cannot be read. */
unsigned char *test_read_file(const char *path, size_t *size);

#define assert_status_ok(call, err)                                                                \
    do {                                                                                           \
        status assert_status_ = (call);                                                            \
        if (assert_status_ != STATUS_OK) {                                                         \
            fail_msg("%s: %s", status_name(assert_status_), (err).text);                           \
        }                                                                                          \
    } while (0)

#endif
