/* The backend of the cpu device: results as the reference makes them of its outputs, in any slot
 * and batch; misuse; measuring; what happens when memory or oneDNN fails. */
#include "tests/cpu/rig.h"
#include "tests/vulkan/miniature.h"

#include "engine/passes.h"

#include <pthread.h>
#include <stdatomic.h>

extern int omp_get_max_threads(void);

enum { SEED = 20261126, BATCH = 3, SLOTS = 2, CAPACITY = 32 };

typedef struct fixture {
    graph *graph;
    detector_head head;
    preprocess preprocess;
    float *inputs[SLOTS * BATCH];
    pixels pictures[SLOTS * BATCH];
} fixture;

static const nms_params nms = {NMS_TFJS, 0.3, 0.5, CAPACITY};

static int fixture_open(void **state)
{
    static fixture f;
    error err = {0};
    assert_status_ok(miniature_build(&allocator_default, SEED, &f.graph, &f.head, &err), err);
    assert_status_ok(passes_run(f.graph, &err), err);
    const shape s = f.graph->values[f.graph->input].shape;
    f.preprocess = (preprocess){.width = s.dim[1],
                                .height = s.dim[0],
                                .channels = s.dim[2] == 1 ? CHANNELS_GRAY : CHANNELS_RGB,
                                .deviation = {1, 1, 1}};
    for (uint64_t i = 0; i < SLOTS * BATCH; i++) {
        f.inputs[i] = rig_input(f.graph, SEED + i);
        f.pictures[i] = (pixels){PIXEL_TENSOR_F32, s.dim[1], s.dim[0],
                                 (size_t)s.dim[1] * s.dim[2] * sizeof(float), f.inputs[i]};
    }
    *state = &f;
    return 0;
}

static int fixture_close(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < SLOTS * BATCH; i++) {
        free(f->inputs[i]);
    }
    graph_destroy(f->graph);
    return 0;
}

static backend_params params_of(const fixture *f, const allocator *a, uint32_t threads)
{
    return (backend_params){.alloc = a,
                            .graph = f->graph,
                            .preprocess = &f->preprocess,
                            .head = &f->head,
                            .max_batch = BATCH,
                            .slots = SLOTS,
                            .max_detections = CAPACITY,
                            .keep_outputs = true,
                            .precision = VKDET_PRECISION_FP32,
                            .threads = threads};
}

/* detections are what the reference makes of the raw outputs, to the bit */
static void expect_image(const fixture *f, backend *b, uint32_t slot_index, uint32_t image)
{
    const graph *g = f->graph;
    error err = {0};
    reference_values v = rig_values(g);
    for (size_t i = 0; i < g->output_count; i++) {
        const int id = g->outputs[i];
        assert_status_ok(b->call->read_value(b, slot_index, image, id, v.data[id], &err), err);
    }
    detection wanted[CAPACITY];
    uint32_t count, candidates;
    backend_result got;
    assert_status_ok(reference_detect(&allocator_default, &f->head, &nms,
                                      v.data[g->outputs[f->head.loc_output]],
                                      v.data[g->outputs[f->head.score_output]], wanted, &count,
                                      &candidates, &err),
                     err);
    assert_status_ok(b->call->result(b, slot_index, image, &got, &err), err);
    assert_int_equal(got.count, count);
    assert_int_equal(got.candidates, candidates);
    assert_true(count > 0);
    assert_memory_equal(got.detections, wanted, count * sizeof *wanted);
    reference_values_destroy(&v);
}

static void test_rounds(void **state)
{
    fixture *f = *state;
    for (uint32_t threads = 1; threads <= 4; threads++) {
        test_allocator counted;
        test_allocator_init(&counted, 0);
        const backend_params params = params_of(f, &counted.alloc, threads);
        backend *b = NULL;
        error err = {0};
        assert_status_ok(cpu_backend_create(&params, &b, &err), err);
        const size_t made = counted.allocations;
        for (uint32_t round = 0; round < 3; round++) {
            for (uint32_t s = 0; s < SLOTS; s++) {
                const backend_request request = {&f->pictures[s * BATCH], BATCH - s, nms};
                assert_status_ok(b->call->submit(b, s, &request, &err), err);
                assert_int_equal(b->call->submit(b, s, &request, &err), STATUS_BUSY);
            }
            for (uint32_t s = SLOTS; s-- > 0;) {
                assert_status_ok(b->call->wait(b, s, 0, &err), err);
                for (uint32_t i = 0; i < BATCH - s; i++) {
                    expect_image(f, b, s, i);
                }
            }
        }
        assert_int_equal(counted.allocations, made); /* the steady state allocates nothing */
        backend_memory bill;
        b->call->memory(b, &bill);
        assert_true(bill.device_bytes == 0 && bill.host_visible_bytes > 0);
        b->call->destroy(b);
        assert_int_equal(counted.live, 0);
    }
}

/* what a thread had set before a call it has after it */
static void test_settings_stay(void **state)
{
    fixture *f = *state;
    const backend_params params = params_of(f, &allocator_default, 2);
    backend *b = NULL;
    error err = {0};
    volatile float smallest = 1e-39f;
    const int threads = omp_get_max_threads();
    assert_status_ok(cpu_backend_create(&params, &b, &err), err);
    const backend_request request = {f->pictures, 1, nms};
    assert_status_ok(b->call->submit(b, 0, &request, &err), err);
    b->call->destroy(b);
    assert_int_equal(omp_get_max_threads(), threads);
    assert_true(smallest * 0.5f > 0.0f); /* subnormal numbers are numbers again */
}

static void test_misuse(void **state)
{
    fixture *f = *state;
    backend_params params = params_of(f, &allocator_default, 2);
    params.keep_outputs = false;
    backend *b = NULL;
    error err = {0};
    assert_status_ok(cpu_backend_create(&params, &b, &err), err);
    pixels broken = f->pictures[0];
    broken.data = NULL;
    const backend_request good = {f->pictures, 1, nms}, none = {f->pictures, 0, nms},
                          many = {f->pictures, BATCH + 1, nms}, bad = {&broken, 1, nms};
    assert_int_equal(b->call->submit(b, 0, &none, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &many, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, SLOTS, &good, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &bad, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->wait(b, 0, 0, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->wait(b, SLOTS, 0, &err), STATUS_ARGUMENT);
    backend_result result;
    float number;
    assert_int_equal(b->call->result(b, 0, 0, &result, &err), STATUS_ARGUMENT);
    assert_status_ok(b->call->submit(b, 0, &good, &err), err);
    assert_int_equal(b->call->result(b, 0, 0, &result, &err), STATUS_ARGUMENT);
    uint64_t ns;
    assert_int_equal(b->call->repeat(b, &good, 1, &ns, &err), STATUS_BUSY);
    assert_int_equal(b->call->profile(b, &good, 1, NULL, &ns, &err), STATUS_BUSY);
    assert_status_ok(b->call->wait(b, 0, 0, &err), err);
    assert_int_equal(b->call->result(b, 0, 1, &result, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, -1, &number, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, 1 << 20, &number, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, f->graph->outputs[0], &number, &err),
                     STATUS_ARGUMENT);
    b->call->destroy(b);
    params.threads = CPU_MAX_THREADS + 1;
    assert_int_equal(cpu_backend_create(&params, &b, &err), STATUS_ARGUMENT);
}

static void test_measuring(void **state)
{
    fixture *f = *state;
    const backend_params params = params_of(f, &allocator_default, 2);
    backend *b = NULL;
    error err = {0};
    assert_status_ok(cpu_backend_create(&params, &b, &err), err);
    const uint32_t steps = b->call->step_count(b);
    assert_true(steps <= f->graph->node_count + 2 && steps > 2);
    uint64_t *step_ns = calloc((size_t)steps * 2, sizeof *step_ns), total_ns[2] = {0, 0}, ns = 0;
    assert_non_null(step_ns);
    const backend_request request = {f->pictures, BATCH, nms};
    assert_status_ok(b->call->profile(b, &request, 2, step_ns, total_ns, &err), err);
    assert_status_ok(b->call->profile(b, &request, 1, NULL, NULL, &err), err);
    assert_status_ok(b->call->repeat(b, &request, 3, &ns, &err), err);
    assert_true(ns > 0 && total_ns[0] > 0 && total_ns[1] > 0);
    uint64_t flops = 0;
    for (uint32_t i = 0; i < steps; i++) {
        vkdet_step s;
        b->call->step(b, i, &s);
        assert_true(s.name && s.kernel && s.variant);
        assert_true(step_ns[i] > 0 && step_ns[steps + i] > 0);
        flops += s.flops;
    }
    assert_true(flops > 0);
    backend_result result;
    assert_int_equal(b->call->result(b, 0, 0, &result, &err), STATUS_ARGUMENT);
    free(step_ns);
    b->call->destroy(b);
}

static void test_out_of_memory(void **state)
{
    fixture *f = *state;
    for (int keep_all = 0; keep_all < 2; keep_all++) {
        backend_params p = params_of(f, &allocator_default, 2);
        p.keep_all = keep_all;
        rig_run_out_of_memory(&p);
    }
}

/* Each call of oneDNN fails in turn, while the backend is made and while it runs; it is then still
 * good for the next picture. */
static void test_onednn_fails(void **state)
{
    fixture *f = *state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        test_allocator a;
        test_allocator_init(&a, 0);
        const backend_params p = params_of(f, &a.alloc, 2);
        const backend_request request = {f->pictures, BATCH, nms};
        backend *b = NULL;
        error err = {0};
        shim_arm(n);
        status s = cpu_backend_create_with(&p, &shim_calls, &b, &err);
        if (s == STATUS_OK) {
            s = b->call->submit(b, 0, &request, &err);
            if (s != STATUS_OK) {
                assert_status_ok(b->call->submit(b, 0, &request, &err), err);
            }
            b->call->destroy(b);
        }
        failed = shim_failed();
        assert_int_equal(s, failed ? STATUS_MEMORY : STATUS_OK);
        assert_int_equal(shim_live(), 0);
        assert_int_equal(a.live, 0);
    }
}

/* --- the team --- */

typedef struct relay {
    team *team;
    atomic_uint sum;
    unsigned seen[8];
} relay;

/* after each barrier everybody has added to the round before */
static void relay_run(void *user, uint32_t member)
{
    relay *r = user;
    for (unsigned round = 1; round <= 50; round++) {
        atomic_fetch_add(&r->sum, 1);
        team_barrier(r->team);
        r->seen[member] += atomic_load(&r->sum) == round * team_members(r->team);
        team_barrier(r->team);
    }
}

static void test_team(void **state)
{
    (void)state;
    for (uint32_t members = 1; members <= 8; members++) {
        relay r = {0};
        error err = {0};
        assert_status_ok(team_create(&allocator_default, members, &r.team, &err), err);
        for (int job = 0; job < 20; job++) {
            atomic_init(&r.sum, 0);
            memset(r.seen, 0, sizeof r.seen);
            team_run(r.team, relay_run, &r);
            for (uint32_t m = 0; m < members; m++) {
                assert_int_equal(r.seen[m], 50);
            }
        }
        team_destroy(r.team);
    }
    team_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_team),          cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_settings_stay), cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_measuring),     cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_onednn_fails),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, fixture_open, fixture_close);
}
