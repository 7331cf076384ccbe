/* Models: opening, converting, asking. */
#include "host/api/api.h"
#include "models/builtin.h"

#include <string.h>

static vkdet_status wrap(vkdet_context *context, model *m, vkdet_model **out, error *err)
{
    vkdet_model *handle = memory_allocate(&context->alloc, 1, sizeof *handle);
    if (!handle) {
        model_destroy(m);
        return api_return(err, error_set(err, STATUS_MEMORY, "out of memory for a model"));
    }
    handle->context = context;
    handle->model = m;
    log_write(&context->log, LOG_model_loaded, "%s %s, %llu bytes", m->card.name, m->card.version,
              (unsigned long long)m->file_bytes);
    *out = handle;
    return VKDET_OK;
}

vkdet_status vkdet_model_open(vkdet_context *context, const char *path, vkdet_model **out)
{
    error err = {0};
    if (!context || !path || !out) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_model_open: an argument is NULL"));
    }
    *out = NULL;
    model *m = NULL;
    status code = model_open(&context->alloc, path, &m, &err);
    return code == STATUS_OK ? wrap(context, m, out, &err) : api_return(&err, code);
}

vkdet_status vkdet_model_open_memory(vkdet_context *context, const void *bytes, size_t size,
                                     vkdet_model **out)
{
    error err = {0};
    if (!context || !bytes || !out) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_model_open_memory: an argument is NULL"));
    }
    *out = NULL;
    model *m = NULL;
    status code = model_open_memory(&context->alloc, bytes, size, &m, &err);
    return code == STATUS_OK ? wrap(context, m, out, &err) : api_return(&err, code);
}

vkdet_status vkdet_model_open_builtin(vkdet_context *context, vkdet_model **out)
{
    error err = {0};
    if (!context || !out) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_model_open_builtin: an argument is NULL"));
    }
    *out = NULL;
    model *m = NULL;
    if (!model_builtin.bytes) {
        return api_return(&err, error_set(&err, STATUS_UNSUPPORTED,
                                          "this build carries no model of its own "
                                          "(VKDET_BUILTIN_MODEL=OFF): open a container"));
    }
    status code =
        model_open_memory(&context->alloc, model_builtin.bytes, model_builtin.size, &m, &err);
    return code == STATUS_OK ? wrap(context, m, out, &err) : api_return(&err, code);
}

void vkdet_model_destroy(vkdet_model *handle)
{
    if (!handle) {
        return;
    }
    model_destroy(handle->model);
    memory_release(&handle->context->alloc, handle);
}

static bool inner_type(vkdet_weight_type type, weight_type *out)
{
    switch (type) {
    case VKDET_WEIGHTS_EXACT:
        *out = WEIGHTS_EXACT;
        return true;
    case VKDET_WEIGHTS_FP16:
        *out = WEIGHTS_FP16;
        return true;
    case VKDET_WEIGHTS_FP32:
        *out = WEIGHTS_FP32;
        return true;
    default:
        return false;
    }
}

vkdet_status vkdet_weight_type_from_name(const char *name, vkdet_weight_type *out)
{
    static const vkdet_weight_type types[WEIGHTS_TYPE_COUNT] = {
        [WEIGHTS_EXACT] = VKDET_WEIGHTS_EXACT,
        [WEIGHTS_FP16] = VKDET_WEIGHTS_FP16,
        [WEIGHTS_FP32] = VKDET_WEIGHTS_FP32,
    };
    error err = {0};
    weight_type type;
    if (!name || !out || !weight_type_from_name(name, &type)) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "weights \"%s\": expected exact, fp16 or fp32",
                                          name ? name : "(null)"));
    }
    *out = types[type];
    return VKDET_OK;
}

vkdet_status vkdet_convert(vkdet_context *context, const char *model_path, const char *card_path,
                           const vkdet_convert_params *params, const char *out_path)
{
    error err = {0};
    weight_type type = WEIGHTS_EXACT;
    if (!context || !model_path || !card_path || !out_path) {
        return api_return(&err,
                          error_set(&err, STATUS_ARGUMENT, "vkdet_convert: an argument is NULL"));
    }
    if (params && !inner_type(params->weights, &type)) {
        return api_return(&err, error_set(&err, STATUS_ARGUMENT,
                                          "vkdet_convert: there is no weight type %d",
                                          (int)params->weights));
    }
    return api_return(&err,
                      model_convert(&context->alloc, model_path, card_path, type, out_path, &err));
}

static vkdet_nms_mode public_mode(nms_mode mode)
{
    switch (mode) {
    case NMS_TF:
        return VKDET_NMS_TF;
    case NMS_TFJS_PER_CLASS:
        return VKDET_NMS_TFJS_PER_CLASS;
    case NMS_TF_PER_CLASS:
        return VKDET_NMS_TF_PER_CLASS;
    case NMS_TFJS:
    case NMS_MODE_COUNT:
    default:
        return VKDET_NMS_TFJS;
    }
}

vkdet_status vkdet_nms_mode_from_name(const char *name, vkdet_nms_mode *out)
{
    error err = {0};
    nms_mode mode;
    if (name && out && strcmp(name, "default") == 0) {
        *out = VKDET_NMS_DEFAULT;
    } else if (name && out && nms_mode_from_name(name, &mode)) {
        *out = public_mode(mode);
    } else {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT,
                            "NMS mode \"%s\": expected tfjs, tf, tfjs-per-class or tf-per-class",
                            name ? name : "(null)"));
    }
    return VKDET_OK;
}

void vkdet_model_info_get(const vkdet_model *handle, vkdet_model_info *out)
{
    const model *m = handle->model;
    const card *c = &m->card;
    *out = (vkdet_model_info){
        .name = c->name,
        .version = c->version,
        .licence = c->licence,
        .source = c->source,
        .detects = c->detects,
        .input_width = c->preprocess.width,
        .input_height = c->preprocess.height,
        .input_channels = c->preprocess.channels == CHANNELS_GRAY ? 1 : 3,
        .class_count = c->class_count,
        .background = c->background,
        .anchor_count = c->detects ? m->head.anchor_count : 0,
        .output_count = (uint32_t)m->graph->output_count,
        .language_count = (uint32_t)c->label_count,
        .score_threshold = c->nms.score_threshold,
        .iou_threshold = c->nms.iou_threshold,
        .max_detections = c->nms.max_detections,
        .nms_mode = public_mode(c->nms.mode),
    };
    memcpy(out->sha256, m->digest, sizeof out->sha256);
}

const char *vkdet_model_label(const vkdet_model *handle, uint32_t class_id, const char *language)
{
    const card *c = &handle->model->card;
    if (class_id >= c->class_count) {
        return NULL;
    }
    for (size_t i = 0; i < c->label_count; i++) {
        if (!language || strcmp(c->labels[i].language, language) == 0) {
            return c->labels[i].names[class_id];
        }
    }
    return NULL;
}

const char *vkdet_model_language(const vkdet_model *handle, uint32_t index)
{
    const card *c = &handle->model->card;
    return index < c->label_count ? c->labels[index].language : NULL;
}

vkdet_status vkdet_model_describe(vkdet_context *context, const vkdet_model *handle, char **json)
{
    error err = {0};
    if (!context || !handle || !json) {
        return api_return(
            &err, error_set(&err, STATUS_ARGUMENT, "vkdet_model_describe: an argument is NULL"));
    }
    *json = NULL;
    return api_return(&err, model_describe(handle->model, json, &err));
}
