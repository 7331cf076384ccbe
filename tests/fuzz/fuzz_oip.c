/* Any bytes as an inference request: a first line of digits is the header
 * Inference-Header-Content-Length, the rest the body. What was taken is read to its last byte, and
 * answered; the answer must be JSON. */
#include "host/serve/oip_response.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const oip_limits limits = {.images = 4,
                                  .pixels = 64,
                                  .max_detections = 3,
                                  .input_width = 2,
                                  .input_height = 2,
                                  .input_channels = 1};

static const vkdet_detection detections[] = {{.box = {1, 2, 3, 4}, .score = 0.5f, .class_id = 7}};

/* so that no byte that was promised lies outside */
static uint64_t sum(const oip_tensor *tensor)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < tensor->count; i++) {
        for (size_t k = 0; k < tensor->items[i].size; k++) {
            total += tensor->items[i].data[k];
        }
    }
    return total;
}

static void answer(const oip_request *request)
{
    oip_found found[4];
    oip_body body;
    for (uint32_t i = 0; i < request->tensor.count; i++) {
        found[i] = (oip_found){.detections = detections, .count = i % 2};
    }
    oip_response r = {.model_name = "m",
                      .model_version = "1",
                      .id = request->id,
                      .wanted = request->wanted,
                      .wanted_count = request->wanted_count,
                      .found = found,
                      .count = request->tensor.count,
                      .capacity = request->detect.max_detections ? request->detect.max_detections
                                                                 : limits.max_detections};
    if (!oip_response_write(&r, &body)) {
        return;
    }
    json_t *document = json_loadb(body.bytes, body.json, JSON_REJECT_DUPLICATES, NULL);
    if (!document) {
        abort();
    }
    json_decref(document);
    free(body.bytes);
}

static char *header_of(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, '\n', *size < 24 ? *size : 24) : NULL;
    if (!end) {
        return NULL;
    }
    size_t length = (size_t)(end - *data);
    char *header = strndup((const char *)*data, length);
    *data += length + 1;
    *size -= length + 1;
    return header;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile uint64_t keep;
    oip_request request;
    oip_fault fault;
    char *header = header_of(&data, &size);
    if (oip_request_parse((oip_bytes){.data = data, .size = size}, header, &limits, &request,
                          &fault)) {
        if (request.tensor.count < 1 || request.tensor.count > limits.images) {
            abort();
        }
        keep += sum(&request.tensor);
        answer(&request);
        oip_request_destroy(&request);
    } else if (!fault.text[0] || memchr(fault.text, 0, sizeof fault.text) == NULL) {
        abort();
    }
    free(header);
    return 0;
}
