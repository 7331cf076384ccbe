/* The functions of vkdet.h that the batcher calls. */
#include "tests/serve/fake_vkdet.h"

#include "tests/support/failing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vkdet_session {
    vkdet_result results[FAKE_BATCH];
    vkdet_detection detections[FAKE_BATCH];
    bool used; /* by a thread, now */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    vkdet_device_kind kind;
    uint32_t refused, lost;
    bool shut;
    fake_call calls[FAKE_CALLS];
    size_t call_count, sessions, live, fail_at;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void fake_reset(vkdet_device_kind kind, uint32_t refused, uint32_t lost)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.kind = kind;
    fake.refused = refused;
    fake.lost = lost;
    fake.shut = false;
    fake.call_count = fake.sessions = fake.fail_at = 0;
    (void)pthread_mutex_unlock(&fake.lock);
}

void fake_gate(bool open)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.shut = !open;
    (void)pthread_cond_broadcast(&fake.changed);
    (void)pthread_mutex_unlock(&fake.lock);
}

void fake_wait_calls(size_t count)
{
    (void)pthread_mutex_lock(&fake.lock);
    while (fake.call_count < count) {
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    }
    (void)pthread_mutex_unlock(&fake.lock);
}

size_t fake_calls(fake_call *out)
{
    (void)pthread_mutex_lock(&fake.lock);
    const size_t count = fake.call_count;
    memcpy(out, fake.calls, count * sizeof *out);
    (void)pthread_mutex_unlock(&fake.lock);
    return count;
}

static size_t locked(const size_t *value)
{
    (void)pthread_mutex_lock(&fake.lock);
    const size_t kept = *value;
    (void)pthread_mutex_unlock(&fake.lock);
    return kept;
}

size_t fake_sessions(void)
{
    return locked(&fake.sessions);
}

size_t fake_live_sessions(void)
{
    return locked(&fake.live);
}

void fake_fail_session(size_t at)
{
    (void)pthread_mutex_lock(&fake.lock);
    fake.fail_at = at;
    (void)pthread_mutex_unlock(&fake.lock);
}

vkdet_status vkdet_session_create(vkdet_context *context, const vkdet_model *model,
                                  const vkdet_session_params *params, vkdet_session **out)
{
    (void)context, (void)model, (void)params;
    (void)pthread_mutex_lock(&fake.lock);
    const bool fails = ++fake.sessions == fake.fail_at;
    fake.live += !fails;
    (void)pthread_mutex_unlock(&fake.lock);
    *out = fails ? NULL : unfailing_malloc(sizeof **out);
    if (*out) {
        (*out)->used = false;
    }
    return fails ? VKDET_ERROR_DEVICE : VKDET_OK;
}

void vkdet_session_destroy(vkdet_session *session)
{
    if (session) {
        (void)pthread_mutex_lock(&fake.lock);
        fake.live--;
        (void)pthread_mutex_unlock(&fake.lock);
        free(session);
    }
}

void vkdet_session_device(const vkdet_session *session, vkdet_device_info *out)
{
    (void)session;
    *out = (vkdet_device_info){.id = "fake", .kind = fake.kind};
}

vkdet_precision vkdet_session_precision(const vkdet_session *session)
{
    (void)session;
    return VKDET_PRECISION_FP32;
}

const char *vkdet_error_message(void)
{
    return "the fake says no";
}

vkdet_status vkdet_session_detect(vkdet_session *session, const vkdet_pixels *images, size_t count,
                                  const vkdet_detect_params *params, const vkdet_result **results)
{
    vkdet_status status = VKDET_OK;
    (void)pthread_mutex_lock(&fake.lock);
    if (session->used || count > FAKE_BATCH || fake.call_count == FAKE_CALLS) {
        abort(); /* a session belongs to one thread at a time */
    }
    session->used = true;
    fake_call *call = &fake.calls[fake.call_count++];
    call->count = (uint32_t)count;
    call->score_threshold = params->score_threshold;
    for (size_t i = 0; i < count; i++) {
        const uint32_t width = images[i].width;
        call->widths[i] = width;
        status = width == fake.refused ? VKDET_ERROR_LIMIT
                 : width == fake.lost  ? VKDET_ERROR_DEVICE_LOST
                                       : status;
        session->detections[i] = (vkdet_detection){.class_id = width};
        session->results[i] = (vkdet_result){&session->detections[i], 1, 1, 0};
    }
    (void)pthread_cond_broadcast(&fake.changed);
    while (fake.shut) {
        (void)pthread_cond_wait(&fake.changed, &fake.lock);
    }
    session->used = false;
    (void)pthread_mutex_unlock(&fake.lock);
    *results = session->results;
    return status;
}
