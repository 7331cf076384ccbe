/* A ring of pictures between the threads that decode and the one that drives the device. */
#include "host/cli/bench_decode.h"

#include "host/processors.h"

#include <pthread.h>
#include <stdlib.h>

enum { MOST_THREADS = 16 };

typedef struct entry {
    vkdet_image *image;
    bool done;
} entry;

struct decoders {
    const bench *bench;
    pthread_t threads[MOST_THREADS];
    size_t thread_count, capacity;
    entry *ring;
    uint64_t begun, taken; /* begun - taken <= capacity */
    bool stop;
    pthread_mutex_t lock;
    pthread_cond_t room, ready;
};

static vkdet_image *decode(const bench *b, uint64_t job)
{
    const bench_file *file = &b->inputs.files[bench_input_at(&b->inputs, job)];
    vkdet_image *image = NULL;
    (void)vkdet_image_decode(b->context, file->bytes, file->size, &b->inputs.limits, &image);
    return image;
}

static void *work(void *argument)
{
    decoders *d = argument;
    (void)pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        if (d->begun - d->taken == d->capacity) {
            (void)pthread_cond_wait(&d->room, &d->lock);
            continue;
        }
        const uint64_t job = d->begun++;
        (void)pthread_mutex_unlock(&d->lock);
        vkdet_image *image = decode(d->bench, job);
        (void)pthread_mutex_lock(&d->lock);
        d->ring[job % d->capacity] = (entry){image, true};
        (void)pthread_cond_signal(&d->ready);
    }
    (void)pthread_mutex_unlock(&d->lock);
    return NULL;
}

decoders *decoders_start(const bench *b, size_t capacity)
{
    const uint32_t processors = processors_allowed();
    const size_t wanted = processors < MOST_THREADS ? processors : MOST_THREADS;
    decoders *d = calloc(1, sizeof *d);
    if (!d) {
        return NULL;
    }
    d->bench = b;
    d->capacity = capacity + wanted;
    d->ring = calloc(d->capacity, sizeof *d->ring);
    (void)pthread_mutex_init(&d->lock, NULL);
    (void)pthread_cond_init(&d->room, NULL);
    (void)pthread_cond_init(&d->ready, NULL);
    while (d->ring && d->thread_count < wanted &&
           pthread_create(&d->threads[d->thread_count], NULL, work, d) == 0) {
        d->thread_count++;
    }
    if (d->thread_count == 0) {
        decoders_stop(d);
        return NULL;
    }
    return d;
}

size_t decoders_threads(const decoders *d)
{
    return d->thread_count;
}

vkdet_image *decoders_take(decoders *d)
{
    (void)pthread_mutex_lock(&d->lock);
    entry *e = &d->ring[d->taken % d->capacity];
    while (!e->done) {
        (void)pthread_cond_wait(&d->ready, &d->lock);
    }
    vkdet_image *image = e->image;
    *e = (entry){0};
    d->taken++;
    (void)pthread_cond_signal(&d->room);
    (void)pthread_mutex_unlock(&d->lock);
    return image;
}

void decoders_stop(decoders *d)
{
    if (!d) {
        return;
    }
    (void)pthread_mutex_lock(&d->lock);
    d->stop = true;
    (void)pthread_cond_broadcast(&d->room);
    (void)pthread_mutex_unlock(&d->lock);
    for (size_t i = 0; i < d->thread_count; i++) {
        (void)pthread_join(d->threads[i], NULL);
    }
    for (size_t i = 0; d->ring && i < d->capacity; i++) {
        vkdet_image_destroy(d->ring[i].image);
    }
    (void)pthread_cond_destroy(&d->ready);
    (void)pthread_cond_destroy(&d->room);
    (void)pthread_mutex_destroy(&d->lock);
    free(d->ring);
    free(d);
}
