/* What is told of a GPU's clocks, on trees of files as Linux' drivers make them. */
#include "tests/support/test.h"

#include "host/cli/bench_gpu.h"

#include <sys/stat.h>

enum { AMD = 0x1002, INTEL = 0x8086, NVIDIA = 0x10de };

static char root[] = "/tmp/vkdet-sysfs-XXXXXX";
static char told[512];

/* a file below the tree, with the folders on the way */
static void put(const char *path, const char *text)
{
    char full[512];
    const int length = snprintf(full, sizeof full, "%s/%s", root, path);
    assert_true(length > 0 && (size_t)length < sizeof full);
    for (char *at = strchr(full + sizeof root, '/'); at; at = strchr(at + 1, '/')) {
        *at = 0;
        (void)mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool ask(uint32_t vendor, const char *pci, const char *drm)
{
    vkdet_device_info d = {.kind = VKDET_DEVICE_DISCRETE_GPU, .vendor_id = vendor};
    (void)snprintf(d.pci, sizeof d.pci, "%s", pci);
    (void)snprintf(d.drm, sizeof d.drm, "%s", drm);
    memset(told, 'x', sizeof told);
    return bench_gpu_state(root, &d, told, sizeof told);
}

#define CARD "sys/bus/pci/devices/0000:c1:00.0/"

static void test_amd(void **state)
{
    (void)state;
    put(CARD "pp_dpm_sclk", "0: 500Mhz\n1: 2100Mhz *\n2: 2475Mhz\n");
    put(CARD "pp_dpm_mclk", "0: 96Mhz \n1: 1000Mhz *\n");
    assert_true(ask(AMD, "0000:c1:00.0", "226:128"));
    assert_string_equal(told, "core 2100 of 2475 MHz, memory 1000 of 1000 MHz");
    put(CARD "hwmon/hwmon3/freq1_input", "2087000000\n");
    put(CARD "hwmon/hwmon3/temp1_input", "61000\n");
    put(CARD "hwmon/hwmon3/power1_average", "180500000\n");
    put(CARD "power_dpm_force_performance_level", "auto\n");
    assert_true(ask(AMD, "0000:c1:00.0", ""));
    assert_string_equal(told, "core 2087 of 2475 MHz, memory 1000 of 1000 MHz, 61 C, 180 W, "
                              "performance level auto");
}

#define UHD "sys/bus/pci/devices/0000:00:02.0/drm/card0/"

static void test_i915(void **state)
{
    (void)state;
    put(UHD "gt_act_freq_mhz", "0\n"); /* asleep */
    put(UHD "gt_cur_freq_mhz", "300\n");
    put(UHD "gt_max_freq_mhz", "1150\n");
    assert_true(ask(INTEL, "0000:00:02.0", ""));
    assert_string_equal(told, "core 0 of 1150 MHz (asked for 300)");
    put(UHD "gt/gt0/rps_act_freq_mhz", "1000\n");
    put(UHD "gt/gt0/rps_cur_freq_mhz", "1100\n");
    put(UHD "gt/gt0/rps_max_freq_mhz", "1200\n");
    put(UHD "gt/gt0/throttle_reason_status", "0\n");
    put(UHD "gt/gt0/throttle_reason_pl1", "0\n");
    put(UHD "gt/gt0/throttle_reason_thermal", "0\n");
    assert_true(ask(INTEL, "0000:00:02.0", ""));
    assert_string_equal(told, "core 1000 of 1200 MHz (asked for 1100), not limited");
    put(UHD "gt/gt0/throttle_reason_status", "1\n");
    put(UHD "gt/gt0/throttle_reason_pl1", "1\n");
    put(UHD "gt/gt0/throttle_reason_thermal", "1\n");
    assert_true(ask(INTEL, "0000:00:02.0", ""));
    assert_string_equal(told, "core 1000 of 1200 MHz (asked for 1100), limited by pl1 and thermal");
}

#define ARC "sys/bus/pci/devices/0000:03:00.0/tile0/gt0/freq0/"

static void test_xe(void **state)
{
    (void)state;
    put(ARC "act_freq", "2400\n");
    put(ARC "cur_freq", "2450\n");
    put(ARC "max_freq", "2450\n");
    put(ARC "throttle/status", "1\n");
    put(ARC "throttle/reason_prochot", "1\n");
    assert_true(ask(INTEL, "0000:03:00.0", ""));
    assert_string_equal(told, "core 2400 of 2450 MHz (asked for 2450), limited by prochot");
}

/* on no bus: found by its node */
static void test_devfreq(void **state)
{
    (void)state;
    put("sys/dev/char/226:129/device/devfreq/ffa30000.gpu/cur_freq", "585000000\n");
    put("sys/dev/char/226:129/device/devfreq/ffa30000.gpu/max_freq", "800000000\n");
    assert_true(ask(0x13b5, "", "226:129"));
    assert_string_equal(told, "core 585 of 800 MHz");
}

static void test_nothing(void **state)
{
    (void)state;
    assert_false(ask(AMD, "", ""));
    assert_string_equal(told, "");
    assert_false(ask(AMD, "0000:c2:00.0", "226:200"));
    assert_string_equal(told, "");
    put("sys/bus/pci/devices/0000:c3:00.0/pp_dpm_sclk", "\nnothing: here\n:\n9: *\n");
    put("sys/bus/pci/devices/0000:c3:00.0/devfreq/a/cur_freq", "soon\n");
    assert_false(ask(AMD, "0000:c3:00.0", ""));
    put("sys/bus/pci/devices/0000:c4:00.0/hwmon/hwmon0/temp1_input", "40000\n");
    assert_true(ask(NVIDIA, "0000:c4:00.0", "")); /* and no tool that knows it */
    assert_string_equal(told, "40 C");
    vkdet_device_info d = {.vendor_id = AMD, .pci = "0000:c1:00.0"};
    char little[12];
    memset(told, 'x', sizeof told);
    assert_true(bench_gpu_state(root, &d, little, sizeof little)); /* cut, and within its room */
    assert_int_equal(strlen(little), sizeof little - 1);
}

static void test_nvidia(void **state)
{
    (void)state;
    bench_gpu_nvidia("1980, 1980, 3201, 3201, 45, 350.12, 0x0000000000000000", told, sizeof told);
    assert_string_equal(told,
                        "core 1980 of 1980 MHz, memory 3201 of 3201 MHz, 45 C, 350 W, not limited");
    bench_gpu_nvidia("345, 1980, 1593, 3201, 30, 72.5, 0x0000000000000001", told, sizeof told);
    assert_string_equal(told, "core 345 of 1980 MHz, memory 1593 of 3201 MHz, 30 C, 72 W, "
                              "limited by idleness");
    bench_gpu_nvidia("1200, 1980, [N/A], [N/A], 87, 700.0, 0x1024", told, sizeof told);
    assert_string_equal(told, "core 1200 of 1980 MHz, 87 C, 700 W, limited by power and "
                              "temperature and 0x1000");
    bench_gpu_nvidia("Unable to determine the device handle", told, sizeof told);
    assert_string_equal(told, "Unable to determine the device handle");
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return test_remove_folder(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amd),     cmocka_unit_test(test_i915),
        cmocka_unit_test(test_xe),      cmocka_unit_test(test_devfreq),
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_nvidia),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
