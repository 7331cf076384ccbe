/* COCO files from outside: what is read, what is refused and how it is said, and no memory. */
#include "tests/support/test.h"

#include "host/cli/coco_read.h"
#include "tests/support/failing.h"

#include <jansson.h>

static const char complete[] =
    "\xef\xbb\xbf {\"annotations\":[\n"
    "{\"id\":1,\"image_id\":9,\"category_id\":-4,\"bbox\":[1,2.5,30,40],\"area\":600.5,"
    "\"iscrowd\":1,\"segmentation\":[[1,2],[3]]},\n"
    "{\"image_id\":9,\"category_id\":70,\"bbox\":[0,0,2,3],\"iscrowd\":false},\n"
    "{\"image_id\":8,\"category_id\":70,\"bbox\":[0,0,2,3]},\n"
    "{\"image_id\":9,\"category_id\":71,\"bbox\":[0,0,2,3]}\n"
    "],\"licenses\":[{},[],\"]\",7 , null],\"info\":{\"images\":[1]},\"n\":-1.5e3,\n"
    "\"images\":[{\"id\":9,\"file_name\":\"b/\\u00e9.jpg\",\"width\":640,\"height\":480},\n"
    "{\"id\":-3,\"file_name\":\"a.jpg\",\"other\":null}],\n"
    "\"categories\":[{\"id\":70,\"name\":\"\xe7\x8c\xab\"},{\"id\":-4,\"name\":\"dog\"}]} \n";

static void test_complete(void **state)
{
    (void)state;
    coco_data d;
    coco_fault fault;
    if (!coco_read(complete, sizeof complete - 1, &d, &fault)) {
        fail_msg("%s", fault.text);
    }
    assert_int_equal(d.image_count, 2);
    assert_int_equal(d.images[0].id, -3);
    assert_string_equal(d.images[0].file_name, "a.jpg");
    assert_int_equal(d.images[0].width, 0);
    assert_int_equal(d.images[1].id, 9);
    assert_string_equal(d.images[1].file_name, "b/\xc3\xa9.jpg");
    assert_int_equal(d.images[1].width, 640);
    assert_int_equal(d.images[1].height, 480);
    assert_int_equal(d.category_count, 2);
    assert_string_equal(d.categories[0].name, "dog");
    assert_string_equal(d.categories[1].name, "\xe7\x8c\xab");
    assert_int_equal(d.truths.count, 2);
    assert_int_equal(d.truths.left_out, 2);
    const coco_box *b = d.truths.items;
    assert_int_equal(b[0].image, 1);
    assert_int_equal(b[0].category, 0);
    assert_true(b[0].crowd && b[0].area == 600.5 && b[0].box[1] == 2.5 && b[0].box[3] == 40);
    assert_int_equal(b[1].category, 1);
    assert_true(!b[1].crowd && b[1].area == 6);
    coco_data_destroy(&d);
    coco_data_destroy(&d);
}

/* no prefix of it is a document, and none is read beyond its end */
static void test_cut(void **state)
{
    (void)state;
    coco_data d;
    coco_fault fault;
    for (size_t size = 0; size + 3 < sizeof complete; size++) {
        char *cut = malloc(size ? size : 1);
        assert_non_null(cut);
        memcpy(cut, complete, size);
        if (coco_read(cut, size, &d, &fault) || fault.no_memory || !fault.text[0]) {
            fail_msg("%zu bytes: %s", size, fault.text);
        }
        assert_null(d.images);
        free(cut);
    }
}

#define IMAGES      "\"images\":[{\"id\":1,\"file_name\":\"a\"}]"
#define CATEGORIES  "\"categories\":[{\"id\":1,\"name\":\"x\"}]"
#define ANNOTATIONS "\"annotations\":[]"
#define WITH_IMAGE(entry)                                                                          \
    "{\"images\":[{\"id\":1,\"file_name\":\"a\"}," entry "]," CATEGORIES "," ANNOTATIONS "}"
#define WITH_BOX(entry)                                                                            \
    "{" IMAGES "," CATEGORIES ",\"annotations\":[{\"image_id\":1,\"category_id\":1" entry "}]}"

static const struct {
    const char *text, *reason;
} refused[] = {
    {"", "not a COCO document"},
    {"[]", "not a COCO document"},
    {"{}", "not a COCO ground truth: \"images\" is missing"},
    {"{" IMAGES "," ANNOTATIONS "}", "\"categories\" is missing"},
    {"{" IMAGES "," CATEGORIES "}", "\"annotations\" is missing"},
    {"{" IMAGES "," IMAGES "}", "\"images\" stands there twice"},
    {"{" IMAGES "," ANNOTATIONS ",\"categories\":[]}", "it lists no categories"},
    {"{\"images\":[]," CATEGORIES "," ANNOTATIONS "}", "it lists no images"},
    {"{" IMAGES "," CATEGORIES "," ANNOTATIONS "}x", "something follows the document"},
    {"{" IMAGES " " CATEGORIES "}", "',' or '}' expected"},
    {"{" IMAGES ",}", "byte 38: "},
    {"{1:2}", "a member's name"},
    {"{\"images\" 2}", "':' expected"},
    {"{\"images\":{}}", "\"images\" is not a list"},
    {"{\"images\":[{\"id\":1 \"file_name\":2}]}", "images[0]: byte 30: "},
    {"{\"info\":[1 2]}", "a list[0]: byte 11: ',' or ']' expected"},
    {WITH_IMAGE("7"), "images[1]: is not an object"},
    {WITH_IMAGE("{\"file_name\":\"a\"}"), "images[1]: \"id\" is missing"},
    {WITH_IMAGE("{\"id\":2.0,\"file_name\":\"a\"}"), "images[1]: \"id\" is not a whole number"},
    {WITH_IMAGE("{\"id\":99999999999999999999,\"file_name\":\"a\"}"), "too big integer"},
    {WITH_IMAGE("{\"id\":1,\"file_name\":\"b\"}"), "two images have the id 1"},
    {WITH_IMAGE("{\"id\":2}"), "images[1]: \"file_name\" is missing"},
    {WITH_IMAGE("{\"id\":2,\"file_name\":\"\"}"), "images[1]: \"file_name\" is not a text"},
    {WITH_IMAGE("{\"id\":2,\"file_name\":\"a\\u0000b\"}"), "images[1]: byte"},
    {WITH_IMAGE("{\"id\":2,\"file_name\":\"\xff\"}"), "images[1]: byte"},
    {WITH_IMAGE("{\"id\":2,\"file_name\":\"b\",\"width\":-1}"), "\"width\" is not a size"},
    {WITH_IMAGE("{\"id\":2,\"file_name\":\"b\",\"height\":\"9\"}"), "\"height\" is not a size"},
    {"{" IMAGES "," ANNOTATIONS ",\"categories\":[{\"id\":1}]}", "\"name\" is missing"},
    {"{" IMAGES "," ANNOTATIONS
     ",\"categories\":[{\"id\":5,\"name\":\"a\"},{\"id\":5,\"name\":\"b\"}]}",
     "two categories have the id 5"},
    {WITH_BOX(""), "annotations[0]: \"bbox\" is missing"},
    {WITH_BOX(",\"bbox\":[1,2,3]"), "\"bbox\" is not a list of four numbers"},
    {WITH_BOX(",\"bbox\":[1,2,3,\"4\"]"), "\"bbox\" is not a list of four numbers"},
    {WITH_BOX(",\"bbox\":[1,2,-3,4]"), "\"bbox\": a width or height of -3"},
    {WITH_BOX(",\"bbox\":[2e9,2,3,4]"), "\"bbox\": a coordinate of 2e+09"},
    {WITH_BOX(",\"bbox\":[1,2,1e999,4]"), "real number overflow"},
    {WITH_BOX(",\"bbox\":[1,2,3,4],\"area\":null"), "\"area\" is not a number"},
    {WITH_BOX(",\"bbox\":[1,2,3,4],\"iscrowd\":\"0\""), "\"iscrowd\" is neither 0 nor 1"},
    {WITH_BOX(",\"bbox\":[1,2,3,4],\"iscrowd\":2"), "\"iscrowd\" is neither 0 nor 1"},
    {WITH_BOX(",\"bbox\":[1,2,3,4],\"iscrowd\":-1"), "\"iscrowd\" is neither 0 nor 1"},
    {"{" IMAGES "," CATEGORIES ",\"annotations\":[{\"image_id\":1,\"bbox\":[1,2,3,4]}]}",
     "annotations[0]: \"category_id\" is missing"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        coco_data d;
        coco_fault fault;
        bool good = coco_read(refused[i].text, strlen(refused[i].text), &d, &fault);
        if (good || !strstr(fault.text, refused[i].reason)) {
            fail_msg("%s: \"%s\", not \"%s\"", refused[i].text, good ? "read" : fault.text,
                     refused[i].reason);
        }
    }
}

/* an entry may not be of any size, and lists in lists end */
static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 20 << 20 };
    static const char list[] = "{\"info\":", object[] = "{\"info\":{";
    coco_data d;
    coco_fault fault;
    char *text = malloc(SIZE);
    assert_non_null(text);
    memset(text, '[', SIZE);
    memcpy(text, list, sizeof list - 1);
    assert_false(coco_read(text, SIZE, &d, &fault));
    assert_non_null(strstr(fault.text, "maximum parsing depth"));
    memset(text, ' ', SIZE);
    memcpy(text, object, sizeof object - 1);
    assert_false(coco_read(text, SIZE, &d, &fault));
    assert_non_null(strstr(fault.text, "longer than 16 MiB"));
    free(text);
}

static const char found_text[] =
    "[{\"image_id\":-3,\"category_id\":70,\"bbox\":[1,2,3,4],\"score\":0.25},\n"
    "{\"image_id\":9,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":1},\n"
    "{\"image_id\":9,\"category_id\":-4,\"bbox\":[1.5,2,3,4],\"score\":-7,\"segmentation\":[]}]";

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"{}", "not a list of COCO results"},
        {"[]]", "something follows"},
        {"[{\"image_id\":9,\"category_id\":70,\"bbox\":[1,2,3,4]}]",
         "results[0]: \"score\" is missing"},
        {"[{\"image_id\":10,\"category_id\":70,\"bbox\":[1,2,3,4],\"score\":1}]",
         "results[0]: the ground truth lists no image 10"},
    };
    coco_data d;
    coco_boxes found;
    coco_fault fault;
    assert_true(coco_read(complete, sizeof complete - 1, &d, &fault));
    if (!coco_read_results(found_text, sizeof found_text - 1, &d, &found, &fault)) {
        fail_msg("%s", fault.text);
    }
    assert_int_equal(found.count, 2);
    assert_int_equal(found.left_out, 1);
    assert_int_equal(found.items[0].image, 0);
    assert_int_equal(found.items[0].category, 1);
    assert_true(found.items[0].score == 0.25);
    assert_int_equal(found.items[1].image, 1);
    assert_true(found.items[1].score == -7);
    free(found.items);
    assert_true(coco_read_results("[]", 2, &d, &found, &fault));
    assert_int_equal(found.count, 0);
    free(found.items);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        bool good = coco_read_results(bad[i].text, strlen(bad[i].text), &d, &found, &fault);
        if (good || !strstr(fault.text, bad[i].reason)) {
            fail_msg("%s: \"%s\", not \"%s\"", bad[i].text, good ? "read" : fault.text,
                     bad[i].reason);
        }
        assert_null(found.items);
    }
    coco_data_destroy(&d);
}

/* Jansson does not always say that it is memory that ran out; a failure it is every time. */
static void test_no_memory(void **state)
{
    (void)state;
    coco_data d;
    coco_boxes found;
    coco_fault fault;
    json_set_alloc_funcs(failing_malloc, free);
    for (size_t at = 1;; at++) {
        failing_start(at);
        bool good = coco_read(complete, sizeof complete - 1, &d, &fault);
        if (!failing_end()) {
            assert_true(good);
            assert_in_range(at, 50, 2000);
            break;
        }
        assert_false(good);
        assert_null(d.images);
        assert_true(fault.text[0] != 0);
    }
    for (size_t at = 1;; at++) {
        failing_start(at);
        bool good = coco_read_results(found_text, sizeof found_text - 1, &d, &found, &fault);
        if (!failing_end()) {
            assert_true(good);
            break;
        }
        assert_false(good);
        assert_null(found.items);
    }
    json_set_alloc_funcs(malloc, free);
    free(found.items);
    coco_data_destroy(&d);
}

static void test_load(void **state)
{
    (void)state;
    static const char path[] = "test_coco_read.tmp";
    char *text = NULL;
    size_t size = 0;
    coco_fault fault;
    assert_false(coco_load("does/not/exist.json", &text, &size, &fault));
    assert_non_null(strstr(fault.text, "No such file"));
    assert_false(coco_load(".", &text, &size, &fault));
    assert_non_null(strstr(fault.text, "directory"));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 150000; i++) {
        (void)fputc(i % 251, file);
    }
    assert_int_equal(fclose(file), 0);
    for (size_t at = 1;; at++) {
        failing_start(at);
        bool good = coco_load(path, &text, &size, &fault);
        if (!failing_end()) {
            assert_true(good);
            break;
        }
        assert_false(good);
        assert_true(fault.no_memory);
    }
    (void)remove(path);
    assert_int_equal(size, 150000);
    for (int i = 0; i < 150000; i++) {
        assert_int_equal((unsigned char)text[i], i % 251);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refused),  cmocka_unit_test(test_large),
        cmocka_unit_test(test_results),  cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
