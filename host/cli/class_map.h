/* Which class of the model stands for which category of a ground truth: by name, in any language of
 * the labels, or as --map says. */
#ifndef HOST_CLI_CLASS_MAP_H
#define HOST_CLI_CLASS_MAP_H

#include "host/cli/coco_read.h"
#include "host/cli/options.h"

#include "vkdet.h"

#define CLASS_MAP_NONE UINT32_MAX

typedef struct class_map {
    const vkdet_model *model; /* borrowed */
    vkdet_model_info info;
    uint32_t *categories; /* of each class its place, or CLASS_MAP_NONE */
} class_map;

/* pairs: CLASS=CATEGORY each. Tells what has no counterpart. Returns an exit status. */
int class_map_make(class_map *m, const vkdet_model *model, const text_list *pairs,
                   const coco_data *data);
void class_map_free(class_map *m);

#endif
