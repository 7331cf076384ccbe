/* Which devices there are, which of them auto picks, and why one cannot be used. */
#include "tests/vulkan/rig.h"
#include "tests/vulkan/shim.h"

enum { ANCHORS = 8, CLASSES = 2 };

static void test_devices(void **state)
{
    (void)state;
    error err = {0};
    network n = {0};
    vkdet_device_info info;
    plan_target target;
    shim.device_copies = 5;
    static const VkPhysicalDeviceType types[] = {
        VK_PHYSICAL_DEVICE_TYPE_CPU, VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU,
        VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
        VK_PHYSICAL_DEVICE_TYPE_OTHER};
    static const vkdet_device_kind kinds[] = {VKDET_DEVICE_SOFTWARE, VKDET_DEVICE_VIRTUAL_GPU,
                                              VKDET_DEVICE_INTEGRATED_GPU,
                                              VKDET_DEVICE_DISCRETE_GPU, VKDET_DEVICE_OTHER};
    memcpy(shim.device_types, types, sizeof types);
    network_on_shim(&n);
    assert_int_equal(vulkan_device_count(n.instance), 5);
    assert_int_equal(vulkan_device_pick(n.instance), 3);
    for (uint32_t i = 0; i < 5; i++) {
        char id[32];
        (void)snprintf(id, sizeof id, "vulkan:%u", i);
        vulkan_device_describe(n.instance, i, &info);
        assert_string_equal(info.id, id);
        assert_int_equal(info.kind, kinds[i]);
        assert_int_equal(info.is_auto, i == 3);
        assert_string_equal(info.unusable, "");
        assert_true(info.name[0] && info.driver[0] && info.api_version[0] && info.memory_bytes);
        vulkan_device_target(n.instance, i, &target);
        assert_true(target.max_invocations >= 128 && target.max_shared_bytes >= 16384);
    }
    vulkan_device_describe(n.instance, 5, &info);
    assert_true(info.unusable[0] != 0);
    network_off_shim(&n);

    shim.device_copies = 2; /* software and something unknown: auto takes neither */
    shim.device_types[0] = VK_PHYSICAL_DEVICE_TYPE_CPU;
    shim.device_types[1] = VK_PHYSICAL_DEVICE_TYPE_OTHER;
    network_on_shim(&n);
    assert_int_equal(vulkan_device_pick(n.instance), -1);
    network_off_shim(&n);

    for (int k = 0; k < 2; k++) { /* too old; nothing that computes */
        detector_head head;
        shim.device_copies = 1;
        shim.device_types[0] = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
        shim.api_version = k ? 0 : VK_API_VERSION_1_0;
        shim.no_compute = k;
        network_on_shim(&n);
        vulkan_device_describe(n.instance, 0, &info);
        assert_non_null(strstr(info.unusable, k ? "compute" : "1.1"));
        assert_int_equal(vulkan_device_pick(n.instance), -1);
        assert_status_ok(passthrough_network(&n, ANCHORS, CLASSES, &head, &err), err);
        assert_int_equal(network_open(&n, &err), STATUS_DEVICE);
        network_off_shim(&n);
    }
}

/* Where a device sits, as far as its driver tells. */
static void test_places(void **state)
{
    (void)state;
    for (int placed = 0; placed < 2; placed++) {
        network n = {0};
        vkdet_device_info info;
        shim.placed = placed;
        network_on_shim(&n);
        vulkan_device_describe(n.instance, rig.device, &info);
        assert_string_equal(info.unusable, "");
        if (placed) {
            assert_string_equal(info.pci, "0001:c1:00.2");
            assert_string_equal(info.drm, "226:128");
        } else if (info.kind == VKDET_DEVICE_SOFTWARE) {
            assert_string_equal(info.pci, "");
            assert_string_equal(info.drm, "");
        }
        network_off_shim(&n);
    }
}

/* One device that cannot be asked is listed with the reason; the others are as usable as before. */
static void test_unanswering_device(void **state)
{
    (void)state;
    error err = {0};
    network n = {0};
    vkdet_device_info info;
    shim.device_copies = 2;
    shim.device_types[0] = shim.device_types[1] = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    shim.fail_at = 1;
    shim.fail_one = "vkEnumerateDeviceExtensionProperties";
    shim.fail_with = VK_ERROR_INITIALIZATION_FAILED;
    network_on_shim(&n);
    assert_int_equal(vulkan_device_count(n.instance), 2);
    vulkan_device_describe(n.instance, 0, &info);
    assert_non_null(strstr(info.unusable, "VK_ERROR_INITIALIZATION_FAILED"));
    vulkan_device_describe(n.instance, 1, &info);
    assert_string_equal(info.unusable, "");
    assert_int_equal(vulkan_device_pick(n.instance), 1);
    network_off_shim(&n);

    shim.fail_at = 1; /* what is wanting here is ours */
    shim.fail_one = "vkEnumerateDeviceExtensionProperties";
    shim.fail_with = VK_ERROR_OUT_OF_HOST_MEMORY;
    vulkan_instance *v = NULL;
    assert_int_equal(
        vulkan_instance_create_with(shim_loader(), &allocator_default, &rig.log, false, &v, &err),
        STATUS_MEMORY);
    assert_null(v);
    assert_non_null(strstr(err.text, "VK_ERROR_OUT_OF_HOST_MEMORY"));
    assert_int_equal(shim.live, 0);
    shim_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_devices),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_unanswering_device),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
