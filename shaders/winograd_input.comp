/* Winograd convolution, first kernel: B^T d B of four channels of a tile (winograd.glsl), one
 * invocation each. Neighbours take neighbouring tiles, so that they write neighbouring numbers; the
 * rest of the workgroup takes the following channels, so that together they read whole lines. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "winograd.glsl"

layout(push_constant) uniform push_block
{
    winograd_input_push push;
};

vec4 d[WINOGRAD_ELEMENTS];

/* six numbers, `step` apart */
void transform(uint at, uint step)
{
    vec4 d0 = d[at], d1 = d[at + step], d2 = d[at + 2 * step];
    vec4 d3 = d[at + 3 * step], d4 = d[at + 4 * step], d5 = d[at + 5 * step];
    vec4 even = fma(vec4(-B2), d2, d4), odd = A1 * fma(vec4(-B2), d1, d3);
    d[at] = fma(vec4(A2 * B2), d0, fma(vec4(-A2 - B2), d2, d4));
    d[at + step] = even + odd;
    d[at + 2 * step] = even - odd;
    even = fma(vec4(-A2), d2, d4);
    odd = B1 * fma(vec4(-A2), d1, d3);
    d[at + 3 * step] = even + odd;
    d[at + 4 * step] = even - odd;
    d[at + 5 * step] = fma(vec4(A2 * B2), d1, fma(vec4(-A2 - B2), d3, d5));
}

void main()
{
    uint group = group_index();
    uint tile = group / push.block_groups * LANES + gl_LocalInvocationID.x % LANES;
    uint block = group % push.block_groups * (gl_WorkGroupSize.x / LANES) +
                 gl_LocalInvocationID.x / LANES;
    uint all_tiles = push.tiles * request.batch;
    if (tile >= all_tiles || block >= push.blocks) {
        return;
    }
    tile_place p = place_tile(tile, push.tiles, push.tiles_x, push.first_tile);
    int y = int(p.y) - int(high_half(push.pad)), x = int(p.x) - int(low_half(push.pad));
    uint source4 =
        (push.source + p.image * push.source_words + push.source_offset) / 4 + block;
    [[unroll]] for (uint r = 0; r < WINOGRAD_WINDOW; ++r)
    {
        int row = y + int(r);
        bool row_inside = row >= 0 && row < int(push.source_height);
        uint row4 = source4 + uint(row_inside ? row : 0) * push.source_width * push.source_blocks;
        [[unroll]] for (uint c = 0; c < WINOGRAD_WINDOW; ++c)
        {
            int column = x + int(c); /* the same for all rows */
            bool inside = column >= 0 && column < int(push.source_width);
            uint column4 = uint(inside ? column : 0) * push.source_blocks;
            vec4 v = arena4[row4 + column4];
            d[r * WINOGRAD_WINDOW + c] = mix(vec4(0.0), v, bvec4(row_inside && inside));
        }
    }
    [[unroll]] for (uint c = 0; c < WINOGRAD_WINDOW; ++c)
    {
        transform(c, WINOGRAD_WINDOW);
    }
    uint target4 = push.target / 4 + block * all_tiles + tile;
    [[unroll]] for (uint r = 0; r < WINOGRAD_WINDOW; ++r)
    {
        transform(r * WINOGRAD_WINDOW, 1);
        [[unroll]] for (uint c = 0; c < WINOGRAD_WINDOW; ++c)
        {
            uint e = r * WINOGRAD_WINDOW + c;
            arena4[target4 + e * push.blocks * all_tiles] = d[e];
        }
    }
}
