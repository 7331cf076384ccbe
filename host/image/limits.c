/* What may be spent on a picture: the checks before its pixels are allocated, and a ceiling for
 * the libraries that decode it. */
#include "host/image/codec.h"

#include <string.h>

status limits_check(const encoded *in, const char *codec, uint64_t width, uint64_t height,
                    error *err)
{
    if (width == 0 || height == 0) {
        return error_set(err, STATUS_IMAGE, "%s header says %llu x %llu pixels", codec,
                         (unsigned long long)width, (unsigned long long)height);
    }
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE) {
        return error_set(err, STATUS_LIMIT, "%s of %llu x %llu pixels: no side may exceed %u",
                         codec, (unsigned long long)width, (unsigned long long)height,
                         IMAGE_MAX_SIDE);
    }
    if (width * height > in->max_pixels) {
        return error_set(err, STATUS_LIMIT, "%s of %llu x %llu pixels exceeds the limit of %llu",
                         codec, (unsigned long long)width, (unsigned long long)height,
                         (unsigned long long)in->max_pixels);
    }
    return STATUS_OK;
}

status image_allocate(const encoded *in, const char *codec, pixel_format format, uint64_t width,
                      uint64_t height, image *out, error *err)
{
    status s = limits_check(in, codec, width, height, err);
    if (s != STATUS_OK) {
        return s;
    }
    size_t pixel_count;
    if (!checked_multiply((size_t)width, (size_t)height, &pixel_count)) {
        return error_set(err, STATUS_LIMIT, "%s is larger than memory", codec);
    }
    out->data = memory_allocate(in->alloc, pixel_count, pixel_bytes(format));
    if (!out->data) {
        return error_set(err, STATUS_MEMORY, "out of memory for %s of %llu x %llu pixels", codec,
                         (unsigned long long)width, (unsigned long long)height);
    }
    out->format = format;
    out->width = (uint32_t)width;
    out->height = (uint32_t)height;
    return STATUS_OK;
}

size_t decoder_memory(const encoded *in)
{
    const uint64_t most = (SIZE_MAX - IMAGE_WORKING_BYTES) / 8;
    return (size_t)(in->max_pixels < most ? in->max_pixels : most) * 8 + IMAGE_WORKING_BYTES;
}

/* The size of a block stands in front of it, so that what is live can be counted. */
#define HEADER_BYTES 16u

void *budget_allocate(budget *b, size_t size)
{
    size_t total;
    if (!checked_add(size, HEADER_BYTES, &total) || total > b->cap - b->live) {
        b->over_cap = true;
        return NULL;
    }
    unsigned char *block = memory_allocate(b->alloc, total, 1);
    if (!block) {
        b->refused = true;
        return NULL;
    }
    memcpy(block, &total, sizeof total);
    b->live += total;
    return block + HEADER_BYTES;
}

void budget_release(budget *b, void *memory)
{
    if (memory) {
        unsigned char *block = (unsigned char *)memory - HEADER_BYTES;
        size_t total;
        memcpy(&total, block, sizeof total);
        b->live -= total;
        memory_release(b->alloc, block);
    }
}
