/* The clock of the scenarios. */
#include "host/cli/bench.h"

#include <errno.h>
#include <time.h>

double bench_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Sleeping wakes up some tens of microseconds late, which at thousands of arrivals a second is
 * much: the last bit is spent looking at the clock. A signal ends it early. */
void bench_sleep_until(double when)
{
    const double last_bit = 100e-6;
    double wait = when - last_bit - bench_now();
    if (wait > 0) {
        struct timespec gap = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
        if (nanosleep(&gap, NULL) != 0 && errno == EINTR) {
            return;
        }
    }
    while (bench_now() < when && bench_goes_on()) {
    }
}
