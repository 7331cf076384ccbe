/* vkdet plan: how a device computes a model. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

static const report_column columns[] = {
    {"step", "name", false},           {"kernel", "kernel", false},
    {"variant", "variant", false},     {"level", "level", true},
    {"groups", "groups", false},       {"FLOPs", "flops", true},
    {"bytes in", "bytes_read", true},  {"bytes out", "bytes_written", true},
    {"weights", "weight_bytes", true},
};

static int plan_run(const settings *s)
{
    vkdet_context *context = NULL;
    vkdet_model *model = NULL;
    char *json = NULL;
    int status = open_context(s, &context);
    if (status == EXIT_GOOD) {
        status = open_model(context, s->operand_count ? s->operands[0] : NULL, &model);
    }
    if (status == EXIT_GOOD) {
        vkdet_status planned =
            vkdet_model_plan(context, model, s->device, (uint32_t)(s->batch ? s->batch : 1), &json);
        if (planned != VKDET_OK) {
            console_error("%s", vkdet_error_message());
            status = exit_of_run(planned);
        }
    }
    if (json) {
        status =
            report_show(s->json != 0, json, "steps", columns, sizeof columns / sizeof columns[0]);
        vkdet_text_free(context, json);
    }
    vkdet_model_destroy(model);
    vkdet_context_destroy(context);
    return status;
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
