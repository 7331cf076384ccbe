/* The runtime around the kernels: slots, waits, growth, memory, and that the steady state makes
 * nothing. */
#include "tests/vulkan/rig.h"
#include "tests/vulkan/shim.h"

enum { SEED = 5, ANCHORS = 40, CLASSES = 2, SIDE = 300 };

static unsigned char picture_bytes[3][SIDE * SIDE * 3];
static const nms_params every = {NMS_TFJS, 0.3, 0.95, ANCHORS};

static void pictures_fill(void)
{
    test_random r = test_random_seed(SEED);
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < sizeof picture_bytes[p]; i++) {
            picture_bytes[p][i] = (unsigned char)test_random_u32(&r);
        }
    }
}

static pixels picture(int which, uint32_t width, uint32_t height)
{
    return (pixels){PIXEL_RGB8, width, height, (size_t)width * 3, picture_bytes[which]};
}

static void detector(network *n, detector_head *head)
{
    error err = {0};
    assert_status_ok(passthrough_network(n, ANCHORS, CLASSES, head, &err), err);
}

static backend_result result_of(network *n, uint32_t slot_index, uint32_t image)
{
    error err = {0};
    backend_result r = {0};
    assert_status_ok(n->backend->call->result(n->backend, slot_index, image, &r, &err), err);
    return r;
}

static void assert_same_result(const backend_result *a, const backend_result *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->candidates, b->candidates);
    for (uint32_t i = 0; i < a->count; i++) {
        assert_memory_equal(&a->detections[i], &b->detections[i], sizeof(detection));
    }
}

/* what each picture gives alone, to compare with */
static void expected_results(const pixels *images, size_t count, detection (*detections)[ANCHORS],
                             backend_result *out)
{
    error err = {0};
    detector_head head;
    network n = {0};
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    for (size_t i = 0; i < count; i++) {
        assert_status_ok(network_run(&n, &images[i], 1, &every, &err), err);
        out[i] = result_of(&n, 0, 0);
        assert_true(out[i].count > 1);
        memcpy(detections[i], out[i].detections, out[i].count * sizeof(detection));
        out[i].detections = detections[i];
    }
    network_destroy(&n);
}

static void test_slots_in_flight(void **state)
{
    (void)state;
    error err = {0};
    const pixels images[3] = {picture(0, 50, 60), picture(1, 31, 33), picture(2, 200, 150)};
    detection kept[3][ANCHORS];
    backend_result alone[3];
    expected_results(images, 3, kept, alone);
    detector_head head;
    network n = {.slots = 3, .max_batch = 2};
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    const backend_functions *call = n.backend->call;
    for (int round = 0; round < 3; round++) {
        for (uint32_t place = 0; place < 3; place++) {
            const pixels both[2] = {images[place], images[(place + 1) % 3]};
            const backend_request request = {both, 2, every};
            assert_status_ok(call->submit(n.backend, place, &request, &err), err);
            assert_int_equal(call->submit(n.backend, place, &request, &err), STATUS_BUSY);
        }
        for (uint32_t k = 0; k < 3; k++) { /* in another order */
            const uint32_t place = (k * 2 + (uint32_t)round) % 3;
            assert_status_ok(call->wait(n.backend, place, UINT64_MAX, &err), err);
            assert_status_ok(call->wait(n.backend, place, 0, &err), err); /* again: nothing to do */
            const backend_result first = result_of(&n, place, 0), second = result_of(&n, place, 1);
            assert_same_result(&first, &alone[place]);
            assert_same_result(&second, &alone[(place + 1) % 3]);
        }
    }
    backend_result r;
    float nothing[4];
    assert_int_equal(call->result(n.backend, 0, 2, &r, &err), STATUS_ARGUMENT);
    assert_int_equal(call->wait(n.backend, 3, 0, &err), STATUS_ARGUMENT);
    assert_int_equal(call->read_value(n.backend, 0, 0, n.graph->input, nothing, &err),
                     STATUS_ARGUMENT); /* not kept */
    network_destroy(&n);
    rig_assert_silent();
}

/* Submitting copies the pixels, and waits neither for what other slots have in flight nor for
 * anything else: the host fills a slot while the device computes another. */
static void test_submit_waits_for_nothing(void **state)
{
    (void)state;
    enum { SLOTS = 3, ROUNDS = 3 };
    error err = {0};
    static const shim_memory kinds[] = {SHIM_MEMORY_REAL, SHIM_MEMORY_DISCRETE};
    pixels images[SLOTS] = {picture(0, 50, 60), picture(1, 50, 60), picture(2, 50, 60)};
    detection kept[SLOTS][ANCHORS];
    backend_result alone[SLOTS];
    expected_results(images, SLOTS, kept, alone);
    const size_t bytes = images[0].stride * images[0].height;
    unsigned char *shared = malloc(bytes); /* one piece of memory for all of them */
    assert_non_null(shared);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        detector_head head;
        network n = {.slots = SLOTS};
        shim.memory = kinds[k];
        network_on_shim(&n);
        detector(&n, &head);
        assert_status_ok(network_open(&n, &err), err);
        for (int round = 0; round < ROUNDS; round++) {
            const size_t waits = shim.waits;
            for (uint32_t place = 0; place < SLOTS; place++) {
                pixels copy = images[place];
                memcpy(shared, images[place].data, bytes);
                copy.data = shared;
                const backend_request request = {&copy, 1, every};
                assert_status_ok(n.backend->call->submit(n.backend, place, &request, &err), err);
            }
            assert_int_equal(shim.waits, waits);
            for (uint32_t place = 0; place < SLOTS; place++) {
                assert_status_ok(n.backend->call->wait(n.backend, place, UINT64_MAX, &err), err);
                const backend_result r = result_of(&n, place, 0);
                assert_same_result(&r, &alone[place]);
            }
        }
        network_off_shim(&n);
    }
    free(shared);
    rig_assert_silent();
}

static void test_not_submitted(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {0};
    backend_result r;
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    assert_int_equal(n.backend->call->wait(n.backend, 0, 0, &err), STATUS_ARGUMENT);
    assert_int_equal(n.backend->call->result(n.backend, 0, 0, &r, &err), STATUS_ARGUMENT);
    network_destroy(&n);
}

static void test_destroy_in_flight(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {.slots = 2};
    const pixels image = picture(0, 100, 100);
    const backend_request request = {&image, 1, every};
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    assert_status_ok(n.backend->call->submit(n.backend, 0, &request, &err), err);
    assert_status_ok(n.backend->call->submit(n.backend, 1, &request, &err), err);
    network_destroy(&n);
    rig_assert_silent();
}

static void test_timeout(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {0};
    const pixels image = picture(0, 64, 64);
    const backend_request request = {&image, 1, every};
    network_on_shim(&n);
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    assert_status_ok(n.backend->call->submit(n.backend, 0, &request, &err), err);
    shim.timeout = true;
    assert_int_equal(n.backend->call->wait(n.backend, 0, 1000, &err), STATUS_TIMEOUT);
    assert_int_equal(n.backend->call->wait(n.backend, 0, UINT64_MAX, &err), STATUS_TIMEOUT);
    assert_int_equal(n.backend->call->submit(n.backend, 0, &request, &err), STATUS_BUSY);
    shim.timeout = false;
    assert_status_ok(n.backend->call->wait(n.backend, 0, UINT64_MAX, &err), err);
    assert_true(result_of(&n, 0, 0).count > 0);
    network_off_shim(&n);
}

/* A GPU is asked for a while before the thread sleeps, a software driver is not. */
static void test_asking(void **state)
{
    (void)state;
    for (int gpu = 0; gpu < 2; gpu++) {
        error err = {0};
        detector_head head;
        network n = {0};
        pixels image = picture(0, 50, 60);
        const backend_request request = {&image, 1, every};
        shim.device_copies = rig.device + 1;
        shim.device_types[rig.device] =
            gpu ? VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU : VK_PHYSICAL_DEVICE_TYPE_CPU;
        network_on_shim(&n);
        detector(&n, &head);
        assert_status_ok(network_open(&n, &err), err);
        assert_status_ok(n.backend->call->submit(n.backend, 0, &request, &err), err);
        const size_t waits = shim.waits;
        shim.timeout = true;
        assert_int_equal(n.backend->call->wait(n.backend, 0, UINT64_MAX, &err), STATUS_TIMEOUT);
        assert_true(gpu ? shim.waits > waits + 2 : shim.waits == waits + 1);
        shim.timeout = false;
        assert_status_ok(n.backend->call->wait(n.backend, 0, UINT64_MAX, &err), err);
        assert_true(result_of(&n, 0, 0).count > 0);
        network_off_shim(&n);
    }
}

/* Every kind of memory gives the same results; the bill is what was allocated, and stated before.
 */
static void test_memory_kinds(void **state)
{
    (void)state;
    error err = {0};
    static const shim_memory kinds[] = {SHIM_MEMORY_REAL, SHIM_MEMORY_DISCRETE, SHIM_MEMORY_BAR,
                                        SHIM_MEMORY_BAR, SHIM_MEMORY_NONCOHERENT};
    const pixels images[3] = {picture(0, 50, 60), picture(1, 290, 280), picture(2, 33, 31)};
    detection kept[3][ANCHORS];
    backend_result alone[3];
    expected_results(images, 3, kept, alone);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        detector_head head;
        network n = {.max_batch = 3, .keep_all = true};
        shim.memory = kinds[k];
        shim.bar_exhausted = k == 3;
        network_on_shim(&n);
        detector(&n, &head);
        backend_memory stated, bill;
        assert_status_ok(network_open(&n, &err), err);
        vulkan_session_bill(n.instance, rig.device, n.plan, n.max_batch, 1, &stated);
        n.backend->call->memory(n.backend, &bill);
        if (!shim.bar_exhausted) { /* what cannot be had is made elsewhere */
            assert_int_equal(bill.device_bytes, stated.device_bytes);
            assert_int_equal(bill.host_visible_bytes, stated.host_visible_bytes);
        }
        for (uint32_t batch = 1; batch <= 3; batch++) {
            assert_status_ok(network_run(&n, images, batch, &every, &err), err);
            for (uint32_t i = 0; i < batch; i++) {
                const backend_result r = result_of(&n, 0, i);
                assert_same_result(&r, &alone[i]);
            }
        }
        n.backend->call->memory(n.backend, &bill);
        assert_true(bill.device_bytes > 0 && bill.host_visible_bytes > 0);
        const bool flushes = kinds[k] == SHIM_MEMORY_NONCOHERENT;
        assert_int_equal(shim.flushes > 0, flushes);
        assert_int_equal(shim.invalidations > 0, flushes);
        network_off_shim(&n);
    }
    rig_assert_silent();
}

static void test_steady_state(void **state)
{
    (void)state;
    error err = {0};
    static const shim_memory kinds[] = {SHIM_MEMORY_REAL, SHIM_MEMORY_DISCRETE};
    for (size_t k = 0; k < 2; k++) {
        test_allocator counted;
        test_allocator_init(&counted, 0);
        detector_head head;
        network n = {.max_batch = 3, .slots = 2, .alloc = &counted.alloc};
        shim.memory = kinds[k];
        network_on_shim(&n);
        detector(&n, &head);
        assert_status_ok(network_open(&n, &err), err);
        size_t allocations = 0, submissions = 0;
        shim_state before = {0};
        const pixels images[3] = {picture(0, 90, 80), picture(1, 81, 70), picture(2, 60, 90)};
        for (int round = 0; round < 6; round++) {
            if (round == 2) { /* every batch size has been seen in both slots */
                before = shim;
                allocations = counted.allocations;
            }
            for (uint32_t place = 0; place < 2; place++) {
                for (uint32_t batch = 1; batch <= 3; batch++) {
                    const backend_request request = {images, batch, every};
                    assert_status_ok(n.backend->call->submit(n.backend, place, &request, &err),
                                     err);
                    assert_status_ok(n.backend->call->wait(n.backend, place, UINT64_MAX, &err),
                                     err);
                    submissions += round >= 2;
                    (void)result_of(&n, place, batch - 1);
                }
            }
        }
        assert_int_equal(counted.allocations, allocations);
        assert_int_equal(shim.creations, before.creations);
        assert_int_equal(shim.recordings, before.recordings);
        assert_int_equal(shim.descriptor_writes, before.descriptor_writes);
        assert_int_equal(shim.submissions - before.submissions, submissions); /* one a request */
        network_off_shim(&n);
        assert_int_equal(counted.live, 0);
    }
}

static void test_growth(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {.max_batch = 2};
    backend_memory small, large, again;
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    const pixels tiny = picture(0, 3, 3), wide = picture(1, SIDE, ANCHORS),
                 flat = picture(2, 299, 50);
    n.backend->call->memory(n.backend, &small);
    assert_status_ok(network_run(&n, &tiny, 1, &every, &err), err);
    n.backend->call->memory(n.backend, &again);
    assert_int_equal(small.device_bytes, again.device_bytes);
    const pixels both[2] = {wide, flat};
    assert_status_ok(network_run(&n, both, 2, &every, &err), err);
    n.backend->call->memory(n.backend, &large);
    assert_true(large.device_bytes > small.device_bytes);
    assert_status_ok(network_run(&n, &tiny, 1, &every, &err), err);
    assert_status_ok(network_run(&n, both, 2, &every, &err), err);
    n.backend->call->memory(n.backend, &again);
    assert_int_equal(large.device_bytes, again.device_bytes);
    network_destroy(&n);
    rig_assert_silent();
}

static void test_limits(void **state)
{
    (void)state;
    error err = {0};
    detector_head head;
    network n = {.max_batch = 2};
    shim.max_storage_range = 65536;
    network_on_shim(&n);
    detector(&n, &head);
    assert_status_ok(network_open(&n, &err), err);
    const pixels large[2] = {picture(0, SIDE, 79), picture(1, SIDE, 79)};
    assert_int_equal(network_run(&n, large, 2, &every, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "65536"));
    const pixels small = picture(0, 20, 20);
    assert_status_ok(network_run(&n, &small, 1, &every, &err), err);
    network_close(&n);
    n.max_batch = 4000; /* an arena that no kernel could reach the end of */
    assert_int_equal(network_open(&n, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "65536"));
    network_close(&n);
    vulkan_instance_destroy(n.instance);
    shim_reset();
    shim.max_groups_z = 3;
    network_on_shim(&n);
    n.max_batch = 4;
    assert_int_equal(network_open(&n, &err), STATUS_LIMIT);
    n.max_batch = 0;
    network_off_shim(&n);
}

static void test_two_sessions(void **state)
{
    (void)state;
    error err = {0};
    detector_head heads[2];
    network n[2] = {{0}, {0}};
    const pixels image = picture(0, 64, 64);
    const backend_request request = {&image, 1, every};
    for (int i = 0; i < 2; i++) {
        detector(&n[i], &heads[i]);
        assert_status_ok(network_open(&n[i], &err), err);
        assert_status_ok(n[i].backend->call->submit(n[i].backend, 0, &request, &err), err);
    }
    for (int i = 0; i < 2; i++) {
        assert_status_ok(n[i].backend->call->wait(n[i].backend, 0, UINT64_MAX, &err), err);
    }
    const backend_result a = result_of(&n[0], 0, 0), b = result_of(&n[1], 0, 0);
    assert_same_result(&a, &b);
    network_destroy(&n[0]);
    network_destroy(&n[1]);
    rig_assert_silent();
}

static int setup(void **state)
{
    pictures_fill();
    return rig_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots_in_flight), cmocka_unit_test(test_submit_waits_for_nothing),
        cmocka_unit_test(test_not_submitted),   cmocka_unit_test(test_destroy_in_flight),
        cmocka_unit_test(test_timeout),         cmocka_unit_test(test_memory_kinds),
        cmocka_unit_test(test_steady_state),    cmocka_unit_test(test_growth),
        cmocka_unit_test(test_limits),          cmocka_unit_test(test_two_sessions),
        cmocka_unit_test(test_asking),
    };
    return cmocka_run_group_tests(tests, setup, rig_teardown);
}
