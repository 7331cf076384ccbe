/* Which precision a device computes in: a table of devices, cards and wishes. And where the wish
 * for Winograd reaches the plan, under which name. */
#include "tests/support/test.h"

#include "host/api/api.h"

typedef struct choice_case {
    const char *name;
    vkdet_device_kind kind;
    int vulkan_index;
    bool has_fp16, fit;
    vkdet_precision wanted, got;
    status status;
} choice_case;

static const choice_case cases[] = {
    {"hardware, fit", VKDET_DEVICE_DISCRETE_GPU, 0, true, true, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP16, STATUS_OK},
    {"integrated, fit", VKDET_DEVICE_INTEGRATED_GPU, 1, true, true, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP16, STATUS_OK},
    {"hardware, not fit", VKDET_DEVICE_DISCRETE_GPU, 0, true, false, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP32, STATUS_OK},
    {"old hardware", VKDET_DEVICE_DISCRETE_GPU, 0, false, true, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP32, STATUS_OK},
    {"software driver", VKDET_DEVICE_SOFTWARE, 0, true, true, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP32, STATUS_OK},
    {"reference", VKDET_DEVICE_REFERENCE, -1, false, true, VKDET_PRECISION_AUTO,
     VKDET_PRECISION_FP32, STATUS_OK},
    {"named on hardware, not fit", VKDET_DEVICE_DISCRETE_GPU, 0, false, false, VKDET_PRECISION_FP16,
     VKDET_PRECISION_FP16, STATUS_OK},
    {"named on a software driver", VKDET_DEVICE_SOFTWARE, 0, false, false, VKDET_PRECISION_FP16,
     VKDET_PRECISION_FP16, STATUS_OK},
    {"fp32 named", VKDET_DEVICE_DISCRETE_GPU, 0, true, true, VKDET_PRECISION_FP32,
     VKDET_PRECISION_FP32, STATUS_OK},
    {"fp16 of the reference", VKDET_DEVICE_REFERENCE, -1, false, true, VKDET_PRECISION_FP16,
     VKDET_PRECISION_AUTO, STATUS_UNSUPPORTED},
    {"bf16 of Vulkan", VKDET_DEVICE_DISCRETE_GPU, 0, true, true, VKDET_PRECISION_BF16,
     VKDET_PRECISION_AUTO, STATUS_UNSUPPORTED},
    {"none of them", VKDET_DEVICE_DISCRETE_GPU, 0, true, true, (vkdet_precision)9,
     VKDET_PRECISION_AUTO, STATUS_ARGUMENT},
};

static void test_choice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const choice_case *c = &cases[i];
        device_choice device = {.vulkan_index = c->vulkan_index,
                                .info = {.id = "some:0", .name = "a device", .kind = c->kind}};
        const plan_target target = {.has_fp16 = c->has_fp16};
        const card about = {.fit = {.fp16 = c->fit}};
        vkdet_precision got = VKDET_PRECISION_AUTO;
        error err = {0};
        status s = precision_choose(&device, &target, &about, c->wanted, &got, &err);
        if (s != c->status || got != c->got) {
            fail_msg("%s: %s, %s", c->name, status_name(s), vkdet_precision_name(got));
        }
        assert_true(s != STATUS_UNSUPPORTED || strstr(err.text, "some:0") != NULL);
    }
}

static void test_winograd(void **state)
{
    (void)state;
    static const plan_winograd planned[] = {WINOGRAD_AUTO, WINOGRAD_NEVER, WINOGRAD_ALWAYS};
    static const char *const names[] = {"auto", "never", "always"};
    const device_choice gpu = {.vulkan_index = 1}, host = {.vulkan_index = -1};
    error err = {0};
    plan_winograd got;
    vkdet_winograd wanted;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(vkdet_winograd_from_name(names[i], &wanted), VKDET_OK);
        assert_int_equal(winograd_choose(&gpu, VKDET_PRECISION_FP32, wanted, &got, &err),
                         STATUS_OK);
        assert_int_equal(got, planned[i]);
        assert_int_equal(winograd_choose(&gpu, VKDET_PRECISION_FP16, wanted, &got, &err),
                         STATUS_OK);
        assert_int_equal(got, WINOGRAD_AUTO);
        assert_int_equal(winograd_choose(&host, VKDET_PRECISION_FP32, wanted, &got, &err),
                         STATUS_OK);
        assert_int_equal(got, WINOGRAD_AUTO);
    }
    assert_int_equal(winograd_choose(&host, VKDET_PRECISION_FP32, (vkdet_winograd)3, &got, &err),
                     STATUS_ARGUMENT);
    assert_int_equal(vkdet_winograd_from_name("sometimes", &wanted), VKDET_ERROR_ARGUMENT);
    assert_string_equal(vkdet_error_message(),
                        "winograd \"sometimes\": expected auto, never or always");
    assert_int_equal(vkdet_winograd_from_name(NULL, &wanted), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_winograd_from_name("auto", NULL), VKDET_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_choice),
                                       cmocka_unit_test(test_winograd)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
