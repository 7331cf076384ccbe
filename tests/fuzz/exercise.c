/* Passes and planner over hostile graphs. */
#include "tests/fuzz/exercise.h"

#include "engine/passes.h"
#include "engine/plan.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { FUZZ_MAX_LIVE = 256 << 20, FUZZ_MAX_PACKED = 1 << 20 };

static size_t live;

static void *allocate(void *user, size_t size)
{
    (void)user;
    if (size > FUZZ_MAX_LIVE || live + size > FUZZ_MAX_LIVE) {
        fprintf(stderr, "%zu bytes asked for, %zu live\n", size, live);
        abort();
    }
    void *memory = malloc(size);
    live += memory ? malloc_usable_size(memory) : 0;
    return memory;
}

static void release(void *user, void *memory)
{
    (void)user;
    live -= memory ? malloc_usable_size(memory) : 0;
    free(memory);
}

const allocator fuzz_allocator = {allocate, release, NULL};

static void expect(bool good, const char *what, const error *err)
{
    if (!good) {
        fprintf(stderr, "%s: %s: %s\n", what, status_name(err->code), err->text);
        abort();
    }
}

void fuzz_exercise(const graph *g, const preprocess *pre, const detector_head *head)
{
    graph *copy = NULL;
    plan *p = NULL;
    error err = {0};
    const plan_options options = {0};
    expect(graph_clone(g, &fuzz_allocator, &copy, &err) == STATUS_OK, "clone", &err);
    status code = passes_run(copy, &err);
    /* a batch-norm may be refused for its numbers; a graph that a pass has broken is a bug */
    expect(code == STATUS_OK || code == STATUS_LIMIT ||
               (code == STATUS_MODEL && graph_validate(copy, NULL) == STATUS_OK),
           "passes", &err);
    if (code == STATUS_OK) {
        code = plan_create(&fuzz_allocator, copy, pre, head, &options, &p, &err);
        expect(code == STATUS_OK || code == STATUS_LIMIT || code == STATUS_UNSUPPORTED, "plan",
               &err);
    }
    if (code == STATUS_OK && p->weight_words <= FUZZ_MAX_PACKED) {
        float *words = memory_allocate(&fuzz_allocator, p->weight_words + 1, sizeof *words);
        plan_pack_weights(p, words);
        memory_release(&fuzz_allocator, words);
    }
    plan_destroy(p);
    graph_destroy(copy);
}
