/* The file that keeps a device's pipelines: written, read, and each damage to it noticed and
 * mended.
 */
#include "tests/vulkan/rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANCHORS = 24, CLASSES = 2, SIDE = 64 };

static char cache_root[] = "/tmp/vkdet-test-XXXXXX";
static char cache_dir[128];
static char cache_file[512];

static size_t cache_files(void)
{
    size_t count = 0;
    DIR *d = opendir(cache_dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            (void)snprintf(cache_file, sizeof cache_file, "%s/%.300s", cache_dir, e->d_name);
            count++;
        }
    }
    if (d) {
        (void)closedir(d);
    }
    return count;
}

static void open_with_cache(const char *dir)
{
    error err = {0};
    detector_head head;
    network n = {.cache_dir = dir};
    static unsigned char bytes[SIDE * SIDE];
    const pixels image = {PIXEL_GRAY8, SIDE, SIDE, SIDE, bytes};
    const nms_params nms = {NMS_TFJS, 0.3, 0.95, ANCHORS};
    rig_log_clear();
    assert_status_ok(passthrough_network(&n, ANCHORS, CLASSES, &head, &err), err);
    assert_status_ok(network_open(&n, &err), err);
    assert_status_ok(network_run(&n, &image, 1, &nms, &err), err);
    network_destroy(&n);
}

static void file_write(const unsigned char *bytes, size_t size)
{
    FILE *f = fopen(cache_file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A file of another build of vkdet that was not used for long goes when a new one is written, one
 * that is in use stays, and reading one says that it is in use. Leaves the folder as it was. */
static void check_old_files(void)
{
    static const struct timespec long_ago[2] = {{1000000000, 0}, {1000000000, 0}};
    char ours[sizeof cache_file], old[sizeof cache_file], used[sizeof cache_file];
    struct stat st;
    size_t size = 0;
    unsigned char *bytes = test_read_file(cache_file, &size);
    assert_non_null(bytes);
    memcpy(ours, cache_file, sizeof ours);
    memcpy(old, cache_file, sizeof old);
    memcpy(used, cache_file, sizeof used);
    /* the shaders' digest */
    (void)snprintf(strrchr(old, '-'), 22, "-%s.bin", "0123456789abcdef");
    (void)snprintf(strrchr(used, '-'), 22, "-%s.bin", "0123456789abcde0");
    memcpy(cache_file, old, sizeof old);
    file_write(bytes, size);
    memcpy(cache_file, used, sizeof used);
    file_write(bytes, size);
    memcpy(cache_file, ours, sizeof ours);
    assert_int_equal(utimensat(AT_FDCWD, ours, long_ago, 0), 0);
    open_with_cache(cache_dir); /* reads; some drivers' pipelines are others each time */
    assert_int_equal(rig_logged("cache-loaded"), 1);
    assert_int_equal(stat(ours, &st), 0);
    assert_true(st.st_mtime > long_ago[0].tv_sec);
    assert_int_equal(utimensat(AT_FDCWD, old, long_ago, 0), 0);
    bytes[0] ^= 1;
    file_write(bytes, size);
    open_with_cache(cache_dir); /* writes it anew */
    assert_int_equal(rig_logged("cache-removed"), 1);
    assert_int_equal(stat(old, &st), -1);
    assert_int_equal(stat(used, &st), 0);
    assert_int_equal(unlink(used), 0);
    assert_int_equal(cache_files(), 1);
    free(bytes);
}

static void test_cache(void **state)
{
    (void)state;
    struct stat st;
    assert_non_null(mkdtemp(cache_root));
    (void)snprintf(cache_dir, sizeof cache_dir, "%s/a/b", cache_root);
    open_with_cache(cache_dir);
    assert_int_equal(rig_logged("cache-not-written"), 0);
    if (cache_files() == 0) {
        (void)rmdir(cache_root);
        print_message("SKIPPED %s: this driver's pipeline caches hold nothing\n", __func__);
        skip();
    }
    assert_int_equal(cache_files(), 1); /* no temporary file left either */
    assert_int_equal(stat(cache_dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    open_with_cache(cache_dir);
    assert_int_equal(rig_logged("cache-loaded"), 1);
    assert_int_equal(rig_logged("cache-ignored"), 0);

    check_old_files();

    size_t size = 0;
    unsigned char *good = test_read_file(cache_file, &size);
    assert_true(good && size > 120);
    /* a byte of each field, and of the payload: every one is noticed, and mended */
    static const size_t damaged[] = {0, 8, 12, 16, 20, 24, 39, 40, 103, 104, 112, 119, 120, 150};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        good[damaged[i]] ^= 0x40;
        file_write(good, size);
        good[damaged[i]] ^= 0x40;
        open_with_cache(cache_dir);
        assert_int_equal(rig_logged("cache-ignored"), 1);
        assert_int_equal(rig_logged("cache-loaded"), 0);
        open_with_cache(cache_dir);
        assert_int_equal(rig_logged("cache-loaded"), 1);
    }
    for (size_t cut = 0; cut < size; cut += cut < 160 ? 13 : size / 5 + 1) {
        file_write(good, cut);
        open_with_cache(cache_dir);
        assert_int_equal(rig_logged("cache-ignored"), 1);
    }
    free(good);
    (void)unlink(cache_file);
    assert_int_equal(mkfifo(cache_file, 0600), 0); /* nobody writes to it: not waited for */
    open_with_cache(cache_dir);
    assert_int_equal(rig_logged("cache-ignored"), 1);
    assert_int_equal(rig_logged("cache-not-written"), 0);
    open_with_cache(cache_dir); /* and a file took its place */
    assert_int_equal(rig_logged("cache-loaded"), 1);
    (void)unlink(cache_file);
    assert_int_equal(mkdir(cache_file, 0700), 0); /* a folder in its place */
    open_with_cache(cache_dir);
    assert_int_equal(rig_logged("cache-ignored"), 1);
    assert_int_equal(rig_logged("cache-not-written"), 1);
    assert_int_equal(rmdir(cache_file), 0);
    assert_int_equal(cache_files(), 0);
    open_with_cache("/proc/nowhere/vkdet");
    assert_int_equal(rig_logged("cache-not-written"), 1);
    (void)rmdir(cache_dir);
    (void)snprintf(cache_dir, sizeof cache_dir, "%s/a", cache_root);
    (void)rmdir(cache_dir);
    (void)rmdir(cache_root);
    rig_assert_silent();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cache)};
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
