/* The server as a whole: what its parts share. */
#ifndef HOST_SERVE_SERVER_H
#define HOST_SERVE_SERVER_H

#include "host/serve/access_log.h"
#include "host/serve/authority.h"
#include "host/serve/batcher.h"
#include "host/serve/guard.h"
#include "host/serve/metrics.h"
#include "host/serve/pool.h"
#include "host/serve/repository.h"
#include "host/serve/serve.h"

#include <stdatomic.h>

typedef struct server {
    const serve_params *params;
    repository models;
    batcher *batcher;
    pool *pool; /* decodes and encodes */
    struct http *http;
    guard guard;
    authority authority;
    char *info; /* the answer of /v1/info */
    atomic_bool draining;
    _Atomic uint64_t held_bytes; /* of bodies */
    metrics metrics;
    access_log log;
} server;

/* Monotonic nanoseconds. */
uint64_t serve_now(void);

#endif
