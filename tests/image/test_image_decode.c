/* Every encoding decodes to the scene; foreign files are refused by name. */
#include "tests/image/support.h"

static void every_sample_decodes_to_the_scene(void **state)
{
    (void)state;
    sample_set set = samples_make();
    for (size_t n = 0; n < set.count; n++) {
        const sample *s = &set.samples[n];
        image i;
        error err;
        status got = image_decode(&allocator_default, NULL, s->bytes, s->size, NULL, &i, &err);
        if (got != STATUS_OK) {
            fail_msg("%s: %s", s->name, err.text);
        }
        check_scene(s, &i);
        const pixels p = image_pixels(&i);
        assert_int_equal(p.width, i.width);
        assert_int_equal(p.height, i.height);
        assert_int_equal(p.stride, i.width * pixel_bytes(i.format));
        assert_ptr_equal(p.data, i.data);
        image_destroy(&i);
    }
    samples_destroy(&set);
}

/* 0 and 9 and up are no orientations. A JPEG is patched, as it has no checksum. */
static void orientation_of_junk_is_none(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *j = samples_find(&set, "jpeg-turned-6");
    assert_non_null(j);
    for (unsigned value = 0; value < 256; value++) {
        unsigned char *copy = malloc(j->size);
        assert_non_null(copy);
        memcpy(copy, j->bytes, j->size);
        size_t at = 0;
        while (at + 26 < j->size && memcmp(copy + at, "MM\0*", 4) != 0) {
            at++;
        }
        copy[at + 19] = (unsigned char)value;
        image i;
        error err;
        assert_status_ok(image_decode(&allocator_default, NULL, copy, j->size, NULL, &i, &err),
                         err);
        assert_int_equal(i.orientation, value >= 1 && value <= 8 ? value : 1);
        image_destroy(&i);
        free(copy);
    }
    samples_destroy(&set);
}

static void refused(const void *data, size_t size, status want, const char *word)
{
    image i;
    error err = {STATUS_OK, ""};
    const status got = image_decode(&allocator_default, NULL, data, size, NULL, &i, &err);
    if (got != want || got != err.code || !strstr(err.text, word)) {
        fail_msg("wanted %s \"%s\", got %s \"%s\"", status_name(want), word, status_name(got),
                 err.text);
    }
}

#define REFUSED(literal, want, word) refused(literal, sizeof(literal) - 1, want, word)

static void foreign_files_are_refused_by_name(void **state)
{
    (void)state;
    REFUSED("II*\0\10\0\0\0", STATUS_UNSUPPORTED, "TIFF is not supported");
    REFUSED("MM\0*\0\0\0\10", STATUS_UNSUPPORTED, "TIFF is not supported");
    REFUSED("\0\0\0\30ftypheic\0\0\0\0", STATUS_UNSUPPORTED, "HEIC");
    REFUSED("\0\0\0\30ftypavif\0\0\0\0", STATUS_UNSUPPORTED, "AVIF");
    REFUSED("\0\0\0\30ftypmif1\0\0\0\0", STATUS_UNSUPPORTED, "HEIF");
    REFUSED("\0\0\0\30ftypisom\0\0\0\0", STATUS_UNSUPPORTED, "video");
    REFUSED("\xff\x0a\0\0\0", STATUS_UNSUPPORTED, "JPEG XL");
    REFUSED("\0\0\0\14JXL \r\n\x87\n", STATUS_UNSUPPORTED, "JPEG XL");
    REFUSED("\0\0\0\14jP  \r\n\x87\n", STATUS_UNSUPPORTED, "JPEG 2000");
    REFUSED("%PDF-1.7\n%\xe2\xe3", STATUS_UNSUPPORTED, "PDF");
    REFUSED("8BPS\0\1", STATUS_UNSUPPORTED, "Photoshop");
    REFUSED("PK\3\4\24\0", STATUS_UNSUPPORTED, "ZIP");
    REFUSED("P7\nWIDTH 1\n", STATUS_UNSUPPORTED, "PAM");
    REFUSED("<?xml version=\"1.0\"?>\n<SVG xmlns=\"x\"/>", STATUS_UNSUPPORTED, "SVG");
    REFUSED("\n<!DOCTYPE html><p>404</p>", STATUS_IMAGE, "HTML");
    REFUSED("404 not found\n", STATUS_IMAGE, "text");
    REFUSED("\1\2\3\4\5\6\7", STATUS_IMAGE, "known");
    REFUSED("", STATUS_IMAGE, "empty");
    refused(NULL, 0, STATUS_IMAGE, "empty");
}

static void bad_gifs_are_one_error(void **state)
{
    (void)state;
    REFUSED("GIF89a\1\0\1\0\0\0\0\x3b", STATUS_IMAGE, "no frame");
    REFUSED("GIF89a\1\0\1\0\0\0\0\x2c\0\0\0\0\1\0\1\0\0\2\2\x44\1\0", STATUS_IMAGE, "palette");
    REFUSED("GIF89a\1\0\1\0\x80\0\0abcdef\x2c\0\0\0\0\0\0\1\0\0\2\2\x44\1\0", STATUS_IMAGE,
            "0 x 1");
    REFUSED("GIF89a\1\0\1\0\x80\0\0abcdef\x2c\0\0\0\0\1\0\1\0\0\x0c\2\x44\1\0", STATUS_IMAGE,
            "malformed");
    REFUSED("GIF89a\1\0\1\0\x80\0\0abcdef\x2c\0\0\0\0\1\0\1\0\0\2\2\xff\xff\0", STATUS_IMAGE,
            "malformed");
}

/* A frame inside a larger canvas: the rest takes the background's colour. */
static void gif_frame_on_a_canvas(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\3\0\2\0\x80\1\0\x0a\x14\x1e\x28\x32\x3c"
                              "\x2c\1\0\1\0\1\0\1\0\0\2\2\x44\1\0\x3b";
    image i;
    error err;
    assert_status_ok(image_decode(&allocator_default, NULL, gif, sizeof gif - 1, NULL, &i, &err),
                     err);
    assert_int_equal(i.width, 3);
    assert_int_equal(i.height, 2);
    for (size_t n = 0; n < 6; n++) {
        assert_int_equal(i.data[3 * n], n == 4 ? 0x0a : 0x28);
        assert_int_equal(i.data[3 * n + 2], n == 4 ? 0x1e : 0x3c);
    }
    image_destroy(&i);
}

/* The end of the blocks and the trailer may be missing, and what follows the first frame may be
 * anything. */
static void gif_is_whole_with_its_first_frame(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *s = samples_find(&set, "gray-gif");
    assert_non_null(s);
    for (size_t lost = 0; lost <= 2; lost++) {
        bytes b = {0};
        bytes_put(&b, s->bytes, s->size - lost);
        if (lost == 1) { /* the trailer: a frame of nonsense in its place */
            bytes_put(&b, "\x2c\xff\xff\xff\xff\0\0\0\0\x07", 10);
        }
        image i;
        error err;
        assert_status_ok(image_decode(&allocator_default, NULL, b.data, b.size, NULL, &i, &err),
                         err);
        assert_false(i.partial);
        check_scene(s, &i);
        image_destroy(&i);
        free(b.data);
    }
    samples_destroy(&set);
}

/* Blocks of one byte whose value exceeds what is left of the file. */
static void gif_in_small_blocks(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\1\0\1\0\x80\0\0\x0a\x14\x1e\x28\x32\x3c"
                              "\x2c\0\0\0\0\1\0\1\0\0\2\1\x4c\1\1";
    image i;
    error err;
    assert_status_ok(image_decode(&allocator_default, NULL, gif, sizeof gif - 1, NULL, &i, &err),
                     err);
    assert_false(i.partial);
    assert_memory_equal(i.data, "\x28\x32\x3c", 3);
    image_destroy(&i);
}

static void bad_bmps_are_one_error(void **state)
{
    (void)state;
    sample_set set = samples_make();
    static const struct {
        size_t at;
        const char *patch;
        size_t length;
        status want;
        const char *word;
    } cases[] = {
        {10, "\x20\0\0\0", 4, STATUS_IMAGE, "early"}, /* pixels inside the header */
        {10, "\xff\xff\xff\xff", 4, STATUS_IMAGE, "early"},
        {14, "\x0d\0\0\0", 4, STATUS_IMAGE, "header"},
        {14, "\xff\xff\xff\xff", 4, STATUS_IMAGE, "header"},
        {18, "\0\0\0\0", 4, STATUS_IMAGE, "0 x 23"},
        {22, "\0\0\0\x80", 4, STATUS_LIMIT, "65535"},
        {28, "\2\0", 2, STATUS_IMAGE, "2 bits"},
        {28, "\x20\0", 2, STATUS_IMAGE, "early"},
        {30, "\1\0\0\0", 4, STATUS_IMAGE, "compression 1"},
        {30, "\4\0\0\0", 4, STATUS_UNSUPPORTED, "compression 4"},
        {30, "\x63\0\0\0", 4, STATUS_UNSUPPORTED, "compression 99"},
    };
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        const sample *s = samples_find(&set, "bmp-24");
        assert_non_null(s);
        unsigned char *copy = malloc(s->size);
        assert_non_null(copy);
        memcpy(copy, s->bytes, s->size);
        memcpy(copy + cases[n].at, cases[n].patch, cases[n].length);
        refused(copy, s->size, cases[n].want, cases[n].word);
        free(copy);
    }
    samples_destroy(&set);
}

static void pnm_headers(void **state)
{
    (void)state;
    REFUSED("P5 2 2 0\n\1\2\3\4", STATUS_IMAGE, "header");
    REFUSED("P5 2 2 65536\n\1\2\3\4\1\2\3\4", STATUS_IMAGE, "header");
    REFUSED("P5 2 99999999999999999999 255\n\1", STATUS_IMAGE, "header");
    REFUSED("P5 70000 1 255\n\1", STATUS_LIMIT, "65535");
    REFUSED("P5 60000 60000 255\n\1", STATUS_LIMIT, "limit");
    REFUSED("P5 0 1 255\n\1", STATUS_IMAGE, "0 x 1");
    REFUSED("P5 2 2 255\n\1\2\3", STATUS_IMAGE, "4 bytes");
    REFUSED("P2 2 2 255\n1 2 3 x", STATUS_IMAGE, "number");
    REFUSED("P1 2 2\n0 1 0 2", STATUS_IMAGE, "bit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_decodes_to_the_scene),
        cmocka_unit_test(orientation_of_junk_is_none),
        cmocka_unit_test(foreign_files_are_refused_by_name),
        cmocka_unit_test(bad_gifs_are_one_error),
        cmocka_unit_test(bad_bmps_are_one_error),
        cmocka_unit_test(gif_frame_on_a_canvas),
        cmocka_unit_test(gif_is_whole_with_its_first_frame),
        cmocka_unit_test(gif_in_small_blocks),
        cmocka_unit_test(pnm_headers),
    };
    return cmocka_run_group_tests_name("image decode", tests, NULL, NULL);
}
