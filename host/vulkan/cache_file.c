/* Reading and writing files that are kept between runs. */
#include "host/vulkan/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void bytes_put(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        to[i] = (unsigned char)(number >> (8 * i));
    }
}

uint64_t bytes_get(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number |= (uint64_t)from[i] << (8 * i);
    }
    return number;
}

uint64_t bytes_hash(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ b[i]) * 0x100000001b3u;
    }
    return hash;
}

/* Anything may lie under the name: a pipe without a writer is not waited for. NULL with errno. */
static FILE *file_open(const char *path)
{
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "rb");
    if (fd >= 0 && !f) {
        const int error_number = errno;
        (void)close(fd);
        errno = error_number;
    }
    return f;
}

status cache_file_read(const allocator *a, const char *path, uint64_t max_bytes,
                       unsigned char **bytes, size_t *size, const char **reason, error *err)
{
    *bytes = NULL;
    *size = 0;
    *reason = NULL;
    struct stat st;
    FILE *f = file_open(path);
    if (!f) {
        *reason = errno == ENOENT ? NULL : strerror(errno);
        return STATUS_OK;
    }
    status s = STATUS_OK;
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        (uint64_t)st.st_size > max_bytes) {
        *reason = "it is no file of ours";
        goto done;
    }
    *size = (size_t)st.st_size;
    *bytes = memory_allocate(a, *size, 1);
    if (!*bytes) {
        s = error_set(err, STATUS_MEMORY, "%s: out of memory for %zu bytes", path, *size);
        goto done;
    }
    if (fread(*bytes, 1, *size, f) != *size) {
        *reason = "it cannot be read";
        memory_release(a, *bytes);
        *bytes = NULL;
    }
done:
    (void)fclose(f);
    return s;
}

/* mkdir -p with 0700; an errno */
static int directories_make(const allocator *a, const char *dir)
{
    const size_t size = strlen(dir) + 1;
    char *part = memory_allocate(a, size, 1);
    if (!part) {
        return ENOMEM;
    }
    memcpy(part, dir, size);
    int error_number = 0;
    for (size_t i = 1; i <= size - 1 && !error_number; i++) {
        if (part[i] == '/' || part[i] == 0) {
            const char kept = part[i];
            part[i] = 0;
            if (mkdir(part, 0700) != 0 && errno != EEXIST && errno != EISDIR) {
                error_number = errno;
            }
            part[i] = kept;
        }
    }
    memory_release(a, part);
    return error_number;
}

bool cache_folder_ready(const allocator *a, const char *dir)
{
    return directories_make(a, dir) == 0 && access(dir, W_OK | X_OK) == 0;
}

/* to a file of a name of its own; an errno */
static int temporary_write(int fd, const cache_part *parts, size_t part_count)
{
    FILE *f = fdopen(fd, "wb");
    if (!f) {
        const int error_number = errno;
        (void)close(fd);
        return error_number;
    }
    errno = EIO;
    bool written = true;
    for (size_t i = 0; i < part_count && written; i++) {
        written = fwrite(parts[i].bytes, 1, parts[i].size, f) == parts[i].size;
    }
    written = written && fflush(f) == 0;
    int error_number = written ? 0 : errno;
    if (fclose(f) != 0 && !error_number) {
        error_number = errno;
    }
    return error_number;
}

int cache_file_write(const allocator *a, const char *dir, const char *path, const cache_part *parts,
                     size_t part_count)
{
    static const char suffix[] = ".XXXXXX";
    int error_number = directories_make(a, dir);
    if (error_number) {
        return error_number;
    }
    const size_t length = strlen(path);
    char *temporary = memory_allocate(a, length + sizeof suffix, 1);
    if (!temporary) {
        return ENOMEM;
    }
    memcpy(temporary, path, length);
    memcpy(temporary + length, suffix, sizeof suffix);
    const int fd = mkstemp(temporary);
    error_number = fd < 0 ? errno : temporary_write(fd, parts, part_count);
    if (!error_number && rename(temporary, path) != 0) {
        error_number = errno;
    }
    if (error_number && fd >= 0) {
        (void)unlink(temporary);
    }
    memory_release(a, temporary);
    return error_number;
}
