/* The machine: what it is, and whether its clocks held still while it was timed. What cannot be
 * read is said to be so. */
#include "host/cli/bench.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define NOT_READABLE "not readable"

/* the first line of a file, without its end; false when there is none */
static bool first_line(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        return false;
    }
    bool got = fgets(text, (int)size, file) != NULL;
    (void)fclose(file);
    if (got) {
        text[strcspn(text, "\n")] = 0;
    }
    return got;
}

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
    return json_pack("{s:o, s:o, s:o, s:I}", "system", text_or(system, system_known), "kernel",
                     text_or(kernel, named), "cpu", text_or(cpu, cpu_known), "cores",
                     (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

typedef struct range {
    double low, high, sum;
    size_t count;
} range;

/* a number from every file that the pattern names */
static range numbers_of(const char *pattern)
{
    range r = {(double)INFINITY, (double)-INFINITY, 0, 0};
    glob_t found = {0};
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            char text[64], *end = NULL;
            if (!first_line(found.gl_pathv[i], text, sizeof text)) {
                continue;
            }
            double value = strtod(text, &end);
            if (end != text && isfinite(value)) {
                r.low = fmin(r.low, value);
                r.high = fmax(r.high, value);
                r.sum += value;
                r.count++;
            }
        }
    }
    globfree(&found);
    return r;
}

/* the lines that a tool prints, as one text; "timeout" because a broken driver makes it hang */
static bool output_of(const char *command, char *text, size_t size)
{
    FILE *pipe = popen(command, "r");
    if (!pipe) {
        return false;
    }
    size_t used = fread(text, 1, size - 1, pipe);
    text[used] = 0;
    while (used > 0 && text[used - 1] == '\n') {
        text[--used] = 0;
    }
    return pclose(pipe) == 0 && used > 0;
}

json_t *bench_host_state(bool nvidia)
{
    char load[128] = "", governor[64] = "", clocks[96] = "", gpu[1024] = "";
    json_t *state = json_object();
    bool known = first_line("/proc/loadavg", load, sizeof load);
    (void)json_object_set_new(state, "load_average", text_or(load, known));
    range clock = numbers_of("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq");
    if (clock.count > 0) {
        (void)snprintf(clocks, sizeof clocks, "%.0f to %.0f MHz", clock.low / 1e3,
                       clock.high / 1e3);
    }
    (void)json_object_set_new(state, "cpu_clocks", text_or(clocks, clock.count > 0));
    known = first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", governor,
                       sizeof governor);
    (void)json_object_set_new(state, "cpu_governor", text_or(governor, known));
    range throttled =
        numbers_of("/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count");
    (void)json_object_set_new(state, "cpu_throttle_events",
                              throttled.count > 0 ? json_integer((json_int_t)throttled.sum)
                                                  : json_string(NOT_READABLE));
    if (nvidia) {
        known = output_of("timeout 5 nvidia-smi --query-gpu=name,clocks.sm,clocks.mem,"
                          "clocks_throttle_reasons.active,temperature.gpu,power.draw "
                          "--format=csv,noheader 2>/dev/null",
                          gpu, sizeof gpu);
        (void)json_object_set_new(state, "nvidia", text_or(gpu, known));
    }
    return state;
}
