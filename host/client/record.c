/* NDJSON: one JSON object a line and input. */
#include "host/client/record.h"

#include "host/client/text.h"

#include <inttypes.h>
#include <string.h>

const char *record_label(const vkdet_model *model, const char *language, uint32_t class_id)
{
    const char *label = vkdet_model_label(model, class_id, language);
    return label ? label : "";
}

/* What follows the path; the library shows control characters as '?'. */
static const char *without_path(const char *message, const char *path)
{
    const char *m = message;
    for (; *path; m++, path++) {
        if (*m != *path && *m != '?') {
            return message;
        }
    }
    return strncmp(m, ": ", 2) == 0 ? m + 2 : message;
}

void record_reason(char *text, size_t size, const char *image, const char *reason)
{
    (void)snprintf(text, size, "%s: %s", *image ? image : "\"\"", without_path(reason, image));
}

static void write_detection(FILE *out, const vkdet_detection *d, const char *label)
{
    (void)fprintf(out, "{\"class_id\":%" PRIu32 ",\"label\":", d->class_id);
    text_json_string(out, label);
    (void)fputs(",\"score\":", out);
    text_float(out, d->score);
    (void)fputs(",\"box\":[", out);
    for (int i = 0; i < 4; i++) {
        (void)fputs(i ? "," : "", out);
        text_float(out, d->box[i]);
    }
    (void)fputs("]}", out);
}

void record_write(FILE *out, const record *r, const vkdet_model *model, const char *language)
{
    (void)fputs("{\"schema\":1,\"image\":", out);
    text_json_string(out, r->image);
    (void)fprintf(out, ",\"index\":%" PRIu64, r->index);
    if (r->error) {
        (void)fprintf(out, ",\"error\":{\"status\":\"%s\",\"message\":", r->error);
        text_json_string(out, r->message);
        (void)fputs("}}\n", out);
        return;
    }
    (void)fprintf(out,
                  ",\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"orientation\":%" PRIu32
                  ",\"detections\":[",
                  r->width, r->height, r->orientation);
    for (uint32_t i = 0; i < r->count; i++) {
        const vkdet_detection *d = &r->detections[i];
        (void)fputs(i ? "," : "", out);
        write_detection(out, d, record_label(model, language, d->class_id));
    }
    (void)fputs("]}\n", out);
}
