/* Which source cells an output cell of a resize reads, in exact integer arithmetic: the one place
 * that knows it. The reference resizes with it, the uploader packs the rows it names, and the
 * preprocess kernel repeats it word for word.
 *
 * The same function serves rows (in = picture height, out = placement height) and columns. */
#ifndef ENGINE_SAMPLING_H
#define ENGINE_SAMPLING_H

#include "engine/detector.h"

/* value = first + (second - first) * numerator / denominator */
typedef struct sample {
    uint32_t first, second; /* source cells, first <= second <= first + 1, both inside the source */
    uint32_t numerator, denominator; /* 0 <= numerator / denominator < 1, denominator >= 1 */
} sample;

/* The sides that it handles: every product fits 32 bits. The second is also the largest side of a
 * network's input. */
enum { SAMPLING_MAX_SOURCE = 65535, SAMPLING_MAX_TARGET = 16384 };

/* Output cell i of `out`, from `in` source cells (1 <= in <= SAMPLING_MAX_SOURCE, i < out <=
 * SAMPLING_MAX_TARGET).
 *   nearest, bilinear   source = i * in / out
 *   half pixel          source = ((2 i + 1) * in - out) / (2 out), 0 where that is negative
 *   align corners       source = i * (in - 1) / (out - 1), 0 when out is 1
 * first = floor(source), second = min(first + 1, in - 1); nearest reads first alone (second =
 * first, numerator 0). */
sample sample_at(sampling mode, uint32_t in, uint32_t out, uint32_t i);

#endif
