/* Decoding ahead of the device, for the stage that begins with files in memory: a few threads,
 * pictures in order, a bounded number of them. */
#ifndef HOST_CLI_BENCH_DECODE_H
#define HOST_CLI_BENCH_DECODE_H

#include "host/cli/bench.h"

typedef struct decoders decoders;

/* Goes round and round through the inputs' files. NULL when memory or threads ran out. */
decoders *decoders_start(const bench *b, size_t capacity);
void decoders_stop(decoders *d);
size_t decoders_threads(const decoders *d);
/* the next picture, now the caller's; NULL when it could not be decoded (again) */
vkdet_image *decoders_take(decoders *d);

#endif
