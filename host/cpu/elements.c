/* Which values and weights are bfloat16 where that is asked for. It needs no oneDNN. */
#include "host/cpu/cpu.h"

#include <string.h>

static bool convolves(op o)
{
    return o == OP_CONV2D || o == OP_DEPTHWISE || o == OP_DENSE;
}

void cpu_choose_bf16(const graph *g, bool *is_bf16)
{
    for (size_t v = 0; v < g->value_count; v++) {
        is_bf16[v] = true;
    }
    for (size_t i = 0; i < g->output_count; i++) {
        is_bf16[graph_storage(g, g->outputs[i])] = false;
    }
    for (size_t i = g->node_count; i-- > 0;) {
        const node *n = &g->nodes[i];
        if (convolves(n->op) || is_bf16[graph_storage(g, n->outputs[0])]) {
            continue;
        }
        for (int k = 0; k < n->input_count; k++) {
            is_bf16[graph_storage(g, n->inputs[k])] = false;
        }
    }
    for (size_t v = 0; v < g->value_count; v++) {
        is_bf16[v] = is_bf16[graph_storage(g, (int)v)];
    }
}

/* to nearest, ties to even, among floats whose lower half is zero */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7f800000u) != 0x7f800000u) {
        bits = (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
    }
    memcpy(&x, &bits, sizeof x);
    return x;
}

status cpu_round_weights(graph *g, error *err)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        const int kernels = n->op == OP_CONV2D ? n->attributes.conv.branches : convolves(n->op);
        for (int k = 0; k < kernels; k++) {
            weight *w = &g->weights[n->weights[(size_t)k * 2]];
            const size_t count = (size_t)shape_elements(w->shape);
            float *data = region_allocate(g->memory, count, sizeof *data);
            if (!data) {
                return error_set(err, STATUS_MEMORY, "out of memory for rounded weights");
            }
            for (size_t e = 0; e < count; e++) {
                data[e] = rounded(w->data[e]);
            }
            w->data = data;
        }
    }
    return STATUS_OK;
}
