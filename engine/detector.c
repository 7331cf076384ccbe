/* Small facts about pixels, placement and suppression modes that every room asks for. */
#include "engine/detector.h"

#include <string.h>

uint32_t pixel_bytes(pixel_format f)
{
    switch (f) {
    case PIXEL_GRAY8:
        return 1;
    case PIXEL_RGB8:
    case PIXEL_BGR8:
        return 3;
    case PIXEL_RGBA8:
    case PIXEL_BGRA8:
    case PIXEL_TENSOR_F32:
        return 4;
    case PIXEL_FORMAT_COUNT:
        break;
    }
    return 0;
}

/* side * to / from, rounded half up, at least one pixel and at most `cap` */
static uint32_t scale_side(uint32_t side, uint32_t to, uint32_t from, uint32_t cap)
{
    uint64_t scaled = (2 * (uint64_t)side * to + from) / (2 * (uint64_t)from);
    if (scaled < 1) {
        return 1;
    }
    return scaled < cap ? (uint32_t)scaled : cap;
}

placement preprocess_place(const preprocess *p, uint32_t width, uint32_t height)
{
    placement place = {0, 0, p->width, p->height};
    if (p->fit == FIT_LETTERBOX && width > 0 && height > 0) {
        /* the side that is relatively longer fills the input */
        if ((uint64_t)width * p->height >= (uint64_t)height * p->width) {
            place.height = scale_side(height, p->width, width, p->height);
        } else {
            place.width = scale_side(width, p->height, height, p->width);
        }
        place.x = (p->width - place.width) / 2;
        place.y = (p->height - place.height) / 2;
    }
    return place;
}

static const char *const nms_names[NMS_MODE_COUNT] = {
    [NMS_TFJS] = "tfjs",
    [NMS_TF] = "tf",
    [NMS_TFJS_PER_CLASS] = "tfjs-per-class",
    [NMS_TF_PER_CLASS] = "tf-per-class",
};

const char *nms_mode_name(nms_mode m)
{
    return (unsigned)m < NMS_MODE_COUNT ? nms_names[m] : "unknown";
}

bool nms_mode_from_name(const char *name, nms_mode *out)
{
    for (unsigned m = 0; m < NMS_MODE_COUNT; m++) {
        if (strcmp(name, nms_names[m]) == 0) {
            *out = (nms_mode)m;
            return true;
        }
    }
    return false;
}
