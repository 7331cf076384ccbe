/* Memory: the allocator that every layer is handed, and regions (many small allocations, freed
 * together).
 *
 * No engine code calls malloc. An allocator comes from the caller (the public API passes the user's
 * hooks through), so that a test can make the N-th allocation fail and count what the steady state
 * allocates. */
#ifndef ENGINE_MEMORY_H
#define ENGINE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* allocate returns memory aligned for any type, or NULL; release takes NULL. Both may be called
 * from any thread that uses an object made with this allocator. */
typedef struct allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory);
    void *user;
} allocator;

/* malloc and free. */
extern const allocator allocator_default;

/* count * size bytes, zeroed; NULL when the product overflows, is zero, or the allocator refuses.
 */
void *memory_allocate(const allocator *a, size_t count, size_t size);
void memory_release(const allocator *a, void *memory);

/* Grows an array of `size`-byte elements to hold at least `needed`; *capacity and *array change
 * only on success. New elements are zeroed. False when memory ran out. */
bool memory_grow(const allocator *a, void **array, size_t *capacity, size_t needed, size_t size);

/* false on overflow */
bool checked_add(size_t a, size_t b, size_t *sum);
bool checked_multiply(size_t a, size_t b, size_t *product);

/* A region hands out memory that lives until region_destroy. Not thread-safe. */
typedef struct region region;

/* NULL when memory ran out. The allocator is copied. */
region *region_create(const allocator *a);
void region_destroy(region *r); /* NULL is fine */

/* Zeroed, aligned for any type; NULL when memory ran out or the product overflows. count 0 gives a
 * valid pointer. */
void *region_allocate(region *r, size_t count, size_t size);
char *region_string(region *r, const char *text);
/* printf into the region */
char *region_format(region *r, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
const allocator *region_allocator(const region *r);

#endif
