/* The wrappers. */
#include "tests/cli/failing.h"

#include <stdlib.h>

static bool active, failed;
static size_t count, fail_at;

/* the linker's names for what is wrapped and what it wraps */
void *__real_calloc(size_t number, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t number, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);

void failing_start(size_t at)
{
    active = true;
    failed = false;
    count = 0;
    fail_at = at;
}

bool failing_end(void)
{
    active = false;
    return failed;
}

static bool fails(void)
{
    bool now = active && ++count == fail_at;
    failed = failed || now;
    return now;
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

void *failing_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}
