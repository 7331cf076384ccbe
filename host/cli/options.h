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
    OPTION_PRECISION,
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
    OPTION_WEIGHTS,
    OPTION_OUTPUT_FILE,
    OPTION_DATA,
    OPTION_IMAGES,
    OPTION_PRED,
    OPTION_MAP,
    OPTION_VAL_CONF,
    OPTION_VAL_MAX_DET,
    OPTION_BENCH_DEVICE,
    OPTION_BENCH_PRECISION,
    OPTION_BENCH_BATCH,
    OPTION_THREADS,
    OPTION_TUNE,
    OPTION_WINOGRAD,
    OPTION_SCENARIO,
    OPTION_STAGE,
    OPTION_QPS,
    OPTION_LATENCY_BOUND,
    OPTION_LAYERS,
    OPTION_PEAK,
    OPTION_SIZE,
    OPTION_SEED,
    OPTION_RUNS,
    OPTION_MIN_TIME,
    OPTION_MAX_TIME,
    OPTION_CSV,
    OPTION_REPORT,
    OPTION_COMPARE,
    OPTION_NOISE,
    OPTION_FROM,
    OPTION_MODEL_REPOSITORY,
    OPTION_HOST,
    OPTION_PORT,
    OPTION_TOKEN_FILE,
    OPTION_ALLOW_ANYONE,
    OPTION_ALLOW_HOST,
    OPTION_CORS_ORIGIN,
    OPTION_ACCESS_LOG,
    OPTION_MAX_BATCH,
    OPTION_MAX_QUEUE,
    OPTION_MAX_QUEUE_DELAY,
    OPTION_TIMEOUT,
    OPTION_CLIENT_TIMEOUT,
    OPTION_MAX_BODY,
    OPTION_MAX_HELD,
    OPTION_SERVE_MAX_PIXELS,
    OPTION_MAX_CONNECTIONS,
    OPTION_JSON,
    OPTION_VALIDATE,
    OPTION_VERBOSE,
    OPTION_QUIET,
    OPTION_HELP,
    OPTION_COUNT,
    OPTION_END = OPTION_COUNT
} option_id;

/* Of an option that may be given many times. */
typedef struct text_list {
    const char *items[256];
    size_t count;
} text_list;

/* What was given. Zero and NULL mean "not given", but for conf. A MODEL given as an operand is in
 * `model`, no longer among the operands. */
typedef struct settings {
    const char *model, *device, *nms_mode, *format, *labels, *output, *cache_dir, *card, *weights;
    const char *data, *images, *pred;
    const char *precision, *tune, *winograd;
    const char *scenario, *stage, *batches, *size, *report, *compare, *from; /* of bench */
    /* of serve */
    const char *model_repository, *host, *port, *token_file, *allow_host, *cors_origin, *access_log;
    text_list map;
    double conf; /* negative: not given; 0 is a threshold like any other */
    double iou;
    double qps, latency_bound, min_time, max_time, noise;
    uint64_t max_queue, max_queue_delay, timeout_ms, client_timeout, max_body, max_held;
    uint64_t max_connections;
    uint64_t max_det, batch, slots, max_pixels, threads, runs, seed;
    unsigned allow_anyone;
    unsigned save_img, json, csv, layers, peak, validate, verbose, quiet, help; /* how often */
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
