/* One queue, workers a device, sessions a worker.
 *
 * GPUs have two workers: while one waits for its batch, the other gathers and uploads the next, so
 * that the device goes from one to the next. What computes on the processor has one: two would only
 * share the cores. */
#include "host/serve/batcher.h"

#include "host/serve/metrics.h"
#include "host/serve/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GPU_WORKERS = 2, MOST_WORKERS = 2 * SERVE_DEVICES };

typedef struct worker {
    batcher *owner;
    size_t device;
    vkdet_session **sessions; /* a model */
    vkdet_pixels *pixels;     /* of one batch */
    batch_job **jobs;
    pthread_t thread;
    bool runs;
} worker;

struct batcher {
    batcher_params params;
    batch_device devices[SERVE_DEVICES];
    uint32_t flying[SERVE_DEVICES]; /* batches on each, under the lock */
    worker workers[MOST_WORKERS];
    size_t worker_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    batch_job *first, *last;
    uint32_t length;
    bool ending;
    uint32_t admitted; /* queued, or about to be */
    double pace;       /* pictures a second, of late */
};

/* --- the queue, under the lock -----------------------------------------------------------------
 */

static bool goes_with(const batch_job *a, const batch_job *b)
{
    return a->model == b->model && a->params.score_threshold == b->params.score_threshold &&
           a->params.iou_threshold == b->params.iou_threshold &&
           a->params.max_detections == b->params.max_detections &&
           a->params.nms_mode == b->params.nms_mode;
}

/* Takes out what `wanted` says, at most `most`, in order. */
static batch_job *queue_take(batcher *b, bool (*wanted)(const batch_job *job, const void *with),
                             const void *with, uint32_t most, uint32_t *count)
{
    batch_job *taken = NULL, **end = &taken, **from = &b->first;
    b->last = NULL;
    *count = 0;
    while (*from) {
        batch_job *job = *from;
        if (*count < most && wanted(job, with)) {
            *from = job->next;
            job->next = NULL;
            *end = job;
            end = &job->next;
            ++*count;
        } else {
            b->last = job;
            from = &job->next;
        }
    }
    b->length -= *count;
    b->admitted -= *count;
    return taken;
}

static bool is_late(const batch_job *job, const void *with)
{
    const uint64_t *now = with;
    return (job->deadline_ns != 0 && job->deadline_ns <= *now) ||
           (job->gone && atomic_load(job->gone));
}

static bool is_alike(const batch_job *job, const void *with)
{
    return goes_with(job, with);
}

/* how many would leave with the oldest, counting no further than a batch */
static uint32_t alike_count(const batcher *b)
{
    uint32_t count = 0;
    for (const batch_job *job = b->first; job && count < b->params.max_batch; job = job->next) {
        count += goes_with(job, b->first);
    }
    return count;
}

static void end_all(batch_job *list, vkdet_status status, const char *message)
{
    while (list) {
        batch_job *job = list;
        list = job->next;
        job->status = status;
        job->message = message;
        job->done(job);
    }
}

static const char late[] = "the deadline passed before a device had time for it";

/* --- a worker ----------------------------------------------------------------------------------
 */

/* Waits until a batch may leave, and takes it; NULL: the end. */
static batch_job *gather(worker *w, uint32_t *count)
{
    batcher *b = w->owner;
    batch_job *batch = NULL;
    (void)pthread_mutex_lock(&b->lock);
    for (;;) {
        if (!b->first) {
            if (b->ending) {
                break;
            }
            (void)pthread_cond_wait(&b->changed, &b->lock);
            continue;
        }
        const uint64_t now = serve_now();
        const uint64_t leaves = b->first->queued_ns + b->params.max_queue_delay_ns;
        if (b->ending || now >= leaves || b->flying[w->device] == 0 ||
            alike_count(b) == b->params.max_batch) {
            uint32_t none = 0;
            batch_job *expired = queue_take(b, is_late, &now, UINT32_MAX, &none);
            batch = b->first ? queue_take(b, is_alike, b->first, b->params.max_batch, count) : NULL;
            b->flying[w->device] += batch != NULL;
            if (expired) {
                (void)pthread_mutex_unlock(&b->lock);
                end_all(expired, VKDET_ERROR_TIMEOUT, late);
                (void)pthread_mutex_lock(&b->lock);
            }
            if (batch) {
                break;
            }
            continue;
        }
        const struct timespec until = {(time_t)(leaves / 1000000000u),
                                       (long)(leaves % 1000000000u)};
        (void)pthread_cond_timedwait(&b->changed, &b->lock, &until);
    }
    if (b->first) {
        (void)pthread_cond_broadcast(&b->changed); /* there is more, for an idle device */
    }
    (void)pthread_mutex_unlock(&b->lock);
    return batch;
}

static vkdet_status session_make(worker *w, const served_model *model)
{
    const batcher_params *p = &w->owner->params;
    const vkdet_session_params wanted = {.device = p->devices[w->device],
                                         .max_batch = p->max_batch,
                                         .slots = 1,
                                         .cache_dir = p->cache_dir,
                                         .precision = p->precision,
                                         .tune = p->tune,
                                         .winograd = p->winograd,
                                         .threads = p->threads};
    return vkdet_session_create(p->context, model->model, &wanted, &w->sessions[model->index]);
}

static bool is_refusal(vkdet_status status)
{
    return status == VKDET_ERROR_ARGUMENT || status == VKDET_ERROR_LIMIT ||
           status == VKDET_ERROR_UNSUPPORTED || status == VKDET_ERROR_IMAGE;
}

/* A device that was lost has lost the session; the next batch gets a new one. */
static vkdet_status detect(worker *w, batch_job *const *jobs, uint32_t count,
                           const vkdet_result **results)
{
    const served_model *model = jobs[0]->model;
    vkdet_session **session = &w->sessions[model->index];
    vkdet_status status = *session ? VKDET_OK : session_make(w, model);
    for (uint32_t i = 0; i < count; i++) {
        w->pixels[i] = jobs[i]->pixels;
    }
    if (status == VKDET_OK) {
        status = vkdet_session_detect(*session, w->pixels, count, &jobs[0]->params, results);
    }
    if (status == VKDET_ERROR_DEVICE_LOST) {
        vkdet_session_destroy(*session);
        *session = NULL;
    }
    return status;
}

/* The device is free for the next batch before the answers are written. */
static void land(worker *w, uint32_t count, uint64_t started, uint64_t finished)
{
    batcher *b = w->owner;
    const double seconds = 1e-9 * (double)(finished - started);
    (void)pthread_mutex_lock(&b->lock);
    b->flying[w->device]--;
    if (seconds > 0) {
        const double now = count / seconds;
        b->pace = b->pace > 0 ? 0.9 * b->pace + 0.1 * now : now;
    }
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    metrics_batch(b->params.metrics, w->device, count, finished - started);
}

/* Jobs of one batch. One that is refused must not fail the others: they go one by one then. */
static void run(worker *w, batch_job *const *jobs, uint32_t count) /* NOLINT(misc-no-recursion) */
{
    batcher *b = w->owner;
    const vkdet_result *results = NULL;
    const uint64_t started = serve_now();
    const vkdet_status status = detect(w, jobs, count, &results);
    const uint64_t finished = serve_now();
    char message[1024] = ""; /* a copy: the answers make calls of their own */
    if (is_refusal(status) && count > 1) {
        (void)pthread_mutex_lock(&b->lock);
        b->flying[w->device] += count - 1; /* each of them lands */
        (void)pthread_mutex_unlock(&b->lock);
        for (uint32_t i = 0; i < count; i++) {
            run(w, &jobs[i], 1);
        }
        return;
    }
    if (status != VKDET_OK) {
        (void)snprintf(message, sizeof message, "%s", vkdet_error_message());
    }
    land(w, count, started, finished);
    for (uint32_t i = 0; i < count; i++) {
        batch_job *job = jobs[i];
        const vkdet_session *session = w->sessions[job->model->index];
        job->status = status;
        job->message = message;
        job->result = status == VKDET_OK ? &results[i] : NULL;
        job->device = &b->devices[w->device];
        job->precision = session ? vkdet_session_precision(session) : VKDET_PRECISION_AUTO;
        job->batch = count;
        job->started_ns = started;
        job->finished_ns = finished;
        job->done(job);
    }
}

static void *work(void *user)
{
    worker *w = user;
    uint32_t count = 0;
    for (batch_job *batch = gather(w, &count); batch; batch = gather(w, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            w->jobs[i] = batch;
            batch = batch->next;
        }
        run(w, w->jobs, count);
    }
    return NULL;
}

/* --- making it, ending it ------------------------------------------------------------------------
 */

static bool is_gpu(vkdet_device_kind kind)
{
    return kind == VKDET_DEVICE_DISCRETE_GPU || kind == VKDET_DEVICE_INTEGRATED_GPU ||
           kind == VKDET_DEVICE_VIRTUAL_GPU;
}

/* A worker with a session for every model; the device's description comes from the default one's.
 */
static vkdet_status worker_make(batcher *b, size_t device)
{
    const repository *models = b->params.models;
    worker *w = &b->workers[b->worker_count++];
    w->owner = b;
    w->device = device;
    w->sessions = calloc(models->count, sizeof(vkdet_session *));
    w->pixels = calloc(b->params.max_batch, sizeof *w->pixels);
    w->jobs = calloc(b->params.max_batch, sizeof(batch_job *));
    if (!w->sessions || !w->pixels || !w->jobs) {
        return VKDET_ERROR_MEMORY;
    }
    for (size_t i = 0; i < models->count; i++) {
        vkdet_status status = session_make(w, &models->models[i]);
        if (status != VKDET_OK) {
            return status;
        }
    }
    const vkdet_session *standard = w->sessions[models->standard->index];
    vkdet_session_device(standard, &b->devices[device].info);
    b->devices[device].precision = vkdet_session_precision(standard);
    return VKDET_OK;
}

static vkdet_status workers_make(batcher *b)
{
    for (size_t i = 0; i < b->params.device_count; i++) {
        vkdet_status status = worker_make(b, i);
        for (int k = 1; status == VKDET_OK && k < GPU_WORKERS && is_gpu(b->devices[i].info.kind);
             k++) {
            status = worker_make(b, i);
        }
        if (status != VKDET_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < b->worker_count; i++) {
        b->workers[i].runs = pthread_create(&b->workers[i].thread, NULL, work, &b->workers[i]) == 0;
        if (!b->workers[i].runs) {
            return VKDET_ERROR_MEMORY;
        }
    }
    return VKDET_OK;
}

batcher *batcher_create(const batcher_params *params, vkdet_status *status, char *message,
                        size_t message_size)
{
    batcher *b = calloc(1, sizeof *b);
    if (!b) {
        *status = VKDET_ERROR_MEMORY;
        (void)snprintf(message, message_size, "out of memory for the batcher");
        return NULL;
    }
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    b->params = *params;
    *status = workers_make(b);
    if (*status != VKDET_OK) {
        (void)snprintf(message, message_size, "%s",
                       *status == VKDET_ERROR_MEMORY ? "out of memory or threads for the devices"
                                                     : vkdet_error_message());
        batcher_destroy(b);
        return NULL;
    }
    return b;
}

void batcher_destroy(batcher *b)
{
    if (!b) {
        return;
    }
    (void)pthread_mutex_lock(&b->lock);
    b->ending = true;
    (void)pthread_cond_broadcast(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    for (size_t i = 0; i < b->worker_count; i++) {
        worker *w = &b->workers[i];
        if (w->runs) {
            (void)pthread_join(w->thread, NULL);
        }
        for (size_t k = 0; w->sessions && k < b->params.models->count; k++) {
            vkdet_session_destroy(w->sessions[k]);
        }
        free(w->sessions);
        free(w->pixels);
        free(w->jobs);
    }
    (void)pthread_cond_destroy(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

/* --- what requests call --------------------------------------------------------------------------
 */

bool batcher_admit(batcher *b, uint32_t count)
{
    (void)pthread_mutex_lock(&b->lock);
    bool room = b->admitted <= b->params.max_queue && count <= b->params.max_queue - b->admitted;
    if (room) {
        b->admitted += count;
    }
    (void)pthread_mutex_unlock(&b->lock);
    return room;
}

void batcher_give_back(batcher *b, uint32_t count)
{
    (void)pthread_mutex_lock(&b->lock);
    b->admitted -= count;
    (void)pthread_mutex_unlock(&b->lock);
}

void batcher_submit(batcher *b, batch_job *job)
{
    job->next = NULL;
    job->result = NULL;
    job->device = NULL;
    job->batch = 0;
    job->queued_ns = job->started_ns = job->finished_ns = serve_now();
    (void)pthread_mutex_lock(&b->lock);
    if (b->first) {
        b->last->next = job;
    } else {
        b->first = job;
    }
    b->last = job;
    b->length++;
    /* Workers of idle devices wait for a first job, those of busy ones for a batch: what lies
     * between the two wakes nobody. */
    if (b->length == 1 || b->length >= b->params.max_batch) {
        (void)pthread_cond_broadcast(&b->changed);
    }
    (void)pthread_mutex_unlock(&b->lock);
}

void batcher_sweep(batcher *b, uint64_t now_ns)
{
    uint32_t count = 0;
    (void)pthread_mutex_lock(&b->lock);
    batch_job *expired = queue_take(b, is_late, &now_ns, UINT32_MAX, &count);
    (void)pthread_mutex_unlock(&b->lock);
    end_all(expired, VKDET_ERROR_TIMEOUT, late);
}

size_t batcher_device_count(const batcher *b)
{
    return b->params.device_count;
}

const batch_device *batcher_device(const batcher *b, size_t index)
{
    return &b->devices[index];
}

uint32_t batcher_max_batch(const batcher *b)
{
    return b->params.max_batch;
}

uint32_t batcher_max_queue(const batcher *b)
{
    return b->params.max_queue;
}

uint32_t batcher_waiting(batcher *b)
{
    (void)pthread_mutex_lock(&b->lock);
    uint32_t waiting = b->admitted;
    (void)pthread_mutex_unlock(&b->lock);
    return waiting;
}

uint32_t batcher_patience(batcher *b)
{
    enum { LONGEST = 60 };
    (void)pthread_mutex_lock(&b->lock);
    double seconds = b->pace > 0 ? b->admitted / b->pace : 1;
    (void)pthread_mutex_unlock(&b->lock);
    return seconds < 1 ? 1 : seconds > LONGEST ? LONGEST : (uint32_t)seconds;
}
