/* The way of an item: pool, batcher, home. */
#include "host/serve/errand.h"

#include "host/serve/server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void item_home(errand_item *it)
{
    errand *e = it->errand;
    if (atomic_fetch_sub(&e->open, 1) == 1) {
        e->answer(e);
    }
}

static void item_fail(errand_item *it, vkdet_status status, const char *message)
{
    it->status = status;
    (void)snprintf(it->message, sizeof it->message, "%s", message);
}

static void on_done(batch_job *job)
{
    errand_item *it = job->user;
    if (job->status != VKDET_OK) {
        item_fail(it, job->status, job->message);
    } else if (job->result->count > 0) {
        it->count = job->result->count;
        it->detections = malloc(it->count * sizeof *it->detections);
        if (it->detections) {
            memcpy(it->detections, job->result->detections, it->count * sizeof *it->detections);
        } else {
            item_fail(it, VKDET_ERROR_MEMORY, "out of memory for detections");
        }
    }
    item_home(it);
}

static void submit(errand_item *it, vkdet_pixels pixels)
{
    errand *e = it->errand;
    it->job = (batch_job){.model = e->model,
                          .params = e->params,
                          .pixels = pixels,
                          .deadline_ns = e->request->deadline_ns,
                          .done = on_done,
                          .user = it};
    batcher_submit(e->request->server->batcher, &it->job);
}

static void decode(pool_task *task)
{
    errand_item *it = (errand_item *)(void *)task; /* its first member */
    const request *r = it->errand->request;
    server *s = r->server;
    const uint64_t began = serve_now();
    const vkdet_image_params limits = {.max_pixels = s->params->max_pixels,
                                       .max_file_bytes = s->params->max_body};
    vkdet_status status = began < r->deadline_ns ? VKDET_OK : VKDET_ERROR_TIMEOUT;
    if (status != VKDET_OK) {
        item_fail(it, status, "the deadline passed before the picture was decoded");
    } else {
        status = vkdet_image_decode(s->params->context, it->bytes, it->size, &limits, &it->image);
        if (status != VKDET_OK) {
            item_fail(it, status, vkdet_error_message());
        }
    }
    it->decode_ns = serve_now() - began;
    if (status != VKDET_OK) {
        batcher_give_back(s->batcher, 1);
        item_home(it);
        return;
    }
    vkdet_image_info_get(it->image, &it->info);
    submit(it, vkdet_image_pixels(it->image));
}

errand *errand_create(request *r, const served_model *model, uint32_t count)
{
    errand *e = calloc(1, sizeof *e + count * sizeof *e->items);
    if (!e) {
        request_fail(r, 503, "memory", "out of memory for the request");
        return NULL;
    }
    e->request = r;
    e->model = model;
    e->count = count;
    atomic_init(&e->open, count);
    for (uint32_t i = 0; i < count; i++) {
        e->items[i].errand = e;
        e->items[i].decoding.run = decode;
    }
    r->model = model->name;
    r->pictures = count;
    return e;
}

void errand_destroy(errand *e)
{
    for (uint32_t i = 0; e && i < e->count; i++) {
        vkdet_image_destroy(e->items[i].image);
        free(e->items[i].detections);
    }
    free(e);
}

bool errand_start(errand *e)
{
    request *r = e->request;
    server *s = r->server;
    const uint32_t count = e->count; /* the last one may take the errand with it */
    if (!batcher_admit(s->batcher, count)) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%" PRIu32, batcher_patience(s->batcher));
        request_header_add(r, "Retry-After", seconds);
        request_fail(r, 429, "busy", "the queue is full");
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        errand_item *it = &e->items[i];
        if (it->bytes) {
            pool_submit(s->pool, &it->decoding);
        } else {
            submit(it, it->job.pixels);
        }
    }
    return true;
}

void errand_add_facts(const errand *e)
{
    const batch_job *job = &e->items[0].job;
    const uint64_t now = serve_now();
    char text[200];
    if (job->device) {
        request_header_add(e->request, "X-Vkdet-Device", job->device->info.id);
        request_header_add(e->request, "X-Vkdet-Precision", vkdet_precision_name(job->precision));
    }
    (void)snprintf(text, sizeof text, "%s/%s", e->model->name, e->model->version);
    request_header_add(e->request, "X-Vkdet-Model", text);
    (void)snprintf(
        text, sizeof text, "decode;dur=%.3f, queue;dur=%.3f, compute;dur=%.3f, total;dur=%.3f",
        1e-6 * (double)e->items[0].decode_ns, 1e-6 * (double)(job->started_ns - job->queued_ns),
        1e-6 * (double)(job->finished_ns - job->started_ns),
        1e-6 * (double)(now - e->request->arrived_ns));
    request_header_add(e->request, "Server-Timing", text);
}
