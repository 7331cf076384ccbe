/* Expands operands into paths: folders are walked (sorted, known endings), patterns matched, `-`
 * read line by line. */
#include "host/cli/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    MAX_DEPTH = 256, /* of folders in folders */
    MAX_LINE = 4097, /* bytes of a path on standard input: no longer one can be opened */
    READ_BLOCK = 64 * 1024
};

typedef struct folder {
    char *path;
    struct dirent **entries; /* sorted by name */
    int count, next;
} folder;

struct sources {
    const char *const *operands;
    int operand_count, next_operand;
    uint64_t total;
    dev_t skip_device;
    ino_t skip_inode;
    bool has_skip;
    bool literal; /* operands are files and nothing else */

    bool walk_empty; /* nothing has come out of the folder operand so far */
    int depth;
    folder stack[MAX_DEPTH];

    glob_t matches;
    size_t next_match;
    bool has_matches;

    bool reading, input_ended; /* standard input */
    bool line_too_long;
    int input_error;       /* errno of the read that ended it, or 0 */
    atomic_bool cancelled; /* by sources_cancel, which also writes to the pipe */
    int cancel[2];
    size_t line_used, block_used, block_next;
    char line[MAX_LINE];
    char block[READ_BLOCK];
};

static bool is_picture_name(const char *name)
{
    static const char *const endings[] = {"jpg", "jpeg", "jpe", "png", "webp", "bmp",
                                          "gif", "tga",  "ppm", "pgm", "pbm",  "pnm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++) {
        if (strcasecmp(dot + 1, endings[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Operands that are plain files can be counted at once; anything else cannot. */
static uint64_t count_plain(const char *const *operands, int count)
{
    for (int i = 0; i < count; i++) {
        struct stat st;
        if (strcmp(operands[i], "-") == 0 || stat(operands[i], &st) != 0 || S_ISDIR(st.st_mode)) {
            return 0;
        }
    }
    return (uint64_t)count;
}

sources *sources_create(const char *const *operands, int count, const struct stat *skip)
{
    sources *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    if (pipe(s->cancel) != 0) {
        free(s);
        return NULL;
    }
    s->operands = operands;
    s->operand_count = count;
    s->total = count_plain(operands, count);
    if (skip) {
        s->has_skip = true;
        s->skip_device = skip->st_dev;
        s->skip_inode = skip->st_ino;
    }
    return s;
}

sources *sources_create_files(const char *const *paths, int count)
{
    sources *s = sources_create(NULL, 0, NULL);
    if (s) {
        s->operands = paths;
        s->operand_count = count;
        s->total = (uint64_t)count;
        s->literal = true;
    }
    return s;
}

static void folder_free(folder *f)
{
    for (int i = f->next; i < f->count; i++) {
        free(f->entries[i]);
    }
    free(f->entries);
    free(f->path);
    *f = (folder){0};
}

void sources_destroy(sources *s)
{
    if (!s) {
        return;
    }
    while (s->depth > 0) {
        folder_free(&s->stack[--s->depth]);
    }
    if (s->has_matches) {
        globfree(&s->matches);
    }
    (void)close(s->cancel[0]);
    (void)close(s->cancel[1]);
    free(s);
}

uint64_t sources_total(const sources *s)
{
    return s->total;
}

void sources_cancel(sources *s)
{
    ssize_t written;
    atomic_store(&s->cancelled, true);
    do {
        written = write(s->cancel[1], "", 1);
    } while (written < 0 && errno == EINTR);
}

static source_outcome give(source *out, const char *path, const char *reason)
{
    out->path = strdup(path);
    out->reason = reason ? strdup(reason) : NULL;
    if (!out->path || (reason && !out->reason)) {
        free(out->path);
        free(out->reason);
        *out = (source){NULL, NULL};
        return SOURCE_NO_MEMORY;
    }
    return SOURCE_GOT;
}

static char *path_join(const char *folder_path, const char *name)
{
    size_t length = strlen(folder_path);
    const char *slash = length && folder_path[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (path) {
        (void)snprintf(path, size, "%s%s%s", folder_path, slash, name);
    }
    return path;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Opens a folder on top of the stack. When it cannot be listed it becomes a failed source. */
static source_outcome folder_push(sources *s, const char *path, source *out, bool *failed)
{
    *failed = false;
    if (s->depth == MAX_DEPTH) {
        *failed = true;
        return give(out, path, "folders nested too deeply");
    }
    folder f = {.path = strdup(path)};
    if (!f.path) {
        return SOURCE_NO_MEMORY;
    }
    f.count = scandir(path, &f.entries, NULL, by_name);
    if (f.count < 0) {
        int reason = errno;
        free(f.path);
        if (reason == ENOMEM) {
            return SOURCE_NO_MEMORY;
        }
        *failed = true;
        return give(out, path, strerror(reason));
    }
    s->stack[s->depth++] = f;
    return SOURCE_GOT;
}

static bool is_skipped(const sources *s, const struct stat *st)
{
    return s->has_skip && st->st_dev == s->skip_device && st->st_ino == s->skip_inode;
}

/* One entry of the folder on top. Links to folders are not followed: a walk ends. */
static source_outcome walk_entry(sources *s, const char *path, const char *name, source *out,
                                 bool *got)
{
    struct stat st;
    *got = false;
    if (lstat(path, &st) != 0) {
        *got = true;
        return give(out, path, strerror(errno));
    }
    if (S_ISDIR(st.st_mode)) {
        return is_skipped(s, &st) ? SOURCE_GOT : folder_push(s, path, out, got);
    }
    if (!is_picture_name(name)) {
        return SOURCE_GOT;
    }
    if (S_ISLNK(st.st_mode) && stat(path, &st) != 0) {
        *got = true; /* a link to nothing */
        return give(out, path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return SOURCE_GOT;
    }
    *got = true;
    return give(out, path, NULL);
}

/* *got: a source came out; else the stack is empty */
static source_outcome walk_next(sources *s, source *out, bool *got)
{
    *got = false;
    while (s->depth > 0) {
        folder *f = &s->stack[s->depth - 1];
        if (f->next == f->count) {
            bool nothing = s->depth == 1 && s->walk_empty;
            source_outcome outcome = SOURCE_GOT;
            if (nothing) {
                *got = true;
                outcome = give(out, f->path, "no pictures in this folder");
            }
            folder_free(f);
            s->depth--;
            if (nothing) {
                return outcome;
            }
            continue;
        }
        struct dirent *entry = f->entries[f->next++];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            free(entry);
            continue;
        }
        char *path = path_join(f->path, entry->d_name);
        source_outcome outcome =
            path ? walk_entry(s, path, entry->d_name, out, got) : SOURCE_NO_MEMORY;
        free(path);
        free(entry);
        if (outcome != SOURCE_GOT || *got) {
            s->walk_empty = false;
            return outcome;
        }
    }
    return SOURCE_GOT;
}

/* A path that is there: a folder starts a walk, anything else is a source as it is. */
static source_outcome path_take(sources *s, const char *path, source *out, bool *got)
{
    struct stat st;
    *got = true;
    if (stat(path, &st) != 0) {
        return give(out, path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return give(out, path, NULL);
    }
    s->walk_empty = true;
    return folder_push(s, path, out, got);
}

/* matches sorted like folders, not by locale */
static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static source_outcome file_take(const char *path, source *out)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return give(out, path, strerror(errno));
    }
    return give(out, path, S_ISREG(st.st_mode) ? NULL : "not a file");
}

static source_outcome operand_take(sources *s, const char *operand, source *out, bool *got)
{
    struct stat st;
    if (s->literal) {
        *got = true;
        return file_take(operand, out);
    }
    if (strcmp(operand, "-") == 0) {
        *got = false;
        s->reading = true;
        return SOURCE_GOT;
    }
    bool is_pattern = operand[strcspn(operand, "*?[")] != 0;
    if (!is_pattern || stat(operand, &st) == 0) {
        return path_take(s, operand, out, got);
    }
    switch (glob(operand, GLOB_NOSORT, NULL, &s->matches)) {
    case 0:
        break;
    case GLOB_NOSPACE:
        return SOURCE_NO_MEMORY;
    default:
        *got = true;
        return give(out, operand, "nothing matches this pattern");
    }
    qsort(s->matches.gl_pathv, s->matches.gl_pathc, sizeof(char *), by_bytes);
    *got = false;
    s->has_matches = true;
    s->next_match = 0;
    return SOURCE_GOT;
}

/* Refills the block; false at the end of the input, on an error (input_error), and once
 * cancelled. */
static bool input_fill(sources *s)
{
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                             {.fd = s->cancel[0], .events = POLLIN}};
    for (;;) {
        int ready = poll(wait, 2, -1);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready >= 0 && wait[1].revents) {
            return false;
        }
        ssize_t got = read(STDIN_FILENO, s->block, sizeof s->block);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        s->input_error = got < 0 ? errno : 0;
        s->block_used = got > 0 ? (size_t)got : 0;
        s->block_next = 0;
        return got > 0;
    }
}

/* One line without its newline into s->line; false at the end. */
static bool input_line(sources *s)
{
    s->line_used = 0;
    s->line_too_long = false;
    for (;;) {
        if (s->block_next == s->block_used) {
            if (s->input_ended || !input_fill(s)) {
                s->input_ended = true;
                s->line[s->line_used] = 0;
                return s->line_used > 0;
            }
        }
        char c = s->block[s->block_next++];
        if (c == '\n') {
            s->line[s->line_used] = 0;
            return true;
        }
        if (c == 0) {
            c = '?'; /* no path holds one */
        }
        if (s->line_used + 1 < sizeof s->line) {
            s->line[s->line_used++] = c;
        } else {
            s->line_too_long = true;
        }
    }
}

/* The line that was read as a source. Lists that come from other systems end their lines with
 * CR LF: the CR goes, unless there is a file of that name. */
static source_outcome line_take(sources *s, source *out, bool *got)
{
    struct stat st;
    *got = s->line_too_long;
    if (s->line_too_long) {
        return give(out, s->line, "path too long");
    }
    if (s->line_used > 0 && s->line[s->line_used - 1] == '\r' && lstat(s->line, &st) != 0) {
        s->line[--s->line_used] = 0;
    }
    return s->line_used > 0 ? path_take(s, s->line, out, got) : SOURCE_GOT;
}

/* The next line; behind the last one the error that ended the reading, as a failed source. */
static source_outcome input_take(sources *s, source *out, bool *got)
{
    if (input_line(s)) {
        return line_take(s, out, got);
    }
    int reason = s->input_error;
    s->reading = false;
    s->input_error = 0;
    *got = reason != 0;
    return reason ? give(out, "standard input", strerror(reason)) : SOURCE_GOT;
}

source_outcome sources_next(sources *s, source *out)
{
    *out = (source){NULL, NULL};
    while (!atomic_load(&s->cancelled)) {
        bool got = false;
        source_outcome outcome = SOURCE_GOT;
        if (s->depth > 0) {
            outcome = walk_next(s, out, &got);
        } else if (s->has_matches) {
            outcome = path_take(s, s->matches.gl_pathv[s->next_match++], out, &got);
            if (s->next_match == s->matches.gl_pathc) {
                globfree(&s->matches);
                s->has_matches = false;
            }
        } else if (s->reading) {
            outcome = input_take(s, out, &got);
        } else if (s->next_operand < s->operand_count) {
            outcome = operand_take(s, s->operands[s->next_operand++], out, &got);
        } else {
            break;
        }
        if (outcome != SOURCE_GOT || got) {
            return outcome;
        }
    }
    return SOURCE_END;
}
