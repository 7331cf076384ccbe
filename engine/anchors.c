/* Anchors (default boxes) of an SSD head: Liu et al. 2016, section 2.2. */
#include "engine/detector.h"

#include <math.h>

static uint64_t boxes_of_cell(const anchor_spec *spec, const anchor_level *level)
{
    if (level->size_count == 0 || level->ratio_count == 0) {
        return 0;
    }
    return spec->combine == ANCHORS_PRODUCT ? (uint64_t)level->size_count * level->ratio_count
                                            : (uint64_t)level->size_count + level->ratio_count - 1;
}

uint64_t anchors_count(const anchor_spec *spec)
{
    uint64_t count = 0;
    for (uint32_t l = 0; l < spec->level_count; l++) {
        const anchor_level *level = &spec->levels[l];
        count += boxes_of_cell(spec, level) * level->map_height * level->map_width;
    }
    return count;
}

/* size and ratio of box b of a cell */
static void box_kind(const anchor_spec *spec, const anchor_level *level, uint64_t b, double *size,
                     double *ratio)
{
    if (spec->combine == ANCHORS_PRODUCT) {
        *size = level->sizes[b / level->ratio_count];
        *ratio = level->ratios[b % level->ratio_count];
    } else if (b < level->size_count) {
        *size = level->sizes[b];
        *ratio = level->ratios[0];
    } else {
        *size = level->sizes[0];
        *ratio = level->ratios[b - level->size_count + 1];
    }
}

static float clip_unit(float x)
{
    return x < 0.0f ? 0.0f : x > 1.0f ? 1.0f : x;
}

void anchors_generate(const anchor_spec *spec, float *corners)
{
    for (uint32_t l = 0; l < spec->level_count; l++) {
        const anchor_level *level = &spec->levels[l];
        uint64_t boxes = boxes_of_cell(spec, level);
        for (uint32_t row = 0; row < level->map_height; row++) {
            float cy = (float)((row + 0.5) / level->map_height);
            for (uint32_t column = 0; column < level->map_width; column++) {
                float cx = (float)((column + 0.5) / level->map_width);
                for (uint64_t b = 0; b < boxes; b++) {
                    double size, ratio;
                    box_kind(spec, level, b, &size, &ratio);
                    float half_width = (float)(size * sqrt(ratio) / 2);
                    float half_height = (float)(size / sqrt(ratio) / 2);
                    corners[0] = cx - half_width;
                    corners[1] = cy - half_height;
                    corners[2] = cx + half_width;
                    corners[3] = cy + half_height;
                    for (int i = 0; spec->clip && i < 4; i++) {
                        corners[i] = clip_unit(corners[i]);
                    }
                    corners += 4;
                }
            }
        }
    }
}
