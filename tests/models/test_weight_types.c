/* How weights are stored: binary16 arithmetic, the three ways of writing a container, and what each
 * keeps. */
#include "tests/models/fixture.h"

#include "engine/half.h"
#include "models/graph_json.h"

#include <jansson.h>

/* --- binary16 --- */

static float float_of_bits(uint32_t bits)
{
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint32_t bits_of_float(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void every_half_comes_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        uint16_t back = half_from_float(half_to_float((uint16_t)h));
        if (back != h) {
            fail_msg("0x%04x comes back as 0x%04x", h, back);
        }
    }
}

/* between every two neighbours: the middle goes to the even one, what lies beside it to the nearer
 */
static void ties_go_to_even(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        float low = half_to_float((uint16_t)h);
        /* above the largest half lies 65536, which is infinity */
        float high = h == 0x7bff ? 65536.0f : half_to_float((uint16_t)(h + 1));
        float middle = low + (high - low) / 2; /* exact */
        uint32_t even = h % 2 ? h + 1 : h;
        for (uint32_t sign = 0; sign < 0x10000; sign += 0x8000) {
            float s = sign ? -1.0f : 1.0f;
            assert_int_equal(half_from_float(s * middle), sign | even);
            assert_int_equal(half_from_float(s * nextafterf(middle, 0)), sign | h);
            assert_int_equal(half_from_float(s * nextafterf(middle, INFINITY)), sign | (h + 1));
        }
    }
}

static void the_ends_of_the_range(void **state)
{
    (void)state;
    assert_int_equal(half_from_float(65504.0f), 0x7bff);
    assert_int_equal(half_from_float(65519.996f), 0x7bff);
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(-3.4e38f), 0xfc00);
    assert_int_equal(half_from_float(-INFINITY), 0xfc00);
    assert_int_equal(half_from_float(0x1p-25f), 0);
    assert_int_equal(half_from_float(nextafterf(0x1p-25f, 1)), 1);
    assert_int_equal(half_from_float(1e-45f), 0);
    assert_int_equal(half_from_float(-0.0f), 0x8000);
    /* no number stays no number, also when its payload does not fit */
    assert_int_equal(half_from_float(float_of_bits(0x7f800001)), 0x7e00);
    assert_int_equal(half_from_float(float_of_bits(0xffc02000)), 0xfe01);
}

/* --- containers --- */

/* a convolution of 3 filters and a batch norm: tensors of 9 and of 3 elements, both odd */
enum { KERNEL = 9, CHANNELS = 3 };
typedef struct network {
    float kernel[KERNEL], bias[CHANNELS], gamma[CHANNELS], beta[CHANNELS], mean[CHANNELS],
        variance[CHANNELS];
} network;

static const network inexact = {
    .kernel = {0.1f, -0.2f, 1.0f, 2.0f, 3e-8f, -4e-8f, 65519.0f, 0x1.002p0f, -0x1.006p0f},
    .bias = {0.1f, 0.25f, -1e-7f},
    .gamma = {1, 2, 0.5f},
    .beta = {0.3f, 0, 0},
    .mean = {0.125f, -0.25f, 8},
    .variance = {1e-9f, 70000.0f, 1},
};
/* the kernel rounded by hand: the last two are ties */
static const float kernel_rounded[KERNEL] = {
    0x1.998p-4f, -0x1.998p-3f, 1, 2, 0x1p-24f, -0x1p-24f, 65504.0f, 0x1.000p0f, -0x1.008p0f};
static const float bias_rounded[CHANNELS] = {0x1.998p-4f, 0.25f, -0x1p-23f};

typedef struct model_text {
    graph *g;
    char *card;
    char path[4096];
} model_text;

static model_text make(const network *n)
{
    static fixture f;
    model_text t;
    fixture_init(&f, 1, 1, 3);
    fixture_weight(&f, "c/kernel", "1,1,3,3", n->kernel);
    fixture_weight(&f, "c/bias", "3", n->bias);
    fixture_weight(&f, "b/gamma", "3", n->gamma);
    fixture_weight(&f, "b/beta", "3", n->beta);
    fixture_weight(&f, "b/moving_mean", "3", n->mean);
    fixture_weight(&f, "b/moving_variance", "3", n->variance);
    t.g = fixture_graph(&f,
                        "{'class_name':'Sequential','config':["
                        "{'class_name':'Conv2D','config':{'name':'c','filters':3,'kernel_size':1}},"
                        "{'class_name':'BatchNormalization','config':{'name':'b'}},"
                        "{'class_name':'Flatten','config':{'name':'out'}}]}");
    t.card = fixture_card(1, 1, "out", 3);
    (void)snprintf(t.path, sizeof t.path, "%s", fixture_path("types.vkdet"));
    return t;
}

/* puts values in place that no network from outside may have; they are not copied */
static void set_weight(model_text *t, const char *name, const float *values)
{
    for (size_t i = 0; i < t->g->weight_count; i++) {
        if (strcmp(t->g->weights[i].name, name) == 0) {
            t->g->weights[i].data = values;
            return;
        }
    }
    fail_msg("there is no %s", name);
}

static void model_text_done(model_text *t)
{
    graph_destroy(t->g);
    free(t->card);
}

static model *write_and_open(const model_text *t, weight_type type)
{
    model *m = NULL;
    error err = {0};
    assert_status_ok(
        model_write(&allocator_default, t->g, t->card, strlen(t->card), type, t->path, &err), err);
    assert_status_ok(model_open(&allocator_default, t->path, &m, &err), err);
    return m;
}

/* tensor `name`: its type, and its values as opened */
static void expect(const model *m, const char *name, bool half, const float *values, size_t count)
{
    const tensor_entry *entry = NULL;
    const float *found = NULL;
    for (size_t i = 0; i < m->tensor_count; i++) {
        entry = strcmp(m->tensors[i].name, name) == 0 ? &m->tensors[i] : entry;
    }
    for (size_t i = 0; i < m->graph->weight_count; i++) {
        if (strcmp(m->graph->weights[i].name, name) == 0) {
            found = m->graph->weights[i].data;
        }
    }
    if (!entry || !found) {
        fail_msg("there is no %s", name);
        return;
    }
    if (entry->half != half) {
        fail_msg("%s is %s", name, entry->half ? "F16" : "F32");
    }
    assert_int_equal(entry->end - entry->begin, count * (half ? 2 : 4));
    for (size_t i = 0; i < count; i++) {
        if (bits_of_float(found[i]) != bits_of_float(values[i])) {
            fail_msg("%s: element %zu is %a, not %a", name, i, (double)found[i], (double)values[i]);
        }
    }
}

static void exact_loses_nothing(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    model *m = write_and_open(&t, WEIGHTS_EXACT);
    expect(m, "c/kernel", false, inexact.kernel, KERNEL);
    expect(m, "c/bias", false, inexact.bias, CHANNELS);
    expect(m, "b/gamma", true, inexact.gamma, CHANNELS);
    expect(m, "b/beta", false, inexact.beta, CHANNELS);
    expect(m, "b/moving_mean", true, inexact.mean, CHANNELS);
    expect(m, "b/moving_variance", false, inexact.variance, CHANNELS);
    model_destroy(m);
    model_text_done(&t);
}

/* odd numbers behind the point: infinity, no number, signed zero, subnormals */
static void exact_keeps_every_bit(void **state)
{
    (void)state;
    const float odd[KERNEL] = {INFINITY, -INFINITY,    float_of_bits(0x7fc02000),
                               -0.0f,    0x1p-24f,     -65504.0f,
                               0x1p-14f, 0x1.ff8p-15f, 0};
    const float bias[CHANNELS] = {float_of_bits(0x7f800001), 0.25f, 0}; /* a payload too long */
    model_text t = make(&inexact);
    set_weight(&t, "c/kernel", odd);
    set_weight(&t, "c/bias", bias);
    model *m = write_and_open(&t, WEIGHTS_EXACT);
    expect(m, "c/kernel", true, odd, KERNEL);
    expect(m, "c/bias", false, bias, CHANNELS);
    model_destroy(m);
    model_text_done(&t);
}

static void fp16_rounds_all_but_batch_norms(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    model *m = write_and_open(&t, WEIGHTS_FP16);
    expect(m, "c/kernel", true, kernel_rounded, KERNEL);
    expect(m, "c/bias", true, bias_rounded, CHANNELS);
    expect(m, "b/gamma", true, inexact.gamma, CHANNELS);
    expect(m, "b/beta", false, inexact.beta, CHANNELS);
    expect(m, "b/moving_mean", true, inexact.mean, CHANNELS);
    expect(m, "b/moving_variance", false, inexact.variance, CHANNELS);
    model_destroy(m);
    model_text_done(&t);
}

static void fp32_keeps_four_bytes(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    model *m = write_and_open(&t, WEIGHTS_FP32);
    expect(m, "c/kernel", false, inexact.kernel, KERNEL);
    expect(m, "b/gamma", false, inexact.gamma, CHANNELS);
    model_destroy(m);
    model_text_done(&t);
}

/* Tensors of 2 bytes an element and an odd count never push others off their alignment, and what
 * was read writes the same bytes in the same way. */
static void tensors_are_aligned(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    for (int type = 0; type < WEIGHTS_TYPE_COUNT; type++) {
        model *m = write_and_open(&t, (weight_type)type);
        bool halves = false;
        uint64_t at = 0;
        for (size_t i = 0; i < m->tensor_count; i++) {
            const tensor_entry *e = &m->tensors[i];
            assert_int_equal(e->begin, at);
            assert_int_equal(e->begin % (e->half ? 2 : 4), 0);
            assert_false(halves && !e->half);
            halves = e->half;
            at = e->end;
        }
        size_t size = 0, again_size = 0;
        unsigned char *bytes = test_read_file(t.path, &size);
        char again[4096];
        error err = {0};
        (void)snprintf(again, sizeof again, "%s", fixture_path("again.vkdet"));
        assert_status_ok(model_write(&allocator_default, m->graph, m->card_json,
                                     strlen(m->card_json), (weight_type)type, again, &err),
                         err);
        unsigned char *same = test_read_file(again, &again_size);
        assert_non_null(bytes);
        assert_non_null(same);
        assert_int_equal(size, again_size);
        assert_memory_equal(bytes, same, size);
        free(bytes);
        free(same);
        model_destroy(m);
    }
    model_text_done(&t);
}

static void beyond_the_range_is_refused(void **state)
{
    (void)state;
    static const float beyond[] = {65520.0f, -65520.0f, 3.4e38f};
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        network n = inexact;
        error err = {0};
        n.kernel[5] = beyond[i];
        model_text t = make(&n);
        (void)remove(t.path);
        assert_int_equal(model_write(&allocator_default, t.g, t.card, strlen(t.card), WEIGHTS_FP16,
                                     t.path, &err),
                         STATUS_LIMIT);
        assert_non_null(strstr(err.text, "weight 'c/kernel': element 5 is "));
        size_t size = 0;
        assert_null(test_read_file(t.path, &size));
        model *m = write_and_open(&t, WEIGHTS_EXACT);
        expect(m, "c/kernel", false, n.kernel, KERNEL);
        model_destroy(m);
        model_text_done(&t);
    }
    /* what is infinite already stays so; a batch norm may have any value */
    static const float kernel[KERNEL] = {INFINITY, 1}, beta[CHANNELS] = {1e30f};
    model_text t = make(&inexact);
    set_weight(&t, "c/kernel", kernel);
    set_weight(&t, "b/beta", beta);
    model_destroy(write_and_open(&t, WEIGHTS_FP16));
    model_text_done(&t);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    for (size_t n = 1;; n++) {
        test_allocator a;
        error err = {0};
        test_allocator_init(&a, n);
        status code =
            model_write(&a.alloc, t.g, t.card, strlen(t.card), WEIGHTS_FP16, t.path, &err);
        assert_int_equal(a.live, 0);
        if (!a.failed) {
            assert_status_ok(code, err);
            break;
        }
        assert_int_equal(code, STATUS_MEMORY);
    }
    for (size_t n = 1;; n++) { /* halves are expanded when the file is opened */
        test_allocator a;
        model *m = NULL;
        error err = {0};
        test_allocator_init(&a, n);
        status code = model_open(&a.alloc, t.path, &m, &err);
        model_destroy(m);
        assert_int_equal(a.live, 0);
        if (!a.failed) {
            assert_status_ok(code, err);
            break;
        }
        assert_int_equal(code, STATUS_MEMORY);
        assert_null(m);
    }
    model_text_done(&t);
}

/* more elements than the writer rounds at once */
static void long_tensors(void **state)
{
    (void)state;
    enum { COUNT = 7 * 7 * 3 * 17 };
    static float values[COUNT], rounded[COUNT];
    test_random random = test_random_seed(16);
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = test_random_float(&random, -2, 2);
        rounded[i] = half_to_float(half_from_float(values[i]));
        assert_true(fabsf(values[i] - rounded[i]) <= 0x1p-11f);
    }
    static fixture f;
    fixture_init(&f, 7, 7, 3);
    fixture_weight(&f, "l/kernel", "7,7,3,17", values);
    model_text t = {.g = fixture_graph(&f,
                                       "{'class_name':'Sequential','config':["
                                       "{'class_name':'Conv2D','config':{'name':'l','filters':17,"
                                       "'kernel_size':7,'use_bias':false}},"
                                       "{'class_name':'Flatten','config':{'name':'out'}}]}")};
    t.card = fixture_card(7, 7, "out", 17);
    (void)snprintf(t.path, sizeof t.path, "%s", fixture_path("long.vkdet"));
    model *m = write_and_open(&t, WEIGHTS_FP16);
    expect(m, "l/kernel", true, rounded, COUNT);
    model_destroy(m);
    model_text_done(&t);
}

static void description_tells_types(void **state)
{
    (void)state;
    model_text t = make(&inexact);
    model *m = write_and_open(&t, WEIGHTS_FP16);
    char *text = NULL;
    error err = {0};
    assert_status_ok(model_describe(m, &text, &err), err);
    json_t *root = json_loads(text, 0, NULL), *stored = json_object_get(root, "stored");
    assert_int_equal(json_integer_value(json_object_get(stored, "f32_tensors")), 2);
    assert_int_equal(json_integer_value(json_object_get(stored, "f32_bytes")), 2 * 3 * 4);
    assert_int_equal(json_integer_value(json_object_get(stored, "f16_tensors")), 4);
    assert_int_equal(json_integer_value(json_object_get(stored, "f16_bytes")), (9 + 3 * 3) * 2);
    const json_t *first = json_array_get(json_object_get(root, "tensors"), 0);
    assert_int_equal(json_array_size(json_object_get(root, "tensors")), 6);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "b/beta");
    assert_string_equal(json_string_value(json_object_get(first, "type")), "F32");
    assert_string_equal(json_string_value(json_object_get(first, "shape")), "3");
    json_decref(root);
    memory_release(&allocator_default, text);
    model_destroy(m);
    model_text_done(&t);
}

static void names_of_types(void **state)
{
    (void)state;
    weight_type type = WEIGHTS_FP32;
    assert_true(weight_type_from_name("exact", &type) && type == WEIGHTS_EXACT);
    assert_true(weight_type_from_name("fp16", &type) && type == WEIGHTS_FP16);
    assert_true(weight_type_from_name("fp32", &type) && type == WEIGHTS_FP32);
    assert_false(weight_type_from_name("FP16", &type));
    assert_false(weight_type_from_name("", &type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_comes_back),
        cmocka_unit_test(ties_go_to_even),
        cmocka_unit_test(the_ends_of_the_range),
        cmocka_unit_test(exact_loses_nothing),
        cmocka_unit_test(exact_keeps_every_bit),
        cmocka_unit_test(fp16_rounds_all_but_batch_norms),
        cmocka_unit_test(fp32_keeps_four_bytes),
        cmocka_unit_test(tensors_are_aligned),
        cmocka_unit_test(beyond_the_range_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(long_tensors),
        cmocka_unit_test(description_tells_types),
        cmocka_unit_test(names_of_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
