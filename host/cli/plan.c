/* vkdet plan: how a device computes a model. */
#include "host/cli/command.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"step", "name", false},           {"kernel", "kernel", false},
    {"variant", "variant", false},     {"choice", "variant_index", true},
    {"of", "variant_count", true},     {"level", "level", true},
    {"groups", "groups", false},       {"FLOPs", "flops", true},
    {"bytes in", "bytes_read", true},  {"bytes out", "bytes_written", true},
    {"weights", "weight_bytes", true},
};
static const report_layout layout = {"steps", columns, sizeof columns / sizeof columns[0]};

static int plan_model(const settings *s, vkdet_context *context, const vkdet_model *model)
{
    char *json = NULL;
    const vkdet_plan_params params = read_plan_params(s, "plan");
    vkdet_status planned = vkdet_model_plan(context, model, &params, &json);
    return report_give(s, context, planned, json, &layout);
}

static int plan_run(const settings *s)
{
    compute_wish compute;
    const int status = read_compute(s, "plan", &compute);
    return status == EXIT_GOOD ? with_model(s, plan_model) : status;
}

static const option_id plan_options[] = {
    OPTION_MODEL, OPTION_DEVICE, OPTION_PRECISION, OPTION_TUNE, OPTION_WINOGRAD,
    OPTION_BATCH, OPTION_SLOTS,  OPTION_CACHE_DIR, OPTION_JSON, OPTION_VERBOSE,
    OPTION_QUIET, OPTION_HELP,   OPTION_END};

const command command_plan = {
    .name = "plan",
    .operands = "[MODEL]",
    .summary = "show how a device computes a model: steps, kernels, memory, FLOPs",
    .details = "\nMODEL as with --model.\n",
    .max_operands = 1,
    .takes_model = true,
    .options = plan_options,
    .run = plan_run,
};
