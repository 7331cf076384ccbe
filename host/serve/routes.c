/* The table of routes, and finding one. */
#include "host/serve/routes.h"

#include "host/serve/static_files.h"

#include <stdio.h>
#include <string.h>

static const route table[] = {
    {"POST", "/v1/detect", detect_handle, false},
    {"GET", "/v1/info", info_handle, false},
    {"GET", "/metrics", metrics_handle, false},
    {"GET", "/v2", oip_server_handle, false},
    {"GET", "/v2/", oip_server_handle, false},
    {"GET", "/v2/health/live", live_handle, true},
    {"GET", "/v2/health/ready", ready_handle, true},
    {"GET", "/v2/models/{}", oip_model_handle, false},
    {"GET", "/v2/models/{}/ready", oip_model_ready_handle, false},
    {"POST", "/v2/models/{}/infer", oip_infer_handle, false},
    {"GET", "/v2/models/{}/versions/{}", oip_model_handle, false},
    {"GET", "/v2/models/{}/versions/{}/ready", oip_model_ready_handle, false},
    {"POST", "/v2/models/{}/versions/{}/infer", oip_infer_handle, false},
    {"POST", "/v2/repository/index", oip_index_handle, false},
};
/* behind the table in the order of metrics: all files are one route */
static const route files = {"GET", "files of the page", static_file_handle, true};

enum { TABLE_COUNT = sizeof table / sizeof table[0], MOST_SEGMENTS = 12 };

size_t routes_count(void)
{
    return TABLE_COUNT + 1;
}

size_t routes_index(const route *r)
{
    return r == &files ? TABLE_COUNT : (size_t)(r - table);
}

const route *routes_at(size_t index)
{
    return index < TABLE_COUNT ? &table[index] : &files;
}

/* Cuts "/a/b%20c" into "a" and "b c"; false when it is no path, or has too many segments. */
static bool cut(char *path, const char *segments[MOST_SEGMENTS], size_t *count)
{
    *count = 0;
    if (*path != '/') {
        return false;
    }
    while (path) {
        char *begin = path + 1;
        path = strchr(begin, '/');
        if (path) {
            *path = 0;
        }
        if (*count == MOST_SEGMENTS || !percent_decode(begin, false)) {
            return false;
        }
        segments[(*count)++] = begin;
    }
    return true;
}

static bool matches(const char *pattern, const char *const *given, size_t given_count,
                    const char *segments[ROUTE_SEGMENTS])
{
    size_t held = 0;
    for (size_t i = 0; i < given_count; i++) {
        if (*pattern++ != '/') {
            return false;
        }
        size_t length = strcspn(pattern, "/");
        if (length == 2 && memcmp(pattern, "{}", 2) == 0 && *given[i] && held < ROUTE_SEGMENTS) {
            segments[held++] = given[i];
        } else if (strlen(given[i]) != length || memcmp(pattern, given[i], length) != 0) {
            return false;
        }
        pattern += length;
    }
    return *pattern == 0;
}

route_match routes_find(const char *method, char *path, const route **out,
                        const char *segments[ROUTE_SEGMENTS], char *allow)
{
    const char *given[MOST_SEGMENTS];
    size_t given_count = 0;
    bool there = false;
    *allow = 0;
    if (strcmp(method, "GET") == 0 && static_file_find(path)) {
        *out = &files;
        return ROUTE_FOUND;
    }
    if (static_file_find(path)) {
        (void)snprintf(allow, 64, "GET, HEAD");
        return ROUTE_NO_METHOD;
    }
    if (!cut(path, given, &given_count)) {
        return ROUTE_NO_PATH;
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (!matches(table[i].path, given, given_count, segments)) {
            continue;
        }
        if (strcmp(table[i].method, method) == 0) {
            *out = &table[i];
            return ROUTE_FOUND;
        }
        size_t used = strlen(allow);
        (void)snprintf(allow + used, 64 - used, "%s%s%s", there ? ", " : "", table[i].method,
                       strcmp(table[i].method, "GET") == 0 ? ", HEAD" : "");
        there = true;
    }
    return there ? ROUTE_NO_METHOD : ROUTE_NO_PATH;
}
