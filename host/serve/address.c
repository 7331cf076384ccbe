/* Resolving, the rule for addresses that others can reach, binding. */
#include "host/serve/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
    }
    return false;
}

static int bind_to(const struct addrinfo *found, char *text, size_t size)
{
    const int on = 1;
    int descriptor = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    char host[INET6_ADDRSTRLEN + 8], port[8];
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(descriptor, found->ai_addr, found->ai_addrlen) != 0 ||
        getsockname(descriptor, (struct sockaddr *)(void *)&bound, &length) != 0 ||
        getnameinfo((struct sockaddr *)(void *)&bound, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        int kept = errno;
        (void)close(descriptor);
        errno = kept;
        return -1;
    }
    bool v6 = found->ai_family == AF_INET6;
    (void)snprintf(text, size, "http://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
    return descriptor;
}

int address_bind(const char *host, uint16_t port, bool allow_anyone, bool has_token, char *text,
                 size_t text_size, char *message, size_t message_size)
{
    const char *wanted = host ? host : "127.0.0.1";
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int failed = getaddrinfo(wanted, service, &hints, &found);
    if (failed) {
        (void)snprintf(message, message_size, "--host %s: %s", wanted, gai_strerror(failed));
        return -1;
    }
    int descriptor = -1;
    if (!address_is_loopback(found->ai_addr) && !has_token && !allow_anyone) {
        (void)snprintf(message, message_size,
                       "--host %s can be reached from other machines: give a --token-file, or "
                       "--allow-anyone to serve them without a token",
                       wanted);
    } else {
        descriptor = bind_to(found, text, text_size);
        if (descriptor < 0) {
            (void)snprintf(message, message_size, "%s port %u: %s", wanted, (unsigned)port,
                           strerror(errno));
        }
    }
    freeaddrinfo(found);
    return descriptor;
}
