/* COCO: one JSON document. Images stream out as they come; annotations wait in a temporary file
 * until the images are through, so that memory stays bounded. */
#include "host/cli/writer.h"
#include "host/client/text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static bool spool_fail(writer *w)
{
    return writer_fail(w, "temporary file for annotations", strerror(errno));
}

static bool coco_begin(writer *w)
{
    w->spool = tmpfile();
    if (!w->spool) {
        return spool_fail(w);
    }
    (void)fprintf(w->out,
                  "{\"info\":{\"description\":\"detections\",\"version\":\"vkdet %s\"},\n"
                  "\"images\":[",
                  vkdet_version());
    return true;
}

static void write_annotation(writer *w, const record *r, const vkdet_detection *d)
{
    const float size[2] = {d->box[2] - d->box[0], d->box[3] - d->box[1]};
    const float numbers[4] = {d->box[0], d->box[1], size[0], size[1]};
    (void)fprintf(w->spool,
                  "%s{\"id\":%" PRIu64 ",\"image_id\":%" PRIu64 ",\"category_id\":%" PRIu32
                  ",\"bbox\":[",
                  w->annotations ? ",\n" : "\n", w->annotations + 1, r->index + 1, d->class_id);
    w->annotations++;
    for (int i = 0; i < 4; i++) {
        (void)fputs(i ? "," : "", w->spool);
        text_float(w->spool, numbers[i]);
    }
    (void)fputs("],\"area\":", w->spool);
    text_float(w->spool, size[0] * size[1]);
    (void)fputs(",\"iscrowd\":0,\"score\":", w->spool);
    text_float(w->spool, d->score);
    (void)fputc('}', w->spool);
}

static bool coco_write(writer *w, const record *r)
{
    (void)fprintf(w->out, "%s{\"id\":%" PRIu64 ",\"file_name\":", r->index ? ",\n" : "\n",
                  r->index + 1);
    text_json_string(w->out, r->image);
    (void)fprintf(w->out, ",\"width\":%" PRIu32 ",\"height\":%" PRIu32, r->width, r->height);
    if (r->error) {
        (void)fprintf(w->out, ",\"error\":{\"status\":\"%s\",\"message\":", r->error);
        text_json_string(w->out, r->message);
        (void)fputc('}', w->out);
    }
    (void)fputc('}', w->out);
    for (uint32_t i = 0; i < r->count; i++) {
        write_annotation(w, r, &r->detections[i]);
    }
    return ferror(w->spool) ? spool_fail(w) : true;
}

static bool coco_end(writer *w)
{
    char block[8192];
    size_t got;
    (void)fputs("],\n\"annotations\":[", w->out);
    errno = 0;
    if (fflush(w->spool) != 0 || fseek(w->spool, 0, SEEK_SET) != 0) {
        return spool_fail(w);
    }
    while ((got = fread(block, 1, sizeof block, w->spool)) > 0) {
        (void)fwrite(block, 1, got, w->out);
    }
    if (ferror(w->spool)) {
        return spool_fail(w);
    }
    (void)fputs("],\n\"categories\":[", w->out);
    vkdet_model_info info;
    vkdet_model_info_get(w->model, &info);
    bool first = true;
    for (uint32_t i = 0; i < w->class_count; i++) {
        if ((int)i == info.background) {
            continue;
        }
        (void)fprintf(w->out, "%s{\"id\":%" PRIu32 ",\"name\":", first ? "\n" : ",\n", i);
        text_json_string(w->out, record_label(w->model, w->language, i));
        (void)fputc('}', w->out);
        first = false;
    }
    (void)fputs("]}\n", w->out);
    return true;
}

const writer_format writer_coco = {
    .name = "coco", .begin = coco_begin, .write = coco_write, .end = coco_end};
