/* vkdet inspect: what is in a container. */
#include "host/cli/command.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"layer", "name", false},           {"class", "class", false}, {"output", "shape", false},
    {"parameters", "parameters", true}, {"MACs", "macs", true},
};
static const report_layout layout = {"layers", columns, sizeof columns / sizeof columns[0]};

static int inspect_model(const settings *s, vkdet_context *context, const vkdet_model *model)
{
    char *json = NULL;
    vkdet_status described = vkdet_model_describe(context, model, &json);
    return report_give(s, context, described, json, &layout);
}

static int inspect_run(const settings *s)
{
    return with_model(s, inspect_model);
}

static const option_id inspect_options[] = {OPTION_MODEL, OPTION_JSON, OPTION_VERBOSE,
                                            OPTION_QUIET, OPTION_HELP, OPTION_END};

const command command_inspect = {
    .name = "inspect",
    .operands = "[MODEL]",
    .summary = "show what is in a container: card, layers, parameters, MACs, memory",
    .details = "\nMODEL as with --model.\n",
    .max_operands = 1,
    .takes_model = true,
    .options = inspect_options,
    .run = inspect_run,
};
