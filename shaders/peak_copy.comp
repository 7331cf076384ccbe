/* Peak: copying device memory, or with PEAK_READ only reading it. Neighbouring invocations touch
 * neighbouring vectors; each goes through the buffers in strides of the whole grid. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "peak.glsl"

layout(std430, set = 0, binding = PEAK_BINDING_FROM) readonly buffer from_buffer
{
    vec4 from[];
};
layout(std430, set = 0, binding = PEAK_BINDING_TO) writeonly buffer to_buffer
{
    vec4 to[];
};

void main()
{
    uint stride = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
    uint at = gl_GlobalInvocationID.x;
#ifdef PEAK_READ
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < push.turns; ++i, at += stride) {
        sum += from[at];
    }
    if (dot(sum, vec4(1.0)) == push.never) {
        to[gl_GlobalInvocationID.x] = sum;
    }
#else
    for (uint i = 0; i < push.turns; ++i, at += stride) {
        to[at] = from[at];
    }
#endif
}
