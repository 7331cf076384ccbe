/* Element by element: activation, batch norm, PReLU, sum, product; the second operand may repeat
 * along any dimension. One invocation four channels of a pixel. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_ELEMENTWISE_OPERATION) const uint OPERATION = 0;
layout(constant_id = SPEC_ELEMENTWISE_VECTOR) const uint VECTOR =
    3; /* VECTOR_SOURCE, VECTOR_TARGET */
const bool SOURCE_ALIGNED = (VECTOR & VECTOR_SOURCE) != 0;
const bool TARGET_ALIGNED = (VECTOR & VECTOR_TARGET) != 0;
layout(constant_id = SPEC_ELEMENTWISE_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool SECOND_HALF = (HALF & HALF_SECOND) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;

layout(push_constant) uniform push_block
{
    elementwise_push push;
};

vec4 load_operand(elementwise_operand o, uint row, uint column, uint channel, uint count,
                  bool packed)
{
    uint at = elements_of(o.base + gl_WorkGroupID.z * o.words, packed) + o.offset + row * o.row +
              column * o.pixel + channel * o.channel;
    if (o.channel == 0) {
        return vec4(load1(at, packed));
    }
    return load_channels(at, count, SOURCE_ALIGNED, packed);
}

/* alpha lies in the weights: one for all images */
vec4 load_alpha(elementwise_operand o, uint row, uint column, uint channel)
{
    uint at = o.base + row * o.row + column * o.pixel + channel * o.channel;
    return o.channel == 0 ? vec4(weights[at]) : weights4[at >> 2];
}

void main()
{
    uint blocks = (push.channels + 3) / 4;
    uint i = invocation_index();
    uint block = i % blocks, p = i / blocks;
    if (p >= push.pixels) {
        return;
    }
    uint row = p / push.width, column = p % push.width;
    uint channel = block * 4, count = push.channels - channel;
    vec4 v = load_operand(push.a, row, column, channel, count, SOURCE_HALF);
    if (OPERATION == ELEMENTWISE_BATCH_NORM) {
        uint at = push.weights / 4 + block;
        v = (v - weights4[at]) * weights4[at + blocks] + weights4[at + 2 * blocks];
    } else if (OPERATION == ELEMENTWISE_PRELU) {
        v = mix(v * load_alpha(push.b, row, column, channel), v, greaterThanEqual(v, vec4(0.0)));
    } else if (OPERATION == ELEMENTWISE_ADD) {
        v += load_operand(push.b, row, column, channel, count, SECOND_HALF);
    } else if (OPERATION == ELEMENTWISE_MULTIPLY) {
        v *= load_operand(push.b, row, column, channel, count, SECOND_HALF);
    }
    v = activate(v, push.act);
    store_channels(operand_begin(push.target, TARGET_HALF) + p * push.target.stride + channel, v,
                   count, TARGET_ALIGNED, TARGET_HALF);
}
