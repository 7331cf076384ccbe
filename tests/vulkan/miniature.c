/* A detector in miniature. */
#include "tests/vulkan/miniature.h"

#include <math.h>

enum { HEIGHT = 20, WIDTH = 24, BOXES = 2, CLASSES = 3, SCALES = 2 };

/* The first error ends all: every call after it does nothing. */
typedef struct builder {
    graph *g;
    uint64_t state;
    status s;
    error *err;
} builder;

static float noise(builder *b)
{
    b->state = b->state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(b->state >> 40) * (1.0f / 8388608.0f) - 1.0f;
}

static int add_weight(builder *b, shape s, float middle, float spread)
{
    int w = GRAPH_NONE;
    if (b->s) {
        return w;
    }
    const uint64_t n = shape_elements(s);
    float *data = region_allocate(b->g->memory, n, sizeof *data);
    if (!data) {
        b->s = error_set(b->err, STATUS_MEMORY, "out of memory for weights");
        return w;
    }
    for (uint64_t i = 0; i < n; i++) {
        data[i] = middle + spread * noise(b);
    }
    b->s = graph_add_weight(b->g, "weight", s, data, &w, b->err);
    return w;
}

static int add_node(builder *b, node n)
{
    int index = 0;
    if (b->s) {
        return GRAPH_NONE;
    }
    if (n.op != OP_CONV2D) {
        n.output_count = 1;
    }
    n.act_count = 1;
    b->s = graph_add_node(b->g, &n, &index, b->err);
    return b->s ? GRAPH_NONE : b->g->nodes[index].outputs[0];
}

static int add_unary(builder *b, const char *name, op o, int x, activation *act)
{
    return add_node(b, (node){.op = o, .name = name, .input_count = 1, .inputs = &x, .act = act});
}

static int add_conv(builder *b, const char *name, int x, uint32_t filters)
{
    if (b->s) {
        return GRAPH_NONE;
    }
    const shape in = b->g->values[x].shape;
    window w = {.kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1};
    w.dilation_h = w.dilation_w = 1;
    window_pad_same(&w, in.dim[0], in.dim[1]);
    int weights[2] = {add_weight(b, (shape){4, {3, 3, in.dim[2], filters}}, 0.0f, 0.3f),
                      add_weight(b, (shape){1, {filters}}, 0.0f, 0.5f)};
    node n = {.op = OP_CONV2D,
              .name = name,
              .input_count = 1,
              .output_count = 2,
              .weight_count = 2,
              .inputs = &x,
              .weights = weights};
    n.attributes.conv.window = w;
    n.attributes.conv.groups = 1;
    n.attributes.conv.branches = 1;
    return add_node(b, n);
}

static int add_block(builder *b, const char *name, int x, uint32_t filters)
{
    activation relu = activation_relu;
    x = add_conv(b, name, x, filters);
    int weights[4] = {add_weight(b, (shape){1, {filters}}, 1.0f, 0.25f),
                      add_weight(b, (shape){1, {filters}}, 0.0f, 0.25f),
                      add_weight(b, (shape){1, {filters}}, 0.0f, 0.5f),
                      add_weight(b, (shape){1, {filters}}, 1.0f, 0.5f)};
    node norm = {.op = OP_BATCH_NORM,
                 .name = name,
                 .input_count = 1,
                 .weight_count = 4,
                 .inputs = &x,
                 .weights = weights};
    norm.attributes.epsilon = 1e-3f;
    x = add_node(b, norm);
    return add_unary(b, name, OP_ACTIVATION, x, &relu);
}

static int add_pool(builder *b, const char *name, int x)
{
    node n = {.op = OP_MAX_POOL, .name = name, .input_count = 1, .inputs = &x};
    window w = {.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
    w.dilation_h = w.dilation_w = 1;
    if (!b->s) {
        window_pad_same(&w, b->g->values[x].shape.dim[0], b->g->values[x].shape.dim[1]);
    }
    n.attributes.pool = w;
    return add_node(b, n);
}

/* one row an anchor */
static int add_head(builder *b, const char *name, int x, uint32_t columns)
{
    x = add_conv(b, name, x, BOXES * columns);
    node n = {.op = OP_RESHAPE, .name = name, .input_count = 1, .inputs = &x};
    if (!b->s) {
        const shape in = b->g->values[x].shape;
        n.attributes.target = (shape){2, {in.dim[0] * in.dim[1] * BOXES, columns}};
    }
    return add_node(b, n);
}

static int add_concat(builder *b, const char *name, int *parts)
{
    return add_node(b,
                    (node){.op = OP_CONCAT, .name = name, .input_count = SCALES, .inputs = parts});
}

static void add_anchors(builder *b, detector_head *head)
{
    static const anchor_spec spec = {
        .combine = ANCHORS_FIRST,
        .level_count = SCALES,
        .levels = {{10, 12, 1, 2, {0.2}, {1.0, 0.6}}, {5, 6, 1, 2, {0.5}, {1.0, 0.6}}},
    };
    const uint64_t count = anchors_count(&spec);
    float *corners = b->s ? NULL : region_allocate(b->g->memory, count * 4, sizeof *corners);
    if (!b->s && !corners) {
        b->s = error_set(b->err, STATUS_MEMORY, "out of memory for anchors");
    }
    if (b->s) {
        return;
    }
    anchors_generate(&spec, corners);
    *head = (detector_head){.loc_output = 0,
                            .score_output = 1,
                            .anchor_count = (uint32_t)count,
                            .class_count = CLASSES,
                            .background = 0,
                            .variance = {0.1f, 0.1f, 0.2f, 0.2f},
                            .anchors = corners};
}

status miniature_build(const allocator *a, uint64_t seed, graph **out, detector_head *head,
                       error *err)
{
    builder b = {.state = seed, .err = err};
    int loc[SCALES], scores[SCALES], outputs[2];
    activation sigmoid = {ACTIVATION_SIGMOID, 0.0f, 0.0f, INFINITY};
    *out = NULL;
    b.s = graph_create(a, &b.g, err);
    if (!b.s) {
        b.s = graph_add_value(b.g, "input", (shape){3, {HEIGHT, WIDTH, 3}}, &b.g->input, err);
    }
    int x = b.s ? GRAPH_NONE : b.g->input;
    x = add_pool(&b, "pool1", add_block(&b, "block1", x, 8));
    x = add_block(&b, "block2", x, 16);
    loc[0] = add_head(&b, "loc1", x, 4);
    scores[0] =
        add_unary(&b, "scores1", OP_ACTIVATION, add_head(&b, "scores1", x, CLASSES), &sigmoid);
    x = add_block(&b, "block3", add_pool(&b, "pool2", x), 24);
    loc[1] = add_head(&b, "loc2", x, 4);
    scores[1] =
        add_unary(&b, "scores2", OP_ACTIVATION, add_head(&b, "scores2", x, CLASSES), &sigmoid);
    outputs[0] = add_concat(&b, "loc", loc);
    outputs[1] = add_concat(&b, "scores", scores);
    if (!b.s) {
        b.s = graph_set_outputs(b.g, outputs, 2, err);
    }
    add_anchors(&b, head);
    if (b.s) {
        graph_destroy(b.g);
        return b.s;
    }
    *out = b.g;
    return STATUS_OK;
}
