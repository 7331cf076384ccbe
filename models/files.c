/* Reading, mapping and atomically writing files. */
#include "models/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static status io_error(const char *path, const char *what, error *err)
{
    char reason[128] = "unknown error";
    int code = errno;
    (void)strerror_r(code, reason, sizeof reason);
    return error_set(err, STATUS_IO, "%s: %s: %s", path, what, reason);
}

/* *descriptor is open on success */
static status open_regular(const char *path, int *descriptor, size_t *size, error *err)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return io_error(path, "cannot open", err);
    }
    if (fstat(fd, &about) != 0) {
        status s = io_error(path, "cannot examine", err);
        (void)close(fd);
        return s;
    }
    if (!S_ISREG(about.st_mode)) {
        (void)close(fd);
        return error_set(err, STATUS_IO, "%s: not a regular file", path);
    }
    *descriptor = fd;
    *size = (size_t)about.st_size;
    return STATUS_OK;
}

/* read until `size` bytes or the end */
static ssize_t read_fully(int fd, unsigned char *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        ssize_t got = read(fd, bytes + used, size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    return (ssize_t)used;
}

status file_read(const allocator *a, const char *path, size_t cap, unsigned char **bytes,
                 size_t *size, error *err)
{
    int fd = -1;
    size_t length = 0;
    status s = open_regular(path, &fd, &length, err);
    if (s != STATUS_OK) {
        return s;
    }
    unsigned char *memory = NULL;
    if (length > cap) {
        s = error_set(err, STATUS_LIMIT, "%s: %zu bytes, at most %zu are read", path, length, cap);
        goto fail;
    }
    memory = memory_allocate(a, length + 1, 1);
    if (!memory) {
        s = error_set(err, STATUS_MEMORY, "%s: out of memory for %zu bytes", path, length);
        goto fail;
    }
    ssize_t got = read_fully(fd, memory, length);
    if (got < 0) {
        s = io_error(path, "cannot read", err);
        goto fail;
    }
    if ((size_t)got < length) {
        s = error_set(err, STATUS_IO, "%s: shrank while it was read", path);
        goto fail;
    }
    (void)close(fd);
    *bytes = memory;
    *size = length;
    return STATUS_OK;
fail:
    memory_release(a, memory);
    (void)close(fd);
    return s;
}

status file_peek(const char *path, unsigned char *bytes, size_t most, size_t *got, bool *there,
                 error *err)
{
    struct stat info;
    *there = lstat(path, &info) == 0;
    *got = 0;
    if (!*there) {
        return errno == ENOENT ? STATUS_OK : io_error(path, "cannot look at it", err);
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(err, STATUS_IO, "%s: exists and is no regular file", path);
    }
    int fd = -1;
    size_t length = 0;
    status s = open_regular(path, &fd, &length, err);
    if (s != STATUS_OK) {
        return s;
    }
    ssize_t count = read_fully(fd, bytes, length < most ? length : most);
    (void)close(fd);
    if (count < 0) {
        return io_error(path, "cannot read", err);
    }
    *got = (size_t)count;
    return STATUS_OK;
}

status file_map(const char *path, void **bytes, size_t *size, error *err)
{
    int fd = -1;
    size_t length = 0;
    status s = open_regular(path, &fd, &length, err);
    if (s != STATUS_OK) {
        return s;
    }
    void *memory = NULL;
    if (length > 0) {
        memory = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
        if (memory == MAP_FAILED) {
            s = io_error(path, "cannot map", err);
            (void)close(fd);
            return s;
        }
    }
    (void)close(fd);
    *bytes = memory;
    *size = length;
    return STATUS_OK;
}

void file_unmap(void *bytes, size_t size)
{
    if (bytes) {
        (void)munmap(bytes, size);
    }
}

bool path_is_inside(const char *relative)
{
    if (relative[0] == 0 || relative[0] == '/' || strchr(relative, '\\')) {
        return false;
    }
    for (const char *part = relative; part;) {
        const char *slash = strchr(part, '/');
        size_t length = slash ? (size_t)(slash - part) : strlen(part);
        if (length == 2 && part[0] == '.' && part[1] == '.') {
            return false;
        }
        part = slash ? slash + 1 : NULL;
    }
    return true;
}

char *path_beside(region *r, const char *path, const char *relative)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - path) + 1 : 0, length, total;
    length = strlen(relative);
    if (!checked_add(folder, length, &total) || !checked_add(total, 1, &total)) {
        return NULL;
    }
    char *joined = region_allocate(r, total, 1);
    if (joined) {
        memcpy(joined, path, folder);
        memcpy(joined + folder, relative, length + 1);
    }
    return joined;
}

/* --- writing --- */

status file_writer_open(file_writer *w, region *r, const char *path, error *err)
{
    enum { ATTEMPTS = 100 };
    *w = (file_writer){.path = path, .folder = path_beside(r, path, "."), .descriptor = -1};
    for (int i = 0; i < ATTEMPTS; i++) {
        char *name = region_format(r, "%s.%ld-%d.part", path, (long)getpid(), i);
        if (!name || !w->folder) {
            return error_set(err, STATUS_MEMORY, "%s: out of memory", path);
        }
        w->descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->descriptor >= 0) {
            w->temporary = name;
            return STATUS_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return io_error(path, "cannot create a file beside it", err);
}

status file_writer_add(file_writer *w, const void *bytes, size_t size, error *err)
{
    const unsigned char *next = bytes;
    while (size > 0) {
        ssize_t wrote = write(w->descriptor, next, size);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote < 0) {
            return io_error(w->path, "cannot write", err);
        }
        next += wrote;
        size -= (size_t)wrote;
    }
    return STATUS_OK;
}

/* The rename is durable once the folder is; a file system that cannot say so is not an error. */
static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

status file_writer_finish(file_writer *w, error *err)
{
    if (fsync(w->descriptor) != 0 && errno != EINVAL && errno != ENOTSUP) {
        return io_error(w->path, "cannot write", err);
    }
    int closed = close(w->descriptor);
    w->descriptor = -1;
    if (closed != 0) {
        return io_error(w->path, "cannot write", err);
    }
    if (rename(w->temporary, w->path) != 0) {
        return io_error(w->path, "cannot rename into place", err);
    }
    w->temporary = NULL;
    sync_folder(w->folder);
    return STATUS_OK;
}

void file_writer_close(file_writer *w)
{
    if (w->temporary) {
        if (w->descriptor >= 0) {
            (void)close(w->descriptor);
        }
        (void)unlink(w->temporary);
    }
    *w = (file_writer){.descriptor = -1};
}
