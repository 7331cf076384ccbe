/* Element by element, with broadcasting: activation, batch norm, PReLU, sum, product. Each works on
 * rows; the second operand of a pair may repeat along any dimension. */
#include "host/cpu/operators.h"

#include <math.h>
#include <string.h>

typedef struct elementwise {
    op op;
    activation act;
    tensor in[2], out;
    uint32_t rows_each;
    const float *weights; /* batch norm: a row of scales, one of shifts; PReLU: alpha, dense */
    tensor alpha;         /* PReLU: the shape of its weights */
} elementwise;

/* A row of an operand, brought to the row's full width where it repeats along x or channels. */
static const float *spread(const float *row, const tensor *t, const tensor *out, float *buffer)
{
    if (t->width == out->width && t->channels == out->channels) {
        return row;
    }
    for (uint32_t x = 0; x < out->width; x++) {
        const float *pixel = row + (t->width == 1 ? 0 : (size_t)x * t->channels);
        float *to = buffer + (size_t)x * out->channels;
        for (uint32_t c = 0; c < out->channels; c++) {
            to[c] = pixel[t->channels == 1 ? 0 : c];
        }
    }
    return buffer;
}

static bool is_single(const tensor *t)
{
    return t->width == 1 && t->channels == 1;
}

static const float *operand_row(const program *p, const worker *w, const tensor *t,
                                const tensor *out, uint32_t y, float *read, float *wide)
{
    return spread(row_read(p, w, t, t->height == 1 ? 0 : y, read), t, out, wide);
}

static void run_pair(const program *p, const elementwise *e, const worker *w, uint32_t y,
                     float *out)
{
    const size_t n = (size_t)e->out.width * e->out.channels;
    const bool sum = e->op == OP_ADD;
    /* both operations commute: a single number comes second */
    const int first = is_single(&e->in[0]) && !is_single(&e->in[1]) ? 1 : 0;
    const float *a = operand_row(p, w, &e->in[first], &e->out, y, w->row[0], w->row[1]);
    if (is_single(&e->in[1 - first])) {
        const tensor *t = &e->in[1 - first];
        const float b = *row_read(p, w, t, t->height == 1 ? 0 : y, w->row[2]);
        (sum ? p->loops->add_one : p->loops->multiply_one)(a, b, out, n);
        return;
    }
    /* spread into the output row, which is then overwritten element by element */
    const float *b = operand_row(p, w, &e->in[1 - first], &e->out, y, w->row[2], out);
    (sum ? p->loops->add : p->loops->multiply)(a, b, out, n);
}

static void run_prelu(const program *p, const elementwise *e, const worker *w, uint32_t y,
                      float *out)
{
    const size_t n = (size_t)e->out.width * e->out.channels;
    const float *x = row_read(p, w, &e->in[0], y, w->row[0]);
    const float *row =
        e->weights + (e->alpha.height == 1 ? 0 : y) * (size_t)e->alpha.width * e->alpha.channels;
    if (is_single(&e->alpha)) {
        p->loops->prelu_one(x, *row, out, n);
    } else {
        p->loops->prelu(x, spread(row, &e->alpha, &e->out, w->row[1]), out, n);
    }
}

static void run_batch_norm(const program *p, const elementwise *e, const worker *w, uint32_t y,
                           float *out)
{
    const size_t channels = e->out.channels;
    const float *x = row_read(p, w, &e->in[0], y, w->row[0]);
    for (size_t i = 0; i < e->out.width; i++) {
        p->loops->scale_shift(x + i * channels, e->weights, e->weights + channels,
                              out + i * channels, channels);
    }
}

static status run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const elementwise *e = s->state;
    const row_range r = item_rows(e->out.height, e->rows_each, item);
    const size_t n = (size_t)e->out.width * e->out.channels;
    (void)err;
    for (uint32_t y = r.first; y < r.end; y++) {
        float *out = row_begin(w, &e->out, y, w->row[3]);
        if (e->op == OP_ADD || e->op == OP_MULTIPLY) {
            run_pair(p, e, w, y, out);
        } else if (e->op == OP_PRELU) {
            run_prelu(p, e, w, y, out);
        } else if (e->op == OP_BATCH_NORM) {
            run_batch_norm(p, e, w, y, out);
        } else {
            memcpy(out, row_read(p, w, &e->in[0], y, w->row[0]), n * sizeof *out);
        }
        p->loops->activate(&e->act, out, n);
        row_done(p, w, &e->out, y, out);
    }
    return STATUS_OK;
}

/* --- making --- */

static const float *vector(const program *p, const node *n, int slot)
{
    const int w = n->weights[slot];
    return w == GRAPH_NONE ? NULL : p->graph->weights[w].data;
}

/* (x - mean) * s + beta as x * s + (beta - mean * s), folded in double */
static status fold_batch_norm(program *p, const node *n, elementwise *e, error *err)
{
    const uint32_t channels = e->out.channels;
    const float *gamma = vector(p, n, 0), *beta = vector(p, n, 1), *mean = vector(p, n, 2),
                *variance = vector(p, n, 3);
    float *folded = program_allocate(p, (size_t)channels * 2, sizeof *folded);
    if (!folded) {
        return error_set(err, STATUS_MEMORY, "out of memory for a batch norm");
    }
    for (uint32_t c = 0; c < channels; c++) {
        const double scale = (gamma ? (double)gamma[c] : 1) /
                             sqrt((double)variance[c] + (double)n->attributes.epsilon);
        folded[c] = (float)scale;
        folded[channels + c] = (float)((beta ? (double)beta[c] : 0) - (double)mean[c] * scale);
    }
    e->weights = folded;
    p->weight_bytes += (size_t)channels * 2 * sizeof *folded;
    return STATUS_OK;
}

static status copy_alpha(program *p, const node *n, elementwise *e, error *err)
{
    const weight *alpha = &p->graph->weights[n->weights[0]];
    shape_hwc(alpha->shape, &e->alpha.height, &e->alpha.width, &e->alpha.channels);
    const size_t count = (size_t)shape_elements(alpha->shape);
    float *copy = program_allocate(p, count, sizeof *copy);
    if (!copy) {
        return error_set(err, STATUS_MEMORY, "out of memory for a PReLU");
    }
    memcpy(copy, alpha->data, count * sizeof *copy);
    e->weights = copy;
    p->weight_bytes += count * sizeof *copy;
    return STATUS_OK;
}

status elementwise_make(program *p, const node *n, step *s, error *err)
{
    static const char *const variants[OP_COUNT] = {
        [OP_ACTIVATION] = "activation", [OP_BATCH_NORM] = "batch norm",
        [OP_PRELU] = "prelu",           [OP_ADD] = "add",
        [OP_MULTIPLY] = "multiply",
    };
    elementwise *e = program_allocate(p, 1, sizeof *e);
    if (!e) {
        return error_set(err, STATUS_MEMORY, "out of memory for a step");
    }
    *e = (elementwise){.op = n->op,
                       .act = n->act_count ? n->act[0] : activation_linear,
                       .out = p->tensors[n->outputs[0]]};
    for (int i = 0; i < n->input_count && i < 2; i++) {
        e->in[i] = p->tensors[n->inputs[i]];
    }
    /* an element costs its memory, or an exponential */
    e->rows_each = rows_an_item(e->out.height, 20 * s->flops, tensor_row_bytes(&e->out), 1);
    s->items = (e->out.height + e->rows_each - 1) / e->rows_each;
    s->variant = variants[n->op];
    s->run = run;
    s->state = e;
    if (n->op == OP_BATCH_NORM) {
        return fold_batch_norm(p, n, e, err);
    }
    return n->op == OP_PRELU ? copy_alpha(p, n, e, err) : STATUS_OK;
}
