/* Folders of containers. */
#include "host/serve/repository.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void repository_close(repository *r)
{
    for (size_t i = 0; i < r->count; i++) {
        vkdet_model_destroy(r->models[i].model);
        free(r->models[i].name);
        free(r->models[i].version);
    }
    free(r->models);
    *r = (repository){.models = NULL};
}

static vkdet_status add(repository *r, const char *name, const char *version, vkdet_model *model,
                        char *message, size_t size)
{
    served_model *more = realloc(r->models, (r->count + 1) * sizeof *more);
    if (more) {
        r->models = more;
        more[r->count] = (served_model){.name = strdup(name), .version = strdup(version)};
    }
    if (!more || !more[r->count].name || !more[r->count].version) {
        if (more) {
            free(more[r->count].name);
            free(more[r->count].version);
        }
        vkdet_model_destroy(model);
        (void)snprintf(message, size, "out of memory for models");
        return VKDET_ERROR_MEMORY;
    }
    served_model *m = &more[r->count++];
    m->model = model;
    vkdet_model_info_get(model, &m->info);
    if (!m->info.detects) {
        (void)snprintf(message, size, "%s is a classifier: it has no boxes to serve", name);
        return VKDET_ERROR_MODEL;
    }
    return VKDET_OK;
}

int version_compare(const char *a, const char *b)
{
    static const char digits[] = "0123456789";
    while (*a && *b) {
        size_t na = strspn(a, digits), nb = strspn(b, digits);
        if (na > 0 && nb > 0) {
            size_t za = strspn(a, "0"), zb = strspn(b, "0");
            za = za < na ? za : na;
            zb = zb < nb ? zb : nb;
            int order =
                na - za != nb - zb ? (na - za < nb - zb ? -1 : 1) : memcmp(a + za, b + zb, na - za);
            if (order != 0) {
                return order;
            }
            a += na;
            b += nb;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return (*a != 0) - (*b != 0);
}

static int compare_models(const void *a, const void *b)
{
    const served_model *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : version_compare(x->version, y->version);
}

static void settle(repository *r)
{
    qsort(r->models, r->count, sizeof *r->models, compare_models);
    for (size_t i = 0; i < r->count; i++) {
        r->models[i].index = i;
        r->models[i].newest =
            i + 1 == r->count || strcmp(r->models[i].name, r->models[i + 1].name) != 0;
    }
    for (size_t i = r->count; i > 0; i--) {
        if (r->models[i - 1].newest) {
            r->standard = &r->models[i - 1]; /* of the first name, in the end */
        }
    }
}

vkdet_status repository_of_model(repository *r, vkdet_model *model, char *message, size_t size)
{
    vkdet_model_info info;
    vkdet_model_info_get(model, &info);
    vkdet_status status = add(r, info.name, info.version, model, message, size);
    settle(r);
    return status;
}

const served_model *repository_find(const repository *r, const char *name, const char *version)
{
    if (!name) {
        name = r->standard->name;
    }
    for (size_t i = 0; i < r->count; i++) {
        const served_model *m = &r->models[i];
        if (strcmp(m->name, name) == 0 &&
            (version && *version ? strcmp(m->version, version) == 0 : m->newest)) {
            return m;
        }
    }
    return NULL;
}
