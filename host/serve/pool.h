/* Threads that decode and encode pictures, so that neither HTTP nor a device waits for them. */
#ifndef HOST_SERVE_POOL_H
#define HOST_SERVE_POOL_H

#include <stddef.h>

typedef struct pool pool;

/* Embedded in what the work is about. */
typedef struct pool_task {
    void (*run)(struct pool_task *task);
    struct pool_task *next;
} pool_task;

/* threads 0: one a core. NULL when there is no memory or no thread. */
pool *pool_create(size_t threads);
/* Never blocks, never fails. In order of submission, on any of the threads. */
void pool_submit(pool *p, pool_task *task);
/* Runs what was submitted, then the threads end. NULL is fine. */
void pool_destroy(pool *p);

#endif
