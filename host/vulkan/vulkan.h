/* The Vulkan room's door: what the API needs of it. No Vulkan type appears here. */
#ifndef HOST_VULKAN_VULKAN_H
#define HOST_VULKAN_VULKAN_H

#include "host/backend.h"

typedef struct vulkan_instance vulkan_instance;

/* Loads the loader and makes an instance. STATUS_DEVICE with a reason when there is no loader or no
 * usable driver: the caller decides what that means. validate: the Khronos layer with
 * synchronisation validation; STATUS_DEVICE when it is not installed. Every message of the layer
 * goes to the log (LOG_validation) and is counted. */
status vulkan_instance_create(const allocator *alloc, const logger *log, bool validate,
                              vulkan_instance **out, error *err);
void vulkan_instance_destroy(vulkan_instance *v);
uint64_t vulkan_validation_messages(const vulkan_instance *v);

/* Physical devices in the loader's order; indices are what "vulkan:N" means. Devices that cannot
 * run vkdet are listed with the reason in `unusable`. */
uint32_t vulkan_device_count(const vulkan_instance *v);
void vulkan_device_describe(const vulkan_instance *v, uint32_t index, vkdet_device_info *out);
/* the index that "auto" means: discrete, integrated, virtual GPU; never a software driver. -1: none
 */
int vulkan_device_pick(const vulkan_instance *v);
/* what the planner may rely on there */
void vulkan_device_target(const vulkan_instance *v, uint32_t index, plan_target *out);

/* params->graph has been through the passes; p is its plan. */
status vulkan_backend_create(const vulkan_instance *v, uint32_t index, const backend_params *params,
                             const plan *p, backend **out, error *err);

/* What such a session will allocate: its buffers before any of them is made, for pictures of the
 * network's size. */
void vulkan_session_bill(const vulkan_instance *v, uint32_t index, const plan *p,
                         uint32_t max_batch, uint32_t slots, backend_memory *out);

/* Choosing among the kernels that compute the same (host/vulkan/tuner.c). */
typedef struct tune_params {
    const backend_params
        *session;   /* what the plan will run in; its cache_dir NULL: nothing is kept */
    nms_params nms; /* of the runs that are measured */
    vkdet_tune how; /* VKDET_TUNE_QUICK or VKDET_TUNE_FULL */
    bool kept_only; /* take what was chosen before, measure nothing */
} tune_params;
/* *p, a plan with candidate 0 everywhere, may be replaced by one of the same graph with other
 * choices; it is left alone where there is nothing to choose or nothing can be measured. */
status vulkan_tune(const vulkan_instance *v, uint32_t index, const tune_params *params, plan **p,
                   error *err);
/* The size of batch that a session of max_batch is measured with: a power of two. */
uint32_t vulkan_tune_batch(uint32_t max_batch);
/* Whether what is chosen could be kept there. */
bool vulkan_tune_keeps(const allocator *a, const char *dir);
/* That a plan's kernels were found right on a device: kept likewise. dir NULL: nowhere. */
status vulkan_check_passed(const vulkan_instance *v, uint32_t index, const allocator *a,
                           const logger *log, const char *dir, const plan *p, bool *passed,
                           error *err);
void vulkan_check_keep(const vulkan_instance *v, uint32_t index, const allocator *a,
                       const logger *log, const char *dir, const plan *p);

/* What the device reaches, see vkdet_device_peaks (host/vulkan/peaks.c). */
status vulkan_peaks_measure(const vulkan_instance *v, uint32_t index, const logger *log,
                            vkdet_device_peaks *out, error *err);

#endif
