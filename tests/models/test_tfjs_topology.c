/* The importer: models in models, shared layers and models, several outputs, wrappers of versions,
 * and everything that can be wrong with a topology. */
#include "tests/models/fixture.h"

/* Saved by TensorFlow.js 4.22: a model called twice, with a Sequential inside and two outputs; a
 * layer called three times, the last on something made from the first two. */
static const char nested[] =
    "{'class_name':'Model','config':{'name':'outer','layers':[{'name':'image','class_name':'I"
    "nputLayer','config':{'batch_input_shape':[null,2,2,3],'name':'image'},'inbound_nodes':[]"
    "},{'name':'squash','class_name':'Activation','config':{'activation':'sigmoid','name':'sq"
    "uash'},'inbound_nodes':[[['image',0,0,{}]]]},{'name':'inner','class_name':'Model','confi"
    "g':{'name':'inner','layers':[{'name':'inner_in','class_name':'InputLayer','config':{'bat"
    "ch_input_shape':[null,2,2,3],'name':'inner_in'},'inbound_nodes':[]},{'name':'conv','clas"
    "s_name':'Conv2D','config':{'filters':2,'kernel_size':[1,1],'strides':[1,1],'padding':'va"
    "lid','data_format':'channels_last','dilation_rate':[1,1],'activation':'relu','use_bias':"
    "false,'name':'conv'},'inbound_nodes':[[['inner_in',0,0,{}]]]},{'name':'tail','class_name"
    "':'Sequential','config':{'name':'tail','layers':[{'class_name':'GlobalAveragePooling2D',"
    "'config':{'data_format':'channels_last','name':'pool','batch_input_shape':[null,2,2,2]}}"
    ",{'class_name':'Dense','config':{'units':3,'activation':'tanh','use_bias':true,'name':'d"
    "ense'}}]},'inbound_nodes':[[['conv',0,0,{}]]]},{'name':'flat','class_name':'Flatten','co"
    "nfig':{'name':'flat'},'inbound_nodes':[[['conv',0,0,{}]]]}],'input_layers':[['inner_in',"
    "0,0]],'output_layers':[['tail',1,0],['flat',0,0]]},'inbound_nodes':[[['image',0,0,{}]],["
    "['squash',0,0,{}]]]},{'name':'shared','class_name':'Dense','config':{'units':2,'activati"
    "on':'linear','use_bias':true,'name':'shared'},'inbound_nodes':[[['inner',1,0,{}]],[['inn"
    "er',2,0,{}]],[['cat',0,0,{}]]]},{'name':'one','class_name':'Dense','config':{'units':1,'"
    "activation':'linear','use_bias':true,'name':'one'},'inbound_nodes':[[['inner',2,1,{}]]]}"
    ",{'name':'sum','class_name':'Add','config':{'name':'sum'},'inbound_nodes':[[['shared',0,"
    "0,{}],['shared',1,0,{}]]]},{'name':'clip','class_name':'ReLU','config':{'max_value':6,'n"
    "ame':'clip'},'inbound_nodes':[[['one',0,0,{}]]]},{'name':'cat','class_name':'Concatenate"
    "','config':{'axis':-1,'name':'cat'},'inbound_nodes':[[['sum',0,0,{}],['clip',0,0,{}]]]}]"
    ",'input_layers':[['image',0,0]],'output_layers':[['shared',2,0],['inner',1,1],['shared',"
    "1,0]]},'keras_version':'tfjs-layers 4.22.0','backend':'tensor_flow.js'}";

static const char nested_weights[] = "conv/kernel:1,1,3,2 dense/kernel:2,3 dense/bias:3 "
                                     "shared/kernel:3,2 shared/bias:2 one/kernel:8,1 one/bias:1";

/* what TensorFlow.js computes from it */
static const float nested_again[] = {0.46678829193115234f, -0.1560693383216858f};
static const float nested_flat[] = {1.5f, 0, 0, 0, 0, 0, 0, 1.8125f};
static const float nested_shared[] = {-0.00897708535194397f, 0.04526270925998688f};

static void models_and_layers_are_shared(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 2, 2, 3);
    fixture_formula(&f, nested_weights);
    graph *g = fixture_graph(&f, nested);
    assert_int_equal(g->output_count, 3);
    const char *const names[] = {"shared:2", "inner/flat", "shared:1"};
    const float *const expected[] = {nested_again, nested_flat, nested_shared};
    const size_t counts[] = {2, 8, 2};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(g->values[g->outputs[i]].name, names[i]);
        float *found = fixture_run(g, i);
        fixture_compare(names[i], found, expected[i], counts[i], 1e-6f);
        free(found);
    }
    assert_int_equal(g->weight_count, 7); /* each once */
    assert_true(graph_find_value(g, "inner:1/tail/dense") >= 0);
    assert_string_equal(g->values[g->input].name, "image");
    graph_destroy(g);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fixture f;
    for (size_t n = 1;; n++) {
        test_allocator t;
        graph *g = NULL;
        error err = {0};
        fixture_init(&f, 2, 2, 3);
        fixture_formula(&f, nested_weights);
        test_allocator_init(&t, n);
        status s = fixture_import(&f, &t.alloc, nested, &g, &err);
        if (!t.failed) {
            assert_status_ok(s, err);
            graph_destroy(g);
            assert_int_equal(t.live, 0);
            assert_true(n > 4);
            return;
        }
        assert_int_equal(s, STATUS_MEMORY);
        assert_null(g);
        assert_int_equal(t.live, 0);
    }
}

/* --- wrappers and ways to write --- */

#define RELU_IN(attributes)                                                                        \
    "{'class_name':'Activation','config':{'name':'l','activation':'relu'" attributes "}}"

static void accepted(const char *topology)
{
    fixture f;
    fixture_init(&f, 2, 2, 3);
    graph *g = fixture_graph(&f, topology);
    assert_string_equal(g->values[g->outputs[0]].name, "l");
    graph_destroy(g);
}

static void wrappers_of_all_versions(void **state)
{
    (void)state;
    static const char *const topologies[] = {
        "{'class_name':'Sequential','config':[" RELU_IN("") "]}",
        "{'class_name':'Sequential','config':{'layers':[" RELU_IN("") "]}}",
        "{'model_config':{'class_name':'Sequential','config':{'name':'m','layers':[" RELU_IN(
            "") "]}},'keras_version':'2.2.4','backend':'tensorflow'}",
        "{'modelConfig':{'className':'Sequential','config':{'layers':[" RELU_IN("") "]}}}",
        "{'class_name':'Sequential','config':[" RELU_IN(",'batch_input_shape':[null,2,2,3]") "]}",
        "{'class_name':'Sequential','config':[" RELU_IN(",'batchInputShape':[null,2,null,3]") "]}",
        "{'class_name':'Sequential','config':[{'class_name':'InputLayer','config':{'name':'i',"
        "'batch_shape':[1,2,2,3]}}," RELU_IN("") "]}",
        "{'class_name':'Functional','config':{'name':'m','layers':[{'class_name':'InputLayer',"
        "'name':'i','config':{},'inbound_nodes':[]},{'class_name':'Activation','name':'l','config':"
        "{'activation':'relu'},'inbound_nodes':[['i',0,0,{'training':false}]]}],'input_layers':"
        "['i',0,0],'output_layers':['l',0,0]}}",
        "{'className':'Model','config':{'name':'m','layers':[{'className':'InputLayer','name':'i',"
        "'config':{},'inboundNodes':[]},{'className':'Activation','name':'l','config':"
        "{'activation':'relu'},'inboundNodes':[[['i',0,0]]]}],'inputLayers':[['i',0,0]],"
        "'outputLayers':[['l',0,0]]}}",
    };
    for (size_t i = 0; i < sizeof topologies / sizeof topologies[0]; i++) {
        accepted(topologies[i]);
    }
}

/* layers in any order; what no output needs is left out, even if it is not supported */
static void only_what_is_needed_is_built(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 2, 2, 3);
    graph *g = fixture_graph(
        &f, "{'class_name':'Model','config':{'name':'m','layers':["
            "{'class_name':'Add','name':'l','config':{},'inbound_nodes':[[['b',0,0],['a',0,0]]]},"
            "{'class_name':'LSTM','name':'x','config':{},'inbound_nodes':[[['a',0,0]]]},"
            "{'class_name':'ReLU','name':'b','config':{},'inbound_nodes':[[['a',0,0]]]},"
            "{'class_name':'ELU','name':'a','config':{},'inbound_nodes':[[['i',0,0]]]},"
            "{'class_name':'InputLayer','name':'i','config':{},'inbound_nodes':[]}],"
            "'input_layers':[['i',0,0]],'output_layers':[['l',0,0],['b',0,0]]}}");
    const char *const order[] = {"a", "b", "l"};
    assert_int_equal(g->node_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(g->nodes[i].name, order[i]);
    }
    assert_int_equal(g->output_count, 2);
    graph_destroy(g);
}

/* A model whose calls are counted from 0, as some versions do. */
static void calls_of_a_model_may_count_from_zero(void **state)
{
    (void)state;
    static const char format[] =
        "{'class_name':'Model','config':{'name':'m','layers':["
        "{'class_name':'InputLayer','name':'i','config':{},'inbound_nodes':[]},"
        "{'class_name':'Sequential','name':'s','config':[{'class_name':'ReLU','config':{'name':"
        "'r'}}],'inbound_nodes':[[['i',0,0]],[['s',%d,0]]]}],"
        "'input_layers':[['i',0,0]],'output_layers':[['s',%d,0]]}}";
    for (int first = 0; first < 2; first++) {
        char text[1024];
        fixture f;
        fixture_init(&f, 2, 2, 3);
        (void)snprintf(text, sizeof text, format, first, first + 1);
        graph *g = fixture_graph(&f, text);
        assert_int_equal(g->node_count, 2);
        assert_string_equal(g->nodes[1].name, "s:1/r");
        graph_destroy(g);
    }
}

/* --- what can be wrong --- */

#define INPUT "{'class_name':'InputLayer','name':'i','config':{},'inbound_nodes':[]}"
#define MODEL(layers, inputs, outputs)                                                             \
    "{'class_name':'Model','config':{'name':'m','layers':[" layers "],'input_layers':" inputs      \
    ",'output_layers':" outputs "}}"
#define RELU(name, from)                                                                           \
    "{'class_name':'ReLU','name':'" name "','config':{},'inbound_nodes':" from "}"

typedef struct wrong {
    const char *topology;
    status expected;
    const char *part;
} wrong;

static const wrong wrongs[] = {
    {"{}", STATUS_MODEL, "class_name: is missing"},
    {"{'class_name':'Dense','config':{}}", STATUS_UNSUPPORTED, "is no model"},
    {"{'class_name':'Model'}", STATUS_MODEL, "layers: is missing"},
    {"{'class_name':'Model','config':{'layers':[]}}", STATUS_MODEL, "layers: has 0 items"},
    {"{'node':[{'op':'Conv2D'}]}", STATUS_UNSUPPORTED, "graph model"},
    {"[]", STATUS_MODEL, "modelTopology: is an array"},
    {"{'class_name':'Sequential','config':[{'config':{'name':'a'}}]}", STATUS_MODEL, "class_name"},
    {"{'class_name':'Sequential','config':[{'class_name':'ReLU'}]}", STATUS_MODEL, "name"},
    {"{'class_name':'Sequential','config':[{'class_name':'ReLU','name':'a','config':3}]}",
     STATUS_MODEL, "config: is a number"},
    {"{'class_name':'Sequential','config':[{'class_name':'ReLU','name':'a','config':{}},"
     "{'class_name':'ReLU','name':'a','config':{}}]}",
     STATUS_MODEL, "two layers 'a'"},
    {"{'class_name':'Sequential','config':[{'class_name':'ReLU','config':{'name':'a',"
     "'batch_input_shape':[null,3,2,3]}}]}",
     STATUS_MODEL, "2x2x3"},
    {"{'class_name':'Sequential','config':[{'class_name':'ReLU','config':{'name':'a',"
     "'batch_input_shape':[null,12]}}]}",
     STATUS_MODEL, "batch_input_shape"},
    {MODEL(INPUT, "[['i',0,0]]", "[['x',0,0]]"), STATUS_MODEL, "no layer 'x'"},
    {MODEL(INPUT, "[['x',0,0]]", "[['i',0,0]]"), STATUS_MODEL, "no layer 'x'"},
    {MODEL(INPUT, "[['i',0,0]]", "[['i',1,0]]"), STATUS_MODEL, "call 1 of layer 'i'"},
    {MODEL(INPUT, "[['i',0,0]]", "[['i',0,1]]"), STATUS_MODEL, "output 1 of layer 'i'"},
    {MODEL(INPUT, "[['i',0,0]]", "[['i',0]]"), STATUS_MODEL, "output_layers[0]"},
    {MODEL(INPUT, "[['i',0,0]]", "[]"), STATUS_MODEL, "output_layers"},
    {MODEL(INPUT, "[['i',0,0],['i',0,0]]", "[['i',0,0]]"), STATUS_UNSUPPORTED, "2 inputs"},
    {MODEL(INPUT "," RELU("a", "[[['i',0,0]]]"), "[['a',0,0]]", "[['a',0,0]]"), STATUS_MODEL,
     "no input layer"},
    {MODEL(INPUT "," RELU("a", "[[['a',0,0]]]"), "[['i',0,0]]", "[['a',0,0]]"), STATUS_MODEL,
     "needs its own output"},
    {MODEL(INPUT "," RELU("a", "[[['b',0,0]]]") "," RELU("b", "[[['a',0,0]]]"), "[['i',0,0]]",
           "[['a',0,0]]"),
     STATUS_MODEL, "needs its own output"},
    {MODEL(INPUT "," RELU("a", "[[['i',0,0],['i',0,0]]]"), "[['i',0,0]]", "[['a',0,0]]"),
     STATUS_MODEL, "called on 2 inputs"},
    {MODEL(INPUT "," RELU("a", "[[]]"), "[['i',0,0]]", "[['a',0,0]]"), STATUS_MODEL,
     "inbound_nodes[0]"},
    {MODEL(INPUT "," RELU("a", "3"), "[['i',0,0]]", "[['a',0,0]]"), STATUS_MODEL, "inbound_nodes"},
    {MODEL(INPUT "," RELU("a", "[{'args':[]}]"), "[['i',0,0]]", "[['a',0,0]]"), STATUS_UNSUPPORTED,
     "Keras 3"},
    {MODEL(INPUT ",{'class_name':'InputLayer','name':'j','config':{},'inbound_nodes':[]}",
           "[['i',0,0]]", "[['j',0,0]]"),
     STATUS_MODEL, "'j' is no input of its model"},
    {MODEL("{'class_name':'InputLayer','name':'i','config':{'batch_input_shape':[null,9,2,3]},"
           "'inbound_nodes':[]}",
           "[['i',0,0]]", "[['i',0,0]]"),
     STATUS_MODEL, "layer 'i' (InputLayer)"},
    {MODEL("{'class_name':'InputLayer','name':'i','config':{},'inbound_nodes':[[['i',0,0]]]}",
           "[['i',0,0]]", "[['i',0,0]]"),
     STATUS_MODEL, "an input layer is called"},
};

static void broken_topologies_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        fixture f;
        fixture_init(&f, 2, 2, 3);
        fixture_refused(&f, wrongs[i].topology, wrongs[i].expected, wrongs[i].part);
    }
}

/* Each model calls the one inside twice, one call on the other: 2^n calls from n lines. */
static void work_is_capped(void **state)
{
    (void)state;
    enum { ROOM = 1 << 16, LEVELS = 14 };
    char *text = malloc(ROOM), *outer = malloc(ROOM);
    assert_non_null(text);
    assert_non_null(outer);
    (void)snprintf(text, ROOM, RELU("a", "[[['i',0,0]]]"));
    for (int level = 0; level < LEVELS; level++) {
        char *swap = outer;
        (void)snprintf(outer, ROOM,
                       "{'class_name':'Model','name':'a','config':{'name':'a','layers':[" INPUT
                       ",%s],'input_layers':[['i',0,0]],'output_layers':[['a',%d,0]]},"
                       "'inbound_nodes':[[['i',0,0]],[['a',1,0]]]}",
                       text, level ? 2 : 0);
        outer = text;
        text = swap;
    }
    fixture f;
    fixture_init(&f, 2, 2, 3);
    (void)snprintf(outer, ROOM, MODEL(INPUT ",%s", "[['i',0,0]]", "[['a',2,0]]"), text);
    fixture_refused(&f, outer, STATUS_LIMIT, "calls of layers");
    free(text);
    free(outer);
}

static void depth_is_capped(void **state)
{
    (void)state;
    char *text = malloc(1 << 16), *outer = malloc(1 << 16);
    assert_non_null(text);
    assert_non_null(outer);
    (void)snprintf(text, 1 << 16, "{'class_name':'ReLU','config':{'name':'l'}}");
    for (int depth = 0; depth < 20; depth++) {
        char *swap = outer;
        (void)snprintf(outer, 1 << 16,
                       "{'class_name':'Sequential','config':{'name':'l','layers':[%s]}}", text);
        outer = text;
        text = swap;
    }
    fixture f;
    fixture_init(&f, 2, 2, 3);
    fixture_refused(&f, text, STATUS_LIMIT, "nested");
    free(text);
    free(outer);
}

static void documents_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        status expected;
    } documents[] = {
        {"", STATUS_MODEL},
        {"{", STATUS_MODEL},
        {"[]", STATUS_MODEL},
        {"{}", STATUS_MODEL},
        {"{'format':'graph-model','modelTopology':{}}", STATUS_UNSUPPORTED},
        {"{'modelTopology':{},'modelTopology':{}}", STATUS_MODEL},
        {"{'modelTopology':{'class_name':'Sequential','config':[]}}", STATUS_MODEL},
        {"{'modelTopology':{},'weightsManifest':{}}", STATUS_MODEL},
    };
    for (size_t i = 0; i < sizeof documents / sizeof documents[0]; i++) {
        card c = {.preprocess = {.width = 1, .height = 1}};
        char *text = fixture_quoted(documents[i].text);
        graph *g = NULL;
        error err = {0};
        assert_int_equal(tfjs_parse(&allocator_default, text, strlen(text), NULL, &c, &g, &err),
                         documents[i].expected);
        assert_true(err.text[0] != 0);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_and_layers_are_shared),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(wrappers_of_all_versions),
        cmocka_unit_test(only_what_is_needed_is_built),
        cmocka_unit_test(calls_of_a_model_may_count_from_zero),
        cmocka_unit_test(broken_topologies_are_refused),
        cmocka_unit_test(work_is_capped),
        cmocka_unit_test(depth_is_capped),
        cmocka_unit_test(documents_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
