/* The COCO figures: found boxes against the ground truth. Pure: no files, no output, no state.
 *
 * The semantics are those of pycocotools' COCOeval for boxes: greedy matching by falling score, ten
 * IoU thresholds .50 to .95, crowds and boxes outside an area range ignored, 101 recall points. One
 * difference: there an annotation whose id is 0 never counts as matched; here ids play no part. */
#ifndef HOST_CLI_COCO_EVAL_H
#define HOST_CLI_COCO_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A box of the ground truth, or a found one. Equal scores rank by image, then as listed. */
typedef struct coco_box {
    uint32_t image;    /* place among the images in order of their ids */
    uint32_t category; /* likewise, below category_count */
    double box[4];     /* x, y, width, height; finite, and sizes not negative */
    double area;       /* ground truth: what its range goes by, its mask's perhaps */
    double score;      /* found */
    bool crowd;        /* ground truth: a region of many; it takes any number of found boxes */
} coco_box;

/* In the order in which they are always shown. AP: mean over the classes of precision at 101 points
 * of recall; AR: of the highest recall. Over all IoU thresholds, areas and with up to 100 boxes an
 * image and class, unless it says otherwise. */
typedef enum coco_figure {
    COCO_AP = 0,
    COCO_AP_50,
    COCO_AP_75,
    COCO_AP_SMALL,
    COCO_AP_MEDIUM,
    COCO_AP_LARGE,
    COCO_AR_1,
    COCO_AR_10,
    COCO_AR_100,
    COCO_AR_SMALL,
    COCO_AR_MEDIUM,
    COCO_AR_LARGE,
    COCO_FIGURE_COUNT
} coco_figure;

typedef struct coco_score {
    double figures[COCO_FIGURE_COUNT]; /* -1: no box of the ground truth to find */
    uint64_t truths;                   /* without crowds */
    uint64_t crowds, found;
} coco_score;

/* overall: the mean over the categories that have something to find. categories has room for
 * category_count. False when memory ran out. */
bool coco_evaluate(const coco_box *truths, size_t truth_count, const coco_box *found,
                   size_t found_count, uint32_t category_count, coco_score *overall,
                   coco_score *categories);

#endif
