/* Any bytes as a picture, with a limit of four megapixels. */
#include "host/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const image_limits limits = {.max_pixels = 4u << 20};
    image i;
    error err;
    if (image_decode(&allocator_default, NULL, data, size, &limits, &i, &err) == STATUS_OK) {
        image_destroy(&i);
    }
    return 0;
}
