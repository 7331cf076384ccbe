/* Preloaded into the program: a library that lies. What VKDET_LIE names comes out wrong in every
 * session but the first, which is the reference's. So the tests see what the program makes of a
 * device that computes something else. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include "vkdet.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const vkdet_session *honest; /* NULL once it is gone */
static unsigned created;

static bool lies(const vkdet_session *session, const char *about)
{
    const char *wanted = getenv("VKDET_LIE");
    return (!session || session != honest) && wanted && strcmp(wanted, about) == 0;
}

/* a function of the real library; POSIX lets an object pointer stand for it */
static void real(const char *name, void *out)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    if (!symbol) {
        abort();
    }
    memcpy(out, &symbol, sizeof symbol);
}

vkdet_status vkdet_session_create(vkdet_context *context, const vkdet_model *model,
                                  const vkdet_session_params *params, vkdet_session **out)
{
    vkdet_status (*next)(vkdet_context *, const vkdet_model *, const vkdet_session_params *,
                         vkdet_session **);
    real("vkdet_session_create", (void *)&next);
    vkdet_status status = next(context, model, params, out);
    honest = created++ == 0 ? *out : honest;
    return status;
}

void vkdet_session_destroy(vkdet_session *session)
{
    void (*next)(vkdet_session *);
    real("vkdet_session_destroy", (void *)&next);
    honest = session == honest ? NULL : honest; /* its address may be another's next */
    next(session);
}

vkdet_status vkdet_session_detect(vkdet_session *session, const vkdet_pixels *images, size_t count,
                                  const vkdet_detect_params *params, const vkdet_result **results)
{
    vkdet_status (*next)(vkdet_session *, const vkdet_pixels *, size_t, const vkdet_detect_params *,
                         const vkdet_result **);
    real("vkdet_session_detect", (void *)&next);
    vkdet_status status = next(session, images, count, params, results);
    if (status == VKDET_OK && lies(session, "score")) {
        for (size_t i = 0; i < count; i++) {
            for (uint32_t k = 0; k < (*results)[i].count; k++) {
                /* the library's own memory, which it shows as constant */
                vkdet_detection *d = NULL;
                const vkdet_detection *shown = &(*results)[i].detections[k];
                memcpy((void *)&d, (const void *)&shown, sizeof(void *));
                d->score *= 0.75f;
            }
        }
    }
    return status;
}

vkdet_status vkdet_session_output(vkdet_session *session, vkdet_ticket ticket, uint32_t image,
                                  uint32_t index, float *floats, size_t capacity, size_t *count)
{
    vkdet_status (*next)(vkdet_session *, vkdet_ticket, uint32_t, uint32_t, float *, size_t,
                         size_t *);
    real("vkdet_session_output", (void *)&next);
    vkdet_status status = next(session, ticket, image, index, floats, capacity, count);
    if (status == VKDET_OK && floats && image > 0 && lies(session, "output")) {
        floats[0] += 1;
    }
    return status;
}

vkdet_status vkdet_verify(vkdet_context *context, const vkdet_model *model,
                          const vkdet_verify_params *params, const vkdet_pixels *image, char **json)
{
    vkdet_status (*next)(vkdet_context *, const vkdet_model *, const vkdet_verify_params *,
                         const vkdet_pixels *, char **);
    real("vkdet_verify", (void *)&next);
    vkdet_status status = next(context, model, params, image, json);
    return lies(NULL, "verify") ? VKDET_ERROR_DIVERGED : status;
}

vkdet_status vkdet_session_repeat(vkdet_session *session, const vkdet_pixels *images,
                                  uint32_t count, const vkdet_detect_params *params, uint32_t runs,
                                  uint64_t *ns)
{
    vkdet_status (*next)(vkdet_session *, const vkdet_pixels *, uint32_t,
                         const vkdet_detect_params *, uint32_t, uint64_t *);
    real("vkdet_session_repeat", (void *)&next);
    return lies(session, "failure") ? VKDET_ERROR_DEVICE_LOST
                                    : next(session, images, count, params, runs, ns);
}
