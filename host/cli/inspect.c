/* vkdet inspect: what is in a container, and what a session with it will take of a device. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"
#include "host/cli/report.h"

#include <stdlib.h>

static const report_column columns[] = {
    {"layer", "name", false},           {"class", "class", false}, {"output", "shape", false},
    {"parameters", "parameters", true}, {"MACs", "macs", true},
};
static const report_layout layout = {"layers", columns, sizeof columns / sizeof columns[0]};

/* Of the plan's report what a session will be and have, as one object. */
static json_t *session_of(const json_t *plan)
{
    static const char *const members[] = {
        "device",
        "device_name",
        "precision",
        "batch",
        "slots",
        "weight_bytes",
        "arena_bytes_per_image",
        "device_bytes",
        "host_visible_bytes",
    };
    json_t *session = json_object();
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        (void)json_object_set(session, members[i], json_object_get(plan, members[i]));
    }
    return session;
}

static int show_both(const settings *s, const char *described, const char *planned)
{
    json_t *document = json_loads(described, JSON_ALLOW_NUL, NULL);
    json_t *plan = json_loads(planned, JSON_ALLOW_NUL, NULL);
    char *text = NULL;
    if (json_object_set_new(document, "session", session_of(plan)) == 0) {
        text = json_dumps(document, JSON_INDENT(1));
    }
    json_decref(plan);
    json_decref(document);
    if (!text) {
        console_error("out of memory for the report");
        return EXIT_DEVICE;
    }
    const int status = report_show(s, text, &layout);
    free(text);
    return status;
}

static int inspect_model(const settings *s, vkdet_context *context, const vkdet_model *model)
{
    char *described = NULL, *planned = NULL;
    const vkdet_plan_params params = read_plan_params(s, "inspect");
    vkdet_status made = vkdet_model_describe(context, model, &described);
    if (made == VKDET_OK) {
        made = vkdet_model_plan(context, model, &params, &planned);
    }
    int status = exit_of_run(made);
    if (made == VKDET_OK) {
        status = show_both(s, described, planned);
    } else {
        console_error("%s", vkdet_error_message());
    }
    vkdet_text_free(context, described);
    vkdet_text_free(context, planned);
    return status;
}

static int inspect_run(const settings *s)
{
    compute_wish compute;
    const int status = read_compute(s, "inspect", &compute);
    return status == EXIT_GOOD ? with_model(s, inspect_model) : status;
}

static const option_id inspect_options[] = {
    OPTION_MODEL,     OPTION_DEVICE, OPTION_PRECISION, OPTION_WINOGRAD, OPTION_BATCH, OPTION_SLOTS,
    OPTION_CACHE_DIR, OPTION_JSON,   OPTION_VERBOSE,   OPTION_QUIET,    OPTION_HELP,  OPTION_END};

const command command_inspect = {
    .name = "inspect",
    .operands = "[MODEL]",
    .summary = "show what is in a container: card, layers, parameters, MACs, memory",
    .details = "\nMODEL as with --model. `session` is what one on --device, in --precision, with "
               "--winograd and\n"
               "--slots of --batch pictures will have; on a GPU nothing is allocated to know it.\n",
    .max_operands = 1,
    .takes_model = true,
    .options = inspect_options,
    .run = inspect_run,
};
