/* Makes the N-th allocation of the program's own sources fail. Linked with --wrap for calloc,
 * realloc and strdup (CMakeLists.txt), so that only what the test links is counted. */
#ifndef TESTS_CLI_FAILING_H
#define TESTS_CLI_FAILING_H

#include <stdbool.h>
#include <stddef.h>

void failing_start(size_t at); /* 0: count, but fail none */
/* Ends it; whether one failed. */
bool failing_end(void);

void *failing_malloc(size_t size); /* for libraries that can be told */

#endif
