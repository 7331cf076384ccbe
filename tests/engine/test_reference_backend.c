/* The reference backend: a tiny detector through the function table. */
#include "tests/support/test.h"

#include "engine/reference.h"
#include "host/backend.h"

#include "tests/engine/reference_case.h"

enum { ANCHORS = 24, CLASSES = 3, SIDE = 6, BATCH = 3, SLOTS = 2, CAPACITY = 8 };

/* Conv to a map, whose cells become box codes; a pool of it, whose cells become scores. */
typedef struct tiny {
    reference_case built;
    preprocess preprocess;
    detector_head head;
    float anchors[ANCHORS * 4];
    int map, codes, scores;
} tiny;

static int reshape_to(reference_case *c, int v, shape target)
{
    node n = {.op = OP_RESHAPE, .input_count = 1, .output_count = 1, .inputs = &v};
    n.attributes.target = target;
    return case_output(c, &n);
}

static int convolve(reference_case *c, int v, uint32_t filters, activation act)
{
    int weights[2] = {case_weight(c, shape4(1, 1, 3, filters), -1, 1),
                      case_weight(c, shape1(filters), -0.5f, 0.5f)};
    node n = {.op = OP_CONV2D,
              .input_count = 1,
              .output_count = 2,
              .weight_count = 2,
              .act_count = 1,
              .inputs = &v,
              .weights = weights,
              .act = &act};
    n.attributes.conv =
        (conv2d_attributes){.window = {1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, .groups = 1, .branches = 1};
    return case_output(c, &n);
}

static void tiny_create(tiny *t)
{
    *t = (tiny){.preprocess = {.width = SIDE,
                               .height = SIDE,
                               .deviation = {255, 255, 255},
                               .sampling = SAMPLING_BILINEAR}};
    reference_case *c = &t->built;
    case_begin(c, 11);
    c->graph->input = case_value(c, shape3(SIDE, SIDE, 3));
    node pool = {
        .op = OP_MAX_POOL, .input_count = 1, .output_count = 1, .inputs = &c->graph->input};
    pool.attributes.pool = (window){2, 2, 3, 2, 1, 1, 0, 0, 0, 0};
    t->map = case_output(c, &pool); /* 2 x 3 cells of 3 channels: 4 anchors a cell */
    t->codes = reshape_to(c, convolve(c, t->map, 16, activation_linear), shape2(ANCHORS, 4));
    activation sigmoid = {ACTIVATION_SIGMOID, 0, 0, INFINITY};
    t->scores = reshape_to(c, convolve(c, t->map, 12, sigmoid), shape2(ANCHORS, CLASSES));
    error err;
    assert_status_ok(graph_set_outputs(c->graph, (const int[]){t->codes, t->scores}, 2, &err), err);
    assert_status_ok(graph_validate(c->graph, &err), err);
    for (uint32_t i = 0; i < ANCHORS; i++) {
        uint32_t row = i / 6;
        float x = (float)(i % 6) / 6.0f, y = (float)row / 4.0f;
        memcpy(t->anchors + (size_t)i * 4, (const float[]){x, y, x + 0.3f, y + 0.3f}, 16);
    }
    t->head = (detector_head){.loc_output = 0,
                              .score_output = 1,
                              .anchor_count = ANCHORS,
                              .class_count = CLASSES,
                              .background = -1,
                              .variance = {0.1f, 0.1f, 0.2f, 0.2f},
                              .anchors = t->anchors};
}

static void tiny_destroy(tiny *t)
{
    case_end(&t->built);
}

static backend_params params_of(const tiny *t, const allocator *a)
{
    return (backend_params){.alloc = a,
                            .graph = t->built.graph,
                            .preprocess = &t->preprocess,
                            .head = &t->head,
                            .max_batch = BATCH,
                            .slots = SLOTS,
                            .max_detections = CAPACITY,
                            .keep_outputs = true};
}

static const nms_params nms = {NMS_TFJS, 0.5, 0.5, CAPACITY};

typedef struct photo {
    unsigned char bytes[40 * 30 * 3];
    pixels pixels;
} photo;

static void photo_fill(photo *p, uint64_t seed, uint32_t width, uint32_t height)
{
    test_random r = test_random_seed(seed);
    for (size_t i = 0; i < sizeof p->bytes; i++) {
        p->bytes[i] = (unsigned char)test_random_u32(&r);
    }
    p->pixels = (pixels){PIXEL_RGB8, width, height, (size_t)width * 3, p->bytes};
}

/* what slot and image must hold, computed step by step */
static void expect_image(tiny *t, backend *b, uint32_t slot, uint32_t image, const pixels *picture)
{
    const graph *g = t->built.graph;
    reference_values v;
    error err;
    backend_result got;
    assert_status_ok(reference_values_create(g, &allocator_default, &v, &err), err);
    assert_status_ok(reference_preprocess(&t->preprocess, picture, v.data[g->input], &err), err);
    assert_status_ok(reference_run(g, &v, &err), err);
    detection wanted[CAPACITY];
    uint32_t count, candidates;
    assert_status_ok(reference_detect(&allocator_default, &t->head, &nms, v.data[t->codes],
                                      v.data[t->scores], wanted, &count, &candidates, &err),
                     err);
    assert_status_ok(b->call->result(b, slot, image, &got, &err), err);
    assert_int_equal(got.count, count);
    assert_int_equal(got.candidates, candidates);
    assert_int_equal(got.near_ties, 0);
    assert_true(count > 0);
    assert_memory_equal(got.detections, wanted, count * sizeof *wanted);
    float dense[ANCHORS * 4];
    assert_status_ok(b->call->read_value(b, slot, image, t->codes, dense, &err), err);
    assert_memory_equal(dense, v.data[t->codes], sizeof dense);
    assert_status_ok(b->call->read_value(b, slot, image, t->scores, dense, &err), err);
    assert_memory_equal(dense, v.data[t->scores], ANCHORS * CLASSES * sizeof *dense);
    reference_values_destroy(&v);
}

static void run_rounds(bool keep_all)
{
    tiny t;
    tiny_create(&t);
    test_allocator counted;
    test_allocator_init(&counted, 0);
    backend_params params = params_of(&t, &counted.alloc);
    params.keep_all = keep_all;
    backend *b = NULL;
    error err;
    assert_status_ok(reference_backend_create(&params, &b, &err), err);
    size_t made = counted.allocations;
    photo photos[2 * BATCH];
    for (uint64_t round = 0; round < 3; round++) {
        pixels images[SLOTS][BATCH];
        for (uint32_t i = 0; i < SLOTS * BATCH; i++) {
            photo_fill(&photos[i], round * 10 + i + 1, 40 - i, 30 - (uint32_t)round);
            images[i / BATCH][i % BATCH] = photos[i].pixels;
        }
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            backend_request request = {images[slot], BATCH - slot, nms};
            assert_status_ok(b->call->submit(b, slot, &request, &err), err);
            assert_int_equal(b->call->submit(b, slot, &request, &err), STATUS_BUSY);
        }
        for (uint32_t slot = SLOTS; slot-- > 0;) {
            assert_status_ok(b->call->wait(b, slot, 0, &err), err);
        }
        for (uint32_t i = 0; i < SLOTS * BATCH; i++) {
            if (i % BATCH < BATCH - i / BATCH) {
                expect_image(&t, b, i / BATCH, i % BATCH, &photos[i].pixels);
            }
        }
    }
    assert_int_equal(counted.allocations, made); /* the steady state allocates nothing */
    float map[18];
    assert_int_equal(b->call->read_value(b, 0, 0, t.map, map, &err),
                     keep_all ? STATUS_OK : STATUS_ARGUMENT);
    backend_memory bill;
    b->call->memory(b, &bill);
    assert_true(bill.device_bytes == 0 && bill.host_visible_bytes > 0);
    b->call->destroy(b);
    assert_int_equal(counted.live, 0);
    tiny_destroy(&t);
}

static void test_rounds(void **state)
{
    (void)state;
    run_rounds(false);
    run_rounds(true);
}

static void test_without_head(void **state)
{
    (void)state;
    tiny t;
    tiny_create(&t);
    backend_params params = params_of(&t, &allocator_default);
    params.head = NULL;
    params.max_detections = 0;
    backend *b = NULL;
    error err;
    assert_status_ok(reference_backend_create(&params, &b, &err), err);
    photo p;
    photo_fill(&p, 1, 7, 5);
    backend_request request = {&p.pixels, 1, {.mode = NMS_TFJS}};
    assert_status_ok(b->call->submit(b, 0, &request, &err), err);
    assert_status_ok(b->call->wait(b, 0, 0, &err), err);
    backend_result result;
    assert_status_ok(b->call->result(b, 0, 0, &result, &err), err);
    assert_int_equal(result.count, 0);
    float dense[ANCHORS * CLASSES];
    assert_status_ok(b->call->read_value(b, 0, 0, t.scores, dense, &err), err);
    b->call->destroy(b);
    tiny_destroy(&t);
}

static void test_misuse(void **state)
{
    (void)state;
    tiny t;
    tiny_create(&t);
    backend_params params = params_of(&t, &allocator_default);
    params.keep_outputs = false;
    backend *b = NULL;
    error err;
    assert_status_ok(reference_backend_create(&params, &b, &err), err);
    photo p;
    photo_fill(&p, 1, 7, 5);
    backend_request good = {&p.pixels, 1, nms}, none = {&p.pixels, 0, nms},
                    many = {&p.pixels, BATCH + 1, nms}, nothing = good, unknown = good, wild = good;
    nothing.nms.max_detections = 0;
    unknown.nms.mode = NMS_MODE_COUNT;
    wild.nms.iou_threshold = NAN;
    assert_int_equal(b->call->submit(b, 0, &none, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &many, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &nothing, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &unknown, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, 0, &wild, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->submit(b, SLOTS, &good, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->wait(b, SLOTS, 0, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->wait(b, 0, 0, &err), STATUS_ARGUMENT);
    backend_result result;
    float dense[ANCHORS * 4];
    assert_int_equal(b->call->result(b, 0, 0, &result, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->result(b, SLOTS, 0, &result, &err), STATUS_ARGUMENT);
    /* a picture that cannot be read leaves the slot free */
    pixels broken = p.pixels;
    broken.data = NULL;
    backend_request bad = {&broken, 1, nms};
    assert_int_equal(b->call->submit(b, 0, &bad, &err), STATUS_ARGUMENT);
    assert_status_ok(b->call->submit(b, 0, &good, &err), err);
    assert_int_equal(b->call->result(b, 0, 0, &result, &err), STATUS_ARGUMENT);
    assert_status_ok(b->call->wait(b, 0, 0, &err), err);
    assert_int_equal(b->call->result(b, 0, 1, &result, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, t.codes, dense, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, -1, dense, &err), STATUS_ARGUMENT);
    assert_int_equal(b->call->read_value(b, 0, 0, 1 << 20, dense, &err), STATUS_ARGUMENT);
    b->call->destroy(b);
    tiny_destroy(&t);
}

static void test_bad_params(void **state)
{
    (void)state;
    tiny t;
    tiny_create(&t);
    const backend_params good = params_of(&t, &allocator_default);
    backend_params p = good;
    backend *b = NULL;
    error err;
    p.max_batch = 0;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_ARGUMENT);
    p = good;
    p.slots = 0;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_ARGUMENT);
    p = good;
    p.max_detections = 0;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_ARGUMENT);
    p = good;
    detector_head head = t.head;
    p.head = &head;
    head.loc_output = 2;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_MODEL);
    head = t.head;
    head.anchor_count = ANCHORS - 1;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_MODEL);
    head = t.head;
    head.class_count = 4;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_MODEL);
    p = good;
    preprocess gray = t.preprocess;
    gray.channels = CHANNELS_GRAY;
    p.preprocess = &gray;
    assert_int_equal(reference_backend_create(&p, &b, &err), STATUS_MODEL);
    assert_non_null(strstr(err.text, "6x6x3"));
    assert_null(b);
    tiny_destroy(&t);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    tiny t;
    tiny_create(&t);
    for (int keep_all = 0; keep_all < 2; keep_all++) {
        bool failed = true;
        for (size_t n = 1; failed; n++) {
            test_allocator a;
            test_allocator_init(&a, n);
            backend_params p = params_of(&t, &a.alloc);
            p.keep_all = keep_all;
            backend *b = NULL;
            error err;
            status s = reference_backend_create(&p, &b, &err);
            failed = a.failed;
            assert_int_equal(s, failed ? STATUS_MEMORY : STATUS_OK);
            if (b) {
                b->call->destroy(b);
            }
            assert_int_equal(a.live, 0);
        }
    }
    tiny_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounds),        cmocka_unit_test(test_without_head),
        cmocka_unit_test(test_misuse),        cmocka_unit_test(test_bad_params),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
