/* The backend's inside: backend.c makes and reads it, run.c runs it. */
#ifndef HOST_CPU_BACKEND_H
#define HOST_CPU_BACKEND_H

#include "host/cpu/cpu.h"
#include "host/cpu/program.h"
#include "host/cpu/team.h"

#include <stdatomic.h>

enum { CPU_MAX_THREADS = 1024 };

typedef enum slot_state { SLOT_IDLE = 0, SLOT_IN_FLIGHT, SLOT_FINISHED } slot_state;

typedef struct image_results {
    detection *detections; /* max_detections */
    uint32_t count, candidates;
    float *outputs;       /* all graph outputs, one after another; keep_outputs */
    void *arena_memory;   /* keep_all */
    unsigned char *arena; /* in it */
} image_results;

typedef struct slot {
    slot_state state;
    uint32_t count;
    image_results *images; /* max_batch */
} slot;

/* A member of the team: its worker, and what went wrong there. */
typedef struct seat {
    worker worker;
    status code;
    error error;
} seat;

typedef struct cpu_backend {
    backend base;
    allocator alloc;
    backend_params params;
    program *program;
    team *team;
    seat *seats; /* one a member */
    void **arenas;
    uint32_t arena_count;
    atomic_uint *next; /* by member, then step: how many items of its share have been begun, while a
                          picture is computed together */
    slot *slots;
    uint64_t bytes;
} cpu_backend;

/* cores that this process may use, at least 1 */
uint32_t cpu_cores(void);

/* a dnnl_cpu_isa_t, that oneDNN uses here or a larger one that includes it */
bool cpu_has_isa(int isa);

/* with the functions of oneDNN to call */
status cpu_backend_create_with(const backend_params *params, const onednn_calls *call,
                               backend **out, error *err);

/* --- run.c --- */
status cpu_request_check(const cpu_backend *c, const backend_request *request, nms_params *nms,
                         error *err);
status cpu_run_batch(cpu_backend *c, const backend_request *request, const nms_params *nms,
                     image_results *images, error *err);
status cpu_profile(backend *b, const backend_request *request, uint32_t runs, uint64_t *step_ns,
                   uint64_t *total_ns, error *err);
status cpu_repeat(backend *b, const backend_request *request, uint32_t runs, uint64_t *ns,
                  error *err);

#endif
