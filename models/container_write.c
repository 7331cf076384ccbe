/* Graph and card -> container. Equal input gives equal bytes. */
#include "models/container.h"

#include "engine/half.h"
#include "models/files.h"
#include "models/model.h"
#include "models/weight_type.h"

#include <stdio.h>
#include <string.h>

typedef struct container_writer {
    const graph *g;
    region *scratch;
    const char **names; /* of the weights' tensors, unique */
    size_t *order;      /* entry k stores weight order[k] */
    tensor_entry *entries;
    json_t *header, *graph, *taken;
    char *graph_text, *header_text;
    size_t header_size;
    file_writer file;
} container_writer;

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory while writing a container");
}

/* Weights may share a name; tensors may not: "#2" and so on tell them apart. */
static status name_tensors(container_writer *w, error *err)
{
    w->names = region_allocate(w->scratch, w->g->weight_count, sizeof *w->names);
    w->taken = json_object();
    if (!w->names || !w->taken || json_object_set_new(w->taken, "__metadata__", json_true()) != 0) {
        return out_of_memory(err);
    }
    for (size_t i = 0; i < w->g->weight_count; i++) {
        const char *name = w->g->weights[i].name;
        for (unsigned n = 2; name && json_object_get(w->taken, name); n++) {
            name = region_format(w->scratch, "%s#%u", w->g->weights[i].name, n);
        }
        if (!name || json_object_set_new(w->taken, name, json_true()) != 0) {
            return error_set(err, STATUS_MEMORY,
                             "weight %zu: out of memory, or its name is not UTF-8", i);
        }
        w->names[i] = name;
    }
    return STATUS_OK;
}

/* There are no gaps between tensors, so those of four bytes an element come first: each is then
 * aligned to its elements. */
static status lay_out(container_writer *w, weight_type type, error *err)
{
    size_t count = w->g->weight_count, k = 0;
    uint64_t at = 0;
    bool *half = region_allocate(w->scratch, count, sizeof *half);
    w->order = region_allocate(w->scratch, count, sizeof *w->order);
    w->entries = region_allocate(w->scratch, count, sizeof *w->entries);
    if (!half || !w->order || !w->entries || !w->names) {
        return out_of_memory(err);
    }
    status code = weights_choose(w->g, type, half, err);
    for (int halves = 0; code == STATUS_OK && halves < 2; halves++) {
        for (size_t i = 0; i < count; i++) {
            if (half[i] == (halves == 1)) {
                shape s = w->g->weights[i].shape;
                uint64_t end = at + shape_elements(s) * (halves ? sizeof(uint16_t) : sizeof(float));
                w->entries[k] = (tensor_entry){w->names[i], s, at, end, half[i]};
                w->order[k++] = i;
                at = end;
            }
        }
    }
    return code;
}

static json_t *entry_json(const tensor_entry *e)
{
    json_t *dims = json_array();
    for (uint32_t k = 0; k < e->shape.rank; k++) {
        (void)json_array_append_new(dims, json_integer(e->shape.dim[k]));
    }
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", e->half ? "F16" : "F32", "shape", dims,
                     "data_offsets", (json_int_t)e->begin, (json_int_t)e->end);
}

/* The text of `root` with `room` zero bytes after it, in the scratch region; not terminated
 * otherwise. */
static char *dump(container_writer *w, const json_t *root, size_t room, size_t *size)
{
    const size_t flags = JSON_COMPACT | JSON_ENSURE_ASCII;
    *size = json_dumpb(root, NULL, 0, flags);
    char *text = *size ? region_allocate(w->scratch, *size + room + 1, 1) : NULL;
    if (text) {
        (void)json_dumpb(root, text, *size, flags);
    }
    return text;
}

typedef status (*byte_sink)(void *user, const void *bytes, size_t size, error *err);

/* Entry k's bytes as they stand in the file. */
static status send_tensor(const container_writer *w, size_t k, byte_sink sink, void *user,
                          error *err)
{
    enum { CHUNK = 2048 };
    const float *data = w->g->weights[w->order[k]].data;
    uint64_t count = shape_elements(w->entries[k].shape);
    uint16_t halves[CHUNK]; /* little-endian, as the machine is (container.h) */
    status code = STATUS_OK;
    if (!w->entries[k].half) {
        return sink(user, data, (size_t)count * sizeof *data, err);
    }
    for (uint64_t i = 0; code == STATUS_OK && i < count;) {
        size_t used = 0;
        while (used < CHUNK && i < count) {
            halves[used++] = half_from_float(data[i++]);
        }
        code = sink(user, halves, used * sizeof halves[0], err);
    }
    return code;
}

static status to_digest(void *user, const void *bytes, size_t size, error *err)
{
    (void)err;
    digest_add(user, bytes, size);
    return STATUS_OK;
}

static status to_file(void *user, const void *bytes, size_t size, error *err)
{
    return file_writer_add(user, bytes, size, err);
}

static void digest_tensors(const container_writer *w, char text[DIGEST_TEXT])
{
    digest d;
    digest_begin(&d);
    for (size_t k = 0; k < w->g->weight_count; k++) {
        (void)send_tensor(w, k, to_digest, &d, NULL);
    }
    digest_end(&d, text);
}

static status make_header(container_writer *w, const char *card_json, size_t card_size, error *err)
{
    char version[32], text_digest[DIGEST_TEXT], data_digest[DIGEST_TEXT];
    size_t graph_size = 0;
    status code = graph_to_json(w->scratch, w->g, w->names, &w->graph, err);
    if (code != STATUS_OK) {
        return code;
    }
    w->graph_text = dump(w, w->graph, 0, &graph_size);
    w->header = json_object();
    if (!w->graph_text || !w->header) {
        return out_of_memory(err);
    }
    (void)snprintf(version, sizeof version, "%d.%d", CONTAINER_MAJOR, CONTAINER_MINOR);
    container_text_digest(w->graph_text, graph_size, card_json, card_size, w->entries,
                          w->g->weight_count, text_digest);
    digest_tensors(w, data_digest);
    json_t *metadata =
        json_pack("{s:s, s:s, s:s%, s:s%, s:s, s:s}", "format", "vkdet", "format_version", version,
                  "card", card_json, card_size, "graph", w->graph_text, graph_size, "text_sha256",
                  text_digest, "data_sha256", data_digest);
    if (!metadata || json_object_set_new(w->header, "__metadata__", metadata) != 0) {
        return out_of_memory(err);
    }
    for (size_t i = 0; i < w->g->weight_count; i++) {
        if (json_object_set_new(w->header, w->entries[i].name, entry_json(&w->entries[i])) != 0) {
            return out_of_memory(err);
        }
    }
    w->header_text = dump(w, w->header, CONTAINER_ALIGN, &w->header_size);
    if (!w->header_text) {
        return out_of_memory(err);
    }
    while ((CONTAINER_PREFIX + w->header_size) % CONTAINER_ALIGN != 0) {
        w->header_text[w->header_size++] = ' ';
    }
    return STATUS_OK;
}

static status write_all(container_writer *w, const char *path, error *err)
{
    unsigned char prefix[CONTAINER_PREFIX];
    for (int i = 0; i < CONTAINER_PREFIX; i++) {
        prefix[i] = (unsigned char)((uint64_t)w->header_size >> 8 * i);
    }
    status code = file_writer_open(&w->file, w->scratch, path, err);
    if (code == STATUS_OK) {
        code = file_writer_add(&w->file, prefix, sizeof prefix, err);
    }
    if (code == STATUS_OK) {
        code = file_writer_add(&w->file, w->header_text, w->header_size, err);
    }
    for (size_t i = 0; code == STATUS_OK && i < w->g->weight_count; i++) {
        code = send_tensor(w, i, to_file, &w->file, err);
    }
    return code == STATUS_OK ? file_writer_finish(&w->file, err) : code;
}

status model_write(const allocator *a, const graph *g, const char *card_json, size_t card_size,
                   weight_type type, const char *path, error *err)
{
    container_writer w = {.g = g, .scratch = region_create(a)};
    status code = w.scratch ? name_tensors(&w, err) : out_of_memory(err);
    if (code == STATUS_OK) {
        code = lay_out(&w, type, err);
    }
    if (code == STATUS_OK) {
        code = make_header(&w, card_json, card_size, err);
    }
    if (code == STATUS_OK) {
        code = write_all(&w, path, err);
    }
    file_writer_close(&w.file);
    json_decref(w.header);
    json_decref(w.graph);
    json_decref(w.taken);
    region_destroy(w.scratch);
    return code;
}
