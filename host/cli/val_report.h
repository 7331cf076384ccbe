/* What vkdet val says at the end: the COCO figures as text or JSON. */
#ifndef HOST_CLI_VAL_REPORT_H
#define HOST_CLI_VAL_REPORT_H

#include "host/cli/class_map.h"
#include "host/cli/detector.h"

typedef struct val_report {
    const settings *settings; /* as they were used, defaults included */
    const detector *detector; /* NULL: results from a file were judged */
    const class_map *map;     /* with a detector */
    const coco_data *data;
    const coco_score *overall, *categories;
    uint32_t failed;     /* pictures */
    uint32_t other_size; /* pictures that have another size than the ground truth says */
} val_report;

/* On standard output. Returns an exit status. */
int val_report_give(const val_report *v);

#endif
