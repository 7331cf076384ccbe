/* libmicrohttpd: threads that poll, connections that are parked while their answer is worked on.
 *
 * A request comes in pieces: its line (on_uri), its head (the first call of on_request), its body,
 * and the call that has no more of it, in which the handler runs. A connection whose answer is not
 * there by then is suspended, so that its thread goes on with others; the answer resumes it. What
 * comes in on one connection is answered in order: the next request of it is not read before. */
/* POLLRDHUP: poll.h has it for those who ask */
#define _GNU_SOURCE /* NOLINT(bugprone-reserved-identifier) */

#include "host/serve/exchange.h"

#include "host/processors.h"
#include "host/serve/address.h"
#include "host/serve/framing.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 64 * 1024, /* of a connection: its head must fit in, and a piece of its body */
    FIRST_BODY = 64 * 1024, /* what a body is given at first */
    DROPPED_BODIES = 4,     /* of max_body are read and dropped for the sake of a readable answer */
    MOST_HTTP_THREADS = 16,
    LIFE_NS = 50000000 /* a request that takes longer: is its client still there? */
};

/* --- the parts of a request ------------------------------------------------------------------- */

static void set_phase(peer *l, peer_phase phase)
{
    atomic_store(&l->since_ns, serve_now());
    atomic_store(&l->phase, phase);
}

static peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

/* What is asked for, without the server's own address where that stands before it (RFC 9112, 3.2.2:
 * clients of a proxy say it). */
static const char *target_of(const char *uri)
{
    const size_t scheme = strncasecmp(uri, "http://", 7) == 0    ? 7
                          : strncasecmp(uri, "https://", 8) == 0 ? 8
                                                                 : 0;
    if (scheme == 0) {
        return uri;
    }
    uri += scheme + strcspn(uri + scheme, "/?");
    return *uri ? uri : "/";
}

static void *on_uri(void *user, const char *uri, struct MHD_Connection *connection)
{
    http *h = user;
    peer *l = peer_of(connection);
    uri = target_of(uri);
    size_t length = strcspn(uri, "?");
    exchange *e = l ? calloc(1, sizeof *e) : NULL;
    char *text = malloc(2 * (length + 1) + strlen(uri + length) + 1);
    if (!e || !text) {
        free(e);
        free(text);
        return NULL; /* the connection is closed by on_request */
    }
    e->http = h;
    e->peer = l;
    e->connection = connection;
    e->path = text;
    e->cut = text + length + 1;
    memcpy(e->path, uri, length);
    e->path[length] = 0;
    memcpy(e->cut, e->path, length + 1);
    if (uri[length]) {
        e->pairs = e->cut + length + 1;
        memcpy(e->pairs, uri + length + 1, strlen(uri + length + 1) + 1);
    }
    e->request.arrived_ns = serve_now();
    e->request.server = h->server;
    e->request.path = e->path;
    e->request.method = e->method;
    (void)atomic_fetch_add(&h->busy, 1);
    return e;
}

static void body_release(exchange *e)
{
    (void)atomic_fetch_sub(&e->http->server->held_bytes, e->body_capacity);
    free(e->body);
    e->body = NULL;
    e->body_capacity = 0;
}

/* From now on the request has its answer; what is still to come of it is dropped. */
static void refuse(exchange *e, unsigned code, const char *name, const char *message)
{
    e->refused = true;
    body_release(e);
    request_fail(&e->request, code, name, "%s", message);
}

/* A preflight of CORS: only where there is an origin to allow, and it carries no token. */
static bool is_preflight(const exchange *e)
{
    return e->http->server->params->cors_origin && strcmp(e->method, "OPTIONS") == 0 &&
           request_header(&e->request, "Access-Control-Request-Method");
}

static void answer_preflight(exchange *e)
{
    request_header_add(&e->request, "Access-Control-Allow-Methods", "GET, POST");
    request_header_add(&e->request, "Access-Control-Allow-Headers",
                       "Authorization, Content-Type, X-Filename, Inference-Header-Content-Length");
    request_header_add(&e->request, "Access-Control-Max-Age", "600");
    e->refused = true;
    request_answer(&e->request, 204, NULL, "", 0, BODY_STATIC);
}

static void check_route(exchange *e)
{
    char allow[64] = "";
    const guard *g = &e->http->server->guard;
    route_match match = routes_find(e->method, e->cut, &e->route, e->request.segments, allow);
    bool open = match == ROUTE_FOUND && e->route->open;
    if (!open && !guard_allows(g, request_header(&e->request, MHD_HTTP_HEADER_AUTHORIZATION))) {
        request_header_add(&e->request, "WWW-Authenticate", "Bearer realm=\"vkdet\"");
        refuse(e, 401, "token", "a bearer token is needed: Authorization: Bearer TOKEN");
    } else if (match == ROUTE_NO_PATH) {
        refuse(e, 404, "path", "there is nothing at this path");
    } else if (match == ROUTE_NO_METHOD) {
        request_header_add(&e->request, "Allow", allow);
        refuse(e, 405, "method", "this path has another method");
    }
}

static uint64_t content_length(const exchange *e)
{
    const char *text = request_header(&e->request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text ? strtoull(text, NULL, 10) : 0; /* its form is the library's business */
}

static void begin(exchange *e, const char *method, const char *version)
{
    const char *reason = NULL;
    server *s = e->http->server;
    e->begun = true;
    set_phase(e->peer, PEER_BODY);
    e->request.arrived_ns = serve_now();
    e->request.deadline_ns = e->request.arrived_ns + s->params->timeout_ns;
    (void)snprintf(e->method, sizeof e->method, "%s", strcmp(method, "HEAD") == 0 ? "GET" : method);
    const unsigned unsound = framing_check(e->connection, version, &reason);
    if (unsound) {
        e->unsound = true;
        request_header_add(&e->request, MHD_HTTP_HEADER_CONNECTION, "close");
        refuse(e, unsound, unsound == 501 ? "unsupported" : "request", reason);
        return;
    }
    const char *host = request_header(&e->request, MHD_HTTP_HEADER_HOST);
    if (host && !authority_allows(&s->authority, host)) {
        refuse(e, 421, "host",
               "the request's Host is none of this server's names; --allow-host NAME adds one");
        return;
    }
    if (is_preflight(e)) {
        answer_preflight(e);
        return;
    }
    check_route(e);
    if (e->refused) {
        return;
    }
    const char *encoding = request_header(&e->request, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (encoding && strcmp(encoding, "identity") != 0) {
        refuse(e, 415, "unsupported", "a body with a Content-Encoding is not read");
    } else if (content_length(e) > s->params->max_body) {
        refuse(e, 413, "limit", "the body is larger than max_body_bytes of /v1/info");
    } else if (!query_parse(e->pairs, &e->request.query, &reason)) {
        refuse(e, 400, "argument", reason);
    }
}

/* Room for `more` bytes; false when the request was refused for lack of it. */
static bool body_reserve(exchange *e, size_t more)
{
    server *s = e->http->server;
    size_t needed = e->body_size + more;
    if (needed > s->params->max_body) {
        refuse(e, 413, "limit", "the body is larger than max_body_bytes of /v1/info");
        return false;
    }
    if (needed <= e->body_capacity) {
        return true;
    }
    /* at first little, whatever the head claims: memory follows what really comes */
    uint64_t claimed = content_length(e);
    size_t capacity = e->body_capacity ? 2 * e->body_capacity : FIRST_BODY;
    capacity = claimed && capacity > claimed ? (size_t)claimed : capacity;
    capacity = capacity < needed ? needed : capacity;
    size_t added = capacity - e->body_capacity;
    if (atomic_fetch_add(&s->held_bytes, added) + added > s->params->max_held) {
        (void)atomic_fetch_sub(&s->held_bytes, added);
        request_header_add(&e->request, "Retry-After", "1");
        refuse(e, 429, "busy", "the server holds as many bytes of other requests as it may");
        return false;
    }
    unsigned char *larger = realloc(e->body, capacity);
    if (!larger) {
        (void)atomic_fetch_sub(&s->held_bytes, added);
        refuse(e, 503, "memory", "out of memory for the body");
        return false;
    }
    e->body = larger;
    e->body_capacity = capacity;
    return true;
}

static void body_add(exchange *e, const char *bytes, size_t size)
{
    e->body_seen += size;
    if (!e->refused && body_reserve(e, size)) {
        memcpy(e->body + e->body_size, bytes, size);
        e->body_size += size;
    }
}

static enum MHD_Result send_answer(exchange *e)
{
    body_release(e);
    set_phase(e->peer, PEER_SENDING);
    if (!e->response) {
        return MHD_queue_response(e->connection, 500, e->http->no_memory);
    }
    enum MHD_Result queued = MHD_queue_response(e->connection, e->code, e->response);
    MHD_destroy_response(e->response);
    e->response = NULL;
    return queued;
}

/* The whole request is there. */
static enum MHD_Result conclude(exchange *e)
{
    if (!e->handled && !e->refused) {
        e->handled = true;
        e->request.body = e->body;
        e->request.body_size = e->body_size;
        set_phase(e->peer, PEER_BUSY);
        e->route->handle(&e->request);
    }
    if (atomic_load(&e->state) == EXCHANGE_ANSWERED) {
        return send_answer(e);
    }
    struct MHD_Connection *connection = e->connection;
    MHD_suspend_connection(connection);
    int expected = EXCHANGE_HANDLED;
    if (!atomic_compare_exchange_strong(&e->state, &expected, EXCHANGE_PARKED)) {
        MHD_resume_connection(connection); /* it was answered meanwhile */
    }
    return MHD_YES;
}

/* A refusal goes out before the body where nobody knows where that ends, where the client waits to
 * be asked for it, or where it is too large to be read for nothing; the connection ends with it. */
static bool answers_early(const exchange *e)
{
    return e->refused && (e->unsound || request_header(&e->request, MHD_HTTP_HEADER_EXPECT) ||
                          content_length(e) > DROPPED_BODIES * e->http->server->params->max_body);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **context)
{
    exchange *e = *context;
    (void)user, (void)connection, (void)url;
    if (!e) {
        return MHD_NO;
    }
    if (!e->begun) {
        begin(e, method, version);
        return answers_early(e) ? send_answer(e) : MHD_YES;
    }
    if (*upload_size > 0) {
        body_add(e, upload, *upload_size);
        *upload_size = 0;
        /* a chunked body has no end to be known beforehand */
        return e->body_seen > (DROPPED_BODIES + 1) * e->http->server->params->max_body ? MHD_NO
                                                                                       : MHD_YES;
    }
    return conclude(e);
}

/* What the library cannot read (a line without a colon, a chunk without a size) it refuses by
 * itself with a page of its own, and ends the connection "with an error" once that is sent. */
static bool refused_by_library(exchange *e, enum MHD_RequestTerminationCode how)
{
    const union MHD_ConnectionInfo *info =
        e->code == 0 && how == MHD_REQUEST_TERMINATED_WITH_ERROR
            ? MHD_get_connection_info(e->connection, MHD_CONNECTION_INFO_HTTP_STATUS)
            : NULL;
    e->code = info ? info->http_status : e->code;
    return info != NULL;
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how)
{
    exchange *e = *context;
    (void)user, (void)connection;
    if (!e) {
        return;
    }
    *context = NULL;
    set_phase(e->peer, PEER_HEAD);
    const bool sent = how == MHD_REQUEST_TERMINATED_COMPLETED_OK || refused_by_library(e, how);
    metrics_request(&e->http->server->metrics, e, sent);
    access_log_request(&e->http->server->log, e, sent);
    if (e->response) {
        MHD_destroy_response(e->response);
    }
    body_release(e);
    (void)atomic_fetch_sub(&e->http->busy, 1);
    free(e->path);
    free(e);
}

/* --- connections ------------------------------------------------------------------------------ */

static void describe_remote(const struct sockaddr *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        (void)inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        port = ntohs(v4->sin_port);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        (void)inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        port = ntohs(v6->sin6_port);
    }
    (void)snprintf(text, size, "%s:%u", host, port);
}

static void peer_open(http *h, struct MHD_Connection *connection, void **context)
{
    peer *l = calloc(1, sizeof *l);
    if (!l) {
        return; /* its requests are turned away: on_uri finds no peer */
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    l->socket = info->connect_fd;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    describe_remote(info->client_addr, l->remote, sizeof l->remote);
    set_phase(l, PEER_HEAD);
    (void)pthread_mutex_lock(&h->lock);
    l->after = h->peers;
    if (h->peers) {
        h->peers->before = l;
    }
    h->peers = l;
    (void)pthread_mutex_unlock(&h->lock);
    (void)atomic_fetch_add(&h->connections, 1);
    *context = l;
}

static void peer_close(http *h, peer *l)
{
    (void)pthread_mutex_lock(&h->lock);
    if (l->before) {
        l->before->after = l->after;
    } else {
        h->peers = l->after;
    }
    if (l->after) {
        l->after->before = l->before;
    }
    (void)pthread_mutex_unlock(&h->lock);
    (void)atomic_fetch_sub(&h->connections, 1);
    free(l);
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_open(user, connection, context);
    } else if (*context) {
        peer_close(user, *context);
        *context = NULL;
    }
}

/* Whether what the connection waits for takes too long. */
static bool is_overdue(const http *h, const peer *l, uint64_t now)
{
    const serve_params *p = h->server->params;
    const bool draining = atomic_load(&h->draining);
    const uint64_t since = atomic_load(&l->since_ns);
    uint64_t limit = 0;
    switch ((peer_phase)atomic_load(&l->phase)) {
    case PEER_HEAD:
        /* a client that has just connected may be about to ask */
        limit = draining ? 100000000u : p->idle_ns;
        break;
    case PEER_BODY:
        limit = p->receive_ns;
        break;
    case PEER_SENDING:
        limit = p->send_ns;
        break;
    case PEER_BUSY:
        return false;
    }
    return (now > since && now - since > limit) ||
           (draining && now > atomic_load(&h->drain_began_ns) + p->drain_ns);
}

/* libmicrohttpd does not look at a connection that is parked: pictures of clients that have died
 * would keep the devices from the others'. A client that has only closed its sending side looks the
 * same, and the library closes on it as well. */
static void look_for_life(peer *l, uint64_t now)
{
    const uint64_t since = atomic_load(&l->since_ns);
    struct pollfd look = {.fd = l->socket, .events = POLLRDHUP};
    if (now > since && now - since > LIFE_NS && !atomic_load(&l->gone) && poll(&look, 1, 0) > 0 &&
        (look.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        atomic_store(&l->gone, true);
    }
}

void http_sweep(http *h, uint64_t now)
{
    (void)pthread_mutex_lock(&h->lock);
    for (peer *l = h->peers; l; l = l->after) {
        if (is_overdue(h, l, now)) {
            (void)shutdown(l->socket, SHUT_RDWR); /* its thread finds it closed */
        }
        if (atomic_load(&l->phase) == PEER_BUSY) {
            look_for_life(l, now);
        }
    }
    (void)pthread_mutex_unlock(&h->lock);
}

void http_drain(http *h)
{
    atomic_store(&h->drain_began_ns, serve_now());
    atomic_store(&h->draining, true);
    (void)MHD_quiesce_daemon(h->daemon);
    (void)shutdown(h->listener,
                   SHUT_RDWR); /* refuses from now on; closed when no thread knows it */
}

uint64_t http_busy(const http *h)
{
    return atomic_load(&h->busy);
}

uint64_t http_connections(const http *h)
{
    return atomic_load(&h->connections);
}

/* --- start and end ---------------------------------------------------------------------------- */

http *http_create(server *s, char *address, size_t address_size, char *message, size_t message_size)
{
    http *h = calloc(1, sizeof *h);
    if (!h) {
        (void)snprintf(message, message_size, "out of memory");
        return NULL;
    }
    h->server = s;
    (void)pthread_mutex_init(&h->lock, NULL);
    h->listener = address_bind(s->params->host, s->params->port, s->params->allow_anyone,
                               s->guard.length > 0, address, address_size, message, message_size);
    if (h->listener < 0) {
        http_destroy(h);
        return NULL;
    }
    authority_set(&s->authority, strstr(address, "://") + 3, s->params->host,
                  s->params->allow_host);
    return h;
}

static void on_log(void *user, const char *format, va_list arguments)
{
    http *h = user;
    (void)pthread_mutex_lock(&h->lock);
    if (!h->started) { /* what it says later is about clients, who are told themselves */
        (void)vsnprintf(h->said, sizeof h->said, format, arguments);
        h->said[strcspn(h->said, "\r\n")] = 0;
    }
    (void)pthread_mutex_unlock(&h->lock);
}

/* Threads share the connections evenly, so that each must have some; 0 is one without a pool. */
static unsigned thread_count(uint32_t max_connections)
{
    unsigned threads = processors_allowed();
    threads = threads < 2 ? 2 : threads > MOST_HTTP_THREADS ? MOST_HTTP_THREADS : threads;
    threads = threads < max_connections / 4 ? threads : max_connections / 4;
    return threads < 2 ? 0 : threads;
}

bool http_start(http *h, char *message, size_t message_size)
{
    static const char text[] =
        "{\"error\":{\"status\":\"memory\",\"message\":\"out of memory\"}}\n";
    union {
        const void *read;
        void *write;
    } memory = {text};
    h->no_memory =
        MHD_create_response_from_buffer(sizeof text - 1, memory.write, MHD_RESPMEM_PERSISTENT);
    if (!h->no_memory || listen(h->listener, SOMAXCONN) != 0) {
        (void)snprintf(message, message_size, "listening: %s", strerror(errno));
        return false;
    }
    h->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h, MHD_OPTION_LISTEN_SOCKET, h->listener,
        MHD_OPTION_THREAD_POOL_SIZE, thread_count(h->server->params->max_connections),
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, h, MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)h->server->params->max_connections, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEAD_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, 0 /* framing.c is stricter */,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!h->daemon) {
        (void)snprintf(message, message_size, "the HTTP library does not start: %s",
                       h->said[0] ? h->said : "no memory or no threads");
        return false;
    }
    (void)pthread_mutex_lock(&h->lock);
    h->started = true;
    (void)pthread_mutex_unlock(&h->lock);
    return true;
}

void http_destroy(http *h)
{
    if (!h) {
        return;
    }
    if (h->daemon) {
        (void)MHD_quiesce_daemon(h->daemon); /* the listener stays ours, drained or not */
        MHD_stop_daemon(h->daemon);
    }
    if (h->no_memory) {
        MHD_destroy_response(h->no_memory);
    }
    if (h->listener >= 0) {
        (void)close(h->listener);
    }
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}
