/* Products of tiles of bfloat16 on AMX, of two that stay where they are into six sums. Compiled and
 * called where pointwise_amx.c is. */
#include "host/cpu/amx.h"
#include "host/cpu/peak.h"

#include <immintrin.h>

enum { SIDE = 16, DEPTH = 32, SUMS = 6, TILES = 8 };

static void run(uint32_t turns, float *sums)
{
    tile_config c = {.palette = 1};
    for (int i = 0; i < TILES; i++) {
        c.rows[i] = SIDE;
        c.row_bytes[i] = SIDE * sizeof(float);
    }
    _tile_loadconfig(&c);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_loadd(6, sums, SIDE * sizeof(float)); /* two halves a float */
    _tile_loadd(7, sums, SIDE * sizeof(float));
    for (uint32_t i = 0; i < turns; i++) {
        _tile_dpbf16ps(0, 6, 7);
        _tile_dpbf16ps(1, 6, 7);
        _tile_dpbf16ps(2, 6, 7);
        _tile_dpbf16ps(3, 6, 7);
        _tile_dpbf16ps(4, 6, 7);
        _tile_dpbf16ps(5, 6, 7);
    }
    _tile_stored(0, sums, SIDE * sizeof(float)); /* instructions of tiles are not left out */
    _tile_release();
}

const peak_kernel peak_amx = {2.0 * SIDE * SIDE * DEPTH * SUMS, run};
