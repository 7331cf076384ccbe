/* vkdet serve: the options, and what the operator reads. */
#include "host/serve/serve.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_note(void *user, const char *line)
{
    (void)user;
    console_note("%s", line);
}

static void on_error(void *user, const char *line)
{
    (void)user;
    console_error("%s", line);
}

/* On standard output, for scripts that wait for it. */
static void on_ready(void *user, const char *address)
{
    (void)user;
    (void)printf("%s\n", address);
    (void)fflush(stdout);
    console_note("serving on %s", address);
}

/* "a,b" into a list that points into `text` */
static bool read_devices(char *text, serve_params *out)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (out->device_count == SERVE_DEVICES) {
            return false;
        }
        out->devices[out->device_count++] = word;
    }
    return out->device_count > 0;
}

static bool read_port(const char *text, uint16_t *out)
{
    size_t length = strlen(text);
    unsigned long value = length > 0 && length <= 5 ? strtoul(text, NULL, 10) : 65536;
    *out = (uint16_t)value;
    return text[strspn(text, "0123456789")] == 0 && value <= 65535;
}

static int exit_of(serve_outcome outcome)
{
    switch (outcome) {
    case SERVE_GOOD:
        return EXIT_GOOD;
    case SERVE_MODEL:
        return EXIT_MODEL;
    case SERVE_NETWORK:
        return EXIT_OUTPUT;
    case SERVE_DEVICE:
        return EXIT_DEVICE;
    default:
        return EXIT_USAGE;
    }
}

static int serve_command(const settings *s)
{
    serve_params p = {.host = s->host,
                      .port = 8000,
                      .cache_dir = s->cache_dir,
                      .threads = (uint32_t)s->threads,
                      .max_batch = (uint32_t)(s->batch ? s->batch : 8),
                      .max_queue = 256,
                      .max_queue_delay_ns = 2000000,
                      .max_body = 32u << 20,
                      .max_pixels = s->max_pixels ? s->max_pixels : 100000000,
                      .max_held = 1u << 30,
                      .max_connections = 1024,
                      .timeout_ns = 30000000000u,
                      .longest_timeout_ns = 300000000000u,
                      .receive_ns = 60000000000u,
                      .idle_ns = 60000000000u,
                      .send_ns = 60000000000u,
                      .drain_ns = 30000000000u,
                      .note = on_note,
                      .error = on_error,
                      .ready = on_ready};
    if (s->port && !read_port(s->port, &p.port)) {
        console_error("serve: --port takes a whole number from 0 to 65535, not \"%s\"", s->port);
        return EXIT_USAGE;
    }
    char *devices = strdup(s->device ? s->device : "auto");
    if (!devices || !read_devices(devices, &p)) {
        console_error("serve: --device takes a list such as vulkan:0,cpu");
        free(devices);
        return EXIT_USAGE;
    }
    int status = read_precision(s, "serve", &p.precision);
    status = status == EXIT_GOOD ? read_tune(s, "serve", &p.tune) : status;
    status = status == EXIT_GOOD ? open_context(s, &p.context) : status;
    status = status == EXIT_GOOD ? open_model(p.context, s->model, &p.model) : status;
    if (status == EXIT_GOOD) {
        status = exit_of(serve_run(&p));
    }
    vkdet_context_destroy(p.context);
    free(devices);
    return status;
}

static const option_id serve_options[] = {
    OPTION_MODEL, OPTION_BENCH_DEVICE, OPTION_PRECISION, OPTION_HOST,  OPTION_PORT, OPTION_THREADS,
    OPTION_TUNE,  OPTION_CACHE_DIR,    OPTION_VERBOSE,   OPTION_QUIET, OPTION_HELP, OPTION_END};

const command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "detection over HTTP",
    .details = "\n"
               "Serves on http://127.0.0.1:8000 until SIGTERM or SIGINT, then finishes what has\n"
               "begun.\n",
    .max_operands = 0,
    .options = serve_options,
    .run = serve_command,
};
