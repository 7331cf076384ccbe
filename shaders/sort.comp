/* Candidates of a picture into their total order: score descending, then anchor ascending. One
 * workgroup a picture; a bitonic network over the next power of two of the count, which it reads
 * from the buffer. Strides that fit run in shared memory, larger ones in the arena. */
#version 450
#extension GL_GOOGLE_include_directive : require
#define ARENA_ACCESS coherent
#include "shaders/interface.h"
#include "common.glsl"

layout(push_constant) uniform push_block
{
    sort_push push;
};

shared uvec2 keys[SORT_SHARED_KEYS];

const uvec2 LAST = uvec2(0, 0xffffffffu);

/* scores as integers that order as floats do; larger comes first. Zero is left to the filling
 * behind the candidates. */
uint rank(uint score)
{
    return (score >> 31) != 0 ? ~score : score | 0x80000000u;
}

bool after(uvec2 a, uvec2 b)
{
    return a.x != b.x ? a.x < b.x : a.y > b.y;
}

uvec2 load_key(uint at)
{
    return uvec2(arena_words[at], arena_words[at + 1]);
}

void store_key(uint at, uvec2 key)
{
    arena_words[at] = key.x;
    arena_words[at + 1] = key.y;
}

/* the lower member of pair i of a network with distance 2^bits */
uint lower(uint i, uint bits)
{
    return (i >> bits << (bits + 1)) | (i & ((1u << bits) - 1));
}

/* Merges of 2^first to 2^last keys, as far as they stay within block `block` of 2^size_bits keys,
 * in shared memory. */
void sort_block(uint begin, uint block, uint size_bits, uint first, uint last)
{
    uint invocations = gl_WorkGroupSize.x, own = gl_LocalInvocationID.x;
    for (uint i = own; i < 1u << size_bits; i += invocations) {
        keys[i] = load_key(begin + 2 * ((block << size_bits) + i));
    }
    for (uint merge = first; merge <= last; ++merge) {
        for (int bits = int(min(merge, size_bits)) - 1; bits >= 0; --bits) {
            barrier();
            for (uint i = own; i < 1u << (size_bits - 1); i += invocations) {
                uint a = lower(i, uint(bits)), b = a + (1u << bits);
                bool down = (((block << size_bits) + a) >> merge & 1u) != 0;
                if (after(keys[a], keys[b]) != down) {
                    uvec2 swapped = keys[a];
                    keys[a] = keys[b];
                    keys[b] = swapped;
                }
            }
        }
    }
    barrier();
    for (uint i = own; i < 1u << size_bits; i += invocations) {
        store_key(begin + 2 * ((block << size_bits) + i), keys[i]);
    }
    barrier();
}

void main()
{
    uint header = push.keys_base + gl_WorkGroupID.z * push.keys_words;
    uint begin = header + CANDIDATE_HEADER_WORDS;
    uint count = arena_words[header];
    if (count < 2) {
        return;
    }
    uint bits = uint(findMSB(count - 1)) + 1; /* of the next power of two */
    uint invocations = gl_WorkGroupSize.x, own = gl_LocalInvocationID.x;
    for (uint i = own; i < 1u << bits; i += invocations) {
        uint at = begin + 2 * i;
        if (i < count) {
            arena_words[at] = rank(arena_words[at]);
        } else {
            store_key(at, LAST);
        }
    }
    memoryBarrierBuffer();
    barrier();

    uint shared_bits = min(bits, uint(findMSB(SORT_SHARED_KEYS)));
    for (uint merge = shared_bits; merge <= bits; ++merge) {
        for (uint distance = merge - 1; merge > shared_bits && distance >= shared_bits;
             --distance) {
            for (uint i = own; i < 1u << (bits - 1); i += invocations) {
                uint a = lower(i, distance);
                uint at_a = begin + 2 * a, at_b = at_a + (2u << distance);
                uvec2 key_a = load_key(at_a), key_b = load_key(at_b);
                if (after(key_a, key_b) != ((a >> merge & 1u) != 0)) {
                    store_key(at_a, key_b);
                    store_key(at_b, key_a);
                }
            }
            memoryBarrierBuffer();
            barrier();
        }
        for (uint block = 0; block < 1u << (bits - shared_bits); ++block) {
            sort_block(begin, block, shared_bits, merge == shared_bits ? 1 : merge, merge);
        }
        memoryBarrierBuffer();
        barrier();
    }
    for (uint i = own; i < count; i += invocations) {
        uint at = begin + 2 * i;
        uint score = arena_words[at];
        arena_words[at] = (score >> 31) != 0 ? score & 0x7fffffffu : ~score;
    }
}
