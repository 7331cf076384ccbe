/* Winograd convolution, second kernel: for each of the 36 elements the product of a matrix of tiles
 * and input channels with one of input and output channels (winograd.glsl).
 *
 * An invocation computes TILES tiles, LANES apart, times BLOCKS blocks of four output channels of one
 * element. Neighbours differ in the tile alone: they read neighbouring numbers of the source, and all
 * the same weights. Workgroups that follow each other take the column groups of the same tiles, then
 * the next tiles; the element changes last, so that its weights stay in a cache.
 *
 * Order of accumulation, the same in every variant: acc = fma(source, weight, acc) for each input
 * channel. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SHARED_WEIGHTS
#extension GL_KHR_shader_subgroup_ballot : require
#endif
#include "shaders/interface.h"
#include "common.glsl"
#include "vectors.glsl"
#include "conv2d_multiply.glsl"
#include "winograd.glsl"

layout(constant_id = SPEC_WINOGRAD_TILES) const uint TILES = 4;
layout(constant_id = SPEC_WINOGRAD_BLOCKS) const uint BLOCKS = 4;

layout(push_constant) uniform push_block
{
    winograd_product_push push;
};
#include "conv2d_branch.glsl"

const bool WEIGHTS_HALF = false;
#include "conv2d_weights.glsl"

vec4 acc[BLOCKS * TILES];

void main()
{
    uint group = group_index(), own_group;
    uint branch = choose_branch(group % push.column_groups, own_group);
    group /= push.column_groups;
    uint all_tiles = push.tiles * request.batch;
    uint tile_groups = (all_tiles + TILES * LANES - 1) / (TILES * LANES);
    uint element = group / tile_groups;
    uint first_tile = group % tile_groups * (TILES * LANES) + gl_LocalInvocationID.x;
    if (element >= WINOGRAD_ELEMENTS) {
        return;
    }
    uint record_at = push.branch[branch].record;
    uint own_blocks = (weight_words[record_at + 4] + 3) / 4;
    uint block = own_group * BLOCKS;
    uint kernel4 = (record_at + CONV2D_RECORD_WORDS) / 4 + own_blocks +
                   element * push.input_blocks * 4 * own_blocks;

    uint source4[TILES];
    [[unroll]] for (uint t = 0; t < TILES; ++t)
    {
        source4[t] = push.source / 4 + element * push.input_blocks * all_tiles +
                     min(first_tile + t * LANES, all_tiles - 1);
    }
    [[unroll]] for (uint i = 0; i < BLOCKS * TILES; ++i)
    {
        acc[i] = vec4(0.0);
    }
    [[dont_unroll]] for (uint s = 0; s < push.input_blocks; ++s)
    {
        vec4 v[TILES];
        [[unroll]] for (uint t = 0; t < TILES; ++t)
        {
            v[t] = arena4[source4[t] + s * all_tiles];
        }
        [[unroll]] for (uint b = 0; b < BLOCKS; b += SIDE)
        {
            vec4 w[4 * SIDE_MOST];
            read_weights(kernel4 + s * 4 * own_blocks, own_blocks, block + b, 1, own_blocks - 1, w);
            [[unroll]] for (uint i = 0; i < SIDE * TILES; ++i)
            {
                uint side = i / TILES * 4, sum = b * TILES + i;
                if (sum < BLOCKS * TILES) {
                    acc[sum] = multiply(v[i % TILES], 4, w[side], w[side + 1], w[side + 2],
                                        w[side + 3], acc[sum]);
                }
            }
        }
    }
    uint target4 = push.target / 4 +
                   (element * push.blocks + push.branch[branch].first_block + block) * all_tiles;
    [[unroll]] for (uint b = 0; b < BLOCKS; ++b)
    {
        [[unroll]] for (uint t = 0; t < TILES; ++t)
        {
            uint tile = first_tile + t * LANES;
            if (tile < all_tiles && block + b < own_blocks) {
                arena4[target4 + b * all_tiles + tile] = acc[b * TILES + t];
            }
        }
    }
}
