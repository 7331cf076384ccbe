/* Four channels of a pixel at a time, floats or halves, whether or not the layout allows it.
 * `packed` says that an operand is stored as halves; it is a specialization constant wherever a
 * kernel passes it, so that one of the two ways remains. Halves come packed two in a word: no
 * device feature is needed for that.
 *
 * Halves are rounded here, to nearest even, and not by packHalf2x16, which may round either way.
 * Subnormal results become zero: what is written is then the same on every device, and read back
 * exactly whatever a device does with subnormals. From 65520 on the result is infinite (or, where
 * the device packs towards zero, the largest half). */
uvec2 pack_halves(vec4 v)
{
    uvec4 bits = floatBitsToUint(v);
    uvec4 magnitude = bits & 0x7fffffffu;
    uvec4 rounded = (bits + 0xfffu + (bits >> 13 & 1u)) & 0xffffe000u;
    rounded = mix(rounded, bits, greaterThan(magnitude, uvec4(0x7f800000u))); /* NaN stays NaN */
    vec4 r = uintBitsToFloat(rounded);
    r = mix(r, vec4(0.0), lessThan(abs(r), vec4(6.103515625e-5))); /* 2^-14 */
    return uvec2(packHalf2x16(r.xy), packHalf2x16(r.zw));
}

vec4 unpack_halves(uvec2 words)
{
    return vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
}

/* `at4` counts fours of elements. A module that defines FLOATS never sees halves: a driver that does
 * not fold specialization constants computes both ways. */
vec4 load4(uint at4, bool packed)
{
#ifdef FLOATS
    return arena4[at4];
#else
    return packed ? unpack_halves(arena_halves[at4]) : arena4[at4];
#endif
}

void store4(uint at4, vec4 v, bool packed)
{
#ifdef FLOATS
    arena4[at4] = v;
#else
    if (packed) {
        arena_halves[at4] = pack_halves(v);
    } else {
        arena4[at4] = v;
    }
#endif
}

/* One element. Two halves come as the bits of a float: every kernel that reads through that view
 * also writes through it, while one that a kernel only reads is to a validation layer one that a
 * step of the same level must not write. */
float load1(uint at, bool packed)
{
    if (packed) {
        vec2 both = unpackHalf2x16(floatBitsToUint(arena[at >> 1]));
        return (at & 1u) != 0 ? both.y : both.x;
    }
    return arena[at];
}

/* of the packed weights */
float weight1(uint at, bool packed)
{
    if (packed) {
        vec2 both = unpackHalf2x16(weight_words[at >> 1]);
        return (at & 1u) != 0 ? both.y : both.x;
    }
    return weights[at];
}

vec4 weight4(uint at4, bool packed)
{
#ifdef FLOATS
    return weights4[at4];
#else
    return packed ? unpack_halves(weight_halves[at4]) : weights4[at4];
#endif
}

/* `count` is how many channels there are from the first on (four or more: all); what is behind them
 * reads as zero. */
vec4 load_channels(uint at, uint count, bool aligned, bool packed)
{
    if (aligned || packed) {
        return load4(at >> 2, packed);
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
void store_channels(uint at, vec4 v, uint count, bool aligned, bool packed)
{
    if (aligned || packed) {
        store4(at >> 2, v, packed);
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
