/* The backend: slots and results around a program that a team of threads runs. The work is done in
 * submit, straight from the caller's pixels; wait only hands over.
 *
 * Many pictures are shared out whole, one to a thread at a time; what is left over, and a single
 * picture, all threads compute together, level by level. Both ways run the same items, so which one
 * it was cannot be seen in the results. */
#include "host/cpu/backend.h"

#include <string.h>

static cpu_backend *self(backend *b)
{
    return (cpu_backend *)b;
}

/* --- slots --- */

/* NULL, and STATUS_ARGUMENT in err, when there is none */
static slot *find_slot(const cpu_backend *c, uint32_t index, error *err)
{
    if (index >= c->params.slots) {
        (void)error_set(err, STATUS_ARGUMENT, "slot %u of %u", index, c->params.slots);
        return NULL;
    }
    return &c->slots[index];
}

static status cpu_submit(backend *b, uint32_t index, const backend_request *request, error *err)
{
    cpu_backend *c = self(b);
    nms_params nms;
    slot *s = find_slot(c, index, err);
    if (!s) {
        return STATUS_ARGUMENT;
    }
    if (s->state == SLOT_IN_FLIGHT) {
        return error_set(err, STATUS_BUSY, "slot %u is in flight", index);
    }
    status code = cpu_request_check(c, request, &nms, err);
    if (code != STATUS_OK) {
        return code;
    }
    s->state = SLOT_IDLE;
    code = cpu_run_batch(c, request, &nms, s->images, err);
    if (code == STATUS_OK) {
        s->count = request->count;
        s->state = SLOT_IN_FLIGHT;
    }
    return code;
}

static status cpu_wait(backend *b, uint32_t index, uint64_t timeout_ns, error *err)
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

static const image_results *find_image(const cpu_backend *c, uint32_t index, uint32_t image,
                                       error *err)
{
    const slot *s = find_slot(c, index, err);
    if (s && (s->state != SLOT_FINISHED || image >= s->count)) {
        (void)error_set(err, STATUS_ARGUMENT, "slot %u holds no finished image %u", index, image);
        return NULL;
    }
    return s ? &s->images[image] : NULL;
}

static status cpu_result(backend *b, uint32_t index, uint32_t image, backend_result *out,
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

static status cpu_read_value(backend *b, uint32_t index, uint32_t image, int v, float *dense,
                             error *err)
{
    cpu_backend *c = self(b);
    const graph *g = c->params.graph;
    const image_results *results = find_image(c, index, image, err);
    if (!results) {
        return STATUS_ARGUMENT;
    }
    if (v < 0 || (size_t)v >= g->value_count) {
        return error_set(err, STATUS_ARGUMENT, "value %d of %zu", v, g->value_count);
    }
    const size_t count = (size_t)shape_elements(g->values[v].shape);
    if (results->arena) {
        const tensor *t = &c->program->tensors[v];
        elements_convert(c->program, results->arena + t->offset, t->element, dense, IN_F32, count);
        return STATUS_OK;
    }
    const float *from = results->outputs;
    for (size_t i = 0; c->params.keep_outputs && i < g->output_count; i++) {
        if (g->outputs[i] == v) {
            memcpy(dense, from, count * sizeof *dense);
            return STATUS_OK;
        }
        from += shape_elements(g->values[g->outputs[i]].shape);
    }
    return error_set(err, STATUS_ARGUMENT, "value %d (%s) was not kept", v, g->values[v].name);
}

/* --- asking --- */

static void cpu_memory(backend *b, backend_memory *out)
{
    const cpu_backend *c = self(b);
    *out = (backend_memory){.device_bytes = 0,
                            .host_visible_bytes = c->bytes,
                            .arena_bytes = c->program->arena_bytes,
                            .weight_bytes = c->program->weight_bytes,
                            .arena_count = c->arena_count};
}

static uint32_t cpu_step_count(const backend *b)
{
    const cpu_backend *c = (const cpu_backend *)b;
    return (uint32_t)c->program->step_count + (c->params.head ? 1 : 0);
}

static void cpu_step(const backend *b, uint32_t index, vkdet_step *out)
{
    const cpu_backend *c = (const cpu_backend *)b;
    const program *p = c->program;
    if (index < p->step_count) {
        const step *s = &p->steps[index];
        *out = (vkdet_step){s->name,  s->kernel,     s->variant,       s->level,
                            s->flops, s->bytes_read, s->bytes_written, s->weight_bytes};
        return;
    }
    const uint64_t anchors = c->params.head->anchor_count;
    *out = (vkdet_step){.name = "detect",
                        .kernel = "detect",
                        .variant = "decode, sort, nms",
                        .level = p->level_count,
                        .bytes_read = anchors * (4 + c->params.head->class_count) * sizeof(float)};
}

/* --- making --- */

static size_t output_floats(const graph *g)
{
    size_t floats = 0;
    for (size_t i = 0; i < g->output_count; i++) {
        floats += (size_t)shape_elements(g->values[g->outputs[i]].shape);
    }
    return floats;
}

/* counts what it hands out, for the bill */
static void *take(cpu_backend *c, size_t count, size_t size)
{
    void *memory = memory_allocate(&c->alloc, count, size);
    c->bytes += memory ? count * size : 0;
    return memory;
}

static status make_image(cpu_backend *c, image_results *image, error *err)
{
    const backend_params *p = &c->params;
    if (p->keep_all) {
        image->arena_memory = take(c, c->program->arena_bytes + CACHE_LINE, 1);
        if (!image->arena_memory) {
            return error_set(err, STATUS_MEMORY, "out of memory for the values of an image");
        }
        image->arena = align_up(image->arena_memory);
    } else if (p->keep_outputs) {
        image->outputs = take(c, output_floats(p->graph), sizeof(float));
        if (!image->outputs) {
            return error_set(err, STATUS_MEMORY, "out of memory for the outputs of an image");
        }
    }
    if (p->head) {
        image->detections = take(c, p->max_detections, sizeof(detection));
        if (!image->detections) {
            return error_set(err, STATUS_MEMORY, "out of memory for %u detections",
                             p->max_detections);
        }
    }
    return STATUS_OK;
}

static status make_slots(cpu_backend *c, error *err)
{
    c->slots = take(c, c->params.slots, sizeof *c->slots);
    if (!c->slots) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u slots", c->params.slots);
    }
    for (uint32_t i = 0; i < c->params.slots; i++) {
        slot *s = &c->slots[i];
        s->images = take(c, c->params.max_batch, sizeof *s->images);
        if (!s->images) {
            return error_set(err, STATUS_MEMORY, "out of memory for a batch of %u",
                             c->params.max_batch);
        }
        for (uint32_t k = 0; k < c->params.max_batch; k++) {
            const status code = make_image(c, &s->images[k], err);
            if (code != STATUS_OK) {
                return code;
            }
        }
    }
    return STATUS_OK;
}

/* As many arenas as images are computed at the same time. */
static status make_workers(cpu_backend *c, error *err)
{
    const uint32_t members = team_members(c->team), batch = c->params.max_batch;
    c->arena_count = c->params.keep_all ? 0 : members <= batch ? members : 1;
    c->seats = take(c, members, sizeof *c->seats);
    c->arenas = take(c, c->arena_count ? c->arena_count : 1, sizeof *c->arenas);
    c->next = take(c, c->program->step_count * members, sizeof *c->next);
    if (!c->seats || !c->arenas || !c->next) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u threads", members);
    }
    for (uint32_t i = 0; i < c->arena_count; i++) {
        c->arenas[i] = take(c, c->program->arena_bytes + CACHE_LINE, 1);
        if (!c->arenas[i]) {
            return error_set(err, STATUS_MEMORY, "out of memory for the values of an image");
        }
    }
    status code = STATUS_OK;
    for (uint32_t i = 0; code == STATUS_OK && i < members; i++) {
        const uint32_t anchors = c->params.head ? c->params.head->anchor_count : 0;
        code = worker_create(c->program, i, anchors, &c->seats[i].worker, err);
        c->bytes += c->seats[i].worker.memory_bytes + c->seats[i].worker.candidates_bytes;
    }
    return code;
}

static void cpu_destroy(backend *b)
{
    if (!b) {
        return;
    }
    cpu_backend *c = self(b);
    allocator a = c->alloc;
    for (uint32_t i = 0; c->slots && i < c->params.slots; i++) {
        image_results *images = c->slots[i].images;
        for (uint32_t k = 0; images && k < c->params.max_batch; k++) {
            memory_release(&a, images[k].detections);
            memory_release(&a, images[k].outputs);
            memory_release(&a, images[k].arena_memory);
        }
        memory_release(&a, images);
    }
    memory_release(&a, c->slots);
    for (uint32_t i = 0; c->seats && i < team_members(c->team); i++) {
        worker_destroy(c->program, &c->seats[i].worker);
    }
    memory_release(&a, c->seats);
    for (uint32_t i = 0; c->arenas && i < c->arena_count; i++) {
        memory_release(&a, c->arenas[i]);
    }
    memory_release(&a, c->arenas);
    memory_release(&a, c->next);
    team_destroy(c->team);
    program_destroy(c->program);
    memory_release(&a, c);
}

static status build(cpu_backend *c, const onednn_calls *call, error *err)
{
    const backend_params *p = &c->params;
    const uint32_t members = p->threads ? p->threads : cpu_cores();
    status code = team_create(&c->alloc, members, &c->team, err);
    if (code == STATUS_OK) {
        const program_params wanted = {
            .alloc = &c->alloc,
            .graph = p->graph,
            .preprocess = p->preprocess,
            .call = call,
            .workers = members,
            .element = p->precision == VKDET_PRECISION_BF16 ? IN_BF16 : IN_F32,
            .keep_all = p->keep_all,
        };
        code = program_create(&wanted, &c->program, err);
    }
    if (code == STATUS_OK) {
        c->bytes += c->program->weight_bytes;
        code = make_slots(c, err);
    }
    return code == STATUS_OK ? make_workers(c, err) : code;
}

status cpu_backend_create_with(const backend_params *params, const onednn_calls *call,
                               backend **out, error *err)
{
    static const backend_functions functions = {
        .submit = cpu_submit,
        .wait = cpu_wait,
        .result = cpu_result,
        .read_value = cpu_read_value,
        .memory = cpu_memory,
        .step_count = cpu_step_count,
        .step = cpu_step,
        .profile = cpu_profile,
        .repeat = cpu_repeat,
        .destroy = cpu_destroy,
    };
    status code = backend_params_check(params, err);
    if (code == STATUS_OK && params->precision == VKDET_PRECISION_BF16 && !cpu_has_bf16()) {
        code = error_set(err, STATUS_UNSUPPORTED, "this CPU has no bf16 arithmetic");
    }
    if (code == STATUS_OK && params->threads > CPU_MAX_THREADS) {
        code = error_set(err, STATUS_ARGUMENT, "%u threads: at most %d", params->threads,
                         CPU_MAX_THREADS);
    }
    if (code != STATUS_OK) {
        return code;
    }
    cpu_backend *c = memory_allocate(params->alloc, 1, sizeof *c);
    if (!c) {
        return error_set(err, STATUS_MEMORY, "out of memory for a session");
    }
    *c = (cpu_backend){.base = {&functions}, .alloc = *params->alloc, .params = *params};
    code = build(c, call, err);
    if (code != STATUS_OK) {
        cpu_destroy(&c->base);
        return code;
    }
    *out = &c->base;
    return STATUS_OK;
}

status cpu_backend_create(const backend_params *params, backend **out, error *err)
{
    return cpu_backend_create_with(params, &onednn_library, out, err);
}
