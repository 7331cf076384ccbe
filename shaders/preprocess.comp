/* Pixels -> the network's input tensor: resize, channel order, normalisation. One invocation a
 * pixel of the tensor; bytes are cut out of 32-bit words, so no small-type extension is needed. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "shaders/interface.h"
#include "common.glsl"
#include "sampling.glsl"
#include "vectors.glsl"

layout(constant_id = SPEC_PREPROCESS_SAMPLING) const uint SAMPLING = 1;
layout(constant_id = SPEC_PREPROCESS_ORDER) const uint ORDER = 0;
layout(constant_id = SPEC_PREPROCESS_HALF) const uint HALF = 0;
const bool TARGET_HALF = (HALF & HALF_TARGET) != 0;

const uint NEAREST = 0, BILINEAR = 1, HALF_PIXEL = 2,
           ALIGN_CORNERS = 3;                            /* engine/detector.h sampling */
const uint ORDER_RGB = 0, ORDER_BGR = 1, ORDER_GRAY = 2; /* channel_order */
const uint GRAY8 = 0, RGB8 = 1, BGR8 = 2, RGBA8 = 3, BGRA8 = 4, TENSOR_F32 = 5; /* pixel_format */

layout(std430, set = 0, binding = BINDING_PIXELS) readonly buffer pixels_block
{
    uint pixels[];
};
layout(std430, set = 0, binding = BINDING_REQUEST) readonly buffer request_block
{
    request_header header;
    image_entry images[];
}
request;
layout(push_constant) uniform push_block
{
    preprocess_push push;
};

/* red, green, blue of a pixel of bytes: `size` of them, cut out of one word or two */
vec3 pixel(image_entry e, uint size, uint row_word, uint x)
{
    uint at = x * size, last = at + size - 1;
    uint shift = (at & 3u) * 8;
    uint bytes = pixels[row_word + at / 4] >> shift;
    if (last / 4 != at / 4) {
        bytes |= pixels[row_word + last / 4] << (32 - shift);
    }
    vec3 v = vec3(bytes & 0xffu, bytes >> 8 & 0xffu, bytes >> 16 & 0xffu);
    return size == 1 ? v.xxx : e.format == BGR8 || e.format == BGRA8 ? v.zyx : v;
}

sample_cells sample_at(uint count, uint cells, uint i)
{
    if (SAMPLING == HALF_PIXEL) {
        return sample_half_pixel(count, cells, i);
    }
    if (SAMPLING == ALIGN_CORNERS) {
        return sample_align_corners(count, cells, i);
    }
    sample_cells s = sample_stretch(count, cells, i);
    if (SAMPLING == NEAREST) {
        s.second = s.first;
        s.part = 0.0;
    }
    return s;
}

/* the resized picture at cell (x, y) of its rectangle */
vec3 resized(image_entry e, uint x, uint y)
{
    uint size = e.format == GRAY8 ? 1 : e.format == RGB8 || e.format == BGR8 ? 3 : 4;
    sample_cells sx = sample_at(e.width, e.place_width, x);
    sample_cells sy = sample_at(e.height, e.place_height, y);
    vec3 upper = vec3(0.0), lower = vec3(0.0);
    [[dont_unroll]] for (uint i = 0; i < (SAMPLING == NEAREST ? 1 : 2); ++i)
    {
        uint row = e.packed_rows != 0 ? 2 * y + i : i == 0 ? sy.first : sy.second;
        uint row_word = e.offset_words + e.stride_words * row;
        vec3 left = pixel(e, size, row_word, sx.first);
        upper = lower;
        lower = left;
        if (SAMPLING != NEAREST) {
            lower += (pixel(e, size, row_word, sx.second) - left) * sx.part;
        }
    }
    return SAMPLING == NEAREST ? lower : upper + (lower - upper) * sy.part;
}

void main()
{
    uint image = gl_WorkGroupID.z;
    uint i = invocation_index();
    if (i == 0 && push.has_keys != 0) {
        arena_words[push.keys_base + image * push.keys_words] = 0;
    }
    if (i >= push.width * push.height) {
        return;
    }
    uint y = i / push.width, x = i % push.width;
    image_entry e = request.images[image];
    uint at = operand_begin(push.target, TARGET_HALF) + i * push.target.stride;
    bool aligned = push.target.stride % 4 == 0;
    if (e.format == TENSOR_F32) {
        uint from = e.offset_words + y * e.stride_words + x * push.channels;
        for (uint c = 0; c < push.target.stride; c += 4) {
            vec4 v = vec4(0.0);
            [[unroll]] for (uint k = 0; k < 4; ++k)
            {
                v[k] = c + k < push.channels ? uintBitsToFloat(pixels[from + c + k]) : 0.0;
            }
            store_channels(at + c, v, push.target.stride - c, aligned, TARGET_HALF);
        }
        return;
    }
    vec3 v = vec3(push.fill);
    if (x - e.place_x < e.place_width && y - e.place_y < e.place_height) {
        v = resized(e, x - e.place_x, y - e.place_y);
        if (ORDER == ORDER_GRAY && e.format != GRAY8) {
            v.x = 0.299 * v.x + 0.587 * v.y + 0.114 * v.z;
        } else if (ORDER == ORDER_BGR) {
            v = v.zyx;
        }
    }
    v = (v - vec3(push.mean[0], push.mean[1], push.mean[2])) /
        vec3(push.deviation[0], push.deviation[1], push.deviation[2]);
    /* what follows the picture's channels, padding lanes included, is zero */
    vec4 first = ORDER == ORDER_GRAY ? vec4(v.x, 0.0, 0.0, 0.0) : vec4(v, 0.0);
    for (uint c = 0; c < push.target.stride; c += 4) {
        store_channels(at + c, c == 0 ? first : vec4(0.0), push.target.stride - c, aligned,
                       TARGET_HALF);
    }
}
