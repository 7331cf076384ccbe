/* A ring of pictures in input order: workers claim the next source, decode it outside the lock, and
 * mark it ready; one taker follows. */
#include "host/cli/feed.h"

#include "host/processors.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    MAX_WORKERS = 16,
    MAX_SIDE = 65535,         /* what vkdet_pixels takes */
    MOMENT_NS = 20 * 1000000, /* FEED_BRIEFLY */
};

enum { PICTURE_DECODING = 0, PICTURE_READY };

struct feed {
    feed_params params;
    pthread_mutex_t source_lock; /* held while asking for a source, which may block; taken first */
    pthread_mutex_t lock;        /* everything below */
    pthread_cond_t arrived;      /* for the taker: a picture became ready, or the end was found */
    pthread_cond_t room;         /* for workers: something was released */
    picture *ring;
    uint64_t released, taken, claimed; /* released <= taken <= claimed <= released + capacity */
    uint64_t bytes;
    bool ended, no_memory, stop;
    pthread_t workers[MAX_WORKERS];
    int worker_count;
};

static void picture_fail(picture *p, vkdet_status status, const char *message)
{
    vkdet_image_destroy(p->image);
    p->image = NULL;
    p->status = status;
    p->message = strdup(message);
}

static void picture_decode(const feed *f, picture *p)
{
    if (p->status != VKDET_OK) {
        return; /* the source said why */
    }
    vkdet_status status = vkdet_image_load(f->params.context, p->path, &f->params.image, &p->image);
    if (status != VKDET_OK) {
        picture_fail(p, status, vkdet_error_message());
        return;
    }
    vkdet_image_info_get(p->image, &p->info);
    if (p->info.width > MAX_SIDE || p->info.height > MAX_SIDE) {
        picture_fail(p, VKDET_ERROR_LIMIT, "a side is longer than 65535 pixels");
        return;
    }
    vkdet_pixels pixels = vkdet_image_pixels(p->image);
    p->bytes = (uint64_t)pixels.stride * pixels.height;
}

/* Waits for room, then for a source; NULL when there is nothing more to do. */
static picture *feed_claim(feed *f)
{
    picture *claimed = NULL;
    source next;
    (void)pthread_mutex_lock(&f->source_lock);
    (void)pthread_mutex_lock(&f->lock);
    while (!f->stop && !f->ended &&
           (f->claimed - f->released == f->params.capacity ||
            (f->bytes > f->params.byte_limit && f->claimed != f->released))) {
        (void)pthread_cond_wait(&f->room, &f->lock);
    }
    bool done = f->stop || f->ended;
    (void)pthread_mutex_unlock(&f->lock);
    if (!done) {
        source_outcome outcome = sources_next(f->params.sources, &next);
        (void)pthread_mutex_lock(&f->lock);
        if (outcome == SOURCE_GOT) {
            claimed = &f->ring[f->claimed % f->params.capacity];
            *claimed = (picture){.path = next.path, .index = f->claimed, .message = next.reason};
            claimed->status = next.reason ? VKDET_ERROR_IO : VKDET_OK;
            f->claimed++;
        } else {
            f->ended = true;
            f->no_memory = outcome == SOURCE_NO_MEMORY;
            (void)pthread_cond_broadcast(&f->room);
        }
        (void)pthread_cond_signal(&f->arrived);
        (void)pthread_mutex_unlock(&f->lock);
    }
    (void)pthread_mutex_unlock(&f->source_lock);
    return claimed;
}

static void *feed_work(void *user)
{
    feed *f = user;
    for (picture *p = feed_claim(f); p; p = feed_claim(f)) {
        picture_decode(f, p);
        (void)pthread_mutex_lock(&f->lock);
        p->state = PICTURE_READY;
        f->bytes += p->bytes;
        (void)pthread_cond_signal(&f->arrived);
        (void)pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

feed *feed_create(const feed_params *params)
{
    feed *f = calloc(1, sizeof *f);
    picture *ring = calloc(params->capacity, sizeof *ring);
    if (!f || !ring) {
        free(ring);
        free(f);
        return NULL;
    }
    f->params = *params;
    f->ring = ring;
    (void)pthread_mutex_init(&f->source_lock, NULL);
    (void)pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&f->arrived, &monotonic);
    (void)pthread_cond_init(&f->room, NULL);
    (void)pthread_condattr_destroy(&monotonic);
    const uint32_t processors = processors_allowed();
    const int wanted = processors < MAX_WORKERS ? (int)processors : MAX_WORKERS;
    while (f->worker_count < wanted &&
           pthread_create(&f->workers[f->worker_count], NULL, feed_work, f) == 0) {
        f->worker_count++;
    }
    if (f->worker_count == 0) {
        feed_destroy(f);
        return NULL;
    }
    return f;
}

static void picture_free(picture *p)
{
    vkdet_image_destroy(p->image);
    free(p->path);
    free(p->message);
    *p = (picture){0};
}

void feed_destroy(feed *f)
{
    if (!f) {
        return;
    }
    (void)pthread_mutex_lock(&f->lock);
    f->stop = true;
    (void)pthread_cond_broadcast(&f->room);
    (void)pthread_mutex_unlock(&f->lock);
    sources_cancel(f->params.sources);
    for (int i = 0; i < f->worker_count; i++) {
        (void)pthread_join(f->workers[i], NULL);
    }
    for (; f->released < f->claimed; f->released++) {
        picture_free(&f->ring[f->released % f->params.capacity]);
    }
    (void)pthread_cond_destroy(&f->arrived);
    (void)pthread_cond_destroy(&f->room);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_mutex_destroy(&f->source_lock);
    free(f->ring);
    free(f);
}

static struct timespec moment_from_now(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += MOMENT_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    return until;
}

feed_outcome feed_take(feed *f, feed_patience patience, picture **out)
{
    feed_outcome outcome = FEED_NOT_YET;
    struct timespec until = moment_from_now();
    (void)pthread_mutex_lock(&f->lock);
    for (;;) {
        bool there = f->taken < f->claimed;
        picture *p = &f->ring[f->taken % f->params.capacity];
        if (there && p->state == PICTURE_READY) {
            *out = p;
            f->taken++;
            outcome = FEED_GOT;
            break;
        }
        if (!there && f->ended) {
            outcome = f->no_memory ? FEED_NO_MEMORY : FEED_END;
            break;
        }
        if (patience == FEED_POLL) {
            break;
        }
        if (there || patience == FEED_WAIT) {
            (void)pthread_cond_wait(&f->arrived, &f->lock);
        } else if (pthread_cond_timedwait(&f->arrived, &f->lock, &until) == ETIMEDOUT &&
                   f->taken == f->claimed) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&f->lock);
    return outcome;
}

void feed_drop_pixels(feed *f, picture *p)
{
    vkdet_image_destroy(p->image);
    p->image = NULL;
    (void)pthread_mutex_lock(&f->lock);
    f->bytes -= p->bytes;
    p->bytes = 0;
    (void)pthread_cond_signal(&f->room);
    (void)pthread_mutex_unlock(&f->lock);
}

void feed_release(feed *f)
{
    picture *p = &f->ring[f->released % f->params.capacity];
    feed_drop_pixels(f, p);
    (void)pthread_mutex_lock(&f->lock);
    picture_free(p);
    f->released++;
    (void)pthread_cond_signal(&f->room);
    (void)pthread_mutex_unlock(&f->lock);
}
