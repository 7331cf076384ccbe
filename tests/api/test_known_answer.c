/* The known-answer check from inside, where a software driver can be made to go through it: every
 * kind of plan passes, that it did is kept by what the kernels are, and every allocation may fail.
 */
#include "host/api/api.h"
#include "tests/cli/fixture.h"
#include "tests/support/test.h"

static char folder[64], container[96], cache[96];
static vkdet_context *context;
static size_t checked;

static void count(void *user, vkdet_log_level level, const char *id, const char *message)
{
    (void)user;
    checked += strcmp(id, "known-answer") == 0;
    if (level <= VKDET_LOG_WARNING) {
        (void)fprintf(stderr, "[%s] %s\n", id, message);
    }
}

static const char *device(void)
{
    const char *name = getenv("VKDET_TEST_DEVICE");
    return name && *name ? name : "vulkan:0";
}

static vkdet_context *context_with(const vkdet_allocator *a)
{
    const char *validate = getenv("VKDET_TEST_VALIDATE");
    vkdet_context *made = NULL;
    vkdet_context_params params = {
        .log = count, .log_level = VKDET_LOG_DEBUG, .validate = validate && validate[0] == '1'};
    if (a) {
        params.allocator = *a;
    }
    return vkdet_context_create(&params, &made) == VKDET_OK ? made : NULL;
}

static int setup(void **state)
{
    (void)state;
    error err = {0};
    char network[96], card_path[96];
    (void)snprintf(folder, sizeof folder, "/tmp/vkdet-known-XXXXXX");
    if (!mkdtemp(folder) || fixture_model(folder)) {
        return -1;
    }
    (void)snprintf(network, sizeof network, "%s/model.json", folder);
    (void)snprintf(card_path, sizeof card_path, "%s/card.json", folder);
    (void)snprintf(container, sizeof container, "%s/toy.vkdet", folder);
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    context = context_with(NULL);
    return !context || model_convert(&allocator_default, network, card_path, WEIGHTS_EXACT,
                                     container, &err)
               ? -1
               : 0;
}

static int teardown(void **state)
{
    (void)state;
    const uint64_t messages = vkdet_context_validation_messages(context);
    vkdet_context_destroy(context);
    return test_remove_folder(folder) || messages ? -1 : 0;
}

/* a plan as a session would have it */
static status prepare(vkdet_context *c, const model *m, vkdet_precision precision,
                      vkdet_winograd winograd, prepared *out, error *err)
{
    const plan_options options = {.batch = 4, .max_detections = 7};
    return prepared_create(c, m, device(), precision, winograd, &options, out, err);
}

static void check_model(const char *path)
{
    error err = {0};
    model *m = NULL;
    const struct {
        vkdet_precision precision;
        vkdet_winograd winograd;
    } ways[] = {{VKDET_PRECISION_FP32, VKDET_WINOGRAD_NEVER},
                {VKDET_PRECISION_FP32, VKDET_WINOGRAD_ALWAYS},
                {VKDET_PRECISION_FP16, VKDET_WINOGRAD_AUTO}};
    assert_status_ok(model_open(&allocator_default, path, &m, &err), err);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        prepared ready = {0};
        bool passed = false;
        assert_status_ok(prepare(context, m, ways[i].precision, ways[i].winograd, &ready, &err),
                         err);
        checked = 0;
        assert_status_ok(known_answer_run(context, m, &ready, NULL, &passed, &err), err);
        assert_true(passed);
        assert_int_equal(checked, 1);
        assert_status_ok(known_answer_check(context, m, &ready, cache, &err), err);
        assert_int_equal(checked, 1); /* software is left to verify */
        prepared_destroy(&ready);
    }
    model_destroy(m);
}

static void test_passes(void **state)
{
    (void)state;
    check_model(container);
}

/* a real network: many candidates, heads, every size of map */
static void test_network_passes(void **state)
{
    (void)state;
    error err = {0};
    char path[160];
    (void)snprintf(path, sizeof path, "%s/street.vkdet", folder);
    assert_status_ok(
        model_convert(&allocator_default, TEST_SOURCE_DIR "/models/street-320/model.json",
                      TEST_SOURCE_DIR "/models/street-320/card.json", WEIGHTS_EXACT, path, &err),
        err);
    check_model(path);
}

static void test_kept(void **state)
{
    (void)state;
    error err = {0};
    model *m = NULL;
    prepared ready = {0}, other = {0}, third = {0};
    bool passed = true;
    assert_status_ok(model_open(&allocator_default, container, &m, &err), err);
    assert_status_ok(prepare(context, m, VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO, &ready, &err),
                     err);
    assert_status_ok(prepare(context, m, VKDET_PRECISION_FP16, VKDET_WINOGRAD_AUTO, &other, &err),
                     err);
    assert_status_ok(prepare(context, m, VKDET_PRECISION_FP32, VKDET_WINOGRAD_ALWAYS, &third, &err),
                     err);
    const uint32_t index = (uint32_t)ready.device.vulkan_index;
    const vulkan_instance *v = context->vulkan;
    const struct {
        const char *dir;
        const plan *plan;
        bool keep, passed;
    } steps[] = {
        {cache, ready.plan, true, false}, {cache, ready.plan, false, true},
        {cache, other.plan, true, false}, {cache, other.plan, false, true},
        {cache, third.plan, true, false}, {cache, third.plan, false, true},
        {NULL, ready.plan, true, false},  {NULL, ready.plan, false, false},
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_status_ok(vulkan_check_passed(v, index, &allocator_default, &context->log,
                                             steps[i].dir, steps[i].plan, &passed, &err),
                         err);
        assert_int_equal(passed, steps[i].passed);
        if (steps[i].keep) {
            vulkan_check_keep(v, index, &allocator_default, &context->log, steps[i].dir,
                              steps[i].plan);
        }
    }
    prepared_destroy(&ready);
    prepared_destroy(&other);
    prepared_destroy(&third);
    model_destroy(m);
}

static void test_allocations(void **state)
{
    (void)state;
    size_t failures = 0;
    error err = {0};
    model *m = NULL;
    assert_status_ok(model_open(&allocator_default, container, &m, &err), err);
    for (size_t at = 1; at < 4000; at += at < 200 ? 7 : 23) {
        test_allocator failing;
        test_allocator_init(&failing, at);
        const vkdet_allocator a = {failing.alloc.allocate, failing.alloc.release,
                                   failing.alloc.user};
        vkdet_context *c = context_with(&a);
        prepared ready = {0};
        bool passed = false;
        status s = c ? prepare(c, m, VKDET_PRECISION_FP32, VKDET_WINOGRAD_AUTO, &ready, &err)
                     : STATUS_MEMORY;
        if (s == STATUS_OK) {
            s = known_answer_run(c, m, &ready, NULL, &passed, &err);
        }
        prepared_destroy(&ready);
        vkdet_context_destroy(c);
        assert_int_equal(failing.live, 0);
        if (!failing.failed) {
            assert_status_ok(s, err);
            assert_true(passed);
            break;
        }
        failures++;
        assert_int_equal(s, STATUS_MEMORY);
    }
    assert_true(failures > 20);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_network_passes),
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
