/* Matching and accumulation, one category after the other.
 *
 * Truths and found boxes are sorted by category and image, so that both of one image lie together.
 * A found box carries one bit for each IoU threshold: matched, ignored. Matching is greedy by
 * score, so what the first N boxes of an image match does not depend on N: one matching an area
 * range serves every limit of boxes. */
#include "host/cli/coco_eval.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum {
    THRESHOLDS = 10,     /* of IoU */
    RECALL_POINTS = 101, /* 0 to 1 */
    MOST_BOXES = 100     /* of an image and category that take part */
};

typedef struct range {
    double low, high; /* of areas, both included */
} range;

static const range every_area = {0, 1e10};
static const range small_area = {0, 32 * 32};
static const range medium_area = {32 * 32, 96 * 96};
static const range large_area = {96 * 96, 1e10};

static bool outside(double area, const range *r)
{
    return area < r->low || area > r->high;
}

/* A found box that takes part, in the order of image and falling score. */
typedef struct candidate {
    const coco_box *box;
    uint32_t rank; /* in its image, from 0 */
    uint16_t hits, ignored;
} candidate;

/* The same candidates in the order of falling score. */
typedef struct standing {
    double score;
    size_t place; /* among the candidates */
} standing;

/* One category, and the room to work in that all of them share. */
typedef struct bench {
    const coco_box **truths, **found; /* of this category, by image */
    size_t truth_count, found_count;
    candidate *candidates;
    standing *standings;
    size_t candidate_count;
    double *precision, *recall; /* along the standings */
    const coco_box **targets;   /* truths of one image: those that count, then the ignored */
    uint16_t *taken;            /* of each target */
    size_t *near;               /* targets that overlap enough for any threshold */
    double *overlap;            /* of each near target */
} bench;

/* What one pass along the standings gives, a value each threshold. */
typedef struct curve {
    double precision[THRESHOLDS], recall[THRESHOLDS];
    bool defined; /* there was something to find */
} curve;

/* first + (last - first) * i / (count - 1), rounded as COCOeval's tables are */
static double step_of(double first, double last, int i, int count)
{
    return i == count - 1 ? last : first + i * ((last - first) / (count - 1));
}

static double threshold_of(int i)
{
    return step_of(0.5, 0.95, i, THRESHOLDS);
}

static double overlap_of(const double found[4], const coco_box *truth)
{
    const double *t = truth->box;
    double width = fmin(found[0] + found[2], t[0] + t[2]) - fmax(found[0], t[0]);
    double height = fmin(found[1] + found[3], t[1] + t[3]) - fmax(found[1], t[1]);
    if (width <= 0 || height <= 0) {
        return 0;
    }
    double shared = width * height, area = found[2] * found[3];
    /* a box inside a crowd is right, however much larger the crowd is */
    return shared / (truth->crowd ? area : area + t[2] * t[3] - shared);
}

static int by_place(const coco_box *a, const coco_box *b)
{
    if (a->category != b->category) {
        return a->category < b->category ? -1 : 1;
    }
    return a->image == b->image ? 0 : a->image < b->image ? -1 : 1;
}

/* as listed: both pointers lead into one array */
static int by_listing(const coco_box *a, const coco_box *b)
{
    return a == b ? 0 : a < b ? -1 : 1;
}

static int compare_truths(const void *a, const void *b)
{
    const coco_box *first = *(const coco_box *const *)a, *second = *(const coco_box *const *)b;
    int order = by_place(first, second);
    return order ? order : by_listing(first, second);
}

static int compare_found(const void *a, const void *b)
{
    const coco_box *first = *(const coco_box *const *)a, *second = *(const coco_box *const *)b;
    int order = by_place(first, second);
    if (order == 0 && first->score != second->score) {
        order = first->score > second->score ? -1 : 1;
    }
    return order ? order : by_listing(first, second);
}

static int compare_standings(const void *a, const void *b)
{
    const standing *first = a, *second = b;
    if (first->score != second->score) {
        return first->score > second->score ? -1 : 1;
    }
    return first->place == second->place ? 0 : first->place < second->place ? -1 : 1;
}

/* NULL when memory ran out; room for one even where there is none */
static const coco_box **sorted(const coco_box *boxes, size_t count,
                               int (*compare)(const void *, const void *))
{
    const coco_box **out = calloc(count + 1, sizeof(const coco_box *));
    for (size_t i = 0; out && i < count; i++) {
        out[i] = &boxes[i];
    }
    if (out) {
        qsort(out, count, sizeof(const coco_box *), compare);
    }
    return out;
}

/* how many from here on are of the same category and image */
static size_t run_length(const coco_box *const *boxes, size_t count)
{
    size_t length = 0;
    while (length < count && by_place(boxes[length], boxes[0]) == 0) {
        length++;
    }
    return length;
}

/* The category's found boxes, without those beyond MOST_BOXES of an image. */
static void bench_rank(bench *b)
{
    b->candidate_count = 0;
    for (size_t i = 0; i < b->found_count;) {
        size_t length = run_length(b->found + i, b->found_count - i);
        for (uint32_t rank = 0; rank < length && rank < MOST_BOXES; rank++) {
            size_t place = b->candidate_count++;
            b->candidates[place] = (candidate){.box = b->found[i + rank], .rank = rank};
            b->standings[place] = (standing){b->found[i + rank]->score, place};
        }
        i += length;
    }
    qsort(b->standings, b->candidate_count, sizeof *b->standings, compare_standings);
}

/* Puts the truths of one image in place; how many of them count. */
static size_t bench_aim(bench *b, const coco_box *const *truths, size_t count, const range *area)
{
    size_t used = 0, counting = 0;
    for (int ignored = 0; ignored < 2; ignored++) {
        for (size_t i = 0; i < count; i++) {
            if ((truths[i]->crowd || outside(truths[i]->area, area)) == (ignored == 1)) {
                b->taken[used] = 0;
                b->targets[used++] = truths[i];
            }
        }
        counting = ignored ? counting : used;
    }
    return counting;
}

/* The target for a found box at one threshold: the one that overlaps most of those that count and
 * are free, else of the ignored ones; the later of equals. Returns `none` when there is none. */
static size_t choose(const bench *b, size_t near_count, size_t counting, int threshold, size_t none)
{
    double best = fmin(threshold_of(threshold), 1 - 1e-10);
    size_t chosen = none;
    for (size_t i = 0; i < near_count; i++) {
        size_t target = b->near[i];
        bool taken = b->taken[target] >> threshold & 1;
        if (taken && !b->targets[target]->crowd) {
            continue;
        }
        if (chosen < counting && target >= counting) {
            break;
        }
        if (b->overlap[i] >= best) {
            best = b->overlap[i];
            chosen = target;
        }
    }
    return chosen;
}

/* One image: every candidate against the targets. */
static void bench_match(bench *b, candidate *candidates, size_t count, size_t target_count,
                        size_t counting, const range *area)
{
    for (size_t c = 0; c < count; c++) {
        candidate *one = &candidates[c];
        bool beyond = outside(one->box->box[2] * one->box->box[3], area);
        size_t near_count = 0;
        for (size_t i = 0; i < target_count; i++) {
            double overlap = overlap_of(one->box->box, b->targets[i]);
            if (overlap >= threshold_of(0)) {
                b->near[near_count] = i;
                b->overlap[near_count++] = overlap;
            }
        }
        one->hits = 0;
        one->ignored = 0;
        for (int t = 0; t < THRESHOLDS; t++) {
            size_t target = choose(b, near_count, counting, t, target_count);
            uint16_t bit = (uint16_t)(1u << t);
            if (target < target_count) {
                b->taken[target] |= bit;
            }
            if (target < counting) {
                one->hits |= bit;
            } else if (target < target_count || beyond) {
                one->ignored |= bit;
            }
        }
    }
}

/* Every image of the category; how many of its truths count in this range. */
static uint64_t bench_match_all(bench *b, const range *area)
{
    uint64_t to_find = 0;
    size_t truth = 0, next = 0;
    while (truth < b->truth_count || next < b->candidate_count) {
        bool has_truth = truth < b->truth_count;
        bool has_found = next < b->candidate_count;
        uint32_t image = has_truth ? b->truths[truth]->image : UINT32_MAX;
        if (has_found && (!has_truth || b->candidates[next].box->image < image)) {
            image = b->candidates[next].box->image;
        }
        size_t truths_here = 0, found_here = 0, counting = 0;
        if (has_truth && b->truths[truth]->image == image) {
            truths_here = run_length(b->truths + truth, b->truth_count - truth);
            counting = bench_aim(b, b->truths + truth, truths_here, area);
        }
        while (next + found_here < b->candidate_count &&
               b->candidates[next + found_here].box->image == image) {
            found_here++;
        }
        bench_match(b, b->candidates + next, found_here, truths_here, counting, area);
        to_find += counting;
        truth += truths_here;
        next += found_here;
    }
    return to_find;
}

/* Precision at each point of recall, averaged, at one threshold; *highest is the last recall. */
static double bench_walk(bench *b, uint64_t to_find, uint32_t most, int threshold, double *highest)
{
    double right = 0, wrong = 0, sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < b->candidate_count; i++) {
        const candidate *one = &b->candidates[b->standings[i].place];
        if (one->rank >= most || (one->ignored >> threshold & 1)) {
            continue;
        }
        bool hit = one->hits >> threshold & 1;
        right += hit;
        wrong += !hit;
        b->recall[count] = right / (double)to_find;
        b->precision[count++] = right / (wrong + right + DBL_EPSILON);
    }
    *highest = count ? b->recall[count - 1] : 0;
    for (size_t i = count; i-- > 1;) { /* the best that is still to come */
        b->precision[i - 1] = fmax(b->precision[i - 1], b->precision[i]);
    }
    size_t at = 0;
    for (int point = 0; point < RECALL_POINTS; point++) {
        while (at < count && b->recall[at] < step_of(0, 1, point, RECALL_POINTS)) {
            at++;
        }
        sum += at < count ? b->precision[at] : 0;
    }
    return sum / RECALL_POINTS;
}

static curve bench_curve(bench *b, uint64_t to_find, uint32_t most)
{
    curve c = {.defined = to_find > 0};
    for (int t = 0; c.defined && t < THRESHOLDS; t++) {
        c.precision[t] = bench_walk(b, to_find, most, t, &c.recall[t]);
    }
    return c;
}

static double mean(const curve *c, const double values[THRESHOLDS])
{
    double sum = 0;
    for (int t = 0; t < THRESHOLDS; t++) {
        sum += values[t];
    }
    return c->defined ? sum / THRESHOLDS : -1;
}

static void bench_score(bench *b, coco_score *out)
{
    static const struct {
        const range *area;
        coco_figure precision, recall;
    } sizes[] = {{&small_area, COCO_AP_SMALL, COCO_AR_SMALL},
                 {&medium_area, COCO_AP_MEDIUM, COCO_AR_MEDIUM},
                 {&large_area, COCO_AP_LARGE, COCO_AR_LARGE}};
    static const struct {
        uint32_t most;
        coco_figure recall;
    } limits[] = {{1, COCO_AR_1}, {10, COCO_AR_10}, {MOST_BOXES, COCO_AR_100}};
    *out = (coco_score){.found = b->found_count};
    for (size_t i = 0; i < b->truth_count; i++) {
        out->crowds += b->truths[i]->crowd;
        out->truths += !b->truths[i]->crowd;
    }
    bench_rank(b);
    curve c = {.defined = false};
    uint64_t to_find = bench_match_all(b, &every_area);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        c = bench_curve(b, to_find, limits[i].most);
        out->figures[limits[i].recall] = mean(&c, c.recall);
    }
    out->figures[COCO_AP] = mean(&c, c.precision);
    out->figures[COCO_AP_50] = c.defined ? c.precision[0] : -1;
    out->figures[COCO_AP_75] = c.defined ? c.precision[5] : -1;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        to_find = bench_match_all(b, sizes[i].area);
        c = bench_curve(b, to_find, MOST_BOXES);
        out->figures[sizes[i].precision] = mean(&c, c.precision);
        out->figures[sizes[i].recall] = mean(&c, c.recall);
    }
}

/* how many of the sorted boxes from here on are of this category */
static size_t share_of(const coco_box *const *boxes, size_t count, uint32_t category)
{
    size_t share = 0;
    while (share < count && boxes[share]->category == category) {
        share++;
    }
    return share;
}

/* Room for the largest category and the image with most boxes of one. */
static bool bench_allocate(bench *b, size_t truth_count, size_t found_count)
{
    size_t most_found = 0, most_truths = 0;
    for (size_t i = 0; i < found_count;) {
        size_t share = share_of(b->found + i, found_count - i, b->found[i]->category);
        most_found = share > most_found ? share : most_found;
        i += share;
    }
    for (size_t i = 0; i < truth_count;) {
        size_t length = run_length(b->truths + i, truth_count - i);
        most_truths = length > most_truths ? length : most_truths;
        i += length;
    }
    b->candidates = calloc(most_found + 1, sizeof *b->candidates);
    b->standings = calloc(most_found + 1, sizeof *b->standings);
    b->precision = calloc(most_found + 1, sizeof *b->precision);
    b->recall = calloc(most_found + 1, sizeof *b->recall);
    b->targets = calloc(most_truths + 1, sizeof(const coco_box *));
    b->taken = calloc(most_truths + 1, sizeof *b->taken);
    b->near = calloc(most_truths + 1, sizeof *b->near);
    b->overlap = calloc(most_truths + 1, sizeof *b->overlap);
    return b->candidates && b->standings && b->precision && b->recall && b->targets && b->taken &&
           b->near && b->overlap;
}

static void bench_free(bench *b)
{
    free(b->candidates);
    free(b->standings);
    free(b->precision);
    free(b->recall);
    free(b->targets);
    free(b->taken);
    free(b->near);
    free(b->overlap);
}

static void average(const coco_score *categories, uint32_t count, coco_score *overall)
{
    *overall = (coco_score){.truths = 0};
    for (int f = 0; f < COCO_FIGURE_COUNT; f++) {
        double sum = 0;
        uint32_t defined = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (categories[i].figures[f] >= 0) {
                sum += categories[i].figures[f];
                defined++;
            }
        }
        overall->figures[f] = defined ? sum / defined : -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        overall->truths += categories[i].truths;
        overall->crowds += categories[i].crowds;
        overall->found += categories[i].found;
    }
}

bool coco_evaluate(const coco_box *truths, size_t truth_count, const coco_box *found,
                   size_t found_count, uint32_t category_count, coco_score *overall,
                   coco_score *categories)
{
    const coco_box **by_image = sorted(truths, truth_count, compare_truths);
    const coco_box **by_score = sorted(found, found_count, compare_found);
    bench b = {.truths = by_image, .found = by_score};
    bool good = by_image && by_score && bench_allocate(&b, truth_count, found_count);
    size_t truth = 0, next = 0;
    for (uint32_t category = 0; good && category < category_count; category++) {
        b.truths = by_image + truth;
        b.found = by_score + next;
        b.truth_count = share_of(b.truths, truth_count - truth, category);
        b.found_count = share_of(b.found, found_count - next, category);
        truth += b.truth_count;
        next += b.found_count;
        bench_score(&b, &categories[category]);
    }
    if (good) {
        average(categories, category_count, overall);
    }
    bench_free(&b);
    free(by_image);
    free(by_score);
    return good;
}
