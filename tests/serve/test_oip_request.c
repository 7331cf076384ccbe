/* Inference requests from outside: what is taken, what is refused and by which words, and no
 * memory. */
#include "tests/support/test.h"

#include "host/serve/oip_request.h"
#include "tests/support/failing.h"

#include <jansson.h>

static const oip_limits limits = {.images = 8,
                                  .pixels = 1000,
                                  .max_detections = 50,
                                  .input_width = 3,
                                  .input_height = 2,
                                  .input_channels = 1};

/* On the heap and exactly as long, so that a sanitizer sees every byte too far. */
static bool parse(const void *bytes, size_t size, const char *header, oip_request *out,
                  oip_fault *fault, void **body)
{
    *body = malloc(size ? size : 1);
    assert_non_null(*body);
    memcpy(*body, bytes, size);
    return oip_request_parse((oip_bytes){.data = *body, .size = size}, header, &limits, out, fault);
}

static void parse_good(const void *bytes, size_t size, const char *header, oip_request *out,
                       void **body)
{
    oip_fault fault;
    if (!parse(bytes, size, header, out, &fault, body)) {
        fail_msg("%s", fault.text);
    }
}

#define ROOM 1024

/* JSON and what follows it, in ROOM bytes. */
static size_t join(char *out, const char *json, const void *tail, size_t size, char *header)
{
    size_t length = (size_t)snprintf(out, ROOM, "%s", json);
    assert_true(length + size < ROOM);
    memcpy(out + length, tail, size);
    (void)snprintf(header, 24, "%zu", length);
    return length + size;
}

#define INPUT(datatype, shape, rest)                                                               \
    "{\"inputs\":[{\"name\":\"image\",\"datatype\":\"" datatype "\",\"shape\":" shape rest "}]}"

static void test_everything(void **state)
{
    (void)state;
    static const char json[] =
        "{\"id\":\"a\\u00e9\",\"model_name\":\"x\",\"parameters\":{\"conf\":0.25,\"iou\":1,"
        "\"max_det\":50,\"nms_mode\":\"tf\",\"timeout\":1500,\"priority\":3,"
        "\"binary_data_output\":true},\"inputs\":[{\"name\":\"image\",\"shape\":[2],"
        "\"datatype\":\"BYTES\",\"parameters\":{\"binary_data_size\":13}}],\"outputs\":["
        "{\"name\":\"detection_scores\",\"parameters\":{\"binary_data\":false}},"
        "{\"name\":\"num_detections\",\"parameters\":{}}]}";
    char bytes[ROOM], header[24];
    size_t size = join(bytes, json, "\3\0\0\0abc\2\0\0\0de", 13, header);
    oip_request r;
    void *body;
    parse_good(bytes, size, header, &r, &body);
    assert_string_equal(r.id, "a\xc3\xa9");
    assert_true(r.detect.score_threshold == 0.25 && r.detect.iou_threshold == 1);
    assert_int_equal(r.detect.max_detections, 50);
    assert_int_equal(r.detect.nms_mode, VKDET_NMS_TF);
    assert_int_equal(r.timeout_us, 1500);
    assert_int_equal(r.wanted_count, 2);
    assert_int_equal(r.wanted[0].output, OIP_DETECTION_SCORES);
    assert_false(r.wanted[0].binary);
    assert_int_equal(r.wanted[1].output, OIP_NUM_DETECTIONS);
    assert_true(r.wanted[1].binary);
    assert_int_equal(r.tensor.count, 2);
    assert_int_equal(r.tensor.items[0].size, 3);
    assert_memory_equal(r.tensor.items[0].data, "abc", 3);
    assert_int_equal(r.tensor.items[1].size, 2);
    assert_memory_equal(r.tensor.items[1].data, "de", 2);
    assert_null(r.tensor.owned);
    oip_request_destroy(&r);
    oip_request_destroy(&r);
    free(body);
}

static void test_defaults(void **state)
{
    (void)state;
    static const char json[] =
        "{\"id\":null,\"outputs\":null,\"parameters\":null,\"inputs\":[{\"name\":\"image\","
        "\"shape\":[1,1],\"datatype\":\"BYTES\",\"parameters\":{\"content_type\":\"base64\"},"
        "\"data\":[\"YWJj\"]}]}";
    oip_request r;
    void *body;
    parse_good(json, sizeof json - 1, NULL, &r, &body);
    assert_null(r.id);
    assert_true(r.detect.score_threshold == 0 && r.detect.iou_threshold == 0);
    assert_int_equal(r.detect.max_detections, 0);
    assert_int_equal(r.detect.nms_mode, VKDET_NMS_DEFAULT);
    assert_int_equal(r.timeout_us, 0);
    assert_int_equal(r.wanted_count, OIP_OUTPUT_COUNT);
    for (uint32_t i = 0; i < OIP_OUTPUT_COUNT; i++) {
        assert_int_equal(r.wanted[i].output, i);
        assert_false(r.wanted[i].binary);
    }
    assert_memory_equal(r.tensor.items[0].data, "abc", 3);
    oip_request_destroy(&r);
    free(body);
}

/* a threshold of zero is one like any other */
static void test_conf_zero(void **state)
{
    (void)state;
    static const char json[] =
        "{\"parameters\":{\"conf\":0,\"binary_data_output\":true},\"outputs\":[],"
        "\"inputs\":[{\"name\":\"image\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[\"\"]}]}";
    oip_request r;
    void *body;
    parse_good(json, sizeof json - 1, NULL, &r, &body);
    assert_true(r.detect.score_threshold > 0 && r.detect.score_threshold < 1e-45);
    assert_int_equal(r.wanted_count, OIP_OUTPUT_COUNT);
    assert_true(r.wanted[0].binary && r.wanted[3].binary);
    assert_int_equal(r.tensor.items[0].size, 0);
    oip_request_destroy(&r);
    free(body);
}

static void test_base64_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        INPUT("BYTES", "[3]", ",\"data\":[\"YWJj\",\"ZGU=\",\"Zg\"]"),
        INPUT("BYTES", "[3,1]", ",\"data\":[[\"YWJj\"],[\"ZGU=\"],[\"Zg==\"]]"),
        INPUT("BYTES", "[3,1]", ",\"data\":[\"YWJj\",\"ZG\\nU=\\n\",\"Zg==\"]"),
        INPUT("BYTES", "[3]",
              ",\"data\":[{\"b64\":\"YWJj\"},\"data:image/jpeg;base64,ZGU=\",\"Zg\"]"),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        oip_request r;
        void *body;
        parse_good(forms[i], strlen(forms[i]), NULL, &r, &body);
        free(body); /* decoded pictures do not need it */
        assert_int_equal(r.tensor.count, 3);
        assert_int_equal(r.tensor.items[0].size, 3);
        assert_memory_equal(r.tensor.items[0].data, "abc", 3);
        assert_int_equal(r.tensor.items[1].size, 2);
        assert_memory_equal(r.tensor.items[1].data, "de", 2);
        assert_int_equal(r.tensor.items[2].size, 1);
        assert_memory_equal(r.tensor.items[2].data, "f", 1);
        oip_request_destroy(&r);
    }
}

static void check_pixels(const oip_request *r)
{
    assert_int_equal(r->tensor.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        vkdet_pixels p = oip_tensor_pixels(&r->tensor, i);
        assert_int_equal(p.format, VKDET_PIXEL_RGB8);
        assert_int_equal(p.height, 1);
        assert_int_equal(p.width, 2);
        assert_int_equal(p.stride, 0);
        for (unsigned k = 0; k < 6; k++) {
            assert_int_equal(((const unsigned char *)p.data)[k], 250 + (6 * i + k) % 6);
        }
    }
}

static void test_pixels(void **state)
{
    (void)state;
    static const char *const forms[] = {
        INPUT("UINT8", "[2,1,2,3]", ",\"data\":[250,251,252,253,254,255,250,251,252,253,254,255]"),
        INPUT("UINT8", "[2,1,2,3]",
              ",\"data\":[[[[250,251,252],[253,254,255]]],[[[250,251,252],[253,254,255]]]]"),
        INPUT("UINT8", "[2,1,2,3]", ",\"parameters\":{\"binary_data_size\":12}"),
    };
    for (size_t i = 0; i < 3; i++) {
        char bytes[ROOM], header[24];
        size_t tail = i == 2 ? 12 : 0;
        size_t size =
            join(bytes, forms[i], "\xfa\xfb\xfc\xfd\xfe\xff\xfa\xfb\xfc\xfd\xfe\xff", tail, header);
        oip_request r;
        void *body;
        parse_good(bytes, size, i == 1 ? NULL : header, &r, &body);
        check_pixels(&r);
        oip_request_destroy(&r);
        free(body);
    }
}

static void check_floats(const oip_request *r)
{
    static const float wanted[6] = {0, -1.5f, 3e38f, 1e-45f, 0.1f, 7};
    vkdet_pixels p = oip_tensor_pixels(&r->tensor, 0);
    assert_int_equal(p.format, VKDET_PIXEL_TENSOR_F32);
    assert_int_equal(p.height, 2);
    assert_int_equal(p.width, 3);
    assert_int_equal((uintptr_t)p.data % sizeof(float), 0);
    assert_memory_equal(p.data, wanted, sizeof wanted);
}

static void test_floats(void **state)
{
    (void)state;
    static const unsigned char little[24] = {0,    0,    0,    0,    0, 0, 0xc0, 0xbf,
                                             0xe6, 0xb1, 0x61, 0x7f, 1, 0, 0,    0,
                                             0xcd, 0xcc, 0xcc, 0x3d, 0, 0, 0xe0, 0x40};
    static const char *const forms[] = {
        INPUT("FP32", "[1,2,3,1]", ",\"data\":[0,-1.5,3e38,1e-45,0.1,7]"),
        INPUT("FP32", "[1,2,3,1]", ",\"data\":[[[[0],[-1.5],[3e38]],[[1e-45],[0.1],[7.0]]]]"),
        INPUT("FP32", "[1,2,3,1]", ",\"parameters\":{\"binary_data_size\":24}"),
        " " INPUT("FP32", "[1,2,3,1]", ",\"parameters\":{\"binary_data_size\":24}"),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char bytes[ROOM], header[24];
        size_t size = join(bytes, forms[i], little, i >= 2 ? 24 : 0, header);
        oip_request r;
        void *body;
        parse_good(bytes, size, header, &r, &body);
        check_floats(&r);
        oip_request_destroy(&r);
        free(body);
    }
}

/* no JSON at all: the body is a picture */
static void test_file_alone(void **state)
{
    (void)state;
    oip_request r;
    oip_fault fault;
    void *body;
    parse_good("\x89PNG", 4, "0", &r, &body);
    assert_int_equal(r.tensor.count, 1);
    assert_int_equal(r.tensor.items[0].size, 4);
    assert_ptr_equal(r.tensor.items[0].data, body);
    assert_int_equal(r.wanted_count, OIP_OUTPUT_COUNT);
    oip_request_destroy(&r);
    free(body);
    assert_false(parse("", 0, "0", &r, &fault, &body));
    assert_string_equal(fault.text, "the body is empty");
    free(body);
}

#define DATA       ",\"data\":[\"YQ\"]"
#define FILE_OF(n) ",\"parameters\":{\"binary_data_size\":" n "}"
#define WITH(members)                                                                              \
    "{" members "\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\",\"shape\":[1]" DATA "}]}"
#define PARAMETER(text) WITH("\"parameters\":{" text "},")
#define OUTPUT(text)    WITH("\"outputs\":[" text "],")
#define TENS            "1,1,1,1,1,1,1,1,1,1"

static const struct {
    const char *json, *tail;
    size_t tail_size;
    const char *header; /* NULL: the JSON's length when there is a tail */
    const char *reason;
} refused[] = {
    /* JSON */
    {"", NULL, 0, NULL, "the JSON of 0 bytes"},
    {"[]", NULL, 0, NULL, "the JSON is not an object"},
    {"{\"inputs\":[{]}", NULL, 0, NULL, "at byte "},
    {"{}", NULL, 0, NULL, "inputs is missing"},
    {"{}{}", NULL, 0, NULL, "end of file expected"},
    {WITH("\"id\":\"\xff\","), NULL, 0, NULL, "unable to decode byte 0xff"},
    {WITH("\"id\":\"a\\u0000b\","), NULL, 0, NULL, "\\u0000"},
    {WITH("\"id\":1,\"id\":1,"), NULL, 0, NULL, "duplicate object key near '\"id\"'"},
    {PARAMETER("\"conf\":NaN"), NULL, 0, NULL, "at byte "},
    {PARAMETER("\"conf\":1e999"), NULL, 0, NULL, "real number overflow"},
    {PARAMETER("\"conf\":-0.5"), NULL, 0, NULL, "parameters.conf is not a number from 0 to 1"},
    /* envelope */
    {WITH("\"id\":7,"), NULL, 0, NULL, "id is not a string"},
    {WITH("\"input\":[],"), NULL, 0, NULL, "the request: \"input\" is not a member of it"},
    {WITH("\"parameters\":[],"), NULL, 0, NULL, "parameters is not an object"},
    {PARAMETER("\"confidence\":1"), NULL, 0, NULL, "parameters: \"confidence\" is not supported"},
    {PARAMETER("\"sequence_id\":1"), NULL, 0, NULL, "\"sequence_id\" is not supported"},
    {PARAMETER("\"conf\":\"1\""), NULL, 0, NULL, "parameters.conf is not a number"},
    {PARAMETER("\"iou\":0"), NULL, 0, NULL, "parameters.iou is not above 0"},
    {PARAMETER("\"iou\":1.01"), NULL, 0, NULL, "parameters.iou is not a number from 0 to 1"},
    {PARAMETER("\"max_det\":0"), NULL, 0, NULL, "parameters.max_det is not a whole number from 1"},
    {PARAMETER("\"max_det\":51"), NULL, 0, NULL, "whole number from 1 to 50"},
    {PARAMETER("\"max_det\":1.0"), NULL, 0, NULL, "parameters.max_det is not a whole number"},
    {PARAMETER("\"max_det\":99999999999999999999"), NULL, 0, NULL, "too big integer"},
    {PARAMETER("\"nms_mode\":\"soft\""), NULL, 0, NULL, "parameters.nms_mode is not tfjs, tf"},
    {PARAMETER("\"nms_mode\":1"), NULL, 0, NULL, "parameters.nms_mode is not"},
    {PARAMETER("\"timeout\":0"), NULL, 0, NULL, "parameters.timeout is not a whole number"},
    {PARAMETER("\"timeout\":3600000001"), NULL, 0, NULL, "from 1 to 3600000000"},
    {PARAMETER("\"priority\":\"high\""), NULL, 0, NULL, "parameters.priority is not a whole"},
    {PARAMETER("\"binary_data_output\":1"), NULL, 0, NULL, "binary_data_output is neither"},
    /* outputs */
    {WITH("\"outputs\":{},"), NULL, 0, NULL, "outputs is not a list"},
    {OUTPUT("1"), NULL, 0, NULL, "outputs[0] is not an object"},
    {OUTPUT("{}"), NULL, 0, NULL, "outputs[0].name is not a string, or missing"},
    {OUTPUT("{\"name\":\"boxes\"}"), NULL, 0, NULL, "the model has no output \"boxes\""},
    {OUTPUT("{\"name\":\"num_detections\"},{\"name\":\"num_detections\"}"), NULL, 0, NULL,
     "outputs[1].name: \"num_detections\" stands there twice"},
    {OUTPUT("{\"name\":\"num_detections\",\"shape\":[]}"), NULL, 0, NULL,
     "outputs[0]: \"shape\" is not a member of it"},
    {OUTPUT("{\"name\":\"num_detections\",\"parameters\":1}"), NULL, 0, NULL,
     "outputs[0].parameters is not an object"},
    {OUTPUT("{\"name\":\"num_detections\",\"parameters\":{\"classification\":2}}"), NULL, 0, NULL,
     "outputs[0].parameters: \"classification\" is not supported"},
    {OUTPUT("{\"name\":\"num_detections\",\"parameters\":{\"binary_data\":1}}"), NULL, 0, NULL,
     "outputs[0].parameters.binary_data is neither true nor false"},
    /* inputs */
    {"{\"inputs\":{}}", NULL, 0, NULL, "inputs is not a list"},
    {"{\"inputs\":[]}", NULL, 0, NULL, "inputs has 0 entries"},
    {"{\"inputs\":[{},{}]}", NULL, 0, NULL, "inputs has 2 entries; the model takes one"},
    {"{\"inputs\":[7]}", NULL, 0, NULL, "inputs[0] is not an object"},
    {"{\"inputs\":[{}]}", NULL, 0, NULL, "inputs[0].name is not a string, or missing"},
    {"{\"inputs\":[{\"name\":\"input0\"}]}", NULL, 0, NULL, "\"input0\" is not \"image\""},
    {INPUT("BYTES", "[1]", ",\"dtype\":1"), NULL, 0, NULL, "inputs[0]: \"dtype\" is not a member"},
    {"{\"inputs\":[{\"name\":\"image\"}]}", NULL, 0, NULL, "inputs[0].datatype is missing"},
    {"{\"inputs\":[{\"name\":\"image\",\"datatype\":1}]}", NULL, 0, NULL, "is not a string"},
    {INPUT("FP16", "[1]", DATA), NULL, 0, NULL, "\"FP16\" is not BYTES, UINT8 or FP32"},
    {"{\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\"}]}", NULL, 0, NULL,
     "inputs[0].shape is missing"},
    {INPUT("BYTES", "1", DATA), NULL, 0, NULL, "inputs[0].shape is not a list"},
    {INPUT("BYTES", "[]", DATA), NULL, 0, NULL, "0 dimensions; of BYTES it is [N] or [N,1]"},
    {INPUT("BYTES", "[1,1,1]", DATA), NULL, 0, NULL, "has 3 dimensions"},
    {INPUT("BYTES", "[0]", ",\"data\":[]"), NULL, 0, NULL,
     "inputs[0].shape[0]: 0 is not from 1 to 8 pictures a request"},
    {INPUT("BYTES", "[-1]", DATA), NULL, 0, NULL, "shape[0]: -1 is not from 1"},
    {INPUT("BYTES", "[9]", DATA), NULL, 0, NULL, "shape[0]: 9 is not from 1 to 8"},
    {INPUT("BYTES", "[1000000000]", DATA), NULL, 0, NULL, "1000000000 is not from 1 to 8"},
    {INPUT("BYTES", "[1.0]", DATA), NULL, 0, NULL, "shape[0] is not a whole number"},
    {INPUT("BYTES", "[true]", DATA), NULL, 0, NULL, "shape[0] is not a whole number"},
    {INPUT("BYTES", "[18446744073709551615]", DATA), NULL, 0, NULL, "too big integer"},
    {INPUT("BYTES", "[1,2]", DATA), NULL, 0, NULL, "shape[1]: 2, but it must be 1"},
    {INPUT("UINT8", "[2,2,3]", DATA), NULL, 0, NULL, "of UINT8 it is [N,H,W,3]"},
    {INPUT("UINT8", "[1,1,1,4]", DATA), NULL, 0, NULL, "shape[3]: 4, but it must be 3"},
    {INPUT("UINT8", "[1,0,1,3]", DATA), NULL, 0, NULL, "shape[1]: 0 is not from 1 to 65535"},
    {INPUT("UINT8", "[1,1,65536,3]", DATA), NULL, 0, NULL, "shape[2]: 65536 is not from 1"},
    {INPUT("UINT8", "[1,4294967297,1,3]", DATA), NULL, 0, NULL, "shape[1]: 4294967297 is not"},
    {INPUT("UINT8", "[8,65535,65535,3]", FILE_OF("3")), "abc", 3, NULL,
     "pictures of 4294836225 pixels; at most 1000 are taken"},
    {INPUT("FP32", "[1,2,2,1]", DATA), NULL, 0, NULL, "shape[2]: 2, but it must be 3"},
    {INPUT("FP32", "[1,3,3,1]", DATA), NULL, 0, NULL, "shape[1]: 3, but it must be 2"},
    {INPUT("FP32", "[1,2,3,3]", DATA), NULL, 0, NULL, "shape[3]: 3, but it must be 1"},
    /* data as JSON */
    {INPUT("BYTES", "[1]", ""), NULL, 0, NULL, "inputs[0].data is missing"},
    {INPUT("BYTES", "[1]", ",\"data\":null"), NULL, 0, NULL, "inputs[0].data is not a list"},
    {INPUT("BYTES", "[1]", ",\"data\":[]"), NULL, 0, NULL, "data has 0 elements"},
    {INPUT("BYTES", "[2]", DATA), NULL, 0, NULL, "data has 1 elements, the shape asks for 2"},
    {INPUT("BYTES", "[2]", ",\"data\":[\"YQ\",[\"YQ\"]]"), NULL, 0, NULL,
     "element 1 is not a string of base64"},
    {INPUT("BYTES", "[2,1]", ",\"data\":[[\"YQ\",\"YQ\"]]"), NULL, 0, NULL,
     "at element 0, dimension 0 is not a list of the 2 that the shape says"},
    {INPUT("BYTES", "[1]", ",\"data\":[7]"), NULL, 0, NULL, "element 0 is not a string of base64"},
    {INPUT("BYTES", "[1]", ",\"data\":[{\"b65\":\"YQ\"}]"), NULL, 0, NULL,
     "not a string of base64"},
    {INPUT("BYTES", "[1]", ",\"data\":[\"YQ!\"]"), NULL, 0, NULL,
     "element 0 is no base64 (character 2 of 3)"},
    {INPUT("BYTES", "[1]", ",\"data\":[\"data:,YQ\"]"), NULL, 0, NULL, "is no base64"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[1,2]"), NULL, 0, NULL, "has 2 elements"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[1,2,256]"), NULL, 0, NULL,
     "element 2 is not a whole number from 0 to 255"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[1,-1,2]"), NULL, 0, NULL, "element 1 is not a whole"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[1.5,1,2]"), NULL, 0, NULL, "element 0 is not a whole"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[[[[1,1,[2]]]]]"), NULL, 0, NULL, "element 2 is not"},
    {INPUT("UINT8", "[1,1,1,3]", ",\"data\":[[1,1,2]]"), NULL, 0, NULL,
     "dimension 1 is not a list"},
    {INPUT("UINT8", "[1,2,1,3]", ",\"data\":[[[[1,1,1],[2,2,2]]]]"), NULL, 0, NULL,
     "dimension 1 is not a list of the 2"},
    {INPUT("UINT8", "[1,40,25,3]", ",\"data\":[" TENS "]"), NULL, 0, NULL,
     "has 10 elements, the shape asks for 3000"},
    {INPUT("FP32", "[1,2,3,1]", ",\"data\":[1,2,3,4,5,1e39]"), NULL, 0, NULL,
     "element 5 is not a number that FP32 holds"},
    {INPUT("FP32", "[1,2,3,1]", ",\"data\":[1,2,3,4,null,5]"), NULL, 0, NULL,
     "element 4 is not a number"},
    {INPUT("FP32", "[1,2,3,1]", ",\"data\":[1,2,3,4,\"5\",5]"), NULL, 0, NULL,
     "element 4 is not a number"},
    /* binary data */
    {WITH(""), NULL, 0, "x", "Inference-Header-Content-Length: \"x\" is not a number of bytes"},
    {WITH(""), NULL, 0, "-1", "is not a number of bytes"},
    {WITH(""), NULL, 0, "", "is not a number of bytes"},
    {WITH(""), NULL, 0, "1 ", "is not a number of bytes"},
    {WITH(""), NULL, 0, "99999999999999999999", "is not a number of bytes"},
    {WITH(""), NULL, 0, "999999999999999999", "999999999999999999, but the body has "},
    {WITH(""), "\1\0\0\0a", 5, NULL,
     "5 bytes follow the JSON, but inputs[0] has no parameters.binary_data_size"},
    {INPUT("BYTES", "[1]", FILE_OF("5")), "\1\0\0\0a", 5, "999999", "but the body has"},
    {INPUT("BYTES", "[1]", FILE_OF("5")), NULL, 0, NULL, "5, but 0 bytes follow the JSON"},
    {INPUT("BYTES", "[1]", FILE_OF("4")), "\1\0\0\0a", 5, NULL, "4, but 5 bytes follow the JSON"},
    {INPUT("BYTES", "[1]", FILE_OF("-5")), "\1\0\0\0a", 5, NULL, "is not a number of bytes"},
    {INPUT("BYTES", "[1]", FILE_OF("5.0")), "\1\0\0\0a", 5, NULL, "is not a number of bytes"},
    {INPUT("BYTES", "[1]", DATA FILE_OF("5")), "\1\0\0\0a", 5, NULL,
     "inputs[0] has data and parameters.binary_data_size, too"},
    {INPUT("BYTES", "[1]", ",\"parameters\":{\"shared_memory_region\":\"x\"}"), NULL, 0, NULL,
     "inputs[0].parameters: \"shared_memory_region\" is not supported"},
    {INPUT("BYTES", "[1]", ",\"parameters\":\"x\""), NULL, 0, NULL,
     "inputs[0].parameters is not an object"},
    {INPUT("BYTES", "[2]", FILE_OF("5")), "\1\0\0\0a", 5, NULL, "ends before element 1 of 2"},
    {INPUT("BYTES", "[1]", FILE_OF("3")), "\1\0\0", 3, NULL, "ends before element 0 of 1"},
    {INPUT("BYTES", "[1]", FILE_OF("0")), NULL, 0, NULL, "ends before element 0 of 1"},
    {INPUT("BYTES", "[1]", FILE_OF("5")), "\2\0\0\0a", 5, NULL,
     "element 0 says that it has 2 bytes, but 1 are left"},
    {INPUT("BYTES", "[1]", FILE_OF("5")),
     "\xff\xff\xff\xff"
     "a",
     5, NULL, "has 4294967295 bytes"},
    {INPUT("BYTES", "[1]", FILE_OF("6")), "\1\0\0\0ab", 6, NULL, "1 bytes follow the last element"},
    {INPUT("UINT8", "[1,1,1,3]", FILE_OF("2")), "ab", 2, NULL,
     "the shape asks for 3 bytes, the data has 2"},
    {INPUT("FP32", "[1,2,3,1]", FILE_OF("6")), "abcdef", 6, NULL, "asks for 24 bytes"},
    {INPUT("FP32", "[1,2,3,1]", FILE_OF("24")),
     "\0\0\0\0\0\0\x80\x7f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, NULL,
     "element 1 is not a finite number"},
    {INPUT("FP32", "[1,2,3,1]", FILE_OF("24")),
     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\xc0\xff", 24, NULL,
     "element 5 is not a finite number"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char bytes[ROOM], header[24];
        size_t size = join(bytes, refused[i].json, refused[i].tail ? refused[i].tail : "",
                           refused[i].tail_size, header);
        const char *given = refused[i].header ? refused[i].header : header;
        oip_request r;
        oip_fault fault;
        void *body;
        bool plain = !refused[i].header && !refused[i].tail;
        bool good = parse(bytes, size, plain ? NULL : given, &r, &fault, &body);
        if (good || fault.no_memory || !strstr(fault.text, refused[i].reason)) {
            fail_msg("%zu. %s: \"%s\", not \"%s\"", i, refused[i].json, good ? "taken" : fault.text,
                     refused[i].reason);
        }
        assert_null(r.id);
        assert_null(r.tensor.items);
        free(body);
    }
}

/* no prefix of a request is one, with or without its header */
static void test_cut(void **state)
{
    (void)state;
    static const char json[] =
        "{\"id\":\"x\",\"inputs\":[{\"name\":\"image\",\"datatype\":\"BYTES\","
        "\"shape\":[2],\"parameters\":{\"binary_data_size\":10}}]}";
    char bytes[ROOM], header[24];
    size_t whole = join(bytes, json, "\1\0\0\0a\1\0\0\0b", 10, header);
    for (size_t size = 0; size < whole; size++) {
        for (int headed = 0; headed < 2; headed++) {
            oip_request r;
            oip_fault fault;
            void *body;
            if (parse(bytes, size, headed ? header : NULL, &r, &fault, &body) || !fault.text[0]) {
                fail_msg("%zu bytes", size);
            }
            free(body);
        }
    }
}

static char *repeat(const char *before, const char *text, size_t times, const char *after)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    assert_non_null(stream);
    (void)fputs(before, stream);
    for (size_t i = 0; i < times; i++) {
        (void)fputs(text, stream);
    }
    (void)fputs(after, stream);
    assert_int_equal(fclose(stream), 0);
    return out;
}

/* what would make a tree far larger than its text is stopped before there is one */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        const char *before, *text;
        size_t times;
        const char *after, *reason;
    } cases[] = {
        {"{\"inputs\":", "[", 1000000, "", "nested deeper than 32 levels"},
        {"{\"inputs\":", "{\"a\":", 33, "1", "nested deeper than 32 levels"},
        {"{\"inputs\":[", "0,", 2000001, "0]}", "more than 2000000 values"},
        {"{\"inputs\":[", "[],", 1000001, "0]}", "more than 2000000 values"},
        {"{\"parameters\":{", "\"a\":1,", 8193, "\"b\":1}}", "more than 8192 members"},
        {"{\"id\":\"", "[{:,\\\"", 100000, "\"}", "id is not a string of at most 1024 bytes"},
        {"{\"id\":\"", "\\", 100000, "", "at byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].before, cases[i].text, cases[i].times, cases[i].after);
        oip_request r;
        oip_fault fault;
        oip_bytes body = {.data = (unsigned char *)text, .size = strlen(text)};
        bool good = oip_request_parse(body, NULL, &limits, &r, &fault);
        if (good || !strstr(fault.text, cases[i].reason)) {
            fail_msg("%zu: %s", i, good ? "taken" : fault.text);
        }
        free(text);
    }
}

/* Every allocation in turn: refused, and nothing is left. Our own are said as such; the JSON
 * library takes some of its own for bad syntax. */
static void run_out(const char *json, const char *header, bool own)
{
    bool failed = true;
    oip_bytes body = {.data = (const unsigned char *)json, .size = strlen(json)};
    for (size_t at = 1; failed; at++) {
        oip_request r;
        oip_fault fault;
        failing_start(at);
        bool good = oip_request_parse(body, header, &limits, &r, &fault);
        failed = failing_end();
        if (good == failed || (failed && (r.id || r.tensor.items || r.tensor.owned)) ||
            (failed && own && !fault.no_memory)) {
            fail_msg("allocation %zu: %s", at, good ? "taken" : fault.text);
        }
        if (good) {
            oip_request_destroy(&r);
        }
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    static const char *const files = WITH("\"id\":\"abc\",\"parameters\":{\"conf\":0.5},");
    static const char *const floats = INPUT("FP32", "[1,2,3,1]", ",\"data\":[1,2,3,4,5,6]");
    run_out(files, NULL, true);
    run_out(floats, NULL, true);
    run_out("a picture", "0", true);
    json_set_alloc_funcs(failing_malloc, free);
    run_out(files, NULL, false);
    run_out(floats, NULL, false);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_conf_zero),  cmocka_unit_test(test_base64_forms),
        cmocka_unit_test(test_pixels),     cmocka_unit_test(test_floats),
        cmocka_unit_test(test_file_alone), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
