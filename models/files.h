/* Files of the models room: read whole, named safely, written beside and renamed. */
#ifndef MODELS_FILES_H
#define MODELS_FILES_H

#include "engine/memory.h"
#include "engine/status.h"

#include <stdbool.h>
#include <stddef.h>

/* The whole file from a (one zero byte after it, not counted). Refuses what is no regular file and
 * more than cap bytes. Messages begin with the path. */
status file_read(const allocator *a, const char *path, size_t cap, unsigned char **bytes,
                 size_t *size, error *err);
/* The first bytes of a regular file, as many as there are up to `most`; *there is false when
 * nothing has that name. A symbolic link, device, pipe or folder is STATUS_IO. */
status file_peek(const char *path, unsigned char *bytes, size_t most, size_t *got, bool *there,
                 error *err);
/* Maps a regular file for reading; *bytes is NULL for an empty one. */
status file_map(const char *path, void **bytes, size_t *size, error *err);
void file_unmap(void *bytes, size_t size);

/* A path that names something inside the folder it is relative to: not empty, not absolute, no
 * "..", no backslash. */
bool path_is_inside(const char *relative);
/* "folder of `path`" joined with `relative`; from r */
char *path_beside(region *r, const char *path, const char *relative);

/* A file that appears under its name only when it is complete. */
typedef struct file_writer {
    const char *path; /* borrowed */
    char *folder, *temporary;
    int descriptor;
} file_writer;
status file_writer_open(file_writer *w, region *r, const char *path, error *err);
status file_writer_add(file_writer *w, const void *bytes, size_t size, error *err);
/* flushes to the disk and renames */
status file_writer_finish(file_writer *w, error *err);
/* closes, and removes what is unfinished; fine after finish and on a zeroed writer */
void file_writer_close(file_writer *w);

#endif
