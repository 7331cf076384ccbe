/* Cache files that nobody uses any more: each driver and each build of vkdet has files of its own,
 * so that with time a folder fills with those of drivers and builds that are gone.
 *
 * A file is removed when it is one of ours beyond doubt (its name has the very form of the one that
 * was just written, it is a plain file and begins with our magic), belongs to the same device, and
 * was neither written nor read for a month: who reads one sets its time. Another process may do the
 * same at once: one of the two finds nothing left to remove. One that has the file open goes on
 * reading it, one that comes too late builds its pipelines anew. What cannot be looked at or
 * removed stays, and is no error. */
#include "host/vulkan/cache_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAY_SECONDS = 24 * 60 * 60, MAGIC_BYTES = 16 };

void cache_file_used(const char *path)
{
    struct stat st;
    const time_t now = time(NULL);
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && now - st.st_mtime > DAY_SECONDS) {
        (void)utimensat(AT_FDCWD, path, NULL, 0);
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* Whether `name` is `own` with other hexadecimal digits behind the first `fixed` bytes. */
static bool name_alike(const char *name, const char *own, size_t fixed)
{
    const char *end = strrchr(own, '.');
    if (!end || strlen(name) != strlen(own) || strncmp(name, own, fixed) != 0 ||
        strcmp(name, own) == 0) {
        return false;
    }
    for (size_t i = fixed; own[i]; i++) {
        const bool digit = own + i < end && is_hex(own[i]);
        if (digit ? !is_hex(name[i]) : name[i] != own[i]) {
            return false;
        }
    }
    return true;
}

/* A plain file that begins as ours do, untouched since `before`. Nothing but it is opened: a link
 * is not followed, a pipe not waited for. */
static bool is_old(int folder, const char *name, time_t before, const cache_part *magic)
{
    unsigned char begins[MAGIC_BYTES];
    struct stat st;
    if (magic->size > sizeof begins || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(st.st_mode) || st.st_mtime >= before) {
        return false;
    }
    const int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    const bool ours = read(file, begins, magic->size) == (ssize_t)magic->size &&
                      memcmp(begins, magic->bytes, magic->size) == 0;
    (void)close(file);
    return ours;
}

size_t cache_folder_tidy(const char *dir, const char *own, size_t fixed, const cache_part *magic)
{
    size_t removed = 0;
    const time_t before = time(NULL) - (time_t)CACHE_KEPT_DAYS * DAY_SECONDS;
    DIR *d = opendir(dir);
    if (!d) {
        return 0;
    }
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (name_alike(e->d_name, own, fixed) && is_old(dirfd(d), e->d_name, before, magic) &&
            unlinkat(dirfd(d), e->d_name, 0) == 0) {
            removed++;
        }
    }
    (void)closedir(d);
    return removed;
}
