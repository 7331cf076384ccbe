/* Shared helpers of the tests. */
#define _XOPEN_SOURCE 700 /* nftw; NOLINT(bugprone-reserved-identifier) */

#include "tests/support/test.h"

#include <ftw.h>
#include <sys/stat.h>

const char *test_data_path(const char *relative)
{
    static char path[4096];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, relative);
    return stat(path, &st) == 0 ? path : NULL;
}

test_random test_random_seed(uint64_t seed)
{
    return (test_random){seed * 0x9e3779b97f4a7c15u + 0x1234567u};
}

uint32_t test_random_u32(test_random *r)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return (uint32_t)(r->state >> 32);
}

float test_random_float(test_random *r, float low, float high)
{
    return low + (high - low) * (float)(test_random_u32(r) >> 8) * (1.0f / 16777216.0f);
}

static void *counting_allocate(void *user, size_t size)
{
    test_allocator *t = user;
    t->allocations++;
    if (t->fail_at != 0 && t->allocations == t->fail_at) {
        t->failed = true;
        return NULL;
    }
    void *memory = malloc(size);
    t->live += memory != NULL;
    return memory;
}

static void counting_release(void *user, void *memory)
{
    test_allocator *t = user;
    t->live -= memory != NULL;
    free(memory);
}

void test_allocator_init(test_allocator *t, size_t fail_at)
{
    *t = (test_allocator){.alloc = {counting_allocate, counting_release, t}, .fail_at = fail_at};
}

static int remove_one(const char *path, const struct stat *is, int kind, struct FTW *at)
{
    (void)is, (void)kind, (void)at;
    return remove(path);
}

int test_remove_folder(const char *path)
{
    return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

unsigned char *test_read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        return NULL;
    }
    unsigned char *bytes = NULL;
    size_t used = 0, capacity = 0, got = 1;
    while (got) {
        if (capacity - used < 65536) {
            capacity = capacity ? capacity * 2 : 131072;
            unsigned char *more = realloc(bytes, capacity + 1);
            if (!more) {
                free(bytes);
                (void)fclose(f);
                return NULL;
            }
            bytes = more;
        }
        got = fread(bytes + used, 1, capacity - used, f);
        used += got;
    }
    (void)fclose(f);
    bytes[used] = 0;
    *size = used;
    return bytes;
}
