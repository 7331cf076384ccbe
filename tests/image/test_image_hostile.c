/* What must never crash, leak or overspend: files cut anywhere, damaged files, headers that lie,
 * allocators that refuse. */
#include "tests/image/support.h"

#include "host/image/codec.h"

/* --- an allocator that knows how much was live at most --- */
typedef struct peak_allocator {
    allocator alloc;
    size_t live, peak;
} peak_allocator;

static void *peak_allocate(void *user, size_t size)
{
    peak_allocator *p = user;
    unsigned char *block = malloc(size + 16);
    if (!block) {
        return NULL;
    }
    memcpy(block, &size, sizeof size);
    p->live += size;
    p->peak = p->live > p->peak ? p->live : p->peak;
    return block + 16;
}

static void peak_release(void *user, void *memory)
{
    peak_allocator *p = user;
    if (memory) {
        size_t size;
        memcpy(&size, (unsigned char *)memory - 16, sizeof size);
        p->live -= size;
        free((unsigned char *)memory - 16);
    }
}

static void peak_init(peak_allocator *p)
{
    *p = (peak_allocator){.alloc = {peak_allocate, peak_release, p}};
}

/* Decodes a copy of exactly that size, so that reading past the end shows. */
static status decode_copy(const allocator *a, const unsigned char *data, size_t size,
                          const image_limits *limits, image *out, error *err)
{
    unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    const status s = image_decode(a, NULL, copy, size, limits, out, err);
    free(copy);
    return s;
}

static bool is_format(const sample *s, const char *prefix)
{
    const char *name = strncmp(s->name, "gray-", 5) == 0 ? s->name + 5 : s->name;
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* JPEG and GIF may give their part and say so; the others are errors as long as pixels miss. */
static void cut_anywhere(void **state)
{
    (void)state;
    sample_set set = samples_make();
    for (size_t n = 0; n < set.count; n++) {
        const sample *s = &set.samples[n];
        bool was_partial = false;
        for (size_t size = 0; size < s->size; size++) {
            image i;
            error err = {STATUS_OK, ""};
            const status got = decode_copy(&allocator_default, s->bytes, size, NULL, &i, &err);
            if (got != STATUS_OK) {
                assert_int_equal(got, err.code);
                assert_true(err.text[0] != '\0');
                continue;
            }
            if (is_format(s, "png") || is_format(s, "webp")) {
                fail_msg("%s cut to %zu of %zu bytes decodes", s->name, size, s->size);
            }
            was_partial |= i.partial;
            assert_int_equal(i.width, SCENE_WIDTH);
            assert_int_equal(i.height, SCENE_HEIGHT);
            /* whatever was cut off did not matter; that a number as text lost digits shows nowhere
             */
            if (!i.partial && s->orientation == 1 && !is_format(s, "pnm-p2") &&
                !is_format(s, "pnm-p3")) {
                check_scene(s, &i);
            }
            image_destroy(&i);
        }
        if (is_format(s, "jpeg") || is_format(s, "gif")) {
            assert_true(was_partial);
        }
    }
    samples_destroy(&set);
}

/* The lines before the cut are those of the whole picture. */
static void partial_pictures_keep_their_part(void **state)
{
    (void)state;
    sample_set set = samples_make();
    static const char *const names[] = {"jpeg-444", "jpeg-gray", "gray-gif"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const sample *s = samples_find(&set, names[k]);
        assert_non_null(s);
        image whole, part;
        error err;
        kept_log kept;
        kept_log_init(&kept);
        assert_status_ok(
            image_decode(&allocator_default, &kept.log, s->bytes, s->size, NULL, &whole, &err),
            err);
        assert_int_equal(kept.count, 0);
        assert_status_ok(image_decode(&allocator_default, &kept.log, s->bytes,
                                      s->size - s->size / 6, NULL, &part, &err),
                         err);
        assert_true(part.partial);
        assert_int_equal(kept.count, 1);
        assert_string_equal(kept.id, "image-partial");
        const size_t lines = 4;
        assert_memory_equal(whole.data, part.data, lines * whole.width * pixel_bytes(whole.format));
        image_destroy(&whole);
        image_destroy(&part);
    }
    samples_destroy(&set);
}

static void damaged_anywhere(void **state)
{
    (void)state;
    const uint64_t seed = 20240611;
    printf("seed %llu\n", (unsigned long long)seed);
    test_random random = test_random_seed(seed);
    sample_set set = samples_make();
    const image_limits limits = {.max_pixels = 1u << 20};
    for (size_t n = 0; n < set.count; n++) {
        const sample *s = &set.samples[n];
        for (unsigned times = 0; times < 100; times++) {
            unsigned char *copy = malloc(s->size);
            assert_non_null(copy);
            memcpy(copy, s->bytes, s->size);
            const unsigned flips = 1 + test_random_u32(&random) % 4;
            for (unsigned k = 0; k < flips; k++) {
                copy[test_random_u32(&random) % s->size] = (unsigned char)test_random_u32(&random);
            }
            test_allocator counting;
            test_allocator_init(&counting, 0);
            image i;
            error err;
            if (image_decode(&counting.alloc, NULL, copy, s->size, &limits, &i, &err) ==
                STATUS_OK) {
                image_destroy(&i);
            }
            assert_int_equal(counting.live, 0);
            free(copy);
        }
    }
    samples_destroy(&set);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    sample_set set = samples_make();
    for (size_t n = 0; n < set.count; n++) {
        const sample *s = &set.samples[n];
        for (size_t fail_at = 1;; fail_at++) {
            test_allocator counting;
            test_allocator_init(&counting, fail_at);
            image i;
            error err;
            const status got =
                image_decode(&counting.alloc, NULL, s->bytes, s->size, NULL, &i, &err);
            if (got == STATUS_OK) {
                image_destroy(&i);
            }
            assert_int_equal(counting.live, 0);
            if (!counting.failed) {
                assert_int_equal(got, STATUS_OK);
                break;
            }
            if (got != STATUS_MEMORY) {
                fail_msg("%s, allocation %zu: %s", s->name, fail_at, err.text);
            }
        }
    }
    samples_destroy(&set);
}

static void limits_hold_to_the_pixel(void **state)
{
    (void)state;
    sample_set set = samples_make();
    for (size_t n = 0; n < set.count; n++) {
        const sample *s = &set.samples[n];
        const image_limits enough = {SCENE_WIDTH * SCENE_HEIGHT, s->size};
        const image_limits few_pixels = {SCENE_WIDTH * SCENE_HEIGHT - 1, 0};
        const image_limits few_bytes = {0, s->size - 1};
        peak_allocator peak;
        peak_init(&peak);
        image i;
        error err;
        assert_status_ok(image_decode(&peak.alloc, NULL, s->bytes, s->size, &enough, &i, &err),
                         err);
        assert_true(peak.peak <= 8 * enough.max_pixels + IMAGE_WORKING_BYTES);
        image_destroy(&i);
        assert_int_equal(peak.live, 0);
        assert_int_equal(image_decode(&peak.alloc, NULL, s->bytes, s->size, &few_pixels, &i, &err),
                         STATUS_LIMIT);
        assert_int_equal(image_decode(&peak.alloc, NULL, s->bytes, s->size, &few_bytes, &i, &err),
                         STATUS_LIMIT);
        assert_non_null(strstr(err.text, "limit"));
    }
    samples_destroy(&set);
}

/* Writes big- or little-endian sides over those of a sample and expects one error, at no cost. */
static void lying_header(const sample_set *set, const char *name, size_t at, const char *sides,
                         size_t length, status want)
{
    const sample *s = samples_find(set, name);
    assert_non_null(s);
    unsigned char *copy = malloc(s->size);
    assert_non_null(copy);
    memcpy(copy, s->bytes, s->size);
    memcpy(copy + at, sides, length);
    peak_allocator peak;
    peak_init(&peak);
    image i;
    error err = {STATUS_OK, ""};
    const status got = image_decode(&peak.alloc, NULL, copy, s->size, NULL, &i, &err);
    if (got != want || peak.peak > (1u << 20) || peak.live) {
        fail_msg("%s: %s (%s), %zu bytes at most", name, status_name(got), err.text, peak.peak);
    }
    free(copy);
}

static size_t frame_header_at(const sample_set *set, const char *name)
{
    const sample *s = samples_find(set, name);
    size_t at = 0;
    assert_non_null(s);
    while (at + 2 < s->size && !(s->bytes[at] == 0xff && s->bytes[at + 1] == 0xc0)) {
        at++;
    }
    return at + 5;
}

static void headers_that_lie(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const size_t jpeg = frame_header_at(&set, "jpeg-444");
    lying_header(&set, "png-rgb8", 16, "\0\0\x4e\x20\0\0\x4e\x20", 8, STATUS_LIMIT);
    lying_header(&set, "png-rgb8", 16, "\x7f\xff\xff\xff\x7f\xff\xff\xff", 8, STATUS_LIMIT);
    lying_header(&set, "png-rgb8", 16, "\0\0\0\0\0\0\0\1", 8, STATUS_IMAGE);
    lying_header(&set, "jpeg-444", jpeg, "\xf0\xf0\xf0\xf0", 4, STATUS_LIMIT);
    lying_header(&set, "jpeg-444", jpeg, "\xff\xff\xff\xff", 4, STATUS_LIMIT);
    lying_header(&set, "jpeg-444", jpeg, "\0\0\0\1", 4, STATUS_IMAGE);
    lying_header(&set, "webp-animation", 24, "\xff\x3f\0\xff\x3f\0", 6, STATUS_LIMIT);
    lying_header(&set, "bmp-24", 18, "\x20\x4e\0\0\x20\x4e\0\0", 8, STATUS_LIMIT);
    lying_header(&set, "bmp-24", 18, "\xff\xff\xff\x7f\0\0\0\x80", 8, STATUS_LIMIT);
    lying_header(&set, "bmp-24", 18, "\1\0\0\0\0\0\0\x80", 8, STATUS_LIMIT);
    lying_header(&set, "gray-gif", 6, "\xff\xff\xff\xff", 4, STATUS_LIMIT);
    lying_header(&set, "tga-2-24", 12, "\xff\xff\xff\xff", 4, STATUS_LIMIT);
    samples_destroy(&set);
}

/* Each scan costs a pass over the picture: a small file must not buy thousands. */
static void endless_progressive_scans(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *s = samples_find(&set, "jpeg-progressive");
    assert_non_null(s);
    size_t last = 0;
    for (size_t at = 0; at + 1 < s->size; at++) {
        last = s->bytes[at] == 0xff && s->bytes[at + 1] == 0xda ? at : last;
    }
    const size_t scan = s->size - 2 - last; /* up to the end marker */
    for (unsigned copies = 50; copies <= 5000; copies *= 100) {
        bytes b = {0};
        bytes_put(&b, s->bytes, s->size - 2);
        for (unsigned n = 0; n < copies; n++) {
            bytes_put(&b, s->bytes + last, scan);
        }
        bytes_put(&b, "\xff\xd9", 2);
        image i;
        error err = {STATUS_OK, ""};
        const status got = image_decode(&allocator_default, NULL, b.data, b.size, NULL, &i, &err);
        if (got == STATUS_OK) {
            image_destroy(&i);
        }
        assert_int_equal(got, copies == 50 ? STATUS_OK : STATUS_LIMIT);
        free(b.data);
    }
    samples_destroy(&set);
}

/* A deflate bomb in a text chunk is passed over, not unpacked. */
static void compressed_text_is_not_unpacked(void **state)
{
    (void)state;
    sample_set set = samples_make();
    const sample *s = samples_find(&set, "png-gray8");
    assert_non_null(s);
    bytes b = {0};
    bytes_put(&b, s->bytes, 33);
    /* zTXt with a wrong checksum: reading it would at least warn, counting it must not hurt */
    bytes_put(&b, "\0\0\0\x0czTXtabc\0\0\x78\xda\x01\0\0\0\0", 20);
    bytes_put(&b, "\0\0\0\0", 4);
    bytes_put(&b, s->bytes + 33, s->size - 33);
    peak_allocator peak;
    peak_init(&peak);
    image i;
    error err;
    assert_status_ok(image_decode(&peak.alloc, NULL, b.data, b.size, NULL, &i, &err), err);
    check_scene(s, &i);
    image_destroy(&i);
    assert_int_equal(peak.live, 0);
    free(b.data);
    samples_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(partial_pictures_keep_their_part),
        cmocka_unit_test(damaged_anywhere),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(limits_hold_to_the_pixel),
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(endless_progressive_scans),
        cmocka_unit_test(compressed_text_is_not_unpacked),
    };
    return cmocka_run_group_tests_name("image hostile", tests, NULL, NULL);
}
