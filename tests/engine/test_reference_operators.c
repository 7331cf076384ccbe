/* Activations, softmax, batch norm, PReLU, pools, sums and products: against formulas written here,
 * and the bounds against devices that use up what the contract allows them. */
#include "tests/engine/reference_case.h"

#define U (1.0 / 16777216.0)

/* exp of a device that errs as far as it may, up (+1) or down (-1); its rounding to float is one of
 * the four units */
static double device_exp(double x, double direction)
{
    return (double)(float)(exp(x) * (1 + direction * 3 * U));
}

static double device_divide(double a, double b, double direction)
{
    return (double)(float)(a / b * (1 + direction * 4 * U));
}

static double device_activation(const activation *a, double x, double d)
{
    double e;
    switch (a->kind) {
    case ACTIVATION_SIGMOID:
        return device_divide(1, (double)(float)(1 + device_exp(-x, d)), -d);
    case ACTIVATION_TANH:
        e = (double)(float)(device_exp(2 * fmin(fabs(x), 10), d) - 1);
        return copysign(device_divide(e, (double)(float)(e + 2), d), x);
    case ACTIVATION_ELU:
        return x >= 0 ? x : (double)(a->slope * ((float)device_exp(x, d) - 1.0f));
    case ACTIVATION_SWISH:
        return (double)(float)(x * device_divide(1, (double)(float)(1 + device_exp(-x, d)), -d));
    case ACTIVATION_HARD_SIGMOID:
        return (double)fminf(fmaxf(0.2f * (float)x + 0.5f, 0), 1);
    case ACTIVATION_RELU:
        if (x >= (double)a->limit) {
            return (double)a->limit;
        }
        return x >= (double)a->threshold ? x : (double)(a->slope * ((float)x - a->threshold));
    default:
        return x;
    }
}

static double exact_activation(const activation *a, double x)
{
    double slope = (double)a->slope, threshold = (double)a->threshold;
    switch (a->kind) {
    case ACTIVATION_SIGMOID:
        return 0.5 * (1 + tanh(x / 2));
    case ACTIVATION_TANH:
        return 1 - 2 / (exp(2 * x) + 1);
    case ACTIVATION_ELU:
        return x >= 0 ? x : slope * (exp(x) - 1);
    case ACTIVATION_SWISH:
        return x * 0.5 * (1 + tanh(x / 2));
    case ACTIVATION_HARD_SIGMOID:
        return x <= -2.5 ? 0 : x >= 2.5 ? 1 : 0.2 * x + 0.5;
    case ACTIVATION_RELU:
        return x >= (double)a->limit ? (double)a->limit
               : x >= threshold      ? x
                                     : slope * (x - threshold);
    default:
        return x;
    }
}

static const activation kinds[] = {
    {ACTIVATION_LINEAR, 0, 0, INFINITY}, {ACTIVATION_RELU, 0, 0, INFINITY},
    {ACTIVATION_RELU, 0, 0, 6},          {ACTIVATION_RELU, 0.3f, 0, INFINITY},
    {ACTIVATION_RELU, 0.1f, 1.5f, 4},    {ACTIVATION_SIGMOID, 0, 0, INFINITY},
    {ACTIVATION_TANH, 0, 0, INFINITY},   {ACTIVATION_ELU, 0.7f, 0, INFINITY},
    {ACTIVATION_SWISH, 0, 0, INFINITY},  {ACTIVATION_HARD_SIGMOID, 0, 0, INFINITY},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void test_activation(void **state)
{
    (void)state;
    enum { COUNT = 4001 };
    for (size_t k = 0; k < KINDS; k++) {
        reference_case c;
        case_begin(&c, k);
        activation act = kinds[k];
        int in = case_value(&c, shape1(COUNT));
        node n = {.op = OP_ACTIVATION,
                  .input_count = 1,
                  .output_count = 1,
                  .inputs = &in,
                  .act_count = 1,
                  .act = &act};
        int out = case_output(&c, &n);
        case_prepare(&c);
        for (int i = 0; i < COUNT; i++) {
            int from_middle = i - COUNT / 2;
            float x = (float)from_middle / 64.0f;
            case_data(&c, in)[i] = i % 7 ? x : test_random_float(&c.random, -3, 3);
        }
        case_execute(&c);
        for (size_t i = 0; i < COUNT; i++) {
            double x = (double)case_data(&c, in)[i], y = exact_activation(&act, x);
            double got = (double)case_data(&c, out)[i];
            if (!(fabs(got - y) <= 1e-7 * fabs(y) + 1e-15)) {
                fail_msg("%s of %.9g is %.9g, expected %.9g", activation_name(act.kind), x, got, y);
            }
            double loosest = 2e-7 + 14 * U * fabs(y);
            case_expect_bound(&c, out, i, device_activation(&act, x, 1), loosest);
            case_expect_bound(&c, out, i, device_activation(&act, x, -1), loosest);
        }
        case_end(&c);
    }
}

/* Fused after a sum whose own rounding moves the argument: also where relu jumps and elu bends. */
static void test_fused_bounds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < KINDS; seed++) {
        enum { COUNT = 3000 };
        reference_case c;
        case_begin(&c, seed);
        activation act = kinds[seed];
        int in[2] = {case_value(&c, shape1(COUNT)), case_value(&c, shape1(COUNT))};
        node n = {.op = OP_ADD,
                  .input_count = 2,
                  .output_count = 1,
                  .inputs = in,
                  .act_count = 1,
                  .act = &act};
        int out = case_output(&c, &n);
        case_prepare(&c);
        for (int i = 0; i < COUNT; i++) {
            float *a = case_data(&c, in[0]), *b = case_data(&c, in[1]);
            a[i] = test_random_float(&c.random, -8, 8);
            /* the sum lies at a bend, give or take less than a rounding */
            b[i] = (i % 3 ? act.threshold : test_random_float(&c.random, -4, 4)) - a[i];
        }
        case_execute(&c);
        for (size_t i = 0; i < COUNT; i++) {
            double x = (double)case_data(&c, in[0])[i] + (double)case_data(&c, in[1])[i];
            case_expect(&c, out, i, exact_activation(&act, x));
            double rounded = (double)(case_data(&c, in[0])[i] + case_data(&c, in[1])[i]);
            double loosest = 2e-5 + fabs((double)act.threshold) * 1.01;
            case_expect_bound(&c, out, i, device_activation(&act, rounded, 1), loosest);
            case_expect_bound(&c, out, i, device_activation(&act, rounded, -1), loosest);
        }
        case_end(&c);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    static const float x[] = {0, -0.0f, 88, -88, 104, -104, 1e30f, -1e30f, INFINITY, -INFINITY};
    enum { COUNT = sizeof x / sizeof x[0] };
    for (size_t k = 1; k < KINDS; k++) { /* linear aside */
        reference_case c;
        case_begin(&c, k);
        activation act = kinds[k];
        int in = case_value(&c, shape1(COUNT));
        node n = {.op = OP_ACTIVATION,
                  .input_count = 1,
                  .output_count = 1,
                  .inputs = &in,
                  .act_count = 1,
                  .act = &act};
        int out = case_output(&c, &n);
        case_prepare(&c);
        memcpy(case_data(&c, in), x, sizeof x);
        error err;
        assert_status_ok(reference_run(c.graph, &c.values, &err), err);
        for (size_t i = 0; i < COUNT; i++) {
            if (act.kind == ACTIVATION_SWISH && isinf(x[i])) {
                continue; /* inf * 0 */
            }
            if (isnan(case_data(&c, out)[i])) {
                fail_msg("%s of %g is no number", activation_name(act.kind), (double)x[i]);
            }
            if (act.kind == ACTIVATION_RELU && act.slope == 0.0f && x[i] < 0) {
                assert_memory_equal(&case_data(&c, out)[i], &x[0], sizeof x[0]); /* +0 */
            }
        }
        case_end(&c);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        reference_case c;
        case_begin(&c, seed);
        uint32_t rows = random_between(&c.random, 1, 5), channels = random_between(&c.random, 1, 9);
        int in = case_value(&c, seed % 2 ? shape2(rows, channels) : shape3(rows, 2, channels));
        node n = {.op = OP_SOFTMAX, .input_count = 1, .output_count = 1, .inputs = &in};
        int out = case_output(&c, &n);
        case_prepare(&c);
        float scale = seed % 5 ? 4.0f : 60.0f; /* exp of the sum would overflow a float */
        for (size_t i = 0; i < case_count(&c, in); i++) {
            case_data(&c, in)[i] *= scale;
        }
        case_execute(&c);
        for (size_t i = 0; i < case_count(&c, in); i++) {
            const float *row = case_data(&c, in) + i / channels * channels;
            double sum = 0, device[2] = {0, 0}, max = -INFINITY;
            for (uint32_t k = 0; k < channels; k++) {
                max = fmax(max, (double)row[k]);
                sum += exp((double)row[k] - (double)row[i % channels]);
            }
            case_expect(&c, out, i, 1 / sum);
            for (uint32_t k = 0; k < channels; k++) {
                double d = (double)(float)((double)row[k] - max);
                device[0] = (double)(float)(device[0] + device_exp(d, 1));
                device[1] = (double)(float)(device[1] + device_exp(d, -1));
            }
            double d = (double)(float)((double)row[i % channels] - max);
            case_expect_bound(&c, out, i, device_divide(device_exp(d, 1), device[1], 1), 1e-4);
            case_expect_bound(&c, out, i, device_divide(device_exp(d, -1), device[0], -1), 1e-4);
        }
        case_end(&c);
    }
}

static void test_batch_norm(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        reference_case c;
        case_begin(&c, seed);
        uint32_t channels = random_between(&c.random, 1, 20);
        int in = case_value(&c, shape3(3, 4, channels));
        int weights[4] = {
            case_weight(&c, shape1(channels), -2, 2), case_weight(&c, shape1(channels), -2, 2),
            case_weight(&c, shape1(channels), -2, 2), case_weight(&c, shape1(channels), 0.01f, 3)};
        const float *gamma = c.graph->weights[weights[0]].data,
                    *beta = c.graph->weights[weights[1]].data,
                    *mean = c.graph->weights[weights[2]].data,
                    *variance = c.graph->weights[weights[3]].data;
        if (seed % 2) {
            weights[0] = GRAPH_NONE;
            weights[1] = GRAPH_NONE;
        }
        activation act = kinds[seed % 3];
        node n = {.op = OP_BATCH_NORM,
                  .input_count = 1,
                  .output_count = 1,
                  .inputs = &in,
                  .weight_count = 4,
                  .weights = weights,
                  .act_count = 1,
                  .act = &act};
        n.attributes.epsilon = 0.001f;
        int out = case_output(&c, &n);
        case_run(&c);
        for (size_t i = 0; i < case_count(&c, in); i++) {
            size_t k = i % channels;
            float x = case_data(&c, in)[i], g = seed % 2 ? 1 : gamma[k], b = seed % 2 ? 0 : beta[k];
            double spread = sqrt((double)variance[k] + (double)0.001f);
            double y = (double)x * ((double)g / spread) +
                       ((double)b - (double)mean[k] * ((double)g / spread));
            case_expect(&c, out, i, exact_activation(&act, y));
            /* folded into one product and one sum */
            float scale = (float)((double)g / spread);
            float shift = (float)((double)b - (double)mean[k] * (double)g / spread);
            case_expect_bound(&c, out, i, device_activation(&act, (double)(x * scale + shift), 1),
                              1e-4);
            /* as it is written */
            float root = 1.0f / sqrtf(variance[k] + 0.001f);
            case_expect_bound(&c, out, i,
                              device_activation(&act, (double)((x - mean[k]) * root * g + b), 1),
                              1e-4);
        }
        case_end(&c);
    }
}

/* index into s of the element that output element i of shape `to` meets under broadcasting */
static size_t broadcast_index(shape s, shape to, size_t i)
{
    size_t at = 0, step = 1;
    for (uint32_t back = 0; back < to.rank; back++) {
        uint32_t dim = to.dim[to.rank - 1 - back];
        size_t coordinate = i % dim;
        i /= dim;
        if (back < s.rank && s.dim[s.rank - 1 - back] != 1) {
            at += coordinate * step;
            step *= s.dim[s.rank - 1 - back];
        }
    }
    return at;
}

static shape thinned(test_random *r, shape s)
{
    uint32_t drop = random_between(r, 0, s.rank - 1);
    shape t = shape_make(s.rank - drop, s.dim + drop);
    for (uint32_t i = 0; i < t.rank; i++) {
        t.dim[i] = random_between(r, 0, 1) ? t.dim[i] : 1;
    }
    return t;
}

static void test_broadcasting(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        shape full = shape_make(random_between(r, 1, 3),
                                (uint32_t[]){random_between(r, 1, 4), random_between(r, 1, 5),
                                             random_between(r, 1, 6), 1});
        shape other = seed % 4 ? thinned(r, full) : full;
        op kind = seed % 3 == 0 ? OP_ADD : seed % 3 == 1 ? OP_MULTIPLY : OP_PRELU;
        bool swap = kind != OP_PRELU && random_between(r, 0, 1);
        int in[2] = {case_value(&c, swap ? other : full), GRAPH_NONE}, alpha = GRAPH_NONE;
        node n = {.op = kind, .input_count = 1, .output_count = 1, .inputs = in};
        if (kind == OP_PRELU) {
            alpha = case_weight(&c, other, -1, 1);
            n.weight_count = 1;
            n.weights = &alpha;
        } else {
            in[1] = case_value(&c, swap ? full : other);
            n.input_count = 2;
        }
        int out = case_output(&c, &n);
        case_run(&c);
        assert_true(shape_equal(c.graph->values[out].shape, full));
        for (size_t i = 0; i < case_count(&c, out); i++) {
            shape first = c.graph->values[in[0]].shape;
            float a = case_data(&c, in[0])[broadcast_index(first, full, i)], y;
            if (kind == OP_PRELU) {
                float slope = c.graph->weights[alpha].data[broadcast_index(other, full, i)];
                y = a > 0 ? a : slope * a;
            } else {
                shape second = c.graph->values[in[1]].shape;
                float b = case_data(&c, in[1])[broadcast_index(second, full, i)];
                y = kind == OP_ADD ? a + b : a * b;
            }
            assert_true(case_data(&c, out)[i] == y); /* one rounding either way */
            case_expect_bound(&c, out, i, (double)y, 4 * U * fabs((double)y) + 1e-36);
        }
        case_end(&c);
    }
}

static void test_pools(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        uint32_t height = random_between(r, 1, 9), width = random_between(r, 1, 9);
        uint32_t channels = random_between(r, 1, 5);
        window p = {.kernel_h = random_between(r, 1, height),
                    .kernel_w = random_between(r, 1, width),
                    .stride_h = random_between(r, 1, 3),
                    .stride_w = random_between(r, 1, 3),
                    .dilation_h = 1,
                    .dilation_w = 1};
        p.pad_top = random_between(r, 0, p.kernel_h - 1);
        p.pad_left = random_between(r, 0, p.kernel_w - 1);
        p.pad_bottom = random_between(r, 0, p.kernel_h - 1);
        p.pad_right = random_between(r, 0, p.kernel_w - 1);
        bool average = seed % 2;
        int in = case_value(&c, shape3(height, width, channels));
        node n = {.op = average ? OP_AVERAGE_POOL : OP_MAX_POOL,
                  .input_count = 1,
                  .output_count = 1,
                  .inputs = &in,
                  .attributes.pool = p};
        int out = case_output(&c, &n);
        case_run(&c);
        uint32_t out_width = c.graph->values[out].shape.dim[1];
        for (size_t i = 0; i < case_count(&c, out); i++) {
            int64_t top = (int64_t)(i / channels / out_width) * p.stride_h - p.pad_top;
            int64_t left = (int64_t)(i / channels % out_width) * p.stride_w - p.pad_left;
            double max = -INFINITY, sum = 0, cells = 0;
            float single = 0;
            for (uint32_t cell = height * width; cell-- > 0;) {
                int64_t y = cell / width - top, x = cell % width - left;
                float value_at = case_data(&c, in)[(size_t)cell * channels + i % channels];
                if (y >= 0 && y < p.kernel_h && x >= 0 && x < p.kernel_w) {
                    max = fmax(max, (double)value_at);
                    sum += (double)value_at;
                    single += value_at;
                    cells++;
                }
            }
            case_expect(&c, out, i, average ? sum / cells : max);
            double computed = average ? (double)(single * (1.0f / (float)cells)) : max;
            case_expect_bound(&c, out, i, computed, average ? 1e-5 : 1e-36);
        }
        case_end(&c);
    }
}

/* TensorFlow counts only what is inside: the corner of an average over same padding */
static void test_average_pool_by_hand(void **state)
{
    (void)state;
    reference_case c;
    case_begin(&c, 1);
    int in = case_value(&c, shape3(2, 2, 1));
    node n = {.op = OP_AVERAGE_POOL, .input_count = 1, .output_count = 1, .inputs = &in};
    n.attributes.pool = (window){2, 2, 2, 2, 1, 1, 1, 1, 1, 1};
    int out = case_output(&c, &n);
    case_prepare(&c);
    memcpy(case_data(&c, in), (const float[]){1, 2, 3, 4}, 4 * sizeof(float));
    case_execute(&c);
    assert_memory_equal(case_data(&c, out), ((const float[]){1, 2, 3, 4}), 4 * sizeof(float));
    case_end(&c);
}

static void test_global_average(void **state)
{
    (void)state;
    reference_case c;
    case_begin(&c, 3);
    int in = case_value(&c, shape3(7, 5, 6));
    node n = {.op = OP_GLOBAL_AVERAGE, .input_count = 1, .output_count = 1, .inputs = &in};
    int out = case_output(&c, &n);
    case_run(&c);
    for (size_t channel = 0; channel < 6; channel++) {
        double sum = 0;
        float single = 0;
        for (size_t i = channel; i < case_count(&c, in); i += 6) {
            sum += (double)case_data(&c, in)[i];
            single += case_data(&c, in)[i];
        }
        case_expect(&c, out, channel, sum / 35);
        case_expect_bound(&c, out, channel, (double)(single / 35.0f), 1e-5);
    }
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activation),     cmocka_unit_test(test_fused_bounds),
        cmocka_unit_test(test_extremes),       cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_batch_norm),     cmocka_unit_test(test_broadcasting),
        cmocka_unit_test(test_pools),          cmocka_unit_test(test_average_pool_by_hand),
        cmocka_unit_test(test_global_average),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
