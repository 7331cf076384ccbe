/* Peak: multiply-adds in registers, in binary32 or, with PEAK_HALF, in binary16. Chains of them that
 * do not depend on each other hide the latency of one; the factors keep every sum near one.
 *
 * Loops over the chains are unrolled, so that each sum has a name: an index that is only known when
 * it runs would put all of them into memory. So are some steps of each turn, which is itself no
 * arithmetic. Twelve sums, factor and term fit the sixteen vector registers of a processor, on which a
 * software driver keeps one component of all its lanes in each; a GPU, whose registers are many
 * more, has the other subgroups beside them. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef PEAK_HALF
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define vector f16vec4
#else
#define vector vec4
#endif
#include "shaders/interface.h"
#include "peak.glsl"

layout(std430, set = 0, binding = PEAK_BINDING_TO) writeonly buffer to_buffer
{
    vec4 to[];
};

void main()
{
    vector factor = vector(push.factor), term = vector(push.term);
    vector sums[PEAK_CHAINS];
    [[unroll]] for (uint c = 0; c < PEAK_CHAINS; ++c)
    {
        sums[c] = vector(float(gl_LocalInvocationID.x + c) * 0.001);
    }
    [[dont_unroll]] for (uint i = 0; i < push.turns; ++i)
    {
        [[unroll]] for (uint k = 0; k < PEAK_STEPS; ++k)
        {
            [[unroll]] for (uint c = 0; c < PEAK_CHAINS; ++c)
            {
                sums[c] = fma(sums[c], factor, term);
            }
        }
    }
    vector sum = sums[0];
    [[unroll]] for (uint c = 1; c < PEAK_CHAINS; ++c)
    {
        sum += sums[c];
    }
    if (dot(vec4(sum), vec4(1.0)) == push.never) {
        to[gl_GlobalInvocationID.x] = vec4(sum);
    }
}
