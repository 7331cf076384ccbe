/* The clocks of a GPU: nvidia-smi, or the files of amdgpu, i915, xe and whatever has a devfreq.
 *
 * A file that is not there is no error: drivers and their versions differ in what they tell. The
 * frequency that a GPU runs at goes before the one that it was asked for. */
#include "host/cli/bench_gpu.h"

#include "host/cli/bench_sysfs.h"

#include <glob.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDER_SIZE = 512, PATH_SIZE = FOLDER_SIZE + 128 };

/* a file below the device's folder, and what makes its number MHz, degrees or watts */
typedef struct source {
    const char *pattern;
    double scale;
} source;

static const source core_now[] = {
    {"drm/card*/gt/gt*/rps_act_freq_mhz", 1}, /* i915 */
    {"drm/card*/gt_act_freq_mhz", 1},         /* i915 before it knew of several */
    {"tile*/gt*/freq0/act_freq", 1},          /* xe */
    {"hwmon/hwmon*/freq1_input", 1e-6},       /* amdgpu */
    {"devfreq/*/cur_freq", 1e-6},             /* of a chip with everything on it */
};
static const source core_asked[] = {
    {"drm/card*/gt/gt*/rps_cur_freq_mhz", 1},
    {"drm/card*/gt_cur_freq_mhz", 1},
    {"tile*/gt*/freq0/cur_freq", 1},
};
static const source core_most[] = {
    {"drm/card*/gt/gt*/rps_max_freq_mhz", 1},
    {"drm/card*/gt_max_freq_mhz", 1},
    {"tile*/gt*/freq0/max_freq", 1},
    {"devfreq/*/max_freq", 1e-6},
};
static const source memory_now[] = {{"hwmon/hwmon*/freq2_input", 1e-6}};
static const source temperature[] = {{"hwmon/hwmon*/temp1_input", 1e-3}};
static const source power[] = {
    {"hwmon/hwmon*/power1_average", 1e-6},
    {"hwmon/hwmon*/power1_input", 1e-6},
};
#define COUNT(sources) (sizeof(sources) / sizeof(sources)[0])

/* The first of them that tells, as a largest number; NAN when none does. */
static double read_first(const char *folder, const source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char pattern[PATH_SIZE];
        (void)snprintf(pattern, sizeof pattern, "%s/%s", folder, sources[i].pattern);
        const sysfs_range r = sysfs_numbers(pattern);
        if (r.count > 0) {
            return r.high * sources[i].scale;
        }
    }
    return (double)NAN;
}

/* amdgpu's list of levels, "1: 800Mhz *": the one with the star, and the highest */
typedef struct levels {
    double now, most;
} levels;

static levels read_levels(const char *folder, const char *name)
{
    levels l = {(double)NAN, (double)NAN};
    char path[PATH_SIZE], line[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        char *end = NULL;
        const double mhz = colon ? strtod(colon + 1, &end) : 0;
        if (colon && end != colon + 1 && mhz > 0) {
            l.most = fmax(l.most, mhz);
            l.now = strchr(line, '*') ? mhz : l.now;
        }
    }
    if (file) {
        (void)fclose(file);
    }
    return l;
}

/* --- words --- */

typedef struct words {
    char *text;
    size_t size, used;
} words;

static void say(words *w, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static void say(words *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(w->text + w->used, w->size - w->used, format, arguments);
    va_end(arguments);
    if (length > 0) {
        w->used += (size_t)length;
        w->used = w->used < w->size ? w->used : w->size - 1;
    }
}

static const char *comma(const words *w)
{
    return w->used ? ", " : "";
}

static void say_clock(words *w, const char *what, double now, double asked, double most)
{
    if (isfinite(now)) {
        say(w, "%s%s %.0f", comma(w), what, now);
        if (isfinite(most)) {
            say(w, " of %.0f", most);
        }
        say(w, " MHz");
        if (isfinite(asked)) {
            say(w, " (asked for %.0f)", asked);
        }
    }
}

static void say_value(words *w, double value, const char *unit)
{
    if (isfinite(value)) {
        say(w, "%s%.0f %s", comma(w), value, unit);
    }
}

/* The drivers of Intel's GPUs have a file a reason, which holds 1 while it holds. */
static void say_limits(words *w, const char *folder)
{
    static const char *const patterns[] = {"drm/card*/gt/gt*/throttle_reason_*",
                                           "tile*/gt*/freq0/throttle/reason_*"};
    bool readable = false, limited = false;
    for (size_t p = 0; p < COUNT(patterns); p++) {
        char pattern[PATH_SIZE], text[16];
        glob_t found = {0};
        (void)snprintf(pattern, sizeof pattern, "%s/%s", folder, patterns[p]);
        if (glob(pattern, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc; i++) {
                const char *name = strstr(strrchr(found.gl_pathv[i], '/'), "reason_") + 7;
                if (!sysfs_line(found.gl_pathv[i], text, sizeof text)) {
                    continue;
                }
                readable = true;
                if (strcmp(name, "status") != 0 && strtol(text, NULL, 10) != 0) {
                    say(w, "%s%s",
                        limited   ? " and "
                        : w->used ? ", limited by "
                                  : "limited by ",
                        name);
                    limited = true;
                }
            }
        }
        globfree(&found);
    }
    if (readable && !limited) {
        say(w, "%snot limited", comma(w));
    }
}

/* --- sysfs --- */

static bool sysfs_state(const char *root, const vkdet_device_info *device, words *w)
{
    char folder[FOLDER_SIZE], path[PATH_SIZE], level[64];
    if (device->pci[0]) {
        (void)snprintf(folder, sizeof folder, "%s/sys/bus/pci/devices/%s", root, device->pci);
    } else if (device->drm[0]) {
        (void)snprintf(folder, sizeof folder, "%s/sys/dev/char/%s/device", root, device->drm);
    } else {
        return false;
    }
    const levels core = read_levels(folder, "pp_dpm_sclk");
    const levels memory = read_levels(folder, "pp_dpm_mclk");
    const double now = read_first(folder, core_now, COUNT(core_now));
    const double most = read_first(folder, core_most, COUNT(core_most));
    const double memory_at = read_first(folder, memory_now, COUNT(memory_now));
    say_clock(w, "core", isfinite(now) ? now : core.now,
              read_first(folder, core_asked, COUNT(core_asked)), isfinite(most) ? most : core.most);
    say_clock(w, "memory", isfinite(memory_at) ? memory_at : memory.now, (double)NAN, memory.most);
    say_value(w, read_first(folder, temperature, COUNT(temperature)), "C");
    say_value(w, read_first(folder, power, COUNT(power)), "W");
    (void)snprintf(path, sizeof path, "%s/power_dpm_force_performance_level", folder);
    if (sysfs_line(path, level, sizeof level)) {
        say(w, "%sperformance level %s", comma(w), level);
    }
    say_limits(w, folder);
    return w->used > 0;
}

/* --- nvidia-smi --- */

#define NVIDIA_FIELDS                                                                              \
    "clocks.sm,clocks.max.sm,clocks.mem,clocks.max.mem,temperature.gpu,power.draw,"                \
    "clocks_throttle_reasons.active"
enum { NVIDIA = 0x10de, NVIDIA_FIELD_COUNT = 7 };

/* as the library behind the tool numbers them */
static void say_reasons(words *w, unsigned long reasons)
{
    static const char *const names[] = {"idleness",
                                        "its settings of clocks",
                                        "power",
                                        "hardware slowdown",
                                        "boost of all alike",
                                        "temperature",
                                        "temperature (hardware)",
                                        "power brake",
                                        "display"};
    bool limited = false;
    for (unsigned i = 0; i < COUNT(names); i++) {
        if (reasons >> i & 1) {
            say(w, "%s%s", limited ? " and " : ", limited by ", names[i]);
            limited = true;
        }
    }
    if (reasons >> COUNT(names)) {
        say(w, "%s0x%lx", limited ? " and " : ", limited by ",
            reasons >> COUNT(names) << COUNT(names));
    } else if (!limited) {
        say(w, ", not limited");
    }
}

void bench_gpu_nvidia(const char *line, char *text, size_t size)
{
    words w = {text, size, 0};
    double value[NVIDIA_FIELD_COUNT - 1];
    const char *at = line;
    text[0] = 0;
    for (size_t i = 0; i < COUNT(value); i++) {
        char *end = NULL;
        value[i] = strtod(at, &end);
        value[i] = end == at ? (double)NAN : value[i]; /* [N/A] */
        at = strchr(at, ',');
        if (!at) {
            (void)snprintf(text, size, "%s", line);
            return;
        }
        at += 1 + strspn(at + 1, " ");
    }
    say_clock(&w, "core", value[0], (double)NAN, value[1]);
    say_clock(&w, "memory", value[2], (double)NAN, value[3]);
    say_value(&w, value[4], "C");
    say_value(&w, value[5], "W");
    if (strncmp(at, "0x", 2) == 0) {
        say_reasons(&w, strtoul(at, NULL, 16));
    }
}

/* "timeout" because a broken driver makes it hang */
static bool nvidia_state(const vkdet_device_info *device, words *w)
{
    char command[256], line[512] = "";
    if (!device->pci[0]) { /* which of its GPUs would it be? */
        return false;
    }
    (void)snprintf(command, sizeof command,
                   "timeout 5 nvidia-smi -i %s --query-gpu=" NVIDIA_FIELDS
                   " --format=csv,noheader,nounits 2>/dev/null",
                   device->pci);
    FILE *pipe = popen(command, "r");
    if (!pipe) {
        return false;
    }
    const bool got = fgets(line, sizeof line, pipe) != NULL;
    const bool good = pclose(pipe) == 0 && got;
    line[strcspn(line, "\n")] = 0;
    if (good) {
        bench_gpu_nvidia(line, w->text, w->size);
    }
    return good && w->text[0];
}

bool bench_gpu_state(const char *root, const vkdet_device_info *device, char *text, size_t size)
{
    words w = {text, size, 0};
    text[0] = 0;
    return (device->vendor_id == NVIDIA && nvidia_state(device, &w)) ||
           sysfs_state(root, device, &w);
}
