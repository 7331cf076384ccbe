/* What the tests of the cpu device share: a backend over a graph, and pictures that are tensors. */
#ifndef TESTS_CPU_RIG_H
#define TESTS_CPU_RIG_H

#include "tests/support/test.h"

#include "engine/reference.h"
#include "host/cpu/backend.h"

typedef struct rig {
    const graph *graph;
    preprocess preprocess; /* of the graph's input */
    backend_params params;
    backend *backend;
} rig;

/* A backend that keeps every value, on so many threads. Fails the test when it cannot be made;
 * false where the CPU lacks the precision. */
bool rig_open(rig *r, const graph *g, const detector_head *head, vkdet_precision precision,
              uint32_t threads, uint32_t batch, bool keep_all);
void rig_close(rig *r);
/* Makes the backend with its first, second, ... allocation failing, until none does. */
void rig_run_out_of_memory(const backend_params *params);
/* the input itself as a picture */
pixels rig_tensor(const rig *r, const float *data);
/* runs `count` pictures in slot 0 */
void rig_run(rig *r, const pixels *images, uint32_t count);
/* seeded floats in -2 .. 2; release with free */
float *rig_input(const graph *g, uint64_t seed);

/* Room for the values of a graph. */
reference_values rig_values(const graph *g);
/* Every node's outputs in `got`, held against the reference's from the inputs in `got`. */
void rig_compare(const char *name, const graph *g, vkdet_precision precision,
                 const reference_values *got);

/* --- shim.c --- */
/* oneDNN with the N-th call that may fail failing; 0: none */
extern const onednn_calls shim_calls;
void shim_arm(size_t fail_at);
bool shim_failed(void);
/* objects made and not destroyed */
size_t shim_live(void);

#endif
