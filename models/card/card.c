/* The card: JSON -> struct, with every member checked. models/CARD.md explains it to people,
 * models/card.schema.json to tools; a test keeps all three in step. */
#include "models/model.h"

#include "models/digest.h"
#include "models/files.h"
#include "models/reader.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    CARD_MAX_BYTES = 1 << 20,
    CARD_MAX_SIDE = 8192,
    CARD_MAX_MAP = 4096,
    CARD_MAX_CLASSES = 4096,
    CARD_MAX_LANGUAGES = 64,
    CARD_MAX_FILES = 1024,
    TEXT_SHORT = 128, /* bytes */
    TEXT_LONG = 4096
};

static status copy_string(region *r, const json_cursor *at, size_t most, const char **out,
                          error *err)
{
    const char *text;
    status s = reader_string(at, most, &text, err);
    if (s != STATUS_OK) {
        return s;
    }
    char *copy = region_string(r, text);
    if (!copy) {
        return reader_fail(at, STATUS_MEMORY, err, "out of memory");
    }
    *out = copy;
    return STATUS_OK;
}

/* an array of numbers into doubles */
static status read_numbers(const json_cursor *at, size_t least, size_t most, double low,
                           double high, double *out, size_t *count, error *err)
{
    status s = reader_array(at, least, most, count, err);
    for (size_t i = 0; s == STATUS_OK && i < *count; i++) {
        json_cursor item = reader_item(at, i);
        s = reader_number(&item, low, high, &out[i], err);
    }
    return s;
}

static status read_floats(const json_cursor *at, size_t count, double low, double high, float *out,
                          error *err)
{
    double numbers[4] = {0};
    size_t found;
    status s = read_numbers(at, count, count, low, high, numbers, &found, err);
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        out[i] = (float)numbers[i];
    }
    return s;
}

static status read_identity(region *r, const json_cursor *root, card *c, error *err)
{
    const struct {
        const char *key;
        size_t most;
        bool needed;
        const char **out;
    } texts[] = {
        {"name", TEXT_SHORT, true, &c->name},
        {"version", TEXT_SHORT, true, &c->version},
        {"description", TEXT_LONG, false, &c->description},
        {"source", TEXT_LONG, true, &c->source},
        {"licence", TEXT_SHORT, true, &c->licence},
    };
    c->description = "";
    for (size_t i = 0; i < COUNT(texts); i++) {
        json_cursor at = reader_member(root, texts[i].key);
        if (!at.value && !texts[i].needed) {
            continue;
        }
        status s = copy_string(r, &at, texts[i].most, texts[i].out, err);
        if (s != STATUS_OK) {
            return s;
        }
    }
    return STATUS_OK;
}

static status read_files(region *r, const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"file", "sha256"};
    json_cursor files = reader_member(root, "files");
    if (!files.value) {
        return STATUS_OK;
    }
    size_t count;
    status s = reader_array(&files, 1, CARD_MAX_FILES, &count, err);
    if (s != STATUS_OK) {
        return s;
    }
    c->files = region_allocate(r, count, sizeof *c->files);
    if (!c->files) {
        return reader_fail(&files, STATUS_MEMORY, err, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        json_cursor item = reader_item(&files, i);
        json_cursor file = reader_member(&item, "file"), sha = reader_member(&item, "sha256");
        s = reader_members(&item, members, COUNT(members), err);
        if (s == STATUS_OK) {
            s = copy_string(r, &file, TEXT_LONG, &c->files[i].file, err);
        }
        if (s == STATUS_OK) {
            s = copy_string(r, &sha, DIGEST_TEXT - 1, &c->files[i].sha256, err);
        }
        if (s != STATUS_OK) {
            return s;
        }
        if (!path_is_inside(c->files[i].file)) {
            return reader_fail(&file, STATUS_MODEL, err,
                               "\"%s\" is not a path inside the model's folder", c->files[i].file);
        }
        if (!digest_valid(c->files[i].sha256)) {
            return reader_fail(&sha, STATUS_MODEL, err, "is not 64 lowercase hexadecimal digits");
        }
    }
    c->file_count = count;
    return STATUS_OK;
}

static status read_input(const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"width",     "height", "channels", "mean",
                                          "deviation", "fit",    "resize",   "fill"};
    static const char *const orders[] = {"rgb", "bgr", "gray"};
    static const char *const fits[] = {"stretch", "letterbox"};
    static const char *const samplings[] = {"nearest", "bilinear", "bilinear-half-pixel",
                                            "bilinear-align-corners"};
    preprocess *p = &c->preprocess;
    json_cursor input = reader_member(root, "input");
    json_cursor width = reader_member(&input, "width"), height = reader_member(&input, "height"),
                channels = reader_member(&input, "channels"), mean = reader_member(&input, "mean"),
                deviation = reader_member(&input, "deviation"), fit = reader_member(&input, "fit"),
                resize = reader_member(&input, "resize"), fill = reader_member(&input, "fill");
    size_t order = 0, fitting = 0, method = 0;
    double gray = 0;
    status s = reader_members(&input, members, COUNT(members), err);
    if (s == STATUS_OK) {
        s = reader_u32(&width, 1, CARD_MAX_SIDE, &p->width, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&height, 1, CARD_MAX_SIDE, &p->height, err);
    }
    if (s == STATUS_OK) {
        s = reader_choice(&channels, orders, COUNT(orders), &order, err);
    }
    size_t count = order == CHANNELS_GRAY ? 1 : 3;
    if (s == STATUS_OK) {
        s = read_floats(&mean, count, -1e6, 1e6, p->mean, err);
    }
    if (s == STATUS_OK) {
        s = read_floats(&deviation, count, 1e-6, 1e6, p->deviation, err);
    }
    if (s == STATUS_OK) {
        s = reader_choice(&fit, fits, COUNT(fits), &fitting, err);
    }
    if (s == STATUS_OK) {
        s = reader_choice(&resize, samplings, COUNT(samplings), &method, err);
    }
    if (s == STATUS_OK && fill.value) {
        s = reader_number(&fill, 0, 255, &gray, err);
    }
    p->channels = (channel_order)order;
    p->fit = (fit_mode)fitting;
    p->sampling = (sampling)method;
    p->fill = (float)gray;
    return s;
}

static status read_outputs(region *r, const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"scores", "boxes"};
    json_cursor outputs = reader_member(root, "outputs");
    json_cursor scores = reader_member(&outputs, "scores"),
                boxes = reader_member(&outputs, "boxes");
    status s = reader_members(&outputs, members, c->detects ? 2 : 1, err);
    if (s == STATUS_OK) {
        s = copy_string(r, &scores, TEXT_LONG, &c->score_output, err);
    }
    if (s == STATUS_OK && c->detects) {
        s = copy_string(r, &boxes, TEXT_LONG, &c->loc_output, err);
    }
    return s;
}

/* names of one language; the first language decides how many classes there are */
static status read_names(region *r, const json_cursor *at, card *c, card_label *label, error *err)
{
    size_t count, least = c->class_count ? c->class_count : 1;
    status s =
        reader_array(at, least, c->class_count ? c->class_count : CARD_MAX_CLASSES, &count, err);
    if (s != STATUS_OK) {
        return s;
    }
    const char **names = region_allocate(r, count, sizeof *names);
    if (!names) {
        return reader_fail(at, STATUS_MEMORY, err, "out of memory");
    }
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(at, i);
        s = copy_string(r, &item, TEXT_SHORT, &names[i], err);
    }
    label->names = names;
    c->class_count = (uint32_t)count;
    return s;
}

static status read_labels(region *r, const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"language", "names"};
    json_cursor labels = reader_member(root, "labels");
    json_cursor background = reader_member(root, "background");
    size_t count;
    status s = reader_array(&labels, 1, CARD_MAX_LANGUAGES, &count, err);
    if (s != STATUS_OK) {
        return s;
    }
    c->labels = region_allocate(r, count, sizeof *c->labels);
    if (!c->labels) {
        return reader_fail(&labels, STATUS_MEMORY, err, "out of memory");
    }
    c->label_count = count;
    for (size_t i = 0; i < count; i++) {
        json_cursor item = reader_item(&labels, i);
        json_cursor language = reader_member(&item, "language"),
                    names = reader_member(&item, "names");
        s = reader_members(&item, members, COUNT(members), err);
        if (s == STATUS_OK) {
            s = copy_string(r, &language, TEXT_SHORT, &c->labels[i].language, err);
        }
        for (size_t k = 0; s == STATUS_OK && k < i; k++) {
            if (strcmp(c->labels[k].language, c->labels[i].language) == 0) {
                s = reader_fail(&language, STATUS_MODEL, err, "\"%s\" is there twice",
                                c->labels[i].language);
            }
        }
        if (s == STATUS_OK) {
            s = read_names(r, &names, c, &c->labels[i], err);
        }
        if (s != STATUS_OK) {
            return s;
        }
    }
    c->background = -1;
    if (background.value) {
        uint32_t index;
        s = reader_u32(&background, 0, c->class_count - 1, &index, err);
        c->background = s == STATUS_OK ? (int)index : -1;
    }
    return s;
}

static status read_precisions(const json_cursor *root, card *c, error *err)
{
    static const char *const names[] = {"fp32", "fp16", "bf16"};
    json_cursor precisions = reader_member(root, "precisions");
    size_t count = 0;
    status s =
        precisions.value ? reader_array(&precisions, 1, COUNT(names), &count, err) : STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor item = reader_item(&precisions, i);
        size_t which = 0;
        s = reader_choice(&item, names, COUNT(names), &which, err);
        c->fit.fp16 = c->fit.fp16 || which == 1;
        c->fit.bf16 = c->fit.bf16 || which == 2;
    }
    return s;
}

static status read_level(const json_cursor *at, anchor_level *level, error *err)
{
    static const char *const members[] = {"map", "sizes", "ratios"};
    json_cursor map = reader_member(at, "map"), sizes = reader_member(at, "sizes"),
                ratios = reader_member(at, "ratios");
    json_cursor height = reader_item(&map, 0), width = reader_item(&map, 1);
    size_t two, size_count = 0, ratio_count = 0;
    status s = reader_members(at, members, COUNT(members), err);
    if (s == STATUS_OK) {
        s = reader_array(&map, 2, 2, &two, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&height, 1, CARD_MAX_MAP, &level->map_height, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&width, 1, CARD_MAX_MAP, &level->map_width, err);
    }
    if (s == STATUS_OK) {
        s = read_numbers(&sizes, 1, COUNT(level->sizes), 1e-6, 100, level->sizes, &size_count, err);
    }
    if (s == STATUS_OK) {
        s = read_numbers(&ratios, 1, COUNT(level->ratios), 1e-3, 1e3, level->ratios, &ratio_count,
                         err);
    }
    level->size_count = (uint32_t)size_count;
    level->ratio_count = (uint32_t)ratio_count;
    return s;
}

static status read_anchors(const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"combine", "clip", "levels"};
    static const char *const combines[] = {"first", "product"};
    anchor_spec *spec = &c->anchors;
    json_cursor anchors = reader_member(root, "anchors");
    json_cursor combine = reader_member(&anchors, "combine"),
                clip = reader_member(&anchors, "clip"), levels = reader_member(&anchors, "levels");
    size_t how = 0, count = 0;
    status s = reader_members(&anchors, members, COUNT(members), err);
    if (s == STATUS_OK) {
        s = reader_choice(&combine, combines, COUNT(combines), &how, err);
    }
    if (s == STATUS_OK) {
        s = reader_bool(&clip, &spec->clip, err);
    }
    if (s == STATUS_OK) {
        s = reader_array(&levels, 1, COUNT(spec->levels), &count, err);
    }
    spec->combine = (anchor_combine)how;
    spec->level_count = (uint32_t)count;
    for (size_t i = 0; s == STATUS_OK && i < count; i++) {
        json_cursor level = reader_item(&levels, i);
        s = read_level(&level, &spec->levels[i], err);
    }
    if (s == STATUS_OK && anchors_count(spec) > DETECTOR_MAX_ANCHORS) {
        s = reader_fail(&levels, STATUS_LIMIT, err, "make %llu anchors, at most %d are handled",
                        (unsigned long long)anchors_count(spec), DETECTOR_MAX_ANCHORS);
    }
    return s;
}

static status read_coding(const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"type", "variances"};
    static const char *const types[] = {"centre-size"};
    json_cursor coding = reader_member(root, "coding");
    json_cursor type = reader_member(&coding, "type"),
                variances = reader_member(&coding, "variances");
    size_t only;
    status s = reader_members(&coding, members, COUNT(members), err);
    if (s == STATUS_OK) {
        s = reader_choice(&type, types, COUNT(types), &only, err);
    }
    return s == STATUS_OK ? read_floats(&variances, 4, 1e-6, 1e3, c->variance, err) : s;
}

static status read_nms(const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {"mode", "score_threshold", "iou_threshold",
                                          "max_detections"};
    const char *modes[NMS_MODE_COUNT];
    json_cursor nms = reader_member(root, "nms");
    json_cursor mode = reader_member(&nms, "mode"), score = reader_member(&nms, "score_threshold"),
                iou = reader_member(&nms, "iou_threshold"),
                most = reader_member(&nms, "max_detections");
    size_t which = 0;
    for (size_t m = 0; m < NMS_MODE_COUNT; m++) {
        modes[m] = nms_mode_name((nms_mode)m);
    }
    status s = reader_members(&nms, members, COUNT(members), err);
    if (s == STATUS_OK) {
        s = reader_choice(&mode, modes, NMS_MODE_COUNT, &which, err);
    }
    if (s == STATUS_OK) {
        s = reader_number(&score, 0, 1, &c->nms.score_threshold, err);
    }
    if (s == STATUS_OK) {
        s = reader_number(&iou, 1e-9, 1, &c->nms.iou_threshold, err);
    }
    if (s == STATUS_OK) {
        s = reader_u32(&most, 1, (uint32_t)anchors_count(&c->anchors), &c->nms.max_detections, err);
    }
    c->nms.mode = (nms_mode)which;
    return s;
}

static status read_card(region *r, const json_cursor *root, card *c, error *err)
{
    static const char *const members[] = {
        "schema", "name",    "version", "description", "task",       "source",  "licence", "files",
        "input",  "outputs", "labels",  "precisions",  "background", "anchors", "coding",  "nms",
    };
    static const char *const tasks[] = {"detect", "classify"};
    enum { DETECTION_MEMBERS = 4 }; /* the last four */
    json_cursor task = reader_member(root, "task"), schema = reader_member(root, "schema");
    size_t which = 0;
    uint32_t version;
    status s = reader_u32(&schema, 1, 1, &version, err);
    if (s == STATUS_OK) {
        s = reader_choice(&task, tasks, COUNT(tasks), &which, err);
    }
    c->detects = which == 0;
    if (s == STATUS_OK) {
        s = reader_members(root, members, COUNT(members) - (c->detects ? 0 : DETECTION_MEMBERS),
                           err);
    }
    if (s == STATUS_OK) {
        s = read_identity(r, root, c, err);
    }
    if (s == STATUS_OK) {
        s = read_files(r, root, c, err);
    }
    if (s == STATUS_OK) {
        s = read_input(root, c, err);
    }
    if (s == STATUS_OK) {
        s = read_outputs(r, root, c, err);
    }
    if (s == STATUS_OK) {
        s = read_labels(r, root, c, err);
    }
    if (s == STATUS_OK) {
        s = read_precisions(root, c, err);
    }
    if (s != STATUS_OK || !c->detects) {
        return s;
    }
    s = read_anchors(root, c, err);
    if (s == STATUS_OK) {
        s = read_coding(root, c, err);
    }
    return s == STATUS_OK ? read_nms(root, c, err) : s;
}

status card_parse(region *r, const char *text, size_t size, card *out, error *err)
{
    json_t *document = NULL;
    card c = {0};
    status s = reader_parse("card", text, size, CARD_MAX_BYTES, &document, err);
    if (s != STATUS_OK) {
        return s;
    }
    json_cursor root = reader_root(document);
    s = read_card(r, &root, &c, err);
    json_decref(document);
    if (s == STATUS_OK) {
        *out = c;
    }
    return s;
}
