/* Drawing changes the pixels it should and no others, whatever the boxes and texts; encoding and
 * decoding give the picture back. */
#include "tests/image/support.h"

#include "host/image/codec.h"
#include "host/image/font.h"

enum { WIDTH = 200, HEIGHT = 120, PAPER = 90 };

static image blank(pixel_format format, uint32_t width, uint32_t height)
{
    image i = {.alloc = allocator_default,
               .format = format,
               .width = width,
               .height = height,
               .orientation = 1};
    i.data = malloc((size_t)width * height * pixel_bytes(format));
    assert_non_null(i.data);
    memset(i.data, PAPER, (size_t)width * height * pixel_bytes(format));
    return i;
}

static uint32_t pixel_at(const image *i, uint32_t x, uint32_t y)
{
    const unsigned char *p = i->data + ((size_t)y * i->width + x) * pixel_bytes(i->format);
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

#define PAPER_PIXEL ((uint32_t)PAPER * 0x010101u)
#define GREEN       0x00ff00u

static void draw(image *i, const image_mark *marks, size_t count)
{
    error err;
    assert_status_ok(image_draw(i, NULL, marks, count, &err), err);
}

static size_t changed(const image *i)
{
    size_t count = 0;
    for (uint32_t y = 0; y < i->height; y++) {
        for (uint32_t x = 0; x < i->width; x++) {
            count += pixel_at(i, x, y) != PAPER_PIXEL;
        }
    }
    return count;
}

static void outline_is_where_the_box_is(void **state)
{
    (void)state;
    image i = blank(PIXEL_GRAY8, WIDTH, HEIGHT); /* becomes RGB */
    const image_mark mark = {{50, 30, 150, 100}, GREEN, NULL};
    draw(&i, &mark, 1);
    assert_int_equal(i.format, PIXEL_RGB8);
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            /* two pixels wide, centred on the edges */
            const bool outer = x >= 49 && x < 151 && y >= 29 && y < 101;
            const bool inner = x >= 51 && x < 149 && y >= 31 && y < 99;
            const uint32_t want = outer && !inner ? GREEN : PAPER_PIXEL;
            if (pixel_at(&i, x, y) != want) {
                fail_msg("pixel (%u, %u) is %06x, not %06x", x, y, pixel_at(&i, x, y), want);
            }
        }
    }
    image_destroy(&i);
}

static void line_width_follows_the_picture(void **state)
{
    (void)state;
    image i = blank(PIXEL_RGB8, 1400, 1000); /* 1000 / 200 = 5 */
    const image_mark mark = {{300, 300, 900, 800}, GREEN, ""};
    draw(&i, &mark, 1);
    uint32_t run = 0;
    for (uint32_t x = 280; x < 320; x++) {
        run += pixel_at(&i, x, 500) == GREEN;
    }
    assert_int_equal(run, 5);
    image_destroy(&i);
}

static void rgba_keeps_its_alpha(void **state)
{
    (void)state;
    image i = blank(PIXEL_RGBA8, WIDTH, HEIGHT);
    const image_mark mark = {{50, 30, 150, 100}, GREEN, "a"};
    draw(&i, &mark, 1);
    for (size_t n = 0; n < (size_t)WIDTH * HEIGHT; n++) {
        assert_int_equal(i.data[4 * n + 3], PAPER);
    }
    assert_int_equal(pixel_at(&i, 50, 60), GREEN);
    image_destroy(&i);
}

static void what_is_no_box_draws_nothing(void **state)
{
    (void)state;
    const float inf = INFINITY;
    const image_mark marks[] = {
        {{NAN, 10, 50, 50}, GREEN, "nan"},
        {{10, NAN, 50, 50}, GREEN, "nan"},
        {{10, 10, NAN, 50}, GREEN, "nan"},
        {{10, 10, 50, NAN}, GREEN, "nan"},
        {{50, 50, 10, 60}, GREEN, "turned over"},
        {{10, 60, 20, 50}, GREEN, "turned over"},
        {{500, 10, 600, 50}, GREEN, "right of"},
        {{-90, 10, -50, 50}, GREEN, "left of"},
        {{10, 300, 50, 400}, GREEN, "below"},
        {{10, -90, 50, -50}, GREEN, "above"},
        {{inf, 10, inf, 50}, GREEN, "far"},
        {{-inf, -inf, -inf, -inf}, GREEN, "far"},
        {{-1e30f, -1e30f, 1e30f, 1e30f}, GREEN, NULL}, /* all around: no edge is in sight */
        {{-inf, -inf, inf, inf}, GREEN, ""},
    };
    for (size_t n = 0; n < sizeof marks / sizeof marks[0]; n++) {
        image i = blank(PIXEL_RGB8, WIDTH, HEIGHT);
        draw(&i, &marks[n], 1);
        if (changed(&i)) {
            fail_msg("mark %zu (%s) changed %zu pixels", n, marks[n].text, changed(&i));
        }
        image_destroy(&i);
    }
}

/* The label has the mark's colour, touches the box from above, and letters in black or white. */
static void label_stands_above_the_box(void **state)
{
    (void)state;
    static const uint32_t colours[2] = {GREEN, 0xfa0000};
    for (size_t k = 0; k < 2; k++) {
        image i = blank(PIXEL_RGB8, WIDTH, HEIGHT);
        const image_mark mark = {{50, 60, 150, 110}, colours[k], "mask 0.98"};
        draw(&i, &mark, 1);
        assert_int_equal(pixel_at(&i, 49, 58), colours[k]); /* left end of the label's last row */
        size_t ink = 0, inside = 0;
        for (uint32_t y = 0; y < HEIGHT; y++) {
            for (uint32_t x = 0; x < WIDTH; x++) {
                ink += pixel_at(&i, x, y) == (k ? 0xffffffu : 0u);
                inside +=
                    x > 52 && x < 148 && y > 62 && y < 108 && pixel_at(&i, x, y) != PAPER_PIXEL;
            }
        }
        assert_true(ink >= 8);
        assert_int_equal(inside, 0);
        for (uint32_t x = 0; x < WIDTH; x++) {
            assert_int_equal(pixel_at(&i, x, 30), PAPER_PIXEL);
        }
        image_destroy(&i);
    }
}

static void label_moves_inside_at_the_border(void **state)
{
    (void)state;
    image i = blank(PIXEL_RGB8, WIDTH, HEIGHT);
    const image_mark marks[] = {{{20, 1, 120, 100}, GREEN, "top"},
                                {{190, 60, 230, 110}, 0xfa0000, "right"}};
    draw(&i, marks, 2);
    assert_int_equal(pixel_at(&i, 21, 6), GREEN);
    /* pushed left so that all of it is in sight */
    assert_int_equal(pixel_at(&i, 170, 57), 0xfa0000);
    assert_int_equal(pixel_at(&i, 199, 57), 0xfa0000);
    image_destroy(&i);
}

static void any_text_is_drawn(void **state)
{
    (void)state;
    char *endless = malloc(100001);
    assert_non_null(endless);
    memset(endless, 'W', 100000);
    endless[100000] = '\0';
    const char *const texts[] = {
        "\xe4\xbd\xa9\xe6\x88\xb4\xe5\x8f\xa3\xe7\xbd\xa9 0.98",
        "\xff\xfe\x80 \xc3",
        "\xed\xa0\x80 \xf4\x90\x80\x80 \xc0\x80 \xe4\xbd",
        "line\nbreak\ttab\x01\x7f",
        "\xf0\x9f\x98\xb7",
        endless,
    };
    for (size_t n = 0; n < sizeof texts / sizeof texts[0]; n++) {
        image i = blank(PIXEL_RGB8, WIDTH, HEIGHT);
        const image_mark mark = {{50, 60, 150, 110}, GREEN, texts[n]};
        draw(&i, &mark, 1);
        assert_true(changed(&i) > 2 * 2 * (100 + 50));
        image_destroy(&i);
    }
    free(endless);
}

/* Pictures smaller than a line, and many marks at once. */
static void any_size_is_drawn_on(void **state)
{
    (void)state;
    const uint64_t seed = 7;
    printf("seed %llu\n", (unsigned long long)seed);
    test_random random = test_random_seed(seed);
    for (unsigned times = 0; times < 60; times++) {
        image_mark marks[20];
        image i = blank(times % 3 ? PIXEL_RGB8 : PIXEL_GRAY8, 1 + test_random_u32(&random) % 50,
                        1 + test_random_u32(&random) % 50);
        for (size_t n = 0; n < 20; n++) {
            marks[n] = (image_mark){.colour = test_random_u32(&random) & 0xffffff,
                                    .text = n % 2 ? "no mask 0.51" : NULL};
            for (size_t c = 0; c < 4; c++) {
                marks[n].box[c] = test_random_float(&random, -60, 110);
            }
        }
        draw(&i, marks, 20);
        image_destroy(&i);
    }
}

static void every_allocation_of_drawing_may_fail(void **state)
{
    (void)state;
    for (size_t fail_at = 1;; fail_at++) {
        test_allocator counting;
        test_allocator_init(&counting, fail_at);
        image i = {.alloc = counting.alloc, .format = PIXEL_GRAY8, .width = 60, .height = 40};
        i.data = memory_allocate(&i.alloc, (size_t)60 * 40, 1);
        status got = STATUS_MEMORY;
        error err;
        if (i.data) {
            const image_mark mark = {{5, 5, 50, 30}, GREEN, "mask \xe4\xbd\xa9"};
            got = image_draw(&i, NULL, &mark, 1, &err);
        }
        image_destroy(&i);
        assert_int_equal(counting.live, 0);
        assert_int_equal(got, counting.failed ? STATUS_MEMORY : STATUS_OK);
        if (!counting.failed) {
            break;
        }
    }
}

/* --- letters --- */
static void utf8_is_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t points[4];
    } cases[] = {
        {"a", {'a'}},
        {"\xc3\xa9z", {0xe9, 'z'}},
        {"\xe5\x8f\xa3", {0x53e3}},
        {"\xf0\x9f\x98\xb7", {0x1f637}},
        {"\xc0\x80", {UTF8_INVALID, UTF8_INVALID}},                   /* overlong */
        {"\xed\xa0\x80", {UTF8_INVALID, UTF8_INVALID, UTF8_INVALID}}, /* surrogate */
        {"\xe5\x8f", {UTF8_INVALID, UTF8_INVALID}},                   /* cut */
        {"\xffz", {UTF8_INVALID, 'z'}},
    };
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        const char *text = cases[n].text;
        for (size_t k = 0; k < 4 && (k == 0 || cases[n].points[k - 1]); k++) {
            assert_int_equal(utf8_next(&text), cases[n].points[k]);
        }
    }
}

static void coverage_is_sorted_and_bounded(void **state)
{
    (void)state;
    font_coverage c = {.count = 0};
    font_coverage_add(&c, "b\xe5\x8f\xa3 \xc3\xa9 \xe5\x8f\xa3 \xff");
    assert_int_equal(c.count, 2);
    assert_int_equal(c.points[0], 0xe9);
    assert_int_equal(c.points[1], 0x53e3);
    for (unsigned n = 0; n < 2000; n++) {
        const char text[4] = {(char)(0xe4 + n / 4096), (char)(0x80 + n / 64 % 64),
                              (char)(0x80 + n % 64), 0};
        font_coverage_add(&c, text);
    }
    assert_int_equal(c.count, FONT_COVERAGE_MAX);
    for (size_t n = 1; n < c.count; n++) {
        assert_true(c.points[n - 1] < c.points[n]);
    }
}

/* Every printable character has dots of its own, spaces have none, the rest shows as a box. */
static void builtin_alphabet_is_complete(void **state)
{
    (void)state;
    unsigned char seen[95][48] = {{0}};
    const font_coverage none = {.count = 0};
    font *f = NULL;
    error err;
    assert_status_ok(font_builtin_create(&allocator_default, &none, 12, &f, &err), err);
    assert_true(f->complete);
    for (uint32_t point = 0x20; point < 0x7f; point++) {
        glyph g;
        assert_status_ok(f->call->glyph(f, point, &g, &err), err);
        assert_true(g.width * g.height <= 48 && g.advance > g.width && g.top <= f->ascent &&
                    g.height - g.top <= f->descent);
        unsigned char *mine = seen[point - 0x20];
        memcpy(mine, g.coverage, (size_t)g.width * (size_t)g.height);
        bool empty = true;
        for (size_t n = 0; n < 48; n++) {
            empty = empty && mine[n] == 0;
        }
        assert_int_equal(empty, point == ' ');
        for (uint32_t other = 0x20; other < point; other++) {
            if (memcmp(mine, seen[other - 0x20], 48) == 0) {
                fail_msg("'%c' looks like '%c'", (int)point, (int)other);
            }
        }
    }
    glyph boxed, other;
    assert_status_ok(f->call->glyph(f, 0x53e3, &boxed, &err), err);
    const int width = boxed.width;
    assert_status_ok(f->call->glyph(f, UTF8_INVALID, &other, &err), err);
    assert_int_equal(width, other.width);
    font_destroy(f);
    font_destroy(NULL);
}

static void builtin_allocations_may_fail(void **state)
{
    (void)state;
    const font_coverage needed = {.points = {0x53e3}, .count = 1};
    for (size_t fail_at = 1; fail_at <= 3; fail_at++) {
        test_allocator counting;
        test_allocator_init(&counting, fail_at);
        font *f = NULL;
        error err;
        const status got = font_builtin_create(&counting.alloc, &needed, 40, &f, &err);
        assert_int_equal(got, fail_at <= 2 ? STATUS_MEMORY : STATUS_OK);
        if (got == STATUS_OK) {
            assert_false(f->complete);
        }
        font_destroy(f);
        assert_int_equal(counting.live, 0);
    }
}

/* --- encoding --- */
static image scene(pixel_format format)
{
    image i = blank(format, SCENE_WIDTH, SCENE_HEIGHT);
    for (uint32_t y = 0; y < SCENE_HEIGHT; y++) {
        for (uint32_t x = 0; x < SCENE_WIDTH; x++) {
            unsigned char p[3];
            scene_pixel(x, y, p);
            memcpy(i.data + ((size_t)y * SCENE_WIDTH + x) * pixel_bytes(format), p,
                   format == PIXEL_GRAY8 ? 1 : 3);
        }
    }
    return i;
}

static void encoding_comes_back(void **state)
{
    (void)state;
    static const pixel_format formats[3] = {PIXEL_GRAY8, PIXEL_RGB8, PIXEL_RGBA8};
    static const int qualities[5] = {0, 1, 89, 90, 100};
    for (size_t f = 0; f < 3; f++) {
        image i = scene(formats[f]), back;
        unsigned char *data = NULL;
        size_t size = 0;
        error err;
        assert_status_ok(image_encode(&i, IMAGE_PNG, 0, &data, &size, &err), err);
        assert_status_ok(image_decode(&allocator_default, NULL, data, size, NULL, &back, &err),
                         err);
        assert_true(mean_difference(&i, &back) == 0);
        image_destroy(&back);
        memory_release(&i.alloc, data);
        for (size_t q = 0; q < 5; q++) {
            assert_status_ok(image_encode(&i, IMAGE_JPEG, qualities[q], &data, &size, &err), err);
            assert_status_ok(image_decode(&allocator_default, NULL, data, size, NULL, &back, &err),
                             err);
            assert_false(back.partial);
            assert_int_equal(back.format, formats[f] == PIXEL_GRAY8 ? PIXEL_GRAY8 : PIXEL_RGB8);
            const double difference = mean_difference(&i, &back);
            if (difference < 0 || difference > (qualities[q] == 1 ? 60 : 5)) {
                fail_msg("quality %d: mean difference %f", qualities[q], difference);
            }
            image_destroy(&back);
            memory_release(&i.alloc, data);
        }
        image_destroy(&i);
    }
}

static void encoding_errors(void **state)
{
    (void)state;
    image i = scene(PIXEL_RGB8);
    unsigned char *data = NULL;
    size_t size = 0;
    error err;
    assert_int_equal(image_encode(&i, IMAGE_JPEG, 101, &data, &size, &err), STATUS_ARGUMENT);
    assert_int_equal(image_encode(&i, IMAGE_JPEG, -1, &data, &size, &err), STATUS_ARGUMENT);
    assert_int_equal(image_encode(&i, (image_codec)7, 0, &data, &size, &err), STATUS_ARGUMENT);
    image_destroy(&i);
    i = blank(PIXEL_GRAY8, 65535, 1); /* libjpeg stops at 65500 */
    assert_int_equal(image_encode(&i, IMAGE_JPEG, 0, &data, &size, &err), STATUS_LIMIT);
    assert_null(data);
    image_destroy(&i);
}

static void every_allocation_of_encoding_may_fail(void **state)
{
    (void)state;
    for (int codec = IMAGE_PNG; codec <= IMAGE_JPEG; codec++) {
        for (size_t fail_at = 1;; fail_at++) {
            test_allocator counting;
            test_allocator_init(&counting, fail_at);
            image i = scene(PIXEL_RGB8);
            const allocator own = i.alloc;
            i.alloc = counting.alloc;
            unsigned char *data = NULL;
            size_t size = 0;
            error err;
            const status got = image_encode(&i, (image_codec)codec, 0, &data, &size, &err);
            memory_release(&i.alloc, data);
            assert_int_equal(counting.live, 0);
            i.alloc = own;
            image_destroy(&i);
            assert_int_equal(got, counting.failed ? STATUS_MEMORY : STATUS_OK);
            if (!counting.failed) {
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outline_is_where_the_box_is),
        cmocka_unit_test(line_width_follows_the_picture),
        cmocka_unit_test(rgba_keeps_its_alpha),
        cmocka_unit_test(what_is_no_box_draws_nothing),
        cmocka_unit_test(label_stands_above_the_box),
        cmocka_unit_test(label_moves_inside_at_the_border),
        cmocka_unit_test(any_text_is_drawn),
        cmocka_unit_test(any_size_is_drawn_on),
        cmocka_unit_test(every_allocation_of_drawing_may_fail),
        cmocka_unit_test(utf8_is_read_strictly),
        cmocka_unit_test(coverage_is_sorted_and_bounded),
        cmocka_unit_test(builtin_alphabet_is_complete),
        cmocka_unit_test(builtin_allocations_may_fail),
        cmocka_unit_test(encoding_comes_back),
        cmocka_unit_test(encoding_errors),
        cmocka_unit_test(every_allocation_of_encoding_may_fail),
    };
    return cmocka_run_group_tests_name("image draw and encode", tests, NULL, NULL);
}
