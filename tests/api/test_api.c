/* The public API's promises: parameters are checked, errors are said once and clearly, tickets and
 * slots behave, the steady state allocates nothing, and every allocation may fail. Runs on a tiny
 * detector made here. */
#include "tests/api/support.h"
#include "tests/cli/fixture.h"

#include <pthread.h>
#include <unistd.h>

enum { PICTURE_WIDTH = 61, PICTURE_HEIGHT = 47 };

/* the toy detector of the program's tests, in a folder of its own */
static struct {
    char folder[64], model_json[96], weights[96], card[96], container[96];
} tiny;

static int make_model(void **state)
{
    (void)state;
    (void)snprintf(tiny.folder, sizeof tiny.folder, "/tmp/vkdet-api-XXXXXX");
    if (!mkdtemp(tiny.folder)) {
        return -1;
    }
    (void)snprintf(tiny.model_json, sizeof tiny.model_json, "%s/model.json", tiny.folder);
    (void)snprintf(tiny.weights, sizeof tiny.weights, "%s/weights.bin", tiny.folder);
    (void)snprintf(tiny.card, sizeof tiny.card, "%s/card.json", tiny.folder);
    (void)snprintf(tiny.container, sizeof tiny.container, "%s/toy.vkdet", tiny.folder);
    return fixture_model(tiny.folder);
}

static int remove_model(void **state)
{
    (void)state;
    (void)unlink(tiny.model_json);
    (void)unlink(tiny.weights);
    (void)unlink(tiny.card);
    (void)unlink(tiny.container);
    return rmdir(tiny.folder);
}

static const unsigned char *picture(uint32_t seed)
{
    static unsigned char pixels[PICTURE_WIDTH * PICTURE_HEIGHT * 3];
    test_random r = test_random_seed(seed);
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (unsigned char)test_random_u32(&r);
    }
    return pixels;
}

static vkdet_pixels view(uint32_t seed)
{
    return (vkdet_pixels){VKDET_PIXEL_RGB8, PICTURE_WIDTH, PICTURE_HEIGHT, 0, picture(seed)};
}

/* Converts and opens through a context. */
static vkdet_model *open_tiny(vkdet_context *context)
{
    vkdet_model *model = NULL;
    assert_vkdet(vkdet_convert(context, tiny.model_json, tiny.card, NULL, tiny.container));
    assert_vkdet(vkdet_model_open(context, tiny.container, &model));
    return model;
}

static void test_arguments(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = open_tiny(context), *none = NULL;
    vkdet_session *session = NULL;
    assert_int_equal(vkdet_context_create(NULL, NULL), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_model_open(context, NULL, &none), VKDET_ERROR_ARGUMENT);
    assert_int_equal(vkdet_model_open(context, "/does/not/exist.vkdet", &none), VKDET_ERROR_IO);
    assert_non_null(strstr(vkdet_error_message(), "/does/not/exist.vkdet"));
    assert_null(none);
    static const char *const devices[] = {
        "",       "vulkan",   "vulkan:", "vulkan:x", "vulkan:1x", "vulkan:99999999999",
        "cuda:0", "Reference"};
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        vkdet_session_params p = {.device = devices[i]};
        assert_int_equal(vkdet_session_create(context, model, &p, &session), VKDET_ERROR_DEVICE);
        assert_null(session);
    }
    vkdet_session_params p = {.device = api_device(), .max_batch = 1u << 30};
    assert_int_equal(vkdet_session_create(context, model, &p, &session), VKDET_ERROR_ARGUMENT);
    p = (vkdet_session_params){.device = api_device(), .slots = 1000};
    assert_int_equal(vkdet_session_create(context, model, &p, &session), VKDET_ERROR_ARGUMENT);
    vkdet_nms_mode mode;
    assert_int_equal(vkdet_nms_mode_from_name("tf", &mode), VKDET_OK);
    assert_int_equal(mode, VKDET_NMS_TF);
    assert_int_equal(vkdet_nms_mode_from_name("TF", &mode), VKDET_ERROR_ARGUMENT);
    vkdet_model_destroy(model);
    vkdet_model_destroy(NULL);
    vkdet_session_destroy(NULL);
    vkdet_image_destroy(NULL);
    api_context_done(context);
}

static void test_pixels_are_checked(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = open_tiny(context);
    vkdet_session *session = NULL;
    const vkdet_result *result = NULL;
    vkdet_session_params p = {.device = api_device(), .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, model, &p, &session));
    vkdet_pixels bad[6];
    for (size_t i = 0; i < 6; i++) {
        bad[i] = view(1);
    }
    bad[0].data = NULL;
    bad[1].width = 0;
    bad[2].height = 65536;
    bad[3].stride = 10;
    bad[4].format = (vkdet_pixel_format)77;
    bad[5].format = VKDET_PIXEL_TENSOR_F32;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(vkdet_session_detect(session, &bad[i], 1, NULL, &result),
                         VKDET_ERROR_ARGUMENT);
        assert_null(result);
        assert_true(vkdet_error_message()[0] != 0);
    }
    vkdet_pixels good = view(1);
    vkdet_detect_params wrong[] = {{.iou_threshold = 2},
                                   {.iou_threshold = -1},
                                   {.score_threshold = NAN},
                                   {.nms_mode = (vkdet_nms_mode)99}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(vkdet_session_detect(session, &good, 1, &wrong[i], &result),
                         VKDET_ERROR_ARGUMENT);
    }
    /* and after all that the session still works */
    assert_vkdet(vkdet_session_detect(session, &good, 1, NULL, &result));
    assert_non_null(result);
    vkdet_session_destroy(session);
    vkdet_model_destroy(model);
    api_context_done(context);
}

static void same_results(const vkdet_result *a, const vkdet_result *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->candidates, b->candidates);
    assert_memory_equal(a->detections, b->detections, a->count * sizeof *a->detections);
}

static void test_tickets(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = open_tiny(context);
    vkdet_session *session = NULL, *judge = NULL;
    vkdet_session_params p = {.device = api_device(), .slots = 3, .max_batch = 2, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, model, &p, &session));
    assert_vkdet(vkdet_session_create(context, model, &p, &judge));
    vkdet_detect_params all = {.score_threshold = -1};
    vkdet_ticket tickets[3], extra;
    for (uint32_t i = 0; i < 3; i++) {
        vkdet_pixels v = view(i); /* overwritten by the next round: submit must have copied it */
        assert_vkdet(vkdet_session_submit(session, &v, 1, &all, &tickets[i]));
    }
    vkdet_pixels v = view(9);
    assert_int_equal(vkdet_session_submit(session, &v, 1, &all, &extra), VKDET_ERROR_BUSY);
    const vkdet_result *result = NULL, *expected = NULL;
    assert_int_equal(vkdet_session_detect(session, &v, 1, &all, &result), VKDET_ERROR_BUSY);
    assert_int_equal(vkdet_session_release(session, tickets[0]), VKDET_ERROR_ARGUMENT);
    for (uint32_t i = 3; i-- > 0;) {
        uint32_t count = 0;
        assert_vkdet(vkdet_session_wait(session, tickets[i], VKDET_WAIT_FOREVER, &result, &count));
        assert_int_equal(count, 1);
        v = view(i);
        assert_vkdet(vkdet_session_detect(judge, &v, 1, &all, &expected));
        assert_true(expected->count > 0);
        same_results(result, expected);
        assert_vkdet(vkdet_session_release(session, tickets[i]));
        assert_int_equal(vkdet_session_wait(session, tickets[i], 0, &result, &count),
                         VKDET_ERROR_ARGUMENT);
    }
    vkdet_pixels many[5];
    for (uint32_t i = 0; i < 5; i++) {
        many[i] = view(4);
    }
    assert_vkdet(vkdet_session_detect(session, many, 5, &all, &result));
    v = view(4);
    assert_vkdet(vkdet_session_detect(judge, &v, 1, &all, &expected));
    for (uint32_t i = 0; i < 5; i++) {
        same_results(&result[i], expected);
    }
    vkdet_session_destroy(session);
    vkdet_session_destroy(judge);
    vkdet_model_destroy(model);
    api_context_done(context);
}

/* A bad picture in the middle of a call fails the call, and the slots come back. */
static void test_failure_in_the_middle(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *model = open_tiny(context);
    vkdet_session *session = NULL;
    vkdet_session_params p = {.device = api_device(), .max_batch = 2, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, model, &p, &session));
    vkdet_pixels many[7];
    for (uint32_t i = 0; i < 7; i++) {
        many[i] = view(1);
    }
    many[5].width = 0;
    const vkdet_result *result = NULL;
    assert_int_equal(vkdet_session_detect(session, many, 7, NULL, &result), VKDET_ERROR_ARGUMENT);
    assert_null(result);
    many[5] = many[4];
    assert_vkdet(vkdet_session_detect(session, many, 7, NULL, &result));
    vkdet_session_destroy(session);
    vkdet_model_destroy(model);
    api_context_done(context);
}

/* bytes in instead of files: the container, and an encoded picture */
static void test_memory_in(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model *from_file = open_tiny(context), *from_memory = NULL, *none = NULL;
    size_t size = 0;
    unsigned char *bytes = test_read_file(tiny.container, &size); /* malloc aligns enough */
    assert_non_null(bytes);
    assert_vkdet(vkdet_model_open_memory(context, bytes, size, &from_memory));
    assert_int_equal(vkdet_model_open_memory(context, bytes, size - 1, &none), VKDET_ERROR_MODEL);
    assert_int_equal(vkdet_model_open_memory(context, bytes + 1, size - 1, &none),
                     VKDET_ERROR_ARGUMENT);
    assert_null(none);
    vkdet_model_info a, b;
    vkdet_model_info_get(from_file, &a);
    vkdet_model_info_get(from_memory, &b);
    assert_string_equal(a.sha256, b.sha256);
    assert_string_equal(vkdet_model_label(from_memory, 0, NULL), "mask");
    assert_null(vkdet_model_label(from_memory, 0, "xx"));
    assert_null(vkdet_model_label(from_memory, 99, NULL));
    static const unsigned char green[] = "P6 2 1 255\n\0\377\0\0\377\0";
    vkdet_image *image = NULL;
    vkdet_image_info info;
    assert_vkdet(vkdet_image_decode(context, green, sizeof green - 1, NULL, &image));
    vkdet_image_info_get(image, &info);
    assert_int_equal(info.width, 2);
    assert_int_equal(info.orientation, 1);
    vkdet_session *session = NULL;
    const vkdet_result *result = NULL;
    vkdet_session_params p = {.device = api_device(), .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, from_memory, &p, &session));
    assert_vkdet(vkdet_session_detect_image(session, image, NULL, &result));
    assert_true(result->count > 0);
    assert_int_equal(result->detections[0].class_id, 0); /* green is the toy's mask */
    vkdet_session_memory bill;
    vkdet_session_memory_get(session, &bill);
    bool planned = strcmp(api_device(), "reference") != 0;
    assert_int_equal(bill.arena_bytes > 0 && bill.weight_bytes > 0, planned);
    assert_true(bill.device_bytes + bill.host_visible_bytes > 0);
    assert_true(bill.device_bytes + bill.host_visible_bytes >= bill.arena_bytes);
    vkdet_image_destroy(image);
    assert_int_equal(vkdet_image_decode(context, green, 3, NULL, &image), VKDET_ERROR_IMAGE);
    assert_null(image);
    vkdet_session_destroy(session);
    vkdet_model_destroy(from_file);
    vkdet_model_destroy(from_memory);
    free(bytes);
    api_context_done(context);
}

static vkdet_status whole_run(test_allocator *t)
{
    vkdet_context_params params = {
        .allocator = {t->alloc.allocate, t->alloc.release, t->alloc.user}};
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    vkdet_session *session = NULL;
    const vkdet_result *result = NULL;
    vkdet_pixels v = view(3);
    vkdet_session_params p = {.device = api_device(), .cache_dir = ""};
    char *text = NULL;
    vkdet_status code = vkdet_context_create(&params, &context);
    if (code == VKDET_OK) {
        code = vkdet_model_open(context, tiny.container, &model);
    }
    if (code == VKDET_OK) {
        code = vkdet_session_create(context, model, &p, &session);
    }
    if (code == VKDET_OK) {
        code = vkdet_session_detect(session, &v, 1, NULL, &result);
    }
    if (code == VKDET_OK) {
        code = vkdet_model_plan(context, model, &(vkdet_plan_params){.device = "reference"}, &text);
    }
    vkdet_text_free(context, text);
    vkdet_session_destroy(session);
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return code;
}

static void test_every_allocation_fails_once(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    vkdet_model_destroy(open_tiny(context));
    api_context_done(context);
    size_t n = 1;
    for (;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        vkdet_status code = whole_run(&t);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_int_equal(code, VKDET_OK);
            break;
        }
        if (code != VKDET_ERROR_MEMORY && code != VKDET_OK) {
            fail_msg("allocation %zu failing gave %s: %s", n, vkdet_status_name(code),
                     vkdet_error_message());
        }
    }
    printf("%zu allocations, each failed once\n", n - 1);
    assert_true(n > 10);
}

static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    test_allocator t;
    test_allocator_init(&t, 0);
    vkdet_context_params params = {.allocator = {t.alloc.allocate, t.alloc.release, t.alloc.user}};
    vkdet_context *context = NULL;
    assert_vkdet(vkdet_context_create(&params, &context));
    vkdet_model *model = open_tiny(context);
    vkdet_session *session = NULL;
    vkdet_session_params p = {.device = api_device(), .max_batch = 4, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, model, &p, &session));
    vkdet_pixels many[10];
    for (uint32_t i = 0; i < 10; i++) {
        many[i] = view(1);
    }
    const vkdet_result *result = NULL;
    assert_vkdet(vkdet_session_detect(session, many, 10, NULL, &result));
    size_t before = t.allocations;
    for (int i = 0; i < 20; i++) {
        assert_vkdet(vkdet_session_detect(session, many, 10, NULL, &result));
    }
    assert_int_equal(t.allocations, before);
    vkdet_session_destroy(session);
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    assert_int_equal(t.live, 0);
}

static void release_only(void *user, void *memory)
{
    (void)user;
    free(memory);
}

/* Half an allocator is refused; a failed call says why on its own thread only. */
static void *fails_elsewhere(void *unused)
{
    (void)unused;
    vkdet_model *model = NULL;
    (void)vkdet_model_open(NULL, "x", &model);
    return strstr(vkdet_error_message(), "vkdet_model_open") ? NULL : "no message";
}

static void test_messages_are_per_thread(void **state)
{
    (void)state;
    vkdet_context_params half = {.allocator = {.release = release_only}};
    vkdet_context *context = NULL;
    assert_int_equal(vkdet_context_create(&half, &context), VKDET_ERROR_ARGUMENT);
    char mine[1024];
    (void)snprintf(mine, sizeof mine, "%s", vkdet_error_message());
    pthread_t thread;
    void *answer = NULL;
    assert_int_equal(pthread_create(&thread, NULL, fails_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_null(answer);
    assert_string_equal(vkdet_error_message(), mine);
}

/* One context and one model, a session a thread. */
static void *run_in_thread(void *model_and_context)
{
    void **both = model_and_context;
    vkdet_session *session = NULL;
    vkdet_session_params p = {.device = api_device(), .cache_dir = ""};
    static const unsigned char gray[PICTURE_WIDTH * PICTURE_HEIGHT];
    vkdet_pixels v = {VKDET_PIXEL_GRAY8, PICTURE_WIDTH, PICTURE_HEIGHT, 0, gray};
    if (vkdet_session_create(both[0], both[1], &p, &session)) {
        return "session";
    }
    for (int i = 0; i < 10; i++) {
        const vkdet_result *result = NULL;
        if (vkdet_session_detect(session, &v, 1, NULL, &result)) {
            return "detect";
        }
    }
    vkdet_session_destroy(session);
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    vkdet_context *context = api_context();
    void *both[2] = {context, open_tiny(context)};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, run_in_thread, both), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *answer = NULL;
        assert_int_equal(pthread_join(threads[i], &answer), 0);
        assert_null(answer);
    }
    vkdet_model_destroy(both[1]);
    api_context_done(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_pixels_are_checked),
        cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_failure_in_the_middle),
        cmocka_unit_test(test_memory_in),
        cmocka_unit_test(test_every_allocation_fails_once),
        cmocka_unit_test(test_steady_state_allocates_nothing),
        cmocka_unit_test(test_messages_are_per_thread),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, make_model, remove_model);
}
