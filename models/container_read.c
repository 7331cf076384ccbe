/* Container -> graph and card. Nothing in the file is believed before it was checked: the header's
 * length, every offset, shape and type, both digests, the card, the graph, and that the two fit. */
#include "models/container.h"

#include "models/bind.h"
#include "models/files.h"
#include "models/reader.h"

#include <stdlib.h>
#include <string.h>

enum { METADATA_MAX = CONTAINER_MAX_HEADER };

typedef struct container_reader {
    const unsigned char *bytes;
    size_t size, header_size, data_size;
    json_t *header;
    const char *card, *graph; /* texts of the metadata */
    size_t card_size, graph_size;
    const char *text_digest, *data_digest;
    tensor_table table;
    model *m;
} container_reader;

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory for a model");
}

static status read_prefix(container_reader *r, error *err)
{
    uint64_t length = 0;
    if (r->size < CONTAINER_PREFIX) {
        return error_set(err, STATUS_MODEL, "not a vkdet container: %zu bytes", r->size);
    }
    for (int i = 0; i < CONTAINER_PREFIX; i++) {
        length |= (uint64_t)r->bytes[i] << 8 * i;
    }
    if (length > CONTAINER_MAX_HEADER || length > r->size - CONTAINER_PREFIX) {
        return error_set(
            err, STATUS_MODEL,
            "not a vkdet container, or cut short: a header of %llu bytes in a file of %zu",
            (unsigned long long)length, r->size);
    }
    r->header_size = (size_t)length;
    r->data_size = r->size - CONTAINER_PREFIX - r->header_size;
    r->table.data = r->bytes + CONTAINER_PREFIX + r->header_size;
    if ((CONTAINER_PREFIX + r->header_size) % sizeof(float) != 0) {
        return error_set(err, STATUS_MODEL, "the data section is not aligned to 4 bytes");
    }
    return STATUS_OK;
}

static status read_metadata(container_reader *r, error *err)
{
    static const char *const members[] = {"format", "format_version", "card",
                                          "graph",  "text_sha256",    "data_sha256"};
    json_cursor root = reader_root(r->header), at = reader_member(&root, "__metadata__");
    const char *texts[6] = {NULL};
    status code = reader_object(&at, err);
    for (size_t i = 0; code == STATUS_OK && i < 6; i++) {
        json_cursor item = reader_member(&at, members[i]);
        code = reader_string(&item, METADATA_MAX, &texts[i], err);
        if (code == STATUS_OK && i == 0 && strcmp(texts[0], "vkdet") != 0) {
            code = reader_fail(&item, STATUS_MODEL, err, "is \"%.32s\", not \"vkdet\"", texts[0]);
        }
        char *end = NULL;
        if (code == STATUS_OK && i == 1 &&
            (strtol(texts[1], &end, 10) != CONTAINER_MAJOR || *end != '.')) {
            code =
                reader_fail(&item, STATUS_UNSUPPORTED, err,
                            "is \"%.32s\"; this build reads version %d", texts[1], CONTAINER_MAJOR);
        }
    }
    r->card = texts[2];
    r->graph = texts[3];
    r->card_size = code == STATUS_OK ? json_string_length(json_object_get(at.value, "card")) : 0;
    r->graph_size = code == STATUS_OK ? json_string_length(json_object_get(at.value, "graph")) : 0;
    r->text_digest = texts[4];
    r->data_digest = texts[5];
    return code;
}

static status read_offset(const json_cursor *offsets, size_t index, uint64_t most, uint64_t *out,
                          error *err)
{
    json_cursor at = reader_item(offsets, index);
    if (!json_is_integer(at.value) || json_integer_value(at.value) < 0 ||
        (uint64_t)json_integer_value(at.value) > most) {
        return reader_fail(&at, STATUS_MODEL, err, "is not an offset into %llu bytes of data",
                           (unsigned long long)most);
    }
    *out = (uint64_t)json_integer_value(at.value);
    return STATUS_OK;
}

static status read_entry(const container_reader *r, const json_cursor *at, tensor_entry *e,
                         error *err)
{
    static const char *const members[] = {"dtype", "shape", "data_offsets"};
    static const char *const types[] = {"F32", "F16"};
    json_cursor dtype = reader_member(at, "dtype"), dims = reader_member(at, "shape"),
                offsets = reader_member(at, "data_offsets");
    size_t type = 0, rank = 0, two = 0;
    status code = reader_members(at, members, 3, err);
    if (code == STATUS_OK) {
        code = reader_choice(&dtype, types, 2, &type, err);
    }
    if (code == STATUS_OK) {
        code = reader_array(&dims, 1, SHAPE_MAX_RANK, &rank, err);
    }
    e->shape = (shape){.rank = (uint32_t)rank};
    for (size_t i = 0; code == STATUS_OK && i < rank; i++) {
        json_cursor item = reader_item(&dims, i);
        code = reader_u32(&item, 1, SHAPE_MAX_DIM, &e->shape.dim[i], err);
    }
    if (code == STATUS_OK && !shape_valid(e->shape, SHAPE_MAX_RANK)) {
        code = reader_fail(&dims, STATUS_MODEL, err, "has too many elements");
    }
    if (code == STATUS_OK) {
        code = reader_array(&offsets, 2, 2, &two, err);
    }
    if (code == STATUS_OK) {
        code = read_offset(&offsets, 0, r->data_size, &e->begin, err);
    }
    if (code == STATUS_OK) {
        code = read_offset(&offsets, 1, r->data_size, &e->end, err);
    }
    e->half = type == 1;
    uint64_t width = e->half ? 2 : 4;
    if (code == STATUS_OK && (e->end < e->begin || e->begin % width != 0 ||
                              e->end - e->begin != shape_elements(e->shape) * width)) {
        code = reader_fail(&offsets, STATUS_MODEL, err, "do not hold %llu aligned elements",
                           (unsigned long long)shape_elements(e->shape));
    }
    return code;
}

static int by_begin(const void *a, const void *b)
{
    const tensor_entry *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* As safetensors has it: the tensors cover the data without gaps and without overlap. */
static status check_cover(const container_reader *r, error *err)
{
    uint64_t at = 0;
    for (size_t i = 0; i < r->table.count; i++) {
        if (r->table.entries[i].begin != at) {
            return error_set(err, STATUS_MODEL,
                             "tensor '%s' begins at byte %llu of the data, not at %llu",
                             r->table.entries[i].name,
                             (unsigned long long)r->table.entries[i].begin, (unsigned long long)at);
        }
        at = r->table.entries[i].end;
    }
    return at == r->data_size
               ? STATUS_OK
               : error_set(err, STATUS_MODEL,
                           "the tensors take %llu bytes, but the file has %zu bytes of data",
                           (unsigned long long)at, r->data_size);
}

static status read_tensors(container_reader *r, error *err)
{
    json_cursor root = reader_root(r->header);
    size_t members = json_object_size(r->header), count = 0;
    const char *name;
    json_t *entry;
    r->table.entries = region_allocate(r->m->memory, members, sizeof *r->table.entries);
    r->table.by_name = json_object();
    if (!r->table.entries || !r->table.by_name) {
        return out_of_memory(err);
    }
    json_object_foreach(r->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0) {
            continue;
        }
        json_cursor at = reader_member(&root, name);
        tensor_entry *e = &r->table.entries[count++];
        status code = read_entry(r, &at, e, err);
        e->name = region_string(r->m->memory, name);
        if (code != STATUS_OK || !e->name) {
            return code != STATUS_OK ? code : out_of_memory(err);
        }
    }
    r->table.count = count;
    r->m->tensors = r->table.entries;
    r->m->tensor_count = count;
    qsort(r->table.entries, count, sizeof *r->table.entries, by_begin);
    for (size_t i = 0; i < count; i++) {
        if (json_object_set_new(r->table.by_name, r->table.entries[i].name,
                                json_integer((json_int_t)i)) != 0) {
            return out_of_memory(err);
        }
    }
    return check_cover(r, err);
}

static status check_digests(container_reader *r, error *err)
{
    char text[DIGEST_TEXT];
    container_text_digest(r->graph, r->graph_size, r->card, r->card_size, r->table.entries,
                          r->table.count, text);
    if (strcmp(text, r->text_digest) != 0) {
        return error_set(err, STATUS_MODEL,
                         "the checksum of graph, card and tensor table does not match: the file is "
                         "damaged");
    }
    digest_bytes(r->table.data, r->data_size, text);
    if (strcmp(text, r->data_digest) != 0) {
        return error_set(err, STATUS_MODEL,
                         "the checksum of the weights does not match: the file is damaged");
    }
    memcpy(r->m->digest, text, sizeof r->m->digest);
    return STATUS_OK;
}

static status read_model(container_reader *r, error *err)
{
    model *m = r->m;
    status code = read_prefix(r, err);
    if (code == STATUS_OK) {
        code = reader_parse("header", (const char *)r->bytes + CONTAINER_PREFIX, r->header_size,
                            CONTAINER_MAX_HEADER, &r->header, err);
    }
    if (code == STATUS_OK) {
        code = read_metadata(r, err);
    }
    if (code == STATUS_OK) {
        code = read_tensors(r, err);
    }
    if (code == STATUS_OK) {
        code = check_digests(r, err);
    }
    if (code == STATUS_OK) {
        code = card_parse(m->memory, r->card, r->card_size, &m->card, err);
    }
    if (code == STATUS_OK) {
        m->card_json = region_string(m->memory, r->card);
        code = m->card_json
                   ? graph_from_json(&m->alloc, r->graph, r->graph_size, &r->table, &m->graph, err)
                   : out_of_memory(err);
    }
    return code == STATUS_OK ? model_bind(m->memory, &m->card, m->graph, &m->head, err) : code;
}

/* Takes over `mapping`, also when it fails. */
static status open_bytes(const allocator *a, const void *bytes, size_t size, void *mapping,
                         model **out, error *err)
{
    model *m = memory_allocate(a, 1, sizeof *m);
    if (!m) {
        file_unmap(mapping, mapping ? size : 0);
        return out_of_memory(err);
    }
    m->alloc = *a;
    m->mapping = mapping;
    m->mapping_size = mapping ? size : 0;
    m->file_bytes = size;
    m->memory = region_create(a);
    container_reader r = {.bytes = bytes, .size = size, .m = m};
    status code = m->memory ? read_model(&r, err) : out_of_memory(err);
    json_decref(r.table.by_name);
    json_decref(r.header);
    if (code != STATUS_OK) {
        model_destroy(m);
        return code;
    }
    *out = m;
    return STATUS_OK;
}

status model_open(const allocator *a, const char *path, model **out, error *err)
{
    void *bytes = NULL;
    size_t size = 0;
    status code = file_map(path, &bytes, &size, err);
    if (code != STATUS_OK) {
        return code;
    }
    code = open_bytes(a, bytes, size, bytes, out, err);
    if (code != STATUS_OK) {
        (void)error_prefix(err, "%s: ", path);
    }
    return code;
}

status model_open_memory(const allocator *a, const void *bytes, size_t size, model **out,
                         error *err)
{
    if ((uintptr_t)bytes % 8 != 0) {
        return error_set(err, STATUS_ARGUMENT, "a container in memory must be aligned to 8 bytes");
    }
    return open_bytes(a, bytes, size, NULL, out, err);
}

void model_destroy(model *m)
{
    if (!m) {
        return;
    }
    graph_destroy(m->graph);
    region_destroy(m->memory);
    file_unmap(m->mapping, m->mapping_size);
    const allocator a = m->alloc;
    memory_release(&a, m);
}
