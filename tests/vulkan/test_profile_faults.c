/* Measuring when things fail: every Vulkan call and every host allocation, one after the other. A
 * clear status each time, and nothing left behind. */
#include "tests/vulkan/measured.h"
#include "tests/vulkan/shim.h"

enum { MOST_CALLS = 2000 };

/* From nothing to measurements and back; stops at the first failure. */
static status live(const allocator *a, shim_memory memory, error *err)
{
    detector_head head;
    network n = {.alloc = a, .slots = 2};
    uint64_t step_ns[2 * MEASURED_STEPS], total_ns[2], ns = 0;
    const pixels image = measured_picture(0);
    const backend_request request = {&image, 1, measured_every};
    shim.memory = memory;
    status s = measured_detector(&n, &head, err);
    if (!s) {
        s = vulkan_instance_create_with(shim_loader(), a, &rig.log, rig.validate, &n.instance, err);
    }
    vulkan_instance *v = n.instance;
    if (!s) {
        s = network_open(&n, err);
    }
    if (!s) {
        s = n.backend->call->profile(n.backend, &request, 2, step_ns, total_ns, err);
    }
    if (!s) {
        s = n.backend->call->repeat(n.backend, &request, 11, &ns, err);
    }
    network_destroy(&n);
    if (v) {
        assert_int_equal(vulkan_validation_messages(v), 0);
    }
    vulkan_instance_destroy(v);
    return s;
}

static status live_peaks(const allocator *a, shim_memory memory, error *err)
{
    vulkan_instance *v = NULL;
    vkdet_device_peaks peaks;
    shim.memory = memory;
    status s = vulkan_instance_create_with(shim_loader(), a, &rig.log, rig.validate, &v, err);
    if (!s) {
        s = vulkan_peaks_measure_with(v, rig.device, &rig.log, &measured_little, &peaks, err);
    }
    if (v) {
        assert_int_equal(vulkan_validation_messages(v), 0);
    }
    vulkan_instance_destroy(v);
    return s;
}

typedef status life(const allocator *a, shim_memory memory, error *err);

static void run_calls(life *l, VkResult code, status expected, shim_memory memory, bool all_later)
{
    size_t failures = 0, survived = 0;
    for (size_t at = 1; at < MOST_CALLS; at++) {
        error err = {0};
        test_allocator counted;
        test_allocator_init(&counted, 0);
        shim_reset();
        shim.fail_at = at;
        shim.fail_on = all_later;
        shim.fail_with = code;
        const status s = l(&counted.alloc, memory, &err);
        const char *failed = shim.failed;
        if (!failed) {
            assert_status_ok(s, err); /* beyond the last call */
            break;
        }
        failures++;
        survived += s == STATUS_OK;
        if (s != STATUS_OK && s != expected && s != STATUS_DEVICE) { /* a device that is unusable */
            fail_msg("call %zu, %s fails with %d: status %s: %s", at, failed, (int)code,
                     status_name(s), err.text);
        }
        if (s != STATUS_OK && err.text[0] == 0) {
            fail_msg("call %zu, %s fails: no message", at, failed);
        }
        if (shim.live != 0 || counted.live != 0) {
            fail_msg("call %zu, %s fails: %zu Vulkan objects and %zu allocations are left", at,
                     failed, shim.live, counted.live);
        }
    }
    print_message("%zu calls, each failed once, %zu of them without harm\n", failures, survived);
    assert_true(failures > 50);
    assert_true(survived < failures / 2);
}

static void test_faults_of_profile(void **state)
{
    (void)state;
    run_calls(live, VK_ERROR_OUT_OF_HOST_MEMORY, STATUS_MEMORY, SHIM_MEMORY_DISCRETE, false);
    run_calls(live, VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, SHIM_MEMORY_DISCRETE, true);
}

static void test_faults_of_peaks(void **state)
{
    (void)state;
    run_calls(live_peaks, VK_ERROR_OUT_OF_HOST_MEMORY, STATUS_MEMORY, SHIM_MEMORY_REAL, false);
    run_calls(live_peaks, VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, SHIM_MEMORY_DISCRETE, true);
    error err = {0};
    shim_reset();
    assert_int_equal(live_peaks(&allocator_default, SHIM_MEMORY_NONE, &err), STATUS_DEVICE);
    assert_int_equal(shim.live, 0);
}

static void test_host_allocations(void **state)
{
    (void)state;
    size_t at = 1;
    for (; at < MOST_CALLS; at++) {
        error err = {0};
        test_allocator failing;
        test_allocator_init(&failing, at);
        shim_reset();
        const status s = live(&failing.alloc, SHIM_MEMORY_DISCRETE, &err);
        assert_int_equal(failing.live, 0);
        assert_int_equal(shim.live, 0);
        if (!failing.failed) {
            assert_status_ok(s, err);
            break;
        }
        if (s != STATUS_MEMORY || err.text[0] == 0) {
            fail_msg("allocation %zu fails: status %s: %s", at, status_name(s), err.text);
        }
    }
    assert_true(at > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_of_profile),
        cmocka_unit_test(test_faults_of_peaks),
        cmocka_unit_test(test_host_allocations),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
