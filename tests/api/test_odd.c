/* One scene with two faces in many encodings: whatever the file, the same faces. Needs the external
 * test data.
 *
 * A lossless file must give the very boxes of the plain PNG. What a lossy encoding does to the
 * pixels moves the boxes of this network by up to three pixels of 1000 (a network pixel is 3.8 of
 * them), in any decoder: there the same faces must be found, overlapping by IoU 0.9. Gray, 4-bit
 * and heavily compressed pictures must show the same faces at 0.7. */
#include "tests/api/support.h"

static const char *const lossless[] = {
    "base_24.bmp",        "base_32.bmp",    "base.ppm",          "base_interlaced.png",
    "base_lossless.webp", "base_rgb16.png", "base_rgba16.png",   "base_rgba8_alpha.png",
    "base_gama1.png",     "png_named.jpg",  "exif_orient_3.png", "exif_orient_6.png",
};
static const char *const lossy[] = {
    "base_411.jpg",         "base_422.jpg",        "base_q88_420.jpg",  "base_q95_444.jpg",
    "base_progressive.jpg", "base_cmyk_plain.jpg", "base_lossy.webp",   "base_alpha.webp",
    "base_anim.webp",       "base_rgb565.bmp",     "exif_orient_1.jpg", "exif_orient_2.jpg",
    "exif_orient_3.jpg",    "exif_orient_3.webp",  "exif_orient_4.jpg", "exif_orient_5.jpg",
    "exif_orient_6.jpg",    "exif_orient_8.jpg",   "jpg_named.png",     "ok_trailing_garbage.jpg",
};
static const char *const reduced[] = {
    "base.gif",          "base_anim.gif",     "base_transparent.gif",  "base_8pal.bmp",
    "base_palette4.png", "base_palette8.png", "base_palette_trns.png", "base_gray8.png",
    "base_gray16.png",   "base_graya8.png",   "base_gray.jpg",         "base.pgm",
};
/* too little is left of the picture for this network to see both faces right: they must decode */
static const char *const ruined[] = {"base_1bit.bmp", "base_gray1.png", "base_q5.jpg"};
static const char *const refused[] = {
    "bad_2g_dims.png",
    "bad_header_only.jpg",
    "bad_text.jpg",
    "bad_truncated_half.png",
    "bad_zero_bytes.jpg",
    "bad_zero_dims.png",
    "bomb_20000x20000_1bit.png",
    "base.tif",
    "base_16.tif",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct {
    vkdet_context *context;
    vkdet_model *model;
    vkdet_session *session;
    const char *path;
    vkdet_detection expected[2];
} scene;

static const char *odd(const char *name)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, "photos/odd/%s", name);
    const char *path = test_data_path(relative);
    if (!path) {
        fail_msg("%s is not there", relative);
    }
    return path;
}

/* exactly two faces; false otherwise */
static bool detect(const char *name, vkdet_detection faces[2])
{
    vkdet_image *image = NULL;
    const vkdet_result *result = NULL;
    assert_vkdet(vkdet_image_load(scene.context, odd(name), NULL, &image));
    assert_vkdet(vkdet_session_detect_image(scene.session, image, NULL, &result));
    bool two = result->count == 2;
    if (two) {
        memcpy(faces, result->detections, 2 * sizeof *faces);
    }
    vkdet_image_destroy(image);
    return two;
}

static int open_scene(void **state)
{
    (void)state;
    if (!test_data_path("photos/odd/base_rgb8.png")) {
        return 0;
    }
    scene.context = api_context();
    char json[4096];
    (void)snprintf(json, sizeof json, "%s", test_data_path("models/aizoo-260/tfjs/model.json"));
    scene.path = api_convert(scene.context, json, TEST_SOURCE_DIR "/models/cards/aizoo-260.json");
    assert_vkdet(vkdet_model_open(scene.context, scene.path, &scene.model));
    vkdet_session_params params = {.device = api_device(), .cache_dir = ""};
    assert_vkdet(vkdet_session_create(scene.context, scene.model, &params, &scene.session));
    assert_true(detect("base_rgb8.png", scene.expected));
    return 0;
}

static int close_scene(void **state)
{
    (void)state;
    if (scene.context) {
        vkdet_session_destroy(scene.session);
        vkdet_model_destroy(scene.model);
        api_remove_model(scene.path);
        api_context_done(scene.context);
    }
    return 0;
}

static double overlap(const float a[4], const float b[4])
{
    double w = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    double h = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    double both = fmax(w, 0) * fmax(h, 0);
    double one = (double)(a[2] - a[0]) * (double)(a[3] - a[1]);
    double other = (double)(b[2] - b[0]) * (double)(b[3] - b[1]);
    return both / (one + other - both);
}

static void expect_faces(const char *const *names, size_t count, double least)
{
    for (size_t i = 0; i < count; i++) {
        vkdet_detection faces[2] = {0};
        if (!detect(names[i], faces)) {
            fail_msg("%s: not two faces", names[i]);
        }
        for (int k = 0; k < 2; k++) {
            const vkdet_detection *wanted = &scene.expected[k];
            /* scores may change places */
            const vkdet_detection *found =
                faces[0].class_id == wanted->class_id ? &faces[0] : &faces[1];
            double iou = overlap(found->box, wanted->box);
            if (found->class_id != wanted->class_id || iou < least) {
                fail_msg("%s: face %d is found with IoU %.3f", names[i], k, iou);
            }
        }
    }
}

static void test_lossless_files(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("photos/odd/base_rgb8.png");
    for (size_t i = 0; i < COUNT(lossless); i++) {
        vkdet_detection faces[2];
        assert_true(detect(lossless[i], faces));
        assert_memory_equal(faces, scene.expected, sizeof faces);
    }
}

static void test_lossy_files(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("photos/odd/base_rgb8.png");
    expect_faces(lossy, COUNT(lossy), 0.9);
}

static void test_reduced_files(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("photos/odd/base_rgb8.png");
    expect_faces(reduced, COUNT(reduced), 0.7);
}

static void test_ruined_files(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("photos/odd/base_rgb8.png");
    for (size_t i = 0; i < COUNT(ruined); i++) {
        vkdet_image *image = NULL;
        vkdet_image_info info;
        assert_vkdet(vkdet_image_load(scene.context, odd(ruined[i]), NULL, &image));
        vkdet_image_info_get(image, &info);
        assert_int_equal(info.width, 1000);
        assert_int_equal(info.height, 500);
        vkdet_image_destroy(image);
    }
}

static void test_refused_files(void **state)
{
    (void)state;
    (void)REQUIRE_DATA("photos/odd/base_rgb8.png");
    for (size_t i = 0; i < COUNT(refused); i++) {
        vkdet_image *image = NULL;
        const char *path = odd(refused[i]);
        assert_int_not_equal(vkdet_image_load(scene.context, path, NULL, &image), VKDET_OK);
        assert_null(image);
        assert_ptr_equal(strstr(vkdet_error_message(), path), vkdet_error_message());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lossless_files), cmocka_unit_test(test_lossy_files),
        cmocka_unit_test(test_reduced_files),  cmocka_unit_test(test_ruined_files),
        cmocka_unit_test(test_refused_files),
    };
    return cmocka_run_group_tests(tests, open_scene, close_scene);
}
