/* The access log: a JSON object a request, on a line of its own, written by a thread of its own, so
 * that whoever reads it slowly or not at all keeps nobody from being served. Every function may be
 * called by any thread. */
#ifndef HOST_SERVE_ACCESS_LOG_H
#define HOST_SERVE_ACCESS_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exchange;

typedef struct access_log {
    const char *path; /* NULL: no log; "-": standard output */
    int descriptor;   /* the writer's, once that runs */
    bool runs;
    pthread_t writer;
    pthread_mutex_t lock;    /* of what follows; begins as PTHREAD_MUTEX_INITIALIZER */
    pthread_cond_t changed;  /* begins as PTHREAD_COND_INITIALIZER */
    char *filling, *writing; /* whole lines; the second is the writer's alone */
    size_t filled;
    int next; /* where to go on writing, or -1 */
    bool ending;
    uint64_t lost; /* lines that could not be written */
} access_log;

/* Appends to the file, made when it is not there. */
bool access_log_open(access_log *l, const char *path, char *message, size_t size);
/* From here on lines are written. The thread has the caller's signal mask. */
bool access_log_start(access_log *l);
/* Opens the file of that name anew: after something else has renamed the old one. */
bool access_log_reopen(access_log *l, char *message, size_t size);
/* A request has ended; `sent`: the client has its answer. Neither the query nor any header but the
 * User-Agent is in it. */
void access_log_request(access_log *l, const struct exchange *e, bool sent);
uint64_t access_log_lost(access_log *l);
/* Writes what is left, but does not wait for a reader that takes nothing. The lines lost by then.
 */
uint64_t access_log_close(access_log *l);

#endif
