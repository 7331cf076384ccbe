/* The models that are served: the default one, or those of a folder. */
#ifndef HOST_SERVE_REPOSITORY_H
#define HOST_SERVE_REPOSITORY_H

#include "vkdet.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct served_model {
    char *name,
        *version; /* in URLs: of folder or file; the container's own for the default model */
    vkdet_model *model;
    vkdet_model_info info;
    size_t index; /* in the repository */
    bool newest;  /* of its name: what a request without a version gets */
} served_model;

typedef struct repository {
    served_model *models; /* by name, then by version, oldest first */
    size_t count;
    const served_model *standard; /* what a request without a model gets */
} repository;

/* `model` under its own name; it becomes the repository's, also on failure. */
vkdet_status repository_of_model(repository *r, vkdet_model *model, char *message, size_t size);
/* DIR/NAME/VERSION/model.vkdet and DIR/NAME.vkdet, opened; the first name is the default. Every
 * failure names its file: a model that cannot be read is no model that is quietly not served. */
vkdet_status repository_read(repository *r, vkdet_context *context, const char *folder,
                             char *message, size_t size);
void repository_close(repository *r);

/* name NULL: the default; version NULL or "": the newest. NULL when there is none. */
const served_model *repository_find(const repository *r, const char *name, const char *version);
/* Below 0 when a is the older: numbers in the names compare as numbers ("2" < "10", "1.9" <
 * "1.10"). */
int version_compare(const char *a, const char *b);

#endif
