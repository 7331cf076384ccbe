/* Running a batch on the team, and measuring it. */
#include "host/clock.h"
#include "host/cpu/backend.h"

#include <string.h>

status cpu_request_check(const cpu_backend *c, const backend_request *request, nms_params *nms,
                         error *err)
{
    const backend_params *p = &c->params;
    status code =
        backend_request_check(p->head, p->max_batch, p->max_detections, request, nms, err);
    for (uint32_t i = 0; code == STATUS_OK && i < request->count; i++) {
        code = preprocess_check(p->preprocess, &request->images[i], err);
    }
    return code;
}

/* One job of the team. */
typedef struct job {
    cpu_backend *backend;
    const backend_request *request;
    const nms_params *nms;
    image_results *images;
    uint32_t whole;    /* images that are shared out one by one */
    atomic_uint next;  /* of them */
    uint32_t together; /* the image that all compute, when not shared out */
    uint64_t *step_ns; /* of that image, added to; NULL: not measured, and no barrier but between
                          levels */
    atomic_bool failed;
} job;

static void fail(job *j, seat *s, status code)
{
    s->code = code;
    atomic_store(&j->failed, true);
}

static void run_item(job *j, seat *s, const step *it, uint32_t item)
{
    if (!atomic_load_explicit(&j->failed, memory_order_relaxed)) {
        const status code = it->run(j->backend->program, it, &s->worker, item, &s->error);
        if (code != STATUS_OK) {
            (void)error_prefix(&s->error, "%s: ", it->name);
            fail(j, s, code);
        }
    }
}

/* the values of the image are in its arena: outputs and detections out of them */
static void finish_image(job *j, seat *s, image_results *image)
{
    const cpu_backend *c = j->backend;
    const graph *g = c->params.graph;
    if (atomic_load(&j->failed)) {
        return;
    }
    float *to = image->outputs;
    for (size_t i = 0; to && i < g->output_count; i++) {
        const tensor *t = &c->program->tensors[g->outputs[i]];
        const size_t count = (size_t)shape_elements(g->values[g->outputs[i]].shape);
        memcpy(to, s->worker.arena + t->offset, count * sizeof *to);
        to += count;
    }
    const detector_head *head = c->params.head;
    if (head) {
        const tensor *loc = &c->program->tensors[g->outputs[head->loc_output]];
        const tensor *scores = &c->program->tensors[g->outputs[head->score_output]];
        const unsigned char *arena = s->worker.arena;
        const status code = reference_detect(
            &s->worker.lends, head, j->nms, (const float *)(const void *)(arena + loc->offset),
            (const float *)(const void *)(arena + scores->offset), image->detections, &image->count,
            &image->candidates, &s->error);
        if (code != STATUS_OK) {
            fail(j, s, code);
        }
    }
}

static void sit_down(const job *j, seat *s, uint32_t image, uint32_t arena)
{
    const cpu_backend *c = j->backend;
    s->worker.picture = &j->request->images[image];
    s->worker.arena = c->params.keep_all ? j->images[image].arena : align_up(c->arenas[arena]);
}

/* whole images, one after the other, as long as there are any */
static void run_apart(void *user, uint32_t member)
{
    job *j = user;
    const program *p = j->backend->program;
    seat *s = &j->backend->seats[member];
    if (member >= j->whole) {
        return;
    }
    uint32_t image;
    while ((image = atomic_fetch_add(&j->next, 1)) < j->whole) {
        sit_down(j, s, image, member);
        for (size_t i = 0; i < p->step_count; i++) {
            for (uint32_t item = 0; item < p->steps[i].items; item++) {
                run_item(j, s, &p->steps[i], item);
            }
        }
        finish_image(j, s, &j->images[image]);
    }
}

/* Every member has a share of a step's items, neighbours, and takes them in order; who is done
 * helps the others with theirs. So a thread reads mostly rows that it wrote itself, which lie in
 * its own core's cache: those in another's come several times slower. */
static void run_step(job *j, seat *s, size_t index, uint32_t member)
{
    cpu_backend *c = j->backend;
    const step *it = &c->program->steps[index];
    const uint32_t members = team_members(c->team);
    const uint32_t owners = members < it->items ? members : it->items;
    for (uint32_t k = 0; k < owners; k++) {
        const uint64_t owner = (member + k) % owners;
        const uint32_t first = (uint32_t)(owner * it->items / owners),
                       count = (uint32_t)((owner + 1) * it->items / owners) - first;
        atomic_uint *next = &c->next[owner * c->program->step_count + index];
        uint32_t taken = atomic_load_explicit(next, memory_order_relaxed);
        while (taken < count &&
               (taken = atomic_fetch_add_explicit(next, 1, memory_order_relaxed)) < count) {
            run_item(j, s, it, first + taken);
        }
    }
}

/* one image by all: the items of a level in any order, then a barrier */
static void run_together(void *user, uint32_t member)
{
    job *j = user;
    cpu_backend *c = j->backend;
    const program *p = c->program;
    seat *s = &c->seats[member];
    sit_down(j, s, j->together, 0);
    uint64_t since = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        const step *it = &p->steps[i];
        if (j->step_ns) { /* nobody begins before the clock has been read */
            since = clock_ns();
            team_barrier(c->team);
        }
        run_step(j, s, i, member);
        const bool last = i + 1 == p->step_count || p->steps[i + 1].level != it->level;
        if (last || j->step_ns) {
            team_barrier(c->team);
        }
        if (j->step_ns && member == 0) {
            j->step_ns[i] += clock_ns() - since;
        }
    }
    if (member == 0) {
        since = j->step_ns ? clock_ns() : 0;
        finish_image(j, s, &j->images[j->together]);
        if (j->step_ns && c->params.head) {
            j->step_ns[p->step_count] += clock_ns() - since;
        }
    }
}

/* the first failure, whoever had it */
static status outcome(const cpu_backend *c, const job *j, error *err)
{
    if (!atomic_load(&j->failed)) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < team_members(c->team); i++) {
        if (c->seats[i].code != STATUS_OK) {
            return error_set(err, c->seats[i].code, "%s", c->seats[i].error.text);
        }
    }
    return error_set(err, STATUS_INTERNAL, "a thread failed without a reason");
}

static void run_one(cpu_backend *c, job *j, uint32_t image)
{
    const size_t counters = c->program->step_count * team_members(c->team);
    for (size_t i = 0; i < counters; i++) {
        atomic_store_explicit(&c->next[i], 0, memory_order_relaxed);
    }
    j->together = image;
    team_run(c->team, run_together, j);
}

static void job_init(job *j, cpu_backend *c, const backend_request *request, const nms_params *nms,
                     image_results *images)
{
    *j = (job){.backend = c, .request = request, .nms = nms, .images = images};
    atomic_init(&j->next, 0);
    atomic_init(&j->failed, false);
    for (uint32_t i = 0; i < team_members(c->team); i++) {
        c->seats[i].code = STATUS_OK;
    }
}

status cpu_run_batch(cpu_backend *c, const backend_request *request, const nms_params *nms,
                     image_results *images, error *err)
{
    const uint32_t members = team_members(c->team);
    job j;
    job_init(&j, c, request, nms, images);
    j.whole = request->count / members * members;
    if (j.whole > 0) {
        team_run(c->team, run_apart, &j);
    }
    for (uint32_t i = j.whole; i < request->count; i++) {
        run_one(c, &j, i);
    }
    return outcome(c, &j, err);
}

/* --- measuring --- */

static status begin_measuring(cpu_backend *c, const backend_request *request, nms_params *nms,
                              error *err)
{
    for (uint32_t i = 0; i < c->params.slots; i++) {
        if (c->slots[i].state == SLOT_IN_FLIGHT) {
            return error_set(err, STATUS_BUSY, "slot %u is in flight", i);
        }
    }
    const status code = cpu_request_check(c, request, nms, err);
    for (uint32_t i = 0; code == STATUS_OK && i < c->params.slots; i++) {
        c->slots[i].state = SLOT_IDLE;
    }
    return code;
}

/* Step by step, each picture by all threads. */
static status profile_steps(cpu_backend *c, const backend_request *request, const nms_params *nms,
                            uint64_t *step_ns, error *err)
{
    job j;
    job_init(&j, c, request, nms, c->slots[0].images);
    j.step_ns = step_ns;
    for (uint32_t i = 0; i < request->count; i++) {
        run_one(c, &j, i);
    }
    return outcome(c, &j, err);
}

status cpu_profile(backend *b, const backend_request *request, uint32_t runs, uint64_t *step_ns,
                   uint64_t *total_ns, error *err)
{
    cpu_backend *c = (cpu_backend *)b;
    nms_params nms;
    const uint32_t steps = c->base.call->step_count(b);
    status code = begin_measuring(c, request, &nms, err);
    for (uint32_t run = 0; code == STATUS_OK && run < runs; run++) {
        if (total_ns) {
            const uint64_t begin = clock_ns();
            code = cpu_run_batch(c, request, &nms, c->slots[0].images, err);
            total_ns[run] = clock_ns() - begin;
        }
        if (code == STATUS_OK && step_ns) {
            uint64_t *times = step_ns + (size_t)run * steps;
            memset(times, 0, steps * sizeof *times);
            code = profile_steps(c, request, &nms, times, err);
        }
    }
    return code;
}

status cpu_repeat(backend *b, const backend_request *request, uint32_t runs, uint64_t *ns,
                  error *err)
{
    cpu_backend *c = (cpu_backend *)b;
    nms_params nms;
    status code = begin_measuring(c, request, &nms, err);
    const uint64_t begin = clock_ns();
    for (uint32_t run = 0; code == STATUS_OK && run < runs; run++) {
        code = cpu_run_batch(c, request, &nms, c->slots[run % c->params.slots].images, err);
    }
    if (code == STATUS_OK) {
        *ns = clock_ns() - begin;
    }
    return code;
}
