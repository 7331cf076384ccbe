/* What is read of a request before anything is done: queries, forms, tokens, versions. */
#include "tests/support/test.h"

#include "host/serve/authority.h"
#include "host/serve/guard.h"
#include "host/serve/multipart.h"
#include "host/serve/query.h"
#include "host/serve/repository.h"

#include <unistd.h>

static void test_query(void **state)
{
    (void)state;
    char text[] = "a=1&b=x%20y+z&&c&d=%C3%A9=&=e";
    query q;
    const char *reason = NULL;
    assert_true(query_parse(text, &q, &reason));
    assert_int_equal(q.count, 5);
    assert_string_equal(query_get(&q, "a"), "1");
    assert_string_equal(query_get(&q, "b"), "x y z");
    assert_string_equal(query_get(&q, "c"), "");
    assert_string_equal(query_get(&q, "d"), "\xc3\xa9=");
    assert_string_equal(query_get(&q, ""), "e");
    assert_null(query_get(&q, "x"));
    static const char *const known[] = {"a", "b", "c", "d", NULL};
    assert_string_equal(query_unknown(&q, known), "");
    assert_true(query_parse(NULL, &q, &reason));
    assert_int_equal(q.count, 0);
    assert_null(query_unknown(&q, known));
}

static void test_broken_queries(void **state)
{
    static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "%00=1", "a=1&a=2", "a=%0"};
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char text[32];
        query q;
        const char *reason = NULL;
        (void)snprintf(text, sizeof text, "%s", broken[i]);
        assert_false(query_parse(text, &q, &reason));
        assert_non_null(reason);
    }
    char many[400] = "";
    for (int i = 0; i < QUERY_PAIRS + 1; i++) {
        (void)snprintf(many + strlen(many), sizeof many - strlen(many), "&a%d=", i);
    }
    query q;
    const char *reason = NULL;
    assert_false(query_parse(many, &q, &reason));
}

static void test_content_types(void **state)
{
    static const struct {
        const char *type;
        multipart_kind kind;
        const char *boundary;
    } cases[] = {
        {NULL, MULTIPART_NOT, NULL},
        {"image/png", MULTIPART_NOT, NULL},
        {"multipart/form-database; boundary=x", MULTIPART_NOT, NULL},
        {"multipart/form-data", MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary=", MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary=\"x", MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary=a{b", MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary=\"ends \"", MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary="
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         MULTIPART_BROKEN, NULL},
        {"multipart/form-data; boundary=----x1", MULTIPART_FORM, "----x1"},
        {"Multipart/Form-Data; charset=utf-8;BOUNDARY=\"a b\"; z=1", MULTIPART_FORM, "a b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char boundary[MULTIPART_BOUNDARY + 1];
        assert_int_equal(multipart_read_type(cases[i].type, boundary), cases[i].kind);
        if (cases[i].boundary) {
            assert_string_equal(boundary, cases[i].boundary);
        }
    }
}

/* Name and bytes of each part, as "name=bytes;". NULL: malformed. */
static const char *read_form(const char *body, char *text, size_t size)
{
    multipart m = {(const unsigned char *)body, (const unsigned char *)body + strlen(body), "b",
                   false};
    multipart_part part;
    const char *reason = NULL;
    size_t used = 0;
    text[0] = 0;
    for (;;) {
        multipart_outcome outcome = multipart_next(&m, &part, &reason);
        if (outcome == MULTIPART_END) {
            return text;
        }
        if (outcome == MULTIPART_MALFORMED) {
            assert_non_null(reason);
            return NULL;
        }
        used += (size_t)snprintf(text + used, size - used, "%s=%.*s;", part.name, (int)part.size,
                                 (const char *)part.bytes);
        assert_true(used < size);
    }
}

#define PART(header, bytes) "--b\r\nContent-Disposition: form-data" header "\r\n\r\n" bytes "\r\n"

static void test_forms(void **state)
{
    static const struct {
        const char *body, *parts; /* NULL: malformed */
    } cases[] = {
        {"--b--", ""},
        {PART("; name=\"x\"", "1") "--b--\r\n", "x=1;"},
        {"preamble\r\n" PART("; name=x; filename=y", "1\r\n--\r\n--a") "--b--epilogue",
         "y=1\r\n--\r\n--a;"},
        {PART("; filename=\"a;b=c\"; name=\"q\"", "") "--b--", "a;b=c=;"},
        {PART("; name=\"q;filename=z\"", "2") "--b--", "q;filename=z=2;"},
        {PART("; filename=\"a\\\"b\\\\c\\d\"", "2") "--b--", "a\"b\\c\\d=2;"},
        {PART("; filename=\"a%22b\"", "2") "--b--", "a\"b=2;"},
        {PART("; filename=\"50%\"", "2") "--b--", "50%=2;"},
        {PART("", "1") PART("; name=\"unclosed", "2") "--b--", "=1;unclosed=2;"},
        {"--b \t\r\n\r\nno header\r\n--b--", "=no header;"},
        {"--b\r\n\r\n\r\n--b--", "=;"},
        {"--b\r\nX: y\r\n\r\n--b--", "=;"},
        {"--b\r\ncontent-disposition:;NAME=n\r\n\r\nx\r\n--b--", "n=x;"},
        {"", NULL},
        {"--b", NULL},
        {"--c--", NULL},
        {"--bx\r\n\r\n", NULL},
        {"--b\r\n", NULL},
        {"--b\r\nX: y", NULL},
        {"--b\r\n\r\nno end", NULL},
        {PART("; name=x", "1"), NULL},
        {PART("; name=x", "1") "--b\r\nX", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        const char *parts = read_form(cases[i].body, text, sizeof text);
        if (cases[i].parts) {
            assert_non_null(parts);
            assert_string_equal(parts, cases[i].parts);
        } else if (parts) {
            fail_msg("\"%s\" was read as \"%s\"", cases[i].body, parts);
        }
    }
}

static void test_long_names_are_cut(void **state)
{
    (void)state;
    char body[4096] = "--b\r\nContent-Disposition: form-data; filename=\"";
    size_t at = strlen(body);
    memset(body + at, 'n', 3000);
    (void)snprintf(body + at + 3000, sizeof body - at - 3000, "\"\r\n\r\nx\r\n--b--");
    multipart m = {(unsigned char *)body, (unsigned char *)body + strlen(body), "b", false};
    multipart_part part;
    const char *reason = NULL;
    assert_int_equal(multipart_next(&m, &part, &reason), MULTIPART_PART);
    assert_int_equal(strlen(part.name), MULTIPART_NAME - 1);
    assert_int_equal(part.size, 1);
}

static bool guard_of(guard *g, const char *text, size_t size)
{
    char path[] = "/tmp/vkdet-token-XXXXXX", message[512];
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, size), (ssize_t)size);
    (void)close(file);
    bool good = guard_read(g, path, message, sizeof message);
    assert_true(good || strstr(message, path));
    (void)unlink(path);
    return good;
}

static void test_tokens(void **state)
{
    (void)state;
    guard g = {.length = 0};
    char message[512], longest[GUARD_TOKEN_SIZE + 8];
    assert_true(guard_allows(&g, NULL)); /* no token is asked for */
    assert_false(guard_read(&g, "/nowhere/token", message, sizeof message));
    assert_false(guard_of(&g, "", 0));
    assert_false(guard_of(&g, "too short\n", 10));
    assert_false(guard_of(&g, "0123456789 abcdef\n", 18));
    assert_false(guard_of(&g, "0123456789abcdef\x7f\n", 18));
    assert_true(guard_of(&g, "0123456789abcdef\r\nmore", 22));
    assert_true(guard_allows(&g, "Bearer 0123456789abcdef"));
    assert_true(guard_allows(&g, "BEARER  0123456789abcdef"));
    static const char *const wrong[] = {NULL,
                                        "",
                                        "Bearer",
                                        "Bearer ",
                                        "0123456789abcdef",
                                        "Bearer 0123456789abcdeg",
                                        "Bearer 0123456789abcde",
                                        "Bearer 0123456789abcdef ",
                                        "Bearer 0123456789abcdef0",
                                        "Basic 0123456789abcdef"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_false(guard_allows(&g, wrong[i]));
    }
    memset(longest, 'x', sizeof longest);
    assert_false(guard_of(&g, longest, GUARD_TOKEN_SIZE));
    assert_true(guard_of(&g, longest, GUARD_TOKEN_SIZE - 1));
    char header[GUARD_TOKEN_SIZE + 16];
    (void)snprintf(header, sizeof header, "Bearer %.*s", GUARD_TOKEN_SIZE - 1, longest);
    assert_true(guard_allows(&g, header));
    (void)snprintf(header, sizeof header, "Bearer %.*s", GUARD_TOKEN_SIZE, longest);
    assert_false(guard_allows(&g, header));
}

static void test_hosts(void **state)
{
    static const char *const local[] = {
        "localhost",    "LocalHost:8000", "localhost.", "a.localhost:1", "127.0.0.1",
        "127.1.2.3:80", "[::1]",          "[::1]:8000", "[0:0::1]",      "[::ffff:127.0.0.1]:8000",
        "127.0.0.1:",
    };
    static const char *const other[] = {
        "",
        "rebound.example",
        "rebound.example:8000",
        "localhost.evil.example",
        "notlocalhost",
        "128.0.0.1",
        "192.168.0.7",
        "[::2]",
        "[::1",
        "::1",
        "[127.0.0.1]",
        "127.0.0.1:80x",
        "127.1",
        "0x7f.0.0.1",
        "localhost:80:80",
        "localhost@evil.example",
        " localhost",
        "localhost,evil",
        "[::1]x",
        ".localhost.evil",
        ".",
        "127.0.0.1.evil",
        "[fe80::5%lo]",
        "localhost/x",
    };
    (void)state;
    authority a;
    authority_set(&a, "127.0.0.1:8000", NULL, NULL);
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        assert_true(authority_allows(&a, local[i]));
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_false(authority_allows(&a, other[i]));
    }
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_false(authority_allows(&a, longest));
    assert_false(authority_list_is_sound(longest));

    /* others can reach it: by which names is not known, unless they are given */
    authority_set(&a, "0.0.0.0:8000", "0.0.0.0", NULL);
    assert_true(authority_allows(&a, "gpu.example"));
    authority_set(&a, "192.168.0.7:8000", "gpu.lan", "gpu.example,FE80:0::5");
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        assert_true(authority_allows(&a, local[i]));
    }
    assert_true(authority_allows(&a, "GPU.example.:443") && authority_allows(&a, "[fe80::5]:1"));
    assert_true(authority_allows(&a, "192.168.0.7") && authority_allows(&a, "gpu.lan:8000"));
    assert_false(authority_allows(&a, "a.gpu.example") || authority_allows(&a, "192.168.0.8"));
    authority_set(&a, "[::1]:8000", "::1", "gpu.example");
    assert_true(authority_allows(&a, "gpu.example") && !authority_allows(&a, "gpu.lan"));
    authority_set(&a, "127.0.0.1:8000", NULL, "*");
    assert_true(authority_allows(&a, "rebound.example"));

    static const char *const unsound[] = {"",     ",",     "a,",  ",a",       "a,,b", "a b",
                                          "a:80", "[::1]", "a,*", "http://a", "."};
    for (size_t i = 0; i < sizeof unsound / sizeof unsound[0]; i++) {
        assert_false(authority_list_is_sound(unsound[i]));
    }
    assert_true(authority_list_is_sound("*") && authority_list_is_sound("a,b-c.d.,::1,10.0.0.1"));
}

static void test_versions(void **state)
{
    static const char *const ordered[] = {"",
                                          "0",
                                          "1",
                                          "1.1",
                                          "1.2",
                                          "1.10",
                                          "1.10a",
                                          "2",
                                          "10",
                                          "99999999999999999999",
                                          "100000000000000000000",
                                          "a",
                                          "b2",
                                          "b10"};
    (void)state;
    enum { COUNT = sizeof ordered / sizeof ordered[0] };
    for (int i = 0; i < COUNT; i++) {
        for (int k = 0; k < COUNT; k++) {
            int order = version_compare(ordered[i], ordered[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
    assert_int_equal(version_compare("01", "1"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_broken_queries),
        cmocka_unit_test(test_content_types),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_long_names_are_cut),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
