/* A request on its way out: result blocks -> detections, and the settling of near-ties. */
#include "host/vulkan/session.h"
#include "shaders/interface.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(struct result_header) == RESULT_HEADER_WORDS * 4, "no padding");
static_assert(sizeof(struct result_detection) == RESULT_DETECTION_WORDS * 4, "no padding");

static const uint32_t *result_block(const session *s, const slot *t, uint32_t image)
{
    return (const uint32_t *)exchange_host(&t->results)->mapped +
           (size_t)image * s->plan->result_words;
}

static bool must_settle(const slot *t, const struct result_header *h)
{
    return h->near_ties > 0 || (t->settle_always && h->candidates > 1);
}

status results_receive(session *s, slot *t, error *err)
{
    memset(t->ready, 0, s->max_batch * sizeof *t->ready);
    memset(t->images, 0, s->max_batch * sizeof *t->images);
    if (!s->head) {
        memset(t->ready, 1, s->max_batch * sizeof *t->ready);
        return STATUS_OK;
    }
    return buffer_invalidate(&s->dev, exchange_host(&t->results),
                             (uint64_t)s->plan->result_words * 4 * t->batch, err);
}

/* Reads the picture's candidates and lets the reference suppress them. */
static status settle(session *s, slot *t, uint32_t image, const struct result_header *h,
                     detection *out, uint32_t *count, error *err)
{
    const plan *p = s->plan;
    const plan_buffer *buffers[] = {&p->buffers[p->keys_buffer], &p->buffers[p->boxes_buffer],
                                    &p->buffers[p->classes_buffer]};
    const uint64_t n = s->head->anchor_count;
    const uint64_t counts[] = {CANDIDATE_HEADER_WORDS + 2 * (uint64_t)h->candidates, 4 * n, n};
    arena_run runs[ARENA_MAX_RUNS];
    for (int i = 0; i < ARENA_MAX_RUNS; i++) {
        runs[i] = (arena_run){buffers[i]->offset * t->batch + image * buffers[i]->words, counts[i]};
    }
    const uint32_t *words = NULL;
    const status code = transfer_read_arena(s, t, runs, ARENA_MAX_RUNS, &words, err);
    if (code) {
        return code;
    }
    const uint32_t *keys = words + CANDIDATE_HEADER_WORDS;
    const uint32_t *boxes = words + counts[0];
    const uint32_t *classes = boxes + counts[1];
    for (uint32_t i = 0; i < h->candidates; i++) {
        detection *c = &s->candidates[i];
        c->anchor = keys[2 * i + 1];
        if (c->anchor >= n) {
            return error_set(err, STATUS_INTERNAL, "candidate %u names anchor %u of %llu", i,
                             c->anchor, (unsigned long long)n);
        }
        memcpy(&c->score, &keys[2 * i], sizeof c->score);
        memcpy(c->box, boxes + 4 * (size_t)c->anchor, sizeof c->box);
        c->class_id = classes[c->anchor];
    }
    reference_suppress(&t->nms, s->candidates, h->candidates, out, count);
    if (h->near_ties) {
        log_write(s->log, LOG_near_ties,
                  "picture %u: %u of %u candidates overlap within rounding of the IoU threshold; "
                  "settled by the reference",
                  image, h->near_ties, h->candidates);
    }
    return STATUS_OK;
}

status results_get(session *s, slot *t, uint32_t image, backend_result *out, error *err)
{
    if (image >= t->batch) {
        return error_set(err, STATUS_ARGUMENT, "picture %u of a batch of %u", image, t->batch);
    }
    if (t->ready[image]) {
        *out = t->images[image];
        return STATUS_OK;
    }
    const uint32_t *block = result_block(s, t, image);
    struct result_header h;
    memcpy(&h, block, sizeof h);
    if (h.count > s->capacity || h.candidates > s->head->anchor_count) {
        return error_set(err, STATUS_INTERNAL, "the device answered %u detections of %u candidates",
                         h.count, h.candidates);
    }
    detection *detections = t->detections + (size_t)image * s->capacity;
    uint32_t count = h.count;
    if (must_settle(t, &h)) {
        const status code = settle(s, t, image, &h, detections, &count, err);
        if (code) {
            return code;
        }
    } else {
        block += RESULT_HEADER_WORDS;
        for (uint32_t i = 0; i < count; i++) {
            struct result_detection r;
            memcpy(&r, block + (size_t)i * RESULT_DETECTION_WORDS, sizeof r);
            detections[i] = (detection){
                .box = {r.box[0], r.box[1], r.box[2], r.box[3]},
                .score = r.score,
                .class_id = r.class_id,
                .anchor = r.anchor,
            };
        }
    }
    t->images[image] = (backend_result){detections, count, h.candidates, h.near_ties};
    t->ready[image] = true;
    *out = t->images[image];
    return STATUS_OK;
}
