/* vkdet convert: network file and card -> container. */
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/open.h"

#include <string.h>

/* The message of a failed write begins with the file's path and a colon. */
static int exit_of_conversion(vkdet_status status, const char *output)
{
    if (status == VKDET_ERROR_MEMORY) {
        return EXIT_DEVICE;
    }
    const char *message = vkdet_error_message();
    size_t length = strlen(output);
    bool at_output =
        strncmp(message, output, length) == 0 && strncmp(message + length, ": ", 2) == 0;
    return status == VKDET_ERROR_IO && at_output ? EXIT_OUTPUT : EXIT_MODEL;
}

static int convert_run(const settings *s)
{
    if (!s->card || !s->output) {
        console_error("convert: %s missing (usage: vkdet convert %s)",
                      s->card ? "--output FILE" : "--card CARD.json", command_convert.operands);
        return EXIT_USAGE;
    }
    if (strcmp(s->output, "-") == 0) {
        console_error("convert: a container is not written to standard output; ./- would be a file "
                      "of that name");
        return EXIT_USAGE;
    }
    vkdet_convert_params params = {VKDET_WEIGHTS_EXACT};
    if (s->weights && vkdet_weight_type_from_name(s->weights, &params.weights) != VKDET_OK) {
        console_error("convert: --%s", vkdet_error_message());
        return EXIT_USAGE;
    }
    vkdet_context *context = NULL;
    int status = open_context(s, &context);
    if (status != EXIT_GOOD) {
        return status;
    }
    vkdet_status converted = vkdet_convert(context, s->operands[0], s->card, &params, s->output);
    if (converted != VKDET_OK) {
        console_error("%s", vkdet_error_message());
        status = exit_of_conversion(converted, s->output);
    } else {
        console_note("wrote %s", s->output);
    }
    vkdet_context_destroy(context);
    return status;
}

static const option_id convert_options[] = {OPTION_CARD,    OPTION_WEIGHTS, OPTION_OUTPUT_FILE,
                                            OPTION_VERBOSE, OPTION_QUIET,   OPTION_HELP,
                                            OPTION_END};

const command command_convert = {
    .name = "convert",
    .operands = "MODEL.json --card CARD.json [--weights TYPE] --output FILE.vkdet",
    .summary = "make a container from a TensorFlow.js layers model and its card",
    .details =
        "\n"
        "The weight shards are found beside MODEL.json. --weights fp16 rounds what exact\n"
        "would keep as 32 bits, but for batch norms: half the size, about 3 decimal digits.\n",
    .min_operands = 1,
    .max_operands = 1,
    .options = convert_options,
    .run = convert_run,
};
