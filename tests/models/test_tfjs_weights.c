/* The importer's weights: quantised types, shards, names, and what can be wrong with a manifest. */
#include "tests/models/fixture.h"

#include "models/files.h"

/* a PReLU over the whole map hands its weight through: alpha is all there is to look at */
static const char *prelu(void)
{
    return fixture_layer("PReLU", "");
}

static void expect_alpha(fixture *f, const float *expected)
{
    graph *g = fixture_graph(f, prelu());
    assert_int_equal(g->weight_count, 1);
    assert_memory_equal(g->weights[0].data, expected, 6 * sizeof(float));
    graph_destroy(g);
}

#define ALPHA(dtype, quantization)                                                                 \
    "{'name':'l/alpha','shape':[1,2,3],'dtype':'" dtype "','quantization':" quantization "}"

static void uint8_is_scaled_in_double(void **state)
{
    (void)state;
    static const unsigned char bytes[6] = {0, 1, 2, 100, 254, 255};
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        expected[i] = (float)(bytes[i] * 0.012345678901234567 + -1.2345678901234567);
    }
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f,
                ALPHA("float32",
                      "{'dtype':'uint8','scale':0.012345678901234567,'min':-1.2345678901234567}"),
                bytes, sizeof bytes);
    expect_alpha(&f, expected);
}

static void uint16_is_scaled_in_double(void **state)
{
    (void)state;
    static const unsigned char bytes[12] = {0, 0, 1, 0, 0, 1, 0x34, 0x12, 0xfe, 0xff, 0xff, 0xff};
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        expected[i] = (float)((bytes[2 * i] + 256 * bytes[2 * i + 1]) * 3.0000000001e-5 + 0.1);
    }
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f, ALPHA("float32", "{'dtype':'uint16','scale':3.0000000001e-5,'min':0.1}"), bytes,
                sizeof bytes);
    expect_alpha(&f, expected);
}

static void float16_is_exact(void **state)
{
    (void)state;
    /* 1, -2, largest, smallest normal, smallest subnormal, least */
    static const unsigned char bytes[12] = {0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b,
                                            0x00, 0x04, 0x01, 0x00, 0xff, 0xfb};
    static const float expected[6] = {1.0f, -2.0f, 65504.0f, 0x1p-14f, 0x1p-24f, -65504.0f};
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f, ALPHA("float32", "{'dtype':'float16'}"), bytes, sizeof bytes);
    expect_alpha(&f, expected);
    /* as converters write it, and cut into shards within an element */
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f, ALPHA("float32", "{'dtype':'float16','original_dtype':'float32'}"), bytes,
                sizeof bytes);
    f.shards = "['0','1','2','3']";
    f.shard_size = 3;
    expect_alpha(&f, expected);
}

static void weights_are_numbers(void **state)
{
    (void)state;
    static const unsigned char half[12] = {0x00, 0x3c, 0x00, 0xc0, 0x00, 0x00,
                                           0x00, 0x00, 0x00, 0x00, 0x00, 0xfc};
    static const float odd[3] = {INFINITY, -INFINITY, NAN};
    fixture f;
    for (size_t i = 0; i < 3; i++) {
        char reason[64];
        float values[6] = {1, 2, 3, 4, 5, 6};
        values[i + 1] = odd[i];
        (void)snprintf(reason, sizeof reason, "weight 'l/alpha': element %zu is %s", i + 1,
                       i < 2 ? "infinite" : "not a number");
        fixture_init(&f, 1, 2, 3);
        fixture_weight(&f, "l/alpha", "1,2,3", values);
        fixture_refused(&f, prelu(), STATUS_MODEL, reason);
    }
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f, ALPHA("float32", "{'dtype':'float16'}"), half, sizeof half);
    fixture_refused(&f, prelu(), STATUS_MODEL, "element 5 is infinite");
}

/* halves and floats in one group: what follows an odd number of halves is not aligned */
static void types_may_be_mixed(void **state)
{
    (void)state;
    static const unsigned char half[2] = {0x00, 0x3c};
    static const float values[6] = {1.5f, -2.25f, 3e-20f, 4e20f, -0.0f, 6.0f};
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f,
                "{'name':'other/alpha','shape':[1],'dtype':'float32','quantization':"
                "{'dtype':'float16','original_dtype':'float32'}}",
                half, sizeof half);
    fixture_weight(&f, "l/alpha", "1,2,3", values);
    expect_alpha(&f, values);
}

/* 24 bytes in shards of 1 to 24: elements lie across their borders */
static void weights_go_on_in_the_next_shard(void **state)
{
    (void)state;
    static const float values[6] = {1.5f, -2.25f, 3e-20f, 4e20f, -0.0f, 6.0f};
    for (size_t size = 1; size <= 24; size++) {
        char shards[256] = "[";
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_weight(&f, "l/alpha", "1,2,3", values);
        for (size_t i = 0; i * size < 24; i++) {
            size_t used = strlen(shards);
            (void)snprintf(shards + used, sizeof shards - used, "%s'%zu'", i ? "," : "", i);
        }
        (void)snprintf(shards + strlen(shards), 2, "]");
        f.shards = shards;
        f.shard_size = size;
        expect_alpha(&f, values);
        assert_int_equal(f.fetched, (24 + size - 1) / size);
    }
}

static void types_that_are_not_used_are_passed_over(void **state)
{
    (void)state;
    static const unsigned char other[16] = {0};
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_raw(&f, "{'name':'steps','shape':[],'dtype':'int32'}", other, 4);
    fixture_raw(&f, "{'name':'flags','shape':[3],'dtype':'bool'}", other, 3);
    fixture_raw(&f, "{'name':'nothing','shape':[2,0],'dtype':'float32'}", other, 0);
    fixture_raw(&f, "{'name':'waves','shape':[1],'dtype':'complex64','group':'optimizer'}", other,
                8);
    fixture_weight(&f, "l/alpha", "1,2,3", values);
    expect_alpha(&f, values);
}

/* --- names --- */

static void names_are_found_in_their_surroundings(void **state)
{
    (void)state;
    static const char *const names[] = {"l/alpha",       "l/alpha:0",         "l/cell/alpha",
                                        "net/l/alpha:0", "model/net/l/alpha", "l/l/alpha"};
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_weight(&f, "other/alpha", "1", values);
        fixture_weight(&f, names[i], "1,2,3", values);
        expect_alpha(&f, values);
    }
}

/* two models have a layer 'l': the longest path decides */
static void the_longest_path_wins(void **state)
{
    (void)state;
    static const float first[6] = {1, 1, 1, 1, 1, 1}, second[6] = {2, 2, 2, 2, 2, 2};
    static const char topology[] =
        "{'class_name':'Sequential','config':[{'class_name':'Sequential','config':{'name':'a',"
        "'layers':[{'class_name':'PReLU','config':{'name':'l'}}]}},{'class_name':'Sequential',"
        "'config':{'name':'b','layers':[{'class_name':'PReLU','config':{'name':'l'}}]}}]}";
    fixture f;
    fixture_init(&f, 1, 2, 3);
    fixture_weight(&f, "b/l/alpha", "1,2,3", second);
    fixture_weight(&f, "a/l/alpha", "1,2,3", first);
    graph *g = fixture_graph(&f, topology);
    assert_int_equal(g->node_count, 2);
    assert_true(g->weights[g->nodes[0].weights[0]].data[0] == 1);
    assert_true(g->weights[g->nodes[1].weights[0]].data[0] == 2);
    graph_destroy(g);

    fixture_init(&f, 1, 2, 3); /* and where only the last parts are alike, none does */
    fixture_weight(&f, "x/y/l/alpha", "1,2,3", second);
    fixture_weight(&f, "z/y/l/alpha", "1,2,3", first);
    fixture_refused(&f, topology, STATUS_MODEL, "a/l/alpha");
}

/* --- what can be wrong --- */

static void manifests_are_checked(void **state)
{
    (void)state;
    static const unsigned char bytes[24] = {0};
    static const struct {
        const char *entry;
        status expected;
        const char *part;
    } cases[] = {
        {ALPHA("int32", "null"), STATUS_UNSUPPORTED, "int32"},
        {ALPHA("int32", "{'dtype':'uint8','scale':1,'min':0}"), STATUS_MODEL, "need 6"},
        {ALPHA("float32", "{'dtype':'int32','scale':1,'min':0}"), STATUS_UNSUPPORTED, "int32"},
        {ALPHA("float32", "{'dtype':'uint8','scale':1}"), STATUS_MODEL, "min: is missing"},
        {ALPHA("float32", "{'dtype':'uint8','min':0}"), STATUS_MODEL, "scale: is missing"},
        {ALPHA("float32", "{'dtype':'float16'}"), STATUS_MODEL, "need 12"},
        {ALPHA("float16", "null"), STATUS_MODEL, "need 12"},
        {ALPHA("int32", "{'dtype':'float16'}"), STATUS_MODEL, "need 12"},
        {ALPHA("float32", "{'dtype':'float64'}"), STATUS_MODEL, "float64"},
        {ALPHA("float32", "{'dtype':16}"), STATUS_MODEL, "dtype"},
        {ALPHA("float32", "{'original_dtype':'float32'}"), STATUS_MODEL, "dtype: is missing"},
        {ALPHA("float32", "{'dtype':'float32'}"), STATUS_UNSUPPORTED, "float32"},
        {ALPHA("float32", "{'dtype':'uint4','scale':1,'min':0}"), STATUS_MODEL, "uint4"},
        {ALPHA("float32", "7"), STATUS_MODEL, "quantization"},
        {ALPHA("string", "null"), STATUS_MODEL, "string"},
        {"{'shape':[1,2,3],'dtype':'float32'}", STATUS_MODEL, "name: is missing"},
        {"{'name':'l/alpha','dtype':'float32'}", STATUS_MODEL, "shape: is missing"},
        {"{'name':'l/alpha','shape':[1,2,3]}", STATUS_MODEL, "dtype: is missing"},
        {"{'name':'l/alpha','shape':[1,3,2],'dtype':'float32'}", STATUS_MODEL, "1x3x2, not 1x2x3"},
        {"{'name':'l/alpha','shape':[6],'dtype':'float32'}", STATUS_MODEL, "is 6, not 1x2x3"},
        {"{'name':'l/alpha','shape':[1,2,2],'dtype':'float32'}", STATUS_MODEL, "weights need 16"},
        {"{'name':'l/alpha','shape':[1,2,4],'dtype':'float32'}", STATUS_MODEL, "weights need 32"},
        {"{'name':'l/alpha','shape':[65536,65536],'dtype':'float32'}", STATUS_LIMIT, "elements"},
        {"{'name':'l/alpha','shape':[-1,2,3],'dtype':'float32'}", STATUS_MODEL, "shape[0]"},
        {"{'name':'l/beta','shape':[1,2,3],'dtype':'float32'}", STATUS_MODEL,
         "'l/alpha' (1x2x3) is not in the weights manifest"},
        {"{'name':'a','shape':[3],'dtype':'float32'},{'name':'a:0','shape':[3],'dtype':'float32'}",
         STATUS_MODEL, "'a' is there twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_raw(&f, cases[i].entry, bytes, sizeof bytes);
        fixture_refused(&f, prelu(), cases[i].expected, cases[i].part);
    }
}

/* twelve bytes are six halves, but only of what was float32 */
static void halves_of_other_types_are_refused(void **state)
{
    (void)state;
    static const unsigned char bytes[12] = {0};
    static const char *const entries[] = {ALPHA("int32", "{'dtype':'float16'}"),
                                          ALPHA("bool", "{'dtype':'float16'}"),
                                          ALPHA("float16", "null")};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_raw(&f, entries[i], bytes, sizeof bytes);
        fixture_refused(&f, prelu(), STATUS_UNSUPPORTED, "is of type float16");
    }
}

static void shards_stay_in_their_folder(void **state)
{
    (void)state;
    static const char *const paths[] = {"['/etc/passwd']", "['../w.bin']", "['a/../../w.bin']",
                                        "['..']",          "['a\\\\b']",   "['w.bin','x/..']"};
    static const float values[6] = {0};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_weight(&f, "l/alpha", "1,2,3", values);
        f.shards = paths[i];
        f.shard_size = 24;
        fixture_refused(&f, prelu(), STATUS_MODEL, "is not a path inside the model's folder");
    }
    assert_true(path_is_inside("a..b/.c/d"));
    assert_true(path_is_inside("..."));
    assert_false(path_is_inside(""));
}

static void shards_may_be_missing_or_short(void **state)
{
    (void)state;
    static const float values[6] = {0};
    static const struct {
        const char *shards;
        size_t size;
        status expected;
    } cases[] = {
        {"['9']", 24, STATUS_IO}, {"['0']", 23, STATUS_MODEL}, {"['0','0']", 24, STATUS_MODEL},
        {"[]", 24, STATUS_MODEL}, {"[7]", 24, STATUS_MODEL},   {"'0'", 24, STATUS_MODEL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture f;
        fixture_init(&f, 1, 2, 3);
        fixture_weight(&f, "l/alpha", "1,2,3", values);
        f.shards = cases[i].shards;
        f.shard_size = cases[i].size;
        fixture_refused(&f, prelu(), cases[i].expected, "");
    }
}

static void files_are_read_beside_the_model(void **state)
{
    (void)state;
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    char *text = fixture_quoted("{'modelTopology':{'class_name':'Sequential','config':["
                                "{'class_name':'PReLU','config':{'name':'l'}}]},"
                                "'weightsManifest':[{'paths':['alpha.bin'],'weights':[{'name':"
                                "'l/alpha','shape':[1,2,3],'dtype':'float32'}]}]}");
    char path[4096];
    card c = {.preprocess = {.width = 2, .height = 1}};
    graph *g = NULL;
    error err = {0};
    (void)snprintf(path, sizeof path, "%s", fixture_path("model.json"));
    assert_int_equal(tfjs_import(&allocator_default, path, &c, &g, &err), STATUS_IO);
    assert_non_null(strstr(err.text, path));
    fixture_write(path, text, strlen(text));
    (void)remove(fixture_path("alpha.bin"));
    assert_int_equal(tfjs_import(&allocator_default, path, &c, &g, &err), STATUS_IO);
    assert_non_null(strstr(err.text, "alpha.bin"));
    fixture_write(fixture_path("alpha.bin"), values, sizeof values - 1);
    assert_int_equal(tfjs_import(&allocator_default, path, &c, &g, &err), STATUS_MODEL);
    assert_memory_equal(err.text, path, strlen(path));
    fixture_write(fixture_path("alpha.bin"), values, sizeof values);
    test_allocator t;
    for (size_t n = 1;; n++) {
        test_allocator_init(&t, n);
        status s = tfjs_import(&t.alloc, path, &c, &g, &err);
        if (!t.failed) {
            assert_status_ok(s, err);
            break;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_int_equal(t.live, 0);
    }
    assert_memory_equal(g->weights[0].data, values, sizeof values);
    graph_destroy(g);
    assert_int_equal(tfjs_import(&allocator_default, "/", &c, &g, &err), STATUS_IO);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uint8_is_scaled_in_double),
        cmocka_unit_test(uint16_is_scaled_in_double),
        cmocka_unit_test(float16_is_exact),
        cmocka_unit_test(weights_are_numbers),
        cmocka_unit_test(types_may_be_mixed),
        cmocka_unit_test(weights_go_on_in_the_next_shard),
        cmocka_unit_test(types_that_are_not_used_are_passed_over),
        cmocka_unit_test(names_are_found_in_their_surroundings),
        cmocka_unit_test(the_longest_path_wins),
        cmocka_unit_test(manifests_are_checked),
        cmocka_unit_test(halves_of_other_types_are_refused),
        cmocka_unit_test(shards_stay_in_their_folder),
        cmocka_unit_test(shards_may_be_missing_or_short),
        cmocka_unit_test(files_are_read_beside_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
