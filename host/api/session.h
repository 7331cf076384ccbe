/* The session's inside: slots, tickets and where results are kept. */
#ifndef HOST_API_SESSION_H
#define HOST_API_SESSION_H

#include "host/api/api.h"

typedef enum slot_state {
    SLOT_FREE = 0,
    SLOT_IN_FLIGHT,
    SLOT_DONE,
    SLOT_ABANDONED /* in flight, but the call that began it has failed */
} slot_state;

typedef struct picture_size {
    uint32_t width, height;
} picture_size;

typedef struct session_slot {
    slot_state state;
    vkdet_ticket ticket;
    uint32_t count;
    picture_size *sizes;         /* max_batch */
    vkdet_result *results;       /* max_batch */
    vkdet_detection *detections; /* max_batch * capacity */
} session_slot;

struct vkdet_session {
    vkdet_context *context;
    const model *model;
    prepared ready;
    backend *backend;
    const graph *graph; /* the one that the backend runs */
    uint32_t max_batch, slot_count, capacity;
    bool keep_outputs;
    status lost; /* STATUS_DEVICE_LOST once the device was lost */
    uint64_t sequence;
    session_slot *slots;
    pixels *images;     /* max_batch, scratch of submit */
    uint32_t last_slot; /* of the last blocking call; max: none */
    /* results of blocking calls, grown to the largest call so far */
    vkdet_result *all_results;
    size_t all_results_capacity;
    vkdet_detection *all_detections;
    size_t all_detections_capacity;
};

#endif
