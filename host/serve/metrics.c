/* Counting: relaxed atomics, since nothing follows from one number about another. */
#include "host/serve/metrics.h"

#include "host/serve/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The answers that the server gives; what is not among them is counted as the last. */
static const unsigned codes[METRICS_CODES] = {200, 204, 206, 304, 400, 401, 403, 404,
                                              405, 408, 411, 413, 414, 415, 421, 422,
                                              429, 431, 500, 501, 503, 504, 505, 0};

static void count_up(_Atomic uint64_t *counter, uint64_t value)
{
    (void)atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static uint64_t value_of(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static size_t code_index(unsigned code)
{
    size_t i = 0;
    while (i + 1 < METRICS_CODES && codes[i] != code) {
        i++;
    }
    return i;
}

/* Bounds of time, from 100 microseconds to 30 seconds. */
static const uint64_t time_bounds[METRICS_BUCKETS] = {
    100000,     250000,     500000,     1000000,     2500000,     5000000,
    10000000,   25000000,   50000000,   100000000,   250000000,   500000000,
    1000000000, 2500000000, 5000000000, 10000000000, 20000000000, 30000000000};
static const uint64_t batch_bounds[METRICS_BUCKETS] = {1,  2,  3,  4,   6,   8,   12,   16,   24,
                                                       32, 48, 64, 128, 256, 512, 1024, 2048, 4096};

static void observe(histogram *h, const uint64_t *bounds, uint64_t value)
{
    size_t i = 0;
    while (i < METRICS_BUCKETS && value > bounds[i]) {
        i++;
    }
    count_up(&h->buckets[i], 1);
    count_up(&h->sum, value);
}

void metrics_seconds(histogram *h, uint64_t ns)
{
    observe(h, time_bounds, ns);
}

void metrics_batch(metrics *m, size_t device, uint32_t pictures, uint64_t ns)
{
    observe(&m->compute_seconds[device], time_bounds, ns);
    observe(&m->batch_size[device], batch_bounds, pictures);
}

void metrics_picture(metrics *m, bool good)
{
    count_up(good ? &m->pictures : &m->failed_pictures, 1);
}

/* behind the routes: requests that found none */
static size_t route_index(const struct exchange *e)
{
    const size_t index = e->route ? routes_index(e->route) : routes_count();
    return index < METRICS_ROUTES ? index : METRICS_ROUTES - 1;
}

void metrics_request(metrics *m, const struct exchange *e, bool sent)
{
    if (!sent) {
        count_up(&m->aborted[route_index(e)], 1);
        return;
    }
    count_up(&m->requests[route_index(e)][code_index(e->code)], 1);
    metrics_seconds(&m->request_seconds, serve_now() - e->request.arrived_ns);
}

/* --- text ----------------------------------------------------------------------------------------
 */

static void head(FILE *out, const char *name, const char *type, const char *help)
{
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* The value of a label: backslash, quote and newline escaped. */
static void label(FILE *out, const char *name, const char *value)
{
    (void)fprintf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n') {
            (void)fputs("\\n", out);
        } else {
            (void)fprintf(out, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
        }
    }
    (void)fputc('"', out);
}

/* scale turns the sum and the bounds into the unit of the name; device NULL: no label */
static void write_histogram(FILE *out, const char *name, const char *device, histogram *h,
                            const uint64_t *bounds, double scale)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        below += value_of(&h->buckets[i]);
        (void)fprintf(out, "%s_bucket{", name);
        if (device) {
            label(out, "device", device);
            (void)fputc(',', out);
        }
        if (i < METRICS_BUCKETS) {
            (void)fprintf(out, "le=\"%g\"} %llu\n", (double)bounds[i] * scale,
                          (unsigned long long)below);
        } else {
            (void)fprintf(out, "le=\"+Inf\"} %llu\n", (unsigned long long)below);
        }
    }
    const double sum = (double)value_of(&h->sum) * scale;
    if (device) {
        (void)fprintf(out, "%s_sum{", name);
        label(out, "device", device);
        (void)fprintf(out, "} %.9g\n%s_count{", sum, name);
        label(out, "device", device);
        (void)fprintf(out, "} %llu\n", (unsigned long long)below);
    } else {
        (void)fprintf(out, "%s_sum %.9g\n%s_count %llu\n", name, sum, name,
                      (unsigned long long)below);
    }
}

static const char *outcome_of(unsigned code)
{
    return code == 429                ? "rejected"
           : code == 504              ? "timeout"
           : code >= 500 || code == 0 ? "server_error"
           : code >= 400              ? "client_error"
                                      : "ok";
}

static void write_requests(FILE *out, metrics *m)
{
    static const char *const outcomes[] = {"ok",      "client_error", "rejected",
                                           "timeout", "server_error", "aborted"};
    enum { OUTCOMES = sizeof outcomes / sizeof outcomes[0] };
    uint64_t totals[OUTCOMES] = {0};
    const size_t routes = routes_count() + 1 < METRICS_ROUTES ? routes_count() + 1 : METRICS_ROUTES;
    head(out, "vkdet_http_requests_total", "counter", "Requests answered, by route and code.");
    for (size_t r = 0; r < routes; r++) {
        for (size_t c = 0; c < METRICS_CODES; c++) {
            const uint64_t count = value_of(&m->requests[r][c]);
            if (count == 0) {
                continue;
            }
            (void)fputs("vkdet_http_requests_total{", out);
            label(out, "route", r < routes_count() ? routes_at(r)->path : "none");
            (void)fprintf(out, ",code=\"%u\"} %llu\n", codes[c], (unsigned long long)count);
            for (size_t k = 0; k < OUTCOMES; k++) {
                totals[k] += strcmp(outcomes[k], outcome_of(codes[c])) == 0 ? count : 0;
            }
        }
        totals[OUTCOMES - 1] += value_of(&m->aborted[r]);
    }
    head(out, "vkdet_requests_total", "counter",
         "Requests by outcome; aborted: the client went before its answer was sent.");
    for (size_t k = 0; k < OUTCOMES; k++) {
        (void)fprintf(out, "vkdet_requests_total{outcome=\"%s\"} %llu\n", outcomes[k],
                      (unsigned long long)totals[k]);
    }
    head(out, "vkdet_pictures_total", "counter", "Pictures by outcome.");
    (void)fprintf(out,
                  "vkdet_pictures_total{outcome=\"ok\"} %llu\n"
                  "vkdet_pictures_total{outcome=\"failed\"} %llu\n",
                  (unsigned long long)value_of(&m->pictures),
                  (unsigned long long)value_of(&m->failed_pictures));
}

static void write_histograms(FILE *out, struct server *s)
{
    metrics *m = &s->metrics;
    const size_t devices = batcher_device_count(s->batcher);
    head(out, "vkdet_request_seconds", "histogram",
         "From the head of a request to the end of its answer.");
    write_histogram(out, "vkdet_request_seconds", NULL, &m->request_seconds, time_bounds, 1e-9);
    head(out, "vkdet_decode_seconds", "histogram", "Decoding of one picture.");
    write_histogram(out, "vkdet_decode_seconds", NULL, &m->decode_seconds, time_bounds, 1e-9);
    head(out, "vkdet_queue_seconds", "histogram", "A picture's wait for its batch to begin.");
    write_histogram(out, "vkdet_queue_seconds", NULL, &m->queue_seconds, time_bounds, 1e-9);
    head(out, "vkdet_compute_seconds", "histogram", "A batch on its device, copies included.");
    for (size_t i = 0; i < devices; i++) {
        write_histogram(out, "vkdet_compute_seconds", batcher_device(s->batcher, i)->info.id,
                        &m->compute_seconds[i], time_bounds, 1e-9);
    }
    head(out, "vkdet_batch_size", "histogram", "Pictures in a batch.");
    for (size_t i = 0; i < devices; i++) {
        write_histogram(out, "vkdet_batch_size", batcher_device(s->batcher, i)->info.id,
                        &m->batch_size[i], batch_bounds, 1);
    }
}

static void gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
    head(out, name, "gauge", help);
    (void)fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* Pages in memory, of this process, by the kernel; 0 where there is no such file. */
static uint64_t resident_bytes(void)
{
    unsigned long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128];
    if (file) {
        if (fgets(line, sizeof line, file)) {
            char *rest = NULL;
            size = strtoull(line, &rest, 10);
            resident = strtoull(rest, NULL, 10);
        }
        (void)fclose(file);
    }
    (void)size;
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_state(FILE *out, struct server *s)
{
    gauge(out, "vkdet_queue_length", "Pictures admitted and not yet on a device.",
          batcher_waiting(s->batcher));
    gauge(out, "vkdet_queue_capacity", "Most of them before requests are rejected.",
          batcher_max_queue(s->batcher));
    gauge(out, "vkdet_http_requests_in_flight", "Requests that have begun and are not answered.",
          http_busy(s->http));
    gauge(out, "vkdet_http_connections", "Connections that are open.", http_connections(s->http));
    gauge(out, "vkdet_body_bytes", "Bytes held of requests' bodies.", atomic_load(&s->held_bytes));
    gauge(out, "vkdet_pixel_bytes", "Bytes held of decoded pictures.", pool_held(s->pool));
    gauge(out, "vkdet_draining", "1 after the signal to end.", atomic_load(&s->draining));
    gauge(out, "process_resident_memory_bytes", "Memory of the process that is resident.",
          resident_bytes());
    head(out, "vkdet_access_log_lost_total", "counter",
         "Lines of the access log that could not be written.");
    (void)fprintf(out, "vkdet_access_log_lost_total %llu\n",
                  (unsigned long long)access_log_lost(&s->log));
    head(out, "vkdet_build_info", "gauge", "The program's version.");
    (void)fprintf(out, "vkdet_build_info{version=\"%s\"} 1\n", vkdet_version());
    head(out, "vkdet_device_info", "gauge", "Devices that serve.");
    for (size_t i = 0; i < batcher_device_count(s->batcher); i++) {
        const batch_device *d = batcher_device(s->batcher, i);
        (void)fputs("vkdet_device_info{", out);
        label(out, "device", d->info.id);
        (void)fputc(',', out);
        label(out, "name", d->info.name);
        (void)fputc(',', out);
        label(out, "driver", d->info.driver);
        (void)fprintf(out, ",precision=\"%s\"} 1\n", vkdet_precision_name(d->precision));
    }
}

void metrics_write(FILE *out, struct server *s)
{
    write_requests(out, &s->metrics);
    write_histograms(out, s);
    write_state(out, s);
}

void metrics_handle(request *r)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        metrics_write(out, r->server);
    }
    if (!out || fclose(out) != 0) {
        free(text);
        request_fail(r, 503, "memory", "out of memory for the metrics");
        return;
    }
    request_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, size, BODY_OWNED);
}
