/* Which of the compiled loops this CPU can run. */
#include "host/cpu/loops.h"

const loops *loops_pick(void)
{
#if defined(VKDET_CPU_X86)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return &loops_avx512;
    }
    if (__builtin_cpu_supports("avx2")) {
        return &loops_avx2;
    }
#endif
    return &loops_base;
}
