/* The server in this process, every allocation of its own sources failing once: it starts or says
 * why not, answers rightly or with an error, and goes on as before. They are host/serve and
 * host/client, and neither the library nor libmicrohttpd. */
#include "tests/support/test.h"

#include "host/serve/serve.h"

#include "tests/support/failing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- a server in this process --------------------------------------------------------------------
 */

typedef struct served {
    serve_params params;
    serve_outcome outcome;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int port; /* 0 until it serves */
    bool ended;
    char said[2048];
} served;

static void on_ready(void *user, const char *address)
{
    served *s = user;
    (void)pthread_mutex_lock(&s->lock);
    s->port = atoi(strrchr(address, ':') + 1);
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
}

static void on_line(void *user, const char *line)
{
    served *s = user;
    (void)snprintf(s->said, sizeof s->said, "%s", line);
}

static void *serve_thread(void *user)
{
    served *s = user;
    serve_outcome outcome = serve_run(&s->params);
    (void)pthread_mutex_lock(&s->lock);
    s->outcome = outcome;
    s->ended = true;
    (void)pthread_cond_signal(&s->changed);
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Whether it serves, after a while. */
static bool served_start(served *s, vkdet_context *context)
{
    vkdet_model *model = NULL;
    assert_int_equal(vkdet_model_open_builtin(context, &model), VKDET_OK);
    *s = (served){.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    s->params = (serve_params){.context = context,
                               .model = model,
                               .devices = {"auto"},
                               .device_count = 1,
                               .cache_dir = "",
                               .max_batch = 2,
                               .max_queue = 16,
                               .max_queue_delay_ns = 1000,
                               .access_log = "/dev/null",
                               .max_body = 1 << 20,
                               .max_pixels = 1 << 20,
                               .max_held = 1 << 24,
                               .max_connections = 16,
                               .timeout_ns = 60000000000u,
                               .longest_timeout_ns = 60000000000u,
                               .receive_ns = 60000000000u,
                               .idle_ns = 60000000000u,
                               .send_ns = 60000000000u,
                               .drain_ns = 60000000000u,
                               .user = s,
                               .note = on_line,
                               .error = on_line,
                               .ready = on_ready};
    assert_int_equal(pthread_create(&s->thread, NULL, serve_thread, s), 0);
    (void)pthread_mutex_lock(&s->lock);
    while (!s->port && !s->ended) {
        (void)pthread_cond_wait(&s->changed, &s->lock);
    }
    bool serves = !s->ended;
    (void)pthread_mutex_unlock(&s->lock);
    return serves;
}

static void served_end(served *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool serves = !s->ended;
    (void)pthread_mutex_unlock(&s->lock);
    if (serves) {
        (void)kill(getpid(), SIGTERM); /* which every thread blocks, and the server asks for */
    }
    (void)pthread_join(s->thread, NULL);
}

/* --- a client ------------------------------------------------------------------------------------
 */

typedef struct reply {
    int code; /* 0: the connection was closed without an answer */
    char *text;
    const char *body;
    size_t body_size;
} reply;

static reply ask(int port, const char *path, const char *headers, const void *body, size_t size)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char head[512];
    reply r = {0};
    size_t used = 0, capacity = 1 << 20;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(connection, (struct sockaddr *)(void *)&to, sizeof to), 0);
    int length =
        snprintf(head, sizeof head,
                 "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%sContent-Length: "
                 "%zu\r\n\r\n",
                 body ? "POST" : "GET", path, headers, size);
    (void)send(connection, head, (size_t)length, MSG_NOSIGNAL);
    for (size_t at = 0; at < size;) {
        ssize_t sent = send(connection, (const char *)body + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            break;
        }
        at += (size_t)sent;
    }
    r.text = unfailing_malloc(capacity + 1);
    for (ssize_t got = 1; got > 0 && used<capacity; used += got> 0 ? (size_t)got : 0) {
        got = recv(connection, r.text + used, capacity - used, 0);
    }
    (void)close(connection);
    r.text[used] = 0;
    r.body = r.text + used;
    char *end = strstr(r.text, "\r\n\r\n");
    if (end && sscanf(r.text, "HTTP/1.1 %d", &r.code) == 1) {
        r.body = end + 4;
        r.body_size = used - (size_t)(r.body - r.text);
    }
    return r;
}

typedef struct question {
    const char *path, *headers;
    const void *body;
    size_t size;
} question;

static char form[4096];
static const char picture[] = "P6 8 8 255\n"
                              "0123456789012345678901234567890123456789012345678901234567890123"
                              "0123456789012345678901234567890123456789012345678901234567890123"
                              "0123456789012345678901234567890123456789012345678901234567890123";

static question questions[] = {
    {"/v1/detect?name=a", "", picture, sizeof picture - 1},
    {"/v1/detect?conf=0", "X-Filename: b\r\n", picture, sizeof picture - 1},
    {"/v1/detect?annotate=1&conf=0.01", "Accept: image/png\r\n", picture, sizeof picture - 1},
    {"/v1/detect", "Content-Type: multipart/form-data; boundary=b\r\n", form, 0},
    {"/v1/detect", "", "nothing", 7},
    {"/v1/info", "", NULL, 0},
    {"/", "", NULL, 0},
    {"/nowhere", "", NULL, 0},
};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

static void make_form(void)
{
    int used = 0;
    for (int i = 0; i < 2; i++) { /* the picture is text, as it happens */
        used += snprintf(form + used, sizeof form - (size_t)used,
                         "--b\r\nContent-Disposition: form-data; filename=\"f\"\r\n\r\n%s\r\n",
                         picture);
    }
    used += snprintf(form + used, sizeof form - (size_t)used, "--b--");
    questions[3].size = (size_t)used;
}

/* --- tests ---------------------------------------------------------------------------------------
 */

static vkdet_context *context;

static void test_requests(void **state)
{
    (void)state;
    served s;
    assert_true(served_start(&s, context));
    for (size_t q = 0; q < QUESTIONS; q++) {
        const question *it = &questions[q];
        reply right = ask(s.port, it->path, it->headers, it->body, it->size);
        assert_true(right.code == 200 || (q == 4 && right.code == 400) ||
                    (q == 7 && right.code == 404));
        bool failed = true;
        size_t at = 1;
        for (; failed; at++) {
            failing_start(at);
            reply r = ask(s.port, it->path, it->headers, it->body, it->size);
            failed = failing_end();
            bool same = r.code == right.code && r.body_size == right.body_size &&
                        memcmp(r.body, right.body, r.body_size) == 0;
            /* a form has a line for each picture, failed ones included */
            bool line = q == 3 && r.code == 200 && strstr(r.body, "\"status\":\"memory\"");
            if (!(same || (failed && (r.code == 0 || r.code == 500 || r.code == 503 || line)))) {
                fail_msg("%s, allocation %zu: %d %s", it->path, at, r.code, r.text);
            }
            free(r.text);
            reply after = ask(s.port, it->path, it->headers, it->body, it->size);
            assert_int_equal(after.code, right.code);
            assert_int_equal(after.body_size, right.body_size);
            assert_memory_equal(after.body, right.body, right.body_size);
            free(after.text);
            assert_true(at < 200);
        }
        free(right.text);
        assert_true(at > 4); /* link, exchange, its text, a response at least */
    }
    served_end(&s);
    assert_int_equal(s.outcome, SERVE_GOOD);
}

static void test_start(void **state)
{
    (void)state;
    bool failed = true;
    size_t at = 1;
    for (; failed; at++) {
        served s;
        failing_start(at);
        bool serves = served_start(&s, context);
        failed = failing_end();
        served_end(&s);
        if (!serves) {
            assert_true(failed);
            assert_true(s.outcome == SERVE_DEVICE || s.outcome == SERVE_NETWORK);
            assert_true(s.said[0]);
        } else {
            assert_int_equal(s.outcome, SERVE_GOOD);
        }
        assert_true(at < 200);
    }
    assert_true(at > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests),
                                       cmocka_unit_test(test_start)};
    sigset_t end;
    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &end, NULL);
    make_form();
    if (vkdet_context_create(NULL, &context) != VKDET_OK) {
        return EXIT_FAILURE;
    }
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    vkdet_context_destroy(context);
    return failures;
}
