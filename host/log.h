/* Log messages of the library: one table of ids, delivered through the caller's callback. */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "vkdet.h"

/* id, default level. The id's text is its name with '-' for '_' ("device-picked"). */
#define LOG_TABLE(X)                                                                               \
    X(device_picked, VKDET_LOG_INFO)                                                               \
    X(no_vulkan, VKDET_LOG_WARNING)                                                                \
    X(no_gpu, VKDET_LOG_INFO)                                                                      \
    X(validation, VKDET_LOG_ERROR)                                                                 \
    X(cache_loaded, VKDET_LOG_DEBUG)                                                               \
    X(cache_ignored, VKDET_LOG_WARNING)                                                            \
    X(cache_not_written, VKDET_LOG_WARNING)                                                        \
    X(cache_removed, VKDET_LOG_DEBUG)                                                              \
    X(known_answer, VKDET_LOG_DEBUG)                                                               \
    X(tuned, VKDET_LOG_INFO)                                                                       \
    X(tuning_skipped, VKDET_LOG_INFO)                                                              \
    X(tuning_loaded, VKDET_LOG_DEBUG)                                                              \
    X(tuning_ignored, VKDET_LOG_WARNING)                                                           \
    X(tuning_not_kept, VKDET_LOG_WARNING)                                                          \
    X(memory_bill, VKDET_LOG_DEBUG)                                                                \
    X(near_ties, VKDET_LOG_INFO)                                                                   \
    X(compiled_ahead, VKDET_LOG_DEBUG)                                                             \
    X(driver_quirk, VKDET_LOG_INFO)                                                                \
    X(device_lost, VKDET_LOG_ERROR)                                                                \
    X(image_partial, VKDET_LOG_WARNING)                                                            \
    X(font_missing, VKDET_LOG_WARNING)                                                             \
    X(model_loaded, VKDET_LOG_DEBUG)

typedef enum log_id {
#define LOG_ENUM(id, level) LOG_##id,
    LOG_TABLE(LOG_ENUM)
#undef LOG_ENUM
        LOG_ID_COUNT
} log_id;

typedef struct logger {
    vkdet_log_callback write; /* may be NULL */
    void *user;
    vkdet_log_level level; /* messages above it are dropped */
} logger;

/* Thread-safe as far as the callback is. */
void log_write(const logger *l, log_id id, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif
