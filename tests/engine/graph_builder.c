/* Graphs for tests: see graph_builder.h. */
#include "tests/engine/graph_builder.h"

#include "engine/reference.h"

static float dyadic(test_random *r, float high)
{
    /* halves of `high`, a power of two: few digits, so that sums over several layers stay exact */
    return high * 0.5f * (float)((int)(test_random_u32(r) % 5) - 2);
}

builder builder_make(uint64_t seed, uint32_t height, uint32_t width, uint32_t channels)
{
    error err = {0};
    builder b = {.random = test_random_seed(seed)};
    assert_status_ok(graph_create(&allocator_default, &b.g, &err), err);
    uint32_t dim[] = {height, width, channels};
    assert_status_ok(graph_add_value(b.g, "input", shape_make(3, dim), &b.g->input, &err), err);
    return b;
}

void builder_outputs(builder *b, int count, const int *values)
{
    error err = {0};
    assert_status_ok(graph_set_outputs(b->g, values, (size_t)count, &err), err);
    assert_status_ok(graph_validate(b->g, &err), err);
}

shape builder_shape(const builder *b, int v)
{
    return b->g->values[v].shape;
}

static int add_weight(builder *b, shape s, const float *data)
{
    error err = {0};
    char name[32];
    int index = GRAPH_NONE;
    (void)snprintf(name, sizeof name, "w%zu", b->g->weight_count);
    assert_status_ok(graph_add_weight(b->g, name, s, data, &index, &err), err);
    return index;
}

int build_weight(builder *b, shape s, float high)
{
    size_t n = (size_t)shape_elements(s);
    float *data = region_allocate(b->g->memory, n, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        data[i] = dyadic(&b->random, high);
    }
    return add_weight(b, s, data);
}

int build_node(builder *b, node *n)
{
    error err = {0};
    char name[48];
    int index;
    (void)snprintf(name, sizeof name, "%s_%d", op_name(n->op), b->names++);
    n->name = name;
    assert_status_ok(graph_add_node(b->g, n, &index, &err), err);
    n->name = NULL;
    return b->g->nodes[index].outputs[0];
}

static uint32_t at_least_one(uint32_t x)
{
    return x ? x : 1;
}

int build_conv(builder *b, int in, uint32_t filters, conv_options o)
{
    shape s = builder_shape(b, in);
    uint32_t groups = at_least_one(o.groups), kernel = at_least_one(o.kernel);
    uint32_t dim[] = {kernel, kernel, s.dim[2] / groups, filters};
    int weights[] = {build_weight(b, shape_make(4, dim), 1.0f), GRAPH_NONE};
    if (o.bias) {
        weights[1] = build_weight(b, shape_make(1, &filters), 1.0f);
    }
    node n = {.op = OP_CONV2D,
              .input_count = 1,
              .inputs = &in,
              .weight_count = 2,
              .weights = weights,
              .attributes.conv = {.groups = groups, .branches = 1}};
    window *w = &n.attributes.conv.window;
    *w = (window){.kernel_h = kernel,
                  .kernel_w = kernel,
                  .stride_h = at_least_one(o.stride),
                  .stride_w = at_least_one(o.stride),
                  .dilation_h = at_least_one(o.dilation),
                  .dilation_w = at_least_one(o.dilation)};
    if (!o.valid) {
        window_pad_same(w, s.dim[0], s.dim[1]);
    }
    return build_node(b, &n);
}

int build_depthwise(builder *b, int in, uint32_t kernel, uint32_t multiplier)
{
    shape s = builder_shape(b, in);
    uint32_t dim[] = {kernel, kernel, s.dim[2], multiplier};
    int weights[] = {build_weight(b, shape_make(4, dim), 1.0f), GRAPH_NONE};
    node n = {.op = OP_DEPTHWISE,
              .input_count = 1,
              .inputs = &in,
              .weight_count = 2,
              .weights = weights,
              .attributes.depthwise = {.multiplier = multiplier}};
    n.attributes.depthwise.window = (window){kernel, kernel, 1, 1, 1, 1, 0, 0, 0, 0};
    window_pad_same(&n.attributes.depthwise.window, s.dim[0], s.dim[1]);
    return build_node(b, &n);
}

int build_dense(builder *b, int in, uint32_t units, bool bias)
{
    shape s = builder_shape(b, in);
    uint32_t dim[] = {s.dim[s.rank - 1], units};
    int weights[] = {build_weight(b, shape_make(2, dim), 1.0f), GRAPH_NONE};
    if (bias) {
        weights[1] = build_weight(b, shape_make(1, &units), 1.0f);
    }
    node n = {.op = OP_DENSE, .input_count = 1, .inputs = &in, .weight_count = 2};
    n.weights = weights;
    return build_node(b, &n);
}

int build_batch_norm(builder *b, int in, bool gamma, bool beta)
{
    shape s = builder_shape(b, in);
    uint32_t channels = s.dim[s.rank - 1];
    shape vector = shape_make(1, &channels);
    float *variance = region_allocate(b->g->memory, channels, sizeof *variance);
    assert_non_null(variance);
    for (uint32_t c = 0; c < channels; c++) {
        /* with epsilon 1/4 the standard deviation is 1/2, 1 or 2 */
        static const float choices[] = {0.0f, 0.75f, 3.75f};
        variance[c] = choices[test_random_u32(&b->random) % 3];
    }
    int weights[] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    weights[0] = gamma ? build_weight(b, vector, 1.0f) : GRAPH_NONE;
    weights[1] = beta ? build_weight(b, vector, 2.0f) : GRAPH_NONE;
    weights[2] = build_weight(b, vector, 2.0f);
    weights[3] = add_weight(b, vector, variance);
    node n = {.op = OP_BATCH_NORM, .input_count = 1, .inputs = &in, .weight_count = 4};
    n.weights = weights;
    n.attributes.epsilon = 0.25f;
    return build_node(b, &n);
}

int build_activation(builder *b, int in, activation_kind kind)
{
    activation a = {kind, 0.0f, 0.0f, INFINITY};
    if (kind == ACTIVATION_RELU && test_random_u32(&b->random) % 2) {
        a.slope = 0.5f;
        a.limit = 6.0f;
    }
    if (kind == ACTIVATION_ELU) {
        a.slope = 1.0f;
    }
    node n = {.op = OP_ACTIVATION, .input_count = 1, .inputs = &in, .act_count = 1, .act = &a};
    return build_node(b, &n);
}

int build_pool(builder *b, op kind, int in, uint32_t kernel, bool same)
{
    shape s = builder_shape(b, in);
    node n = {.op = kind, .input_count = 1, .inputs = &in};
    n.attributes.pool = (window){kernel, kernel, 2, 2, 1, 1, 0, 0, 0, 0};
    if (same) {
        window_pad_same(&n.attributes.pool, s.dim[0], s.dim[1]);
    }
    return build_node(b, &n);
}

int build_binary(builder *b, op kind, int first, int second)
{
    int inputs[] = {first, second};
    node n = {.op = kind, .input_count = 2, .inputs = inputs};
    return build_node(b, &n);
}

int build_concat(builder *b, const int *in, int count, uint32_t axis)
{
    int inputs[64];
    memcpy(inputs, in, (size_t)count * sizeof *in);
    node n = {.op = OP_CONCAT, .input_count = count, .inputs = inputs, .attributes.axis = axis};
    return build_node(b, &n);
}

int build_reshape(builder *b, int in, shape target)
{
    node n = {.op = OP_RESHAPE, .input_count = 1, .inputs = &in, .attributes.target = target};
    return build_node(b, &n);
}

int build_rows(builder *b, int in, uint32_t columns)
{
    uint32_t dim[] = {(uint32_t)shape_elements(builder_shape(b, in)) / columns, columns};
    return build_reshape(b, in, shape_make(2, dim));
}

int build_pad(builder *b, int in, uint32_t top, uint32_t left, uint32_t bottom, uint32_t right)
{
    node n = {.op = OP_ZERO_PAD,
              .input_count = 1,
              .inputs = &in,
              .attributes.border = {top, left, bottom, right}};
    return build_node(b, &n);
}

int build_permute(builder *b, int in, uint32_t first, uint32_t second, uint32_t third)
{
    node n = {.op = OP_PERMUTE,
              .input_count = 1,
              .inputs = &in,
              .attributes.permutation = {first, second, third}};
    return build_node(b, &n);
}

float *run_outputs(const graph *g, uint64_t seed, size_t *count)
{
    error err = {0};
    reference_values values;
    test_random random = test_random_seed(seed);
    assert_status_ok(reference_values_create(g, &allocator_default, &values, &err), err);
    for (size_t v = 0; v < g->value_count; v++) {
        size_t n = (size_t)shape_elements(g->values[v].shape);
        for (size_t i = 0; g->values[v].base == GRAPH_NONE && i < n; i++) {
            values.data[v][i] = NAN;
        }
    }
    size_t inputs = (size_t)shape_elements(g->values[g->input].shape);
    for (size_t i = 0; i < inputs; i++) {
        values.data[g->input][i] = dyadic(&random, 2.0f);
    }
    assert_status_ok(reference_run(g, &values, &err), err);
    size_t total = 0;
    for (size_t o = 0; o < g->output_count; o++) {
        total += (size_t)shape_elements(g->values[g->outputs[o]].shape);
    }
    float *all = malloc((total + 1) * sizeof *all);
    assert_non_null(all);
    *count = 0;
    for (size_t o = 0; o < g->output_count; o++) {
        size_t n = (size_t)shape_elements(g->values[g->outputs[o]].shape);
        memcpy(all + *count, values.data[g->outputs[o]], n * sizeof *all);
        *count += n;
    }
    reference_values_destroy(&values);
    return all;
}

void assert_same_outputs(const graph *expected, const graph *got, uint64_t seed)
{
    assert_int_equal(expected->output_count, got->output_count);
    for (size_t o = 0; o < expected->output_count; o++) {
        const value *x = &expected->values[expected->outputs[o]];
        const value *y = &got->values[got->outputs[o]];
        assert_true(shape_equal(x->shape, y->shape));
        assert_string_equal(x->name, y->name);
    }
    size_t n, m;
    float *a = run_outputs(expected, seed, &n), *b = run_outputs(got, seed, &m);
    assert_int_equal(n, m);
    for (size_t i = 0; i < n; i++) {
        if (!(a[i] == b[i])) {
            fail_msg("seed %llu, element %zu of %zu: %.9g, was %.9g", (unsigned long long)seed, i,
                     n, (double)b[i], (double)a[i]);
        }
    }
    free(a);
    free(b);
}
