/* Lines, whole ones, in the order of the ends of the requests. They gather in one buffer while the
 * other is written; what finds no room is lost, and counted. */
#include "host/serve/access_log.h"

#include "host/client/text.h"
#include "host/serve/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_BYTES = 1 << 20, /* that wait for the writer; as many are with it */
    PIECE_BYTES = 4096,  /* fit into a pipe that takes anything: PIPE_BUF */
    PATIENCE_MS = 100,   /* for a reader, between looks at what else has changed */
    LAST_LOOKS = 10      /* at a reader that takes nothing, at the end */
};

/* A FIFO without a reader is refused, not waited for. */
static int open_for_appending(const char *path, char *message, size_t size)
{
    const bool standard = strcmp(path, "-") == 0;
    const int descriptor =
        standard ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (descriptor < 0) {
        (void)snprintf(message, size, "--access-log %s: %s", path, strerror(errno));
    }
    return descriptor;
}

bool access_log_open(access_log *l, const char *path, char *message, size_t size)
{
    l->descriptor = l->next = -1;
    l->path = path;
    if (!path) {
        return true;
    }
    l->filling = malloc(LOG_BYTES);
    l->writing = malloc(LOG_BYTES);
    if (!l->filling || !l->writing) {
        (void)snprintf(message, size, "out of memory for the access log");
        return false;
    }
    l->descriptor = open_for_appending(path, message, size);
    return l->descriptor >= 0;
}

bool access_log_reopen(access_log *l, char *message, size_t size)
{
    const int descriptor = open_for_appending(l->path, message, size);
    if (descriptor < 0) {
        return false;
    }
    (void)pthread_mutex_lock(&l->lock);
    const int unused = l->next; /* opened by an earlier signal, and not taken yet */
    l->next = descriptor;
    (void)pthread_cond_signal(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
    if (unused >= 0) {
        (void)close(unused);
    }
    return true;
}

/* --- the writer ------------------------------------------------------------------------------- */

/* Whether the reader that takes nothing is to be given up: for another file, or for the end. */
static bool is_given_up(access_log *l, unsigned *looks)
{
    (void)pthread_mutex_lock(&l->lock);
    const bool elsewhere = l->next >= 0;
    *looks += l->ending;
    (void)pthread_mutex_unlock(&l->lock);
    return elsewhere || *looks >= LAST_LOOKS;
}

/* The bytes that were written. A pipe takes a piece at once where poll says that it takes any. */
static size_t write_bytes(access_log *l, const char *bytes, size_t size)
{
    size_t done = 0;
    unsigned looks = 0;
    while (done < size) {
        struct pollfd look = {.fd = l->descriptor, .events = POLLOUT};
        const int ready = poll(&look, 1, PATIENCE_MS);
        if (ready == 0 || (ready < 0 && errno == EINTR)) {
            if (is_given_up(l, &looks)) {
                break;
            }
            continue;
        }
        const size_t piece = size - done < PIECE_BYTES ? size - done : PIECE_BYTES;
        const ssize_t written = write(l->descriptor, bytes + done, piece);
        if (written < 0 && errno != EAGAIN && errno != EINTR) {
            break; /* a full disk is no reason to serve nobody: metrics tell */
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return done;
}

static uint64_t count_lines(const char *bytes, size_t size)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < size; i++) {
        lines += bytes[i] == '\n';
    }
    return lines;
}

/* What was written last ended within a line: the next one begins on its own. */
static bool write_lines(access_log *l, size_t size, bool torn)
{
    const bool begins = !torn || size == 0 || write_bytes(l, "\n", 1) == 1;
    const size_t done = begins ? write_bytes(l, l->writing, size) : 0;
    const uint64_t lost = count_lines(l->writing + done, size - done);
    (void)pthread_mutex_lock(&l->lock);
    l->lost += lost;
    (void)pthread_mutex_unlock(&l->lock);
    return done > 0 ? l->writing[done - 1] != '\n' : torn && !begins;
}

static void *work(void *user)
{
    access_log *l = user;
    bool torn = false;
    (void)pthread_mutex_lock(&l->lock);
    while (!l->ending || l->filled > 0) {
        if (l->filled == 0 && l->next < 0) {
            (void)pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        /* what had ended before the file was opened anew may stand in the new one */
        if (l->next >= 0) {
            (void)close(l->descriptor);
            l->descriptor = l->next;
            l->next = -1;
            torn = false;
        }
        char *lines = l->filling;
        const size_t size = l->filled;
        l->filling = l->writing;
        l->writing = lines;
        l->filled = 0;
        (void)pthread_mutex_unlock(&l->lock);
        torn = write_lines(l, size, torn);
        (void)pthread_mutex_lock(&l->lock);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

bool access_log_start(access_log *l)
{
    l->runs = l->path && pthread_create(&l->writer, NULL, work, l) == 0;
    return l->runs || !l->path;
}

/* --- lines ------------------------------------------------------------------------------------ */

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
    char *line = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&line, &size);
    if (out) {
        write_line(out, e, sent);
    }
    const bool good = out && fclose(out) == 0;
    (void)pthread_mutex_lock(&l->lock);
    if (good && size <= LOG_BYTES - l->filled) {
        memcpy(l->filling + l->filled, line, size);
        l->filled += size;
        (void)pthread_cond_signal(&l->changed);
    } else {
        l->lost++;
    }
    (void)pthread_mutex_unlock(&l->lock);
    free(line);
}

uint64_t access_log_lost(access_log *l)
{
    (void)pthread_mutex_lock(&l->lock);
    const uint64_t lost = l->lost;
    (void)pthread_mutex_unlock(&l->lock);
    return lost;
}

uint64_t access_log_close(access_log *l)
{
    if (l->runs) {
        (void)pthread_mutex_lock(&l->lock);
        l->ending = true;
        (void)pthread_cond_signal(&l->changed);
        (void)pthread_mutex_unlock(&l->lock);
        (void)pthread_join(l->writer, NULL);
    }
    if (l->path && l->descriptor >= 0) {
        (void)close(l->descriptor);
    }
    if (l->path && l->next >= 0) {
        (void)close(l->next);
    }
    free(l->filling);
    free(l->writing);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    return l->lost;
}
