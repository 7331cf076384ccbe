/* What the CPU calls itself, which instructions oneDNN uses on it, and how many cores there are. */
#include "host/cpu/backend.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(VKDET_CPU_X86)
#include <cpuid.h>
#endif

/* "" when it does not say */
static void cpu_name(char name[64])
{
    name[0] = 0;
#if defined(VKDET_CPU_X86)
    unsigned words[12], highest = (unsigned)__get_cpuid_max(0x80000000u, NULL);
    if (highest < 0x80000004u) {
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        (void)__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                          &words[4 * i + 3]);
    }
    memcpy(name, words, sizeof words);
    name[sizeof words] = 0;
    const size_t blanks = strspn(name, " ");
    memmove(name, name + blanks, sizeof words + 1 - blanks);
    for (size_t end = strlen(name); end > 0 && name[end - 1] == ' '; end--) {
        name[end - 1] = 0;
    }
#endif
}

static const char *isa_name(void)
{
    switch ((int)dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
        return "SSE4.1";
    case dnnl_cpu_isa_avx:
        return "AVX";
    case dnnl_cpu_isa_avx2:
        return "AVX2";
    case dnnl_cpu_isa_avx2_vnni:
        return "AVX2 VNNI";
    case dnnl_cpu_isa_avx512_core:
        return "AVX-512";
    case dnnl_cpu_isa_avx512_core_vnni:
        return "AVX-512 VNNI";
    case dnnl_cpu_isa_avx512_core_bf16:
        return "AVX-512 bf16";
    case dnnl_cpu_isa_avx512_core_amx:
        return "AVX-512 AMX bf16";
    default:
        return "plain";
    }
}

uint32_t cpu_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        cores = CPU_COUNT(&allowed);
    }
#endif
    return cores < 1 ? 1 : cores > CPU_MAX_THREADS ? CPU_MAX_THREADS : (uint32_t)cores;
}

void cpu_device_describe(vkdet_device_info *out)
{
    char name[64];
    const dnnl_version_t *version = dnnl_version();
    *out = (vkdet_device_info){.kind = VKDET_DEVICE_CPU};
    cpu_name(name);
    (void)snprintf(out->id, sizeof out->id, "cpu");
    (void)snprintf(out->name, sizeof out->name, "%s, %s", name[0] ? name : "CPU", isa_name());
    (void)snprintf(out->driver, sizeof out->driver, "oneDNN %d.%d.%d", version->major,
                   version->minor, version->patch);
}

/* oneDNN takes bf16 from AVX-512 on, in software where the CPU has no instruction for it, which is
 * slower than fp32: only the instruction counts. */
bool cpu_has_bf16(void)
{
    switch ((int)dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
        return true;
    default:
        return false;
    }
}
