/* The importer, layer by layer: what the graph computes is what TensorFlow.js computes. */
#include "tests/models/fixture.h"
#include "tests/models/layer_cases.h"

static void layers_compute_as_in_tensorflow_js(void **state)
{
    (void)state;
    for (size_t i = 0; i < layer_case_count; i++) {
        const layer_case *c = &layer_cases[i];
        fixture f;
        fixture_init(&f, c->input[0], c->input[1], c->input[2]);
        fixture_formula(&f, c->weights);
        graph *g = NULL;
        error err = {0};
        char text[64];
        if (fixture_import(&f, &allocator_default, c->topology, &g, &err) != STATUS_OK) {
            fail_msg("%s: %s", c->name, err.text);
        }
        const value *out = &g->values[g->outputs[0]];
        shape_text(out->shape, text);
        if (strcmp(text, c->shape) != 0 || strcmp(out->name, "l") != 0) {
            fail_msg("%s: output '%s' is %s, expected 'l', %s", c->name, out->name, text, c->shape);
        }
        float *found = fixture_run(g, 0);
        fixture_compare(c->name, found, c->expected, shape_elements(out->shape), 2e-6f);
        free(found);
        graph_destroy(g);
    }
}

/* --- what TensorFlow.js leaves out of Keras --- */

static void expect(const char *class_name, const char *config, const uint32_t input[3],
                   const char *weights, const float *expected, size_t count)
{
    fixture f;
    fixture_init(&f, input[0], input[1], input[2]);
    fixture_formula(&f, weights);
    graph *g = fixture_graph(&f, fixture_layer(class_name, config));
    assert_int_equal(shape_elements(g->values[g->outputs[0]].shape), count);
    float *found = fixture_run(g, 0);
    fixture_compare(config, found, expected, count, 1e-6f);
    free(found);
    graph_destroy(g);
}

static void relu_has_slope_and_threshold(void **state)
{
    (void)state;
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        float x = fixture_input(i);
        expected[i] = x >= 1.5f ? 1.5f : x >= 0.5f ? x : 0.25f * (x - 0.5f);
    }
    expect("ReLU", "'max_value':1.5,'negative_slope':0.25,'threshold':0.5", (uint32_t[]){2, 3, 1},
           "", expected, 6);
    expect("ReLU", "'maxValue':1.5,'negativeSlope':0.25,'threshold':0.5", (uint32_t[]){2, 3, 1}, "",
           expected, 6);
}

static void leaky_relu_reads_every_spelling(void **state)
{
    (void)state;
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        float x = fixture_input(i);
        expected[i] = x >= 0 ? x : 0.25f * x;
    }
    static const char *const spellings[] = {"'alpha':0.25", "'negative_slope':0.25",
                                            "'alpha':{'type':'ndarray','value':0.25}"};
    for (size_t i = 0; i < 3; i++) {
        expect("LeakyReLU", spellings[i], (uint32_t[]){2, 3, 1}, "", expected, 6);
    }
}

static void elu_has_alpha(void **state)
{
    (void)state;
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        double x = (double)fixture_input(i);
        expected[i] = (float)(x >= 0 ? x : 0.5 * (exp(x) - 1));
    }
    expect("ELU", "'alpha':0.5", (uint32_t[]){2, 3, 1}, "", expected, 6);
}

static void activation_may_be_an_object(void **state)
{
    (void)state;
    float expected[6];
    for (size_t i = 0; i < 6; i++) {
        float x = fixture_input(i);
        expected[i] = x < 0 ? 0 : x;
    }
    expect("Activation", "'activation':{'class_name':'relu','config':{}}", (uint32_t[]){2, 3, 1},
           "", expected, 6);
}

static void global_average_keeps_dimensions(void **state)
{
    (void)state;
    fixture f;
    char text[64];
    fixture_init(&f, 3, 2, 3);
    graph *g = fixture_graph(&f, fixture_layer("GlobalAveragePooling2D", "'keepdims':true"));
    shape_text(g->values[g->outputs[0]].shape, text);
    assert_string_equal(text, "1x1x3");
    assert_string_equal(g->values[g->outputs[0]].name, "l");
    graph_destroy(g);
}

/* three groups of one channel each: the same as three convolutions */
static void convolution_in_groups(void **state)
{
    (void)state;
    float kernel[2 * 2 * 1 * 6], expected[2 * 2 * 6] = {0};
    for (size_t i = 0; i < 24; i++) {
        kernel[i] = (float)i - 11.5f;
    }
    fixture f;
    fixture_init(&f, 3, 3, 3);
    fixture_weight(&f, "l/kernel", "2,2,1,6", kernel);
    for (size_t y = 0; y < 2; y++) {
        for (size_t x = 0; x < 2; x++) {
            for (size_t o = 0; o < 6; o++) {
                for (size_t k = 0; k < 4; k++) {
                    size_t in = ((y + k / 2) * 3 + x + k % 2) * 3 + o / 2;
                    expected[(y * 2 + x) * 6 + o] += fixture_input(in) * kernel[k * 6 + o];
                }
            }
        }
    }
    graph *g = fixture_graph(
        &f, fixture_layer("Conv2D", "'filters':6,'kernel_size':2,'groups':3,'use_bias':false"));
    float *found = fixture_run(g, 0);
    fixture_compare("groups", found, expected, 24, 1e-4f);
    free(found);
    graph_destroy(g);
    fixture_refused(&f, fixture_layer("Conv2D", "'filters':6,'kernel_size':2,'groups':2"),
                    STATUS_MODEL, "in 2 groups");
}

/* TensorFlow.js takes every negative axis for the last, Keras counts from the end */
static void concat_axis_counts_from_the_end(void **state)
{
    (void)state;
    static const struct {
        int axis;
        const char *expected;
    } cases[] = {{-1, "2x3x2"}, {-2, "2x6x1"}, {-3, "4x3x1"}, {1, "4x3x1"}, {3, "2x3x2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[2048], found[64];
        fixture f;
        fixture_init(&f, 2, 3, 1);
        (void)snprintf(
            text, sizeof text,
            "{'class_name':'Model','config':{'name':'net','layers':["
            "{'class_name':'InputLayer','name':'in','config':{'name':'in'},'inbound_nodes':[]},"
            "{'class_name':'Concatenate','name':'l','config':{'name':'l','axis':%d},"
            "'inbound_nodes':[[['in',0,0,{}],['in',0,0,{}]]]}],"
            "'input_layers':[['in',0,0]],'output_layers':[['l',0,0]]}}",
            cases[i].axis);
        graph *g = fixture_graph(&f, text);
        shape_text(g->values[g->outputs[0]].shape, found);
        assert_string_equal(found, cases[i].expected);
        graph_destroy(g);
    }
}

static void depthwise_honours_dilation(void **state)
{
    (void)state;
    float kernel[2 * 2 * 3], expected[3];
    for (size_t i = 0; i < 12; i++) {
        kernel[i] = (float)i;
    }
    fixture f;
    fixture_init(&f, 3, 3, 3);
    fixture_weight(&f, "l/kernel", "2,2,3,1", kernel); /* as Keras 3 calls it */
    for (size_t c = 0; c < 3; c++) {
        expected[c] = 0;
        for (size_t k = 0; k < 4; k++) {
            expected[c] += fixture_input((k / 2 * 2 * 3 + k % 2 * 2) * 3 + c) * kernel[k * 3 + c];
        }
    }
    graph *g = fixture_graph(&f, fixture_layer("DepthwiseConv2D", "'kernel_size':2,'dilation_rate':"
                                                                  "2,'use_bias':false"));
    float *found = fixture_run(g, 0);
    fixture_compare("dilated depthwise", found, expected, 3, 1e-4f);
    free(found);
    graph_destroy(g);
}

static void node_names_tell_the_layer(void **state)
{
    (void)state;
    fixture f;
    fixture_init(&f, 3, 3, 3);
    fixture_formula(&f, "l/depthwise_kernel:3,3,3,1 l/pointwise_kernel:1,1,3,2 l/bias:2");
    graph *g = fixture_graph(
        &f, fixture_layer("SeparableConv2D",
                          "'filters':2,'kernel_size':3,'padding':'same','activation':'softmax'"));
    static const char *const names[] = {"l/depthwise", "l/linear", "l"};
    assert_int_equal(g->node_count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(g->nodes[i].name, names[i]);
    }
    assert_string_equal(g->values[g->input].name, "l_input");
    assert_string_equal(g->weights[0].name, "l/depthwise_kernel");
    graph_destroy(g);
}

/* --- refusals --- */

typedef struct refusal {
    const char *class_name, *config;
    status expected;
    const char *part;
} refusal;

static const refusal refusals[] = {
    {"Conv9D", "", STATUS_UNSUPPORTED, "layer 'l' (Conv9D): layers of this class"},
    {"LSTM", "'units':3", STATUS_UNSUPPORTED, "(LSTM)"},
    {"Lambda", "", STATUS_UNSUPPORTED, "(Lambda)"},
    {"Conv2D", "'filters':1,'kernel_size':3,'data_format':'channels_first'", STATUS_UNSUPPORTED,
     "data_format"},
    {"Conv2D", "'filters':1,'kernel_size':3,'dataFormat':'channelsFirst'", STATUS_UNSUPPORTED,
     "channels_last"},
    {"Conv2D", "'filters':1,'kernel_size':3,'padding':'causal'", STATUS_UNSUPPORTED, "causal"},
    {"Conv2D", "'filters':1,'kernel_size':3,'activation':'mish'", STATUS_UNSUPPORTED, "mish"},
    {"Conv2D", "'filters':1", STATUS_MODEL, "kernel_size: is missing"},
    {"Conv2D", "'kernel_size':3", STATUS_MODEL, "filters: is missing"},
    {"Conv2D", "'filters':1,'kernel_size':[3,3,3]", STATUS_MODEL, "kernel_size"},
    {"Conv2D", "'filters':1,'kernel_size':[3,0]", STATUS_MODEL, "kernel_size[1]"},
    {"Conv2D", "'filters':1,'kernel_size':2.5", STATUS_MODEL, "whole number"},
    {"Conv2D", "'filters':-1,'kernel_size':3", STATUS_MODEL, "filters"},
    {"Conv2D", "'filters':1,'kernel_size':3,'use_bias':1", STATUS_MODEL, "use_bias"},
    {"Conv2D", "'filters':1,'kernel_size':3,'strides':'2'", STATUS_MODEL, "strides"},
    {"Conv2D", "'filters':1,'kernel_size':9", STATUS_MODEL, "l/kernel"},
    {"DepthwiseConv2D", "'kernel_size':3,'depth_multiplier':0", STATUS_MODEL, "depth_multiplier"},
    {"Dense", "", STATUS_MODEL, "units: is missing"},
    {"BatchNormalization", "'axis':1", STATUS_UNSUPPORTED, "axis"},
    {"BatchNormalization", "'axis':[1,2]", STATUS_MODEL, "axis"},
    {"BatchNormalization", "'renorm':true", STATUS_UNSUPPORTED, "renorm"},
    {"BatchNormalization", "", STATUS_MODEL, "weight 'l/gamma' (3)"},
    {"ReLU", "'max_value':-1", STATUS_MODEL, "max_value"},
    {"ReLU", "'max_value':'6'", STATUS_MODEL, "max_value"},
    {"Softmax", "'axis':1", STATUS_UNSUPPORTED, "axis"},
    {"Softmax", "'axis':0", STATUS_UNSUPPORTED, "axis"},
    {"PReLU", "'shared_axes':[4]", STATUS_MODEL, "shared_axes[0]"},
    {"PReLU", "'shared_axes':7", STATUS_MODEL, "shared_axes"},
    {"MaxPooling2D", "'pool_size':9", STATUS_MODEL, "does not fit"},
    {"MaxPooling2D", "'data_format':'channels_first'", STATUS_UNSUPPORTED, "data_format"},
    {"GlobalMaxPooling2D", "", STATUS_UNSUPPORTED, "GlobalMaxPooling2D"},
    {"UpSampling2D", "'interpolation':'bicubic'", STATUS_UNSUPPORTED, "bicubic"},
    {"UpSampling2D", "'size':1048576", STATUS_LIMIT, "at most"},
    {"Cropping2D", "'cropping':2", STATUS_MODEL, "nothing is left"},
    {"ZeroPadding2D", "'padding':[1,2,3]", STATUS_MODEL, "padding"},
    {"ZeroPadding2D", "'padding':[[1,2],[3]]", STATUS_MODEL, "padding[1]"},
    {"ZeroPadding2D", "'padding':-1", STATUS_MODEL, "padding"},
    {"Reshape", "'target_shape':[5,5]", STATUS_MODEL, "cannot become"},
    {"Reshape", "'target_shape':[-1,-1]", STATUS_MODEL, "two dimensions"},
    {"Reshape", "'target_shape':[1,2,2,12]", STATUS_UNSUPPORTED, "4 dimensions"},
    {"Reshape", "'target_shape':[0,48]", STATUS_MODEL, "target_shape[0]"},
    {"Reshape", "", STATUS_MODEL, "target_shape: is missing"},
    {"Flatten", "'data_format':'channels_first'", STATUS_UNSUPPORTED, "data_format"},
    {"Permute", "'dims':[1,2]", STATUS_MODEL, "dims"},
    {"Permute", "'dims':[1,2,2]", STATUS_MODEL, "permutation"},
    {"Add", "", STATUS_MODEL, "is called on 1 inputs"},
    {"Concatenate", "", STATUS_MODEL, "is called on 1 inputs"},
};

static void what_is_not_supported_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        fixture f;
        fixture_init(&f, 4, 4, 3);
        fixture_formula(&f, "l/kernel:3,3,3,1");
        fixture_refused(&f, fixture_layer(refusals[i].class_name, refusals[i].config),
                        refusals[i].expected, refusals[i].part);
    }
}

static void maps_are_asked_for(void **state)
{
    (void)state;
    static const char *const classes[] = {"DepthwiseConv2D", "MaxPooling2D",
                                          "GlobalAveragePooling2D", "ZeroPadding2D",
                                          "UpSampling2D"};
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        char text[1024];
        fixture f;
        fixture_init(&f, 4, 4, 3);
        (void)snprintf(text, sizeof text,
                       "{'class_name':'Sequential','config':[{'class_name':'Flatten','config':"
                       "{'name':'f'}},{'class_name':'%s','config':{'name':'l','kernel_size':1}}]}",
                       classes[i]);
        fixture_refused(&f, text, STATUS_MODEL, "not 48");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_compute_as_in_tensorflow_js),
        cmocka_unit_test(relu_has_slope_and_threshold),
        cmocka_unit_test(leaky_relu_reads_every_spelling),
        cmocka_unit_test(elu_has_alpha),
        cmocka_unit_test(activation_may_be_an_object),
        cmocka_unit_test(global_average_keeps_dimensions),
        cmocka_unit_test(convolution_in_groups),
        cmocka_unit_test(concat_axis_counts_from_the_end),
        cmocka_unit_test(depthwise_honours_dilation),
        cmocka_unit_test(node_names_tell_the_layer),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(maps_are_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
