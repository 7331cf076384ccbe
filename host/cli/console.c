/* Standard error: messages, log lines and the progress bar. */
#include "host/cli/console.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    console_level level;
    bool bar;       /* wanted, and standard error is a terminal */
    bool bar_drawn; /* the current line holds it */
    uint64_t total;
    struct timespec started, drawn;
} console = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = CONSOLE_NORMAL};

void console_start(console_level level)
{
    console.level = level;
}

static void bar_clear(void)
{
    if (console.bar_drawn) {
        (void)fputs("\r\033[K", stderr);
        console.bar_drawn = false;
    }
}

/* Nobody can be told when standard error itself fails. */
static void line_write(char *text)
{
    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    (void)pthread_mutex_lock(&console.lock);
    bar_clear();
    (void)fprintf(stderr, "vkdet: %s\n", text);
    (void)pthread_mutex_unlock(&console.lock);
}

static void say(const char *format, va_list arguments)
{
    char text[8192];
    (void)vsnprintf(text, sizeof text, format, arguments);
    line_write(text);
}

void console_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
}

void console_note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (console.level != CONSOLE_QUIET) {
        say(format, arguments);
    }
    va_end(arguments);
}

void console_log(void *user, vkdet_log_level level, const char *id, const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)user;
    char text[4096];
    (void)snprintf(text, sizeof text, "%s: %s: %s", names[level], id, message);
    line_write(text);
}

static double seconds_since(const struct timespec *from, struct timespec *now)
{
    (void)clock_gettime(CLOCK_MONOTONIC, now);
    return (double)(now->tv_sec - from->tv_sec) + 1e-9 * (double)(now->tv_nsec - from->tv_nsec);
}

void progress_start(bool wanted, uint64_t total)
{
    console.bar = wanted && console.level != CONSOLE_QUIET && isatty(STDERR_FILENO) == 1;
    console.total = total;
    (void)clock_gettime(CLOCK_MONOTONIC, &console.started);
    console.drawn = console.started;
}

void progress_tick(uint64_t done, uint64_t failed)
{
    enum { CELLS = 24 };
    struct timespec now;
    if (!console.bar || seconds_since(&console.drawn, &now) < 0.1) {
        return;
    }
    console.drawn = now;
    double rate = (double)done / seconds_since(&console.started, &now);
    (void)pthread_mutex_lock(&console.lock);
    (void)fputs("\r\033[K", stderr);
    if (console.total) {
        char cells[CELLS + 1];
        uint64_t filled = done * CELLS / console.total;
        for (uint64_t i = 0; i < CELLS; i++) {
            cells[i] = i < filled ? '#' : '.';
        }
        cells[CELLS] = 0;
        (void)fprintf(stderr, "[%s] %llu/%llu", cells, (unsigned long long)done,
                      (unsigned long long)console.total);
    } else {
        (void)fprintf(stderr, "%llu pictures", (unsigned long long)done);
    }
    (void)fprintf(stderr, ", %.1f a second", rate);
    if (failed) {
        (void)fprintf(stderr, ", %llu failed", (unsigned long long)failed);
    }
    (void)fflush(stderr);
    console.bar_drawn = true;
    (void)pthread_mutex_unlock(&console.lock);
}

void progress_end(void)
{
    (void)pthread_mutex_lock(&console.lock);
    bar_clear();
    (void)fflush(stderr);
    console.bar = false;
    (void)pthread_mutex_unlock(&console.lock);
}
