/* Convolution on cooperative matrices, straight from a patch of the source: halves times halves,
 * summed in floats, with what conv2d.comp fuses but for maps that are repeated.
 *
 * A workgroup computes TILE_H x TILE_W cells of one image times COLUMNS output channels. A cell is a
 * pixel of the map, or with POOL the 2x2 pixels that one pooled pixel is the maximum of. It brings
 * the tile's pixels and their surroundings into shared memory once, zero where they lie outside the
 * map, and loads the matrices of every tap from there: a row of a matrix is a cell, and a tap moves
 * only where the matrix begins. Between taps there is neither a barrier nor an index to work out.
 *
 * For that, neighbouring cells lie one stride apart, across the end of a row of cells too. Source
 * pixels are dealt out to planes by their y and x modulo the pixels from cell to cell; in each plane
 * a row is PITCH long, the tile's cells and what taps reach beyond them, and the cells of a tile are
 * numbered through with it, some at the end of each row being none. Rows of a matrix are 16 bytes
 * more apart than their channels need, so that they begin in different banks.
 *
 * With POOL a subgroup holds the sums of the four pixels of its cells in four matrices, whose
 * numbers lie at the same places; so the maximum is taken number by number, and a quarter of them
 * goes on to bias and activation. That gives the bits of the maximum taken last, since adding a
 * bias in floats and the activations that the planner lets in (conv_window.c) never turn an order
 * around. Where some pixels of a cell lie outside the map, or the map is wanted too, the pixels go
 * on one after the other.
 *
 * NARROW is for up to four channels. There a row of a matrix is not a pixel's channels but a row of
 * the window in several pixels, which are neighbours in memory as well; cells lie two pixels apart,
 * and with POOL the two pixels side by side of a cell are different columns of the product, with
 * the kernel's weights one pixel further on.
 *
 * Packed weights of a branch, from push.branch[].record: conv2d_record, bias [blocks][4], then the
 * kernel in halves: matrices [column of matrices][kernel row][step along it][K channels at a time]
 * of N columns of K numbers each, column by column; with NARROW a column of matrices has the sets
 * of the pixels side by side one after the other.
 *
 * Built for VK_KHR_cooperative_matrix, and with MATRIX_NV for VK_NV_cooperative_matrix. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "conv2d_units.glsl"
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"
#include "conv2d_record.glsl"

layout(constant_id = SPEC_CONV2D_KERNEL_H) const uint KERNEL_H = 3;
layout(constant_id = SPEC_CONV2D_KERNEL_W) const uint KERNEL_W = 3;
layout(constant_id = SPEC_CONV2D_STRIDE_H) const uint STRIDE_H = 1;
layout(constant_id = SPEC_CONV2D_STRIDE_W) const uint STRIDE_W = 1;
layout(constant_id = SPEC_CONV2D_POOL) const uint POOL = 0;
layout(constant_id = SPEC_CONV2D_ANY) const uint ANY = 1;
layout(constant_id = SPEC_CONV2D_SCALAR) const uint SCALAR = 1;
layout(constant_id = SPEC_CONV2D_HALF) const uint HALF = 0;
layout(constant_id = SPEC_CONV2D_REPEAT) const uint REPEAT = 0;
layout(constant_id = SPEC_WINDOW_TILE_H) const uint TILE_H = 4; /* in cells */
layout(constant_id = SPEC_WINDOW_TILE_W) const uint TILE_W = 14;
layout(constant_id = SPEC_WINDOW_COLUMNS) const uint COLUMNS = 64;
layout(constant_id = SPEC_WINDOW_INPUT_BLOCKS) const uint INPUT_BLOCKS = 8;
layout(constant_id = SPEC_WINDOW_SUB_ROWS) const uint SUB_ROWS = 1; /* matrices of a subgroup */
layout(constant_id = SPEC_WINDOW_SUB_COLUMNS) const uint SUB_COLUMNS = 4;
layout(constant_id = SPEC_MATRIX_M) const uint M = 16;
layout(constant_id = SPEC_MATRIX_N) const uint N = 16;
layout(constant_id = SPEC_MATRIX_K) const uint K = 16;
layout(constant_id = SPEC_MATRIX_SUBGROUPS) const uint SUBGROUPS = 4;
layout(constant_id = SPEC_MATRIX_EIGHTS) const uint EIGHTS = 0;
layout(constant_id = SPEC_WINDOW_NARROW) const uint NARROW = 0;
layout(constant_id = SPEC_WINDOW_AT_ONCE) const uint AT_ONCE = 4;
const bool MAP_HALF = (HALF & HALF_TARGET) != 0;
const bool SECOND_HALF = (HALF & HALF_SECOND) != 0;

layout(push_constant) uniform push_block
{
    conv2d_window_push push;
};
#include "conv2d_branch.glsl"

layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_in_eights
{
    uvec4 weight_eights[]; /* eight halves each: so a compiler knows how matrices are aligned */
};
layout(std430, set = 0, binding = BINDING_ARENA) readonly buffer arena_in_eights
{
    uvec4 arena_eights[]; /* eight halves each */
};

/* --- the tile and its patch --- */

const uint CELL = POOL != 0 ? 2 : 1; /* pixels each way */
const uint PIXELS = CELL * CELL;
const uint STEP_H = CELL * STRIDE_H, STEP_W = CELL * STRIDE_W; /* source pixels, cell to cell */
/* rows and columns of the source that a cell's taps reach */
const uint REACH_H = (CELL - 1) * STRIDE_H + KERNEL_H;
const uint REACH_W = (CELL - 1) * STRIDE_W + KERNEL_W;
/* the matrices along a row of the kernel, and those of the source that they are multiplied with */
const uint STEPS = NARROW != 0 ? (REACH_W * 4 + K - 1) / K : KERNEL_W;
const uint LEFTS = NARROW != 0 ? STEPS : REACH_W;
const uint PIXELS_ACROSS = NARROW != 0 ? CELL : 1; /* of a cell, in columns of the product */
const uint DEEP = NARROW != 0 ? 1 : (INPUT_BLOCKS * 4 + K - 1) / K; /* matrices along the channels */
const uint MATRICES = KERNEL_H * STEPS * DEEP; /* of a column of them */

/* A place of a plane holds PARTS eights: the channels of a pixel, or with NARROW two pixels. */
const uint PARTS = NARROW != 0 ? 1 : DEEP * K / 8;
const uint PLACE = NARROW != 0 ? 1 : PARTS + 1;
const uint PLANES_W = NARROW != 0 ? 1 : STEP_W;
const uint PITCH = TILE_W + (NARROW != 0 ? STEPS * (K / 8) - 1 : (REACH_W - 1) / STEP_W);
const uint PLANE_ROWS = TILE_H + (REACH_H - 1) / STEP_H;
const uint PLANE = PITCH * PLANE_ROWS;

const uint UNITS_DOWN = (TILE_H * PITCH + SUB_ROWS * M - 1) / (SUB_ROWS * M);
const uint UNITS = UNITS_DOWN * (COLUMNS / (SUB_COLUMNS * N));
/* The last matrix may reach beyond the last plane; what it finds there goes into cells that are
 * none. */
const uint FURTHEST = UNITS_DOWN * SUB_ROWS * M + (REACH_H - 1) / STEP_H * PITCH + PITCH - TILE_W;
const uint PATCH = (STEP_H * PLANES_W - 1) * PLANE + (FURTHEST > PLANE ? FURTHEST : PLANE);
shared uvec4 patch_eights[PATCH * PLACE];

uvec4 load_part(int y, int x, uint part, uint image4)
{
    uvec4 v = uvec4(0);
    if (uint(y) < push.source_height && uint(x) < push.source_width && 2 * part < INPUT_BLOCKS) {
        uint at = image4 + (uint(y) * push.source_width + uint(x)) * push.source_blocks + 2 * part;
        if (EIGHTS != 0) {
            v = arena_eights[at / 2];
        } else {
            v.xy = arena_halves[at];
            if (2 * part + 1 < INPUT_BLOCKS) {
                v.zw = arena_halves[at + 1];
            }
        }
    }
    return v;
}

const uint ALL = PLANE * STEP_H * PLANES_W * PARTS;

/* Part i of the patch in the order of the source, and where it goes; zero behind the last one, for
 * which nothing is loaded either. */
uvec4 fetch(uint i, ivec2 first, uint image4, out uint to)
{
    const uint across = NARROW != 0 ? PITCH : PITCH * STEP_W;
    uint part = i % PARTS, place = i / PARTS;
    uint row = place / across, column = place - row * across;
    to = ((row % STEP_H * PLANES_W + column % PLANES_W) * PLANE + row / STEP_H * PITCH +
          column / PLANES_W) *
             PLACE +
         part;
    int y = i < ALL ? first.y + int(row) : -1;
    if (NARROW != 0) {
        int x = first.x + 2 * int(column);
        return uvec4(load_part(y, x, 0, image4).xy, load_part(y, x + 1, 0, image4).xy);
    }
    return load_part(y, first.x + int(column), part, image4);
}

/* `first`: the source pixel of the tile's first tap. Several parts are on their way at once. */
void fill_patch(ivec2 first, uint image4)
{
    [[dont_unroll]] for (uint begin = gl_LocalInvocationID.x; begin < ALL;
                         begin += AT_ONCE * gl_WorkGroupSize.x)
    {
        uvec4 v[AT_ONCE];
        uint to[AT_ONCE];
        [[unroll]] for (uint n = 0; n < AT_ONCE; ++n)
        {
            v[n] = fetch(begin + n * gl_WorkGroupSize.x, first, image4, to[n]);
        }
        [[unroll]] for (uint n = 0; n < AT_ONCE; ++n)
        {
            if (begin + n * gl_WorkGroupSize.x < ALL) {
                patch_eights[to[n]] = v[n];
            }
        }
    }
}

/* --- the product --- */

/* A subgroup's sums: [row of matrices][pixel of the cells][column of matrices]. */
SUM acc[SUB_ROWS * PIXELS * SUB_COLUMNS];
/* What it multiplies: [row of matrices][row of pixels in the cells][source columns] */
LEFT left[SUB_ROWS * CELL * LEFTS];
/* with the right matrices of a step. Each is replaced by the next step's as soon as it has been
 * multiplied, across the ends of rows and units too, so that multiplying does not wait for it. */
const uint RIGHTS = SUB_COLUMNS * PIXELS_ACROSS;
const uint RIGHT_EIGHTS = K / 8 * N;
RIGHT right[RIGHTS];

/* `step`: where the first of the step's matrices begins */
void load_right(uint j, uint step)
{
    LOAD_RIGHT(right[j], weight_eights, step + j * MATRICES * RIGHT_EIGHTS, K / 8);
}

/* the matrices of row `reach` of the source under row y of the cells' pixels */
void load_lefts(uint y, uint reach, uint first_cell, uint deep)
{
    [[unroll]] for (uint m = 0; m < SUB_ROWS; ++m)
    {
        [[unroll]] for (uint x = 0; x < LEFTS; ++x)
        {
            uint plane = reach % STEP_H * PLANES_W + x % PLANES_W;
            uint at = plane * PLANE + reach / STEP_H * PITCH + first_cell + m * M +
                      (NARROW != 0 ? x * (K / 8) : x / PLANES_W);
            LOAD_LEFT(left[(m * CELL + y) * LEFTS + x], patch_eights,
                      at * PLACE + deep * (K / 8), PLACE);
        }
    }
}

/* The second row of a cell's pixels has under one row of the kernel what the first has under the
 * next. */
const bool ROLLS = POOL != 0 && STRIDE_H == 1;

/* `after`: the step that follows those of the row */
void multiply_row(uint kernel, uint after)
{
    [[unroll]] for (uint s = 0; s < STEPS; ++s)
    {
        [[unroll]] for (uint j = 0; j < RIGHTS; ++j)
        {
            uint column = j / PIXELS_ACROSS, own = j % PIXELS_ACROSS;
            [[unroll]] for (uint m = 0; m < SUB_ROWS * CELL; ++m)
            {
                [[unroll]] for (uint x = 0; x < CELL / PIXELS_ACROSS; ++x)
                {
                    uint to = (m * CELL + own + x) * SUB_COLUMNS + column;
                    acc[to] = MULTIPLY_ADD(left[m * LEFTS + s + x * STRIDE_W], right[j], acc[to]);
                }
            }
            load_right(j, s + 1 < STEPS ? kernel + (s + 1) * DEEP * RIGHT_EIGHTS : after);
        }
    }
}

/* Begins with the right matrices of the first step in place, and ends with those at `next`. */
void multiply(uint first_cell, uint kernel, uint next)
{
    [[unroll]] for (uint i = 0; i < SUB_ROWS * PIXELS * SUB_COLUMNS; ++i)
    {
        acc[i] = SUM(0.0);
    }
    [[dont_unroll]] for (uint deep = 0; deep < DEEP; ++deep)
    {
        if (ROLLS) {
            load_lefts(0, 0, first_cell, deep);
        }
        [[dont_unroll]] for (uint row = 0; row < KERNEL_H; ++row)
        {
            [[unroll]] for (uint y = ROLLS ? 1 : 0; y < CELL; ++y)
            {
                load_lefts(y, y * STRIDE_H + row, first_cell, deep);
            }
            uint own = kernel + (row * STEPS * DEEP + deep) * RIGHT_EIGHTS;
            multiply_row(own, row + 1 < KERNEL_H ? own + STEPS * DEEP * RIGHT_EIGHTS
                              : deep + 1 < DEEP  ? kernel + (deep + 1) * RIGHT_EIGHTS
                                                 : next);
            if (ROLLS) {
                [[unroll]] for (uint i = 0; i < SUB_ROWS * LEFTS; ++i)
                {
                    left[i / LEFTS * CELL * LEFTS + i % LEFTS] =
                        left[(i / LEFTS * CELL + 1) * LEFTS + i % LEFTS];
                }
            }
        }
    }
}

/* --- the rest --- */

/* Finished matrices side by side, for each subgroup: floats, in fours. Which invocation holds which
 * number of a matrix is the device's own affair. */
const uint SIDE_BY_SIDE = SUB_COLUMNS % 2 == 0 ? 2 : 1;
const uint TURNS = SUB_ROWS * SUB_COLUMNS / SIDE_BY_SIDE;
const uint FOURS = SIDE_BY_SIDE * N / 4;
shared uvec4 finished_fours[SUBGROUPS * M * (FOURS + 1)];
const uint LANES = gl_WorkGroupSize.x / SUBGROUPS;
const uint SHARE = (M * FOURS + LANES - 1) / LANES; /* fours of an invocation */

/* The first pixel's sums become the greatest of the cell. */
void pool_sums()
{
    [[unroll]] for (uint i = 0; i < SUB_ROWS * SUB_COLUMNS; ++i)
    {
        uint to = i / SUB_COLUMNS * PIXELS * SUB_COLUMNS + i % SUB_COLUMNS;
        [[unroll]] for (uint p = 1; p < PIXELS; ++p)
        {
            [[unroll]] for (uint e = 0; e < acc[to].length(); ++e)
            {
                acc[to][e] = max(acc[to][e], acc[to + p * SUB_COLUMNS][e]);
            }
        }
    }
}

/* Which matrices are a turn's is decided here and not by an index, since they are held in registers;
 * what follows, the longer part, then need not be there for each of them. */
void put_finished(uint turn, uint pixel)
{
    [[unroll]] for (uint t = 0; t < TURNS * PIXELS; ++t)
    {
        if (t == turn * PIXELS + pixel) {
            uint j = t / PIXELS % (SUB_COLUMNS / SIDE_BY_SIDE) * SIDE_BY_SIDE;
            uint m = t / PIXELS / (SUB_COLUMNS / SIDE_BY_SIDE);
            [[unroll]] for (uint s = 0; s < SIDE_BY_SIDE; ++s)
            {
                STORE(acc[(m * PIXELS + t % PIXELS) * SUB_COLUMNS + j + s], finished_fours,
                      gl_SubgroupID * M * (FOURS + 1) + s * (N / 4), FOURS + 1);
            }
        }
    }
}

struct target {
    uint map, second; /* elements of this image's pixel 0 */
    uvec2 first_cell; /* of the tile: x, y */
    uvec2 pooled;     /* size of the pooled map */
    uint bias4;
};

void finish(conv2d_record r, target t, vec4 v, uint block, uvec2 pixel)
{
    uint at = pixel.y * push.width + pixel.x, channel = block * 4, count = r.channels - channel;
    v += weights4[t.bias4 + block];
    if (REPEAT != 0) {
        v += load_channels(t.second + at * r.second_stride + channel, count,
                           SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0, SECOND_HALF);
    }
    v = ANY != 0 ? activate(v, r.act) : relu(v, r.act);
    store_channels(t.map + at * r.map_stride + channel, v, count,
                   SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, MAP_HALF);
}

void finish_pooled(conv2d_record r, target t, vec4 v, uint block, uvec2 cell)
{
    uint channel = block * 4;
    uint at = t.second + (cell.y * t.pooled.x + cell.x) * r.second_stride + channel;
    store_channels(at, relu(v + weights4[t.bias4 + block], r.act), r.channels - channel,
                   SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0, SECOND_HALF);
}

/* What one turn's matrices hold, of one pixel of their cells after the other or of their maximum. A
 * subgroup that has no unit left goes along for the barriers: there are drivers that take them for
 * the whole workgroup's. */
void finish_turn(conv2d_record r, target t, uint turn, uint first_cell, uint first_block,
                 bool apart, bool busy)
{
    uint blocks = (r.channels + 3) / 4;
    vec4 most[SHARE];
    [[dont_unroll]] for (uint pixel = 0; pixel < (apart ? PIXELS : 1); ++pixel)
    {
        if (busy) {
            put_finished(turn, pixel);
        }
        subgroupBarrier();
        [[unroll]] for (uint i = 0; i < SHARE; ++i)
        {
            uint part = gl_SubgroupInvocationID + i * LANES;
            uint row = part / FOURS, block = first_block + part % FOURS;
            uint own_y = (first_cell + row) / PITCH, own_x = first_cell + row - own_y * PITCH;
            uvec2 cell = t.first_cell + uvec2(own_x, own_y);
            uvec2 at = cell * CELL + uvec2(pixel % CELL, pixel / CELL);
            bool some = busy && part < M * FOURS && block < blocks && own_x < TILE_W &&
                        own_y < TILE_H;
            bool inside = some && at.x < push.width && at.y < push.height;
            vec4 v = vec4(0.0);
            if (some) {
                v = uintBitsToFloat(
                    finished_fours[(gl_SubgroupID * M + row) * (FOURS + 1) + part % FOURS]);
            }
            if (inside && (POOL == 0 || (r.flags & CONV2D_MAP) != 0)) {
                finish(r, t, v, block, at);
            }
            if (POOL != 0) {
                most[i] = pixel == 0 ? v : inside ? max(most[i], v) : most[i];
                if (pixel + 1 == (apart ? PIXELS : 1) && some && all(lessThan(cell, t.pooled)) &&
                    (r.flags & CONV2D_POOLED) != 0) {
                    finish_pooled(r, t, most[i], block, cell);
                }
            }
        }
        subgroupBarrier();
    }
}

/* Where the matrices of a unit's columns begin; those of the last one for units that are none. */
uint unit_kernel(uint kernel, uint unit)
{
    return kernel + min(unit, UNITS - 1) / UNITS_DOWN * (SUB_COLUMNS * PIXELS_ACROSS * MATRICES) *
                        RIGHT_EIGHTS;
}

/* Some cell of the tile has pixels that lie outside the map, and is a pooled pixel all the same. */
bool at_an_edge(target t)
{
    uvec2 end = t.first_cell + uvec2(TILE_W, TILE_H);
    return (push.pool_edges & 1u) != 0 && end.x >= t.pooled.x ||
           (push.pool_edges & 2u) != 0 && end.y >= t.pooled.y;
}

void main()
{
    uint group = group_index(), own_group;
    uint branch = choose_branch(group % push.column_groups, own_group);
    uint tile = group / push.column_groups, tile_y = tile / push.tiles_x;
    uint image = gl_WorkGroupID.z;
    uint record_at = push.branch[branch].record;
    conv2d_record r = read_record(record_at);
    target t;
    t.map = elements_of(push.branch[branch].map + image * r.map_words, MAP_HALF) + r.map_offset;
    t.second =
        elements_of(push.branch[branch].second + image * r.second_words, SECOND_HALF) +
        r.second_offset;
    t.first_cell = uvec2((tile - tile_y * push.tiles_x) * TILE_W, tile_y * TILE_H);
    t.pooled = uvec2((push.width + (push.pool_edges & 1u)) / 2,
                     (push.height + (push.pool_edges >> 1)) / 2);
    t.bias4 = (record_at + CONV2D_RECORD_WORDS) / 4;
    if (t.first_cell.y * CELL >= push.height) { /* the grid was folded and has some to spare */
        return;
    }
    ivec2 first = ivec2(t.first_cell * uvec2(STEP_W, STEP_H)) -
                  ivec2(low_half(push.pad), high_half(push.pad));
    uint source = elements_of(push.branch[branch].source + image * push.source_words, true);
    uint kernel = t.bias4 + (r.channels + 3) / 4 +
                  own_group * (COLUMNS / N * PIXELS_ACROSS * MATRICES) * RIGHT_EIGHTS;
    [[unroll]] for (uint j = 0; j < RIGHTS; ++j)
    {
        load_right(j, unit_kernel(kernel, gl_SubgroupID));
    }
    fill_patch(first, (source + r.source_offset) / 4);
    barrier();

    bool apart = POOL != 0 && ((r.flags & CONV2D_MAP) != 0 || at_an_edge(t));
    [[dont_unroll]] for (uint first_unit = 0; first_unit < UNITS; first_unit += SUBGROUPS)
    {
        uint unit = first_unit + gl_SubgroupID;
        bool busy = UNITS % SUBGROUPS == 0 || unit < UNITS;
        uint cell = unit % UNITS_DOWN * (SUB_ROWS * M);
        uint column = own_group * COLUMNS + unit / UNITS_DOWN * (SUB_COLUMNS * N);
        if (busy) {
            multiply(cell, unit_kernel(kernel, unit), unit_kernel(kernel, unit + SUBGROUPS));
            if (POOL != 0 && !apart) {
                pool_sums();
            }
        }
        [[dont_unroll]] for (uint turn = 0; turn < TURNS; ++turn)
        {
            uint m = turn / (SUB_COLUMNS / SIDE_BY_SIDE);
            uint j = turn % (SUB_COLUMNS / SIDE_BY_SIDE) * SIDE_BY_SIDE;
            finish_turn(r, t, turn, cell + m * M, (column + j * N) / 4, apart, busy);
        }
    }
}
