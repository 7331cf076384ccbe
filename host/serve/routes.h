/* Requests, answers, and the table of routes: what a handler sees of HTTP.
 *
 * A handler is called on a thread of the HTTP library once the whole body is there. It must not
 * block: it answers, or hands the request to the decoding pool or the batcher and returns. Each
 * request is answered exactly once, by any thread; its answer is its end, and nothing of it may be
 * touched afterwards. */
#ifndef HOST_SERVE_ROUTES_H
#define HOST_SERVE_ROUTES_H

#include "host/serve/query.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SERVE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define SERVE_PRINTF(text, first)
#endif

struct server; /* server.h */

enum {
    ROUTE_SEGMENTS = 4 /* {} in one path */
};

typedef struct request {
    struct server *server;
    const char *method; /* "GET", "POST", ...; "GET" also for HEAD */
    const char *path;   /* decoded, without the query */
    query query;
    const char *segments[ROUTE_SEGMENTS]; /* what each {} of the route's path stands for, decoded */
    const unsigned char *body;            /* 16-byte aligned; NULL when size is 0 */
    size_t body_size;
    uint64_t arrived_ns;  /* when its head was there, on the clock of serve_now() */
    uint64_t deadline_ns; /* when its answer is no longer wanted; the server's default. A handler
                             may set it from request_deadline() */
    /* for the access log; a handler may set them */
    const char *model; /* as long as the server lives */
    unsigned pictures;
} request;

/* Value of a header, NULL when there is none. Valid until the answer. */
const char *request_header(const request *r, const char *name);

/* Becomes true when the client has gone and nobody waits for the answer, which is owed all the
 * same. As long as the request. */
const atomic_bool *request_gone(const request *r);

/* arrived_ns and what `timeout_ms` asks for, which is between 1 ms and the server's longest. False
 * when the text makes no sense. */
bool request_deadline(const request *r, const char *timeout_ms, uint64_t *deadline_ns);

typedef enum body_kind {
    BODY_STATIC = 0, /* lives as long as the server */
    BODY_COPY,       /* copied before the call returns */
    BODY_OWNED,      /* from malloc; freed by the server */
    BODY_LIBRARY     /* from vkdet, as of vkdet_image_encode; freed by the server */
} body_kind;

/* A header of the answer to come; at most 12 of 319 bytes each. name lives as long as the server;
 * value is copied. */
void request_header_add(request *r, const char *name, const char *value);

/* Ends the request. type NULL: no Content-Type. Without memory for the answer the client gets 500,
 * or, where not even that can be had, a closed connection. */
void request_answer(request *r, unsigned code, const char *type, const void *bytes, size_t size,
                    body_kind kind);

/* Ends the request with an error: {"error":{"status":NAME,"message":TEXT}}, below /v2 the
 * {"error":TEXT} of that protocol. name is vkdet_status_name() or one of the server's own. */
void request_fail(request *r, unsigned code, const char *name, const char *format, ...)
    SERVE_PRINTF(4, 5);
/* Ends it with 429 and a Retry-After: batcher_admit had no room. */
void request_fail_busy(request *r);
/* The HTTP code for a status of the library. */
unsigned code_of_status(int vkdet_status);

typedef struct route {
    const char *method; /* "GET" answers HEAD as well */
    const char *path;   /* "/v2/models/{}/infer": {} is one segment that is not empty */
    void (*handle)(request *r);
    bool open; /* without a token, where the server asks for one: health, and the page's files */
} route;

typedef enum route_match { ROUTE_FOUND = 0, ROUTE_NO_PATH, ROUTE_NO_METHOD } route_match;

/* The route of a method ("GET" for HEAD) and a decoded path, which is cut into the segments: they
 * point into it. allow has room for 64 bytes: the methods there are, for ROUTE_NO_METHOD. */
route_match routes_find(const char *method, char *path, const route **out,
                        const char *segments[ROUTE_SEGMENTS], char *allow);
/* In the order of metrics: routes_index(r) < routes_count(). */
size_t routes_count(void);
size_t routes_index(const route *r);
const route *routes_at(size_t index);

/* The route of all files that the program carries; request.path says which. */
void static_file_handle(request *r);

/* Handlers, by file. */
void detect_handle(request *r);
void info_handle(request *r);
void metrics_handle(request *r);
void live_handle(request *r);
void ready_handle(request *r);
void oip_server_handle(request *r);
void oip_model_handle(request *r);
void oip_model_ready_handle(request *r);
void oip_infer_handle(request *r);
void oip_index_handle(request *r);

#endif
