/* The address to serve on. */
#ifndef HOST_SERVE_ADDRESS_H
#define HOST_SERVE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* whether this machine alone reaches it; of IPv4 in IPv6's form too */
bool address_is_loopback(const struct sockaddr *address);

/* A socket bound to host (NULL: 127.0.0.1) and port (0: a free one), not yet listening; text
 * becomes the URL of it. -1: message says why. Beyond loopback it needs a token, or leave. */
int address_bind(const char *host, uint16_t port, bool allow_anyone, bool has_token, char *text,
                 size_t text_size, char *message, size_t message_size);

#endif
