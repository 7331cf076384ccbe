/* Any bytes as what the tuner keeps: behind the first byte, which says how many choices there are
 * among so many candidates each. A file with a right key and a right sum is made of the rest too,
 * so that what lies behind those checks is reached. */
#include "host/vulkan/cache_file.h"
#include "host/vulkan/tune_store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const unsigned char *bytes, size_t size, const tune_key *key, uint32_t count)
{
    uint8_t variants[256], choices[256];
    vkdet_tune how = VKDET_TUNE_DEFAULT;
    for (uint32_t i = 0; i < count; i++) {
        variants[i] = (uint8_t)(1 + i % 32);
    }
    if (tune_parse(bytes, size, key, variants, count, &how, choices)) {
        return;
    }
    if (how != VKDET_TUNE_QUICK && how != VKDET_TUNE_FULL) {
        abort();
    }
    for (uint32_t i = 0; i < count; i++) {
        if (choices[i] >= variants[i]) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char whole[1 << 16];
    static physical_device gpu;
    tune_key key;
    if (size < 1) {
        return 0;
    }
    const uint32_t count = data[0];
    tune_key_make(&gpu, PLAN_FP32, WINOGRAD_ALWAYS, 8, 1, &key);
    data++;
    size--;
    parse(data, size, &key, count);
    if (size <= sizeof whole - sizeof key.bytes - 8) {
        const size_t body = sizeof key.bytes + size;
        memcpy(whole, key.bytes, sizeof key.bytes);
        memcpy(whole + sizeof key.bytes, data, size);
        bytes_put(whole + body, bytes_hash(BYTES_HASH_SEED, whole, body), 8);
        parse(whole, body + 8, &key, count);
    }
    return 0;
}
