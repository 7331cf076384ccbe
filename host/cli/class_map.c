/* Names to places, and the two lines about what is left over. */
#include "host/cli/class_map.h"

#include "host/cli/command.h"
#include "host/cli/console.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 8 /* names in a message */ };

static bool is_background(const class_map *m, uint32_t id)
{
    return m->info.background >= 0 && id == (uint32_t)m->info.background;
}

static bool has_label(const class_map *m, uint32_t id, const char *name)
{
    for (uint32_t i = 0; i < m->info.language_count; i++) {
        const char *label = vkdet_model_label(m->model, id, vkdet_model_language(m->model, i));
        if (label && strcmp(label, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_number(const char *text, long long *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *text && *end == 0 && errno == 0 && text[strspn(text, "-0123456789")] == 0;
}

/* The class of that name, else of that number. */
static bool find_class(const class_map *m, const char *name, uint32_t *out)
{
    uint32_t matches = 0;
    long long number = 0;
    for (uint32_t id = 0; id < m->info.class_count; id++) {
        if (!is_background(m, id) && has_label(m, id, name)) {
            *out = id;
            matches++;
        }
    }
    if (matches > 1) {
        console_error("val: --map: %u classes are named \"%s\": give the number of one", matches,
                      name);
        return false;
    }
    if (matches == 0) {
        if (!read_number(name, &number) || number < 0 || number >= m->info.class_count ||
            is_background(m, (uint32_t)number)) {
            console_error("val: --map: the model has no class \"%s\" (vkdet inspect lists them)",
                          name);
            return false;
        }
        *out = (uint32_t)number;
    }
    return true;
}

/* how many categories have that name; *out: the first of them */
static uint32_t count_named(const coco_data *data, const char *name, uint32_t *out)
{
    uint32_t matches = 0;
    for (uint32_t i = data->category_count; i-- > 0;) {
        if (strcmp(data->categories[i].name, name) == 0) {
            *out = i;
            matches++;
        }
    }
    return matches;
}

static bool is_ambiguous(const char *name, uint32_t matches)
{
    if (matches > 1) {
        console_error("val: %u categories are named \"%s\": say which with --map CLASS=ID", matches,
                      name);
    }
    return matches > 1;
}

/* The category of that name, else of that id. */
static bool find_category(const coco_data *data, const char *name, uint32_t *out)
{
    uint32_t matches = count_named(data, name, out);
    long long id = 0;
    if (is_ambiguous(name, matches)) {
        return false;
    }
    for (uint32_t i = 0; matches == 0 && read_number(name, &id) && i < data->category_count; i++) {
        if (data->categories[i].id == id) {
            *out = i;
            matches = 1;
        }
    }
    if (matches == 0) {
        console_error("val: --map: the ground truth has no category \"%s\"", name);
    }
    return matches == 1;
}

static int map_pairs(class_map *m, const text_list *pairs, const coco_data *data, bool *told)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const char *text = pairs->items[i];
        const char *equals = strchr(text, '=');
        uint32_t id = 0, category = CLASS_MAP_NONE;
        char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
        if (!equals) {
            console_error("val: --map takes CLASS=CATEGORY, not \"%s\"", text);
            return EXIT_USAGE;
        }
        if (!name) {
            console_error("out of memory");
            return EXIT_DEVICE;
        }
        bool good = find_class(m, name, &id);
        free(name);
        if (!good || (equals[1] && !find_category(data, equals + 1, &category))) {
            return EXIT_USAGE;
        }
        if (told[id]) {
            console_error("val: --map %s: the class has been mapped before", text);
            return EXIT_USAGE;
        }
        told[id] = true;
        m->categories[id] = category;
    }
    return EXIT_GOOD;
}

/* One class by its names; the first language that has a category decides. */
static int map_by_name(class_map *m, uint32_t id, const coco_data *data)
{
    for (uint32_t i = 0; i < m->info.language_count; i++) {
        const char *label = vkdet_model_label(m->model, id, vkdet_model_language(m->model, i));
        uint32_t category = CLASS_MAP_NONE;
        uint32_t matches = label ? count_named(data, label, &category) : 0;
        if (matches > 0) {
            m->categories[id] = category;
            return is_ambiguous(label, matches) ? EXIT_USAGE : EXIT_GOOD;
        }
    }
    return EXIT_GOOD;
}

/* The first few of the names that were counted, for one line. */
typedef struct name_list {
    char text[512];
    size_t used;
    uint32_t count;
} name_list;

static void name_add(name_list *l, const char *name)
{
    if (l->count++ < SHOWN && l->used < sizeof l->text) {
        int wrote = snprintf(l->text + l->used, sizeof l->text - l->used, "%s%s",
                             l->count > 1 ? ", " : "", name);
        l->used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static const char *and_more(const name_list *l)
{
    return l->count > SHOWN ? ", ..." : "";
}

static const char *class_name(const class_map *m, uint32_t id)
{
    const char *label = vkdet_model_label(m->model, id, NULL);
    return label ? label : "(no name)";
}

static int tell_leftovers(const class_map *m, const coco_data *data, const bool *told)
{
    name_list classes = {.used = 0}, categories = {.used = 0};
    uint32_t matched = 0, unwanted = 0; /* unwanted: left out by --map */
    bool *has_class = calloc((size_t)data->category_count + 1, sizeof *has_class);
    if (!has_class) {
        console_error("out of memory");
        return EXIT_DEVICE;
    }
    for (uint32_t id = 0; id < m->info.class_count; id++) {
        if (m->categories[id] != CLASS_MAP_NONE) {
            has_class[m->categories[id]] = true;
            matched++;
        } else if (!is_background(m, id)) {
            name_add(&classes, class_name(m, id));
            unwanted += told[id];
        }
    }
    for (uint32_t i = 0; i < data->category_count; i++) {
        if (!has_class[i]) {
            name_add(&categories, data->categories[i].name);
        }
    }
    free(has_class);
    if (matched == 0 && unwanted == classes.count) {
        console_error(
            "val: --map leaves out every class of the model (%s%s): none is left to judge",
            classes.text, and_more(&classes));
        return EXIT_USAGE;
    }
    if (matched == 0) {
        console_error("val: no class of the model (%s%s) is a category of the ground truth (%s%s): "
                      "give --map CLASS=CATEGORY",
                      classes.text, and_more(&classes), categories.text, and_more(&categories));
        return EXIT_USAGE;
    }
    if (classes.count > 0) {
        console_note("classes without a category, their detections are left out: %s%s",
                     classes.text, and_more(&classes));
    }
    if (categories.count > 0) {
        console_note("categories without a class, their boxes count as missed: %s%s",
                     categories.text, and_more(&categories));
    }
    return EXIT_GOOD;
}

int class_map_make(class_map *m, const vkdet_model *model, const text_list *pairs,
                   const coco_data *data)
{
    *m = (class_map){.model = model};
    vkdet_model_info_get(model, &m->info);
    size_t count = (size_t)m->info.class_count + 1;
    bool *told = calloc(count, sizeof *told);
    m->categories = calloc(count, sizeof *m->categories);
    int status = EXIT_GOOD;
    if (!told || !m->categories) {
        console_error("out of memory");
        status = EXIT_DEVICE;
    }
    for (uint32_t id = 0; status == EXIT_GOOD && id < m->info.class_count; id++) {
        m->categories[id] = CLASS_MAP_NONE;
    }
    if (status == EXIT_GOOD) {
        status = map_pairs(m, pairs, data, told);
    }
    for (uint32_t id = 0; status == EXIT_GOOD && id < m->info.class_count; id++) {
        if (!told[id] && !is_background(m, id)) {
            status = map_by_name(m, id, data);
        }
    }
    if (status == EXIT_GOOD) {
        status = tell_leftovers(m, data, told);
    }
    free(told);
    if (status != EXIT_GOOD) {
        class_map_free(m);
    }
    return status;
}

void class_map_free(class_map *m)
{
    free(m->categories);
    m->categories = NULL;
}
