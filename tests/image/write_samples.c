/* write_samples DIR: every sample as a file, for the image fuzzer to start from. */
#include "tests/image/samples.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s DIR\n", argv[0]);
        return 2;
    }
    sample_set set = samples_make();
    int result = 0;
    for (size_t n = 0; n < set.count && result == 0; n++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], set.samples[n].name);
        FILE *f = fopen(path, "wb");
        if (!f || fwrite(set.samples[n].bytes, 1, set.samples[n].size, f) != set.samples[n].size) {
            perror(path);
            result = 1;
        }
        if (f && fclose(f) != 0) {
            result = 1;
        }
    }
    samples_destroy(&set);
    return result;
}
