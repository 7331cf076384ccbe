/* The Vulkan backend from inside: a plan made ready on one device. What the files of this room
 * share; nothing outside includes it but the tests of the room. */
#ifndef HOST_VULKAN_SESSION_H
#define HOST_VULKAN_SESSION_H

#include "host/vulkan/cache.h"
#include "host/vulkan/memory.h"
#include "host/vulkan/pipelines.h"

/* Sizes of pixel uploads come in steps of a quarter of a power of two, so that the copy commands
 * can be recorded once for each: at most a quarter too much is copied. */
enum { UPLOAD_SIZES = 76 };
uint32_t upload_size_index(uint64_t bytes);
uint64_t upload_size_bytes(uint32_t index);

typedef enum slot_state { SLOT_FREE = 0, SLOT_IN_FLIGHT, SLOT_DONE } slot_state;

typedef struct slot {
    buffer arena;
    exchange pixels, request, results;
    VkDescriptorSet set;
    VkFence fence;
    VkCommandBuffer *run; /* by batch - 1 */
    bool *run_recorded;
    VkCommandBuffer upload[UPLOAD_SIZES]; /* where copies are needed; made when first needed */
    bool upload_recorded[UPLOAD_SIZES];
    slot_state state;
    uint32_t batch;
    nms_params nms;
    bool settle_always;    /* the IoU threshold cannot be handed over in two floats */
    detection *detections; /* of a picture: `capacity` of them */
    backend_result *images;
    bool *ready; /* images[i] is filled in */
} slot;

/* Commands outside requests: weights up, values down. Waited for at once, one at a time. */
typedef struct transfer {
    VkCommandBuffer commands;
    VkFence fence;
    bool pending; /* a wait for it ran out */
    buffer host;  /* staging while weights go up, readback afterwards */
} transfer;

/* What measuring needs, made when first asked for (profile.c). */
enum { PROFILER_FENCES = 4 };
enum { PROFILER_BEGIN = 0, PROFILER_END, PROFILER_STEPS, PROFILER_COMMANDS };
typedef struct profiler {
    VkQueryPool queries;
    VkCommandBuffer commands[PROFILER_COMMANDS];
    bool has_commands;
    VkCommandBuffer *repeats; /* by slot */
    VkFence fences[PROFILER_FENCES];
    bool pending[PROFILER_FENCES]; /* something is in flight that this fence ends */
} profiler;

typedef struct session {
    backend base;
    allocator alloc;
    const logger *log;
    const plan *plan;
    const preprocess *preprocess;
    const detector_head *head;
    uint32_t max_batch, slot_count, capacity; /* capacity: detections of a picture */
    device dev;
    pipeline_cache cache;
    pipelines pipes;
    buffer weights;
    VkDescriptorPool descriptors;
    VkCommandPool commands;
    transfer transfer;
    profiler profiler;
    slot *slots;
    detection *candidates; /* of one picture whose near-ties are being settled */
} session;

/* --- bill.c: how large the buffers of a session are --- */
/* of a slot */
typedef struct slot_sizes {
    uint64_t arena, request, results;
    uint64_t pixels; /* at first; larger pictures make it grow */
} slot_sizes;
slot_sizes slot_sizes_of(const plan *p, const preprocess *pre, uint32_t max_batch);
/* words that one read asks for at the most: the candidates of a picture, or one kept value */
uint64_t readback_words(const plan *p);
/* the host can map the weights without crossing a bus: where the best place for them is */
memory_use weights_use(const physical_device *gpu);

/* --- slot.c --- */
status slot_create(session *s, slot *out, error *err);
void slot_destroy(session *s, slot *t);
/* Room for a request's pixels; the slot is not in flight. Nothing happens when there is enough. */
status slot_reserve_pixels(session *s, slot *t, uint64_t bytes, error *err);

/* --- recorder.c: both do nothing when it was recorded before --- */
status record_run(session *s, slot *t, uint32_t batch, error *err);
status record_upload(session *s, slot *t, uint32_t size_index, error *err);
/* what they are made of */
status record_begin(session *s, VkCommandBuffer c, VkCommandBufferUsageFlags usage, error *err);
status record_end(session *s, VkCommandBuffer c, error *err);
/* what steps before it wrote is there for those after it */
void record_step_barrier(const session *s, VkCommandBuffer c);
/* All steps, a barrier between levels. With a clock (not NULL) the steps come one after the other,
 * a timestamp before the first and one after each: step_count + 1 queries from `first` on. */
typedef struct record_clock {
    VkQueryPool queries;
    uint32_t first;
} record_clock;
void record_steps(const session *s, const slot *t, VkCommandBuffer c, uint32_t batch,
                  const record_clock *clock);

/* --- upload.c --- */
/* Checks the request, makes room, writes pixels and request where the device finds them. *bytes of
 * pixels were written. */
status upload_request(session *s, slot *t, const backend_request *request, uint64_t *bytes,
                      error *err);

/* --- results.c --- */
/* after the slot's fence: reads the headers */
status results_receive(session *s, slot *t, error *err);
status results_get(session *s, slot *t, uint32_t image, backend_result *out, error *err);

/* --- transfer.c --- */
status transfer_create(session *s, error *err);
void transfer_destroy(session *s); /* not pending */
status transfer_begin(session *s, error *err);
/* ends, submits, waits */
status transfer_finish(session *s, error *err);
/* waits for what an earlier transfer_finish left behind */
status transfer_wait(session *s, uint64_t timeout_ns, error *err);
/* writes the plan's packed weights into s->weights, which it makes */
status transfer_weights(session *s, error *err);
/* Copies runs of words of a finished slot's arena one after the other to *words (mapped memory of
 * the host, valid until the next transfer). */
typedef struct arena_run {
    uint64_t first, count;
} arena_run;
enum { ARENA_MAX_RUNS = 3 };
status transfer_read_arena(session *s, const slot *t, const arena_run *runs, uint32_t run_count,
                           const uint32_t **words, error *err);
/* Sets every word of a slot's arena that is not in flight (how tests poison it).
 */
status transfer_fill_arena(session *s, const slot *t, uint32_t word, error *err);

/* --- ahead.c --- */
/* Has all pipelines compiled, on several processors as soon as one takes compiling_ns: longer than
 * it takes to find one in the driver's cache. s was just made, with these parameters. */
#define COMPILING_NS 20000000u
status compile_ahead(const vulkan_instance *v, uint32_t index, const backend_params *params,
                     uint64_t compiling_ns, session *s, error *err);

/* --- backend.c --- */
status session_of(backend *b, uint32_t slot_index, session **s, slot **t, error *err);
/* the fence wait that everything uses: capped, VK_TIMEOUT is STATUS_TIMEOUT */
status session_wait_fence(session *s, VkFence fence, uint64_t timeout_ns, error *err);
/* Another plan of the same graph on the same device, with the pipeline cache so far. What was
 * computed is gone. After a failure nothing but this and destroy makes sense. */
status session_replan(session *s, const plan *p, error *err);

#endif
