/* Walks the outer document itself and leaves each entry to the JSON library. */
#include "host/cli/coco_read.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES 1073741824 /* of a file; what is kept of it takes less than twice as much */
#define MOST_ENTRY 16777216   /* bytes of one image, annotation or other value */
#define FARTHEST   1e9        /* a coordinate; products of two stay exact enough, and finite */

/* An annotation or result as written: its image and category may come later in the file. */
typedef struct raw_box {
    int64_t image, category;
    coco_box box;
} raw_box;

typedef struct reader {
    const char *text;
    size_t size, at;
    const char *list; /* the entry at hand, for messages */
    size_t index;
    coco_image *images;
    coco_category *categories;
    raw_box *boxes;
    size_t image_count, category_count, box_count;
    size_t image_room, category_room, box_room;
    bool has_images, has_categories, has_annotations;
    bool results; /* boxes are results, not ground truth */
    coco_fault *fault;
} reader;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static bool
refuse(reader *r, const char *format, ...)
{
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (r->list) {
        (void)snprintf(r->fault->text, sizeof r->fault->text, "%s[%zu]: %s", r->list, r->index,
                       what);
    } else {
        (void)snprintf(r->fault->text, sizeof r->fault->text, "%s", what);
    }
    return false;
}

static bool no_memory(coco_fault *fault)
{
    fault->no_memory = true;
    (void)snprintf(fault->text, sizeof fault->text, "out of memory");
    return false;
}

/* --- the outer document --- */

static char peek(reader *r)
{
    while (r->at < r->size && strchr(" \t\r\n", r->text[r->at]) && r->text[r->at] != 0) {
        r->at++;
    }
    return r->at < r->size ? r->text[r->at] : 0;
}

static bool take(reader *r, char wanted)
{
    bool there = peek(r) == wanted;
    r->at += there;
    return there;
}

/* One JSON value, whatever follows it; NULL when it is none. */
static json_t *take_value(reader *r)
{
    json_error_t err;
    (void)peek(r);
    size_t rest = r->size - r->at;
    size_t length = rest < MOST_ENTRY ? rest : MOST_ENTRY;
    json_t *value =
        json_loadb(r->text + r->at, length, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &err);
    if (value) {
        r->at += (size_t)err.position;
        return value;
    }
    if (json_error_code(&err) == json_error_out_of_memory) {
        (void)no_memory(r->fault);
    } else if (rest > MOST_ENTRY && json_error_code(&err) == json_error_premature_end_of_input) {
        (void)refuse(r, "a value at byte %zu is longer than 16 MiB", r->at);
    } else {
        (void)refuse(r, "byte %zu: %s", r->at + (size_t)err.position, err.text);
    }
    return NULL;
}

/* Every item of a list through `keep`; NULL: passed over. */
static bool take_list(reader *r, const char *name, bool (*keep)(reader *, const json_t *))
{
    if (!take(r, '[')) {
        return refuse(r, "\"%s\" is not a list", name);
    }
    r->list = name;
    bool good = true, more = peek(r) != ']';
    for (r->index = 0; good && more; r->index++) {
        json_t *item = take_value(r);
        good = item && (!keep || keep(r, item));
        json_decref(item);
        more = good && peek(r) != ']';
        good = good && (!more || take(r, ',') ||
                        refuse(r, "byte %zu: ',' or ']' expected behind it", r->at));
    }
    r->list = NULL;
    return good && take(r, ']');
}

static bool take_first(reader *r, bool *has, const char *name,
                       bool (*keep)(reader *, const json_t *))
{
    if (*has) {
        return refuse(r, "\"%s\" stands there twice", name);
    }
    *has = true;
    return take_list(r, name, keep);
}

static bool pass_over(reader *r)
{
    if (peek(r) == '[') { /* item by item: it may be long */
        return take_list(r, "a list", NULL);
    }
    json_t *value = take_value(r);
    json_decref(value);
    return value != NULL;
}

static bool ends_here(reader *r)
{
    (void)peek(r);
    return r->at == r->size || refuse(r, "byte %zu: something follows the document", r->at);
}

static void skip_mark(reader *r)
{
    if (r->size >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
        r->at = 3;
    }
}

/* --- entries --- */

/* room for one more */
static bool grow(reader *r, void **items, size_t *room, size_t count, size_t size)
{
    if (count < *room) {
        return true;
    }
    size_t wanted = *room ? *room * 2 : 256; /* far from overflow: count is below MOST_BYTES */
    void *more = realloc(*items, wanted * size);
    if (!more) {
        return no_memory(r->fault);
    }
    *items = more;
    *room = wanted;
    return true;
}

static bool get_id(reader *r, const json_t *entry, const char *member, int64_t *out)
{
    const json_t *value = json_object_get(entry, member);
    if (!json_is_integer(value)) {
        return refuse(r, "\"%s\" %s", member, value ? "is not a whole number" : "is missing");
    }
    *out = json_integer_value(value);
    return true;
}

static bool get_text(reader *r, const json_t *entry, const char *member, char **out)
{
    const json_t *value = json_object_get(entry, member);
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return refuse(r, "\"%s\" %s", member, value ? "is not a text" : "is missing");
    }
    *out = strdup(json_string_value(value));
    return *out || no_memory(r->fault);
}

static bool get_side(reader *r, const json_t *entry, const char *member, uint32_t *out)
{
    const json_t *value = json_object_get(entry, member);
    json_int_t side = json_integer_value(value);
    if (value && (!json_is_integer(value) || side < 0 || side > INT32_MAX)) {
        return refuse(r, "\"%s\" is not a size in pixels", member);
    }
    *out = value ? (uint32_t)side : 0;
    return true;
}

static bool get_box(reader *r, const json_t *entry, double out[4])
{
    const json_t *list = json_object_get(entry, "bbox");
    if (json_array_size(list) != 4) {
        return refuse(r, "\"bbox\" %s", list ? "is not a list of four numbers" : "is missing");
    }
    for (size_t i = 0; i < 4; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_number(value)) {
            return refuse(r, "\"bbox\" is not a list of four numbers");
        }
        out[i] = json_number_value(value);
        if (fabs(out[i]) > FARTHEST || (i >= 2 && out[i] < 0)) {
            return refuse(r, "\"bbox\": %s %g",
                          i < 2 ? "a coordinate of"
                                : "a width or height of", /* of x, y, width, height */
                          out[i]);
        }
    }
    return true;
}

static bool get_number(reader *r, const json_t *entry, const char *member, double *out)
{
    const json_t *value = json_object_get(entry, member);
    if (!json_is_number(value)) {
        return refuse(r, "\"%s\" %s", member, value ? "is not a number" : "is missing");
    }
    *out = json_number_value(value);
    return true;
}

static bool get_crowd(reader *r, const json_t *entry, bool *out)
{
    const json_t *value = json_object_get(entry, "iscrowd");
    json_int_t number = json_is_true(value) ? 1 : json_integer_value(value);
    if ((value && !json_is_integer(value) && !json_is_boolean(value)) || number < 0 || number > 1) {
        return refuse(r, "\"iscrowd\" is neither 0 nor 1");
    }
    *out = number == 1;
    return true;
}

static bool is_object(reader *r, const json_t *entry)
{
    return json_is_object(entry) || refuse(r, "is not an object");
}

static bool keep_image(reader *r, const json_t *entry)
{
    if (!is_object(r, entry) ||
        !grow(r, (void **)&r->images, &r->image_room, r->image_count, sizeof *r->images)) {
        return false;
    }
    coco_image one = {.id = 0};
    if (!get_id(r, entry, "id", &one.id) || !get_side(r, entry, "width", &one.width) ||
        !get_side(r, entry, "height", &one.height) ||
        !get_text(r, entry, "file_name", &one.file_name)) {
        return false;
    }
    r->images[r->image_count++] = one;
    return true;
}

static bool keep_category(reader *r, const json_t *entry)
{
    if (!is_object(r, entry) || !grow(r, (void **)&r->categories, &r->category_room,
                                      r->category_count, sizeof *r->categories)) {
        return false;
    }
    coco_category one = {.id = 0};
    if (!get_id(r, entry, "id", &one.id) || !get_text(r, entry, "name", &one.name)) {
        return false;
    }
    r->categories[r->category_count++] = one;
    return true;
}

static bool keep_box(reader *r, const json_t *entry)
{
    raw_box raw = {.image = 0};
    if (!is_object(r, entry) ||
        !grow(r, (void **)&r->boxes, &r->box_room, r->box_count, sizeof *r->boxes) ||
        !get_id(r, entry, "image_id", &raw.image) ||
        !get_id(r, entry, "category_id", &raw.category) || !get_box(r, entry, raw.box.box)) {
        return false;
    }
    raw.box.area = raw.box.box[2] * raw.box.box[3];
    if (r->results) {
        if (!get_number(r, entry, "score", &raw.box.score)) {
            return false;
        }
    } else if (!get_crowd(r, entry, &raw.box.crowd) ||
               (json_object_get(entry, "area") && !get_number(r, entry, "area", &raw.box.area))) {
        return false;
    }
    r->boxes[r->box_count++] = raw;
    return true;
}

/* --- what belongs together --- */

static int compare_ids(int64_t a, int64_t b)
{
    return a == b ? 0 : a < b ? -1 : 1;
}

static int compare_images(const void *a, const void *b)
{
    return compare_ids(((const coco_image *)a)->id, ((const coco_image *)b)->id);
}

static int compare_categories(const void *a, const void *b)
{
    return compare_ids(((const coco_category *)a)->id, ((const coco_category *)b)->id);
}

/* Sorts both by their ids, which must be different ones. */
static bool sort_entries(reader *r)
{
    qsort(r->images, r->image_count, sizeof *r->images, compare_images);
    qsort(r->categories, r->category_count, sizeof *r->categories, compare_categories);
    for (size_t i = 1; i < r->image_count; i++) {
        if (r->images[i].id == r->images[i - 1].id) {
            return refuse(r, "two images have the id %lld", (long long)r->images[i].id);
        }
    }
    for (size_t i = 1; i < r->category_count; i++) {
        if (r->categories[i].id == r->categories[i - 1].id) {
            return refuse(r, "two categories have the id %lld", (long long)r->categories[i].id);
        }
    }
    return true;
}

/* Gives each box the places of its image and category; boxes without them are left out. */
static bool resolve(reader *r, const coco_data *data, coco_boxes *out)
{
    out->items = calloc(r->box_count + 1, sizeof *out->items);
    if (!out->items) {
        return no_memory(r->fault);
    }
    for (size_t i = 0; i < r->box_count; i++) {
        const raw_box *raw = &r->boxes[i];
        const coco_image wanted = {.id = raw->image};
        const coco_category kind = {.id = raw->category};
        const coco_image *image =
            bsearch(&wanted, data->images, data->image_count, sizeof wanted, compare_images);
        const coco_category *category =
            bsearch(&kind, data->categories, data->category_count, sizeof kind, compare_categories);
        if (!image && r->results) {
            r->list = "results";
            r->index = i;
            return refuse(r, "the ground truth lists no image %lld", (long long)raw->image);
        }
        if (!image || !category) {
            out->left_out++;
            continue;
        }
        coco_box *box = &out->items[out->count++];
        *box = raw->box;
        box->image = (uint32_t)(image - data->images);
        box->category = (uint32_t)(category - data->categories);
    }
    return true;
}

static bool read_member(reader *r, const char *name)
{
    if (strcmp(name, "images") == 0) {
        return take_first(r, &r->has_images, "images", keep_image);
    }
    if (strcmp(name, "categories") == 0) {
        return take_first(r, &r->has_categories, "categories", keep_category);
    }
    if (strcmp(name, "annotations") == 0) {
        return take_first(r, &r->has_annotations, "annotations", keep_box);
    }
    return pass_over(r);
}

static bool read_members(reader *r)
{
    if (!take(r, '{')) {
        return refuse(r, "not a COCO document: it does not begin with {");
    }
    bool good = true, more = peek(r) != '}';
    while (good && more) {
        json_t *key = take_value(r);
        const char *name = json_string_value(key);
        if (!name || !take(r, ':')) {
            good = key && refuse(r, "byte %zu: a member's name and ':' expected", r->at);
        } else {
            good = read_member(r, name);
        }
        json_decref(key);
        more = good && peek(r) != '}';
        good = good && (!more || take(r, ',') || refuse(r, "byte %zu: ',' or '}' expected", r->at));
    }
    return good && take(r, '}') && ends_here(r);
}

static bool is_complete(reader *r)
{
    const char *missing = !r->has_images        ? "images"
                          : !r->has_categories  ? "categories"
                          : !r->has_annotations ? "annotations"
                                                : NULL;
    if (missing) {
        return refuse(r, "not a COCO ground truth: \"%s\" is missing", missing);
    }
    if (r->image_count == 0 || r->category_count == 0) {
        return refuse(r, "it lists no %s", r->image_count == 0 ? "images" : "categories");
    }
    return true;
}

bool coco_read(const char *text, size_t size, coco_data *out, coco_fault *fault)
{
    reader r = {.text = text, .size = size, .fault = fault};
    *out = (coco_data){.images = NULL};
    *fault = (coco_fault){.no_memory = false};
    skip_mark(&r);
    bool good = read_members(&r) && is_complete(&r) && sort_entries(&r);
    out->images = r.images;
    out->image_count = (uint32_t)r.image_count; /* entries take bytes, and a file has 2^30 */
    out->categories = r.categories;
    out->category_count = (uint32_t)r.category_count;
    good = good && resolve(&r, out, &out->truths);
    free(r.boxes);
    if (!good) {
        coco_data_destroy(out);
    }
    return good;
}

bool coco_read_results(const char *text, size_t size, const coco_data *data, coco_boxes *out,
                       coco_fault *fault)
{
    reader r = {.text = text, .size = size, .fault = fault, .results = true};
    *out = (coco_boxes){.items = NULL};
    *fault = (coco_fault){.no_memory = false};
    skip_mark(&r);
    bool good =
        peek(&r) == '[' || refuse(&r, "not a list of COCO results: it begins with no [ (what "
                                      "detect --format coco writes is a document with ids of "
                                      "its own)");
    good = good && take_list(&r, "results", keep_box) && ends_here(&r);
    good = good && resolve(&r, data, out);
    free(r.boxes);
    if (!good) {
        free(out->items);
        *out = (coco_boxes){.items = NULL};
    }
    return good;
}

void coco_data_destroy(coco_data *data)
{
    for (size_t i = 0; i < data->image_count; i++) {
        free(data->images[i].file_name);
    }
    for (size_t i = 0; i < data->category_count; i++) {
        free(data->categories[i].name);
    }
    free(data->images);
    free(data->categories);
    free(data->truths.items);
    *data = (coco_data){.images = NULL};
}

/* --- the file --- */

static bool cannot_load(coco_fault *fault, const char *reason)
{
    (void)snprintf(fault->text, sizeof fault->text, "%s", reason);
    return false;
}

bool coco_load(const char *path, char **text, size_t *size, coco_fault *fault)
{
    size_t used = 0, room = 0, got = 1;
    char *bytes = NULL;
    *fault = (coco_fault){.no_memory = false};
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file) {
        return cannot_load(fault, strerror(errno));
    }
    while (got > 0 && used <= MOST_BYTES) {
        if (used == room) {
            room = room ? room * 2 : 1 << 16;
            char *more = realloc(bytes, room);
            if (!more) {
                (void)no_memory(fault);
                break;
            }
            bytes = more;
        }
        got = fread(bytes + used, 1, room - used, file);
        used += got;
    }
    bool good = !fault->no_memory;
    if (good && ferror(file)) {
        good = cannot_load(fault, errno ? strerror(errno) : "read failed");
    } else if (good && used > MOST_BYTES) {
        good = cannot_load(fault, "larger than 1 GiB");
    }
    (void)fclose(file);
    if (!good) {
        free(bytes);
        return false;
    }
    *text = bytes;
    *size = used;
    return true;
}
