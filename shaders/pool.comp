/* Max and average pooling (one invocation four channels of a pixel), and the average of a whole
 * map.
 *
 * The global average: POOL_GLOBAL_SLICES invocations a block; slice s sums pixels s, s + slices,
 * ... in order, then the slices are added in order. Its workgroup has POOL_GLOBAL_INVOCATIONS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_POOL_KIND) const uint KIND = 0;
layout(constant_id = SPEC_POOL_VECTOR) const uint VECTOR = 3; /* VECTOR_SOURCE, VECTOR_TARGET */
const bool SOURCE_ALIGNED = (VECTOR & VECTOR_SOURCE) != 0;
const bool TARGET_ALIGNED = (VECTOR & VECTOR_TARGET) != 0;
layout(constant_id = SPEC_POOL_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;

layout(push_constant) uniform push_block
{
    pool_push push;
};

shared vec4 slice_sums[POOL_GLOBAL_INVOCATIONS];

void global_average()
{
    uint blocks = (push.channels + 3) / 4;
    uint lane = gl_LocalInvocationID.x;
    uint columns = POOL_GLOBAL_INVOCATIONS / POOL_GLOBAL_SLICES;
    uint block = group_index() * columns + lane % columns;
    uint slice = lane / columns;
    uint pixels = push.source_width * push.source_height;
    uint count = push.channels - block * 4;
    vec4 sum = vec4(0.0);
    if (block < blocks) {
        uint at = operand_begin(push.source, SOURCE_HALF) + block * 4;
        for (uint p = slice; p < pixels; p += POOL_GLOBAL_SLICES) {
            sum += load_channels(at + p * push.source.stride, count, SOURCE_ALIGNED, SOURCE_HALF);
        }
    }
    slice_sums[lane] = sum;
    barrier();
    if (slice == 0 && block < blocks) {
        for (uint s = 1; s < POOL_GLOBAL_SLICES; ++s) {
            sum += slice_sums[lane + s * columns];
        }
        store_channels(operand_begin(push.target, TARGET_HALF) + block * 4, sum / float(pixels), count,
                       TARGET_ALIGNED, TARGET_HALF);
    }
}

void windowed()
{
    uint blocks = (push.channels + 3) / 4;
    uint i = invocation_index();
    uint block = i % blocks, p = i / blocks;
    if (p >= push.width * push.height) {
        return;
    }
    int y = int(p / push.width * high_half(push.stride)) - int(high_half(push.pad));
    int x = int(p % push.width * low_half(push.stride)) - int(low_half(push.pad));
    uint top = uint(max(y, 0)), left = uint(max(x, 0));
    uint bottom = uint(min(y + int(high_half(push.kernel)), int(push.source_height)));
    uint right = uint(min(x + int(low_half(push.kernel)), int(push.source_width)));
    uint count = push.channels - block * 4;
    uint source = operand_begin(push.source, SOURCE_HALF) + block * 4;
    vec4 v = KIND == POOL_MAX ? vec4(-3.402823466e38) : vec4(0.0);
    for (uint row = top; row < bottom; ++row) {
        for (uint column = left; column < right; ++column) {
            vec4 cell =
                load_channels(source + (row * push.source_width + column) * push.source.stride,
                              count, SOURCE_ALIGNED, SOURCE_HALF);
            v = KIND == POOL_MAX ? max(v, cell) : v + cell;
        }
    }
    if (KIND == POOL_AVERAGE) {
        v /= float((bottom - top) * (right - left));
    }
    store_channels(operand_begin(push.target, TARGET_HALF) + p * push.target.stride + block * 4, v, count,
                   TARGET_ALIGNED, TARGET_HALF);
}

void main()
{
    if (KIND == POOL_GLOBAL_AVERAGE) {
        global_average();
    } else {
        windowed();
    }
}
