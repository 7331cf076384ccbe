/* A request on its way in: pixels and request words into memory that the device reads. */
#include "engine/sampling.h"
#include "host/vulkan/session.h"
#include "shaders/interface.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

static_assert(sizeof(struct request_header) == REQUEST_HEADER_WORDS * 4, "no padding");
static_assert(sizeof(struct image_entry) == IMAGE_ENTRY_WORDS * 4, "no padding");

static uint64_t row_bytes(const preprocess *p, const pixels *image)
{
    const uint32_t channels = p->channels == CHANNELS_GRAY ? 1 : 3;
    const uint64_t values = image->format == PIXEL_TENSOR_F32 ? channels : 1;
    return image->width * values * pixel_bytes(image->format);
}

static status picture_check(const preprocess *p, const pixels *image, uint32_t index, error *err)
{
    if ((unsigned)image->format >= PIXEL_FORMAT_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "picture %u: there is no pixel format %d", index,
                         (int)image->format);
    }
    if (image->width < 1 || image->height < 1 || image->width > SAMPLING_MAX_SOURCE ||
        image->height > SAMPLING_MAX_SOURCE) {
        return error_set(err, STATUS_ARGUMENT, "picture %u: %ux%u pixels; a side has 1 to %d",
                         index, image->width, image->height, SAMPLING_MAX_SOURCE);
    }
    if (image->format == PIXEL_TENSOR_F32 &&
        (image->width != p->width || image->height != p->height)) {
        return error_set(err, STATUS_ARGUMENT,
                         "picture %u: a tensor of %ux%u; the network takes %ux%u", index,
                         image->width, image->height, p->width, p->height);
    }
    if (!image->data) {
        return error_set(err, STATUS_ARGUMENT, "picture %u: no pixels", index);
    }
    if (image->stride < row_bytes(p, image)) {
        return error_set(err, STATUS_ARGUMENT,
                         "picture %u: stride %zu is less than a row of %llu bytes", index,
                         image->stride, (unsigned long long)row_bytes(p, image));
    }
    return STATUS_OK;
}

/* Everything but offset_words. Where the resize skips rows, only those that it reads go up. */
static struct image_entry entry_make(const preprocess *p, const pixels *image)
{
    const placement place = preprocess_place(p, image->width, image->height);
    return (struct image_entry){
        .stride_words = (uint32_t)((row_bytes(p, image) + 3) / 4),
        .width = image->width,
        .height = image->height,
        .format = (uint32_t)image->format,
        .packed_rows = image->format != PIXEL_TENSOR_F32 && image->height > 2 * place.height,
        .place_x = place.x,
        .place_y = place.y,
        .place_width = place.width,
        .place_height = place.height,
    };
}

static uint32_t entry_rows(const struct image_entry *e)
{
    return e->packed_rows ? 2 * e->place_height : e->height;
}

static void pixels_write(const preprocess *p, const pixels *image, const struct image_entry *e,
                         uint32_t *to)
{
    const size_t row = (size_t)row_bytes(p, image);
    const size_t stride = image->stride;
    const unsigned char *from = image->data;
    if (!e->packed_rows && stride == row && row % 4 == 0) {
        memcpy(to, from, row * image->height);
        return;
    }
    const uint32_t rows = entry_rows(e);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t source = i;
        if (e->packed_rows) {
            const sample rows_read = sample_at(p->sampling, e->height, e->place_height, i / 2);
            source = i % 2 ? rows_read.second : rows_read.first;
        }
        memcpy(to + (size_t)i * e->stride_words, from + source * stride, row);
    }
}

/* The largest float that is not above x. */
static float float_below(double x)
{
    if (x < -FLT_MAX) {
        return -FLT_MAX; /* lets every finite score pass, as x does */
    }
    if (x > FLT_MAX) {
        return FLT_MAX;
    }
    const float f = (float)x;
    return (double)f > x ? nextafterf(f, -FLT_MAX) : f;
}

static status nms_check(const session *s, const nms_params *n, error *err)
{
    if (!s->head) {
        return STATUS_OK;
    }
    if ((unsigned)n->mode >= NMS_MODE_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "there is no suppression mode %d", (int)n->mode);
    }
    if (isnan(n->score_threshold)) {
        return error_set(err, STATUS_ARGUMENT, "the score threshold is not a number");
    }
    if (!(n->iou_threshold > 0 && n->iou_threshold <= 1)) {
        return error_set(err, STATUS_ARGUMENT,
                         "the IoU threshold is %g; it must be above 0 and at most 1",
                         n->iou_threshold);
    }
    if (n->max_detections < 1) {
        return error_set(err, STATUS_ARGUMENT, "at least one detection must be allowed");
    }
    return STATUS_OK;
}

static struct request_header header_make(const slot *t)
{
    const nms_params *n = &t->nms;
    const float t0 = (float)n->iou_threshold;
    const float t1 = (float)(n->iou_threshold - (double)t0);
    return (struct request_header){
        .batch = t->batch,
        .nms_mode = (uint32_t)n->mode,
        .max_detections = n->max_detections,
        .score_threshold = float_below(n->score_threshold),
        .iou_t0 = t0,
        .iou_t1 = t1,
    };
}

status upload_request(session *s, slot *t, const backend_request *request, uint64_t *bytes,
                      error *err)
{
    uint64_t words = 0;
    status code = STATUS_OK;
    if (request->count < 1 || request->count > s->max_batch || !request->images) {
        return error_set(err, STATUS_ARGUMENT, "a batch of %u; this session takes 1 to %u",
                         request->count, s->max_batch);
    }
    code = nms_check(s, &request->nms, err);
    for (uint32_t i = 0; !code && i < request->count; i++) {
        code = picture_check(s->preprocess, &request->images[i], i, err);
        if (!code) {
            const struct image_entry e = entry_make(s->preprocess, &request->images[i]);
            words += (uint64_t)e.stride_words * entry_rows(&e);
        }
    }
    if (!code) {
        code = slot_reserve_pixels(s, t, words * 4, err);
    }
    if (code) {
        return code;
    }
    t->batch = request->count;
    t->nms = (nms_params){0};
    if (s->head) {
        t->nms = request->nms;
        const uint32_t most = s->capacity;
        t->nms.max_detections = t->nms.max_detections < most ? t->nms.max_detections : most;
        /* below that the second of the two floats may be denormal, which devices may flush */
        t->settle_always = t->nms.iou_threshold < 0x1p-70;
    }
    const buffer *pixels_to = exchange_host(&t->pixels);
    const buffer *request_to = exchange_host(&t->request);
    const struct request_header header = header_make(t);
    unsigned char *at = request_to->mapped;
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    uint64_t offset = 0;
    for (uint32_t i = 0; i < request->count; i++) {
        struct image_entry e = entry_make(s->preprocess, &request->images[i]);
        e.offset_words = (uint32_t)offset;
        pixels_write(s->preprocess, &request->images[i], &e,
                     (uint32_t *)pixels_to->mapped + offset);
        offset += (uint64_t)e.stride_words * entry_rows(&e);
        memcpy(at, &e, sizeof e);
        at += sizeof e;
    }
    *bytes = words * 4;
    code = buffer_flush(&s->dev, pixels_to, words * 4, err);
    return code ? code : buffer_flush(&s->dev, request_to, request_to->bytes, err);
}
