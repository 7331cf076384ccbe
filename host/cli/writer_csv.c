/* CSV (RFC 4180 quoting, line feed at the end of a line): a header, then one line a detection. An
 * input without detections has one line whose detection fields are empty; one that failed has its
 * reason in the last field. */
#include "host/cli/writer.h"
#include "host/client/text.h"

#include <inttypes.h>

static bool csv_begin(writer *w)
{
    (void)fputs("image,index,width,height,orientation,class_id,label,score,x1,y1,x2,y2,error\n",
                w->out);
    return true;
}

static void write_head(writer *w, const record *r)
{
    text_csv_field(w->out, r->image);
    (void)fprintf(w->out, ",%" PRIu64, r->index);
    if (!r->error) {
        (void)fprintf(w->out, ",%" PRIu32 ",%" PRIu32 ",%" PRIu32, r->width, r->height,
                      r->orientation);
    }
}

static bool csv_write(writer *w, const record *r)
{
    if (r->error) {
        write_head(w, r);
        (void)fputs(",,,,,,,,,,,", w->out);
        text_csv_field(w->out, r->message);
        (void)fputc('\n', w->out);
        return true;
    }
    if (r->count == 0) {
        write_head(w, r);
        (void)fputs(",,,,,,,,\n", w->out);
    }
    for (uint32_t i = 0; i < r->count; i++) {
        const vkdet_detection *d = &r->detections[i];
        write_head(w, r);
        (void)fprintf(w->out, ",%" PRIu32 ",", d->class_id);
        text_csv_field(w->out, record_label(w->model, w->language, d->class_id));
        (void)fputc(',', w->out);
        text_float(w->out, d->score);
        for (int k = 0; k < 4; k++) {
            (void)fputc(',', w->out);
            text_float(w->out, d->box[k]);
        }
        (void)fputs(",\n", w->out);
    }
    return true;
}

const writer_format writer_csv = {.name = "csv", .begin = csv_begin, .write = csv_write};
