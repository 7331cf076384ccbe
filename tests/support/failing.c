/* The wrappers. */
#include "tests/support/failing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_size_t counted, fail_at; /* fail_at 0: not started */
static atomic_bool has_failed;

/* the linker's names for what it wraps */
void *__real_malloc(size_t size);
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
FILE *__real_open_memstream(char **text, size_t *size);
/* and for the wrappers; visible, since it looks for them from the sanitizer's library too */
#define SEEN __attribute__((visibility("default")))
SEEN void *__wrap_malloc(size_t size);
SEEN void *__wrap_calloc(size_t number, size_t size);
SEEN void *__wrap_realloc(void *memory, size_t size);
SEEN char *__wrap_strdup(const char *text);
SEEN FILE *__wrap_open_memstream(char **text, size_t *size);

void failing_start(size_t at)
{
    atomic_store(&counted, 0);
    atomic_store(&has_failed, false);
    atomic_store(&fail_at, at);
}

bool failing_end(void)
{
    atomic_store(&fail_at, 0);
    return atomic_load(&has_failed);
}

static bool fails(void)
{
    const size_t at = atomic_load(&fail_at);
    const bool now = at != 0 && atomic_fetch_add(&counted, 1) + 1 == at;
    if (now) {
        atomic_store(&has_failed, true);
    }
    return now;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
    return fails() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

FILE *__wrap_open_memstream(char **text, size_t *size)
{
    return fails() ? NULL : __real_open_memstream(text, size);
}

void *failing_malloc(size_t size)
{
    return __wrap_malloc(size);
}

void *unfailing_malloc(size_t size)
{
    return __real_malloc(size);
}
