/* What surrounds the network: anchors, placement, pixels to input. */
#include "tests/support/test.h"

#include "engine/detector.h"

static bool close_to(double a, double b)
{
    return fabs(a - b) <= 1e-6 * fmax(1, fabs(b));
}

/* --- names --- */

static void test_names(void **state)
{
    (void)state;
    for (unsigned m = 0; m < NMS_MODE_COUNT; m++) {
        nms_mode back = NMS_MODE_COUNT;
        assert_true(nms_mode_from_name(nms_mode_name((nms_mode)m), &back));
        assert_int_equal(back, m);
    }
    nms_mode untouched = NMS_TF;
    assert_false(nms_mode_from_name("TFJS", &untouched));
    assert_int_equal(untouched, NMS_TF);
    assert_string_equal(nms_mode_name(NMS_MODE_COUNT), "unknown");
    static const uint32_t bytes[PIXEL_FORMAT_COUNT + 1] = {1, 3, 3, 4, 4, 4, 0};
    for (unsigned f = 0; f <= PIXEL_FORMAT_COUNT; f++) {
        assert_int_equal(pixel_bytes((pixel_format)f), bytes[f]);
    }
}

/* --- anchors --- */

static void test_anchors_first(void **state)
{
    (void)state;
    const anchor_spec spec = {
        .combine = ANCHORS_FIRST,
        .level_count = 2,
        .levels = {{1, 2, 2, 2, {0.5, 0.25}, {1, 4}}, {1, 1, 1, 1, {1}, {0.25}}}};
    assert_int_equal(anchors_count(&spec), 7);
    static const float expected[7][4] = {
        {0, 0.25f, 0.5f, 0.75f},         {0.125f, 0.375f, 0.375f, 0.625f}, /* both sizes, ratio 1 */
        {-0.25f, 0.375f, 0.75f, 0.625f},                                   /* first size, ratio 4 */
        {0.5f, 0.25f, 1, 0.75f},         {0.625f, 0.375f, 0.875f, 0.625f},
        {0.25f, 0.375f, 1.25f, 0.625f},  {0.25f, -0.5f, 0.75f, 1.5f}};
    float corners[28];
    anchors_generate(&spec, corners);
    assert_memory_equal(corners, expected, sizeof corners);
    anchor_spec clipped = spec;
    clipped.clip = true;
    anchors_generate(&clipped, corners);
    for (int i = 0; i < 28; i++) {
        float wanted = fminf(fmaxf(expected[i / 4][i % 4], 0), 1);
        assert_true(corners[i] == wanted);
    }
}

static void test_anchors_product(void **state)
{
    (void)state;
    const anchor_spec spec = {.combine = ANCHORS_PRODUCT,
                              .level_count = 1,
                              .levels = {{2, 3, 3, 2, {0.1, 0.2, 0.3}, {1, 2}}}};
    assert_int_equal(anchors_count(&spec), 36);
    float corners[36 * 4];
    anchors_generate(&spec, corners);
    for (uint32_t i = 0; i < 36; i++) {
        double size = 0.1 * (i / 2 % 3 + 1), ratio = i % 2 + 1;
        uint32_t row = i / 18, column = i / 6 % 3;
        double cx = (column + 0.5) / 3, cy = (row + 0.5) / 2;
        assert_true(close_to((double)corners[4 * i], cx - size * sqrt(ratio) / 2));
        assert_true(close_to((double)corners[4 * i + 1], cy - size / sqrt(ratio) / 2));
        assert_true(close_to((double)corners[4 * i + 2], cx + size * sqrt(ratio) / 2));
        assert_true(close_to((double)corners[4 * i + 3], cy + size / sqrt(ratio) / 2));
    }
    const anchor_spec none = {.level_count = 1, .levels = {{4, 4, 0, 3, {0}, {1, 2, 3}}}};
    assert_int_equal(anchors_count(&none), 0);
}

/* --- placement --- */

static void expect_place(fit_mode fit, uint32_t width, uint32_t height, placement wanted)
{
    const preprocess p = {.width = 260, .height = 200, .fit = fit};
    placement got = preprocess_place(&p, width, height);
    if (memcmp(&got, &wanted, sizeof got) != 0) {
        fail_msg("%ux%u lands at %u %u %ux%u, expected %u %u %ux%u", width, height, got.x, got.y,
                 got.width, got.height, wanted.x, wanted.y, wanted.width, wanted.height);
    }
}

static void test_placement(void **state)
{
    (void)state;
    expect_place(FIT_STRETCH, 17, 4000, (placement){0, 0, 260, 200});
    expect_place(FIT_LETTERBOX, 1300, 1000, (placement){0, 0, 260, 200});
    expect_place(FIT_LETTERBOX, 520, 200, (placement){0, 50, 260, 100});
    expect_place(FIT_LETTERBOX, 100, 200, (placement){80, 0, 100, 200});
    expect_place(FIT_LETTERBOX, 3, 1, (placement){0, 56, 260, 87}); /* 86.67 */
    expect_place(FIT_LETTERBOX, 65535, 1, (placement){0, 99, 260, 1});
    expect_place(FIT_LETTERBOX, 1, 65535, (placement){129, 0, 1, 200});
    test_random r = test_random_seed(1);
    for (int i = 0; i < 2000; i++) {
        uint32_t width = 1 + test_random_u32(&r) % 3000, height = 1 + test_random_u32(&r) % 3000;
        const preprocess p = {.width = 1 + test_random_u32(&r) % 600,
                              .height = 1 + test_random_u32(&r) % 600,
                              .fit = FIT_LETTERBOX};
        placement got = preprocess_place(&p, width, height);
        double scale = fmin((double)p.width / width, (double)p.height / height);
        assert_true(got.width >= 1 && got.height >= 1);
        assert_true(got.x + got.width <= p.width && got.y + got.height <= p.height);
        assert_true(got.width == p.width || got.height == p.height);
        assert_true(fabs(got.width - width * scale) <= 0.5 + 1e-6 || got.width == 1);
        assert_true(fabs(got.height - height * scale) <= 0.5 + 1e-6 || got.height == 1);
    }
}

/* --- preprocess --- */

typedef struct picture {
    pixels pixels;
    unsigned char *bytes;
} picture;

static picture random_picture(test_random *r, pixel_format f, uint32_t width, uint32_t height,
                              size_t padding)
{
    picture p = {{f, width, height, (size_t)width * pixel_bytes(f) + padding, NULL}, NULL};
    p.bytes = malloc(p.pixels.stride * height);
    assert_non_null(p.bytes);
    for (size_t i = 0; i < p.pixels.stride * height; i++) {
        p.bytes[i] = (unsigned char)test_random_u32(r);
    }
    p.pixels.data = p.bytes;
    return p;
}

/* red, green or blue of a pixel, 0..255 */
static double colour_at(const pixels *p, uint32_t x, uint32_t y, uint32_t colour)
{
    static const uint32_t place[PIXEL_FORMAT_COUNT][3] = {{0, 0, 0}, {0, 1, 2}, {2, 1, 0},
                                                          {0, 1, 2}, {2, 1, 0}, {0, 0, 0}};
    const unsigned char *row = (const unsigned char *)p->data + y * p->stride;
    return row[x * pixel_bytes(p->format) + place[p->format][colour]];
}

/* weight that source cell `cell` has in output cell i */
static double tent(sampling mode, uint32_t in, uint32_t out, uint32_t i, uint32_t cell)
{
    double source = (double)i * in / out;
    if (mode == SAMPLING_BILINEAR_HALF_PIXEL) {
        source = (i + 0.5) * in / out - 0.5;
    } else if (mode == SAMPLING_BILINEAR_ALIGN_CORNERS && out > 1) {
        source = (double)i * (in - 1) / (out - 1);
    }
    if (mode == SAMPLING_NEAREST) {
        return (uint64_t)i * in / out == cell;
    }
    source = fmin(fmax(source, 0), in - 1.0);
    return fmax(0, 1 - fabs(source - cell));
}

static double resized(const preprocess *p, const pixels *image, placement place, uint32_t x,
                      uint32_t y, uint32_t colour)
{
    if (x < place.x || x >= place.x + place.width || y < place.y || y >= place.y + place.height) {
        return (double)p->fill;
    }
    double sum = 0;
    for (uint32_t row = 0; row < image->height; row++) {
        double wy = tent(p->sampling, image->height, place.height, y - place.y, row);
        for (uint32_t column = 0; wy > 0 && column < image->width; column++) {
            double wx = tent(p->sampling, image->width, place.width, x - place.x, column);
            sum += wx > 0 ? wy * wx * colour_at(image, column, row, colour) : 0;
        }
    }
    return sum;
}

static void preprocess_case(uint64_t seed)
{
    test_random r = test_random_seed(seed);
    preprocess p = {.width = 1 + test_random_u32(&r) % 19,
                    .height = 1 + test_random_u32(&r) % 19,
                    .channels = (channel_order)(test_random_u32(&r) % 3),
                    .mean = {1, 127.5f, -3},
                    .deviation = {255, 127.5f, 0.5f},
                    .fit = (fit_mode)(test_random_u32(&r) % 2),
                    .sampling = (sampling)(test_random_u32(&r) % 4),
                    .fill = 114};
    picture image =
        random_picture(&r, (pixel_format)(seed % PIXEL_TENSOR_F32), 1 + test_random_u32(&r) % 40,
                       1 + test_random_u32(&r) % 40, test_random_u32(&r) % 5);
    uint32_t channels = p.channels == CHANNELS_GRAY ? 1 : 3;
    placement place = preprocess_place(&p, image.pixels.width, image.pixels.height);
    float input[19 * 19 * 3];
    error err;
    assert_status_ok(reference_preprocess(&p, &image.pixels, input, &err), err);
    for (uint32_t i = 0; i < p.width * p.height * channels; i++) {
        uint32_t c = i % channels, x = i / channels % p.width, y = i / channels / p.width;
        double value =
            resized(&p, &image.pixels, place, x, y, p.channels == CHANNELS_BGR ? 2 - c : c);
        if (p.channels == CHANNELS_GRAY) {
            value = 0.299 * value + 0.587 * resized(&p, &image.pixels, place, x, y, 1) +
                    0.114 * resized(&p, &image.pixels, place, x, y, 2);
        }
        double wanted = (value - (double)p.mean[c]) / (double)p.deviation[c];
        if (!close_to((double)input[i], wanted)) {
            fail_msg("seed %llu: input %u is %.9g, expected %.9g", (unsigned long long)seed, i,
                     (double)input[i], wanted);
        }
    }
    free(image.bytes);
}

static void test_preprocess(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        preprocess_case(seed);
    }
}

static void test_tensor_input(void **state)
{
    (void)state;
    const preprocess p = {.width = 3, .height = 2, .deviation = {1, 1, 1}, .mean = {9, 9, 9}};
    float given[2 * 10], input[18];
    for (int i = 0; i < 20; i++) {
        given[i] = (float)i;
    }
    const pixels dense = {PIXEL_TENSOR_F32, 3, 2, 36, given},
                 padded = {PIXEL_TENSOR_F32, 3, 2, 40, given};
    error err;
    assert_status_ok(reference_preprocess(&p, &dense, input, &err), err);
    assert_memory_equal(input, given, sizeof input);
    assert_status_ok(reference_preprocess(&p, &padded, input, &err), err);
    assert_true(input[8] == 8.0f && input[9] == 10.0f);
}

static void expect_refused(const preprocess *p, pixels image, status wanted, const char *reason)
{
    float input[18];
    error err = {0};
    assert_int_equal(reference_preprocess(p, &image, input, &err), wanted);
    assert_non_null(strstr(err.text, reason));
}

static void test_refusals(void **state)
{
    (void)state;
    preprocess p = {.width = 3, .height = 2, .deviation = {1, 1, 1}};
    static const unsigned char bytes[64] = {0};
    expect_refused(&p, (pixels){PIXEL_TENSOR_F32, 2, 3, 36, bytes}, STATUS_ARGUMENT, "2x3");
    expect_refused(&p, (pixels){PIXEL_TENSOR_F32, 3, 2, 35, bytes}, STATUS_ARGUMENT, "stride");
    expect_refused(&p, (pixels){PIXEL_RGB8, 3, 2, 8, bytes}, STATUS_ARGUMENT, "stride");
    expect_refused(&p, (pixels){PIXEL_RGB8, 0, 2, 8, bytes}, STATUS_ARGUMENT, "without");
    expect_refused(&p, (pixels){PIXEL_RGB8, 3, 0, 9, bytes}, STATUS_ARGUMENT, "without");
    expect_refused(&p, (pixels){PIXEL_RGB8, 3, 2, 9, NULL}, STATUS_ARGUMENT, "without");
    expect_refused(&p, (pixels){PIXEL_FORMAT_COUNT, 3, 2, 9, bytes}, STATUS_ARGUMENT, "format");
    expect_refused(&p, (pixels){PIXEL_GRAY8, 65536, 1, 65536, bytes}, STATUS_LIMIT, "65535");
    p.width = 16385;
    expect_refused(&p, (pixels){PIXEL_GRAY8, 1, 1, 1, bytes}, STATUS_LIMIT, "16384");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_anchors_first),
        cmocka_unit_test(test_anchors_product), cmocka_unit_test(test_placement),
        cmocka_unit_test(test_preprocess),      cmocka_unit_test(test_tensor_input),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
