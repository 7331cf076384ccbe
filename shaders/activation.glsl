/* Activations on four channels. The exponential is our own: the ones of drivers differ in the last
 * bits, and some by more.
 *
 * exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2; the series of exp(r) to r^7 leaves
 * r^8 / 8! < 6e-9. ln 2 is split so that n * high is exact; `precise` keeps compilers from adding
 * the two parts up again (some do, even within fma()), which would cost about |x| roundings. The
 * scale is applied in two steps so that results down to the smallest normal number need no
 * subnormal factor. */
const float LN2_HIGH = 0.693359375;
const float LN2_LOW = -2.12194440054690583e-4;

/* (exp(r) - 1 - r) / r^2 */
vec4 exp_tail(vec4 r)
{
    vec4 p = fma(r, vec4(1.0 / 5040.0), vec4(1.0 / 720.0));
    p = fma(p, r, vec4(1.0 / 120.0));
    p = fma(p, r, vec4(1.0 / 24.0));
    p = fma(p, r, vec4(1.0 / 6.0));
    return fma(p, r, vec4(0.5));
}

vec4 power_of_two(ivec4 n)
{
    return uintBitsToFloat(uvec4(n + 127) << 23);
}

/* exp(x) and exp(x) - 1, the latter without the cancellation near zero (where n is 0) */
void exponential(vec4 x, out vec4 e, out vec4 e_minus_1)
{
    vec4 bounded = clamp(x, -104.0, 89.0);
    vec4 n = floor(fma(bounded, vec4(1.44269504088896341), vec4(0.5)));
    precise vec4 r = (bounded - n * LN2_HIGH) - n * LN2_LOW;
    vec4 p = fma(exp_tail(r) * r, r, r);
    ivec4 whole = ivec4(n);
    ivec4 half_way = whole / 2;
    e = (p + 1.0) * power_of_two(half_way) * power_of_two(whole - half_way);
    e = mix(e, x, isnan(x));
    e_minus_1 = mix(e - 1.0, p, equal(n, vec4(0.0)));
}

vec4 exp_exact(vec4 x)
{
    vec4 e, unused;
    exponential(x, e, unused);
    return e;
}

/* also expresses linear: slope 1, threshold 0, limit infinite */
vec4 relu(vec4 x, activation_words act)
{
    vec4 below = act.slope * (x - act.threshold);
    vec4 y = mix(below, x, greaterThanEqual(x, vec4(act.threshold)));
    return mix(y, vec4(act.limit), greaterThanEqual(x, vec4(act.limit)));
}

const uint LINEAR = 0, RELU = 1, SIGMOID = 2, TANH = 3, ELU = 4, SWISH = 5,
           HARD_SIGMOID = 6; /* activation_kind */

/* One exponential serves them all: kernels inline this once a pixel. */
vec4 activate(vec4 x, activation_words act)
{
    if (act.kind == RELU) {
        return relu(x, act);
    }
    if (act.kind == HARD_SIGMOID) {
        return clamp(fma(x, vec4(0.2), vec4(0.5)), 0.0, 1.0);
    }
    vec4 e, e_minus_1;
    exponential(act.kind == TANH  ? 2.0 * min(abs(x), 10.0)
                : act.kind == ELU ? x
                                  : -x,
                e, e_minus_1);
    if (act.kind == TANH) {
        return mix(sign(x) * (e_minus_1 / (e_minus_1 + 2.0)), x, isnan(x));
    }
    if (act.kind == ELU) {
        return mix(act.slope * e_minus_1, x, greaterThanEqual(x, vec4(0.0)));
    }
    return (act.kind == SWISH ? x : vec4(1.0)) / (1.0 + e);
}
