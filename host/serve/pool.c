/* A list of tasks, a lock, and threads that wait for them. */
#include "host/serve/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_THREADS = 256 };

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    pool_task *first, *last;
    bool ending;
    size_t thread_count;
    pthread_t threads[MOST_THREADS];
};

static void *work(void *user)
{
    pool *p = user;
    for (;;) {
        (void)pthread_mutex_lock(&p->lock);
        while (!p->first && !p->ending) {
            (void)pthread_cond_wait(&p->arrived, &p->lock);
        }
        pool_task *task = p->first;
        if (task) {
            p->first = task->next;
        }
        (void)pthread_mutex_unlock(&p->lock);
        if (!task) {
            return NULL;
        }
        task->run(task);
    }
}

pool *pool_create(size_t threads)
{
    pool *p = calloc(1, sizeof *p);
    if (!p) {
        return NULL;
    }
    if (threads == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        threads = cores < 1 ? 1 : (size_t)cores;
    }
    threads = threads < MOST_THREADS ? threads : MOST_THREADS;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->arrived, NULL);
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

void pool_submit(pool *p, pool_task *task)
{
    task->next = NULL;
    (void)pthread_mutex_lock(&p->lock);
    if (p->first) {
        p->last->next = task;
    } else {
        p->first = task;
    }
    p->last = task;
    (void)pthread_cond_signal(&p->arrived);
    (void)pthread_mutex_unlock(&p->lock);
}

void pool_destroy(pool *p)
{
    if (!p) {
        return;
    }
    (void)pthread_mutex_lock(&p->lock);
    p->ending = true;
    (void)pthread_cond_broadcast(&p->arrived);
    (void)pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < p->thread_count; i++) {
        (void)pthread_join(p->threads[i], NULL);
    }
    (void)pthread_cond_destroy(&p->arrived);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}
