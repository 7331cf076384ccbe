/* Partners of detections. */
#include "host/cli/bench_agree.h"

#include <math.h>
#include <stdio.h>

bench_tolerance tolerance_of(vkdet_precision precision)
{
    switch (precision) {
    case VKDET_PRECISION_FP16:
        return (bench_tolerance){0.01, 0.99, false};
    case VKDET_PRECISION_BF16:
        return (bench_tolerance){0.05, 0.9, false};
    default:
        return (bench_tolerance){1e-4, 0.99, true};
    }
}

static double overlap(const float a[4], const float b[4])
{
    double width = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
    double height = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
    double shared = width > 0 && height > 0 ? width * height : 0;
    double all = ((double)a[2] - (double)a[0]) * ((double)a[3] - (double)a[1]) +
                 ((double)b[2] - (double)b[0]) * ((double)b[3] - (double)b[1]) - shared;
    /* boxes without area (at the picture's edge) are equal or they are not */
    const bool equal = a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
    return all > 0 ? shared / all : equal ? 1 : 0;
}

static bool is_partner(const vkdet_detection *a, const vkdet_detection *b, const bench_tolerance *t)
{
    return a->class_id == b->class_id && (!t->same_anchor || a->anchor == b->anchor) &&
           fabs((double)a->score - (double)b->score) <= t->score &&
           overlap(a->box, b->box) >= t->iou;
}

/* Every detection of `all` has a partner in `others`. */
static bool have_partners(const vkdet_result *all, const vkdet_result *others, const char *whose,
                          const bench_tolerance *t, double threshold, char *why, size_t size)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const vkdet_detection *d = &all->detections[i];
        bool found = (double)d->score - threshold <= t->score;
        for (uint32_t k = 0; k < others->count && !found; k++) {
            found = is_partner(d, &others->detections[k], t);
        }
        if (!found) {
            (void)snprintf(why, size,
                           "%s detection %u (class %u, score %.6g, box %.2f %.2f %.2f %.2f) has "
                           "no partner",
                           whose, i, d->class_id, (double)d->score, (double)d->box[0],
                           (double)d->box[1], (double)d->box[2], (double)d->box[3]);
            return false;
        }
    }
    return true;
}

bool detections_agree(const vkdet_result *expected, const vkdet_result *got,
                      const bench_tolerance *t, double threshold, char *why, size_t size)
{
    return have_partners(expected, got, "the reference's", t, threshold, why, size) &&
           have_partners(got, expected, "the device's", t, threshold, why, size);
}
