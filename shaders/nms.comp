/* Non-maximum suppression: one workgroup a picture, candidates in their total order in chunks of
 * one an invocation. A chunk is tested against the boxes kept so far, then against itself as bit
 * masks in shared memory, then resolved in order by one invocation. Stops at max_detections; there
 * is no cap on candidates. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#define ARENA_ACCESS coherent
#include "shaders/interface.h"
#include "common.glsl"
#include "overlap.glsl"

layout(std430, set = 0, binding = BINDING_REQUEST) readonly buffer request_block
{
    request_header request;
};
layout(std430, set = 0, binding = BINDING_RESULTS) writeonly buffer results_block
{
    uvec4 results[]; /* a block, its header and its detections are whole fours of words */
};
layout(push_constant) uniform push_block
{
    nms_push push;
};

const uint CHUNK = NMS_CHUNK; /* the workgroup's size */
const uint MASK_WORDS = CHUNK / 32;
const uint GROUP = 4; /* comparisons a turn of the innermost loop */
const uint MODE_TF = 1, MODE_TFJS_PER_CLASS = 2,
           MODE_TF_PER_CLASS = 3; /* engine/detector.h nms_mode */

const uint ODD = 0x80000000u; /* the box is outside the range of the comparison */

struct candidate {
    vec4 box;      /* see normalise() */
    uint class_id; /* and ODD */
};

shared candidate others[CHUNK]; /* boxes kept so far, CHUNK at a time; then the chunk itself */
shared uint masks[CHUNK * MASK_WORDS]; /* bit j of row i: j, before i, overlaps i */
shared uint alive_bits[MASK_WORDS];
shared uint kept_bits[MASK_WORDS];
shared uint undecided;

/* Did every loop run to its end? Mesa's llvmpipe bounds the turns that the loops of an invocation
 * take together (65535), and keeping some ten thousand boxes takes more; it then leaves all loops,
 * and the invocations of a workgroup do so at different times. Such a picture is handed to the
 * reference like a near-tie. (Short loops are unrolled so that none is cut unnoticed.) */
bool complete = true;

candidate load_candidate(uint anchor)
{
    candidate c;
    c.box = arena4[(push.boxes_base + gl_WorkGroupID.z * push.boxes_words) / 4 + anchor];
    c.class_id = arena_words[push.classes_base + gl_WorkGroupID.z * push.classes_words + anchor];
    c.class_id |= normalise(c.box) ? 0 : ODD;
    return c;
}

bool mode_is_tf()
{
    return request.nms_mode == MODE_TF || request.nms_mode == MODE_TF_PER_CLASS;
}

/* All that single precision can say. Undecided boxes are odd, or are compared exactly next. */
uint quick(candidate a, candidate b)
{
    if (request.nms_mode >= MODE_TFJS_PER_CLASS && ((a.class_id ^ b.class_id) & ~ODD) != 0) {
        return OVERLAP_NO;
    }
    if (((a.class_id | b.class_id) & ODD) != 0) {
        return OVERLAP_UNDECIDED;
    }
    if (any(lessThanEqual(min(a.box.zw, b.box.zw), max(a.box.xy, b.box.xy)))) {
        /* nothing in common: tfjs suppresses when 0 >= t, tf when 0 > t */
        bool reached = mode_is_tf() ? request.iou_t0 < 0.0 : floatBitsToInt(request.iou_t0) <= 0;
        return reached ? OVERLAP_YES : OVERLAP_NO;
    }
    return quick_overlap(a.box, b.box, request.iou_t0);
}

uint exact(candidate a, candidate b)
{
    if (((a.class_id | b.class_id) & ODD) != 0) {
        return OVERLAP_UNDECIDED;
    }
    return exact_overlap(a.box, b.box, vec2(request.iou_t0, request.iou_t1),
                         mode_is_tf() ? 1.9073486328125e-6 : 9.094947017729282e-13);
}

/* the lowest n bits */
uint low_bits(uint n)
{
    return n < 32 ? (1u << n) - 1 : 0xffffffffu;
}

/* Which of the 32 `others` from `first` on, as named by `pending`, overlap the own box? */
uint overlapping(candidate own, uint first, uint pending)
{
    uint bits = 0, open = 0, at = 0;
    for (; at < 32 && pending != 0; at += GROUP) {
        [[unroll]] for (uint k = 0; k < GROUP; ++k)
        {
            uint o = quick(own, others[first + at + k]);
            bits |= (o == OVERLAP_YES ? 1u : 0) << (at + k);
            open |= (o == OVERLAP_UNDECIDED ? 1u : 0) << (at + k);
        }
    }
    bits &= pending;
    complete = complete && (pending == 0 || at >= 32);
    open &= pending;
    while (open != 0) {
        uint j = uint(findLSB(open));
        open &= open - 1;
        uint o = exact(own, others[first + j]);
        if (o == OVERLAP_UNDECIDED) { /* counted, and taken as no */
            atomicAdd(undecided, 1);
        } else if (o == OVERLAP_YES) {
            bits |= 1u << j;
        }
    }
    complete = complete && open == 0;
    return bits;
}

/* Tests the chunk's candidates against the boxes kept so far, which decides who is alive, and then
 * against each other, which fills the masks. One loop for both, so that the comparison is compiled
 * once. */
void compare(candidate own, bool alive, uint kept)
{
    uint lane = gl_LocalInvocationID.x;
    uint list = push.kept_base + gl_WorkGroupID.z * push.kept_words;
    bool against_itself = false;
    for (uint first = 0; !against_itself; first += CHUNK) {
        against_itself = first >= kept;
        barrier();
        if (against_itself) {
            others[lane] = own;
            if (alive) {
                atomicOr(alive_bits[lane / 32], 1u << (lane & 31u));
            }
        } else if (first + lane < kept) {
            others[lane] = load_candidate(arena_words[list + first + lane]);
        }
        barrier();
        uint count = against_itself ? lane : min(CHUNK, kept - first);
        uint word = 0;
        for (; word < MASK_WORDS; ++word) {
            uint pending = count > word * 32 && alive ? low_bits(count - word * 32) : 0;
            uint bits =
                overlapping(own, word * 32, against_itself ? pending & alive_bits[word] : pending);
            if (against_itself) {
                masks[lane * MASK_WORDS + word] = bits;
            } else {
                alive = alive && bits == 0;
            }
        }
        complete = complete && word == MASK_WORDS;
    }
    complete = complete && against_itself;
}

/* Walks the chunk in order; one invocation. room: detections that may still be kept. */
void resolve(uint room)
{
    [[unroll]] for (uint w = 0; w < MASK_WORDS; ++w)
    {
        kept_bits[w] = 0;
    }
    uint word = 0;
    for (; word < MASK_WORDS && room != 0; ++word) {
        uint pending = alive_bits[word];
        while (pending != 0 && room != 0) {
            uint j = uint(findLSB(pending));
            pending &= pending - 1;
            uint hit = 0;
            [[unroll]] for (uint w = 0; w < MASK_WORDS; ++w)
            {
                hit |= masks[(word * 32 + j) * MASK_WORDS + w] & kept_bits[w];
            }
            if (hit == 0) {
                kept_bits[word] |= 1u << j;
                --room;
            }
        }
        complete = complete && (pending == 0 || room == 0);
    }
    complete = complete && (word == MASK_WORDS || room == 0);
}

void write_detection(uint index, uint anchor, uint score)
{
    uint image = gl_WorkGroupID.z;
    uint at4 =
        (image * push.result_words + RESULT_HEADER_WORDS + index * RESULT_DETECTION_WORDS) / 4;
    uint class_id = arena_words[push.classes_base + image * push.classes_words + anchor];
    results[at4] =
        floatBitsToUint(arena4[(push.boxes_base + image * push.boxes_words) / 4 + anchor]);
    results[at4 + 1] = uvec4(score, class_id, anchor, 0);
}

void write_header(uint kept, uint candidates, uint near_ties)
{
    results[gl_WorkGroupID.z * push.result_words / 4] = uvec4(kept, candidates, near_ties, 0);
}

void main()
{
    uint image = gl_WorkGroupID.z;
    uint lane = gl_LocalInvocationID.x;
    uint header = push.keys_base + image * push.keys_words;
    uint count = arena_words[header];
    uint limit = min(request.max_detections, push.capacity);
    uint kept = 0;
    if (lane == 0) {
        undecided = 0;
        write_header(0, count, 1); /* stays if the workgroup does not live to its end */
    }
    uint first = 0;
    for (; first < count && kept < limit; first += CHUNK) {
        bool alive = first + lane < count;
        uint key = header + CANDIDATE_HEADER_WORDS + 2 * (alive ? first + lane : first);
        uint score = arena_words[key], anchor = arena_words[key + 1];
        candidate own = load_candidate(anchor);
        barrier();
        if (lane < MASK_WORDS) {
            alive_bits[lane] = 0;
        }
        compare(own, alive, kept);
        barrier();
        if (lane == 0) {
            resolve(limit - kept);
        }
        barrier();
        uint before = kept;
        [[unroll]] for (uint word = 0; word < MASK_WORDS; ++word)
        {
            uint bits = kept_bits[word];
            uint earlier = word < lane / 32   ? bits
                           : word > lane / 32 ? 0
                                              : bits & ((1u << (lane & 31u)) - 1);
            before += uint(bitCount(earlier));
            kept += uint(bitCount(bits));
        }
        if ((kept_bits[lane / 32] >> (lane & 31u) & 1u) != 0) {
            arena_words[push.kept_base + image * push.kept_words + before] = anchor;
            write_detection(before, anchor, score);
        }
        memoryBarrierBuffer();
        barrier();
    }
    barrier();
    if (!complete || (first < count && kept < limit)) {
        atomicAdd(undecided, 1);
    }
    barrier();
    if (lane == 0) {
        write_header(kept, count, undecided);
    }
}
