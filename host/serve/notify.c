/* The datagram. */
#include "host/serve/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || !*path) {
        return 0;
    }
    const size_t length = strlen(path);
    if ((*path != '/' && *path != '@') || length >= sizeof to.sun_path) {
        errno = EINVAL;
        return -1;
    }
    memcpy(to.sun_path, path, length);
    if (*path == '@') {
        to.sun_path[0] = 0; /* a name that is not in the file system */
    }
    const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return -1;
    }
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    const ssize_t sent = sendto(descriptor, state, strlen(state), MSG_NOSIGNAL,
                                (const struct sockaddr *)(const void *)&to, size);
    const int kept = errno;
    (void)close(descriptor);
    errno = kept;
    return sent < 0 ? -1 : 0;
}
