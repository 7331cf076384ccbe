/* Loading from paths: what is no file, caps, messages; and the folder of odd files. */
#include "tests/image/support.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test-image-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Every message begins with the path. */
static void load_fails(const char *path, const image_limits *limits, status want, const char *word)
{
    test_allocator counting;
    test_allocator_init(&counting, 0);
    image i;
    error err = {STATUS_OK, ""};
    const status got = image_load(&counting.alloc, NULL, path, limits, &i, &err);
    if (got != want || strncmp(err.text, path, strlen(path)) != 0 || !strstr(err.text, word) ||
        counting.live) {
        fail_msg("wanted %s \"%s\", got %s \"%s\"", status_name(want), word, status_name(got),
                 err.text);
    }
}

static void what_is_no_file_is_an_error(void **state)
{
    (void)state;
    const char *path = in_folder("thing");
    load_fails(path, NULL, STATUS_IO, "cannot be opened");
    load_fails(folder, NULL, STATUS_IO, "folder");
    load_fails("/dev/zero", NULL, STATUS_IO, "device");
    assert_int_equal(mkfifo(path, 0600), 0);
    load_fails(path, NULL, STATUS_IO, "pipe"); /* and does not wait for a writer */
    assert_int_equal(unlink(path), 0);
    write_file(path, "", 0);
    load_fails(path, NULL, STATUS_IMAGE, "empty");
    assert_int_equal(unlink(path), 0);
}

static void file_cap_comes_before_reading(void **state)
{
    (void)state;
    const char *path = in_folder("large");
    write_file(path, "BM", 2);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    load_fails(path, NULL, STATUS_LIMIT, "exceed");
    assert_int_equal(truncate(path, 100), 0);
    const image_limits limits = {0, 99};
    load_fails(path, &limits, STATUS_LIMIT, "100 bytes exceed the limit of 99");
    assert_int_equal(unlink(path), 0);
}

static void log_lines_name_the_file(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *s = samples_find(&set, "jpeg-444");
    assert_non_null(s);
    const char *path = in_folder("part.png");
    write_file(path, s->bytes, s->size - s->size / 6);
    kept_log kept;
    kept_log_init(&kept);
    image i;
    error err;
    assert_status_ok(image_load(&allocator_default, &kept.log, path, NULL, &i, &err), err);
    assert_true(i.partial);
    assert_int_equal(kept.count, 1);
    assert_int_equal(strncmp(kept.message, path, strlen(path)), 0);
    image_destroy(&i);
    assert_int_equal(unlink(path), 0);
    samples_destroy(&set);
}

static void every_allocation_of_a_load_may_fail(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *s = samples_find(&set, "png-turned-6");
    assert_non_null(s);
    const char *path = in_folder("a.png");
    write_file(path, s->bytes, s->size);
    for (size_t fail_at = 1;; fail_at++) {
        test_allocator counting;
        test_allocator_init(&counting, fail_at);
        image i;
        error err;
        const status got = image_load(&counting.alloc, NULL, path, NULL, &i, &err);
        if (got == STATUS_OK) {
            image_destroy(&i);
        }
        assert_int_equal(counting.live, 0);
        if (!counting.failed) {
            assert_int_equal(got, STATUS_OK);
            break;
        }
    }
    assert_int_equal(unlink(path), 0);
    samples_destroy(&set);
}

/* --- the folder of odd files --- */
#define ODD "photos/odd/"

static const char *odd_path(const char *name)
{
    static char relative[256];
    (void)snprintf(relative, sizeof relative, ODD "%s", name);
    return test_data_path(relative);
}

static void bad_odd_files_are_one_error(void **state)
{
    (void)state;
    (void)REQUIRE_DATA(ODD);
    static const struct {
        const char *name;
        status want;
    } bad[] = {
        {"bad_2g_dims.png", STATUS_LIMIT},
        {"bad_header_only.jpg", STATUS_IMAGE},
        {"bad_text.jpg", STATUS_IMAGE},
        {"bad_truncated_half.png", STATUS_IMAGE},
        {"bad_zero_bytes.jpg", STATUS_IMAGE},
        {"bad_zero_dims.png", STATUS_IMAGE},
        {"bomb_20000x20000_1bit.png", STATUS_LIMIT},
        {"base.tif", STATUS_UNSUPPORTED},
        {"base_16.tif", STATUS_UNSUPPORTED},
    };
    for (size_t n = 0; n < sizeof bad / sizeof bad[0]; n++) {
        const char *path = odd_path(bad[n].name);
        if (path) {
            load_fails(path, NULL, bad[n].want, "");
        }
    }
}

static long peak_kilobytes(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_maxrss : 0;
}

static void bomb_costs_no_memory(void **state)
{
    (void)state;
    const char *path = REQUIRE_DATA(ODD "bomb_20000x20000_1bit.png");
    const long before = peak_kilobytes();
    load_fails(path, NULL, STATUS_LIMIT, "20000 x 20000");
    assert_true(peak_kilobytes() - before < 8 * 1024);
}

/* largest mean difference to base_rgb8.png; below 0: only the size is compared */
static const struct {
    const char *name;
    double most;
    uint32_t orientation;
} good[] = {
    {"base.ppm", 0, 1},
    {"base_24.bmp", 0, 1},
    {"base_32.bmp", 0, 1},
    {"base_gama1.png", 0, 1},
    {"base_interlaced.png", 0, 1},
    {"base_lossless.webp", 0, 1},
    {"base_rgb16.png", 0, 1},
    {"base_rgba16.png", 0, 1},
    {"base_rgba8_alpha.png", 0, 1},
    {"png_named.jpg", 0, 1},
    {"exif_orient_3.png", 0, 3},
    {"exif_orient_6.png", 0, 6},
    {"base_q95_444.jpg", 1.5, 1},
    {"base_q88_420.jpg", 1.5, 1},
    {"base_411.jpg", 1.5, 1},
    {"base_422.jpg", 1.5, 1},
    {"base_progressive.jpg", 1.5, 1},
    {"base_cmyk_plain.jpg", 1.5, 1},
    {"jpg_named.png", 1.5, 1},
    {"ok_trailing_garbage.jpg", 1.5, 1},
    {"base_lossy.webp", 2, 1},
    {"base_alpha.webp", 2, 1},
    {"base_anim.webp", 3, 1},
    {"exif_orient_1.jpg", 1.5, 1},
    {"exif_orient_2.jpg", 1.5, 2},
    {"exif_orient_3.jpg", 1.5, 3},
    {"exif_orient_4.jpg", 1.5, 4},
    {"exif_orient_5.jpg", 1.5, 5},
    {"exif_orient_6.jpg", 1.5, 6},
    {"exif_orient_8.jpg", 1.5, 8},
    {"exif_orient_3.webp", 2, 3},
    {"base.gif", 3, 1},
    {"base_anim.gif", 3, 1},
    {"base_transparent.gif", 3, 1},
    {"base_8pal.bmp", 3, 1},
    {"base_palette8.png", 3, 1},
    {"base_palette_trns.png", 3, 1},
    {"base_rgb565.bmp", 5, 1},
    {"base_palette4.png", 12, 1},
    {"base_q5.jpg", 12, 1},
    {"base.pgm", 15, 1},
    {"base_gray8.png", 15, 1},
    {"base_gray16.png", 15, 1},
    {"base_graya8.png", 15, 1},
    {"base_gray.jpg", 15, 1},
    {"base_gray1.png", 80, 1},
    {"base_1bit.bmp", 80, 1},
};

static void odd_files_decode_to_the_same_scene(void **state)
{
    (void)state;
    image base;
    error err;
    assert_status_ok(
        image_load(&allocator_default, NULL, REQUIRE_DATA(ODD "base_rgb8.png"), NULL, &base, &err),
        err);
    assert_int_equal(base.width, 1000);
    assert_int_equal(base.height, 500);
    for (size_t n = 0; n < sizeof good / sizeof good[0]; n++) {
        const char *path = odd_path(good[n].name);
        image i;
        if (!path) {
            continue;
        }
        assert_status_ok(image_load(&allocator_default, NULL, path, NULL, &i, &err), err);
        const double difference = mean_difference(&base, &i);
        if (difference < 0 || difference > good[n].most || i.partial ||
            i.orientation != good[n].orientation) {
            fail_msg("%s: %u x %u, orientation %u, mean difference %f", good[n].name, i.width,
                     i.height, i.orientation, difference);
        }
        image_destroy(&i);
    }
    image_destroy(&base);
}

static void odd_sizes_decode(void **state)
{
    (void)state;
    (void)REQUIRE_DATA(ODD);
    static const struct {
        const char *name;
        uint32_t width, height;
    } sizes[] = {
        {"px1x1.bmp", 1, 1},          {"px1x1.gif", 1, 1},
        {"px1x1.jpg", 1, 1},          {"px1x1.png", 1, 1},
        {"px1x1.webp", 1, 1},         {"tall_1x4000.png", 1, 4000},
        {"wide_4000x1.png", 4000, 1}, {"tiny_64x32.jpg", 64, 32},
        {"tiny_7x5.jpg", 7, 5},       {"huge_10000x5000.jpg", 10000, 5000},
    };
    for (size_t n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        const char *path = odd_path(sizes[n].name);
        image i;
        error err;
        if (!path) {
            continue;
        }
        assert_status_ok(image_load(&allocator_default, NULL, path, NULL, &i, &err), err);
        assert_int_equal(i.width, sizes[n].width);
        assert_int_equal(i.height, sizes[n].height);
        image_destroy(&i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bomb_costs_no_memory), /* first: it looks at the process's peak */
        cmocka_unit_test(what_is_no_file_is_an_error),
        cmocka_unit_test(file_cap_comes_before_reading),
        cmocka_unit_test(log_lines_name_the_file),
        cmocka_unit_test(every_allocation_of_a_load_may_fail),
        cmocka_unit_test(bad_odd_files_are_one_error),
        cmocka_unit_test(odd_files_decode_to_the_same_scene),
        cmocka_unit_test(odd_sizes_decode),
    };
    return cmocka_run_group_tests_name("image files", tests, make_folder, remove_folder);
}
