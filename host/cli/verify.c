/* vkdet verify: every step on the device against the reference. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"step", "name", false},          {"kernel", "kernel", false},
    {"variant", "variant", false},    {"elements", "elements", true},
    {"max error", "max_error", true}, {"of bound", "max_error_over_bound", true},
    {"outside", "outside", true},     {"ok", "ok", false},
};
static const report_layout layout = {"steps", columns, sizeof columns / sizeof columns[0]};

static int open_picture(const settings *s, vkdet_context *context, vkdet_image **out)
{
    vkdet_image_params params = {.max_pixels = s->max_pixels};
    if (s->operand_count > 0 &&
        vkdet_image_load(context, s->operands[0], &params, out) != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        return EXIT_INPUT;
    }
    return EXIT_GOOD;
}

static int verify_model(const settings *s, vkdet_context *context, const vkdet_model *model)
{
    char *json = NULL;
    vkdet_image *image = NULL;
    vkdet_pixels pixels = {0};
    int status = open_picture(s, context, &image);
    if (status != EXIT_GOOD) {
        return status;
    }
    if (image) {
        pixels = vkdet_image_pixels(image);
    }
    compute_wish compute;
    (void)read_compute(s, "verify", &compute); /* checked before */
    const vkdet_verify_params params = {.device = s->device,
                                        .precision = compute.precision,
                                        .tune = compute.tune,
                                        .cache_dir = s->cache_dir,
                                        .winograd = compute.winograd};
    vkdet_status verified = vkdet_verify(context, model, &params, image ? &pixels : NULL, &json);
    status = report_give(s, context, verified, json, &layout);
    if (status == EXIT_GOOD) {
        console_note("every step is within its contract");
    }
    vkdet_image_destroy(image);
    return status;
}

static int verify_run(const settings *s)
{
    compute_wish compute;
    const int status = read_compute(s, "verify", &compute);
    return status == EXIT_GOOD ? with_model(s, verify_model) : status;
}

static const option_id verify_options[] = {
    OPTION_MODEL,      OPTION_DEVICE,    OPTION_PRECISION, OPTION_TUNE,     OPTION_WINOGRAD,
    OPTION_MAX_PIXELS, OPTION_CACHE_DIR, OPTION_JSON,      OPTION_VALIDATE, OPTION_VERBOSE,
    OPTION_QUIET,      OPTION_HELP,      OPTION_END};

const command command_verify = {
    .name = "verify",
    .operands = "[MODEL [IMAGE]]",
    .summary = "compare every step on a device with the reference, within its contract",
    .details = "\n"
               "MODEL as with --model; where that is given, IMAGE is the only operand. Without\n"
               "IMAGE the input is a noise picture, always the same. Exit status 1: some step is\n"
               "outside its contract; the first such step is named.\n",
    .max_operands = 2,
    .takes_model = true,
    .options = verify_options,
    .run = verify_run,
};
