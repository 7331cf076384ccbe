/* What a session drives: one plan or graph made ready on one device. The one function table between
 * the API and the devices (Vulkan, cpu, reference).
 *
 * A backend belongs to one thread at a time. It has `slots` independent sets of buffers; a slot
 * goes submit -> wait -> (result, read_value)* and may then be submitted again. */
#ifndef HOST_BACKEND_H
#define HOST_BACKEND_H

#include "engine/detector.h"
#include "engine/plan.h"
#include "host/log.h"

/* every wait ends: what "forever" means, ten minutes */
#define BACKEND_MAX_WAIT_NS 600000000000ull

typedef struct backend_request {
    const pixels *images; /* copied before submit returns */
    uint32_t count;       /* 1 .. max_batch */
    nms_params nms;       /* ignored without a head */
} backend_request;

typedef struct backend_result {
    const detection *detections; /* score descending, anchor ascending; valid until the slot is
                                    submitted again */
    uint32_t count;
    uint32_t candidates; /* anchors above the score threshold */
    uint32_t near_ties;  /* decisions within rounding of the IoU threshold that were settled by the
                            reference */
} backend_result;

typedef struct backend_memory { /* bytes that this backend allocated */
    uint64_t device_bytes, host_visible_bytes;
    /* of the cpu alone, a plan says it of others: of one image, and how many images' there are */
    uint64_t arena_bytes, weight_bytes;
    uint32_t arena_count;
} backend_memory;

typedef struct backend backend;

typedef struct backend_functions {
    status (*submit)(backend *b, uint32_t slot, const backend_request *request, error *err);
    /* STATUS_TIMEOUT leaves the slot in flight */
    status (*wait)(backend *b, uint32_t slot, uint64_t timeout_ns, error *err);
    status (*result)(backend *b, uint32_t slot, uint32_t image, backend_result *out, error *err);
    /* dense floats of a graph value of one image of the finished slot; STATUS_ARGUMENT unless the
     * plan keeps it */
    status (*read_value)(backend *b, uint32_t slot, uint32_t image, int value, float *dense,
                         error *err);
    void (*memory)(backend *b, backend_memory *out);
    /* what it runs, in order */
    uint32_t (*step_count)(const backend *b);
    void (*step)(const backend *b, uint32_t index, vkdet_step *out); /* index < step_count */
    /* Both measure, as vkdet_session_profile and vkdet_session_repeat say; `runs` is at least 1.
     * STATUS_BUSY while a slot is in flight; afterwards no slot holds results. */
    status (*profile)(backend *b, const backend_request *request, uint32_t runs, uint64_t *step_ns,
                      uint64_t *total_ns, error *err);
    status (*repeat)(backend *b, const backend_request *request, uint32_t runs, uint64_t *ns,
                     error *err);
    void (*destroy)(backend *b);
} backend_functions;

struct backend {
    const backend_functions *call;
};

typedef struct backend_params {
    const allocator *alloc;
    const logger *log;
    const graph *graph; /* all borrowed: outlive the backend */
    const preprocess *preprocess;
    const detector_head *head; /* NULL for a network without boxes */
    uint32_t max_batch, slots, max_detections;
    bool keep_outputs, keep_all;
    const char *cache_dir;     /* pipeline cache; NULL: none */
    vkdet_precision precision; /* never auto */
    uint32_t threads;          /* cpu; 0: one a core */
} backend_params;

/* What the backends on the host (cpu, reference) ask of their parameters: a batch, a slot, an input
 * and outputs that fit the card, a cost within bounds. */
status backend_params_check(const backend_params *p, error *err);
/* and of a request; head NULL: no boxes. *nms is the request's, its max_detections within the
 * capacity. */
status backend_request_check(const detector_head *head, uint32_t max_batch, uint32_t max_detections,
                             const backend_request *request, nms_params *nms, error *err);

/* graph as imported; scalar, one thread (host/reference) */
status reference_backend_create(const backend_params *params, backend **out, error *err);

#endif
