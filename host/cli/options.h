/* Options: one table of all that any command takes, parsed strictly into one plain struct.
 *
 * getopt_long does the splitting: it is part of the C library everywhere that vkdet runs, permutes
 * operands and knows abbreviations; what it lacks (types, ranges, help texts) is the table. */
#ifndef HOST_CLI_OPTIONS_H
#define HOST_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum option_id {
    OPTION_MODEL = 0,
    OPTION_DEVICE,
    OPTION_CONF,
    OPTION_IOU,
    OPTION_MAX_DET,
    OPTION_NMS_MODE,
    OPTION_BATCH,
    OPTION_SLOTS,
    OPTION_FORMAT,
    OPTION_LABELS,
    OPTION_OUTPUT_DIR,
    OPTION_SAVE_IMG,
    OPTION_MAX_PIXELS,
    OPTION_CACHE_DIR,
    OPTION_CARD,
    OPTION_OUTPUT_FILE,
    OPTION_JSON,
    OPTION_VALIDATE,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_COUNT,
    OPTION_END = OPTION_COUNT
} option_id;

/* What was given. Zero and NULL mean "not given", but for conf. */
typedef struct settings {
    const char *model, *device, *nms_mode, *format, *labels, *output, *cache_dir, *card;
    double conf; /* negative: not given; 0 is a threshold like any other */
    double iou;
    uint64_t max_det, batch, slots, max_pixels;
    unsigned save_img, json, validate, verbose, quiet, help; /* how often */
    const char *const *operands;
    int operand_count;
} settings;

struct command;

/* argv[0] is the command's name. False when the line makes no sense; the reason has been written
 * to standard error. */
bool options_parse(const struct command *c, int argc, char **argv, settings *out);
/* the aligned list for the help text, on standard output */
void options_print(const option_id *list);

#endif
