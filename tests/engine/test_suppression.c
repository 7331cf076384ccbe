/* Decode, threshold, order and suppression: properties over random boxes, exact ties, odd numbers.
 */
#include "tests/support/test.h"

#include "engine/detector.h"

enum { MANY = 5972 };

static const nms_mode all_modes[] = {NMS_TFJS, NMS_TF, NMS_TFJS_PER_CLASS, NMS_TF_PER_CLASS};

static bool is_per_class(nms_mode m)
{
    return m == NMS_TFJS_PER_CLASS || m == NMS_TF_PER_CLASS;
}

/* --- a second formulation of the overlap test: areas by axis, no division for tfjs --- */

static double span(double a0, double a1)
{
    return fabs(a1 - a0);
}

static double common(double a0, double a1, double b0, double b1)
{
    double both = fmin(fmax(a0, a1), fmax(b0, b1)) - fmax(fmin(a0, a1), fmin(b0, b1));
    return fmax(both, 0);
}

static double exact_iou(const float a[4], const float b[4])
{
    double area_a = span((double)a[0], (double)a[2]) * span((double)a[1], (double)a[3]);
    double area_b = span((double)b[0], (double)b[2]) * span((double)b[1], (double)b[3]);
    double both = common((double)a[0], (double)a[2], (double)b[0], (double)b[2]) *
                  common((double)a[1], (double)a[3], (double)b[1], (double)b[3]);
    return area_a <= 0 || area_b <= 0 ? 0 : both / (area_a + area_b - both);
}

static void test_exact_half(void **state)
{
    (void)state;
    /* 2x1 and 1x1 inside it: IoU exactly 1/2 */
    static const float a[4] = {0, 0, 2, 1}, b[4] = {0, 0, 1, 1};
    assert_true(reference_overlaps(NMS_TFJS, 0.5, a, b));
    assert_true(reference_overlaps(NMS_TFJS_PER_CLASS, 0.5, b, a));
    assert_false(reference_overlaps(NMS_TF, 0.5, a, b));
    assert_false(reference_overlaps(NMS_TF_PER_CLASS, 0.5, b, a));
    assert_true(reference_overlaps(NMS_TF, nextafter(0.5, 0) - 1e-7, a, b));
    assert_false(reference_overlaps(NMS_TFJS, nextafter(0.5, 1), a, b));
    /* identical boxes: IoU 1 */
    assert_true(reference_overlaps(NMS_TFJS, 1, a, a));
    assert_false(reference_overlaps(NMS_TF, 1, a, a));
}

/* 1/3 is no float: in double IoU >= 1.0 / 3 holds, in float the threshold is rounded too */
static void test_precision_of_modes(void **state)
{
    (void)state;
    static const float a[4] = {0, 0, 3, 1}, b[4] = {0, 0, 1, 1};
    assert_true(reference_overlaps(NMS_TFJS, 1.0 / 3, a, b));
    assert_false(reference_overlaps(NMS_TFJS, nextafter(1.0 / 3, 1), a, b));
    assert_false(reference_overlaps(NMS_TF, 1.0 / 3, a, b));
    assert_false(reference_overlaps(NMS_TF, 0.33333333, a, b)); /* the same float */
    assert_true(reference_overlaps(NMS_TF, 0.33333328, a, b));  /* the float before */
}

static void test_odd_boxes(void **state)
{
    (void)state;
    static const float box[4] = {0, 0, 1, 1}, inverted[4] = {1, 1, 0, 0}, half[4] = {1, 0, 0, 1};
    static const float line[4] = {0, 0, 1, 0}, point[4] = {0.5f, 0.5f, 0.5f, 0.5f};
    static const float touching[4] = {1, 0, 2, 1}, apart[4] = {5, 5, 6, 6};
    static const float bad[4] = {NAN, 0, 1, 1}, worse[4] = {NAN, NAN, NAN, NAN};
    static const float endless[4] = {-INFINITY, 0, INFINITY, 1}, far[4] = {0, 0, INFINITY, 1};
    for (size_t m = 0; m < 4; m++) {
        assert_true(reference_overlaps(all_modes[m], 0.9, box, inverted));
        assert_true(reference_overlaps(all_modes[m], 0.9, half, inverted));
        const float *never[] = {line, point, touching, apart, bad, worse, endless, far};
        for (size_t i = 0; i < 8; i++) {
            assert_false(reference_overlaps(all_modes[m], 1e-9, box, never[i]));
            assert_false(reference_overlaps(all_modes[m], 1e-9, never[i], box));
        }
        for (size_t i = 4; i < 8; i++) {
            assert_false(reference_overlaps(all_modes[m], 1e-9, never[i], never[i]));
        }
        assert_false(reference_overlaps(all_modes[m], 1e-9, point, point));
    }
}

/* boxes on a coarse grid, so that IoUs and scores tie often */
static void random_boxes(test_random *r, detection *d, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        float x = (float)(test_random_u32(r) % 12), y = (float)(test_random_u32(r) % 12);
        d[i] = (detection){
            .box = {x, y, x + (float)(test_random_u32(r) % 5), y + (float)(test_random_u32(r) % 5)},
            .score = (float)(test_random_u32(r) % 20) / 20.0f,
            .class_id = test_random_u32(r) % 3,
            .anchor = i};
    }
}

static bool ordered(const detection *a, const detection *b)
{
    return a->score > b->score || (a->score == b->score && a->anchor < b->anchor);
}

/* naive: pick the best that is left, strike out what it overlaps, until nothing is left */
static uint32_t pick_and_strike(const nms_params *p, const detection *all, uint32_t count,
                                detection *out)
{
    bool *gone = calloc(count + 1, sizeof *gone);
    assert_non_null(gone);
    for (uint32_t i = 0; i < count; i++) {
        gone[i] = !((double)all[i].score > p->score_threshold);
    }
    uint32_t kept = 0;
    while (kept < p->max_detections) {
        const detection *best = NULL;
        for (uint32_t i = 0; i < count; i++) {
            if (!gone[i] && (!best || ordered(&all[i], best))) {
                best = &all[i];
            }
        }
        if (!best) {
            break;
        }
        out[kept++] = *best;
        for (uint32_t i = 0; i < count; i++) {
            double iou = exact_iou(best->box, all[i].box);
            bool tfjs = p->mode == NMS_TFJS || p->mode == NMS_TFJS_PER_CLASS;
            bool over = tfjs ? iou >= p->iou_threshold : (float)iou > (float)p->iou_threshold;
            bool same = !is_per_class(p->mode) || best->class_id == all[i].class_id;
            gone[i] = gone[i] || (over && same) || &all[i] == best;
        }
    }
    free(gone);
    return kept;
}

/* Turns detections into network outputs: anchors are the boxes, codes zero. Class scores hold the
 * detection's score at its class, less elsewhere. */
typedef struct fake_network {
    detector_head head;
    float *anchors, *loc, *scores;
} fake_network;

static fake_network fake_create(const detection *d, uint32_t count)
{
    fake_network f = {.anchors = calloc((size_t)count * 4 + 1, sizeof(float)),
                      .loc = calloc((size_t)count * 4 + 1, sizeof(float)),
                      .scores = calloc((size_t)count * 3 + 1, sizeof(float))};
    assert_true(f.anchors && f.loc && f.scores);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(f.anchors + (size_t)i * 4, d[i].box, sizeof d[i].box);
        for (uint32_t c = 0; c < 3; c++) {
            f.scores[i * 3 + c] = c == d[i].class_id ? d[i].score : d[i].score - 0.5f;
        }
    }
    f.head = (detector_head){.anchor_count = count,
                             .class_count = 3,
                             .background = -1,
                             .variance = {0.1f, 0.1f, 0.2f, 0.2f},
                             .anchors = f.anchors};
    return f;
}

static void fake_destroy(fake_network *f)
{
    free(f->anchors);
    free(f->loc);
    free(f->scores);
}

static void expect_properties(const nms_params *p, const detection *all, uint32_t count,
                              const detection *kept, uint32_t kept_count)
{
    for (uint32_t i = 0; i < kept_count; i++) {
        assert_true(i == 0 || ordered(&kept[i - 1], &kept[i]));
        assert_true((double)kept[i].score > p->score_threshold);
        for (uint32_t j = 0; j < i; j++) {
            assert_false((!is_per_class(p->mode) || kept[i].class_id == kept[j].class_id) &&
                         reference_overlaps(p->mode, p->iou_threshold, kept[i].box, kept[j].box));
        }
    }
    for (uint32_t i = 0; kept_count < p->max_detections && i < count; i++) {
        bool explained = !((double)all[i].score > p->score_threshold);
        for (uint32_t j = 0; !explained && j < kept_count && !ordered(&all[i], &kept[j]); j++) {
            explained = all[i].anchor == kept[j].anchor ||
                        ((!is_per_class(p->mode) || all[i].class_id == kept[j].class_id) &&
                         reference_overlaps(p->mode, p->iou_threshold, all[i].box, kept[j].box));
        }
        assert_true(explained);
    }
}

static void suppression_case(uint64_t seed)
{
    test_random r = test_random_seed(seed);
    static const double thresholds[] = {0.5, 0.25, 1.0 / 3, 1, 0.1};
    detection all[160], kept[160] = {0}, naive[160] = {0};
    uint32_t count = test_random_u32(&r) % 161;
    random_boxes(&r, all, count);
    nms_params p = {.mode = all_modes[seed % 4],
                    .score_threshold = (test_random_u32(&r) % 10) / 20.0,
                    .iou_threshold = thresholds[test_random_u32(&r) % 5],
                    .max_detections = test_random_u32(&r) % 3 ? 160 : 1 + test_random_u32(&r) % 20};
    fake_network f = fake_create(all, count);
    float decoded[640];
    reference_decode(&f.head, f.loc, decoded);
    assert_memory_equal(decoded, f.anchors, (size_t)count * 4 * sizeof(float));
    uint32_t kept_count = 999, candidates = 999;
    error err;
    assert_status_ok(reference_detect(&allocator_default, &f.head, &p, f.loc, f.scores, kept,
                                      &kept_count, &candidates, &err),
                     err);
    uint32_t passing = 0;
    for (uint32_t i = 0; i < count; i++) {
        passing += (double)all[i].score > p.score_threshold;
    }
    assert_int_equal(candidates, passing);
    expect_properties(&p, all, count, kept, kept_count);
    uint32_t naive_count = pick_and_strike(&p, all, count, naive);
    assert_int_equal(kept_count, naive_count);
    for (uint32_t i = 0; i < kept_count; i++) {
        bool same = kept[i].anchor == naive[i].anchor && kept[i].class_id == naive[i].class_id &&
                    kept[i].score == naive[i].score;
        for (int side = 0; side < 4; side++) {
            same = same && kept[i].box[side] == naive[i].box[side];
        }
        if (!same) {
            fail_msg("seed %llu: detection %u is anchor %u, expected %u", (unsigned long long)seed,
                     i, kept[i].anchor, naive[i].anchor);
        }
    }
    fake_destroy(&f);
}

static void test_properties(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        suppression_case(seed);
    }
}

/* every anchor passes and survives; one score for all, so that only the anchor orders them */
static void test_everything_passes(void **state)
{
    (void)state;
    detection *all = calloc(MANY, sizeof *all), *kept = calloc(MANY, sizeof *kept);
    assert_true(all && kept);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t row = i / 77;
        float x = (float)(i % 77), y = (float)row;
        all[i] = (detection){.box = {x, y, x + 1, y + 1}, .score = 0.75f, .anchor = i};
    }
    fake_network f = fake_create(all, MANY);
    nms_params p = {NMS_TFJS, 0.5, 0.5, MANY};
    uint32_t count, candidates;
    error err;
    assert_status_ok(reference_detect(&allocator_default, &f.head, &p, f.loc, f.scores, kept,
                                      &count, &candidates, &err),
                     err);
    assert_int_equal(candidates, MANY);
    assert_int_equal(count, MANY);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(kept[i].anchor, i);
    }
    /* the same box everywhere: one stays */
    for (uint32_t i = 0; i < MANY; i++) {
        memcpy(f.anchors + (size_t)i * 4, (const float[]){0, 0, 1, 1}, 16);
        f.scores[i * 3] = (float)(i * 7919 % MANY) / MANY + 1;
    }
    assert_status_ok(reference_detect(&allocator_default, &f.head, &p, f.loc, f.scores, kept,
                                      &count, &candidates, &err),
                     err);
    assert_int_equal(candidates, MANY);
    assert_int_equal(count, 1);
    assert_int_equal(kept[0].anchor * 7919u % MANY, MANY - 1);
    p.max_detections = 10;
    p.iou_threshold = 1;
    p.mode = NMS_TF;
    assert_status_ok(reference_detect(&allocator_default, &f.head, &p, f.loc, f.scores, kept,
                                      &count, &candidates, &err),
                     err);
    assert_int_equal(count, 10);
    fake_destroy(&f);
    free(all);
    free(kept);
}

static uint32_t detect_scores(const float *scores, uint32_t anchors, uint32_t classes,
                              int background, double threshold, detection *out)
{
    float boxes[4 * 16], loc[4 * 16] = {0};
    for (uint32_t i = 0; i < anchors; i++) {
        memcpy(boxes + (size_t)i * 4, (const float[]){(float)i, 0, (float)i + 1, 1}, 16);
    }
    detector_head head = {.anchor_count = anchors,
                          .class_count = classes,
                          .background = background,
                          .anchors = boxes,
                          .variance = {1, 1, 1, 1}};
    nms_params p = {NMS_TFJS, threshold, 0.5, 16};
    uint32_t count, candidates;
    error err;
    assert_status_ok(reference_detect(&allocator_default, &head, &p, loc, scores, out, &count,
                                      &candidates, &err),
                     err);
    assert_int_equal(count, candidates);
    return count;
}

static void test_scores(void **state)
{
    (void)state;
    detection out[16];
    /* above the threshold means above: 0.5 does not pass, nor does a NaN; infinity does */
    const float odd[] = {0.5f, NAN, INFINITY, -INFINITY, 0.50000006f, -NAN, 0.9f};
    assert_int_equal(detect_scores(odd, 7, 1, -1, 0.5, out), 3);
    assert_int_equal(out[0].anchor, 2);
    assert_int_equal(out[1].anchor, 6);
    assert_int_equal(out[2].anchor, 4);
    /* the comparison is one of doubles: 0.7f lies below 0.7 */
    const float seven[] = {0.7f};
    assert_int_equal(detect_scores(seven, 1, 1, -1, 0.7, out), 0);
    assert_int_equal(detect_scores(seven, 1, 1, -1, (double)nextafterf(0.7f, 0), out), 1);
    /* -0 is 0: it ties with 0 and is reported as 0 */
    const float zeros[] = {-0.0f, 0.0f, -0.0f};
    assert_int_equal(detect_scores(zeros, 3, 1, -1, -1, out), 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(out[i].anchor, i);
        assert_memory_equal(&out[i].score, &zeros[1], sizeof(float));
    }
    assert_int_equal(detect_scores(zeros, 3, 1, -1, 0, out), 0);
}

static void test_classes(void **state)
{
    (void)state;
    detection out[16];
    const float scores[] = {
        0.9f, 0.6f, 0.6f, /* first maximum */
        0.9f, 0.1f, 0.8f, /* background aside */
        0.2f, NAN,  0.7f, /* a NaN is no maximum */
        0.9f, 0.1f, 0.2f,
    };
    assert_int_equal(detect_scores(scores, 4, 3, 0, 0.5, out), 3);
    assert_int_equal(out[0].anchor, 1);
    assert_int_equal(out[0].class_id, 2);
    assert_int_equal(out[1].anchor, 2);
    assert_int_equal(out[1].class_id, 2);
    assert_int_equal(out[2].anchor, 0);
    assert_int_equal(out[2].class_id, 1);
    assert_int_equal(detect_scores(scores, 4, 3, -1, 0.5, out), 4);
    assert_int_equal(out[0].class_id, 0);
}

static void test_decode(void **state)
{
    (void)state;
    static const float anchors[8] = {0, 0, 2, 4, 0.25f, 0.25f, 0.75f, 0.5f};
    static const float loc[8] = {5, -2.5f, 0, 0, 0, 0, 0.6931472f, -0.6931472f};
    detector_head head = {
        .anchor_count = 2, .class_count = 1, .anchors = anchors, .variance = {0.1f, 0.2f, 1, 1}};
    float boxes[8];
    reference_decode(&head, loc, boxes);
    /* centre (1 + 0.5 * 2, 2 - 0.5 * 4), size kept; then the size doubled and halved */
    static const float expected[8] = {1, -2, 3, 2, 0, 0.3125f, 1, 0.4375f};
    for (int i = 0; i < 8; i++) {
        assert_true(fabsf(boxes[i] - expected[i]) < 1e-6f);
    }
    /* a size beyond float range is infinite, not an error */
    const float huge[8] = {0, 0, 1000, 0, 0, 0, -1000, 0};
    reference_decode(&head, huge, boxes);
    assert_true(isinf(boxes[0]) && isinf(boxes[2]) && boxes[4] == boxes[6]);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    detection all[4], out[4];
    test_random r = test_random_seed(3);
    random_boxes(&r, all, 4);
    fake_network f = fake_create(all, 4);
    nms_params p = {NMS_TF, -1, 0.5, 4};
    test_allocator t;
    uint32_t count = 0, candidates = 0;
    error err;
    test_allocator_init(&t, 1);
    assert_int_equal(
        reference_detect(&t.alloc, &f.head, &p, f.loc, f.scores, out, &count, &candidates, &err),
        STATUS_MEMORY);
    assert_int_equal(t.live, 0);
    test_allocator_init(&t, 0);
    assert_status_ok(
        reference_detect(&t.alloc, &f.head, &p, f.loc, f.scores, out, &count, &candidates, &err),
        err);
    assert_int_equal(t.live, 0);
    p.score_threshold = 2; /* nothing passes, nothing is asked for */
    test_allocator_init(&t, 1);
    assert_status_ok(
        reference_detect(&t.alloc, &f.head, &p, f.loc, f.scores, out, &count, &candidates, &err),
        err);
    assert_int_equal(count + candidates, 0);
    fake_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_half),        cmocka_unit_test(test_precision_of_modes),
        cmocka_unit_test(test_odd_boxes),         cmocka_unit_test(test_properties),
        cmocka_unit_test(test_everything_passes), cmocka_unit_test(test_scores),
        cmocka_unit_test(test_classes),           cmocka_unit_test(test_decode),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
