/* Folders of containers. */
#include "host/serve/repository.h"

#include "host/client/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    if (r->count > 0) {
        qsort(r->models, r->count, sizeof *r->models, compare_models);
    }
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

/* --- a folder ------------------------------------------------------------------------------------
 */

/* What is being read, and where the reason goes. */
typedef struct reading {
    repository *repository;
    vkdet_context *context;
    char *message;
    size_t size;
} reading;

static vkdet_status fail(const reading *r, vkdet_status status, const char *path,
                         const char *reason)
{
    (void)snprintf(r->message, r->size, "%s: %s", path, reason);
    return status;
}

/* Names of a folder that do not begin with a dot, ended by NULL; NULL: errno says why not. */
static char **list_folder(const char *path)
{
    size_t count = 0;
    char **names = NULL;
    DIR *folder = opendir(path);
    bool good = folder != NULL;
    while (good) {
        errno = 0;
        const struct dirent *entry = readdir(folder); /* NOLINT(concurrency-mt-unsafe): our own */
        if (!entry) {
            good = errno == 0;
            break;
        }
        if (entry->d_name[0] == '.') {
            continue;
        }
        char **more = realloc(names, (count + 2) * sizeof(char *));
        names = more ? more : names;
        good = more && (names[count] = strdup(entry->d_name));
        count += good;
    }
    int kept = errno;
    if (folder) {
        (void)closedir(folder);
    }
    if (good && !names) {
        names = calloc(1, sizeof(char *));
        return names;
    }
    if (names) {
        names[count] = NULL;
    }
    if (!good) {
        for (size_t i = 0; i < count; i++) {
            free(names[i]);
        }
        free(names);
        errno = kept ? kept : ENOMEM;
        return NULL;
    }
    return names;
}

static void list_free(char **names)
{
    for (size_t i = 0; names && names[i]; i++) {
        free(names[i]);
    }
    free(names);
}

static char *join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path) {
        (void)snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

/* Names stand in JSON. */
static bool is_text(const char *name)
{
    while (*name) {
        const size_t length = utf8_length(name);
        if (length == 0) {
            return false;
        }
        name += length;
    }
    return true;
}

/* version NULL: the container's own */
static vkdet_status read_container(const reading *r, const char *path, const char *name,
                                   const char *version)
{
    vkdet_model *model = NULL;
    if (!is_text(name) || (version && !is_text(version))) {
        return fail(r, VKDET_ERROR_MODEL, path, "the name is not UTF-8: rename it");
    }
    vkdet_status status = vkdet_model_open(r->context, path, &model);
    if (status != VKDET_OK) {
        (void)snprintf(r->message, r->size, "%s", vkdet_error_message());
        return status;
    }
    vkdet_model_info info;
    vkdet_model_info_get(model, &info);
    version = version ? version : info.version;
    for (size_t i = 0; i < r->repository->count; i++) {
        const served_model *m = &r->repository->models[i];
        if (strcmp(m->name, name) == 0 && version_compare(m->version, version) == 0) {
            char reason[256];
            (void)snprintf(reason, sizeof reason,
                           "there is another model of that name, and %.80s is the same version as "
                           "its %.80s",
                           version, m->version);
            vkdet_model_destroy(model);
            return fail(r, VKDET_ERROR_MODEL, path, reason);
        }
    }
    return add(r->repository, name, version, model, r->message, r->size);
}

/* A folder is a version; files beside it, such as notes, are none of our business. */
static vkdet_status read_version(const reading *r, const char *folder, const char *name,
                                 const char *version, bool *found)
{
    struct stat st;
    char *inner = join(folder, version);
    char *path = inner ? join(inner, "model.vkdet") : NULL;
    vkdet_status status = VKDET_OK;
    if (!path) {
        status = fail(r, VKDET_ERROR_MEMORY, folder, "out of memory");
    } else if (stat(inner, &st) != 0) {
        status = fail(r, VKDET_ERROR_IO, inner, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        *found = true;
        status = read_container(r, path, name, version);
    }
    free(path);
    free(inner);
    return status;
}

static vkdet_status read_model_folder(const reading *r, const char *folder, const char *name)
{
    char **versions = list_folder(folder);
    if (!versions) {
        return fail(r, VKDET_ERROR_IO, folder, strerror(errno));
    }
    vkdet_status status = VKDET_OK;
    bool found = false;
    for (size_t i = 0; status == VKDET_OK && versions[i]; i++) {
        status = read_version(r, folder, name, versions[i], &found);
    }
    if (status == VKDET_OK && !found) {
        status = fail(r, VKDET_ERROR_MODEL, folder, "there is no VERSION/model.vkdet in it");
    }
    list_free(versions);
    return status;
}

/* Folders are models, and so are files that end in .vkdet; other files are none of our business. */
static vkdet_status read_entry(const reading *r, const char *folder, char *name)
{
    static const char ending[] = ".vkdet";
    struct stat st;
    char *path = join(folder, name);
    vkdet_status status = VKDET_OK;
    size_t length = strlen(name);
    if (!path) {
        return fail(r, VKDET_ERROR_MEMORY, folder, "out of memory");
    }
    if (stat(path, &st) != 0) {
        status = fail(r, VKDET_ERROR_IO, path, strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        status = read_model_folder(r, path, name);
    } else if (length >= sizeof ending &&
               strcmp(name + length - (sizeof ending - 1), ending) == 0) {
        name[length - (sizeof ending - 1)] = 0;
        status = read_container(r, path, name, NULL);
    }
    free(path);
    return status;
}

vkdet_status repository_read(repository *repo, vkdet_context *context, const char *folder,
                             char *message, size_t size)
{
    reading r = {.repository = repo, .context = context, .size = size};
    r.message = message;
    char **names = list_folder(folder);
    if (!names) {
        return fail(&r, VKDET_ERROR_IO, folder, strerror(errno));
    }
    vkdet_status status = VKDET_OK;
    for (size_t i = 0; status == VKDET_OK && names[i]; i++) {
        status = read_entry(&r, folder, names[i]);
    }
    list_free(names);
    if (status == VKDET_OK && repo->count == 0) {
        status = fail(&r, VKDET_ERROR_MODEL, folder,
                      "there is neither NAME/VERSION/model.vkdet nor NAME.vkdet in it");
    }
    settle(repo);
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
