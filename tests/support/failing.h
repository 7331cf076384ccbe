/* Makes the N-th allocation of a test's own sources fail, in whichever thread it is made. The
 * linker puts it before malloc, calloc, realloc, strdup and open_memstream (vkdet_test_failing in
 * tests/CMakeLists.txt), for what the program links itself and no library that it loads. */
#ifndef TESTS_SUPPORT_FAILING_H
#define TESTS_SUPPORT_FAILING_H

#include <stdbool.h>
#include <stddef.h>

/* Counts from 1; while others allocate, too. */
void failing_start(size_t at);
/* Ends it; whether one failed. */
bool failing_end(void);

void *failing_malloc(size_t size);   /* for libraries that can be told */
void *unfailing_malloc(size_t size); /* for the test itself, and not counted */

#endif
