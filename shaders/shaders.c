/* Finding a module, and the promise that the structs of interface.h are plain words. */
#include "shaders/shaders.h"

#include "shaders/interface.h"

#include <string.h>

const shader *shader_find(const char *name)
{
    for (size_t i = 0; i < shader_count; i++) {
        if (strcmp(shader_table[i].name, name) == 0) {
            return &shader_table[i];
        }
    }
    return NULL;
}

#define WORDS(type, count)                                                                         \
    _Static_assert(sizeof(struct type) == 4 * (count), #type " is not " #count " words")
/* every Vulkan device has 128 bytes of push constants, and not all have more */
#define PUSH(type, count)                                                                          \
    WORDS(type, count);                                                                            \
    _Static_assert(sizeof(struct type) <= 128, #type " exceeds 128 bytes")

WORDS(request_header, REQUEST_HEADER_WORDS);
WORDS(image_entry, IMAGE_ENTRY_WORDS);
WORDS(result_header, RESULT_HEADER_WORDS);
WORDS(result_detection, RESULT_DETECTION_WORDS);
WORDS(operand, OPERAND_WORDS);
WORDS(activation_words, 4);
WORDS(elementwise_operand, 6);
WORDS(conv2d_record, CONV2D_RECORD_WORDS);
WORDS(conv2d_branch, CONV2D_BRANCH_WORDS);
PUSH(preprocess_push, 17);
PUSH(conv2d_push, 32);
PUSH(winograd_input_push, 13);
PUSH(winograd_product_push, 6 + 3 * CONV2D_BRANCHES);
PUSH(winograd_output_push, 9 + CONV2D_BRANCH_WORDS * CONV2D_BRANCHES);
PUSH(conv2d_grouped_push, 26);
PUSH(depthwise_push, 22);
PUSH(dense_push, 17);
PUSH(pool_push, 16);
PUSH(elementwise_push, 24);
PUSH(resize_push, 14);
PUSH(softmax_push, 11);
PUSH(copy_push, 19);
PUSH(decode_push, 22);
PUSH(sort_push, 2);
PUSH(nms_push, 10);
PUSH(peak_push, 4);
