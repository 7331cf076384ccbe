/* Copies a box of up to three dimensions between layouts: permutation, zero padding, cropping, a
 * part of a concatenation, dense <-> padded pixels; or, as RESHAPE, keeps the dense order of the
 * elements while the channel count changes. One invocation four channels of a pixel of the box. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_COPY_RESHAPE) const uint RESHAPE = 0;
layout(constant_id = SPEC_COPY_VECTOR) const uint VECTOR =
    0; /* channels are contiguous in the source, pixels aligned in both */
layout(constant_id = SPEC_COPY_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;

layout(push_constant) uniform push_block
{
    copy_push push;
};

void main()
{
    uint lanes = push.channels + push.tail;
    uint blocks = (lanes + 3) / 4;
    uint i = invocation_index();
    uint block = i % blocks, p = i / blocks;
    if (p >= push.width * push.height) {
        return;
    }
    uint y = p / push.width, x = p % push.width;
    uint image = gl_WorkGroupID.z;
    uint target = elements_of(push.target_base + image * push.target_words, TARGET_HALF) +
                  push.target_offset + y * push.target_row + x * push.target_pixel + block * 4;
    uint source = elements_of(push.source_base + image * push.source_words, SOURCE_HALF) +
                  push.source_offset;
    uint sy = y - push.top, sx = x - push.left; /* wraps to something large outside */
    bool inside = sy < push.source_height && sx < push.source_width;
    uint pixel = source + (inside ? sy * push.source_row + sx * push.source_pixel : 0);
    if (VECTOR != 0) {
        vec4 v = load4(pixel / 4 + block, SOURCE_HALF);
        store4(target / 4, inside ? v : vec4(0.0), TARGET_HALF);
        return;
    }
    vec4 v = vec4(0.0);
    for (uint c = block * 4; c < min(block * 4 + 4, push.channels) && inside; ++c) {
        uint at = pixel + c * push.source_channel;
        if (RESHAPE != 0) {
            uint element = p * push.channels + c;
            at = source + element / push.source_channel * push.source_pixel +
                 element % push.source_channel;
        }
        v[c - block * 4] = load1(at, SOURCE_HALF);
    }
    store_channels(target, v, lanes - block * 4, false, TARGET_HALF);
}
