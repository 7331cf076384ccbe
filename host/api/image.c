/* Pictures behind the public handle; saving them to files. */
#include "host/api/api.h"
#include "models/files.h"

#include <string.h>
#include <strings.h>

static image_limits limits_of(const vkdet_image_params *params)
{
    return params ? (image_limits){params->max_pixels, params->max_file_bytes} : (image_limits){0};
}

static status create(vkdet_context *context, vkdet_image **out, error *err)
{
    *out = memory_allocate(&context->alloc, 1, sizeof **out);
    if (!*out) {
        return error_set(err, STATUS_MEMORY, "out of memory for an image");
    }
    (*out)->context = context;
    return STATUS_OK;
}

static vkdet_status settle(vkdet_context *context, vkdet_image **out, status code, const error *err)
{
    if (code != STATUS_OK && *out) {
        memory_release(&context->alloc, *out);
        *out = NULL;
    }
    return api_return(err, code);
}

vkdet_status vkdet_image_decode(vkdet_context *context, const void *bytes, size_t size,
                                const vkdet_image_params *params, vkdet_image **out)
{
    error err = {0};
    if (!context || !out || (!bytes && size > 0)) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_image_decode: an argument is NULL"));
    }
    image_limits limits = limits_of(params);
    status code = create(context, out, &err);
    if (code == STATUS_OK) {
        code = image_decode(&context->alloc, &context->log, bytes, size, &limits, &(*out)->image,
                            &err);
    }
    return settle(context, out, code, &err);
}

vkdet_status vkdet_image_load(vkdet_context *context, const char *path,
                              const vkdet_image_params *params, vkdet_image **out)
{
    error err = {0};
    if (!context || !out || !path) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_image_load: an argument is NULL"));
    }
    image_limits limits = limits_of(params);
    status code = create(context, out, &err);
    if (code == STATUS_OK) {
        code = image_load(&context->alloc, &context->log, path, &limits, &(*out)->image, &err);
    }
    return settle(context, out, code, &err);
}

void vkdet_image_destroy(vkdet_image *handle)
{
    if (handle) {
        image_destroy(&handle->image);
        memory_release(&handle->context->alloc, handle);
    }
}

void vkdet_image_info_get(const vkdet_image *handle, vkdet_image_info *out)
{
    const image *i = &handle->image;
    *out = (vkdet_image_info){i->width, i->height, i->orientation, i->partial};
}

vkdet_pixels vkdet_image_pixels(const vkdet_image *handle)
{
    pixels p = image_pixels(&handle->image);
    return (vkdet_pixels){(vkdet_pixel_format)p.format, p.width, p.height, p.stride, p.data};
}

vkdet_status vkdet_image_draw(vkdet_image *handle, const vkdet_mark *marks, size_t count)
{
    error err = {0};
    if (!handle || (!marks && count > 0)) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_image_draw: an argument is NULL"));
    }
    const allocator *a = &handle->context->alloc;
    image_mark *list = memory_allocate(a, count + 1, sizeof *list);
    if (!list) {
        return api_return(&err,
                          error_set(&err, STATUS_MEMORY, "out of memory for %zu marks", count));
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(list[i].box, marks[i].box, sizeof list[i].box);
        list[i].colour = marks[i].colour;
        list[i].text = marks[i].text;
    }
    status code = image_draw(&handle->image, &handle->context->log, list, count, &err);
    memory_release(a, list);
    return api_return(&err, code);
}

static status codec_of(const char *path, image_codec *out, error *err)
{
    const char *dot = strrchr(path, '.');
    if (dot && strcasecmp(dot, ".png") == 0) {
        *out = IMAGE_PNG;
    } else if (dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0)) {
        *out = IMAGE_JPEG;
    } else {
        return error_set(err, STATUS_ARGUMENT, "%s: pictures are written as .png, .jpg or .jpeg",
                         path);
    }
    return STATUS_OK;
}

/* Beside the path first, so that nobody ever sees half a picture. */
static status write_file(const allocator *a, const char *path, const unsigned char *bytes,
                         size_t size, error *err)
{
    region *r = region_create(a);
    file_writer w = {.descriptor = -1};
    status code = r ? file_writer_open(&w, r, path, err)
                    : error_set(err, STATUS_MEMORY, "%s: out of memory", path);
    if (code == STATUS_OK) {
        code = file_writer_add(&w, bytes, size, err);
    }
    if (code == STATUS_OK) {
        code = file_writer_finish(&w, err);
    }
    file_writer_close(&w);
    region_destroy(r);
    return code;
}

vkdet_status vkdet_image_save(const vkdet_image *handle, const char *path, int quality)
{
    error err = {0};
    if (!handle || !path || quality < 0 || quality > 100) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_image_save: expected a path and quality 0 to "
                                          "100"));
    }
    image_codec codec = IMAGE_PNG;
    unsigned char *bytes = NULL;
    size_t size = 0;
    status code = codec_of(path, &codec, &err);
    if (code == STATUS_OK) {
        code = image_encode(&handle->image, codec, quality ? quality : 90, &bytes, &size, &err);
    }
    if (code == STATUS_OK) {
        code = write_file(&handle->context->alloc, path, bytes, size, &err);
        memory_release(&handle->image.alloc, bytes);
    }
    return api_return(&err, code);
}

vkdet_status vkdet_image_encode(const vkdet_image *handle, vkdet_image_codec codec, int quality,
                                void **bytes, size_t *size)
{
    error err = {0};
    unsigned char *encoded = NULL;
    if (!handle || !bytes || !size) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_image_encode: an argument is NULL"));
    }
    status code = image_encode(&handle->image, (image_codec)codec, quality, &encoded, size, &err);
    if (code == STATUS_OK) {
        *bytes = encoded;
    }
    return api_return(&err, code);
}
