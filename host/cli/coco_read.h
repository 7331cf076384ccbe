/* COCO files: the ground truth (an "instances" document) and results (a list of found boxes).
 *
 * The bytes come from outside. Entries are parsed one at a time, so that memory follows what is
 * kept and not the polygons of a large file. */
#ifndef HOST_CLI_COCO_READ_H
#define HOST_CLI_COCO_READ_H

#include "host/cli/coco_eval.h"

typedef struct coco_image {
    int64_t id;
    char *file_name;
    uint32_t width, height; /* 0: the file does not say */
} coco_image;

typedef struct coco_category {
    int64_t id;
    char *name;
} coco_category;

typedef struct coco_boxes {
    coco_box *items;
    size_t count;
    uint64_t left_out; /* of images or categories that the ground truth does not list */
} coco_boxes;

typedef struct coco_data {
    coco_image *images; /* in order of their ids, like the categories */
    uint32_t image_count;
    coco_category *categories;
    uint32_t category_count;
    coco_boxes truths;
} coco_data;

/* Why something could not be read: one line that names the entry. */
typedef struct coco_fault {
    char text[256];
    bool no_memory;
} coco_fault;

/* A whole file, at most 1 GiB, malloc'd. */
bool coco_load(const char *path, char **text, size_t *size, coco_fault *fault);

/* Images with id, file_name and perhaps width and height; categories with id and name; annotations
 * with image_id, category_id, bbox, and perhaps area (else that of the box) and iscrowd. Everything
 * else is passed over. On failure *out is empty. */
bool coco_read(const char *text, size_t size, coco_data *out, coco_fault *fault);
void coco_data_destroy(coco_data *data);

/* A list of results with image_id, category_id, bbox and score. An image that the ground truth does
 * not list is a fault; results of such a category are left out and counted. items is malloc'd. */
bool coco_read_results(const char *text, size_t size, const coco_data *data, coco_boxes *out,
                       coco_fault *fault);

#endif
