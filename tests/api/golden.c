/* Comparison with golden outputs. */
#include "tests/api/golden.h"

static bool corner_matches(double ours, const json_t *golden, double pixels)
{
    double expected = json_number_value(golden);
    return pixels > 0 ? fabs(ours - expected) <= pixels : floor(ours + 0.5) == expected;
}

static void check_detection(const char *name, uint32_t i, const vkdet_detection *d, json_t *golden,
                            const golden_limits *limits)
{
    json_t *box = json_object_get(golden, "box_xyxy"), *anchor = json_object_get(golden, "anchor");
    double score = json_number_value(json_object_get(golden, "score"));
    long long class_id = json_integer_value(json_object_get(golden, "class"));
    if ((long long)d->class_id != class_id) {
        fail_msg("%s detection %u: class %u, TensorFlow.js %lld", name, i, d->class_id, class_id);
    }
    if (anchor && (long long)d->anchor != json_integer_value(anchor)) {
        fail_msg("%s detection %u: anchor %u, TensorFlow.js %lld", name, i, d->anchor,
                 (long long)json_integer_value(anchor));
    }
    if (!(fabs((double)d->score - score) <= limits->score)) {
        fail_msg("%s detection %u: score %.9g, TensorFlow.js %.9g, limit %.3g", name, i,
                 (double)d->score, score, limits->score);
    }
    assert_int_equal(json_array_size(box), 4);
    for (size_t k = 0; k < 4; k++) {
        const json_t *corner = json_array_get(box, k);
        if (!corner_matches((double)d->box[k], corner, limits->pixels)) {
            fail_msg("%s detection %u: corner %zu is %.9g, TensorFlow.js %.9g, limit %.3g", name, i,
                     k, (double)d->box[k], json_number_value(corner), limits->pixels);
        }
    }
}

void golden_check_detections(const char *name, const vkdet_result *ours, const json_t *list,
                             const golden_limits *limits)
{
    assert_true(json_is_array(list));
    if (json_array_size(list) != ours->count) {
        fail_msg("%s: %u detections, TensorFlow.js %zu", name, ours->count, json_array_size(list));
    }
    for (uint32_t i = 0; i < ours->count; i++) {
        check_detection(name, i, &ours->detections[i], json_array_get(list, i), limits);
    }
}

float *golden_read_output(vkdet_session *session, uint32_t index, size_t count)
{
    float *ours = calloc(count, sizeof *ours);
    size_t got = 0;
    assert_non_null(ours);
    assert_vkdet(vkdet_session_output(session, 0, 0, index, ours, count, &got));
    assert_int_equal(got, count);
    return ours;
}

double golden_check_row(const char *name, const char *output, size_t row, const float *ours,
                        const float *golden, size_t columns, double tolerance, double worst)
{
    for (size_t i = 0; i < columns; i++) {
        double difference = fabs((double)ours[i] - (double)golden[i]);
        if (!(difference <= tolerance)) {
            fail_msg("%s %s[%zu][%zu]: %.9g, TensorFlow.js %.9g, tolerance %.3g", name, output, row,
                     i, (double)ours[i], (double)golden[i], tolerance);
        }
        worst = difference > worst ? difference : worst;
    }
    return worst;
}

enum { MOST_PICTURES = 16, CAPACITY = 200 };

typedef struct outcome {
    uint32_t counts[MOST_PICTURES];
    vkdet_detection detections[MOST_PICTURES][CAPACITY];
} outcome;

/* All pictures in one call; results in the order of the pictures, whatever the order of the call.
 */
static void detect_all(vkdet_context *context, const vkdet_model *model,
                       const vkdet_session_params *params, vkdet_image *const *images,
                       uint32_t count, const uint32_t *order, outcome *out)
{
    vkdet_session *session = NULL;
    assert_vkdet(vkdet_session_create(context, model, params, &session));
    vkdet_pixels views[MOST_PICTURES];
    for (uint32_t i = 0; i < count; i++) {
        views[i] = vkdet_image_pixels(images[order[i]]);
    }
    const vkdet_result *results = NULL;
    vkdet_detect_params low = {.score_threshold = 0.01};
    assert_vkdet(vkdet_session_detect(session, views, count, &low, &results));
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < count; i++) {
        out->counts[order[i]] = results[i].count;
        memcpy(out->detections[order[i]], results[i].detections,
               results[i].count * sizeof out->detections[0][0]);
    }
    vkdet_session_destroy(session);
}

void golden_check_batches(vkdet_context *context, const vkdet_model *model,
                          vkdet_precision precision, vkdet_winograd winograd,
                          vkdet_image *const *images, uint32_t count)
{
    assert_true(count <= MOST_PICTURES && count % 5 != 0);
    uint32_t forward[MOST_PICTURES], shuffled[MOST_PICTURES];
    for (uint32_t i = 0; i < count; i++) {
        forward[i] = i;
        shuffled[i] = (i * 5 + 3) % count;
    }
    outcome *first = malloc(sizeof *first), *other = malloc(sizeof *other);
    assert_non_null(first);
    assert_non_null(other);
    vkdet_session_params params = {.device = api_device(),
                                   .max_batch = 1,
                                   .max_detections = CAPACITY,
                                   .cache_dir = "",
                                   .precision = precision,
                                   .winograd = winograd};
    detect_all(context, model, &params, images, count, forward, first);
    const uint32_t batches[] = {count, 3, 2};
    /* the reference runs one picture at a time, whatever it is given: once more is enough */
    size_t tries = strcmp(api_device(), "reference") == 0 ? 1 : sizeof batches / sizeof batches[0];
    for (size_t b = 0; b < tries; b++) {
        params.max_batch = batches[b];
        detect_all(context, model, &params, images, count, b % 2 ? forward : shuffled, other);
        assert_memory_equal(other->counts, first->counts, sizeof first->counts);
        assert_memory_equal(other->detections, first->detections, sizeof first->detections);
    }
    free(first);
    free(other);
}

size_t golden_winograd_steps(const char *report)
{
    json_t *root = json_loads(report, 0, NULL), *step;
    size_t i, found = 0;
    json_array_foreach(json_object_get(root, "steps"), i, step)
    {
        const char *variant = json_string_value(json_object_get(step, "variant"));
        found += variant && strncmp(variant, "winograd", 8) == 0;
    }
    assert_true(i > 0);
    json_decref(root);
    return found;
}
