/* What the CPU calls itself, which instructions oneDNN uses on it, and how many cores there are. */
#include "host/cpu/backend.h"
#include "host/processors.h"

#include <stdio.h>
#include <string.h>

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

/* An instruction set's number has the bits of those that it includes, in versions of oneDNN that
 * know more of them as well. */
bool cpu_has_isa(int isa)
{
    return ((int)dnnl_get_effective_cpu_isa() & isa) == isa;
}

static const char *isa_name(void)
{
    static const struct {
        int isa;
        const char *name;
    } largest_first[] = {
        {dnnl_cpu_isa_avx512_core_amx, "AVX-512 AMX bf16"},
        {dnnl_cpu_isa_avx512_core_bf16, "AVX-512 bf16"},
        {dnnl_cpu_isa_avx512_core_vnni, "AVX-512 VNNI"},
        {dnnl_cpu_isa_avx512_core, "AVX-512"},
        {dnnl_cpu_isa_avx2_vnni, "AVX2 VNNI"},
        {dnnl_cpu_isa_avx2, "AVX2"},
        {dnnl_cpu_isa_avx, "AVX"},
        {dnnl_cpu_isa_sse41, "SSE4.1"},
    };
    for (size_t i = 0; i < sizeof largest_first / sizeof *largest_first; i++) {
        if (cpu_has_isa(largest_first[i].isa)) {
            return largest_first[i].name;
        }
    }
    return "plain";
}

uint32_t cpu_cores(void)
{
    const uint32_t cores = processors_allowed();
    return cores > CPU_MAX_THREADS ? CPU_MAX_THREADS : cores;
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
    return cpu_has_isa(dnnl_cpu_isa_avx512_core_bf16);
}
