/* Two lists of tasks, a lock, and threads that wait for them. */
#include "host/serve/pool.h"

#include "host/processors.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MOST_THREADS = 256 };

typedef struct task_list {
    pool_task *first, *last;
} task_list;

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    task_list decoding, finishing;
    uint64_t budget, held;
    bool ending;
    size_t thread_count;
    pthread_t threads[MOST_THREADS];
};

static void list_add(task_list *l, pool_task *task)
{
    task->next = NULL;
    if (l->first) {
        l->last->next = task;
    } else {
        l->first = task;
    }
    l->last = task;
}

static pool_task *list_take(task_list *l)
{
    pool_task *task = l->first;
    if (task) {
        l->first = task->next;
    }
    return task;
}

/* under the lock */
static pool_task *next_task(pool *p)
{
    pool_task *task = list_take(&p->finishing);
    return task || p->held > p->budget ? task : list_take(&p->decoding);
}

static void *work(void *user)
{
    pool *p = user;
    (void)pthread_mutex_lock(&p->lock);
    for (;;) {
        pool_task *task = next_task(p);
        if (task) {
            (void)pthread_mutex_unlock(&p->lock);
            task->run(task);
            (void)pthread_mutex_lock(&p->lock);
        } else if (p->ending && !p->decoding.first) {
            break;
        } else {
            (void)pthread_cond_wait(&p->changed, &p->lock);
        }
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

pool *pool_create(size_t threads, uint64_t budget)
{
    pool *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    if (threads == 0) {
        threads = processors_allowed();
    }
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    p->budget = budget;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    while (p->thread_count < threads &&
           pthread_create(&p->threads[p->thread_count], NULL, work, p) == 0) {
        p->thread_count++;
    }
    if (p->thread_count == 0) {
        pool_destroy(p);
        return NULL;
    }
    return p;
}

static void submit(pool *p, task_list *l, pool_task *task)
{
    (void)pthread_mutex_lock(&p->lock);
    list_add(l, task);
    (void)pthread_cond_signal(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

void pool_decode(pool *p, pool_task *task)
{
    submit(p, &p->decoding, task);
}

void pool_finish(pool *p, pool_task *task)
{
    submit(p, &p->finishing, task);
}

void pool_hold(pool *p, uint64_t bytes)
{
    (void)pthread_mutex_lock(&p->lock);
    p->held += bytes;
    (void)pthread_mutex_unlock(&p->lock);
}

void pool_let_go(pool *p, uint64_t bytes)
{
    (void)pthread_mutex_lock(&p->lock);
    const bool waited = p->held > p->budget;
    p->held -= bytes;
    if (waited && p->held <= p->budget) {
        (void)pthread_cond_broadcast(&p->changed);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

uint64_t pool_held(pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    const uint64_t held = p->held;
    (void)pthread_mutex_unlock(&p->lock);
    return held;
}

void pool_destroy(pool *p)
{
    if (!p) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    p->ending = true;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++) {
        (void)pthread_join(p->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
