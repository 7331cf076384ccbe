/* NDJSON: one JSON object a line and input. */
#include "host/cli/text.h"
#include "host/cli/writer.h"

#include <inttypes.h>

static void write_detection(writer *w, const vkdet_detection *d)
{
    (void)fprintf(w->out, "{\"class_id\":%" PRIu32 ",\"label\":", d->class_id);
    text_json_string(w->out, writer_label(w, d->class_id));
    (void)fputs(",\"score\":", w->out);
    text_float(w->out, d->score);
    (void)fputs(",\"box\":[", w->out);
    for (int i = 0; i < 4; i++) {
        (void)fputs(i ? "," : "", w->out);
        text_float(w->out, d->box[i]);
    }
    (void)fputs("]}", w->out);
}

static bool ndjson_write(writer *w, const record *r)
{
    (void)fputs("{\"schema\":1,\"image\":", w->out);
    text_json_string(w->out, r->image);
    (void)fprintf(w->out, ",\"index\":%" PRIu64, r->index);
    if (r->error) {
        (void)fprintf(w->out, ",\"error\":{\"status\":\"%s\",\"message\":", r->error);
        text_json_string(w->out, r->message);
        (void)fputs("}}\n", w->out);
        return true;
    }
    (void)fprintf(w->out,
                  ",\"width\":%" PRIu32 ",\"height\":%" PRIu32 ",\"orientation\":%" PRIu32
                  ",\"detections\":[",
                  r->width, r->height, r->orientation);
    for (uint32_t i = 0; i < r->count; i++) {
        (void)fputs(i ? "," : "", w->out);
        write_detection(w, &r->detections[i]);
    }
    (void)fputs("]}\n", w->out);
    return true;
}

const writer_format writer_ndjson = {.name = "ndjson", .write = ndjson_write};
