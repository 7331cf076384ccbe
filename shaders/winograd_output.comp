/* Winograd convolution, third kernel: A^T m A of four channels of a tile (winograd.glsl), bias,
 * activation, and the tile written: the map, its 2x2 maxima, or both, as the record says (one module
 * for all: a driver compiles for longer than the uniform branch takes). One invocation each;
 * neighbours take neighbouring tiles, the rest of the workgroup the following channels. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#define FLOATS
#include "vectors.glsl"
#include "conv2d_record.glsl"
#include "winograd.glsl"

layout(constant_id = SPEC_WINOGRAD_ANY) const uint ANY = 1;
layout(constant_id = SPEC_WINOGRAD_SCALAR) const uint SCALAR = 1;

layout(push_constant) uniform push_block
{
    winograd_output_push push;
};
#include "conv2d_branch.glsl"

const uint TILE = WINOGRAD_TILE, WINDOW = WINOGRAD_WINDOW;
vec4 m[WINOGRAD_ELEMENTS]; /* rows of WINDOW; what is left of them is TILE x TILE */

/* six numbers, `step` apart, to four */
void transform(uint at, uint step)
{
    vec4 sum_a = m[at + step] + m[at + 2 * step], difference_a = m[at + step] - m[at + 2 * step];
    vec4 sum_b = m[at + 3 * step] + m[at + 4 * step];
    vec4 difference_b = m[at + 3 * step] - m[at + 4 * step];
    m[at] = m[at] + (sum_a + sum_b);
    m[at + step] = fma(vec4(A1), difference_a, B1 * difference_b);
    m[at + 2 * step] = fma(vec4(A2), sum_a, B2 * sum_b);
    m[at + 3 * step] = fma(vec4(A3), difference_a, fma(vec4(B3), difference_b, m[at + 5 * step]));
}

void store_pooled(uint pooled, conv2d_record r, uint channel, tile_place p)
{
    uint width = (push.width + (push.pool_edges & 1u)) / 2;
    uint height = (push.height + (push.pool_edges >> 1)) / 2;
    [[unroll]] for (uint i = 0; i < TILE; ++i)
    {
        uint y = i / 2 * 2, x = i % 2 * 2, at = y * WINDOW + x;
        bool right = p.x + x + 1 < push.width, below = p.y + y + 1 < push.height;
        vec4 v = m[at];
        v = right ? max(v, m[at + 1]) : v;
        v = below ? max(v, m[at + WINDOW]) : v;
        v = right && below ? max(v, m[at + WINDOW + 1]) : v;
        uint py = (p.y + y) / 2, px = (p.x + x) / 2;
        if (py < height && px < width) {
            store_channels(pooled + (py * width + px) * r.second_stride + channel, v,
                           r.channels - channel,
                           SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0, false);
        }
    }
}

void main()
{
    uint group = group_index(), own_group;
    uint branch = choose_branch(group % push.block_groups, own_group);
    uint tile = group / push.block_groups * LANES + gl_LocalInvocationID.x % LANES;
    uint all_tiles = push.tiles * request.batch;
    uint record_at = push.branch[branch].record;
    conv2d_record r = read_record(record_at);
    uint own_blocks = (r.channels + 3) / 4;
    uint block = own_group * (gl_WorkGroupSize.x / LANES) + gl_LocalInvocationID.x / LANES;
    if (tile >= all_tiles || block >= own_blocks) {
        return;
    }
    uint source4 = push.source / 4 + (push.branch[branch].source + block) * all_tiles + tile;
    [[unroll]] for (uint e = 0; e < WINOGRAD_ELEMENTS; ++e)
    {
        m[e] = arena4[source4 + e * push.blocks * all_tiles];
    }
    [[unroll]] for (uint c = 0; c < WINDOW; ++c)
    {
        transform(c, WINDOW);
    }
    tile_place p = place_tile(tile, push.tiles, push.tiles_x, push.first_tile);
    uint channel = block * 4;
    vec4 bias = weights4[(record_at + CONV2D_RECORD_WORDS) / 4 + block];
    uint map = push.branch[branch].map + p.image * r.map_words + r.map_offset;
    [[unroll]] for (uint y = 0; y < TILE; ++y)
    {
        transform(y * WINDOW, 1);
        [[unroll]] for (uint x = 0; x < TILE; ++x)
        {
            vec4 v = m[y * WINDOW + x] + bias;
            v = ANY != 0 ? activate(v, r.act) : relu(v, r.act);
            m[y * WINDOW + x] = v;
            if ((r.flags & CONV2D_MAP) != 0 && p.y + y < push.height &&
                p.x + x < push.width) {
                store_channels(map + ((p.y + y) * push.width + p.x + x) * r.map_stride + channel, v,
                               r.channels - channel,
                               SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, false);
            }
        }
    }
    if ((r.flags & CONV2D_POOLED) != 0) {
        store_pooled(push.branch[branch].second + p.image * r.second_words + r.second_offset, r,
                     channel, p);
    }
}
