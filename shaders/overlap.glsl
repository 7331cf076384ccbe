/* Does the intersection over union of two boxes reach a threshold? Decided as engine/detector.h
 * reference_overlaps decides, or reported as undecided; never guessed.
 *
 * I, U: exact intersection and union of two boxes with sides in [2^-24, 2^24]; t: the threshold; m
 * = max(1, |t|). The reference compares a rounded I / U with t. Whatever it computes in (unit
 * roundoff v: 2^-53 for tfjs, 2^-24 for tf), its sides carry 1 rounding, areas 3, their sum 4; U >=
 * (A1 + A2) / 2 and I <= U, so its union is off by at most (8 + 3 + 1) v U and its quotient by 3 +
 * 12 + 1 = 16 v, relative. It therefore decides as the sign of D = I - t U does wherever |D| > 16 v
 * U (tf: 17 v m U, as t is rounded too).
 *
 * 1. In single precision (u = 2^-24) D comes out within 3 u I + 14 u |t| U + u |D| <= 19 u m U.
 * With the 17 u of a tf reference that is 36 u; outside 64 u m U = 2^-18 m U the sign decides.
 * 2. Inside, in double-word arithmetic: sides are exact differences of two floats; sums are off by
 * at most 3 u^2 + O(u^3), products by 7 u^2 (Joldes, Muller, Popescu 2017), both below e = 8 u^2 =
 * 2^-45. Areas e; their sum 2 e; the union 2 e (A1 + A2) + e I + e U <= 6 e U; t as t0 + t1 misses
 * u^2 |t| < e |t|; t U 8 e; D (2 + 9 |t|) e U < 2^-41 m U. A tfjs reference adds 2^-49 U, a tf
 * reference 17 u m U < 2^-19.9 m U. So 2^-40 m U decides tfjs, 2^-19 m U decides tf.
 * 3. What is left is undecided, and so are boxes outside the range for which all this holds:
 * coordinates that are subnormal, infinite or NaN, sides that are tiny or huge. A zero side or no
 * intersection give an IoU of exactly 0.
 *
 * `precise` keeps the compiler from contracting or reordering what follows. Products are split
 * (Dekker), not fused: a fused operation may not be what fma() compiles to. */

const uint OVERLAP_NO = 0, OVERLAP_YES = 1, OVERLAP_UNDECIDED = 2;

bool is_odd(float x)
{
    uint magnitude = floatBitsToUint(x) & 0x7fffffffu;
    return magnitude >= 0x7f800000u || (magnitude != 0 && magnitude < 0x00800000u);
}

bool side_is_odd(float side)
{
    return side < 5.9604644775390625e-8 || side > 16777216.0;
}

/* Puts the corners in order; false when the box is odd. An empty box is moved to where it
 * intersects nothing. */
bool normalise(inout vec4 box)
{
    if (is_odd(box.x) || is_odd(box.y) || is_odd(box.z) || is_odd(box.w)) {
        return false;
    }
    box = vec4(min(box.xy, box.zw), max(box.xy, box.zw));
    precise vec2 side = box.zw - box.xy;
    if (side.x == 0.0 || side.y == 0.0) {
        box = vec4(1e30, 1e30, -1e30, -1e30);
        return true;
    }
    return !side_is_odd(side.x) && !side_is_odd(side.y);
}

/* a double-word number: x + y, |y| <= u |x| */
vec2 quick_sum(float a, float b)
{
    precise float s = a + b;
    precise float e = b - (s - a);
    return vec2(s, e);
}

vec2 exact_sum(float a, float b)
{
    precise float s = a + b;
    precise float b_part = s - a;
    precise float e = (a - (s - b_part)) + (b - b_part);
    return vec2(s, e);
}

vec2 split(float a)
{
    precise float c = 4097.0 * a;
    precise float high = c - (c - a);
    precise float low = a - high;
    return vec2(high, low);
}

vec2 exact_product(float a, float b)
{
    precise float p = a * b;
    vec2 x = split(a), y = split(b);
    precise float e = ((x.x * y.x - p) + x.x * y.y + x.y * y.x) + x.y * y.y;
    return vec2(p, e);
}

vec2 sum(vec2 a, vec2 b)
{
    vec2 s = exact_sum(a.x, b.x);
    vec2 t = exact_sum(a.y, b.y);
    precise float c = s.y + t.x;
    vec2 v = quick_sum(s.x, c);
    precise float w = t.y + v.y;
    return quick_sum(v.x, w);
}

vec2 product(vec2 a, vec2 b)
{
    vec2 p = exact_product(a.x, b.x);
    precise float cross = a.x * b.y + a.y * b.x;
    precise float e = p.y + cross;
    return quick_sum(p.x, e);
}

/* Step 1, for boxes that are both plain and intersect: the answer, or undecided. t: the threshold's
 * first float. */
uint quick_overlap(vec4 a, vec4 b, float t)
{
    precise vec2 side_a = a.zw - a.xy, side_b = b.zw - b.xy,
                 side = min(a.zw, b.zw) - max(a.xy, b.xy);
    precise float common_area = side.x * side.y;
    precise float whole = side_a.x * side_a.y + side_b.x * side_b.y - common_area;
    precise float difference = common_area - t * whole;
    if (abs(difference) > 3.814697265625e-6 * whole * max(1.0, abs(t))) { /* 2^-18 */
        return difference > 0.0 ? OVERLAP_YES : OVERLAP_NO;
    }
    return OVERLAP_UNDECIDED;
}

/* Step 2, for the same boxes. t: the threshold's first two floats; band: 2^-40 or 2^-19, see above.
 */
uint exact_overlap(vec4 a, vec4 b, vec2 t, float band)
{
    vec2 low = max(a.xy, b.xy), high = min(a.zw, b.zw);
    vec2 area_a = product(exact_sum(a.z, -a.x), exact_sum(a.w, -a.y));
    vec2 area_b = product(exact_sum(b.z, -b.x), exact_sum(b.w, -b.y));
    vec2 common_area = product(exact_sum(high.x, -low.x), exact_sum(high.y, -low.y));
    vec2 whole = sum(sum(area_a, area_b), -common_area);
    vec2 difference = sum(common_area, -product(t, whole));
    if (abs(difference.x) > band * whole.x * max(1.0, abs(t.x))) {
        return difference.x > 0.0 ? OVERLAP_YES : OVERLAP_NO;
    }
    return OVERLAP_UNDECIDED;
}
