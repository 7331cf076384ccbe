/* Which source cells an output cell of a resize reads. */
#include "engine/sampling.h"

#include <assert.h>

sample sample_at(sampling mode, uint32_t in, uint32_t out, uint32_t i)
{
    assert(in >= 1 && i < out);
    uint32_t position = i * in;
    uint32_t denominator = out;
    if (mode == SAMPLING_BILINEAR_HALF_PIXEL) {
        position = (2 * i + 1) * in;
        position = position > out ? position - out : 0;
        denominator = 2 * out;
    } else if (mode == SAMPLING_BILINEAR_ALIGN_CORNERS && out > 1) {
        position = i * (in - 1);
        denominator = out - 1;
    }
    uint32_t first = position / denominator; /* below in, whatever the mode */
    if (mode == SAMPLING_NEAREST) {
        return (sample){first, first, 0, 1};
    }
    uint32_t second = first + 1 < in ? first + 1 : first;
    return (sample){first, second, position - first * denominator, denominator};
}
