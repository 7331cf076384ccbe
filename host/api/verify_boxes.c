/* Verification of what follows the network. Three more runs of the device on the same picture:
 *   every anchor passes and nothing is suppressed: all that decode and sort did lies open;
 *   every anchor passes, the card's suppression; the card's own thresholds: what nms does of it.
 * Suppression is judged on the boxes that the device decoded, by the reference, and must agree
 * exactly. */
#include "host/api/verify.h"

#include <math.h>
#include <string.h>

typedef struct boxes {
    verification *v;
    const float *loc, *scores;
    float *decoded;     /* by the reference: anchors x 4 */
    detection *all;     /* by the device, sorted, unsuppressed */
    detection *chosen;  /* what the reference keeps */
    uint32_t all_count; /* anchors whose score is a number */
} boxes;

static status run_with(verification *v, const nms_params *nms, backend_result *out, error *err)
{
    backend_request request = {.images = &v->image, .count = 1, .nms = *nms};
    status code = v->backend->call->submit(v->backend, 0, &request, err);
    if (code == STATUS_OK) {
        code = v->backend->call->wait(v->backend, 0, BACKEND_MAX_WAIT_NS, err);
    }
    return code == STATUS_OK ? v->backend->call->result(v->backend, 0, 0, out, err) : code;
}

/* The exponential may be off by 3 + 2 |x| units in the last place (the allowance of Vulkan, the
 * widest of all drivers); the rest of the decode is a few roundings on the terms of the sum. */
static void box_bounds(const detector_head *head, const float *loc, uint32_t anchor, float bound[4])
{
    const float *a = head->anchors + 4 * (size_t)anchor, *l = loc + 4 * (size_t)anchor;
    const double u = 0x1p-24;
    for (int axis = 0; axis < 2; axis++) {
        double size = fabs((double)a[axis + 2] - (double)a[axis]);
        double terms = fabs((double)a[axis + 2]) + fabs((double)a[axis]) +
                       fabs((double)l[axis] * (double)head->variance[axis]) * size;
        double exponent = (double)l[axis + 2] * (double)head->variance[axis + 2];
        bound[axis] =
            (float)(8 * u * terms + (3 + 2 * fabs(exponent) + 6) * 2 * u * exp(exponent) * size);
        bound[axis + 2] = bound[axis];
    }
}

/* the first maximum over all classes but the background; -1 where no score is a number */
static int best_class(const detector_head *head, const float *scores)
{
    int best = -1;
    for (uint32_t c = 0; c < head->class_count; c++) {
        if ((int)c != head->background && !isnan(scores[c]) &&
            (best < 0 || scores[c] > scores[best])) {
            best = (int)c;
        }
    }
    return best;
}

static void judge_decode(const boxes *b, const backend_result *device, judgement *j)
{
    const detector_head *head = &b->v->model->head;
    uint32_t numbers = 0;
    for (uint32_t i = 0; i < head->anchor_count; i++) {
        numbers += best_class(head, b->scores + (size_t)i * head->class_count) >= 0;
    }
    judge_fact(j, device->candidates == numbers,
               "device has %u candidates of %u anchors with a score", device->candidates, numbers);
    for (uint32_t i = 0; i < device->count; i++) {
        const detection *d = &device->detections[i];
        if (d->anchor >= head->anchor_count) {
            judge_fact(j, false, "detection %u is of anchor %u", i, d->anchor);
            continue;
        }
        const float *scores = b->scores + (size_t)d->anchor * head->class_count;
        int best = best_class(head, scores);
        judge_fact(j, best == (int)d->class_id && d->score == scores[d->class_id],
                   "anchor %u: device says class %u, score %.9g", d->anchor, d->class_id,
                   (double)d->score);
        float bound[4];
        box_bounds(head, b->loc, d->anchor, bound);
        judge(j, "box", d->box, b->decoded + 4 * (size_t)d->anchor, bound, 4);
    }
}

static void judge_sort(const backend_result *device, judgement *j)
{
    judge_fact(j, device->count == device->candidates, "%u of %u candidates came through",
               device->count, device->candidates);
    for (uint32_t i = 1; i < device->count; i++) {
        const detection *a = &device->detections[i - 1], *d = &device->detections[i];
        judge_fact(j, a->score > d->score || (a->score == d->score && a->anchor < d->anchor),
                   "place %u: anchor %u (%.9g) before anchor %u (%.9g)", i, a->anchor,
                   (double)a->score, d->anchor, (double)d->score);
    }
}

static status judge_nms(boxes *b, const nms_params *nms, judgement *j, error *err)
{
    backend_result device;
    status code = run_with(b->v, nms, &device, err);
    if (code != STATUS_OK) {
        return code;
    }
    uint32_t passing = 0, kept = 0;
    while (passing < b->all_count && (double)b->all[passing].score > nms->score_threshold) {
        passing++;
    }
    reference_suppress(nms, b->all, passing, b->chosen, &kept);
    judge_fact(j, device.candidates == passing, "device has %u candidates, reference %u",
               device.candidates, passing);
    judge_fact(j, device.count == kept, "device keeps %u, reference %u", device.count, kept);
    for (uint32_t i = 0; i < kept && i < device.count; i++) {
        judge_fact(j, device.detections[i].anchor == b->chosen[i].anchor,
                   "place %u: device anchor %u, reference %u", i, device.detections[i].anchor,
                   b->chosen[i].anchor);
    }
    return STATUS_OK;
}

static const plan_step *step_of(const plan *p, kernel k)
{
    size_t i = 0;
    while (p->steps[i].kernel != k) {
        i++;
    }
    return &p->steps[i];
}

static status judge_all(boxes *b, error *err)
{
    verification *v = b->v;
    const plan *p = v->ready->plan;
    const uint32_t anchors = v->model->head.anchor_count;
    nms_params open = {
        .mode = NMS_TF, .score_threshold = -1, .iou_threshold = 1, .max_detections = anchors};
    nms_params cards = v->model->card.nms;
    judgement decode = {0}, sort = {0}, nms = {0};
    backend_result device;
    cards.max_detections = anchors;
    nms_params every = cards;
    every.score_threshold = -1;
    status code = run_with(v, &open, &device, err);
    if (code != STATUS_OK) {
        return code;
    }
    judge_decode(b, &device, &decode);
    judge_sort(&device, &sort);
    b->all_count = device.count;
    memcpy(b->all, device.detections, device.count * sizeof *b->all);
    code = verify_report_step(v, step_of(p, KERNEL_DECODE), &decode, err);
    if (code == STATUS_OK) {
        code = verify_report_step(v, step_of(p, KERNEL_SORT), &sort, err);
    }
    if (code == STATUS_OK) {
        code = judge_nms(b, &every, &nms, err);
    }
    if (code == STATUS_OK) {
        code = judge_nms(b, &cards, &nms, err);
    }
    return code == STATUS_OK ? verify_report_step(v, step_of(p, KERNEL_NMS), &nms, err) : code;
}

status verify_boxes(verification *v, error *err)
{
    const detector_head *head = &v->model->head;
    const graph *g = v->ready->graph;
    const allocator *a = &v->context->alloc;
    boxes b = {
        .v = v,
        .loc = v->device.data[g->outputs[head->loc_output]],
        .scores = v->device.data[g->outputs[head->score_output]],
        .decoded = memory_allocate(a, head->anchor_count, 4 * sizeof(float)),
        .all = memory_allocate(a, head->anchor_count, sizeof(detection)),
        .chosen = memory_allocate(a, head->anchor_count, sizeof(detection)),
    };
    status code = STATUS_OK;
    if (b.decoded && b.all && b.chosen) {
        reference_decode(head, b.loc, b.decoded);
        code = judge_all(&b, err);
    } else {
        code = error_set(err, STATUS_MEMORY, "out of memory for %u detections", head->anchor_count);
    }
    memory_release(a, b.decoded);
    memory_release(a, b.all);
    memory_release(a, b.chosen);
    return code;
}
