/* Which of the compiled loops this CPU can run, and may: what caps oneDNN (ONEDNN_MAX_CPU_ISA) caps
 * ours too, so that a device that calls itself AVX2 computes with no more than that. */
#include "host/cpu/backend.h"
#include "host/cpu/loops.h"
#include "host/cpu/onednn.h"
#include "host/cpu/peak.h"
#include "host/cpu/separable.h"

#if defined(VKDET_CPU_X86)
static bool has_avx512(void)
{
    __builtin_cpu_init();
    return cpu_has_isa(dnnl_cpu_isa_avx512_core) && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    __builtin_cpu_init();
    return cpu_has_isa(dnnl_cpu_isa_avx2) && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("fma");
}
#endif

const loops *loops_pick(void)
{
#if defined(VKDET_CPU_X86)
    if (has_avx512()) {
        return &loops_avx512;
    }
    if (has_avx2()) {
        return &loops_avx2;
    }
#endif
    return &loops_base;
}

const separable *separable_pick(void)
{
#if defined(VKDET_CPU_X86)
    if (has_avx512()) {
        return &separable_avx512;
    }
    if (has_avx2()) {
        return &separable_avx2;
    }
#endif
    return NULL;
}

const peak_kernel *peak_pick(void)
{
#if defined(VKDET_CPU_X86)
    if (has_avx512()) {
        return &peak_avx512;
    }
    if (has_avx2()) {
        return &peak_avx2;
    }
#endif
    return NULL;
}

/* oneDNN asks the system for the use of AMX and calls the CPU by that name only if it got it. */
const peak_kernel *peak_halves_pick(void)
{
#if defined(VKDET_CPU_AMX)
    if (cpu_has_isa(dnnl_cpu_isa_avx512_core_amx)) {
        return &peak_amx;
    }
#endif
    return NULL;
}

const pointwise_halves *pointwise_halves_pick(void)
{
#if defined(VKDET_CPU_AMX)
    if (cpu_has_isa(dnnl_cpu_isa_avx512_core_amx)) {
        return &pointwise_amx;
    }
#endif
    return NULL;
}
