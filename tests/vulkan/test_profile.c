/* Measuring: that the numbers are there and make sense, that what is measured is what runs, and
 * that nothing of it stays behind. Never how long something takes.
 */
#include "tests/vulkan/measured.h"
#include "tests/vulkan/shim.h"

enum { RUNS = 3 };

static const uint64_t untouched = 0x5555555555555555u;

static void open_detector(network *n, detector_head *head)
{
    error err = {0};
    assert_status_ok(measured_detector(n, head, &err), err);
    assert_status_ok(network_open(n, &err), err);
    assert_true(n->plan->step_count < MEASURED_STEPS);
}

/* what picture 0 gives in a slot */
static void detect(network *n, uint32_t slot_index, detection *kept, uint32_t *count)
{
    error err = {0};
    const pixels image = measured_picture(0);
    const backend_request request = {&image, 1, measured_every};
    backend_result r = {0};
    const backend_functions *call = n->backend->call;
    assert_status_ok(call->submit(n->backend, slot_index, &request, &err), err);
    assert_status_ok(call->wait(n->backend, slot_index, UINT64_MAX, &err), err);
    assert_status_ok(call->result(n->backend, slot_index, 0, &r, &err), err);
    memcpy(kept, r.detections, r.count * sizeof *kept);
    *count = r.count;
}

static void test_steps(void **state)
{
    (void)state;
    detector_head head;
    network n = {0};
    open_detector(&n, &head);
    const uint32_t count = n.backend->call->step_count(n.backend);
    assert_int_equal(count, n.plan->step_count);
    for (uint32_t i = 0; i < count; i++) {
        const plan_step *planned = &n.plan->steps[i];
        vkdet_step step;
        n.backend->call->step(n.backend, i, &step);
        assert_string_equal(step.name, planned->name);
        assert_string_equal(step.kernel, kernel_name(planned->kernel));
        assert_non_null(step.variant);
        assert_int_equal(step.level, planned->level);
        assert_true(step.flops == planned->flops && step.bytes_read == planned->bytes_read &&
                    step.bytes_written == planned->bytes_written &&
                    step.weight_bytes == planned->weight_bytes);
    }
    network_destroy(&n);
}

/* Sums are positive, nothing is left unwritten or written beyond; the results that come afterwards
 * are those that came before. */
static void test_profile(void **state)
{
    (void)state;
    for (uint32_t slots = 1; slots <= 2; slots++) {
        error err = {0};
        detector_head head;
        detection before[MEASURED_ANCHORS], after[MEASURED_ANCHORS];
        uint32_t count_before, count_after;
        network n = {.slots = slots, .max_batch = 2};
        const pixels images[2] = {measured_picture(0), measured_picture(1)};
        open_detector(&n, &head);
        const backend_functions *call = n.backend->call;
        const size_t steps = n.plan->step_count;
        detect(&n, 0, before, &count_before);
        for (uint32_t batch = 1; batch <= 2; batch++) {
            const backend_request request = {images, batch, measured_every};
            uint64_t step_ns[RUNS * MEASURED_STEPS + 1], total_ns[RUNS + 1];
            for (size_t i = 0; i < sizeof step_ns / sizeof *step_ns; i++) {
                step_ns[i] = untouched;
            }
            for (size_t i = 0; i <= RUNS; i++) {
                total_ns[i] = untouched;
            }
            assert_status_ok(call->profile(n.backend, &request, RUNS, step_ns, total_ns, &err),
                             err);
            for (size_t run = 0; run < RUNS; run++) {
                uint64_t sum = 0;
                for (size_t i = 0; i < steps; i++) {
                    assert_true(step_ns[run * steps + i] < BACKEND_MAX_WAIT_NS);
                    sum += step_ns[run * steps + i];
                }
                assert_true(sum > 0);
                assert_true(total_ns[run] > 0 && total_ns[run] < BACKEND_MAX_WAIT_NS);
            }
            assert_true(step_ns[RUNS * steps] == untouched && total_ns[RUNS] == untouched);
            assert_status_ok(call->profile(n.backend, &request, 1, NULL, total_ns, &err), err);
            assert_status_ok(call->profile(n.backend, &request, 1, step_ns, NULL, &err), err);
            assert_status_ok(call->profile(n.backend, &request, 1, NULL, NULL, &err), err);
        }
        backend_result r;
        assert_int_equal(call->result(n.backend, 0, 0, &r, &err), STATUS_ARGUMENT);
        detect(&n, slots - 1, after, &count_after);
        assert_int_equal(count_after, count_before);
        assert_memory_equal(after, before, count_before * sizeof *before);
        network_destroy(&n);
    }
    rig_assert_silent();
}

static void test_repeat(void **state)
{
    (void)state;
    for (uint32_t slots = 1; slots <= 3; slots++) {
        error err = {0};
        detector_head head;
        detection before[MEASURED_ANCHORS], after[MEASURED_ANCHORS];
        uint32_t count_before, count_after;
        network n = {.slots = slots, .max_batch = 2};
        const pixels images[2] = {measured_picture(0), measured_picture(1)};
        const backend_request request = {images, 2, measured_every};
        open_detector(&n, &head);
        detect(&n, 0, before, &count_before);
        const uint32_t runs[] = {1, 2, 7, 40};
        for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
            uint64_t ns = 0;
            assert_status_ok(n.backend->call->repeat(n.backend, &request, runs[i], &ns, &err), err);
            assert_true(ns > 0);
        }
        detect(&n, slots - 1, after, &count_after);
        assert_int_equal(count_after, count_before);
        assert_memory_equal(after, before, count_before * sizeof *before);
        network_destroy(&n);
    }
    rig_assert_silent();
}

static void test_refusals(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {.slots = 2};
    uint64_t ns = 0, total[1] = {0};
    pixels images[2] = {measured_picture(0), measured_picture(1)};
    backend_request request = {images, 1, measured_every};
    open_detector(&n, &head);
    const backend_functions *call = n.backend->call;
    assert_status_ok(call->submit(n.backend, 1, &request, &err), err);
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, total, &err), STATUS_BUSY);
    assert_int_equal(call->repeat(n.backend, &request, 1, &ns, &err), STATUS_BUSY);
    assert_status_ok(call->wait(n.backend, 1, UINT64_MAX, &err), err);
    request.count = 2;
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, total, &err), STATUS_ARGUMENT);
    assert_int_equal(call->repeat(n.backend, &request, 1, &ns, &err), STATUS_ARGUMENT);
    request.count = 1;
    images[0].width = 0;
    assert_int_equal(call->repeat(n.backend, &request, 1, &ns, &err), STATUS_ARGUMENT);
    images[0].width = MEASURED_SIDE;
    assert_status_ok(call->repeat(n.backend, &request, 1, &ns, &err), err);
    network_destroy(&n);
    rig_assert_silent();
}

/* Measuring is made when it is asked for, once; what runs otherwise knows nothing of it. */
static void test_nothing_left(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    detection kept[MEASURED_ANCHORS];
    uint32_t count = 0;
    network n = {.slots = 2};
    uint64_t ns = 0, total[2];
    const pixels image = measured_picture(0);
    const backend_request request = {&image, 1, measured_every};
    shim_reset();
    network_on_shim(&n);
    open_detector(&n, &head);
    detect(&n, 0, kept, &count);
    const backend_functions *call = n.backend->call;
    const size_t unmeasured = shim.live;
    assert_status_ok(call->profile(n.backend, &request, 1, NULL, total, &err), err);
    assert_status_ok(call->repeat(n.backend, &request, 5, &ns, &err), err);
    assert_true(shim.live > unmeasured);
    const size_t creations = shim.creations, writes = shim.descriptor_writes;
    assert_status_ok(call->profile(n.backend, &request, 2, NULL, total, &err), err);
    assert_status_ok(call->repeat(n.backend, &request, 9, &ns, &err), err);
    assert_int_equal(shim.creations, creations);
    assert_int_equal(shim.descriptor_writes, writes);
    const size_t recordings = shim.recordings;
    detect(&n, 0, kept, &count);
    assert_int_equal(shim.recordings, recordings);
    network_off_shim(&n);
}

/* no clock on the queue, and one that soon begins anew */
static void test_clocks(void **state)
{
    (void)state;
    error err = {0};
    for (uint32_t bits = 12; bits <= 72; bits += 60) {
        detector_head head;
        network n = {0};
        uint64_t ns = 0, total = untouched;
        const pixels image = measured_picture(0);
        const backend_request request = {&image, 1, measured_every};
        shim_reset();
        shim.timestamp_bits = bits;
        network_on_shim(&n);
        open_detector(&n, &head);
        const double period =
            (double)n.instance->devices[rig.device].properties.limits.timestampPeriod;
        const status s = n.backend->call->profile(n.backend, &request, 1, NULL, &total, &err);
        if (bits > 64) {
            assert_int_equal(s, STATUS_UNSUPPORTED);
            assert_non_null(strstr(err.text, "time"));
            assert_true(total == untouched);
        } else {
            assert_status_ok(s, err);
            assert_true((double)total < 4096 * period);
        }
        assert_status_ok(n.backend->call->repeat(n.backend, &request, 1, &ns, &err), err);
        network_off_shim(&n);
    }
}

/* A clock that cannot be right is not believed. */
static void test_false_clocks(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {0};
    uint64_t total = untouched, step_ns[MEASURED_STEPS];
    const pixels image = measured_picture(0);
    const backend_request request = {&image, 1, measured_every};
    shim_reset();
    network_on_shim(&n);
    open_detector(&n, &head);
    const backend_functions *call = n.backend->call;
    shim.lost_timestamp = true;
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, &total, &err), STATUS_DEVICE);
    assert_non_null(strstr(err.text, "wrongly"));
    assert_int_equal(call->profile(n.backend, &request, 1, step_ns, NULL, &err), STATUS_DEVICE);
    assert_true(total == untouched);
    shim.lost_timestamp = false;
    shim.fail_one = "vkGetQueryPoolResults";
    shim.fail_with = VK_NOT_READY;
    shim.fail_at = 1;
    shim.calls = 0;
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, &total, &err), STATUS_DEVICE);
    assert_non_null(strstr(err.text, "VK_NOT_READY"));
    assert_status_ok(call->profile(n.backend, &request, 1, step_ns, &total, &err), err);
    network_off_shim(&n);
}

/* What a wait ran out on is waited for by whatever comes next. */
static void test_timeout(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    detection before[MEASURED_ANCHORS], after[MEASURED_ANCHORS];
    uint32_t count_before = 0, count_after = 0;
    network n = {.slots = 2};
    uint64_t ns = untouched, total = untouched;
    const pixels image = measured_picture(0);
    const backend_request request = {&image, 1, measured_every};
    shim_reset();
    network_on_shim(&n);
    open_detector(&n, &head);
    detect(&n, 0, before, &count_before);
    const backend_functions *call = n.backend->call;
    shim.timeout = true;
    assert_int_equal(call->repeat(n.backend, &request, 3, &ns, &err), STATUS_TIMEOUT);
    assert_int_equal(call->submit(n.backend, 0, &request, &err), STATUS_TIMEOUT);
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, &total, &err), STATUS_TIMEOUT);
    assert_true(ns == untouched && total == untouched);
    shim.timeout = false;
    detect(&n, 1, after, &count_after);
    assert_int_equal(count_after, count_before);
    assert_memory_equal(after, before, count_before * sizeof *before);
    shim.timeout = true;
    assert_int_equal(call->profile(n.backend, &request, 1, NULL, &total, &err), STATUS_TIMEOUT);
    shim.timeout = false;
    network_off_shim(&n); /* which waits too */
}

static void test_peaks(void **state)
{
    (void)state;
    error err = {0};
    vkdet_device_peaks p = {0};
    const device_features *f = &rig.instance->devices[rig.device].features;
    assert_status_ok(
        vulkan_peaks_measure_with(rig.instance, rig.device, &rig.log, &measured_little, &p, &err),
        err);
    assert_true(p.fp32_flops > 0 && p.copy_bytes > 0 && p.read_bytes > 0 && p.upload_bytes > 0 &&
                p.download_bytes > 0 && p.dispatch_ns > 0);
    assert_int_equal(p.fp16_flops > 0, f->fp16);
    assert_int_equal(p.matrix_fp16_flops > 0, features_half_matrix(f).m > 0);
    assert_true(p.bf16_flops == 0);
    const vkdet_device_peaks before = p;
    assert_int_equal(vulkan_peaks_measure_with(rig.instance, vulkan_device_count(rig.instance),
                                               &rig.log, &measured_little, &p, &err),
                     STATUS_DEVICE);
    assert_memory_equal(&p, &before, sizeof p);
    rig_assert_silent();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_repeat),       cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_false_clocks), cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_peaks),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
