/* POST /v1/detect: pictures in, the lines of `vkdet detect` out. */
#include "host/serve/errand.h"

#include "host/client/record.h"
#include "host/serve/server.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- the answer --------------------------------------------------------------------------------
 */

static void write_line(FILE *out, const errand *e, uint32_t index)
{
    const errand_item *it = &e->items[index];
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
    const errand_item *first = &e->items[0];
    errand_add_facts(e);
    if (e->count == 1 && first->status != VKDET_OK) {
        request_fail(e->request, code_of_status(first->status), vkdet_status_name(first->status),
                     "%s", first->message);
    } else {
        answer_lines(e);
    }
    errand_destroy(e);
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
        errand_destroy(e);
        return;
    }
    e->answer = answer;
    e->items[0].name = name ? name : "-";
    e->items[0].bytes = r->body;
    e->items[0].size = r->body_size;
    if (!errand_start(e)) {
        errand_destroy(e);
    }
}
