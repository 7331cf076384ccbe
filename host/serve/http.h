/* The HTTP side: the daemon, connections and their limits. */
#ifndef HOST_SERVE_HTTP_H
#define HOST_SERVE_HTTP_H

#include "host/serve/server.h"

typedef struct http http;

/* Binds; `address` becomes what to open. NULL: message says why. */
http *http_create(server *s, char *address, size_t address_size, char *message,
                  size_t message_size);
/* From here on requests are answered. */
bool http_start(http *h, char *message, size_t message_size);
/* Called a few times a second: ends what takes longer than the limits. */
void http_sweep(http *h, uint64_t now_ns);
/* No new connections; those under way that wait for a request are closed, also later on. */
void http_drain(http *h);
/* Requests whose answer is not yet sent. */
uint64_t http_busy(const http *h);
uint64_t http_connections(const http *h);
/* Every request must have been answered. NULL is fine. */
void http_destroy(http *h);

#endif
