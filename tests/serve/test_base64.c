/* Base64: what every length encodes to comes back, and every character out of place is found. */
#include "tests/support/test.h"

#include "host/serve/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode(const unsigned char *bytes, size_t size, char *out)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? bytes[i + 2] : 0;
        for (int k = 0; k < 4; k++) {
            bool there = i + (size_t)k <= size;
            out[length++] = there ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    out[length] = 0;
    return length;
}

static void test_round_trip(void **state)
{
    (void)state;
    test_random r = test_random_seed(64);
    unsigned char bytes[70];
    char text[128];
    for (size_t size = 0; size <= sizeof bytes; size++) {
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (unsigned char)test_random_u32(&r);
        }
        size_t length = encode(bytes, size, text), got;
        for (int unpadded = 0; unpadded < 2; unpadded++) {
            if (unpadded) {
                length = strcspn(text, "=");
            }
            unsigned char *out = malloc(base64_room(length));
            assert_non_null(out);
            assert_true(base64_decode(text, length, out, &got));
            assert_int_equal(got, size);
            assert_memory_equal(out, bytes, size);
            free(out);
        }
    }
}

static const struct {
    const char *text;
    const char *means; /* NULL: refused at */
    size_t at;
} cases[] = {
    {"", "", 0},
    {"TWFu", "Man", 0},
    {"TWE=", "Ma", 0},
    {"TQ==", "M", 0},
    {"TQ", "M", 0},
    {"T\nW\r\nF\nu\n", "Man", 0},
    {"TQ=\n=\n", "M", 0},
    {"-_-_", "\xfb\xff\xbf", 0},
    {"+/+/", "\xfb\xff\xbf", 0},
    {"T", NULL, 1},
    {"TWFuT", NULL, 5},
    {"=", NULL, 0},
    {"T===", NULL, 1},
    {"TQ=", NULL, 3},
    {"TQ===", NULL, 4},
    {"TWE==", NULL, 4},
    {"TWFu=", NULL, 4},
    {"TQ==TQ==", NULL, 4},
    {"TQ =", NULL, 2},
    {"{\"a\"", NULL, 0},
    {"TW\xc3\xa9", NULL, 2},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char out[64];
        size_t size, length = strlen(cases[i].text);
        bool good = base64_decode(cases[i].text, length, out, &size);
        if (good != (cases[i].means != NULL)) {
            fail_msg("\"%s\"", cases[i].text);
        }
        if (cases[i].means) {
            assert_int_equal(size, strlen(cases[i].means));
            assert_memory_equal(out, cases[i].means, size);
        } else if (size != cases[i].at) {
            fail_msg("\"%s\": %zu", cases[i].text, size);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
