/* Shape first, then as many elements as the shape says and not one more. */
#include "host/serve/oip_tensor.h"

#include "host/serve/base64.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WHERE     "inputs[0]"
#define MOST_SIDE 65535 /* of a picture, as the library takes it */
#define MOST_RANK 4

static const char *const datatype_names[OIP_DATATYPE_COUNT] = {"BYTES", "UINT8", "FP32"};

const char *oip_datatype_name(oip_datatype datatype)
{
    return datatype_names[datatype];
}

/* What is known before the data is read. */
typedef struct layout {
    uint32_t shape[MOST_RANK];
    size_t rank;
    size_t elements; /* of one picture */
} layout;

/* --- datatype and shape --- */

static bool read_datatype(const json_t *input, oip_datatype *out, oip_fault *fault)
{
    const json_t *value = json_object_get(input, "datatype");
    if (!json_is_string(value)) {
        return oip_refuse(fault, WHERE ".datatype is %s", value ? "not a string" : "missing");
    }
    for (int i = 0; i < OIP_DATATYPE_COUNT; i++) {
        if (strcmp(json_string_value(value), datatype_names[i]) == 0) {
            *out = (oip_datatype)i;
            return true;
        }
    }
    return oip_refuse(fault, WHERE ".datatype: \"%.40s\" is not BYTES, UINT8 or FP32",
                      json_string_value(value));
}

static bool dimension_is(const layout *l, size_t i, uint32_t wanted, oip_fault *fault)
{
    return l->shape[i] == wanted ||
           oip_refuse(fault, WHERE ".shape[%zu]: %" PRIu32 ", but it must be %" PRIu32, i,
                      l->shape[i], wanted);
}

static bool read_dimension(const json_t *value, size_t i, uint32_t most, const char *why,
                           uint32_t *out, oip_fault *fault)
{
    if (!json_is_integer(value)) {
        return oip_refuse(fault, WHERE ".shape[%zu] is not a whole number", i);
    }
    json_int_t n = json_integer_value(value);
    if (n < 1 || n > most) {
        return oip_refuse(
            fault, WHERE ".shape[%zu]: %" JSON_INTEGER_FORMAT " is not from 1 to %" PRIu32 "%s", i,
            n, most, why);
    }
    *out = (uint32_t)n;
    return true;
}

static bool pixels_fit(layout *l, const oip_limits *limits, oip_fault *fault)
{
    uint64_t pixels = (uint64_t)l->shape[1] * l->shape[2];
    if (pixels > limits->pixels) {
        return oip_refuse(
            fault, WHERE ".shape: pictures of %" PRIu64 " pixels; at most %" PRIu64 " are taken",
            pixels, limits->pixels);
    }
    l->elements = (size_t)pixels * l->shape[3]; /* below 2^34 */
    return true;
}

static bool check_shape(oip_datatype datatype, layout *l, const oip_limits *limits,
                        oip_fault *fault)
{
    if (datatype == OIP_BYTES) {
        l->elements = 1;
        return l->rank == 1 || dimension_is(l, 1, 1, fault);
    }
    if (datatype == OIP_UINT8) {
        return dimension_is(l, 3, 3, fault) && pixels_fit(l, limits, fault);
    }
    return dimension_is(l, 1, limits->input_height, fault) &&
           dimension_is(l, 2, limits->input_width, fault) &&
           dimension_is(l, 3, limits->input_channels, fault) && pixels_fit(l, limits, fault);
}

static bool read_shape(const json_t *input, oip_datatype datatype, const oip_limits *limits,
                       layout *l, oip_fault *fault)
{
    static const char *const wanted[OIP_DATATYPE_COUNT] = {"[N] or [N,1]", "[N,H,W,3]",
                                                           "[N,H,W,C]"};
    const json_t *shape = json_object_get(input, "shape");
    if (!json_is_array(shape)) {
        return oip_refuse(fault, WHERE ".shape is %s", shape ? "not a list" : "missing");
    }
    l->rank = json_array_size(shape);
    bool fits = datatype == OIP_BYTES ? l->rank == 1 || l->rank == 2 : l->rank == MOST_RANK;
    if (!fits) {
        return oip_refuse(fault, WHERE ".shape has %zu dimensions; of %s it is %s", l->rank,
                          datatype_names[datatype], wanted[datatype]);
    }
    for (size_t i = 0; i < l->rank; i++) {
        if (!read_dimension(json_array_get(shape, i), i, i == 0 ? limits->images : MOST_SIDE,
                            i == 0 ? " pictures a request" : "", &l->shape[i], fault)) {
            return false;
        }
    }
    return check_shape(datatype, l, limits, fault);
}

/* --- elements --- */

/* Four bytes, least significant first. */
static uint32_t read_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Room for `size` bytes of its own. */
static unsigned char *own(oip_tensor *out, size_t size, oip_fault *fault)
{
    out->owned = calloc(size ? size : 1, 1);
    if (!out->owned) {
        (void)oip_no_memory(fault);
        return NULL;
    }
    out->owned_size = size;
    return out->owned;
}

/* Pictures of one size, one behind the other. */
static void cut(oip_tensor *out, const unsigned char *data, size_t size)
{
    for (uint32_t i = 0; i < out->count; i++) {
        out->items[i] = (oip_bytes){.data = data + i * size, .size = size};
    }
}

static bool finite_or_refuse(float value, size_t i, oip_fault *fault)
{
    return isfinite(value) || oip_refuse(fault, WHERE ": element %zu is not a finite number", i);
}

/* Copied, since floats in a body lie at any address. */
static bool read_binary_floats(oip_bytes tail, oip_tensor *out, oip_fault *fault)
{
    float *floats = (float *)(void *)own(out, tail.size, fault);
    if (!floats) {
        return false;
    }
    for (size_t i = 0; i < tail.size / 4; i++) {
        uint32_t bits = read_u32(tail.data + 4 * i);
        memcpy(&floats[i], &bits, sizeof bits);
        if (!finite_or_refuse(floats[i], i, fault)) {
            return false;
        }
    }
    return true;
}

/* Each behind its length. */
static bool read_binary_files(oip_bytes tail, oip_tensor *out, oip_fault *fault)
{
    size_t at = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        if (tail.size - at < 4) {
            return oip_refuse(fault, WHERE ": the data ends before element %" PRIu32 " of %" PRIu32,
                              i, out->count);
        }
        uint32_t size = read_u32(tail.data + at);
        at += 4;
        if (size > tail.size - at) {
            return oip_refuse(fault,
                              WHERE ": element %" PRIu32 " says that it has %" PRIu32
                                    " bytes, but %zu are left",
                              i, size, tail.size - at);
        }
        out->items[i] = (oip_bytes){.data = tail.data + at, .size = size};
        at += size;
    }
    return at == tail.size ||
           oip_refuse(fault, WHERE ": %zu bytes follow the last element", tail.size - at);
}

static bool read_binary(const layout *l, oip_bytes tail, oip_tensor *out, oip_fault *fault)
{
    if (out->datatype == OIP_BYTES) {
        return read_binary_files(tail, out, fault);
    }
    size_t width = out->datatype == OIP_FP32 ? 4 : 1;
    uint64_t wanted = (uint64_t)l->elements * width * out->count;
    if (wanted != tail.size) {
        return oip_refuse(fault, WHERE ": the shape asks for %" PRIu64 " bytes, the data has %zu",
                          wanted, tail.size);
    }
    if (out->datatype == OIP_FP32 && !read_binary_floats(tail, out, fault)) {
        return false;
    }
    cut(out, out->owned ? out->owned : tail.data, l->elements * width);
    return true;
}

/* --- elements as JSON --- */

/* A list of lists is read in order; `next` is the element that comes. */
typedef struct walk {
    const layout *layout;
    oip_tensor *out;
    size_t next;
    size_t used; /* bytes of `owned` that hold files */
    oip_fault *fault;
} walk;

/* The text of a picture: base64, perhaps as a data URL or in an object {"b64": ...}. */
static bool picture_text(const json_t *value, const char **text, size_t *length)
{
    const json_t *string = json_is_object(value) ? json_object_get(value, "b64") : value;
    if (!json_is_string(string)) {
        return false;
    }
    static const char mark[] = ";base64,";
    *text = json_string_value(string);
    *length = json_string_length(string);
    const char *data = strncmp(*text, "data:", 5) == 0 ? strstr(*text, mark) : NULL;
    if (data) {
        data += sizeof mark - 1;
        *length -= (size_t)(data - *text);
        *text = data;
    }
    return true;
}

static bool take_file(walk *w, const json_t *value)
{
    const char *text;
    size_t length, size;
    if (!picture_text(value, &text, &length)) {
        return oip_refuse(w->fault, WHERE ".data: element %zu is not a string of base64", w->next);
    }
    unsigned char *at = w->out->owned + w->used;
    if (!base64_decode(text, length, at, &size)) {
        return oip_refuse(w->fault,
                          WHERE ".data: element %zu is no base64 (character %zu of %zu); picture "
                                "files as they are go in the binary form",
                          w->next, size, length);
    }
    w->out->items[w->next] = (oip_bytes){.data = at, .size = size};
    w->used += size;
    return true;
}

static bool take_byte(walk *w, const json_t *value)
{
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
    if (n < 0 || n > 255) {
        return oip_refuse(w->fault, WHERE ".data: element %zu is not a whole number from 0 to 255",
                          w->next);
    }
    w->out->owned[w->next] = (unsigned char)n;
    return true;
}

static bool take_float(walk *w, const json_t *value)
{
    double n = json_number_value(value);
    if (!json_is_number(value) || fabs(n) > (double)FLT_MAX) {
        return oip_refuse(w->fault, WHERE ".data: element %zu is not a number that FP32 holds",
                          w->next);
    }
    ((float *)(void *)w->out->owned)[w->next] = (float)n;
    return true;
}

static bool take(walk *w, const json_t *value)
{
    bool good = w->out->datatype == OIP_BYTES   ? take_file(w, value)
                : w->out->datatype == OIP_UINT8 ? take_byte(w, value)
                                                : take_float(w, value);
    w->next += good;
    return good;
}

/* Lists nested as the shape says. The depth is that of the shape, four at most. */
static bool take_nested(walk *w, const json_t *list, size_t level)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count != w->layout->shape[level]) {
        return oip_refuse(w->fault,
                          WHERE ".data: at element %zu, dimension %zu is not a list of the %" PRIu32
                                " that the shape says",
                          w->next, level, w->layout->shape[level]);
    }
    bool innermost = level + 1 == w->layout->rank, good = true;
    for (size_t i = 0; good && i < count; i++) {
        const json_t *value = json_array_get(list, i);
        good = innermost ? take(w, value) : take_nested(w, value, level + 1);
    }
    return good;
}

static bool take_all(walk *w, const json_t *data)
{
    if (json_is_array(json_array_get(data, 0))) {
        return take_nested(w, data, 0);
    }
    uint64_t wanted = (uint64_t)w->layout->elements * w->out->count;
    size_t count = json_array_size(data);
    if (count != wanted) {
        return oip_refuse(w->fault, WHERE ".data has %zu elements, the shape asks for %" PRIu64,
                          count, wanted);
    }
    bool good = true;
    for (size_t i = 0; good && i < count; i++) {
        good = take(w, json_array_get(data, i));
    }
    return good;
}

/* Bytes that the files in these lists can have. The numbers of values and levels were bounded when
 * the text was read. */
static size_t files_room(const json_t *value)
{
    const char *text;
    size_t length, room = 0;
    if (!json_is_array(value)) {
        return picture_text(value, &text, &length) ? base64_room(length) : 0;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        room += files_room(json_array_get(value, i));
    }
    return room;
}

/* Values there are at most so many as the lists hold, whatever the shape promises. */
static size_t count_values(const json_t *value)
{
    size_t count = 0;
    if (!json_is_array(value)) {
        return 1;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        count += count_values(json_array_get(value, i));
    }
    return count;
}

static bool read_json(const layout *l, const json_t *data, oip_tensor *out, oip_fault *fault)
{
    if (!json_is_array(data)) {
        return oip_refuse(fault, WHERE ".data is %s", data ? "not a list" : "missing");
    }
    size_t width = out->datatype == OIP_FP32 ? 4 : 1;
    uint64_t wanted = (uint64_t)l->elements * out->count;
    size_t there = count_values(data);
    if (there != wanted) {
        return oip_refuse(fault, WHERE ".data has %zu elements, the shape asks for %" PRIu64, there,
                          wanted);
    }
    walk w = {.layout = l, .out = out, .fault = fault};
    size_t room = out->datatype == OIP_BYTES ? files_room(data) : there * width;
    if (!own(out, room, fault) || !take_all(&w, data)) {
        return false;
    }
    if (out->datatype != OIP_BYTES) {
        cut(out, out->owned, l->elements * width);
    }
    return true;
}

/* --- the whole --- */

static bool read_parameters(const json_t *input, bool *binary, size_t *size, oip_fault *fault)
{
    const json_t *parameters = json_object_get(input, "parameters"), *value;
    const char *name;
    *binary = false;
    json_object_foreach((json_t *)parameters, name, value)
    {
        if (strcmp(name, "binary_data_size") == 0) {
            json_int_t n = json_is_integer(value) ? json_integer_value(value) : -1;
            if (n < 0) {
                return oip_refuse(fault,
                                  WHERE ".parameters.binary_data_size is not a number of bytes");
            }
            *binary = true;
            *size = (size_t)n;
        } else if (strcmp(name, "content_type") != 0) { /* what MLServer's clients add */
            return oip_refuse(fault, WHERE ".parameters: \"%.60s\" is not supported", name);
        }
    }
    return true;
}

static bool read_data(const json_t *input, const layout *l, oip_bytes tail, oip_tensor *out,
                      oip_fault *fault)
{
    bool binary;
    size_t size = 0;
    const json_t *data = json_object_get(input, "data");
    if (!read_parameters(input, &binary, &size, fault)) {
        return false;
    }
    if (binary && data) {
        return oip_refuse(fault, WHERE " has data and parameters.binary_data_size, too");
    }
    if (binary && size != tail.size) {
        return oip_refuse(fault,
                          WHERE ".parameters.binary_data_size: %zu, but %zu bytes follow the JSON "
                                "(Inference-Header-Content-Length says where it ends)",
                          size, tail.size);
    }
    if (!binary && tail.size > 0) {
        return oip_refuse(
            fault, "%zu bytes follow the JSON, but " WHERE " has no parameters.binary_data_size",
            tail.size);
    }
    return binary ? read_binary(l, tail, out, fault) : read_json(l, data, out, fault);
}

static bool make_items(oip_tensor *out, uint32_t count, oip_fault *fault)
{
    out->items = calloc(count, sizeof *out->items);
    out->count = count;
    return out->items || oip_no_memory(fault);
}

bool oip_tensor_read(const json_t *input, oip_bytes tail, const oip_limits *limits, oip_tensor *out,
                     oip_fault *fault)
{
    layout l = {.shape = {1, 1, 1, 1}};
    *out = (oip_tensor){.datatype = OIP_BYTES};
    if (!read_datatype(input, &out->datatype, fault) ||
        !read_shape(input, out->datatype, limits, &l, fault)) {
        return false;
    }
    if (out->datatype != OIP_BYTES) {
        out->height = l.shape[1];
        out->width = l.shape[2];
    }
    bool good = make_items(out, l.shape[0], fault) && read_data(input, &l, tail, out, fault);
    if (!good) {
        oip_tensor_destroy(out);
    }
    return good;
}

bool oip_tensor_of_file(oip_bytes file, oip_tensor *out, oip_fault *fault)
{
    *out = (oip_tensor){.datatype = OIP_BYTES};
    if (file.size == 0) {
        return oip_refuse(fault, "the body is empty");
    }
    if (!make_items(out, 1, fault)) {
        return false;
    }
    out->items[0] = file;
    return true;
}

void oip_tensor_destroy(oip_tensor *tensor)
{
    free(tensor->items);
    free(tensor->owned);
    *tensor = (oip_tensor){.datatype = OIP_BYTES};
}

vkdet_pixels oip_tensor_pixels(const oip_tensor *tensor, uint32_t index)
{
    return (vkdet_pixels){.format = tensor->datatype == OIP_FP32 ? VKDET_PIXEL_TENSOR_F32
                                                                 : VKDET_PIXEL_RGB8,
                          .width = tensor->width,
                          .height = tensor->height,
                          .data = tensor->items[index].data};
}
