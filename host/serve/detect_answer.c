/* What /v1/detect answers: the lines of `vkdet detect`, or the picture with its marks. */
#include "host/serve/detection.h"

#include "host/client/marks.h"
#include "host/client/record.h"
#include "host/serve/server.h"

#include <stdio.h>
#include <stdlib.h>

void detection_destroy(detection *d)
{
    if (d) {
        errand_destroy(d->errand);
        free(d);
    }
}

static record record_of(const errand *e, uint32_t index)
{
    const errand_item *it = &e->items[index];
    return (record){.image = it->name,
                    .index = index,
                    .width = it->info.width,
                    .height = it->info.height,
                    .orientation = it->info.orientation,
                    .detections = it->detections,
                    .count = it->count};
}

static void answer_lines(const errand *e)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; out && i < e->count; i++) {
        const errand_item *it = &e->items[i];
        char message[sizeof it->message + 1100];
        record line = record_of(e, i);
        if (it->status != VKDET_OK) {
            record_reason(message, sizeof message, it->name, it->message);
            line.error = vkdet_status_name(it->status);
            line.message = message;
        }
        record_write(out, &line, e->model->model, e->language);
    }
    const int failed = out ? ferror(out) | fclose(out) : 1;
    if (failed) {
        free(text);
        request_fail(e->request, 503, "memory", "out of memory for the answer");
        return;
    }
    request_answer(e->request, 200, "application/x-ndjson", text, size, BODY_OWNED);
}

/* On the pool: drawing and encoding take longer than a device may be made to wait. */
static void draw(pool_task *task)
{
    detection *d = (detection *)(void *)task; /* its first member */
    const errand *e = d->errand;
    errand_item *it = &d->errand->items[0];
    request *r = e->request;
    const record line = record_of(e, 0);
    const char *reason = NULL;
    void *bytes = NULL;
    size_t size = 0;
    vkdet_status status = marks_draw(it->image, &line, e->model->model, e->language, &reason);
    if (status == VKDET_OK) {
        status = vkdet_image_encode(it->image, d->codec, 0, &bytes, &size);
        reason = vkdet_error_message();
    }
    if (status != VKDET_OK) {
        (void)snprintf(it->message, sizeof it->message, "%s", reason);
    }
    errand_drop_image(it);
    errand_add_facts(e);
    if (status == VKDET_OK) {
        request_answer(r, 200, d->codec == VKDET_IMAGE_PNG ? "image/png" : "image/jpeg", bytes,
                       size, BODY_LIBRARY);
    } else {
        request_fail(r, code_of_status(status), vkdet_status_name(status), "%s", it->message);
    }
    detection_destroy(d);
}

void detection_answer(errand *e)
{
    detection *d = e->user;
    const errand_item *first = &e->items[0];
    if (d->annotate && first->status == VKDET_OK) {
        d->drawing.run = draw;
        pool_finish(e->request->server->pool, &d->drawing);
        return;
    }
    errand_add_facts(e);
    if (e->count == 1 && first->status != VKDET_OK) {
        request_fail(e->request, code_of_status(first->status), vkdet_status_name(first->status),
                     "%s", first->message);
    } else {
        answer_lines(e);
    }
    detection_destroy(d);
}
