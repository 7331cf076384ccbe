/* The passes on a real detector: 87 layers, 28 of them convolutions, become 18 nodes that compute
 * the same boxes. */
#include "tests/support/test.h"

#include "engine/passes.h"
#include "engine/reference.h"
#include "models/model.h"

static graph *import_detector(const char *path)
{
    error err = {0};
    graph *g = NULL;
    card c = {.name = "detector", .detects = true};
    c.preprocess = (preprocess){.width = 260, .height = 260, .deviation = {255, 255, 255}};
    assert_status_ok(tfjs_import(&allocator_default, path, &c, &g, &err), err);
    assert_status_ok(graph_validate(g, &err), err);
    return g;
}

static void test_at_most_18_nodes(void **state)
{
    (void)state;
    graph *g = import_detector(REQUIRE_DATA("models/aizoo-260/tfjs/model.json"));
    error err = {0};
    uint64_t macs = 0, macs_before = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        macs_before += node_macs(g, &g->nodes[i]);
    }
    assert_status_ok(passes_run(g, &err), err);
    for (size_t i = 0; i < g->node_count; i++) {
        assert_int_equal(g->nodes[i].op, OP_CONV2D);
        macs += node_macs(g, &g->nodes[i]);
    }
    assert_true(g->node_count <= 18);
    assert_int_equal(macs, macs_before);
    assert_int_equal(g->output_count, 2);
    size_t written = 0;
    for (size_t v = 0; v < g->value_count; v++) {
        int base = g->values[v].base;
        assert_true(base == GRAPH_NONE || base == g->outputs[0] || base == g->outputs[1]);
        written += base != GRAPH_NONE;
    }
    assert_int_equal(written, 10);
    graph_destroy(g);
}

/* the outputs of g for one seeded picture */
static void run(const graph *g, reference_values *values)
{
    error err = {0};
    test_random r = test_random_seed(260);
    assert_status_ok(reference_values_create(g, &allocator_default, values, &err), err);
    for (size_t i = 0; i < (size_t)260 * 260 * 3; i++) {
        values->data[g->input][i] = test_random_float(&r, 0.0f, 1.0f);
    }
    assert_status_ok(reference_run(g, values, &err), err);
}

/* Folding moves one rounding a layer; over eight layers of some hundreds of terms that stays far
 * below the 1e-4 and 1e-5 to which detectors are compared. */
static void test_same_outputs(void **state)
{
    (void)state;
    graph *g = import_detector(REQUIRE_DATA("models/aizoo-260/tfjs/model.json"));
    static const double tolerance[] = {2e-5, 2e-6};
    reference_values before, after;
    error err = {0};
    graph *small = NULL;
    assert_status_ok(graph_clone(g, &allocator_default, &small, &err), err);
    assert_status_ok(passes_run(small, &err), err);
    run(g, &before);
    run(small, &after);
    assert_int_equal(g->output_count, 2);
    for (size_t o = 0; o < 2; o++) {
        const value *v = &g->values[g->outputs[o]];
        double worst = 0.0;
        for (uint64_t i = 0; i < shape_elements(v->shape); i++) {
            double a = (double)before.data[g->outputs[o]][i];
            double b = (double)after.data[small->outputs[o]][i];
            if (!(fabs(a - b) <= tolerance[o])) {
                fail_msg("%s, element %llu: %.9g, was %.9g", v->name, (unsigned long long)i, b, a);
            }
            worst = fabs(a - b) > worst ? fabs(a - b) : worst;
        }
        print_message("%s: at most %g apart\n", v->name, worst);
    }
    reference_values_destroy(&before);
    reference_values_destroy(&after);
    graph_destroy(small);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_most_18_nodes),
        cmocka_unit_test(test_same_outputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
