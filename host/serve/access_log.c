/* Lines, whole ones, in the order of the ends of the requests. */
#include "host/serve/access_log.h"

#include "host/client/text.h"
#include "host/serve/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *open_for_appending(const char *path, char *message, size_t size)
{
    const bool standard = strcmp(path, "-") == 0;
    const int descriptor = standard ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    FILE *out = descriptor >= 0 ? fdopen(descriptor, "a") : NULL;
    if (!out) {
        (void)snprintf(message, size, "--access-log %s: %s", path, strerror(errno));
        if (descriptor >= 0) {
            (void)close(descriptor);
        }
    }
    return out;
}

bool access_log_open(access_log *l, const char *path, char *message, size_t size)
{
    l->path = path;
    l->out = path ? open_for_appending(path, message, size) : NULL;
    return !path || l->out;
}

bool access_log_reopen(access_log *l, char *message, size_t size)
{
    FILE *next = open_for_appending(l->path, message, size);
    if (!next) {
        return false;
    }
    (void)pthread_mutex_lock(&l->lock);
    FILE *before = l->out;
    l->out = next;
    (void)pthread_mutex_unlock(&l->lock);
    (void)fclose(before);
    return true;
}

static void write_line(FILE *out, const struct exchange *e, bool sent)
{
    struct timespec now;
    struct tm day;
    char text[32];
    const char *agent =
        MHD_lookup_connection_value(e->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_USER_AGENT);
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &day);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &day);
    (void)fprintf(out, "{\"time\":\"%s.%03ldZ\",\"remote\":\"%s\",\"method\":", text,
                  now.tv_nsec / 1000000, e->peer->remote);
    text_json_string(out, e->method);
    (void)fputs(",\"path\":", out);
    text_json_string(out, e->path);
    (void)fprintf(out,
                  ",\"code\":%u,\"sent\":%s,\"bytes_in\":%" PRIu64
                  ",\"bytes_out\":%zu,\"ms\":%.3f,\"pictures\":%u,\"model\":",
                  e->code, sent ? "true" : "false", e->body_seen, e->answer_size,
                  e->begun ? 1e-6 * (double)(serve_now() - e->request.arrived_ns) : 0.0,
                  e->request.pictures);
    if (e->request.model) {
        text_json_string(out, e->request.model);
    } else {
        (void)fputs("null", out);
    }
    (void)fputs(",\"agent\":", out);
    if (agent) {
        text_json_string(out, agent);
    } else {
        (void)fputs("null", out);
    }
    (void)fputs("}\n", out);
}

void access_log_request(access_log *l, const struct exchange *e, bool sent)
{
    if (!l->path) {
        return;
    }
    (void)pthread_mutex_lock(&l->lock);
    write_line(l->out, e, sent);
    if (fflush(l->out) != 0 || ferror(l->out)) {
        l->lost++; /* a full disk is no reason to serve nobody: metrics tell */
        clearerr(l->out);
    }
    (void)pthread_mutex_unlock(&l->lock);
}

uint64_t access_log_lost(access_log *l)
{
    (void)pthread_mutex_lock(&l->lock);
    const uint64_t lost = l->lost;
    (void)pthread_mutex_unlock(&l->lock);
    return lost;
}

void access_log_close(access_log *l)
{
    if (l->out) {
        (void)fclose(l->out);
    }
    (void)pthread_mutex_destroy(&l->lock);
}
