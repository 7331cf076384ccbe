/* The machine: what it is, and whether its clocks held still while it was timed. What cannot be
 * read is said to be so. */
#include "host/cli/bench.h"
#include "host/processors.h"

#include "host/cli/bench_gpu.h"
#include "host/cli/bench_sysfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NOT_READABLE "not readable"

/* what stands behind `key` in a file of lines "key<separators>value" */
static bool value_of(const char *path, const char *key, const char *separators, char *text,
                     size_t size)
{
    char line[512];
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        size_t length = strlen(key);
        if (strncmp(line, key, length) == 0 && line[length] && strchr(separators, line[length])) {
            const char *value = line + length + strspn(line + length, separators);
            (void)snprintf(text, size, "%.*s", (int)strcspn(value, "\"\n"), value);
            found = true;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return found;
}

/* text of this machine's files, as JSON can hold it */
static json_t *text_or(const char *text, bool known)
{
    json_t *value = known ? json_string(text) : NULL;
    return value ? value : json_string(NOT_READABLE);
}

json_t *bench_host_facts(void)
{
    char system[256] = "", cpu[256] = "", kernel[300] = "";
    struct utsname name;
    bool named = uname(&name) == 0;
    if (named) {
        (void)snprintf(kernel, sizeof kernel, "%s %s %s", name.sysname, name.release, name.machine);
    }
    bool system_known = value_of("/etc/os-release", "PRETTY_NAME", "=\"", system, sizeof system);
    bool cpu_known = value_of("/proc/cpuinfo", "model name", "\t: ", cpu, sizeof cpu);
    return json_pack("{s:o, s:o, s:o, s:I, s:I}", "system", text_or(system, system_known), "kernel",
                     text_or(kernel, named), "cpu", text_or(cpu, cpu_known), "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "processors",
                     (json_int_t)processors_allowed());
}

static bool is_gpu(const vkdet_device_info *d)
{
    return d->kind != VKDET_DEVICE_REFERENCE && d->kind != VKDET_DEVICE_SOFTWARE &&
           d->kind != VKDET_DEVICE_CPU;
}

json_t *bench_host_clocks(const vkdet_device_info *devices, size_t count)
{
    char clocks[96] = "", gpus[2048] = "", one[512];
    size_t used = 0;
    json_t *state = json_object();
    const sysfs_range clock =
        sysfs_numbers("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq");
    if (clock.count > 0) {
        (void)snprintf(clocks, sizeof clocks, "%.0f to %.0f MHz", clock.low / 1e3,
                       clock.high / 1e3);
    }
    (void)json_object_set_new(state, "cpu_clocks", text_or(clocks, clock.count > 0));
    for (size_t i = 0; i < count; i++) {
        if (is_gpu(&devices[i])) {
            const bool known = bench_gpu_state("", &devices[i], one, sizeof one);
            const int length =
                snprintf(gpus + used, sizeof gpus - used, "%s%s: %s", used ? "; " : "",
                         devices[i].id, known ? one : NOT_READABLE);
            used += length > 0 ? (size_t)length : 0;
            used = used < sizeof gpus ? used : sizeof gpus - 1;
        }
    }
    if (used) {
        (void)json_object_set_new(state, "gpu", text_or(gpus, true));
    }
    return state;
}

json_t *bench_host_state(const vkdet_device_info *devices, size_t count)
{
    char load[128] = "", governor[64] = "";
    json_t *state = json_object();
    bool known = sysfs_line("/proc/loadavg", load, sizeof load);
    /* behind the averages of 1, 5 and 15 minutes stand a count of threads and a process's number */
    for (int blanks = 0, i = 0; load[i]; i++) {
        blanks += load[i] == ' ';
        load[i] = blanks < 3 ? load[i] : 0;
    }
    (void)json_object_set_new(state, "load_average", text_or(load, known));
    known = sysfs_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
                       sizeof governor);
    (void)json_object_set_new(state, "cpu_governor", text_or(governor, known));
    const sysfs_range throttled =
        sysfs_numbers("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count");
    (void)json_object_set_new(state, "cpu_throttle_events",
                              throttled.count > 0 ? json_integer((json_int_t)throttled.sum)
                                                  : json_string(NOT_READABLE));
    json_t *clocks = bench_host_clocks(devices, count);
    (void)json_object_update(state, clocks);
    json_decref(clocks);
    return state;
}
