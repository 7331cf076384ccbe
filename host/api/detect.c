/* Running a session: submit, wait, results in picture coordinates; the blocking form on top of
 * them. */
#include "host/api/session.h"

#include <math.h>
#include <string.h>

static status mode_of(const vkdet_detect_params *p, const nms_params *defaults, nms_mode *out,
                      error *err)
{
    switch (p->nms_mode) {
    case VKDET_NMS_DEFAULT:
        *out = defaults->mode;
        return STATUS_OK;
    case VKDET_NMS_TFJS:
        *out = NMS_TFJS;
        return STATUS_OK;
    case VKDET_NMS_TF:
        *out = NMS_TF;
        return STATUS_OK;
    case VKDET_NMS_TFJS_PER_CLASS:
        *out = NMS_TFJS_PER_CLASS;
        return STATUS_OK;
    case VKDET_NMS_TF_PER_CLASS:
        *out = NMS_TF_PER_CLASS;
        return STATUS_OK;
    default:
        return error_set(err, STATUS_ARGUMENT, "nms_mode %d does not exist", (int)p->nms_mode);
    }
}

status session_read_params(const vkdet_session *s, const vkdet_detect_params *params,
                           nms_params *out, error *err)
{
    const nms_params *defaults = &s->model->card.nms;
    vkdet_detect_params p = params ? *params : (vkdet_detect_params){0};
    *out = *defaults;
    if (!s->model->card.detects) {
        return STATUS_OK; /* there is nothing to threshold */
    }
    if (p.score_threshold != 0) {
        out->score_threshold = p.score_threshold;
    }
    if (p.iou_threshold != 0) {
        out->iou_threshold = p.iou_threshold;
    }
    out->max_detections =
        p.max_detections && p.max_detections < s->capacity ? p.max_detections : s->capacity;
    if (!isfinite(out->score_threshold)) {
        return error_set(err, STATUS_ARGUMENT, "score_threshold must be finite");
    }
    if (!(out->iou_threshold > 0 && out->iou_threshold <= 1)) {
        return error_set(err, STATUS_ARGUMENT, "iou_threshold %g: expected 0 < t <= 1",
                         out->iou_threshold);
    }
    return mode_of(&p, defaults, &out->mode, err);
}

status pixels_check(const vkdet_pixels *in, const preprocess *pre, pixels *out, error *err)
{
    if ((unsigned)in->format >= PIXEL_FORMAT_COUNT) {
        return error_set(err, STATUS_ARGUMENT, "pixel format %d does not exist", (int)in->format);
    }
    pixel_format format = (pixel_format)in->format;
    if (!in->data) {
        return error_set(err, STATUS_ARGUMENT, "pixels without data");
    }
    if (in->width < 1 || in->height < 1 || in->width > 65535 || in->height > 65535) {
        return error_set(err, STATUS_ARGUMENT, "picture of %u x %u: each side must be 1 to 65535",
                         in->width, in->height);
    }
    uint32_t channels = 1;
    if (format == PIXEL_TENSOR_F32) {
        channels = pre->channels == CHANNELS_GRAY ? 1 : 3;
        if (in->width != pre->width || in->height != pre->height) {
            return error_set(err, STATUS_ARGUMENT,
                             "input tensor of %u x %u: the network takes %u x %u", in->width,
                             in->height, pre->width, pre->height);
        }
    }
    size_t row = (size_t)in->width * pixel_bytes(format) * channels;
    size_t stride = in->stride ? in->stride : row;
    if (stride < row || (format == PIXEL_TENSOR_F32 && stride != row)) {
        return error_set(err, STATUS_ARGUMENT, "stride of %zu bytes: a row takes %zu", stride, row);
    }
    *out = (pixels){format, in->width, in->height, stride, in->data};
    return STATUS_OK;
}

status session_note(vkdet_session *s, status code)
{
    if (code == STATUS_DEVICE_LOST) {
        s->lost = code;
    }
    return code;
}

static status check_alive(const vkdet_session *s, error *err)
{
    return s->lost == STATUS_OK
               ? STATUS_OK
               : error_set(err, s->lost,
                           "the device was lost; destroy the session and create it anew");
}

status session_read_images(vkdet_session *s, const vkdet_pixels *images, uint32_t count, error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        status code = pixels_check(&images[i], &s->model->card.preprocess, &s->images[i], err);
        if (code != STATUS_OK) {
            return error_prefix(err, "image %u: ", i);
        }
    }
    return STATUS_OK;
}

static status submit(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                     const nms_params *nms, uint32_t slot_index, error *err)
{
    session_slot *slot = &s->slots[slot_index];
    status code = session_read_images(s, images, count, err);
    if (code != STATUS_OK) {
        return code;
    }
    for (uint32_t i = 0; i < count; i++) {
        slot->sizes[i] = (picture_size){images[i].width, images[i].height};
    }
    backend_request request = {.images = s->images, .count = count, .nms = *nms};
    code = session_note(s, s->backend->call->submit(s->backend, slot_index, &request, err));
    if (code == STATUS_OK) {
        slot->state = SLOT_IN_FLIGHT;
        slot->count = count;
        slot->ticket = ++s->sequence;
    }
    return code;
}

/* A coordinate in fractions of the network input -> pixels of the picture, clipped. A NaN becomes
 * 0. */
static float to_picture(float fraction, uint32_t input, uint32_t begin, uint32_t covered,
                        uint32_t size)
{
    double pixel = ((double)fraction * input - begin) * size / covered;
    return (float)fmin(fmax(pixel, 0), size);
}

static void convert_result(const vkdet_session *s, const backend_result *in, picture_size size,
                           vkdet_detection *detections, vkdet_result *out)
{
    const preprocess *pre = &s->model->card.preprocess;
    placement place = preprocess_place(pre, size.width, size.height);
    for (uint32_t i = 0; i < in->count; i++) {
        const detection *d = &in->detections[i];
        detections[i] = (vkdet_detection){
            .box = {to_picture(d->box[0], pre->width, place.x, place.width, size.width),
                    to_picture(d->box[1], pre->height, place.y, place.height, size.height),
                    to_picture(d->box[2], pre->width, place.x, place.width, size.width),
                    to_picture(d->box[3], pre->height, place.y, place.height, size.height)},
            .score = d->score,
            .class_id = d->class_id,
            .anchor = d->anchor,
        };
    }
    *out = (vkdet_result){detections, in->count, in->candidates, in->near_ties};
}

static status finish(vkdet_session *s, uint32_t slot_index, uint64_t timeout_ns, error *err)
{
    session_slot *slot = &s->slots[slot_index];
    if (slot->state == SLOT_DONE) {
        return STATUS_OK;
    }
    uint64_t timeout = timeout_ns < BACKEND_MAX_WAIT_NS ? timeout_ns : BACKEND_MAX_WAIT_NS;
    status code = session_note(s, s->backend->call->wait(s->backend, slot_index, timeout, err));
    for (uint32_t i = 0; code == STATUS_OK && i < slot->count; i++) {
        backend_result raw = {0};
        slot->results[i] = (vkdet_result){0};
        if (s->model->card.detects) {
            code = session_note(s, s->backend->call->result(s->backend, slot_index, i, &raw, err));
        }
        if (code == STATUS_OK) {
            convert_result(s, &raw, slot->sizes[i], slot->detections + (size_t)i * s->capacity,
                           &slot->results[i]);
        }
    }
    if (code == STATUS_OK) {
        slot->state = SLOT_DONE;
    }
    return code;
}

static uint32_t find_ticket(const vkdet_session *s, vkdet_ticket ticket)
{
    for (uint32_t i = 0; ticket != 0 && i < s->slot_count; i++) {
        if ((s->slots[i].state == SLOT_IN_FLIGHT || s->slots[i].state == SLOT_DONE) &&
            s->slots[i].ticket == ticket) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Slots that a failed blocking call left behind: nobody has a ticket for them, so they are waited
 * for here before anything new begins. */
static status reclaim(vkdet_session *s, error *err)
{
    for (uint32_t i = 0; i < s->slot_count; i++) {
        if (s->slots[i].state == SLOT_ABANDONED) {
            status code =
                session_note(s, s->backend->call->wait(s->backend, i, BACKEND_MAX_WAIT_NS, err));
            if (code != STATUS_OK) {
                return code;
            }
            s->slots[i].state = SLOT_FREE;
        }
    }
    return STATUS_OK;
}

status session_take_all(vkdet_session *s, error *err)
{
    s->last_slot = UINT32_MAX;
    status code = check_alive(s, err);
    if (code == STATUS_OK) {
        code = reclaim(s, err);
    }
    for (uint32_t i = 0; code == STATUS_OK && i < s->slot_count; i++) {
        if (s->slots[i].state != SLOT_FREE) {
            code = error_set(err, STATUS_BUSY,
                             "tickets are in flight; wait for them and release them first");
        }
    }
    return code;
}

vkdet_status vkdet_session_submit(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                                  const vkdet_detect_params *params, vkdet_ticket *ticket)
{
    error err = {0};
    nms_params nms;
    if (!s || !images || !ticket || count < 1 || count > s->max_batch) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_session_submit: expected 1 to %u images",
                                          s ? s->max_batch : 0));
    }
    status code = check_alive(s, &err);
    if (code == STATUS_OK) {
        code = reclaim(s, &err);
    }
    if (code == STATUS_OK) {
        code = session_read_params(s, params, &nms, &err);
    }
    uint32_t slot = 0;
    while (slot < s->slot_count && s->slots[slot].state != SLOT_FREE) {
        slot++;
    }
    if (code == STATUS_OK && slot == s->slot_count) {
        code = error_set(&err, STATUS_BUSY,
                         "all %u slots are in flight; wait for a ticket and release it",
                         s->slot_count);
    }
    if (code == STATUS_OK) {
        code = submit(s, images, count, &nms, slot, &err);
    }
    if (code == STATUS_OK) {
        *ticket = s->slots[slot].ticket;
    }
    return api_return(&err, code);
}

vkdet_status vkdet_session_wait(vkdet_session *s, vkdet_ticket ticket, uint64_t timeout_ns,
                                const vkdet_result **results, uint32_t *count)
{
    error err = {0};
    uint32_t slot = s ? find_ticket(s, ticket) : UINT32_MAX;
    if (slot == UINT32_MAX) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "vkdet_session_wait: no such ticket"));
    }
    status code = check_alive(s, &err);
    if (code == STATUS_OK) {
        code = finish(s, slot, timeout_ns, &err);
    }
    if (code == STATUS_OK) {
        if (results) {
            *results = s->slots[slot].results;
        }
        if (count) {
            *count = s->slots[slot].count;
        }
    }
    return api_return(&err, code);
}

vkdet_status vkdet_session_release(vkdet_session *s, vkdet_ticket ticket)
{
    error err = {0};
    uint32_t slot = s ? find_ticket(s, ticket) : UINT32_MAX;
    if (slot == UINT32_MAX || s->slots[slot].state != SLOT_DONE) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT,
                            "vkdet_session_release: no such ticket, or not waited for yet"));
    }
    s->slots[slot].state = SLOT_FREE;
    return VKDET_OK;
}

/* --- blocking --- */

/* Copies a finished slot behind what is there already; detections are indexed by offset until all
 * are in. */
static status collect(vkdet_session *s, uint32_t slot_index, size_t first_image, size_t *used,
                      error *err)
{
    session_slot *slot = &s->slots[slot_index];
    for (uint32_t i = 0; i < slot->count; i++) {
        const vkdet_result *r = &slot->results[i];
        if (!memory_grow(&s->context->alloc, (void **)&s->all_detections,
                         &s->all_detections_capacity, *used + r->count + 1,
                         sizeof *s->all_detections)) {
            return error_set(err, STATUS_MEMORY, "out of memory for results");
        }
        memcpy(s->all_detections + *used, r->detections, r->count * sizeof *r->detections);
        s->all_results[first_image + i] = *r;
        *used += r->count;
    }
    slot->state = SLOT_FREE;
    s->last_slot = slot_index;
    return STATUS_OK;
}

/* The oldest batches are collected first: `begun` counts those submitted, `done` those collected.
 */
static status run_batches(vkdet_session *s, const vkdet_pixels *images, size_t count,
                          const nms_params *nms, error *err)
{
    size_t batches = (count + s->max_batch - 1) / s->max_batch, begun = 0, done = 0, used = 0;
    status code = STATUS_OK;
    while (done < batches) {
        if (code == STATUS_OK && begun < batches && begun - done < s->slot_count) {
            size_t first = begun * s->max_batch, left = count - first;
            uint32_t n = left < s->max_batch ? (uint32_t)left : s->max_batch;
            code = submit(s, images + first, n, nms, (uint32_t)(begun % s->slot_count), err);
            if (code == STATUS_OK) {
                begun++;
                continue;
            }
            if (code == STATUS_ARGUMENT) {
                (void)error_prefix(err, "batch from image %zu: ", first);
            }
        }
        if (begun == done) {
            return code;
        }
        /* after a failure the batches in flight are still waited for: their slots must come back */
        uint32_t slot = (uint32_t)(done % s->slot_count);
        error ignored;
        status finished = finish(s, slot, VKDET_WAIT_FOREVER, code == STATUS_OK ? err : &ignored);
        if (finished == STATUS_OK) {
            finished =
                collect(s, slot, done * s->max_batch, &used, code == STATUS_OK ? err : &ignored);
        }
        if (finished != STATUS_OK) {
            s->slots[slot].state = SLOT_ABANDONED;
        }
        code = code == STATUS_OK ? finished : code;
        done++;
    }
    return code;
}

vkdet_status vkdet_session_detect(vkdet_session *s, const vkdet_pixels *images, size_t count,
                                  const vkdet_detect_params *params, const vkdet_result **results)
{
    error err = {0};
    nms_params nms;
    if (!s || !images || !results || count < 1) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_session_detect: nothing to detect in"));
    }
    *results = NULL;
    status code = session_take_all(s, &err);
    if (code == STATUS_OK) {
        code = session_read_params(s, params, &nms, &err);
    }
    if (code == STATUS_OK &&
        !memory_grow(&s->context->alloc, (void **)&s->all_results, &s->all_results_capacity, count,
                     sizeof *s->all_results)) {
        code = error_set(&err, STATUS_MEMORY, "out of memory for %zu results", count);
    }
    if (code == STATUS_OK) {
        code = run_batches(s, images, count, &nms, &err);
    }
    if (code == STATUS_OK) {
        size_t offset = 0;
        for (size_t i = 0; i < count; i++) {
            s->all_results[i].detections = s->all_detections + offset;
            offset += s->all_results[i].count;
        }
        *results = s->all_results;
    }
    return api_return(&err, code);
}

vkdet_status vkdet_session_detect_image(vkdet_session *session, const vkdet_image *picture,
                                        const vkdet_detect_params *params,
                                        const vkdet_result **result)
{
    if (!picture) {
        error err = {0};
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_session_detect_image: image is NULL"));
    }
    vkdet_pixels view = vkdet_image_pixels(picture);
    return vkdet_session_detect(session, &view, 1, params, result);
}

vkdet_status vkdet_session_output(vkdet_session *s, vkdet_ticket ticket, uint32_t position,
                                  uint32_t index, float *floats, size_t capacity, size_t *count)
{
    error err = {0};
    uint32_t slot = !s ? UINT32_MAX : ticket == 0 ? s->last_slot : find_ticket(s, ticket);
    if (slot == UINT32_MAX || position >= s->slots[slot].count ||
        s->slots[slot].state == SLOT_IN_FLIGHT || s->slots[slot].state == SLOT_ABANDONED) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_session_output: no such finished image"));
    }
    if (!s->keep_outputs) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_session_output: the session was made without "
                                          "keep_outputs"));
    }
    if (index >= s->graph->output_count) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT, "output %u: the network has %zu",
                                          index, s->graph->output_count));
    }
    int wanted = s->graph->outputs[index];
    size_t elements = (size_t)shape_elements(s->graph->values[wanted].shape);
    if (count) {
        *count = elements;
    }
    if (!floats) {
        return VKDET_OK;
    }
    if (capacity < elements) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "output %u has %zu floats, room for %zu",
                                    index, elements, capacity));
    }
    return api_return(&err, session_note(s, s->backend->call->read_value(s->backend, slot, position,
                                                                         wanted, floats, &err)));
}
