/* Scores above the threshold -> decoded boxes and sort keys, compacted. One invocation an anchor.
 * The keys of a workgroup are appended together (one atomic on the picture's counter a workgroup);
 * their order there is left open, the sort makes it total. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"

layout(std430, set = 0, binding = BINDING_REQUEST) readonly buffer request_block
{
    request_header request;
};
layout(push_constant) uniform push_block
{
    decode_push push;
};

shared uint group_count;
shared uint group_first;

/* centre-size coding of SSD in the order of operations of engine/detector.h */
vec4 decode_box(uint anchor)
{
    uint at = operand_begin(push.loc, false) + anchor * push.loc.stride;
    vec4 corners = weights4[push.anchors / 4 + anchor];
    precise vec2 size = corners.zw - corners.xy;
    precise vec2 centre = (corners.xy + corners.zw) / 2.0;
    precise vec2 moved =
        vec2(arena[at], arena[at + 1]) * vec2(push.variance[0], push.variance[1]) * size + centre;
    precise vec2 growth =
        vec2(arena[at + 2], arena[at + 3]) * vec2(push.variance[2], push.variance[3]);
    precise vec2 grown = exp_exact(vec4(growth, 0.0, 0.0)).xy * size;
    precise vec2 reach = grown / 2.0;
    precise vec4 box = vec4(moved - reach, moved + reach);
    return box;
}

void main()
{
    uint image = gl_WorkGroupID.z;
    uint anchor = invocation_index();
    if (gl_LocalInvocationID.x == 0) {
        group_count = 0;
    }
    barrier();

    /* the first maximum; a NaN is never one */
    float best = uintBitsToFloat(0xff800000u);
    uint best_class = 0;
    if (anchor < push.anchor_count) {
        uint at = operand_begin(push.scores, false) + anchor * push.scores.stride;
        for (uint c = 0; c < push.class_count; ++c) {
            float score = arena[at + c];
            if (c != push.background && score > best) {
                best = score;
                best_class = c;
            }
        }
    }
    bool passes = best > request.score_threshold;
    uint place = 0;
    if (passes) {
        place = atomicAdd(group_count, 1);
    }
    barrier();
    uint keys = push.keys_base + image * push.keys_words;
    if (gl_LocalInvocationID.x == 0 && group_count != 0) {
        group_first = atomicAdd(arena_words[keys], group_count);
    }
    barrier();
    if (passes) {
        uint at = keys + CANDIDATE_HEADER_WORDS + 2 * (group_first + place);
        /* one bit pattern for zero, so that equal scores are equal keys */
        arena_words[at] = best == 0.0 ? 0 : floatBitsToUint(best);
        arena_words[at + 1] = anchor;
        arena4[(push.boxes_base + image * push.boxes_words) / 4 + anchor] = decode_box(anchor);
        arena_words[push.classes_base + image * push.classes_words + anchor] = best_class;
    }
}
