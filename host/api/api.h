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

/* A device name resolved. vulkan_index is -1 for the reference. */
typedef struct device_choice {
    int vulkan_index;
    vkdet_device_info info;
} device_choice;
status device_choose(vkdet_context *context, const char *name, device_choice *out, error *err);

/* A model made ready for a device: the graph after the passes, and its plan. */
typedef struct prepared {
    device_choice device;
    graph *graph;
    plan *plan;
} prepared;
status prepared_create(vkdet_context *context, const model *m, const char *device,
                       const plan_options *options, prepared *out, error *err);
void prepared_destroy(prepared *p);
/* The backend for p. params: graph, preprocess, head, alloc and log are filled in here. */
status prepared_backend(vkdet_context *context, const model *m, const prepared *p,
                        backend_params *params, backend **out, error *err);

/* thread-safe reading of public pixels: checks sizes and format */
status pixels_check(const vkdet_pixels *in, const preprocess *pre, pixels *out, error *err);

/* default pipeline cache folder into path; false when there is no home */
bool cache_default_dir(char *path, size_t size);

#endif
