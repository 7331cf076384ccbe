/* oneDNN's primitives for the strips of a convolution: made once, with the weights in the layout
 * that each asks for. Activations stay in (H, W, C) order, which is what its kernels for this kind
 * of CPU prefer (they were measured against the layouts of its own choice), and what lets a strip
 * be a tensor of its own. */
#include "host/cpu/convolution.h"

#include <math.h>
#include <string.h>

static dnnl_data_type_t type_of(element e)
{
    return e == IN_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* --- descriptors --- */

typedef struct conv_descs {
    dnnl_memory_desc_t in, weights, bias, out;
} conv_descs;

/* Groups come first in the dimensions of weights, where there are any. */
static int weight_dims(const branch *b, dnnl_dims_t dims)
{
    int n = 0;
    if (b->groups > 1) {
        dims[n++] = b->groups;
    }
    dims[n++] = b->filters / b->groups;
    dims[n++] = b->in.channels / b->groups;
    dims[n++] = b->window.kernel_h;
    dims[n++] = b->window.kernel_w;
    return n;
}

static dnnl_status_t map_desc(dnnl_memory_desc_t *out, uint32_t rows, uint32_t width,
                              uint32_t channels, element e)
{
    const dnnl_dims_t dims = {1, channels, rows, width};
    return dnnl_memory_desc_init_by_tag(out, 4, dims, type_of(e), dnnl_nhwc);
}

static dnnl_status_t describe(const branch *b, const strip_kernel *k, conv_descs *d)
{
    dnnl_dims_t dims;
    const int rank = weight_dims(b, dims);
    const dnnl_dims_t filters = {b->filters};
    dnnl_status_t code = map_desc(&d->in, k->in_rows, b->in.width, b->in.channels, b->in.element);
    if (code == dnnl_success) {
        code = map_desc(&d->out, k->rows, b->map_width, b->filters, b->computed);
    }
    if (code == dnnl_success) {
        code = dnnl_memory_desc_init_by_tag(&d->weights, rank, dims, type_of(b->in.element),
                                            dnnl_format_tag_any);
    }
    if (code == dnnl_success) {
        code = dnnl_memory_desc_init_by_tag(&d->bias, 1, filters, dnnl_f32, dnnl_x);
    }
    return code;
}

static dnnl_status_t convolution_desc(const branch *b, const strip_kernel *k, const conv_descs *d,
                                      dnnl_convolution_desc_t *out)
{
    const window *w = &b->window;
    const dnnl_dims_t strides = {w->stride_h, w->stride_w};
    const dnnl_dims_t dilates = {(dnnl_dim_t)w->dilation_h - 1, (dnnl_dim_t)w->dilation_w - 1};
    const dnnl_dims_t before = {k->above, w->pad_left};
    /* what the strip really uses: "valid" windows may leave cells at the end unread */
    const dnnl_dim_t reach_h =
        (dnnl_dim_t)(k->rows - 1) * w->stride_h + (dnnl_dim_t)(w->kernel_h - 1) * w->dilation_h + 1;
    const dnnl_dim_t reach_w = (dnnl_dim_t)(b->map_width - 1) * w->stride_w +
                               (dnnl_dim_t)(w->kernel_w - 1) * w->dilation_w + 1;
    const dnnl_dims_t behind = {reach_h - k->in_rows - k->above,
                                reach_w - b->in.width - w->pad_left};
    return dnnl_dilated_convolution_forward_desc_init(
        out, dnnl_forward_inference, dnnl_convolution_direct, &d->in, &d->weights,
        b->bias ? &d->bias : NULL, &d->out, strides, dilates, before, behind);
}

/* --- activation --- */

bool conv_onednn_fuses(const activation *a)
{
    return a->kind == ACTIVATION_LINEAR ||
           (a->kind == ACTIVATION_RELU && a->threshold == 0.0f &&
            (isinf(a->limit) || (a->slope == 0.0f && a->limit > 0.0f)));
}

static dnnl_status_t post_ops_fill(dnnl_post_ops_t ops, const activation *a)
{
    if (a->kind != ACTIVATION_RELU) {
        return dnnl_success;
    }
    return isinf(a->limit)
               ? dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, a->slope, 0.0f)
               : dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_clip, 0.0f, a->limit);
}

static status attr_make(const program *p, const branch *b, dnnl_primitive_attr_t *out, error *err)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t code = p->call->attr_create(&attr);
    if (code == dnnl_success) {
        code = p->call->post_ops_create(&ops);
    }
    if (code == dnnl_success) {
        code = b->act_fused ? post_ops_fill(ops, &b->act) : dnnl_success;
    }
    if (code == dnnl_success) {
        code = dnnl_primitive_attr_set_post_ops(attr, ops);
    }
    if (code == dnnl_success) {
        code = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    }
    if (ops) {
        (void)p->call->post_ops_destroy(ops);
    }
    if (code != dnnl_success && attr) {
        (void)p->call->attr_destroy(attr);
        attr = NULL;
    }
    *out = attr;
    return onednn_status(code, "attributes", err);
}

/* --- weights --- */

/* [KH, KW, Cin / groups, Cout] in oneDNN's order of dimensions */
static dnnl_status_t plain_weights(const branch *b, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims, strides;
    const int rank = weight_dims(b, dims);
    const dnnl_dim_t inner = b->in.channels / b->groups, outer = b->filters;
    int n = 0;
    if (b->groups > 1) {
        strides[n++] = outer / b->groups;
    }
    strides[n++] = 1;
    strides[n++] = outer;
    strides[n++] = b->window.kernel_w * inner * outer;
    strides[n++] = inner * outer;
    return dnnl_memory_desc_init_by_strides(out, rank, dims, dnnl_f32, strides);
}

static status reorder(const program *p, const dnnl_memory_desc_t *from_desc, dnnl_memory_t from,
                      const dnnl_memory_desc_t *to_desc, dnnl_memory_t to, error *err)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t code =
        p->call->reorder_desc_create(&desc, from_desc, p->engine, to_desc, p->engine, NULL);
    if (code == dnnl_success) {
        code = p->call->primitive_create(&primitive, desc);
    }
    if (code == dnnl_success) {
        code = p->call->stream_create(&stream, p->engine, dnnl_stream_default_flags);
    }
    if (code == dnnl_success) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        code = p->call->execute(primitive, stream, 2, arguments);
    }
    if (stream) {
        (void)p->call->stream_destroy(stream);
    }
    if (primitive) {
        (void)p->call->primitive_destroy(primitive);
    }
    if (desc) {
        (void)p->call->desc_destroy(desc);
    }
    return onednn_status(code, "packing weights", err);
}

static status pack(program *p, branch *b, const dnnl_memory_desc_t *wanted, dnnl_memory_t *out,
                   error *err)
{
    for (uint32_t i = 0; i < b->layout_count; i++) {
        if (dnnl_memory_desc_equal(&b->layouts[i].desc, wanted)) {
            *out = b->layouts[i].memory;
            return STATUS_OK;
        }
    }
    if (b->layout_count == MAX_LAYOUTS) {
        return error_set(err, STATUS_INTERNAL, "more than %d layouts of weights", MAX_LAYOUTS);
    }
    packed_weights *layout = &b->layouts[b->layout_count];
    dnnl_memory_desc_t plain;
    dnnl_memory_t from = NULL;
    const size_t bytes = dnnl_memory_desc_get_size(wanted);
    void *packed = program_allocate(p, bytes, 1);
    if (!packed) {
        return error_set(err, STATUS_MEMORY, "out of memory for %zu bytes of weights", bytes);
    }
    status code = program_keep_memory(p, wanted, packed, &layout->memory, err);
    if (code == STATUS_OK) {
        code = onednn_status(plain_weights(b, &plain), "the weights' layout", err);
    }
    if (code == STATUS_OK) {
        /* oneDNN only reads them, through a pointer that is not const */
        union {
            const float *in;
            void *out;
        } handle = {.in = b->kernel};
        code = onednn_status(p->call->memory_create(&from, &plain, p->engine, handle.out),
                             "a memory object", err);
    }
    if (code == STATUS_OK) {
        code = reorder(p, &plain, from, wanted, layout->memory, err);
    }
    if (from) {
        (void)p->call->memory_destroy(from);
    }
    if (code == STATUS_OK) {
        layout->desc = *wanted;
        b->layout_count++;
        p->weight_bytes += bytes;
        *out = layout->memory;
    }
    return code;
}

static status pack_bias(program *p, branch *b, error *err)
{
    dnnl_memory_desc_t desc;
    const dnnl_dims_t filters = {b->filters};
    if (!b->bias || b->bias_memory) {
        return STATUS_OK;
    }
    float *copy = program_allocate(p, b->filters, sizeof *copy);
    if (!copy) {
        return error_set(err, STATUS_MEMORY, "out of memory for a bias");
    }
    memcpy(copy, b->bias, b->filters * sizeof *copy);
    p->weight_bytes += b->filters * sizeof *copy;
    const status code =
        onednn_status(dnnl_memory_desc_init_by_tag(&desc, 1, filters, dnnl_f32, dnnl_x),
                      "the bias's layout", err);
    return code == STATUS_OK ? program_keep_memory(p, &desc, copy, &b->bias_memory, err) : code;
}

/* --- primitives --- */

static status keep_scratch(program *p, const dnnl_memory_desc_t *desc, uint32_t index,
                           dnnl_memory_t *out, error *err)
{
    const size_t bytes = dnnl_memory_desc_get_size(desc);
    if (bytes == 0) {
        return STATUS_OK;
    }
    if (!memory_grow(&p->alloc, (void **)&p->scratch_users, &p->scratch_user_capacity,
                     p->scratch_user_count + 1, sizeof *p->scratch_users)) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    const status code = program_keep_memory(p, desc, DNNL_MEMORY_NONE, out, err);
    if (code == STATUS_OK) {
        p->scratch_users[p->scratch_user_count++] = (scratch_user){*out, index};
        p->scratch_bytes = bytes > p->scratch_bytes ? bytes : p->scratch_bytes;
    }
    return code;
}

static status make_operands(program *p, strip_kernel *k, const_dnnl_primitive_desc_t desc,
                            error *err)
{
    const dnnl_memory_desc_t *in = dnnl_primitive_desc_query_md(desc, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *out = dnnl_primitive_desc_query_md(desc, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    dnnl_memory_t *all = program_allocate(p, (size_t)p->workers * 3, sizeof(dnnl_memory_t));
    if (!all) {
        return error_set(err, STATUS_MEMORY, "out of memory for a convolution");
    }
    k->in = all;
    k->out = all + p->workers;
    k->scratch = all + 2 * (size_t)p->workers;
    status code = STATUS_OK;
    for (uint32_t i = 0; code == STATUS_OK && i < p->workers; i++) {
        code = program_keep_memory(p, in, DNNL_MEMORY_NONE, &k->in[i], err);
        if (code == STATUS_OK) {
            code = program_keep_memory(p, out, DNNL_MEMORY_NONE, &k->out[i], err);
        }
        if (code == STATUS_OK) {
            code = keep_scratch(p, scratch, i, &k->scratch[i], err);
        }
    }
    return code;
}

/* The descriptor of one strip's convolution; NULL and STATUS_OK where oneDNN has nothing but its
 * reference code. */
static status strip_desc(const program *p, const branch *b, const strip_kernel *k,
                         const_dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out, error *err)
{
    conv_descs descs;
    dnnl_convolution_desc_t convolution;
    const char *name = NULL;
    *out = NULL;
    dnnl_status_t code = describe(b, k, &descs);
    if (code == dnnl_success) {
        code = convolution_desc(b, k, &descs, &convolution);
    }
    if (code == dnnl_success) {
        code = p->call->desc_create(out, &convolution, attr, p->engine, NULL);
    }
    if (code == dnnl_unimplemented || code == dnnl_invalid_arguments) {
        *out = NULL; /* an odd shape: what it refuses, the direct loops take */
        return STATUS_OK;
    }
    if (code == dnnl_success) {
        code = dnnl_primitive_desc_query(*out, dnnl_query_impl_info_str, 0, (void *)&name);
    }
    if (code == dnnl_success && strncmp(name, "ref", 3) == 0) {
        (void)p->call->desc_destroy(*out);
        *out = NULL;
    }
    return onednn_status(code, "describing a convolution", err);
}

static status kernel_make(program *p, branch *b, strip_kernel *k, const_dnnl_primitive_attr_t attr,
                          const char **variant, error *err)
{
    dnnl_primitive_desc_t desc = NULL;
    status code = strip_desc(p, b, k, attr, &desc, err);
    *variant = NULL;
    if (code != STATUS_OK || !desc) {
        return code;
    }
    const char *name = NULL;
    (void)dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, (void *)&name);
    *variant = region_format(p->memory, "onednn %s", name);
    if (!*variant) {
        code = error_set(err, STATUS_MEMORY, "out of memory for a name");
    }
    if (code == STATUS_OK) {
        code = pack(p, b, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0), &k->weights,
                    err);
    }
    if (code == STATUS_OK) {
        code = make_operands(p, k, desc, err);
    }
    if (code == STATUS_OK) {
        code = program_keep_primitive(p, desc, &k->primitive, err);
    }
    (void)p->call->desc_destroy(desc);
    return code;
}

status conv_onednn_make(program *p, branch *b, const char **variant, error *err)
{
    dnnl_primitive_attr_t attr = NULL;
    status code = attr_make(p, b, &attr, err);
    if (code == STATUS_OK) {
        code = pack_bias(p, b, err);
    }
    for (uint32_t i = 0; code == STATUS_OK && i < b->kernel_count; i++) {
        code = kernel_make(p, b, &b->kernels[i], attr, variant, err);
        if (!*variant) {
            break;
        }
    }
    if (attr) {
        (void)p->call->attr_destroy(attr);
    }
    return code;
}

status conv_onednn_run(const program *p, const branch *b, const strip *s, worker *w, void *out,
                       error *err)
{
    const strip_kernel *k = &b->kernels[s->kernel];
    const uint32_t i = w->index;
    dnnl_status_t code = p->call->memory_set(k->in[i], tensor_at(w, &b->in, s->in_first));
    if (code == dnnl_success) {
        code = p->call->memory_set(k->out[i], out);
    }
    if (code == dnnl_success) {
        dnnl_exec_arg_t arguments[5] = {
            {DNNL_ARG_SRC, k->in[i]}, {DNNL_ARG_WEIGHTS, k->weights}, {DNNL_ARG_DST, k->out[i]}};
        int count = 3;
        if (b->bias_memory) {
            arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_BIAS, b->bias_memory};
        }
        if (k->scratch[i]) {
            arguments[count++] = (dnnl_exec_arg_t){DNNL_ARG_SCRATCHPAD, k->scratch[i]};
        }
        code = p->call->execute(k->primitive, w->stream, count, arguments);
    }
    return onednn_status(code, "a convolution", err);
}
