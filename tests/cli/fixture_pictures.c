/* Pictures for the toy network: PNM, because that needs no library, and things that are no picture.
 */
#include "tests/cli/fixture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { CELLS = 4 };

/* 'g' green, 'r' red, '.' black: one letter a cell, row by row */
typedef struct scene {
    const char *name;
    unsigned side; /* pixels */
    const char *cells;
} scene;

static bool write_scene(const char *folder, const scene *s)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s.ppm", folder, s->name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return false;
    }
    (void)fprintf(file, "P6\n%u %u\n255\n", s->side, s->side);
    for (unsigned y = 0; y < s->side; y++) {
        for (unsigned x = 0; x < s->side; x++) {
            char cell = s->cells[y * CELLS / s->side * CELLS + x * CELLS / s->side];
            const unsigned char rgb[3] = {cell == 'r' ? 255 : 0, cell == 'g' ? 255 : 0, 0};
            (void)fwrite(rgb, 1, sizeof rgb, file);
        }
    }
    return fclose(file) == 0;
}

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    if (!file) {
        perror(path);
        return false;
    }
    (void)fputs(text, file);
    return fclose(file) == 0;
}

int fixture_pictures(const char *folder)
{
    static const scene scenes[] = {
        {"green", 32, ".....g.........."}, /* x 8..16, y 8..16 */
        {"red", 64, "...............r"},   /* x 48..64, y 48..64 */
        {"two", 64, ".g............r."},   /* mask x 16..32 y 0..16; no_mask x 32..48 y 48..64 */
        {"empty", 48, "................"}, {"many", 128, "grgrrgrggrgrrgrg"},
    };
    bool good = write_text(folder, "text.jpg", "this is no picture\n") &&
                write_text(folder, "zero.png", "") &&
                write_text(folder, "cut.ppm", "P6\n32 32\n255\nabc") &&
                write_text(folder, "bomb.ppm", "P6\n60000 60000\n255\n") &&
                write_text(folder, "notes.txt", "no picture by name either\n");
    for (size_t i = 0; good && i < sizeof scenes / sizeof scenes[0]; i++) {
        good = write_scene(folder, &scenes[i]);
    }
    return good ? 0 : 1;
}
