/* Any bytes as COCO files: a ground truth, and behind the first byte 0 the results that go with it.
 * What was read is judged, without results against itself. */
#include "host/cli/coco_read.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const coco_data *truth, const coco_boxes *found)
{
    coco_score overall, *categories = calloc(truth->category_count, sizeof *categories);
    if (categories && coco_evaluate(truth->truths.items, truth->truths.count, found->items,
                                    found->count, truth->category_count, &overall, categories)) {
        for (int i = 0; i < COCO_FIGURE_COUNT; i++) {
            double figure = overall.figures[i];
            if (figure != -1 && !(figure >= 0 && figure <= 1)) {
                abort();
            }
        }
    }
    free(categories);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    coco_data truth;
    coco_boxes found;
    coco_fault fault;
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    if (!coco_read((const char *)data, length, &truth, &fault)) {
        return 0;
    }
    judge(&truth, &truth.truths);
    if (zero &&
        coco_read_results((const char *)zero + 1, size - length - 1, &truth, &found, &fault)) {
        judge(&truth, &found);
        free(found.items);
    }
    coco_data_destroy(&truth);
    return 0;
}
