/* A team of threads that run one job together and meet at barriers inside it. The calling thread is
 * its first member, so a team of one has no threads of its own.
 *
 * While a thread works for a team, subnormal numbers count as zero (they can cost a hundred times
 * an ordinary product) and OpenMP, which oneDNN is built on, is told to use one thread; both are
 * settings of a thread, and the caller's are put back when the job is done. */
#ifndef HOST_CPU_TEAM_H
#define HOST_CPU_TEAM_H

#include "engine/memory.h"
#include "engine/status.h"

#include <stdint.h>

typedef struct team team;
typedef void (*team_job)(void *user, uint32_t member);

/* members of 1 .. */
status team_create(const allocator *a, uint32_t members, team **out, error *err);
void team_destroy(team *t);
uint32_t team_members(const team *t);

/* Calls job(user, member) once on every member and returns when all have come back. */
void team_run(team *t, team_job job, void *user);
/* For use inside a job, by all members: returns when every one has arrived. */
void team_barrier(team *t);

/* the calling thread's settings, for work outside a job */
typedef struct thread_settings {
    uint32_t floating;
    int threads;
} thread_settings;
thread_settings thread_settings_enter(void);
void thread_settings_leave(const thread_settings *before);

#endif
