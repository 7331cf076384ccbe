/* Which family makes a node, and the family of one: softmax. */
#include "host/cpu/operators.h"

row_range item_rows(uint32_t height, uint32_t rows_each, uint32_t item)
{
    const uint32_t first = item * rows_each, left = height - first;
    return (row_range){first, first + (left < rows_each ? left : rows_each)};
}

/* --- softmax --- */

typedef struct softmax_state {
    tensor in, out;
    uint32_t rows_each;
} softmax_state;

static status softmax_run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const softmax_state *state = s->state;
    const row_range r = item_rows(state->out.height, state->rows_each, item);
    const uint32_t channels = state->in.channels;
    (void)err;
    for (uint32_t y = r.first; y < r.end; y++) {
        const float *in = row_read(p, w, &state->in, y, w->row[0]);
        float *out = row_begin(w, &state->out, y, w->row[1]);
        for (uint32_t x = 0; x < state->in.width; x++) {
            p->loops->softmax(in + (size_t)x * channels, out + (size_t)x * channels, channels);
        }
        row_done(p, w, &state->out, y, out);
    }
    return STATUS_OK;
}

status softmax_make(program *p, const node *n, step *s, error *err)
{
    softmax_state *state = program_allocate(p, 1, sizeof *state);
    if (!state) {
        return error_set(err, STATUS_MEMORY, "out of memory for a softmax");
    }
    *state = (softmax_state){.in = p->tensors[n->inputs[0]], .out = p->tensors[n->outputs[0]]};
    state->rows_each =
        rows_an_item(state->out.height, 20 * s->flops, tensor_row_bytes(&state->out), 1);
    s->items = (state->out.height + state->rows_each - 1) / state->rows_each;
    s->variant = "rows";
    s->run = softmax_run;
    s->state = state;
    return STATUS_OK;
}

/* --- which --- */

status operator_make(program *p, const node *n, step *s, error *err)
{
    switch (n->op) {
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
    case OP_GLOBAL_AVERAGE:
        return pool_make(p, n, s, err);
    case OP_ACTIVATION:
    case OP_BATCH_NORM:
    case OP_PRELU:
    case OP_ADD:
    case OP_MULTIPLY:
        return elementwise_make(p, n, s, err);
    case OP_RESIZE:
        return resize_make(p, n, s, err);
    case OP_SOFTMAX:
        return softmax_make(p, n, s, err);
    case OP_ZERO_PAD:
    case OP_CROP:
    case OP_CONCAT:
    case OP_RESHAPE:
    case OP_PERMUTE:
        return copy_make(p, n, s, err);
    default:
        return error_set(err, STATUS_UNSUPPORTED, "the cpu device has no operator %s",
                         op_name(n->op));
    }
}
