/* Four channels of a pixel at a time, whether or not the layout allows it. `count` is how many
 * channels there are from the first on (four or more: all); what is behind them reads as zero. */
vec4 load_channels(uint at, uint count, bool aligned)
{
    if (aligned) {
        return arena4[at >> 2];
    }
    vec4 v = vec4(arena[at], 0.0, 0.0, 0.0);
    if (count > 1) {
        v.y = arena[at + 1];
    }
    if (count > 2) {
        v.z = arena[at + 2];
    }
    if (count > 3) {
        v.w = arena[at + 3];
    }
    return v;
}

/* aligned writes all four: the lanes behind `count` are padding, and v is finite there */
void store_channels(uint at, vec4 v, uint count, bool aligned)
{
    if (aligned) {
        arena4[at >> 2] = v;
        return;
    }
    arena[at] = v.x;
    if (count > 1) {
        arena[at + 1] = v.y;
    }
    if (count > 2) {
        arena[at + 2] = v.z;
    }
    if (count > 3) {
        arena[at + 3] = v.w;
    }
}
