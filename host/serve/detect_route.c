/* POST /v1/detect: pictures in, the lines of `vkdet detect` out.
 *
 * A request is one `errand` with an item a picture. Each item goes through the decoding pool and
 * the batcher by itself; whoever brings the last one home writes the answer. */
#include "host/serve/routes.h"

#include "host/client/record.h"
#include "host/serve/server.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct errand;

typedef struct item {
    pool_task decoding;
    batch_job job;
    struct errand *errand;
    const char *name;
    const unsigned char *bytes;
    size_t size;
    vkdet_image *image;
    vkdet_image_info info;
    vkdet_status status;
    char message[512];
    vkdet_detection *detections;
    uint32_t count;
    uint64_t decode_ns;
} item;

typedef struct errand {
    request *request;
    const served_model *model;
    vkdet_detect_params params;
    const char *language;
    atomic_uint open; /* items under way */
    uint32_t count;
    item items[];
} errand;

static void errand_free(errand *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        vkdet_image_destroy(e->items[i].image);
        free(e->items[i].detections);
    }
    free(e);
}

/* --- the answer --------------------------------------------------------------------------------
 */

static void add_facts(const errand *e)
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

static void write_line(FILE *out, const errand *e, uint32_t index)
{
    const item *it = &e->items[index];
    char message[1024];
    record line = {.image = it->name,
                   .index = index,
                   .width = it->info.width,
                   .height = it->info.height,
                   .orientation = it->info.orientation,
                   .detections = it->detections,
                   .count = it->count};
    if (it->status != VKDET_OK) {
        record_reason(message, sizeof message, it->name, it->message);
        line.error = vkdet_status_name(it->status);
        line.message = message;
    }
    record_write(out, &line, e->model->model, e->language);
}

static void answer_lines(const errand *e)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (uint32_t i = 0; out && i < e->count; i++) {
        write_line(out, e, i);
    }
    if (!out || fclose(out) != 0) {
        free(text);
        request_fail(e->request, 503, "memory", "out of memory for the answer");
        return;
    }
    request_answer(e->request, 200, "application/x-ndjson", text, size, BODY_OWNED);
}

static void answer(errand *e)
{
    const item *first = &e->items[0];
    add_facts(e);
    if (e->count == 1 && first->status != VKDET_OK) {
        request_fail(e->request, code_of_status(first->status), vkdet_status_name(first->status),
                     "%s", first->message);
    } else {
        answer_lines(e);
    }
    errand_free(e);
}

/* --- an item's way -----------------------------------------------------------------------------
 */

static void item_home(item *it)
{
    errand *e = it->errand;
    if (atomic_fetch_sub(&e->open, 1) == 1) {
        answer(e);
    }
}

static void item_fail(item *it, vkdet_status status, const char *message)
{
    it->status = status;
    (void)snprintf(it->message, sizeof it->message, "%s", message);
}

static void on_done(batch_job *job)
{
    item *it = job->user;
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

static void decode(pool_task *task)
{
    item *it = (item *)(void *)task; /* its first member */
    errand *e = it->errand;
    server *s = e->request->server;
    const uint64_t began = serve_now();
    const vkdet_image_params limits = {.max_pixels = s->params->max_pixels,
                                       .max_file_bytes = s->params->max_body};
    vkdet_status status = began < e->request->deadline_ns ? VKDET_OK : VKDET_ERROR_TIMEOUT;
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
    it->job = (batch_job){.model = e->model,
                          .params = e->params,
                          .pixels = vkdet_image_pixels(it->image),
                          .deadline_ns = e->request->deadline_ns,
                          .done = on_done,
                          .user = it};
    batcher_submit(s->batcher, &it->job);
}

/* --- parameters --------------------------------------------------------------------------------
 */

static bool read_number(const request *r, const char *name, double low, double high, double *out)
{
    const char *text = query_get(&r->query, name);
    if (!text) {
        return true;
    }
    char *end = NULL;
    double value = strtod(text, &end);
    if (*text == 0 || text[strspn(text, "0123456789.eE+-")] != 0 || *end != 0 || !isfinite(value) ||
        value < low || value > high) {
        return false;
    }
    *out = value;
    return true;
}

/* What the query asks for; false after the request was ended for it. */
static bool read_params(request *r, errand *e)
{
    static const char *const known[] = {"model", "version", "conf",     "iou",        "max_det",
                                        "name",  "labels",  "nms_mode", "timeout_ms", NULL};
    double conf = -1, most = 0;
    const char *text = query_unknown(&r->query, known);
    if (text) {
        request_fail(r, 400, "argument", "no parameter \"%s\"", text);
    } else if (!read_number(r, "conf", 0, 1, &conf)) {
        request_fail(r, 400, "argument", "conf takes a number from 0 to 1");
    } else if (!read_number(r, "iou", 1e-300, 1, &e->params.iou_threshold)) {
        request_fail(r, 400, "argument", "iou takes a number above 0 and at most 1");
    } else if (!read_number(r, "max_det", 1, 4294967294.0, &most) || most != floor(most)) {
        request_fail(r, 400, "argument", "max_det takes a whole number from 1 to 4294967294");
    } else if ((text = query_get(&r->query, "nms_mode")) &&
               vkdet_nms_mode_from_name(text, &e->params.nms_mode) != VKDET_OK) {
        request_fail(r, 400, "argument", "nms_mode takes tfjs, tf, tfjs-per-class or tf-per-class");
    } else if ((text = query_get(&r->query, "timeout_ms")) &&
               !request_deadline(r, text, &r->deadline_ns)) {
        request_fail(r, 400, "argument",
                     "timeout_ms takes a whole number from 1 to the server's longest, %" PRIu64,
                     r->server->params->longest_timeout_ns / 1000000u);
    } else if ((e->language = query_get(&r->query, "labels")) &&
               !vkdet_model_label(e->model->model, 0, e->language)) {
        request_fail(r, 400, "argument", "labels: the model has no such language");
    } else {
        e->params.score_threshold = conf == 0 ? 1e-300 : conf < 0 ? 0 : conf;
        e->params.max_detections = (uint32_t)most;
        return true;
    }
    return false;
}

static errand *errand_create(request *r, const served_model *model, uint32_t count)
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

void detect_handle(request *r)
{
    server *s = r->server;
    const char *name = query_get(&r->query, "name");
    const served_model *model =
        repository_find(&s->models, query_get(&r->query, "model"), query_get(&r->query, "version"));
    if (!model) {
        request_fail(r, 404, "model", "no such model (/v1/info lists them)");
        return;
    }
    if (r->body_size == 0) {
        request_fail(r, 400, "image", "the body is empty: send the bytes of a picture");
        return;
    }
    errand *e = errand_create(r, model, 1);
    if (!e || !read_params(r, e)) {
        free(e);
        return;
    }
    if (!batcher_admit(s->batcher, e->count)) {
        char seconds[16];
        (void)snprintf(seconds, sizeof seconds, "%" PRIu32, batcher_patience(s->batcher));
        request_header_add(r, "Retry-After", seconds);
        request_fail(r, 429, "busy", "the queue is full");
        free(e);
        return;
    }
    e->items[0].name = name ? name : "-";
    e->items[0].bytes = r->body;
    e->items[0].size = r->body_size;
    pool_submit(s->pool, &e->items[0].decoding);
}
