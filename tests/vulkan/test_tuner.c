/* The tuner: what it chooses is kept and taken from there, computes the same bits, and whatever
 * goes wrong on the way (a damaged file, a driver that refuses, any call, any allocation) leaves a
 * plan that runs and nothing else behind. Nothing here depends on which candidate is faster, or on
 * how long anything takes: where time counts it is a made-up one. */
#include "tests/vulkan/cases.h"
#include "tests/vulkan/judge.h"
#include "tests/vulkan/shim.h"

#include "host/vulkan/cache_file.h"
#include "host/vulkan/tune_store.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEED = 20251123, MOST_CALLS = 4000, SOME = 30, STRIDE = 401, KEY = TUNE_KEY_BYTES };

static size_t compared;
static char folder[] = "/tmp/vkdet-test-XXXXXX", file[600];
static const kernel_case depthwise = {.name = "depthwise",
                                      .op = OP_DEPTHWISE,
                                      .h = 12,
                                      .w = 13,
                                      .c = 8,
                                      .kernel_h = 3,
                                      .same = true,
                                      .act = {.kind = ACTIVATION_RELU}};

/* Choices in `folder`: how many; the first one's path is left in `file`. */
static size_t kept_files(void)
{
    size_t count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strncmp(e->d_name, "tuning-", 7) == 0) {
            (void)snprintf(file, sizeof file, "%s/%.300s", folder, e->d_name);
            count++;
        }
    }
    (void)closedir(d);
    return count;
}

static void write_file(const unsigned char *bytes, size_t size)
{
    FILE *f = fopen(file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* A clock on which a pipeline takes so long to make, and a submission so long to run; pipelines
 * that come later make steps that are faster. */
static struct {
    uint64_t pipeline_ns, submission_ns; /* both 0: the real one */
} made_up;

int __real_clock_gettime(clockid_t id, struct timespec *out);
int __wrap_clock_gettime(clockid_t id, struct timespec *out);

int __wrap_clock_gettime(clockid_t id, struct timespec *out)
{
    if (made_up.pipeline_ns == 0 && made_up.submission_ns == 0) {
        return __real_clock_gettime(id, out);
    }
    const uint64_t now =
        shim.calls * made_up.pipeline_ns + shim.submissions * made_up.submission_ns;
    *out = (struct timespec){(time_t)(now / 1000000000u), (long)(now % 1000000000u)};
    shim.tick = 50000 / (1 + shim.calls);
    return 0;
}

/* Everything from an instance to a plan that was tuned, and a run of it. */
typedef struct life {
    const allocator *alloc;
    const char *cache_dir;
    vkdet_tune how;
    bool kept_only, run;
    uint8_t choices[8]; /* what came out */
    uint32_t count;
    uint8_t variants[8];
} life;

static status tune(network *n, const life *l, error *err)
{
    const backend_params wanted = {
        .alloc = l->alloc,
        .log = &rig.log,
        .graph = n->graph,
        .preprocess = &n->preprocess,
        .max_batch = 3,
        .slots = 2,
        .keep_all = true,
        .cache_dir = l->cache_dir,
    };
    const tune_params params = {.session = &wanted, .how = l->how, .kept_only = l->kept_only};
    return vulkan_tune(n->instance, rig.device, &params, &n->plan, err);
}

static status live(life *l, error *err)
{
    static float input[12 * 13 * 8], output[12 * 13 * 8], first[12 * 13 * 8];
    network n = {.alloc = l->alloc, .keep_all = true};
    vulkan_instance *v = NULL;
    status s = kernel_case_build(&depthwise, &allocator_default, SEED, &n.graph, err);
    if (!s) {
        s = vulkan_instance_create_with(shim_loader(), l->alloc, &rig.log, rig.validate, &v, err);
    }
    n.instance = v;
    if (!s) { /* what helpers cannot compile is compiled again: which call fails would be chance */
        v->devices[rig.device].quirks &= ~(uint32_t)QUIRK_COMPILES_LATE;
        s = network_plan(&n, err);
    }
    if (!s) {
        s = tune(&n, l, err);
    }
    for (size_t i = 0; !s && i < n.plan->step_count; i++) {
        const plan_step *step = &n.plan->steps[i];
        if (step->tunable >= 0) {
            l->choices[step->tunable] = (uint8_t)step->variant_index;
            l->variants[step->tunable] = (uint8_t)step->variant_count;
        }
    }
    if (!s) {
        l->count = n.plan->tunable_count;
    }
    if (!s && l->run) {
        s = network_open(&n, err);
    }
    if (!s && l->run) {
        fill_input(input, sizeof input / sizeof *input, SEED);
        const pixels image = network_tensor(&n, input);
        s = network_run(&n, &image, 1, NULL, err);
    }
    if (!s && l->run) { /* every candidate computes the same bits */
        s = n.backend->call->read_value(n.backend, 0, 0, n.graph->outputs[0], output, err);
    }
    if (!s && l->run) {
        if (compared++) {
            assert_memory_equal(first, output, sizeof first);
        }
        memcpy(first, output, sizeof first);
    }
    network_destroy(&n);
    if (v) {
        assert_int_equal(vulkan_validation_messages(v), 0);
    }
    vulkan_instance_destroy(v);
    return s;
}

static void lives(life *l)
{
    error err = {0};
    rig_log_clear();
    shim_reset();
    l->alloc = &allocator_default;
    assert_status_ok(live(l, &err), err);
    assert_int_equal(shim.live, 0);
}

/* --- keeping --- */

static void test_kept(void **state)
{
    (void)state;
    life first = {.cache_dir = folder, .how = VKDET_TUNE_FULL};
    lives(&first);
    assert_int_equal(rig_logged("tuned"), 1);
    assert_int_equal(kept_files(), 1);
    assert_true(first.count == 1 && first.variants[0] > 3);
    const size_t submitted = shim.submissions;
    assert_true(submitted > 3u * first.variants[0]);

    const vkdet_tune again[] = {VKDET_TUNE_QUICK, VKDET_TUNE_FULL};
    for (size_t i = 0; i < 2; i++) {
        life next = {.cache_dir = folder, .how = again[i], .kept_only = i == 1};
        lives(&next);
        assert_int_equal(rig_logged("tuned"), 0);
        assert_int_equal(rig_logged("tuning-loaded"), 1);
        assert_int_equal(shim.submissions, 0); /* nothing ran */
        assert_memory_equal(next.choices, first.choices, sizeof first.choices);
    }
    assert_int_equal(kept_files(), 1);
    assert_int_equal(unlink(file), 0);
}

/* Quick's choices are tried anew by full, not by quick. */
static void test_quick_then_full(void **state)
{
    (void)state;
    static const struct {
        vkdet_tune how;
        size_t tuned;
    } steps[] = {{VKDET_TUNE_QUICK, 1},
                 {VKDET_TUNE_QUICK, 0},
                 {VKDET_TUNE_FULL, 1},
                 {VKDET_TUNE_FULL, 0},
                 {VKDET_TUNE_QUICK, 0}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        life l = {.cache_dir = folder, .how = steps[i].how};
        lives(&l);
        assert_int_equal(rig_logged("tuned"), steps[i].tuned);
        assert_int_equal(kept_files(), 1);
    }
    assert_int_equal(unlink(file), 0);
}

/* Without a folder nothing is kept, and nothing is read. */
static void test_no_folder(void **state)
{
    (void)state;
    life l = {.how = VKDET_TUNE_QUICK};
    lives(&l);
    assert_int_equal(rig_logged("tuned"), 1);
    l.kept_only = true;
    lives(&l);
    assert_int_equal(rig_logged("tuned"), 0);
    assert_int_equal(shim.submissions, 0);
    assert_int_equal(l.choices[0], 0);
    assert_int_equal(kept_files(), 0);
}

static void test_folder_refused(void **state)
{
    (void)state;
    life l = {.cache_dir = "/proc/nowhere/vkdet", .how = VKDET_TUNE_QUICK, .run = true};
    lives(&l);
    assert_int_equal(rig_logged("tuned"), 1);
    assert_int_equal(rig_logged("tuning-not-kept"), 1);
    assert_false(vulkan_tune_keeps(&allocator_default, l.cache_dir));
    assert_true(vulkan_tune_keeps(&allocator_default, folder));
}

/* How many plans quick tries when a pipeline and a submission cost so much, and when it ends. The
 * comparison of what was chosen with the defaults is part of it, since later plans are faster. */
static uint32_t quick_plans(uint64_t pipeline_ns, uint64_t submission_ns, uint64_t *ended_ns)
{
    error err = {0};
    life l = {.alloc = &allocator_default, .how = VKDET_TUNE_QUICK};
    rig_log_clear();
    shim_reset();
    shim.fail_one = "vkCreateComputePipelines"; /* counted in shim.calls; none fails */
    made_up.pipeline_ns = pipeline_ns;
    made_up.submission_ns = submission_ns;
    const status s = live(&l, &err);
    made_up.pipeline_ns = made_up.submission_ns = 0;
    assert_status_ok(s, err);
    *ended_ns = shim.calls * pipeline_ns + shim.submissions * submission_ns;
    const char *tried = strchr(rig_log_last("tuned"), '(');
    assert_non_null(tried);
    const uint32_t plans = (uint32_t)strtoul(tried + 1, NULL, 10);
    assert_int_equal(l.choices[0] != 0, plans > 1);
    return plans;
}

/* It ends within two seconds, unless the first plan alone takes longer: then that is all. */
static void test_quick_ends(void **state)
{
    (void)state;
    enum { MS = 1000000 };
    static const struct {
        uint64_t pipeline, submission; /* what one takes, in milliseconds */
        bool several;                  /* there is time for */
    } rows[] = {{0, 1, true},   {1, 1, true},    {0, 20, true},   {20, 20, true},
                {60, 10, true}, {160, 1, false}, {900, 1, false}, {0, 300, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t ended = 0;
        const uint32_t plans = quick_plans(rows[i].pipeline * MS, rows[i].submission * MS, &ended);
        if ((plans > 1) != rows[i].several || (ended > 2000 * (uint64_t)MS && plans > 1)) {
            fail_msg("a pipeline of %u ms, a run of %u: %u plans, %u ms",
                     (uint32_t)rows[i].pipeline, (uint32_t)rows[i].submission, plans,
                     (uint32_t)(ended / MS));
        }
    }
}

/* --- files --- */

/* the file of test_damaged with its sum made right again */
static void seal(unsigned char *bytes, size_t size)
{
    bytes_put(bytes + size - 8, bytes_hash(BYTES_HASH_SEED, bytes, size - 8), 8);
}

/* what lies there is ignored with one line; nothing is chosen */
static void assert_file_ignored(void)
{
    life l = {.cache_dir = folder, .how = VKDET_TUNE_QUICK, .kept_only = true};
    lives(&l);
    assert_int_equal(rig_logged("tuning-ignored"), 1);
    assert_int_equal(rig_logged("tuning-loaded"), 0);
    assert_int_equal(l.choices[0], 0);
}

static void assert_ignored(const unsigned char *bytes, size_t size)
{
    write_file(bytes, size);
    assert_file_ignored();
}

static void test_damaged(void **state)
{
    (void)state;
    size_t size = 0;
    life l = {.cache_dir = folder, .how = VKDET_TUNE_QUICK};
    lives(&l);
    assert_int_equal(kept_files(), 1);
    unsigned char *good = test_read_file(file, &size);
    assert_true(good && size == KEY + 8 + 1 + 8);
    /* every candidate that there is can be asked for; the one behind them cannot */
    for (uint8_t k = 0; k <= l.variants[0]; k++) {
        good[KEY + 8] = k;
        seal(good, size);
        if (k == l.variants[0]) {
            assert_ignored(good, size);
            break;
        }
        write_file(good, size);
        life asked = {
            .cache_dir = folder, .how = VKDET_TUNE_QUICK, .kept_only = true, .run = k % 3 == 0};
        lives(&asked);
        assert_int_equal(rig_logged("tuning-loaded"), 1);
        assert_int_equal(asked.choices[0], k);
    }
    good[KEY + 8] = 1;
    seal(good, size);
    for (size_t i = 0; i < size; i += 3) { /* a byte that is wrong, with the sum and without */
        good[i] ^= 0x20;
        assert_ignored(good, size);
        if (i < KEY + 8 && i != KEY) {
            unsigned char *sealed = malloc(size);
            assert_non_null(sealed);
            memcpy(sealed, good, size);
            seal(sealed, size);
            assert_ignored(sealed, size);
            free(sealed);
        }
        good[i] ^= 0x20;
    }
    for (size_t cut = 0; cut < size; cut += 7) {
        assert_ignored(good, cut);
    }
    good = realloc(good, size + 1);
    assert_non_null(good);
    good[size] = 0;
    assert_ignored(good, size + 1);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkfifo(file, 0600), 0); /* nobody writes to it: not waited for */
    assert_file_ignored();
    lives(&l); /* chosen anew, and the file is whole again */
    assert_int_equal(rig_logged("tuned"), 1);
    lives(&l);
    assert_int_equal(rig_logged("tuning-loaded"), 1);
    free(good);
    assert_int_equal(unlink(file), 0);
}

/* what of the key is in the file's name is in the file too */
static void test_key(void **state)
{
    (void)state;
    uint8_t choices[2] = {1, 0}, out[2], variants[2] = {2, 1};
    unsigned char bytes[KEY + 8 + 2 + 8] = {0};
    const physical_device *gpu = &rig.instance->devices[rig.device];
    physical_device other = *gpu;
    other.properties.driverVersion++;
    tune_key key, wrong[5];
    vkdet_tune how;
    tune_key_make(gpu, PLAN_FP32, WINOGRAD_AUTO, 4, 77, &key);
    memcpy(bytes, key.bytes, KEY);
    bytes[KEY] = VKDET_TUNE_FULL;
    bytes[KEY + 4] = 2;
    memcpy(bytes + KEY + 8, choices, 2);
    seal(bytes, sizeof bytes);
    assert_null(tune_parse(bytes, sizeof bytes, &key, variants, 2, &how, out));
    assert_int_equal(how, VKDET_TUNE_FULL);
    assert_memory_equal(out, choices, 2);
    tune_key_make(gpu, PLAN_FP16, WINOGRAD_AUTO, 4, 77, &wrong[0]);
    tune_key_make(gpu, PLAN_FP32, WINOGRAD_AUTO, 8, 77, &wrong[1]);
    tune_key_make(gpu, PLAN_FP32, WINOGRAD_AUTO, 4, 78, &wrong[2]);
    tune_key_make(&other, PLAN_FP32, WINOGRAD_AUTO, 4, 77, &wrong[3]);
    tune_key_make(gpu, PLAN_FP32, WINOGRAD_ALWAYS, 4, 77, &wrong[4]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_non_null(tune_parse(bytes, sizeof bytes, &wrong[i], variants, 2, &how, out));
    }
    assert_non_null(tune_parse(bytes, sizeof bytes, &key, variants, 1, &how, out));
    const uint32_t batches[][2] = {{1, 1}, {2, 2}, {3, 2}, {64, 64}, {100, 64}, {4096, 4096}};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        assert_int_equal(vulkan_tune_batch(batches[i][0]), batches[i][1]);
    }
}

/* --- the device --- */

static void test_no_clock(void **state)
{
    (void)state;
    error err = {0};
    life l = {
        .alloc = &allocator_default, .cache_dir = folder, .how = VKDET_TUNE_FULL, .run = true};
    rig_log_clear();
    shim_reset();
    shim.timestamp_bits = 65;
    assert_status_ok(live(&l, &err), err);
    assert_int_equal(rig_logged("tuning-skipped"), 1);
    assert_int_equal(l.choices[0], 0);
    assert_int_equal(kept_files(), 0);
}

/* The driver does not build one candidate: the others are tried all the same. */
static void test_refused_candidate(void **state)
{
    (void)state;
    error err = {0};
    life l = {.alloc = &allocator_default, .how = VKDET_TUNE_FULL, .run = true};
    rig_log_clear();
    shim_reset();
    shim.fail_one = "vkCreateComputePipelines";
    shim.fail_at = 9; /* behind those of the defaults */
    shim.fail_with = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    assert_status_ok(live(&l, &err), err);
    assert_non_null(shim.failed);
    assert_int_equal(shim.live, 0);
    assert_int_equal(rig_logged("tuning-skipped"), 1);
    assert_non_null(strstr(rig_log_last("tuning-skipped"), "candidate"));
    assert_int_equal(rig_logged("tuned"), 1);
}

/* Every call up to SOME and then one of STRIDE: plans repeat themselves. */
static void run_calls(VkResult code, status expected, bool all_later)
{
    size_t failures = 0;
    for (size_t at = 1; at < MOST_CALLS; at += at < SOME ? 1 : STRIDE) {
        error err = {0};
        test_allocator counted;
        test_allocator_init(&counted, 0);
        life l = {.alloc = &counted.alloc, .how = VKDET_TUNE_QUICK};
        shim_reset();
        shim.fail_at = at;
        shim.fail_on = all_later;
        shim.fail_with = code;
        const status s = live(&l, &err);
        if (shim.live != 0 || counted.live != 0) {
            fail_msg("call %zu, %s fails: %zu Vulkan objects and %zu allocations are left", at,
                     shim.failed, shim.live, counted.live);
        }
        if (!shim.failed) {
            assert_status_ok(s, err);
            break;
        }
        failures++;
        const bool unasked = strcmp(shim.failed, "vkEnumerateDeviceExtensionProperties") == 0 ||
                             strcmp(shim.failed, "vkCreateInstance") == 0;
        if (s != STATUS_OK && s != expected && !(unasked && s == STATUS_DEVICE)) {
            fail_msg("call %zu, %s fails with %d: status %s: %s", at, shim.failed, (int)code,
                     status_name(s), err.text);
        }
    }
    assert_true(failures >= SOME);
}

static void test_calls(void **state)
{
    (void)state;
    run_calls(VK_ERROR_OUT_OF_DEVICE_MEMORY, STATUS_DEVICE, false);
    run_calls(VK_ERROR_OUT_OF_HOST_MEMORY, STATUS_MEMORY, false);
    run_calls(VK_ERROR_DEVICE_LOST, STATUS_DEVICE_LOST, true);
}

static void test_allocations(void **state)
{
    (void)state;
    size_t failures = 0;
    for (size_t at = 1; at < MOST_CALLS; at += at < 4 * SOME ? 2 : SOME) {
        error err = {0};
        test_allocator failing;
        test_allocator_init(&failing, at);
        life l = {.alloc = &failing.alloc, .how = VKDET_TUNE_QUICK};
        shim_reset();
        const status s = live(&l, &err);
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
    }
    assert_true(failures > SOME);
}

static int setup(void **state)
{
    return mkdtemp(folder) ? rig_setup(state) : -1;
}

static int teardown(void **state)
{
    (void)rmdir(folder); /* every test takes its files away */
    return rig_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_quick_then_full),
        cmocka_unit_test(test_quick_ends),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_folder_refused),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_no_clock),
        cmocka_unit_test(test_refused_candidate),
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
