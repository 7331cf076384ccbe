/* The table. Shapes are chosen for their remainders: by 2, 3, 4, 8, by tile sizes, by nothing. */
#include "tests/vulkan/cases.h"

#include <math.h>

#define RELU                                                                                       \
    {                                                                                              \
        ACTIVATION_RELU, 0.0f, 0.0f, INFINITY                                                      \
    }
#define RELU6                                                                                      \
    {                                                                                              \
        ACTIVATION_RELU, 0.0f, 0.0f, 6.0f                                                          \
    }
#define LEAKY                                                                                      \
    {                                                                                              \
        ACTIVATION_RELU, 0.3f, 0.0f, INFINITY                                                      \
    }
#define SHIFTED                                                                                    \
    {                                                                                              \
        ACTIVATION_RELU, 0.25f, 0.5f, 1.5f                                                         \
    }
#define SIGMOID                                                                                    \
    {                                                                                              \
        ACTIVATION_SIGMOID, 0.0f, 0.0f, INFINITY                                                   \
    }
#define TANH                                                                                       \
    {                                                                                              \
        ACTIVATION_TANH, 0.0f, 0.0f, INFINITY                                                      \
    }
#define ELU                                                                                        \
    {                                                                                              \
        ACTIVATION_ELU, 1.5f, 0.0f, INFINITY                                                       \
    }
#define SWISH                                                                                      \
    {                                                                                              \
        ACTIVATION_SWISH, 0.0f, 0.0f, INFINITY                                                     \
    }
#define HARD                                                                                       \
    {                                                                                              \
        ACTIVATION_HARD_SIGMOID, 0.0f, 0.0f, INFINITY                                              \
    }
#define LINEAR                                                                                     \
    {                                                                                              \
        ACTIVATION_LINEAR, 0.0f, 0.0f, INFINITY                                                    \
    }

/* clang-format off */
const kernel_case kernel_cases[] = {
    {.name = "conv 1x1 map, 1 to 1", .op = OP_CONV2D, .h = 1, .w = 1, .c = 1, .kernel_h = 1, .filters = {1}, .act = LINEAR},
    {.name = "conv 3x1 map", .op = OP_CONV2D, .h = 3, .w = 1, .c = 3, .kernel_h = 3, .same = true, .filters = {5}, .act = RELU},
    {.name = "conv 1x3 map, no bias", .op = OP_CONV2D, .h = 1, .w = 3, .c = 5, .kernel_h = 3, .same = true, .filters = {8}, .no_bias = true, .act = LINEAR},
    {.name = "conv 1 to 6, 5x7 map", .op = OP_CONV2D, .h = 5, .w = 7, .c = 1, .kernel_h = 3, .same = true, .filters = {6}, .act = RELU},
    {.name = "conv 2 to 9 stride 2", .op = OP_CONV2D, .h = 11, .w = 6, .c = 2, .kernel_h = 3, .stride = 2, .same = true, .filters = {9}, .act = LEAKY},
    {.name = "conv 2 to 16 pooled", .op = OP_CONV2D, .h = 7, .w = 9, .c = 2, .kernel_h = 3, .same = true, .filters = {16}, .pooled = true, .act = RELU},
    {.name = "conv odd same stride 2", .op = OP_CONV2D, .h = 5, .w = 7, .c = 8, .kernel_h = 3, .stride = 2, .same = true, .filters = {24}, .act = RELU6},
    {.name = "conv even same stride 2", .op = OP_CONV2D, .h = 6, .w = 8, .c = 24, .kernel_h = 3, .stride = 2, .same = true, .filters = {8}, .act = LEAKY},
    {.name = "conv 5x5 valid stride 2", .op = OP_CONV2D, .h = 9, .w = 12, .c = 3, .kernel_h = 5, .stride = 2, .filters = {24}, .act = SHIFTED},
    {.name = "conv dilation 2 same", .op = OP_CONV2D, .h = 13, .w = 11, .c = 24, .kernel_h = 3, .dilation = 2, .same = true, .filters = {64}, .act = ELU},
    {.name = "conv dilation 3 valid", .op = OP_CONV2D, .h = 9, .w = 10, .c = 5, .kernel_h = 3, .dilation = 3, .filters = {3}, .act = RELU},
    {.name = "conv 64 to 129", .op = OP_CONV2D, .h = 7, .w = 9, .c = 64, .kernel_h = 3, .same = true, .filters = {129}, .act = RELU},
    {.name = "conv 129 to 3, 1x1", .op = OP_CONV2D, .h = 4, .w = 5, .c = 129, .kernel_h = 1, .filters = {3}, .act = SIGMOID},
    {.name = "conv 1x1 stride 2", .op = OP_CONV2D, .h = 7, .w = 7, .c = 8, .kernel_h = 1, .stride = 2, .filters = {24}, .act = TANH},
    {.name = "conv stride 3 valid", .op = OP_CONV2D, .h = 11, .w = 11, .c = 5, .kernel_h = 3, .stride = 3, .filters = {7}, .act = SWISH},
    {.name = "conv 5x5 same stride 3", .op = OP_CONV2D, .h = 10, .w = 13, .c = 8, .kernel_h = 5, .stride = 3, .same = true, .filters = {8}, .act = HARD},
    {.name = "conv 3x1 kernel", .op = OP_CONV2D, .h = 12, .w = 9, .c = 8, .kernel_h = 3, .kernel_w = 1, .same = true, .filters = {8}, .act = RELU},
    {.name = "conv 1x5 kernel", .op = OP_CONV2D, .h = 9, .w = 12, .c = 3, .kernel_h = 1, .kernel_w = 5, .filters = {8}, .act = RELU},
    {.name = "conv 7x7 stride 2", .op = OP_CONV2D, .h = 21, .w = 19, .c = 3, .kernel_h = 7, .stride = 2, .same = true, .filters = {16}, .act = RELU},
    {.name = "conv several tiles", .op = OP_CONV2D, .h = 33, .w = 35, .c = 32, .kernel_h = 3, .same = true, .filters = {32}, .act = RELU},
    {.name = "conv valid several tiles", .op = OP_CONV2D, .h = 36, .w = 31, .c = 3, .kernel_h = 3, .filters = {32}, .act = RELU},
    {.name = "conv wide", .op = OP_CONV2D, .h = 3, .w = 130, .c = 8, .kernel_h = 3, .same = true, .filters = {12}, .act = RELU},
    {.name = "conv kernel larger than map", .op = OP_CONV2D, .h = 2, .w = 2, .c = 8, .kernel_h = 3, .same = true, .filters = {8}, .act = RELU},
    {.name = "conv groups 2, odd", .op = OP_CONV2D, .h = 10, .w = 9, .c = 6, .kernel_h = 3, .same = true, .groups = 2, .filters = {10}, .act = RELU},
    {.name = "conv groups 2, fours", .op = OP_CONV2D, .h = 8, .w = 8, .c = 16, .kernel_h = 3, .same = true, .groups = 2, .filters = {8}, .act = RELU},
    {.name = "conv groups 4", .op = OP_CONV2D, .h = 7, .w = 5, .c = 16, .kernel_h = 3, .stride = 2, .same = true, .groups = 4, .filters = {32}, .act = SIGMOID},
    {.name = "conv groups as channels", .op = OP_CONV2D, .h = 5, .w = 6, .c = 3, .kernel_h = 3, .same = true, .groups = 3, .filters = {6}, .dilation = 2, .act = RELU},
    {.name = "conv pool even", .op = OP_CONV2D, .h = 8, .w = 10, .c = 8, .kernel_h = 3, .same = true, .filters = {16}, .pooled = true, .act = RELU},
    {.name = "conv pool even and map", .op = OP_CONV2D, .h = 8, .w = 10, .c = 8, .kernel_h = 3, .same = true, .filters = {16}, .pooled = true, .map = true, .act = RELU},
    {.name = "conv pool odd, cut", .op = OP_CONV2D, .h = 9, .w = 7, .c = 3, .kernel_h = 3, .same = true, .filters = {5}, .pooled = true, .map = true, .act = RELU},
    {.name = "conv pool odd, padded", .op = OP_CONV2D, .h = 9, .w = 7, .c = 3, .kernel_h = 3, .same = true, .filters = {24}, .pooled = true, .pool_same = true, .map = true, .act = LINEAR},
    {.name = "conv pool padded, no map", .op = OP_CONV2D, .h = 17, .w = 33, .c = 24, .kernel_h = 3, .same = true, .filters = {24}, .pooled = true, .pool_same = true, .act = RELU},
    {.name = "conv pool of tanh", .op = OP_CONV2D, .h = 6, .w = 6, .c = 4, .kernel_h = 3, .stride = 2, .same = true, .filters = {4}, .pooled = true, .pool_same = true, .act = TANH},
    {.name = "conv pool several tiles", .op = OP_CONV2D, .h = 34, .w = 36, .c = 3, .kernel_h = 3, .same = true, .filters = {32}, .pooled = true, .map = true, .act = RELU},
    {.name = "conv pool large map", .op = OP_CONV2D, .h = 129, .w = 131, .c = 3, .kernel_h = 3, .same = true, .filters = {24}, .pooled = true, .map = true, .act = RELU},
    {.name = "conv pool stride 2", .op = OP_CONV2D, .h = 15, .w = 11, .c = 12, .kernel_h = 3, .stride = 2, .same = true, .filters = {24}, .pooled = true, .pool_same = true, .map = true, .act = RELU},
    {.name = "conv 2 branches", .op = OP_CONV2D, .h = 9, .w = 9, .c = 16, .kernel_h = 3, .same = true, .branches = 2, .filters = {8, 24}, .act = RELU},
    {.name = "conv 3 branches", .op = OP_CONV2D, .h = 5, .w = 4, .c = 8, .kernel_h = 3, .same = true, .branches = 3, .filters = {4, 6, 64}, .act = RELU},
    {.name = "conv 4 branches", .op = OP_CONV2D, .h = 3, .w = 5, .c = 5, .kernel_h = 1, .branches = 4, .filters = {1, 2, 3, 129}, .act = LINEAR},
    {.name = "conv 2 branches, own inputs", .op = OP_CONV2D, .h = 6, .w = 7, .c = 24, .kernel_h = 3, .same = true, .branches = 2, .filters = {16, 8}, .own_inputs = true, .act = RELU},
    {.name = "conv 4 branches, own inputs", .op = OP_CONV2D, .h = 8, .w = 3, .c = 3, .kernel_h = 3, .stride = 2, .same = true, .branches = 4, .filters = {5, 8, 12, 64}, .own_inputs = true, .act = SIGMOID},
    {.name = "conv 2 branches pooled", .op = OP_CONV2D, .h = 7, .w = 8, .c = 8, .kernel_h = 3, .same = true, .branches = 2, .filters = {8, 5}, .pooled = true, .pool_same = true, .map = true, .act = RELU},
    {.name = "conv add, 1x1", .op = OP_CONV2D, .h = 9, .w = 7, .c = 24, .kernel_h = 1, .filters = {64}, .repeat = 1, .act = RELU},
    {.name = "conv add, odd channels", .op = OP_CONV2D, .h = 5, .w = 7, .c = 8, .kernel_h = 3, .same = true, .filters = {5}, .repeat = 1, .act = LEAKY},
    {.name = "conv add, several tiles", .op = OP_CONV2D, .h = 33, .w = 35, .c = 16, .kernel_h = 3, .same = true, .filters = {32}, .repeat = 1, .act = LINEAR},
    {.name = "conv add, stride 2, sigmoid", .op = OP_CONV2D, .h = 11, .w = 6, .c = 8, .kernel_h = 3, .stride = 2, .same = true, .filters = {17}, .repeat = 1, .no_bias = true, .act = SIGMOID},
    {.name = "conv add, groups", .op = OP_CONV2D, .h = 7, .w = 5, .c = 16, .kernel_h = 3, .same = true, .groups = 2, .filters = {8}, .repeat = 1, .act = RELU6},
    {.name = "conv repeat 2, add", .op = OP_CONV2D, .h = 5, .w = 9, .c = 24, .kernel_h = 1, .filters = {40}, .repeat = 2, .act = RELU},
    {.name = "conv repeat 3, add, odd", .op = OP_CONV2D, .h = 7, .w = 3, .c = 5, .kernel_h = 3, .same = true, .filters = {3}, .repeat = 3, .act = TANH},

    {.name = "depthwise 1x1 map", .op = OP_DEPTHWISE, .h = 1, .w = 1, .c = 1, .kernel_h = 1, .act = LINEAR},
    {.name = "depthwise 3 channels", .op = OP_DEPTHWISE, .h = 5, .w = 5, .c = 3, .kernel_h = 3, .same = true, .act = RELU},
    {.name = "depthwise stride 2", .op = OP_DEPTHWISE, .h = 7, .w = 10, .c = 24, .kernel_h = 3, .stride = 2, .same = true, .act = RELU6},
    {.name = "depthwise stride 3 valid", .op = OP_DEPTHWISE, .h = 11, .w = 9, .c = 8, .kernel_h = 3, .stride = 3, .act = RELU},
    {.name = "depthwise 129 channels", .op = OP_DEPTHWISE, .h = 6, .w = 5, .c = 129, .kernel_h = 3, .same = true, .act = LINEAR},
    {.name = "depthwise multiplier 2, 3", .op = OP_DEPTHWISE, .h = 6, .w = 5, .c = 3, .kernel_h = 3, .same = true, .multiplier = 2, .act = RELU},
    {.name = "depthwise multiplier 2, 8", .op = OP_DEPTHWISE, .h = 5, .w = 9, .c = 8, .kernel_h = 3, .stride = 2, .same = true, .multiplier = 2, .act = SWISH},
    {.name = "depthwise multiplier 3, 5", .op = OP_DEPTHWISE, .h = 4, .w = 4, .c = 5, .kernel_h = 3, .multiplier = 3, .no_bias = true, .act = LINEAR},
    {.name = "depthwise dilation 2", .op = OP_DEPTHWISE, .h = 9, .w = 8, .c = 8, .kernel_h = 3, .dilation = 2, .same = true, .act = ELU},
    {.name = "depthwise 5x5", .op = OP_DEPTHWISE, .h = 14, .w = 17, .c = 12, .kernel_h = 5, .same = true, .act = HARD},
    {.name = "depthwise 1x3", .op = OP_DEPTHWISE, .h = 3, .w = 21, .c = 64, .kernel_h = 1, .kernel_w = 3, .same = true, .act = TANH},

    {.name = "dense 1 to 1", .op = OP_DENSE, .rank = 1, .c = 1, .filters = {1}, .act = LINEAR},
    {.name = "dense 5 to 7", .op = OP_DENSE, .rank = 1, .c = 5, .filters = {7}, .act = RELU},
    {.name = "dense 129 to 64", .op = OP_DENSE, .rank = 1, .c = 129, .filters = {64}, .act = TANH},
    {.name = "dense 1280 to 10", .op = OP_DENSE, .rank = 1, .c = 1280, .filters = {10}, .act = LINEAR},
    {.name = "dense 64 to 1280", .op = OP_DENSE, .rank = 1, .c = 64, .filters = {1280}, .act = RELU},
    {.name = "dense of rows", .op = OP_DENSE, .rank = 2, .w = 3, .c = 7, .filters = {5}, .no_bias = true, .act = SWISH},
    {.name = "dense of a map", .op = OP_DENSE, .h = 2, .w = 3, .c = 8, .filters = {24}, .act = SIGMOID},

    {.name = "batch norm 5", .op = OP_BATCH_NORM, .h = 3, .w = 4, .c = 5, .act = LINEAR},
    {.name = "batch norm 64 relu", .op = OP_BATCH_NORM, .h = 5, .w = 3, .c = 64, .act = RELU},
    {.name = "batch norm bare", .op = OP_BATCH_NORM, .h = 1, .w = 1, .c = 1, .no_bias = true, .act = LINEAR},
    {.name = "batch norm of a vector", .op = OP_BATCH_NORM, .rank = 1, .c = 129, .act = SWISH},

    {.name = "linear", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 7, .act = LINEAR},
    {.name = "relu", .op = OP_ACTIVATION, .h = 1, .w = 1, .c = 1, .act = RELU},
    {.name = "relu6", .op = OP_ACTIVATION, .h = 4, .w = 4, .c = 64, .act = RELU6},
    {.name = "leaky relu", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 5, .act = LEAKY},
    {.name = "shifted relu", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 8, .act = SHIFTED},
    {.name = "sigmoid", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 129, .act = SIGMOID},
    {.name = "tanh", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 24, .act = TANH},
    {.name = "elu", .op = OP_ACTIVATION, .h = 3, .w = 5, .c = 3, .act = ELU},
    {.name = "swish", .op = OP_ACTIVATION, .h = 3, .w = 1, .c = 8, .act = SWISH},
    {.name = "hard sigmoid", .op = OP_ACTIVATION, .rank = 1, .c = 24, .act = HARD},
    {.name = "activation of rows", .op = OP_ACTIVATION, .rank = 2, .w = 11, .c = 5, .act = SIGMOID},

    {.name = "prelu by channel", .op = OP_PRELU, .h = 3, .w = 4, .c = 5, .other = {1, 1, 5, false}},
    {.name = "prelu by element", .op = OP_PRELU, .h = 3, .w = 4, .c = 8, .other = {3, 4, 8, false}},
    {.name = "prelu by row", .op = OP_PRELU, .h = 3, .w = 4, .c = 8, .other = {3, 1, 1, false}},
    {.name = "prelu by pixel", .op = OP_PRELU, .h = 3, .w = 4, .c = 24, .other = {3, 4, 1, false}},

    {.name = "softmax 1", .op = OP_SOFTMAX, .rank = 1, .c = 1},
    {.name = "softmax 2", .op = OP_SOFTMAX, .h = 5, .w = 3, .c = 2},
    {.name = "softmax 7", .op = OP_SOFTMAX, .rank = 2, .w = 9, .c = 7},
    {.name = "softmax 129", .op = OP_SOFTMAX, .h = 2, .w = 5, .c = 129},
    {.name = "softmax 1000", .op = OP_SOFTMAX, .rank = 1, .c = 1000},

    {.name = "max-pool 2x2", .op = OP_MAX_POOL, .h = 8, .w = 6, .c = 8, .kernel_h = 2, .stride = 2},
    {.name = "max-pool 2x2 odd same", .op = OP_MAX_POOL, .h = 7, .w = 5, .c = 3, .kernel_h = 2, .stride = 2, .same = true},
    {.name = "max-pool 2x2 odd valid", .op = OP_MAX_POOL, .h = 7, .w = 5, .c = 24, .kernel_h = 2, .stride = 2},
    {.name = "max-pool 3x3 stride 1", .op = OP_MAX_POOL, .h = 4, .w = 5, .c = 129, .kernel_h = 3, .same = true},
    {.name = "max-pool 3x3 stride 3", .op = OP_MAX_POOL, .h = 10, .w = 8, .c = 5, .kernel_h = 3, .stride = 3, .same = true},
    {.name = "max-pool 1x1 map", .op = OP_MAX_POOL, .h = 1, .w = 1, .c = 1, .kernel_h = 2, .stride = 2, .same = true},
    {.name = "max-pool 5x2", .op = OP_MAX_POOL, .h = 11, .w = 6, .c = 64, .kernel_h = 5, .kernel_w = 2, .stride = 2},
    {.name = "average 2x2", .op = OP_AVERAGE_POOL, .h = 8, .w = 6, .c = 8, .kernel_h = 2, .stride = 2},
    {.name = "average 3x3 same", .op = OP_AVERAGE_POOL, .h = 5, .w = 7, .c = 3, .kernel_h = 3, .same = true},
    {.name = "average 3x3 stride 2 same", .op = OP_AVERAGE_POOL, .h = 6, .w = 9, .c = 129, .kernel_h = 3, .stride = 2, .same = true},
    {.name = "average whole map", .op = OP_AVERAGE_POOL, .h = 7, .w = 7, .c = 24, .kernel_h = 7},
    {.name = "global average 1x1", .op = OP_GLOBAL_AVERAGE, .h = 1, .w = 1, .c = 1},
    {.name = "global average 3", .op = OP_GLOBAL_AVERAGE, .h = 7, .w = 5, .c = 3},
    {.name = "global average 129", .op = OP_GLOBAL_AVERAGE, .h = 9, .w = 9, .c = 129},
    {.name = "global average column", .op = OP_GLOBAL_AVERAGE, .h = 33, .w = 1, .c = 64},

    {.name = "zero pad 1", .op = OP_ZERO_PAD, .h = 3, .w = 4, .c = 5, .border = {1, 1, 1, 1}},
    {.name = "zero pad uneven", .op = OP_ZERO_PAD, .h = 1, .w = 1, .c = 8, .border = {0, 2, 3, 1}},
    {.name = "zero pad 129", .op = OP_ZERO_PAD, .h = 2, .w = 3, .c = 129, .border = {2, 0, 0, 0}},
    {.name = "crop", .op = OP_CROP, .h = 6, .w = 5, .c = 5, .border = {1, 2, 3, 0}},
    {.name = "crop to one", .op = OP_CROP, .h = 3, .w = 3, .c = 24, .border = {1, 1, 1, 1}},

    {.name = "nearest up 2", .op = OP_RESIZE, .h = 3, .w = 4, .c = 5, .out_h = 6, .out_w = 8, .mode = RESIZE_NEAREST},
    {.name = "nearest down", .op = OP_RESIZE, .h = 7, .w = 9, .c = 8, .out_h = 3, .out_w = 4, .mode = RESIZE_NEAREST},
    {.name = "nearest half pixel", .op = OP_RESIZE, .h = 5, .w = 3, .c = 3, .out_h = 7, .out_w = 8, .mode = RESIZE_NEAREST, .half_pixel = true},
    {.name = "nearest align", .op = OP_RESIZE, .h = 5, .w = 3, .c = 24, .out_h = 7, .out_w = 8, .mode = RESIZE_NEAREST, .align_corners = true},
    {.name = "bilinear up 2", .op = OP_RESIZE, .h = 3, .w = 4, .c = 5, .out_h = 6, .out_w = 8, .mode = RESIZE_BILINEAR},
    {.name = "bilinear odd", .op = OP_RESIZE, .h = 5, .w = 7, .c = 129, .out_h = 3, .out_w = 11, .mode = RESIZE_BILINEAR},
    {.name = "bilinear half pixel", .op = OP_RESIZE, .h = 5, .w = 7, .c = 8, .out_h = 13, .out_w = 3, .mode = RESIZE_BILINEAR, .half_pixel = true},
    {.name = "bilinear align", .op = OP_RESIZE, .h = 5, .w = 7, .c = 3, .out_h = 9, .out_w = 13, .mode = RESIZE_BILINEAR, .align_corners = true},
    {.name = "bilinear align to one", .op = OP_RESIZE, .h = 5, .w = 7, .c = 8, .out_h = 1, .out_w = 1, .mode = RESIZE_BILINEAR, .align_corners = true},
    {.name = "bilinear from one", .op = OP_RESIZE, .h = 1, .w = 1, .c = 24, .out_h = 5, .out_w = 4, .mode = RESIZE_BILINEAR},

    {.name = "add", .op = OP_ADD, .h = 5, .w = 3, .c = 8, .other = {5, 3, 8, false}, .act = LINEAR},
    {.name = "add odd relu", .op = OP_ADD, .h = 3, .w = 1, .c = 5, .other = {3, 1, 5, false}, .act = RELU},
    {.name = "add channel", .op = OP_ADD, .h = 4, .w = 3, .c = 24, .other = {1, 1, 24, false}, .act = LINEAR},
    {.name = "add pixel", .op = OP_ADD, .h = 4, .w = 3, .c = 129, .other = {4, 3, 1, false}, .act = SIGMOID},
    {.name = "add row to map", .op = OP_ADD, .h = 4, .w = 3, .c = 5, .other = {1, 3, 5, true}, .act = LINEAR},
    {.name = "multiply", .op = OP_MULTIPLY, .h = 5, .w = 3, .c = 64, .other = {5, 3, 64, false}, .act = LINEAR},
    {.name = "multiply channel", .op = OP_MULTIPLY, .h = 4, .w = 3, .c = 5, .other = {1, 1, 5, true}, .act = RELU6},
    {.name = "multiply column", .op = OP_MULTIPLY, .h = 4, .w = 3, .c = 8, .other = {4, 1, 8, false}, .act = LINEAR},
    {.name = "multiply number", .op = OP_MULTIPLY, .h = 4, .w = 3, .c = 3, .other = {1, 1, 1, false}, .act = TANH},

    {.name = "concat rows", .op = OP_CONCAT, .h = 3, .w = 4, .c = 5, .other = {2, 4, 5, false}, .axis = 0},
    {.name = "concat columns", .op = OP_CONCAT, .h = 3, .w = 4, .c = 8, .other = {3, 1, 8, true}, .axis = 1},
    {.name = "concat channels", .op = OP_CONCAT, .h = 3, .w = 4, .c = 8, .other = {3, 4, 24, false}, .axis = 2},
    {.name = "concat odd channels", .op = OP_CONCAT, .h = 3, .w = 4, .c = 5, .other = {3, 4, 3, false}, .axis = 2},
    {.name = "concat channels, fours and odd", .op = OP_CONCAT, .h = 2, .w = 3, .c = 4, .other = {2, 3, 1, true}, .axis = 2},

    {.name = "reshape odd", .op = OP_RESHAPE, .h = 5, .w = 7, .c = 3, .out_rank = 3, .out_h = 7, .out_w = 3, .out_c = 5},
    {.name = "reshape fours", .op = OP_RESHAPE, .h = 4, .w = 3, .c = 8, .out_rank = 2, .out_w = 24, .out_c = 4},
    {.name = "flatten", .op = OP_RESHAPE, .h = 3, .w = 3, .c = 5, .out_rank = 1, .out_c = 45},
    {.name = "permute 0 2 1", .op = OP_PERMUTE, .h = 3, .w = 4, .c = 5, .permutation = {0, 2, 1}},
    {.name = "permute 1 0 2", .op = OP_PERMUTE, .h = 3, .w = 4, .c = 8, .permutation = {1, 0, 2}},
    {.name = "permute 1 2 0", .op = OP_PERMUTE, .h = 3, .w = 4, .c = 5, .permutation = {1, 2, 0}},
    {.name = "permute 2 0 1", .op = OP_PERMUTE, .h = 3, .w = 4, .c = 24, .permutation = {2, 0, 1}},
    {.name = "permute 2 1 0", .op = OP_PERMUTE, .h = 3, .w = 4, .c = 5, .permutation = {2, 1, 0}},
    {.name = "permute rows", .op = OP_PERMUTE, .rank = 2, .w = 6, .c = 7, .permutation = {1, 0}},
};
/* clang-format on */

const size_t kernel_case_count = sizeof kernel_cases / sizeof *kernel_cases;

static uint32_t or_one(uint32_t x)
{
    return x ? x : 1;
}

/* uniform in -1 .. 1; the same on every machine */
static float noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*state >> 40) * (1.0f / 8388608.0f) - 1.0f;
}

static status weight_add(graph *g, uint64_t *state, shape s, float low, float scale, int *out,
                         error *err)
{
    const uint64_t n = shape_elements(s);
    float *data = region_allocate(g->memory, n, sizeof *data);
    if (!data) {
        return error_set(err, STATUS_MEMORY, "out of memory for weights");
    }
    for (uint64_t i = 0; i < n; i++) {
        data[i] = low + scale * noise(state);
    }
    return graph_add_weight(g, "weight", s, data, out, err);
}

/* adds a node of one input and one output; *v becomes its output */
static status unary_add(graph *g, node n, int *v, error *err)
{
    int in = *v, index = 0;
    n.input_count = n.output_count = n.act_count = 1;
    n.inputs = &in;
    const status s = graph_add_node(g, &n, &index, err);
    if (!s) {
        *v = g->nodes[index].outputs[0];
    }
    return s;
}

/* rows `from` .. of the input, its first columns, as a value of the given shape */
static status input_part(graph *g, uint32_t from, uint32_t rows, uint32_t columns, shape wanted,
                         int *out, error *err)
{
    const shape all = g->values[g->input].shape;
    int v = g->input;
    status s = STATUS_OK;
    if (rows != all.dim[0] || columns != all.dim[1]) {
        node crop = {.op = OP_CROP, .name = "part"};
        crop.attributes.border.top = from;
        crop.attributes.border.bottom = all.dim[0] - from - rows;
        crop.attributes.border.right = all.dim[1] - columns;
        s = unary_add(g, crop, &v, err);
    }
    if (!s && !shape_equal(g->values[v].shape, wanted)) {
        node reshape = {.op = OP_RESHAPE, .name = "shaped"};
        reshape.attributes.target = wanted;
        s = unary_add(g, reshape, &v, err);
    }
    *out = v;
    return s;
}

static window case_window(const kernel_case *c)
{
    window w = {
        .kernel_h = c->kernel_h,
        .kernel_w = c->kernel_w ? c->kernel_w : c->kernel_h,
        .stride_h = or_one(c->stride),
        .stride_w = or_one(c->stride),
        .dilation_h = or_one(c->dilation),
        .dilation_w = or_one(c->dilation),
    };
    if (c->same) {
        window_pad_same(&w, c->h, c->w);
    }
    return w;
}

/* What a convolution adds to its map: the input's first channel, resized and in as many channels as
 * wanted, each weighted differently. */
static status added_make(graph *g, const kernel_case *c, uint64_t *state, int x, shape wanted,
                         int *out, error *err)
{
    int weights[] = {GRAPH_NONE, GRAPH_NONE};
    node resize = {.op = OP_RESIZE, .name = "added size"};
    resize.attributes.resize.height = wanted.dim[0];
    resize.attributes.resize.width = wanted.dim[1];
    resize.attributes.resize.half_pixel = true;
    resize.attributes.resize.mode = RESIZE_BILINEAR;
    node widen = {.op = OP_DENSE, .name = "added", .weight_count = 2, .weights = weights};
    *out = x;
    status s =
        weight_add(g, state, (shape){2, {c->c, wanted.dim[2]}}, 0.0f, 1.0f, &weights[0], err);
    if (!s) {
        s = unary_add(g, resize, out, err);
    }
    return s ? s : unary_add(g, widen, out, err);
}

static status conv_add(graph *g, const kernel_case *c, uint64_t *state, int x, error *err)
{
    const int branches = c->branches ? c->branches : 1;
    int inputs[CONV2D_MAX_BRANCHES + 1], weights[2 * CONV2D_MAX_BRANCHES];
    int outputs[2 * CONV2D_MAX_BRANCHES];
    activation act[CONV2D_MAX_BRANCHES];
    const window w = case_window(c);
    window pool = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
    pool.dilation_h = pool.dilation_w = 1;
    uint32_t map_h = 0, map_w = 0;
    if (!window_output(&w, c->h, c->w, &map_h, &map_w)) {
        return error_set(err, STATUS_ARGUMENT, "%s: the window does not fit", c->name);
    }
    if (c->pool_same) {
        window_pad_same(&pool, map_h, map_w);
    }
    status s = STATUS_OK;
    for (int b = 0; !s && b < branches; b++) {
        act[b] = c->act;
        act[b].kind = (activation_kind)(((int)c->act.kind + b) % ACTIVATION_COUNT);
        inputs[b] = x;
        if (c->own_inputs && b) {
            activation bend = {ACTIVATION_ELU, 0.25f * (float)b, 0.0f, INFINITY};
            node n = {.op = OP_ACTIVATION, .name = "own", .act = &bend};
            s = unary_add(g, n, &inputs[b], err);
        }
        const shape kernel = {4, {w.kernel_h, w.kernel_w, c->c / or_one(c->groups), c->filters[b]}};
        if (!s) {
            s = weight_add(g, state, kernel, 0.0f, 0.25f, &weights[2 * b], err);
        }
        weights[2 * b + 1] = GRAPH_NONE;
        if (!s && !c->no_bias) {
            s = weight_add(g, state, (shape){1, {c->filters[b]}}, 0.0f, 1.0f, &weights[2 * b + 1],
                           err);
        }
        outputs[2 * b] = c->pooled && !c->map ? GRAPH_NONE : 0;
        outputs[2 * b + 1] = c->pooled ? 0 : GRAPH_NONE;
    }
    node n = {.op = OP_CONV2D,
              .name = c->name,
              .input_count = branches,
              .output_count = 2 * branches,
              .weight_count = 2 * branches,
              .act_count = branches,
              .inputs = inputs,
              .outputs = outputs,
              .weights = weights,
              .act = act};
    n.attributes.conv =
        (conv2d_attributes){w, or_one(c->groups), c->pooled, pool, branches, c->repeat};
    if (!s && c->repeat) {
        const shape whole = {3, {map_h * c->repeat, map_w * c->repeat, c->filters[0]}};
        s = added_make(g, c, state, x, whole, &inputs[branches], err);
        n.input_count++;
    }
    int index = 0;
    return s ? s : graph_add_node(g, &n, &index, err);
}

/* operators with weights, but for convolution */
static status weighted_add(graph *g, const kernel_case *c, uint64_t *state, int x, error *err)
{
    int weights[4] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    activation act = c->act;
    node n = {.op = c->op, .name = c->name, .weights = weights, .act = &act, .weight_count = 2};
    const uint32_t multiplier = or_one(c->multiplier);
    uint32_t channels = c->filters[0];
    status s = STATUS_OK;
    if (c->op == OP_DEPTHWISE) {
        const window w = case_window(c);
        channels = c->c * multiplier;
        n.attributes.depthwise.window = w;
        n.attributes.depthwise.multiplier = multiplier;
        s = weight_add(g, state, (shape){4, {w.kernel_h, w.kernel_w, c->c, multiplier}}, 0.0f, 1.0f,
                       &weights[0], err);
    } else if (c->op == OP_DENSE) {
        s = weight_add(g, state, (shape){2, {c->c, channels}}, 0.0f, 0.25f, &weights[0], err);
    } else if (c->op == OP_BATCH_NORM) {
        n.weight_count = 4;
        n.attributes.epsilon = 1e-3f;
        channels = c->c;
        s = weight_add(g, state, (shape){1, {channels}}, 0.0f, 1.0f, &weights[2], err);
        if (!s) {
            s = weight_add(g, state, (shape){1, {channels}}, 1.0f, 0.75f, &weights[3], err);
        }
        if (!s && !c->no_bias) {
            s = weight_add(g, state, (shape){1, {channels}}, 1.0f, 0.5f, &weights[0], err);
        }
    } else {
        n.weight_count = 1;
        return (s = weight_add(g, state, (shape){3, {c->other.h, c->other.w, c->other.c}}, 0.25f,
                               0.5f, &weights[0], err))
                   ? s
                   : unary_add(g, n, &x, err);
    }
    if (!s && !c->no_bias) {
        s = weight_add(g, state, (shape){1, {channels}}, 0.0f, 1.0f, &weights[1], err);
    }
    return s ? s : unary_add(g, n, &x, err);
}

static status plain_add(graph *g, const kernel_case *c, int x, int other, error *err)
{
    int inputs[2] = {c->other.first ? other : x, c->other.first ? x : other};
    activation act = c->act;
    node n = {.op = c->op,
              .name = c->name,
              .input_count = other == GRAPH_NONE ? 1 : 2,
              .output_count = 1,
              .act_count = 1,
              .inputs = inputs,
              .act = &act};
    switch (c->op) {
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        n.attributes.pool = case_window(c);
        break;
    case OP_ZERO_PAD:
    case OP_CROP:
        n.attributes.border.top = c->border[0];
        n.attributes.border.left = c->border[1];
        n.attributes.border.bottom = c->border[2];
        n.attributes.border.right = c->border[3];
        break;
    case OP_RESIZE:
        n.attributes.resize.mode = c->mode;
        n.attributes.resize.align_corners = c->align_corners;
        n.attributes.resize.half_pixel = c->half_pixel;
        n.attributes.resize.height = c->out_h;
        n.attributes.resize.width = c->out_w;
        break;
    case OP_CONCAT:
        n.attributes.axis = c->axis;
        break;
    case OP_RESHAPE:
        n.attributes.target =
            shape_make(c->out_rank, (uint32_t[3]){c->out_h, c->out_w, c->out_c} + 3 - c->out_rank);
        break;
    case OP_PERMUTE:
        for (int i = 0; i < 3; i++) {
            n.attributes.permutation[i] = c->permutation[i];
        }
        break;
    default:
        break;
    }
    int index = 0;
    return graph_add_node(g, &n, &index, err);
}

static status case_fill(graph *g, const kernel_case *c, uint64_t seed, error *err)
{
    const uint32_t rank = c->rank ? c->rank : 3;
    const uint32_t h = or_one(c->h), w = or_one(c->w);
    const bool two = c->op == OP_ADD || c->op == OP_MULTIPLY || c->op == OP_CONCAT;
    const uint32_t other_columns = two ? c->other.w * c->other.c : 0;
    const uint32_t columns = w * c->c > other_columns ? w * c->c : other_columns;
    const uint32_t rows = h + (two ? c->other.h : 0);
    uint64_t state = seed;
    int x = GRAPH_NONE, other = GRAPH_NONE;
    status s = graph_add_value(g, "input", (shape){3, {rows, columns, 1}}, &g->input, err);
    if (!s) {
        s = input_part(g, 0, h, w * c->c, shape_make(rank, (uint32_t[3]){h, w, c->c} + 3 - rank),
                       &x, err);
    }
    if (!s && two) {
        s = input_part(g, h, c->other.h, other_columns,
                       (shape){3, {c->other.h, c->other.w, c->other.c}}, &other, err);
    }
    if (s) {
        return s;
    }
    switch (c->op) {
    case OP_CONV2D:
        s = conv_add(g, c, &state, x, err);
        break;
    case OP_DEPTHWISE:
    case OP_DENSE:
    case OP_BATCH_NORM:
    case OP_PRELU:
        s = weighted_add(g, c, &state, x, err);
        break;
    default:
        s = plain_add(g, c, x, other, err);
        break;
    }
    if (s) {
        return s;
    }
    const node *last = &g->nodes[g->node_count - 1];
    int outputs[2 * CONV2D_MAX_BRANCHES];
    size_t count = 0;
    for (int i = 0; i < last->output_count; i++) {
        if (last->outputs[i] != GRAPH_NONE) {
            outputs[count++] = last->outputs[i];
        }
    }
    s = graph_set_outputs(g, outputs, count, err);
    return s ? s : graph_validate(g, err);
}

status kernel_case_build(const kernel_case *c, const allocator *a, uint64_t seed, graph **out,
                         error *err)
{
    graph *g = NULL;
    *out = NULL;
    status s = graph_create(a, &g, err);
    if (!s) {
        s = case_fill(g, c, seed, err);
    }
    if (s) {
        graph_destroy(g);
        (void)error_prefix(err, "%s: ", c->name);
        return s;
    }
    *out = g;
    return STATUS_OK;
}
