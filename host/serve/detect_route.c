/* POST /v1/detect: reads what a request asks for, and sends its pictures on their way. */
#include "host/serve/detection.h"
#include "host/serve/multipart.h"
#include "host/serve/server.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PICTURES = 64 };

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

/* The thresholds of the query; false after the request was ended for one. */
static bool read_thresholds(request *r, errand *e)
{
    double conf = -1, most = 0;
    const char *mode = query_get(&r->query, "nms_mode");
    if (!read_number(r, "conf", 0, 1, &conf)) {
        request_fail(r, 400, "argument", "conf takes a number from 0 to 1");
    } else if (!read_number(r, "iou", 1e-300, 1, &e->params.iou_threshold)) {
        request_fail(r, 400, "argument", "iou takes a number above 0 and at most 1");
    } else if (!read_number(r, "max_det", 1, 4294967294.0, &most) || most != floor(most)) {
        request_fail(r, 400, "argument", "max_det takes a whole number from 1 to 4294967294");
    } else if (mode && vkdet_nms_mode_from_name(mode, &e->params.nms_mode) != VKDET_OK) {
        request_fail(r, 400, "argument", "nms_mode takes tfjs, tf, tfjs-per-class or tf-per-class");
    } else {
        /* the library takes 0 for "the card's"; no score is between 0 and the least number */
        e->params.score_threshold = conf == 0 ? 1e-300 : conf < 0 ? 0 : conf;
        e->params.max_detections = (uint32_t)most;
        return true;
    }
    return false;
}

/* The rest of it. */
static bool read_wishes(request *r, detection *d)
{
    errand *e = d->errand;
    static const char *const known[] = {"model",    "version",    "conf",   "iou",
                                        "max_det",  "name",       "labels", "nms_mode",
                                        "annotate", "timeout_ms", NULL};
    const char *text = query_unknown(&r->query, known);
    const char *annotate = query_get(&r->query, "annotate");
    const char *timeout = query_get(&r->query, "timeout_ms");
    e->language = query_get(&r->query, "labels");
    d->annotate = annotate && strcmp(annotate, "1") == 0;
    e->keep_images = d->annotate;
    if (text) {
        request_fail(r, 400, "argument", "there is no parameter \"%s\"", text);
    } else if (timeout && !request_deadline(r, timeout, &r->deadline_ns)) {
        request_fail(r, 400, "argument", "timeout_ms takes a whole number from 1 to %" PRIu64,
                     r->server->params->longest_timeout_ns / 1000000u);
    } else if (e->language && !vkdet_model_label(e->model->model, 0, e->language)) {
        request_fail(r, 400, "argument", "labels: the model has no language \"%s\"", e->language);
    } else if (annotate && !d->annotate && strcmp(annotate, "0") != 0) {
        request_fail(r, 400, "argument", "annotate takes 0 or 1");
    } else if (d->annotate && e->count > 1) {
        request_fail(r, 400, "argument", "annotate takes one picture, not %" PRIu32, e->count);
    } else {
        return true;
    }
    return false;
}

/* What Accept asks for, else PNG for a PNG and JPEG for the others. */
static vkdet_image_codec choose_codec(const request *r, const errand_item *it)
{
    static const unsigned char png[] = {0x89, 'P', 'N', 'G'};
    const char *accept = request_header(r, "Accept");
    if (accept && strstr(accept, "image/png")) {
        return VKDET_IMAGE_PNG;
    }
    if (accept && strstr(accept, "image/jpeg")) {
        return VKDET_IMAGE_JPEG;
    }
    return it->size >= sizeof png && memcmp(it->bytes, png, sizeof png) == 0 ? VKDET_IMAGE_PNG
                                                                             : VKDET_IMAGE_JPEG;
}

/* --- pictures ------------------------------------------------------------------------------------
 */

/* The body as it is: its name is name=, or X-Filename (percent-encoded: headers are ASCII). */
static bool take_body(const request *r, errand_item *it)
{
    const char *name = query_get(&r->query, "name");
    const char *header = name ? NULL : request_header(r, "X-Filename");
    it->name = strdup(name ? name : header ? header : "-");
    it->bytes = r->body;
    it->size = r->body_size;
    if (it->name && header && !percent_decode(it->name, false)) {
        memcpy(it->name, header, strlen(header) + 1); /* decoding cuts, at most */
    }
    return it->name != NULL;
}

/* The parts of a form into items (NULL: only counts them). False: malformed, or no memory. */
static bool walk_parts(const request *r, const char *boundary, errand_item *items, uint32_t *count,
                       const char **reason)
{
    multipart m = {r->body, r->body + r->body_size, boundary, false};
    multipart_part part;
    *count = 0;
    for (;;) {
        multipart_outcome outcome = multipart_next(&m, &part, reason);
        if (outcome == MULTIPART_END) {
            return true;
        }
        if (outcome != MULTIPART_PART) {
            return false;
        }
        if (items) {
            errand_item *it = &items[*count];
            it->name = strdup(*part.name ? part.name : "-");
            it->bytes = part.bytes;
            it->size = part.size;
            if (!it->name) {
                *reason = NULL;
                return false;
            }
        }
        ++*count;
    }
}

/* The errand with its pictures; NULL after the request was ended. */
static errand *make_errand(request *r, const served_model *model)
{
    char boundary[MULTIPART_BOUNDARY + 1];
    const char *reason = "the boundary in Content-Type makes no sense";
    uint32_t count = 1;
    const multipart_kind kind = multipart_read_type(request_header(r, "Content-Type"), boundary);
    if (kind == MULTIPART_BROKEN ||
        (kind == MULTIPART_FORM && !walk_parts(r, boundary, NULL, &count, &reason))) {
        request_fail(r, 400, "argument", "multipart/form-data: %s", reason);
        return NULL;
    }
    if (count == 0 || r->body_size == 0) {
        request_fail(r, 400, "argument", "no picture: the body is its bytes, or a form with files");
        return NULL;
    }
    if (count > MOST_PICTURES || count > batcher_max_queue(r->server->batcher)) {
        request_fail(r, 413, "limit", "%" PRIu32 " pictures are too many for one request", count);
        return NULL;
    }
    errand *e = errand_create(r, model, count);
    if (e && !(kind == MULTIPART_FORM ? walk_parts(r, boundary, e->items, &count, &reason)
                                      : take_body(r, &e->items[0]))) {
        errand_destroy(e);
        request_fail(r, 503, "memory", "out of memory for the request");
        return NULL;
    }
    return e;
}

void detect_handle(request *r)
{
    server *s = r->server;
    const served_model *model =
        repository_find(&s->models, query_get(&r->query, "model"), query_get(&r->query, "version"));
    if (!model) {
        request_fail(r, 404, "model", "no such model (/v1/info lists them)");
        return;
    }
    errand *e = make_errand(r, model);
    if (!e) {
        return;
    }
    detection *d = calloc(1, sizeof *d);
    if (!d) {
        errand_destroy(e);
        request_fail(r, 503, "memory", "out of memory for the request");
        return;
    }
    d->errand = e;
    e->user = d;
    e->answer = detection_answer;
    if (!read_thresholds(r, e) || !read_wishes(r, d)) {
        detection_destroy(d);
        return;
    }
    d->codec = choose_codec(r, &e->items[0]);
    if (!errand_start(e)) {
        detection_destroy(d);
    }
}
