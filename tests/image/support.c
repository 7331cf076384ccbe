/* A log that is kept, and comparing pictures. */
#include "tests/image/support.h"

static void keep(void *user, vkdet_log_level level, const char *id, const char *message)
{
    kept_log *k = user;
    (void)level;
    k->count++;
    (void)snprintf(k->id, sizeof k->id, "%s", id);
    (void)snprintf(k->message, sizeof k->message, "%s", message);
}

void kept_log_init(kept_log *k)
{
    *k = (kept_log){.log = {keep, k, VKDET_LOG_DEBUG}};
}

static unsigned expected_value(const sample *s, const image *i, uint32_t x, uint32_t y, size_t c)
{
    unsigned char rgb[3];
    scene_pixel(x, y, rgb);
    const bool gray = strncmp(s->name, "gray-", 5) == 0 || i->format == PIXEL_GRAY8;
    return gray ? scene_gray(x, y) : rgb[c];
}

void check_scene(const sample *s, const image *i)
{
    if (i->width != SCENE_WIDTH || i->height != SCENE_HEIGHT || i->format != s->format ||
        i->orientation != s->orientation || i->partial) {
        fail_msg("%s: %u x %u, format %d, orientation %u%s", s->name, i->width, i->height,
                 (int)i->format, i->orientation, i->partial ? ", partial" : "");
    }
    const size_t channels = pixel_bytes(i->format);
    uint64_t sum = 0;
    for (uint32_t y = 0; y < i->height; y++) {
        for (uint32_t x = 0; x < i->width; x++) {
            for (size_t c = 0; c < channels; c++) {
                const unsigned got = i->data[((size_t)y * i->width + x) * channels + c];
                const unsigned want = expected_value(s, i, x, y, c);
                const unsigned off = got > want ? got - want : want - got;
                sum += off;
                if ((s->match == MATCH_EXACT && off) || (s->match == MATCH_LEVELS && off > 64)) {
                    fail_msg("%s: pixel (%u, %u) channel %zu is %u, not %u", s->name, x, y, c, got,
                             want);
                }
            }
        }
    }
    const double mean = (double)sum / ((double)channels * i->width * i->height);
    if (s->match == MATCH_NEAR && mean > 4) {
        fail_msg("%s: mean difference %f", s->name, mean);
    }
}

double mean_difference(const image *a, const image *b)
{
    if (a->width != b->width || a->height != b->height) {
        return -1;
    }
    const size_t ca = pixel_bytes(a->format), cb = pixel_bytes(b->format);
    const size_t count = (size_t)a->width * a->height;
    uint64_t sum = 0;
    for (size_t n = 0; n < count; n++) {
        for (size_t c = 0; c < 3; c++) {
            const int va = a->data[n * ca + (ca < 3 ? 0 : c)];
            const int vb = b->data[n * cb + (cb < 3 ? 0 : c)];
            sum += (unsigned)abs(va - vb);
        }
    }
    return (double)sum / (3.0 * (double)count);
}
