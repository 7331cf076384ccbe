/* Any bytes as a TensorFlow.js model: the card's input (height, width, 1 for gray), a byte each,
 * four bytes that say how long model.json is, model.json, and the rest is the bytes of every shard.
 */
#include "tests/fuzz/exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT = 3, PREFIX = INPUT + 4 };

typedef struct shard {
    const uint8_t *bytes;
    size_t size;
} shard;

static status fetch(void *user, const char *path, const unsigned char **bytes, size_t *size,
                    error *err)
{
    const shard *s = user;
    (void)path;
    (void)err;
    *bytes = s->bytes;
    *size = s->size;
    return STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = 0;
    graph *g = NULL;
    error err;
    if (size < PREFIX || data[0] == 0 || data[1] == 0) {
        return -1;
    }
    const card c = {.preprocess = {.height = data[0],
                                   .width = data[1],
                                   .channels = data[2] == 1 ? CHANNELS_GRAY : CHANNELS_RGB,
                                   .deviation = {255, 255, 255},
                                   .sampling = SAMPLING_BILINEAR}};
    for (size_t i = INPUT; i < PREFIX; i++) {
        length |= (size_t)data[i] << 8 * (i - INPUT);
    }
    size -= PREFIX;
    length = length < size ? length : size;
    shard rest = {data + PREFIX + length, size - length};
    const tfjs_source source = {fetch, &rest};
    if (tfjs_parse(&fuzz_allocator, (const char *)data + PREFIX, length, &source, &c, &g, &err) ==
        STATUS_OK) {
        fuzz_exercise(g, &c.preprocess, NULL);
        graph_destroy(g);
    }
    return 0;
}
