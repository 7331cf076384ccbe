/* Allocation helpers with checked sizes, and regions. */
#include "engine/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *user, size_t size)
{
    (void)user;
    return malloc(size);
}

static void default_release(void *user, void *memory)
{
    (void)user;
    free(memory);
}

const allocator allocator_default = {default_allocate, default_release, NULL};

bool checked_add(size_t a, size_t b, size_t *sum)
{
    if (a > SIZE_MAX - b) {
        return false;
    }
    *sum = a + b;
    return true;
}

bool checked_multiply(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b) {
        return false;
    }
    *product = a * b;
    return true;
}

void *memory_allocate(const allocator *a, size_t count, size_t size)
{
    size_t bytes;
    if (!checked_multiply(count, size, &bytes) || bytes == 0) {
        return NULL;
    }
    void *memory = a->allocate(a->user, bytes);
    if (memory) {
        memset(memory, 0, bytes);
    }
    return memory;
}

void memory_release(const allocator *a, void *memory)
{
    if (memory) {
        a->release(a->user, memory);
    }
}

bool memory_grow(const allocator *a, void **array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity) {
        return true;
    }
    size_t larger = *capacity < 8 ? 8 : *capacity;
    while (larger < needed) {
        if (larger > SIZE_MAX / 2) {
            return false;
        }
        larger *= 2;
    }
    void *memory = memory_allocate(a, larger, size);
    if (!memory) {
        return false;
    }
    if (*array) {
        memcpy(memory, *array, *capacity * size);
        memory_release(a, *array);
    }
    *array = memory;
    *capacity = larger;
    return true;
}

/* A region is a list of blocks; large requests get a block of their own. */
enum { REGION_BLOCK = 16384 };

typedef struct block {
    struct block *next;
    size_t used, capacity;
} block;

/* keeps what follows a block header aligned for any type */
#define BLOCK_HEADER ((sizeof(block) + 15u) & ~(size_t)15u)

struct region {
    allocator alloc;
    block *blocks;
};

region *region_create(const allocator *a)
{
    region *r = memory_allocate(a, 1, sizeof *r);
    if (r) {
        r->alloc = *a;
    }
    return r;
}

void region_destroy(region *r)
{
    if (!r) {
        return;
    }
    allocator a = r->alloc;
    for (block *b = r->blocks; b;) {
        block *next = b->next;
        memory_release(&a, b);
        b = next;
    }
    memory_release(&a, r);
}

void *region_allocate(region *r, size_t count, size_t size)
{
    size_t bytes, padded;
    if (!checked_multiply(count, size, &bytes) || !checked_add(bytes, 15, &padded)) {
        return NULL;
    }
    padded &= ~(size_t)15;
    block *b = r->blocks;
    if (!b || b->capacity - b->used < padded) {
        size_t capacity = padded > REGION_BLOCK ? padded : REGION_BLOCK, total;
        if (!checked_add(capacity, BLOCK_HEADER, &total)) {
            return NULL;
        }
        b = memory_allocate(&r->alloc, 1, total);
        if (!b) {
            return NULL;
        }
        b->capacity = capacity;
        b->next = r->blocks;
        r->blocks = b;
    }
    void *memory = (char *)b + BLOCK_HEADER + b->used;
    b->used += padded;
    return memory;
}

char *region_string(region *r, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = region_allocate(r, size, 1);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

char *region_format(region *r, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : region_allocate(r, (size_t)length + 1, 1);
    if (text) {
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

const allocator *region_allocator(const region *r)
{
    return &r->alloc;
}
