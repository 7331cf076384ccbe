/* A convolution cut into strips: between convolution.c, which runs them, conv_separable.c, for what
 * we have faster code for, conv_onednn.c, which makes oneDNN's primitives for them, and
 * conv_direct.c, the plain loops for what oneDNN has no fast code for. */
#ifndef HOST_CPU_CONVOLUTION_H
#define HOST_CPU_CONVOLUTION_H

#include "host/cpu/program.h"

/* Rows of the map, and what they need of the input, which begins at row in_first and of which
 * `above` and `below` rows are padding. */
typedef struct strip {
    uint32_t first, rows, in_first, in_rows, above, below;
    uint32_t pooled_first, pooled_rows;
    uint32_t kernel; /* of the branch's strip_kernels */
} strip;

/* Strips of one form share a primitive. */
typedef struct strip_kernel {
    uint32_t rows, in_rows, above, below;
    dnnl_primitive_t primitive;
    dnnl_memory_t weights;
    dnnl_memory_t *in, *out, *scratch; /* one a worker */
} strip_kernel;

/* oneDNN's layout of the weights; strips of different form may want different ones */
typedef struct packed_weights {
    dnnl_memory_desc_t desc;
    dnnl_memory_t memory;
} packed_weights;

enum { MAX_LAYOUTS = 4 };

/* whose code computes a branch */
typedef enum method {
    BY_LOOPS = 0, /* conv_direct.c */
    BY_ONEDNN,    /* conv_onednn.c */
    BY_DEPTHWISE, /* conv_separable.c */
    BY_POINTWISE, /* likewise */
} method;

typedef struct branch {
    tensor in, map, pooled, added;
    bool has_map, has_pooled;
    uint32_t repeat; /* engine/graph.h; 0: nothing is added. `map` is the repeated one */
    window window, pool;
    uint32_t groups, map_height, map_width, filters;
    const float *kernel, *bias; /* [KH, KW, Cin / groups, Cout]; bias may be NULL */
    activation act;
    method method;
    bool act_fused;   /* who computes the sums applies it */
    bool sum_fused;   /* and adds `added` */
    bool in_place;    /* the strip is computed right in the map */
    element computed; /* type of what the convolution leaves */
    const strip *strips;
    uint32_t strip_count;
    const void *packed; /* BY_POINTWISE: the weights */
    /* oneDNN's */
    strip_kernel *kernels;
    uint32_t kernel_count;
    packed_weights layouts[MAX_LAYOUTS];
    uint32_t layout_count;
    dnnl_memory_t bias_memory;
} branch;

/* Makes the primitives of every kernel of the branch. *variant names the implementation; NULL, and
 * STATUS_OK, when oneDNN has only its own reference code for it: the branch is then left without
 * primitives. */
status conv_onednn_make(program *p, branch *b, const char **variant, error *err);
status conv_onednn_run(const program *p, const branch *b, const strip *s, worker *w, void *out,
                       error *err);
/* whether oneDNN can apply the activation */
bool conv_onednn_fuses(const activation *a);

/* What conv_separable.c is for, and has code for on this CPU: BY_DEPTHWISE, BY_POINTWISE, or
 * BY_LOOPS for "nothing". */
method conv_separable_method(const program *p, const branch *b);
/* whether it can apply the activation of a pointwise one */
bool conv_separable_fuses(const activation *a);
/* packs weights, asks for room in the workers */
status conv_separable_make(program *p, branch *b, const char **variant, error *err);
void conv_pointwise_run(const program *p, const branch *b, const strip *s, worker *w, void *out);
/* Whether it has code for what is added behind a convolution of any kind; then a row of sums is
 * repeated, added to and activated on its way into a row of the map. */
bool conv_separable_adds(const program *p, const branch *b);
void conv_add_run(const program *p, const branch *b, const float *sums, const void *added,
                  void *out);
/* depthwise is finished by itself, row by row: activated, converted, written to the map */
void conv_depthwise_run(const program *p, const branch *b, const strip *s, worker *w);

void conv_direct_run(const program *p, const branch *b, const strip *s, worker *w, float *out);

#endif
