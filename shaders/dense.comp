/* Dense layer for few pixels: SLICES invocations share the sum of four output channels of one
 * pixel.
 *
 * Order of accumulation: slice s takes input blocks s, s + SLICES, ... in order, their four
 * channels in order; the slices' sums are then added pairwise, s with s + SLICES / 2 and so on
 * down; then bias, then activation. SLICES follows from the layer alone, so the order is fixed for
 * it. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_DENSE_SLICES) const uint SLICES = 16;
layout(constant_id = SPEC_DENSE_ANY) const uint ANY = 1;
layout(constant_id = SPEC_DENSE_VECTOR) const uint VECTOR = 1;
layout(constant_id = SPEC_DENSE_HALF) const uint HALF = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;
const bool WEIGHTS_HALF = (HALF & HALF_WEIGHTS) != 0;

layout(push_constant) uniform push_block
{
    dense_push push;
};

shared vec4 sums[DENSE_INVOCATIONS];

void main()
{
    uint blocks = (push.channels + 3) / 4;
    uint lane = gl_LocalInvocationID.x;
    uint columns = DENSE_INVOCATIONS /
                   SLICES; /* outputs of the workgroup; neighbours are neighbouring blocks */
    uint slice = lane / columns;
    uint i = group_index() * columns + lane % columns;
    uint block = i % blocks, pixel = i / blocks;
    bool inside = pixel < push.pixels;
    uint source4 =
        (operand_begin(push.source, SOURCE_HALF) + (inside ? pixel : 0) * push.source.stride) / 4;
    uint kernel4 = elements_of(push.weights, WEIGHTS_HALF) / 4 + block;
    vec4 sum = vec4(0.0);
    for (uint s = slice; s < push.source_blocks; s += SLICES) {
        vec4 v = load4(source4 + s, SOURCE_HALF);
        uint at = kernel4 + s * 4 * blocks;
        sum = fma(v.xxxx, weight4(at, WEIGHTS_HALF), sum);
        sum = fma(v.yyyy, weight4(at + blocks, WEIGHTS_HALF), sum);
        sum = fma(v.zzzz, weight4(at + 2 * blocks, WEIGHTS_HALF), sum);
        sum = fma(v.wwww, weight4(at + 3 * blocks, WEIGHTS_HALF), sum);
    }
    sums[lane] = sum;
    for (uint half_slices = SLICES / 2; half_slices > 0; half_slices /= 2) {
        barrier();
        if (slice < half_slices) {
            sums[lane] += sums[lane + half_slices * columns];
        }
    }
    if (slice == 0 && inside) {
        vec4 v = sums[lane] + weights4[push.bias / 4 + block];
        v = ANY != 0 ? activate(v, push.act) : relu(v, push.act);
        store_channels(operand_begin(push.target, TARGET_HALF) + pixel * push.target.stride +
                           block * 4,
                       v, push.channels - block * 4, VECTOR != 0, TARGET_HALF);
    }
}
