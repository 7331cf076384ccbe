/* The table of files that the server answers with: each is there once and whole, with a content
 * type and an ETag of its own content; the list of the samples names those that are there;
 * If-None-Match. */
#include "host/serve/static_files.h"
#include "tests/support/test.h"

#define SAMPLES "models/street-320/samples/"

static void test_table(void **state)
{
    (void)state;
    assert_true(static_file_count > 2);
    for (size_t i = 0; i < static_file_count; i++) {
        const static_file *f = &static_files[i];
        assert_int_equal(f->path[0], '/');
        assert_non_null(strchr(f->type, '/'));
        assert_true(f->size > 0);
        assert_int_equal(strlen(f->etag), 34);
        assert_int_equal(f->etag[0], '"');
        assert_ptr_equal(static_file_find(f->path), f);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(static_files[j].path, f->path);
            const bool same = f->size == static_files[j].size &&
                              memcmp(f->bytes, static_files[j].bytes, f->size) == 0;
            assert_int_equal(strcmp(f->etag, static_files[j].etag) == 0, same);
        }
    }
    assert_null(static_file_find("/absent"));
    assert_null(static_file_find(""));
    const static_file *page = static_file_find("/");
    assert_string_equal(page->type, "text/html; charset=utf-8");
    assert_memory_equal(page->bytes, "<!doctype html>", 15);
}

/* Every sample is byte for byte the file it was made from, and the list names all of them. */
static void test_samples(void **state)
{
    (void)state;
    const static_file *list = static_file_find("/samples.json");
    assert_non_null(list);
    char *names = calloc(list->size + 1, 1);
    assert_non_null(names);
    memcpy(names, list->bytes, list->size);
    size_t count = 0;
    for (size_t i = 0; i < static_file_count; i++) {
        const char *name = static_files[i].path + strlen("/samples/");
        if (strncmp(static_files[i].path, "/samples/", strlen("/samples/")) != 0) {
            continue;
        }
        char path[1024];
        char quoted[256];
        (void)snprintf(path, sizeof path, "%s/" SAMPLES "%s", TEST_SOURCE_DIR, name);
        (void)snprintf(quoted, sizeof quoted, "\"%s\"", name);
        size_t size = 0;
        unsigned char *bytes = test_read_file(path, &size);
        assert_non_null(bytes);
        assert_int_equal(size, static_files[i].size);
        assert_memory_equal(bytes, static_files[i].bytes, size);
        assert_string_equal(static_files[i].type, "image/png");
        assert_non_null(strstr(names, quoted));
        free(bytes);
        count++;
    }
    size_t quotes = 0;
    for (const char *c = names; *c; c++) {
        quotes += *c == '"';
    }
    assert_true(count > 0);
    assert_int_equal(quotes, 2 * count);
    free(names);
}

static void test_matches(void **state)
{
    (void)state;
    static const static_file file = {.etag = "\"abc\""};
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {{NULL, false},
                 {"", false},
                 {"\"abc\"", true},
                 {"*", true},
                 {"W/\"abc\"", true},
                 {"\"x\", \"abc\"", true},
                 {"\"x\",W/\"abc\"", true},
                 {"\"abcd\"", false},
                 {"abc", false},
                 {"\"x\"", false},
                 {",,", false},
                 {" \t", false},
                 {"\"x\" , \"abc", false},
                 {"W/", false},
                 {"\"abc\" , \"x\"", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (static_file_matches(&file, cases[i].header) != cases[i].matches) {
            fail_msg("If-None-Match %s", cases[i].header ? cases[i].header : "(none)");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
