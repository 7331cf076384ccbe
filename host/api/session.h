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

/* --- detect.c --- */
/* What calls that use every slot begin with: the device is there and nothing is in flight;
 * STATUS_BUSY while somebody holds a ticket. What the last blocking call left is given up. */
status session_take_all(vkdet_session *s, error *err);
status session_read_params(const vkdet_session *s, const vkdet_detect_params *params,
                           nms_params *out, error *err);
/* checks the pictures into s->images */
status session_read_images(vkdet_session *s, const vkdet_pixels *images, uint32_t count,
                           error *err);
/* hands a status of the backend on; after the device is lost only destroy makes sense */
status session_note(vkdet_session *s, status code);

#endif
