/* The tuner: tries the candidates of every step on the device and keeps the fastest.
 *
 * Plan number k takes candidate k of every step that has so many, so that as many plans are built
 * as the longest list has candidates. Each is run on a noise picture with a timestamp around every
 * step. A step leaves its default only for a candidate that is faster by more than both scatter;
 * and the plan that comes out must, as a whole, not be slower than the defaults. What was chosen is
 * kept on disk (tune_store.c), so that a device stays with it; on a noisy machine another tuning
 * may choose otherwise.
 *
 * A driver that refuses a candidate costs that plan and no more. Pipelines of candidates live in
 * memory alone: only those of the chosen plan, which the session builds, reach the cache on disk.
 */
#include "host/clock.h"
#include "host/vulkan/cache_file.h"
#include "host/vulkan/session.h"
#include "host/vulkan/tune_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 31, QUICK_RUNS = 11, LEAST_RUNS = 3, FULL_ROUNDS = 3, TOTAL_RUNS = 9 };

#define SECOND 1000000000u
/* of the host's time: quick begins no plan that would not end within QUICK_NS, the comparison at
 * the end included, if it cost as much as the dearest so far. So it ends by then, but for a first
 * plan that alone takes longer (a driver may compile for seconds) and a later one that is dearer
 * than all before it. How long one plan is run; how long clocks are given to rise before anything
 * counts. */
#define QUICK_NS      (2 * (uint64_t)SECOND)
#define QUICK_PLAN_NS ((uint64_t)SECOND / 20)
#define FULL_PLAN_NS  ((uint64_t)SECOND / 2)
#define WARM_NS       ((uint64_t)SECOND / 10)
#define MARGIN        0.02 /* smaller gains are not worth leaving the default for */

/* of one candidate of one step, in nanoseconds; not measured: median 0 */
typedef struct timing {
    double median, spread;
} timing;

typedef struct tuner {
    const tune_params *params;
    const allocator *alloc;
    const logger *log;
    const plan *defaults;
    uint32_t count;    /* of choices */
    uint32_t most;     /* candidates that a step has */
    uint8_t *variants; /* by choice: how many candidates */
    uint8_t *choices, *best;
    timing *timings; /* by choice and candidate: most a choice */
    uint64_t hash;   /* of all candidates */
    session *session;
    plan *trial; /* what the session runs, when that is not the defaults */
    pixels *images;
    unsigned char *noise;
    uint32_t batch;
    uint64_t *samples;      /* MAX_RUNS of every step; then of one choice */
    uint64_t began, making; /* when; how long the session took to make, with its first plan */
    uint64_t dearest; /* what a plan cost at most, compiled and run; of the first with all that
                       * making a session takes, until there is another */
    uint64_t again;   /* what the defaults cost that the driver had compiled before */
    uint64_t one;     /* the longest run of a plan, of the device's time */
    uint32_t tried;   /* plans, the defaults included */
} tuner;

uint32_t vulkan_tune_batch(uint32_t max_batch)
{
    uint32_t batch = 1;
    while (batch <= max_batch / 2) {
        batch *= 2;
    }
    return batch;
}

bool vulkan_tune_keeps(const allocator *a, const char *dir)
{
    return cache_folder_ready(a, dir);
}

/* --- what there is to choose --- */

static status plan_make(const tuner *t, const uint8_t *choices, plan **out, error *err)
{
    const plan *p = t->defaults;
    plan_options options = p->options;
    options.choices = choices;
    options.choice_count = choices ? t->count : 0;
    return plan_create(t->alloc, p->graph, p->preprocess, p->head, &options, out, err);
}

/* Candidate k of every step that has so many, of the others the default. */
static void choices_at(tuner *t, uint32_t k)
{
    for (uint32_t i = 0; i < t->count; i++) {
        t->choices[i] = k < t->variants[i] ? (uint8_t)k : 0;
    }
}

static void hash_plan(tuner *t, const plan *p, uint32_t k)
{
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        if (s->tunable >= 0 && s->variant_index == k) {
            t->hash = tune_step_hash(t->hash, s);
        }
    }
}

/* The candidates of all steps, and their hash: a list that changed makes what was kept useless. */
static status list_candidates(tuner *t, error *err)
{
    const plan *p = t->defaults;
    t->count = p->tunable_count;
    t->variants = memory_allocate(t->alloc, t->count, 1);
    t->choices = memory_allocate(t->alloc, t->count, 1);
    t->best = memory_allocate(t->alloc, t->count, 1);
    if (!t->variants || !t->choices || !t->best) {
        return error_set(err, STATUS_MEMORY, "out of memory for %u choices", t->count);
    }
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        if (s->tunable >= 0) {
            t->variants[s->tunable] = (uint8_t)s->variant_count;
            t->most = s->variant_count > t->most ? s->variant_count : t->most;
        }
    }
    t->hash = BYTES_HASH_SEED;
    hash_plan(t, p, 0);
    for (uint32_t k = 1; k < t->most; k++) {
        plan *candidates = NULL;
        choices_at(t, k);
        const status s = plan_make(t, t->choices, &candidates, err);
        if (s) {
            return s;
        }
        hash_plan(t, candidates, k);
        plan_destroy(candidates);
    }
    return STATUS_OK;
}

/* --- measuring --- */

/* The same noise in every picture of the batch. */
static status noise_make(tuner *t, error *err)
{
    const preprocess *pre = t->defaults->preprocess;
    const size_t row = (size_t)pre->width * 3, bytes = row * pre->height;
    t->noise = memory_allocate(t->alloc, bytes, 1);
    t->images = memory_allocate(t->alloc, t->batch, sizeof *t->images);
    t->timings = memory_allocate(t->alloc, (size_t)t->count * t->most, sizeof *t->timings);
    t->samples =
        memory_allocate(t->alloc, (t->defaults->step_count + 1) * MAX_RUNS, sizeof *t->samples);
    if (!t->noise || !t->images || !t->timings || !t->samples) {
        return error_set(err, STATUS_MEMORY, "out of memory for choosing kernels");
    }
    uint32_t state = 20200220u;
    for (size_t i = 0; i < bytes; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        t->noise[i] = (unsigned char)(state >> 24);
    }
    for (uint32_t i = 0; i < t->batch; i++) {
        t->images[i] = (pixels){PIXEL_RGB8, pre->width, pre->height, row, t->noise};
    }
    return STATUS_OK;
}

static status profile(tuner *t, uint32_t runs, uint64_t *step_ns, uint64_t *total_ns, error *err)
{
    const backend_request request = {t->images, t->batch, t->params->nms};
    backend *b = &t->session->base;
    return b->call->profile(b, &request, runs, step_ns, total_ns, err);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Median, and half the distance between the quartiles. Sorts. */
static timing timing_of(uint64_t *samples, uint32_t count)
{
    qsort(samples, count, sizeof *samples, by_number);
    const uint32_t quarter = count / 4, middle = count / 2;
    const double low = (double)samples[quarter], high = (double)samples[count - 1 - quarter];
    return (timing){(double)samples[middle], (high - low) / 2};
}

/* Makes the session run the defaults, or the plan of t->choices. */
static status session_run(tuner *t, bool defaults, error *err)
{
    plan *next = NULL;
    status s = defaults ? STATUS_OK : plan_make(t, t->choices, &next, err);
    if (!s) {
        s = session_replan(t->session, next ? next : t->defaults, err);
    }
    if (!s) {
        plan_destroy(t->trial);
        t->trial = next;
    } else { /* which of the two it holds is not known; it does not look before the next */
        plan_destroy(next);
    }
    return s;
}

/* Runs that fit into `ns`, from the time of one. */
static uint32_t runs_within(uint64_t ns, uint64_t one, uint32_t most)
{
    const uint64_t fit = ns / (one ? one : 1);
    return fit < LEAST_RUNS ? LEAST_RUNS : fit > most ? most : (uint32_t)fit;
}

/* How often a plan is run, from the time of one run. */
static uint32_t plan_runs(const tuner *t, uint64_t one)
{
    return t->params->how == VKDET_TUNE_FULL ? runs_within(FULL_PLAN_NS, one, MAX_RUNS)
                                             : runs_within(QUICK_PLAN_NS, one, QUICK_RUNS);
}

/* Times the plan that the session runs, and keeps what is faster than an earlier round's. */
static status measure(tuner *t, error *err)
{
    const plan *p = t->session->plan;
    uint64_t one = 0;
    status s = profile(t, 1, t->samples, NULL, err);
    for (size_t i = 0; !s && i < p->step_count; i++) {
        one += t->samples[i];
    }
    t->one = one > t->one ? one : t->one;
    const uint32_t runs = plan_runs(t, one);
    if (!s) {
        s = profile(t, runs, t->samples, NULL, err);
    }
    uint64_t *sums = t->samples + p->step_count * MAX_RUNS;
    for (uint32_t i = 0; !s && i < t->count; i++) {
        uint32_t chosen = 0;
        memset(sums, 0, MAX_RUNS * sizeof *sums);
        for (size_t k = 0; k < p->step_count; k++) {
            for (uint32_t r = 0; p->steps[k].tunable == (int)i && r < runs; r++) {
                sums[r] += t->samples[r * p->step_count + k];
                chosen = p->steps[k].variant_index;
            }
        }
        const timing now = timing_of(sums, runs);
        timing *kept = &t->timings[(size_t)i * t->most + chosen];
        if (now.median > 0 && (kept->median == 0 || now.median < kept->median)) {
            *kept = now;
        }
    }
    return s;
}

/* What a plan may fail with and leave the others their chance. */
static bool is_refusal(status s)
{
    return s == STATUS_DEVICE || s == STATUS_LIMIT || s == STATUS_UNSUPPORTED;
}

/* What takes less of the whole than a change must gain keeps its default: compiling its candidates
 * would cost the heavy steps theirs. */
static void leave_light(tuner *t)
{
    double all = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        all += t->timings[(size_t)i * t->most].median;
    }
    for (uint32_t i = 0; i < t->count; i++) {
        if (t->timings[(size_t)i * t->most].median < MARGIN * all) {
            t->choices[i] = 0;
        }
    }
}

/* Quick compares the two best guesses for every step (of two families, where two are near each
 * other), further ones only where there is something to gain. */
static status try_plan(tuner *t, uint32_t k, error *err)
{
    const uint64_t began = clock_ns();
    error why = {0};
    choices_at(t, k);
    if (k > 1 && t->params->how != VKDET_TUNE_FULL) {
        leave_light(t);
    }
    status s = session_run(t, k == 0, &why);
    if (!s) {
        s = measure(t, &why);
        t->tried++;
    }
    const uint64_t took = clock_ns() - began, cost = k == 0 ? t->making + took : took;
    t->dearest = cost > t->dearest || (k == 1 && !s) ? cost : t->dearest;
    t->again = k == 0 ? took : t->again;
    if (is_refusal(s) && k > 0) {
        log_write(t->log, LOG_tuning_skipped, "candidate %u: %s", k, why.text);
        return STATUS_OK;
    }
    if (s && err) {
        *err = why;
    }
    return s;
}

/* For one more plan, and for the comparison: of two plans that the driver has compiled. */
static bool has_time(const tuner *t)
{
    return clock_ns() - t->began + t->dearest + 2 * t->again <= QUICK_NS;
}

/* A round of all plans, as far as the time goes. */
static status try_all(tuner *t, error *err)
{
    const bool full = t->params->how == VKDET_TUNE_FULL;
    status s = STATUS_OK;
    for (uint32_t k = 0; !s && k < t->most; k++) {
        if (!full && k > 0 && !has_time(t)) {
            break;
        }
        s = try_plan(t, k, err);
    }
    return s;
}

/* A GPU's clocks rise while something runs. */
static status warm_up(tuner *t, error *err)
{
    const bool software = t->defaults->options.target.vendor == VENDOR_SOFTWARE;
    const uint64_t until = software ? 0 : clock_ns() + WARM_NS;
    status s = STATUS_OK;
    while (!s && clock_ns() < until) {
        s = profile(t, 1, t->samples, NULL, err);
    }
    return s;
}

/* --- choosing --- */

/* How many steps leave their default. */
static uint32_t choose(tuner *t)
{
    uint32_t changed = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const timing *all = &t->timings[(size_t)i * t->most];
        uint32_t fastest = 0;
        for (uint32_t k = 1; k < t->variants[i]; k++) {
            if (all[k].median > 0 && all[k].median < all[fastest].median) {
                fastest = k;
            }
        }
        const double gain = all[0].median - all[fastest].median;
        const double noise = all[0].spread + all[fastest].spread;
        t->best[i] = gain > noise + MARGIN * all[0].median ? (uint8_t)fastest : 0;
        changed += t->best[i] != 0;
    }
    return changed;
}

static status total(tuner *t, bool defaults, double *median, error *err)
{
    const bool full = t->params->how == VKDET_TUNE_FULL;
    const uint32_t runs = full ? TOTAL_RUNS : runs_within(QUICK_PLAN_NS, t->one, TOTAL_RUNS);
    status s = session_run(t, defaults, err);
    if (!s) {
        s = profile(t, runs, NULL, t->samples, err);
    }
    if (!s) {
        *median = timing_of(t->samples, runs).median;
    }
    return s;
}

/* The choices as a whole against the defaults: steps of a level share the device, and what one
 * leaves in its caches serves the next, which steps timed alone do not show. */
static status compare_whole(tuner *t, uint32_t *changed, double *before, double *after, error *err)
{
    memcpy(t->choices, t->best, t->count);
    status s = total(t, true, before, err);
    if (!s) {
        s = total(t, false, after, err);
    }
    if (!s && *after > *before) {
        memset(t->best, 0, t->count);
        *changed = 0;
        *after = *before;
    }
    return s;
}

static void log_tuned(const tuner *t, uint32_t changed, double before, double after)
{
    const double seconds = (double)(clock_ns() - t->began) * 1e-9;
    char gain[96] = "the defaults stay";
    if (changed) {
        (void)snprintf(gain, sizeof gain, "%u changed, %.3f ms instead of %.3f", changed,
                       after * 1e-6, before * 1e-6);
    }
    log_write(t->log, LOG_tuned,
              "%u steps of up to %u candidates, batch %u: %s (%u plans tried in %.1f s)", t->count,
              t->most, t->batch, gain, t->tried, seconds);
}

static status tune(tuner *t, error *err)
{
    const bool full = t->params->how == VKDET_TUNE_FULL;
    status s = noise_make(t, err);
    if (!s) {
        s = warm_up(t, err);
    }
    for (uint32_t round = 0; !s && round < (full ? FULL_ROUNDS : 1); round++) {
        s = try_all(t, err);
    }
    uint32_t changed = s ? 0 : choose(t);
    double before = 0, after = 0;
    if (changed) {
        s = compare_whole(t, &changed, &before, &after, err);
    }
    if (!s) {
        log_tuned(t, changed, before, after);
    }
    return s;
}

/* Measures in a session of its own: one slot, and a batch that its memory is made for. */
static status session_tune(tuner *t, const vulkan_instance *v, uint32_t index, error *err)
{
    backend_params params = *t->params->session;
    params.max_batch = t->batch;
    params.slots = 1;
    params.cache_dir = NULL;
    backend *made = NULL;
    const uint64_t began = clock_ns();
    status s = vulkan_backend_create(v, index, &params, t->defaults, &made, err);
    t->session = (session *)made;
    t->making = clock_ns() - began;
    if (!s) {
        s = tune(t, err);
    }
    if (made) {
        made->call->destroy(made);
    }
    return s;
}

/* --- the whole --- */

static void tuner_destroy(tuner *t)
{
    plan_destroy(t->trial);
    memory_release(t->alloc, t->variants);
    memory_release(t->alloc, t->choices);
    memory_release(t->alloc, t->best);
    memory_release(t->alloc, t->timings);
    memory_release(t->alloc, t->images);
    memory_release(t->alloc, t->noise);
    memory_release(t->alloc, t->samples);
}

/* Fills in t->best: what was kept, else what is measured now. */
static status find_best(tuner *t, const vulkan_instance *v, uint32_t index, error *err)
{
    const tune_params *params = t->params;
    const char *dir = params->session->cache_dir;
    const physical_device *gpu = &v->devices[index];
    tune_key key;
    vkdet_tune kept = VKDET_TUNE_OFF;
    tune_key_make(gpu, t->defaults->options.precision, t->defaults->options.winograd, t->batch,
                  t->hash, &key);
    status s = dir ? tune_store_read(t->alloc, t->log, dir, &key, t->variants, t->count, &kept,
                                     t->best, err)
                   : STATUS_OK;
    if (s || params->kept_only || kept == VKDET_TUNE_FULL || kept == params->how) {
        return s;
    }
    memset(t->best, 0, t->count);
    if (gpu->timestamp_bits == 0) {
        log_write(t->log, LOG_tuning_skipped, "%s keeps no time on its compute queue",
                  gpu->properties.deviceName);
        return STATUS_OK;
    }
    error why = {0};
    s = session_tune(t, v, index, &why);
    if (is_refusal(s)) { /* whether the session itself can be made is for it to say */
        log_write(t->log, LOG_tuning_skipped, "%s", why.text);
        memset(t->best, 0, t->count);
        return STATUS_OK;
    }
    if (s && err) {
        *err = why;
    }
    if (!s && dir) {
        tune_store_write(t->alloc, t->log, dir, &key, params->how, t->best, t->count);
    }
    return s;
}

status vulkan_tune(const vulkan_instance *v, uint32_t index, const tune_params *params, plan **p,
                   error *err)
{
    tuner t = {
        .params = params,
        .alloc = params->session->alloc,
        .log = params->session->log,
        .defaults = *p,
        .batch = vulkan_tune_batch(params->session->max_batch),
        .began = clock_ns(),
    };
    if (t.defaults->tunable_count == 0 || index >= v->device_count ||
        (params->kept_only && !params->session->cache_dir)) {
        return STATUS_OK;
    }
    plan *chosen = NULL;
    status s = list_candidates(&t, err);
    if (!s) {
        s = find_best(&t, v, index, err);
    }
    if (!s) {
        s = plan_make(&t, t.best, &chosen, err);
    }
    if (!s) {
        plan_destroy(*p);
        *p = chosen;
    }
    tuner_destroy(&t);
    return s;
}
