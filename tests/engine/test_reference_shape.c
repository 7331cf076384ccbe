/* Operators that move values: pad, crop, concat, reshape, permute, resize; views; the storage. */
#include "tests/engine/reference_case.h"

static void expect_floats(reference_case *c, int v, const float *expected, size_t count)
{
    assert_int_equal(case_count(c, v), count);
    for (size_t i = 0; i < count; i++) {
        case_expect(c, v, i, (double)expected[i]);
    }
}

static void test_pad_and_crop(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        uint32_t height = random_between(r, 1, 5), width = random_between(r, 1, 5), channels = 3;
        uint32_t top = random_between(r, 0, 3), left = random_between(r, 0, 3);
        int in = case_value(&c, shape3(height, width, channels));
        node pad = {.op = OP_ZERO_PAD, .input_count = 1, .output_count = 1, .inputs = &in};
        pad.attributes.border.top = top;
        pad.attributes.border.left = left;
        pad.attributes.border.bottom = random_between(r, 0, 3);
        pad.attributes.border.right = random_between(r, 0, 3);
        int padded = case_output(&c, &pad);
        node crop = pad;
        crop.op = OP_CROP;
        crop.inputs = &padded;
        int back = case_output(&c, &crop);
        case_run(&c);
        uint32_t wide = c.graph->values[padded].shape.dim[1];
        for (size_t i = 0; i < case_count(&c, padded); i++) {
            uint32_t y = (uint32_t)(i / channels / wide) - top,
                     x = (uint32_t)(i / channels % wide) - left;
            bool inside = y < height && x < width;
            float expected =
                inside ? case_data(&c, in)[(y * width + x) * channels + i % channels] : 0;
            assert_true(case_data(&c, padded)[i] == expected);
        }
        assert_memory_equal(case_data(&c, back), case_data(&c, in),
                            case_count(&c, in) * sizeof(float));
        case_end(&c);
    }
}

static void test_concat(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        uint32_t rank = random_between(r, 1, 3), axis = random_between(r, 0, rank - 1);
        shape s = shape_make(rank, (uint32_t[]){random_between(r, 1, 4), random_between(r, 1, 4),
                                                random_between(r, 1, 4), 1});
        int in[4], parts = (int)random_between(r, 2, 4);
        for (int i = 0; i < parts; i++) {
            s.dim[axis] = random_between(r, 1, 4);
            in[i] = case_value(&c, s);
        }
        node n = {.op = OP_CONCAT, .input_count = parts, .output_count = 1, .inputs = in};
        n.attributes.axis = axis;
        int out = case_output(&c, &n);
        case_run(&c);
        shape to = c.graph->values[out].shape;
        for (size_t i = 0; i < case_count(&c, out); i++) {
            uint32_t at[3] = {0, 0, 0};
            size_t rest = i;
            for (uint32_t d = rank; d-- > 0;) {
                at[d] = (uint32_t)(rest % to.dim[d]);
                rest /= to.dim[d];
            }
            int part = 0;
            while (at[axis] >= c.graph->values[in[part]].shape.dim[axis]) {
                at[axis] -= c.graph->values[in[part++]].shape.dim[axis];
            }
            shape from = c.graph->values[in[part]].shape;
            size_t index = 0;
            for (uint32_t d = 0; d < rank; d++) {
                index = index * from.dim[d] + at[d];
            }
            assert_true(case_data(&c, out)[i] == case_data(&c, in[part])[index]);
        }
        case_end(&c);
    }
}

static void test_permute_and_reshape(void **state)
{
    (void)state;
    static const uint32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                          {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (uint64_t seed = 0; seed < 6; seed++) {
        reference_case c;
        case_begin(&c, seed + 1);
        shape s = shape3(3, 4, 5);
        int in = case_value(&c, s);
        node permute = {.op = OP_PERMUTE, .input_count = 1, .output_count = 1, .inputs = &in};
        memcpy(permute.attributes.permutation, orders[seed], sizeof orders[seed]);
        int turned = case_output(&c, &permute);
        node reshape = {.op = OP_RESHAPE, .input_count = 1, .output_count = 1, .inputs = &turned};
        reshape.attributes.target = shape2(6, 10);
        int flat = case_output(&c, &reshape);
        case_run(&c);
        uint32_t at[3]; /* of the input */
        for (at[0] = 0; at[0] < 3; at[0]++) {
            for (at[1] = 0; at[1] < 4; at[1]++) {
                for (at[2] = 0; at[2] < 5; at[2]++) {
                    const uint32_t *o = orders[seed];
                    size_t to =
                        ((size_t)at[o[0]] * s.dim[o[1]] + at[o[1]]) * s.dim[o[2]] + at[o[2]];
                    float x = case_data(&c, in)[(at[0] * 4 + at[1]) * 5 + at[2]];
                    assert_true(case_data(&c, turned)[to] == x);
                    assert_true(case_data(&c, flat)[to] == x);
                }
            }
        }
        case_end(&c);
    }
}

/* --- resize: the formulas of TensorFlow.js, which multiplies by a rounded ratio --- */

typedef struct resize_kind {
    resize_mode mode;
    bool align, half;
} resize_kind;

static double source_of(resize_kind k, uint32_t in, uint32_t out, uint32_t i)
{
    double ratio = k.align && out > 1 ? (in - 1.0) / (out - 1.0) : (double)in / out;
    if (k.half) {
        return ratio * (i + 0.5) - (k.mode == RESIZE_BILINEAR ? 0.5 : 0.0);
    }
    return ratio * i;
}

/* A whole number that the rounded ratio just misses is that number: see resize.c. */
static double snap(double source)
{
    return fabs(source - round(source)) < 1e-9 ? round(source) : source;
}

static uint32_t nearest_cell(resize_kind k, uint32_t in, uint32_t out, uint32_t i)
{
    double source = source_of(k, in, out, i);
    double cell = k.align ? floor(snap(source + 0.5)) : floor(snap(source));
    return (uint32_t)fmax(0, fmin(in - 1.0, cell));
}

static double bilinear(const float *in, shape s, double y, double x, uint32_t c)
{
    double y0 = fmax(0, floor(y)), x0 = fmax(0, floor(x));
    double y1 = fmin(s.dim[0] - 1.0, ceil(y)), x1 = fmin(s.dim[1] - 1.0, ceil(x));
    y1 = fmax(y1, 0);
    x1 = fmax(x1, 0);
#define AT(row, column) ((double)in[((size_t)(row)*s.dim[1] + (size_t)(column)) * s.dim[2] + c])
    double top = AT(y0, x0) + (AT(y0, x1) - AT(y0, x0)) * (x - x0);
    double bottom = AT(y1, x0) + (AT(y1, x1) - AT(y1, x0)) * (x - x0);
#undef AT
    return top + (bottom - top) * (y - y0);
}

static void resize_case(uint64_t seed, resize_kind k)
{
    reference_case c;
    case_begin(&c, seed);
    test_random *r = &c.random;
    shape s = shape3(random_between(r, 1, 12), random_between(r, 1, 12), 2);
    uint32_t height = random_between(r, 1, 30), width = random_between(r, 1, 30);
    int in = case_value(&c, s);
    node n = {.op = OP_RESIZE, .input_count = 1, .output_count = 1, .inputs = &in};
    n.attributes.resize.mode = k.mode;
    n.attributes.resize.align_corners = k.align;
    n.attributes.resize.half_pixel = k.half;
    n.attributes.resize.height = height;
    n.attributes.resize.width = width;
    int out = case_output(&c, &n);
    case_run(&c);
    for (size_t i = 0; i < case_count(&c, out); i++) {
        uint32_t y = (uint32_t)(i / 2 / width), x = (uint32_t)(i / 2 % width), channel = i % 2;
        if (k.mode == RESIZE_NEAREST) {
            uint32_t row = nearest_cell(k, s.dim[0], height, y);
            uint32_t column = nearest_cell(k, s.dim[1], width, x);
            case_expect(&c, out, i,
                        (double)case_data(&c, in)[(row * s.dim[1] + column) * 2 + channel]);
            continue;
        }
        double sy = source_of(k, s.dim[0], height, y), sx = source_of(k, s.dim[1], width, x);
        case_expect(&c, out, i, bilinear(case_data(&c, in), s, sy, sx, channel));
        case_expect_bound(&c, out, i, (double)case_data(&c, out)[i], 32.0 / 16777216);
    }
    case_end(&c);
}

static void test_resize(void **state)
{
    (void)state;
    static const resize_kind kinds[] = {
        {RESIZE_NEAREST, false, false}, {RESIZE_NEAREST, true, false},
        {RESIZE_NEAREST, false, true},  {RESIZE_BILINEAR, false, false},
        {RESIZE_BILINEAR, true, false}, {RESIZE_BILINEAR, false, true},
    };
    for (size_t k = 0; k < 6; k++) {
        for (uint64_t seed = 1; seed <= 60; seed++) {
            resize_case(seed, kinds[k]);
        }
    }
}

static void resize_row(resize_kind k, const float *in, uint32_t count, const float *expected,
                       uint32_t out_count)
{
    reference_case c;
    case_begin(&c, 0);
    int v = case_value(&c, shape3(1, count, 1));
    node n = {.op = OP_RESIZE, .input_count = 1, .output_count = 1, .inputs = &v};
    n.attributes.resize.mode = k.mode;
    n.attributes.resize.align_corners = k.align;
    n.attributes.resize.half_pixel = k.half;
    n.attributes.resize.height = 1;
    n.attributes.resize.width = out_count;
    int out = case_output(&c, &n);
    case_prepare(&c);
    memcpy(case_data(&c, v), in, count * sizeof *in);
    case_execute(&c);
    expect_floats(&c, out, expected, out_count);
    case_end(&c);
}

static void test_resize_by_hand(void **state)
{
    (void)state;
    static const float two[] = {0, 12}, three[] = {1, 2, 4};
    resize_row((resize_kind){RESIZE_BILINEAR, false, false}, two, 2, (const float[]){0, 6, 12, 12},
               4);
    resize_row((resize_kind){RESIZE_BILINEAR, true, false}, two, 2, (const float[]){0, 4, 8, 12},
               4);
    resize_row((resize_kind){RESIZE_BILINEAR, false, true}, two, 2, (const float[]){0, 3, 9, 12},
               4);
    resize_row((resize_kind){RESIZE_NEAREST, false, false}, three, 3,
               (const float[]){1, 1, 2, 2, 4, 4}, 6);
    resize_row((resize_kind){RESIZE_NEAREST, true, false}, three, 3,
               (const float[]){1, 1, 2, 2, 4, 4}, 6);
    resize_row((resize_kind){RESIZE_NEAREST, true, false}, three, 3, (const float[]){1, 2, 2, 4, 4},
               5); /* 0.5 and 1.5 round up */
    resize_row((resize_kind){RESIZE_NEAREST, false, true}, three, 3, (const float[]){1, 4}, 2);
}

/* 49 times larger: 49 * (1 / 49) is below 1 in double, and still cell 49 shows source cell 1 */
static void test_nearest_is_exact(void **state)
{
    (void)state;
    float expected[98];
    for (int i = 0; i < 98; i++) {
        expected[i] = i < 49 ? 5 : 7;
    }
    resize_row((resize_kind){RESIZE_NEAREST, false, false}, (const float[]){5, 7}, 2, expected, 98);
}

/* --- storage --- */

static void test_views_share_storage(void **state)
{
    (void)state;
    reference_case c;
    case_begin(&c, 5);
    int in = case_value(&c, shape1(4)), base = case_value(&c, shape2(3, 4));
    activation act = activation_relu;
    node n = {.op = OP_ACTIVATION,
              .input_count = 1,
              .output_count = 1,
              .inputs = &in,
              .act_count = 1,
              .act = &act};
    for (uint64_t row = 0; row < 3; row++) {
        int out = case_output(&c, &n);
        c.graph->values[out].base = base;
        c.graph->values[out].base_offset = row * 4;
    }
    case_run(&c);
    for (size_t i = 0; i < 12; i++) {
        float x = case_data(&c, in)[i % 4];
        assert_true(case_data(&c, base)[i] == (x > 0 ? x : 0));
    }
    case_end(&c);
}

static void test_bounds_where_wanted(void **state)
{
    (void)state;
    reference_case c;
    error err;
    case_begin(&c, 6);
    int in = case_value(&c, shape3(4, 4, 2));
    int weights[2] = {case_weight(&c, shape4(1, 1, 2, 3), -1, 1), GRAPH_NONE};
    node n = {.op = OP_CONV2D,
              .input_count = 1,
              .output_count = 2,
              .weight_count = 2,
              .inputs = &in,
              .weights = weights};
    n.attributes.conv = (conv2d_attributes){{1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, 1, true,
                                            {2, 2, 2, 2, 1, 1, 0, 0, 0, 0}, 1, 0};
    int map = case_output(&c, &n);
    case_prepare(&c);
    c.bound.data[map] = NULL;
    assert_status_ok(reference_run_node(c.graph, 0, &c.values, &c.bound, &err), err);
    int pooled = c.graph->nodes[0].outputs[1];
    for (size_t i = 0; i < case_count(&c, pooled); i++) {
        assert_true(c.bound.data[pooled][i] > 0);
    }
    case_end(&c);
}

static void test_refusals(void **state)
{
    (void)state;
    reference_case c;
    error err;
    case_begin(&c, 7);
    int in = case_value(&c, shape1(4));
    node n = {.op = OP_ACTIVATION, .input_count = 1, .output_count = 1, .inputs = &in};
    case_output(&c, &n);
    case_prepare(&c);
    assert_int_equal(reference_run_node(c.graph, 1, &c.values, NULL, &err), STATUS_ARGUMENT);
    reference_values other = {.count = 1};
    assert_int_equal(reference_run_node(c.graph, 0, &other, NULL, &err), STATUS_ARGUMENT);
    assert_int_equal(reference_run_node(c.graph, 0, &c.values, &other, &err), STATUS_ARGUMENT);
    c.graph->nodes[0].op = OP_COUNT;
    assert_int_equal(reference_run(c.graph, &c.values, &err), STATUS_ARGUMENT);
    assert_non_null(strstr(err.text, "node"));
    for (size_t fail_at = 1; fail_at <= 2; fail_at++) {
        test_allocator t;
        test_allocator_init(&t, fail_at);
        reference_values v = {0};
        assert_int_equal(reference_values_create(c.graph, &t.alloc, &v, &err), STATUS_MEMORY);
        assert_int_equal(t.live, 0);
    }
    case_end(&c);
}

static void test_gamma(void **state)
{
    (void)state;
    assert_true(reference_gamma(1) > 1.0 / 16777216 && reference_gamma(1) < 1.0001 / 16777216);
    assert_true(reference_gamma(1u << 23) == 1.0);
    assert_true(isinf(reference_gamma(1u << 24)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pad_and_crop),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_permute_and_reshape),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_resize_by_hand),
        cmocka_unit_test(test_nearest_is_exact),
        cmocka_unit_test(test_views_share_storage),
        cmocka_unit_test(test_bounds_where_wanted),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_gamma),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
