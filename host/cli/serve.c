/* vkdet serve: the options, and what the operator reads. */
#include "host/serve/serve.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"

#include <inttypes.h>
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
}

/* "a,b" into a list that points into `text`; no empty entry */
static bool read_devices(char *text, serve_params *out)
{
    for (char *word = text; word;) {
        char *comma = strchr(word, ',');
        if (comma) {
            *comma = 0;
        }
        if (out->device_count == SERVE_DEVICES || !*word) {
            return false;
        }
        out->devices[out->device_count++] = word;
        word = comma ? comma + 1 : NULL;
    }
    return true;
}

/* What browsers send as Origin, SCHEME://HOST[:PORT] in lower case: another one would match none.
 */
static bool is_origin(const char *text)
{
    static const char scheme[] = "abcdefghijklmnopqrstuvwxyz0123456789+-.";
    static const char host[] = "abcdefghijklmnopqrstuvwxyz0123456789-._~:[]";
    const size_t length = strspn(text, scheme);
    const char *rest = text + length;
    return strcmp(text, "*") == 0 || (length > 0 && strncmp(rest, "://", 3) == 0 && rest[3] &&
                                      rest[3 + strspn(rest + 3, host)] == 0);
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

static uint64_t given(uint64_t value, uint64_t standard)
{
    return value ? value : standard;
}

static serve_params params_of(const settings *s)
{
    const uint64_t second = 1000000000u;
    const uint64_t client = given(s->client_timeout, 60) * second;
    const uint64_t timeout = given(s->timeout_ms, 30000) * 1000000u;
    return (serve_params){.model_repository = s->model_repository,
                          .cache_dir = s->cache_dir,
                          .threads = (uint32_t)s->threads,
                          .host = s->host,
                          .port = 8000,
                          .allow_anyone = s->allow_anyone != 0,
                          .token_file = s->token_file,
                          .allow_host = s->allow_host,
                          .cors_origin = s->cors_origin,
                          .access_log = s->access_log,
                          .max_batch = (uint32_t)given(s->batch, 8),
                          .max_queue = (uint32_t)given(s->max_queue, 256),
                          .max_queue_delay_ns = given(s->max_queue_delay, 2000) * 1000u,
                          .max_body = given(s->max_body, 32u << 20),
                          .max_pixels = given(s->max_pixels, 50000000),
                          .max_held = given(s->max_held, 1u << 30),
                          .max_connections = (uint32_t)given(s->max_connections, 1024),
                          .timeout_ns = timeout,
                          .longest_timeout_ns = timeout > 300 * second ? timeout : 300 * second,
                          .receive_ns = client,
                          .idle_ns = client,
                          .send_ns = client,
                          .drain_ns = 30 * second,
                          .note = on_note,
                          .error = on_error,
                          .ready = on_ready};
}

/* What makes no sense whatever the models are. */
static int check_usage(const settings *s, char *devices, serve_params *p)
{
    if (s->port && !read_port(s->port, &p->port)) {
        console_error("serve: --port takes a whole number from 0 to 65535, not \"%s\"", s->port);
        return EXIT_USAGE;
    }
    if (s->model && s->model_repository) {
        console_error("serve: --model and --model-repository exclude each other");
        return EXIT_USAGE;
    }
    if (s->cors_origin && !is_origin(s->cors_origin)) {
        console_error("serve: --cors-origin takes * or what browsers send, such as "
                      "https://example.org:8443: no path, lower case");
        return EXIT_USAGE;
    }
    if (!read_devices(devices, p)) {
        console_error("serve: --device takes a list such as vulkan:0,cpu");
        return EXIT_USAGE;
    }
    compute_wish compute;
    const int status = read_compute(s, "serve", &compute);
    p->precision = compute.precision;
    p->tune = compute.tune;
    p->winograd = compute.winograd;
    return status;
}

static int serve_command(const settings *s)
{
    serve_params p = params_of(s);
    char *devices = strdup(s->device ? s->device : "auto");
    if (!devices) {
        console_error("out of memory");
        return EXIT_DEVICE;
    }
    int status = check_usage(s, devices, &p);
    if (status == EXIT_GOOD) {
        status = open_context(s, &p.context);
    }
    if (status == EXIT_GOOD && !s->model_repository) {
        status = open_model(p.context, s->model, &p.model);
    }
    if (status == EXIT_GOOD) {
        status = exit_of(serve_run(&p));
        const uint64_t messages = vkdet_context_validation_messages(p.context);
        if (messages > 0) {
            console_error("the validation layers had %" PRIu64 " messages", messages);
            status = status == EXIT_GOOD ? EXIT_DEVICE : status;
        }
    }
    vkdet_context_destroy(p.context);
    free(devices);
    return status;
}

static const option_id serve_options[] = {OPTION_MODEL,
                                          OPTION_MODEL_REPOSITORY,
                                          OPTION_BENCH_DEVICE,
                                          OPTION_PRECISION,
                                          OPTION_THREADS,
                                          OPTION_TUNE,
                                          OPTION_WINOGRAD,
                                          OPTION_CACHE_DIR,
                                          OPTION_HOST,
                                          OPTION_PORT,
                                          OPTION_TOKEN_FILE,
                                          OPTION_ALLOW_ANYONE,
                                          OPTION_ALLOW_HOST,
                                          OPTION_CORS_ORIGIN,
                                          OPTION_ACCESS_LOG,
                                          OPTION_MAX_BATCH,
                                          OPTION_MAX_QUEUE_DELAY,
                                          OPTION_MAX_QUEUE,
                                          OPTION_TIMEOUT,
                                          OPTION_CLIENT_TIMEOUT,
                                          OPTION_MAX_BODY,
                                          OPTION_SERVE_MAX_PIXELS,
                                          OPTION_MAX_HELD,
                                          OPTION_MAX_CONNECTIONS,
                                          OPTION_VALIDATE,
                                          OPTION_VERBOSE,
                                          OPTION_QUIET,
                                          OPTION_HELP,
                                          OPTION_END};

const command command_serve = {
    .name = "serve",
    .operands = "",
    .summary = "detection over HTTP: a page, and an interface for programs",
    .details = "\n"
               "A page for people at http://127.0.0.1:8000/, and for programs POST /v1/detect.\n"
               "SIGTERM or SIGINT ends it once every request that has begun is answered. Beyond\n"
               "this machine it serves only with a token, or when told to serve anyone.\n",
    .max_operands = 0,
    .options = serve_options,
    .run = serve_command,
};
