/* Which tensors of a container are binary16. What may be rounded and why: models/FORMAT.md. */
#include "models/weight_type.h"

#include "engine/half.h"

#include <math.h>
#include <string.h>

static const char *const names[WEIGHTS_TYPE_COUNT] = {
    [WEIGHTS_EXACT] = "exact", [WEIGHTS_FP16] = "fp16", [WEIGHTS_FP32] = "fp32"};

bool weight_type_from_name(const char *name, weight_type *out)
{
    for (int i = 0; i < WEIGHTS_TYPE_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (weight_type)i;
            return true;
        }
    }
    return false;
}

static uint32_t bits_of(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static bool weight_is_exact(const weight *w)
{
    uint64_t count = shape_elements(w->shape);
    for (uint64_t i = 0; i < count; i++) {
        if (bits_of(half_to_float(half_from_float(w->data[i]))) != bits_of(w->data[i])) {
            return false;
        }
    }
    return true;
}

static status check_range(const weight *w, error *err)
{
    uint64_t count = shape_elements(w->shape);
    for (uint64_t i = 0; i < count; i++) {
        if (isfinite(w->data[i]) && fabsf(w->data[i]) >= 65520.0f) {
            return error_set(err, STATUS_LIMIT,
                             "weight '%s': element %llu is %g, which fp16 rounds to infinity (its "
                             "largest number is 65504, and 65520 rounds beyond it); store it as "
                             "exact or fp32",
                             w->name, (unsigned long long)i, (double)w->data[i]);
        }
    }
    return STATUS_OK;
}

/* sets it for every weight that a batch norm uses */
static void mark_statistics(const graph *g, bool *marks)
{
    for (size_t i = 0; i < g->node_count; i++) {
        const node *n = &g->nodes[i];
        for (int k = 0; n->op == OP_BATCH_NORM && k < n->weight_count; k++) {
            if (n->weights[k] != GRAPH_NONE) {
                marks[n->weights[k]] = true;
            }
        }
    }
}

status weights_choose(const graph *g, weight_type type, bool *half, error *err)
{
    status code = STATUS_OK;
    memset(half, 0, g->weight_count * sizeof *half);
    mark_statistics(g, half);
    for (size_t i = 0; code == STATUS_OK && i < g->weight_count; i++) {
        bool round = type == WEIGHTS_FP16 && !half[i];
        half[i] = round || (type != WEIGHTS_FP32 && weight_is_exact(&g->weights[i]));
        code = round ? check_range(&g->weights[i], err) : STATUS_OK;
    }
    return code;
}
