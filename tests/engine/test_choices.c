/* Candidates of tunable steps: each can be chosen, by every vendor's plan; a choice changes how a
 * step is computed and nothing else; a batch and a larger map get larger tiles. */
#include "tests/engine/graph_builder.h"
#include "tests/engine/plan_check.h"

#include "engine/passes.h"
#include "shaders/interface.h"

enum { MAX_CHOICES = 16 };

/* 3x3, depthwise, 1x1 and an activation of its own on a map of side x side */
static graph *layers(uint32_t side)
{
    builder b = builder_make(21, side, side, 8);
    int v = build_conv(&b, b.g->input, 32, (conv_options){.kernel = 3, .bias = true});
    v = build_depthwise(&b, v, 3, 1);
    v = build_conv(&b, v, 64, (conv_options){.kernel = 1, .bias = true});
    v = build_conv(&b, v, 12, (conv_options){.kernel = 3, .groups = 4, .bias = true});
    builder_outputs(&b, 1, &v);
    return b.g;
}

static plan *plan_for(const graph *g, const preprocess *pre, plan_vendor vendor, uint32_t batch,
                      const uint8_t *choices, size_t count)
{
    return make_plan(g, pre, NULL,
                     (plan_options){.target = {.vendor = vendor},
                                    .batch = batch,
                                    .choices = choices,
                                    .choice_count = count});
}

static void check_same_work(const plan *p, const plan *other)
{
    assert_int_equal(p->step_count, other->step_count);
    assert_int_equal(p->tunable_count, other->tunable_count);
    assert_int_equal(p->arena_words, other->arena_words);
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *a = &p->steps[i], *b = &other->steps[i];
        assert_int_equal(a->flops, b->flops);
        assert_int_equal(a->level, b->level);
        assert_int_equal(a->tunable, b->tunable);
        assert_int_equal(a->variant_count, b->variant_count);
    }
}

static void check_tunables(const plan *p)
{
    uint32_t found = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        const plan_step *s = &p->steps[i];
        assert_int_equal(s->variant_index, 0);
        if (s->tunable < 0) {
            assert_int_equal(s->variant_count, 1);
            continue;
        }
        assert_true(s->variant_count > 1 && s->tunable < (int)p->tunable_count);
        found |= 1u << s->tunable;
    }
    assert_int_equal(found, (1u << p->tunable_count) - 1);
    assert_true(p->tunable_count >= 3 && p->tunable_count <= MAX_CHOICES);
}

static void test_every_candidate(void **state)
{
    (void)state;
    graph *g = layers(20);
    const preprocess pre = preprocess_for(g);
    for (int vendor = VENDOR_UNKNOWN; vendor <= VENDOR_SOFTWARE; vendor++) {
        plan *first = plan_for(g, &pre, (plan_vendor)vendor, 0, NULL, 0);
        check_tunables(first);
        for (size_t i = 0; i < first->step_count; i++) {
            const plan_step *own = &first->steps[i];
            for (uint32_t k = 1; own->tunable >= 0 && k < own->variant_count; k++) {
                uint8_t choices[MAX_CHOICES] = {0};
                choices[own->tunable] = (uint8_t)k;
                plan *p = plan_for(g, &pre, (plan_vendor)vendor, 0, choices, MAX_CHOICES);
                check_plan(p);
                check_same_work(first, p);
                assert_int_equal(p->steps[i].variant_index, k);
                assert_string_not_equal(p->steps[i].variant, own->variant);
                assert_null(p->options.choices);
                plan_destroy(p);
            }
        }
        plan_destroy(first);
    }
    graph_destroy(g);
}

static void test_refused(void **state)
{
    (void)state;
    graph *g = layers(6);
    const preprocess pre = preprocess_for(g);
    const uint8_t choices[MAX_CHOICES] = {0, 200};
    plan *p = NULL;
    error err = {0};
    plan_options options = {.choices = choices, .choice_count = 2};
    assert_int_equal(plan_create(&allocator_default, g, &pre, NULL, &options, &p, &err),
                     STATUS_ARGUMENT);
    assert_null(p);
    assert_non_null(strstr(err.text, g->nodes[1].name));
    options.choice_count = 1; /* what is not chosen is the default */
    assert_status_ok(plan_create(&allocator_default, g, &pre, NULL, &options, &p, &err), err);
    plan_destroy(p);
    graph_destroy(g);
}

static uint32_t first_tile(const graph *g, plan_vendor vendor, uint32_t batch)
{
    const preprocess pre = preprocess_for(g);
    plan *p = plan_for(g, &pre, vendor, batch, NULL, 0);
    const uint32_t *c = find_step(p, "conv2d")->constants;
    const uint32_t size = c[SPEC_CONV2D_TILE_H] * c[SPEC_CONV2D_TILE_W] * c[SPEC_CONV2D_BLOCKS];
    plan_destroy(p);
    return size;
}

static void test_sizes(void **state)
{
    (void)state;
    graph *small = layers(8), *large = layers(200);
    for (int vendor = VENDOR_UNKNOWN; vendor < VENDOR_SOFTWARE; vendor++) {
        const uint32_t one = first_tile(small, (plan_vendor)vendor, 1);
        assert_true(one < first_tile(small, (plan_vendor)vendor, 1024));
        assert_true(one < first_tile(large, (plan_vendor)vendor, 1));
    }
    graph_destroy(small);
    graph_destroy(large);
}

/* blocks of four output channels in the tile of a convolution with its pool, side x side */
static uint32_t pooled_blocks(uint32_t side, plan_loads loads)
{
    builder b = builder_make(22, side, side, 3);
    error err = {0};
    int v = build_conv(&b, b.g->input, 16, (conv_options){.kernel = 3, .bias = true});
    v = build_activation(&b, v, ACTIVATION_RELU);
    v = build_pool(&b, OP_MAX_POOL, v, 2, true);
    builder_outputs(&b, 1, &v);
    assert_status_ok(passes_run(b.g, &err), err);
    const preprocess pre = preprocess_for(b.g);
    plan *p = make_plan(
        b.g, &pre, NULL,
        (plan_options){.target = {.vendor = VENDOR_SOFTWARE, .subgroup_size = 8, .loads = loads}});
    const plan_step *s = find_step(p, "conv2d");
    assert_true(s->constants[SPEC_CONV2D_POOL]);
    const uint32_t blocks = s->constants[SPEC_CONV2D_BLOCKS];
    plan_destroy(p);
    graph_destroy(b.g);
    return blocks;
}

/* the wider tile pays where a driver on the processor gathers and the map is large */
static void test_large_pooled(void **state)
{
    (void)state;
    assert_int_equal(pooled_blocks(128, LOADS_GATHERED), 4);
    assert_int_equal(pooled_blocks(127, LOADS_GATHERED), 2);
    assert_int_equal(pooled_blocks(128, LOADS_SPLIT), 2);
}

/* Of three input channels three are computed with, but where one more pipeline is dear. */
static void test_few_inputs(void **state)
{
    (void)state;
    static const struct {
        plan_target target;
        uint32_t inputs;
    } cases[] = {
        {{.vendor = VENDOR_NVIDIA}, 3},
        {{.vendor = VENDOR_SOFTWARE, .loads = LOADS_ALL_SPLIT}, 3},
        {{.vendor = VENDOR_SOFTWARE, .loads = LOADS_SPLIT}, 3},
        {{.vendor = VENDOR_SOFTWARE, .loads = LOADS_GATHERED, .compiles_late = true}, 4},
    };
    builder b = builder_make(23, 9, 9, 3);
    int v = build_conv(&b, b.g->input, 16, (conv_options){.kernel = 3, .bias = true});
    builder_outputs(&b, 1, &v);
    const preprocess pre = preprocess_for(b.g);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plan *p = make_plan(b.g, &pre, NULL, (plan_options){.target = cases[i].target});
        assert_int_equal(find_step(p, "conv2d")->constants[SPEC_CONV2D_INPUTS], cases[i].inputs);
        plan_destroy(p);
    }
    graph_destroy(b.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_candidate), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sizes),           cmocka_unit_test(test_large_pooled),
        cmocka_unit_test(test_few_inputs),
    };
    return cmocka_run_group_tests_name("choices", tests, NULL, NULL);
}
