/* Drawn pictures: a street of heads, some with masks, in front of walls and noise. Not for looking
 * at: they give a detector candidates to sort and suppress, which a picture of plain noise does
 * not, and they are the same on every machine for one seed. Integer arithmetic throughout. */
#include "host/cli/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct canvas {
    unsigned char *rgb;
    int width, height;
} canvas;

static int below(bench_random *r, int bound)
{
    return bound > 0 ? (int)(random_bits(r) % (uint64_t)bound) : 0;
}

static void paint(const canvas *c, int x, int y, const unsigned char colour[3])
{
    if (x >= 0 && y >= 0 && x < c->width && y < c->height) {
        memcpy(c->rgb + 3 * ((size_t)y * (size_t)c->width + (size_t)x), colour, 3);
    }
}

/* rows from..to (per mille of its height, from the top) of the ellipse */
static void ellipse(const canvas *c, int cx, int cy, int rx, int ry, int from, int to,
                    const unsigned char colour[3])
{
    for (int y = -ry + 2 * ry * from / 1000; y < -ry + 2 * ry * to / 1000; y++) {
        for (int x = -rx; x <= rx; x++) {
            int64_t across = (int64_t)x * ry, down = (int64_t)y * rx, edge = (int64_t)rx * ry;
            if (across * across + down * down <= edge * edge) {
                paint(c, cx + x, cy + y, colour);
            }
        }
    }
}

static void head(const canvas *c, bench_random *r)
{
    static const unsigned char skins[][3] = {
        {236, 188, 154}, {198, 134, 94}, {141, 85, 54}, {255, 219, 188}};
    static const unsigned char masks[][3] = {{214, 232, 240}, {120, 170, 210}, {40, 44, 52}};
    static const unsigned char dark[3] = {40, 28, 24}, lips[3] = {170, 70, 74};
    const int least = c->height / 16 + 2;
    const int ry = least + below(r, c->height / 5), rx = ry * 3 / 4 + 1;
    const int cx = below(r, c->width), cy = below(r, c->height);
    const unsigned char *skin = skins[below(r, 4)];
    ellipse(c, cx, cy - ry / 8, rx * 11 / 10, ry * 11 / 10, 0, 600, dark); /* hair */
    ellipse(c, cx, cy, rx, ry, 120, 1000, skin);
    for (int side = -1; side <= 1; side += 2) {
        ellipse(c, cx + side * rx * 2 / 5, cy - ry / 5, rx / 6 + 1, ry / 12 + 1, 0, 1000, dark);
    }
    if (below(r, 2)) {
        ellipse(c, cx, cy, rx, ry, 540, 960, masks[below(r, 3)]);
    } else {
        ellipse(c, cx, cy + ry / 2, rx / 3 + 1, ry / 10 + 1, 0, 1000, lips);
    }
}

static void background(const canvas *c, bench_random *r)
{
    const int base[3] = {60 + below(r, 120), 60 + below(r, 120), 60 + below(r, 120)};
    const int cell = c->width / 7 + 3;
    for (int y = 0; y < c->height; y++) {
        for (int x = 0; x < c->width; x++) {
            const int tone = 40 * y / c->height + 24 * ((x / cell + y / cell) % 2);
            const uint64_t noise = random_bits(r);
            unsigned char colour[3];
            for (int k = 0; k < 3; k++) {
                colour[k] = (unsigned char)(base[k] + tone + (int)(noise >> (8 * k) & 15) - 8);
            }
            paint(c, x, y, colour);
        }
    }
}

unsigned char *bench_scene_draw(uint32_t width, uint32_t height, uint64_t seed, size_t *size)
{
    char header[48];
    int length = snprintf(header, sizeof header, "P6\n%u %u\n255\n", width, height);
    const size_t pixels = (size_t)width * height * 3; /* sides are at most 16384 */
    unsigned char *file = malloc((size_t)length + pixels);
    if (!file) {
        return NULL;
    }
    memcpy(file, header, (size_t)length);
    bench_random r = {seed};
    canvas c = {file + length, (int)width, (int)height};
    background(&c, &r);
    for (int i = 3 + below(&r, 6); i > 0; i--) {
        head(&c, &r);
    }
    *size = (size_t)length + pixels;
    return file;
}
