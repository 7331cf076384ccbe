/* The objects behind the public handles, and what the files of this room share. */
#ifndef HOST_API_API_H
#define HOST_API_API_H

#include "engine/passes.h"
#include "engine/reference.h"
#include "host/backend.h"
#include "host/image/image.h"
#include "host/log.h"
#include "host/vulkan/vulkan.h"
#include "models/model.h"
#include "vkdet.h"

#include <pthread.h>

enum { API_MAX_BATCH = 4096 };

struct vkdet_context {
    allocator alloc;
    logger log;
    bool validate;
    pthread_mutex_t
        lock; /* guards what follows: the loader is opened when a device is first asked for */
    bool vulkan_tried;
    vulkan_instance *vulkan; /* NULL: no Vulkan here, and why: */
    error vulkan_error;
};

struct vkdet_model {
    vkdet_context *context;
    model *model;
};

struct vkdet_image {
    vkdet_context *context;
    image image;
};

/* The message of the calling thread. Every public function that can fail ends in api_return(&err,
 * code). */
vkdet_status api_return(const error *err, status code);

/* The Vulkan instance, made on first use; NULL where there is none (context->vulkan_error says
 * why). */
vulkan_instance *context_vulkan(vkdet_context *context, error *why);

/* A device name resolved. vulkan_index is -1 for the cpu and the reference, told apart by
 * info.kind. */
typedef struct device_choice {
    int vulkan_index;
    vkdet_device_info info;
} device_choice;
status device_choose(vkdet_context *context, const char *name, device_choice *out, error *err);

enum { SESSION_DEFAULT_SLOTS = 2, SESSION_MAX_SLOTS = 16 };

/* What the device computes in when `wanted` is asked for: never auto. STATUS_UNSUPPORTED where it
 * cannot. Auto is fp16 only on hardware that knows it, and for a model whose card says that it is
 * fit for it. */
status precision_choose(const device_choice *device, const plan_target *target, const card *c,
                        vkdet_precision wanted, vkdet_precision *out, error *err);
/* What a plan for the device is made with when `wanted` is asked for: auto where it has no effect.
 */
status winograd_choose(const device_choice *device, vkdet_precision precision,
                       vkdet_winograd wanted, plan_winograd *out, error *err);

/* A model made ready for a device: the graph after the passes, and its plan. */
typedef struct prepared {
    device_choice device;
    vkdet_precision precision; /* never auto */
    graph *graph;
    plan *plan;
} prepared;
/* target, precision and winograd of the options are filled in here */
status prepared_create(vkdet_context *context, const model *m, const char *device,
                       vkdet_precision precision, vkdet_winograd winograd,
                       const plan_options *options, prepared *out, error *err);
void prepared_destroy(prepared *p);
/* Lets the plan take the kernels that are fastest there (vkdet_tune). `session` is what the plan
 * will run in, with max_batch and cache_dir; whoever makes none (reports, verification) sets
 * no_default: then VKDET_TUNE_DEFAULT takes what was chosen before and measures nothing. Call it
 * before prepared_backend. */
status prepared_tune(vkdet_context *context, const model *m, const backend_params *session,
                     vkdet_tune how, bool no_default, prepared *p, error *err);
/* The backend for p. params: graph, preprocess, head, alloc and log are filled in here. */
status prepared_backend(vkdet_context *context, const model *m, const prepared *p,
                        backend_params *params, backend **out, error *err);

/* Compares what the plan's kernels make of a noise picture with the reference, see known_answer.c.
 * STATUS_DEVICE names the step that is wrong. The first does so where it makes sense and was not
 * done before, the other in any case, on a Vulkan device; where there is no room to check it has
 * not passed, and that is no error. */
status known_answer_check(vkdet_context *context, const model *m, const prepared *ready,
                          const char *cache_dir, error *err);
status known_answer_run(vkdet_context *context, const model *m, const prepared *ready,
                        const char *cache_dir, bool *passed, error *err);

/* thread-safe reading of public pixels: checks sizes and format */
status pixels_check(const vkdet_pixels *in, const preprocess *pre, pixels *out, error *err);

/* The cache folder that a caller means: its own, none for "", the default one for NULL, written
 * into `path`. NULL: none. */
const char *cache_dir_choose(const char *wanted, char *path, size_t size);

#endif
