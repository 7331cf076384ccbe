/* Counters and histograms, and their text for Prometheus. Every function may be called by any
 * thread. */
#ifndef HOST_SERVE_METRICS_H
#define HOST_SERVE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

/* A request has ended; `sent`: the client has its answer. */
void metrics_request(const struct exchange *e, bool sent);
/* A batch ran on a device. */
void metrics_batch(size_t device, uint32_t pictures, double seconds);

#endif
