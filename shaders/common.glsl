/* What every kernel begins with: the five buffers, each under the types it is read as, and the
 * workgroup size.
 *
 * The arena appears as floats, vectors, words and fours of halves. A kernel reads one value and
 * writes another, never the same words through two of the names. Kernels whose invocations read
 * what others of the workgroup wrote define ARENA_ACCESS coherent. */
#ifndef ARENA_ACCESS
#define ARENA_ACCESS
#endif

layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

layout(std430, set = 0, binding = BINDING_ARENA) ARENA_ACCESS buffer arena_as_floats
{
    float arena[];
};
layout(std430, set = 0, binding = BINDING_ARENA) ARENA_ACCESS buffer arena_as_vectors
{
    vec4 arena4[];
};
layout(std430, set = 0, binding = BINDING_ARENA) ARENA_ACCESS buffer arena_as_words
{
    uint arena_words[];
};
layout(std430, set = 0, binding = BINDING_ARENA) ARENA_ACCESS buffer arena_as_halves
{
    uvec2 arena_halves[]; /* four halves each */
};
layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_as_floats
{
    float weights[];
};
layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_as_vectors
{
    vec4 weights4[];
};
layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_as_words
{
    uint weight_words[];
};
layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_as_halves
{
    uvec2 weight_halves[];
};

/* The workgroup's place in a grid that the planner may have folded from x into y. */
uint group_index()
{
    return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
}

uint invocation_index()
{
    return group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}

/* elements in so many words */
uint elements_of(uint words, bool packed)
{
    return packed ? 2 * words : words;
}

/* the first element of this image's pixel 0 */
uint operand_begin(operand o, bool packed)
{
    return elements_of(o.base + gl_WorkGroupID.z * o.words, packed) + o.offset;
}

uint high_half(uint packed)
{
    return packed >> 16;
}

uint low_half(uint packed)
{
    return packed & 0xffffu;
}
