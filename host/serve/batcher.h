/* Dynamic batching: jobs of many requests leave for the devices together.
 *
 * Every device has workers that take from one queue; a worker owns a session a model. What shares a
 * batch are jobs of one model with the same parameters, oldest first. A batch leaves when it is
 * full, when nothing is running on the device, or when its oldest job has waited for
 * max_queue_delay. */
#ifndef HOST_SERVE_BATCHER_H
#define HOST_SERVE_BATCHER_H

#include "host/serve/repository.h"

#include "vkdet.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct batcher batcher;

/* A device that serves, for metrics and answers. */
typedef struct batch_device {
    vkdet_device_info info;
    vkdet_precision precision; /* of the default model's session */
} batch_device;

/* One picture on its way. The submitter keeps it alive until `done`, which is called exactly once,
 * on a worker's thread (or on the one that submits or sweeps, when it never ran). `done` must be
 * short: a worker waits for it. The worker touches nothing of the job afterwards. */
typedef struct batch_job {
    /* set by the submitter */
    const served_model *model;
    vkdet_detect_params params;
    vkdet_pixels pixels;     /* borrowed until done */
    uint64_t deadline_ns;    /* on the clock of serve_now(); 0: none. Passed: VKDET_ERROR_TIMEOUT */
    const atomic_bool *gone; /* once true, as if the deadline had passed; NULL: never */
    void (*done)(struct batch_job *job);
    void *user;
    /* set before `done` */
    vkdet_status status;
    const char *message;                         /* why it failed; as long as `done` runs, like: */
    const vkdet_result *result;                  /* NULL when it failed */
    const batch_device *device;                  /* where it ran; NULL when it did not */
    vkdet_precision precision;                   /* that it ran in */
    uint32_t batch;                              /* pictures in the submission */
    uint64_t queued_ns, started_ns, finished_ns; /* on the clock of serve_now() */
    /* the batcher's own */
    struct batch_job *next;
} batch_job;

typedef struct batcher_params {
    struct metrics *metrics; /* what it counts in */
    vkdet_context *context;
    const repository *models;
    const char *const *devices; /* as vkdet_session_params.device */
    size_t device_count;
    vkdet_precision precision;
    vkdet_tune tune;
    vkdet_winograd winograd;
    const char *cache_dir;
    uint32_t threads;   /* of the device cpu */
    uint32_t max_batch; /* pictures a submission */
    uint32_t max_queue; /* pictures admitted and not yet on a device */
    uint64_t max_queue_delay_ns;
} batcher_params;

/* Makes the sessions (which tunes and checks kernels where that is due) and starts the workers.
 * NULL: *status and message say why. */
batcher *batcher_create(const batcher_params *params, vkdet_status *status, char *message,
                        size_t message_size);

/* Room for `count` pictures, all or none; false when the queue is full. Every picture admitted is
 * later submitted, or given back. */
bool batcher_admit(batcher *b, uint32_t count);
void batcher_give_back(batcher *b, uint32_t count);

/* Never blocks, and never fails: what cannot run ends in `done`. The job was admitted. */
void batcher_submit(batcher *b, batch_job *job);

/* Ends the jobs whose deadline has passed; called now and then, so that they do not wait for a
 * device that hangs. */
void batcher_sweep(batcher *b, uint64_t now_ns);

size_t batcher_device_count(const batcher *b);
const batch_device *batcher_device(const batcher *b, size_t index);
uint32_t batcher_max_batch(const batcher *b);
uint32_t batcher_max_queue(const batcher *b);
/* Admitted and not yet on a device: what max_queue bounds. */
uint32_t batcher_waiting(batcher *b);
/* How long the queue takes at the pace of late, in whole seconds, 1 at least: for Retry-After. */
uint32_t batcher_patience(batcher *b);

/* Finishes what was submitted; then the workers end. NULL is fine. */
void batcher_destroy(batcher *b);

#endif
