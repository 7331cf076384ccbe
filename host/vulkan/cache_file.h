/* Files that are kept between runs of a program, and what their layouts have in common. Such a
 * file is a convenience: whoever reads one checks every byte of it and can do without, and a new
 * one is written beside it and renamed over it, so that readers see the one or the other. */
#ifndef HOST_VULKAN_CACHE_FILE_H
#define HOST_VULKAN_CACHE_FILE_H

#include "engine/memory.h"
#include "engine/status.h"

/* little-endian numbers of 1 to 8 bytes */
void bytes_put(unsigned char *to, uint64_t number, size_t bytes);
uint64_t bytes_get(const unsigned char *from, size_t bytes);
/* FNV-1a; `hash` is BYTES_HASH_SEED, or what came before */
#define BYTES_HASH_SEED 0xcbf29ce484222325u
uint64_t bytes_hash(uint64_t hash, const void *bytes, size_t size);

/* The whole file, released with memory_release. *bytes is NULL when there is none (*reason NULL
 * too) or it cannot be read (*reason says why): what is no plain file is neither read nor waited
 * for. Fails for want of memory alone. */
status cache_file_read(const allocator *a, const char *path, uint64_t max_bytes,
                       unsigned char **bytes, size_t *size, const char **reason, error *err);

typedef struct cache_part {
    const unsigned char *bytes;
    size_t size;
} cache_part;
/* Makes the folder where there is none. An errno, 0 when it was written. */
int cache_file_write(const allocator *a, const char *dir, const char *path, const cache_part *parts,
                     size_t part_count);
/* Whether a file could be written there: the folder is made. */
bool cache_folder_ready(const allocator *a, const char *dir);

/* --- cache_tidy.c --- */
enum { CACHE_KEPT_DAYS = 30 };
/* Sets the file's time, when it is more than a day old: it is in use. Cannot fail. */
void cache_file_used(const char *path);
/* Removes from the folder what is named like `own` but for hexadecimal digits behind its first
 * `fixed` bytes, begins with `magic` (16 bytes at most) and has not been used for CACHE_KEPT_DAYS.
 * How many there were; what cannot be removed stays. */
size_t cache_folder_tidy(const char *dir, const char *own, size_t fixed, const cache_part *magic);

#endif
