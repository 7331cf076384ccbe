/* Everything that can fail is made to fail, one after the other: every Vulkan call, every host
 * allocation. Each time: a clear status, nothing left behind, and the next session works. */
#include "tests/vulkan/rig.h"
#include "tests/vulkan/shim.h"

enum { ANCHORS = 8, CLASSES = 2, MOST_CALLS = 2000 };

static char cache_dir[] = "/tmp/vkdet-test-XXXXXX";
static float input[2][ANCHORS * (4 + CLASSES)];
static const nms_params every = {NMS_TFJS, 0.1, 1.0 / 3.0, ANCHORS};

typedef struct life {
    const allocator *alloc;
    bool detects; /* with a head: more kernels, and a near-tie to settle */
    const char *cache_dir;
    bool reached_submit; /* a failure came after the session was made */
} life;

/* From nothing to results and back; stops at the first failure. */
static status live(life *l, error *err)
{
    detector_head head;
    vulkan_instance *v = NULL;
    network n = {
        .alloc = l->alloc, .max_batch = 2, .slots = 2, .keep_all = true, .cache_dir = l->cache_dir};
    float values[ANCHORS * (4 + CLASSES)];
    l->reached_submit = false;
    status s = passthrough_build(&allocator_default, ANCHORS, CLASSES, &n.graph, &head, err);
    n.head = l->detects ? &head : NULL;
    if (!s) {
        s = vulkan_instance_create_with(shim_loader(), l->alloc, &rig.log, rig.validate, &v, err);
    }
    n.instance = v;
    if (!s) {
        s = network_open(&n, err);
    }
    for (uint32_t batch = 1; !s && batch <= 2; batch++) {
        const pixels images[2] = {network_tensor(&n, input[0]), network_tensor(&n, input[1])};
        l->reached_submit = true;
        s = network_run(&n, images, batch, &every, err);
        backend_result result = {0};
        if (!s) {
            s = n.backend->call->result(n.backend, 0, batch - 1, &result, err);
        }
        if (!s) {
            assert_int_equal(result.count, l->detects ? ANCHORS - 1 : 0);
            assert_int_equal(result.near_ties > 0, l->detects);
            s = n.backend->call->read_value(n.backend, 0, 0, n.graph->input, values, err);
        }
        if (!s) {
            assert_memory_equal(values, input[0], sizeof values);
        }
    }
    if (!s) { /* a larger picture, and an end while it is in flight */
        static unsigned char bytes[200 * 16 * 4];
        const pixels large = {PIXEL_RGBA8, 200, 16, 800, bytes};
        const backend_request request = {&large, 1, every};
        s = n.backend->call->submit(n.backend, 1, &request, err);
    }
    network_destroy(&n);
    if (v) {
        assert_int_equal(vulkan_validation_messages(v), 0);
    }
    vulkan_instance_destroy(v);
    return s;
}

static void anchors_to_codes(void)
{
    /* anchor i is a unit box; codes move it by eighths: 8 apart, but the last is half a box to the
     * side of the one before, which makes an IoU of a third */
    for (int p = 0; p < 2; p++) {
        for (int i = 0; i < ANCHORS; i++) {
            float *row = input[p] + i * (4 + CLASSES);
            memset(row, 0, (4 + CLASSES) * sizeof *row);
            row[0] = 64.0f * (float)(i < ANCHORS - 1 ? i : i - 1) + (i < ANCHORS - 1 ? 0.0f : 4.0f);
            row[4] = 0.5f + 0.0625f * (float)i;
        }
    }
}

static status live_in(shim_memory memory, life *l, error *err)
{
    shim_state kept = shim;
    kept.memory = memory;
    kept.calls = kept.live = 0;
    kept.failed = NULL;
    shim = kept;
    return live(l, err);
}

static void assert_lives(void)
{
    error err = {0};
    life l = {.alloc = &allocator_default, .detects = true};
    shim_reset();
    assert_status_ok(live_in(SHIM_MEMORY_REAL, &l, &err), err);
    assert_int_equal(shim.live, 0);
}

static void run_calls(VkResult code, status expected, shim_memory memory, bool detects,
                      bool all_later)
{
    size_t failures = 0, survived = 0;
    for (size_t at = 1; at < MOST_CALLS; at++) {
        error err = {0};
        test_allocator counted;
        test_allocator_init(&counted, 0);
        life l = {.alloc = &counted.alloc, .detects = detects, .cache_dir = cache_dir};
        shim_reset();
        shim.fail_at = at;
        shim.fail_on = all_later;
        shim.fail_with = code;
        const status s = live_in(memory, &l, &err);
        const char *failed = shim.failed;
        if (!failed) {
            assert_status_ok(s, err); /* beyond the last call */
            break;
        }
        failures++;
        survived += s == STATUS_OK;
        /* what a failure may be survived by: other memory, no cache, the end of the session */
        const bool unasked = strcmp(failed, "vkEnumerateDeviceExtensionProperties") == 0 &&
                             expected != STATUS_MEMORY; /* then the device is listed as unusable */
        if (s != STATUS_OK && s != (unasked ? STATUS_DEVICE : expected)) {
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
    assert_true(failures > 50);
    assert_true(survived < failures);
    assert_lives();
}

static void test_device_memory(void **state)
{
    (void)state;
    run_calls(VK_ERROR_OUT_OF_DEVICE_MEMORY, STATUS_DEVICE, SHIM_MEMORY_REAL, false, false);
    run_calls(VK_ERROR_OUT_OF_DEVICE_MEMORY, STATUS_DEVICE, SHIM_MEMORY_BAR, false, false);
    run_calls(VK_ERROR_OUT_OF_DEVICE_MEMORY, STATUS_DEVICE, SHIM_MEMORY_NONCOHERENT, false, false);
}

static void test_host_memory(void **state)
{
    (void)state;
    run_calls(VK_ERROR_OUT_OF_HOST_MEMORY, STATUS_MEMORY, SHIM_MEMORY_DISCRETE, true, false);
}

static void test_device_lost(void **state)
{
    (void)state;
    run_calls(VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, SHIM_MEMORY_REAL, false, true);
    run_calls(VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, SHIM_MEMORY_DISCRETE, false, true);
    assert_true(rig_logged("device-lost") > 0);
}

static void test_no_memory_type(void **state)
{
    (void)state;
    error err = {0};
    life l = {.alloc = &allocator_default};
    shim_reset();
    assert_int_equal(live_in(SHIM_MEMORY_NONE, &l, &err), STATUS_DEVICE);
    assert_non_null(strstr(err.text, "memory type"));
    assert_int_equal(shim.live, 0);
    assert_lives();
}

/* Once lost, the session says so to everything, without asking the device. */
static void test_loss_is_sticky(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {0};
    shim_reset();
    assert_status_ok(passthrough_build(&allocator_default, ANCHORS, CLASSES, &n.graph, &head, &err),
                     err);
    n.head = &head;
    network_on_shim(&n);
    assert_status_ok(network_open(&n, &err), err);
    const pixels image = network_tensor(&n, input[0]);
    const backend_request request = {&image, 1, every};
    const backend_functions *call = n.backend->call;
    backend_result result;
    assert_status_ok(call->submit(n.backend, 0, &request, &err), err);
    shim.calls = 0;
    shim.fail_at = 1;
    shim.fail_one = "vkWaitForFences";
    shim.fail_with = VK_ERROR_DEVICE_LOST;
    assert_int_equal(call->wait(n.backend, 0, UINT64_MAX, &err), STATUS_DEVICE_LOST);
    const size_t calls = shim.calls;
    assert_int_equal(call->wait(n.backend, 0, UINT64_MAX, &err), STATUS_DEVICE_LOST);
    assert_int_equal(call->submit(n.backend, 0, &request, &err), STATUS_DEVICE_LOST);
    assert_int_equal(call->result(n.backend, 0, 0, &result, &err), STATUS_DEVICE_LOST);
    assert_int_equal(shim.calls, calls);
    network_close(&n);
    shim.fail_at = 0;
    assert_status_ok(network_open(&n, &err), err); /* anew on the same instance */
    assert_status_ok(network_run(&n, &image, 1, &every, &err), err);
    network_off_shim(&n);
}

static void test_host_allocations(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t at = 1; at < MOST_CALLS; at++) {
        error err = {0};
        test_allocator failing;
        test_allocator_init(&failing, at);
        life l = {.alloc = &failing.alloc, .detects = true};
        shim_reset();
        const status s = live_in(SHIM_MEMORY_DISCRETE, &l, &err);
        assert_int_equal(failing.live, 0);
        assert_int_equal(shim.live, 0);
        if (!failing.failed) {
            assert_status_ok(s, err);
            break;
        }
        failures++;
        if (s != STATUS_MEMORY || err.text[0] == 0) {
            fail_msg("allocation %zu fails: status %s: %s", at, status_name(s), err.text);
        }
        assert_false(l.reached_submit); /* nothing is allocated after the session was made */
    }
    assert_true(failures > 10);
    assert_lives();
}

static void test_no_driver(void **state)
{
    (void)state;
    error err = {0};
    vulkan_instance *v = NULL;
    shim_reset();
    shim.fail_at = 1;
    shim.fail_one = "vkCreateInstance";
    shim.fail_with = VK_ERROR_INCOMPATIBLE_DRIVER;
    assert_int_equal(
        vulkan_instance_create_with(shim_loader(), &allocator_default, &rig.log, false, &v, &err),
        STATUS_DEVICE);
    assert_null(v);
    assert_non_null(strstr(err.text, "driver"));
    assert_int_equal(vulkan_device_count(NULL), 0);
    assert_int_equal(vulkan_device_pick(NULL), -1);
    vulkan_instance_destroy(NULL);
}

static int setup(void **state)
{
    anchors_to_codes();
    return mkdtemp(cache_dir) ? rig_setup(state) : -1;
}

static int teardown(void **state)
{
    (void)test_remove_folder(cache_dir);
    return rig_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_device_memory),  cmocka_unit_test(test_host_memory),
        cmocka_unit_test(test_device_lost),    cmocka_unit_test(test_no_memory_type),
        cmocka_unit_test(test_loss_is_sticky), cmocka_unit_test(test_host_allocations),
        cmocka_unit_test(test_no_driver),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
