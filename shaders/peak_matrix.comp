/* Peak: cooperative matrices, binary16 factors and binary32 sums. Each subgroup keeps a block of
 * ROWS x COLUMNS sums, as a matrix product would, and adds the same products over and over: nothing
 * is loaded in between, and so many sums hide the latency of one. Which block is best is the
 * device's own affair; the host tries some.
 *
 * Loops over the block are unrolled, so that each matrix has a name: an index that is only known
 * when it runs would put what it points into in memory. Built for VK_KHR_cooperative_matrix, and
 * with MATRIX_NV for VK_NV_cooperative_matrix. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#ifdef MATRIX_NV
#extension GL_NV_cooperative_matrix : require
#else
#extension GL_KHR_cooperative_matrix : require
#endif
#include "shaders/interface.h"
#include "peak.glsl"

layout(constant_id = SPEC_PEAK_MATRIX_M) const uint M = 16;
layout(constant_id = SPEC_PEAK_MATRIX_N) const uint N = 16;
layout(constant_id = SPEC_PEAK_MATRIX_K) const uint K = 16;
layout(constant_id = SPEC_PEAK_MATRIX_ROWS) const uint ROWS = 2; /* of matrices, a subgroup */
layout(constant_id = SPEC_PEAK_MATRIX_COLUMNS) const uint COLUMNS = 4;

layout(std430, set = 0, binding = PEAK_BINDING_FROM) readonly buffer from_buffer
{
    float16_t from[];
};
layout(std430, set = 0, binding = PEAK_BINDING_TO) writeonly buffer to_buffer
{
    float to[];
};

#ifdef MATRIX_NV
#define LEFT                     fcoopmatNV<16, gl_ScopeSubgroup, M, K>
#define RIGHT                    fcoopmatNV<16, gl_ScopeSubgroup, K, N>
#define SUM                      fcoopmatNV<32, gl_ScopeSubgroup, M, N>
#define LOAD(matrix, at, stride) coopMatLoadNV(matrix, from, at, stride, false)
#define STORE(matrix, at)        coopMatStoreNV(matrix, to, at, N, false)
#define MULTIPLY_ADD             coopMatMulAddNV
#else
#define LEFT  coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUM   coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LOAD(matrix, at, stride)                                                                   \
    coopMatLoad(matrix, from, at, stride, gl_CooperativeMatrixLayoutRowMajor)
#define STORE(matrix, at) coopMatStore(matrix, to, at, N, gl_CooperativeMatrixLayoutRowMajor)
#define MULTIPLY_ADD      coopMatMulAdd
#endif

void main()
{
    LEFT left[ROWS];
    RIGHT right[COLUMNS];
    SUM sums[ROWS * COLUMNS];
    [[unroll]] for (uint r = 0; r < ROWS; ++r)
    {
        LOAD(left[r], r * M * K, K);
    }
    [[unroll]] for (uint c = 0; c < COLUMNS; ++c)
    {
        LOAD(right[c], (ROWS * M + c * N) * K, N);
    }
    [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; ++i)
    {
        sums[i] = SUM(push.term);
    }
    [[dont_unroll]] for (uint i = 0; i < push.turns; ++i)
    {
        [[unroll]] for (uint c = 0; c < COLUMNS; ++c)
        {
            [[unroll]] for (uint r = 0; r < ROWS; ++r)
            {
                sums[c * ROWS + r] = MULTIPLY_ADD(left[r], right[c], sums[c * ROWS + r]);
            }
        }
    }
    if (push.never == 0.0) { /* which it is not, but who compiles this cannot know */
        uint block = gl_WorkGroupID.x * gl_NumSubgroups + gl_SubgroupID;
        [[unroll]] for (uint i = 0; i < ROWS * COLUMNS; ++i)
        {
            STORE(sums[i], (block * ROWS * COLUMNS + i) * M * N);
        }
    }
}
