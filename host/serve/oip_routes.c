/* The routes of the Open Inference Protocol.
 *
 * An inference request is read by the pool, since its JSON may be long; its pictures go the way of
 * all errands; and the pool writes the answer, since thousands of numbers are no work for the
 * thread of a device. */
#include "host/serve/errand.h"
#include "host/serve/oip_metadata.h"
#include "host/serve/oip_response.h"
#include "host/serve/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void answer_body(request *r, bool good, const oip_body *body)
{
    if (!good) {
        request_fail(r, 503, "memory", "out of memory for the answer");
    } else {
        request_answer(r, 200, "application/json", body->bytes, body->size, BODY_OWNED);
    }
}

/* The model that the path names; NULL after the request was ended. */
static const served_model *model_of(request *r)
{
    const served_model *model = repository_find(&r->server->models, r->segments[0], r->segments[1]);
    if (!model) {
        request_fail(r, 404, "model", "there is no model \"%s\"%s%s", r->segments[0],
                     r->segments[1] ? " in version " : "", r->segments[1] ? r->segments[1] : "");
    }
    return model;
}

/* --- metadata --- */

void oip_server_handle(request *r)
{
    oip_body body;
    bool good = oip_server_write(&body);
    answer_body(r, good, &body);
}

void oip_model_handle(request *r)
{
    oip_body body;
    const repository *all = &r->server->models;
    const served_model *model = model_of(r);
    if (!model) {
        return;
    }
    const char **versions = calloc(all->count, sizeof *versions);
    oip_model described = {
        .name = model->name, .version = model->version, .versions = versions, .info = &model->info};
    for (size_t i = 0; versions && i < all->count; i++) {
        if (strcmp(all->models[i].name, model->name) == 0) {
            versions[described.version_count++] = all->models[i].version;
        }
    }
    bool good = versions && oip_model_write(&described, &body);
    free(versions);
    answer_body(r, good, &body);
}

void oip_index_handle(request *r)
{
    oip_body body;
    const repository *all = &r->server->models;
    oip_model *models = calloc(all->count, sizeof *models);
    for (size_t i = 0; models && i < all->count; i++) {
        models[i] = (oip_model){.name = all->models[i].name, .version = all->models[i].version};
    }
    bool good = models && oip_index_write(models, all->count, &body);
    free(models);
    answer_body(r, good, &body);
}

/* --- health --- */

static void answer_health(request *r, const char *what, const char *name, bool good)
{
    oip_body body;
    if (oip_health_write(what, name, good, &body)) {
        request_answer(r, good ? 200 : 503, "application/json", body.bytes, body.size, BODY_OWNED);
    } else {
        request_fail(r, 503, "memory", "out of memory for the answer");
    }
}

static bool is_ready(const request *r)
{
    return !atomic_load(&r->server->draining);
}

void live_handle(request *r)
{
    answer_health(r, "live", NULL, true);
}

void ready_handle(request *r)
{
    answer_health(r, "ready", NULL, is_ready(r));
}

void oip_model_ready_handle(request *r)
{
    const served_model *model = model_of(r);
    if (model) {
        answer_health(r, "ready", model->name, is_ready(r));
    }
}

/* --- inference --- */

typedef struct inference {
    pool_task task; /* first: tasks have its address; reads, later writes */
    server *server;
    request *request;
    const served_model *model;
    oip_request asked;
    errand *errand;
    uint64_t held; /* bytes of pixels, on the pool's bill */
} inference;

/* Pixels that the request does not hold itself. Files in base64 are not on the bill: they have yet
 * to be decoded, and what is on it must not wait for that. */
static void hold(inference *inf)
{
    const oip_tensor *tensor = &inf->asked.tensor;
    inf->held = tensor->datatype == OIP_BYTES ? 0 : tensor->owned_size;
    pool_hold(inf->server->pool, inf->held);
}

/* The request may have been answered. */
static void inference_destroy(inference *inf)
{
    pool_let_go(inf->server->pool, inf->held);
    errand_destroy(inf->errand);
    oip_request_destroy(&inf->asked);
    free(inf);
}

/* One picture that fails fails the request: its tensors have no place for a reason. */
static const errand_item *first_failed(const errand *e)
{
    for (uint32_t i = 0; i < e->count; i++) {
        if (e->items[i].status != VKDET_OK) {
            return &e->items[i];
        }
    }
    return NULL;
}

static bool write_found(const inference *inf, oip_body *body)
{
    const errand *e = inf->errand;
    oip_found *found = calloc(e->count, sizeof *found);
    if (!found) {
        return false;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        found[i] = (oip_found){.detections = e->items[i].detections, .count = e->items[i].count};
    }
    uint32_t asked = inf->asked.detect.max_detections;
    const oip_response response = {.model_name = inf->model->name,
                                   .model_version = inf->model->version,
                                   .id = inf->asked.id,
                                   .wanted = inf->asked.wanted,
                                   .wanted_count = inf->asked.wanted_count,
                                   .found = found,
                                   .count = e->count,
                                   .capacity = asked ? asked : inf->model->info.max_detections};
    bool good = oip_response_write(&response, body);
    free(found);
    return good;
}

static void answer_found(const inference *inf)
{
    oip_body body;
    request *r = inf->request;
    if (!write_found(inf, &body)) {
        request_fail(r, 503, "memory", "out of memory for the answer");
        return;
    }
    bool binary = body.json < body.size;
    if (binary) {
        char length[24];
        (void)snprintf(length, sizeof length, "%zu", body.json);
        request_header_add(r, "Inference-Header-Content-Length", length);
    }
    request_answer(r, 200, binary ? "application/octet-stream" : "application/json", body.bytes,
                   body.size, BODY_OWNED);
}

static void write_answer(pool_task *task)
{
    inference *inf = (inference *)(void *)task; /* its first member */
    const errand_item *failed = first_failed(inf->errand);
    errand_add_facts(inf->errand);
    if (failed) {
        request_fail(inf->request, code_of_status(failed->status),
                     vkdet_status_name(failed->status), "inputs[0]: element %td: %s",
                     failed - inf->errand->items, failed->message);
    } else {
        answer_found(inf);
    }
    inference_destroy(inf);
}

static void on_home(errand *e)
{
    inference *inf = e->user;
    inf->task = (pool_task){.run = write_answer};
    pool_finish(e->request->server->pool, &inf->task);
}

static oip_limits limits_of(const server *s, const vkdet_model_info *info)
{
    return (oip_limits){.images = batcher_max_queue(s->batcher),
                        .pixels = s->params->max_pixels,
                        .max_detections = info->max_detections,
                        .input_width = info->input_width,
                        .input_height = info->input_height,
                        .input_channels = info->input_channels};
}

/* False after the request was ended. */
static bool read_request(inference *inf)
{
    request *r = inf->request;
    oip_fault fault;
    const oip_limits limits = limits_of(r->server, &inf->model->info);
    const oip_bytes body = {.data = r->body, .size = r->body_size};
    if (!oip_request_parse(body, request_header(r, "Inference-Header-Content-Length"), &limits,
                           &inf->asked, &fault)) {
        request_fail(r, fault.no_memory ? 503 : 400, fault.no_memory ? "memory" : "argument", "%s",
                     fault.text);
        return false;
    }
    const uint64_t timeout_ns = inf->asked.timeout_us * 1000;
    if (timeout_ns > r->server->params->longest_timeout_ns) {
        request_fail(r, 400, "argument",
                     "parameters.timeout is more than the server's longest, %" PRIu64,
                     r->server->params->longest_timeout_ns / 1000);
        return false;
    }
    r->deadline_ns = timeout_ns ? r->arrived_ns + timeout_ns : r->deadline_ns;
    return true;
}

static void fill_items(const inference *inf)
{
    const oip_tensor *tensor = &inf->asked.tensor;
    for (uint32_t i = 0; i < tensor->count; i++) {
        errand_item *it = &inf->errand->items[i];
        if (tensor->datatype == OIP_BYTES) {
            it->bytes = tensor->items[i].data;
            it->size = tensor->items[i].size;
        } else {
            it->job.pixels = oip_tensor_pixels(tensor, i);
        }
    }
}

static void read_and_start(pool_task *task)
{
    inference *inf = (inference *)(void *)task; /* its first member */
    if (!read_request(inf)) {
        inference_destroy(inf);
        return;
    }
    inf->errand = errand_create(inf->request, inf->model, inf->asked.tensor.count);
    if (!inf->errand) {
        inference_destroy(inf);
        return;
    }
    hold(inf);
    inf->errand->params = inf->asked.detect;
    inf->errand->answer = on_home;
    inf->errand->user = inf;
    fill_items(inf);
    if (!errand_start(inf->errand)) {
        inference_destroy(inf);
    }
}

void oip_infer_handle(request *r)
{
    const served_model *model = model_of(r);
    if (!model) {
        return;
    }
    inference *inf = calloc(1, sizeof *inf);
    if (!inf) {
        request_fail(r, 503, "memory", "out of memory for the request");
        return;
    }
    inf->task.run = read_and_start;
    inf->server = r->server;
    inf->request = r;
    inf->model = model;
    pool_decode(r->server->pool, &inf->task);
}
