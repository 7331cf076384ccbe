/* cli_fixture: what the program's tests are made of, so that they need no data from outside.
 *
 *     cli_fixture model DIR      a toy network (model.json, weights.bin) and its card (card.json)
 *     cli_fixture pictures DIR   pictures it has an opinion about, and files that are none
 *     cli_fixture ndjson FILE    checks every line against the documented form; prints a summary
 *     cli_fixture coco FILE      the same for a COCO document
 *
 * The toy network looks at 32x32 pixels in 4x4 cells: a green cell is "mask", a red one "no_mask",
 * and the box is the cell. Its weights are exact in binary, so its boxes are exact. */
#include "tests/cli/fixture.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const char *path);
    } commands[] = {
        {"model", fixture_model},
        {"pictures", fixture_pictures},
        {"ndjson", fixture_check_ndjson},
        {"coco", fixture_check_coco},
    };
    for (size_t i = 0; argc == 3 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argv[2]);
        }
    }
    (void)fputs("usage: cli_fixture model|pictures|ndjson|coco PATH\n", stderr);
    return 2;
}
