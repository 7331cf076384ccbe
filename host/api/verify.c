/* vkdet_verify: every step on the device against the reference, each judged on the inputs that the
 * device itself had, so that the first step named is the one that is wrong and not one that
 * inherited an error. */
#include "host/api/api.h"
#include "host/api/text.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { NOISE_WIDTH = 641, NOISE_HEIGHT = 483, VERIFY_TIMEOUT_S = 600 };

typedef struct verification {
    vkdet_context *context;
    const model *model;
    prepared ready;
    backend *backend;
    pixels image;
    unsigned char *noise;
    reference_values device;   /* what the device computed */
    reference_values expected; /* what the reference makes of the device's inputs */
    reference_values bound;    /* how far apart they may be */
    json_t *steps;
    const char *first; /* diverging step, or NULL */
} verification;

/* The judgement of one step. */
typedef struct judgement {
    uint64_t elements, outside;
    double worst_error, worst_ratio; /* largest |error|, largest |error| / bound */
    char where[160];
} judgement;

static void judge(judgement *j, const char *name, const float *device, const float *expected,
                  const float *bound, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        double difference = fabs((double)device[i] - (double)expected[i]);
        bool same = device[i] == expected[i];
        bool inside = same || difference <= (double)bound[i];
        j->elements++;
        if (!same && difference > j->worst_error) {
            j->worst_error = difference;
        }
        double ratio = same ? 0 : bound[i] > 0 ? difference / (double)bound[i] : INFINITY;
        if (!inside && j->outside++ == 0) {
            (void)snprintf(j->where, sizeof j->where,
                           "%.64s[%llu]: device %.9g, reference %.9g, bound %.3g", name,
                           (unsigned long long)i, (double)device[i], (double)expected[i],
                           (double)bound[i]);
        }
        if (ratio > j->worst_ratio) {
            j->worst_ratio = ratio;
        }
    }
}

static void report(verification *v, const plan_step *step, const judgement *j)
{
    bool ok = j->outside == 0;
    if (!ok && !v->first) {
        v->first = step->name;
    }
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:I, s:f, s:b, s:I}", "name", step->name, "kernel",
                  kernel_name(step->kernel), "variant", step->variant ? step->variant : "",
                  "elements", (json_int_t)j->elements, "max_error", j->worst_error, "ok", ok,
                  "outside", (json_int_t)j->outside);
    /* JSON has no infinity: a bound of zero that is missed shows as null */
    (void)json_object_set_new(entry, "max_error_over_bound",
                              isfinite(j->worst_ratio) ? json_real(j->worst_ratio) : json_null());
    if (!ok) {
        (void)json_object_set_new(entry, "worst", json_string(j->where));
    }
    (void)json_array_append_new(v->steps, entry);
}

static status make_noise(verification *v, error *err)
{
    v->noise = memory_allocate(&v->context->alloc, (size_t)NOISE_WIDTH * NOISE_HEIGHT, 3);
    if (!v->noise) {
        return error_set(err, STATUS_MEMORY, "out of memory for a noise picture");
    }
    uint32_t state = 20200220u;
    for (size_t i = 0; i < (size_t)NOISE_WIDTH * NOISE_HEIGHT * 3; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        v->noise[i] = (unsigned char)(state >> 24);
    }
    v->image = (pixels){PIXEL_RGB8, NOISE_WIDTH, NOISE_HEIGHT, (size_t)NOISE_WIDTH * 3, v->noise};
    return STATUS_OK;
}

/* fp32 resize and normalisation: at most a dozen roundings on terms no larger than 255 and the
 * mean, divided by the deviation. */
static status verify_preprocess(verification *v, const plan_step *step, error *err)
{
    const preprocess *pre = &v->model->card.preprocess;
    int input = v->ready.graph->input;
    float *expected = v->expected.data[input], *bound = v->bound.data[input];
    status code = reference_preprocess(pre, &v->image, expected, err);
    if (code != STATUS_OK) {
        return code;
    }
    uint32_t channels = pre->channels == CHANNELS_GRAY ? 1 : 3;
    uint64_t count = shape_elements(v->ready.graph->values[input].shape);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t c = (uint32_t)(i % channels);
        bound[i] = (float)(reference_gamma(12) * (255.0 + fabs((double)pre->mean[c])) /
                           fabs((double)pre->deviation[c]));
    }
    judgement j = {0};
    judge(&j, step->name, v->device.data[input], expected, bound, count);
    report(v, step, &j);
    return STATUS_OK;
}

static status verify_node(verification *v, const plan_step *step, error *err)
{
    const graph *g = v->ready.graph;
    const node *n = &g->nodes[step->node];
    for (int i = 0; i < n->input_count; i++) {
        int id = n->inputs[i];
        memcpy(v->expected.data[id], v->device.data[id],
               shape_elements(g->values[id].shape) * sizeof(float));
    }
    status code = reference_run_node(g, (size_t)step->node, &v->expected, &v->bound, err);
    if (code != STATUS_OK) {
        return code;
    }
    judgement j = {0};
    for (int i = 0; i < n->output_count; i++) {
        int id = n->outputs[i];
        if (id != GRAPH_NONE) {
            judge(&j, g->values[id].name, v->device.data[id], v->expected.data[id],
                  v->bound.data[id], shape_elements(g->values[id].shape));
        }
    }
    report(v, step, &j);
    return STATUS_OK;
}

/* The exponential of Vulkan may be off by 3 + 2 |x| units in the last place; the rest of the decode
 * is a few roundings. */
static void box_bounds(const detector_head *head, const float *loc, uint32_t anchor, float bound[4])
{
    const float *a = head->anchors + 4 * (size_t)anchor, *l = loc + 4 * (size_t)anchor;
    for (int axis = 0; axis < 2; axis++) {
        double size = fabs((double)a[axis + 2] - (double)a[axis]);
        double centre = fabs((double)a[axis + 2]) + fabs((double)a[axis]) +
                        fabs((double)l[axis] * (double)head->variance[axis]) * size;
        double exponent = (double)l[axis + 2] * (double)head->variance[axis + 2];
        double extent = exp(exponent) * size;
        double u = 0x1p-24;
        bound[axis] = (float)(8 * u * centre + (3 + 2 * fabs(exponent) + 6) * 2 * u * extent);
        bound[axis + 2] = bound[axis];
    }
}

static void judge_detections(judgement *j, const verification *v, const backend_result *device,
                             const detection *expected, uint32_t count, const float *loc)
{
    j->elements = count;
    if (device->count != count) {
        j->outside = 1;
        (void)snprintf(j->where, sizeof j->where, "device has %u detections, reference %u",
                       device->count, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const detection *a = &device->detections[i], *b = &expected[i];
        if ((a->anchor != b->anchor || a->class_id != b->class_id || a->score != b->score) &&
            j->outside++ == 0) {
            (void)snprintf(
                j->where, sizeof j->where,
                "detection %u: device anchor %u class %u score %.9g, reference %u %u %.9g", i,
                a->anchor, a->class_id, (double)a->score, b->anchor, b->class_id, (double)b->score);
        }
        float bound[4];
        box_bounds(&v->model->head, loc, b->anchor, bound);
        judge(j, "box", a->box, b->box, bound, 4);
    }
}

/* decode, sort and nms leave one thing behind, the detections: judged together, from the device's
 * own raw outputs */
static status verify_detections(verification *v, const plan_step *step, error *err)
{
    const graph *g = v->ready.graph;
    const detector_head *head = &v->model->head;
    const allocator *a = &v->context->alloc;
    backend_result device;
    detection *expected = memory_allocate(a, head->anchor_count, sizeof *expected);
    if (!expected) {
        return error_set(err, STATUS_MEMORY, "out of memory for detections");
    }
    nms_params nms = v->model->card.nms;
    nms.max_detections = head->anchor_count;
    uint32_t count = 0, candidates = 0;
    const float *loc = v->device.data[g->outputs[head->loc_output]];
    status code =
        reference_detect(a, head, &nms, loc, v->device.data[g->outputs[head->score_output]],
                         expected, &count, &candidates, err);
    if (code == STATUS_OK) {
        code = v->backend->call->result(v->backend, 0, 0, &device, err);
    }
    if (code == STATUS_OK) {
        judgement j = {0};
        judge_detections(&j, v, &device, expected, count, loc);
        if (device.candidates != candidates && j.outside++ == 0) {
            (void)snprintf(j.where, sizeof j.where, "device has %u candidates, reference %u",
                           device.candidates, candidates);
        }
        report(v, step, &j);
    }
    memory_release(a, expected);
    return code;
}

static status read_all(verification *v, error *err)
{
    const graph *g = v->ready.graph;
    for (size_t i = 0; i < g->value_count; i++) {
        if (g->values[i].base == GRAPH_NONE) {
            status code =
                v->backend->call->read_value(v->backend, 0, 0, (int)i, v->device.data[i], err);
            if (code != STATUS_OK) {
                return code;
            }
        }
    }
    return STATUS_OK;
}

static status run_device(verification *v, const char *device, error *err)
{
    const detector_head *head = v->model->card.detects ? &v->model->head : NULL;
    uint32_t capacity = head ? head->anchor_count : 0;
    const allocator *a = &v->context->alloc;
    plan_options options = {.keep_outputs = true, .keep_all = true, .max_detections = capacity};
    status code = prepared_create(v->context, v->model, device, &options, &v->ready, err);
    if (code != STATUS_OK) {
        return code;
    }
    backend_params params = {.max_batch = 1,
                             .slots = 1,
                             .max_detections = capacity,
                             .keep_outputs = true,
                             .keep_all = true};
    code = prepared_backend(v->context, v->model, &v->ready, &params, &v->backend, err);
    reference_values *const sets[] = {&v->device, &v->expected, &v->bound};
    for (size_t i = 0; code == STATUS_OK && i < sizeof sets / sizeof sets[0]; i++) {
        code = reference_values_create(v->ready.graph, a, sets[i], err);
    }
    if (code == STATUS_OK) {
        backend_request request = {.images = &v->image, .count = 1, .nms = v->model->card.nms};
        request.nms.max_detections = capacity;
        code = v->backend->call->submit(v->backend, 0, &request, err);
    }
    if (code == STATUS_OK) {
        code = v->backend->call->wait(v->backend, 0, VERIFY_TIMEOUT_S * 1000000000ull, err);
    }
    return code == STATUS_OK ? read_all(v, err) : code;
}

/* A node may take several steps (a change of layout first): it is judged at its last. */
static bool is_last_of_node(const plan *p, size_t index)
{
    for (size_t i = index + 1; i < p->step_count; i++) {
        if (p->steps[i].node == p->steps[index].node) {
            return false;
        }
    }
    return true;
}

static status verify_steps(verification *v, error *err)
{
    const plan *p = v->ready.plan;
    status code = STATUS_OK;
    for (size_t i = 0; code == STATUS_OK && i < p->step_count; i++) {
        const plan_step *step = &p->steps[i];
        if (step->kernel == KERNEL_PREPROCESS) {
            code = verify_preprocess(v, step, err);
        } else if (step->kernel == KERNEL_NMS) {
            code = verify_detections(v, step, err);
        } else if (step->node != GRAPH_NONE && is_last_of_node(p, i)) {
            code = verify_node(v, step, err);
        }
    }
    return code;
}

static void clean_up(verification *v)
{
    reference_values_destroy(&v->device);
    reference_values_destroy(&v->expected);
    reference_values_destroy(&v->bound);
    if (v->backend) {
        v->backend->call->destroy(v->backend);
    }
    prepared_destroy(&v->ready);
    memory_release(&v->context->alloc, v->noise);
    json_decref(v->steps);
}

vkdet_status vkdet_verify(vkdet_context *context, const vkdet_model *handle, const char *device,
                          const vkdet_pixels *picture, char **json)
{
    error err = {0};
    if (!context || !handle || !json) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "vkdet_verify: an argument is NULL"));
    }
    *json = NULL;
    verification v = {.context = context, .model = handle->model, .steps = json_array()};
    status code = !v.steps  ? error_set(&err, STATUS_MEMORY, "out of memory for a report")
                  : picture ? pixels_check(picture, &v.model->card.preprocess, &v.image, &err)
                            : make_noise(&v, &err);
    if (code == STATUS_OK) {
        code = run_device(&v, device, &err);
    }
    if (code == STATUS_OK) {
        code = verify_steps(&v, &err);
    }
    if (code == STATUS_OK) {
        const vkdet_device_info *info = &v.ready.device.info;
        json_t *root =
            json_pack("{s:s, s:s, s:s, s:s, s:b, s:s?, s:O}", "model", v.model->card.name, "device",
                      info->id, "name", info->name, "driver", info->driver, "ok", v.first == NULL,
                      "first_diverging", v.first, "steps", v.steps);
        code = text_from_json(&context->alloc, root, json, &err);
    }
    if (code == STATUS_OK && v.first) {
        code = error_set(&err, STATUS_DIVERGED, "step \"%s\" is outside its contract on %s",
                         v.first, v.ready.device.info.id);
    }
    clean_up(&v);
    return api_return(&err, code);
}
