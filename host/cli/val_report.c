/* The twelve figures, then each category. */
#include "host/cli/val_report.h"

#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/report.h"
#include "host/client/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key, *what, *overlap, *area, *boxes;
} figures[COCO_FIGURE_COUNT] = {
    [COCO_AP] = {"ap", "average precision", "0.50:0.95", "all", "100"},
    [COCO_AP_50] = {"ap_50", "average precision", "0.50", "all", "100"},
    [COCO_AP_75] = {"ap_75", "average precision", "0.75", "all", "100"},
    [COCO_AP_SMALL] = {"ap_small", "average precision", "0.50:0.95", "small", "100"},
    [COCO_AP_MEDIUM] = {"ap_medium", "average precision", "0.50:0.95", "medium", "100"},
    [COCO_AP_LARGE] = {"ap_large", "average precision", "0.50:0.95", "large", "100"},
    [COCO_AR_1] = {"ar_1", "average recall", "0.50:0.95", "all", "1"},
    [COCO_AR_10] = {"ar_10", "average recall", "0.50:0.95", "all", "10"},
    [COCO_AR_100] = {"ar_100", "average recall", "0.50:0.95", "all", "100"},
    [COCO_AR_SMALL] = {"ar_small", "average recall", "0.50:0.95", "small", "100"},
    [COCO_AR_MEDIUM] = {"ar_medium", "average recall", "0.50:0.95", "medium", "100"},
    [COCO_AR_LARGE] = {"ar_large", "average recall", "0.50:0.95", "large", "100"},
};

/* the settings that took effect */
typedef struct effective {
    double iou;
    const char *nms_mode;
} effective;

static effective effective_of(const val_report *v)
{
    static const char *const modes[] = {"tfjs", "tf", "tfjs-per-class", "tf-per-class"};
    const vkdet_model_info *info = &v->detector->info;
    effective e = {.iou = v->settings->iou > 0 ? v->settings->iou : info->iou_threshold,
                   .nms_mode = v->settings->nms_mode};
    for (size_t i = 0; !e.nms_mode && i < sizeof modes / sizeof modes[0]; i++) {
        vkdet_nms_mode mode;
        if (vkdet_nms_mode_from_name(modes[i], &mode) == VKDET_OK && mode == info->nms_mode) {
            e.nms_mode = modes[i];
        }
    }
    return e;
}

static const char *precision_of(const val_report *v)
{
    return vkdet_precision_name(vkdet_session_precision(v->detector->session));
}

/* --- JSON --- */

static void json_scores(const coco_score *score)
{
    (void)printf("\"boxes\":%" PRIu64 ",\"crowds\":%" PRIu64 ",\"detections\":%" PRIu64
                 ",\"figures\":{",
                 score->truths, score->crowds, score->found);
    for (int i = 0; i < COCO_FIGURE_COUNT; i++) {
        (void)printf("%s\"%s\":%.9g", i ? "," : "", figures[i].key, score->figures[i]);
    }
    (void)putchar('}');
}

/* with what stands before it */
static void json_text(const char *before, const char *value)
{
    (void)fputs(before, stdout);
    text_json_string(stdout, value);
}

static void json_run(const val_report *v)
{
    const settings *s = v->settings;
    if (!v->detector) {
        json_text(",\"results\":", s->pred);
        return;
    }
    vkdet_device_info device;
    vkdet_session_device(v->detector->session, &device);
    effective e = effective_of(v);
    json_text(",\"images\":", s->images);
    json_text(",\n\"model\":{\"name\":", v->detector->info.name);
    json_text(",\"version\":", v->detector->info.version);
    json_text(",\"sha256\":", v->detector->info.sha256);
    json_text("},\n\"device\":{\"id\":", device.id);
    json_text(",\"name\":", device.name);
    json_text(",\"driver\":", device.driver);
    (void)printf("},\n\"settings\":{\"conf\":%.9g,\"iou\":%.9g,\"nms_mode\":\"%s\","
                 "\"max_det\":%" PRIu64 ",\"precision\":\"%s\"}",
                 s->conf, e.iou, e.nms_mode ? e.nms_mode : "", s->max_det, precision_of(v));
}

static void json_classes(const val_report *v, uint32_t category)
{
    bool first = true;
    (void)fputs(",\"classes\":[", stdout);
    for (uint32_t id = 0; v->map && id < v->map->info.class_count; id++) {
        if (v->map->categories[id] == category) {
            (void)printf("%s%" PRIu32, first ? "" : ",", id);
            first = false;
        }
    }
    (void)putchar(']');
}

static void give_json(const val_report *v)
{
    const coco_data *data = v->data;
    (void)fputs("{\"schema\":1", stdout);
    json_text(",\"data\":", v->settings->data);
    json_run(v);
    (void)printf(",\n\"pictures\":%" PRIu32 ",\"pictures_failed\":%" PRIu32
                 ",\"pictures_of_other_size\":%" PRIu32 ",\n",
                 data->image_count, v->failed, v->other_size);
    json_scores(v->overall);
    (void)fputs(",\n\"categories\":[", stdout);
    for (uint32_t i = 0; i < data->category_count; i++) {
        (void)printf("%s{\"id\":%" PRId64, i ? ",\n" : "\n", data->categories[i].id);
        json_text(",\"name\":", data->categories[i].name);
        if (v->map) {
            json_classes(v, i);
        }
        (void)putchar(',');
        json_scores(&v->categories[i]);
        (void)putchar('}');
    }
    (void)fputs("]}\n", stdout);
}

/* --- text --- */

static json_t *figure_text(double value)
{
    return json_sprintf("%.3f", value);
}

static bool add_row(json_t *rows, json_t *row)
{
    return json_array_append_new(rows, row) == 0; /* also of no row: memory ran out */
}

static bool give_overall(const val_report *v)
{
    static const report_column columns[] = {{"figure", "what", false},
                                            {"IoU", "overlap", false},
                                            {"area", "area", false},
                                            {"boxes", "boxes", true},
                                            {"value", "value", true}};
    json_t *rows = json_array();
    bool good = rows != NULL;
    for (int i = 0; good && i < COCO_FIGURE_COUNT; i++) {
        good = add_row(rows,
                       json_pack("{s:s, s:s, s:s, s:s, s:o}", "what", figures[i].what, "overlap",
                                 figures[i].overlap, "area", figures[i].area, "boxes",
                                 figures[i].boxes, "value", figure_text(v->overall->figures[i])));
    }
    if (good) {
        report_table(rows, columns, sizeof columns / sizeof columns[0]);
    }
    json_decref(rows);
    return good;
}

/* a name from the file without what a terminal would act on */
static json_t *plain_text(const char *name)
{
    char *copy = strdup(name);
    for (char *c = copy; c && *c; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    json_t *text = copy ? json_string(copy) : NULL;
    free(copy);
    return text;
}

static bool give_categories(const val_report *v)
{
    static const report_column columns[] = {{"category", "name", false}, {"boxes", "boxes", true},
                                            {"crowds", "crowds", true},  {"found", "found", true},
                                            {"AP", "ap", true},          {"AP50", "ap_50", true}};
    json_t *rows = json_array();
    bool good = rows != NULL;
    for (uint32_t i = 0; good && i < v->data->category_count; i++) {
        const coco_score *score = &v->categories[i];
        good = add_row(rows, json_pack("{s:o, s:I, s:I, s:I, s:o, s:o}", "name",
                                       plain_text(v->data->categories[i].name), "boxes",
                                       (json_int_t)score->truths, "crowds",
                                       (json_int_t)score->crowds, "found", (json_int_t)score->found,
                                       "ap", figure_text(score->figures[COCO_AP]), "ap_50",
                                       figure_text(score->figures[COCO_AP_50])));
    }
    if (good) {
        report_table(rows, columns, sizeof columns / sizeof columns[0]);
    }
    json_decref(rows);
    return good;
}

static void give_run(const val_report *v)
{
    const settings *s = v->settings;
    (void)printf("data        %" PRIu32 " pictures, %" PRIu64 " boxes and %" PRIu64
                 " crowds in %" PRIu32 " categories\n",
                 v->data->image_count, v->overall->truths, v->overall->crowds,
                 v->data->category_count);
    if (!v->detector) {
        (void)printf("detections  %" PRIu64 " from a file\n\n", v->overall->found);
        return;
    }
    vkdet_device_info device;
    vkdet_session_device(v->detector->session, &device);
    effective e = effective_of(v);
    (void)printf("model       %s %s\ndevice      %s, %s, %s\n", v->detector->info.name,
                 v->detector->info.version, device.id, device.name, precision_of(v));
    (void)printf("detections  %" PRIu64 ", scores above %g, overlap %g (%s), at most %" PRIu64
                 " a picture\n",
                 v->overall->found, s->conf, e.iou, e.nms_mode ? e.nms_mode : "-", s->max_det);
    if (v->failed > 0) {
        (void)printf("failed      %" PRIu32 " of the pictures: they count as pictures without "
                     "detections, the boxes in them as missed\n",
                     v->failed);
    }
    (void)putchar('\n');
}

int val_report_give(const val_report *v)
{
    if (v->settings->json) {
        give_json(v);
        return report_end();
    }
    give_run(v);
    bool good = give_overall(v);
    (void)putchar('\n');
    if (!good || !give_categories(v)) {
        console_error("out of memory");
        return EXIT_DEVICE;
    }
    return report_end();
}
