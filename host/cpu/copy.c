/* What only moves values: pad, crop, concat, reshape, permute. Each is a few pieces: three
 * dimensions walked with one stride an operand. */
#include "host/cpu/operators.h"

#include <string.h>

typedef struct piece {
    tensor in;
    uint64_t in_at, out_at; /* elements from the beginning of the tensor */
    uint32_t size[3];       /* outermost first */
    uint64_t in_stride[3], out_stride[3];
    uint32_t rows_each, items;
} piece;

typedef struct copying {
    tensor out;
    bool clears; /* the output is zeroed first, by the first item of the only piece */
    piece *pieces;
    int count;
} copying;

/* neighbours on both sides go as one run; the others one by one */
static void copy_run(const program *p, const piece *c, const tensor *out, const worker *w,
                     uint64_t from, uint64_t to)
{
    const unsigned char *in = (const unsigned char *)tensor_at(w, &c->in, 0);
    unsigned char *at = tensor_at(w, out, 0);
    const size_t in_bytes = element_bytes(c->in.element), out_bytes = element_bytes(out->element);
    if (c->in_stride[2] == 1 && c->out_stride[2] == 1) {
        elements_convert(p, in + from * in_bytes, c->in.element, at + to * out_bytes, out->element,
                         c->size[2]);
        return;
    }
    for (uint32_t k = 0; k < c->size[2]; k++) {
        elements_convert(p, in + (from + k * c->in_stride[2]) * in_bytes, c->in.element,
                         at + (to + k * c->out_stride[2]) * out_bytes, out->element, 1);
    }
}

static status run(const program *p, const step *s, worker *w, uint32_t item, error *err)
{
    const copying *all = s->state;
    const piece *c = all->pieces;
    (void)err;
    while (item >= c->items) {
        item -= c->items;
        c++;
    }
    if (all->clears) {
        memset(tensor_at(w, &all->out, 0), 0, all->out.height * tensor_row_bytes(&all->out));
    }
    const row_range r = item_rows(c->size[0], c->rows_each, item);
    for (uint32_t i = r.first; i < r.end; i++) {
        for (uint32_t j = 0; j < c->size[1]; j++) {
            copy_run(p, c, &all->out, w, c->in_at + i * c->in_stride[0] + j * c->in_stride[1],
                     c->out_at + i * c->out_stride[0] + j * c->out_stride[1]);
        }
    }
    return STATUS_OK;
}

/* --- pieces --- */

static void dense_strides(const tensor *t, uint64_t stride[3])
{
    stride[0] = (uint64_t)t->width * t->channels;
    stride[1] = t->channels;
    stride[2] = 1;
}

/* a region of one map to a region of another */
static piece region_piece(const tensor *in, uint32_t in_y, uint32_t in_x, const tensor *out,
                          uint32_t out_y, uint32_t out_x, uint32_t out_c, uint32_t height,
                          uint32_t width, uint32_t channels)
{
    piece c = {.in = *in, .size = {height, width, channels}};
    dense_strides(in, c.in_stride);
    dense_strides(out, c.out_stride);
    c.in_at = in_y * c.in_stride[0] + in_x * c.in_stride[1];
    c.out_at = out_y * c.out_stride[0] + out_x * c.out_stride[1] + out_c;
    return c;
}

static void make_concat(const program *p, const node *n, copying *all)
{
    const shape s = p->graph->values[n->outputs[0]].shape;
    const uint32_t axis = n->attributes.axis + 3 - s.rank; /* of (H, W, C) */
    uint32_t at[3] = {0, 0, 0};
    for (int i = 0; i < n->input_count; i++) {
        const tensor *in = &p->tensors[n->inputs[i]];
        all->pieces[all->count++] = region_piece(in, 0, 0, &all->out, at[0], at[1], at[2],
                                                 in->height, in->width, in->channels);
        at[axis] += axis == 0 ? in->height : axis == 1 ? in->width : in->channels;
    }
}

static void make_permute(const program *p, const node *n, copying *all)
{
    const uint32_t pad = 3 - p->graph->values[n->outputs[0]].shape.rank;
    piece c = {.in = p->tensors[n->inputs[0]],
               .size = {all->out.height, all->out.width, all->out.channels}};
    uint64_t stride[3];
    dense_strides(&c.in, stride);
    dense_strides(&all->out, c.out_stride);
    for (uint32_t d = 0; d < 3; d++) {
        c.in_stride[d] = stride[d < pad ? d : n->attributes.permutation[d - pad] + pad];
    }
    all->pieces[all->count++] = c;
}

static void make_pieces(const program *p, const node *n, copying *all)
{
    const tensor *in = &p->tensors[n->inputs[0]], *out = &all->out;
    const uint32_t top = n->attributes.border.top, left = n->attributes.border.left;
    switch (n->op) {
    case OP_CONCAT:
        make_concat(p, n, all);
        break;
    case OP_PERMUTE:
        make_permute(p, n, all);
        break;
    case OP_ZERO_PAD:
        all->clears = true;
        all->pieces[all->count++] =
            region_piece(in, 0, 0, out, top, left, 0, in->height, in->width, in->channels);
        break;
    case OP_CROP:
        all->pieces[all->count++] =
            region_piece(in, top, left, out, 0, 0, 0, out->height, out->width, out->channels);
        break;
    default: { /* reshape: the same elements in the same order */
        piece c = {.in = *in, .size = {in->height, in->width, in->channels}};
        dense_strides(in, c.in_stride);
        dense_strides(in, c.out_stride);
        all->pieces[all->count++] = c;
        break;
    }
    }
}

status copy_make(program *p, const node *n, step *s, error *err)
{
    copying *all = program_allocate(p, 1, sizeof *all);
    piece *pieces = program_allocate(p, (size_t)n->input_count, sizeof *pieces);
    if (!all || !pieces) {
        return error_set(err, STATUS_MEMORY, "out of memory for a copy");
    }
    *all = (copying){.out = p->tensors[n->outputs[0]], .pieces = pieces};
    make_pieces(p, n, all);
    for (int i = 0; i < all->count; i++) {
        piece *c = &pieces[i];
        const uint64_t elements = (uint64_t)c->size[0] * c->size[1] * c->size[2];
        /* what is cleared first is done by one */
        c->rows_each = all->clears ? c->size[0] : rows_an_item(c->size[0], 20 * elements, 0, 1);
        c->items = (c->size[0] + c->rows_each - 1) / c->rows_each;
        s->items += c->items;
    }
    s->variant = op_name(n->op);
    s->run = run;
    s->state = all;
    return STATUS_OK;
}
