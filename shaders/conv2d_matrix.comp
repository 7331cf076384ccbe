/* Convolution as a matrix product on cooperative matrices: halves times halves, summed in floats,
 * with all that conv2d.comp fuses.
 *
 * A workgroup computes ROWS x COLUMNS of the product (conv2d_rows.glsl), a subgroup SUB_ROWS x
 * SUB_COLUMNS of it, in matrices of M x N x K. Sources pass through shared memory in slices of
 * DEPTH: two buffers, so that a slice is stored while the one before is still being multiplied, and
 * the next but one is on its way into registers. Weights are read as matrices straight from where
 * they are packed; the subgroups of a workgroup that lie below each other read the same ones.
 * Finished matrices go through a patch of shared memory, since which invocation holds which of
 * their numbers is the device's own affair.
 *
 * The depth counts taps, and within a tap input blocks, so that a row's fetches are neighbours. The
 * order in which a matrix sums is the device's own; it does not depend on where in the batch a row
 * lies.
 *
 * Packed weights of a branch, from push.branch[].record: conv2d_record, bias [blocks][4], then the
 * kernel in halves: matrices [column][depth] of N columns of K numbers each, column by column (both
 * factors of a product then lie along the depth, as matrix units want them); what rounds up to whole
 * column groups and slices is zero.
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
#include "conv2d_rows.glsl"

layout(constant_id = SPEC_MATRIX_SUB_ROWS) const uint SUB_ROWS = 32;
layout(constant_id = SPEC_MATRIX_SUB_COLUMNS) const uint SUB_COLUMNS = 64;
layout(constant_id = SPEC_MATRIX_M) const uint M = 16;
layout(constant_id = SPEC_MATRIX_N) const uint N = 16;
layout(constant_id = SPEC_MATRIX_K) const uint K = 16;
layout(constant_id = SPEC_MATRIX_SUBGROUPS) const uint SUBGROUPS = 4;
layout(constant_id = SPEC_MATRIX_EIGHTS) const uint EIGHTS = 0;

layout(std430, set = 0, binding = BINDING_WEIGHTS) readonly buffer weights_as_numbers
{
    float16_t weight_numbers[];
};
layout(std430, set = 0, binding = BINDING_ARENA) readonly buffer arena_in_eights
{
    uvec4 arena_eights[]; /* eight halves each */
};

const uint MATRIX_ROWS = SUB_ROWS / M;
const uint MATRIX_COLUMNS = SUB_COLUMNS / N;
const uint SUBS_ACROSS = COLUMNS / SUB_COLUMNS;

/* A row of a slice comes in parts of eight halves where a tap's input blocks are even in number and
 * lie at even places, else in fours. An invocation fetches the same part of every ROWS_AT_ONCE-th
 * row (the planner sees to it that parts divide invocations), so where its tap and input block are
 * is worked out once a slice. */
const uint FOURS_AT_ONCE = EIGHTS != 0 ? 2 : 1;
const uint PARTS = SLICE_FOURS / FOURS_AT_ONCE;
const uint ROWS_AT_ONCE = gl_WorkGroupSize.x / PARTS;
const uint FETCHES = (ROWS + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;

/* Eights from row to row: 16 bytes more than a row needs, so that the rows of a matrix do not all
 * begin in the same bank. */
const uint SLICE_STRIDE = DEPTH / 8 + 1;
shared uvec4 slice_eights[2 * ROWS * SLICE_STRIDE];

/* Finished matrices side by side, for each subgroup, with the same padding: floats, in fours. */
const uint PATCH_MATRICES = MATRIX_COLUMNS % 2 == 0 ? 2 : 1;
const uint TURNS = MATRIX_ROWS * MATRIX_COLUMNS / PATCH_MATRICES;
const uint PATCH_FOURS = PATCH_MATRICES * N / 4;
const uint PATCH_STRIDE = PATCH_FOURS + 1;
shared uvec4 patch_fours[SUBGROUPS * M * PATCH_STRIDE];

uvec4 fetched[FETCHES];

void fetch(uint slice)
{
    uint four = slice * SLICE_FOURS + gl_LocalInvocationID.x % PARTS * FOURS_AT_ONCE;
    uint tap = four / INPUT_BLOCKS;
    depth_place d = place_depth(tap, four - tap * INPUT_BLOCKS);
    [[unroll]] for (uint f = 0; f < FETCHES; ++f)
    {
        uint row = gl_LocalInvocationID.x / PARTS + f * ROWS_AT_ONCE;
        uvec4 v = uvec4(0);
        uint at;
        if (four < DEPTH_FOURS && (ROWS % ROWS_AT_ONCE == 0 || row < ROWS) &&
            find_source(row, d, at)) {
            if (EIGHTS != 0) {
                v = arena_eights[at / 2];
            } else {
                v.xy = arena_halves[at];
            }
        }
        fetched[f] = v;
    }
}

void put(uint slice)
{
    uint part = gl_LocalInvocationID.x % PARTS;
    [[unroll]] for (uint f = 0; f < FETCHES; ++f)
    {
        uint row = gl_LocalInvocationID.x / PARTS + f * ROWS_AT_ONCE;
        if (ROWS % ROWS_AT_ONCE == 0 || row < ROWS) {
            uint at = (slice % 2 * ROWS + row) * SLICE_STRIDE + part * FOURS_AT_ONCE / 2;
            if (EIGHTS != 0) {
                slice_eights[at] = fetched[f];
            } else if (part % 2 == 0) { /* one number at a time: the neighbour writes the others */
                slice_eights[at].x = fetched[f].x;
                slice_eights[at].y = fetched[f].y;
            } else {
                slice_eights[at].z = fetched[f].x;
                slice_eights[at].w = fetched[f].y;
            }
        }
    }
}

SUM acc[MATRIX_ROWS * MATRIX_COLUMNS];

void multiply(uint slice, uint first_row, uint kernel)
{
    uint rows = (slice % 2 * ROWS + first_row) * SLICE_STRIDE;
    [[unroll]] for (uint k = 0; k < DEPTH / K; ++k)
    {
        LEFT left[MATRIX_ROWS];
        [[unroll]] for (uint i = 0; i < MATRIX_ROWS; ++i)
        {
            LOAD_LEFT(left[i], slice_eights, rows + i * M * SLICE_STRIDE + k * (K / 8),
                      SLICE_STRIDE);
        }
        [[unroll]] for (uint j = 0; j < MATRIX_COLUMNS; ++j)
        {
            RIGHT right;
            LOAD_RIGHT(right, weight_numbers, kernel + (j * SLICES * (DEPTH / K) + k) * (K * N), K);
            [[unroll]] for (uint i = 0; i < MATRIX_ROWS; ++i)
            {
                acc[j * MATRIX_ROWS + i] =
                    MULTIPLY_ADD(left[i], right, acc[j * MATRIX_ROWS + i]);
            }
        }
    }
}

/* Which matrices are a turn's is decided here and not by an index, since they are held in registers;
 * what follows, the longer part, then need not be there for each of them. */
void put_patch(uint turn)
{
    [[unroll]] for (uint t = 0; t < TURNS; ++t)
    {
        if (t == turn) {
            [[unroll]] for (uint p = 0; p < PATCH_MATRICES; ++p)
            {
                STORE(acc[(t / MATRIX_ROWS * PATCH_MATRICES + p) * MATRIX_ROWS + t % MATRIX_ROWS],
                      patch_fours, gl_SubgroupID * M * PATCH_STRIDE + p * (N / 4), PATCH_STRIDE);
            }
        }
    }
}

/* what is in the patch, four rows times four columns an invocation at a time */
void finish_patch(conv2d_record r, uint bias4, uint first_row, uint first_block)
{
    uint all_blocks = (r.channels + 3) / 4;
    for (uint part = gl_SubgroupInvocationID; part < M / 4 * PATCH_FOURS; part += gl_SubgroupSize) {
        uint row = part / PATCH_FOURS * 4, column = part % PATCH_FOURS;
        uint block = first_block + column;
        if (block < all_blocks) {
            vec4 v[4];
            uint at = (gl_SubgroupID * M + row) * PATCH_STRIDE + column;
            [[unroll]] for (uint i = 0; i < 4; ++i)
            {
                v[i] = uintBitsToFloat(patch_fours[at + i * PATCH_STRIDE]);
            }
            finish_rows(r, weights4[bias4 + block], first_row + row, block, v);
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
    uint bias4 = (record_at + CONV2D_RECORD_WORDS) / 4;
    uint sub_row = gl_SubgroupID / SUBS_ACROSS * SUB_ROWS;
    uint sub_column = gl_SubgroupID % SUBS_ACROSS * SUB_COLUMNS;
    uint column = own_group * COLUMNS + sub_column;
    uint kernel = 2 * 4 * (bias4 + (r.channels + 3) / 4) + column * (SLICES * DEPTH);

    find_rows(first_row, branch, r);
    [[unroll]] for (uint i = 0; i < MATRIX_ROWS * MATRIX_COLUMNS; ++i)
    {
        acc[i] = SUM(0.0);
    }
    barrier();
    fetch(0);
    [[dont_unroll]] for (uint slice = 0; slice < SLICES; ++slice)
    {
        put(slice);
        barrier();
        if (slice + 1 < SLICES) {
            fetch(slice + 1);
        }
        multiply(slice, sub_row, kernel);
        kernel += DEPTH * N;
    }
    [[dont_unroll]] for (uint turn = 0; turn < TURNS; ++turn)
    {
        put_patch(turn);
        subgroupBarrier();
        uint i = turn % MATRIX_ROWS, j = turn / MATRIX_ROWS * PATCH_MATRICES;
        finish_patch(r, bias4, sub_row + i * M, (column + j * N) / 4);
        subgroupBarrier();
    }
}
