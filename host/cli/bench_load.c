/* The clocks of a device while it computes. Before and after a run it idles, and an idle GPU's
 * clocks say nothing of those that it was timed with; and to ask while something is timed would
 * disturb it. So the batch is computed once more, for as long as the answer takes on another
 * thread. */
#include "host/cli/bench_document.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* clocks rise within that; less where measurements may not take as long */
#define LOAD_SECONDS 0.3

enum { MOST_RUNS = 4096 };

typedef struct load {
    const vkdet_device_info *device;
    double seconds;
    json_t *clocks;
    atomic_bool read;
} load;

static void *load_read(void *user)
{
    load *l = user;
    bench_sleep_until(bench_now() + l->seconds);
    l->clocks = bench_host_clocks(l->device, 1);
    atomic_store(&l->read, true);
    return NULL;
}

/* At least until what is to be read has been read; false when the device failed. */
static bool load_run(const bench *b, const bench_case *c, const vkdet_pixels *list, load *l)
{
    uint32_t runs = 1;
    bool works = true;
    while (works && !atomic_load(&l->read) && bench_goes_on()) {
        uint64_t ns = 0;
        works = vkdet_session_repeat(c->session, list, c->batch, &b->wish.detect, runs, &ns) ==
                VKDET_OK;
        /* a call is long beside what it costs to make, and short beside a reading */
        runs = ns < 50000000u && runs < MOST_RUNS ? 2 * runs : runs;
    }
    return works;
}

void bench_note_load(bench *b, const bench_case *c)
{
    pthread_t thread;
    load l = {.device = &c->device, .seconds = fmin(LOAD_SECONDS, b->wish.rule.max_seconds)};
    vkdet_pixels *list = calloc(c->batch, sizeof *list);
    json_t *all = json_object_get(b->document, "under_load");
    if (!list || !bench_goes_on() || pthread_create(&thread, NULL, load_read, &l) != 0) {
        free(list);
        return;
    }
    for (uint32_t i = 0; i < c->batch; i++) {
        list[i] = b->inputs.pixels[bench_input_at(&b->inputs, i)];
    }
    const bool works = load_run(b, c, list, &l);
    (void)pthread_join(thread, NULL);
    free(list);
    json_t *entry = json_pack("{s:s, s:s, s:I}", "device", c->device.id, "precision",
                              vkdet_precision_name(c->precision), "batch", (json_int_t)c->batch);
    if (works && bench_goes_on()) {
        (void)json_object_update(entry, l.clocks);
        (void)json_array_append(all, entry);
    }
    json_decref(entry);
    json_decref(l.clocks);
}
