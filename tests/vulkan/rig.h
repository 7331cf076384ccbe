/* What every Vulkan test stands on: an instance on the driver that the environment names, a log
 * that remembers, and small networks made ready on the device.
 *
 * Environment: VKDET_TEST_ICD    manifest of the driver to test (else the loader's own choice)
 *              VKDET_TEST_DEVICE the device, 1 or vulkan:1; the first when unset
 *              VKDET_TEST_VALIDATE 1: validation layers on; any message fails the test */
#ifndef TESTS_VULKAN_RIG_H
#define TESTS_VULKAN_RIG_H

#include "tests/support/test.h"

#include "engine/plan.h"
#include "host/vulkan/session.h"
#include "host/vulkan/vulkan.h"

typedef struct rig_state {
    vulkan_instance *instance;
    uint32_t device;
    bool validate;
    logger log;
} rig_state;
extern rig_state rig;

/* cmocka group fixtures. Without any Vulkan driver every test of the group fails: software drivers
 * are packages like any other. */
int rig_setup(void **state);
int rig_teardown(void **state);
/* fails when the layers have said anything since the last call */
void rig_assert_silent(void);

/* how often the id was logged since rig_log_clear, and its last message */
size_t rig_logged(const char *id);
const char *rig_log_last(const char *id);
void rig_log_clear(void);

/* A graph on its way to a backend. Zeros mean: tensor input of the graph's size, default allocator,
 * one slot, batch 1, every anchor. */
typedef struct network {
    graph *graph; /* owned */
    preprocess preprocess;
    const detector_head *head;
    const allocator *alloc;
    uint32_t max_batch, slots, max_detections;
    bool keep_all, keep_outputs;
    plan_precision precision;
    plan_winograd winograd;
    plan_vendor vendor; /* plan as for a device of theirs; 0: for the device */
    const uint8_t *choices;
    size_t choice_count;
    const char *cache_dir;
    vulkan_instance *instance; /* NULL: the rig's */
    plan *plan;
    backend *backend;
} network;

/* preprocess for the graph's input, when none is set; then the plan */
status network_plan(network *n, error *err);
/* the backend; plans when that has not been done */
status network_open(network *n, error *err);
/* backend and plan, not the graph: may be opened again */
void network_close(network *n);
void network_destroy(network *n);

/* An instance of its own behind the shim (shim.h), before it is opened; and the end of both, when
 * nothing may be left of them and the layers must have kept silent. The shim is then as new. */
void network_on_shim(network *n);
void network_off_shim(network *n);

/* `data` as the network's input */
pixels network_tensor(const network *n, const float *data);
/* submits to slot 0, waits */
status network_run(network *n, const pixels *images, uint32_t count, const nms_params *nms,
                   error *err);

/* A detector whose outputs are its input: row i of the one-channel input holds the four box codes
 * of anchor i and its class scores. Both anchors and head live in the graph's region. */
status passthrough_build(const allocator *a, uint32_t anchors, uint32_t classes, graph **out,
                         detector_head *head, error *err);
/* The same as a network to be opened: it makes boxes of a picture's bytes. */
status passthrough_network(network *n, uint32_t anchors, uint32_t classes, detector_head *head,
                           error *err);

#endif
