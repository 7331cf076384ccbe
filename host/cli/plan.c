/* vkdet plan: how a device computes a model. */
#include "host/cli/command.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"step", "name", false},           {"kernel", "kernel", false},
    {"variant", "variant", false},     {"level", "level", true},
    {"groups", "groups", false},       {"FLOPs", "flops", true},
    {"bytes in", "bytes_read", true},  {"bytes out", "bytes_written", true},
    {"weights", "weight_bytes", true},
};
static const report_layout layout = {"steps", columns, sizeof columns / sizeof columns[0]};

static int plan_model(const settings *s, vkdet_context *context, const vkdet_model *model)
{
    char *json = NULL;
    vkdet_status planned =
        vkdet_model_plan(context, model, s->device, (uint32_t)(s->batch ? s->batch : 1), &json);
    return report_give(s, context, planned, json, &layout);
}

static int plan_run(const settings *s)
{
    return with_model(s, plan_model);
}

static const option_id plan_options[] = {OPTION_DEVICE, OPTION_BATCH, OPTION_JSON, OPTION_VERBOSE,
                                         OPTION_QUIET,  OPTION_HELP,  OPTION_END};

const command command_plan = {
    .name = "plan",
    .operands = "[MODEL]",
    .summary = "show how a device computes a model: steps, kernels, memory, FLOPs",
    .details = "\nMODEL is a .vkdet container; default: $VKDET_MODEL.\n",
    .max_operands = 1,
    .options = plan_options,
    .run = plan_run,
};
