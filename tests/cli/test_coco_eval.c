/* The COCO figures: cases worked out by hand, one set against pycocotools, and no memory. */
#include "tests/support/test.h"

#include "host/cli/coco_eval.h"
#include "tests/support/failing.h"

enum { MOST = 4096, CATEGORIES = 3 };

static coco_box truths[MOST], found[MOST];
static size_t truth_count, found_count;
static coco_score overall, categories[CATEGORIES];

static int begin(void **state)
{
    (void)state;
    truth_count = found_count = 0;
    return 0;
}

static coco_box *truth(uint32_t image, double x, double y, double width, double height)
{
    coco_box *b = &truths[truth_count++];
    *b = (coco_box){.image = image, .box = {x, y, width, height}, .area = width * height};
    return b;
}

static coco_box *find(uint32_t image, double x, double y, double width, double height, double score)
{
    coco_box *b = &found[found_count++];
    *b = (coco_box){.image = image, .box = {x, y, width, height}, .score = score};
    return b;
}

static void evaluate(uint32_t category_count)
{
    memset(&overall, 0x5a, sizeof overall);
    memset(categories, 0x5a, sizeof categories);
    assert_true(coco_evaluate(truths, truth_count, found, found_count, category_count, &overall,
                              categories));
}

static void expect_score(const coco_score *s, const char *name, const double wanted[])
{
    for (int i = 0; i < COCO_FIGURE_COUNT; i++) {
        if (!(fabs(s->figures[i] - wanted[i]) < 1e-9)) {
            fail_msg("%s: figure %d is %.10f, not %.10f", name, i, s->figures[i], wanted[i]);
        }
    }
}

static void expect_figure(coco_figure figure, double wanted)
{
    if (!(fabs(overall.figures[figure] - wanted) < 1e-12)) {
        fail_msg("figure %d is %.15f, not %.15f", (int)figure, overall.figures[figure], wanted);
    }
}

static void test_one(void **state)
{
    (void)state;
    static const double small[] = {1, 1, 1, 1, -1, -1, 1, 1, 1, 1, -1, -1};
    truth(0, 10, 10, 20, 20);
    find(0, 10, 10, 20, 20, 0.1);
    evaluate(1);
    expect_score(&overall, "all", small);
    expect_score(&categories[0], "category", small);
    assert_int_equal(overall.truths, 1);
    assert_int_equal(overall.crowds, 0);
    assert_int_equal(overall.found, 1);
}

static void test_nothing(void **state)
{
    (void)state;
    static const double none[] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    static const double missed[] = {0, 0, 0, 0, -1, -1, 0, 0, 0, 0, -1, -1};
    evaluate(0);
    expect_score(&overall, "no category", none);
    evaluate(CATEGORIES);
    expect_score(&overall, "no box", none);
    expect_score(&categories[2], "no box", none);
    find(3, 1, 1, 5, 5, 0.5);
    evaluate(1);
    expect_score(&overall, "nothing to find", none);
    assert_int_equal(overall.found, 1);
    found_count = 0;
    truth(3, 1, 1, 5, 5);
    evaluate(2);
    expect_score(&overall, "nothing found", missed);
    expect_score(&categories[1], "the other category", none);
}

static void test_threshold(void **state)
{
    (void)state;
    truth(0, 0, 0, 10, 10);
    find(0, 0, 0, 10, 5, 0.9); /* IoU exactly .5 */
    evaluate(1);
    expect_figure(COCO_AP, 0.1);
    expect_figure(COCO_AP_50, 1);
    expect_figure(COCO_AP_75, 0);
    expect_figure(COCO_AR_100, 0.1);
}

/* Of equal scores the one listed first goes first, in an image and across images. */
static void test_ties(void **state)
{
    (void)state;
    truth(1, 0, 0, 10, 10);
    find(1, 50, 50, 10, 10, 0.5);
    find(1, 0, 0, 10, 10, 0.5);
    evaluate(1);
    expect_figure(COCO_AP, 0.5);
    found_count = 0;
    find(1, 0, 0, 10, 10, 0.5);
    find(1, 50, 50, 10, 10, 0.5);
    evaluate(1);
    expect_figure(COCO_AP, 1);
    found_count = 0;
    find(1, 0, 0, 10, 10, 0.5);
    find(0, 50, 50, 10, 10, 0.5); /* of an earlier image */
    evaluate(1);
    expect_figure(COCO_AP, 0.5);
}

/* One truth, one hit: the second find of it is wrong, and a better overlap does not come back. */
static void test_duplicate(void **state)
{
    (void)state;
    truth(0, 0, 0, 10, 10);
    truth(0, 100, 0, 10, 10);
    find(0, 0, 0, 10, 8, 0.9);  /* takes the first at .8 */
    find(0, 0, 0, 10, 10, 0.8); /* too late but from .85 on */
    find(0, 100, 0, 10, 10, 0.7);
    evaluate(1);
    /* to .80: right, wrong, right: 51 points of recall at 1, 50 at 2/3; beyond: wrong, right,
     * right: 1/2 before the last one, 2/3 at best everywhere */
    expect_figure(COCO_AP_50, (51 + 50 * 2.0 / 3) / 101);
    expect_figure(COCO_AP, (7 * (51 + 50 * 2.0 / 3) / 101 + 3 * 2.0 / 3) / 10);
    expect_figure(COCO_AR_100, 1);
    expect_figure(COCO_AR_1, 0.7 * 0.5);
}

/* Finds in a crowd are neither right nor wrong, any number of them, and by their own area. */
static void test_crowd(void **state)
{
    (void)state;
    truth(0, 200, 200, 100, 100)->crowd = true;
    truth(0, 0, 0, 10, 10);
    find(0, 210, 210, 10, 10, 0.9);
    find(0, 220, 220, 10, 10, 0.8);
    find(0, 0, 0, 10, 10, 0.7);
    evaluate(1);
    expect_figure(COCO_AP, 1);
    assert_int_equal(overall.truths, 1);
    assert_int_equal(overall.crowds, 1);
    /* a truth that counts comes before a crowd that overlaps more */
    truth_count = found_count = 0;
    truth(0, 0, 0, 100, 100)->crowd = true;
    truth(0, 0, 0, 10, 10);
    find(0, 0, 0, 10, 8, 0.9);
    evaluate(1);
    expect_figure(COCO_AP, 0.7);
    expect_figure(COCO_AP_75, 1);
    /* a crowd alone is nothing to find */
    truth_count = 1;
    evaluate(1);
    expect_figure(COCO_AP, -1);
}

/* What lies outside an area range is ignored in it: truths by the area that the file states. */
static void test_areas(void **state)
{
    (void)state;
    truth(0, 0, 0, 40, 40)->area = 32 * 32; /* both small and medium */
    truth(0, 200, 200, 100, 100);
    find(0, 0, 0, 40, 40, 0.9);
    find(0, 200, 200, 100, 100, 0.8);
    find(0, 400, 0, 10, 10, 0.95);   /* wrong, small */
    find(0, 400, 100, 50, 50, 0.95); /* wrong, medium */
    evaluate(1);
    expect_figure(COCO_AP_SMALL, 0.5);
    expect_figure(COCO_AP_MEDIUM, 0.5);
    expect_figure(COCO_AP_LARGE, 1);
    expect_figure(COCO_AP, 0.5);
    expect_figure(COCO_AR_SMALL, 1);
    truths[0].area = 1e11; /* beyond every range */
    evaluate(1);
    expect_figure(COCO_AP_SMALL, -1);
    expect_figure(COCO_AP, 1.0 / 3);
}

/* The best 100 of an image and class take part; 1 and 10 for the other recalls. */
static void test_limits(void **state)
{
    (void)state;
    for (int i = 0; i < 120; i++) {
        truth(7, 20.0 * i, 0, 10, 10);
        find(7, 20.0 * i, 0, 10, 10, 0.001 * i);
    }
    evaluate(1);
    expect_figure(COCO_AR_1, 1.0 / 120);
    expect_figure(COCO_AR_10, 10.0 / 120);
    expect_figure(COCO_AR_100, 100.0 / 120);
    expect_figure(COCO_AP, 84.0 / 101); /* points of recall 0 to .83 */
    assert_int_equal(overall.found, 120);
    for (int i = 0; i < 60; i++) { /* half of them in another class: nothing is cut */
        truths[i].category = found[i].category = 1;
    }
    evaluate(2);
    expect_figure(COCO_AR_100, 1);
}

static uint32_t drawn;

static uint32_t draw(uint32_t below)
{
    drawn = (drawn * 1103515245u + 12345u) & 0x7fffffffu;
    return (drawn >> 16) % below;
}

/* 120 truths and 2400 finds, ties, crowds and more than 100 finds an image and class among them.
 * The expected figures are those of pycocotools 2.0.11 (numpy 2.4) for the same set, which this
 * makes; stats[:12], and the same means over precision[:, :, k] and recall[:, k] of each class:
 *
 *     state = 2026
 *     def draw(n):
 *         global state
 *         state = (state * 1103515245 + 12345) % 2**31
 *         return (state >> 16) % n
 *     truths, found = [], []
 *     for i in range(120):
 *         box = [draw(500), draw(500), 4 + draw(150), 4 + draw(150)]
 *         truths.append(dict(id=i + 1, image_id=draw(6), category_id=draw(3), bbox=box,
 *             area=box[2] * box[3] / (1 + draw(2)), iscrowd=int(draw(10) == 0)))
 *     for i in range(2400):
 *         t = truths[draw(120)]
 *         s = 1 + draw(24)
 *         found.append(dict(image_id=t["image_id"],
 *             category_id=t["category_id"] if draw(8) else draw(3),
 *             bbox=[v + draw(s) - s // 2 for v in t["bbox"][:2]] +
 *                  [v + draw(s) for v in t["bbox"][2:]], score=draw(500) / 500))
 */
static void make_set(void)
{
    truth_count = found_count = 0;
    drawn = 2026;
    for (int i = 0; i < 120; i++) {
        double box[4];
        for (int k = 0; k < 4; k++) {
            box[k] = k < 2 ? draw(500) : 4 + draw(150);
        }
        coco_box *t = truth(draw(6), box[0], box[1], box[2], box[3]);
        t->category = draw(3);
        t->area = t->area / (1 + draw(2));
        t->crowd = draw(10) == 0;
    }
    for (int i = 0; i < 2400; i++) {
        const coco_box *t = &truths[draw(120)];
        uint32_t s = 1 + draw(24);
        coco_box *f = find(t->image, 0, 0, 0, 0, 0);
        f->category = draw(8) ? t->category : draw(3);
        for (int k = 0; k < 4; k++) {
            f->box[k] = t->box[k] + draw(s) - (k < 2 ? s / 2 : 0);
        }
        f->score = draw(500) / 500.0;
    }
}

static const double expected[1 + CATEGORIES][COCO_FIGURE_COUNT] = {
    {0.3516323465, 0.5621319008, 0.3335578393, 0.4640196633, 0.3632051836, 0.5046424631,
     0.0670995671, 0.4606782107, 0.9377344877, 0.9007407407, 0.9458708365, 0.9727777778},
    {0.3929637122, 0.5690428284, 0.3933581423, 0.5695887227, 0.4053114273, 0.4135630479,
     0.1030303030, 0.4878787879, 0.9575757576, 0.9800000000, 0.9521739130, 0.9600000000},
    {0.3446853562, 0.5874505358, 0.3093888948, 0.4105571391, 0.3702332767, 0.3596335334,
     0.0619047619, 0.4214285714, 0.9404761905, 0.9222222222, 0.9433333333, 0.9750000000},
    {0.3172479710, 0.5299023382, 0.2979264809, 0.4119131279, 0.3140708468, 0.7407308080,
     0.0363636364, 0.4727272727, 0.9151515152, 0.8000000000, 0.9421052632, 0.9833333333}};

static void test_against_pycocotools(void **state)
{
    (void)state;
    make_set();
    evaluate(CATEGORIES);
    expect_score(&overall, "all", expected[0]);
    for (int i = 0; i < CATEGORIES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "category %d", i);
        expect_score(&categories[i], name, expected[1 + i]);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    make_set();
    size_t at = 1;
    for (;; at++) {
        failing_start(at);
        bool good = coco_evaluate(truths, truth_count, found, found_count, CATEGORIES, &overall,
                                  categories);
        if (!failing_end()) {
            assert_true(good);
            break;
        }
        assert_false(good);
    }
    assert_in_range(at, 10, 12); /* two sorted lists and eight arrays to work in, and none more */
    expect_score(&overall, "all", expected[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one, begin),
        cmocka_unit_test_setup(test_nothing, begin),
        cmocka_unit_test_setup(test_threshold, begin),
        cmocka_unit_test_setup(test_ties, begin),
        cmocka_unit_test_setup(test_duplicate, begin),
        cmocka_unit_test_setup(test_crowd, begin),
        cmocka_unit_test_setup(test_areas, begin),
        cmocka_unit_test_setup(test_limits, begin),
        cmocka_unit_test_setup(test_against_pycocotools, begin),
        cmocka_unit_test_setup(test_no_memory, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
