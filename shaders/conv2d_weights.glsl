/* The weights of four input channels for blocks of four output channels that all invocations of a
 * subgroup read alike.
 *
 * With SHARED_WEIGHTS each of READERS neighbours, four or eight, reads one four of them and hands it
 * on: for drivers on the processor, to which a load costs as much for all lanes alike as for each
 * its own. The flow must be uniform there, and a subgroup have that many lanes. Without, SIDE is 1. */
#ifdef SHARED_WEIGHTS
layout(constant_id = SPEC_CONV2D_READERS) const uint READERS = 4;
const uint SIDE = READERS / 4;
const uint SIDE_MOST = 2;
#else
const uint SIDE = 1; /* blocks that are read together */
const uint SIDE_MOST = 1;
#endif

/* w[4 * s + i]: of channel i, for block `block` + s * apart, or `last` where that is beyond it. `at` is
 * where the first channel's weights begin, `step` how far those of the next are. */
void read_weights(uint at, uint step, uint block, uint apart, uint last, out vec4 w[4 * SIDE_MOST])
{
#ifdef SHARED_WEIGHTS
    uint lane = gl_SubgroupInvocationID;
    vec4 own = weights4[at + (lane & 3u) * step + min(block + lane / 4 % SIDE * apart, last)];
    w[0] = subgroupBroadcast(own, 0);
    w[1] = subgroupBroadcast(own, 1);
    w[2] = subgroupBroadcast(own, 2);
    w[3] = subgroupBroadcast(own, 3);
    if (SIDE > 1) {
        w[4] = subgroupBroadcast(own, 4);
        w[5] = subgroupBroadcast(own, 5);
        w[6] = subgroupBroadcast(own, 6);
        w[7] = subgroupBroadcast(own, 7);
    }
#else
    [[unroll]] for (uint i = 0; i < 4; ++i)
    {
        w[i] = weight4(at + i * step + min(block, last), WEIGHTS_HALF);
    }
#endif
}
