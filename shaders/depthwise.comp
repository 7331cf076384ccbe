/* Depthwise convolution: an invocation computes four output channels of TILE_H x TILE_W pixels.
 * Consecutive invocations take consecutive channel blocks. Output channel o reads input channel o /
 * MULTIPLIER. With REUSE an input row is loaded once for all output rows and taps under it, and all
 * weights are held; without, TILE_H is 1. With REUSE 2 the tile has push.tile_rows rows, which one loop
 * goes through: code that a driver compiles the sooner, and once for all heights.
 *
 * Order of accumulation: kernel row, kernel column; then bias, then activation. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "activation.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_DEPTHWISE_KERNEL_H) const uint KERNEL_H = 3;
layout(constant_id = SPEC_DEPTHWISE_KERNEL_W) const uint KERNEL_W = 3;
layout(constant_id = SPEC_DEPTHWISE_STRIDE_H) const uint STRIDE_H = 1;
layout(constant_id = SPEC_DEPTHWISE_STRIDE_W) const uint STRIDE_W = 1;
layout(constant_id = SPEC_DEPTHWISE_DILATION_H) const uint DILATION_H = 1;
layout(constant_id = SPEC_DEPTHWISE_DILATION_W) const uint DILATION_W = 1;
layout(constant_id = SPEC_DEPTHWISE_TILE_W) const uint TILE_W = 2;
layout(constant_id = SPEC_DEPTHWISE_MULTIPLIER) const uint MULTIPLIER = 1;
layout(constant_id = SPEC_DEPTHWISE_ANY) const uint ANY = 1;
layout(constant_id = SPEC_DEPTHWISE_VECTOR) const uint VECTOR = 1;
layout(constant_id = SPEC_DEPTHWISE_HALF) const uint HALF = 0;
layout(constant_id = SPEC_DEPTHWISE_TILE_H) const uint TILE_H = 1;
layout(constant_id = SPEC_DEPTHWISE_REUSE) const uint REUSE = 0;
const bool SOURCE_HALF = (HALF & HALF_SOURCE) != 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;
const bool WEIGHTS_HALF = (HALF & HALF_WEIGHTS) != 0;

layout(push_constant) uniform push_block
{
    depthwise_push push;
};

/* the inputs of output channels channel .. channel + 3 at a pixel that begins at element `pixel` */
vec4 load_inputs(uint pixel, uint channel)
{
    if (MULTIPLIER == 1) {
        return load4((pixel + channel) >> 2, SOURCE_HALF);
    }
    uint last = push.channels - 1;
    return vec4(load1(pixel + channel / MULTIPLIER, SOURCE_HALF),
                load1(pixel + min(channel + 1, last) / MULTIPLIER, SOURCE_HALF),
                load1(pixel + min(channel + 2, last) / MULTIPLIER, SOURCE_HALF),
                load1(pixel + min(channel + 3, last) / MULTIPLIER, SOURCE_HALF));
}

const uint TILE = TILE_H * TILE_W;
/* what the tile reads, with REUSE (whose kernels are not dilated); REUSE 2: what is held at once */
const uint ROWS = (TILE_H - 1) * STRIDE_H + KERNEL_H;
const uint CELLS = (TILE_W - 1) * STRIDE_W + KERNEL_W;
const uint TAPS = REUSE != 0 ? KERNEL_H * KERNEL_W : 1;

vec4 acc[TILE];
uint source, block;

/* the input at y, x, zero outside the map */
vec4 load_cell(int y, int x)
{
    bool inside =
        y >= 0 && y < int(push.source_height) && x >= 0 && x < int(push.source_width);
    uint pixel = inside ? uint(y) * push.source_width + uint(x) : 0;
    vec4 v = load_inputs(source + pixel * push.source.stride, block * 4);
    return mix(vec4(0.0), v, bvec4(inside));
}

void accumulate_rows(uint kernel4, uint blocks, int y, int x)
{
    vec4 w[TAPS];
    [[unroll]] for (uint i = 0; i < TAPS; ++i)
    {
        w[i] = weight4(kernel4 + i * blocks, WEIGHTS_HALF);
    }
    [[unroll]] for (uint r = 0; r < ROWS; ++r)
    {
        vec4 cells[CELLS];
        [[unroll]] for (uint c = 0; c < CELLS; ++c)
        {
            cells[c] = load_cell(y + int(r), x + int(c));
        }
        [[unroll]] for (uint i = 0; i < TILE; ++i)
        {
            uint first = i / TILE_W * STRIDE_H; /* the row of its first taps */
            if (r >= first && r < first + KERNEL_H) {
                [[unroll]] for (uint kx = 0; kx < KERNEL_W; ++kx)
                {
                    acc[i] = fma(cells[i % TILE_W * STRIDE_W + kx],
                                 w[(r - first) * KERNEL_W + kx], acc[i]);
                }
            }
        }
    }
}

/* The weights of all taps: one load in a loop, and not one of each tap in the code. */
void load_taps(uint kernel4, uint blocks, out vec4 w[TAPS])
{
    [[dont_unroll]] for (uint i = 0; i < TAPS; ++i)
    {
        [[unroll]] for (uint k = 1; k < TAPS; ++k)
        {
            w[k - 1] = w[k];
        }
        w[TAPS - 1] = weight4(kernel4 + i * blocks, WEIGHTS_HALF);
    }
}

void accumulate_taps(uint kernel4, uint blocks, int y, int x)
{
    [[dont_unroll]] for (uint ky = 0; ky < KERNEL_H; ++ky)
    {
        [[dont_unroll]] for (uint kx = 0; kx < KERNEL_W; ++kx)
        {
            vec4 w = weight4(kernel4, WEIGHTS_HALF);
            kernel4 += blocks;
            [[unroll]] for (uint c = 0; c < TILE_W; ++c)
            {
                vec4 v = load_cell(y + int(ky * DILATION_H), x + int(c * STRIDE_W + kx * DILATION_W));
                acc[c] = fma(v, w, acc[c]);
            }
        }
    }
}

/* bias, activation, and the pixel written where it is one */
void finish(vec4 sum, vec4 bias, uint target, uint row, uint column)
{
    vec4 v = sum + bias;
    v = ANY != 0 ? activate(v, push.act) : relu(v, push.act);
    if (row < push.height && column < push.width) {
        store_channels(target + (row * push.width + column) * push.target.stride + block * 4, v,
                       push.channels - block * 4, VECTOR != 0, TARGET_HALF);
    }
}

/* The rows of input under a row of the tile move up as the next are read. */
void roll(uint kernel4, uint blocks, int y, int x, vec4 bias, uint target, uint row, uint column)
{
    vec4 w[TAPS], cells[KERNEL_H * CELLS];
    load_taps(kernel4, blocks, w);
    [[unroll]] for (uint i = 0; i < KERNEL_H * CELLS; ++i)
    {
        cells[i] = vec4(0.0);
    }
    uint rows = (push.tile_rows - 1) * STRIDE_H + KERNEL_H;
    uint until = KERNEL_H; /* rows to read before the next is computed */
    [[dont_unroll]] for (uint r = 0; r < rows; ++r)
    {
        [[unroll]] for (uint i = CELLS; i < KERNEL_H * CELLS; ++i)
        {
            cells[i - CELLS] = cells[i];
        }
        [[unroll]] for (uint c = 0; c < CELLS; ++c)
        {
            cells[(KERNEL_H - 1) * CELLS + c] = load_cell(y + int(r), x + int(c));
        }
        if (--until == 0) {
            until = STRIDE_H;
            [[unroll]] for (uint i = 0; i < TILE_W; ++i)
            {
                vec4 sum = vec4(0.0);
                [[unroll]] for (uint t = 0; t < TAPS; ++t)
                {
                    sum = fma(cells[t / KERNEL_W * CELLS + i * STRIDE_W + t % KERNEL_W], w[t], sum);
                }
                finish(sum, bias, target, row, column + i);
            }
            ++row;
        }
    }
}

void main()
{
    uint blocks = (push.channels + 3) / 4;
    uint i = invocation_index();
    uint tile = i / blocks;
    uint oy = tile / push.tiles_x * (REUSE == 2 ? push.tile_rows : TILE_H);
    uint ox = tile % push.tiles_x * TILE_W;
    block = i % blocks;
    if (oy >= push.height) {
        return;
    }
    int y = int(oy * STRIDE_H) - int(high_half(push.pad));
    int x = int(ox * STRIDE_W) - int(low_half(push.pad));
    source = operand_begin(push.source, SOURCE_HALF);
    uint kernel4 = elements_of(push.weights, WEIGHTS_HALF) / 4 + block;
    vec4 bias = weights4[push.bias / 4 + block];
    uint target = operand_begin(push.target, TARGET_HALF);
    if (REUSE == 2) {
        roll(kernel4, blocks, y, x, bias, target, oy, ox);
        return;
    }
    [[unroll]] for (uint c = 0; c < TILE; ++c)
    {
        acc[c] = vec4(0.0);
    }
    if (REUSE != 0) {
        accumulate_rows(kernel4, blocks, y, x);
    } else {
        accumulate_taps(kernel4, blocks, y, x);
    }
    [[unroll]] for (uint c = 0; c < TILE; ++c)
    {
        finish(acc[c], bias, target, oy + c / TILE_W, ox + c % TILE_W);
    }
}
