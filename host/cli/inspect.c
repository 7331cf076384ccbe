/* vkdet inspect: what is in a container. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"layer", "name", false},           {"class", "class", false}, {"output", "shape", false},
    {"parameters", "parameters", true}, {"MACs", "macs", true},
};

static int inspect_run(const settings *s)
{
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    char *json = NULL;
    int status = open_context(s, &context);
    if (status == EXIT_GOOD) {
        status = open_model(context, s->operand_count ? s->operands[0] : NULL, &model);
    }
    if (status == EXIT_GOOD && vkdet_model_describe(context, model, &json) != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        status = EXIT_MODEL;
    }
    if (json) {
        status =
            report_show(s->json != 0, json, "layers", columns, sizeof columns / sizeof columns[0]);
        vkdet_text_free(context, json);
    }
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return status;
}

static const option_id inspect_options[] = {OPTION_JSON, OPTION_VERBOSE, OPTION_QUIET, OPTION_HELP,
                                            OPTION_END};

const command command_inspect = {
    .name = "inspect",
    .operands = "[MODEL]",
    .summary = "show what is in a container: card, layers, parameters, MACs, memory",
    .details = "\nMODEL is a .vkdet container; default: $VKDET_MODEL.\n",
    .max_operands = 1,
    .options = inspect_options,
    .run = inspect_run,
};
