/* Reads an encoded picture from a path: regular files only, no larger than the cap, and never a
 * wait on a pipe or a device. */
#include "host/image/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static status system_error(error *err, const char *what, int code)
{
    char reason[128];
    if (strerror_r(code, reason, sizeof reason) != 0) {
        reason[0] = '\0';
    }
    return error_set(err, STATUS_IO, "%s: %s", what, reason);
}

static const char *kind_name(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a device"
                            : "no regular file";
}

/* *bytes may hold less than the file's size when the file shrinks meanwhile. */
static status file_read(const allocator *a, int file, uint64_t max_bytes, unsigned char **bytes,
                        size_t *size, error *err)
{
    struct stat st;
    if (fstat(file, &st) != 0) {
        return system_error(err, "cannot be examined", errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return error_set(err, STATUS_IO, "this is %s, not a file", kind_name(st.st_mode));
    }
    if (st.st_size <= 0) {
        return error_set(err, STATUS_IMAGE, "empty: there are no bytes");
    }
    if ((uint64_t)st.st_size > max_bytes || (uint64_t)st.st_size > SIZE_MAX) {
        return error_set(err, STATUS_LIMIT, "%llu bytes exceed the limit of %llu",
                         (unsigned long long)st.st_size, (unsigned long long)max_bytes);
    }
    unsigned char *memory = memory_allocate(a, (size_t)st.st_size, 1);
    if (!memory) {
        return error_set(err, STATUS_MEMORY, "out of memory for a file of %llu bytes",
                         (unsigned long long)st.st_size);
    }
    size_t used = 0;
    while (used < (size_t)st.st_size) {
        const ssize_t got = read(file, memory + used, (size_t)st.st_size - used);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            const int code = errno;
            memory_release(a, memory);
            return system_error(err, "cannot be read", code);
        }
        if (got == 0) {
            break;
        }
        used += (size_t)got;
    }
    *bytes = memory;
    *size = used;
    return STATUS_OK;
}

/* Puts the path in front of the log line of a partial picture. */
typedef struct named_log {
    const logger *log;
    const char *path;
} named_log;

static void write_named(void *user, vkdet_log_level level, const char *id, const char *message)
{
    const named_log *named = user;
    error line; /* its formatting keeps a path with control characters on one line */
    (void)error_set(&line, STATUS_OK, "%s: %s", named->path, message);
    named->log->write(named->log->user, level, id, line.text);
}

status image_load(const allocator *a, const logger *log, const char *path,
                  const image_limits *limits, image *out, error *err)
{
    const uint64_t max_bytes =
        limits && limits->max_file_bytes ? limits->max_file_bytes : IMAGE_DEFAULT_MAX_FILE_BYTES;
    unsigned char *bytes = NULL;
    size_t size = 0;
    status s;
    /* not blocking: opening a pipe that nobody writes to must return */
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file < 0) {
        s = system_error(err, "cannot be opened", errno);
    } else {
        s = file_read(a, file, max_bytes, &bytes, &size, err);
        (void)close(file);
    }
    if (s == STATUS_OK) {
        named_log named = {log, path};
        const bool heard = log && log->write;
        const logger wrapped = {heard ? write_named : NULL, &named,
                                heard ? log->level : VKDET_LOG_ERROR};
        s = image_decode(a, &wrapped, bytes, size, limits, out, err);
    }
    memory_release(a, bytes);
    if (s != STATUS_OK) {
        (void)error_prefix(err, "%s: ", path);
    }
    return s;
}
