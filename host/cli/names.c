/* Stems by a hash set of those given out, files by looking on disk. */
#include "host/cli/names.h"

#include "host/client/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_STEM = 200 /* bytes; leaves room for number and ending in a file name of 255 */ };

/* The set holds 64-bit hashes, not the stems: two stems that share one only get a number that they
 * did not need. */
typedef struct entry {
    uint64_t hash;      /* 0: free */
    uint32_t last_used; /* highest number given to this stem */
} entry;

struct names {
    const char *folder;
    entry *entries;
    size_t capacity, used; /* a power of two, at most half full */
    char stem[MAX_STEM + 16];
};

names *names_create(const char *folder)
{
    names *n = calloc(1, sizeof *n);
    entry *entries = calloc(1024, sizeof *entries);
    if (!n || !entries) {
        free(entries);
        free(n);
        return NULL;
    }
    n->folder = folder;
    n->entries = entries;
    n->capacity = 1024;
    return n;
}

void names_destroy(names *n)
{
    if (n) {
        free(n->entries);
        free(n);
    }
}

/* FNV-1a, offset basis and prime of its 64-bit form */
static uint64_t hash_of(const char *stem)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *stem; stem++) {
        hash = (hash ^ (uint64_t)tolower((unsigned char)*stem)) * 0x100000001b3u;
    }
    return hash ? hash : 1;
}

static entry *find(entry *entries, size_t capacity, uint64_t hash)
{
    size_t i = (size_t)hash & (capacity - 1);
    while (entries[i].hash != 0 && entries[i].hash != hash) {
        i = (i + 1) & (capacity - 1);
    }
    return &entries[i];
}

static bool grow(names *n)
{
    if (n->used * 2 < n->capacity) {
        return true;
    }
    size_t capacity = n->capacity * 2;
    entry *entries = calloc(capacity, sizeof *entries);
    if (!entries) {
        return false;
    }
    for (size_t i = 0; i < n->capacity; i++) {
        if (n->entries[i].hash != 0) {
            *find(entries, capacity, n->entries[i].hash) = n->entries[i];
        }
    }
    free(n->entries);
    n->entries = entries;
    n->capacity = capacity;
    return true;
}

/* The entry of a stem; *fresh when nobody had it. NULL when memory ran out. */
static entry *claim(names *n, const char *stem, bool *fresh)
{
    if (!grow(n)) {
        return NULL;
    }
    uint64_t hash = hash_of(stem);
    entry *e = find(n->entries, n->capacity, hash);
    *fresh = e->hash == 0;
    if (*fresh) {
        *e = (entry){hash, 1};
        n->used++;
    }
    return e;
}

bool names_reserve(names *n, const char *stem)
{
    bool fresh;
    return claim(n, stem, &fresh) != NULL;
}

const char *names_stem(names *n, const char *source_path)
{
    const char *slash = strrchr(source_path, '/');
    const char *name = slash ? slash + 1 : source_path;
    const char *dot = strrchr(name, '.');
    size_t length = dot && dot != name ? (size_t)(dot - name) : strlen(name);
    char base[MAX_STEM + 1];
    size_t used = 0;
    while (used < length) { /* whole characters only */
        size_t step = utf8_length(name + used);
        step = step ? step : 1;
        if (used + step > MAX_STEM) {
            break;
        }
        used += step;
    }
    memcpy(base, name, used);
    base[used] = 0;
    if (used == 0) {
        (void)snprintf(base, sizeof base, "picture");
    }
    bool fresh;
    entry *e = claim(n, base, &fresh);
    (void)snprintf(n->stem, sizeof n->stem, "%s", base);
    while (e && !fresh) {
        uint32_t number = ++e->last_used;
        (void)snprintf(n->stem, sizeof n->stem, "%s-%u", base, (unsigned)number);
        if (!claim(n, n->stem, &fresh)) {
            return NULL;
        }
        e = find(n->entries, n->capacity, hash_of(base)); /* claim may have moved it */
    }
    return e ? n->stem : NULL;
}

char *names_file(const names *n, const char *stem, const char *ending, const char **reason)
{
    size_t size = strlen(n->folder) + strlen(stem) + strlen(ending) + 3;
    char *path = malloc(size);
    struct stat st;
    if (!path) {
        *reason = "out of memory";
        return NULL;
    }
    *reason = NULL;
    (void)snprintf(path, size, "%s/%s.%s", n->folder, stem, ending);
    if (lstat(path, &st) == 0) {
        *reason = "exists already, and nothing is overwritten: choose another --output";
    }
    return path;
}

/* The folders that path lies in, from the outermost on. One that cannot be made shows when the next
 * is. */
static bool make_parents(const char *path)
{
    char *parent = strdup(path);
    for (char *c = parent; c && *c; c++) {
        if (*c == '/' && c != parent) {
            *c = 0;
            (void)mkdir(parent, 0777);
            *c = '/';
        }
    }
    free(parent);
    return parent != NULL;
}

bool folder_make(const char *path, struct stat *st)
{
    bool made = mkdir(path, 0777) == 0 || errno == EEXIST;
    if (!made && errno == ENOENT) {
        made = make_parents(path) && (mkdir(path, 0777) == 0 || errno == EEXIST);
    }
    if (!made) {
        return false;
    }
    if (stat(path, st) != 0) {
        return false;
    }
    if (!S_ISDIR(st->st_mode)) {
        errno = ENOTDIR;
        return false;
    }
    return access(path, W_OK | X_OK) == 0;
}
