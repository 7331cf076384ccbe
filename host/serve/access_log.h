/* The access log: a JSON object a request. */
#ifndef HOST_SERVE_ACCESS_LOG_H
#define HOST_SERVE_ACCESS_LOG_H

#include <stdbool.h>

struct exchange;

/* A request has ended; `sent`: the client has its answer. */
void access_log_request(const struct exchange *e, bool sent);

#endif
