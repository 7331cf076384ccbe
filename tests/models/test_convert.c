/* Network file and card to container, and real networks: AIZOO's detector and a MobileNetV2. */
#include "tests/models/fixture.h"

#include "models/digest.h"

#include <jansson.h>

/* --- small ones --- */

typedef struct sources {
    char network[4096], weights[4096], card[4096], out[4096];
    char network_digest[DIGEST_TEXT];
} sources;

static const float alpha[6] = {1, 2, 3, 4, 5, 6};

static sources write_sources(const char *files)
{
    sources s;
    char text[4096];
    (void)snprintf(s.network, sizeof s.network, "%s", fixture_path("network.json"));
    (void)snprintf(s.weights, sizeof s.weights, "%s", fixture_path("weights.bin"));
    (void)snprintf(s.card, sizeof s.card, "%s", fixture_path("card.json"));
    (void)snprintf(s.out, sizeof s.out, "%s", fixture_path("out.vkdet"));
    char *json = fixture_quoted(
        "{'modelTopology':{'class_name':'Sequential','config':[{'class_name':'PReLU','config':"
        "{'name':'l'}},{'class_name':'Flatten','config':{'name':'out'}}]},'weightsManifest':"
        "[{'paths':['weights.bin'],'weights':[{'name':'l/alpha','shape':[1,2,3],'dtype':"
        "'float32'}]}]}");
    fixture_write(s.network, json, strlen(json));
    digest_bytes(json, strlen(json), s.network_digest);
    free(json);
    fixture_write(s.weights, alpha, sizeof alpha);
    char *card_text = fixture_card(1, 2, "out", 6), *quoted = fixture_quoted(files);
    (void)snprintf(text, sizeof text, "{%s%s", quoted, card_text + 1);
    fixture_write(s.card, text, strlen(text));
    free(quoted);
    free(card_text);
    (void)remove(s.out);
    return s;
}

static bool exists(const char *path)
{
    FILE *f = fopen(path, "rb");
    return f && fclose(f) == 0;
}

static void expect(const sources *s, status expected, const char *part)
{
    error err = {0};
    status code =
        model_convert(&allocator_default, s->network, s->card, WEIGHTS_EXACT, s->out, &err);
    if (code != expected || (expected != STATUS_OK && !strstr(err.text, part))) {
        fail_msg("expected %s with '%s', got %s: %s", status_name(expected), part,
                 status_name(code), err.text);
    }
    assert_int_equal(exists(s->out), expected == STATUS_OK);
}

/* a card that lists the network and, as its second file, `name` with this digest */
static sources write_listed(const char *name, const char *digest_text)
{
    char files[1024];
    sources s = write_sources("");
    (void)snprintf(files, sizeof files,
                   "'files':[{'file':'network.json','sha256':'%s'},{'file':'%s','sha256':'%s'}],",
                   s.network_digest, name, digest_text);
    return write_sources(files);
}

static void converts(void **state)
{
    (void)state;
    char digest_text[DIGEST_TEXT];
    digest_bytes(alpha, sizeof alpha, digest_text);
    sources s = write_listed("weights.bin", digest_text);
    expect(&s, STATUS_OK, "");
    model *m = NULL;
    error err = {0};
    assert_status_ok(model_open(&allocator_default, s.out, &m, &err), err);
    assert_int_equal(m->card.file_count, 2);
    assert_memory_equal(m->graph->weights[0].data, alpha, sizeof alpha);
    model_destroy(m);
    for (size_t n = 1;; n++) {
        test_allocator t;
        test_allocator_init(&t, n);
        (void)remove(s.out);
        status code = model_convert(&t.alloc, s.network, s.card, WEIGHTS_EXACT, s.out, &err);
        assert_int_equal(t.live, 0);
        assert_int_equal(exists(s.out), code == STATUS_OK);
        if (!t.failed) {
            assert_status_ok(code, err);
            break;
        }
        assert_int_equal(code, STATUS_MEMORY);
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char zeros[DIGEST_TEXT] = {0}, digest_text[DIGEST_TEXT];
    memset(zeros, '0', DIGEST_TEXT - 1);
    digest_bytes(alpha, sizeof alpha, digest_text);
    sources s = write_listed("weights.bin", zeros);
    expect(&s, STATUS_MODEL, "weights.bin: its SHA-256 is ");
    /* what is read must be what was listed, whatever lies beside it */
    s = write_listed("weights.bin", digest_text);
    fixture_write(s.network, "{}", 2);
    expect(&s, STATUS_MODEL, "network.json: its SHA-256 is ");
}

static void nothing_else_is_overwritten(void **state)
{
    (void)state;
    sources s = write_sources("");
    const char *const inputs[] = {s.network, s.weights, s.card, "/dev/null"};
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        error err = {0};
        status code =
            model_convert(&allocator_default, s.network, s.card, WEIGHTS_EXACT, inputs[i], &err);
        assert_int_equal(code, STATUS_IO);
        assert_ptr_equal(strstr(err.text, inputs[i]), err.text);
    }
    expect(&s, STATUS_OK, "");
    error err = {0};
    assert_status_ok(
        model_convert(&allocator_default, s.network, s.card, WEIGHTS_EXACT, s.out, &err), err);
}

static void messages_name_the_file(void **state)
{
    (void)state;
    sources s = write_sources("'colour':1,");
    expect(&s, STATUS_MODEL, s.card);
    expect(&s, STATUS_MODEL, "colour: no such member");
    s = write_sources("");
    (void)remove(s.card);
    expect(&s, STATUS_IO, s.card);
    s = write_sources("");
    (void)remove(s.network);
    expect(&s, STATUS_IO, s.network);
    s = write_sources("");
    (void)remove(s.weights);
    expect(&s, STATUS_IO, s.weights);
    s = write_sources("");
    fixture_write(s.network, "{", 1);
    expect(&s, STATUS_MODEL, s.network);
    s = write_sources("");
    char *card_text = fixture_card(1, 2, "l", 6);
    fixture_write(s.card, card_text, strlen(card_text));
    free(card_text);
    expect(&s, STATUS_MODEL, "has no output 'l'");
    expect(&s, STATUS_MODEL, s.card);
    s = write_sources("");
    (void)snprintf(s.out, sizeof s.out, "%s", fixture_path("no/such/out.vkdet"));
    expect(&s, STATUS_IO, s.out);
}

/* --- real ones --- */

static model *convert(const char *network, const char *card_path)
{
    error err = {0};
    model *m = NULL;
    char out[4096];
    (void)snprintf(out, sizeof out, "%s", fixture_path("real.vkdet"));
    assert_status_ok(
        model_convert(&allocator_default, network, card_path, WEIGHTS_EXACT, out, &err), err);
    assert_status_ok(model_open(&allocator_default, out, &m, &err), err);
    return m;
}

static float *read_floats(const char *relative, size_t count)
{
    size_t size = 0;
    unsigned char *bytes = test_read_file(test_data_path(relative), &size);
    assert_non_null(bytes);
    assert_int_equal(size, count * sizeof(float));
    return (float *)(void *)bytes;
}

/* output `index` for an input of floats */
static float *run(const model *m, const float *input, size_t *count, size_t index)
{
    reference_values values;
    error err = {0};
    const graph *g = m->graph;
    assert_status_ok(reference_values_create(g, &allocator_default, &values, &err), err);
    memcpy(values.data[g->input], input, shape_elements(g->values[g->input].shape) * sizeof(float));
    assert_status_ok(reference_run(g, &values, &err), err);
    *count = shape_elements(g->values[g->outputs[index]].shape);
    float *copy = malloc(*count * sizeof *copy);
    assert_non_null(copy);
    memcpy(copy, values.data[g->outputs[index]], *count * sizeof *copy);
    reference_values_destroy(&values);
    return copy;
}

static json_int_t described(const model *m, const char *member)
{
    char *text = NULL;
    error err = {0};
    assert_status_ok(model_describe(m, &text, &err), err);
    json_t *root = json_loads(text, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(root, member));
    json_decref(root);
    memory_release(&m->alloc, text);
    return number;
}

static void aizoo_detector(void **state)
{
    (void)state;
    char network[4096];
    (void)snprintf(network, sizeof network, "%s",
                   (const char *)REQUIRE_DATA("models/aizoo-260/tfjs/model.json"));
    model *m = convert(network, TEST_SOURCE_DIR "/models/cards/aizoo-260.json");
    enum { ANCHORS = 5972 };
    assert_true(m->card.detects);
    assert_int_equal(m->head.anchor_count, ANCHORS);
    assert_int_equal(m->head.class_count, 2);
    assert_string_equal(m->card.labels[0].names[1], "no_mask");
    assert_string_equal(m->graph->values[m->graph->outputs[m->head.loc_output]].name,
                        "loc_branch_concat");
    assert_int_equal(described(m, "parameters"), 1015128);
    assert_true(described(m, "macs") > 758000000 && described(m, "macs") < 760000000);

    REQUIRE_DATA("golden/aizoo-260/anchors.bin");
    float *anchors = read_floats("golden/aizoo-260/anchors.bin", (size_t)ANCHORS * 4);
    for (size_t i = 0; i < (size_t)ANCHORS * 4; i++) {
        float a = anchors[i], b = m->head.anchors[i];
        if (a != b && nextafterf(a, b) != b) {
            fail_msg("anchor %zu, corner %zu is %.9g, expected %.9g", i / 4, i % 4, (double)b,
                     (double)a);
        }
    }
    free(anchors);

    float *input = read_floats("golden/aizoo-260/aizoo_demo/input.bin", (size_t)260 * 260 * 3);
    float *loc = read_floats("golden/aizoo-260/aizoo_demo/loc.bin", (size_t)ANCHORS * 4);
    float *cls = read_floats("golden/aizoo-260/aizoo_demo/cls.bin", (size_t)ANCHORS * 2);
    size_t count = 0;
    float *found = run(m, input, &count, (size_t)m->head.loc_output);
    fixture_compare("loc", found, loc, count, 1e-4f);
    free(found);
    found = run(m, input, &count, (size_t)m->head.score_output);
    fixture_compare("cls", found, cls, count, 1e-5f);
    free(found);
    free(cls);
    free(loc);
    free(input);
    model_destroy(m);
}

/* Sequential in Sequential in Sequential, with a Model of MobileNetV2 inside */
static void teachable_classifier(void **state)
{
    (void)state;
    char network[4096], card_path[4096];
    (void)snprintf(network, sizeof network, "%s",
                   (const char *)REQUIRE_DATA("models/teachable-mask-mobilenetv2/model.json"));
    char *text = fixture_card(224, 224, "sequential_7/dense_Dense4", 2);
    (void)snprintf(card_path, sizeof card_path, "%s", fixture_path("teachable.json"));
    fixture_write(card_path, text, strlen(text));
    free(text);
    model *m = convert(network, card_path);
    float *input = read_floats("models/teachable-mask-mobilenetv2/ref/input_nhwc_1x224x224x3.f32",
                               (size_t)224 * 224 * 3);
    float *expected =
        read_floats("models/teachable-mask-mobilenetv2/ref/tfjs_out_0_sequential_7_1x2.f32", 2);
    size_t count = 0;
    float *found = run(m, input, &count, 0);
    assert_int_equal(count, 2);
    fixture_compare("scores", found, expected, count, 1e-4f);
    free(found);
    free(expected);
    free(input);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(converts),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(nothing_else_is_overwritten),
        cmocka_unit_test(messages_name_the_file),
        cmocka_unit_test(aizoo_detector),
        cmocka_unit_test(teachable_classifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
