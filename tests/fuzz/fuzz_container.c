/* Any bytes as a container, with its checksums made right: they would stop everything at the door.
 *
 * Two kinds of input. "K" and a file: its checksums are written over in place. "P" and four parts,
 * divided by zero bytes: card, graph, tensor table (JSON) and data; the file is made of them, so
 * that a mutation of the graph does not have to keep the header's length and the quoting. */
#include "tests/fuzz/exercise.h"

#include "models/container.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ENTRIES = 256, PARTS = 4 };

typedef struct bytes {
    uint8_t *data; /* malloc'd: aligned to 16 */
    size_t size;
} bytes;

static int by_begin(const void *a, const void *b)
{
    const tensor_entry *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static uint64_t whole(const json_t *list, size_t i)
{
    return (uint64_t)json_integer_value(json_array_get(list, i));
}

/* As the reader sees a good table; of a bad one anything, as the reader refuses it before. */
static size_t read_table(json_t *header, tensor_entry *entries)
{
    size_t count = 0;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        const json_t *dims = json_object_get(entry, "shape");
        const json_t *offsets = json_object_get(entry, "data_offsets");
        const char *dtype = json_string_value(json_object_get(entry, "dtype"));
        size_t rank = json_array_size(dims);
        if (strcmp(name, "__metadata__") == 0 || count == MAX_ENTRIES) {
            continue;
        }
        tensor_entry *e = &entries[count++];
        *e = (tensor_entry){.name = name,
                            .begin = whole(offsets, 0),
                            .end = whole(offsets, 1),
                            .half = dtype && strcmp(dtype, "F16") == 0};
        e->shape.rank = rank < SHAPE_MAX_RANK ? (uint32_t)rank : SHAPE_MAX_RANK;
        for (size_t i = 0; i < e->shape.rank; i++) {
            double dim = json_number_value(json_array_get(dims, i));
            e->shape.dim[i] = dim >= 1 && dim <= SHAPE_MAX_DIM ? (uint32_t)dim : 0;
        }
    }
    qsort(entries, count, sizeof *entries, by_begin);
    return count;
}

static void text_digest(json_t *header, const json_t *card, const json_t *graph,
                        char text[DIGEST_TEXT])
{
    tensor_entry entries[MAX_ENTRIES];
    size_t count = read_table(header, entries);
    container_text_digest(json_string_value(graph), json_string_length(graph),
                          json_string_value(card), json_string_length(card), entries, count, text);
}

static void overwrite(bytes file, const char *key, const char *digest)
{
    size_t length = strlen(key);
    for (size_t i = 0; i + length + DIGEST_TEXT - 1 <= file.size; i++) {
        if (memcmp(file.data + i, key, length) == 0) {
            memcpy(file.data + i + length, digest, DIGEST_TEXT - 1);
            return;
        }
    }
}

/* The file as it is, but for the digests. */
static bytes mend(const uint8_t *data, size_t size)
{
    uint64_t length = 0;
    char digest[DIGEST_TEXT];
    bytes file = {malloc(size + 1), size};
    memcpy(file.data, data, size);
    for (size_t i = 0; i < CONTAINER_PREFIX && i < size; i++) {
        length |= (uint64_t)data[i] << 8 * i;
    }
    if (size < CONTAINER_PREFIX || length > size - CONTAINER_PREFIX) {
        return file;
    }
    char *text = (char *)file.data + CONTAINER_PREFIX;
    json_t *header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *metadata = json_object_get(header, "__metadata__");
    const json_t *card = json_object_get(metadata, "card");
    const json_t *graph = json_object_get(metadata, "graph");
    if (json_is_string(card) && json_is_string(graph)) {
        text_digest(header, card, graph, digest);
        overwrite(file, "\"text_sha256\":\"", digest);
        digest_bytes(text + length, size - CONTAINER_PREFIX - (size_t)length, digest);
        overwrite(file, "\"data_sha256\":\"", digest);
    }
    json_decref(header);
    return file;
}

/* A file of four parts. */
static bytes assemble(const uint8_t *data, size_t size)
{
    const char *part[PARTS];
    size_t length[PARTS] = {0};
    bytes file = {NULL, 0};
    char digest[DIGEST_TEXT];
    for (size_t i = 0; i < PARTS; i++) {
        const uint8_t *end = i + 1 < PARTS ? memchr(data, 0, size) : data + size;
        if (!end) {
            return file;
        }
        part[i] = (const char *)data;
        length[i] = (size_t)(end - data);
        size -= length[i] + (i + 1 < PARTS);
        data = end + (i + 1 < PARTS);
    }
    json_t *header = json_loadb(part[2], length[2], JSON_REJECT_DUPLICATES, NULL);
    json_t *card = json_stringn(part[0], length[0]), *graph = json_stringn(part[1], length[1]);
    if (json_is_object(header) && card && graph) {
        json_t *metadata = json_pack("{s:s, s:s, s:O, s:O}", "format", "vkdet", "format_version",
                                     "1.0", "card", card, "graph", graph);
        text_digest(header, card, graph, digest);
        (void)json_object_set_new(metadata, "text_sha256", json_string(digest));
        digest_bytes(part[3], length[3], digest);
        (void)json_object_set_new(metadata, "data_sha256", json_string(digest));
        (void)json_object_set_new(header, "__metadata__", metadata);
        size_t used = json_dumpb(header, NULL, 0, 0), room = used + CONTAINER_ALIGN;
        file.data = malloc(CONTAINER_PREFIX + room + length[3]);
        memset(file.data, ' ', CONTAINER_PREFIX + room);
        (void)json_dumpb(header, (char *)file.data + CONTAINER_PREFIX, used, 0);
        while ((CONTAINER_PREFIX + used) % CONTAINER_ALIGN != 0) {
            used++;
        }
        for (size_t i = 0; i < CONTAINER_PREFIX; i++) {
            file.data[i] = (uint8_t)((uint64_t)used >> 8 * i);
        }
        memcpy(file.data + CONTAINER_PREFIX + used, part[3], length[3]);
        file.size = CONTAINER_PREFIX + used + length[3];
    }
    json_decref(card);
    json_decref(graph);
    json_decref(header);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    model *m = NULL;
    error err;
    if (size == 0 || (data[0] != 'K' && data[0] != 'P')) {
        return -1;
    }
    bytes file = data[0] == 'K' ? mend(data + 1, size - 1) : assemble(data + 1, size - 1);
    if (file.data &&
        model_open_memory(&fuzz_allocator, file.data, file.size, &m, &err) == STATUS_OK) {
        fuzz_exercise(m->graph, &m->card.preprocess, m->card.detects ? &m->head : NULL);
        model_destroy(m);
    }
    free(file.data);
    return 0;
}
