/* Decode, filter, sort and suppression against the reference, on a network whose outputs are its
 * input: random boxes, ties, exact overlaps, odd numbers, every mode. */
#include "tests/vulkan/rig.h"

#include "shaders/interface.h"

enum { SEED = 99, AIZOO_ANCHORS = 5972 };

typedef struct scene {
    network n;
    detector_head head;
    uint32_t anchors, classes, columns;
    float *anchor_boxes;
    float *data; /* a row an anchor: codes, scores */
    test_random r;
} scene;

static void scene_open(scene *s, uint32_t anchors, uint32_t classes, int background,
                       uint32_t max_batch, uint32_t capacity)
{
    error err = {0};
    *s = (scene){.anchors = anchors, .classes = classes, .columns = 4 + classes};
    s->r = test_random_seed(SEED + anchors * 7 + classes);
    assert_status_ok(
        passthrough_build(&allocator_default, anchors, classes, &s->n.graph, &s->head, &err), err);
    s->data = calloc((size_t)anchors * s->columns * max_batch, sizeof(float));
    s->anchor_boxes = calloc((size_t)anchors * 4, sizeof(float));
    assert_true(s->data && s->anchor_boxes);
    s->head.background = background;
    s->head.anchors = s->anchor_boxes;
    s->n.head = &s->head;
    s->n.max_batch = max_batch;
    s->n.max_detections = capacity;
}

/* after the anchors are set: they are packed with the weights */
static void scene_ready(scene *s)
{
    error err = {0};
    assert_status_ok(network_open(&s->n, &err), err);
}

static void scene_close(scene *s)
{
    network_destroy(&s->n);
    free(s->data);
    free(s->anchor_boxes);
    rig_assert_silent();
}

static void anchors_random(scene *s, float spread, float size)
{
    for (uint32_t i = 0; i < s->anchors; i++) {
        const float x = test_random_float(&s->r, 0.0f, spread);
        const float y = test_random_float(&s->r, 0.0f, spread);
        const float w = test_random_float(&s->r, 0.25f * size, size);
        const float h = test_random_float(&s->r, 0.25f * size, size);
        const float box[4] = {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
        memcpy(s->anchor_boxes + (size_t)i * 4, box, sizeof box);
    }
}

/* levels 0: continuous scores; else so many different ones */
static void data_random(scene *s, uint32_t pictures, uint32_t levels)
{
    const size_t rows = (size_t)s->anchors * pictures;
    for (size_t i = 0; i < rows; i++) {
        float *row = s->data + i * s->columns;
        for (uint32_t k = 0; k < 4; k++) {
            row[k] = test_random_float(&s->r, -2.0f, 2.0f);
        }
        for (uint32_t c = 0; c < s->classes; c++) {
            const float score = test_random_float(&s->r, 0.0f, 1.0f);
            row[4 + c] = levels ? floorf(score * (float)levels) / (float)levels : score;
        }
    }
}

/* The picture's candidates as the device has them: sorted keys, boxes, classes. */
static void read_candidates(scene *s, uint32_t image, uint32_t count, detection *out)
{
    error err = {0};
    session *device_side = (session *)(void *)s->n.backend;
    slot *t = &device_side->slots[0];
    const plan *p = s->n.plan;
    const plan_buffer *b[] = {&p->buffers[p->keys_buffer], &p->buffers[p->boxes_buffer],
                              &p->buffers[p->classes_buffer]};
    const uint64_t counts[] = {CANDIDATE_HEADER_WORDS + 2 * (uint64_t)count, 4 * s->anchors,
                               s->anchors};
    arena_run runs[3];
    for (int i = 0; i < 3; i++) {
        runs[i] = (arena_run){b[i]->offset * t->batch + image * b[i]->words, counts[i]};
    }
    const uint32_t *words = NULL;
    assert_status_ok(transfer_read_arena(device_side, t, runs, 3, &words, &err), err);
    const uint32_t *boxes = words + counts[0], *classes = boxes + counts[1];
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t *key = words + CANDIDATE_HEADER_WORDS + 2 * (size_t)i;
        out[i].anchor = key[1];
        assert_true(key[1] < s->anchors);
        memcpy(&out[i].score, &key[0], sizeof(float));
        memcpy(out[i].box, boxes + 4 * (size_t)key[1], sizeof out[i].box);
        out[i].class_id = classes[key[1]];
    }
}

/* First maximum but the background; NaN is none; -0 counts as 0. */
static float best_score(const scene *s, const float *row, uint32_t *class_id)
{
    float best = -INFINITY;
    for (uint32_t c = 0; c < s->classes; c++) {
        if ((int)c != s->head.background && row[4 + c] > best) {
            best = row[4 + c];
            *class_id = c;
        }
    }
    return best + 0.0f;
}

/* The decoded corner may be off by the exponential's last bit. */
static bool corner_close(float got, float want, const float *reference_box, int side)
{
    if (got == want || (isnan(got) && isnan(want))) {
        return true;
    }
    const float size = fabsf(reference_box[side + 2] - reference_box[side]);
    return fabsf(got - want) <= 0x1p-22f * (fabsf(want) + size);
}

/* Every passing anchor once, in the total order, with the class and box it should have. */
static void check_candidates(scene *s, const float *data, double threshold, const detection *got,
                             uint32_t count, const char *what)
{
    float *loc = malloc((size_t)s->anchors * 4 * sizeof(float));
    float *boxes = malloc((size_t)s->anchors * 4 * sizeof(float));
    assert_true(loc && boxes);
    uint32_t passing = 0, class_id = 0;
    for (uint32_t i = 0; i < s->anchors; i++) {
        memcpy(loc + (size_t)i * 4, data + (size_t)i * s->columns, 4 * sizeof(float));
        passing += (double)best_score(s, data + (size_t)i * s->columns, &class_id) > threshold;
    }
    reference_decode(&s->head, loc, boxes);
    if (count != passing) {
        fail_msg("%s: %u candidates instead of %u", what, count, passing);
    }
    for (uint32_t i = 0; i < count; i++) {
        const detection *d = &got[i], *before = i ? &got[i - 1] : NULL;
        const float score = best_score(s, data + (size_t)d->anchor * s->columns, &class_id);
        if (d->score != score || !((double)score > threshold) || d->class_id != class_id) {
            fail_msg("%s: candidate %u, anchor %u: class %u score %.9g instead of %u, %.9g", what,
                     i, d->anchor, d->class_id, (double)d->score, class_id, (double)score);
        }
        if (before && (before->score < d->score ||
                       (before->score == d->score && before->anchor >= d->anchor))) {
            fail_msg("%s: candidates %u and %u are not in order", what, i - 1, i);
        }
        const float *box = boxes + 4 * (size_t)d->anchor;
        for (int k = 0; k < 4; k++) {
            if (!corner_close(d->box[k], box[k], box, k % 2)) {
                fail_msg("%s: anchor %u, corner %d: %.9g instead of %.9g", what, d->anchor, k,
                         (double)d->box[k], (double)box[k]);
            }
        }
    }
    free(loc);
    free(boxes);
}

/* NaN corners are equal */
static bool detection_equal(const detection *a, const detection *b)
{
    bool equal = a->anchor == b->anchor && a->class_id == b->class_id && a->score == b->score;
    for (int k = 0; k < 4; k++) {
        equal = equal && (a->box[k] == b->box[k] || (isnan(a->box[k]) && isnan(b->box[k])));
    }
    return equal;
}

/* Candidates against their definition, detections against the reference's suppression of them. */
static void compare_picture(scene *s, uint32_t image, const float *data, const nms_params *nms,
                            const backend_result *got, const char *what)
{
    detection *candidates = calloc(s->anchors, sizeof *candidates);
    detection *want = calloc(nms->max_detections, sizeof *want);
    assert_true(candidates && want);
    uint32_t count = 0;
    read_candidates(s, image, got->candidates, candidates);
    check_candidates(s, data, nms->score_threshold, candidates, got->candidates, what);
    reference_suppress(nms, candidates, got->candidates, want, &count);
    for (uint32_t i = 0; i < count && i < got->count; i++) {
        const detection *a = &got->detections[i], *b = &want[i];
        if (!detection_equal(a, b)) {
            fail_msg("%s, %s, threshold %.17g: detection %u of %u: anchor %u class %u score %.9g "
                     "instead of anchor %u class %u score %.9g",
                     what, nms_mode_name(nms->mode), nms->iou_threshold, i, count, a->anchor,
                     a->class_id, (double)a->score, b->anchor, b->class_id, (double)b->score);
        }
    }
    if (got->count != count) {
        fail_msg("%s, %s: %u detections instead of %u (%u near-ties)", what,
                 nms_mode_name(nms->mode), got->count, count, got->near_ties);
    }
    free(candidates);
    free(want);
}

/* Runs `pictures` of s->data as one batch in every mode and compares each; answers the near-ties.
 */
static uint32_t run_modes(scene *s, uint32_t pictures, nms_params nms, const char *what)
{
    error err = {0};
    pixels images[4];
    uint32_t near_ties = 0;
    for (uint32_t i = 0; i < pictures; i++) {
        images[i] = network_tensor(&s->n, s->data + (size_t)i * s->anchors * s->columns);
    }
    for (int mode = 0; mode < NMS_MODE_COUNT; mode++) {
        nms.mode = (nms_mode)mode;
        assert_status_ok(network_run(&s->n, images, pictures, &nms, &err), err);
        for (uint32_t i = 0; i < pictures; i++) {
            backend_result result;
            assert_status_ok(s->n.backend->call->result(s->n.backend, 0, i, &result, &err), err);
            compare_picture(s, i, images[i].data, &nms, &result, what);
            near_ties += result.near_ties;
        }
    }
    return near_ties;
}

static void test_random_boxes(void **state)
{
    (void)state;
    static const uint32_t anchors[] = {1, 2, 5, 63, 64, 65, 127, 300, 1025};
    for (size_t k = 0; k < sizeof anchors / sizeof *anchors; k++) {
        const uint32_t n = anchors[k], classes = 1 + (uint32_t)k % 4;
        scene s;
        scene_open(&s, n, classes, classes > 2 ? 0 : -1, 3, 0);
        anchors_random(&s, 1.0f, 0.4f);
        scene_ready(&s);
        data_random(&s, 3, 0);
        (void)run_modes(&s, 3, (nms_params){0, 0.5, 0.5, n}, "random");
        (void)run_modes(&s, 3, (nms_params){0, 0.9, 0.3, n}, "few pass");
        (void)run_modes(&s, 3, (nms_params){0, -1.0, 0.7, n}, "all pass");
        (void)run_modes(&s, 2, (nms_params){0, 0.2, 0.5, 1}, "one wanted");
        (void)run_modes(&s, 1, (nms_params){0, 2.0, 0.5, n}, "none passes");
        scene_close(&s);
    }
}

static void test_every_anchor(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, AIZOO_ANCHORS, 2, -1, 2, 0);
    anchors_random(&s, 1.0f, 0.05f);
    scene_ready(&s);
    data_random(&s, 2, 0);
    (void)run_modes(&s, 2, (nms_params){0, -1.0, 0.5, AIZOO_ANCHORS}, "every anchor");
    (void)run_modes(&s, 1, (nms_params){0, 0.5, 0.5, 100}, "a hundred");
    scene_close(&s);
}

static void test_ties(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 2000, 3, 1, 2, 0);
    anchors_random(&s, 1.0f, 0.2f);
    scene_ready(&s);
    data_random(&s, 2, 4);
    (void)run_modes(&s, 2, (nms_params){0, 0.25, 0.5, 2000}, "four different scores");
    (void)run_modes(&s, 2, (nms_params){0, 0.0, 0.9, 2000}, "score equal to the threshold");
    data_random(&s, 2, 1);
    (void)run_modes(&s, 2, (nms_params){0, -0.5, 0.5, 50}, "all scores equal");
    scene_close(&s);
}

/* Codes of zero give the anchors themselves, so that overlaps can be chosen: box i is `heights[i]`
 * high, all share a corner and a width, so IoU is the quotient of the heights. */
static void test_exact_overlaps(void **state)
{
    (void)state;
    static const float heights[] = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f, 8.0f, 10.0f, 12.0f, 16.0f};
    enum { BOXES = sizeof heights / sizeof *heights };
    scene s;
    scene_open(&s, 2 * BOXES, 2, -1, 1, 0);
    for (uint32_t i = 0; i < s.anchors; i++) {
        const float left = i < BOXES ? 0.0f : 32.0f;
        const float box[4] = {left, 0.0f, left + 3.0f, heights[i % BOXES]};
        memcpy(s.anchor_boxes + (size_t)i * 4, box, sizeof box);
    }
    scene_ready(&s);
    const double thresholds[] = {
        0.5, 1.0 / 3.0, 2.0 / 3.0,     0.25,          0.6,           0.8,          1.0,
        0.1, 1.0 / 6.0, 0x1.fffffep-2, 0x1.000002p-1, 0.5 + 0x1p-53, 0.5 - 0x1p-54};
    uint32_t near_ties = 0;
    for (uint32_t order = 0; order < 6; order++) {
        for (uint32_t i = 0; i < s.anchors; i++) {
            float *row = s.data + (size_t)i * s.columns;
            memset(row, 0, s.columns * sizeof *row);
            row[4 + (i + order) % 2] = order == 0 ? 0.5f : test_random_float(&s.r, 0.125f, 1.0f);
        }
        for (size_t t = 0; t < sizeof thresholds / sizeof *thresholds; t++) {
            near_ties += run_modes(&s, 1, (nms_params){0, 0.0, thresholds[t], s.anchors}, "exact");
        }
    }
    assert_true(near_ties > 0); /* else this test has not tested the settling */
    assert_true(rig_logged("near-ties") > 0);
    (void)run_modes(&s, 1, (nms_params){0, 0.0, 1e-60, s.anchors}, "tiny threshold");
    scene_close(&s);
}

static void test_odd_boxes(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 400, 2, -1, 1, 0);
    anchors_random(&s, 1.0f, 0.5f);
    for (uint32_t i = 0; i < s.anchors; i += 7) { /* points, lines, inside out */
        float *box = s.anchor_boxes + (size_t)i * 4;
        box[2] = i % 2 ? box[0] : box[2];
        box[3] = i % 3 ? box[1] : box[1] - 0.25f;
    }
    scene_ready(&s);
    data_random(&s, 1, 8);
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e30f, -1e30f, 1e-42f, 0.0f, -0.0f};
    for (uint32_t i = 0; i < s.anchors; i++) {
        float *row = s.data + (size_t)i * s.columns;
        if (i % 5 == 0) {
            row[i / 5 % 4] = odd[i / 20 % 8];
        }
        if (i % 11 == 0) {
            row[4 + i % 2] = i % 3 ? NAN : -0.0f;
        }
    }
    (void)run_modes(&s, 1, (nms_params){0, 0.1, 0.5, 400}, "odd boxes");
    (void)run_modes(&s, 1, (nms_params){0, -1.0, 0.25, 400}, "odd boxes, all pass");
    scene_close(&s);
}

static void test_thresholds(void **state)
{
    (void)state;
    scene s;
    scene_open(&s, 3, 1, -1, 1, 0);
    for (uint32_t i = 0; i < 3; i++) {
        const float box[4] = {(float)i * 2, 0.0f, (float)i * 2 + 1, 1.0f};
        memcpy(s.anchor_boxes + (size_t)i * 4, box, sizeof box);
        s.data[i * s.columns + 4] = i == 0 ? 0.7f : i == 1 ? nextafterf(0.7f, 1.0f) : 0.5f;
    }
    scene_ready(&s);
    (void)run_modes(&s, 1, (nms_params){0, (double)0.7f, 0.5, 3}, "equal is not above");
    (void)run_modes(&s, 1, (nms_params){0, 0.7, 0.5, 3}, "0.7, which is above 0.7f");
    (void)run_modes(&s, 1, (nms_params){0, (double)0.7f - 1e-12, 0.5, 3}, "just below");
    (void)run_modes(&s, 1, (nms_params){0, -1e300, 0.5, 3}, "far below");
    (void)run_modes(&s, 1, (nms_params){0, 1e300, 0.5, 3}, "far above");
    scene_close(&s);
}

static void test_refusals(void **state)
{
    (void)state;
    error err = {0};
    scene s;
    scene_open(&s, 3, 1, -1, 1, 0);
    scene_ready(&s);
    const pixels image = network_tensor(&s.n, s.data);
    const nms_params wrong[] = {
        {NMS_MODE_COUNT, 0.5, 0.5, 3}, {NMS_TFJS, (double)NAN, 0.5, 3}, {NMS_TFJS, 0.5, 0.0, 3},
        {NMS_TFJS, 0.5, 1.5, 3},       {NMS_TFJS, 0.5, (double)NAN, 3}, {NMS_TFJS, 0.5, 0.5, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(network_run(&s.n, &image, 1, &wrong[i], &err), STATUS_ARGUMENT);
    }
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_boxes), cmocka_unit_test(test_every_anchor),
        cmocka_unit_test(test_ties),         cmocka_unit_test(test_exact_overlaps),
        cmocka_unit_test(test_odd_boxes),    cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_refusals),
    };
    print_message("seed %d\n", SEED);
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
