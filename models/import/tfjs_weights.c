/* The weights manifest: groups of shards, which laid end to end hold the group's weights. A weight
 * is decoded when a layer asks for it, once, however many calls share it; what no layer asks for
 * (an optimizer's state) is left alone.
 *
 * Names. TensorFlow.js saves "layer/kernel". Converters leave more around it: the models a layer is
 * in ("outer/layer/kernel"), a scope ("layer/layer/kernel"), a cell ("layer/cell/kernel"). So a
 * weight is looked for under the full path, then under every shorter end of it; each time as it is
 * written, then (as TensorFlow.js does) without the last but one part. If that fails, its last two
 * parts must name it and no other. */
#include "models/import/tfjs.h"

#include "engine/half.h"
#include "models/files.h"

#include <math.h>
#include <string.h>

enum { MAX_GROUPS = 4096, MAX_SHARDS = 65536, AMBIGUOUS = -1 };

static const struct {
    const char *name;
    size_t bytes;
} dtypes[TFJS_DTYPE_COUNT] = {
    [TFJS_FLOAT32] = {"float32", 4},     [TFJS_FLOAT16] = {"float16", 2},
    [TFJS_UINT16] = {"uint16", 2},       [TFJS_UINT8] = {"uint8", 1},
    [TFJS_INT32] = {"int32", 4},         [TFJS_BOOL] = {"bool", 1},
    [TFJS_COMPLEX64] = {"complex64", 8},
};

static status out_of_memory(error *err)
{
    return error_set(err, STATUS_MEMORY, "out of memory for the weights");
}

static status read_dtype(const json_cursor *at, tfjs_dtype *out, error *err)
{
    const char *names[TFJS_DTYPE_COUNT];
    size_t which = 0;
    for (size_t i = 0; i < TFJS_DTYPE_COUNT; i++) {
        names[i] = dtypes[i].name;
    }
    status s = reader_choice(at, names, TFJS_DTYPE_COUNT, &which, err);
    *out = (tfjs_dtype)which;
    return s;
}

static status read_quantization(const json_cursor *at, tfjs_weight *w, error *err)
{
    json_cursor dtype = reader_member(at, "dtype"), scale = reader_member(at, "scale"),
                low = reader_member(at, "min");
    status s = reader_object(at, err);
    if (s == STATUS_OK) {
        s = read_dtype(&dtype, &w->stored, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    if (w->stored == TFJS_FLOAT16) {
        return STATUS_OK;
    }
    if (w->stored != TFJS_UINT8 && w->stored != TFJS_UINT16) {
        return reader_fail(&dtype, STATUS_UNSUPPORTED, err,
                           "\"%s\" is not supported, only uint8, uint16 and float16",
                           dtypes[w->stored].name);
    }
    s = reader_number(&scale, -1e30, 1e30, &w->scale, err);
    return s == STATUS_OK ? reader_number(&low, -1e30, 1e30, &w->low, err) : s;
}

/* *elements of any shape; w->shape only where a graph can hold it */
static status read_shape(const json_cursor *at, tfjs_weight *w, size_t *elements, error *err)
{
    size_t rank;
    status s = reader_array(at, 0, 32, &rank, err);
    *elements = 1;
    w->shape.rank = rank <= SHAPE_MAX_RANK ? (uint32_t)rank : 0;
    for (size_t i = 0; s == STATUS_OK && i < rank; i++) {
        uint32_t dim = 0;
        json_cursor item = reader_item(at, i);
        s = reader_u32(&item, 0, SHAPE_MAX_ELEMENTS, &dim, err);
        if (s == STATUS_OK &&
            (!checked_multiply(*elements, dim, elements) || *elements > SHAPE_MAX_ELEMENTS)) {
            s = reader_fail(at, STATUS_LIMIT, err, "more than %u elements", SHAPE_MAX_ELEMENTS);
        }
        if (i < SHAPE_MAX_RANK) {
            w->shape.dim[i] = dim;
        }
    }
    if (!shape_valid(w->shape, SHAPE_MAX_RANK)) {
        w->shape.rank = 0;
    }
    return s;
}

static status read_entry(tfjs_importer *t, const json_cursor *at, tfjs_weight *w, error *err)
{
    const char *text;
    size_t elements;
    json_cursor name = reader_member(at, "name"), dtype = reader_member(at, "dtype"),
                extent = reader_member(at, "shape"),
                quantization = reader_member(at, "quantization");
    status s = reader_string(&name, 4 * TFJS_MAX_NAME, &text, err);
    if (s == STATUS_OK) {
        s = read_dtype(&dtype, &w->stored, err);
    }
    if (s == STATUS_OK) {
        s = read_shape(&extent, w, &elements, err);
    }
    w->floating = w->stored == TFJS_FLOAT32;
    if (s == STATUS_OK && reader_present(&quantization)) {
        s = read_quantization(&quantization, w, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    char *copy = region_string(t->scratch, text);
    if (!copy) {
        return out_of_memory(err);
    }
    char *colon = strrchr(copy, ':'); /* TensorFlow's "kernel:0" */
    if (colon && strcmp(colon, ":0") == 0) {
        *colon = 0;
    }
    w->name = copy;
    w->size = elements * dtypes[w->stored].bytes;
    w->index = GRAPH_NONE;
    return STATUS_OK;
}

/* --- names --- */

/* in every table a name has the index of its entry, or AMBIGUOUS */
static bool remember(json_t *table, const char *name, size_t index)
{
    bool known = json_object_get(table, name) != NULL;
    return json_object_set_new(table, name, json_integer(known ? AMBIGUOUS : (json_int_t)index)) ==
           0;
}

/* the last `parts` parts of a path; NULL when it has fewer */
static const char *tail_of(const char *name, int parts)
{
    const char *end = name + strlen(name);
    while (end > name) {
        if (*--end == '/' && --parts == 0) {
            return end + 1;
        }
    }
    return parts == 1 ? name : NULL;
}

static status index_entry(tfjs_importer *t, size_t index, const json_cursor *at, error *err)
{
    tfjs_weights *w = &t->weights;
    const char *name = w->entries[index].name;
    if (json_object_get(w->by_name, name)) {
        return reader_fail(at, STATUS_MODEL, err, "weight '%s' is there twice", name);
    }
    bool good = remember(w->by_name, name, index);
    const char *two = tail_of(name, 2), *last = tail_of(name, 1);
    if (good && two && two != name) {
        char *shortened = region_format(t->scratch, "%.*s%s", (int)(two - name), name, last);
        good = shortened && remember(w->by_short_name, shortened, index);
    }
    if (good && two) {
        good = remember(w->by_tail, two, index);
    }
    return good ? STATUS_OK : out_of_memory(err);
}

static tfjs_weight *look_up(tfjs_weights *w, const json_t *table, const char *name)
{
    json_t *index = json_object_get(table, name);
    json_int_t i = index ? json_integer_value(index) : AMBIGUOUS;
    return i == AMBIGUOUS ? NULL : &w->entries[i];
}

static status find(tfjs_importer *t, const char *path, const char *name, tfjs_weight **out,
                   error *err)
{
    tfjs_weights *w = &t->weights;
    char *full = region_format(t->scratch, "%s/%s", path, name);
    tfjs_weight *found = NULL;
    if (!full) {
        return out_of_memory(err);
    }
    for (const char *rest = full; !found && rest && strchr(rest, '/');) {
        found = look_up(w, w->by_name, rest);
        found = found ? found : look_up(w, w->by_short_name, rest);
        rest = strchr(rest, '/') + 1;
    }
    const char *two = tail_of(full, 2);
    *out = found ? found : two ? look_up(w, w->by_tail, two) : NULL;
    return STATUS_OK;
}

/* --- shards --- */

static status read_group(tfjs_importer *t, const json_cursor *at, tfjs_group *group, size_t *total,
                         error *err)
{
    json_cursor paths = reader_member(at, "paths");
    size_t count;
    status s = reader_array(&paths, 0, MAX_SHARDS, &count, err);
    if (s != STATUS_OK) {
        return s;
    }
    group->shards = region_allocate(t->scratch, count, sizeof *group->shards);
    if (!group->shards) {
        return out_of_memory(err);
    }
    group->shard_count = count;
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        const char *path;
        json_cursor item = reader_item(&paths, i);
        s = reader_string(&item, 4096, &path, err);
        if (s != STATUS_OK) {
            return s;
        }
        if (!path_is_inside(path)) {
            return reader_fail(&item, STATUS_MODEL, err,
                               "\"%s\" is not a path inside the model's folder", path);
        }
        if (json_object_get(t->weights.paths, path)) { /* or a small file would count many times */
            return reader_fail(&item, STATUS_MODEL, err, "\"%s\" is there twice", path);
        }
        if (json_object_set_new(t->weights.paths, path, json_true()) != 0) {
            return out_of_memory(err);
        }
        tfjs_shard *shard = &group->shards[i];
        s = t->source->fetch(t->source->user, path, &shard->bytes, &shard->size, err);
        if (s != STATUS_OK) {
            return s;
        }
        *total += shard->size;
        t->weights.bytes += shard->size;
        if (shard->size > TFJS_MAX_SHARD || t->weights.bytes > TFJS_MAX_WEIGHT) {
            return reader_fail(&paths, STATUS_LIMIT, err, "more than %zu bytes of weights",
                               TFJS_MAX_WEIGHT);
        }
    }
    return STATUS_OK;
}

/* group g: its entries, one after the other, then its shards, which must hold just these */
static status load_group(tfjs_importer *t, const json_cursor *at, size_t g, error *err)
{
    tfjs_weights *w = &t->weights;
    json_cursor list = reader_member(at, "weights");
    size_t count, needed = 0, total = 0;
    status s = reader_array(&list, 0, GRAPH_MAX_WEIGHTS, &count, err);
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&list, i);
        tfjs_weight *entry = &w->entries[w->count];
        s = read_entry(t, &item, entry, err);
        if (s != STATUS_OK) {
            break;
        }
        entry->group = g;
        entry->begin = needed;
        needed += entry->size; /* counts and sizes are capped: no overflow in 64 bits */
        s = index_entry(t, w->count++, &item, err);
    }
    if (s == STATUS_OK) {
        s = read_group(t, at, &w->groups[g], &total, err);
    }
    if (s == STATUS_OK && total != needed) {
        s = reader_fail(at, STATUS_MODEL, err, "its shards have %zu bytes, its weights need %zu",
                        total, needed);
    }
    return s;
}

status tfjs_weights_load(tfjs_importer *t, const json_cursor *manifest, error *err)
{
    tfjs_weights *w = &t->weights;
    size_t entries = 0;
    status s = reader_array(manifest, 0, MAX_GROUPS, &w->group_count, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t g = 0; g < w->group_count; g++) {
        json_t *group = json_array_get(manifest->value, g);
        entries += json_array_size(json_object_get(group, "weights"));
    }
    if (entries > GRAPH_MAX_WEIGHTS) {
        return reader_fail(manifest, STATUS_LIMIT, err, "%zu weights, at most %d are read", entries,
                           GRAPH_MAX_WEIGHTS);
    }
    w->groups = region_allocate(t->scratch, w->group_count, sizeof *w->groups);
    w->entries = region_allocate(t->scratch, entries, sizeof *w->entries);
    w->by_name = json_object();
    w->by_short_name = json_object();
    w->by_tail = json_object();
    w->paths = json_object();
    if (!w->groups || !w->entries || !w->by_name || !w->by_short_name || !w->by_tail || !w->paths) {
        return out_of_memory(err);
    }
    for (size_t g = 0; s == STATUS_OK && g < w->group_count; g++) {
        json_cursor group = reader_item(manifest, g);
        s = load_group(t, &group, g, err);
    }
    return s;
}

void tfjs_weights_release(tfjs_weights *w)
{
    json_decref(w->by_name);
    json_decref(w->by_short_name);
    json_decref(w->by_tail);
    json_decref(w->paths);
    *w = (tfjs_weights){0};
}

/* --- decoding --- */

/* little-endian, from anywhere */
static uint32_t load_bits(const unsigned char *p, size_t bytes)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < bytes; i++) {
        bits |= (uint32_t)p[i] << 8 * i;
    }
    return bits;
}

static float decode_one(const tfjs_weight *w, const unsigned char *p)
{
    uint32_t bits = load_bits(p, dtypes[w->stored].bytes);
    float number;
    switch (w->stored) {
    case TFJS_UINT8:
    case TFJS_UINT16: /* in double, rounded once, as JavaScript stores into a Float32Array */
        return (float)(bits * w->scale + w->low);
    case TFJS_FLOAT16:
        return half_to_float((uint16_t)bits);
    case TFJS_FLOAT32:
    default:
        memcpy(&number, &bits, sizeof number);
        return number;
    }
}

/* The weight's bytes may go on in the next shard, even within an element. */
static void decode(const tfjs_group *group, const tfjs_weight *w, float *out)
{
    size_t width = dtypes[w->stored].bytes, count = w->size / width, shard = 0, at = w->begin;
    unsigned char element[4] = {0};
    for (size_t i = 0; i < count; i++) {
        for (size_t b = 0; b < width; b++, at++) {
            while (at >= group->shards[shard].size) {
                at -= group->shards[shard++].size;
            }
            element[b] = group->shards[shard].bytes[at];
        }
        out[i] = decode_one(w, element);
    }
}

/* A network that was trained into NaN or infinity finds nothing: better said here than later. */
static status check_finite(const tfjs_weight *w, const float *data, error *err)
{
    uint64_t count = shape_elements(w->shape);
    for (uint64_t i = 0; i < count; i++) {
        if (!isfinite(data[i])) {
            return error_set(err, STATUS_MODEL, "weight '%s': element %llu is %s", w->name,
                             (unsigned long long)i, isnan(data[i]) ? "not a number" : "infinite");
        }
    }
    return STATUS_OK;
}

status tfjs_weight_get(tfjs_importer *t, const tfjs_call *call, const char *name, const char *other,
                       shape expected, int *index, error *err)
{
    tfjs_weight *w = NULL;
    char wanted[64], has[64];
    status s = find(t, call->path, name, &w, err);
    if (s == STATUS_OK && !w && other) {
        s = find(t, call->path, other, &w, err);
    }
    if (s != STATUS_OK) {
        return s;
    }
    shape_text(expected, wanted);
    if (!w) {
        return error_set(err, STATUS_MODEL, "weight '%s/%s' (%s) is not in the weights manifest",
                         call->path, name, wanted);
    }
    if (!w->floating || w->stored > TFJS_UINT8) {
        return error_set(err, STATUS_UNSUPPORTED,
                         "weight '%s' is of type %s, only float32 is supported", w->name,
                         dtypes[w->stored].name);
    }
    if (!shape_equal(w->shape, expected)) {
        shape_text(w->shape, has);
        return error_set(err, STATUS_MODEL, "weight '%s' is %s, not %s", w->name, has, wanted);
    }
    if (w->index == GRAPH_NONE) {
        float *data =
            region_allocate(t->graph->memory, (size_t)shape_elements(expected), sizeof *data);
        if (!data) {
            return out_of_memory(err);
        }
        decode(&t->weights.groups[w->group], w, data);
        s = check_finite(w, data, err);
        if (s == STATUS_OK) {
            s = graph_add_weight(t->graph, w->name, expected, data, &w->index, err);
        }
    }
    *index = w->index;
    return s;
}
