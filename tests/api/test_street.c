/* The detector of the repository on its rendered pictures: every step verified on the device, the
 * drawn faces found, and the same bytes in one batch as one by one. Needs nothing from outside. */
#include "tests/api/support.h"

enum { PICTURES = 4, MASK = 0, NO_MASK = 1 };

/* what was drawn (models/train/render.py, seed 2026) */
static const struct {
    const char *name;
    uint32_t masks, bare;
} pictures[PICTURES] = {{"street0003.png", 1, 2},
                        {"street0004.png", 0, 3},
                        {"street0006.png", 2, 1},
                        {"street0007.png", 1, 2}};

static vkdet_context *context;
static vkdet_model *model;
static const char *container;
static vkdet_image *images[PICTURES];

static int open_all(void **state)
{
    (void)state;
    context = api_context();
    container = api_convert(context, TEST_SOURCE_DIR "/models/street-320/model.json",
                            TEST_SOURCE_DIR "/models/street-320/card.json");
    assert_vkdet(vkdet_model_open(context, container, &model));
    for (int i = 0; i < PICTURES; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/models/street-320/samples/%s", TEST_SOURCE_DIR,
                       pictures[i].name);
        assert_vkdet(vkdet_image_load(context, path, NULL, &images[i]));
    }
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (int i = 0; i < PICTURES; i++) {
        vkdet_image_destroy(images[i]);
    }
    vkdet_model_destroy(model);
    api_remove_model(container);
    api_context_done(context);
    return 0;
}

static void test_every_step(void **state)
{
    (void)state;
    vkdet_pixels view = vkdet_image_pixels(images[0]);
    char *report = NULL;
    assert_vkdet(vkdet_verify(context, model, api_device(), &view, &report));
    vkdet_text_free(context, report);
}

static void test_faces(void **state)
{
    (void)state;
    vkdet_session *session = NULL;
    vkdet_session_params params = {.device = api_device(), .max_batch = PICTURES, .cache_dir = ""};
    assert_vkdet(vkdet_session_create(context, model, &params, &session));
    vkdet_pixels views[PICTURES];
    vkdet_detection alone[PICTURES][16];
    for (int i = 0; i < PICTURES; i++) {
        const vkdet_result *r = NULL;
        uint32_t found[2] = {0};
        views[i] = vkdet_image_pixels(images[i]);
        assert_vkdet(vkdet_session_detect(session, &views[i], 1, NULL, &r));
        for (uint32_t k = 0; k < r->count; k++) {
            assert_true(r->detections[k].class_id <= NO_MASK);
            found[r->detections[k].class_id]++;
        }
        if (found[MASK] != pictures[i].masks || found[NO_MASK] != pictures[i].bare) {
            fail_msg("%s: %u with and %u without mask, drawn were %u and %u", pictures[i].name,
                     found[MASK], found[NO_MASK], pictures[i].masks, pictures[i].bare);
        }
        memcpy(alone[i], r->detections, r->count * sizeof alone[i][0]);
    }
    const vkdet_result *all = NULL;
    assert_vkdet(vkdet_session_detect(session, views, PICTURES, NULL, &all));
    for (int i = 0; i < PICTURES; i++) {
        assert_int_equal(all[i].count, pictures[i].masks + pictures[i].bare);
        assert_memory_equal(all[i].detections, alone[i], all[i].count * sizeof alone[i][0]);
    }
    vkdet_session_destroy(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_step),
        cmocka_unit_test(test_faces),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
