/* Batch-norm into the weights of the layer before it:
 *   gamma (w x + b - mean) / sqrt(variance + epsilon) + beta = (s w) x + (s (b - mean) + beta),
 * s = gamma / sqrt(variance + epsilon), per output channel; computed in double, rounded once. */
#include "engine/passes.h"
#include "engine/passes/rewrite.h"

#include <math.h>

static const float *weight_data(const graph *g, int w)
{
    return w == GRAPH_NONE ? NULL : g->weights[w].data;
}

/* Kernel and bias of the branch at `slot` are replaced by folded copies: another node may use the
 * originals too. The output channel is the fastest dimension (or the two fastest, for depthwise) of
 * every kernel. */
static status fold_weights(graph *g, node *n, int slot, const node *bn, uint32_t channels,
                           error *err)
{
    const weight kernel = g->weights[n->weights[slot]];
    const float *bias = weight_data(g, n->weights[slot + 1]);
    const float *gamma = weight_data(g, bn->weights[0]), *beta = weight_data(g, bn->weights[1]);
    const float *mean = weight_data(g, bn->weights[2]), *variance = weight_data(g, bn->weights[3]);
    uint64_t elements = shape_elements(kernel.shape);
    float *new_kernel = region_allocate(g->memory, (size_t)elements, sizeof(float));
    float *new_bias = region_allocate(g->memory, channels, sizeof(float));
    const char *kernel_name = region_format(g->memory, "%s/folded", kernel.name);
    const char *bias_name = region_format(g->memory, "%s/folded_bias", kernel.name);
    if (!new_kernel || !new_bias || !kernel_name || !bias_name) {
        return rewrite_out_of_memory("fold-batch-norm", err);
    }
    for (uint32_t c = 0; c < channels; c++) {
        double spread = (double)variance[c] + (double)bn->attributes.epsilon;
        if (!(spread > 0.0)) {
            return error_set(err, STATUS_MODEL,
                             "batch_norm '%s': variance %g of channel %u plus epsilon %g is not "
                             "positive",
                             bn->name, (double)variance[c], (unsigned)c,
                             (double)bn->attributes.epsilon);
        }
        double scale = (gamma ? (double)gamma[c] : 1.0) / sqrt(spread);
        double shift = (bias ? (double)bias[c] : 0.0) - (double)mean[c];
        new_bias[c] = (float)(shift * scale + (beta ? (double)beta[c] : 0.0));
        for (uint64_t i = c; i < elements; i += channels) {
            new_kernel[i] = (float)((double)kernel.data[i] * scale);
        }
    }
    int kernel_index, bias_index;
    status s = graph_add_weight(g, kernel_name, kernel.shape, new_kernel, &kernel_index, err);
    if (s == STATUS_OK) {
        s = graph_add_weight(g, bias_name, shape_make(1, &channels), new_bias, &bias_index, err);
    }
    if (s == STATUS_OK) {
        n->weights[slot] = kernel_index;
        n->weights[slot + 1] = bias_index;
    }
    return s;
}

/* Whether n is linear up to v, so that a scale and a shift can move into its weights. */
static bool can_fold_into(const node *n, int branch)
{
    if (n->op == OP_CONV2D && (n->attributes.conv.pooled || n->attributes.conv.repeat)) {
        return false;
    }
    return (n->op == OP_CONV2D || n->op == OP_DEPTHWISE || n->op == OP_DENSE) &&
           n->act[branch].kind == ACTIVATION_LINEAR;
}

status pass_fold_batch_norm(graph *g, error *err)
{
    rewrite r;
    status s = rewrite_begin(&r, g, err);
    if (s != STATUS_OK) {
        return s;
    }
    for (size_t i = 0; s == STATUS_OK && i < g->node_count; i++) {
        const node *bn = &g->nodes[i];
        if (bn->op != OP_BATCH_NORM) {
            continue;
        }
        int v = bn->inputs[0];
        node *n = rewrite_sole_producer(&r, v);
        if (!n) {
            continue;
        }
        int slot = rewrite_output_slot(n, v), branch = n->op == OP_CONV2D ? slot / 2 : 0;
        if (!can_fold_into(n, branch)) {
            continue;
        }
        uint32_t channels = g->values[v].shape.dim[g->values[v].shape.rank - 1];
        s = fold_weights(g, n, 2 * branch, bn, channels, err);
        if (s == STATUS_OK) {
            n->act[branch] = bn->act[0];
            rewrite_take_output(&r, n, v, (int)i);
        }
    }
    rewrite_end(&r);
    return s;
}
