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
    uint target = push.target_base + image * push.target_words + push.target_offset +
                  y * push.target_row + x * push.target_pixel + block * 4;
    uint source = push.source_base + image * push.source_words + push.source_offset;
    uint sy = y - push.top, sx = x - push.left; /* wraps to something large outside */
    bool inside = sy < push.source_height && sx < push.source_width;
    uint pixel = source + (inside ? sy * push.source_row + sx * push.source_pixel : 0);
    if (VECTOR != 0) {
        vec4 v = arena4[pixel / 4 + block];
        arena4[target / 4] = inside ? v : vec4(0.0);
        return;
    }
    for (uint c = block * 4; c < min(block * 4 + 4, lanes); ++c) {
        float v = 0.0;
        if (c < push.channels && inside) {
            if (RESHAPE != 0) {
                uint element = p * push.channels + c;
                v = arena[source + element / push.source_channel * push.source_pixel +
                          element % push.source_channel];
            } else {
                v = arena[pixel + c * push.source_channel];
            }
        }
        arena[target + c - block * 4] = v;
    }
}
