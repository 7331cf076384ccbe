/* The reference against TensorFlow.js on recorded pictures: anchors, network input, decoded boxes,
 * final detections. The network itself is somebody else's test. */
#include "tests/support/test.h"

#include "engine/detector.h"

#include <png.h>

#define GOLDEN "golden/aizoo-260"

enum { ANCHORS = 5972, SIDE = 260, CLASSES = 2, MAX_DETECTIONS = 100 };

/* those with tensors; the others have detections only */
static const char *const pictures[] = {"aizoo_demo", "cc0m_001",      "cc0m_032",
                                       "cc0m_060",   "group5_stairs", "two_people"};
enum { PICTURES = sizeof pictures / sizeof pictures[0] };

static const anchor_spec spec = {.combine = ANCHORS_FIRST,
                                 .level_count = 5,
                                 .levels = {{33, 33, 2, 3, {0.04, 0.056}, {1, 0.62, 0.42}},
                                            {17, 17, 2, 3, {0.08, 0.11}, {1, 0.62, 0.42}},
                                            {9, 9, 2, 3, {0.16, 0.22}, {1, 0.62, 0.42}},
                                            {5, 5, 2, 3, {0.32, 0.45}, {1, 0.62, 0.42}},
                                            {3, 3, 2, 3, {0.64, 0.72}, {1, 0.62, 0.42}}}};

static unsigned char *read_golden(const char *picture, const char *file, size_t *size)
{
    char relative[256];
    (void)snprintf(relative, sizeof relative, GOLDEN "/%s/%s", picture, file);
    const char *path = test_data_path(relative);
    return path ? test_read_file(path, size) : NULL;
}

static float *read_floats(const char *picture, const char *file, size_t count)
{
    size_t size = 0;
    unsigned char *bytes = read_golden(picture, file, &size);
    if (!bytes || size != count * sizeof(float)) {
        fail_msg("%s/%s: %zu bytes, expected %zu floats", picture, file, size, count);
    }
    return (float *)(void *)bytes;
}

static float *make_anchors(void)
{
    assert_int_equal(anchors_count(&spec), ANCHORS);
    float *anchors = calloc(ANCHORS, 4 * sizeof *anchors);
    assert_non_null(anchors);
    anchors_generate(&spec, anchors);
    return anchors;
}

static detector_head make_head(const float *anchors)
{
    return (detector_head){.anchor_count = ANCHORS,
                           .class_count = CLASSES,
                           .background = -1,
                           .variance = {0.1f, 0.1f, 0.2f, 0.2f},
                           .anchors = anchors};
}

static void test_anchors(void **state)
{
    (void)state;
    REQUIRE_DATA(GOLDEN "/anchors.bin");
    float *golden = read_floats(".", "anchors.bin", ANCHORS * 4), *anchors = make_anchors();
    for (size_t i = 0; i < ANCHORS * 4; i++) {
        if (anchors[i] != golden[i]) {
            fail_msg("anchor %zu, corner %zu is %.9g, expected %.9g", i / 4, i % 4,
                     (double)anchors[i], (double)golden[i]);
        }
    }
    free(golden);
    free(anchors);
}

static unsigned char *read_png(const char *picture, uint32_t *width, uint32_t *height)
{
    size_t size = 0;
    unsigned char *file = read_golden(picture, "image.png", &size);
    assert_non_null(file);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, file, size) != 0);
    image.format = PNG_FORMAT_RGB;
    unsigned char *rgb = malloc(PNG_IMAGE_SIZE(image));
    assert_non_null(rgb);
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL) != 0);
    *width = image.width;
    *height = image.height;
    free(file);
    return rgb;
}

static void test_input(void **state)
{
    (void)state;
    REQUIRE_DATA(GOLDEN "/anchors.bin");
    const preprocess p = {.width = SIDE,
                          .height = SIDE,
                          .channels = CHANNELS_RGB,
                          .deviation = {255, 255, 255},
                          .sampling = SAMPLING_BILINEAR};
    float *input = calloc((size_t)SIDE * SIDE * 3, sizeof *input);
    assert_non_null(input);
    for (size_t k = 0; k < PICTURES; k++) {
        pixels image = {.format = PIXEL_RGB8};
        unsigned char *rgb = read_png(pictures[k], &image.width, &image.height);
        image.stride = (size_t)image.width * 3;
        image.data = rgb;
        float *golden = read_floats(pictures[k], "input.bin", (size_t)SIDE * SIDE * 3);
        error err;
        assert_status_ok(reference_preprocess(&p, &image, input, &err), err);
        for (size_t i = 0; i < (size_t)SIDE * SIDE * 3; i++) {
            if (!(fabs((double)input[i] - (double)golden[i]) <= 1e-6)) {
                fail_msg("%s: input %zu is %.9g, expected %.9g", pictures[k], i, (double)input[i],
                         (double)golden[i]);
            }
        }
        free(golden);
        free(rgb);
    }
    free(input);
}

/* The page decodes to ymin xmin ymax xmax. Its exp and ours agree but for the last bit of a double,
 * which single precision hardly ever shows; every other operation is the same. */
static void test_boxes(void **state)
{
    (void)state;
    REQUIRE_DATA(GOLDEN "/anchors.bin");
    float *anchors = make_anchors(), *boxes = calloc(ANCHORS, 4 * sizeof *boxes);
    assert_non_null(boxes);
    detector_head head = make_head(anchors);
    size_t different = 0;
    for (size_t k = 0; k < PICTURES; k++) {
        float *loc = read_floats(pictures[k], "loc.bin", ANCHORS * 4);
        float *golden = read_floats(pictures[k], "boxes.bin", ANCHORS * 4);
        reference_decode(&head, loc, boxes);
        for (size_t i = 0; i < ANCHORS * 4; i++) {
            float wanted = golden[i / 4 * 4 + (i % 4 ^ 1)];
            different += boxes[i] != wanted;
            if (!(fabsf(boxes[i] - wanted) <= 1.2e-7f * fmaxf(1, fabsf(wanted)))) {
                fail_msg("%s: box %zu, corner %zu is %.9g, expected %.9g", pictures[k], i / 4,
                         i % 4, (double)boxes[i], (double)wanted);
            }
        }
        free(loc);
        free(golden);
    }
    printf("%zu of %d corners differ in the last bit\n", different, PICTURES * ANCHORS * 4);
    free(anchors);
    free(boxes);
}

/* What the page draws: scaled to the picture, clipped on the side that can leave it, rounded half
 * up. */
static void page_box(const float box[4], double width, double height, double out[4])
{
    out[0] = floor(fmax((double)box[0] * width, 0) + 0.5);
    out[1] = floor(fmax((double)box[1] * height, 0) + 0.5);
    out[2] = floor(fmin((double)box[2] * width, width) + 0.5);
    out[3] = floor(fmin((double)box[3] * height, height) + 0.5);
}

/* the number after "key": from at on; what follows it */
static const char *next_number(const char *at, const char *key, double *number)
{
    const char *found = strstr(at, key);
    if (!found) {
        fail_msg("no %s in the detections", key);
        return at;
    }
    found += strlen(key);
    found += strspn(found, "\": [\n\t,");
    char *end = NULL;
    *number = strtod(found, &end);
    return end;
}

static void expect_detections(const char *picture, const detection *found, uint32_t count)
{
    size_t size = 0;
    char *json = (char *)read_golden(picture, "detections.json", &size);
    assert_non_null(json);
    double width = 0, height = 0, wanted = 0;
    const char *at = next_number(json, "\"width\"", &width);
    at = next_number(at, "\"height\"", &height);
    for (uint32_t i = 0; i < count; i++) {
        double box[4];
        page_box(found[i].box, width, height, box);
        for (int side = 0; side < 4; side++) {
            at = next_number(at, side ? "," : "\"box_xyxy\"", &wanted);
            if (box[side] != wanted) {
                fail_msg("%s: detection %u, side %d at %g, expected %g", picture, i, side,
                         box[side], wanted);
            }
        }
        at = next_number(at, "\"class\"", &wanted);
        assert_int_equal(found[i].class_id, (uint32_t)wanted);
        at = next_number(at, "\"score\"", &wanted);
        assert_true(fabs((double)found[i].score - wanted) <= 1e-5);
    }
    assert_null(strstr(at, "\"box_xyxy\""));
    free(json);
}

static void test_detections(void **state)
{
    (void)state;
    REQUIRE_DATA(GOLDEN "/anchors.bin");
    float *anchors = make_anchors();
    detector_head head = make_head(anchors);
    const nms_params params = {NMS_TFJS, 0.5, 0.5, MAX_DETECTIONS};
    for (size_t k = 0; k < PICTURES; k++) {
        float *loc = read_floats(pictures[k], "loc.bin", ANCHORS * 4);
        float *scores = read_floats(pictures[k], "cls.bin", ANCHORS * CLASSES);
        detection found[MAX_DETECTIONS];
        uint32_t count, candidates;
        error err;
        assert_status_ok(reference_detect(&allocator_default, &head, &params, loc, scores, found,
                                          &count, &candidates, &err),
                         err);
        assert_true(count > 0 && candidates >= count);
        expect_detections(pictures[k], found, count);
        free(loc);
        free(scores);
    }
    free(anchors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_boxes),
        cmocka_unit_test(test_detections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
