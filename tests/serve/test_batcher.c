/* The batcher on a device that waits for the test: who shares a batch, when it leaves, and that
 * every job ends exactly once. */
#include "tests/support/test.h"

#include "host/serve/batcher.h"
#include "host/serve/metrics.h"
#include "host/serve/server.h"

#include "tests/serve/fake_vkdet.h"
#include "tests/support/failing.h"

#include <pthread.h>
#include <time.h>

enum { MOST_JOBS = 256 };

uint64_t serve_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static atomic_uint counted_batches, counted_pictures;

void metrics_batch(metrics *m, size_t device, uint32_t pictures, uint64_t ns)
{
    (void)m, (void)device, (void)ns;
    (void)atomic_fetch_add(&counted_batches, 1);
    (void)atomic_fetch_add(&counted_pictures, pictures);
}

/* --- a batcher, and jobs that count their ends ---------------------------------------------------
 */

static served_model models[2] = {{.index = 0}, {.index = 1}};
static repository repo = {.models = models, .count = 2, .standard = &models[0]};

typedef struct rig {
    batcher *batcher;
    batch_job jobs[MOST_JOBS];
    uint32_t used;
    atomic_uint ends[MOST_JOBS];
    vkdet_status statuses[MOST_JOBS];
    uint32_t found[MOST_JOBS];   /* class id, which the fake makes the width */
    uint32_t batches[MOST_JOBS]; /* pictures in the job's submission */
    atomic_uint ended;
} rig;

static rig *current;

static batcher_params params_of(const char *const *devices, size_t count, uint32_t max_batch,
                                uint64_t delay_ns)
{
    return (batcher_params){.models = &repo,
                            .devices = devices,
                            .device_count = count,
                            .max_batch = max_batch,
                            .max_queue = MOST_JOBS,
                            .max_queue_delay_ns = delay_ns};
}

static void rig_start(rig *r, vkdet_device_kind kind, uint32_t max_batch, uint64_t delay_ns,
                      uint32_t refused, uint32_t lost)
{
    static const char *const devices[] = {"fake"};
    const batcher_params p = params_of(devices, 1, max_batch, delay_ns);
    vkdet_status made = VKDET_OK;
    char message[256];
    fake_reset(kind, refused, lost);
    memset(r, 0, sizeof *r);
    current = r;
    atomic_store(&counted_batches, 0);
    atomic_store(&counted_pictures, 0);
    r->batcher = batcher_create(&p, &made, message, sizeof message);
    assert_non_null(r->batcher);
}

static void on_done(batch_job *job)
{
    rig *r = current;
    const size_t i = (size_t)(job - r->jobs);
    r->statuses[i] = job->status;
    r->found[i] = job->result ? job->result->detections[0].class_id : 0;
    r->batches[i] = job->batch;
    (void)atomic_fetch_add(&r->ends[i], 1);
    (void)atomic_fetch_add(&r->ended, 1);
}

/* Its width, and with it its name, is its number and one. */
static void rig_add(rig *r, size_t model, double threshold, uint64_t deadline_ns)
{
    batch_job *job = &r->jobs[r->used++];
    *job = (batch_job){.model = &models[model],
                       .params = {.score_threshold = threshold},
                       .pixels = {.width = r->used},
                       .deadline_ns = deadline_ns,
                       .done = on_done};
    assert_true(batcher_admit(r->batcher, 1));
    batcher_submit(r->batcher, job);
}

/* Ends the batcher, which ends the jobs; each ended once. */
static void rig_end(rig *r)
{
    batcher_destroy(r->batcher);
    assert_int_equal(atomic_load(&r->ended), r->used);
    for (uint32_t i = 0; i < r->used; i++) {
        assert_int_equal(atomic_load(&r->ends[i]), 1);
        if (r->statuses[i] == VKDET_OK) {
            assert_int_equal(r->found[i], i + 1);
        }
    }
    assert_int_equal(fake_live_sessions(), 0);
}

static rig the_rig;

/* --- tests ---------------------------------------------------------------------------------------
 */

/* One runs at once; those that come meanwhile leave together, full batches first. */
static void test_batches_fill(void **state)
{
    (void)state;
    rig *r = &the_rig;
    fake_call calls[FAKE_CALLS];
    rig_start(r, VKDET_DEVICE_CPU, 4, 1000000, 0, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    for (int i = 0; i < 6; i++) {
        rig_add(r, 0, 0, 0);
    }
    assert_int_equal(batcher_waiting(r->batcher), 6);
    fake_gate(true);
    rig_end(r);
    assert_int_equal(fake_calls(calls), 3);
    assert_int_equal(calls[0].count, 1);
    assert_int_equal(calls[1].count, 4);
    assert_int_equal(calls[2].count, 2);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(calls[1].widths[i], i + 2); /* in order */
    }
    assert_int_equal(atomic_load(&counted_batches), 3);
    assert_int_equal(atomic_load(&counted_pictures), 7);
    assert_int_equal(r->batches[1], 4);
}

/* Models and thresholds are kept apart; the oldest leaves first whatever it is. */
static void test_only_what_is_alike_shares(void **state)
{
    (void)state;
    rig *r = &the_rig;
    fake_call calls[FAKE_CALLS];
    rig_start(r, VKDET_DEVICE_CPU, 8, 1000000, 0, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    static const struct {
        size_t model;
        double threshold;
    } wanted[] = {{0, 0.5}, {1, 0.5}, {0, 0.7}, {0, 0.5}, {1, 0.5}, {0, 0.5}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        rig_add(r, wanted[i].model, wanted[i].threshold, 0);
    }
    fake_gate(true);
    rig_end(r);
    static const uint32_t batches[3][4] = {{2, 5, 7, 0}, {3, 6, 0, 0}, {4, 0, 0, 0}};
    assert_int_equal(fake_calls(calls), 4);
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t k = 0; k < calls[i + 1].count; k++) {
            assert_int_equal(calls[i + 1].widths[k], batches[i][k]);
        }
        assert_true(calls[i + 1].count == 4 || batches[i][calls[i + 1].count] == 0);
    }
}

/* On a busy GPU a batch that is not full waits for the delay, and a full one does not. */
static void test_a_busy_gpu_gets_full_batches(void **state)
{
    (void)state;
    rig *r = &the_rig;
    fake_call calls[FAKE_CALLS];
    rig_start(r, VKDET_DEVICE_DISCRETE_GPU, 4, UINT64_C(3600000000000), 0, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    for (int i = 0; i < 3; i++) {
        rig_add(r, 0, 0, 0);
    }
    const struct timespec moment = {0, 50000000};
    (void)nanosleep(&moment, NULL);
    assert_int_equal(fake_calls(calls), 1); /* waits for a fourth, an hour long */
    rig_add(r, 0, 0, 0);
    fake_wait_calls(2); /* by the second worker, while the first is held */
    fake_gate(true);
    rig_end(r);
    assert_int_equal(fake_calls(calls), 2);
    assert_int_equal(calls[1].count, 4);

    rig_start(r, VKDET_DEVICE_DISCRETE_GPU, 4, 1000, 0, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(2); /* the delay is over at once */
    fake_gate(true);
    rig_end(r);
}

static void test_one_refusal_fails_one_job(void **state)
{
    (void)state;
    rig *r = &the_rig;
    rig_start(r, VKDET_DEVICE_CPU, 8, 0, 4, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    for (int i = 0; i < 5; i++) {
        rig_add(r, 0, 0, 0);
    }
    fake_gate(true);
    rig_end(r);
    for (uint32_t i = 0; i < r->used; i++) {
        assert_int_equal(r->statuses[i], i == 3 ? VKDET_ERROR_LIMIT : VKDET_OK);
    }
}

static void test_a_lost_device_gets_a_new_session(void **state)
{
    (void)state;
    rig *r = &the_rig;
    rig_start(r, VKDET_DEVICE_CPU, 1, 0, 0, 2);
    for (int i = 0; i < 4; i++) {
        rig_add(r, 0, 0, 0);
    }
    batcher *b = r->batcher;
    while (batcher_waiting(b) > 0) {
        const struct timespec moment = {0, 1000000};
        (void)nanosleep(&moment, NULL);
    }
    rig_end(r);
    for (uint32_t i = 0; i < r->used; i++) {
        assert_int_equal(r->statuses[i], i == 1 ? VKDET_ERROR_DEVICE_LOST : VKDET_OK);
    }
    assert_int_equal(fake_sessions(), 3); /* one a model, and the new one */
}

static void test_deadlines(void **state)
{
    (void)state;
    rig *r = &the_rig;
    fake_call calls[FAKE_CALLS];
    rig_start(r, VKDET_DEVICE_CPU, 4, 0, 0, 0);
    fake_gate(false);
    rig_add(r, 0, 0, 0);
    fake_wait_calls(1);
    rig_add(r, 0, 0, 1); /* long ago */
    rig_add(r, 0, 0, serve_now() + UINT64_C(3600000000000));
    batcher_sweep(r->batcher, serve_now()); /* while the device hangs */
    assert_int_equal(atomic_load(&r->ends[1]), 1);
    assert_int_equal(r->statuses[1], VKDET_ERROR_TIMEOUT);
    assert_int_equal(batcher_waiting(r->batcher), 1);
    rig_add(r, 0, 0, 1); /* found late by a worker */
    fake_gate(true);
    rig_end(r);
    assert_int_equal(r->statuses[2], VKDET_OK);
    assert_int_equal(r->statuses[3], VKDET_ERROR_TIMEOUT);
    assert_int_equal(fake_calls(calls), 2);
}

static void test_admission(void **state)
{
    (void)state;
    rig *r = &the_rig;
    rig_start(r, VKDET_DEVICE_CPU, 4, 0, 0, 0);
    assert_true(batcher_admit(r->batcher, MOST_JOBS));
    assert_false(batcher_admit(r->batcher, 1));
    batcher_give_back(r->batcher, 2);
    assert_false(batcher_admit(r->batcher, 3));
    assert_true(batcher_admit(r->batcher, 2));
    assert_int_equal(batcher_waiting(r->batcher), MOST_JOBS);
    assert_true(batcher_patience(r->batcher) >= 1);
    batcher_give_back(r->batcher, MOST_JOBS);
    assert_int_equal(batcher_waiting(r->batcher), 0);
    rig_end(r);
}

/* Many threads submit to two devices at once. */
static void *submit_some(void *user)
{
    rig *r = user;
    for (int i = 0; i < 16; i++) {
        static atomic_uint next;
        const uint32_t number = atomic_fetch_add(&next, 1) % MOST_JOBS;
        batch_job *job = &r->jobs[number];
        *job = (batch_job){
            .model = &models[number % 2], .pixels = {.width = number + 1}, .done = on_done};
        assert_true(batcher_admit(r->batcher, 1));
        batcher_submit(r->batcher, job);
    }
    return NULL;
}

static void test_many_threads_and_devices(void **state)
{
    (void)state;
    static const char *const devices[] = {"one", "two"};
    rig *r = &the_rig;
    vkdet_status made = VKDET_OK;
    char message[256];
    pthread_t threads[MOST_JOBS / 16];
    fake_reset(VKDET_DEVICE_DISCRETE_GPU, 0, 0);
    memset(r, 0, sizeof *r);
    current = r;
    const batcher_params p = params_of(devices, 2, 4, 100000);
    r->batcher = batcher_create(&p, &made, message, sizeof message);
    assert_non_null(r->batcher);
    assert_int_equal(batcher_device_count(r->batcher), 2);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, submit_some, r), 0);
    }
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    r->used = MOST_JOBS;
    rig_end(r);
}

static void test_making_it_may_fail(void **state)
{
    static const char *const devices[] = {"fake"};
    (void)state;
    const batcher_params p = params_of(devices, 1, 4, 0);
    bool failed = true;
    for (size_t at = 1; failed; at++) {
        vkdet_status made = VKDET_OK;
        char message[256] = "";
        fake_reset(VKDET_DEVICE_DISCRETE_GPU, 0, 0);
        failing_start(at);
        batcher *b = batcher_create(&p, &made, message, sizeof message);
        failed = failing_end();
        assert_int_equal(b == NULL, failed);
        assert_int_equal(made, failed ? VKDET_ERROR_MEMORY : VKDET_OK);
        assert_true(!failed || message[0]);
        batcher_destroy(b);
        assert_int_equal(fake_live_sessions(), 0);
    }
    for (size_t at = 1; at <= 4; at++) { /* two workers, two models */
        vkdet_status made = VKDET_OK;
        char message[256] = "";
        fake_reset(VKDET_DEVICE_DISCRETE_GPU, 0, 0);
        fake_fail_session(at);
        assert_null(batcher_create(&p, &made, message, sizeof message));
        assert_int_equal(made, VKDET_ERROR_DEVICE);
        assert_string_equal(message, "the fake says no");
        assert_int_equal(fake_live_sessions(), 0);
    }
    batcher_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_fill),
        cmocka_unit_test(test_only_what_is_alike_shares),
        cmocka_unit_test(test_a_busy_gpu_gets_full_batches),
        cmocka_unit_test(test_one_refusal_fails_one_job),
        cmocka_unit_test(test_a_lost_device_gets_a_new_session),
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_admission),
        cmocka_unit_test(test_many_threads_and_devices),
        cmocka_unit_test(test_making_it_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
