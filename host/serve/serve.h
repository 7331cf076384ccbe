/* vkdet serve: detection over HTTP. The one function that the program calls. */
#ifndef HOST_SERVE_SERVE_H
#define HOST_SERVE_SERVE_H

#include "vkdet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SERVE_DEVICES = 32 };

typedef struct serve_params {
    vkdet_context *context;
    vkdet_model *model;           /* the default model, which the server takes over; or NULL and: */
    const char *model_repository; /* a folder */
    const char *devices[SERVE_DEVICES];
    size_t device_count;
    vkdet_precision precision;
    vkdet_tune tune;
    vkdet_winograd winograd;
    const char *cache_dir;
    uint32_t threads; /* of the device cpu; 0: one a core */

    const char *host;  /* an address to bind; NULL: 127.0.0.1 */
    uint16_t port;     /* 0: any that is free */
    bool allow_anyone; /* beyond loopback without a token */
    const char *token_file;
    const char *allow_host;  /* names with commas between, or "*"; NULL: see authority.h */
    const char *cors_origin; /* NULL: no CORS */
    const char *access_log;  /* a file, or "-" for standard output; NULL: none */

    /* limits; none of them 0 */
    uint32_t max_batch, max_queue;
    uint64_t max_queue_delay_ns;
    uint64_t max_body, max_pixels, max_held; /* bytes, pixels, bytes of all requests together */
    uint32_t max_connections;
    uint64_t timeout_ns, longest_timeout_ns; /* of a request: by default, and that it may ask for */
    uint64_t receive_ns, idle_ns,
        send_ns;       /* for a request to arrive, the next to begin, the answer to go */
    uint64_t drain_ns; /* for a request under way when the server is told to end */

    void *user;
    /* one line for the operator */
    void (*note)(void *user, const char *line);
    void (*error)(void *user, const char *line);
    /* The address it serves on, when it is ready. */
    void (*ready)(void *user, const char *address);
} serve_params;

typedef enum serve_outcome {
    SERVE_GOOD = 0, /* told to end by a signal, and drained */
    SERVE_USAGE,    /* parameters that make no sense together */
    SERVE_DEVICE,
    SERVE_MODEL,
    SERVE_NETWORK, /* the address cannot be bound, or a log not be written */
    SERVE_ABSENT   /* the build has no HTTP library */
} serve_outcome;

/* Serves until SIGTERM or SIGINT. */
serve_outcome serve_run(const serve_params *params);

#endif
