/* What a convolution adds before the activation (SPEC_CONV2D_REPEAT). Included after the constants and
 * the push constants of a convolution. */

/* four channels at element `at` of what is added */
vec4 load_added(uint at, uint count, conv2d_record r)
{
    return load_channels(at, count, SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0,
                         SECOND_HALF);
}

const uint COPIES = REPEAT * REPEAT;

/* copy i's pixel, counted from the first one's */
uint copy_pixel(uint i)
{
    const uint across = REPEAT > 0 ? REPEAT : 1;
    return i / across * push.width * REPEAT + i % across;
}

void store_copy(vec4 sum, conv2d_record r, uint map, uint i, uint count)
{
    vec4 v = ANY != 0 ? activate(sum, r.act) : relu(sum, r.act);
    store_channels(map + copy_pixel(i) * r.map_stride, v, count,
                   SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, MAP_HALF);
}

/* The pixels that v is repeated as, four channels of each; `map` and `added` are the first pixel's.
 * All are loaded before any is written, as to a compiler a store might change what is loaded next;
 * in_turn: one after the other, for the sake of short code. */
void store_repeated(vec4 v, conv2d_record r, uint map, uint added, uint count, bool in_turn)
{
    if (in_turn) {
        [[dont_unroll]] for (uint i = 0; i < COPIES; ++i)
        {
            vec4 sum = v + load_added(added + copy_pixel(i) * r.second_stride, count, r);
            store_copy(sum, r, map, i, count);
        }
        return;
    }
    vec4 sum[COPIES > 0 ? COPIES : 1];
    [[unroll]] for (uint i = 0; i < COPIES; ++i)
    {
        sum[i] = v + load_added(added + copy_pixel(i) * r.second_stride, count, r);
    }
    [[unroll]] for (uint i = 0; i < COPIES; ++i)
    {
        store_copy(sum[i], r, map, i, count);
    }
}
