/* Names of the files that go into --output: one stem a picture, never the same twice in a run, and
 * never a name that is taken on disk: nothing that exists is ever overwritten. */
#ifndef HOST_CLI_NAMES_H
#define HOST_CLI_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

typedef struct names names;

/* NULL when memory ran out */
names *names_create(const char *folder);
void names_destroy(names *n);

/* The stem for a source: the last part of its path without the ending, with "-2", "-3", ... where
 * an earlier source (or names_reserve) had it. Case is ignored, for file systems that ignore it.
 * Valid until the next call; NULL when memory ran out. */
const char *names_stem(names *n, const char *source_path);
bool names_reserve(names *n, const char *stem);

/* FOLDER/stem.ending, malloc'd; NULL when memory ran out. *reason is not NULL when no file can be
 * made there: something has that name, or there is no memory. */
char *names_file(const names *n, const char *stem, const char *ending, const char **reason);

/* The folder, made with its parents when it does not exist. False: errno tells. */
bool folder_make(const char *path, struct stat *st);

#endif
