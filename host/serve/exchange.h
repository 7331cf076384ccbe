/* One request and its answer, as http.c and answer.c see it. */
#ifndef HOST_SERVE_EXCHANGE_H
#define HOST_SERVE_EXCHANGE_H

#include "host/serve/http.h"
#include "host/serve/routes.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>

/* What a connection is waiting for; each has its limit. */
typedef enum peer_phase {
    PEER_HEAD = 0, /* for a request to begin, and its head to end */
    PEER_BODY,
    PEER_BUSY, /* for the answer: the deadline's business */
    PEER_SENDING
} peer_phase;

/* A connection. The lists are under http.lock; phase and since are written by its thread. */
typedef struct peer {
    struct peer *before, *after;
    int socket;
    atomic_int phase;
    atomic_bool gone; /* the client closed while its answer was worked on */
    _Atomic uint64_t since_ns;
    char remote[INET6_ADDRSTRLEN + 8];
} peer;

struct http {
    server *server;
    int listener;
    struct MHD_Daemon *daemon;
    struct MHD_Response *no_memory; /* 500, made beforehand */
    pthread_mutex_t lock;           /* of what follows, until busy */
    peer *peers;
    bool started;
    char said[256]; /* the library's last message, while it starts */
    _Atomic uint64_t busy, connections;
    atomic_bool draining;
    _Atomic uint64_t drain_began_ns;
};

enum { EXCHANGE_HEADERS = 12, EXCHANGE_HEADER_SIZE = 320 };

/* Where the answer stands: whoever comes second of the thread that parks the connection and the one
 * that answers lets it go on. */
enum { EXCHANGE_HANDLED = 0, EXCHANGE_PARKED, EXCHANGE_ANSWERED };

typedef struct exchange {
    request request; /* first: handlers have its address */
    http *http;
    peer *peer;
    struct MHD_Connection *connection;
    const route *route;
    char *path;  /* as sent, without the query; owned, as is the text behind it */
    char *cut;   /* the same in segments, decoded */
    char *pairs; /* the query, or NULL */
    char method[16];
    unsigned char *body;
    size_t body_size, body_capacity;
    uint64_t body_seen;  /* bytes that came, kept or not */
    bool begun, refused; /* refused: answered without its body, which is read and dropped */
    bool unsound;        /* the head: where the body ends is unknown */
    bool handled;
    atomic_int state;
    struct MHD_Response *response;
    unsigned code;
    size_t answer_size;
    struct {
        const char *name;
        char value[EXCHANGE_HEADER_SIZE];
    } headers[EXCHANGE_HEADERS];
    size_t header_count;
} exchange;

#endif
