/* Small graphs run by the reference. */
#include "tests/engine/reference_case.h"

static const float poison = NAN;

void case_begin(reference_case *c, uint64_t seed)
{
    error err;
    *c = (reference_case){.seed = seed, .random = test_random_seed(seed)};
    assert_status_ok(graph_create(&allocator_default, &c->graph, &err), err);
}

int case_value(reference_case *c, shape s)
{
    error err;
    int v = GRAPH_NONE;
    assert_status_ok(graph_add_value(c->graph, "value", s, &v, &err), err);
    return v;
}

int case_constant(reference_case *c, shape s, const float *data)
{
    error err;
    int w = GRAPH_NONE;
    assert_status_ok(graph_add_weight(c->graph, "weight", s, data, &w, &err), err);
    return w;
}

int case_weight(reference_case *c, shape s, float low, float high)
{
    size_t count = (size_t)shape_elements(s);
    float *data = region_allocate(c->graph->memory, count, sizeof *data);
    assert_non_null(data);
    for (size_t i = 0; i < count; i++) {
        data[i] = test_random_float(&c->random, low, high);
    }
    return case_constant(c, s, data);
}

int case_node(reference_case *c, const node *n)
{
    error err;
    int index = GRAPH_NONE;
    node named = *n;
    named.name = "node";
    assert_status_ok(graph_add_node(c->graph, &named, &index, &err), err);
    return index;
}

int case_output(reference_case *c, const node *n)
{
    int index = case_node(c, n);
    return c->graph->nodes[index].outputs[0];
}

float *case_data(reference_case *c, int v)
{
    return c->values.data[v];
}

size_t case_count(reference_case *c, int v)
{
    return (size_t)shape_elements(c->graph->values[v].shape);
}

void case_prepare(reference_case *c)
{
    error err;
    assert_status_ok(reference_values_create(c->graph, &allocator_default, &c->values, &err), err);
    assert_status_ok(reference_values_create(c->graph, &allocator_default, &c->bound, &err), err);
    for (size_t v = 0; v < c->graph->value_count; v++) {
        for (size_t i = 0; i < case_count(c, (int)v); i++) {
            c->values.data[v][i] = test_random_float(&c->random, -1, 1);
            c->bound.data[v][i] = poison;
        }
    }
    for (size_t k = 0; k < c->graph->node_count; k++) {
        const node *n = &c->graph->nodes[k];
        for (int o = 0; o < n->output_count; o++) {
            for (size_t i = 0; n->outputs[o] != GRAPH_NONE && i < case_count(c, n->outputs[o]);
                 i++) {
                c->values.data[n->outputs[o]][i] = poison;
            }
        }
    }
}

void case_execute(reference_case *c)
{
    error err;
    for (size_t k = 0; k < c->graph->node_count; k++) {
        assert_status_ok(reference_run_node(c->graph, k, &c->values, &c->bound, &err), err);
        const node *n = &c->graph->nodes[k];
        for (int o = 0; o < n->output_count; o++) {
            for (size_t i = 0; n->outputs[o] != GRAPH_NONE && i < case_count(c, n->outputs[o]);
                 i++) {
                if (isnan(c->values.data[n->outputs[o]][i]) ||
                    !(c->bound.data[n->outputs[o]][i] > 0)) {
                    fail_msg("seed %llu: output %d, element %zu was not written",
                             (unsigned long long)c->seed, o, i);
                }
            }
        }
    }
}

void case_run(reference_case *c)
{
    case_prepare(c);
    case_execute(c);
}

void case_end(reference_case *c)
{
    reference_values_destroy(&c->values);
    reference_values_destroy(&c->bound);
    graph_destroy(c->graph);
    c->graph = NULL;
}

void case_expect(reference_case *c, int v, size_t i, double expected)
{
    double got = (double)c->values.data[v][i];
    if (!(fabs(got - expected) <= 1.2e-7 * fabs(expected) + 1e-13)) {
        fail_msg("seed %llu: value %d, element %zu is %.9g, expected %.9g",
                 (unsigned long long)c->seed, v, i, got, expected);
    }
}

void case_expect_bound(reference_case *c, int v, size_t i, double computed, double loosest)
{
    double reference = (double)c->values.data[v][i], bound = (double)c->bound.data[v][i];
    if (!(fabs(computed - reference) <= bound) || !(bound <= loosest)) {
        fail_msg("seed %llu: value %d, element %zu: %.9g against %.9g, off by %.3g, bound %.3g, "
                 "which should not exceed %.3g",
                 (unsigned long long)c->seed, v, i, computed, reference, fabs(computed - reference),
                 bound, loosest);
    }
}

shape shape1(uint32_t a)
{
    return shape_make(1, (const uint32_t[]){a});
}

shape shape2(uint32_t a, uint32_t b)
{
    return shape_make(2, (const uint32_t[]){a, b});
}

shape shape3(uint32_t a, uint32_t b, uint32_t c)
{
    return shape_make(3, (const uint32_t[]){a, b, c});
}

shape shape4(uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    return shape_make(4, (const uint32_t[]){a, b, c, d});
}

uint32_t random_between(test_random *r, uint32_t low, uint32_t high)
{
    return low + test_random_u32(r) % (high - low + 1);
}
