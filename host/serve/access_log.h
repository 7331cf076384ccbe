/* The access log: a JSON object a request, on a line of its own. Every function may be called by
 * any thread. */
#ifndef HOST_SERVE_ACCESS_LOG_H
#define HOST_SERVE_ACCESS_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct exchange;

typedef struct access_log {
    const char *path; /* NULL: no log; "-": standard output */
    FILE *out;
    pthread_mutex_t lock; /* begins as PTHREAD_MUTEX_INITIALIZER */
    uint64_t lost;        /* lines that could not be written */
} access_log;

/* Appends to the file, made when it is not there. */
bool access_log_open(access_log *l, const char *path, char *message, size_t size);
/* Opens the file of that name anew: after something else has renamed the old one. */
bool access_log_reopen(access_log *l, char *message, size_t size);
/* A request has ended; `sent`: the client has its answer. Neither the query nor any header but the
 * User-Agent is in it. */
void access_log_request(access_log *l, const struct exchange *e, bool sent);
uint64_t access_log_lost(access_log *l);
void access_log_close(access_log *l);

#endif
