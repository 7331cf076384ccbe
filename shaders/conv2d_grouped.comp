/* Convolution whose groups do not hold channels in fours: one invocation an output. Rare, so plain.
 *
 * Order of accumulation: kernel row, kernel column, input channel of the group; then bias, then
 * activation. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_CONV2D_GROUPED_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool WEIGHTS_HALF = (HALF & HALF_WEIGHTS) != 0;

layout(push_constant) uniform push_block
{
    conv2d_grouped_push push;
};

void main()
{
    uint i = invocation_index();
    /* padding lanes are computed too: they become zero */
    uint lanes = push.padded_channels;
    if (i >= push.width * push.height * lanes) {
        return;
    }
    uint o = i % lanes, p = i / lanes;
    uint at = operand_begin(push.target, false) + p * push.target.stride + o;
    if (o >= push.channels) {
        arena[at] = 0.0;
        return;
    }
    int y = int(p / push.width * high_half(push.stride)) - int(high_half(push.pad));
    int x = int(p % push.width * low_half(push.stride)) - int(low_half(push.pad));
    uint source = operand_begin(push.source, SOURCE_HALF) +
                  o / push.group_channels * push.group_source_channels;
    uint weight = elements_of(push.weights, WEIGHTS_HALF) + o;
    float sum = 0.0;
    for (uint ky = 0; ky < high_half(push.kernel); ++ky) {
        for (uint kx = 0; kx < low_half(push.kernel); ++kx) {
            int row = y + int(ky * high_half(push.dilation)),
                column = x + int(kx * low_half(push.dilation));
            bool inside = row >= 0 && row < int(push.source_height) && column >= 0 &&
                          column < int(push.source_width);
            uint pixel =
                source + (uint(row) * push.source_width + uint(column)) * push.source.stride;
            for (uint c = 0; inside && c < push.group_source_channels; ++c) {
                sum = fma(load1(pixel + c, SOURCE_HALF),
                          weight1(weight + c * push.channels, WEIGHTS_HALF), sum);
            }
            weight += push.group_source_channels * push.channels;
        }
    }
    sum += weights[push.bias + o];
    arena[at] = activate(vec4(sum), push.act).x;
}
