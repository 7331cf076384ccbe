/* Nothing but multiply-adds in registers, for the roof of a CPU's arithmetic: what a kernel with
 * loads, stores and edges can come near to and not pass. peak.c is compiled once for each
 * instruction set, like separable.c. */
#ifndef HOST_CPU_PEAK_H
#define HOST_CPU_PEAK_H

#include <stdint.h>

typedef struct peak_kernel {
    double flops; /* of a turn */
    /* `sums`: PEAK_SUMS floats, read and written once, so that no turn can be left out */
    void (*run)(uint32_t turns, float *sums);
} peak_kernel;

enum { PEAK_SUMS = 256 };

#if defined(VKDET_CPU_X86)
extern const peak_kernel peak_avx2, peak_avx512;
#endif
#if defined(VKDET_CPU_AMX)
extern const peak_kernel peak_amx;
#endif

/* NULL: there is none for this CPU */
const peak_kernel *peak_pick(void);
const peak_kernel *peak_halves_pick(void); /* factors in bfloat16, sums in fp32 */

#endif
