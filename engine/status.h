/* Status codes and error messages that travel up through every layer.
 *
 * A function that can fail returns a `status` and, on failure, describes it in the `error` its
 * caller passed last. Results come back through out-parameters, which are left untouched (or NULL)
 * on failure. `error` may be NULL. */
#ifndef ENGINE_STATUS_H
#define ENGINE_STATUS_H

/* The values equal those of vkdet_status in the public header; host/api asserts it. */
typedef enum status {
    STATUS_OK = 0,
    STATUS_ARGUMENT = 1,    /* the caller passed something that makes no sense */
    STATUS_MEMORY = 2,      /* host memory ran out */
    STATUS_IO = 3,          /* a file could not be opened, read or written */
    STATUS_MODEL = 4,       /* a model, weights or card file is malformed or inconsistent */
    STATUS_IMAGE = 5,       /* an image is malformed */
    STATUS_UNSUPPORTED = 6, /* well-formed, but not something this build handles */
    STATUS_LIMIT = 7,       /* a stated cap would be exceeded */
    STATUS_DEVICE = 8,      /* no such device, or the driver refused a call */
    STATUS_DEVICE_LOST = 9, /* the device was lost; sticky until the session is rebuilt */
    STATUS_TIMEOUT = 10,    /* a bounded wait ran out */
    STATUS_BUSY = 11,       /* every slot is in flight; wait for one first */
    STATUS_DIVERGED = 12,   /* a comparison with the reference failed its contract */
    STATUS_INTERNAL = 13    /* a bug of ours, caught before it did harm */
} status;

#define ERROR_TEXT_MAX 1024

typedef struct error {
    status code;
    char text[ERROR_TEXT_MAX]; /* UTF-8, one line, no trailing newline, always terminated */
} error;

#if defined(__GNUC__)
#define ENGINE_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define ENGINE_PRINTF(format_index, first)
#endif

/* Stores code and message (control characters replaced by '?'); returns code, so that `return
 * error_set(...)` reads well. */
status error_set(error *err, status code, const char *format, ...) ENGINE_PRINTF(3, 4);

/* Puts context in front of the message that is already there: "model.json: weights ...". Returns
 * err->code. */
status error_prefix(error *err, const char *format, ...) ENGINE_PRINTF(2, 3);

/* Short constant name of a code: "ok", "argument", "memory", ... */
const char *status_name(status code);

#endif
