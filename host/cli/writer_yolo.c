/* YOLO: one text file a picture in --output, a line a detection: class, box centre and size in
 * fractions of the picture, score. classes.txt names the classes, one a line. */
#include "host/cli/writer.h"
#include "host/client/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char classes_stem[] = "classes";

/* Opens FOLDER/stem.txt for writing; NULL after writer_fail. *path is the caller's to free. */
static FILE *open_text(writer *w, const char *stem, char **path)
{
    const char *reason = NULL;
    *path = names_file(w->names, stem, "txt", &reason);
    if (reason) {
        (void)writer_fail(w, *path ? *path : stem, reason);
        return NULL;
    }
    FILE *file = fopen(*path, "wx"); /* exclusively: nothing that exists is overwritten */
    if (!file) {
        (void)writer_fail(w, *path, strerror(errno));
    }
    return file;
}

static bool close_text(writer *w, FILE *file, const char *path)
{
    errno = 0;
    bool failed = ferror(file) != 0;
    failed |= fclose(file) != 0;
    return failed ? writer_fail(w, path, errno ? strerror(errno) : "write failed") : true;
}

static bool yolo_begin(writer *w)
{
    char *path;
    if (!names_reserve(w->names, classes_stem)) {
        return writer_fail(w, "classes.txt", "out of memory");
    }
    FILE *file = open_text(w, classes_stem, &path);
    bool good = file != NULL;
    if (file) {
        for (uint32_t i = 0; i < w->class_count; i++) {
            (void)fprintf(file, "%s\n", record_label(w->model, w->language, i));
        }
        good = close_text(w, file, path);
    }
    free(path);
    return good;
}

static bool yolo_write(writer *w, const record *r)
{
    char *path;
    if (r->error) {
        return true;
    }
    FILE *file = open_text(w, r->stem, &path);
    bool good = file != NULL;
    if (file) {
        const float width = (float)r->width, height = (float)r->height;
        for (uint32_t i = 0; i < r->count; i++) {
            const vkdet_detection *d = &r->detections[i];
            const float numbers[5] = {
                (d->box[0] + d->box[2]) * 0.5f / width, (d->box[1] + d->box[3]) * 0.5f / height,
                (d->box[2] - d->box[0]) / width, (d->box[3] - d->box[1]) / height, d->score};
            (void)fprintf(file, "%" PRIu32, d->class_id);
            for (int k = 0; k < 5; k++) {
                (void)fputc(' ', file);
                text_float(file, numbers[k]);
            }
            (void)fputc('\n', file);
        }
        good = close_text(w, file, path);
    }
    free(path);
    return good;
}

const writer_format writer_yolo = {
    .name = "yolo", .into_folder = true, .begin = yolo_begin, .write = yolo_write};
