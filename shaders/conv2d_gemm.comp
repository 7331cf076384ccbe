/* Convolution as a matrix product through shared memory, with all that conv2d.comp fuses.
 *
 * A workgroup computes ROWS x COLUMNS of the product (conv2d_rows.glsl), an invocation ROW_FOURS
 * times four rows by COLUMN_FOURS times four columns of it. Slices of DEPTH numbers of each row's
 * sources and each column's weights pass through shared memory; the next slice is fetched while the
 * present one is multiplied.
 *
 * Order of accumulation and packed weights are those of conv2d.comp, so the results are the same
 * bits; what rounds the depth up to whole slices adds fma(0, 0, acc). */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"
#include "conv2d_record.glsl"
#include "conv2d_rows.glsl"

layout(constant_id = SPEC_GEMM_ROW_FOURS) const uint ROW_FOURS = 2;
layout(constant_id = SPEC_GEMM_COLUMN_FOURS) const uint COLUMN_FOURS = 2;

const uint LANES_ROWS = ROWS / (4 * ROW_FOURS);
const uint LANES_COLUMNS = COLUMNS / (4 * COLUMN_FOURS);
const uint INVOCATIONS = LANES_ROWS * LANES_COLUMNS;
/* what an invocation fetches of a slice: fours of rows times fours of depth, and fours of columns */
const uint ROW_PARTS = ROWS / 4 * SLICE_FOURS;
const uint COLUMN_PARTS = COLUMNS / 4 * DEPTH;
const uint ROW_FETCHES = (ROW_PARTS + INVOCATIONS - 1) / INVOCATIONS;
const uint COLUMN_FETCHES = (COLUMN_PARTS + INVOCATIONS - 1) / INVOCATIONS;

shared vec4 row_slice[DEPTH * ROWS / 4];       /* [depth][four rows] */
shared vec4 column_slice[DEPTH * COLUMNS / 4]; /* [depth][four columns] */

vec4 rows_fetched[ROW_FETCHES * 4];
vec4 columns_fetched[COLUMN_FETCHES];
vec4 acc[ROW_FOURS * COLUMN_FOURS * 4]; /* [row four][row][column four] */

void fetch(uint slice, uint kernel4, uint all_blocks, uint first_block)
{
    [[unroll]] for (uint f = 0; f < ROW_FETCHES; ++f)
    {
        uint part = gl_LocalInvocationID.x + f * INVOCATIONS;
        uint four = slice * SLICE_FOURS + part / (ROWS / 4);
        uint first = part % (ROWS / 4) * 4;
        bool wanted = part < ROW_PARTS && four < DEPTH_FOURS;
        depth_place d = place_depth(four % TAPS, four / TAPS);
        [[unroll]] for (uint i = 0; i < 4; ++i)
        {
            vec4 v = vec4(0.0);
            uint at;
            if (wanted && find_source(first + i, d, at)) {
                v = load4(at, SOURCE_HALF);
            }
            rows_fetched[f * 4 + i] = v;
        }
    }
    [[unroll]] for (uint f = 0; f < COLUMN_FETCHES; ++f)
    {
        uint part = gl_LocalInvocationID.x + f * INVOCATIONS;
        uint depth = slice * DEPTH + part / (COLUMNS / 4);
        uint block = min(first_block + part % (COLUMNS / 4), all_blocks - 1);
        vec4 v = vec4(0.0);
        if (part < COLUMN_PARTS && depth < 4 * DEPTH_FOURS) {
            v = weight4(kernel4 + depth * all_blocks + block, WEIGHTS_HALF);
        }
        columns_fetched[f] = v;
    }
}

void put()
{
    [[unroll]] for (uint f = 0; f < ROW_FETCHES; ++f)
    {
        uint part = gl_LocalInvocationID.x + f * INVOCATIONS;
        if (part < ROW_PARTS) {
            uint at = part / (ROWS / 4) * ROWS + part % (ROWS / 4);
            [[unroll]] for (uint i = 0; i < 4; ++i)
            {
                row_slice[at + i * (ROWS / 4)] =
                    vec4(rows_fetched[f * 4][i], rows_fetched[f * 4 + 1][i],
                         rows_fetched[f * 4 + 2][i], rows_fetched[f * 4 + 3][i]);
            }
        }
    }
    [[unroll]] for (uint f = 0; f < COLUMN_FETCHES; ++f)
    {
        uint part = gl_LocalInvocationID.x + f * INVOCATIONS;
        if (part < COLUMN_PARTS) {
            column_slice[part] = columns_fetched[f];
        }
    }
}

/* fours of an invocation lie a whole row of invocations apart, so that neighbours read neighbours */
void multiply(uint lane_row, uint lane_column)
{
    [[dont_unroll]] for (uint k = 0; k < DEPTH; ++k)
    {
        vec4 w[COLUMN_FOURS];
        [[unroll]] for (uint c = 0; c < COLUMN_FOURS; ++c)
        {
            w[c] = column_slice[k * (COLUMNS / 4) + c * LANES_COLUMNS + lane_column];
        }
        [[unroll]] for (uint r = 0; r < ROW_FOURS; ++r)
        {
            vec4 v = row_slice[k * (ROWS / 4) + r * LANES_ROWS + lane_row];
            [[unroll]] for (uint c = 0; c < COLUMN_FOURS; ++c)
            {
                [[unroll]] for (uint i = 0; i < 4; ++i)
                {
                    uint at = (r * 4 + i) * COLUMN_FOURS + c;
                    acc[at] = fma(vec4(v[i]), w[c], acc[at]);
                }
            }
        }
    }
}

void main()
{
    uint group = group_index();
    uint own_group;
    uint branch = choose_branch(group % push.column_groups, own_group);
    uint first_row = group / push.column_groups * ROWS;
    uint record_at = push.branch[branch].record;
    conv2d_record r = read_record(record_at);
    uint all_blocks = (r.channels + 3) / 4;
    uint first_block = own_group * (COLUMNS / 4);
    uint bias4 = (record_at + CONV2D_RECORD_WORDS) / 4;
    uint kernel4 = elements_of(4 * (bias4 + all_blocks), WEIGHTS_HALF) / 4;
    uint lane_column = gl_LocalInvocationID.x % LANES_COLUMNS;
    uint lane_row = gl_LocalInvocationID.x / LANES_COLUMNS;

    find_rows(first_row, branch, r);
    [[unroll]] for (uint i = 0; i < ROW_FOURS * COLUMN_FOURS * 4; ++i)
    {
        acc[i] = vec4(0.0);
    }
    barrier();
    fetch(0, kernel4, all_blocks, first_block);
    [[dont_unroll]] for (uint slice = 0; slice < SLICES; ++slice)
    {
        put();
        barrier();
        if (slice + 1 < SLICES) {
            fetch(slice + 1, kernel4, all_blocks, first_block);
        }
        multiply(lane_row, lane_column);
        barrier();
    }
    [[unroll]] for (uint c = 0; c < COLUMN_FOURS; ++c)
    {
        uint block = first_block + c * LANES_COLUMNS + lane_column;
        if (block < all_blocks) {
            vec4 bias = weights4[bias4 + block];
            [[unroll]] for (uint f = 0; f < ROW_FOURS; ++f)
            {
                vec4 v[4];
                [[unroll]] for (uint i = 0; i < 4; ++i)
                {
                    v[i] = acc[(f * 4 + i) * COLUMN_FOURS + c];
                }
                finish_rows(r, bias, (f * LANES_ROWS + lane_row) * 4, block, v);
            }
        }
    }
}
