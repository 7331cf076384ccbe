/* The measuring half of the backend's function table, host/backend.h. */
#ifndef HOST_VULKAN_PROFILE_H
#define HOST_VULKAN_PROFILE_H

#include "host/vulkan/session.h"

uint32_t profiler_step_count(const backend *b);
void profiler_step(const backend *b, uint32_t index, vkdet_step *out);
status profiler_profile(backend *b, const backend_request *request, uint32_t runs,
                        uint64_t *step_ns, uint64_t *total_ns, error *err);
status profiler_repeat(backend *b, const backend_request *request, uint32_t runs, uint64_t *ns,
                       error *err);

/* for what an earlier call left behind when its wait ran out */
status profiler_wait(session *s, uint64_t timeout_ns, error *err);
void profiler_destroy(session *s); /* nothing pending */

#endif
