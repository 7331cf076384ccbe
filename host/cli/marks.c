/* Colours, label texts, and --save-img. */
#include "host/cli/marks.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_SIZE = 160 };

/* A mask is green and none is red, whatever the language of the labels; other classes take a fixed
 * palette (twelve hues apart from each other, dark enough for white letters) by class id. */
static uint32_t mark_colour(const vkdet_model *model, uint32_t class_id)
{
    static const uint32_t palette[] = {0x1f77b4, 0xd9480f, 0x2b8a3e, 0xc2255c, 0x6741d9, 0x8d6e00,
                                       0x0b7285, 0xa61e4d, 0x5c940d, 0x364fc7, 0x862e9c, 0x495057};
    const char *label = vkdet_model_label(model, class_id, "en");
    if (!label) {
        label = vkdet_model_label(model, class_id, NULL);
    }
    if (label && strcmp(label, "mask") == 0) {
        return 0x00c000;
    }
    if (label && strcmp(label, "no_mask") == 0) {
        return 0xff0000;
    }
    return palette[class_id % (sizeof palette / sizeof palette[0])];
}

static bool draw(writer *w, const record *r, vkdet_image *image)
{
    if (r->count == 0) {
        return true;
    }
    vkdet_mark *marks = calloc(r->count, sizeof *marks);
    char *texts = calloc(r->count, TEXT_SIZE);
    bool good = marks && texts;
    if (!good) {
        (void)writer_fail(w, r->image, "out of memory for marks");
    } else {
        /* the strongest last, on top of the others */
        for (uint32_t i = 0; i < r->count; i++) {
            const vkdet_detection *d = &r->detections[r->count - 1 - i];
            char *text = texts + (size_t)i * TEXT_SIZE;
            (void)snprintf(text, TEXT_SIZE, "%.140s %.2f", writer_label(w, d->class_id),
                           (double)d->score);
            memcpy(marks[i].box, d->box, sizeof marks[i].box);
            marks[i].colour = mark_colour(w->model, d->class_id);
            marks[i].text = text;
        }
        good = vkdet_image_draw(image, marks, r->count) == VKDET_OK;
        if (!good) {
            (void)writer_fail(w, r->image, vkdet_error_message());
        }
    }
    free(marks);
    free(texts);
    return good;
}

bool marks_save(writer *w, const record *r, vkdet_image *image)
{
    const char *dot = strrchr(r->image, '.');
    const char *ending = dot && strcasecmp(dot, ".png") == 0 ? "png" : "jpg";
    const char *reason = NULL;
    char *path = names_file(w->names, r->stem, ending, &reason);
    bool good = !reason || writer_fail(w, path ? path : r->stem, reason);
    good = good && draw(w, r, image);
    if (good && vkdet_image_save(image, path, 0) != VKDET_OK) {
        good = writer_fail(w, "picture", vkdet_error_message());
    }
    free(path);
    return good;
}
