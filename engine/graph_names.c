/* The names of operators and activations: in the container, in reports and in error messages. */
#include "engine/graph.h"

#include <string.h>

static const char *const op_names[OP_COUNT] = {
    [OP_CONV2D] = "conv2d",
    [OP_DEPTHWISE] = "depthwise",
    [OP_DENSE] = "dense",
    [OP_BATCH_NORM] = "batch_norm",
    [OP_ACTIVATION] = "activation",
    [OP_PRELU] = "prelu",
    [OP_SOFTMAX] = "softmax",
    [OP_MAX_POOL] = "max_pool",
    [OP_AVERAGE_POOL] = "average_pool",
    [OP_GLOBAL_AVERAGE] = "global_average",
    [OP_ZERO_PAD] = "zero_pad",
    [OP_CROP] = "crop",
    [OP_RESIZE] = "resize",
    [OP_ADD] = "add",
    [OP_MULTIPLY] = "multiply",
    [OP_CONCAT] = "concat",
    [OP_RESHAPE] = "reshape",
    [OP_PERMUTE] = "permute",
};

static const char *const activation_names[ACTIVATION_COUNT] = {
    [ACTIVATION_LINEAR] = "linear",
    [ACTIVATION_RELU] = "relu",
    [ACTIVATION_SIGMOID] = "sigmoid",
    [ACTIVATION_TANH] = "tanh",
    [ACTIVATION_ELU] = "elu",
    [ACTIVATION_SWISH] = "swish",
    [ACTIVATION_HARD_SIGMOID] = "hard_sigmoid",
};

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

const char *op_name(op o)
{
    return (unsigned)o < OP_COUNT ? op_names[o] : "unknown";
}

bool op_from_name(const char *name, op *out)
{
    int i = find_name(op_names, OP_COUNT, name);
    if (i >= 0) {
        *out = (op)i;
    }
    return i >= 0;
}

const char *activation_name(activation_kind k)
{
    return (unsigned)k < ACTIVATION_COUNT ? activation_names[k] : "unknown";
}

bool activation_from_name(const char *name, activation_kind *out)
{
    int i = find_name(activation_names, ACTIVATION_COUNT, name);
    if (i >= 0) {
        *out = (activation_kind)i;
    }
    return i >= 0;
}
