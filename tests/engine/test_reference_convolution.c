/* Convolution, depthwise and dense against a second formulation: every input cell scatters its
 * products to the outputs that it reaches (the reference gathers), and every bound against sums in
 * float. */
#include "tests/engine/reference_case.h"

typedef struct scattered {
    uint32_t height, width, channels;
    double *sum, *magnitude;
    float *single; /* accumulated in float, in scatter order */
} scattered;

/* the output row or column that cell `at` reaches through tap `tap`, or -1 */
static int64_t reached(uint32_t at, uint32_t tap, uint32_t stride, uint32_t dilation, uint32_t pad,
                       uint32_t outputs)
{
    int64_t shifted = (int64_t)at + pad - (int64_t)tap * dilation;
    return shifted < 0 || shifted % stride || shifted / stride >= outputs ? -1 : shifted / stride;
}

/* kernel[ky][kx][ci][co], ci counted inside the group */
static scattered scatter(const window *w, const float *in, uint32_t height, uint32_t width,
                         uint32_t channels, const float *kernel, const float *bias,
                         uint32_t filters, uint32_t groups)
{
    scattered s = {.channels = filters};
    assert_true(window_output(w, height, width, &s.height, &s.width));
    size_t count = (size_t)s.height * s.width * filters;
    s.sum = calloc(count, sizeof *s.sum);
    s.magnitude = calloc(count, sizeof *s.magnitude);
    s.single = calloc(count, sizeof *s.single);
    assert_true(s.sum && s.magnitude && s.single);
    uint32_t group_in = channels / groups, group_out = filters / groups;
    for (uint32_t c = channels; c-- > 0;) {
        for (uint32_t cell = 0; cell < height * width; cell++) {
            float x = in[(size_t)cell * channels + c];
            for (uint32_t tap = 0; tap < w->kernel_h * w->kernel_w; tap++) {
                int64_t oy = reached(cell / width, tap / w->kernel_w, w->stride_h, w->dilation_h,
                                     w->pad_top, s.height);
                int64_t ox = reached(cell % width, tap % w->kernel_w, w->stride_w, w->dilation_w,
                                     w->pad_left, s.width);
                for (uint32_t f = 0; oy >= 0 && ox >= 0 && f < group_out; f++) {
                    uint32_t filter = c / group_in * group_out + f;
                    float k = kernel[((size_t)tap * group_in + c % group_in) * filters + filter];
                    size_t at = (size_t)(oy * s.width + ox) * filters + filter;
                    s.sum[at] += (double)x * (double)k;
                    s.magnitude[at] += fabs((double)x * (double)k);
                    s.single[at] += x * k;
                }
            }
        }
    }
    for (size_t i = 0; bias && i < count; i++) {
        s.sum[i] += (double)bias[i % filters];
        s.magnitude[i] += fabs((double)bias[i % filters]);
        s.single[i] += bias[i % filters];
    }
    return s;
}

static void scattered_free(scattered *s)
{
    free(s->sum);
    free(s->magnitude);
    free(s->single);
}

/* every cell repeated, and a map of that size added */
static void scattered_add(scattered *s, uint32_t repeat, const float *added)
{
    const uint32_t height = s->height * repeat, width = s->width * repeat;
    const size_t count = (size_t)height * width * s->channels;
    scattered all = {.height = height,
                     .width = width,
                     .channels = s->channels,
                     .sum = malloc(count * sizeof *all.sum),
                     .magnitude = malloc(count * sizeof *all.magnitude),
                     .single = malloc(count * sizeof *all.single)};
    assert_true(all.sum && all.magnitude && all.single);
    for (size_t i = 0; i < count; i++) {
        const size_t y = i / s->channels / width, x = i / s->channels % width;
        const size_t from = (y / repeat * s->width + x / repeat) * s->channels + i % s->channels;
        all.sum[i] = s->sum[from] + (double)added[i];
        all.magnitude[i] = s->magnitude[from] + fabs((double)added[i]);
        all.single[i] = s->single[from] + added[i];
    }
    scattered_free(s);
    *s = all;
}

static double activate(const activation *a, double x)
{
    switch (a->kind) {
    case ACTIVATION_RELU:
        return fmin(x < 0 ? (double)a->slope * x : x, (double)a->limit);
    case ACTIVATION_SIGMOID:
        return exp(x) / (1 + exp(x));
    default:
        return x;
    }
}

static activation random_activation(test_random *r)
{
    const activation kinds[] = {{ACTIVATION_LINEAR, 0, 0, INFINITY},
                                {ACTIVATION_RELU, 0, 0, INFINITY},
                                {ACTIVATION_RELU, 0, 0, 0.75f},
                                {ACTIVATION_RELU, 0.125f, 0, INFINITY},
                                {ACTIVATION_SIGMOID, 0, 0, INFINITY}};
    return kinds[test_random_u32(r) % 5];
}

static void expect_map(reference_case *c, int v, const scattered *s, const activation *a,
                       uint64_t terms)
{
    shape wanted = shape3(s->height, s->width, s->channels);
    assert_int_equal(case_count(c, v), shape_elements(wanted));
    for (size_t i = 0; i < case_count(c, v); i++) {
        case_expect(c, v, i, activate(a, s->sum[i]));
        double loosest = 1.01 * reference_gamma(terms + 4) * (s->magnitude[i] + 1e-6) + 2e-6;
        case_expect_bound(c, v, i, (double)(float)activate(a, (double)s->single[i]), loosest);
    }
}

/* the largest cell of each window, taken from the map that the scatter made */
static void expect_pooled(reference_case *c, int v, const scattered *s, const activation *a,
                          const window *p)
{
    uint32_t height, width;
    assert_true(window_output(p, s->height, s->width, &height, &width));
    size_t count = (size_t)height * width * s->channels;
    assert_int_equal(case_count(c, v), count);
    for (size_t i = 0; i < count; i++) {
        uint32_t channel = (uint32_t)(i % s->channels);
        int64_t top = (int64_t)(i / s->channels / width) * p->stride_h - p->pad_top;
        int64_t left = (int64_t)(i / s->channels % width) * p->stride_w - p->pad_left;
        double max = -INFINITY, single = -INFINITY;
        for (uint32_t cell = 0; cell < s->height * s->width; cell++) {
            int64_t y = cell / s->width, x = cell % s->width;
            if (y >= top && y < top + p->kernel_h && x >= left && x < left + p->kernel_w) {
                size_t at = (size_t)cell * s->channels + channel;
                max = fmax(max, activate(a, s->sum[at]));
                single = fmax(single, (double)(float)activate(a, (double)s->single[at]));
            }
        }
        case_expect(c, v, i, max);
        case_expect_bound(c, v, i, single, 1e-3);
    }
}

static window random_window(test_random *r, uint32_t height, uint32_t width)
{
    for (;;) {
        window w = {random_between(r, 1, 5), random_between(r, 1, 5), random_between(r, 1, 3),
                    random_between(r, 1, 3), random_between(r, 1, 3), random_between(r, 1, 3),
                    random_between(r, 0, 4), random_between(r, 0, 4), random_between(r, 0, 4),
                    random_between(r, 0, 4)};
        uint32_t h, v;
        if (window_output(&w, height, width, &h, &v)) {
            return w;
        }
    }
}

static window random_pool(test_random *r)
{
    window p = {.kernel_h = random_between(r, 1, 3),
                .kernel_w = random_between(r, 1, 3),
                .stride_h = random_between(r, 1, 3),
                .stride_w = random_between(r, 1, 3),
                .dilation_h = 1,
                .dilation_w = 1};
    p.pad_top = random_between(r, 0, p.kernel_h - 1);
    p.pad_left = random_between(r, 0, p.kernel_w - 1);
    p.pad_bottom = random_between(r, 0, p.kernel_h - 1);
    p.pad_right = random_between(r, 0, p.kernel_w - 1);
    return p;
}

/* channel counts on both sides of the reference's blocks */
static uint32_t random_channels(test_random *r)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 40};
    return counts[test_random_u32(r) % 11];
}

static void convolution_case(uint64_t seed)
{
    reference_case c;
    case_begin(&c, seed);
    test_random *r = &c.random;
    uint32_t groups = random_between(r, 0, 2) ? 1 : random_between(r, 2, 3);
    uint32_t height = random_between(r, 1, 9), width = random_between(r, 1, 9);
    uint32_t channels = groups * random_between(r, 1, 6);
    int branches = (int)random_between(r, 1, CONV2D_MAX_BRANCHES);
    window w = random_window(r, height, width), pool = random_pool(r);
    uint32_t map_height, map_width, ignored;
    assert_true(window_output(&w, height, width, &map_height, &map_width));
    bool pooled =
        random_between(r, 0, 1) && window_output(&pool, map_height, map_width, &ignored, &ignored);
    const uint32_t repeat =
        branches == 1 && !pooled && random_between(r, 0, 1) ? random_between(r, 1, 3) : 0;
    int inputs[4], weights[8], outputs[8];
    uint32_t filters[4];
    activation act[4];
    for (int b = 0; b < branches; b++) {
        filters[b] = groups * random_channels(r);
        act[b] = random_activation(r);
        inputs[b] = case_value(&c, shape3(height, width, channels));
        weights[2 * b] =
            case_weight(&c, shape4(w.kernel_h, w.kernel_w, channels / groups, filters[b]), -1, 1);
        weights[2 * b + 1] =
            random_between(r, 0, 3) ? case_weight(&c, shape1(filters[b]), -1, 1) : GRAPH_NONE;
        outputs[2 * b] = pooled && random_between(r, 0, 1) ? GRAPH_NONE : 0;
        outputs[2 * b + 1] = pooled ? 0 : GRAPH_NONE;
    }
    node n = {.op = OP_CONV2D,
              .input_count = branches,
              .output_count = 2 * branches,
              .weight_count = 2 * branches,
              .act_count = branches,
              .inputs = inputs,
              .outputs = outputs,
              .weights = weights,
              .act = act};
    n.attributes.conv = (conv2d_attributes){w, groups, pooled, pool, branches, repeat};
    if (repeat) {
        inputs[1] = case_value(&c, shape3(map_height * repeat, map_width * repeat, filters[0]));
        n.input_count = 2;
    }
    int index = case_node(&c, &n);
    case_run(&c);
    for (int b = 0; b < branches; b++) {
        const int *bias = &weights[2 * b + 1];
        scattered s =
            scatter(&w, case_data(&c, inputs[b]), height, width, channels,
                    c.graph->weights[weights[2 * b]].data,
                    *bias == GRAPH_NONE ? NULL : c.graph->weights[*bias].data, filters[b], groups);
        const int *made = c.graph->nodes[index].outputs + (size_t)b * 2;
        uint64_t terms = (uint64_t)w.kernel_h * w.kernel_w * (channels / groups);
        if (repeat) {
            scattered_add(&s, repeat, case_data(&c, inputs[1]));
            terms++;
        }
        if (made[0] != GRAPH_NONE) {
            expect_map(&c, made[0], &s, &act[b], terms);
        }
        if (pooled) {
            expect_pooled(&c, made[1], &s, &act[b], &pool);
        }
        scattered_free(&s);
    }
    case_end(&c);
}

static void test_convolution(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        convolution_case(seed);
    }
}

static void test_depthwise(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        uint32_t height = random_between(r, 1, 9), width = random_between(r, 1, 9);
        uint32_t channels = random_channels(r), multiplier = random_between(r, 1, 3);
        window w = random_window(r, height, width);
        activation act = random_activation(r);
        int in = case_value(&c, shape3(height, width, channels));
        int weights[2] = {
            case_weight(&c, shape4(w.kernel_h, w.kernel_w, channels, multiplier), -1, 1),
            case_weight(&c, shape1(channels * multiplier), -1, 1)};
        if (seed % 3 == 0) {
            weights[1] = GRAPH_NONE;
        }
        node n = {.op = OP_DEPTHWISE,
                  .input_count = 1,
                  .output_count = 1,
                  .weight_count = 2,
                  .act_count = 1,
                  .inputs = &in,
                  .weights = weights,
                  .act = &act};
        n.attributes.depthwise.window = w;
        n.attributes.depthwise.multiplier = multiplier;
        int out = case_output(&c, &n);
        case_run(&c);
        /* the second formulation spreads the kernel over a full convolution with zeros between */
        uint32_t filters = channels * multiplier;
        float *full = calloc((size_t)w.kernel_h * w.kernel_w * channels * filters, sizeof *full);
        assert_non_null(full);
        const float *kernel = c.graph->weights[weights[0]].data;
        for (uint32_t i = 0; i < w.kernel_h * w.kernel_w * filters; i++) {
            uint32_t tap = i / filters, filter = i % filters, channel = filter / multiplier;
            full[((size_t)tap * channels + channel) * filters + filter] = kernel[i];
        }
        scattered s = scatter(&w, case_data(&c, in), height, width, channels, full,
                              weights[1] == GRAPH_NONE ? NULL : c.graph->weights[weights[1]].data,
                              filters, 1);
        expect_map(&c, out, &s, &act, (uint64_t)w.kernel_h * w.kernel_w);
        scattered_free(&s);
        free(full);
        case_end(&c);
    }
}

static void test_dense(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        reference_case c;
        case_begin(&c, seed);
        test_random *r = &c.random;
        uint32_t channels = random_channels(r), units = random_channels(r);
        uint32_t rows = random_between(r, 1, 5), columns = random_between(r, 1, 5);
        const shape shapes[] = {shape1(channels), shape2(rows, channels),
                                shape3(rows, columns, channels)};
        int in = case_value(&c, shapes[seed % 3]);
        activation act = random_activation(r);
        int weights[2] = {case_weight(&c, shape2(channels, units), -1, 1),
                          seed % 4 ? case_weight(&c, shape1(units), -1, 1) : GRAPH_NONE};
        node n = {.op = OP_DENSE,
                  .input_count = 1,
                  .output_count = 1,
                  .weight_count = 2,
                  .act_count = 1,
                  .inputs = &in,
                  .weights = weights,
                  .act = &act};
        int out = case_output(&c, &n);
        case_run(&c);
        const float *k = c.graph->weights[weights[0]].data;
        assert_int_equal(case_count(&c, out), case_count(&c, in) / channels * units);
        for (size_t i = 0; i < case_count(&c, out); i++) {
            const float *x = case_data(&c, in) + i / units * channels;
            double bias = seed % 4 ? (double)c.graph->weights[weights[1]].data[i % units] : 0;
            double sum = 0;
            float single = 0;
            for (uint32_t k_index = channels; k_index-- > 0;) {
                sum += (double)x[k_index] * (double)k[k_index * units + i % units];
                single += x[k_index] * k[k_index * units + i % units];
            }
            case_expect(&c, out, i, activate(&act, sum + bias));
            case_expect_bound(&c, out, i, activate(&act, (double)(single + (float)bias)), 1e-4);
        }
        case_end(&c);
    }
}

/* 1 2 3     1 0         padded by one cell at the top only, stride 2 across
 * 4 5 6  *  0 -1   + 10 */
static void test_by_hand(void **state)
{
    (void)state;
    reference_case c;
    case_begin(&c, 1);
    int in = case_value(&c, shape3(2, 3, 1));
    int weights[2] = {case_constant(&c, shape4(2, 2, 1, 1), (const float[]){1, 0, 0, -1}),
                      case_constant(&c, shape1(1), (const float[]){10})};
    node n = {.op = OP_CONV2D,
              .input_count = 1,
              .output_count = 2,
              .weight_count = 2,
              .inputs = &in,
              .weights = weights};
    n.attributes.conv = (conv2d_attributes){
        .window = {2, 2, 1, 2, 1, 1, .pad_top = 1, .pad_right = 1}, .groups = 1, .branches = 1};
    int out = case_output(&c, &n);
    case_prepare(&c);
    memcpy(case_data(&c, in), (const float[]){1, 2, 3, 4, 5, 6}, 6 * sizeof(float));
    case_execute(&c);
    static const float expected[] = {10 - 2, 10, 10 + 1 - 5, 10 + 3};
    assert_int_equal(case_count(&c, out), 4);
    assert_memory_equal(case_data(&c, out), expected, sizeof expected);
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
