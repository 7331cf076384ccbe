/* Counters and histograms, and their text for Prometheus. Every function may be called by any
 * thread; none of them takes a lock. */
#ifndef HOST_SERVE_METRICS_H
#define HOST_SERVE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct exchange;
struct server;

enum {
    METRICS_DEVICES = 32, /* SERVE_DEVICES */
    METRICS_ROUTES = 32,
    METRICS_CODES = 24,
    METRICS_BUCKETS = 18
};

typedef struct histogram {
    _Atomic uint64_t buckets[METRICS_BUCKETS + 1]; /* the last: above all bounds */
    _Atomic uint64_t sum;                          /* nanoseconds, or pictures */
} histogram;

typedef struct metrics {
    _Atomic uint64_t requests[METRICS_ROUTES][METRICS_CODES];
    _Atomic uint64_t aborted[METRICS_ROUTES]; /* the client went before its answer was sent */
    _Atomic uint64_t pictures, failed_pictures;
    histogram request_seconds, decode_seconds, queue_seconds;
    histogram compute_seconds[METRICS_DEVICES], batch_size[METRICS_DEVICES];
} metrics;

/* A request has ended; `sent`: the client has its answer. */
void metrics_request(metrics *m, const struct exchange *e, bool sent);
/* A batch ran on a device. */
void metrics_batch(metrics *m, size_t device, uint32_t pictures, uint64_t ns);
/* A picture is through, well or not. */
void metrics_picture(metrics *m, bool good);
void metrics_seconds(histogram *h, uint64_t ns);

/* The text of all. */
void metrics_write(FILE *out, struct server *s);

#endif
