/* Cooperative matrices under one set of names, of VK_KHR_cooperative_matrix, or with MATRIX_NV of
 * VK_NV_cooperative_matrix: M x K and K x N halves, M x N floats. Left ones and sums lie in memory
 * row by row, right ones column by column. Included first; the sizes are the includer's constants. */
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

#ifdef MATRIX_NV
#define LEFT                       fcoopmatNV<16, gl_ScopeSubgroup, M, K>
#define RIGHT                      fcoopmatNV<16, gl_ScopeSubgroup, K, N>
#define SUM                        fcoopmatNV<32, gl_ScopeSubgroup, M, N>
#define LOAD_LEFT(m, from, at, s)  coopMatLoadNV(m, from, at, s, false)
#define LOAD_RIGHT(m, from, at, s) coopMatLoadNV(m, from, at, s, true)
#define STORE(m, to, at, s)        coopMatStoreNV(m, to, at, s, false)
#define MULTIPLY_ADD               coopMatMulAddNV
#else
#define LEFT                       coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT                      coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
#define SUM                        coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LOAD_LEFT(m, from, at, s)  coopMatLoad(m, from, at, s, gl_CooperativeMatrixLayoutRowMajor)
#define LOAD_RIGHT(m, from, at, s) coopMatLoad(m, from, at, s, gl_CooperativeMatrixLayoutColumnMajor)
#define STORE(m, to, at, s)        coopMatStore(m, to, at, s, gl_CooperativeMatrixLayoutRowMajor)
#define MULTIPLY_ADD               coopMatMulAdd
#endif
