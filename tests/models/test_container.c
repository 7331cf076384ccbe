/* The container: what goes in comes out, equal input gives equal bytes, failures leave nothing. */
#include "tests/models/every_op.h"

#include "models/digest.h"

#include <jansson.h>

static model *open_file(const char *path)
{
    model *m = NULL;
    error err = {0};
    assert_status_ok(model_open(&allocator_default, path, &m, &err), err);
    return m;
}

static void round_trip(void **state)
{
    (void)state;
    written w;
    write_every_op(&w);
    model *m = open_file(w.path);
    assert_string_equal(m->card_json, w.card);
    assert_string_equal(m->card.name, "small");
    assert_int_equal(m->file_bytes, w.size);
    assert_int_equal(m->graph->node_count, w.g->node_count);
    assert_int_equal(m->graph->output_count, 3);
    for (size_t i = 0; i < w.g->node_count; i++) {
        const node *a = &w.g->nodes[i], *b = &m->graph->nodes[i];
        assert_int_equal(a->op, b->op);
        assert_string_equal(a->name, b->name);
    }
    for (size_t i = 0; i < m->graph->weight_count; i++) {
        const unsigned char *data = (const unsigned char *)m->graph->weights[i].data;
        const unsigned char *mapping = m->mapping;
        assert_true(data >= mapping && data < mapping + m->mapping_size); /* no copy */
        assert_int_equal((uintptr_t)data % sizeof(float), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        size_t count = shape_elements(w.g->values[w.g->outputs[i]].shape);
        float *a = fixture_run(w.g, i), *b = fixture_run(m->graph, i);
        assert_string_equal(w.g->values[w.g->outputs[i]].name,
                            m->graph->values[m->graph->outputs[i]].name);
        assert_memory_equal(a, b, count * sizeof *a);
        free(a);
        free(b);
    }
    /* what was read writes the same bytes */
    error err = {0};
    size_t size = 0;
    const char *again = fixture_path("again.vkdet");
    assert_status_ok(model_write(&allocator_default, m->graph, m->card_json, strlen(m->card_json),
                                 WEIGHTS_FP32, again, &err),
                     err);
    unsigned char *bytes = test_read_file(again, &size);
    assert_int_equal(size, w.size);
    assert_memory_equal(bytes, w.bytes, size);
    free(bytes);
    model_destroy(m);
    written_done(&w);
}

static void data_is_aligned_and_digested(void **state)
{
    (void)state;
    written w;
    char digest_text[DIGEST_TEXT];
    write_every_op(&w);
    uint64_t header = 0;
    for (int i = 7; i >= 0; i--) {
        header = header << 8 | w.bytes[i];
    }
    assert_int_equal((header + 8) % 64, 0);
    assert_int_equal(w.bytes[8], '{');
    model *m = open_file(w.path);
    digest_bytes(w.bytes + 8 + header, w.size - 8 - header, digest_text);
    assert_string_equal(m->digest, digest_text);
    model_destroy(m);
    written_done(&w);
}

/* FIPS 180-2's example */
static void digest_is_sha256(void **state)
{
    (void)state;
    char text[DIGEST_TEXT];
    digest_bytes("abc", 3, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(digest_valid(text));
    assert_false(digest_valid("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
    assert_false(digest_valid(""));
}

/* --- files, memory --- */

static void bad_files_are_named(void **state)
{
    (void)state;
    model *m = NULL;
    error err = {0};
    char path[4096];
    (void)snprintf(path, sizeof path, "%s", fixture_path("missing.vkdet"));
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_IO);
    assert_memory_equal(err.text, path, strlen(path));
    assert_int_equal(model_open(&allocator_default, "/dev/null", &m, &err), STATUS_IO);
    assert_int_equal(model_open(&allocator_default, "/", &m, &err), STATUS_IO);
    (void)snprintf(path, sizeof path, "%s", fixture_path("empty.vkdet"));
    fixture_write(path, "", 0);
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_MODEL);
    assert_memory_equal(err.text, path, strlen(path));
    (void)snprintf(path, sizeof path, "%s", fixture_path("text.vkdet"));
    fixture_write(path, "this is a text, not a model", 27);
    assert_int_equal(model_open(&allocator_default, path, &m, &err), STATUS_MODEL);
    assert_non_null(strstr(err.text, "not a vkdet container"));
    static const _Alignas(8) unsigned char bytes[32] = {0};
    assert_int_equal(model_open_memory(&allocator_default, bytes + 1, 31, &m, &err),
                     STATUS_ARGUMENT);
    assert_null(m);
    model_destroy(NULL);
}

static void a_failed_write_leaves_nothing(void **state)
{
    (void)state;
    written w;
    error err = {0};
    char path[4096];
    write_every_op(&w);
    (void)snprintf(path, sizeof path, "%s", fixture_path("no/such/folder.vkdet"));
    assert_int_equal(
        model_write(&allocator_default, w.g, w.card, strlen(w.card), WEIGHTS_FP32, path, &err),
        STATUS_IO);
    assert_memory_equal(err.text, path, strlen(path));
    /* a folder cannot be replaced by a file: the rename fails, after everything was written */
    (void)snprintf(path, sizeof path, "%s", fixture_path("."));
    assert_int_equal(
        model_write(&allocator_default, w.g, w.card, strlen(w.card), WEIGHTS_FP32, path, &err),
        STATUS_IO);
    /* an old file stays as it is when memory runs out */
    for (size_t n = 1;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        status s = model_write(&t.alloc, w.g, w.card, strlen(w.card), WEIGHTS_FP32, w.path, &err);
        assert_int_equal(t.live, 0);
        if (!t.failed) {
            assert_status_ok(s, err);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
    }
    size_t size = 0;
    unsigned char *bytes = test_read_file(w.path, &size);
    assert_int_equal(size, w.size);
    assert_memory_equal(bytes, w.bytes, size);
    free(bytes);
    written_done(&w);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    written w;
    write_every_op(&w);
    for (size_t n = 1;; n++) {
        model *m = NULL;
        error err = {0};
        test_allocator t;
        test_allocator_init(&t, n);
        status s = model_open(&t.alloc, w.path, &m, &err);
        if (!t.failed) {
            assert_status_ok(s, err);
            size_t before = t.live;
            t.fail_at = t.allocations + 1;
            char *json = NULL;
            assert_int_equal(model_describe(m, &json, &err), STATUS_MEMORY);
            assert_null(json);
            t.fail_at = 0;
            assert_status_ok(model_describe(m, &json, &err), err);
            memory_release(&t.alloc, json);
            assert_int_equal(t.live, before);
            model_destroy(m);
            assert_int_equal(t.live, 0);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_null(m);
        assert_int_equal(t.live, 0);
    }
    written_done(&w);
}

/* weights of one name get tensors of two; a fused graph is not stored */
static void odd_graphs(void **state)
{
    (void)state;
    error err = {0};
    fixture f;
    fixture_init(&f, 1, 1, 3);
    fixture_formula(&f, "l/kernel:1,1,3,2");
    graph *g = fixture_graph(&f, "{'class_name':'Sequential','config':[{'class_name':'Conv2D',"
                                 "'config':{'name':'l','filters':2,'kernel_size':1,'use_bias':"
                                 "false}},{'class_name':'Flatten','config':{'name':'out'}}]}");
    uint32_t two = 2;
    static const float bias[2] = {1, 2};
    assert_status_ok(
        graph_add_weight(g, "l/kernel", shape_make(1, &two), bias, &g->nodes[0].weights[1], &err),
        err);
    g->weights[0].name = "__metadata__";
    char *card_text = fixture_card(1, 1, "out", 2);
    const char *path = fixture_path("odd.vkdet");
    for (int round = 0; round < 2; round++) {
        assert_status_ok(model_write(&allocator_default, g, card_text, strlen(card_text),
                                     WEIGHTS_FP32, path, &err),
                         err);
        model *m = open_file(path);
        float *a = fixture_run(g, 0), *b = fixture_run(m->graph, 0);
        assert_memory_equal(a, b, 2 * sizeof *a);
        free(a);
        free(b);
        model_destroy(m);
        g->weights[0].name = "l/kernel";
    }
    for (uint32_t sum = 0; sum < 2; sum++) {
        g->nodes[0].attributes.conv.pooled = !sum;
        g->nodes[0].attributes.conv.repeat = sum;
        assert_int_equal(model_write(&allocator_default, g, card_text, strlen(card_text),
                                     WEIGHTS_FP32, path, &err),
                         STATUS_ARGUMENT);
        assert_non_null(strstr(err.text, "'l' is fused"));
    }
    free(card_text);
    graph_destroy(g);
}

static void description_adds_up(void **state)
{
    (void)state;
    written w;
    error err = {0};
    char *text = NULL;
    write_every_op(&w);
    model *m = open_file(w.path);
    assert_status_ok(model_describe(m, &text, &err), err);
    json_t *root = json_loads(text, 0, NULL);
    assert_non_null(root);
    json_int_t parameters = 0, macs = 0;
    size_t i;
    json_t *layer;
    json_array_foreach(json_object_get(root, "layers"), i, layer)
    {
        parameters += json_integer_value(json_object_get(layer, "parameters"));
        macs += json_integer_value(json_object_get(layer, "macs"));
    }
    assert_int_equal(i, w.g->node_count);
    assert_int_equal(json_integer_value(json_object_get(root, "parameters")), parameters);
    assert_int_equal(json_integer_value(json_object_get(root, "macs")), macs);
    assert_int_equal(parameters, 72 + 4 + 8 + 32 + 8 + 24 + 8 + 24 + 3);
    assert_int_equal(json_integer_value(json_object_get(root, "file_bytes")), w.size);
    assert_string_equal(json_string_value(json_object_get(root, "sha256")), m->digest);
    assert_string_equal(json_string_value(json_object_get(json_object_get(root, "card"), "name")),
                        "small");
    json_t *memory = json_object_get(root, "memory");
    assert_int_equal(json_integer_value(json_object_get(memory, "weight_bytes")), 4 * parameters);
    json_decref(root);
    memory_release(&allocator_default, text);
    model_destroy(m);
    written_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(data_is_aligned_and_digested),
        cmocka_unit_test(digest_is_sha256),
        cmocka_unit_test(bad_files_are_named),
        cmocka_unit_test(a_failed_write_leaves_nothing),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(odd_graphs),
        cmocka_unit_test(description_adds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
