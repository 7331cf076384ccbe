/* Colours and label texts of detections. */
#include "host/client/marks.h"

#include <stdlib.h>
#include <string.h>

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

vkdet_status marks_draw(vkdet_image *image, const record *r, const vkdet_model *model,
                        const char *language, const char **reason)
{
    if (r->count == 0) {
        return VKDET_OK;
    }
    vkdet_mark *marks = calloc(r->count, sizeof *marks);
    char *texts = calloc(r->count, TEXT_SIZE);
    vkdet_status status = VKDET_ERROR_MEMORY;
    *reason = "out of memory for marks";
    if (marks && texts) {
        /* the strongest last, on top of the others */
        for (uint32_t i = 0; i < r->count; i++) {
            const vkdet_detection *d = &r->detections[r->count - 1 - i];
            char *text = texts + (size_t)i * TEXT_SIZE;
            (void)snprintf(text, TEXT_SIZE, "%.140s %.2f",
                           record_label(model, language, d->class_id), (double)d->score);
            memcpy(marks[i].box, d->box, sizeof marks[i].box);
            marks[i].colour = mark_colour(model, d->class_id);
            marks[i].text = text;
        }
        status = vkdet_image_draw(image, marks, r->count);
        *reason = vkdet_error_message();
    }
    free(marks);
    free(texts);
    return status;
}
