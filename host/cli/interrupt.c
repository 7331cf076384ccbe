/* One handler, which only notes the signal and cancels the sources. */
#include "host/cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
enum { NUMBER_COUNT = sizeof numbers / sizeof numbers[0] };

static struct sigaction before[NUMBER_COUNT];
static atomic_int caught;
static _Atomic(sources *) watched;

static void on_signal(int number)
{
    int kept = errno;
    int none = 0;
    if (!atomic_compare_exchange_strong(&caught, &none, number)) {
        (void)signal(number, SIG_DFL); /* another signal than the first */
        (void)raise(number);
    }
    sources *s = atomic_load(&watched);
    if (s) {
        sources_cancel(s);
    }
    errno = kept;
}

void interrupt_watch(sources *s)
{
    /* restarting: a write of results under way is no failure */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    (void)sigemptyset(&action.sa_mask);
    atomic_store(&watched, s);
    for (int i = 0; i < NUMBER_COUNT; i++) {
        (void)sigaction(numbers[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

void interrupt_unwatch(void)
{
    for (int i = 0; i < NUMBER_COUNT; i++) {
        (void)sigaction(numbers[i], &before[i], NULL);
    }
    atomic_store(&watched, NULL);
}

int interrupt_signal(void)
{
    return atomic_load(&caught);
}
