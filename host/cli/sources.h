/* Sources: what the user named (files, folders, patterns, standard input) as one stream of paths.
 *
 * Nothing is listed ahead but one folder at a time, so that a folder of millions of pictures, or a
 * `find` of them on standard input, starts at once and in bounded memory. */
#ifndef HOST_CLI_SOURCES_H
#define HOST_CLI_SOURCES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct source {
    char *path;   /* malloc'd; the taker frees both */
    char *reason; /* not NULL: there is no picture behind it, and why ("no such file") */
} source;

typedef enum source_outcome { SOURCE_GOT = 0, SOURCE_END, SOURCE_NO_MEMORY } source_outcome;

typedef struct sources sources;

/* operands is borrowed. `skip` (may be NULL) is a folder that walks leave out: the one that
 * output goes to. NULL when memory or file descriptors ran out. */
sources *sources_create(const char *const *operands, int count, const struct stat *skip);
/* Each path is one source, as it is written: no folders, patterns or standard input. */
sources *sources_create_files(const char *const *paths, int count);
void sources_destroy(sources *s);

/* The next one; blocks while standard input has nothing. One thread at a time. */
source_outcome sources_next(sources *s, source *out);
/* Makes sources_next return SOURCE_END from now on, also one that waits for standard input. Any
 * thread, and signal handlers. */
void sources_cancel(sources *s);
/* how many there will be, or 0 when that is not known beforehand */
uint64_t sources_total(const sources *s);

#endif
