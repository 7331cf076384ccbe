/* The envelope; the tensor has a file of its own. Members that nobody reads are refused, since a
 * misspelt threshold would otherwise go unnoticed. */
#include "host/serve/oip_request.h"

#include "host/serve/oip_text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ID 1024 /* bytes */

/* The trees of what real requests hold are a few levels deep; two million values are six pictures
 * of 320 x 320 as JSON, and more than a hundred megabytes of tree. */
static const oip_text_limits text_limits = {.depth = 32, .values = 2000000, .members = 8192};

/* A score is a float; asked to keep "above 0", the library needs a number that is not its sign for
 * "the card's". */
#define ABOVE_ZERO 1e-300

/* --- parameters --- */

static bool read_number(const json_t *value, const char *name, double low, double high, double *out,
                        oip_fault *fault)
{
    double n = json_number_value(value);
    if (!json_is_number(value) || !(n >= low && n <= high)) {
        return oip_refuse(fault, "parameters.%s is not a number from %g to %g", name, low, high);
    }
    *out = n;
    return true;
}

static bool read_whole(const json_t *value, const char *name, uint64_t high, uint64_t *out,
                       oip_fault *fault)
{
    json_int_t n = json_is_integer(value) ? json_integer_value(value) : 0;
    if (n < 1 || (uint64_t)n > high) {
        return oip_refuse(fault, "parameters.%s is not a whole number from 1 to %" PRIu64, name,
                          high);
    }
    *out = (uint64_t)n;
    return true;
}

typedef struct reading {
    const oip_limits *limits;
    oip_request *out;
    bool all_binary;
    oip_fault *fault;
} reading;

static bool read_conf(reading *r, const json_t *value)
{
    double *out = &r->out->detect.score_threshold;
    if (!read_number(value, "conf", 0, 1, out, r->fault)) {
        return false;
    }
    *out = *out == 0 ? ABOVE_ZERO : *out;
    return true;
}

static bool read_iou(reading *r, const json_t *value)
{
    double *out = &r->out->detect.iou_threshold;
    return read_number(value, "iou", 0, 1, out, r->fault) &&
           (*out > 0 || oip_refuse(r->fault, "parameters.iou is not above 0"));
}

static bool read_max_det(reading *r, const json_t *value)
{
    uint64_t n = 0;
    if (!read_whole(value, "max_det", r->limits->max_detections, &n, r->fault)) {
        return false;
    }
    r->out->detect.max_detections = (uint32_t)n;
    return true;
}

static bool read_nms_mode(reading *r, const json_t *value)
{
    const char *name = json_string_value(value);
    return (name && vkdet_nms_mode_from_name(name, &r->out->detect.nms_mode) == VKDET_OK) ||
           oip_refuse(r->fault,
                      "parameters.nms_mode is not tfjs, tf, tfjs-per-class or tf-per-class");
}

/* of an hour at most, so that sums with it stay far from their end */
static bool read_timeout(reading *r, const json_t *value)
{
    return read_whole(value, "timeout", 3600000000u, &r->out->timeout_us, r->fault);
}

static bool read_binary_output(reading *r, const json_t *value)
{
    r->all_binary = json_is_true(value);
    return json_is_boolean(value) ||
           oip_refuse(r->fault, "parameters.binary_data_output is neither true nor false");
}

/* Requests are taken in the order of their arrival; clients may still say what they wish. */
static bool read_priority(reading *r, const json_t *value)
{
    return json_is_integer(value) ||
           oip_refuse(r->fault, "parameters.priority is not a whole number");
}

static const struct {
    const char *name;
    bool (*read)(reading *r, const json_t *value);
} parameter_kinds[] = {
    {"conf", read_conf},         {"iou", read_iou},
    {"max_det", read_max_det},   {"nms_mode", read_nms_mode},
    {"timeout", read_timeout},   {"binary_data_output", read_binary_output},
    {"priority", read_priority},
};

static bool read_parameter(reading *r, const char *name, const json_t *value)
{
    for (size_t i = 0; i < sizeof parameter_kinds / sizeof *parameter_kinds; i++) {
        if (strcmp(name, parameter_kinds[i].name) == 0) {
            return parameter_kinds[i].read(r, value);
        }
    }
    return oip_refuse(r->fault, "parameters: \"%.60s\" is not supported", name);
}

/* An optional member that is null is taken as left out, as several clients write it. */
static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

/* `parameters` of an object, NULL when it has none. */
static bool read_object(const json_t *object, const char *where, const json_t **out,
                        oip_fault *fault)
{
    *out = member(object, "parameters");
    return !*out || json_is_object(*out) ||
           oip_refuse(fault, "%sparameters is not an object", where);
}

static bool read_parameters(reading *r, const json_t *document)
{
    const json_t *parameters, *value;
    const char *name;
    if (!read_object(document, "", &parameters, r->fault)) {
        return false;
    }
    json_object_foreach((json_t *)parameters, name, value)
    {
        if (!read_parameter(r, name, value)) {
            return false;
        }
    }
    return true;
}

/* --- outputs --- */

static void want_all(reading *r)
{
    r->out->wanted_count = OIP_OUTPUT_COUNT;
    for (int i = 0; i < OIP_OUTPUT_COUNT; i++) {
        r->out->wanted[i] = (oip_wanted){.output = (oip_output)i, .binary = r->all_binary};
    }
}

static bool find_output(const char *name, oip_output *out)
{
    for (int i = 0; name && i < OIP_OUTPUT_COUNT; i++) {
        if (strcmp(name, oip_outputs[i].name) == 0) {
            *out = (oip_output)i;
            return true;
        }
    }
    return false;
}

static bool read_output_parameters(reading *r, const json_t *item, size_t i, bool *binary)
{
    const json_t *parameters, *value;
    const char *name;
    char where[40];
    (void)snprintf(where, sizeof where, "outputs[%zu].", i);
    if (!read_object(item, where, &parameters, r->fault)) {
        return false;
    }
    json_object_foreach((json_t *)parameters, name, value)
    {
        if (strcmp(name, "binary_data") != 0) {
            return oip_refuse(r->fault, "%sparameters: \"%.60s\" is not supported", where, name);
        }
        if (!json_is_boolean(value)) {
            return oip_refuse(r->fault, "%sparameters.binary_data is neither true nor false",
                              where);
        }
        *binary = json_is_true(value);
    }
    return true;
}

static bool members_known(const json_t *object, const char *where, const char *const *known,
                          oip_fault *fault)
{
    const char *name;
    const json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (known[i] && strcmp(name, known[i]) != 0) {
            i++;
        }
        if (!known[i]) {
            return oip_refuse(fault, "%s: \"%.60s\" is not a member of it", where, name);
        }
    }
    return true;
}

static bool read_output(reading *r, const json_t *item, size_t i)
{
    static const char *const known[] = {"name", "parameters", NULL};
    char where[32];
    (void)snprintf(where, sizeof where, "outputs[%zu]", i);
    const char *name = json_string_value(json_object_get(item, "name"));
    oip_wanted w = {.binary = r->all_binary};
    if (!json_is_object(item)) {
        return oip_refuse(r->fault, "%s is not an object", where);
    }
    if (!find_output(name, &w.output)) {
        return name
                   ? oip_refuse(r->fault, "%s.name: the model has no output \"%.60s\"", where, name)
                   : oip_refuse(r->fault, "%s.name is not a string, or missing", where);
    }
    for (uint32_t k = 0; k < r->out->wanted_count; k++) {
        if (r->out->wanted[k].output == w.output) {
            return oip_refuse(r->fault, "%s.name: \"%s\" stands there twice", where, name);
        }
    }
    if (!members_known(item, where, known, r->fault) ||
        !read_output_parameters(r, item, i, &w.binary)) {
        return false;
    }
    r->out->wanted[r->out->wanted_count++] = w; /* each once: there is room */
    return true;
}

static bool read_outputs(reading *r, const json_t *document)
{
    const json_t *list = member(document, "outputs");
    if (list && !json_is_array(list)) {
        return oip_refuse(r->fault, "outputs is not a list");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (!read_output(r, json_array_get(list, i), i)) {
            return false;
        }
    }
    if (json_array_size(list) == 0) {
        want_all(r);
    }
    return true;
}

/* --- the whole --- */

static bool read_id(reading *r, const json_t *document)
{
    const json_t *id = member(document, "id");
    if (!id) {
        return true;
    }
    if (!json_is_string(id) || json_string_length(id) > MOST_ID) {
        return oip_refuse(r->fault, "id is not a string of at most %d bytes", MOST_ID);
    }
    r->out->id = strdup(json_string_value(id));
    return r->out->id || oip_no_memory(r->fault);
}

static bool read_input(reading *r, const json_t *document, oip_bytes tail)
{
    static const char *const known[] = {"name", "shape", "datatype", "parameters", "data", NULL};
    const json_t *list = json_object_get(document, "inputs");
    const json_t *input = json_array_get(list, 0), *parameters;
    if (!json_is_array(list)) {
        return oip_refuse(r->fault, "inputs is %s", list ? "not a list" : "missing");
    }
    if (json_array_size(list) != 1) {
        return oip_refuse(r->fault,
                          "inputs has %zu entries; the model takes one, \"" OIP_INPUT "\"",
                          json_array_size(list));
    }
    if (!json_is_object(input)) {
        return oip_refuse(r->fault, "inputs[0] is not an object");
    }
    const char *name = json_string_value(json_object_get(input, "name"));
    if (!name || strcmp(name, OIP_INPUT) != 0) {
        return name ? oip_refuse(r->fault, "inputs[0].name: \"%.60s\" is not \"" OIP_INPUT "\"",
                                 name)
                    : oip_refuse(r->fault, "inputs[0].name is not a string, or missing");
    }
    return members_known(input, "inputs[0]", known, r->fault) &&
           read_object(input, "inputs[0].", &parameters, r->fault) &&
           oip_tensor_read(input, tail, r->limits, &r->out->tensor, r->fault);
}

static bool read_document(reading *r, const json_t *document, oip_bytes tail)
{
    static const char *const known[] = {"id",         "parameters",    "inputs", "outputs",
                                        "model_name", "model_version", NULL};
    return members_known(document, "the request", known, r->fault) && read_id(r, document) &&
           read_parameters(r, document) && read_outputs(r, document) &&
           read_input(r, document, tail);
}

/* The length of the JSON. */
static bool split(oip_bytes body, const char *header_length, size_t *json, oip_fault *fault)
{
    static const char name[] = "Inference-Header-Content-Length";
    *json = body.size;
    if (!header_length) {
        return true;
    }
    size_t digits = strspn(header_length, "0123456789");
    if (digits == 0 || digits > 18 || header_length[digits] != 0) {
        return oip_refuse(fault, "%s: \"%.40s\" is not a number of bytes", name, header_length);
    }
    unsigned long long length = strtoull(header_length, NULL, 10);
    if (length > body.size) {
        return oip_refuse(fault, "%s: %llu, but the body has %zu bytes", name, length, body.size);
    }
    *json = (size_t)length;
    return true;
}

bool oip_request_parse(oip_bytes body, const char *header_length, const oip_limits *limits,
                       oip_request *out, oip_fault *fault)
{
    *out = (oip_request){.id = NULL};
    *fault = (oip_fault){.no_memory = false};
    reading r = {.limits = limits, .out = out, .fault = fault};
    size_t json;
    if (!split(body, header_length, &json, fault)) {
        return false;
    }
    if (json == 0 && header_length) {
        want_all(&r);
        return oip_tensor_of_file(body, &out->tensor, fault);
    }
    json_t *document = oip_text_load((const char *)body.data, json, &text_limits, fault);
    oip_bytes tail = {.data = body.data + json, .size = body.size - json};
    bool good = document && read_document(&r, document, tail);
    json_decref(document);
    if (!good) {
        oip_request_destroy(out);
    }
    return good;
}

void oip_request_destroy(oip_request *request)
{
    free(request->id);
    oip_tensor_destroy(&request->tensor);
    *request = (oip_request){.id = NULL};
}
