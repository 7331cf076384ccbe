/* Multiply-adds of fp32 vectors. Chains that do not depend on one another hide the latency of one;
 * twelve of them, factor and term fit the sixteen registers of AVX2. */
#include "host/cpu/peak.h"

#include "host/cpu/vectors.h"

enum { CHAINS = 12 };

static void run(uint32_t turns, float *sums)
{
    vector sum[CHAINS];
    /* every sum goes towards one, and none to zero */
    const vector factor = vector_all(sums[0]), term = vector_all(1.0f - sums[0]);
    for (uint32_t c = 0; c < CHAINS; c++) {
        sum[c] = vector_load(sums + c * LANES);
    }
    for (uint32_t i = 0; i < turns; i++) {
        for (uint32_t c = 0; c < CHAINS; c++) {
            sum[c] = vector_add_product(term, sum[c], factor);
        }
    }
    for (uint32_t c = 1; c < CHAINS; c++) {
        sum[0] = vector_add(sum[0], sum[c]);
    }
    vector_store(sums + PEAK_SUMS - LANES, sum[0]);
}

const peak_kernel PEAK = {2.0 * CHAINS * LANES, run};
