/* Answers: from any thread to the thread of the connection. */
#include "host/serve/exchange.h"

#include "host/client/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static exchange *exchange_of(request *r)
{
    return (exchange *)(void *)r;
}

const char *request_header(const request *r, const char *name)
{
    const exchange *e = (const exchange *)(const void *)r;
    return MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, name);
}

const atomic_bool *request_gone(const request *r)
{
    const exchange *e = (const exchange *)(const void *)r;
    return &e->peer->gone;
}

bool request_deadline(const request *r, const char *timeout_ms, uint64_t *deadline_ns)
{
    const serve_params *p = r->server->params;
    size_t length = strlen(timeout_ms);
    if (length == 0 || length > 9 || timeout_ms[strspn(timeout_ms, "0123456789")] != 0) {
        return false;
    }
    uint64_t ns = strtoull(timeout_ms, NULL, 10) * 1000000u;
    if (ns == 0 || ns > p->longest_timeout_ns) {
        return false;
    }
    *deadline_ns = r->arrived_ns + ns;
    return true;
}

void request_header_add(request *r, const char *name, const char *value)
{
    exchange *e = exchange_of(r);
    if (e->header_count < EXCHANGE_HEADERS) {
        e->headers[e->header_count].name = name;
        (void)snprintf(e->headers[e->header_count].value, EXCHANGE_HEADER_SIZE, "%s", value);
        e->header_count++;
    }
}

/* CORS: the one origin that was named (or "*"), and nobody else. */
static void add_cors(const exchange *e, struct MHD_Response *response)
{
    const char *allowed = e->http->server->params->cors_origin;
    if (!allowed) {
        return;
    }
    (void)MHD_add_response_header(response, "Access-Control-Allow-Origin", allowed);
    (void)MHD_add_response_header(response, "Vary", "Origin");
    (void)MHD_add_response_header(
        response, "Access-Control-Expose-Headers",
        "Server-Timing, X-Vkdet-Device, X-Vkdet-Precision, X-Vkdet-Model, Retry-After, "
        "Inference-Header-Content-Length");
}

/* Bytes of vkdet, and whom to give them back to. */
typedef struct loan {
    vkdet_context *context;
    void *bytes;
} loan;

static void loan_return(void *user)
{
    loan *l = user;
    vkdet_bytes_free(l->context, l->bytes);
    free(l);
}

static struct MHD_Response *response_of_loan(vkdet_context *context, void *bytes, size_t size)
{
    struct MHD_Response *response = NULL;
    loan *l = malloc(sizeof *l);
    if (l) {
        *l = (loan){context, bytes};
        response =
            MHD_create_response_from_buffer_with_free_callback_cls(size, bytes, loan_return, l);
    }
    if (!response) {
        vkdet_bytes_free(context, bytes);
        free(l);
    }
    return response;
}

static struct MHD_Response *response_of(const exchange *e, const void *bytes, size_t size,
                                        body_kind kind)
{
    union {
        const void *read;
        void *write;
    } memory = {bytes}; /* the library's parameter is not const, whatever the mode */
    if (kind == BODY_LIBRARY) {
        return response_of_loan(e->http->server->params->context, memory.write, size);
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, memory.write,
                                        kind == BODY_OWNED  ? MHD_RESPMEM_MUST_FREE
                                        : kind == BODY_COPY ? MHD_RESPMEM_MUST_COPY
                                                            : MHD_RESPMEM_PERSISTENT);
    if (!response && kind == BODY_OWNED) {
        free(memory.write);
    }
    return response;
}

static struct MHD_Response *make_response(const exchange *e, const char *type, const void *bytes,
                                          size_t size, body_kind kind)
{
    struct MHD_Response *response = response_of(e, bytes, size, kind);
    if (!response) {
        return NULL;
    }
    if (type) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    }
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    add_cors(e, response);
    if (atomic_load(&e->http->draining)) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    for (size_t i = 0; i < e->header_count; i++) {
        (void)MHD_add_response_header(response, e->headers[i].name, e->headers[i].value);
    }
    return response;
}

void request_answer(request *r, unsigned code, const char *type, const void *bytes, size_t size,
                    body_kind kind)
{
    exchange *e = exchange_of(r);
    struct MHD_Connection *connection = e->connection;
    e->response = make_response(e, type, bytes, size, kind);
    e->code = e->response ? code : 500;
    e->answer_size = e->response ? size : 0;
    if (atomic_exchange(&e->state, EXCHANGE_ANSWERED) == EXCHANGE_PARKED) {
        MHD_resume_connection(connection); /* e may be gone from here on */
    }
}

void request_fail(request *r, unsigned code, const char *name, const char *format, ...)
{
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out) {
        bool inference = strncmp(r->path, "/v2", 3) == 0;
        if (inference) {
            (void)fputs("{\"error\":", out);
        } else {
            (void)fprintf(out, "{\"error\":{\"status\":\"%s\",\"message\":", name);
        }
        text_json_string(out, message);
        (void)fputs(inference ? "}\n" : "}}\n", out);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    if (text) {
        request_answer(r, code, "application/json", text, size, BODY_OWNED);
    } else {
        static const char none[] =
            "{\"error\":{\"status\":\"memory\",\"message\":\"out of memory\"}}\n";
        request_answer(r, 500, "application/json", none, sizeof none - 1, BODY_STATIC);
    }
}

void request_fail_busy(request *r)
{
    char seconds[16];
    (void)snprintf(seconds, sizeof seconds, "%" PRIu32, batcher_patience(r->server->batcher));
    request_header_add(r, "Retry-After", seconds);
    request_fail(r, 429, "busy", "the queue is full");
}

unsigned code_of_status(int status)
{
    switch ((vkdet_status)status) {
    case VKDET_OK:
        return 200;
    case VKDET_ERROR_ARGUMENT:
    case VKDET_ERROR_IMAGE:
        return 400;
    case VKDET_ERROR_LIMIT:
        return 413;
    case VKDET_ERROR_UNSUPPORTED:
        return 415;
    case VKDET_ERROR_TIMEOUT:
        return 504;
    case VKDET_ERROR_MEMORY:
    case VKDET_ERROR_DEVICE_LOST:
    case VKDET_ERROR_BUSY:
        return 503;
    default:
        return 500;
    }
}
