/* Tiles of the direct convolution: what an invocation of shaders/conv2d.comp computes. */
#ifndef ENGINE_PLAN_CONV_TILES_H
#define ENGINE_PLAN_CONV_TILES_H

#include "engine/plan/conv.h"

typedef struct tile {
    uint32_t height, width; /* pixels of the map */
    uint32_t blocks;        /* of four output channels */
    uint32_t lane_bits;     /* 2^this neighbours take neighbouring output blocks */
    uint32_t invocations;   /* of a workgroup */
    uint32_t order;         /* in the table */
    bool few;               /* may be the default */
    double cost;            /* an estimate, to compare tiles of one convolution by */
} tile;

enum { TILES_MAX = 8 };

/* Those worth trying on the target, best guess first; at least one. */
uint32_t tiles_list(const plan_options *options, const convolution *c, tile out[TILES_MAX]);
/* SPEC_CONV2D_ROW_REUSE of shaders/interface.h */
uint32_t tile_row_reuse(const plan_target *target, const convolution *c, const tile *t);

#endif
