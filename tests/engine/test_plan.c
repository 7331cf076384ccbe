/* Plans: every operation lowers, buffers that live together never overlap, nothing is read before
 * it is written, and every failure is an answer. What the steps compute is checked on devices
 * (tests/vulkan), how weights are packed in test_pack.c. */
#include "tests/engine/graph_builder.h"
#include "tests/engine/plan_check.h"

#include "engine/passes.h"
#include "shaders/interface.h"
#include "shaders/shaders.h"

/* plan, check, give back; with every option that changes what lives how long */
static void check_graph(const graph *g)
{
    const preprocess pre = preprocess_for(g);
    const plan_options options[] = {{.keep_outputs = true},
                                    {.keep_all = true},
                                    {.max_detections = 0},
                                    {.keep_all = true, .precision = PLAN_FP16},
                                    {.precision = PLAN_FP16}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        plan *p = make_plan(g, &pre, NULL, options[i]);
        check_plan(p);
        for (size_t v = 0; options[i].keep_all && v < g->value_count; v++) {
            if (p->value_buffer[v] != GRAPH_NONE) {
                assert_int_equal(p->buffers[p->value_buffer[v]].last_level, p->level_count - 1);
            }
        }
        plan_destroy(p);
    }
}

/* --- every operation --- */

static int single(builder *b, op kind, int in, node n)
{
    activation act = activation_linear;
    n.op = kind;
    n.input_count = n.output_count = n.act_count = 1;
    n.inputs = &in;
    n.act = &act;
    return build_node(b, &n);
}

/* the value that operation `kind` makes of a 6x8x5 input */
static int build_operation(builder *b, op kind, int in)
{
    switch (kind) {
    case OP_CONV2D:
        return build_conv(b, in, 6, (conv_options){.kernel = 3, .bias = true});
    case OP_DEPTHWISE:
        return build_depthwise(b, in, 3, 2);
    case OP_DENSE:
        return build_dense(b, in, 7, true);
    case OP_BATCH_NORM:
        return build_batch_norm(b, in, true, false);
    case OP_ACTIVATION:
        return build_activation(b, in, ACTIVATION_SWISH);
    case OP_PRELU: {
        int alpha = build_weight(b, shape_make(1, (uint32_t[]){5}), 1.0f);
        return single(b, kind, in, (node){.name = "prelu", .weight_count = 1, .weights = &alpha});
    }
    case OP_SOFTMAX:
    case OP_GLOBAL_AVERAGE:
        return single(b, kind, in, (node){.name = op_name(kind)});
    case OP_MAX_POOL:
    case OP_AVERAGE_POOL:
        return build_pool(b, kind, in, 3, true);
    case OP_ZERO_PAD:
        return build_pad(b, in, 1, 2, 3, 4);
    case OP_CROP: {
        node n = {.name = "crop"};
        n.attributes.border.top = n.attributes.border.left = 1;
        return single(b, kind, in, n);
    }
    case OP_RESIZE: {
        node n = {.name = "resize"};
        n.attributes.resize.mode = RESIZE_BILINEAR;
        n.attributes.resize.height = 11;
        n.attributes.resize.width = 7;
        return single(b, kind, in, n);
    }
    case OP_ADD:
    case OP_MULTIPLY:
        return build_binary(b, kind, in, in);
    case OP_CONCAT:
        return build_concat(b, (int[]){in, in}, 2, 2);
    case OP_RESHAPE:
        return build_rows(b, in, 3);
    case OP_PERMUTE:
        return build_permute(b, in, 2, 0, 1);
    case OP_COUNT:
        break;
    }
    fail_msg("operation %d has no case", (int)kind);
    return GRAPH_NONE;
}

static void test_every_operation(void **state)
{
    (void)state;
    for (int kind = 0; kind < OP_COUNT; kind++) {
        builder b = builder_make(1, 6, 8, 5);
        int out = build_operation(&b, (op)kind, b.g->input);
        builder_outputs(&b, 1, &out);
        check_graph(b.g);
        graph_destroy(b.g);
    }
}

/* --- random graphs --- */

static int random_layer(builder *b, test_random *r, int from, int other)
{
    shape s = builder_shape(b, from);
    bool small = s.dim[0] < 4 || s.dim[1] < 4;
    uint32_t filters = 1 + test_random_u32(r) % 12;
    switch (test_random_u32(r) % 11) {
    case 0:
        return build_depthwise(b, from, 3, 1 + test_random_u32(r) % 2);
    case 1:
        return build_batch_norm(b, from, true, true);
    case 2:
        return build_activation(b, from, (activation_kind)(test_random_u32(r) % ACTIVATION_COUNT));
    case 3:
        return small ? from : build_pool(b, OP_MAX_POOL, from, 2, true);
    case 4:
        return build_concat(b, (int[]){from, from}, 2, test_random_u32(r) % 3);
    case 5:
        return shape_equal(s, builder_shape(b, other)) ? build_binary(b, OP_ADD, from, other)
                                                       : from;
    case 6:
        return build_pad(b, from, 0, 1, 1, 0);
    case 7:
        return build_dense(b, from, filters, true);
    case 8:
        return build_permute(b, from, 1, 0, 2);
    default:
        return build_conv(b, from, filters, (conv_options){.kernel = 3, .bias = true});
    }
}

static graph *random_graph(uint64_t seed)
{
    enum { LAYERS = 12 };
    test_random r = test_random_seed(seed);
    builder b = builder_make(seed, 7 + test_random_u32(&r) % 9, 9, 3);
    int made[LAYERS + 1] = {b.g->input};
    for (int i = 0; i < LAYERS; i++) {
        uint32_t back = test_random_u32(&r) % 3;
        int from = made[i > (int)back ? i - (int)back : i];
        made[i + 1] = random_layer(&b, &r, from, made[i]);
    }
    int heads[3];
    for (int i = 0; i < 3; i++) {
        int v = build_conv(&b, made[LAYERS - 2 * i], 8, (conv_options){.kernel = 1, .bias = true});
        heads[i] = build_rows(&b, v, 4);
    }
    int outputs[2] = {build_concat(&b, heads, 3, 0), made[LAYERS]};
    builder_outputs(&b, made[LAYERS] == b.g->input ? 1 : 2, outputs);
    return b.g;
}

static void test_random_graphs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        error err = {0};
        graph *g = random_graph(seed);
        check_graph(g);
        assert_status_ok(passes_run(g, &err), err);
        check_graph(g);
        graph_destroy(g);
    }
}

/* --- a detector --- */

/* one convolution whose map is both outputs of a head of 24 anchors */
/* four anchors a pixel of the input */
static graph *detector_graph_of(uint32_t height, uint32_t width, detector_head *head)
{
    static float anchors[DETECTOR_MAX_ANCHORS * 4];
    builder b = builder_make(6, height, width, 3);
    conv_options o = {.kernel = 3, .bias = true};
    int outputs[2] = {build_rows(&b, build_conv(&b, b.g->input, 16, o), 4),
                      build_rows(&b, build_conv(&b, b.g->input, 12, o), 3)};
    builder_outputs(&b, 2, outputs);
    *head = (detector_head){.score_output = 1,
                            .anchor_count = 4 * height * width,
                            .class_count = 3,
                            .background = -1,
                            .variance = {0.1f, 0.1f, 0.2f, 0.2f},
                            .anchors = anchors};
    for (uint32_t i = 0; i < 4 * head->anchor_count; i++) {
        anchors[i] = (float)i;
    }
    return b.g;
}

static graph *detector_graph(detector_head *head)
{
    return detector_graph_of(2, 3, head);
}

static void test_head(void **state)
{
    (void)state;
    detector_head head;
    graph *g = detector_graph(&head);
    const preprocess pre = preprocess_for(g);
    plan *p = make_plan(g, &pre, &head, (plan_options){.max_detections = 7});
    check_plan(p);
    assert_int_equal(p->result_words, RESULT_HEADER_WORDS + 7 * RESULT_DETECTION_WORDS);
    const int kept[] = {p->keys_buffer, p->boxes_buffer, p->classes_buffer};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(p->buffers[kept[i]].last_level, p->level_count - 1);
    }
    assert_int_equal(p->buffers[p->keys_buffer].first_level, 0); /* preprocess clears its counter */
    assert_true(p->buffers[p->keys_buffer].words >= CANDIDATE_HEADER_WORDS + 2 * 32);
    struct decode_push push;
    memcpy(&push, find_step(p, "decode")->push, sizeof push);
    float *words = packed_weights(p);
    assert_memory_equal(words + push.anchors, head.anchors, sizeof(float) * 24 * 4);
    free(words);
    plan_destroy(p);
    p = make_plan(g, &pre, &head, (plan_options){0});
    assert_int_equal(p->result_words, RESULT_HEADER_WORDS + 24 * RESULT_DETECTION_WORDS);
    plan_destroy(p);
    graph_destroy(g);
}

static void test_most_anchors(void **state)
{
    (void)state;
    detector_head head;
    graph *g = detector_graph_of(128, 128, &head);
    assert_int_equal(head.anchor_count, DETECTOR_MAX_ANCHORS);
    const preprocess pre = preprocess_for(g);
    plan *p = make_plan(g, &pre, &head, (plan_options){.max_detections = 1});
    check_plan(p);
    assert_true(p->buffers[p->keys_buffer].words >=
                CANDIDATE_HEADER_WORDS + 2 * DETECTOR_MAX_ANCHORS);
    plan_destroy(p);
    graph_destroy(g);
}

/* --- what is refused --- */

static void expect(status want, const graph *g, const preprocess *pre, const detector_head *head,
                   plan_options options, const char *words)
{
    error err = {0};
    plan *p = NULL;
    status got = plan_create(&allocator_default, g, pre, head, &options, &p, &err);
    if (got != want || !strstr(err.text, words)) {
        fail_msg("%s: \"%s\" instead of %s, \"%s\"", status_name(got), err.text, status_name(want),
                 words);
    }
    assert_null(p);
}

static void test_refusals(void **state)
{
    (void)state;
    detector_head head;
    graph *g = detector_graph(&head);
    const preprocess right = preprocess_for(g);
    preprocess wrong = right;
    wrong.width++;
    expect(STATUS_MODEL, g, &wrong, NULL, (plan_options){0}, "the card's 4x2");
    detector_head bad = head;
    bad.anchor_count = 25;
    expect(STATUS_MODEL, g, &right, &bad, (plan_options){0}, "(25, 4)");
    bad.anchor_count = 0;
    expect(STATUS_LIMIT, g, &right, &bad, (plan_options){0}, "0 anchors");
    bad.anchor_count = DETECTOR_MAX_ANCHORS + 1;
    expect(STATUS_LIMIT, g, &right, &bad, (plan_options){0}, "65537 anchors");
    expect(STATUS_LIMIT, g, &right, &bad, (plan_options){0}, "1 to 65536 anchors");
    bad = head;
    bad.loc_output = 2;
    expect(STATUS_MODEL, g, &right, &bad, (plan_options){0}, "output");
    expect(STATUS_LIMIT, g, &right, &head,
           (plan_options){.target = {.max_groups = {1, 1, 1}, .max_invocations = 64}},
           "workgroups");
    expect(STATUS_LIMIT, g, &right, NULL, (plan_options){.target = {.max_invocations = 32}},
           "workgroups");
    graph_destroy(g);
}

static void test_large_shapes(void **state)
{
    (void)state;
    builder b = builder_make(8, 4, 16385, 1);
    int out = build_activation(&b, b.g->input, ACTIVATION_TANH);
    builder_outputs(&b, 1, &out);
    preprocess pre = preprocess_for(b.g);
    expect(STATUS_LIMIT, b.g, &pre, NULL, (plan_options){0}, "16384");
    graph_destroy(b.g);

    b = builder_make(9, 16384, 1024, 1);
    out = build_concat(&b, (int[]){b.g->input, b.g->input, b.g->input, b.g->input}, 4, 1);
    int taller = build_concat(&b, (int[]){out, out, out, out}, 4, 0);
    taller = build_activation(&b, taller, ACTIVATION_TANH);
    builder_outputs(&b, 1, &taller);
    pre = preprocess_for(b.g);
    /* 2^28 pixels of one channel, each rounded up to four */
    plan_options keep = {.keep_all = true};
    expect(STATUS_LIMIT, b.g, &pre, NULL, keep, "more than a device offset reaches");
    graph_destroy(b.g);

    b = builder_make(10, 1, 16384, 1);
    out =
        build_concat(&b, (int[]){b.g->input, b.g->input, b.g->input, b.g->input, b.g->input}, 5, 1);
    node n = {.name = "resize"};
    n.attributes.resize.height = n.attributes.resize.width = 8;
    out = single(&b, OP_RESIZE, out, n);
    builder_outputs(&b, 1, &out);
    pre = preprocess_for(b.g);
    expect(STATUS_LIMIT, b.g, &pre, NULL, (plan_options){0}, "node resize");
    graph_destroy(b.g);
}

/* 64 KiB of weights over 2^28 pixels: 2^43 FLOPs */
static void test_cost(void **state)
{
    (void)state;
    builder b = builder_make(14, 16384, 16384, 1);
    int out = build_conv(&b, b.g->input, 1, (conv_options){.kernel = 128});
    builder_outputs(&b, 1, &out);
    const preprocess pre = preprocess_for(b.g);
    assert_int_equal(node_flops(b.g, &b.g->nodes[0]), GRAPH_MAX_OPERATIONS);
    expect(STATUS_LIMIT, b.g, &pre, NULL, (plan_options){0}, "8796093022208 operations");
    expect(STATUS_LIMIT, b.g, &pre, NULL, (plan_options){0}, b.g->nodes[0].name);
    graph_destroy(b.g);

    b = builder_make(15, 16384, 16384, 1); /* without arithmetic, elements count */
    out = b.g->input;
    for (int i = 0; i < 2 << 14; i++) {
        node crop = {.name = "crop"};
        out = single(&b, OP_CROP, out, crop);
    }
    builder_outputs(&b, 1, &out);
    error err = {0};
    assert_int_equal(graph_cost_check(b.g, &err), STATUS_OK);
    (void)single(&b, OP_CROP, out, (node){0});
    assert_int_equal(graph_cost_check(b.g, &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, b.g->nodes[b.g->node_count - 1].name));
    graph_destroy(b.g);
}

/* grids that do not fit one dimension are folded into two */
static void test_folded_groups(void **state)
{
    (void)state;
    builder b = builder_make(11, 40, 50, 8);
    int out = build_conv(&b, b.g->input, 64, (conv_options){.kernel = 3, .bias = true});
    builder_outputs(&b, 1, &out);
    const preprocess pre = preprocess_for(b.g);
    plan *wide = make_plan(b.g, &pre, NULL, (plan_options){0});
    plan *folded = make_plan(b.g, &pre, NULL, (plan_options){.target = {.max_groups = {7, 0, 0}}});
    for (size_t i = 0; i < wide->step_count; i++) {
        const uint32_t *w = wide->steps[i].groups, *f = folded->steps[i].groups;
        assert_int_equal(w[1], 1);
        assert_true(f[0] <= 7 && f[0] * f[1] >= w[0] && f[0] * f[1] < w[0] + f[1]);
    }
    plan_destroy(wide);
    plan_destroy(folded);
    graph_destroy(b.g);
}

static void test_no_memory(void **state)
{
    (void)state;
    detector_head head;
    error err = {0};
    graph *g = detector_graph(&head);
    assert_status_ok(passes_run(g, &err), err);
    const preprocess pre = preprocess_for(g);
    const plan_options options = {.precision = PLAN_FP16};
    for (size_t n = 1;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        plan *p = NULL;
        status s = plan_create(&t.alloc, g, &pre, &head, &options, &p, &err);
        if (!t.failed) {
            assert_int_equal(s, STATUS_OK);
            plan_destroy(p);
            assert_int_equal(t.live, 0);
            assert_true(n > 10);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_null(p);
        assert_int_equal(t.live, 0);
    }
    plan_destroy(NULL);
    graph_destroy(g);
}

static void test_names(void **state)
{
    (void)state;
    for (int k = 0; k < KERNEL_COUNT; k++) {
        assert_true(strcmp(kernel_name((kernel)k), "unknown") != 0);
    }
    assert_string_equal(kernel_name(KERNEL_COUNT), "unknown");
    assert_null(shader_find("none"));
    assert_int_equal(strlen(shader_digest), 64);
    for (size_t i = 0; i < shader_count; i++) {
        assert_int_equal(shader_table[i].code[0], 0x07230203); /* SPIR-V's magic number */
        assert_int_equal(shader_table[i].code_bytes % 4, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_operation),
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_most_anchors),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_large_shapes),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_folded_groups),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
