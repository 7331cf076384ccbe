/* Depthwise convolution: an invocation computes four output channels of TILE_W pixels of a row.
 * Consecutive invocations take consecutive channel blocks. Output channel o reads input channel o /
 * MULTIPLIER.
 *
 * Order of accumulation: kernel row, kernel column; then bias, then activation. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_DEPTHWISE_KERNEL_H) const uint KERNEL_H = 3;
layout(constant_id = SPEC_DEPTHWISE_KERNEL_W) const uint KERNEL_W = 3;
layout(constant_id = SPEC_DEPTHWISE_STRIDE_H) const uint STRIDE_H = 1;
layout(constant_id = SPEC_DEPTHWISE_STRIDE_W) const uint STRIDE_W = 1;
layout(constant_id = SPEC_DEPTHWISE_DILATION_H) const uint DILATION_H = 1;
layout(constant_id = SPEC_DEPTHWISE_DILATION_W) const uint DILATION_W = 1;
layout(constant_id = SPEC_DEPTHWISE_TILE_W) const uint TILE_W = 2;
layout(constant_id = SPEC_DEPTHWISE_MULTIPLIER) const uint MULTIPLIER = 1;
layout(constant_id = SPEC_DEPTHWISE_ANY) const uint ANY = 1;
layout(constant_id = SPEC_DEPTHWISE_VECTOR) const uint VECTOR = 1;

layout(push_constant) uniform push_block
{
    depthwise_push push;
};

/* the inputs of output channels channel .. channel + 3 at a pixel that begins at word `pixel` */
vec4 load_inputs(uint pixel, uint channel)
{
    if (MULTIPLIER == 1) {
        return arena4[(pixel + channel) >> 2];
    }
    uint last = push.channels - 1;
    return vec4(arena[pixel + channel / MULTIPLIER],
                arena[pixel + min(channel + 1, last) / MULTIPLIER],
                arena[pixel + min(channel + 2, last) / MULTIPLIER],
                arena[pixel + min(channel + 3, last) / MULTIPLIER]);
}

void main()
{
    uint blocks = (push.channels + 3) / 4;
    uint i = invocation_index();
    uint block = i % blocks, tile = i / blocks;
    uint oy = tile / push.tiles_x, ox = tile % push.tiles_x * TILE_W;
    if (oy >= push.height) {
        return;
    }
    int y = int(oy * STRIDE_H) - int(high_half(push.pad));
    int x = int(ox * STRIDE_W) - int(low_half(push.pad));
    uint source = operand_begin(push.source);
    uint kernel4 = push.weights / 4 + block;
    vec4 acc[TILE_W];
    [[unroll]] for (uint c = 0; c < TILE_W; ++c)
    {
        acc[c] = vec4(0.0);
    }
    [[dont_unroll]] for (uint ky = 0; ky < KERNEL_H; ++ky)
    {
        int row = y + int(ky * DILATION_H);
        bool row_inside = row >= 0 && row < int(push.source_height);
        uint line = source + uint(row_inside ? row : 0) * push.source_width * push.source.stride;
        [[dont_unroll]] for (uint kx = 0; kx < KERNEL_W; ++kx)
        {
            vec4 w = weights4[kernel4];
            kernel4 += blocks;
            [[unroll]] for (uint c = 0; c < TILE_W; ++c)
            {
                int column = x + int(c * STRIDE_W + kx * DILATION_W);
                bool inside = row_inside && column >= 0 && column < int(push.source_width);
                vec4 v =
                    load_inputs(line + uint(inside ? column : 0) * push.source.stride, block * 4);
                acc[c] = fma(mix(vec4(0.0), v, bvec4(inside)), w, acc[c]);
            }
        }
    }
    vec4 bias = weights4[push.bias / 4 + block];
    uint target = operand_begin(push.target);
    [[unroll]] for (uint c = 0; c < TILE_W; ++c)
    {
        vec4 v = acc[c] + bias;
        v = ANY != 0 ? activate(v, push.act) : relu(v, push.act);
        if (ox + c < push.width) {
            store_channels(target + (oy * push.width + ox + c) * push.target.stride + block * 4, v,
                           push.channels - block * 4, VECTOR != 0);
        }
    }
}
