/* Inference responses and metadata: the JSON read back by a library, the binary part byte by byte,
 * streams that fail. */
#include "tests/support/test.h"

#include "host/serve/oip_metadata.h"
#include "host/serve/oip_response.h"

#include <jansson.h>

/* Linked with --wrap for both: the next stream cannot be opened, or loses what was written. */
static bool no_stream, lossy;
FILE *__real_open_memstream(char **bytes, size_t *size);
int __real_fclose(FILE *stream);
/* seen by shared libraries, a sanitizer's among them, which the linker takes for callers */
#define SEEN __attribute__((visibility("default")))
SEEN FILE *__wrap_open_memstream(char **bytes, size_t *size);
SEEN int __wrap_fclose(FILE *stream);

FILE *__wrap_open_memstream(char **bytes, size_t *size)
{
    return no_stream ? NULL : __real_open_memstream(bytes, size);
}

int __wrap_fclose(FILE *stream)
{
    int result = __real_fclose(stream);
    return lossy ? EOF : result;
}

static const vkdet_detection detections[] = {
    {.box = {0.1f, 2, 30.25f, 44}, .score = 0.9998926f, .class_id = 1},
    {.box = {-0.0f, 1e-7f, 3e7f, 16777216}, .score = 0.5f, .class_id = 300},
};
static const oip_found found[] = {
    {.detections = detections, .count = 2}, {.count = 0}, {.detections = detections, .count = 1}};

static const oip_wanted all[] = {{OIP_NUM_DETECTIONS, false},
                                 {OIP_DETECTION_BOXES, false},
                                 {OIP_DETECTION_SCORES, false},
                                 {OIP_DETECTION_CLASSES, false}};

static json_t *read_json(const char *bytes, size_t size)
{
    json_error_t err;
    json_t *document = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &err);
    if (!document) {
        fail_msg("%s: %.*s", err.text, (int)size, bytes);
    }
    return document;
}

static void check_text(json_t *value, const char *wanted)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_json(void **state)
{
    (void)state;
    oip_response r = {.model_name = "a \"b\"",
                      .model_version = "1",
                      .id = "\xe5\x8f\xa3\n",
                      .wanted = all,
                      .wanted_count = 4,
                      .found = found,
                      .count = 3,
                      .capacity = 2};
    oip_body body;
    assert_true(oip_response_write(&r, &body));
    assert_int_equal(body.json, body.size);
    json_t *document = read_json(body.bytes, body.size);
    assert_string_equal(json_string_value(json_object_get(document, "model_name")), r.model_name);
    assert_string_equal(json_string_value(json_object_get(document, "model_version")), "1");
    assert_string_equal(json_string_value(json_object_get(document, "id")), r.id);
    assert_int_equal(json_object_size(document), 4);
    json_t *outputs = json_object_get(document, "outputs");
    assert_int_equal(json_array_size(outputs), 4);
    check_text(json_array_get(outputs, 0), "{\"name\":\"num_detections\",\"datatype\":\"INT32\","
                                           "\"shape\":[3,1],\"data\":[2,0,1]}");
    check_text(json_array_get(outputs, 3),
               "{\"name\":\"detection_classes\",\"datatype\":\"INT32\",\"shape\":[3,2],"
               "\"data\":[1,300,0,0,1,0]}");
    json_t *boxes = json_array_get(outputs, 1);
    check_text(json_object_get(boxes, "shape"), "[3,2,4]");
    json_t *data = json_object_get(boxes, "data");
    assert_int_equal(json_array_size(data), 24);
    for (size_t i = 0; i < 24; i++) {
        float wanted = i < 8               ? detections[i / 4].box[i % 4]
                       : i < 16 || i >= 20 ? 0
                                           : detections[0].box[i % 4];
        assert_true((float)json_number_value(json_array_get(data, i)) == wanted);
    }
    check_text(json_object_get(json_array_get(outputs, 2), "shape"), "[3,2]");
    json_decref(document);
    free(body.bytes);
}

static const unsigned char binary[] = {
    /* boxes */
    0xcd, 0xcc, 0xcc, 0x3d, 0, 0, 0, 0x40, 0, 0, 0xf2, 0x41, 0, 0, 0x30, 0x42,
    /* the second, and room for a third */
    0, 0, 0, 0x80, 0x95, 0xbf, 0xd6, 0x33, 0xc0, 0xe1, 0xe4, 0x4b, 0, 0, 0x80, 0x4b, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    /* their number */
    2, 0, 0, 0,
    /* classes */
    1, 0, 0, 0, 0x2c, 1, 0, 0, 0, 0, 0, 0};

static void test_binary(void **state)
{
    (void)state;
    static const oip_wanted wanted[] = {{OIP_DETECTION_BOXES, true},
                                        {OIP_NUM_DETECTIONS, true},
                                        {OIP_DETECTION_SCORES, false},
                                        {OIP_DETECTION_CLASSES, true}};
    oip_response r = {.model_name = "m",
                      .model_version = "2",
                      .wanted = wanted,
                      .wanted_count = 4,
                      .found = found,
                      .count = 1,
                      .capacity = 3};
    oip_body body;
    assert_true(oip_response_write(&r, &body));
    json_t *document = read_json(body.bytes, body.json);
    assert_null(json_object_get(document, "id"));
    json_t *outputs = json_object_get(document, "outputs");
    check_text(json_array_get(outputs, 0),
               "{\"name\":\"detection_boxes\",\"datatype\":\"FP32\",\"shape\":[1,3,4],"
               "\"parameters\":{\"binary_data_size\":48}}");
    check_text(json_array_get(outputs, 1),
               "{\"name\":\"num_detections\",\"datatype\":\"INT32\",\"shape\":[1,1],"
               "\"parameters\":{\"binary_data_size\":4}}");
    json_t *scores = json_object_get(json_array_get(outputs, 2), "data");
    assert_true((float)json_number_value(json_array_get(scores, 0)) == detections[0].score);
    assert_int_equal(body.size - body.json, sizeof binary);
    assert_memory_equal(body.bytes + body.json, binary, sizeof binary);
    json_decref(document);
    free(body.bytes);
}

static void test_metadata(void **state)
{
    (void)state;
    static const char *const versions[] = {"1", "10"};
    vkdet_model_info info = {.input_width = 320, .input_height = 240, .input_channels = 3};
    oip_model models[] = {{"a", "1", versions, 2, &info}, {"b/\"", "10", versions, 1, &info}};
    oip_body body;
    assert_true(oip_model_write(&models[1], &body));
    json_t *document = read_json(body.bytes, body.size);
    check_text(document,
               "{\"name\":\"b/\\\"\",\"versions\":[\"1\"],\"platform\":\"vkdet\",\"inputs\":[{"
               "\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[-1],\"parameters\":{"
               "\"alternatives\":[{\"datatype\":\"UINT8\",\"shape\":[-1,-1,-1,3]},{\"datatype\":"
               "\"FP32\",\"shape\":[-1,240,320,3]}]}}],\"outputs\":[{\"name\":\"num_detections\","
               "\"datatype\":\"INT32\",\"shape\":[-1,1]},{\"name\":\"detection_boxes\","
               "\"datatype\":\"FP32\",\"shape\":[-1,-1,4]},{\"name\":\"detection_scores\","
               "\"datatype\":\"FP32\",\"shape\":[-1,-1]},{\"name\":\"detection_classes\","
               "\"datatype\":\"INT32\",\"shape\":[-1,-1]}]}");
    json_decref(document);
    free(body.bytes);
    assert_true(oip_server_write(&body));
    document = read_json(body.bytes, body.size);
    check_text(document, "{\"name\":\"vkdet\",\"version\":\"" VKDET_VERSION
                         "\",\"extensions\":[\"binary_tensor_data\"]}");
    json_decref(document);
    free(body.bytes);
    assert_true(oip_index_write(models, 2, &body));
    document = read_json(body.bytes, body.size);
    check_text(document, "[{\"name\":\"a\",\"version\":\"1\",\"state\":\"READY\",\"reason\":\"\"},"
                         "{\"name\":\"b/\\\"\",\"version\":\"10\",\"state\":\"READY\","
                         "\"reason\":\"\"}]");
    json_decref(document);
    free(body.bytes);
    assert_true(oip_health_write("live", NULL, true, &body));
    assert_memory_equal(body.bytes, "{\"live\":true}", 13);
    free(body.bytes);
    assert_true(oip_health_write("ready", "m", false, &body));
    assert_memory_equal(body.bytes, "{\"name\":\"m\",\"ready\":false}", 26);
    free(body.bytes);
}

static void test_no_memory(void **state)
{
    (void)state;
    oip_response r = {
        .model_name = "m", .model_version = "1", .wanted = all, .wanted_count = 4, .capacity = 1};
    vkdet_model_info info = {.input_width = 1};
    oip_model model = {"a", "1", &model.name, 1, &info};
    for (int i = 0; i < 2; i++) {
        oip_body body;
        no_stream = i == 0;
        lossy = i == 1;
        bool good = oip_response_write(&r, &body) || body.bytes || oip_server_write(&body) ||
                    body.bytes || oip_model_write(&model, &body) || body.bytes ||
                    oip_health_write("live", NULL, true, &body) || body.bytes ||
                    oip_index_write(&model, 1, &body) || body.bytes;
        no_stream = lossy = false;
        assert_false(good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_binary),
        cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
