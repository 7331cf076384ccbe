/* The team: threads that sleep between jobs, and barriers that spin for a while before they sleep.
 */
#include "host/cpu/team.h"

#include "host/clock.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

/* of libgomp, which oneDNN brings along; its header belongs to the compiler, and not every one has
 * it */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int threads);

/* How long a thread waits before it sleeps. Waking it takes the kernel tens of microseconds, longer
 * than most levels of a network take to compute, and it may then wake on the core of who woke it:
 * within a job, where the others are sure to come, it waits longer than for the next job. Every so
 * many pauses it lets others run, so that those it waits for can use its core. */
enum { JOB_WAIT_NS = 100000, PHASE_WAIT_NS = 1000000, PAUSES = 64 };

typedef struct member {
    struct team *team;
    pthread_t thread;
    uint32_t index;
} member;

/* A number that only grows, and somebody to wake when it does. */
typedef struct event {
    atomic_uint value;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} event;

struct team {
    allocator alloc;
    uint32_t members, started;
    member *others; /* all but the caller */
    event job_begun, phase;
    atomic_uint arrived;
    team_job job; /* NULL: go home */
    void *user;
};

static void pause_briefly(void)
{
#if defined(__SSE__)
    _mm_pause();
#endif
}

static bool event_create(event *e)
{
    atomic_init(&e->value, 0);
    if (pthread_mutex_init(&e->lock, NULL) != 0) {
        return false;
    }
    if (pthread_cond_init(&e->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&e->lock);
        return false;
    }
    return true;
}

static void event_destroy(event *e)
{
    (void)pthread_cond_destroy(&e->changed);
    (void)pthread_mutex_destroy(&e->lock);
}

static void event_advance(event *e)
{
    (void)pthread_mutex_lock(&e->lock);
    (void)atomic_fetch_add(&e->value, 1);
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->lock);
}

static bool has_moved(event *e, unsigned seen)
{
    return atomic_load_explicit(&e->value, memory_order_acquire) != seen;
}

/* returns once the value is no longer `seen` */
static void event_await(event *e, unsigned seen, uint64_t wait_ns)
{
    const uint64_t since = clock_ns();
    do {
        for (int i = 0; i < PAUSES; i++) {
            if (has_moved(e, seen)) {
                return;
            }
            pause_briefly();
        }
        (void)sched_yield();
    } while (clock_ns() - since <= wait_ns);
    (void)pthread_mutex_lock(&e->lock);
    while (atomic_load(&e->value) == seen) {
        (void)pthread_cond_wait(&e->changed, &e->lock);
    }
    (void)pthread_mutex_unlock(&e->lock);
}

thread_settings thread_settings_enter(void)
{
    thread_settings before = {0, omp_get_max_threads()};
#if defined(__SSE__)
    enum { FLUSH_TO_ZERO = 0x8000, DENORMALS_ARE_ZERO = 0x0040 };
    before.floating = _mm_getcsr();
    _mm_setcsr(before.floating | FLUSH_TO_ZERO | DENORMALS_ARE_ZERO);
#endif
    omp_set_num_threads(1);
    return before;
}

void thread_settings_leave(const thread_settings *before)
{
#if defined(__SSE__)
    _mm_setcsr(before->floating);
#endif
    omp_set_num_threads(before->threads);
}

void team_barrier(team *t)
{
    const unsigned seen = atomic_load(&t->phase.value);
    if (atomic_fetch_add(&t->arrived, 1) + 1 == t->members) {
        atomic_store(&t->arrived, 0);
        event_advance(&t->phase);
    } else {
        event_await(&t->phase, seen, PHASE_WAIT_NS);
    }
}

static void *member_main(void *argument)
{
    const member *m = argument;
    team *t = m->team;
    (void)thread_settings_enter();
    for (unsigned seen = 0;; seen++) {
        event_await(&t->job_begun, seen, JOB_WAIT_NS);
        if (!t->job) {
            return NULL;
        }
        t->job(t->user, m->index);
        team_barrier(t);
    }
}

void team_run(team *t, team_job job, void *user)
{
    const thread_settings before = thread_settings_enter();
    if (t->members > 1) {
        t->job = job;
        t->user = user;
        event_advance(&t->job_begun);
        job(user, 0);
        team_barrier(t);
    } else {
        job(user, 0);
    }
    thread_settings_leave(&before);
}

uint32_t team_members(const team *t)
{
    return t->members;
}

/* The program's signals stay with the threads that expect them. */
static status start(team *t, error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    status code = STATUS_OK;
    while (code == STATUS_OK && t->started + 1 < t->members) {
        member *m = &t->others[t->started];
        *m = (member){.team = t, .index = t->started + 1};
        if (pthread_create(&m->thread, NULL, member_main, m) == 0) {
            t->started++;
        } else {
            code = error_set(err, STATUS_MEMORY, "the system refuses thread %u of %u",
                             t->started + 2, t->members);
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

status team_create(const allocator *a, uint32_t members, team **out, error *err)
{
    team *t = memory_allocate(a, 1, sizeof *t);
    member *others = members > 1 ? memory_allocate(a, members - 1, sizeof *others) : NULL;
    if (!t || (members > 1 && !others)) {
        memory_release(a, t);
        memory_release(a, others);
        return error_set(err, STATUS_MEMORY, "out of memory for %u threads", members);
    }
    t->alloc = *a;
    t->members = members;
    t->others = others;
    atomic_init(&t->arrived, 0);
    const bool job_event = event_create(&t->job_begun);
    if (!job_event || !event_create(&t->phase)) {
        if (job_event) {
            event_destroy(&t->job_begun);
        }
        memory_release(a, others);
        memory_release(a, t);
        return error_set(err, STATUS_MEMORY, "out of memory for %u threads", members);
    }
    status code = start(t, err);
    if (code != STATUS_OK) {
        team_destroy(t);
        return code;
    }
    *out = t;
    return STATUS_OK;
}

void team_destroy(team *t)
{
    if (!t) {
        return;
    }
    t->job = NULL;
    if (t->started > 0) {
        event_advance(&t->job_begun);
    }
    for (uint32_t i = 0; i < t->started; i++) {
        (void)pthread_join(t->others[i].thread, NULL);
    }
    event_destroy(&t->job_begun);
    event_destroy(&t->phase);
    allocator a = t->alloc;
    memory_release(&a, t->others);
    memory_release(&a, t);
}
