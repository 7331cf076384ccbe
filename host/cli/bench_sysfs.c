/* Files of one line. */
#include "host/cli/bench_sysfs.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sysfs_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        return false;
    }
    bool got = fgets(text, (int)size, file) != NULL;
    (void)fclose(file);
    if (got) {
        text[strcspn(text, "\n")] = 0;
    }
    return got;
}

sysfs_range sysfs_numbers(const char *pattern)
{
    sysfs_range r = {(double)INFINITY, (double)-INFINITY, 0, 0};
    glob_t found = {0};
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            char text[64], *end = NULL;
            if (!sysfs_line(found.gl_pathv[i], text, sizeof text)) {
                continue;
            }
            double value = strtod(text, &end);
            if (end != text && isfinite(value)) {
                r.low = fmin(r.low, value);
                r.high = fmax(r.high, value);
                r.sum += value;
                r.count++;
            }
        }
    }
    globfree(&found);
    return r;
}
