/* From the outputs of the network to detections: decode, threshold, total order, suppression. */
#include "engine/detector.h"

#include <math.h>

/* Single precision in the order of the TensorFlow.js page, which rounds after every operation; its
 * exp is a double function rounded to float. */
static void decode_anchor(const detector_head *head, const float *loc, uint32_t i, float box[4])
{
    const float *a = head->anchors + (size_t)i * 4, *code = loc + (size_t)i * 4;
    for (int side = 0; side < 2; side++) {
        float low = a[side], high = a[side + 2];
        float anchor_centre = (low + high) / 2.0f;
        float anchor_size = high - low;
        float shift = code[side] * head->variance[side];
        float stretch = code[side + 2] * head->variance[side + 2];
        float centre = shift * anchor_size + anchor_centre;
        float size = (float)exp((double)stretch) * anchor_size;
        box[side] = centre - size / 2.0f;
        box[side + 2] = centre + size / 2.0f;
    }
}

void reference_decode(const detector_head *head, const float *loc, float *boxes)
{
    for (uint32_t i = 0; i < head->anchor_count; i++) {
        decode_anchor(head, loc, i, boxes + (size_t)i * 4);
    }
}

/* The comparisons are written so that a NaN corner never makes an overlap. */
static bool overlaps_double(double threshold, const float a[4], const float b[4])
{
    double low_a[2], high_a[2], low_b[2], high_b[2], side[2];
    for (int i = 0; i < 2; i++) {
        double a0 = (double)a[i], a1 = (double)a[i + 2], b0 = (double)b[i], b1 = (double)b[i + 2];
        low_a[i] = a0 < a1 ? a0 : a1;
        high_a[i] = a0 < a1 ? a1 : a0;
        low_b[i] = b0 < b1 ? b0 : b1;
        high_b[i] = b0 < b1 ? b1 : b0;
        double low = low_a[i] > low_b[i] ? low_a[i] : low_b[i];
        double high = high_a[i] < high_b[i] ? high_a[i] : high_b[i];
        side[i] = high - low > 0 ? high - low : 0;
    }
    double area_a = (high_a[1] - low_a[1]) * (high_a[0] - low_a[0]);
    double area_b = (high_b[1] - low_b[1]) * (high_b[0] - low_b[0]);
    if (area_a <= 0 || area_b <= 0) {
        return 0.0 >= threshold;
    }
    double both = side[1] * side[0];
    return both / (area_a + area_b - both) >= threshold;
}

static bool overlaps_float(float threshold, const float a[4], const float b[4])
{
    float low_a[2], high_a[2], low_b[2], high_b[2], side[2];
    for (int i = 0; i < 2; i++) {
        low_a[i] = a[i] < a[i + 2] ? a[i] : a[i + 2];
        high_a[i] = a[i] < a[i + 2] ? a[i + 2] : a[i];
        low_b[i] = b[i] < b[i + 2] ? b[i] : b[i + 2];
        high_b[i] = b[i] < b[i + 2] ? b[i + 2] : b[i];
        float low = low_a[i] > low_b[i] ? low_a[i] : low_b[i];
        float high = high_a[i] < high_b[i] ? high_a[i] : high_b[i];
        side[i] = high - low > 0 ? high - low : 0;
    }
    float area_a = (high_a[1] - low_a[1]) * (high_a[0] - low_a[0]);
    float area_b = (high_b[1] - low_b[1]) * (high_b[0] - low_b[0]);
    if (area_a <= 0 || area_b <= 0) {
        return 0.0f > threshold;
    }
    float both = side[1] * side[0];
    return both / (area_a + area_b - both) > threshold;
}

bool reference_overlaps(nms_mode mode, double iou_threshold, const float a[4], const float b[4])
{
    if (mode == NMS_TF || mode == NMS_TF_PER_CLASS) {
        return overlaps_float((float)iou_threshold, a, b);
    }
    return overlaps_double(iou_threshold, a, b);
}

void reference_suppress(const nms_params *params, const detection *sorted, uint32_t count,
                        detection *out, uint32_t *kept)
{
    bool per_class = params->mode == NMS_TFJS_PER_CLASS || params->mode == NMS_TF_PER_CLASS;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count && used < params->max_detections; i++) {
        bool keep = true;
        for (uint32_t j = 0; keep && j < used; j++) {
            keep =
                (per_class && out[j].class_id != sorted[i].class_id) ||
                !reference_overlaps(params->mode, params->iou_threshold, sorted[i].box, out[j].box);
        }
        if (keep) {
            out[used++] = sorted[i];
        }
    }
    *kept = used;
}

/* The first maximum over all classes but the background; a NaN is never a maximum. Adding zero
 * makes -0 the 0 that it counts as. */
static float best_class(const detector_head *head, const float *scores, uint32_t anchor,
                        uint32_t *class_id)
{
    const float *row = scores + (size_t)anchor * head->class_count;
    float best = -INFINITY;
    *class_id = head->background == 0 ? 1 : 0;
    for (uint32_t c = 0; c < head->class_count; c++) {
        if ((int64_t)c != head->background && row[c] > best) {
            best = row[c];
            *class_id = c;
        }
    }
    return best + 0.0f;
}

static bool comes_before(const detection *a, const detection *b)
{
    return a->score > b->score || (a->score == b->score && a->anchor < b->anchor);
}

static void sift_down(detection *heap, uint32_t root, uint32_t count)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)root + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && comes_before(&heap[child], &heap[child + 1])) {
            child++;
        }
        if (!comes_before(&heap[root], &heap[child])) {
            return;
        }
        detection swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
        root = (uint32_t)child;
    }
}

/* Heap sort: in place, and the order is total, so stability does not matter. The root of the heap
 * is what comes last. */
static void sort_detections(detection *d, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;) {
        sift_down(d, i, count);
    }
    for (uint32_t end = count; end-- > 1;) {
        detection last = d[0];
        d[0] = d[end];
        d[end] = last;
        sift_down(d, 0, end);
    }
}

status reference_detect(const allocator *a, const detector_head *head, const nms_params *params,
                        const float *loc, const float *scores, detection *out, uint32_t *count,
                        uint32_t *candidates, error *err)
{
    uint32_t passed = 0, class_id;
    for (uint32_t i = 0; i < head->anchor_count; i++) {
        passed += (double)best_class(head, scores, i, &class_id) > params->score_threshold;
    }
    *candidates = passed;
    *count = 0;
    if (passed == 0) {
        return STATUS_OK;
    }
    detection *sorted = memory_allocate(a, passed, sizeof *sorted);
    if (!sorted) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u candidates", passed);
    }
    uint32_t next = 0;
    for (uint32_t i = 0; i < head->anchor_count; i++) {
        float score = best_class(head, scores, i, &class_id);
        if ((double)score > params->score_threshold) {
            detection *d = &sorted[next++];
            *d = (detection){.score = score, .class_id = class_id, .anchor = i};
            decode_anchor(head, loc, i, d->box);
        }
    }
    sort_detections(sorted, passed);
    reference_suppress(params, sorted, passed, out, count);
    memory_release(a, sorted);
    return STATUS_OK;
}
