/* Groups in flight: while the device works on some, the feed decodes the next.
 *
 * A group is a run of consecutive pictures, the failed ones among them included; results are
 * written when a group is through, oldest first, so that output has input order and does not depend
 * on the batch size. When pictures come slowly (a pipe that somebody types into), a group leaves
 * before it is full. */
#include "host/cli/pipeline.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/interrupt.h"
#include "host/cli/open.h"
#include "host/cli/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MESSAGE = 6144 /* of a failed picture: its path and the reason */ };

typedef struct group {
    picture **pictures;
    uint32_t count; /* pictures, failed ones included */
    uint32_t good;  /* of them, with pixels */
    bool submitted;
    vkdet_ticket ticket;
} group;

typedef struct pipeline {
    pipeline_params params;
    vkdet_pixels *pixels; /* of one group */
    group *groups;        /* a ring: oldest at first */
    uint32_t capacity, first, in_flight;
    uint64_t done, failed;
    int status; /* EXIT_GOOD, or what ends the run */
} pipeline;

uint32_t pipeline_capacity(uint32_t batch, uint32_t slots)
{
    return batch * (slots + 2) + 16;
}

/* the one that is being filled: behind those in flight */
static group *next_group(const pipeline *p)
{
    return &p->groups[(p->first + p->in_flight) % p->capacity];
}

static bool stop(pipeline *p, int status, const char *reason)
{
    console_error("%s", reason);
    p->status = status;
    return false;
}

/* One picture through the writer. result NULL: it failed. */
static bool emit(pipeline *p, picture *one, const vkdet_result *result)
{
    writer *w = p->params.writer;
    char message[MAX_MESSAGE];
    record r = {.image = one->path,
                .index = one->index,
                .width = one->info.width,
                .height = one->info.height,
                .orientation = one->info.orientation};
    if (result) {
        r.detections = result->detections;
        r.count = result->count;
        r.stem = w->names ? names_stem(w->names, one->path) : NULL;
        if (w->names && !r.stem) {
            return stop(p, EXIT_OUTPUT, "out of memory for the names of output files");
        }
    } else {
        const char *reason = one->message ? one->message : "out of memory";
        record_reason(message, sizeof message, r.image, reason);
        r.error = vkdet_status_name(one->status);
        r.message = message;
        p->failed++;
        console_error("%s", message);
    }
    bool good = w->format->write(w, &r);
    if (good && result && p->params.save_pictures) {
        good = save_picture(w, &r, one->image);
    }
    if (!good) {
        return stop(p, EXIT_OUTPUT, w->failure);
    }
    progress_tick(++p->done, p->failed);
    return true;
}

static vkdet_status submit(pipeline *p, group *g)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->pictures[i]->status == VKDET_OK) {
            p->pixels[count++] = vkdet_image_pixels(g->pictures[i]->image);
        }
    }
    return vkdet_session_submit(p->params.session, p->pixels, count, &p->params.detect, &g->ticket);
}

/* Waits for the oldest group, writes its results and lets its pictures go. */
static bool finish_oldest(pipeline *p)
{
    group *g = &p->groups[p->first];
    const vkdet_result *results = NULL;
    uint32_t count = 0, next = 0;
    if (g->submitted) {
        vkdet_status status =
            vkdet_session_wait(p->params.session, g->ticket, VKDET_WAIT_FOREVER, &results, &count);
        if (status != VKDET_OK) {
            return stop(p, exit_of_run(status), vkdet_error_message());
        }
    }
    for (uint32_t i = 0; i < g->count; i++) {
        picture *one = g->pictures[i];
        bool good = one->status == VKDET_OK && next < count;
        if (!emit(p, one, good ? &results[next] : NULL)) {
            return false;
        }
        next += good;
        feed_release(p->params.feed);
    }
    if (!writer_flush(p->params.writer)) {
        return stop(p, EXIT_OUTPUT, p->params.writer->failure);
    }
    if (g->submitted && vkdet_session_release(p->params.session, g->ticket) != VKDET_OK) {
        return stop(p, EXIT_DEVICE, vkdet_error_message());
    }
    p->first = (p->first + 1) % p->capacity;
    p->in_flight--;
    return true;
}

static bool finish_all(pipeline *p)
{
    while (p->in_flight > 0) {
        if (!finish_oldest(p)) {
            return false;
        }
    }
    return true;
}

static void push(pipeline *p, bool submitted)
{
    group *g = next_group(p);
    g->submitted = submitted;
    p->in_flight++;
    for (uint32_t i = 0; submitted && !p->params.save_pictures && i < g->count; i++) {
        feed_drop_pixels(p->params.feed, g->pictures[i]); /* the session has its copy */
    }
}

/* Whether a refusal may be one picture's fault (its size, say) and not the device's. */
static bool is_refusal(vkdet_status status)
{
    return status == VKDET_ERROR_ARGUMENT || status == VKDET_ERROR_LIMIT ||
           status == VKDET_ERROR_UNSUPPORTED || status == VKDET_ERROR_IMAGE;
}

/* The group that was refused, each of its pictures by itself, so that only the culprit fails. */
static bool run_singly(pipeline *p, const group *refused)
{
    uint32_t count = refused->count;
    picture **pictures = calloc(count, sizeof(picture *));
    if (!pictures) {
        return stop(p, EXIT_DEVICE, "out of memory");
    }
    memcpy(pictures, refused->pictures, count * sizeof(picture *));
    bool good = finish_all(p);
    for (uint32_t i = 0; good && i < count; i++) {
        group *g = next_group(p);
        g->pictures[0] = pictures[i];
        g->count = 1;
        vkdet_status status = pictures[i]->status;
        bool submitted = false;
        if (status == VKDET_OK) {
            status = submit(p, g);
            submitted = status == VKDET_OK;
            if (!submitted && !is_refusal(status)) {
                good = stop(p, exit_of_run(status), vkdet_error_message());
                break;
            }
        }
        if (pictures[i]->status != status) {
            pictures[i]->status = status;
            pictures[i]->message = strdup(vkdet_error_message());
        }
        push(p, submitted);
        good = finish_oldest(p);
    }
    free(pictures);
    return good;
}

/* Fills the next group; *ended when the feed has no more, or a signal asks for the end. */
static bool gather(pipeline *p, bool *ended)
{
    group *g = next_group(p);
    g->count = 0;
    g->good = 0;
    while (g->count < p->params.batch) {
        if (interrupt_signal() != 0) {
            *ended = true;
            return true;
        }
        feed_patience patience = g->count > 0       ? FEED_BRIEFLY
                                 : p->in_flight > 0 ? FEED_POLL
                                                    : FEED_WAIT;
        picture *next = NULL;
        feed_outcome outcome = feed_take(p->params.feed, patience, &next);
        if (outcome == FEED_NO_MEMORY) {
            return stop(p, EXIT_DEVICE, "out of memory while listing the sources");
        }
        if (outcome != FEED_GOT) {
            *ended = outcome == FEED_END;
            return true;
        }
        g->pictures[g->count++] = next;
        g->good += next->status == VKDET_OK;
    }
    return true;
}

static bool launch(pipeline *p)
{
    if (p->in_flight == p->params.slots && !finish_oldest(p)) {
        return false;
    }
    group *g = next_group(p);
    vkdet_status status = g->good > 0 ? submit(p, g) : VKDET_OK;
    if (is_refusal(status)) {
        return run_singly(p, g);
    }
    if (status != VKDET_OK) {
        return stop(p, exit_of_run(status), vkdet_error_message());
    }
    push(p, g->good > 0);
    return true;
}

static bool run_groups(pipeline *p)
{
    bool ended = false;
    while (!ended || p->in_flight > 0) {
        if (!gather(p, &ended)) {
            return false;
        }
        bool good = true;
        if (next_group(p)->count > 0) {
            good = launch(p);
        } else if (p->in_flight > 0) {
            good = finish_oldest(p);
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

static bool pipeline_allocate(pipeline *p)
{
    p->capacity = p->params.slots + 1;
    p->pixels = calloc(p->params.batch, sizeof *p->pixels);
    p->groups = calloc(p->capacity, sizeof *p->groups);
    bool good = p->pixels && p->groups;
    for (uint32_t i = 0; good && i < p->capacity; i++) {
        p->groups[i].pictures = calloc(p->params.batch, sizeof(picture *));
        good = p->groups[i].pictures != NULL;
    }
    return good;
}

int pipeline_run(const pipeline_params *params)
{
    pipeline p = {.params = *params};
    writer *w = params->writer;
    if (!pipeline_allocate(&p)) {
        (void)stop(&p, EXIT_DEVICE, "out of memory");
    } else {
        bool written = !w->format->begin || w->format->begin(w);
        if (written && run_groups(&p)) {
            written = (!w->format->end || w->format->end(w)) && writer_flush(w);
        }
        if (!written) {
            (void)stop(&p, EXIT_OUTPUT, w->failure);
        }
    }
    for (uint32_t i = 0; p.groups && i < p.capacity; i++) {
        free(p.groups[i].pictures);
    }
    free(p.groups);
    free(p.pixels);
    if (p.status == EXIT_GOOD && p.failed > 0) {
        return EXIT_INPUT;
    }
    return p.status;
}
