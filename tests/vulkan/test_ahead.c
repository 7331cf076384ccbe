/* Pipelines compiled ahead by threads on devices of their own: whatever the driver, and whether or
 * not it has them in its cache. The session computes what it would have computed, also where a
 * thread that helps fails; what fails on the session's own device is one clear status; nothing is
 * left behind. */
#include "host/processors.h"
#include "tests/vulkan/judge.h"
#include "tests/vulkan/shim.h"

enum { ANCHORS = 8, CLASSES = 2, MOST = 400, AT_ONCE = 0 };

static const nms_params every = {NMS_TFJS, 0.1, 0.5, ANCHORS};

/* A session that was made without, behind the shim. */
static void open_network(network *n, const allocator *alloc, detector_head *head)
{
    error err = {0};
    *n = (network){.alloc = alloc};
    shim_reset();
    assert_status_ok(passthrough_build(&allocator_default, ANCHORS, CLASSES, &n->graph, head, &err),
                     err);
    n->head = head;
    network_on_shim(n);
    n->instance->devices[rig.device].quirks &= ~(uint32_t)QUIRK_COMPILES_LATE;
    assert_status_ok(network_open(n, &err), err);
}

static status ahead(network *n, error *err)
{
    const backend_params params = {
        .alloc = n->alloc,
        .log = &rig.log,
        .graph = n->graph,
        .preprocess = &n->preprocess,
        .head = n->head,
        .max_batch = 1,
        .slots = 1,
    };
    return compile_ahead(n->instance, rig.device, &params, AT_ONCE, session_behind(n), err);
}

static bool one_processor(const char *test)
{
    const bool one = processors_allowed() < 2;
    if (one) {
        print_message("SKIPPED %s: needs a second processor\n", test);
    }
    return one;
}

static void assert_detects(network *n)
{
    error err = {0};
    float input[ANCHORS * (4 + CLASSES)] = {0};
    backend_result result = {0};
    for (uint32_t i = 0; i < ANCHORS; i++) {
        input[i * (4 + CLASSES)] = 64.0f * (float)i; /* far from one another */
        input[i * (4 + CLASSES) + 4] = 0.5f;
    }
    const pixels image = network_tensor(n, input);
    assert_status_ok(network_run(n, &image, 1, &every, &err), err);
    assert_status_ok(n->backend->call->result(n->backend, 0, 0, &result, &err), err);
    assert_int_equal(result.count, ANCHORS);
}

static void test_detects(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n;
    if (one_processor(__func__)) {
        skip();
    }
    open_network(&n, &allocator_default, &head);
    const backend_memory before = {.device_bytes = session_behind(&n)->dev.device_bytes};
    rig_log_clear();
    assert_status_ok(ahead(&n, &err), err);
    assert_int_equal(rig_logged("compiled-ahead"), 1);
    assert_int_equal(session_behind(&n)->dev.device_bytes, before.device_bytes);
    assert_detects(&n);
    network_off_shim(&n);
}

/* Patience is what decides whether anybody helps. */
static void test_patience(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n;
    open_network(&n, &allocator_default, &head);
    rig_log_clear();
    const backend_params params = {.alloc = n.alloc, .log = &rig.log};
    assert_status_ok(
        compile_ahead(n.instance, rig.device, &params, UINT64_MAX, session_behind(&n), &err), err);
    assert_int_equal(rig_logged("compiled-ahead"), 0);
    network_off_shim(&n);
}

static void fail_calls(VkResult code, status expected, bool all_later)
{
    size_t failures = 0;
    const char *failed = "";
    for (size_t at = 1; at < MOST && failed; at++) {
        error err = {0};
        detector_head head;
        network n;
        test_allocator counted;
        test_allocator_init(&counted, 0);
        open_network(&n, &counted.alloc, &head);
        shim.calls = 0;
        shim.fail_at = at;
        shim.fail_on = all_later;
        shim.fail_with = code;
        const status s = ahead(&n, &err);
        failed = shim.failed;
        if (s != STATUS_OK && s != expected) {
            fail_msg("call %zu, %s fails with %d: status %s: %s", at, failed, (int)code,
                     status_name(s), err.text);
        }
        assert_true(s == STATUS_OK || (failed && err.text[0]));
        failures += failed != NULL;
        shim.fail_at = 0;
        shim.fail_on = false;
        if (s == STATUS_OK) { /* other memory was there, or a thread that helps failed */
            assert_detects(&n);
        }
        network_off_shim(&n);
        assert_int_equal(counted.live, 0);
    }
    assert_null(failed);
    assert_true(failures > 20);
}

static void test_failing_calls(void **state)
{
    (void)state;
    if (one_processor(__func__)) {
        skip();
    }
    fail_calls(VK_ERROR_OUT_OF_HOST_MEMORY, STATUS_MEMORY, false);
    fail_calls(VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, true);
}

static void test_failing_allocations(void **state)
{
    (void)state;
    size_t failures = 0;
    bool failed = true;
    if (one_processor(__func__)) {
        skip();
    }
    for (size_t at = 1; at < MOST && failed; at++) {
        error err = {0};
        detector_head head;
        network n;
        test_allocator counted;
        test_allocator_init(&counted, 0);
        open_network(&n, &counted.alloc, &head);
        counted.fail_at = counted.allocations + at;
        const status s = ahead(&n, &err);
        failed = counted.failed;
        counted.fail_at = 0;
        if (s == STATUS_OK) { /* a thread that helps failed, or nobody did */
            assert_detects(&n);
        } else {
            assert_true(failed && s == STATUS_MEMORY);
        }
        failures += failed;
        network_off_shim(&n);
        assert_int_equal(counted.live, 0);
    }
    assert_true(!failed && failures > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detects),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_failing_allocations),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
