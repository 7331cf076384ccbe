/* Any bytes as a card. */
#include "tests/fuzz/exercise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    card c;
    error err;
    region *r = region_create(&fuzz_allocator);
    (void)card_parse(r, (const char *)data, size, &c, &err);
    region_destroy(r);
    return 0;
}
