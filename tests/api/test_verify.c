/* Verification finds what is wrong and names it: a backend that lies about one value, about a
 * score, about the order, or answers with what is no number. Runs on the toy detector, inside the
 * library. */
#include "host/api/verify.h"
#include "tests/cli/fixture.h"
#include "tests/support/test.h"

#include <unistd.h>

typedef enum lie { LIE_NONE = 0, LIE_VALUE, LIE_NAN, LIE_SCORE, LIE_ORDER, LIE_DROPPED } lie;

/* hands everything on to a real backend, and lies in one place */
typedef struct liar {
    backend base;
    backend *real;
    lie lie;
    int value; /* graph value that is lied about */
    detection spoiled[64];
} liar;

static liar *of(backend *b)
{
    return (liar *)(void *)b;
}

static status liar_submit(backend *b, uint32_t slot, const backend_request *request, error *err)
{
    return of(b)->real->call->submit(of(b)->real, slot, request, err);
}

static status liar_wait(backend *b, uint32_t slot, uint64_t timeout_ns, error *err)
{
    return of(b)->real->call->wait(of(b)->real, slot, timeout_ns, err);
}

static status liar_result(backend *b, uint32_t slot, uint32_t position, backend_result *out,
                          error *err)
{
    liar *l = of(b);
    status code = l->real->call->result(l->real, slot, position, out, err);
    assert_true(code != STATUS_OK || out->count <= 64);
    memcpy(l->spoiled, out->detections, out->count * sizeof *l->spoiled);
    out->detections = l->spoiled;
    if (code == STATUS_OK && out->count > 1) {
        if (l->lie == LIE_SCORE) {
            l->spoiled[0].score += 0.25f;
        } else if (l->lie == LIE_ORDER) {
            detection first = l->spoiled[0];
            l->spoiled[0] = l->spoiled[1];
            l->spoiled[1] = first;
        } else if (l->lie == LIE_DROPPED) {
            out->count--;
        }
    }
    return code;
}

static status liar_read_value(backend *b, uint32_t slot, uint32_t position, int id, float *dense,
                              error *err)
{
    liar *l = of(b);
    status code = l->real->call->read_value(l->real, slot, position, id, dense, err);
    if (code == STATUS_OK && id == l->value) {
        dense[0] = l->lie == LIE_VALUE ? dense[0] + 0.01f : l->lie == LIE_NAN ? NAN : dense[0];
    }
    return code;
}

static const backend_functions liar_functions = {
    .submit = liar_submit, .wait = liar_wait, .result = liar_result, .read_value = liar_read_value};

static char folder[64];
static vkdet_context *context;
static model *toy;
static prepared ready;
static backend *real;

static int set_up(void **state)
{
    (void)state;
    error err = {0};
    char network[96], card_path[96], container[96];
    (void)snprintf(folder, sizeof folder, "/tmp/vkdet-verify-XXXXXX");
    if (!mkdtemp(folder) || fixture_model(folder) || vkdet_context_create(NULL, &context)) {
        return -1;
    }
    (void)snprintf(network, sizeof network, "%s/model.json", folder);
    (void)snprintf(card_path, sizeof card_path, "%s/card.json", folder);
    (void)snprintf(container, sizeof container, "%s/toy.vkdet", folder);
    plan_options options = {.keep_outputs = true, .keep_all = true};
    backend_params params = {.max_batch = 1, .slots = 1, .keep_outputs = true, .keep_all = true};
    if (model_convert(&allocator_default, network, card_path, WEIGHTS_EXACT, container, &err) ||
        model_open(&allocator_default, container, &toy, &err)) {
        return -1;
    }
    options.max_detections = params.max_detections = toy->head.anchor_count;
    return prepared_create(context, toy, "reference", VKDET_PRECISION_AUTO, VKDET_WINOGRAD_AUTO,
                           &options, &ready, &err) ||
                   prepared_backend(context, toy, &ready, &params, &real, &err)
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"model.json", "weights.bin", "card.json", "toy.vkdet"};
    real->call->destroy(real);
    prepared_destroy(&ready);
    model_destroy(toy);
    vkdet_context_destroy(context);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

/* What verify says of a picture of noise when the backend lies; the name of the first diverging
 * step must be `step` (NULL: none). */
static void expect(lie what, int id, const char *step)
{
    static unsigned char noise[40 * 30 * 3];
    test_random r = test_random_seed(5);
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (unsigned char)test_random_u32(&r);
    }
    pixels picture = {PIXEL_RGB8, 40, 30, 120, noise};
    liar l = {.base = {&liar_functions}, .real = real, .lie = what, .value = id};
    error err = {0};
    char *text = NULL;
    status code = verify_backend(context, toy, &ready, &l.base, &picture, &text, &err);
    assert_int_equal(code, step ? STATUS_DIVERGED : STATUS_OK);
    assert_non_null(text);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    const char *first = json_string_value(json_object_get(root, "first_diverging"));
    if (step) {
        assert_non_null(first);
        assert_string_equal(first, step);
        assert_non_null(strstr(err.text, step));
    } else {
        assert_null(first);
    }
    assert_int_equal(json_array_size(json_object_get(root, "steps")), ready.plan->step_count);
    /* the quick look of the known-answer check finds the same */
    code = verify_known_answer(context, toy, &ready, &l.base, &err);
    assert_int_equal(code, step ? STATUS_DEVICE : STATUS_OK);
    assert_true(!step || strstr(err.text, step));
    json_decref(root);
    vkdet_text_free(context, text);
}

static void test_truth(void **state)
{
    (void)state;
    expect(LIE_NONE, GRAPH_NONE, NULL);
}

static void test_one_wrong_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ready.graph->node_count; i++) {
        const node *n = &ready.graph->nodes[i];
        int made = graph_storage(ready.graph, n->outputs[0]);
        const char *name = NULL;
        for (size_t k = 0; k < ready.plan->step_count && !name; k++) {
            name = ready.plan->steps[k].node == (int)i ? ready.plan->steps[k].name : NULL;
        }
        expect(LIE_VALUE, made, name);
        expect(LIE_NAN, made, name);
    }
    expect(LIE_VALUE, ready.graph->input, "preprocess");
}

static void test_wrong_boxes(void **state)
{
    (void)state;
    expect(LIE_SCORE, GRAPH_NONE, "decode");
    expect(LIE_ORDER, GRAPH_NONE, "sort");
    expect(LIE_DROPPED, GRAPH_NONE, "sort");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truth),
        cmocka_unit_test(test_one_wrong_value),
        cmocka_unit_test(test_wrong_boxes),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
