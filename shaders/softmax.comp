/* Softmax over the channels: exp(x - max) / sum. SLICES invocations a pixel; slice s takes channels
 * s, s + SLICES, ... in order, and the slices' sums are added pairwise. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_SOFTMAX_SLICES) const uint SLICES = 1;
layout(constant_id = SPEC_SOFTMAX_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;

layout(push_constant) uniform push_block
{
    softmax_push push;
};

shared float partial[SOFTMAX_INVOCATIONS];

float exp_one(float x)
{
    return exp_exact(vec4(x)).x;
}

void main()
{
    uint lane = gl_LocalInvocationID.x;
    uint slice = lane % SLICES;
    uint pixel = group_index() * (SOFTMAX_INVOCATIONS / SLICES) + lane / SLICES;
    bool inside = pixel < push.pixels;
    uint source = operand_begin(push.source, SOURCE_HALF) + (inside ? pixel : 0) * push.source.stride;
    uint target = operand_begin(push.target, false) + (inside ? pixel : 0) * push.target.stride;

    float largest = load1(source, SOURCE_HALF);
    for (uint c = slice; c < push.channels; c += SLICES) {
        largest = max(largest, load1(source + c, SOURCE_HALF));
    }
    partial[lane] = largest;
    for (uint reach = SLICES / 2; reach > 0; reach /= 2) {
        barrier();
        if (slice < reach) {
            partial[lane] = max(partial[lane], partial[lane + reach]);
        }
    }
    barrier();
    largest = partial[lane - slice];
    barrier();
    float sum = 0.0;
    for (uint c = slice; c < push.channels; c += SLICES) {
        sum += exp_one(load1(source + c, SOURCE_HALF) - largest);
    }
    partial[lane] = sum;
    for (uint reach = SLICES / 2; reach > 0; reach /= 2) {
        barrier();
        if (slice < reach) {
            partial[lane] += partial[lane + reach];
        }
    }
    barrier();
    sum = partial[lane - slice];
    /* padding lanes become zero */
    for (uint c = slice; inside && c < push.padded_channels; c += SLICES) {
        arena[target + c] = c < push.channels ? exp_one(load1(source + c, SOURCE_HALF) - largest) / sum : 0.0;
    }
}
