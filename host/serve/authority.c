/* Names and addresses, compared as what they mean. */
#include "host/serve/authority.h"

#include "host/serve/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

/* An address in its one form, a name without the dot that may end it; false for what is neither. */
static bool name_read(const char *text, size_t length, char *name)
{
    static const char marks[] = "-._~:";
    struct in_addr v4;
    struct in6_addr v6;
    if (length == 0 || length >= AUTHORITY_NAME) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        const char lower = (char)(text[i] | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
              (text[i] && strchr(marks, text[i])))) {
            return false;
        }
    }
    memcpy(name, text, length);
    name[length] = 0;
    if (inet_pton(AF_INET, name, &v4) == 1) {
        return inet_ntop(AF_INET, &v4, name, AUTHORITY_NAME) != NULL;
    }
    if (strchr(name, ':')) {
        return inet_pton(AF_INET6, name, &v6) == 1 &&
               inet_ntop(AF_INET6, &v6, name, AUTHORITY_NAME) != NULL;
    }
    if (name[length - 1] == '.') {
        name[length - 1] = 0;
    }
    return name[0] != 0;
}

/* The name of "name", "name:port", "[v6]" or "[v6]:port". */
static bool host_read(const char *value, char *name)
{
    const bool bracket = value[0] == '[';
    const char *text = value + bracket;
    const size_t length = strcspn(text, bracket ? "]" : ":");
    const char *rest = text + length;
    if (bracket && (*rest++ != ']' || !memchr(text, ':', length))) {
        return false;
    }
    return (*rest == 0 || (*rest == ':' && rest[1 + strspn(rest + 1, "0123456789")] == 0)) &&
           name_read(text, length, name);
}

static bool is_local(const char *name)
{
    static const char local[] = "localhost";
    const size_t length = strlen(name), tail = sizeof local - 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, name, &v4.sin_addr) == 1) {
        return address_is_loopback((const struct sockaddr *)(const void *)&v4);
    }
    if (inet_pton(AF_INET6, name, &v6.sin6_addr) == 1) {
        return address_is_loopback((const struct sockaddr *)(const void *)&v6);
    }
    return length >= tail && strcasecmp(name + length - tail, local) == 0 &&
           (length == tail || name[length - tail - 1] == '.');
}

void authority_set(authority *a, const char *bound, const char *host, const char *allowed)
{
    *a = (authority){.allowed = allowed};
    const bool known = host_read(bound, a->bound);
    if (host && !name_read(host, strlen(host), a->wanted)) {
        a->wanted[0] = 0;
    }
    a->any = allowed ? strcmp(allowed, "*") == 0 : !known || !is_local(a->bound);
}

/* Whether name is one of the list; NULL: whether the list is sound. */
static bool list_walk(const char *list, const char *name)
{
    char entry[AUTHORITY_NAME];
    for (const char *at = list; at;) {
        const size_t length = strcspn(at, ",");
        const bool sound = name_read(at, length, entry);
        if (!name && !sound) {
            return false;
        }
        if (name && sound && strcasecmp(entry, name) == 0) {
            return true;
        }
        at = at[length] ? at + length + 1 : NULL;
    }
    return !name;
}

bool authority_list_is_sound(const char *list)
{
    return strcmp(list, "*") == 0 || list_walk(list, NULL);
}

bool authority_allows(const authority *a, const char *value)
{
    char name[AUTHORITY_NAME];
    return a->any || (host_read(value, name) &&
                      (is_local(name) || strcasecmp(name, a->bound) == 0 ||
                       strcasecmp(name, a->wanted) == 0 || list_walk(a->allowed, name)));
}
