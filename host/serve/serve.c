/* From start to end: models, devices, the address; signals; the last answers. */
#include "host/serve/serve.h"

#include "host/serve/http.h"
#include "host/serve/info.h"
#include "host/serve/notify.h"
#include "host/serve/server.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TICK_NS = 50 * 1000000 };

uint64_t serve_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The signals that end the server, unless who started it wants them ignored. Blocked in every
 * thread: the main one asks for them. */
static void block_signals(sigset_t *set, sigset_t *before)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    (void)sigemptyset(set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
            (void)sigaddset(set, numbers[i]);
        }
    }
    (void)pthread_sigmask(SIG_BLOCK, set, before);
}

static void tick(const server *s)
{
    const uint64_t now = serve_now();
    batcher_sweep(s->batcher, now);
    http_sweep(s->http, now);
}

/* A hang-up opens the access log anew where there is a file, and ends the server where not. */
static bool is_end(server *s, int number)
{
    char message[1024];
    if (number != SIGHUP || !s->params->access_log || strcmp(s->params->access_log, "-") == 0) {
        return true;
    }
    if (!access_log_reopen(&s->log, message, sizeof message)) {
        s->params->error(s->params->user, message);
    }
    return false;
}

static void serve_until_told(server *s, const sigset_t *signals)
{
    const struct timespec moment = {0, TICK_NS};
    for (;;) {
        const int number = sigtimedwait(signals, NULL, &moment);
        if (number > 0 && is_end(s, number)) {
            return;
        }
        tick(s);
    }
}

/* The service manager, where one started us. */
static void tell_manager(const server *s, const char *state)
{
    char message[256];
    if (notify(state) != 0) {
        (void)snprintf(message, sizeof message, "NOTIFY_SOCKET: %s", strerror(errno));
        s->params->error(s->params->user, message);
    }
}

/* Answers what has begun; a second signal has its usual effect, at once. */
static void drain(server *s, const sigset_t *before)
{
    const struct timespec moment = {0, TICK_NS};
    atomic_store(&s->draining, true);
    (void)pthread_sigmask(SIG_SETMASK, before, NULL);
    http_drain(s->http);
    while (http_busy(s->http) > 0 || http_connections(s->http) > 0) {
        (void)nanosleep(&moment, NULL);
        tick(s);
    }
}

static serve_outcome outcome_of(vkdet_status status)
{
    return status == VKDET_ERROR_MODEL || status == VKDET_ERROR_IO ? SERVE_MODEL : SERVE_DEVICE;
}

static serve_outcome open_models(server *s, char *message, size_t size)
{
    const serve_params *p = s->params;
    vkdet_status status =
        p->model ? repository_of_model(&s->models, p->model, message, size)
                 : repository_read(&s->models, p->context, p->model_repository, message, size);
    return status == VKDET_OK ? SERVE_GOOD : outcome_of(status);
}

static serve_outcome open_devices(server *s, char *message, size_t size)
{
    const serve_params *p = s->params;
    const batcher_params wanted = {.context = p->context,
                                   .metrics = &s->metrics,
                                   .models = &s->models,
                                   .devices = p->devices,
                                   .device_count = p->device_count,
                                   .precision = p->precision,
                                   .tune = p->tune,
                                   .winograd = p->winograd,
                                   .cache_dir = p->cache_dir,
                                   .threads = p->threads,
                                   .max_batch = p->max_batch,
                                   .max_queue = p->max_queue,
                                   .max_queue_delay_ns = p->max_queue_delay_ns};
    vkdet_status status = VKDET_OK;
    s->batcher = batcher_create(&wanted, &status, message, size);
    if (!s->batcher) {
        return outcome_of(status);
    }
    for (size_t i = 0; i < batcher_device_count(s->batcher); i++) {
        const batch_device *d = batcher_device(s->batcher, i);
        char line[600];
        for (size_t k = 0; k < i; k++) {
            /* two of one device only wait for each other, and its figures would have one name */
            if (strcmp(batcher_device(s->batcher, k)->info.id, d->info.id) == 0) {
                (void)snprintf(message, size, "--device: %s is named twice (%s, %s)", d->info.id,
                               p->devices[k], p->devices[i]);
                return SERVE_USAGE;
            }
        }
        (void)snprintf(line, sizeof line, "device %s: %s, %s", d->info.id, d->info.name,
                       vkdet_precision_name(d->precision));
        p->note(p->user, line);
    }
    s->pool = pool_create(0, p->max_held);
    s->info = s->pool ? info_text(s) : NULL;
    if (!s->info) {
        (void)snprintf(message, size, "out of memory or threads");
        return SERVE_DEVICE;
    }
    return SERVE_GOOD;
}

static serve_outcome serve(server *s, char *message, size_t size)
{
    char address[128] = "";
    sigset_t signals, before;
    const serve_params *p = s->params;
    serve_outcome outcome = open_models(s, message, size);
    if (outcome != SERVE_GOOD) {
        return outcome;
    }
    if (p->allow_host && !authority_list_is_sound(p->allow_host)) {
        (void)snprintf(message, size,
                       "--allow-host takes names or addresses without a port, with commas between, "
                       "or *");
        return SERVE_USAGE;
    }
    if (p->token_file && !guard_read(&s->guard, p->token_file, message, size)) {
        return SERVE_USAGE;
    }
    if (!access_log_open(&s->log, p->access_log, message, size)) {
        return SERVE_NETWORK;
    }
    s->http = http_create(s, address, sizeof address, message, size);
    if (!s->http) {
        return SERVE_NETWORK;
    }
    block_signals(&signals, &before);
    if (!access_log_start(&s->log)) {
        (void)snprintf(message, size, "out of memory or threads for the access log");
        outcome = SERVE_DEVICE;
    } else {
        outcome = open_devices(s, message, size);
    }
    if (outcome == SERVE_GOOD && !http_start(s->http, message, size)) {
        outcome = SERVE_NETWORK;
    }
    if (outcome == SERVE_GOOD) {
        p->ready(p->user, address);
        tell_manager(s, "READY=1");
        serve_until_told(s, &signals);
        tell_manager(s, "STOPPING=1");
        drain(s, &before);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return outcome;
}

serve_outcome serve_run(const serve_params *params)
{
    server s = {.params = params,
                .log = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}};
    char message[2048] = "";
    serve_outcome outcome = serve(&s, message, sizeof message);
    if (outcome != SERVE_GOOD) {
        params->error(params->user, message);
    }
    http_destroy(s.http);
    pool_destroy(s.pool);
    batcher_destroy(s.batcher);
    repository_close(&s.models);
    const uint64_t lost = access_log_close(&s.log);
    if (lost > 0) {
        (void)snprintf(message, sizeof message, "--access-log %s: %" PRIu64 " lines were lost",
                       params->access_log, lost);
        params->error(params->user, message);
    }
    free(s.info);
    return outcome;
}
