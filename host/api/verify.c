/* vkdet_verify: every step on the device against the reference, each judged on the inputs that the
 * device itself had, so that the first step named is the one that is wrong and not one that
 * inherited an error. */
#include "host/api/verify.h"
#include "host/cpu/cpu.h"

#include <math.h>
#include <string.h>

enum { NOISE_WIDTH = 641, NOISE_HEIGHT = 483 };
/* of the known-answer check: what is computed wrong is far off, and everywhere */
enum { KNOWN_CELLS = 12 };
#define KNOWN_SLACK 64.0f

static status make_noise(const allocator *a, pixels *out, unsigned char **memory, error *err)
{
    *memory = memory_allocate(a, (size_t)NOISE_WIDTH * NOISE_HEIGHT, 3);
    if (!*memory) {
        return error_set(err, STATUS_MEMORY, "out of memory for a noise picture");
    }
    uint32_t state = 20200220u;
    for (size_t i = 0; i < (size_t)NOISE_WIDTH * NOISE_HEIGHT * 3; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (*memory)[i] = (unsigned char)(state >> 24);
    }
    *out = (pixels){PIXEL_RGB8, NOISE_WIDTH, NOISE_HEIGHT, (size_t)NOISE_WIDTH * 3, *memory};
    return STATUS_OK;
}

/* What the device sums on matrix units, or stores in 16 bits, may be off by their rounding too. */
static void widen_bound(verification *v, int id)
{
    const plan *p = v->ready->plan;
    if (plan_value_on_matrices(p, id)) {
        reference_widen_for_matrices(v->bound.data[id],
                                     shape_elements(v->ready->graph->values[id].shape));
    }
    if (v->bf16) {
        if (v->bf16[id]) {
            reference_widen_for_bf16(v->expected.data[id], v->bound.data[id],
                                     shape_elements(v->ready->graph->values[id].shape));
        }
    } else if (p->buffers[p->value_buffer[id]].element == ELEMENT_F16) {
        reference_widen_for_halves(v->expected.data[id], v->bound.data[id],
                                   shape_elements(v->ready->graph->values[id].shape));
    }
}

/* What the device holds of value id against v->expected, within v->bound. */
static void judge_value(verification *v, int id, const char *name, judgement *j)
{
    const uint64_t count = shape_elements(v->ready->graph->values[id].shape);
    float *bound = v->bound.data[id];
    widen_bound(v, id);
    for (uint64_t i = 0; v->slack > 0 && i < count; i++) {
        bound[i] *= v->slack;
    }
    judge(j, name, v->device.data[id], v->expected.data[id], bound, count);
}

/* fp32 resize and normalisation: at most a dozen roundings on terms no larger than 255 and the
 * mean, divided by the deviation. */
static status verify_preprocess(verification *v, const plan_step *step, error *err)
{
    const preprocess *pre = &v->model->card.preprocess;
    int input = v->ready->graph->input;
    float *expected = v->expected.data[input], *bound = v->bound.data[input];
    status code = reference_preprocess(pre, &v->image, expected, err);
    if (code != STATUS_OK) {
        return code;
    }
    uint32_t channels = pre->channels == CHANNELS_GRAY ? 1 : 3;
    uint64_t count = shape_elements(v->ready->graph->values[input].shape);
    for (uint64_t i = 0; i < count; i++) {
        uint32_t c = (uint32_t)(i % channels);
        bound[i] = (float)(reference_gamma(12) * (255.0 + fabs((double)pre->mean[c])) /
                           fabs((double)pre->deviation[c]));
    }
    judgement j = {0};
    judge_value(v, input, step->name, &j);
    return verify_report_step(v, step, &j, err);
}

static status verify_node(verification *v, const plan_step *step, error *err)
{
    const graph *g = v->ready->graph;
    const node *n = &g->nodes[step->node];
    for (int i = 0; i < n->input_count; i++) {
        int id = n->inputs[i];
        memcpy(v->expected.data[id], v->device.data[id],
               shape_elements(g->values[id].shape) * sizeof(float));
    }
    for (int i = 0; v->cells && i < n->output_count; i++) {
        /* what is not in the sample is taken to be right */
        int id = n->outputs[i];
        if (id != GRAPH_NONE) {
            memcpy(v->expected.data[id], v->device.data[id],
                   shape_elements(g->values[id].shape) * sizeof(float));
        }
    }
    const size_t index = (size_t)step->node;
    status code = step->winograd
                      ? reference_run_winograd(g, index, v->cells, &v->expected, &v->bound, err)
                      : reference_run_sample(g, index, v->cells, &v->expected, &v->bound, err);
    if (code != STATUS_OK) {
        return code;
    }
    judgement j = {0};
    for (int i = 0; i < n->output_count; i++) {
        int id = n->outputs[i];
        if (id != GRAPH_NONE) {
            judge_value(v, id, g->values[id].name, &j);
        }
    }
    return verify_report_step(v, step, &j, err);
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
    const plan *p = v->ready->plan;
    status code = STATUS_OK;
    for (size_t i = 0; code == STATUS_OK && i < p->step_count; i++) {
        const plan_step *step = &p->steps[i];
        if (step->kernel == KERNEL_PREPROCESS) {
            code = verify_preprocess(v, step, err);
        } else if (step->node != GRAPH_NONE && is_last_of_node(p, i)) {
            code = verify_node(v, step, err);
        }
    }
    return code == STATUS_OK && v->model->card.detects ? verify_boxes(v, err) : code;
}

static status run_network(verification *v, error *err)
{
    const graph *g = v->ready->graph;
    backend_request request = {.images = &v->image, .count = 1, .nms = v->model->card.nms};
    status code = v->backend->call->submit(v->backend, 0, &request, err);
    if (code == STATUS_OK) {
        code = v->backend->call->wait(v->backend, 0, BACKEND_MAX_WAIT_NS, err);
    }
    for (size_t i = 0; code == STATUS_OK && i < g->value_count; i++) {
        if (g->values[i].base == GRAPH_NONE) {
            code = v->backend->call->read_value(v->backend, 0, 0, (int)i, v->device.data[i], err);
        }
    }
    return code;
}

/* json NULL: the report is not wanted */
static status verify_run(verification *v, char **json, error *err)
{
    vkdet_context *context = v->context;
    const prepared *ready = v->ready;
    reference_values *const sets[] = {&v->device, &v->expected, &v->bound};
    v->steps = json_array();
    status code =
        v->steps ? STATUS_OK : error_set(err, STATUS_MEMORY, "out of memory for a report");
    if (code == STATUS_OK && ready->precision == VKDET_PRECISION_BF16) {
        v->bf16 = memory_allocate(&context->alloc, ready->graph->value_count, sizeof *v->bf16);
        if (v->bf16) {
            cpu_choose_bf16(ready->graph, v->bf16);
        } else {
            code = error_set(err, STATUS_MEMORY, "out of memory for a report");
        }
    }
    for (size_t i = 0; code == STATUS_OK && i < sizeof sets / sizeof sets[0]; i++) {
        code = reference_values_create(ready->graph, &context->alloc, sets[i], err);
    }
    if (code == STATUS_OK) {
        code = run_network(v, err);
    }
    if (code == STATUS_OK) {
        code = verify_steps(v, err);
    }
    if (code == STATUS_OK && json) {
        code = verify_report_text(v, json, err);
    }
    if (code == STATUS_OK && v->first) {
        code = error_set(err, STATUS_DIVERGED, "step \"%s\" is outside its contract on %s",
                         v->first, ready->device.info.id);
    }
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        reference_values_destroy(sets[i]);
    }
    memory_release(&context->alloc, v->bf16);
    json_decref(v->steps);
    return code;
}

status verify_backend(vkdet_context *context, const model *m, const prepared *ready, backend *b,
                      const pixels *image_in, char **json, error *err)
{
    verification v = {
        .context = context, .model = m, .ready = ready, .backend = b, .image = *image_in};
    return verify_run(&v, json, err);
}

status verify_known_answer(vkdet_context *context, const model *m, const prepared *ready,
                           backend *b, error *err)
{
    const vkdet_device_info *info = &ready->device.info;
    verification v = {.context = context,
                      .model = m,
                      .ready = ready,
                      .backend = b,
                      .cells = KNOWN_CELLS,
                      .slack = KNOWN_SLACK};
    unsigned char *noise = NULL;
    status code = make_noise(&context->alloc, &v.image, &noise, err);
    if (code == STATUS_OK) {
        code = verify_run(&v, NULL, err);
    }
    if (code == STATUS_DIVERGED) {
        code = error_set(err, STATUS_DEVICE,
                         "%s (%s, %s) computes step \"%s\" wrong; vkdet verify tells more",
                         info->id, info->name, info->driver, v.first);
    }
    memory_release(&context->alloc, noise);
    return code;
}

vkdet_status vkdet_verify(vkdet_context *context, const vkdet_model *handle,
                          const vkdet_verify_params *verify_params, const vkdet_pixels *picture,
                          char **json)
{
    error err = {0};
    const vkdet_verify_params wanted = verify_params ? *verify_params : (vkdet_verify_params){0};
    if (!context || !handle || !json) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "vkdet_verify: an argument is NULL"));
    }
    if (wanted.max_batch > API_MAX_BATCH) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT, "max_batch %u: at most %d",
                                          wanted.max_batch, API_MAX_BATCH));
    }
    *json = NULL;
    const model *m = handle->model;
    const uint32_t capacity = m->card.detects ? m->head.anchor_count : 0;
    const plan_options options = {.keep_outputs = true,
                                  .keep_all = true,
                                  .batch = wanted.max_batch,
                                  .max_detections = capacity};
    char folder[4096];
    backend_params params = {.max_batch = 1,
                             .slots = 1,
                             .max_detections = capacity,
                             .keep_outputs = true,
                             .keep_all = true,
                             .cache_dir =
                                 cache_dir_choose(wanted.cache_dir, folder, sizeof folder)};
    pixels view;
    unsigned char *noise = NULL;
    prepared ready = {0};
    backend *b = NULL;
    status code = picture ? pixels_check(picture, &m->card.preprocess, &view, &err)
                          : make_noise(&context->alloc, &view, &noise, &err);
    if (code == STATUS_OK) {
        code = prepared_create(context, m, wanted.device, wanted.precision, wanted.winograd,
                               &options, &ready, &err);
    }
    if (code == STATUS_OK) { /* the kernels are those of a batch, what runs is one picture */
        backend_params chosen = params;
        chosen.max_batch = wanted.max_batch ? wanted.max_batch : 1;
        code = prepared_tune(context, m, &chosen, wanted.tune, true, &ready, &err);
    }
    if (code == STATUS_OK) { /* the reference is to have the weights that the device has */
        code = ready.precision == VKDET_PRECISION_BF16
                   ? cpu_round_weights(ready.graph, &err)
                   : plan_round_weights(ready.graph, ready.plan->options.precision, &err);
    }
    if (code == STATUS_OK) {
        code = prepared_backend(context, m, &ready, &params, &b, &err);
    }
    if (code == STATUS_OK) {
        code = verify_backend(context, m, &ready, b, &view, json, &err);
    }
    if (b) {
        b->call->destroy(b);
    }
    prepared_destroy(&ready);
    memory_release(&context->alloc, noise);
    return api_return(&err, code);
}
