/* GET /v1/info: what is served, made once. */
#include "host/serve/info.h"

#include "host/serve/routes.h"
#include "host/serve/server.h"

#include <jansson.h>
#include <string.h>

static json_t *device_json(const batch_device *d)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "id", d->info.id, "name", d->info.name, "driver",
                     d->info.driver, "precision", vkdet_precision_name(d->precision));
}

static json_t *classes_json(const served_model *m)
{
    json_t *classes = json_array();
    for (uint32_t i = 0; i < m->info.class_count; i++) {
        json_t *labels = json_object();
        for (uint32_t k = 0; k < m->info.language_count; k++) {
            const char *language = vkdet_model_language(m->model, k);
            const char *label = vkdet_model_label(m->model, i, language);
            (void)json_object_set_new(labels, language, json_string(label ? label : ""));
        }
        (void)json_array_append_new(classes,
                                    json_pack("{s:I, s:o}", "id", (json_int_t)i, "labels", labels));
    }
    return classes;
}

static const char *nms_mode_text(vkdet_nms_mode mode)
{
    static const char *const names[] = {"tfjs", "tf", "tfjs-per-class", "tf-per-class"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        vkdet_nms_mode named;
        if (vkdet_nms_mode_from_name(names[i], &named) == VKDET_OK && named == mode) {
            return names[i];
        }
    }
    return "default";
}

static json_t *model_json(const served_model *m)
{
    json_t *languages = json_array();
    for (uint32_t k = 0; k < m->info.language_count; k++) {
        (void)json_array_append_new(languages, json_string(vkdet_model_language(m->model, k)));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I}, s:b, s:f, s:f, s:I, s:s, s:o, s:o}", "name",
        m->name, "version", m->version, "licence", m->info.licence, "source", m->info.source,
        "input", "width", (json_int_t)m->info.input_width, "height",
        (json_int_t)m->info.input_height, "channels", (json_int_t)m->info.input_channels, "detects",
        m->info.detects, "score_threshold", m->info.score_threshold, "iou_threshold",
        m->info.iou_threshold, "max_detections", (json_int_t)m->info.max_detections, "nms_mode",
        nms_mode_text(m->info.nms_mode), "classes", classes_json(m), "languages", languages);
}

char *info_text(const server *s)
{
    json_t *devices = json_array(), *models = json_array();
    for (size_t i = 0; i < batcher_device_count(s->batcher); i++) {
        (void)json_array_append_new(devices, device_json(batcher_device(s->batcher, i)));
    }
    for (size_t i = 0; i < s->models.count; i++) {
        (void)json_array_append_new(models, model_json(&s->models.models[i]));
    }
    json_t *all = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "name", "vkdet", "version",
                            vkdet_version(), "default_model", s->models.standard->name,
                            "max_body_bytes", (json_int_t)s->params->max_body, "max_pixels",
                            (json_int_t)s->params->max_pixels, "max_batch",
                            (json_int_t)s->params->max_batch, "devices", devices, "models", models);
    char *text = all ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(all);
    return text;
}

void info_handle(request *r)
{
    const char *text = r->server->info;
    request_answer(r, 200, "application/json", text, strlen(text), BODY_STATIC);
}
