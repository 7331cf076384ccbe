/* TensorFlow.js layers models: model.json (the topology and the weights manifest) and its shards.
 */
#include "models/import/tfjs.h"

#include "models/digest.h"
#include "models/files.h"

#include <string.h>

static status parse_document(tfjs_importer *t, json_t *document, error *err)
{
    json_cursor root = reader_root(document);
    json_cursor topology = reader_member(&root, "modelTopology");
    json_cursor manifest = reader_member(&root, "weightsManifest");
    json_cursor format = reader_member(&root, "format");
    const char *kind = json_string_value(format.value);
    if (kind && strcmp(kind, "layers-model") != 0) {
        return reader_fail(&format, STATUS_UNSUPPORTED, err, "\"%s\" is not supported, only %s",
                           kind, "layers-model");
    }
    status s = reader_object(&topology, err);
    if (s == STATUS_OK) {
        s = tfjs_weights_load(t, &manifest, err);
    }
    return s == STATUS_OK ? tfjs_topology_build(t, &topology, err) : s;
}

status tfjs_parse(const allocator *a, const char *json, size_t size, const tfjs_source *source,
                  const card *c, graph **out, error *err)
{
    json_t *document = NULL;
    tfjs_importer t = {.source = source, .card = c};
    status s = reader_parse("model", json, size, TFJS_MAX_JSON, &document, err);
    if (s != STATUS_OK) {
        return s;
    }
    t.scratch = region_create(a);
    if (!t.scratch) {
        s = error_set(err, STATUS_MEMORY, "out of memory while importing a model");
        goto fail;
    }
    s = graph_create(a, &t.graph, err);
    if (s == STATUS_OK) {
        s = parse_document(&t, document, err);
    }
    if (s == STATUS_OK) {
        s = graph_validate(t.graph, err);
    }
    if (s == STATUS_OK) {
        *out = t.graph;
        t.graph = NULL;
    }
fail:
    graph_destroy(t.graph);
    tfjs_weights_release(&t.weights);
    region_destroy(t.scratch);
    json_decref(document);
    return s;
}

/* --- from files --- */

typedef struct shard_file {
    struct shard_file *next;
    unsigned char *bytes;
} shard_file;

typedef struct folder {
    const allocator *alloc;
    const card *card;
    region *memory;
    const char *model_path;
    shard_file *files; /* read so far */
} folder;

/* Whoever wrote the card wrote down which files it is for: then it is those, whatever their names.
 */
static status check_listed(const card *c, const char *path, const unsigned char *bytes, size_t size,
                           error *err)
{
    char found[DIGEST_TEXT];
    if (c->file_count == 0) {
        return STATUS_OK;
    }
    digest_bytes(bytes, size, found);
    for (size_t i = 0; i < c->file_count; i++) {
        if (strcmp(found, c->files[i].sha256) == 0) {
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_MODEL, "%s: its SHA-256 is %s, which the card does not list", path,
                     found);
}

static status fetch_file(void *user, const char *relative, const unsigned char **bytes,
                         size_t *size, error *err)
{
    folder *f = user;
    shard_file *file = region_allocate(f->memory, 1, sizeof *file);
    char *path = path_beside(f->memory, f->model_path, relative);
    if (!file || !path) {
        return error_set(err, STATUS_MEMORY, "out of memory for '%s'", relative);
    }
    status s = file_read(f->alloc, path, TFJS_MAX_SHARD, &file->bytes, size, err);
    if (s == STATUS_OK) {
        *bytes = file->bytes;
        file->next = f->files;
        f->files = file;
        s = check_listed(f->card, path, *bytes, *size, err);
    }
    return s;
}

status tfjs_import(const allocator *a, const char *path, const card *c, graph **out, error *err)
{
    unsigned char *json = NULL;
    size_t size = 0;
    folder f = {.alloc = a, .card = c, .model_path = path};
    status s = file_read(a, path, TFJS_MAX_JSON, &json, &size, err);
    if (s != STATUS_OK) {
        return s;
    }
    s = check_listed(c, path, json, size, err);
    if (s != STATUS_OK) {
        memory_release(a, json);
        return s;
    }
    f.memory = region_create(a);
    if (f.memory) {
        tfjs_source source = {fetch_file, &f};
        s = tfjs_parse(a, (const char *)json, size, &source, c, out, err);
    } else {
        s = error_set(err, STATUS_MEMORY, "out of memory while importing a model");
    }
    if (s != STATUS_OK && s != STATUS_IO) { /* which names its file itself */
        error_prefix(err, "%s: ", path);
    }
    for (shard_file *file = f.files; file; file = file->next) {
        memory_release(a, file->bytes);
    }
    region_destroy(f.memory);
    memory_release(a, json);
    return s;
}
