/* A convolution as a matrix product: what a row of the product is, where its sources lie, and how
 * four finished rows are written. Rows are the pixels of the maps of the whole batch, one image
 * after the other, so that a tile may hold the ends of several small maps; with POOL they come in
 * fours, the pixels that one pooled pixel is the maximum of, over a map rounded up to even sides.
 * Columns are output channels. The depth counts fours: DEPTH_FOURS input blocks times taps.
 *
 * Where a row lies takes divisions, so each tile works it out once, into shared memory, for fetching
 * and for writing alike. A fetch that falls outside the map is not made; maps carry no border of
 * zeros for that. It would have to be written by every producer and for every image again, since
 * the arena's memory is shared over time, it would enlarge small maps by half (5x5 to 7x7), and it
 * would tie a value's layout to its widest reader, to save the four comparisons of a fetch that
 * brings up to 16 bytes.
 *
 * Included after common.glsl, activation.glsl, vectors.glsl and conv2d_record.glsl. */
layout(constant_id = SPEC_CONV2D_KERNEL_H) const uint KERNEL_H = 3;
layout(constant_id = SPEC_CONV2D_KERNEL_W) const uint KERNEL_W = 3;
layout(constant_id = SPEC_CONV2D_STRIDE_H) const uint STRIDE_H = 1;
layout(constant_id = SPEC_CONV2D_STRIDE_W) const uint STRIDE_W = 1;
layout(constant_id = SPEC_CONV2D_DILATION_H) const uint DILATION_H = 1;
layout(constant_id = SPEC_CONV2D_DILATION_W) const uint DILATION_W = 1;
layout(constant_id = SPEC_CONV2D_POOL) const uint POOL = 0;
layout(constant_id = SPEC_CONV2D_ANY) const uint ANY = 1;
layout(constant_id = SPEC_CONV2D_SCALAR) const uint SCALAR = 1;
layout(constant_id = SPEC_CONV2D_HALF) const uint HALF = 0;
layout(constant_id = SPEC_CONV2D_REPEAT) const uint REPEAT = 0;
layout(constant_id = SPEC_GEMM_ROWS) const uint ROWS = 64; /* of a workgroup's tile */
layout(constant_id = SPEC_GEMM_COLUMNS) const uint COLUMNS = 64;
layout(constant_id = SPEC_GEMM_DEPTH) const uint DEPTH = 16; /* of a slice */
layout(constant_id = SPEC_GEMM_INPUT_BLOCKS) const uint INPUT_BLOCKS = 16;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool MAP_HALF = (HALF & HALF_TARGET) != 0;
const bool SECOND_HALF = (HALF & HALF_SECOND) != 0;
const bool WEIGHTS_HALF = (HALF & HALF_WEIGHTS) != 0;
const uint TAPS = KERNEL_H * KERNEL_W;
const uint SLICE_FOURS = DEPTH / 4;
const uint DEPTH_FOURS = TAPS * INPUT_BLOCKS;
const uint SLICES = (DEPTH_FOURS + SLICE_FOURS - 1) / SLICE_FOURS;

layout(push_constant) uniform push_block
{
    conv2d_gemm_push push;
};
#include "conv2d_add.glsl"

layout(std430, set = 0, binding = BINDING_REQUEST) readonly buffer request_block
{
    request_header request;
};

struct row_place {
    uint image, y, x;
    bool inside; /* a pixel of the batch */
};

row_place place_row(uint row)
{
    row_place p;
    p.image = row / push.rows;
    uint own = row - p.image * push.rows;
    uint cell = POOL != 0 ? own >> 2 : own;
    p.y = cell / push.row_width;
    p.x = cell - p.y * push.row_width;
    if (POOL != 0) {
        p.y = 2 * p.y + (own >> 1 & 1u);
        p.x = 2 * p.x + (own & 1u);
    }
    p.inside = p.image < request.batch && p.y < push.height && p.x < push.width;
    return p;
}

/* The tile's rows. x: index of the first tap's pixel (it may lie before the map), counted in fours
 * of channels; y: the tap's y and x, 16 bits each. Rows that are none have a y from which no tap is
 * inside. */
shared ivec2 row_source[ROWS];
const int CORNER_NONE = -32768;
/* The element of the map where a row is written; of the pooled map where four rows are, or of what
 * is added to a row. */
shared uint row_map[ROWS];
shared uint row_second[POOL != 0 ? ROWS / 4 : REPEAT != 0 ? ROWS : 1];
const uint TARGET_NONE = 0xffffffffu;

bool row_is_inside(uint i)
{
    return row_source[i].y >> 16 != CORNER_NONE;
}

void find_pooled(uint branch, conv2d_record r, uint four, row_place p)
{
    uint width = (push.width + (push.pool_edges & 1u)) / 2;
    uint height = (push.height + (push.pool_edges >> 1)) / 2;
    uint y = p.y / 2, x = p.x / 2;
    bool wanted =
        (r.flags & CONV2D_POOLED) != 0 && p.inside && y < height && x < width;
    uint begin = elements_of(push.branch[branch].second + p.image * r.second_words, SECOND_HALF);
    row_second[four] =
        wanted ? begin + r.second_offset + (y * width + x) * r.second_stride : TARGET_NONE;
}

void find_rows(uint first_row, uint branch, conv2d_record r)
{
    for (uint i = gl_LocalInvocationID.x; i < ROWS; i += gl_WorkGroupSize.x) {
        row_place p = place_row(first_row + i);
        int y = int(p.y * STRIDE_H) - int(high_half(push.pad));
        int x = int(p.x * STRIDE_W) - int(low_half(push.pad));
        uint image4 =
            (elements_of(push.branch[branch].source + p.image * push.source_words, SOURCE_HALF) +
             r.source_offset) /
            4;
        row_source[i] =
            ivec2(int(image4) + (y * int(push.source_width) + x) * int(push.source_blocks),
                  (p.inside ? y : CORNER_NONE) << 16 | (x & 0xffff));
        bool wanted = (POOL == 0 || (r.flags & CONV2D_MAP) != 0) && p.inside;
        uint begin = elements_of(push.branch[branch].map + p.image * r.map_words, MAP_HALF);
        uint pixel = p.y * push.width + p.x;
        if (REPEAT > 1) {
            pixel = (p.y * push.width * REPEAT + p.x) * REPEAT;
        }
        row_map[i] = wanted ? begin + r.map_offset + pixel * r.map_stride : TARGET_NONE;
        if (REPEAT != 0) {
            row_second[i] =
                elements_of(push.branch[branch].second + p.image * r.second_words, SECOND_HALF) +
                r.second_offset + pixel * r.second_stride;
        }
        if (POOL != 0 && i % 4 == 0) {
            find_pooled(branch, r, i / 4, p);
        }
    }
}

/* A tap and input block, as offsets to add to a row's. */
struct depth_place {
    int y, x, offset;
};

depth_place place_depth(uint tap, uint block)
{
    depth_place d;
    uint ky = tap / KERNEL_W;
    d.y = int(ky * DILATION_H);
    d.x = int((tap - ky * KERNEL_W) * DILATION_W);
    d.offset = (d.y * int(push.source_width) + d.x) * int(push.source_blocks) + int(block);
    return d;
}

/* whether row i of the tile has this tap inside its map; `at` is then where the four channels are */
bool find_source(uint i, depth_place d, out uint at)
{
    ivec2 source = row_source[i];
    int y = (source.y >> 16) + d.y;
    int x = (source.y << 16 >> 16) + d.x;
    at = uint(source.x + d.offset);
    return y >= 0 && y < int(push.source_height) && x >= 0 && x < int(push.source_width);
}

#include "conv2d_branch.glsl"

/* Bias, sum, activation and stores of four consecutive rows of the tile, the first a multiple of four,
 * times one output block. */
void finish_rows(conv2d_record r, vec4 bias, uint row, uint block, vec4 v[4])
{
    uint channel = block * 4, count = r.channels - channel;
    [[unroll]] for (uint i = 0; i < 4; ++i)
    {
        v[i] += bias;
        if (REPEAT == 1 && row_map[row + i] != TARGET_NONE) {
            v[i] += load_added(row_second[row + i] + channel, count, r);
        }
    }
    [[unroll]] for (uint i = 0; i < 4; ++i)
    {
        uint map = row_map[row + i];
        if (REPEAT > 1) {
            if (map != TARGET_NONE) {
                store_repeated(v[i], r, map + channel, row_second[row + i] + channel, count,
                               false);
            }
            continue;
        }
        v[i] = ANY != 0 ? activate(v[i], r.act) : relu(v[i], r.act);
        if (map != TARGET_NONE) {
            store_channels(map + channel, v[i], count,
                           SCALAR == 0 || (r.flags & CONV2D_MAP_VECTOR) != 0, MAP_HALF);
        }
    }
    if (POOL != 0) {
        uint pooled = row_second[row / 4];
        vec4 m = v[0];
        [[unroll]] for (uint i = 1; i < 4; ++i)
        {
            m = row_is_inside(row + i) ? max(m, v[i]) : m;
        }
        if (pooled != TARGET_NONE) {
            store_channels(pooled + channel, m, count,
                           SCALAR == 0 || (r.flags & CONV2D_SECOND_VECTOR) != 0, SECOND_HALF);
        }
    }
}
