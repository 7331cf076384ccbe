/* Reading what Linux tells of a machine in files of one line. */
#ifndef HOST_CLI_BENCH_SYSFS_H
#define HOST_CLI_BENCH_SYSFS_H

#include <stdbool.h>
#include <stddef.h>

/* the first line of a file, without its end; false when there is none */
bool sysfs_line(const char *path, char *text, size_t size);

typedef struct sysfs_range {
    double low, high, sum;
    size_t count;
} sysfs_range;

/* The number at the beginning of every file that the pattern names, those without one left out. */
sysfs_range sysfs_numbers(const char *pattern);

#endif
