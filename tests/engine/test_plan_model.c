/* The plan of a real detector: 22 steps from bytes to boxes. */
#include "tests/engine/plan_check.h"

#include "engine/passes.h"
#include "models/model.h"

/* pipelines that a driver has to compile */
static size_t distinct_pipelines(const plan *p)
{
    size_t distinct = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        bool fresh = true;
        for (size_t k = 0; k < i; k++) {
            const plan_step *a = &p->steps[i], *b = &p->steps[k];
            fresh = fresh && !(strcmp(a->shader, b->shader) == 0 &&
                               memcmp(a->constants, b->constants, sizeof a->constants) == 0);
        }
        distinct += fresh;
    }
    return distinct;
}

static void test_aizoo(void **state)
{
    (void)state;
    error err = {0};
    const char *path = REQUIRE_DATA("models/aizoo-260/tfjs/model.json");
    graph *g = NULL;
    card c = {.name = "detector", .detects = true};
    c.preprocess = (preprocess){.width = 260, .height = 260, .deviation = {255, 255, 255}};
    assert_status_ok(tfjs_import(&allocator_default, path, &c, &g, &err), err);
    assert_status_ok(passes_run(g, &err), err);
    float *anchors = calloc(5972 * 4, sizeof *anchors);
    detector_head head = {.score_output = 1,
                          .anchor_count = 5972,
                          .class_count = 2,
                          .background = -1,
                          .anchors = anchors};
    plan *p = make_plan(g, &c.preprocess, &head, (plan_options){0});
    check_plan(p);
    assert_int_equal(p->step_count, 22);
    assert_true(distinct_pipelines(p) <= 12);
    assert_true(p->arena_words * sizeof(float) < 16 * 1024 * 1024);
    uint64_t flops = 0;
    for (size_t i = 0; i < p->step_count; i++) {
        flops += p->steps[i].flops;
    }
    assert_true(flops > 1500000000 && flops < 1600000000); /* 0.759 GMAC */
    plan_destroy(p);
    graph_destroy(g);
    free(anchors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aizoo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
