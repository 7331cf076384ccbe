/* Resize of a map: one invocation four channels of a pixel. Positions in whole numbers, see
 * sampling.glsl. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "sampling.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_RESIZE_BILINEAR) const uint BILINEAR = 1;
layout(constant_id = SPEC_RESIZE_VECTOR) const uint VECTOR = 3; /* VECTOR_SOURCE, VECTOR_TARGET */
const bool SOURCE_ALIGNED = (VECTOR & VECTOR_SOURCE) != 0;
const bool TARGET_ALIGNED = (VECTOR & VECTOR_TARGET) != 0;
layout(constant_id = SPEC_RESIZE_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;

layout(push_constant) uniform push_block
{
    resize_push push;
};

/* nearest: stretch floor(i * in / out), half pixel floor((i + 0.5) * in / out), align corners
 * rounds half up */
uint nearest(uint count, uint cells, uint i)
{
    if (push.grid == RESIZE_HALF_PIXEL) {
        return min((2 * i + 1) * count / (2 * cells), count - 1);
    }
    if (push.grid == RESIZE_ALIGN_CORNERS) {
        uint steps = cells > 1 ? cells - 1 : 1;
        return min((2 * i * (count - 1) + steps) / (2 * steps), count - 1);
    }
    return i * count / cells;
}

sample_cells sample_at(uint count, uint cells, uint i)
{
    if (push.grid == RESIZE_HALF_PIXEL) {
        return sample_half_pixel(count, cells, i);
    }
    if (push.grid == RESIZE_ALIGN_CORNERS) {
        return sample_align_corners(count, cells, i);
    }
    return sample_stretch(count, cells, i);
}

uint source, count;

vec4 cell(uint y, uint x)
{
    return load_channels(source + (y * push.source_width + x) * push.source.stride, count,
                         SOURCE_ALIGNED, SOURCE_HALF);
}

void main()
{
    uint blocks = (push.channels + 3) / 4;
    uint i = invocation_index();
    uint block = i % blocks, p = i / blocks;
    if (p >= push.width * push.height) {
        return;
    }
    uint y = p / push.width, x = p % push.width;
    source = operand_begin(push.source, SOURCE_HALF) + block * 4;
    count = push.channels - block * 4;
    vec4 v;
    if (BILINEAR != 0) {
        sample_cells sy = sample_at(push.source_height, push.height, y);
        sample_cells sx = sample_at(push.source_width, push.width, x);
        vec4 top_left = cell(sy.first, sx.first), bottom_left = cell(sy.second, sx.first);
        vec4 top = top_left + (cell(sy.first, sx.second) - top_left) * sx.part;
        vec4 bottom = bottom_left + (cell(sy.second, sx.second) - bottom_left) * sx.part;
        v = top + (bottom - top) * sy.part;
    } else {
        v = cell(nearest(push.source_height, push.height, y),
                 nearest(push.source_width, push.width, x));
    }
    store_channels(operand_begin(push.target, TARGET_HALF) + p * push.target.stride + block * 4, v, count,
                   TARGET_ALIGNED, TARGET_HALF);
}
