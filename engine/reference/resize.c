/* Resize of a map, as TensorFlow.js (and TensorFlow) define it:
 *     source = i * in / out, with align_corners i * (in - 1) / (out - 1)   (out > 1)
 *     with half_pixel  (i + 0.5) * in / out, less 0.5 for bilinear
 *     nearest: floor(source), with align_corners rounded half up
 *     bilinear: between floor and the next cell, both kept inside the map
 * Positions are rational numbers and are split into cell and fraction in integers, where the
 * frameworks take the product of a rounded ratio: that is off by at most a few 1e-16 of the
 * position, which bilinear does not notice. Nearest does where the exact position is a whole cell
 * and the rounded product falls short of it (i = 49 of a map enlarged 49 times): here it is that
 * cell. */
#include "engine/reference/operators.h"

#include <math.h>

typedef struct position {
    uint32_t first, second;
    double fraction;
} position;

static position locate(const node *n, uint32_t in, uint32_t out, uint32_t i)
{
    bool align = n->attributes.resize.align_corners, half = n->attributes.resize.half_pixel;
    bool nearest = n->attributes.resize.mode == RESIZE_NEAREST;
    int64_t in_size = align && out > 1 ? (int64_t)in - 1 : in;
    int64_t out_size = align && out > 1 ? (int64_t)out - 1 : out;
    /* source = numerator / denominator */
    int64_t denominator = 2 * out_size;
    int64_t numerator = (2 * (int64_t)i + (half ? 1 : 0)) * in_size;
    if (nearest) {
        numerator += align ? out_size : 0;
    } else {
        numerator -= half ? out_size : 0;
    }
    if (numerator < 0) {
        numerator = 0;
    }
    uint32_t cell = (uint32_t)(numerator / denominator);
    if (nearest || cell + 1 >= in) {
        cell = cell < in ? cell : in - 1;
        return (position){cell, cell, 0};
    }
    return (position){cell, cell + 1, (double)(numerator % denominator) / (double)denominator};
}

/* Bound, M the largest magnitude of the four corners, and a fraction that is one division of
 * integers (5u): a difference of at most 2M, rounded, times the fraction, rounded, is off by
 * 2M (1 + 5 + 1) u, and the sum rounds by M u: 15 M u along a row. The second step does the same to
 * two such values, whose own errors it averages: 30 M u, and the reference's rounding. */
#define BILINEAR_ROUNDINGS 31

static void blend(const float *corner[4], double fx, double fy, uint32_t c, float *out,
                  float *bound)
{
    double top_left = (double)corner[0][c], top_right = (double)corner[1][c];
    double bottom_left = (double)corner[2][c], bottom_right = (double)corner[3][c];
    double top = top_left + (top_right - top_left) * fx;
    double bottom = bottom_left + (bottom_right - bottom_left) * fx;
    *out = (float)(top + (bottom - top) * fy);
    if (bound) {
        double largest = fmax(fmax(fabs(top_left), fabs(top_right)),
                              fmax(fabs(bottom_left), fabs(bottom_right)));
        *bound = bound_round(BILINEAR_ROUNDINGS * UNIT_ROUNDOFF * largest + FLUSHED(8));
    }
}

void reference_resize(const operands *o)
{
    const float *in = operand_input(o, 0);
    float *out = operand_output(o, 0), *bound = operand_bound(o, 0);
    map from = map_of(operand_input_shape(o, 0)), to = map_of(operand_output_shape(o, 0));
    bool nearest = o->node->attributes.resize.mode == RESIZE_NEAREST;
    for (uint32_t y = 0; y < to.height; y++) {
        position py = locate(o->node, from.height, to.height, y);
        for (uint32_t x = 0; x < to.width; x++) {
            position px = locate(o->node, from.width, to.width, x);
            const float *corner[4] = {
                in + map_at(from, py.first, px.first), in + map_at(from, py.first, px.second),
                in + map_at(from, py.second, px.first), in + map_at(from, py.second, px.second)};
            for (uint32_t c = 0; c < to.channels; c++) {
                size_t at = map_at(to, y, x) + c;
                if (!nearest) {
                    blend(corner, px.fraction, py.fraction, c, out + at, bound ? bound + at : NULL);
                    continue;
                }
                out[at] = corner[0][c];
                if (bound) {
                    bound[at] = bound_round(FLUSHED(1));
                }
            }
        }
    }
}
