/* vkdet: anchor-based object detection on any GPU that speaks Vulkan. Pixels in, boxes out.
 *
 *     vkdet_context_create(NULL, &context);
 *     vkdet_model_open_builtin(context, &model);
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
/* Hexadecimal digest of the shaders that the library carries: two builds with the same one run the
 * same kernels. */
VKDET_API const char *vkdet_shader_digest(void);

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
/* Releases text or bytes that a function documents as the caller's. NULL is fine. */
VKDET_API void vkdet_text_free(vkdet_context *context, char *text);
VKDET_API void vkdet_bytes_free(vkdet_context *context, void *bytes);

typedef enum vkdet_device_kind {
    VKDET_DEVICE_REFERENCE = 0, /* scalar C, for comparison and for machines without Vulkan */
    VKDET_DEVICE_DISCRETE_GPU = 1,
    VKDET_DEVICE_INTEGRATED_GPU = 2,
    VKDET_DEVICE_VIRTUAL_GPU = 3,
    VKDET_DEVICE_SOFTWARE = 4, /* a Vulkan driver that runs on the CPU (llvmpipe, SwiftShader) */
    VKDET_DEVICE_OTHER = 5,
    VKDET_DEVICE_CPU = 6 /* this machine's processors, by oneDNN and loops of our own */
} vkdet_device_kind;

typedef struct vkdet_device_info {
    char id[32]; /* what `device` below takes: "vulkan:0", "cpu", "reference" */
    char name[256];
    char driver[256];     /* driver name and version as it reports them; "" when unknown */
    char api_version[32]; /* "1.3.230"; "" for the reference */
    char unusable[128];   /* why vkdet cannot run there; "" when it can */
    vkdet_device_kind kind;
    uint32_t vendor_id, device_id;
    uint64_t memory_bytes; /* of the largest device-local heap; 0 for the reference */
    int is_auto;           /* nonzero for the one that "auto" picks */
    char pci[16];          /* where a GPU sits, "0000:c1:00.0"; "" when its driver does not tell */
    char drm[16];          /* its node as in Linux' /sys/dev/char, "226:128"; "" likewise */
} vkdet_device_info;

/* All Vulkan devices in the loader's order, then "cpu", then "reference". "auto" is a discrete
 * GPU, else an integrated or virtual one, else the cpu, else (in a build without oneDNN) the
 * reference; a Vulkan driver that runs on the CPU is never picked, only named. */
VKDET_API uint32_t vkdet_device_count(const vkdet_context *context);
VKDET_API vkdet_status vkdet_device_describe(const vkdet_context *context, uint32_t index,
                                             vkdet_device_info *out);

/* What the network's values are stored as; sums are always fp32 (or wider). */
typedef enum vkdet_precision {
    VKDET_PRECISION_AUTO = 0, /* fp16 on a GPU that has it in hardware, for a model whose card says
                                 that it is fit for it (models/CARD.md); else fp32 */
    VKDET_PRECISION_FP32 = 1,
    VKDET_PRECISION_FP16 = 2, /* maps and kernels as binary16; outputs stay fp32. Vulkan devices */
    VKDET_PRECISION_BF16 = 3  /* the cpu device alone */
} vkdet_precision;
/* "auto", "fp32", "fp16", "bf16". Never NULL. */
VKDET_API const char *vkdet_precision_name(vkdet_precision precision);
/* VKDET_ERROR_ARGUMENT for any other name. */
VKDET_API vkdet_status vkdet_precision_from_name(const char *name, vkdet_precision *out);

/* How long a session may try the variants of its kernels, the first time that a network meets a
 * device. What was chosen is kept in the cache folder (one small file a network, device, driver,
 * precision, vkdet_winograd and power of two of max_batch) and taken from there ever after, so that
 * a device stays with its choice. Two tunings without such a file may choose differently, since
 * they measure.
 *
 * In fp32 all variants compute the same bits. In fp16 some sum in another order: there results stay
 * the same as long as what is kept does, and VKDET_TUNE_OFF gives the same ones on every machine
 * with that device. Devices other than Vulkan's have nothing to choose. */
typedef enum vkdet_tune {
    VKDET_TUNE_DEFAULT = 0, /* sessions: quick on a GPU where the choice can be kept; on drivers
                               that run on the processor, without a cache folder, and for everything
                               that makes no session (plan, verify): what is kept, else as off */
    VKDET_TUNE_OFF = 1,   /* the variants that suit the kind of device; nothing is tried or read */
    VKDET_TUNE_QUICK = 2, /* the likely ones first; nothing is begun that would not end within two
                             seconds if it took as long as what took longest so far, but the first
                             takes what its driver needs to compile it */
    VKDET_TUNE_FULL = 3   /* every variant, several times; what quick chose is tried anew */
} vkdet_tune;
/* "default", "off", "quick", "full". VKDET_ERROR_ARGUMENT for any other name. */
VKDET_API vkdet_status vkdet_tune_from_name(const char *name, vkdet_tune *out);

/* Which 3x3 convolutions a Vulkan device computes in fp32 by way of Winograd's F(4x4, 3x3): a
 * quarter of the multiplications, summed in another order, so that results differ in their last
 * digits from those of the plain sum; each way has a contract that vkdet_verify judges it by. It
 * can be those of stride 1 without dilation or groups. Which of them go that way follows from this,
 * the kind of device and the convolution's shape alone, never from tuning or the batch. Without
 * effect in fp16 and bf16, and on the devices "cpu" and "reference". */
typedef enum vkdet_winograd {
    VKDET_WINOGRAD_AUTO = 0, /* on a driver that runs on the processor, those whose shape gains by
                                it, by a rule; on a GPU none: it gains in large batches there,
                                and loses in small ones */
    VKDET_WINOGRAD_NEVER = 1,
    VKDET_WINOGRAD_ALWAYS = 2 /* all that can */
} vkdet_winograd;
/* "auto", "never", "always". VKDET_ERROR_ARGUMENT for any other name. */
VKDET_API vkdet_status vkdet_winograd_from_name(const char *name, vkdet_winograd *out);

/* -------------------------------------------------------------------------------------------------------
 * model -- */

typedef struct vkdet_model vkdet_model;

/* Maps the container file; the file must not change while the model lives. */
VKDET_API vkdet_status vkdet_model_open(vkdet_context *context, const char *path,
                                        vkdet_model **out);
/* bytes must be 8-byte aligned and outlive the model. */
VKDET_API vkdet_status vkdet_model_open_memory(vkdet_context *context, const void *bytes,
                                               size_t size, vkdet_model **out);
/* The detector that the library carries: faces with and without masks on street pictures
 * (models/street-320 in the source). No file is read. VKDET_ERROR_UNSUPPORTED when the library was
 * built without it. */
VKDET_API vkdet_status vkdet_model_open_builtin(vkdet_context *context, vkdet_model **out);
VKDET_API void vkdet_model_destroy(vkdet_model *model);

/* How a container stores the weights; the network computes with what is stored, in any case. */
typedef enum vkdet_weight_type {
    VKDET_WEIGHTS_EXACT = 0, /* tensors whose every value is a binary16 as such, the others as
                                binary32: nothing is lost */
    VKDET_WEIGHTS_FP16 = 1,  /* binary16, rounded to the nearest, ties to even; but parameters of a
                                batch norm are not rounded. A value of 65520 or more is
                                VKDET_ERROR_LIMIT */
    VKDET_WEIGHTS_FP32 = 2
} vkdet_weight_type;
/* "exact", "fp16", "fp32". VKDET_ERROR_ARGUMENT for any other name. */
VKDET_API vkdet_status vkdet_weight_type_from_name(const char *name, vkdet_weight_type *out);

typedef struct vkdet_convert_params {
    vkdet_weight_type weights;
} vkdet_convert_params;

/* Network file (TensorFlow.js layers model.json with its shards beside it) + card -> container. */
VKDET_API vkdet_status vkdet_convert(vkdet_context *context, const char *model_path,
                                     const char *card_path, const vkdet_convert_params *params,
                                     const char *out_path);

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

/* JSON: card, layers, shapes, parameters, MACs, memory bill, tensors as stored. *json is the
 * caller's (vkdet_text_free). */
VKDET_API vkdet_status vkdet_model_describe(vkdet_context *context, const vkdet_model *model,
                                            char **json);
typedef struct vkdet_plan_params {
    const char *device; /* as in vkdet_session_params */
    uint32_t batch;     /* that the memory is stated for; 0: 1 */
    vkdet_precision precision;
    vkdet_tune tune;       /* the default shows what a session takes that has been tuned before */
    const char *cache_dir; /* as in vkdet_session_params */
    uint32_t slots;        /* likewise, 0: 2 */
    vkdet_winograd winograd;
} vkdet_plan_params;

/* JSON: the steps of the plan for a device: kernel, variant (which of how many), shapes, offsets,
 * FLOPs, bytes, level; the arena, and the memory that a session will have (device_bytes and
 * host_visible_bytes as in vkdet_session_memory, for pictures of the network's size: the pixels of
 * larger ones take more once they come). On a GPU that is stated before anything is allocated; on
 * the host a session is made for it and goes again. The cpu leaves out what only GPUs have (groups,
 * shaders, buffers). *json is the caller's. */
VKDET_API vkdet_status vkdet_model_plan(vkdet_context *context, const vkdet_model *model,
                                        const vkdet_plan_params *params, char **json);

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
    const char *device;        /* "auto" (NULL), "vulkan:N", "cpu", "reference" */
    uint32_t max_batch;        /* images a submission, up to 4096; 0: 1 */
    uint32_t slots;            /* submissions in flight, up to 16; 0: 2 */
    uint32_t max_detections;   /* capacity of one image's result; 0: the card's; UINT32_MAX: one an
                                  anchor */
    int keep_outputs;          /* nonzero: vkdet_session_output works */
    const char *cache_dir;     /* of pipelines and tuning; NULL: $XDG_CACHE_HOME/vkdet or
                                  ~/.cache/vkdet; "": none. Pipelines of the same device, unused
                                  for 30 days, are removed when new ones are written. */
    vkdet_precision precision; /* VKDET_ERROR_UNSUPPORTED where the device cannot */
    vkdet_tune tune;           /* without effect where there is nothing to choose */
    uint32_t threads;          /* of the device "cpu", up to 1024; 0: one a core */
    vkdet_winograd winograd;   /* fp32 on Vulkan devices */
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
 * recorded then), more results in one blocking call. The first time that a GPU meets a network its
 * kernels are tried (vkdet_tune) and compared with the reference on a noise picture:
 * VKDET_ERROR_DEVICE names a step that the driver computes wrong. A model without boxes (a
 * classifier) needs keep_outputs: VKDET_ERROR_MODEL otherwise. */
VKDET_API vkdet_status vkdet_session_create(vkdet_context *context, const vkdet_model *model,
                                            const vkdet_session_params *params,
                                            vkdet_session **out);
VKDET_API void vkdet_session_destroy(vkdet_session *session);
/* The device that was picked. */
VKDET_API void vkdet_session_device(const vkdet_session *session, vkdet_device_info *out);
/* The precision in use: never VKDET_PRECISION_AUTO. */
VKDET_API vkdet_precision vkdet_session_precision(const vkdet_session *session);

typedef struct vkdet_session_memory {
    uint64_t
        device_bytes; /* allocated on the device: weights, arenas, pixels, results of all slots */
    uint64_t host_visible_bytes; /* of them or besides: what the host can map */
    uint64_t arena_bytes; /* of one image (in one slot, on a GPU); 0 for the reference, likewise: */
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

typedef struct vkdet_verify_params {
    const char *device; /* as in vkdet_session_params */
    vkdet_precision precision;
    vkdet_tune tune;       /* the default verifies what sessions of max_batch take */
    const char *cache_dir; /* as in vkdet_session_params */
    uint32_t max_batch;    /* whose choice of kernels is verified, on one image; 0: 1 */
    vkdet_winograd winograd;
} vkdet_verify_params;

/* Runs every step on the device and in the reference on the same inputs and compares within the
 * contract of each. image NULL: a seeded noise picture. *json (the caller's) lists the steps;
 * VKDET_ERROR_DIVERGED when one is outside, and *json is set then too. */
VKDET_API vkdet_status vkdet_verify(vkdet_context *context, const vkdet_model *model,
                                    const vkdet_verify_params *params, const vkdet_pixels *image,
                                    char **json);

/* -----------------------------------------------------------------------------------------------------
 * measuring -- */

/* A step of what a session runs: one dispatch of a kernel, or one operator. */
typedef struct vkdet_step {
    const char *name;   /* the layer's, or "preprocess", "decode", ...; owned by the session, as: */
    const char *kernel; /* family: "conv2d", "pool", ... */
    const char *variant; /* member of the family; "" where there is but one */
    uint32_t level;      /* steps of one level may run side by side */
    /* of one image, as the algorithm needs them: a multiplication and an addition are two flops;
     * each input is read once and each output written once. Weights are read once a batch. */
    uint64_t flops, bytes_read, bytes_written, weight_bytes;
} vkdet_step;

VKDET_API uint32_t vkdet_session_step_count(const vkdet_session *session);
/* VKDET_ERROR_ARGUMENT when there is no such step. */
VKDET_API vkdet_status vkdet_session_step(const vkdet_session *session, uint32_t index,
                                          vkdet_step *out);

/* Measures on the device's own clock. The batch (1 to max_batch images) is uploaded once; then,
 * each of `runs` times, it is computed twice:
 * - as always: total_ns[run] is the device's time for the whole batch, from its first step to its
 *   results, copies in excluded;
 * - step by step: step_ns[run * step_count + step]. Steps of one level, which otherwise share the
 *   device, are run one at a time then, so that each is measured alone, and every step waits for
 *   the one before: they need not add up to total_ns.
 * What is done for the first time is done before. Either may be NULL and is then not measured.
 * Nanoseconds. On devices without a clock of their own (reference, cpu) it is the host's, and on
 * the reference total_ns is the sum. VKDET_ERROR_DEVICE when the device's clock cannot be right.
 * VKDET_ERROR_UNSUPPORTED when the device's queue keeps no time. VKDET_ERROR_BUSY while tickets are
 * in flight. Results are not kept; this call allocates. */
VKDET_API vkdet_status vkdet_session_profile(vkdet_session *session, const vkdet_pixels *images,
                                             uint32_t count, const vkdet_detect_params *params,
                                             uint32_t runs, uint64_t *step_ns, uint64_t *total_ns);

/* Throughput of the device alone: uploads the batch to every slot once, then computes it `runs`
 * times, slot after slot, back to back, without moving pixels or results. *ns is the host's time
 * from the first submission to the last completion, in nanoseconds; where a first run costs more,
 * each slot was run once before. VKDET_ERROR_BUSY while tickets are in flight. Results are not
 * kept; the first call allocates. */
VKDET_API vkdet_status vkdet_session_repeat(vkdet_session *session, const vkdet_pixels *images,
                                            uint32_t count, const vkdet_detect_params *params,
                                            uint32_t runs, uint64_t *ns);

/* What a device reaches in small kernels that do one thing: the roofs of a roofline. Each is 0
 * where the device has no such thing, or this build no kernel for it. */
typedef struct vkdet_device_peaks {
    double fp32_flops;        /* multiply-adds in registers, two flops each, a second; on a cpu
                                 without AVX2 (bf16_flops: without AMX) in a large convolution */
    double fp16_flops;        /* likewise in binary16 */
    double matrix_fp16_flops; /* cooperative matrices, binary16 factors, binary32 sums */
    double bf16_flops;        /* bfloat16 factors, binary32 sums */
    double copy_bytes;     /* read plus written by a kernel that copies device memory, a second */
    double read_bytes;     /* read by a kernel that adds up device memory, a second */
    double upload_bytes;   /* from memory that the host writes to memory of the device */
    double download_bytes; /* and back */
    double dispatch_ns;    /* an empty dispatch and its barrier, in nanoseconds */
} vkdet_device_peaks;

/* Measures them on a device (NULL: "auto") in about two seconds. Nothing else should be running
 * there. VKDET_ERROR_UNSUPPORTED for the reference. */
VKDET_API vkdet_status vkdet_device_peaks_measure(vkdet_context *context, const char *device,
                                                  vkdet_device_peaks *out);

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

typedef enum vkdet_image_codec { VKDET_IMAGE_PNG = 0, VKDET_IMAGE_JPEG = 1 } vkdet_image_codec;
/* The same, into memory: the bytes that vkdet_image_save would write. *bytes is the caller's
 * (vkdet_bytes_free). */
VKDET_API vkdet_status vkdet_image_encode(const vkdet_image *image, vkdet_image_codec codec,
                                          int quality, void **bytes, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
