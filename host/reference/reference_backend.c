/* The backend for machines without a GPU, and the one that the others are compared with: it runs
 * the graph as it is given, with the reference operators, on the calling thread.
 *
 * The work is done in submit, straight from the caller's pixels, so nothing needs to be copied;
 * wait only hands over. Everything is allocated at creation. */
#include "engine/reference.h"
#include "host/backend.h"
#include "host/clock.h"

#include <string.h>

typedef enum slot_state { SLOT_IDLE = 0, SLOT_IN_FLIGHT, SLOT_FINISHED } slot_state;

typedef struct image_results {
    detection *detections; /* max_detections */
    uint32_t count, candidates;
    float *outputs;          /* all graph outputs, one after another; keep_outputs */
    reference_values values; /* keep_all */
} image_results;

typedef struct slot {
    slot_state state;
    uint32_t count;
    image_results *images; /* max_batch */
} slot;

typedef struct reference_backend {
    backend base;
    allocator alloc;
    allocator scratch; /* lends `candidates` */
    const graph *graph;
    const preprocess *preprocess;
    const detector_head *head;
    uint32_t max_batch, slot_count, max_detections;
    bool keep_outputs, keep_all;
    slot *slots;
    reference_values values; /* of the image being computed, unless keep_all */
    detection *candidates;   /* one an anchor */
    size_t candidates_size;
} reference_backend;

static reference_backend *self(backend *b)
{
    return (reference_backend *)b;
}

/* reference_detect asks for scratch once a picture; it gets the array made at creation */
static void *scratch_allocate(void *user, size_t size)
{
    reference_backend *r = user;
    return size <= r->candidates_size ? r->candidates : NULL;
}

static void scratch_release(void *user, void *memory)
{
    (void)user;
    (void)memory;
}

/* --- running --- */

static void keep_graph_outputs(const reference_backend *r, image_results *image)
{
    float *to = image->outputs;
    for (size_t i = 0; i < r->graph->output_count; i++) {
        int v = r->graph->outputs[i];
        size_t count = (size_t)shape_elements(r->graph->values[v].shape);
        memcpy(to, r->values.data[v], count * sizeof *to);
        to += count;
    }
}

/* A step's time is added to step_ns[step], in the order of reference_step; step_ns may be NULL. */
static void time_add(uint64_t *step_ns, size_t step, uint64_t *since)
{
    if (step_ns) {
        const uint64_t now = clock_ns();
        step_ns[step] += now - *since;
        *since = now;
    }
}

static status run_image(reference_backend *r, const pixels *picture, const nms_params *nms,
                        image_results *image, uint64_t *step_ns, error *err)
{
    const graph *g = r->graph;
    reference_values *values = r->keep_all ? &image->values : &r->values;
    uint64_t since = step_ns ? clock_ns() : 0;
    status s = reference_preprocess(r->preprocess, picture, values->data[g->input], err);
    time_add(step_ns, 0, &since);
    for (size_t i = 0; s == STATUS_OK && i < g->node_count; i++) {
        s = reference_run_node(g, i, values, NULL, err);
        time_add(step_ns, 1 + i, &since);
    }
    if (s == STATUS_OK && r->keep_outputs && !r->keep_all) {
        keep_graph_outputs(r, image);
    }
    if (s == STATUS_OK && r->head) {
        const int *outputs = r->graph->outputs;
        s = reference_detect(&r->scratch, r->head, nms, values->data[outputs[r->head->loc_output]],
                             values->data[outputs[r->head->score_output]], image->detections,
                             &image->count, &image->candidates, err);
        time_add(step_ns, 1 + g->node_count, &since);
    }
    return s;
}

/* NULL, and STATUS_ARGUMENT in err, when there is none */
static slot *find_slot(const reference_backend *r, uint32_t index, error *err)
{
    if (index >= r->slot_count) {
        (void)error_set(err, STATUS_ARGUMENT, "slot %u of %u", index, r->slot_count);
        return NULL;
    }
    return &r->slots[index];
}

static status reference_submit(backend *b, uint32_t index, const backend_request *request,
                               error *err)
{
    reference_backend *r = self(b);
    nms_params nms;
    slot *s = find_slot(r, index, err);
    if (!s) {
        return STATUS_ARGUMENT;
    }
    if (s->state == SLOT_IN_FLIGHT) {
        return error_set(err, STATUS_BUSY, "slot %u is in flight", index);
    }
    status result =
        backend_request_check(r->head, r->max_batch, r->max_detections, request, &nms, err);
    if (result != STATUS_OK) {
        return result;
    }
    s->state = SLOT_IDLE;
    for (uint32_t i = 0; i < request->count; i++) {
        result = run_image(r, &request->images[i], &nms, &s->images[i], NULL, err);
        if (result != STATUS_OK) {
            return result;
        }
    }
    s->count = request->count;
    s->state = SLOT_IN_FLIGHT;
    return STATUS_OK;
}

static status reference_wait(backend *b, uint32_t index, uint64_t timeout_ns, error *err)
{
    (void)timeout_ns;
    slot *s = find_slot(self(b), index, err);
    if (!s) {
        return STATUS_ARGUMENT;
    }
    if (s->state != SLOT_IN_FLIGHT) {
        return error_set(err, STATUS_ARGUMENT, "slot %u is not in flight", index);
    }
    s->state = SLOT_FINISHED;
    return STATUS_OK;
}

/* --- reading --- */

/* likewise */
static const image_results *find_image(const reference_backend *r, uint32_t index, uint32_t image,
                                       error *err)
{
    const slot *s = find_slot(r, index, err);
    if (s && (s->state != SLOT_FINISHED || image >= s->count)) {
        (void)error_set(err, STATUS_ARGUMENT, "slot %u holds no finished image %u", index, image);
        return NULL;
    }
    return s ? &s->images[image] : NULL;
}

static status reference_result(backend *b, uint32_t index, uint32_t image, backend_result *out,
                               error *err)
{
    const image_results *results = find_image(self(b), index, image, err);
    if (!results) {
        return STATUS_ARGUMENT;
    }
    *out = (backend_result){.detections = results->detections,
                            .count = results->count,
                            .candidates = results->candidates};
    return STATUS_OK;
}

static status reference_read_value(backend *b, uint32_t index, uint32_t image, int v, float *dense,
                                   error *err)
{
    reference_backend *r = self(b);
    const image_results *results = find_image(r, index, image, err);
    if (!results) {
        return STATUS_ARGUMENT;
    }
    if (v < 0 || (size_t)v >= r->graph->value_count) {
        return error_set(err, STATUS_ARGUMENT, "value %d of %zu", v, r->graph->value_count);
    }
    size_t bytes = (size_t)shape_elements(r->graph->values[v].shape) * sizeof *dense;
    if (r->keep_all) {
        memcpy(dense, results->values.data[v], bytes);
        return STATUS_OK;
    }
    const float *from = results->outputs;
    for (size_t i = 0; r->keep_outputs && i < r->graph->output_count; i++) {
        if (r->graph->outputs[i] == v) {
            memcpy(dense, from, bytes);
            return STATUS_OK;
        }
        from += shape_elements(r->graph->values[r->graph->outputs[i]].shape);
    }
    return error_set(err, STATUS_ARGUMENT, "value %d (%s) was not kept", v,
                     r->graph->values[v].name);
}

/* --- measuring --- */

static uint32_t reference_step_count(const backend *b)
{
    const reference_backend *r = (const reference_backend *)b;
    return (uint32_t)r->graph->node_count + (r->head ? 2 : 1);
}

static uint64_t bytes_of(const graph *g, const int *values, int count)
{
    uint64_t elements = 0;
    for (int i = 0; i < count; i++) {
        elements += values[i] == GRAPH_NONE ? 0 : shape_elements(g->values[values[i]].shape);
    }
    return elements * sizeof(float);
}

/* preprocess, the nodes of the graph, then decoding and suppression in one */
static void reference_step(const backend *b, uint32_t index, vkdet_step *out)
{
    const reference_backend *r = (const reference_backend *)b;
    const graph *g = r->graph;
    *out = (vkdet_step){.variant = "", .level = index};
    if (index == 0) {
        out->name = out->kernel = "preprocess";
        out->bytes_written = bytes_of(g, &g->input, 1);
    } else if (index <= g->node_count) {
        const node *n = &g->nodes[index - 1];
        out->name = n->name;
        out->kernel = op_name(n->op);
        out->flops = node_flops(g, n);
        out->bytes_read = bytes_of(g, n->inputs, n->input_count);
        out->bytes_written = bytes_of(g, n->outputs, n->output_count);
        for (int i = 0; i < n->weight_count; i++) {
            const int w = n->weights[i];
            out->weight_bytes +=
                w == GRAPH_NONE ? 0 : shape_elements(g->weights[w].shape) * sizeof(float);
        }
    } else {
        out->name = out->kernel = "detect";
        out->bytes_read = bytes_of(g, g->outputs, (int)g->output_count);
    }
}

static status begin_measuring(reference_backend *r, const backend_request *request, nms_params *nms,
                              error *err)
{
    for (uint32_t i = 0; i < r->slot_count; i++) {
        if (r->slots[i].state == SLOT_IN_FLIGHT) {
            return error_set(err, STATUS_BUSY, "slot %u is in flight", i);
        }
    }
    const status s =
        backend_request_check(r->head, r->max_batch, r->max_detections, request, nms, err);
    for (uint32_t i = 0; s == STATUS_OK && i < r->slot_count; i++) {
        r->slots[i].state = SLOT_IDLE;
    }
    return s;
}

static status reference_profile(backend *b, const backend_request *request, uint32_t runs,
                                uint64_t *step_ns, uint64_t *total_ns, error *err)
{
    reference_backend *r = self(b);
    nms_params nms;
    const uint32_t steps = reference_step_count(b);
    status s = begin_measuring(r, request, &nms, err);
    uint64_t *times = s == STATUS_OK ? memory_allocate(&r->alloc, steps, sizeof *times) : NULL;
    if (s == STATUS_OK && !times) {
        s = error_set(err, STATUS_MEMORY, "out of memory for the times of %u steps", steps);
    }
    for (uint32_t run = 0; s == STATUS_OK && times && run < runs; run++) {
        uint64_t total = 0;
        memset(times, 0, steps * sizeof *times);
        for (uint32_t i = 0; s == STATUS_OK && i < request->count; i++) {
            s = run_image(r, &request->images[i], &nms, &r->slots[0].images[i], times, err);
        }
        for (uint32_t k = 0; k < steps; k++) {
            total += times[k];
        }
        if (s == STATUS_OK && step_ns) {
            memcpy(step_ns + (size_t)run * steps, times, steps * sizeof *times);
        }
        if (s == STATUS_OK && total_ns) {
            total_ns[run] = total;
        }
    }
    memory_release(&r->alloc, times);
    return s;
}

static status reference_repeat(backend *b, const backend_request *request, uint32_t runs,
                               uint64_t *ns, error *err)
{
    reference_backend *r = self(b);
    nms_params nms;
    status s = begin_measuring(r, request, &nms, err);
    const uint64_t begin = clock_ns();
    for (uint32_t run = 0; s == STATUS_OK && run < runs; run++) {
        for (uint32_t i = 0; s == STATUS_OK && i < request->count; i++) {
            image_results *image = &r->slots[run % r->slot_count].images[i];
            s = run_image(r, &request->images[i], &nms, image, NULL, err);
        }
    }
    if (s == STATUS_OK) {
        *ns = clock_ns() - begin;
    }
    return s;
}

/* --- making --- */

static uint64_t value_bytes(const graph *g)
{
    uint64_t elements = 0;
    for (size_t i = 0; i < g->value_count; i++) {
        elements += g->values[i].base == GRAPH_NONE ? shape_elements(g->values[i].shape) : 0;
    }
    return elements * sizeof(float);
}

static uint64_t output_elements(const graph *g)
{
    uint64_t elements = 0;
    for (size_t i = 0; i < g->output_count; i++) {
        elements += shape_elements(g->values[g->outputs[i]].shape);
    }
    return elements;
}

/* nothing on a device: all of it is the host's own memory */
static void reference_memory(backend *b, backend_memory *out)
{
    const reference_backend *r = self(b);
    uint64_t images = (uint64_t)r->slot_count * r->max_batch;
    uint64_t bytes = r->candidates_size + (r->keep_all ? images : 1) * value_bytes(r->graph);
    if (r->head) {
        bytes += images * r->max_detections * sizeof(detection);
    }
    if (r->keep_outputs && !r->keep_all) {
        bytes += images * output_elements(r->graph) * sizeof(float);
    }
    *out = (backend_memory){.device_bytes = 0, .host_visible_bytes = bytes};
}

static void reference_destroy(backend *b)
{
    if (!b) {
        return;
    }
    reference_backend *r = self(b);
    allocator a = r->alloc;
    for (uint32_t i = 0; r->slots && i < r->slot_count; i++) {
        image_results *images = r->slots[i].images;
        for (uint32_t k = 0; images && k < r->max_batch; k++) {
            memory_release(&a, images[k].detections);
            memory_release(&a, images[k].outputs);
            if (r->keep_all) {
                images[k].values.alloc = a;
                reference_values_destroy(&images[k].values);
            }
        }
        memory_release(&a, images);
    }
    memory_release(&a, r->slots);
    r->values.alloc = a;
    reference_values_destroy(&r->values);
    memory_release(&a, r->candidates);
    memory_release(&a, r);
}

static status make_image(const reference_backend *r, image_results *image, error *err)
{
    if (r->keep_all) {
        status s = reference_values_create(r->graph, &r->alloc, &image->values, err);
        if (s != STATUS_OK) {
            return s;
        }
    } else if (r->keep_outputs) {
        image->outputs =
            memory_allocate(&r->alloc, (size_t)output_elements(r->graph), sizeof(float));
        if (!image->outputs) {
            return error_set(err, STATUS_MEMORY, "out of memory for the outputs of an image");
        }
    }
    if (r->head) {
        image->detections = memory_allocate(&r->alloc, r->max_detections, sizeof(detection));
        if (!image->detections) {
            return error_set(err, STATUS_MEMORY, "out of memory for %u detections",
                             r->max_detections);
        }
    }
    return STATUS_OK;
}

static status make_buffers(reference_backend *r, error *err)
{
    r->slots = memory_allocate(&r->alloc, r->slot_count, sizeof *r->slots);
    if (!r->slots) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u slots", r->slot_count);
    }
    for (uint32_t i = 0; i < r->slot_count; i++) {
        slot *s = &r->slots[i];
        s->images = memory_allocate(&r->alloc, r->max_batch, sizeof *s->images);
        if (!s->images) {
            return error_set(err, STATUS_MEMORY, "out of memory for a batch of %u", r->max_batch);
        }
        for (uint32_t k = 0; k < r->max_batch; k++) {
            status result = make_image(r, &s->images[k], err);
            if (result != STATUS_OK) {
                return result;
            }
        }
    }
    if (r->head) {
        r->candidates = memory_allocate(&r->alloc, r->head->anchor_count, sizeof *r->candidates);
        if (!r->candidates) {
            return error_set(err, STATUS_MEMORY, "out of memory for %u candidates",
                             r->head->anchor_count);
        }
        r->candidates_size = r->head->anchor_count * sizeof *r->candidates;
    }
    return r->keep_all ? STATUS_OK : reference_values_create(r->graph, &r->alloc, &r->values, err);
}

status reference_backend_create(const backend_params *params, backend **out, error *err)
{
    static const backend_functions functions = {
        .submit = reference_submit,
        .wait = reference_wait,
        .result = reference_result,
        .read_value = reference_read_value,
        .memory = reference_memory,
        .step_count = reference_step_count,
        .step = reference_step,
        .profile = reference_profile,
        .repeat = reference_repeat,
        .destroy = reference_destroy,
    };
    status result = backend_params_check(params, err);
    if (result != STATUS_OK) {
        return result;
    }
    reference_backend *r = memory_allocate(params->alloc, 1, sizeof *r);
    if (!r) {
        return error_set(err, STATUS_MEMORY, "out of memory for a session");
    }
    *r = (reference_backend){.base = {&functions},
                             .alloc = *params->alloc,
                             .scratch = {scratch_allocate, scratch_release, r},
                             .graph = params->graph,
                             .preprocess = params->preprocess,
                             .head = params->head,
                             .max_batch = params->max_batch,
                             .slot_count = params->slots,
                             .max_detections = params->max_detections,
                             .keep_outputs = params->keep_outputs,
                             .keep_all = params->keep_all};
    result = make_buffers(r, err);
    if (result != STATUS_OK) {
        goto fail;
    }
    *out = &r->base;
    return STATUS_OK;
fail:
    reference_destroy(&r->base);
    return result;
}
