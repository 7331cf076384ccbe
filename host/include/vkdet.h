/* vkdet: anchor-based object detection on any GPU that speaks Vulkan. Pixels in, boxes out.
 *
 *     vkdet_context_create(NULL, &context);
 *     vkdet_model_open(context, "detector.vkdet", &model);
 *     vkdet_session_create(context, model, NULL, &session);
 *     vkdet_image_load(context, "photo.jpg", NULL, &image);
 *     vkdet_session_detect_image(session, image, NULL, &result);
 *
 * each of which returns VKDET_OK or a status that vkdet_error_message() explains.
 *
 * Conventions that hold for every function:
 * - A function that can fail returns a vkdet_status; vkdet_error_message() then describes it. On
 * failure out-parameters are NULL or unchanged. Nothing here exits, aborts or prints.
 * - Parameter structs: NULL or all zeros means defaults; initialise with {0} and set what you need.
 * - _destroy(NULL) does nothing. An object is destroyed before the object it was made from.
 * - Strings are UTF-8 and owned by the library unless a comment says otherwise.
 * - Threads: a context and a model may be used by many threads at once. A session belongs to one
 * thread at a time; make one session a thread. An image may be read by many threads.
 */
#ifndef VKDET_H
#define VKDET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(VKDET_STATIC)
#define VKDET_API
#elif defined(_WIN32)
#define VKDET_API __declspec(dllimport)
#elif defined(__GNUC__)
#define VKDET_API __attribute__((visibility("default")))
#else
#define VKDET_API
#endif

#define VKDET_VERSION_MAJOR 0
#define VKDET_VERSION_MINOR 1
#define VKDET_VERSION_PATCH 0
#define VKDET_VERSION       "0.1.0"

/* ------------------------------------------------------------------------------------------------
 * status, log -- */

typedef enum vkdet_status {
    VKDET_OK = 0,
    VKDET_ERROR_ARGUMENT = 1,    /* a parameter makes no sense */
    VKDET_ERROR_MEMORY = 2,      /* host memory ran out */
    VKDET_ERROR_IO = 3,          /* a file could not be opened, read or written */
    VKDET_ERROR_MODEL = 4,       /* malformed or inconsistent model, weights or card */
    VKDET_ERROR_IMAGE = 5,       /* malformed image */
    VKDET_ERROR_UNSUPPORTED = 6, /* well-formed, but not something this build handles */
    VKDET_ERROR_LIMIT = 7,       /* a stated cap would be exceeded */
    VKDET_ERROR_DEVICE = 8,      /* no such device, or the driver refused */
    VKDET_ERROR_DEVICE_LOST = 9, /* sticky: destroy the session and create it anew */
    VKDET_ERROR_TIMEOUT = 10,    /* a bounded wait ran out; the work is still in flight */
    VKDET_ERROR_BUSY = 11,       /* every slot is in flight; wait for a ticket first */
    VKDET_ERROR_DIVERGED = 12,   /* vkdet_verify: a step is outside its contract */
    VKDET_ERROR_INTERNAL = 13    /* a bug in vkdet */
} vkdet_status;

/* "ok", "argument", "device-lost", ... Never NULL. */
VKDET_API const char *vkdet_status_name(vkdet_status status);

/* The message of the last call on this thread that failed: one line, naming the file, layer or flag
 * and the reason. "" when none has failed. Valid until the next vkdet call on this thread. */
VKDET_API const char *vkdet_error_message(void);

/* "0.1.0" of the library that is loaded. */
VKDET_API const char *vkdet_version(void);

typedef enum vkdet_log_level {
    VKDET_LOG_ERROR = 0,
    VKDET_LOG_WARNING = 1,
    VKDET_LOG_INFO = 2,
    VKDET_LOG_DEBUG = 3
} vkdet_log_level;

/* id is a stable short name ("device-picked"); message is one line without a newline. Called on the
 * thread that made the call, possibly by several threads at once. It must not call vkdet. */
typedef void (*vkdet_log_callback)(void *user, vkdet_log_level level, const char *id,
                                   const char *message);

/* -----------------------------------------------------------------------------------------------------
 * context -- */

/* allocate returns memory aligned for any type or NULL; release is given what allocate returned, or
 * NULL. Both are called from any thread that uses vkdet. Both or neither must be set. Libraries
 * that vkdet uses (JPEG, PNG, JSON, the Vulkan driver) allocate on their own. */
typedef struct vkdet_allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory);
    void *user;
} vkdet_allocator;

typedef struct vkdet_context_params {
    vkdet_allocator allocator;
    vkdet_log_callback log;
    void *log_user;
    vkdet_log_level log_level; /* messages above it are dropped; 0 is errors only */
    int validate; /* nonzero: Vulkan validation layers, synchronisation validation included;
                     creation fails when they are not installed */
} vkdet_context_params;

typedef struct vkdet_context vkdet_context;

/* Cheap: the Vulkan loader is opened when a device is first asked for (at once with `validate`). A
 * machine without Vulkan is not an error: it has the device "reference". */
VKDET_API vkdet_status vkdet_context_create(const vkdet_context_params *params,
                                            vkdet_context **out);
VKDET_API void vkdet_context_destroy(vkdet_context *context);
/* Messages of the validation layers so far; 0 when they are off. */
VKDET_API uint64_t vkdet_context_validation_messages(const vkdet_context *context);
/* Releases text that a function documents as the caller's. NULL is fine. */
VKDET_API void vkdet_text_free(vkdet_context *context, char *text);

typedef enum vkdet_device_kind {
    VKDET_DEVICE_REFERENCE = 0, /* scalar C, for comparison and for machines without Vulkan */
    VKDET_DEVICE_DISCRETE_GPU = 1,
    VKDET_DEVICE_INTEGRATED_GPU = 2,
    VKDET_DEVICE_VIRTUAL_GPU = 3,
    VKDET_DEVICE_SOFTWARE = 4, /* a Vulkan driver that runs on the CPU (llvmpipe, SwiftShader) */
    VKDET_DEVICE_OTHER = 5
} vkdet_device_kind;

typedef struct vkdet_device_info {
    char id[32]; /* what `device` below takes: "vulkan:0", "reference" */
    char name[256];
    char driver[256];     /* driver name and version as it reports them; "" when unknown */
    char api_version[32]; /* "1.3.230"; "" for the reference */
    char unusable[128];   /* why vkdet cannot run there; "" when it can */
    vkdet_device_kind kind;
    uint32_t vendor_id, device_id;
    uint64_t memory_bytes; /* of the largest device-local heap; 0 for the reference */
    int is_auto;           /* nonzero for the one that "auto" picks */
} vkdet_device_info;

/* All Vulkan devices in the loader's order, then "reference". */
VKDET_API uint32_t vkdet_device_count(const vkdet_context *context);
VKDET_API vkdet_status vkdet_device_describe(const vkdet_context *context, uint32_t index,
                                             vkdet_device_info *out);

/* -------------------------------------------------------------------------------------------------------
 * model -- */

typedef struct vkdet_model vkdet_model;

/* Maps the container file; the file must not change while the model lives. */
VKDET_API vkdet_status vkdet_model_open(vkdet_context *context, const char *path,
                                        vkdet_model **out);
/* bytes must be 8-byte aligned and outlive the model. */
VKDET_API vkdet_status vkdet_model_open_memory(vkdet_context *context, const void *bytes,
                                               size_t size, vkdet_model **out);
VKDET_API void vkdet_model_destroy(vkdet_model *model);

/* Network file (TensorFlow.js layers model.json with its shards beside it) + card -> container. */
VKDET_API vkdet_status vkdet_convert(vkdet_context *context, const char *model_path,
                                     const char *card_path, const char *out_path);

typedef enum vkdet_nms_mode {
    VKDET_NMS_DEFAULT = 0, /* the card's */
    VKDET_NMS_TFJS = 1,    /* suppressed when IoU >= threshold (double); the article's page */
    VKDET_NMS_TF = 2,      /* suppressed when IoU > threshold (float); TensorFlow C++ */
    VKDET_NMS_TFJS_PER_CLASS = 3, /* the same, each class by itself */
    VKDET_NMS_TF_PER_CLASS = 4
} vkdet_nms_mode;
/* "tfjs", "tf", "tfjs-per-class", "tf-per-class"; "default". VKDET_ERROR_ARGUMENT for any other
 * name. */
VKDET_API vkdet_status vkdet_nms_mode_from_name(const char *name, vkdet_nms_mode *out);

typedef struct vkdet_model_info {
    const char *name, *version, *licence, *source; /* owned by the model */
    int detects; /* nonzero: has boxes; zero: a classifier, only raw outputs */
    uint32_t input_width, input_height, input_channels;
    uint32_t class_count; /* background included, where there is one */
    int background;       /* its class id, or -1 */
    uint32_t anchor_count;
    uint32_t output_count;                 /* raw outputs of the network */
    uint32_t language_count;               /* of labels */
    double score_threshold, iou_threshold; /* defaults */
    uint32_t max_detections;
    vkdet_nms_mode nms_mode;
    char sha256[65]; /* of the tensor data */
} vkdet_model_info;

VKDET_API void vkdet_model_info_get(const vkdet_model *model, vkdet_model_info *out);
/* language NULL: the card's first. NULL when the class or the language does not exist. */
VKDET_API const char *vkdet_model_label(const vkdet_model *model, uint32_t class_id,
                                        const char *language);
/* language i of the labels, or NULL */
VKDET_API const char *vkdet_model_language(const vkdet_model *model, uint32_t index);

/* JSON: card, layers, shapes, parameters, MACs, memory bill. *json is the caller's
 * (vkdet_text_free). */
VKDET_API vkdet_status vkdet_model_describe(vkdet_context *context, const vkdet_model *model,
                                            char **json);
/* JSON: the steps of the plan for a device (NULL: "auto"): kernel, variant, shapes, offsets, FLOPs,
 * bytes, level; the arena and what it costs for a batch. *json is the caller's. */
VKDET_API vkdet_status vkdet_model_plan(vkdet_context *context, const vkdet_model *model,
                                        const char *device, uint32_t batch, char **json);

/* ------------------------------------------------------------------------------------------------------
 * images -- */

typedef enum vkdet_pixel_format {
    VKDET_PIXEL_GRAY8 = 0,
    VKDET_PIXEL_RGB8 = 1,
    VKDET_PIXEL_BGR8 = 2,
    VKDET_PIXEL_RGBA8 = 3, /* alpha is ignored */
    VKDET_PIXEL_BGRA8 = 4,
    VKDET_PIXEL_TENSOR_F32 =
        5 /* the network input itself: input_height x input_width x input_channels floats,
             contiguous, already normalised; stride must be 0 or the exact row size */
} vkdet_pixel_format;

/* Raw pixels, row-major, top row first. Borrowed during the call they are passed to. */
typedef struct vkdet_pixels {
    vkdet_pixel_format format;
    uint32_t width, height; /* 1 .. 65535 */
    size_t stride;          /* bytes from row to row; 0: width * bytes a pixel */
    const void *data;
} vkdet_pixels;

typedef struct vkdet_image_params {
    uint64_t max_pixels;     /* refuse larger pictures before decoding; 0: 100,000,000 */
    uint64_t max_file_bytes; /* 0: 256 MiB */
} vkdet_image_params;

typedef struct vkdet_image vkdet_image;

typedef struct vkdet_image_info {
    uint32_t width, height; /* after orientation */
    uint32_t orientation;   /* EXIF orientation that was applied, 1..8 */
    int partial;            /* nonzero: the file ended early and was decoded as far as it went */
} vkdet_image_info;

/* JPEG, PNG, WebP, BMP, GIF (first frame), TGA, PNM, told apart by content. EXIF orientation is
 * applied. */
VKDET_API vkdet_status vkdet_image_decode(vkdet_context *context, const void *bytes, size_t size,
                                          const vkdet_image_params *params, vkdet_image **out);
VKDET_API vkdet_status vkdet_image_load(vkdet_context *context, const char *path,
                                        const vkdet_image_params *params, vkdet_image **out);
VKDET_API void vkdet_image_destroy(vkdet_image *image);
VKDET_API void vkdet_image_info_get(const vkdet_image *image, vkdet_image_info *out);
/* Valid as long as the image is neither drawn on nor destroyed. */
VKDET_API vkdet_pixels vkdet_image_pixels(const vkdet_image *image);

/* ----------------------------------------------------------------------------------------------------
 * sessions -- */

typedef struct vkdet_detection {
    float box[4]; /* x1 y1 x2 y2 in pixels of the (oriented) picture, clipped to it */
    float score;
    uint32_t class_id;
    uint32_t anchor; /* index of the anchor it came from; total order is (score descending, anchor
                        ascending) */
} vkdet_detection;

typedef struct vkdet_result {
    const vkdet_detection *detections;
    uint32_t count;
    uint32_t candidates; /* anchors above the score threshold, before suppression */
    uint32_t near_ties;  /* decisions the device left to the reference: overlaps within rounding
                            of the threshold, boxes that are no numbers, and on some software
                            drivers runs beyond their loop limit */
} vkdet_result;

typedef struct vkdet_session_params {
    const char *device;      /* "auto" (NULL), "vulkan:N", "reference" */
    uint32_t max_batch;      /* images a submission, up to 4096; 0: 1 */
    uint32_t slots;          /* submissions in flight, up to 16; 0: 2 */
    uint32_t max_detections; /* capacity of one image's result; 0: the card's; UINT32_MAX: one an
                                anchor */
    int keep_outputs;        /* nonzero: vkdet_session_output works */
    const char *cache_dir; /* of the pipeline cache; NULL: $XDG_CACHE_HOME/vkdet or ~/.cache/vkdet;
                              "": none */
} vkdet_session_params;

typedef struct vkdet_detect_params {
    double score_threshold;  /* keep scores above it; 0: the card's. To say "above zero" ask for
                                1e-300; a negative number keeps every anchor that has a score */
    double iou_threshold;    /* 0: the card's; 0 < t <= 1 */
    uint32_t max_detections; /* 0: the session's capacity; never more than that */
    vkdet_nms_mode nms_mode;
} vkdet_detect_params;

typedef struct vkdet_session vkdet_session;
typedef uint64_t vkdet_ticket;

#define VKDET_WAIT_FOREVER UINT64_MAX /* still bounded: ten minutes, then VKDET_ERROR_TIMEOUT */

/* Plans, uploads weights, builds pipelines, allocates. What follows allocates only where a call
 * goes beyond all before it: a larger picture, a batch of a size not seen yet (its commands are
 * recorded then), more results in one blocking call. A model without boxes (a classifier) needs
 * keep_outputs: VKDET_ERROR_MODEL otherwise. */
VKDET_API vkdet_status vkdet_session_create(vkdet_context *context, const vkdet_model *model,
                                            const vkdet_session_params *params,
                                            vkdet_session **out);
VKDET_API void vkdet_session_destroy(vkdet_session *session);
/* The device that was picked. */
VKDET_API void vkdet_session_device(const vkdet_session *session, vkdet_device_info *out);

typedef struct vkdet_session_memory {
    uint64_t
        device_bytes; /* allocated on the device: weights, arenas, pixels, results of all slots */
    uint64_t host_visible_bytes; /* of them or besides: what the host can map */
    uint64_t arena_bytes;        /* of one image in one slot; 0 for the reference, likewise: */
    uint64_t weight_bytes;
} vkdet_session_memory;
VKDET_API void vkdet_session_memory_get(const vkdet_session *session, vkdet_session_memory *out);

/* Blocking: count images (any number; split into batches), one result each, in order. *results
 * points to `count` results, valid until the next call on the session. VKDET_ERROR_BUSY while
 * tickets are in flight. One image that cannot be taken fails the call; after VKDET_ERROR_TIMEOUT
 * the next call first waits for what is still running. */
VKDET_API vkdet_status vkdet_session_detect(vkdet_session *session, const vkdet_pixels *images,
                                            size_t count, const vkdet_detect_params *params,
                                            const vkdet_result **results);
/* One decoded picture. */
VKDET_API vkdet_status vkdet_session_detect_image(vkdet_session *session, const vkdet_image *image,
                                                  const vkdet_detect_params *params,
                                                  const vkdet_result **result);

/* Asynchronous: up to `slots` submissions of up to max_batch images. The pixels are copied before
 * submit returns. Tickets may be waited for in any order; results stay valid until release, which
 * frees the slot. After VKDET_ERROR_TIMEOUT the ticket may be waited for again. */
VKDET_API vkdet_status vkdet_session_submit(vkdet_session *session, const vkdet_pixels *images,
                                            uint32_t count, const vkdet_detect_params *params,
                                            vkdet_ticket *ticket);
VKDET_API vkdet_status vkdet_session_wait(vkdet_session *session, vkdet_ticket ticket,
                                          uint64_t timeout_ns, const vkdet_result **results,
                                          uint32_t *count);
VKDET_API vkdet_status vkdet_session_release(vkdet_session *session, vkdet_ticket ticket);

/* Raw network output `index` of image `image` of the ticket (waited for, not released; ticket 0: of
 * the last batch of the last vkdet_session_detect), dense, in the order of the network's own
 * outputs. floats has room for `capacity`; *count says how many there are. floats NULL asks for the
 * count only. Needs keep_outputs. */
VKDET_API vkdet_status vkdet_session_output(vkdet_session *session, vkdet_ticket ticket,
                                            uint32_t image, uint32_t index, float *floats,
                                            size_t capacity, size_t *count);

/* Runs every step on the device (NULL: "auto") and in the reference on the same inputs and compares
 * within the contract of each. image NULL: a seeded noise picture. *json (the caller's) lists the
 * steps; VKDET_ERROR_DIVERGED when one is outside, and *json is set then too. */
VKDET_API vkdet_status vkdet_verify(vkdet_context *context, const vkdet_model *model,
                                    const char *device, const vkdet_pixels *image, char **json);

/* -----------------------------------------------------------------------------------------------------
 * drawing -- */

typedef struct vkdet_mark {
    float box[4];     /* pixels */
    uint32_t colour;  /* 0xRRGGBB */
    const char *text; /* UTF-8; NULL or "": no label */
} vkdet_mark;

/* Boxes with labels on the picture itself. Line width and letter size follow the picture's size. */
VKDET_API vkdet_status vkdet_image_draw(vkdet_image *image, const vkdet_mark *marks, size_t count);
/* Encodes into the file format that the path's ending names (.png, .jpg, .jpeg), writing beside it
 * and renaming. quality 1..100 for JPEG; 0: 90. */
VKDET_API vkdet_status vkdet_image_save(const vkdet_image *image, const char *path, int quality);

#ifdef __cplusplus
}
#endif

#endif
