/* vkdet val: how good a detector is, in the figures of COCO. */
#include "host/cli/class_map.h"
#include "host/cli/coco_read.h"
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/detector.h"
#include "host/cli/val_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULT_CONF 0.01
enum { DEFAULT_MAX_DET = 100 };

/* A writer that keeps what it is given, as boxes of the ground truth's categories. */
typedef struct collector {
    writer writer; /* first: the pipeline knows only it */
    const class_map *map;
    const coco_data *data;
    coco_boxes found;
    size_t room;
    uint32_t failed, other_size, first_of_other_size;
    bool no_memory;
} collector;

typedef struct val {
    settings settings; /* with this command's defaults */
    coco_data data;
    detector detector;
    class_map map;
    char **paths;
    collector collector;
    coco_score overall, *categories;
} val;

static bool keep(collector *c, const coco_box *box)
{
    if (c->found.count == c->room) {
        size_t room = c->room ? c->room * 2 : 1024;
        coco_box *more =
            room < SIZE_MAX / sizeof *more ? realloc(c->found.items, room * sizeof *more) : NULL;
        if (!more) {
            c->no_memory = true;
            return writer_fail(&c->writer, "detections", "out of memory");
        }
        c->found.items = more;
        c->room = room;
    }
    c->found.items[c->found.count++] = *box;
    return true;
}

static bool collect(writer *w, const record *r)
{
    collector *c = (collector *)w;
    const coco_image *image = &c->data->images[r->index]; /* sources are listed in their order */
    if (r->error) {
        c->failed++;
        return true;
    }
    if (image->width && image->height && (image->width != r->width || image->height != r->height) &&
        c->other_size++ == 0) {
        c->first_of_other_size = (uint32_t)r->index;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        const vkdet_detection *d = &r->detections[i];
        coco_box box = {.image = (uint32_t)r->index,
                        .category = c->map->categories[d->class_id],
                        .box = {d->box[0], d->box[1], d->box[2] - d->box[0], d->box[3] - d->box[1]},
                        .score = d->score};
        if (box.category != CLASS_MAP_NONE && !keep(c, &box)) {
            return false;
        }
    }
    return true;
}

static const writer_format collecting = {.name = "val", .write = collect};

static int check_usage(const settings *s)
{
    if (!s->data || (!s->images && !s->pred)) {
        console_error("val: %s missing (usage: vkdet val %s)",
                      s->data ? "--images DIR, or --pred RESULTS.json," : "--data COCO.json",
                      command_val.operands);
        return EXIT_USAGE;
    }
    bool runs = s->images || s->model || s->device || s->map.count || s->conf >= 0 || s->iou > 0 ||
                s->max_det || s->nms_mode || s->batch || s->slots || s->max_pixels ||
                s->cache_dir || s->validate || s->precision || s->threads || s->tune || s->winograd;
    if (s->pred && runs) {
        console_error("val: --pred has the boxes: no model runs, and what is for one does not go "
                      "with it");
        return EXIT_USAGE;
    }
    return detector_check(s, "val");
}

static int read_data(val *v)
{
    char *text = NULL;
    size_t size = 0;
    coco_fault fault;
    bool good = coco_load(v->settings.data, &text, &size, &fault) &&
                coco_read(text, size, &v->data, &fault);
    free(text);
    if (!good) {
        console_error("%s: %s", v->settings.data, fault.text);
        return fault.no_memory ? EXIT_DEVICE : EXIT_INPUT;
    }
    if (v->data.truths.left_out > 0) {
        console_note("%s: %llu annotations are of images or categories that it does not list: "
                     "left out",
                     v->settings.data, (unsigned long long)v->data.truths.left_out);
    }
    return EXIT_GOOD;
}

static int read_results(val *v)
{
    char *text = NULL;
    size_t size = 0;
    coco_fault fault;
    coco_boxes *found = &v->collector.found;
    bool good = coco_load(v->settings.pred, &text, &size, &fault) &&
                coco_read_results(text, size, &v->data, found, &fault);
    free(text);
    if (!good) {
        console_error("%s: %s", v->settings.pred, fault.text);
        return fault.no_memory ? EXIT_DEVICE : EXIT_INPUT;
    }
    if (found->left_out > 0) {
        console_note("%s: %llu results are of categories that the ground truth does not list: "
                     "left out",
                     v->settings.pred, (unsigned long long)found->left_out);
    }
    return EXIT_GOOD;
}

static bool is_inside(const char *name)
{
    bool inside = name[0] != '/';
    for (const char *part = name; inside && part;) {
        inside = strncmp(part, "..", 2) != 0 || (part[2] && part[2] != '/');
        const char *slash = strchr(part, '/');
        part = slash ? slash + 1 : NULL;
    }
    return inside;
}

/* What is wrong with all pictures at once is told once, before anything runs. */
static int check_folder(const val *v)
{
    const char *folder = v->settings.images;
    struct stat st;
    bool there = stat(folder, &st) == 0;
    if (!there || !S_ISDIR(st.st_mode)) {
        console_error("val: --images %s: %s", folder, there ? "not a folder" : strerror(errno));
        return EXIT_INPUT;
    }
    for (uint32_t i = 0; i < v->data.image_count; i++) {
        const coco_image *image = &v->data.images[i];
        if (!is_inside(image->file_name)) {
            console_error("%s: image %lld: \"file_name\": \"%s\" is not a path inside a folder",
                          v->settings.data, (long long)image->id, image->file_name);
            return EXIT_INPUT;
        }
    }
    return EXIT_GOOD;
}

/* DIR/file_name of each image, in order of the ids; false when memory ran out. */
static bool list_paths(val *v)
{
    const char *folder = v->settings.images;
    v->paths = calloc((size_t)v->data.image_count + 1, sizeof *v->paths);
    for (uint32_t i = 0; v->paths && i < v->data.image_count; i++) {
        const char *name = v->data.images[i].file_name;
        size_t size = strlen(folder) + strlen(name) + 2;
        v->paths[i] = malloc(size);
        if (!v->paths[i]) {
            return false;
        }
        (void)snprintf(v->paths[i], size, "%s/%s", folder, name);
    }
    return v->paths != NULL;
}

static int detect_all(val *v)
{
    collector *c = &v->collector;
    if (!list_paths(v)) {
        console_error("out of memory");
        return EXIT_DEVICE;
    }
    sources *pictures =
        sources_create_files((const char *const *)v->paths, (int)v->data.image_count);
    if (!pictures) {
        console_error("out of memory or file descriptors");
        return EXIT_DEVICE;
    }
    c->map = &v->map;
    c->data = &v->data;
    c->writer = (writer){.format = &collecting, .model = v->detector.model, .out = stdout};
    int status = detector_run(&v->detector, &v->settings, pictures, &c->writer, true);
    sources_destroy(pictures);
    if (c->other_size > 0) {
        const char *first = v->paths[c->first_of_other_size];
        console_note("%u pictures do not have the size that the ground truth says, %s is the first "
                     "(boxes are compared in the pixels of the upright picture)",
                     c->other_size, first);
    }
    return c->no_memory ? EXIT_DEVICE : status;
}

static int find_boxes(val *v)
{
    if (v->settings.pred) {
        return read_results(v);
    }
    int status = check_folder(v);
    if (status == EXIT_GOOD) {
        status = detector_open(&v->detector, &v->settings);
    }
    if (status == EXIT_GOOD) {
        status = class_map_make(&v->map, v->detector.model, &v->settings.map, &v->data);
    }
    if (status == EXIT_GOOD) {
        status = detector_start(&v->detector, &v->settings);
    }
    return status == EXIT_GOOD ? detect_all(v) : status;
}

static int judge(val *v)
{
    const coco_boxes *truths = &v->data.truths, *found = &v->collector.found;
    v->categories = calloc(v->data.category_count, sizeof *v->categories);
    if (!v->categories || !coco_evaluate(truths->items, truths->count, found->items, found->count,
                                         v->data.category_count, &v->overall, v->categories)) {
        console_error("out of memory");
        return EXIT_DEVICE;
    }
    val_report report = {.settings = &v->settings,
                         .detector = v->settings.pred ? NULL : &v->detector,
                         .map = v->settings.pred ? NULL : &v->map,
                         .data = &v->data,
                         .overall = &v->overall,
                         .categories = v->categories,
                         .failed = v->collector.failed,
                         .other_size = v->collector.other_size};
    return val_report_give(&report);
}

static int val_run(const settings *s)
{
    val v = {.settings = *s};
    int status = check_usage(s);
    if (v.settings.conf < 0) {
        v.settings.conf = DEFAULT_CONF;
    }
    if (v.settings.max_det == 0) {
        v.settings.max_det = DEFAULT_MAX_DET;
    }
    if (status == EXIT_GOOD) {
        status = read_data(&v);
    }
    if (status == EXIT_GOOD) {
        status = find_boxes(&v);
    }
    bool ran = status == EXIT_INPUT && v.collector.failed > 0; /* but for some pictures */
    if (ran && v.collector.failed == v.data.image_count) {
        console_error("val: none of the pictures could be read: there are no figures");
        ran = false;
    }
    if (status == EXIT_GOOD || ran) {
        int judged = judge(&v);
        status = judged == EXIT_GOOD ? status : judged;
    }
    for (uint32_t i = 0; v.paths && i < v.data.image_count; i++) {
        free(v.paths[i]);
    }
    free(v.paths);
    free(v.categories);
    free(v.collector.found.items);
    class_map_free(&v.map);
    detector_close(&v.detector);
    coco_data_destroy(&v.data);
    return status;
}

static const option_id val_options[] = {
    OPTION_DATA,     OPTION_IMAGES,     OPTION_MODEL,       OPTION_MAP,      OPTION_PRED,
    OPTION_DEVICE,   OPTION_PRECISION,  OPTION_THREADS,     OPTION_TUNE,     OPTION_WINOGRAD,
    OPTION_VAL_CONF, OPTION_IOU,        OPTION_VAL_MAX_DET, OPTION_NMS_MODE, OPTION_BATCH,
    OPTION_SLOTS,    OPTION_MAX_PIXELS, OPTION_CACHE_DIR,   OPTION_JSON,     OPTION_VALIDATE,
    OPTION_VERBOSE,  OPTION_QUIET,      OPTION_HELP,        OPTION_END};

const command command_val = {
    .name = "val",
    .operands = "--data COCO.json --images DIR",
    .summary = "judge a detector: the COCO figures over labelled pictures",
    .details =
        "\n"
        "COCO.json lists images, annotations and categories as COCO's instances files do.\n"
        "Prints the twelve figures of COCO's evaluation for boxes, then AP and AP50 of each\n"
        "category. A class of the model stands for the category of the same name, in any\n"
        "language of its labels; --map pairs the others. A picture that cannot be read\n"
        "counts as one without detections. With --pred no model runs.\n",
    .options = val_options,
    .run = val_run,
};
