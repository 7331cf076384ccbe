/* Pictures into memory: the bytes of vkdet_image_save, and every way to fail. */
#include "tests/support/test.h"

#include "tests/api/support.h"

#include "vkdet.h"

#include <unistd.h>

enum { SIDE = 24 };

static vkdet_image *picture(vkdet_context *context)
{
    unsigned char file[32 + SIDE * SIDE * 3];
    int head = snprintf((char *)file, 32, "P6 %d %d 255\n", SIDE, SIDE);
    for (int i = 0; i < SIDE * SIDE * 3; i++) {
        file[head + i] = (unsigned char)(i * 7);
    }
    vkdet_image *image = NULL;
    assert_vkdet(vkdet_image_decode(context, file, (size_t)head + SIDE * SIDE * 3, NULL, &image));
    return image;
}

static void test_same_bytes_as_saved(void **state)
{
    static const struct {
        vkdet_image_codec codec;
        const char *ending;
        int quality;
    } cases[] = {
        {VKDET_IMAGE_PNG, "png", 0}, {VKDET_IMAGE_JPEG, "jpg", 0}, {VKDET_IMAGE_JPEG, "jpg", 35}};
    (void)state;
    vkdet_context *context = api_context();
    vkdet_image *image = picture(context);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[256];
        const char *folder = getenv("TMPDIR");
        void *bytes = NULL;
        size_t size = 0, saved_size = 0;
        (void)snprintf(path, sizeof path, "%s/vkdet-encode-%ld.%s", folder ? folder : "/tmp",
                       (long)getpid(), cases[i].ending);
        assert_vkdet(vkdet_image_encode(image, cases[i].codec, cases[i].quality, &bytes, &size));
        assert_vkdet(vkdet_image_save(image, path, cases[i].quality));
        unsigned char *saved = test_read_file(path, &saved_size);
        (void)unlink(path);
        assert_non_null(saved);
        assert_int_equal(size, saved_size);
        assert_memory_equal(bytes, saved, size);
        free(saved);
        vkdet_bytes_free(context, bytes);
    }
    vkdet_bytes_free(context, NULL);
    vkdet_image_destroy(image);
    api_context_done(context);
}

static void test_arguments(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_image *image = picture(context);
    void *bytes = NULL;
    size_t size = 0;
    assert_int_equal(vkdet_image_encode(NULL, VKDET_IMAGE_PNG, 0, &bytes, &size),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_image_encode(image, VKDET_IMAGE_PNG, 0, NULL, &size),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_image_encode(image, VKDET_IMAGE_PNG, 0, &bytes, NULL),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_image_encode(image, (vkdet_image_codec)2, 0, &bytes, &size),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_image_encode(image, VKDET_IMAGE_JPEG, 101, &bytes, &size),
                     VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_image_encode(image, VKDET_IMAGE_JPEG, -1, &bytes, &size),
                     VKDET_ERROR_ARGUMENT);
    assert_null(bytes);
    vkdet_image_destroy(image);
    api_context_done(context);
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t fail_at = 1; failed; fail_at++) {
        test_allocator t;
        test_allocator_init(&t, 0);
        const vkdet_context_params params = {
            .allocator = {t.alloc.allocate, t.alloc.release, t.alloc.user}};
        vkdet_context *context = NULL;
        assert_vkdet(vkdet_context_create(&params, &context));
        vkdet_image *image = picture(context);
        const size_t live = t.live;
        void *bytes = NULL;
        size_t size = 0;
        t.allocations = 0;
        t.fail_at = fail_at;
        vkdet_status got = vkdet_image_encode(image, VKDET_IMAGE_PNG, 0, &bytes, &size);
        failed = t.failed;
        assert_int_equal(got, failed ? VKDET_ERROR_MEMORY : VKDET_OK);
        vkdet_bytes_free(context, bytes);
        assert_int_equal(t.live, live);
        vkdet_image_destroy(image);
        vkdet_context_destroy(context);
        assert_int_equal(t.live, 0);
        assert_true(fail_at < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes_as_saved),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_every_allocation_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
