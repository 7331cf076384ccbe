/* What is known of a device before it is used: optional abilities, driver quirks, pipelines that a
 * driver does not make and does not say so. */
#include "tests/vulkan/rig.h"
#include "tests/vulkan/shim.h"

#include "shaders/shaders.h"

/* The shape that kernels use: half factors, float sums, of a subgroup; 16 cubed before larger. */
static void test_matrix_shapes(void **state)
{
    (void)state;
    static const matrix_shape expected[SHIM_MATRIX_SHAPES + 1] = {{0},
                                                                  {0},
                                                                  {16, 8, 8, 0, 0, 1, 1},
                                                                  {16, 8, 8, 0, 0, 1, 1},
                                                                  {64, 16, 16, 0, 0, 1, 1},
                                                                  {16, 16, 16, 0, 0, 1, 1}};
    const device_features *real = &rig.instance->devices[rig.device].features;
    if (!shader_find("peak_matrix_nv") || !real->fp16 || !real->storage16 ||
        real->matrix != MATRIX_API_NONE) {
        print_message("SKIPPED %s: needs a build with GL_NV_cooperative_matrix and a device with "
                      "halves and without matrices\n",
                      __func__);
        skip();
    }
    for (uint32_t shapes = 0; shapes <= SHIM_MATRIX_SHAPES; shapes++) {
        error err = {0};
        vulkan_instance *v = NULL;
        shim_reset();
        shim.matrix_shapes = shapes;
        assert_status_ok(vulkan_instance_create_with(shim_loader(), &allocator_default, &rig.log,
                                                     false, &v, &err),
                         err);
        const device_features *f = &v->devices[rig.device].features;
        const matrix_shape best = features_half_matrix(f);
        plan_target target;
        vulkan_device_target(v, rig.device, &target);
        assert_int_equal(f->matrix, shapes ? MATRIX_API_NV : MATRIX_API_NONE);
        assert_memory_equal(&best, &expected[shapes], sizeof best);
        assert_true(target.matrix.m == best.m && target.matrix.n == best.n &&
                    target.matrix.k == best.k && target.has_fp16);
        vulkan_instance_destroy(v);
    }
    /* a device whose shapes cannot be had is unusable, and says why */
    error err = {0};
    vulkan_instance *v = NULL;
    shim.fail_one = "vkGetPhysicalDeviceCooperativeMatrixPropertiesNV";
    shim.fail_with = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    shim.fail_at = 2;
    shim.calls = 0;
    assert_status_ok(
        vulkan_instance_create_with(shim_loader(), &allocator_default, &rig.log, false, &v, &err),
        err);
    assert_non_null(strstr(v->devices[0].unusable, "CooperativeMatrix"));
    vulkan_instance_destroy(v);
    shim_reset();
}

/* what is enabled is what the target tells the planner */
static void test_target(void **state)
{
    (void)state;
    error err = {0};
    plan_target target;
    device d;
    const physical_device *p = &rig.instance->devices[rig.device];
    vulkan_device_target(rig.instance, rig.device, &target);
    assert_int_equal(target.has_fp16, p->features.fp16 && p->features.storage16);
    assert_int_equal(target.subgroup_size, p->features.subgroup_size);
    assert_int_equal(target.vendor == VENDOR_SOFTWARE,
                     p->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU);
    assert_int_equal(target.loads, p->quirks & QUIRK_SPLITS_ALL_LOADS ? LOADS_ALL_SPLIT
                                   : p->quirks & QUIRK_SPLITS_LOADS   ? LOADS_SPLIT
                                                                      : LOADS_GATHERED);
    assert_true(p->features.subgroup_size > 0);
    assert_status_ok(device_create(rig.instance, rig.device, &rig.log, &d, &err), err);
    device_destroy(&d);
    const device_features f = {.matrix = MATRIX_API_KHR, .full_subgroups = true};
    assert_int_equal(features_stage_flags(&f, "conv2d"), 0);
    assert_int_equal(features_stage_flags(&f, "_nv"), 0);
    assert_true(features_stage_flags(&f, "x_khr") != 0 && features_stage_flags(&f, "x_nv") != 0);
    rig_assert_silent();
}

static void test_quirks(void **state)
{
    (void)state;
    const char *reason = NULL;
    quirk_subject s = {0x1002, VK_DRIVER_ID_AMD_PROPRIETARY, 2u << 22,
                       VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU};
    assert_int_equal(quirks_find(&s, &reason), QUIRK_NO_MATRIX);
    assert_non_null(strstr(reason, "AMDVLK"));
    s.type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    assert_int_equal(quirks_find(&s, &reason), 0);
    assert_string_equal(reason, "");
    s = (quirk_subject){0x1002, VK_DRIVER_ID_MESA_RADV, 0, VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU};
    assert_int_equal(quirks_find(&s, &reason), 0);
    const physical_device *p = &rig.instance->devices[rig.device];
    if (strstr(p->driver, "SwiftShader")) {
        assert_int_equal(p->quirks, QUIRK_SPECIALIZE | QUIRK_SPLITS_ALL_LOADS);
    }
    /* of the two llvmpipes that were looked at, the older one */
    s = (quirk_subject){VK_VENDOR_ID_MESA, VK_DRIVER_ID_MESA_LLVMPIPE,
                        VK_MAKE_API_VERSION(0, 22, 3, 6), VK_PHYSICAL_DEVICE_TYPE_CPU};
    assert_int_equal(quirks_find(&s, &reason), QUIRK_COMPILES_LATE | QUIRK_SPLITS_LOADS);
    s.version = VK_MAKE_API_VERSION(0, 26, 2, 6);
    assert_int_equal(quirks_find(&s, &reason), 0);
}

/* VK_INCOMPLETE is no error by its number, and there is no pipeline. */
static void test_incomplete_pipeline(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {0};
    shim_reset();
    assert_status_ok(passthrough_build(&allocator_default, 8, 2, &n.graph, &head, &err), err);
    n.head = &head;
    network_on_shim(&n);
    shim.fail_one = "vkCreateComputePipelines";
    shim.fail_with = VK_INCOMPLETE;
    shim.fail_at = 1;
    shim.calls = 0;
    assert_int_equal(network_open(&n, &err), STATUS_DEVICE);
    assert_non_null(strstr(err.text, "VK_INCOMPLETE"));
    network_off_shim(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix_shapes),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_quirks),
        cmocka_unit_test(test_incomplete_pipeline),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
