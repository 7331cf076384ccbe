/* The way of an item: pool, batcher, home. */
#include "host/serve/errand.h"

#include "host/serve/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void errand_drop_image(errand_item *it)
{
    if (it->image) {
        vkdet_image_destroy(it->image);
        it->image = NULL;
        pool_let_go(it->errand->request->server->pool, it->held);
    }
}

static void item_home(errand_item *it)
{
    errand *e = it->errand;
    if (!e->keep_images || it->status != VKDET_OK) {
        errand_drop_image(it);
    }
    metrics_picture(&e->request->server->metrics, it->status == VKDET_OK);
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
    if (job->device) {
        metrics_seconds(&it->errand->request->server->metrics.queue_seconds,
                        job->started_ns - job->queued_ns);
    }
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
                          .gone = request_gone(e->request),
                          .done = on_done,
                          .user = it};
    batcher_submit(e->request->server->batcher, &it->job);
}

/* The image of an item, on the pool's bill. */
static vkdet_status item_decode(errand_item *it)
{
    const request *r = it->errand->request;
    const serve_params *p = r->server->params;
    const vkdet_image_params limits = {.max_pixels = p->max_pixels, .max_file_bytes = p->max_body};
    if (serve_now() >= r->deadline_ns || atomic_load(request_gone(r))) {
        item_fail(it, VKDET_ERROR_TIMEOUT, "the deadline passed before the picture was decoded");
        return it->status;
    }
    vkdet_status status = vkdet_image_decode(p->context, it->bytes, it->size, &limits, &it->image);
    if (status != VKDET_OK) {
        it->image = NULL;
        item_fail(it, status, vkdet_error_message());
        return status;
    }
    vkdet_image_info_get(it->image, &it->info);
    const vkdet_pixels pixels = vkdet_image_pixels(it->image);
    it->held = (uint64_t)pixels.stride * pixels.height;
    pool_hold(r->server->pool, it->held);
    return VKDET_OK;
}

static void item_run(pool_task *task)
{
    errand_item *it = (errand_item *)(void *)task; /* its first member */
    server *s = it->errand->request->server;
    const uint64_t began = serve_now();
    const vkdet_status status = item_decode(it);
    it->decode_ns = serve_now() - began;
    metrics_seconds(&s->metrics.decode_seconds, it->decode_ns);
    if (status == VKDET_OK) {
        submit(it, vkdet_image_pixels(it->image));
    } else {
        batcher_give_back(s->batcher, 1);
        item_home(it);
    }
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
        e->items[i].decoding.run = item_run;
    }
    r->model = model->name;
    r->pictures = count;
    return e;
}

void errand_destroy(errand *e)
{
    for (uint32_t i = 0; e && i < e->count; i++) {
        free(e->items[i].detections);
        free(e->items[i].name);
    }
    free(e);
}

bool errand_start(errand *e)
{
    request *r = e->request;
    server *s = r->server;
    const uint32_t count = e->count; /* the last one may take the errand with it */
    if (!batcher_admit(s->batcher, count)) {
        request_fail_busy(r);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        errand_item *it = &e->items[i];
        if (it->bytes) {
            pool_decode(s->pool, &it->decoding);
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
