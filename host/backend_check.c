/* What the backends that compute on the host ask of their parameters and requests. */
#include "host/backend.h"

static status check_output(const graph *g, int output, uint64_t elements, const char *what,
                           error *err)
{
    if (output < 0 || (size_t)output >= g->output_count) {
        return error_set(err, STATUS_MODEL, "%s: the network has no output %d", what, output);
    }
    uint64_t has = shape_elements(g->values[g->outputs[output]].shape);
    if (has != elements) {
        return error_set(err, STATUS_MODEL, "%s: output %d has %llu values, the card needs %llu",
                         what, output, (unsigned long long)has, (unsigned long long)elements);
    }
    return STATUS_OK;
}

status backend_params_check(const backend_params *p, error *err)
{
    if (p->max_batch < 1 || p->slots < 1) {
        return error_set(err, STATUS_ARGUMENT, "a session needs a batch and a slot");
    }
    shape s = p->graph->values[p->graph->input].shape;
    uint32_t channels = p->preprocess->channels == CHANNELS_GRAY ? 1 : 3;
    if (s.rank != 3 || s.dim[0] != p->preprocess->height || s.dim[1] != p->preprocess->width ||
        s.dim[2] != channels) {
        char text[64];
        shape_text(s, text);
        return error_set(err, STATUS_MODEL, "the network's input is %s, the card's %ux%ux%u", text,
                         p->preprocess->height, p->preprocess->width, channels);
    }
    if (!p->head) {
        return graph_cost_check(p->graph, err);
    }
    if (p->head->anchor_count < 1 || p->max_detections < 1) {
        return error_set(err, STATUS_ARGUMENT, "a detector needs anchors and room for detections");
    }
    status result = check_output(p->graph, p->head->loc_output, (uint64_t)p->head->anchor_count * 4,
                                 "box codes", err);
    if (result == STATUS_OK) {
        result =
            check_output(p->graph, p->head->score_output,
                         (uint64_t)p->head->anchor_count * p->head->class_count, "scores", err);
    }
    return result == STATUS_OK ? graph_cost_check(p->graph, err) : result;
}

status backend_request_check(const detector_head *head, uint32_t max_batch, uint32_t max_detections,
                             const backend_request *request, nms_params *nms, error *err)
{
    if (request->count < 1 || request->count > max_batch) {
        return error_set(err, STATUS_ARGUMENT, "%u images submitted, 1 to %u are possible",
                         request->count, max_batch);
    }
    *nms = request->nms;
    if (!head) {
        return STATUS_OK;
    }
    if ((unsigned)nms->mode >= NMS_MODE_COUNT || !(nms->iou_threshold > 0) ||
        !(nms->score_threshold == nms->score_threshold) || nms->max_detections < 1) {
        return error_set(err, STATUS_ARGUMENT,
                         "suppression: mode %d, score threshold %g, IoU threshold %g, at most %u "
                         "detections make no sense",
                         (int)nms->mode, nms->score_threshold, nms->iou_threshold,
                         nms->max_detections);
    }
    if (nms->max_detections > max_detections) {
        nms->max_detections = max_detections;
    }
    return STATUS_OK;
}
