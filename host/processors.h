/* The processors that this process may use: those that its affinity leaves it, where the system
 * tells (taskset, the cpuset of a container), else those that are there. At least one. A quota of
 * processor time (a container's --cpus, systemd's CPUQuota) leaves every processor in use for a
 * part of the time, and does not count. That is no part of POSIX: sources that include this are
 * compiled with _GNU_SOURCE. */
#ifndef HOST_PROCESSORS_H
#define HOST_PROCESSORS_H

#include <stdint.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif

static inline uint32_t processors_allowed(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        count = CPU_COUNT(&allowed);
    }
#endif
    return count < 1 ? 1 : (uint32_t)count;
}

#endif
