/* Convolution: register-tiled, direct, with fused bias, sum, activation, 2x2 max-pool and up to four
 * branches.
 *
 * An invocation computes TILE_H x TILE_W pixels of the map times BLOCKS blocks of four output
 * channels. Consecutive invocations take consecutive channel blocks of one tile (so stores and
 * weight loads are contiguous and input loads are shared), 2^lanes of them; the rest of the
 * workgroup takes the following tiles.
 *
 * Order of accumulation, the same in every variant: for each input block of four channels, for each
 * kernel row, for each kernel column, for each of the four channels (INPUTS, where a group has fewer):
 * acc = fma(input, weight, acc).
 * Then the bias is added, then what REPEAT adds, then the activation applied. Taps outside the map contribute fma(0,
 * weight, acc).
 *
 * Packed weights of a branch, from push.branch[].record: conv2d_record, bias [blocks][4], kernel
 * [input block of the group][ky][kx][input channel of the block][output block][4], floats or halves;
 * what rounds channels up to four is zero. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SHARED_WEIGHTS
#extension GL_KHR_shader_subgroup_ballot : require
#endif
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"
#include "conv2d_record.glsl"
#include "conv2d_multiply.glsl"

layout(constant_id = SPEC_CONV2D_KERNEL_H) const uint KERNEL_H = 3;
layout(constant_id = SPEC_CONV2D_KERNEL_W) const uint KERNEL_W = 3;
layout(constant_id = SPEC_CONV2D_STRIDE_H) const uint STRIDE_H = 1;
layout(constant_id = SPEC_CONV2D_STRIDE_W) const uint STRIDE_W = 1;
layout(constant_id = SPEC_CONV2D_DILATION_H) const uint DILATION_H = 1;
layout(constant_id = SPEC_CONV2D_DILATION_W) const uint DILATION_W = 1;
layout(constant_id = SPEC_CONV2D_TILE_H) const uint TILE_H = 2;
layout(constant_id = SPEC_CONV2D_TILE_W) const uint TILE_W = 4;
layout(constant_id = SPEC_CONV2D_BLOCKS) const uint BLOCKS = 1;
layout(constant_id = SPEC_CONV2D_POOL) const uint POOL = 0;
layout(constant_id = SPEC_CONV2D_ANY) const uint ANY = 1;
layout(constant_id = SPEC_CONV2D_ROW_REUSE) const uint ROW_REUSE = 1;
layout(constant_id = SPEC_CONV2D_SCALAR) const uint SCALAR = 1;
layout(constant_id = SPEC_CONV2D_LANES) const uint LANES = 1;
layout(constant_id = SPEC_CONV2D_HALF) const uint HALF = 0;
layout(constant_id = SPEC_CONV2D_REPEAT) const uint REPEAT = 0;
layout(constant_id = SPEC_CONV2D_SHORT) const uint SHORT = 0;
layout(constant_id = SPEC_CONV2D_INPUTS) const uint INPUTS = 4;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool MAP_HALF = (HALF & HALF_TARGET) != 0;
const bool SECOND_HALF = (HALF & HALF_SECOND) != 0;
const bool WEIGHTS_HALF = (HALF & HALF_WEIGHTS) != 0;

/* input cells of a row of the tile that are held at once */
const uint CELLS =
    ROW_REUSE != 0 ? (TILE_W - 1) * STRIDE_W + (KERNEL_W - 1) * DILATION_W + 1 : TILE_W;
const uint TILE = TILE_H * TILE_W;
const uint HELD_TAPS = ROW_REUSE == 2 ? KERNEL_W : 1;
/* pixels of one output block that are finished together */
const uint UNIT = SHORT == 0 ? TILE : POOL != 0 ? 2 * TILE_W : ANY != 0 || REPEAT > 1 ? 1 : TILE_W;
const uint UNITS = TILE / UNIT;

layout(push_constant) uniform push_block
{
    conv2d_push push;
};
#include "conv2d_add.glsl"
#include "conv2d_weights.glsl"

vec4 cells[TILE_H * CELLS];
vec4 acc[BLOCKS * TILE];

/* One row of cells for each row of the tile. x and y are those of the first cell; step is the
 * distance between cells. */
void load_cells(uint source4, int y, int x, int step)
{
    [[unroll]] for (uint r = 0; r < TILE_H; ++r)
    {
        int row = y + int(r * STRIDE_H);
        bool row_inside = row >= 0 && row < int(push.source_height);
        uint row4 = source4 + uint(row_inside ? row : 0) * push.source_width * push.source_blocks;
        [[unroll]] for (uint c = 0; c < CELLS; ++c)
        {
            /* the same for all rows, and for all taps of a column */
            int column = x + int(c) * step;
            bool inside = column >= 0 && column < int(push.source_width);
            uint column4 = uint(inside ? column : 0) * push.source_blocks;
            vec4 v = load4(row4 + column4, SOURCE_HALF);
            cells[r * CELLS + c] = mix(vec4(0.0), v, bvec4(row_inside && inside));
        }
    }
}

/* One tap: cells of the tile times the weights of each output block. */
void accumulate(uint kernel4, uint all_blocks, uint block, uint lanes, uint first_cell,
                uint cell_step)
{
    [[unroll]] for (uint b = 0; b < BLOCKS; b += SIDE)
    {
        vec4 w[4 * SIDE_MOST];
        read_weights(kernel4, all_blocks, block + b * lanes, lanes, all_blocks - 1, w);
        [[unroll]] for (uint i = 0; i < SIDE * TILE; ++i)
        {
            uint r = i % TILE / TILE_W, c = i % TILE_W, s = i / TILE * 4, at = b * TILE + i;
            if (at < BLOCKS * TILE) {
                acc[at] = multiply(cells[r * CELLS + first_cell + c * cell_step], INPUTS, w[s],
                                   w[s + 1], w[s + 2], w[s + 3], acc[at]);
            }
        }
    }
}

/* All taps of a kernel row, pixel by pixel: a sum stays where it is for all of them. */
void accumulate_row(uint kernel4, uint all_blocks, uint block, uint lanes)
{
    [[unroll]] for (uint b = 0; b < BLOCKS; b += SIDE)
    {
        vec4 w[4 * SIDE_MOST * HELD_TAPS];
        [[unroll]] for (uint kx = 0; kx < HELD_TAPS; ++kx)
        {
            vec4 tap[4 * SIDE_MOST];
            read_weights(kernel4 + 4 * kx * all_blocks, all_blocks, block + b * lanes, lanes,
                         all_blocks - 1, tap);
            [[unroll]] for (uint i = 0; i < 4 * SIDE; ++i)
            {
                w[4 * SIDE_MOST * kx + i] = tap[i];
            }
        }
        [[unroll]] for (uint i = 0; i < SIDE * TILE; ++i)
        {
            uint cell = i % TILE / TILE_W * CELLS + i % TILE_W * STRIDE_W, at = b * TILE + i;
            if (at < BLOCKS * TILE) {
                vec4 sum = acc[at];
                [[unroll]] for (uint kx = 0; kx < HELD_TAPS; ++kx)
                {
                    uint s = 4 * (SIDE_MOST * kx + i / TILE);
                    sum = multiply(cells[cell + kx * DILATION_W], INPUTS, w[s], w[s + 1], w[s + 2],
                                   w[s + 3], sum);
                }
                acc[at] = sum;
            }
        }
    }
}

/* Bias, sum, activation of UNIT pixels of the tile, whose sums are acc[base] and the following, and what
 * is written of them: the map, its 2x2 maxima, or both. y and x are the tile's, `first` counts its pixels
 * before these. */
void finish_unit(uint base, uint map, uint second, conv2d_record r, vec4 bias, uint channel,
                 uint y, uint x, uint first)
{
    uint count = r.channels - channel;
    [[unroll]] for (uint i = 0; i < UNIT; ++i)
    {
        acc[base + i] += bias;
        uint oy = y + (first + i) / TILE_W, ox = x + (first + i) % TILE_W;
        if (REPEAT == 1 && (r.flags & CONV2D_ADDED) != 0 && oy < push.height && ox < push.width) {
            acc[base + i] += load_added(second + (oy * push.width + ox) * r.second_stride + channel,
                                 count, r);
        }
    }
    [[unroll]] for (uint i = 0; i < UNIT; ++i)
    {
        uint oy = y + (first + i) / TILE_W, ox = x + (first + i) % TILE_W;
        bool inside = oy < push.height && ox < push.width;
        if (REPEAT > 1) {
            if (inside) {
                uint pixel = (oy * push.width * REPEAT + ox) * REPEAT;
                store_repeated(acc[base + i], r, map + pixel * r.map_stride + channel,
                               second + pixel * r.second_stride + channel, count, SHORT != 0);
            }
            continue;
        }
        acc[base + i] = ANY != 0 ? activate(acc[base + i], r.act) : relu(acc[base + i], r.act);
        if ((POOL == 0 || (r.flags & CONV2D_MAP) != 0) && inside) {
            store_channels(map + (oy * push.width + ox) * r.map_stride + channel, acc[base + i], count,
                           SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, MAP_HALF);
        }
    }
    if (POOL != 0 && (r.flags & CONV2D_POOLED) != 0) {
        uint pooled_width = (push.width + (push.lanes_pool >> 8 & 1u)) / 2;
        uint pooled_height = (push.height + (push.lanes_pool >> 9 & 1u)) / 2;
        [[unroll]] for (uint i = 0; i < UNIT / 4; ++i)
        {
            uint ty = i / (TILE_W / 2) * 2, tx = i % (TILE_W / 2) * 2, at = base + ty * TILE_W + tx;
            uint oy = y + first / TILE_W + ty, ox = x + tx;
            bool right = ox + 1 < push.width, below = oy + 1 < push.height;
            vec4 v = acc[at];
            v = right ? max(v, acc[at + 1]) : v;
            v = below ? max(v, acc[at + TILE_W]) : v;
            v = right && below ? max(v, acc[at + TILE_W + 1]) : v;
            if (oy / 2 < pooled_height && ox / 2 < pooled_width) {
                store_channels(
                    second + (oy / 2 * pooled_width + ox / 2) * r.second_stride + channel, v, count,
                    SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0, SECOND_HALF);
            }
        }
    }
}

/* All of the tile. SHORT: in a loop, in which the sums of the next unit move up. */
void finish(uint map, uint second, conv2d_record r, uint bias4, uint block, uint lanes, uint y,
            uint x)
{
    uint all_blocks = (r.channels + 3) / 4;
    if (SHORT == 0) {
        [[unroll]] for (uint b = 0; b < BLOCKS; ++b)
        {
            uint own = block + b * lanes;
            if (own < all_blocks) {
                finish_unit(b * TILE, map, second, r, weights4[bias4 + own], own * 4, y, x, 0);
            }
        }
        return;
    }
    [[dont_unroll]] for (uint u = 0; u < BLOCKS * UNITS; ++u)
    {
        uint own = block + u / UNITS * lanes;
        if (own < all_blocks) {
            finish_unit(0, map, second, r, weights4[bias4 + own], own * 4, y, x, u % UNITS * UNIT);
        }
        [[unroll]] for (uint i = UNIT; i < BLOCKS * TILE; ++i)
        {
            acc[i - UNIT] = acc[i];
        }
    }
}

void main()
{
    uint group = group_index();
    uint channel_group = group % push.channel_groups;
    uint lane_bits = LANES != 0 ? push.lanes_pool & 0xffu : 0;
    uint lanes = 1u << lane_bits;
    uint tile = group / push.channel_groups * (gl_WorkGroupSize.x >> lane_bits) +
                (gl_LocalInvocationID.x >> lane_bits);
    uint ty = tile / push.tiles_x * TILE_H, tx = tile % push.tiles_x * TILE_W;

    uint branch = 0, first_group = 0;
    while (branch < CONV2D_BRANCHES - 1 && channel_group >= push.branch[branch].group_end) {
        first_group = push.branch[branch].group_end;
        ++branch;
    }
    uint record_at = push.branch[branch].record;
    conv2d_record r = read_record(record_at);
    uint all_blocks = (r.channels + 3) / 4;
    uint block =
        (channel_group - first_group) * lanes * BLOCKS + (gl_LocalInvocationID.x & (lanes - 1));
#ifdef SHARED_WEIGHTS
    /* a subgroup stays together: below the map some compute what is not written */
    const bool outside = subgroupBallot(ty < push.height) == uvec4(0);
#else
    const bool outside = ty >= push.height;
#endif
    if (outside || block >= all_blocks) {
        return;
    }

    uint image = gl_WorkGroupID.z;
    uint source4 = (elements_of(push.branch[branch].source + image * push.source_words,
                                SOURCE_HALF) +
                    r.source_offset) /
                   4;
    source4 += block / push.group_blocks * push.group_source_blocks;
    uint bias4 = (record_at + CONV2D_RECORD_WORDS) / 4;
    uint kernel4 = elements_of(4 * (bias4 + all_blocks), WEIGHTS_HALF) / 4;
    int y = int(ty * STRIDE_H) - int(high_half(push.pad));
    int x = int(tx * STRIDE_W) - int(low_half(push.pad));

    [[unroll]] for (uint i = 0; i < BLOCKS * TILE; ++i)
    {
        acc[i] = vec4(0.0);
    }
    [[dont_unroll]] for (uint s = 0; s < push.group_source_blocks; ++s)
    {
        [[dont_unroll]] for (uint ky = 0; ky < KERNEL_H; ++ky)
        {
            int row = y + int(ky * DILATION_H);
            if (ROW_REUSE != 0) {
                load_cells(source4 + s, row, x, 1);
            }
            if (ROW_REUSE == 2) {
                accumulate_row(kernel4, all_blocks, block, lanes);
                kernel4 += 4 * KERNEL_W * all_blocks;
            } else if (ROW_REUSE == 1) {
                [[unroll]] for (uint kx = 0; kx < KERNEL_W; ++kx)
                {
                    accumulate(kernel4, all_blocks, block, lanes, kx * DILATION_W, STRIDE_W);
                    kernel4 += 4 * all_blocks;
                }
            } else {
                [[dont_unroll]] for (uint kx = 0; kx < KERNEL_W; ++kx)
                {
                    load_cells(source4 + s, row, x + int(kx * DILATION_W), int(STRIDE_W));
                    accumulate(kernel4, all_blocks, block, lanes, 0, 1);
                    kernel4 += 4 * all_blocks;
                }
            }
        }
    }
    uint map =
        elements_of(push.branch[branch].map + image * r.map_words, MAP_HALF) + r.map_offset;
    uint second = elements_of(push.branch[branch].second + image * r.second_words, SECOND_HALF) +
                  r.second_offset;
#ifdef SHARED_WEIGHTS
    if (ty >= push.height) {
        return;
    }
#endif
    finish(map, second, r, bias4, block, lanes, ty, tx);
}
