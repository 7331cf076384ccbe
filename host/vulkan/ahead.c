/* Compiling ahead, for drivers that compile a pipeline when it first runs, on the one thread that
 * their queue has (QUIRK_COMPILES_LATE): the first picture would wait for one after the other, on
 * one processor of all there are.
 *
 * A pipeline that runs for no workgroups is compiled and does nothing else. The session's device
 * runs its pipelines so; as soon as one takes as long as compiling does, threads help with those
 * that are left, each on a device, and so a queue, of its own. What they compile the session's
 * device finds in the cache that the driver keeps for all of them. Where that is switched off,
 * their work is lost. What a thread fails to compile, for want of memory or of threads for its
 * device, is compiled when it first runs, as without this. */
#include "host/clock.h"
#include "host/processors.h"
#include "host/vulkan/check.h"
#include "host/vulkan/session.h"

#include <pthread.h>
#include <stdatomic.h>

enum { MAX_HELPERS = 7 };

typedef struct ahead {
    const vulkan_instance *instance;
    uint32_t index;
    const backend_params *params;
    session *s;
    atomic_uint next; /* the first pipeline that nobody has taken */
    pthread_mutex_t allocating;
} ahead;

typedef struct helper {
    ahead *shared;
    uint32_t first; /* the pipeline it begins with */
    pthread_t thread;
    status code;
    error err;
} helper;

/* The caller's allocator need not stand threads that the caller does not know of. */
static void *allocate(void *user, size_t size)
{
    ahead *a = user;
    (void)pthread_mutex_lock(&a->allocating);
    void *memory = a->params->alloc->allocate(a->params->alloc->user, size);
    (void)pthread_mutex_unlock(&a->allocating);
    return memory;
}

static void release(void *user, void *memory)
{
    ahead *a = user;
    (void)pthread_mutex_lock(&a->allocating);
    a->params->alloc->release(a->params->alloc->user, memory);
    (void)pthread_mutex_unlock(&a->allocating);
}

static bool take(ahead *a, uint32_t *pipeline)
{
    *pipeline = atomic_fetch_add(&a->next, 1);
    return *pipeline < a->s->pipes.unique_count;
}

static status run_empty(session *s, uint32_t pipeline, error *err)
{
    const device *d = &s->dev;
    const uint32_t push[PLAN_MAX_PUSH] = {0};
    const status code = transfer_begin(s, err);
    if (code) {
        return code;
    }
    const VkCommandBuffer c = s->transfer.commands;
    d->call.CmdBindDescriptorSets(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipes.layout, 0, 1,
                                  &s->slots[0].set, 0, NULL);
    d->call.CmdBindPipeline(c, VK_PIPELINE_BIND_POINT_COMPUTE, s->pipes.unique[pipeline]);
    d->call.CmdPushConstants(c, s->pipes.layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof push, push);
    d->call.CmdDispatch(c, 0, 1, 1);
    return transfer_finish(s, err);
}

/* the plan of a session that has one pipeline of p's and nothing else */
static plan plan_of_one(const plan *p, const pipelines *pipes, uint32_t pipeline)
{
    size_t step = 0;
    while (pipes->of_step[step] != pipeline) {
        step++;
    }
    plan one = *p;
    one.head = NULL;
    one.options.keep_all = one.options.keep_outputs = false;
    one.steps = &p->steps[step];
    one.step_count = 1;
    one.buffer_count = 0;
    one.arena_words = one.weight_words = one.result_words = 0;
    return one;
}

static status help(ahead *a, uint32_t pipeline, error *err)
{
    static const logger silent = {0};
    const allocator one_at_a_time = {allocate, release, a};
    backend_params params = *a->params;
    params.alloc = &one_at_a_time;
    params.log = &silent; /* what there is to say of the device was said */
    params.head = NULL;
    params.max_batch = params.slots = 1;
    params.cache_dir = NULL;
    status code = STATUS_OK;
    backend *b = NULL;
    plan one; /* of the session behind b */
    do {
        one = plan_of_one(a->s->plan, &a->s->pipes, pipeline);
        code = b ? session_replan((session *)b, &one, err)
                 : vulkan_backend_create(a->instance, a->index, &params, &one, &b, err);
        if (!code) {
            code = run_empty((session *)b, 0, err);
        }
    } while (!code && take(a, &pipeline));
    if (b) {
        b->call->destroy(b);
    }
    return code;
}

static void *helper_run(void *user)
{
    helper *h = user;
    h->code = help(h->shared, h->first, &h->err);
    return NULL;
}

status compile_ahead(const vulkan_instance *v, uint32_t index, const backend_params *params,
                     uint64_t compiling_ns, session *s, error *err)
{
    ahead a = {.instance = v,
               .index = index,
               .params = params,
               .s = s,
               .allocating = PTHREAD_MUTEX_INITIALIZER};
    atomic_init(&a.next, 0);
    helper helpers[MAX_HELPERS];
    const uint32_t processors = processors_allowed();
    const uint32_t most = processors - 1 < MAX_HELPERS ? processors - 1 : MAX_HELPERS;
    uint32_t started = 0, pipeline;
    status code = STATUS_OK;
    if (processors < 2 || s->pipes.unique_count < 2) {
        return STATUS_OK;
    }
    while (!code && take(&a, &pipeline)) {
        const uint64_t before = clock_ns();
        code = run_empty(s, pipeline, err);
        const bool compiled = clock_ns() - before >= compiling_ns;
        while (!code && compiled && started < most && take(&a, &pipeline)) {
            helper *h = &helpers[started];
            *h = (helper){.shared = &a, .first = pipeline};
            if (pthread_create(&h->thread, NULL, helper_run, h)) {
                code = run_empty(s, pipeline, err);
                break;
            }
            started++;
        }
    }
    atomic_store(&a.next, s->pipes.unique_count); /* after a failure nobody goes on */
    for (uint32_t i = 0; i < started; i++) {
        (void)pthread_join(helpers[i].thread, NULL);
        if (helpers[i].code) {
            log_write(s->log, LOG_compiled_ahead, "%s: a thread that helped stopped: %s",
                      s->dev.physical->properties.deviceName, helpers[i].err.text);
        }
    }
    if (started) {
        log_write(s->log, LOG_compiled_ahead, "%s: %u pipelines compiled, %u threads helped",
                  s->dev.physical->properties.deviceName, s->pipes.unique_count, started);
    }
    return code;
}
