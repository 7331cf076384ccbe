/* Threads that decode and encode pictures, so that neither HTTP nor a device waits for them; and
 * the bill of decoded pixels, which nothing is decoded beyond. */
#ifndef HOST_SERVE_POOL_H
#define HOST_SERVE_POOL_H

#include <stddef.h>
#include <stdint.h>

typedef struct pool pool;

/* Embedded in what the work is about. */
typedef struct pool_task {
    void (*run)(struct pool_task *task);
    struct pool_task *next;
} pool_task;

/* threads 0: one a core that the process may use. budget: bytes that may be held before decoding
 * waits. NULL when there is no memory or no thread. */
pool *pool_create(size_t threads, uint64_t budget);
/* Neither blocks nor fails. Tasks that decode start in their order, while no more than the budget
 * is held; those that finish something go first, and always. */
void pool_decode(pool *p, pool_task *task);
void pool_finish(pool *p, pool_task *task);

/* A task decoded so many bytes, and they are gone again. What holds them must be on its way to let
 * them go without another task that decodes. */
void pool_hold(pool *p, uint64_t bytes);
void pool_let_go(pool *p, uint64_t bytes);
uint64_t pool_held(pool *p);

/* Runs what was submitted, then the threads end. NULL is fine. */
void pool_destroy(pool *p);

#endif
