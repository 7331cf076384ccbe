/* Verification from inside: what its files share, and the entry that a test can call with a backend
 * of its own. */
#ifndef HOST_API_VERIFY_H
#define HOST_API_VERIFY_H

#include "host/api/api.h"

#include <jansson.h>

/* The judgement of one step. */
typedef struct judgement {
    uint64_t elements, outside;
    double worst_error, worst_ratio; /* largest |error|, largest |error| / bound; may be infinite */
    char where[160];                 /* the first element outside */
} judgement;

typedef struct verification {
    vkdet_context *context;
    const model *model;
    const prepared *ready;
    backend *backend; /* keep_all, one slot, one image, room for every anchor */
    pixels image;
    reference_values device;   /* what the device computed */
    reference_values expected; /* what the reference makes of the device's inputs */
    reference_values bound;    /* how far apart they may be */
    bool *bf16;                /* by value: stored so on the device; NULL: nothing is */
    uint32_t reported;         /* the backend's step that was found last */
    json_t *steps;
    const char *first; /* diverging step, or NULL */
    uint32_t cells;    /* of convolutions that are compared, see reference_run_sample; 0: all */
    float slack;       /* times the contract's bound; 0: 1 */
} verification;

/* --- verify_report.c --- */
void judge(judgement *j, const char *name, const float *device, const float *expected,
           const float *bound, uint64_t count);
/* a fact that holds or does not; format says what was found instead */
void judge_fact(judgement *j, bool holds, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
status verify_report_step(verification *v, const plan_step *step, const judgement *j, error *err);
status verify_report_text(const verification *v, char **json, error *err);

/* --- verify_boxes.c --- */
/* decode, sort and nms, from the device's own raw outputs */
status verify_boxes(verification *v, error *err);

/* --- verify.c --- */
/* Runs image through the backend and judges every step. *json is set whenever every step was
 * judged, also when the answer is STATUS_DIVERGED. */
status verify_backend(vkdet_context *context, const model *m, const prepared *ready, backend *b,
                      const pixels *image, char **json, error *err);
/* A quick look at the same: few pixels, and wide of the contract. It is not to measure a driver but
 * to notice one that computes something else. STATUS_DEVICE names device and step. */
status verify_known_answer(vkdet_context *context, const model *m, const prepared *ready,
                           backend *b, error *err);

#endif
