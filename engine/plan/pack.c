/* The packed weights as the kernels read them, and values back into dense floats.
 *
 * Layouts are documented at the head of each kernel; in all of them, channels that round a count up
 * to four are zero. */
#include "engine/half.h"
#include "engine/plan/internal.h"

#include <math.h>
#include <string.h>

static const float *weight_data(const plan *p, int w)
{
    return w == GRAPH_NONE ? NULL : p->graph->weights[w].data;
}

/* numbers from element `at` on of a kernel that begins at `words` */
static void put_numbers(float *words, element_type e, uint64_t at, const float *numbers,
                        uint64_t count)
{
    if (e == ELEMENT_F32) {
        memcpy(words + at, numbers, count * sizeof *words);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint32_t word, half = half_stored(numbers[i]), shift = (at + i) % 2 * 16;
        memcpy(&word, words + (at + i) / 2, sizeof word);
        word = (word & ~(0xffffu << shift)) | half << shift;
        memcpy(words + (at + i) / 2, &word, sizeof word);
    }
}

/* [taps][inputs][outputs] -> [input block][tap][input of the block][output block][4] */
static void pack_blocks(const float *filter, uint64_t taps, uint64_t inputs, uint64_t outputs,
                        element_type e, float *out)
{
    uint64_t lanes = (outputs + 3) / 4 * 4;
    for (uint64_t i = 0; i < inputs; i++) {
        for (uint64_t t = 0; t < taps; t++) {
            put_numbers(out, e, ((i / 4 * taps + t) * 4 + i % 4) * lanes,
                        filter + (t * inputs + i) * outputs, outputs);
        }
    }
}

static void copy_or_zero(const float *from, uint64_t count, float *out)
{
    if (from) {
        memcpy(out, from, count * sizeof *from);
    }
}

static void pack_conv2d(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    uint64_t outputs = pack->record.channels;
    uint64_t rows = shape_elements(filter->shape) / outputs; /* taps x inputs */
    /* a dense kernel is [Cin, Cout]: one tap */
    uint64_t inputs = filter->shape.rank == 4 ? filter->shape.dim[2] : filter->shape.dim[0];
    memcpy(out, &pack->record, sizeof pack->record);
    out += CONV2D_RECORD_WORDS;
    copy_or_zero(weight_data(p, pack->weights[1]), outputs, out);
    pack_blocks(filter->data, rows / inputs, inputs, outputs, pack->element,
                out + (outputs + 3) / 4 * 4);
}

/* bias, then matrices: see matrix_packing */
static void pack_matrix(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    const matrix_packing *m = &pack->matrix;
    bool dense = filter->shape.rank != 4; /* [Cin, Cout]: one tap */
    uint64_t outputs = pack->record.channels;
    uint64_t rows = shape_elements(filter->shape) / outputs; /* taps x inputs */
    uint64_t inputs = filter->shape.dim[dense ? 0 : 2], width = dense ? 1 : filter->shape.dim[1];
    uint64_t matrices = ceil_divide(rows / inputs / width * m->row, m->depth) * (m->depth / m->k);
    memcpy(out, &pack->record, sizeof pack->record);
    out += CONV2D_RECORD_WORDS;
    copy_or_zero(weight_data(p, pack->weights[1]), outputs, out);
    out += (outputs + 3) / 4 * 4;
    for (uint64_t i = 0; i < rows * m->across; i++) {
        uint64_t row = i / m->across, set = i % m->across, tap = row / inputs;
        uint64_t d = tap / width * m->row + tap % width * m->lanes + row % inputs + set * m->shift;
        for (uint64_t column = 0; column < outputs; column++) {
            uint64_t matrix = (column / m->n * m->across + set) * matrices + d / m->k;
            put_numbers(out, ELEMENT_F16, (matrix * m->n + column % m->n) * m->k + d % m->k,
                        filter->data + row * outputs + column, 1);
        }
    }
}

/* G of shaders/winograd.glsl */
static void winograd_matrix(double g[WINOGRAD_WINDOW][3])
{
    static const double points[] = {0, WINOGRAD_A, -WINOGRAD_A, WINOGRAD_B, -WINOGRAD_B};
    enum { POINTS = sizeof points / sizeof *points };
    for (int i = 0; i < POINTS; i++) {
        double distances = 1;
        for (int k = 0; k < POINTS; k++) {
            distances *= k == i ? 1 : points[i] - points[k];
        }
        g[i][0] = 1 / distances;
        g[i][1] = points[i] / distances;
        g[i][2] = points[i] * points[i] / distances;
    }
    g[POINTS][0] = g[POINTS][1] = 0;
    g[POINTS][2] = 1;
}

/* [3][3][inputs][outputs] -> record, bias, G g G^T as [element][input][output block][4], computed
 * in double and rounded once */
static void pack_winograd(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    uint64_t outputs = pack->record.channels, inputs = filter->shape.dim[2];
    uint64_t lanes = (outputs + 3) / 4 * 4, depth = (inputs + 3) / 4 * 4;
    double g[WINOGRAD_WINDOW][3];
    winograd_matrix(g);
    memcpy(out, &pack->record, sizeof pack->record);
    out += CONV2D_RECORD_WORDS;
    copy_or_zero(weight_data(p, pack->weights[1]), outputs, out);
    out += lanes;
    for (uint64_t i = 0; i < inputs * outputs; i++) {
        const float *k = filter->data + i;
        float *to = out + i / outputs * lanes + i % outputs;
        for (uint64_t e = 0; e < WINOGRAD_ELEMENTS; e++) {
            const double *down = g[e / WINOGRAD_WINDOW], *across = g[e % WINOGRAD_WINDOW];
            double sum = 0;
            for (uint64_t t = 0; t < 9; t++) {
                sum += down[t / 3] * across[t % 3] * (double)k[t * inputs * outputs];
            }
            to[e * depth * lanes] = (float)sum;
        }
    }
}

static void pack_dense(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    uint64_t inputs = filter->shape.dim[0], outputs = filter->shape.dim[1];
    copy_or_zero(weight_data(p, pack->weights[1]), outputs, out);
    pack_blocks(filter->data, 1, inputs, outputs, pack->element, out + (outputs + 3) / 4 * 4);
}

static void pack_grouped(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    uint64_t count = shape_elements(filter->shape);
    put_numbers(out, pack->element, 0, filter->data, count);
    copy_or_zero(weight_data(p, pack->weights[1]), filter->shape.dim[3],
                 out + element_words(pack->element, count));
}

/* [KH, KW, C, multiplier]: the last two are the output channels in order */
static void pack_depthwise(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *filter = &p->graph->weights[pack->weights[0]];
    uint64_t channels = (uint64_t)filter->shape.dim[2] * filter->shape.dim[3];
    uint64_t lanes = (channels + 3) / 4 * 4;
    uint64_t taps = (uint64_t)filter->shape.dim[0] * filter->shape.dim[1];
    copy_or_zero(weight_data(p, pack->weights[1]), channels, out);
    for (uint64_t t = 0; t < taps; t++) {
        put_numbers(out + lanes, pack->element, t * lanes, filter->data + t * channels, channels);
    }
}

/* y = (x - mean) * scale + shift */
static void pack_batch_norm(const plan *p, const plan_pack *pack, float *out)
{
    const float *gamma = weight_data(p, pack->weights[0]), *beta = weight_data(p, pack->weights[1]);
    const float *mean = weight_data(p, pack->weights[2]);
    const float *variance = weight_data(p, pack->weights[3]);
    uint64_t channels = shape_elements(p->graph->weights[pack->weights[2]].shape);
    uint64_t lanes = (channels + 3) / 4 * 4;
    for (uint64_t c = 0; c < channels; c++) {
        double scale = (gamma ? (double)gamma[c] : 1.0) / sqrt((double)variance[c] + pack->epsilon);
        out[c] = mean[c];
        out[lanes + c] = (float)scale;
        out[2 * lanes + c] = beta ? beta[c] : 0.0f;
    }
}

static void pack_prelu(const plan *p, const plan_pack *pack, float *out)
{
    const struct weight *alpha = &p->graph->weights[pack->weights[0]];
    uint64_t channels = alpha->shape.dim[alpha->shape.rank - 1];
    uint64_t lanes = (channels + 3) / 4 * 4;
    uint64_t rows = shape_elements(alpha->shape) / channels;
    for (uint64_t i = 0; i < rows; i++) {
        memcpy(out + i * lanes, alpha->data + i * channels, channels * sizeof *out);
    }
}

void plan_pack_weights(const plan *p, float *words)
{
    memset(words, 0, p->weight_words * sizeof *words);
    for (size_t i = 0; i < p->pack_count; i++) {
        const plan_pack *pack = &p->packs[i];
        float *out = words + pack->offset;
        switch (pack->kind) {
        case PACK_CONV2D:
            pack_conv2d(p, pack, out);
            break;
        case PACK_MATRIX:
            pack_matrix(p, pack, out);
            break;
        case PACK_WINOGRAD:
            pack_winograd(p, pack, out);
            break;
        case PACK_GROUPED:
            pack_grouped(p, pack, out);
            break;
        case PACK_DEPTHWISE:
            pack_depthwise(p, pack, out);
            break;
        case PACK_DENSE:
            pack_dense(p, pack, out);
            break;
        case PACK_BATCH_NORM:
            pack_batch_norm(p, pack, out);
            break;
        case PACK_PRELU:
            pack_prelu(p, pack, out);
            break;
        case PACK_ANCHORS:
            memcpy(out, p->head->anchors, 4 * (size_t)p->head->anchor_count * sizeof *out);
            break;
        }
    }
}

/* the other way: numbers from element `at` on of a buffer */
static void get_numbers(const float *words, element_type e, uint64_t at, float *numbers,
                        uint64_t count)
{
    if (e == ELEMENT_F32) {
        memcpy(numbers, words + at, count * sizeof *numbers);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, words + (at + i) / 2, sizeof word);
        numbers[i] = half_to_float((uint16_t)(word >> (at + i) % 2 * 16));
    }
}

void plan_unpack_value(const plan *p, int v, const float *words, float *dense)
{
    const struct value *own = &p->graph->values[v];
    const plan_buffer *buffer = &p->buffers[p->value_buffer[v]];
    uint64_t count = shape_elements(own->shape);
    if (own->base != GRAPH_NONE) {
        get_numbers(words, buffer->element, own->base_offset, dense, count);
        return;
    }
    uint64_t channels = own->shape.dim[own->shape.rank - 1];
    for (uint64_t i = 0; i < count / channels; i++) {
        get_numbers(words, buffer->element, i * buffer->pixel_stride, dense + i * channels,
                    channels);
    }
}
