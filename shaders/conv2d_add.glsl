/* What a convolution adds before the activation (SPEC_CONV2D_REPEAT). Included after the constants and
 * the push constants of a convolution. */

/* four channels at element `at` of what is added */
vec4 load_added(uint at, uint count, conv2d_record r)
{
    return load_channels(at, count, SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0,
                         SECOND_HALF);
}

const uint COPIES = REPEAT * REPEAT;

/* The pixels that v is repeated as, four channels of each; `map` and `added` are the first pixel's.
 * All are loaded before any is written: to a compiler a store might change what is loaded next. */
void store_repeated(vec4 v, conv2d_record r, uint map, uint added, uint count)
{
    vec4 sum[COPIES > 0 ? COPIES : 1];
    uint row = push.width * REPEAT;
    [[unroll]] for (uint i = 0; i < COPIES; ++i)
    {
        uint pixel = i / (REPEAT > 0 ? REPEAT : 1) * row + i % (REPEAT > 0 ? REPEAT : 1);
        sum[i] = v + load_added(added + pixel * r.second_stride, count, r);
    }
    [[unroll]] for (uint i = 0; i < COPIES; ++i)
    {
        uint pixel = i / (REPEAT > 0 ? REPEAT : 1) * row + i % (REPEAT > 0 ? REPEAT : 1);
        sum[i] = ANY != 0 ? activate(sum[i], r.act) : relu(sum[i], r.act);
        store_channels(map + pixel * r.map_stride, sum[i], count,
                       SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, MAP_HALF);
    }
}
